"""How long names are kept: a private jet, a flight that asked not to be shown, an owner and a watched aircraft, for a year.

They come in through every provider, an archive and an aircraft database. What was planted is searched in every table, in
the bytes of the SQLite file and its log, on every page, in every export, message, metric and log line.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import Engine, select, update

from db.alerts import alerts
from db.backup import back_up
from db.cutouts import store_cutout
from db.deliveries import deliveries
from db.engine import DBAPIError, reading, writing
from db.extracts import extracts_of, polls_behind
from db.flights import fixes, visits
from db.records import Visit
from db.records.aliases import draft_visit_id, is_alias, sealed_visit_id
from db.schema import alert, fix, metadata, visitor_key
from db.sqlite_files import file_of
from monitor.aircraft.load import update_aircraft
from monitor.backfill.load import Backfill
from monitor.feeds import Feed
from monitor.pipeline import deliver, derive, judge, retain
from monitor.poll.rounds import poll_provider
from tests.kit.archives import DAY as ARCHIVED
from tests.kit.archives import trace, write_folder
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON, client, v2_body
from tests.kit.feed_contract import (
    CASES,
    FR24_FLIGHT,
    FR24_POSITION,
    OPENSKY_FLIGHT,
    OPENSKY_ROW,
    OPENSKY_TRACK,
    fr24_body,
    stac_item,
    stac_page,
)
from tests.kit.flying import VIP, Pilot
from tests.kit.web_rig import Rig, picture, rig

pytestmark = pytest.mark.untraced

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OWNER = "Ophelia Planted"
JET, LADD, PIA, LATE = "a1b2c3", "abc123", "ad0f0f", "ac7777"
NAMES = {JET: "N55JX", LADD: "N99LX", PIA: "N77PX", LATE: "N33TX", VIP: "RA-86559"}
FLAGS = {JET: 0, LADD: 8, PIA: 4, LATE: 0, VIP: 1}
TYPES = {JET: "C56X", LADD: "GLF6", PIA: "GLEX", LATE: "C25M", VIP: "IL62"}
NEVER_KEPT = (OWNER, LADD, NAMES[LADD], PIA, NAMES[PIA], "GLF6", "GLEX")
"""What must be found at no time."""
FORGOTTEN = (*NEVER_KEPT, JET, NAMES[JET], LATE, NAMES[LATE])
"""What must not be found once the time is over for which identities are kept."""
PATHS = (
    "/", "/sites/quiet-field", "/sites/busy-port", "/visits", "/observations", "/api/v1/totals?by=day", "/alerts", "/alerts/{alert}", "/alerts/{alert}/email", "/feeds", "/healthz",
    "/readyz", "/metrics", "/sites/quiet-field/picture", "/api/v1/openapi.json",
    *(f"/api/v1/{what}?format={form}" for what in ("sites", "observations", "visits", "alerts", "status") for form in ("json", "csv", "geojson")),
)  # fmt: skip


class Heard(logging.Handler):
    """Everything that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def here(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path, now=NOON) as made:
        yield made


def listed(pilot: Pilot, at: Any) -> dict[str, Any]:
    """The last report of a flight as readsb lists it, with all that it knows of the owner."""
    fix = max((each for each in pilot.fixes if each.at <= at), key=lambda each: each.at)
    icao24 = pilot.icao24
    return {
        "hex": icao24, "type": "adsb_icao", "flight": f"{NAMES[icao24].replace('-', ''):8}", "r": NAMES[icao24], "t": TYPES[icao24],
        "dbFlags": FLAGS[icao24], "ownOp": OWNER, "desc": f"owned by {OWNER}", "year": "2001", "lat": fix.lat, "lon": fix.lon,
        "alt_baro": "ground" if fix.on_ground else fix.altitude_ft, "gs": fix.ground_speed_kt, "baro_rate": fix.vertical_rate_fpm,
        "seen_pos": (at - fix.at).total_seconds(), "seen": 0, "nic": 8, "nac_p": 9, "category": "A2",
    }  # fmt: skip


def ask(made: Rig, kind: str, body: bytes, now: Any, status: int = 200) -> None:
    """Let one provider answer this to whatever it is asked, through the real adapter."""
    feed = feed_answering(kind, body, status)
    poll_provider(made.app.engine, feed, [QUIET_FIELD], now, force=True, classes=made.app.classes)
    derive(made.app, now)


def feed_answering(kind: str, body: bytes, status: int = 200) -> Feed:
    case = next(each for each in CASES if each.kind == kind)

    def answer(request: httpx.Request) -> httpx.Response:
        if "oauth" in str(request.url) or "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 1800})
        if "flight-tracks" in request.url.path:
            point = {**FR24_POSITION, "hex": LADD, "reg": NAMES[LADD], "owner": OWNER}
            return httpx.Response(200, json=[{"fr24_id": request.url.params["flight_id"], "tracks": [point]}])
        return httpx.Response(status, content=body)

    options = {**case.provider.options, **({"icao24": VIP} if kind == "opensky_tracks" else {})}
    return replace(case, provider=replace(case.provider, options=options)).feed(answer)


