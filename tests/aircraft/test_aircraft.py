"""Aircraft databases of others: every known kind is read, stored once, and fills in what feeds leave out."""

import gzip
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from db.aircraft import import_aircraft, known_aircraft, lists_unnamed
from db.engine import reading, writing
from db.records.claims import KnownAircraft
from db.schema import aircraft
from monitor.aircraft.load import UpdateReport, update_aircraft
from monitor.aircraft.lookup import identify_aircraft
from monitor.aircraft.reading import read_aircraft
from monitor.cli import app as command_line
from monitor.errors import InputError, WorkFailed
from monitor.feeds.http import Caps, GuardedClient
from monitor.flights.tracks.classes import default_classes
from tests.kit.cast import CAST, QUIET_FIELD
from tests.kit.fake_feeds import NOON, client, streamed
from tests.kit.flying import Pilot, World

TAR1090 = (
    "15521F;RA-86559;IL62;10;ILYUSHIN Il-62;1980;Somebody;\n3950C7;F-GUGK;A318;0001;;;;\n101011;;;00;;;;\n"
)
OPENSKY = (
    "'icao24','timestamp','model','operatorIcao','owner','registration','typecode'\n"
    "'8a003c','2017-09-15 00:10:03','A330, 341','GIA','Garuda ''x''','PK-GPG','A333'\n"
    "'zz003c','2017-09-15 00:10:03','','','','',''\n"
)
OPENSKY_OLD = '"icao24","registration","typecode","operatoricao","owner"\n"aa3487","N757AN","B763","",""\n'
LISTS = '{"15521F": ["RA-86559", "IL62", "10"],\n "3950C7": ["F-GUGK", "A318", "00", "x"], "bad": 7}'
ICAO24PLUS = "15521F\tRA-86559\tIL62\tIlyushin\n"

IL62 = KnownAircraft("15521f", "RA-86559", "IL62", flags=1)


TREE = io.BytesIO()
with zipfile.ZipFile(TREE, "w") as _archive:
    _archive.writestr(
        "db/1.json", json.dumps({"5521F": {"r": "RA-86559", "t": "IL62", "f": "10"}, "children": ["15"]})
    )
    _archive.writestr("db/README", "not read")


@pytest.mark.parametrize(
    ("body", "source", "aircraft", "unusable"),
    [
        (TAR1090.encode(), "tar1090-db", [IL62, KnownAircraft("3950c7", "F-GUGK", "A318", flags=8)], 1),
        (gzip.compress(TAR1090.encode()), "tar1090-db", [IL62, KnownAircraft("3950c7", "F-GUGK", "A318", flags=8)], 1),
        (OPENSKY.encode(), "opensky", [KnownAircraft("8a003c", "PK-GPG", "A333", "GIA")], 1),
        (OPENSKY_OLD.encode(), "opensky", [KnownAircraft("aa3487", "N757AN", "B763")], 0),
        (LISTS.encode(), "mictronics", [IL62, KnownAircraft("3950c7", "F-GUGK", "A318")], 1),
        (TREE.getvalue(), "mictronics", [IL62], 0),
        (ICAO24PLUS.encode(), "mictronics", [KnownAircraft("15521f", "RA-86559", "IL62")], 0),
        (("\ufeff" + TAR1090).encode(), "tar1090-db", [IL62, KnownAircraft("3950c7", "F-GUGK", "A318", flags=8)], 1),
    ],
    # Compressed bytes hold the time, and would name the same test otherwise in each process.
    ids=["tar1090", "tar1090-gz", "opensky", "opensky-old", "mictronics", "mictronics-zip", "icao24plus", "byte-order-mark"],
)  # fmt: skip
def test_every_kind_is_told_by_its_content(
    tmp_path: Path, body: bytes, source: str, aircraft: list[KnownAircraft], unusable: int
) -> None:
    path = tmp_path / "database"
    path.write_bytes(body)
    read = list(read_aircraft(path))
    assert [row.record for row in read if row.record] == aircraft
    assert len([row for row in read if row.record is None]) == unusable
    assert {row.source for row in read} == {source}


def test_a_large_object_is_read_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "aircrafts.json"
    path.write_text(json.dumps({f"{number:06X}": [f"X-{number}", "A320", "00"] for number in range(20_000)}))
    told: list[int] = []
    read = list(read_aircraft(path, told.append))
    assert [row.record.icao24 for row in read if row.record] == [f"{number:06x}" for number in range(20_000)]
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "none of the kinds"),
        (b"hello\n", "none of the kinds"),
        (LISTS.encode()[:-20], "broken or cut short"),
        (b'{"15521F": [1,', "broken or cut short"),
        (gzip.compress(TAR1090.encode() * 50)[:-9], "cannot be read as an aircraft database"),
        (TREE.getvalue()[:40], "cannot be read as an aircraft database"),
        (b"x;y;z;00\n", "holds no aircraft"),
    ],
    ids=["empty", "text", "cut", "cut-list", "cut-gz", "cut-zip", "no-aircraft"],
)
def test_what_is_no_aircraft_database_is_refused(
    sqlite_engine: Engine, tmp_path: Path, body: bytes, words: str
) -> None:
    path = tmp_path / "database"
    path.write_bytes(body)
    with pytest.raises(InputError, match=words):
        update_aircraft(sqlite_engine, str(path), client(lambda _: httpx.Response(500)), NOON, lambda _: None)


