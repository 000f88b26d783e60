"""What is forgotten after its time, and what is not."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine, event, func, select

from db.chunks import KEYS_PER_STATEMENT
from db.cutouts import cutout_failures, newest_cutout, store_cutout, store_cutout_failure
from db.engine import reading, writing
from db.flights import fixes, insert_fixes, record_visits, visits
from db.payloads import cite_polls
from db.polls import LOST_POLL_ERROR, PollKey, PollResult, polls, record_poll, start_poll
from db.records import Cutout, CutoutFailure, Evidence, Fix, Visit
from db.retention import DROPPED_IDENTITY, Identity, PurgeReport, forget_reports, purge
from db.schema import payload, visit_version
from tests.kit.fake_feeds import NOON

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
    with writing(engine) as connection:
        return purge(
            connection,
            NOON,
            keep_identities=48 * HOUR,
            keep_payloads=14 * DAY,
            watched=is_watched,
            sites=["sunan"],
        )


def store(engine: Engine, *reports: Fix) -> None:
    with writing(engine) as connection:
        insert_fixes(connection, reports)


def test_reports_of_aircraft_that_nobody_watches_go_after_their_time(engine: Engine) -> None:
    recent = replace(OTHER, at=NOON - HOUR, received_at=NOON - HOUR)
    store(engine, WATCHED, OTHER, recent)
    assert run(engine) == PurgeReport(fixes=1, visits=0, payloads=0, lost_polls=0, pictures=0)
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
    forgotten = forget_reports(engine, NOON - 48 * HOUR, lambda _connection, who: is_watched(who))
    assert forgotten == sum(deleted) == 1_000
    assert max(deleted) <= KEYS_PER_STATEMENT
    assert run(engine).fixes == 0
    with reading(engine) as connection:
        assert {fix.at for fix in fixes(connection)} == {WATCHED.at, recent.at}


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
        replace(GONE, visit_id="recent", last_fix_at=NOON - HOUR),
        replace(GONE, visit_id="watched", registration="RA-86559"),
        # Its reports say what the visit itself does not.
        replace(GONE, visit_id="known", icao24="15521f", registration=""),
    )
    with writing(engine) as connection:
        record_visits(connection, kept)
    assert run(engine).visits == 0
    with reading(engine) as connection:
        assert all(each.icao24 for each in visits(connection))


def test_raw_answers_go_after_their_time_except_cited_ones(engine: Engine) -> None:
    for number, age in enumerate((20, 15, 13)):
        then = NOON - age * DAY
        with writing(engine) as connection:
            poll_id = start_poll(connection, PollKey("adsb.lol", "circle", number), 0, then)
            assert poll_id is not None
            result = PollResult("ok", item_count=1, bodies=(f"body {age}".encode(),))
            record_poll(connection, poll_id, result, interval_s=60, now=then)
            if age == 15:
                cite_polls(connection, [poll_id])
    assert run(engine).payloads == 1
    with reading(engine) as connection:
        left = connection.execute(select(func.count()).select_from(payload)).scalar_one()
        assert len(polls(connection)) == 3
    assert left == 2


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
    failed = CutoutFailure("left", "earth-search", "sentinel-2-l2a", "S2A", NOON - DAY, "404", 1, NOON, NOON)
    with writing(engine) as connection:
        for each in pictures:
            store_cutout(connection, each, keep=3)
        store_cutout_failure(connection, failed)
    assert run(engine).pictures == 1
    with reading(engine) as connection:
        assert newest_cutout(connection, "sunan") == pictures[0]
        assert newest_cutout(connection, "left") is None
        assert cutout_failures(connection, "left") == []