def other_answers() -> Iterator[tuple[str, bytes]]:
    """What every other provider says of the same aircraft; none of them tells who asked not to be shown."""
    rows = []
    for icao24, name in NAMES.items():
        row = list(OPENSKY_ROW)
        row[0], row[1] = icao24, f"{name.replace('-', ''):8}"
        rows.append([*row, OWNER])
    yield "opensky", json.dumps({"time": int(NOON.timestamp()), "states": rows, "owner": OWNER}).encode()
    said = [
        {
            "hex": icao24,
            "reg": NAMES[icao24],
            "type": TYPES[icao24],
            "callsign": NAMES[icao24],
            "owner": OWNER,
        }
        for icao24 in NAMES
    ]
    places = [{**FR24_POSITION, **each, "painted_as": OWNER} for each in said]
    yield "flightradar24", fr24_body(*places)
    yield "flightradar24_airports", fr24_body(*places, *({**each, "source": "ESTIMATED"} for each in places))
    flights = [{**FR24_FLIGHT, **each, "fr24_id": f"39{n}{each['hex']}"} for n, each in enumerate(said)]
    yield "flightradar24_flights", fr24_body(*flights)
    claimed = [
        {**OPENSKY_FLIGHT, "icao24": icao24, "callsign": NAMES[icao24].replace("-", ""), "owner": OWNER}
        for icao24 in NAMES
    ]
    yield "opensky_flights", json.dumps(claimed).encode()
    yield "opensky_tracks", json.dumps({**OPENSKY_TRACK, "owner": OWNER}).encode()
    yield "stac", stac_page(stac_item(), owner=OWNER)


def land(made: Rig, *names: str) -> dict[str, Pilot]:
    """These land at Quiet Field, two minutes apart, and are polled for it by the readsb family."""
    gap = timedelta(minutes=2)
    pilots = {each: Pilot(QUIET_FIELD, each, at=NOON - (n + 3) * gap) for n, each in enumerate(names)}
    for n, pilot in enumerate(pilots.values()):
        # So many do not stand on one point.
        pilot.land().park(40, lat=pilot.fixes[-1].lat + n * 0.0005)
    at = min(pilot.fixes[0].at for pilot in pilots.values())
    while at <= max(pilot.at for pilot in pilots.values()):
        near = [p for p in pilots.values() if p.fixes[0].at <= at <= p.at + timedelta(seconds=30)]
        ask(made, "readsb", v2_body(*(listed(pilot, at) for pilot in near), now=at), at)
        at += timedelta(seconds=20)
    return pilots


def fill_archive(made: Rig, folder: Path) -> None:
    """Load a day of an archive in which the same aircraft flew."""
    files = {}
    for n, icao24 in enumerate(NAMES):
        values = {
            "registration": NAMES[icao24],
            "type_code": TYPES[icao24],
            "callsign": NAMES[icao24].replace("-", ""),
        }
        pilot = Pilot(QUIET_FIELD, icao24, at=NOON.replace(hour=3 + n), values=values).land()
        files[f"trace_full_{icao24}.json"] = trace(
            pilot.fixes, dbFlags=FLAGS[icao24], ownOp=OWNER, desc=OWNER
        )
    root = write_folder(folder / "archive", files)
    Backfill(made.app.engine, "adsb.lol-archive", root, (QUIET_FIELD,), made.app.classes).load(
        [ARCHIVED], NOON + HOUR, lambda _share: None
    )