def test_loading_again_changes_nothing_and_a_newer_file_changes_what_differs(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "aircraft.csv"
    nobody = client(lambda _: httpx.Response(500))

    def load(text: str) -> UpdateReport:
        path.write_text(text, encoding="utf-8")
        return update_aircraft(engine, str(path), nobody, NOON, lambda _: None)

    assert load(TAR1090).changed == 2
    assert load(TAR1090).changed == 0
    report = load(TAR1090.replace("RA-86559", "RA-86560"))
    assert (report.changed, report.aircraft["tar1090-db"], report.unusable) == (1, 2, 1)
    with reading(engine) as connection:
        assert known_aircraft(connection, ["15521f"])["15521f"].registration == "RA-86560"
        assert connection.execute(select(aircraft.c.source)).scalars().all() == ["tar1090-db"] * 2
    # What a newer file leaves out stays: it may be an excerpt.
    (only,) = (line for line in TAR1090.splitlines() if "RA-86559" in line)
    load(f"{only}\n")
    with reading(engine) as connection:
        assert len(connection.execute(select(aircraft.c.source)).all()) == 2


def test_of_those_who_asked_not_to_be_shown_nothing_is_stored_but_that_whatever_others_say(
    engine: Engine,
) -> None:
    name = KnownAircraft("3950c7", "F-GUGK", "A318", "AFR")

    def known(source: str, *rows: KnownAircraft) -> dict[str, KnownAircraft]:
        with writing(engine) as connection:
            import_aircraft(connection, source, rows, NOON)
            assert lists_unnamed(connection) == any(
                row.flags > 1 for row in known_aircraft(connection, ["3950c7"]).values()
            )
            return known_aircraft(connection, ["3950c7"])

    asked = {"3950c7": KnownAircraft("3950c7", flags=8)}
    assert known("opensky", name) == {"3950c7": name}
    assert known("tar1090-db", replace(name, flags=8)) == asked
    assert known("opensky", name, IL62) == asked
    with reading(engine) as connection:
        stored = connection.execute(select(aircraft)).all()
    assert not any(word in str(stored) for word in ("3950c7", "F-GUGK", "A318", "AFR"))
    # It is their list: who takes it back is named again, once the others are imported again.
    assert known("tar1090-db", name) == {"3950c7": name}
    assert known("opensky", name) == {"3950c7": name}


def test_databases_complete_each_other_in_their_order_and_flags_add_up(engine: Engine) -> None:
    with writing(engine) as connection:
        import_aircraft(connection, "opensky", [KnownAircraft("15521f", "RA-1", "IL76", "RFF", 2)], NOON)
        import_aircraft(connection, "tar1090-db", [KnownAircraft("15521f", "RA-86559", "", "", 1)], NOON)
        assert known_aircraft(connection, ["15521f", "000000"]) == {
            "15521f": KnownAircraft("15521f", "RA-86559", "IL76", "RFF", 3)
        }


def test_an_address_is_followed_to_where_it_leads(sqlite_engine: Engine) -> None:
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.host == "first.example":
            return httpx.Response(302, headers={"Location": "https://second.example/aircraft.csv.gz"})
        return streamed(gzip.compress(TAR1090.encode()))

    report = update_aircraft(
        sqlite_engine, "https://first.example/a.csv.gz", client(serve, headers={}), NOON, lambda _: None
    )
    assert report.changed == 2
    assert asked == ["https://first.example/a.csv.gz", "https://second.example/aircraft.csv.gz"]


def guarded(handler: httpx.MockTransport, limit: int = 1 << 20) -> GuardedClient:
    return client(handler, headers={}, caps=Caps(body_bytes=limit))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(404), "answered 404"),
        (httpx.Response(302, headers={"Location": "https://x.example/"}), "redirected more than"),
        (httpx.Response(302, headers={"Location": "file:///etc/passwd"}), "only http"),
        (httpx.Response(200, content=b"x" * 4096), "larger than"),
    ],
)
def test_a_file_that_cannot_be_fetched_is_a_failure(
    sqlite_engine: Engine, answer: httpx.Response, words: str
) -> None:
    fetch = guarded(httpx.MockTransport(lambda _: answer), limit=1024)
    with pytest.raises(WorkFailed, match=words):
        update_aircraft(sqlite_engine, "https://x.example/a.csv", fetch, NOON, lambda _: None)


