"""What is forgotten after its time, and what is not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, update

from db.alerts import alerts
from db.chunks import KEYS_PER_STATEMENT
from db.cutouts import cutout_failures, newest_cutout, store_cutout, store_cutout_failure
from db.engine import reading, writing
from db.extracts import extracts_of, polls_behind
from db.flights import fixes, insert_fixes, record_visits, visits
from db.hearing import hearing_since, note_hearing
from db.polls import LOST_POLL_ERROR, PollKey, PollResult, polls, record_poll, start_poll
from db.records import Cutout, Evidence, Extract, Fix, HeardAt, SceneFailure, Visit
from db.retention import DROPPED_IDENTITY, Identity, PurgeReport, purge
from db.schema import alert, visit_version
from tests.kit.fake_feeds import NOON
from tests.kit.owing import store_alert

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WATCHED = Fix(
    "adsb.lol",
    "15521f",
    NOON - 3 * DAY,
    NOON - 3 * DAY,
    39.2,
    125.7,
    callsign="RSD86",
    registration="RA-86559",
)
OTHER = replace(WATCHED, icao24="3985a2", callsign="AFR16YA", registration="F-HBNC")
GONE = Visit(
    visit_id="v1",
    version=1,
    site_id="sunan",
    icao24="3985a2",
    state="departed",
    confidence=4,
    arrived_at=NOON - 4 * DAY,
    departed_at=NOON - 3 * DAY,
    first_fix_at=NOON - 4 * DAY,
    last_fix_at=NOON - 3 * DAY,
    recorded_at=NOON - 3 * DAY,
    callsign="AFR16YA",
    registration="F-HBNC",
    type_code="A320",
    subjects=("type:A320", "icao24:3985a2"),
    candidates={"sites": [{"id": "sunan", "why": "3985a2 was lost near"}]},
    evidence=(Evidence("poll", "7", "AFR16YA (F-HBNC) on the ground"),),
)


def is_watched(who: Identity) -> bool:
    return who.registration.startswith("RA-")


def run(engine: Engine) -> PurgeReport:
    return purge(
        engine,
        NOON,
        keep_identities=48 * HOUR,
        keep_extracts=14 * DAY,
        watched=lambda _connection, who: is_watched(who),
        sites=["sunan"],
    )


def store(engine: Engine, *reports: Fix) -> None:
    with writing(engine) as connection:
        insert_fixes(connection, reports)


def test_reports_of_aircraft_that_nobody_watches_go_after_their_time(engine: Engine) -> None:
    recent = replace(OTHER, at=NOON - HOUR, received_at=NOON - HOUR)
    store(engine, WATCHED, OTHER, recent)
    assert run(engine) == PurgeReport(fixes=1, visits=0, extracts=0, lost_polls=0, pictures=0)
    with reading(engine) as connection:
        assert {(fix.icao24, fix.at) for fix in fixes(connection)} == {
            ("15521f", WATCHED.at),
            ("3985a2", recent.at),
        }
    assert run(engine) == PurgeReport(0, 0, 0, 0, 0)


def test_one_report_without_a_registration_does_not_undo_the_others(engine: Engine) -> None:
    store(engine, WATCHED, replace(WATCHED, at=WATCHED.at - HOUR, registration=""))
    assert run(engine).fixes == 0


def test_many_aircraft_are_forgotten_at_once(engine: Engine) -> None:
    store(engine, *(replace(OTHER, icao24=f"{number:06x}") for number in range(950)))
    assert run(engine).fixes == 950


def test_the_same_reports_go_in_small_transactions(engine: Engine) -> None:
    recent = replace(OTHER, at=NOON - HOUR, received_at=NOON - HOUR)
    others = [replace(OTHER, at=OTHER.at + timedelta(seconds=number)) for number in range(1_000)]
    store(engine, WATCHED, recent, *others)
    deleted: list[int] = []

    def note(_connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM fix"):
            deleted.append(int(getattr(cursor, "rowcount", 0)))

    event.listen(engine, "after_cursor_execute", note)
    assert run(engine).fixes == sum(deleted) == 1_000
    assert max(deleted) <= KEYS_PER_STATEMENT
    assert run(engine).fixes == 0
    with reading(engine) as connection:
        assert {fix.at for fix in fixes(connection)} == {WATCHED.at, recent.at}


@pytest.mark.sqlite
def test_others_can_write_while_it_is_sought_what_is_to_go(sqlite_engine: Engine) -> None:
    store(sqlite_engine, WATCHED, OTHER)
    asked: list[str] = []

    def watched(_connection: Connection, who: Identity) -> bool:
        store(sqlite_engine, replace(WATCHED, at=NOON + len(asked) * HOUR, received_at=NOON))
        asked.append(who.icao24)
        return is_watched(who)

    report = purge(
        sqlite_engine,
        NOON,
        keep_identities=48 * HOUR,
        keep_extracts=14 * DAY,
        watched=watched,
        sites=["sunan"],
    )
    assert report.fixes == 1
    assert set(asked) == {"15521f", "3985a2"}


def test_a_kill_while_things_are_forgotten_leaves_the_rest_to_the_next_time(engine: Engine) -> None:
    others = [replace(OTHER, at=OTHER.at + timedelta(seconds=number)) for number in range(1_000)]
    store(engine, *others)
    with writing(engine) as connection:
        record_visits(connection, [replace(GONE, visit_id=f"v{number}") for number in range(50)])
    done: list[int] = []
    kill_at = [0]

    class KilledError(Exception):
        pass

    def kill(_: Connection) -> None:
        done.append(1)
        if len(done) == kill_at[0]:
            raise KilledError

    event.listen(engine, "commit", kill)
    for kill_at[0] in (2, 6):
        done.clear()
        with pytest.raises(KilledError):
            run(engine)
    event.remove(engine, "commit", kill)
    left = run(engine)
    assert 0 < left.visits < 50
    assert left.fixes == 0
    with reading(engine) as connection:
        assert fixes(connection) == []
        assert {each.icao24 for each in visits(connection)} == {""}


def test_visits_stay_but_keep_no_name(engine: Engine) -> None:
    with writing(engine) as connection:
        record_visits(connection, [replace(GONE, state="present", departed_at=None)])
        record_visits(connection, [GONE])
    assert run(engine).visits == 1
    with reading(engine) as connection:
        (kept,) = visits(connection)
        versions = connection.execute(select(visit_version)).mappings().all()
    assert (kept.icao24, kept.callsign, kept.registration, kept.type_code) == ("", "", "", "A320")
    assert (kept.arrived_at, kept.departed_at, kept.version) == (GONE.arrived_at, GONE.departed_at, 2)
    assert kept.subjects == ("type:A320",)
    assert kept.evidence[0].text == f"{DROPPED_IDENTITY} ({DROPPED_IDENTITY}) on the ground"
    assert kept.candidates == {"sites": [{"id": "sunan", "why": f"{DROPPED_IDENTITY} was lost near"}]}
    assert len(versions) == 2
    assert not any(name in str(dict(row)) for row in versions for name in ("3985a2", "AFR16YA", "F-HBNC"))
    assert run(engine).visits == 0


def test_a_visit_whose_end_was_never_heard_loses_its_name_all_the_same(engine: Engine) -> None:
    with writing(engine) as connection:
        record_visits(connection, [replace(GONE, visit_id="open", state="present", departed_at=None)])
    assert run(engine).visits == 1
    with reading(engine) as connection:
        assert [each.icao24 for each in visits(connection)] == [""]


def test_visits_that_are_watched_or_recent_keep_their_names(engine: Engine) -> None:
    store(engine, WATCHED)
    kept = (
        replace(GONE, visit_id="recent", first_fix_at=NOON - HOUR, last_fix_at=NOON - HOUR),
        replace(GONE, visit_id="watched", registration="RA-86559"),
        # Its reports say what the visit itself does not.
        replace(GONE, visit_id="known", icao24="15521f", registration=""),
    )
    with writing(engine) as connection:
        record_visits(connection, kept)
    assert run(engine).visits == 0
    with reading(engine) as connection:
        assert all(each.icao24 for each in visits(connection))


def poll_about(engine: Engine, icao24: str, then: datetime) -> int:
    with writing(engine) as connection:
        poll_id = start_poll(connection, PollKey("adsb.lol", icao24, int(then.timestamp())), 0, then)
        assert poll_id is not None
        extract = Extract(icao24, ({"hex": icao24},), "https://api.example/point")
        result = PollResult("ok", item_count=1, bodies=(b"answer",), extracts=(extract,))
        record_poll(connection, poll_id, result, interval_s=60, now=then)
    return poll_id


def left(engine: Engine) -> set[int]:
    with reading(engine) as connection:
        return {
            each.poll_id or 0 for each in extracts_of(connection, [each.id for each in polls(connection)])
        }


def told(engine: Engine, visit: Visit, **values: Any) -> None:
    """Store an alert at Sunan that rests on a visit."""
    entry = {"evidence": [{"kind": "visit", "ref": visit.visit_id, "text": "arrived"}]}
    with writing(engine) as connection:
        record_visits(connection, [visit])
        store_alert(connection, 1, NOON)
        changed = {"site_id": "sunan", "details": {"entries": [entry]}, **values}
        connection.execute(update(alert).values(**changed))


RESTS_ON = replace(GONE, icao24="15521f", registration="RA-86559", callsign="")


def test_extracts_go_after_their_time_unless_an_alert_rests_on_them(engine: Engine) -> None:
    store(engine, WATCHED)
    cited, _, recent = (poll_about(engine, "15521f", NOON - age * DAY) for age in (20, 15, 13))
    told(engine, replace(RESTS_ON, evidence=(Evidence("poll", str(cited), "on the ground"),)))
    assert run(engine).extracts == 1
    assert left(engine) == {cited, recent}
    with reading(engine) as connection:
        assert len(polls(connection)) == 3
        (about,) = alerts(connection)
        assert polls_behind(connection, about) == {"v1": (cited,)}


@pytest.mark.parametrize("values", [{"status": "withdrawn", "closed_at": NOON}, {"site_id": "left"}])
def test_an_alert_that_was_withdrawn_or_whose_site_is_gone_keeps_nothing(
    engine: Engine, values: dict[str, Any]
) -> None:
    store(engine, WATCHED)
    cited = poll_about(engine, "15521f", NOON - 20 * DAY)
    told(engine, replace(RESTS_ON, evidence=(Evidence("poll", str(cited), "on the ground"),)), **values)
    assert run(engine).extracts == 1
    assert left(engine) == set()


def test_a_visit_that_was_withdrawn_keeps_nothing(engine: Engine) -> None:
    store(engine, WATCHED)
    cited = poll_about(engine, "15521f", NOON - 20 * DAY)
    evidence = (Evidence("poll", str(cited), "on the ground"),)
    told(engine, replace(RESTS_ON, evidence=evidence, state="withdrawn"))
    assert run(engine).extracts == 1


def test_extracts_about_aircraft_that_are_watched_no_more_go_though_an_alert_rests_on_them(
    engine: Engine,
) -> None:
    store(engine, replace(OTHER, at=NOON, received_at=NOON))
    cited, recent = (poll_about(engine, "3985a2", NOON - age * DAY) for age in (3, 1))
    told(engine, replace(GONE, evidence=(Evidence("poll", str(cited), "on the ground"),)))
    assert run(engine).extracts == 1
    assert left(engine) == {recent}


def test_polls_that_never_ended_are_given_up(engine: Engine) -> None:
    with writing(engine) as connection:
        for slot, age in enumerate((2 * DAY, HOUR)):
            start_poll(connection, PollKey("adsb.lol", "circle", slot), 0, NOON - age)
    assert run(engine).lost_polls == 1
    with reading(engine) as connection:
        newest, oldest = polls(connection)
    assert (oldest.outcome, oldest.error) == ("failed", LOST_POLL_ERROR)
    assert newest.outcome is None


def test_the_pictures_of_a_site_that_is_watched_no_more_go_with_it(engine: Engine) -> None:
    pictures = [
        Cutout(
            site_id, "earth-search", "sentinel-2-l2a", "S2B", 1, "sentinel-2b", NOON - DAY, b"png", 4, 4, 10.0, {},
            1.0, "outline", "Contains modified Copernicus Sentinel data 2023", NOON,
        )
        for site_id in ("sunan", "left")
    ]  # fmt: skip
    failed = SceneFailure("left", "earth-search", "sentinel-2-l2a", "S2A", NOON - DAY, "404", 1, NOON, NOON)
    with writing(engine) as connection:
        for each in pictures:
            store_cutout(connection, each, keep=3)
        store_cutout_failure(connection, failed)
    assert run(engine).pictures == 1
    with reading(engine) as connection:
        assert newest_cutout(connection, "sunan") == pictures[0]
        assert newest_cutout(connection, "left") is None
        assert cutout_failures(connection, "left") == []


def test_who_is_watched_no_more_is_forgotten_as_if_nobody_ever_had(engine: Engine) -> None:
    store(engine, WATCHED, replace(WATCHED, at=NOON - HOUR, received_at=NOON - HOUR))
    with writing(engine) as connection:
        record_visits(connection, [replace(GONE, icao24="15521f", callsign="RSD86", registration="RA-86559")])
    run(engine)
    with reading(engine) as connection:
        assert len(fixes(connection)) == 2
        assert [each.registration for each in visits(connection)] == ["RA-86559"]
    purge(
        engine,
        NOON,
        keep_identities=48 * HOUR,
        keep_extracts=14 * DAY,
        watched=lambda _connection, _who: False,
        sites=["sunan"],
    )
    with reading(engine) as connection:
        assert [each.received_at for each in fixes(connection)] == [NOON - HOUR]
        assert [(each.icao24, each.registration) for each in visits(connection)] == [("", "")]


def test_what_a_receiver_heard_goes_after_a_day_though_it_be_asked_no_more(engine: Engine) -> None:
    with writing(engine) as connection:
        for name, age in (("roof", 25 * HOUR), ("shed", 25 * HOUR), ("shed", 2 * HOUR)):
            heard = [HeardAt(39.2, 125.7, 3_000.0)]
            note_hearing(connection, name, NOON - age, heard, oldest=NOON - 9 * DAY)
    run(engine)
    with reading(engine) as connection:
        assert hearing_since(connection, "roof", NOON - 9 * DAY) == []
        assert [hour for hour, _ in hearing_since(connection, "shed", NOON - 9 * DAY)] == [NOON - 2 * HOUR]
