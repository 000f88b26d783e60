"""Commands as a person or a script uses them: exit codes, plain sentences, one JSON document, fast help."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import text

from db.engine import open_engine, writing
from db.leases import take_lease
from db.migrate import current_revision
from monitor.commands import parse_duration, print_json, say
from monitor.errors import InputError
from tests.kit.in_process import Answer, in_process
from tests.kit.program import answering, begin, closed_port, run, write_settings

Sitewatch = Callable[..., Answer]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which commands run, with settings under which every provider refuses the connection."""
    for name in ("SITEWATCH_CONFIG", "SITEWATCH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with closed_port() as port:
        write_settings(tmp_path, port)
        begin()
        yield tmp_path


@pytest.fixture
def sitewatch(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Sitewatch]:
    """Run one command in this process; logging is put back afterwards."""
    with in_process(capsys) as command:
        yield command


@pytest.fixture
def alert(sitewatch: Sitewatch) -> str:
    """The id of an open alert: a listed class of aircraft at Quiet Field, told through the log channel."""
    assert sitewatch("run", "--once").code == 0
    (found,) = sitewatch("alerts", "list", "--status", "open", "--json").json["items"]
    assert found["site_id"] == "quiet-field"
    return str(found["id"])


def aircraft() -> bytes:
    """An answer by a readsb provider: one airliner high above Quiet Field."""
    seen = {"hex": "4ca123", "lat": -51.0, "lon": -70.0, "alt_baro": 35000, "seen": 1, "seen_pos": 1}
    now = datetime.now(UTC).timestamp() * 1000
    return json.dumps({"ac": [seen], "now": now, "msg": "No error", "total": 1}).encode()


# --- help and usage


def test_help_imports_nothing_heavy() -> None:
    heavy = [
        "geopandas",
        "fastapi",
        "matplotlib",
        "sqlalchemy",
        "pydantic",
        "shapely",
        "httpx",
        "apscheduler",
        "numpy",
        "uvicorn",
        "structlog",
    ]
    code = (
        "import sys\nfrom monitor.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "doctor" in done.stdout


def test_the_version_is_that_of_the_package(sitewatch: Sitewatch) -> None:
    assert sitewatch("--version").out.startswith("sitewatch 0.")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["poll", "--nonsense"], ["alerts", "show"], ["alerts", "export"]]
)
def test_wrong_usage_ends_with_2(sitewatch: Sitewatch, arguments: list[str]) -> None:
    answer = sitewatch(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err


# --- errors are sentences


def test_a_bad_setting_ends_with_2_and_one_plain_text(
    sitewatch: Sitewatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEWATCH_PORT", "eighty")
    answer = sitewatch("status")
    assert answer.code == 2
    assert "SITEWATCH_PORT" in answer.err
    assert "Traceback" not in answer.err


def test_a_bad_sites_file_ends_with_2_and_every_fault(sitewatch: Sitewatch, folder: Path) -> None:
    path = folder / "sites.geojson"
    path.write_text(
        path.read_text().replace('"kind": "port"', '"kind": "harbour"').replace('"airport"', '"field"')
    )
    answer = sitewatch("run", "--once")
    assert answer.code == 2
    assert "busy-port" in answer.err
    assert "quiet-field" in answer.err


def test_a_database_that_cannot_be_reached_ends_with_1_without_its_password(
    sitewatch: Sitewatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"postgresql://watch:secretpart@127.0.0.1:{port}/watch")
        answer = sitewatch("status")
    assert answer.code == 1
    assert "PostgreSQL database watch on 127.0.0.1" in answer.err
    assert "secretpart" not in answer.err
    assert "Traceback" not in answer.err


def test_a_folder_that_cannot_be_made_ends_with_2(
    sitewatch: Sitewatch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("")
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{folder}/file/sitewatch.db")
    answer = sitewatch("run", "--once")
    assert answer.code == 2
    assert "cannot be made" in answer.err


READING = [
    ["status"],
    ["status", "--judgeable"],
    ["history", "quiet-field"],
    ["visits", "quiet-field"],
    ["baseline", "quiet-field", "arrivals"],
    ["backtest", "quiet-field", "arrivals"],
    ["aircraft", "show", "15521f"],
    ["alerts", "list"],
    ["alerts", "show", "abc"],
    ["alerts", "ack", "abc"],
    ["alerts", "silence", "quiet-field"],
    ["alerts", "resend"],
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_reads_makes_neither_database_nor_folder(
    sitewatch: Sitewatch, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{folder}/vra/sitewatch.db")
    before = sorted(folder.rglob("*"))
    answer = sitewatch(*arguments)
    assert answer.code == 2
    assert (
        f"There is no sitewatch database yet: the SQLite file {folder}/vra/sitewatch.db is not there."
        in answer.err
    )
    assert "Check SITEWATCH_DATABASE_URL" in answer.err
    assert sorted(folder.rglob("*")) == before


def test_looking_at_what_is_wrong_makes_nothing_either(
    sitewatch: Sitewatch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{folder}/vra/sitewatch.db")
    before = sorted(folder.rglob("*"))
    answer = sitewatch("doctor", "--offline")
    assert "WARNING database" in answer.out
    assert sitewatch("alerts", "test").code == 0
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("command", [["status"], ["history", "quiet-field"], ["doctor", "--offline"]])
def test_an_empty_file_is_not_filled_by_what_reads(
    sitewatch: Sitewatch, folder: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    empty = folder / "empty.db"
    empty.touch()
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{empty}")
    answer = sitewatch(*command)
    assert "is empty" in answer.err + answer.out
    assert empty.stat().st_size == 0


def test_an_empty_server_is_not_filled_by_what_reads(
    sitewatch: Sitewatch, monkeypatch: pytest.MonkeyPatch, empty_postgres_url: str
) -> None:
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", empty_postgres_url)
    answer = sitewatch("status")
    assert answer.code == 2
    assert "is empty" in answer.err
    engine = open_engine(empty_postgres_url)
    assert current_revision(engine) is None
    engine.dispose()


def set_revision(folder: Path, revision: str) -> None:
    engine = open_engine(f"sqlite:///{folder}/var/sitewatch.db")
    with writing(engine) as connection:
        connection.execute(text("update alembic_version set version_num = :revision"), {"revision": revision})
    engine.dispose()


def test_a_file_that_is_no_database_ends_with_1_and_no_traceback(sitewatch: Sitewatch, folder: Path) -> None:
    (folder / "var" / "sitewatch.db").write_text("These are minutes of a meeting.")
    answer = sitewatch("status")
    assert answer.code == 1
    assert (
        "The SQLite file var/sitewatch.db is damaged, or is no database: file is not a database. End what has it "
        "open, and bring the last backup back with “sitewatch restore BACKUP”" in answer.err
    )
    assert "BROKEN" in sitewatch("doctor", "--offline").out
    assert (folder / "var" / "sitewatch.db").read_text() == "These are minutes of a meeting."


def test_a_server_that_lets_us_write_nothing_ends_with_1(
    sitewatch: Sitewatch, monkeypatch: pytest.MonkeyPatch, empty_postgres_url: str
) -> None:
    owner = open_engine(empty_postgres_url)
    with owner.begin() as connection:
        connection.execute(text("drop role if exists newcomer"))
        connection.execute(text("create role newcomer login"))
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", empty_postgres_url.replace("//postgres:", "//newcomer:"))
    answer = sitewatch("run", "--once")
    owner.dispose()
    assert answer.code == 1
    assert "permission denied for schema public" in answer.err
    assert "sitewatch may read and write there" in answer.err


@pytest.mark.parametrize("command", [["status"], ["run", "--once"]])
def test_a_database_of_a_newer_version_is_left_alone(
    sitewatch: Sitewatch, folder: Path, command: list[str]
) -> None:
    assert sitewatch("status").code == 0
    set_revision(folder, "9999")
    answer = sitewatch(*command)
    assert answer.code == 1
    assert "newer sitewatch" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["poll", "nobody"],
        ["poll", "--site", "nowhere"],
        ["history", "nowhere"],
        ["visits", "nowhere"],
        ["alerts", "list", "--site", "nowhere"],
        ["alerts", "list", "--status", "shouting"],
        ["alerts", "show", "al_none"],
        ["alerts", "ack", "al_none"],
        ["alerts", "silence", "nowhere"],
        ["alerts", "silence", "busy-port", "balloons"],
        ["alerts", "silence", "busy-port", "--for", "ever"],
        ["alerts", "test", "--channel", "pigeon"],
        ["observations", "import", "nothing.csv"],
        ["replay", "nowhere"],
    ],
)
def test_what_is_not_there_ends_with_2_and_says_what_there_is(
    sitewatch: Sitewatch, arguments: list[str]
) -> None:
    answer = sitewatch(*arguments)
    assert answer.code == 2, answer
    assert answer.out == ""
    assert answer.err.strip().endswith((".", "?")), answer.err
    assert "Traceback" not in answer.err


# --- JSON


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["doctor", "--offline"],
        ["sites", "list"],
        ["sites", "check"],
        ["history", "busy-port"],
        ["visits", "quiet-field"],
        ["alerts", "list"],
        ["alerts", "silence"],
        ["alerts", "test"],
    ],
)
def test_json_is_one_document_and_nothing_else(sitewatch: Sitewatch, arguments: list[str]) -> None:
    assert isinstance(sitewatch(*arguments, "--json").json, dict)


# --- polling


def test_a_poll_that_nobody_answers_ends_with_1_and_tells_each_reason(sitewatch: Sitewatch) -> None:
    answer = sitewatch("poll", "adsb.lol")
    assert answer.code == 1
    assert "cannot connect" in answer.out
    assert "never as a zero" in answer.err


def test_a_poll_in_json_lists_what_was_asked(sitewatch: Sitewatch) -> None:
    answer = sitewatch("poll", "adsb.lol", "--site", "quiet-field", "--json")
    assert answer.code == 1
    (item,) = json.loads(answer.out)["items"]
    assert (item["outcome"], item["site_ids"]) == ("failed", ["quiet-field"])


OFF = '[providers."{}"]\nenabled = false\n'
NO_SCENES = b'{"type": "FeatureCollection", "features": []}'


def only(folder: Path, provider: str, port: int) -> None:
    """Settings under which one of the two providers is on, at this port."""
    other, path = {"adsb.lol": ("earth-search", "v2/"), "earth-search": ("adsb.lol", "v1")}[provider]
    (folder / "sitewatch.toml").write_text(
        'allowed_networks = ["127.0.0.0/8"]\n'
        f'[providers."{provider}"]\nbase_url = "http://127.0.0.1:{port}/{path}"\n' + OFF.format(other)
    )


@pytest.mark.parametrize("arguments", [[], ["adsb.lol"], ["earth-search"], ["--site", "quiet-field"]])
def test_where_nothing_that_was_asked_answers_a_poll_ends_with_1(
    sitewatch: Sitewatch, arguments: list[str]
) -> None:
    answer = sitewatch("poll", *arguments)
    assert (answer.code, "No provider gave an answer." in answer.err) == (1, True)


@pytest.mark.parametrize("status", [429, 500, 403, 200], ids=["too often", "broken", "refused", "useless"])
def test_every_way_of_no_answer_ends_with_1(sitewatch: Sitewatch, folder: Path, status: int) -> None:
    with answering(lambda: b'{"msg": "no"}', status) as port:
        write_settings(folder, port)
        assert sitewatch("poll").code == 1


def test_where_all_are_resting_a_poll_ends_with_1_and_says_until_when(
    sitewatch: Sitewatch, folder: Path
) -> None:
    with answering(lambda: b"slow down", 429, {"Retry-After": "3600"}) as port:
        write_settings(folder, port)
        assert sitewatch("poll").code == 1
        resting = sitewatch("poll")
    assert (resting.code, resting.out.count("asked to be left alone until")) == (1, 2)


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["words", "json"])
def test_where_one_of_them_answers_a_poll_ends_with_0(
    sitewatch: Sitewatch, folder: Path, arguments: list[str]
) -> None:
    """Aircraft come, and the catalogue does not understand the question."""
    with answering(aircraft) as port:
        write_settings(folder, port)
        answer = sitewatch("poll", *arguments)
        assert answer.code == 0
        assert "Failed" in answer.out
        assert sitewatch("poll", "earth-search").code == 1


def test_a_catalogue_without_new_scenes_has_answered(sitewatch: Sitewatch, folder: Path) -> None:
    with answering(lambda: NO_SCENES) as port:
        only(folder, "earth-search", port)
        assert sitewatch("poll").code == 0


def test_an_empty_answer_that_is_not_believed_is_none(sitewatch: Sitewatch, folder: Path) -> None:
    def nobody() -> bytes:
        return json.dumps({"ac": [], "now": datetime.now(UTC).timestamp() * 1000}).encode()

    with answering(nobody) as port:
        only(folder, "adsb.lol", port)
        answer = sitewatch("poll", "--site", "quiet-field")
    assert (answer.code, "which is no zero" in answer.out) == (1, True)


def test_without_providers_there_is_nothing_to_poll(sitewatch: Sitewatch, folder: Path) -> None:
    (folder / "sitewatch.toml").write_text(
        '[providers."adsb.lol"]\nenabled = false\n[providers.earth-search]\nenabled = false\n'
    )
    answer = sitewatch("poll")
    assert answer.code == 0
    assert "nothing to ask" in answer.out


def test_a_poll_that_is_answered_ends_with_0_and_shows_in_the_status(
    sitewatch: Sitewatch, folder: Path
) -> None:
    with answering(aircraft) as port:
        write_settings(folder, port)
        answer = sitewatch("poll", "adsb.lol", "--site", "quiet-field")
    assert answer.code == 0, answer
    assert "1 aircraft around quiet-field" in answer.out
    assert "1 items" in sitewatch("status").out


def test_the_status_names_the_service_that_watches(
    sitewatch: Sitewatch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEWATCH_LEASE_S", "600")
    engine = open_engine(f"sqlite:///{folder}/var/sitewatch.db")
    with writing(engine) as connection:
        assert take_lease(connection, "machine, process 7", datetime.now(UTC), 600)
    engine.dispose()
    assert "Watching: machine, process 7." in sitewatch("status").out


# --- status


def test_the_status_of_a_fresh_place_says_what_to_do(sitewatch: Sitewatch) -> None:
    answer = sitewatch("status")
    assert answer.code == 0
    assert "No service is watching now. Start one with “sitewatch run”." in answer.out
    assert "never asked" in answer.out
    assert "no feed covers it" in answer.out


def test_the_status_shows_why_a_provider_fails(sitewatch: Sitewatch) -> None:
    sitewatch("poll", "adsb.lol")
    answer = sitewatch("status")
    assert "failing since" in answer.out
    assert "cannot connect" in answer.out


def test_the_status_names_silences_and_alerts(sitewatch: Sitewatch, alert: str) -> None:
    sitewatch("alerts", "silence", "quiet-field")
    answer = sitewatch("status")
    assert "quiet-field every metric" in answer.out
    row = next(line for line in answer.out.splitlines() if line.startswith("quiet-field"))
    assert row.split()[-1] == "1"


# --- alerts


def test_an_alert_is_listed_and_shown_with_its_life(sitewatch: Sitewatch, alert: str) -> None:
    listed = sitewatch("alerts", "list", "--site", "quiet-field")
    assert alert in listed.out
    shown = sitewatch("alerts", "show", alert[3:9])
    assert shown.code == 0, shown.err
    assert "https://watch.example/1" in shown.out
    assert "opened" in shown.out
    assert "sent" in shown.out
    whole = sitewatch("alerts", "show", alert, "--json").json
    assert whole["alert"]["id"] == alert
    assert [each["kind"] for each in whole["events"]] == ["opened"]
    assert [each["state"] for each in whole["deliveries"]] == ["sent"]


def test_no_alerts_is_said(sitewatch: Sitewatch) -> None:
    assert "No alerts." in sitewatch("alerts", "list").out


def test_an_id_that_fits_several_alerts_is_refused(sitewatch: Sitewatch, folder: Path, alert: str) -> None:
    engine = open_engine(f"sqlite:///{folder}/var/sitewatch.db")
    copy = (
        "insert into alert select 'al_other', 'other', site_id, site_name, area, metric, group_key, subjects, rule, "
        "rules, status, phenomenon_time, opened_at, closed_at, last_look_at, value, peak, baseline, headline, "
        "confidence, details, incident_id, acknowledged_at, acknowledged_by, events from alert"
    )
    with writing(engine) as connection:
        connection.execute(text(copy))
    engine.dispose()
    answer = sitewatch("alerts", "show", "al_")
    assert answer.code == 2
    assert "fits 2 alerts" in answer.err


def test_acknowledging_is_kept_with_name_and_is_done_once(sitewatch: Sitewatch, alert: str) -> None:
    assert "is acknowledged" in sitewatch("alerts", "ack", alert, "--by", "ann").out
    assert "was acknowledged before, by ann" in sitewatch("alerts", "ack", alert, "--by", "bob").out
    assert sitewatch("alerts", "ack", alert, "--json").json["alert"]["acknowledged_by"] == "ann"
    assert "open, acknowledged" in sitewatch("alerts", "list").out


def test_a_silence_is_listed_and_lifted(sitewatch: Sitewatch) -> None:
    made = sitewatch(
        "alerts", "silence", "busy-port", "containers", "--for", "2d", "--reason", "exercise", "--by", "ann"
    )
    assert "busy-port containers: silent until" in made.out
    assert "by ann (exercise)" in made.out
    assert len(sitewatch("alerts", "silence", "--json").json["items"]) == 1
    lifted = sitewatch("alerts", "silence", "busy-port", "--lift")
    assert "1 silence was lifted." in lifted.out
    assert "Nothing is silenced." in lifted.out


def test_the_test_message_goes_through_the_log(sitewatch: Sitewatch) -> None:
    answer = sitewatch("alerts", "test")
    assert answer.code == 0
    assert answer.out.startswith("log: ")
    assert "This is a test" in answer.err


def test_a_channel_that_does_not_work_ends_with_1(
    sitewatch: Sitewatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv(
            "SITEWATCH_SLACK_WEBHOOK_URL", f"http://127.0.0.1:{port}/services/T0/B0/verysecretpart"
        )
        answer = sitewatch("alerts", "test", "--channel", "slack")
    assert answer.code == 1
    assert "slack: NOT sent." in answer.out
    assert "verysecretpart" not in answer.out + answer.err


# --- lengths of time


@pytest.mark.parametrize(
    ("written", "seconds"), [("30m", 1800), ("12h", 43200), ("2d", 172800), ("1.5h", 5400)]
)
def test_lengths_of_time_are_read(written: str, seconds: float) -> None:
    assert parse_duration(written).total_seconds() == seconds


@pytest.mark.parametrize("written", ["", "2", "d", "-1d", "0h", "99999d", "1y"])
def test_anything_else_is_no_length_of_time(written: str) -> None:
    with pytest.raises(InputError):
        parse_duration(written)


# --- a whole process, for what only a process shows


def test_a_failing_command_prints_no_traceback_in_a_process_of_its_own(folder: Path) -> None:
    done = run(folder, "status", SITEWATCH_NONSENSE="1")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "SITEWATCH_NONSENSE is not a setting" in done.stderr
    assert "Traceback" not in done.stderr


def test_records_and_odd_values_become_plain_json(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2023, 10, 5, tzinfo=UTC)
    print_json(
        {
            "map": MappingProxyType({"a": 1}),
            "set": {"b", "a"},
            "path": Path("x"),
            "at": at,
            "record": Answer(0, "", ""),
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "map": {"a": 1},
        "set": ["a", "b"],
        "path": "x",
        "at": "2023-10-05T00:00:00+00:00",
        "record": {"code": 0, "out": "", "err": ""},
    }


def test_a_line_is_written_in_one_piece_so_that_two_threads_never_mix_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    monkeypatch.setattr("sys.stdout", Stream())
    say("Page: http://127.0.0.1:8000/")
    assert pieces == ["Page: http://127.0.0.1:8000/\n"]