def test_a_connection_that_breaks_while_it_is_read_is_a_failure(sqlite_engine: Engine) -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> "Broken":
            return self

        def __next__(self) -> bytes:
            raise httpx.ReadError("gone")

    fetch = guarded(httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken())))
    with pytest.raises(WorkFailed, match="broke off"):
        update_aircraft(sqlite_engine, "https://x.example/a.csv", fetch, NOON, lambda _: None)


def test_there_must_be_a_file(sqlite_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        update_aircraft(
            sqlite_engine, str(tmp_path / "x"), client(lambda _: httpx.Response(500)), NOON, lambda _: None
        )


@pytest.mark.shared
def test_a_real_excerpt_is_read_whole(sqlite_engine: Engine, shared_data: Path) -> None:
    path = shared_data / "reference/aircraft-ru-kp-excerpt.csv.gz"
    report = update_aircraft(
        sqlite_engine, str(path), client(lambda _: httpx.Response(500)), NOON, lambda _: None
    )
    assert report.aircraft["tar1090-db"] + report.unusable == 2172
    assert report.unusable < 10
    (who,) = identify_aircraft(sqlite_engine, "RA-86559", default_classes())
    assert (who.icao24, who.state, who.type_code, who.type_name) == ("15521f", "RU", "IL62", "Il-62")


# --- what it is good for ------------------------------------------------------------------------


def test_a_feed_without_types_still_gives_types_and_classes(sqlite_engine: Engine) -> None:
    world = World(sqlite_engine, CAST)
    with writing(sqlite_engine) as connection:
        import_aircraft(
            connection, "tar1090-db", [KnownAircraft("15abcd", "RF-94100", "T160", flags=1)], NOON
        )
    pilot = Pilot(QUIET_FIELD, icao24="15abcd").land()
    world.live(pilot.fixes)
    (visit,) = world.visits()
    assert visit.registration == "RF-94100"
    assert {"class:bomber", "class:state", "type:T160"} <= set(visit.subjects)


def test_who_an_address_is(sqlite_engine: Engine) -> None:
    (by_rule,) = identify_aircraft(sqlite_engine, "RA-64520", default_classes())
    assert (by_rule.icao24, by_rule.registration, by_rule.by_rule) == ("14fc08", "", "RA-64520")
    opensky = [KnownAircraft("a00001", "N1", "C172"), KnownAircraft("a00002", "N1A", "C172"), IL62]
    with writing(sqlite_engine) as connection:
        import_aircraft(connection, "opensky", opensky, NOON)
    # Nobody has told yet who asked not to be shown.
    with pytest.raises(InputError, match="brings the list of those who asked"):
        identify_aircraft(sqlite_engine, "N1A", default_classes())
    assert [each.icao24 for each in identify_aircraft(sqlite_engine, "RA-86559", default_classes())] == [
        "15521f"
    ]
    with writing(sqlite_engine) as connection:
        import_aircraft(
            connection, "tar1090-db", [KnownAircraft("14fc08", "RA-64520", "T204", flags=8)], NOON
        )
        import_aircraft(connection, "tar1090-db", [KnownAircraft("a00001", "N1", "C172", flags=8)], NOON)
    assert [each.icao24 for each in identify_aircraft(sqlite_engine, "N1A", default_classes())] == ["a00002"]
    (unnamed,) = identify_aircraft(sqlite_engine, "A00001", default_classes())
    assert (unnamed.unnamed, unnamed.registration, unnamed.by_rule, unnamed.type_code) == (True, "", "", "")
    assert unnamed.classes == {}
    with pytest.raises(InputError, match="no database that was imported names it"):
        identify_aircraft(sqlite_engine, "N1", default_classes())
    with pytest.raises(InputError, match="no address is given for its registration"):
        identify_aircraft(sqlite_engine, "RA-64520", default_classes())
    with pytest.raises(InputError, match="no address of six"):
        identify_aircraft(sqlite_engine, "F-GUGK", default_classes())


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sites = Path(__file__).resolve().parents[2] / "sites.geojson"
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(sites))
    (tmp_path / "aircraft.csv").write_text(TAR1090, encoding="utf-8")
    runner = CliRunner()
    told = runner.invoke(command_line, ["aircraft", "update", "aircraft.csv"])
    assert "2 aircraft from tar1090-db; 2 new or changed, 1 rows of no use." in told.output
    again = json.loads(runner.invoke(command_line, ["aircraft", "update", "--json", "aircraft.csv"]).output)
    assert again["items"][0]["changed"] == 0
    shown = runner.invoke(command_line, ["aircraft", "show", "ra-86559"]).output
    assert "15521f: state RU; registration RA-86559; type IL62 (Il-62)." in shown
    assert "vip_military (Russian Air Force Il-62M)" in shown
    assert "never named" in runner.invoke(command_line, ["aircraft", "show", "3950c7"]).output
    listed = json.loads(runner.invoke(command_line, ["aircraft", "show", "--json", "15521f"]).output)
    assert listed["items"][0]["sources"] == ["tar1090-db"]
