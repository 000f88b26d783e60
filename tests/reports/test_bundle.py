"""The evidence of one alert: whole, checkable without a database, tamper-evident, and without anybody's secrets."""

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate
from sqlalchemy import Engine

from db.alerts import alerts, update_alert
from db.engine import reading, writing
from db.extracts import store_extracts
from db.flights import insert_fixes, record_visits, visits
from db.observations import record_observations
from db.records import Alert, Evidence, Extract, Fix
from db.records.aliases import alias_of
from monitor.pipeline import judge
from monitor.reports.bundle import JUDGEMENTS, MESSAGE, STORY, gather_bundle
from monitor.reports.bundle_check import CheckedBundle, check_bundle
from monitor.reports.bundle_file import BundleError, manifest_of, read_bundle, write_folder, write_zip
from tests.kit.builders import at
from tests.kit.program import run
from tests.kit.web_rig import NOW, Rig, containers, rig, tell_story

SECRET = "xoxb-planted-secret-0123456789"
VIP, JET = "15521f", "a1b2c3"
ALIAS = alias_of(b"k" * 32, "abc123")
Files = dict[str, bytes]


@pytest.fixture
def made(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    (tmp_path / "sites").mkdir()
    channel = {"kind": "slack_bot", "token": SECRET, "channel": "C0"}
    with rig(sqlite_engine, tmp_path / "sites", channels={"bot": channel}) as opened:
        yield opened


@pytest.fixture
def told(made: Rig) -> Rig:
    tell_story(made.app)
    return made


def bundle(made: Rig, chosen: Callable[[Alert], bool] = lambda _: True) -> Files:
    with reading(made.app.engine) as connection:
        alert = next(each for each in alerts(connection) if chosen(each))
        return gather_bundle(connection, made.app, alert, NOW)


def checked(folder: Path, files: Files, name: str = "x.zip") -> CheckedBundle:
    write_zip(folder / name, files, NOW)
    return check_bundle(folder / name)


def repacked(path: Path, change: Callable[[Files], None], *, summed: bool = False) -> Path:
    """The bundle with something changed in it, with its old list of sums or a new one."""
    files = read_bundle(path)
    change(files)
    if summed:
        files["manifest-sha256.txt"] = manifest_of(
            {name: content for name, content in files.items() if name != "manifest-sha256.txt"}
        )
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def test_every_alert_of_the_story_is_judged_again_to_the_same_words(told: Rig, tmp_path: Path) -> None:
    with reading(told.app.engine) as connection:
        found = {each.id: gather_bundle(connection, told.app, each, NOW) for each in alerts(connection)}
    assert len(found) > 1
    for name, files in found.items():
        again = checked(tmp_path, files, f"{name}.zip")
        assert again.faults == ()
        assert again.verdicts > 0
        assert not [each for each in again.notes if each.startswith("Not judged again")]


def test_so_is_one_that_rests_on_a_year_of_counts_though_more_is_known_by_now(
    made: Rig, tmp_path: Path
) -> None:
    days = (at("2023-01-01") + number * timedelta(days=2) for number in range(40))
    quiet = [containers(f"{day:%Y-%m-%d}", 3 + day.day % 3) for day in days]
    with writing(made.app.engine) as connection:
        record_observations(connection, [*quiet, containers("2023-06-01", 73)])
    judge(made.app, at("2023-06-02"))
    with writing(made.app.engine) as connection:
        record_observations(connection, [containers("2023-05-20", 12, known="2023-09-01")])
    judge(made.app, at("2023-09-01"))
    files = bundle(made)
    found = checked(tmp_path, files)
    assert found.faults == ()
    assert found.verdicts > 1
    known = json.loads(files[JUDGEMENTS])[0]["known"]
    assert len(known) == 40


def test_a_bundle_is_checked_where_there_is_no_database_and_leaves_nothing_behind(
    told: Rig, tmp_path: Path
) -> None:
    write_zip(tmp_path / "evidence.zip", bundle(told), NOW)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(elsewhere, "alerts", "verify", str(tmp_path / "evidence.zip"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in the same words" in done.stdout
    assert list(elsewhere.iterdir()) == []


def test_a_folder_is_as_good_as_a_zip_and_the_same_files_give_the_same_bytes(
    told: Rig, tmp_path: Path
) -> None:
    files = bundle(told)
    write_folder(tmp_path / "folder", files)
    write_zip(tmp_path / "one.zip", files, NOW)
    write_zip(tmp_path / "two.zip", files, NOW)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert check_bundle(tmp_path / "folder") == check_bundle(tmp_path / "one.zip")
    assert bundle(told) == files


def test_an_archive_takes_it_in(told: Rig, tmp_path: Path) -> None:
    files = bundle(told)
    write_folder(tmp_path / "crate", files)
    crate = ROCrate(tmp_path / "crate")
    listed = {str(each.id) for each in crate.data_entities}
    assert listed == files.keys() - {"ro-crate-metadata.json"}
    assert crate.root_dataset["license"]
    assert crate.datePublished == NOW


def test_whatever_is_changed_taken_out_or_added_is_found(told: Rig, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    files = bundle(told)
    write_zip(path, files, NOW)

    def put(name: str, content: bytes | None) -> CheckedBundle:
        def change(found: Files) -> None:
            found.pop(name, None)
            if content is not None:
                found[name] = content

        return check_bundle(repacked(path, change))

    for name, content in files.items():
        assert any(fault.startswith(f"{name} was changed") for fault in put(name, content + b" ").faults)
        assert f"{name} is missing." in put(name, None).faults
    assert put("more.txt", b"x").faults == ("more.txt is not in the list of sums: it was added.",)
    assert "nothing can be checked" in put("manifest-sha256.txt", None).faults[0]


@pytest.mark.parametrize(
    ("name", "lie", "words"),
    [
        (JUDGEMENTS, (b'"value":73.0', b'"value":7.0'), "does not say the same again"),
        (JUDGEMENTS, (b'"reason":"', b'"reason":"Never: '), "does not say the same again"),
        (MESSAGE, (b"73", b"93"), "message.txt is not what the alert says"),
        (STORY, (b'"headline":"', b'"headline":"Not '), "message.txt is not what the alert says"),
        (JUDGEMENTS, (b"{", b"["), "records cannot be read"),
    ],
)
def test_a_lie_with_new_sums_is_found_where_it_contradicts_the_rest(
    told: Rig, tmp_path: Path, name: str, lie: tuple[bytes, bytes], words: str
) -> None:
    path = tmp_path / "x.zip"
    write_zip(path, bundle(told, lambda each: each.metric == "containers"), NOW)

    def change(files: Files) -> None:
        content = files[name] if name == MESSAGE else compact(files[name])
        assert lie[0] in content
        files[name] = content.replace(*lie)

    found = check_bundle(repacked(path, change, summed=True))
    assert any(words in fault for fault in found.faults), found


def compact(content: bytes) -> bytes:
    return json.dumps(json.loads(content), separators=(",", ":"), ensure_ascii=False).encode()


def _zip_with(path: Path, name: str, content: bytes = b"x", mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../b", "C:\\x", "a\\b", "x" * 300, "a\nb", "..", "a/../../../b.json"],
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="leads out of it"):
        check_bundle(_zip_with(tmp_path / "x.zip", name))


def test_links_bombs_doubles_and_what_is_no_zip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="a link"):
        check_bundle(_zip_with(tmp_path / "link.zip", "alert.json", b"/etc/passwd", 0o120777))
    with pytest.raises(BundleError, match="fill a disk"):
        check_bundle(_zip_with(tmp_path / "bomb.zip", "alert.json", bytes(80_000_000)))
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    with pytest.raises(BundleError, match="twice"):
        check_bundle(tmp_path / "twice.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BundleError, match="no readable zip"):
        check_bundle(tmp_path / "text.zip")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "alert.json").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="a link"):
        check_bundle(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(5_001):
            archive.writestr(f"{number}", b"")
    with pytest.raises(BundleError, match="at most"):
        check_bundle(tmp_path / "many.zip")


def test_a_bundle_cut_off_in_the_middle_is_refused_or_faulted(told: Rig, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    write_zip(path, bundle(told), NOW)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(BundleError):
            check_bundle(path)


def heard(icao24: str, provider: str, minute: int) -> Fix:
    when = at("2023-07-31T01:00") + timedelta(minutes=minute)
    return Fix(
        provider,
        icao24,
        when,
        when,
        39.2 + minute / 1000,
        125.6,
        registration=f"R-{icao24}",
        callsign="PLANTED",
    )


def test_nobody_who_is_not_watched_and_no_secret_is_in_it(told: Rig) -> None:
    """A watched aircraft, a private jet of the last hours, one that asked not to be shown; a provider that forbids passing on."""
    watched = ("class:vip_military", f"icao24:{VIP}")
    refs = []
    with writing(told.app.engine) as connection:
        [first] = visits(connection)
        for icao24, subjects in ((VIP, watched), (JET, ("type:C56X",)), (ALIAS, ())):
            visit = replace(
                first,
                visit_id=f"v-{icao24[:3]}",
                icao24=icao24,
                subjects=subjects,
                registration=f"R-{icao24}",
                callsign="PLANTED",
            )
            refs += [each.visit_id for each in record_visits(connection, [visit])]
            insert_fixes(connection, [heard(icao24, "adsb.lol", 5), heard(icao24, "opensky", 6)])
        alert = next(each for each in alerts(connection) if each.site_id == "quiet-field")
        [entry] = alert.details["entries"]
        evidence = [*entry["evidence"], *({"kind": "visit", "ref": each, "text": "arrived"} for each in refs)]
        update_alert(
            connection,
            replace(alert, details={**alert.details, "entries": [{**entry, "evidence": evidence}]}),
        )
    files = bundle(told, lambda each: each.site_id == "quiet-field")
    everything = b"\n".join(files.values()).decode("utf-8", "replace")
    track = json.loads(files["tracks.geojson"])
    assert [each["properties"]["icao24"] for each in track["features"]] == [VIP]
    assert track["withheld"] == 1
    for planted in (JET, ALIAS, "PLANTED", f"R-{JET}", SECRET, "opensky"):
        assert planted not in everything


def test_of_an_answer_that_may_not_be_passed_on_stand_request_time_size_and_hash(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        [first] = visits(connection)
        polls = [Evidence("poll", "1", ""), Evidence("poll", "2", "")]
        watched = ("class:vip_military", f"icao24:{VIP}")
        visit = replace(first, visit_id="v-answers", icao24=VIP, subjects=watched, evidence=tuple(polls))
        [stored] = record_visits(connection, [visit])
        for number, free in ((1, True), (2, False)):
            row = {"hex": VIP, "said": f"answer {number}"}
            kept = Extract(VIP, (row,), f"https://feed.example/{number}", redistribute=free)
            another = Extract(JET, ({"hex": JET, "said": "beside it"},), kept.request, redistribute=True)
            store_extracts(connection, number, [kept, another], NOW)
        alert = next(each for each in alerts(connection) if each.site_id == "quiet-field")
        [entry] = alert.details["entries"]
        evidence = [*entry["evidence"], {"kind": "visit", "ref": stored.visit_id, "text": "arrived"}]
        update_alert(
            connection,
            replace(alert, details={**alert.details, "entries": [{**entry, "evidence": evidence}]}),
        )
    files = bundle(told, lambda each: each.site_id == "quiet-field")
    one, two = json.loads(files["answers.json"])
    assert (one["rows"], one["withheld"]) == ([{"hex": VIP, "said": "answer 1"}], 0)
    assert (two["rows"], two["withheld"], two["request"]) == ([], 1, "https://feed.example/2")
    assert "answer 2" not in files["answers.json"].decode()
    assert "beside it" not in files["answers.json"].decode(), "watched too, and not what the alert is about"
    assert {"answer_sha256", "answer_size", "started_at"} <= two.keys()


def test_a_verdict_under_rules_that_have_changed_since_is_said_not_to_come_out_again(
    told: Rig, tmp_path: Path
) -> None:
    harsher = told.app.settings.model_copy(
        update={"watch": {"port": {"containers": {"rules": {"record": None}}}}}
    )
    changed = replace(told, app=replace(told.app, settings=harsher))
    found = checked(tmp_path, bundle(changed, lambda each: each.metric == "containers"))
    assert found.faults == ()
    assert any(each.startswith("Not judged again: what the rule record said") for each in found.notes)