def load_databases(made: Rig, folder: Path) -> None:
    """Import who everybody is: one database says who asked not to be shown, the other does not.

    The jet is in none: what is imported of aircraft that nobody hid stays, as a public register.
    """
    known = [each for each in NAMES if each != JET]
    rows = [
        f"{icao24.upper()};{NAMES[icao24]};{TYPES[icao24]};{flags(icao24)};;2001;{OWNER};" for icao24 in known
    ]
    (folder / "aircraft.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    # Of a third, that it asked is known from nowhere else, and only now.
    (folder / "asked.csv").write_text(
        f"{LATE.upper()};{NAMES[LATE]};{TYPES[LATE]};0001;;;{OWNER};\n", encoding="utf-8"
    )
    lines = [
        "icao24,registration,typecode,operatoricao,owner",
        *(f"{each},{NAMES[each]},{TYPES[each]},,{OWNER}" for each in known),
    ]
    (folder / "opensky.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    nobody = client(lambda _: httpx.Response(500))
    for name in ("opensky.csv", "aircraft.csv", "asked.csv", "opensky.csv"):
        update_aircraft(made.app.engine, str(folder / name), nobody, NOON + HOUR, lambda _share: None)


def flags(icao24: str) -> str:
    """Military, interesting, PIA, LADD as tar1090-db writes them."""
    return "".join("1" if FLAGS[icao24] & 1 << bit else "0" for bit in range(4))


def haystacks(made: Rig) -> Iterator[tuple[str, bytes]]:
    """Every place in which a name could stand, with what stands there."""
    with reading(made.app.engine) as connection:
        for table in metadata.sorted_tables:
            # Numbers and the digests of answers hold every few letters by chance, and keys are none of our words.
            columns = [each for each in table.c if each.name not in {"answer_sha256", "key"}]
            if table.name == "cutout":
                columns = [each for each in columns if each.name != "png"]
            yield f"table {table.name}", "\n".join(map(repr, connection.execute(select(*columns)))).encode()
        opened = connection.execute(select(alert.c.id).order_by(alert.c.id)).scalars().first() or "none"
        told = [repr(each) for each in deliveries(connection, opened)]
    yield "messages", "\n".join(told).encode()
    for path in PATHS:
        answer = made.client.get(path.format(alert=opened))
        yield path, answer.content
        yield f"{path}, headers", repr(answer.headers).encode()
    yield from files_of(made.app.engine)


def files_of(engine: Engine) -> Iterator[tuple[str, bytes]]:
    path = file_of(engine.url)
    for side in ("", "-wal") if path is not None else ():
        file = Path(f"{path}{side}")
        if file.exists():
            yield f"the file{side}", file.read_bytes()


def found(made: Rig, planted: tuple[str, ...]) -> list[tuple[str, str]]:
    """Where which of the planted words stands, in whatever case."""
    return [
        (word, where)
        for where, what in haystacks(made)
        for word in planted
        if word.lower().encode() in what.lower()
    ]


def test_a_year_of_names(here: Rig, tmp_path: Path) -> None:
    land(here, *NAMES)
    for kind, body in other_answers():
        ask(here, kind, body, NOON)
    for kind, body in other_answers():
        ask(here, kind, body, NOON + timedelta(minutes=2), status=500)
        ask(here, kind, body[: len(body) // 2], NOON + timedelta(minutes=4))
    fill_archive(here, tmp_path)
    load_databases(here, tmp_path)
    with writing(here.app.engine) as connection:
        store_cutout(connection, picture(NOON, site_id="quiet-field"), keep=3)
    judge(here.app, NOON + HOUR)
    deliver(here.app, lambda: NOON + HOUR, "me")
    with reading(here.app.engine) as connection:
        there = visits(connection, site_id="quiet-field")
        vip = next(each for each in there if each.icao24 == VIP and each.candidates.get("grounded"))
        arrived = sum(each.arrived_at is not None for each in there)
    # All of them were counted, whoever they are: live and in the archive.
    assert arrived == 2 * len(NAMES)
    assert found(here, (*NEVER_KEPT, NAMES[JET])) != []
    retain(here.app, NOON + DAY)
    assert found(here, NEVER_KEPT) == []
    assert {each.icao24 for each in there} >= {VIP, JET, ""}
    for days in (3, 15, 400):
        retain(here.app, NOON + days * DAY)
        assert found(here, FORGOTTEN) == [], days
    with reading(here.app.engine) as connection:
        left = visits(connection, site_id="quiet-field")
        assert sum(each.arrived_at is not None for each in left) == arrived
        assert {each.icao24 for each in left} == {"", VIP}
        assert any(each.icao24 == VIP for each in fixes(connection))
        keys = connection.execute(select(visitor_key.c.key)).scalars().all()
    copy = tmp_path / "copy.db"
    back_up(here.app.engine, copy)
    raw = copy.read_bytes().lower()
    assert [word for word in FORGOTTEN if word.lower().encode() in raw] == []
    nameless = [each for each in left if not each.icao24]
    assert len(nameless) == 2 * (len(NAMES) - 1)
    assert not any(is_undone(each, bytes.fromhex(key)) for each in nameless for key in keys)
    assert vip.visit_id in {each.visit_id for each in left}


def test_nothing_of_it_is_logged(here: Rig, tmp_path: Path) -> None:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    try:
        with structlog.testing.capture_logs() as told:
            for kind, body in other_answers():
                ask(here, kind, body, NOON)
                ask(here, kind, body, NOON + timedelta(minutes=2), status=500)
            load_databases(here, tmp_path)
            retain(here.app, NOON + 400 * DAY)
        with pytest.raises(DBAPIError) as failed, writing(here.app.engine) as connection:
            connection.execute(fix.insert().values(icao24=LADD, at=NOON, provider=None))
    finally:
        logging.getLogger().removeHandler(heard)
    lines = "\n".join([*heard.lines, *map(repr, told), str(failed.value)])
    assert [word for word in FORGOTTEN if word.lower() in lines.lower()] == []


def is_undone(visit: Visit, key: bytes) -> bool:
    """Whether somebody who holds a key, or none, finds one of the aircraft behind a visit by trying all."""
    drafts = [
        draft_visit_id(icao24, visit.site_id, first)
        for icao24 in NAMES
        for first in (visit.first_fix_at, visit.arrived_at)
        if first is not None
    ]
    tried = [sealed_visit_id(key, draft) for draft in drafts]
    tried += [hashlib.sha256(draft.encode()).hexdigest()[:20] for draft in drafts]
    return visit.visit_id in tried


def test_an_alert_keeps_the_extract_that_it_rests_on_and_no_other(here: Rig) -> None:
    land(here, VIP, JET)
    assert judge(here.app, NOON + HOUR).changes["opened"] > 0
    retain(here.app, NOON + 15 * DAY)
    with reading(here.app.engine) as connection:
        (vip,) = (each for each in visits(connection) if each.icao24 == VIP)
        behind = [polls_behind(connection, each) for each in alerts(connection)]
        kept = extracts_of(connection, range(1, 1000))
    assert {ref for each in behind for ref in each} >= {vip.visit_id}
    assert (
        {each.poll_id for each in kept}
        == {number for each in behind for number in each[vip.visit_id]}
        != set()
    )
    assert {each.icao24 for each in kept} == {VIP}
    for row in (row for each in kept for row in each.rows):
        assert row["hex"] == VIP
        assert not {"ownOp", "desc", "year", "category"} & row.keys()
    with writing(here.app.engine) as connection:
        connection.execute(update(alert).values(status="withdrawn", closed_at=NOON))
    retain(here.app, NOON + 16 * DAY)
    with reading(here.app.engine) as connection:
        assert extracts_of(connection, range(1, 1000)) == []


def test_a_visit_loses_its_name_though_its_aircraft_is_heard_on_and_goes_on_all_the_same(here: Rig) -> None:
    pilot = land(here, JET)[JET]
    for hours in range(12, 96, 12):
        at = NOON + hours * HOUR
        pilot.at = at - timedelta(seconds=20)
        pilot.park(20)
        ask(here, "readsb", v2_body(listed(pilot, at), now=at), at)
        retain(here.app, at)
        with reading(here.app.engine) as connection:
            (there,) = visits(connection)
        assert (there.icao24, there.registration) == ((JET, NAMES[JET]) if hours < 48 else ("", "")), hours
        assert there.state == "present"
    pilot.at = at
    pilot.take_off()
    for at in [each.at for each in pilot.fixes if each.at > NOON + 84 * HOUR]:
        ask(here, "readsb", v2_body(listed(pilot, at), now=at), at)
    with reading(here.app.engine) as connection:
        (left,) = visits(connection)
    assert (left.visit_id, left.state, left.icao24) == (there.visit_id, "departed", "")


def test_one_aircraft_is_counted_once_whatever_its_providers_know_of_it(here: Rig) -> None:
    """OpenSky, which tells nothing, first; then one that names it, then one that says that it asked not to be shown."""
    row = [*OPENSKY_ROW]
    row[0], row[1] = JET, "N55JX   "
    ask(here, "opensky", json.dumps({"time": int(NOON.timestamp()), "states": [row]}).encode(), NOON)
    with reading(here.app.engine) as connection:
        (first,) = fixes(connection)
    assert is_alias(first.icao24)
    assert (first.callsign, first.registration) == ("", "")
    pilot = Pilot(QUIET_FIELD, JET, at=NOON + HOUR).land()
    at = pilot.at
    ask(here, "readsb", v2_body(listed(pilot, at), now=at), at)
    with reading(here.app.engine) as connection:
        assert {fix.icao24 for fix in fixes(connection)} == {first.icao24}


def test_who_is_named_and_then_said_to_have_asked_goes_under_an_alias_with_all_that_was_heard(
    here: Rig,
) -> None:
    pilot = Pilot(QUIET_FIELD, JET).land()
    ask(
        here,
        "readsb",
        v2_body(listed(pilot, NOON + timedelta(minutes=1)), now=NOON + timedelta(minutes=1)),
        NOON + timedelta(minutes=1),
    )
    with reading(here.app.engine) as connection:
        assert {fix.icao24 for fix in fixes(connection)} == {JET}
    later = NOON + timedelta(minutes=2)
    ask(here, "readsb", v2_body({**listed(pilot, later), "dbFlags": 8}, now=later), later)
    with reading(here.app.engine) as connection:
        heard = fixes(connection)
    assert len(heard) == 2
    assert len({fix.icao24 for fix in heard}) == 1
    assert is_alias(heard[0].icao24)
    assert {fix.registration for fix in heard} == {""}
