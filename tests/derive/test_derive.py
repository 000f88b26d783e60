"""The derive step on real databases: polls become visits and looks, once, whatever happens in between."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, event, update

from db.coverage import coverage
from db.engine import reading, writing
from db.evaluations import record_evaluations, unjudged
from db.flights import underived_polls
from db.observations import count_recorded, every_revision, looks
from db.polls import PollKey, PollResult, record_poll, start_poll
from db.records import Evaluation, Observation, Poll, Scene, Visit
from db.schema import coverage_hour, visit, visit_version
from db.upsert import upsert
from monitor.derive.days import move_counted_days
from monitor.derive.pending import DeriveReport, close_days, derive_pending
from monitor.derive.tracks import TrackReader, VisitChange
from monitor.flights.looks import COUNTED_METRICS, day_period
from monitor.flights.measures import NEW_VISITORS_METRIC
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.sites import Site
from tests.conftest import FreshEngine
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.flying import NOON, VIP, Pilot, World
from tests.kit.reading import revisions, visit_versions

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY_START = datetime(2023, 8, 1, 3, tzinfo=UTC)
"""Midnight at Quiet Field."""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, CAST)


def only(visits: list[Visit]) -> Visit:
    assert len(visits) == 1, [(each.site_id, each.state, each.arrived_at) for each in visits]
    return visits[0]


def counts(world: World, site: Site = QUIET_FIELD, subject: str = "") -> dict[tuple[str, str], float | None]:
    """The newest count of each metric and day."""
    return {
        (each.series.metric, each.look_key): each.value
        for each in all_looks(world, site)
        if each.series.subject == subject
    }


def all_looks(world: World, site: Site = QUIET_FIELD) -> list[Observation]:
    """The daily counts; lengths of stay and new visitors have tests of their own."""
    with reading(world.engine) as connection:
        found = looks(connection, site_id=site.id, procedure=ADSB_PROCEDURE)
    return [each for each in found if each.series.metric in COUNTED_METRICS]


def versions(world: World, visit: Visit) -> list[Visit]:
    with reading(world.engine) as connection:
        return visit_versions(connection, visit.visit_id)


# --- as it happens ------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [QUIET_FIELD, DATELINE_STRIP, DONUT_BASE], ids=lambda site: site.id)
def test_a_landing_becomes_a_visit_and_looks(world: World, site: Site) -> None:
    pilot = Pilot(site, values={"type_code": "IL62"}).land()
    world.live(pilot.fixes)
    visit = only(world.visits())
    assert (visit.site_id, visit.state, visit.confidence) == (site.id, "present", 4)
    today = visit.arrived_at.astimezone(site.timezone).date().isoformat() if visit.arrived_at else ""
    for subject in ("", "class:vip_military", "icao24:15521f", "type:IL62"):
        assert counts(world, site, subject) == {("arrivals", today): 1, ("aircraft_present", today): 1}


def test_a_count_of_the_running_day_names_the_feeds_that_watch(world: World) -> None:
    world.live(Pilot(QUIET_FIELD, values={"type_code": "IL62"}).land().fixes)
    running = [each for each in all_looks(world) if not each.closed]
    assert running
    assert {each.data_from for each in running} == {("adsb.lol",)}


def test_a_long_stay_adds_no_versions_and_the_departure_one(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    world.live(pilot.fixes)
    visit = only(world.visits())
    assert visit.version == 1
    assert visit.last_fix_at is not None
    assert pilot.at - visit.last_fix_at < 2 * MINUTE
    since = pilot.at
    world.live([fix for fix in pilot.take_off().fixes if fix.at > since])
    assert [each.state for each in versions(world, visit)] == ["present", "departed"]
    assert counts(world)["departures", "2023-08-01"] == 1


def test_deriving_again_changes_nothing(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    world.live(pilot.fixes)
    before = world.visits(), all_looks(world)
    assert world.derive(pilot.at + MINUTE) == DeriveReport()
    assert (world.visits(), all_looks(world)) == before


def test_waiting_polls_are_derived_at_once_as_if_live(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600).take_off()
    for fix in pilot.fixes:
        world.poll(fix.at + timedelta(seconds=1), [fix])
    report = derive_pending(world.engine, CAST, pilot.at + HOUR)
    assert report.polls == len(pilot.fixes)
    with reading(world.engine) as connection:
        assert underived_polls(connection) == []
    visit = only(world.visits())
    assert (visit.state, visit.recorded_at) == ("departed", pilot.at + HOUR)


def test_a_kill_before_the_commit_leaves_everything_to_be_done_again(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    for fix in pilot.fixes:
        world.poll(fix.at, [fix])

    class KilledError(Exception):
        pass

    def kill(_: Connection) -> None:
        raise KilledError

    event.listen(world.engine, "commit", kill)
    with pytest.raises(KilledError):
        world.derive(pilot.at)
    event.remove(world.engine, "commit", kill)
    assert world.visits() == []
    assert all_looks(world) == []
    assert world.derive(pilot.at).polls == len(pilot.fixes)
    assert only(world.visits()).version == 1


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something done once between the reckoning of a batch and its writing."""
    acts = [act]

    @contextmanager
    def late(engine: Engine) -> Iterator[Connection]:
        if acts:
            acts.pop()()
        with writing(engine) as connection:
            yield connection

    monkeypatch.setattr("monitor.derive.pending.writing", late)


def test_polls_that_another_process_derived_meanwhile_are_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    for fix in pilot.fixes:
        world.poll(fix.at, [fix])
    elsewhere: list[DeriveReport] = []
    meanwhile(monkeypatch, lambda: elsewhere.append(derive_pending(world.engine, CAST, pilot.at)))
    assert derive_pending(world.engine, CAST, pilot.at) == DeriveReport()
    assert elsewhere[0].polls == len(pilot.fixes)
    assert only(world.visits()).version == 1
    with reading(world.engine) as connection:
        assert count_recorded(connection) == elsewhere[0].looks


@pytest.mark.sqlite
def test_others_can_write_while_visits_are_reckoned(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, pilot = World(sqlite_engine, CAST), Pilot(QUIET_FIELD).land()
    for fix in pilot.fixes:
        world.poll(fix.at, [fix])
    derive, others = TrackReader.derive, []

    def beside(reader: TrackReader, polls: Sequence[Poll], at: datetime) -> list[VisitChange]:
        found = derive(reader, polls, at)
        with writing(sqlite_engine) as connection:
            others.append(connection.execute(update(coverage_hour).values(degraded=False)).rowcount)
        return found

    monkeypatch.setattr(TrackReader, "derive", beside)
    world.derive(pilot.at)
    assert others
    assert only(world.visits()).version == 1


def test_a_name_that_is_forgotten_while_a_batch_is_reckoned_is_not_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    for fix in pilot.fixes:
        world.poll(fix.at, [fix])
    world.derive(pilot.at)
    landed = len(pilot.fixes)
    pilot.park(600).take_off()
    for fix in pilot.fixes[landed:]:
        world.poll(fix.at, [fix])

    def forget() -> None:
        with writing(world.engine) as connection:
            for table in (visit, visit_version):
                connection.execute(update(table).values(icao24="", callsign="", registration="", evidence=[]))

    meanwhile(monkeypatch, forget)
    world.derive(pilot.at + HOUR)
    left = only(world.visits())
    assert (left.state, left.icao24, left.callsign, left.registration) == ("departed", "", "", "")


def test_an_aircraft_heard_by_two_providers_is_counted_once(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    other = World(world.engine, CAST, provider="adsb.fi")
    for fix in pilot.fixes:
        later = fix.at + timedelta(seconds=2)
        world.poll(fix.at, [fix])
        other.poll(later, [replace(fix, provider="adsb.fi", at=later, received_at=later)])
        world.derive(later)
    assert only(world.visits()).version == 1
    assert counts(world)["arrivals", "2023-08-01"] == 1


def test_polls_that_bring_no_aircraft_are_ticked_off(world: World) -> None:
    world.poll(NOON, [], "empty")
    assert world.derive(NOON) == DeriveReport(polls=1)
    assert derive_pending(world.engine, [BUSY_PORT], NOON) == DeriveReport()


def test_a_scene_becomes_a_pass_and_its_poll_is_ticked_off(world: World) -> None:
    scene = Scene(
        "earth-search",
        "sentinel-2-l2a",
        "A",
        BUSY_PORT.id,
        "pass",
        "sentinel-2b",
        NOON,
        1.0,
        NOON,
        cloud_share=0.2,
    )
    with writing(world.engine) as connection:
        poll_id = start_poll(connection, PollKey("earth-search", "items", 1), 0, NOON)
        assert poll_id is not None
        assert record_poll(connection, poll_id, PollResult("ok", scenes=(scene,)), interval_s=3600, now=NOON)
    assert world.derive(NOON) == DeriveReport(polls=1, looks=1)
    with reading(world.engine) as connection:
        (look,) = looks(connection, site_id=BUSY_PORT.id, metric="passes")
        assert underived_polls(connection) == []
    assert (look.look_key, look.value, look.assessable) == ("pass", None, True)


def test_a_visit_at_a_site_that_is_no_longer_watched_is_left_as_it_is(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    world.live(pilot.fixes)
    fewer = World(world.engine, [DONUT_BASE])
    fewer.poll(pilot.at + HOUR, Pilot(QUIET_FIELD, at=pilot.at + HOUR).park(20).fixes)
    assert fewer.derive(pilot.at + HOUR) == DeriveReport(polls=1)
    assert only(world.visits()).state == "present"


def test_addresses_that_are_not_icaos_are_not_counted(world: World) -> None:
    world.live(Pilot(QUIET_FIELD, icao24=f"~{VIP}").land().fixes)
    assert world.visits() == []
    assert all_looks(world) == []


def test_a_nameless_aircraft_is_followed_without_its_name(world: World) -> None:
    pilot = Pilot(QUIET_FIELD, values={"db_flags": 8, "callsign": "AFR12", "type_code": "A318"})
    world.live(pilot.land().park(300).take_off().fixes)
    visit = only(world.visits())
    assert (visit.state, visit.icao24, visit.callsign, visit.subjects) == ("departed", "", "", ())
    assert {each.series.subject for each in all_looks(world)} == {""}


# --- silence ------------------------------------------------------------------------------------


def landing_lost(world: World) -> Pilot:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    world.live(pilot.fixes)
    return pilot


def test_ten_minutes_of_watched_silence_on_the_approach_are_a_landing(world: World) -> None:
    pilot = landing_lost(world)
    last = pilot.fixes[-1].at
    world.live([], last + 9 * MINUTE)
    assert world.visits() == []
    world.live([], last + 12 * MINUTE)
    visit = only(world.visits())
    assert (visit.state, visit.confidence, visit.arrived_at) == ("present", 3, last)
    assert counts(world)["arrivals", "2023-08-01"] == 1


def test_an_outage_on_the_approach_is_no_landing(world: World) -> None:
    pilot = landing_lost(world)
    at = pilot.at + timedelta(seconds=20)
    for n in range(1, 62):
        world.poll(at + n * MINUTE / 2, [], "failed" if n < 40 else "empty")
        world.derive(at + n * MINUTE / 2)
    assert world.visits() == []


def test_a_landing_told_from_silence_is_withdrawn_when_the_aircraft_is_back_in_the_air(world: World) -> None:
    pilot = landing_lost(world)
    world.live([], pilot.at + 12 * MINUTE)
    assert only(world.visits()).state == "present"
    pilot.wait(minutes=13)
    pilot.east_nm, pilot.height_ft = -30, 20_000
    back = pilot.at
    pilot.fly(120, kt=400)
    world.live([fix for fix in pilot.fixes if fix.at > back])
    visit = only(world.visits())
    assert [each.state for each in versions(world, visit)] == ["present", "withdrawn"]
    assert counts(world) == {("arrivals", "2023-08-01"): 0, ("aircraft_present", "2023-08-01"): 0}
    corrected = next(each for each in all_looks(world) if each.series.metric == "arrivals")
    with reading(world.engine) as connection:
        told = revisions(connection, corrected.series, corrected.period_start, corrected.look_key)
    assert [each.value for each in told] == [1, 0]


def test_a_parked_aircraft_silent_for_36_hours_is_one_visit(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(60)
    world.live(pilot.fixes)
    for hour in range(1, 36):
        world.poll(pilot.at + hour * HOUR, [], "empty")
        world.derive(pilot.at + hour * HOUR)
    pilot.wait(hours=36)
    since = pilot.at
    world.live([fix for fix in pilot.park(60).take_off().fixes if fix.at > since])
    visit = only(world.visits())
    assert [each.state for each in versions(world, visit)] == ["present", "departed"]
    found = counts(world)
    assert [found["aircraft_present", f"2023-08-0{day}"] for day in (1, 2)] == [1, 1]
    assert [found.get(("arrivals", f"2023-08-0{day}"), 0) for day in (1, 2)] == [1, 0]
    assert found["departures", "2023-08-02"] == 1


# --- spoofing and late data ---------------------------------------------------------------------


def test_many_aircraft_on_one_point_are_no_arrivals_and_the_hour_is_degraded(world: World) -> None:
    pilots = [Pilot(QUIET_FIELD, icao24=f"15{n:04x}").land() for n in range(6)]
    for fixes in zip(*(pilot.fixes for pilot in pilots), strict=True):
        world.poll(fixes[0].at + timedelta(seconds=2), fixes)
        world.derive(fixes[0].at + timedelta(seconds=2))
    assert world.visits() == []
    with reading(world.engine) as connection:
        hours = coverage(connection, QUIET_FIELD.id, NOON, NOON + HOUR)
        elsewhere = coverage(connection, DONUT_BASE.id, NOON, NOON + HOUR)
    assert [each.degraded for each in hours] == [True]
    assert [each.degraded for each in elsewhere] == [False]


def test_one_of_a_spoofed_crowd_that_is_heard_on_has_not_arrived(world: World) -> None:
    crowd = [Pilot(QUIET_FIELD, icao24=f"15{n:04x}").park(20).fixes for n in range(6)]
    alone = Pilot(QUIET_FIELD, icao24="150000", at=NOON + timedelta(seconds=20)).park(60).fixes
    world.live([fix for fixes in crowd for fix in fixes] + alone)
    assert world.visits() == []


def test_late_reports_of_a_closed_day_are_counted_again(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    seen = [fix for fix in pilot.fixes if fix.at > pilot.at - 3 * MINUTE]
    world.live(seen)
    watch(world, DAY_START, 24)
    world.derive(DAY_START + 25 * HOUR)
    assert counts(world)["arrivals", "2023-08-01"] == 0
    late = DAY_START + 26 * HOUR
    archive = World(world.engine, CAST, provider="archive")
    missing = [fix for fix in pilot.fixes if fix.at < seen[0].at]
    archive.poll(late, [replace(fix, provider="archive", received_at=late) for fix in missing])
    archive.derive(late)
    assert only(world.visits()).arrived_at == next(fix.at for fix in pilot.fixes if fix.on_ground)
    look = next(
        each for each in all_looks(world) if each.series.metric == "arrivals" and not each.series.subject
    )
    assert (look.value, look.qualifier, look.closed, look.result_time) == (1, "=", True, late)


# --- closing days -------------------------------------------------------------------------------


def watch(world: World, first: datetime, hours: int, reports: int = 5) -> None:
    """Let the provider watch Quiet Field for some hours, with as many reports from aircraft nearby in each."""
    rows = [
        {
            "provider": world.provider,
            "site_id": QUIET_FIELD.id,
            "hour": first + n * HOUR,
            "reports_nearby": reports,
        }
        for n in range(hours)
    ]
    with writing(world.engine) as connection:
        for row in rows:
            upsert(
                connection,
                coverage_hour,
                {**row, "expected_s": 3600, "observed_s": 3600},
                ["provider", "site_id", "hour"],
            )


def test_a_quiet_watched_day_is_zero(world: World) -> None:
    watch(world, DAY_START, 24)
    world.derive(DAY_START + 24 * HOUR + 29 * MINUTE)
    assert all_looks(world) == []
    world.derive(DAY_START + 24 * HOUR + 30 * MINUTE)
    found = all_looks(world)
    assert {(each.series.metric, each.value, each.exposure) for each in found} == {
        (name, 0, 1.0) for name in COUNTED_METRICS
    }
    assert {(each.result_time, each.closed) for each in found} == {(DAY_START + 24 * HOUR, True)}
    assert world.derive(DAY_START + 25 * HOUR) == DeriveReport()


def test_a_day_that_was_hardly_watched_has_no_count(world: World) -> None:
    watch(world, DAY_START, 2)
    world.derive(DAY_START + 25 * HOUR)
    assert counts(world) == {(name, "2023-08-01"): None for name in COUNTED_METRICS}
    look = all_looks(world)[0]
    assert look.exposure == pytest.approx(2 / 24, abs=1e-4)
    assert look.note == "Only 8% of the day was observed: too little to call it zero."


def test_a_place_where_nobody_was_ever_heard_has_no_exposure(world: World) -> None:
    watch(world, DAY_START, 24, reports=0)
    world.derive(DAY_START + 25 * HOUR)
    assert {(each.value, each.exposure, each.assessable) for each in all_looks(world)} == {
        (None, None, False)
    }


def test_days_that_passed_while_nothing_ran_are_closed_without_count(world: World) -> None:
    watch(world, DAY_START, 14)
    world.derive(DAY_START + 24 * HOUR * 4)
    days = {each.look_key: each.value for each in all_looks(world) if each.series.metric == "arrivals"}
    assert days == {"2023-08-01": 0, "2023-08-02": None, "2023-08-03": None}


def test_a_day_is_not_closed_while_its_polls_wait(engine: Engine) -> None:
    world = World(engine, [QUIET_FIELD])
    watch(world, DAY_START, 24)
    world.poll(DAY_START + HOUR, [], "empty")
    later = DAY_START + 30 * HOUR
    assert close_days(engine, world.sites, later) == DeriveReport()
    derive_pending(engine, world.sites, later)
    assert close_days(engine, world.sites, later).looks == len((*COUNTED_METRICS, NEW_VISITORS_METRIC))


def test_what_was_seen_in_a_badly_watched_day_is_at_least_that(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land()
    world.live(pilot.fixes)
    world.derive(DAY_START + 25 * HOUR)
    arrivals = [
        each
        for each in all_looks(world)
        if each.series.metric == "arrivals" and each.look_key == "2023-08-01"
    ]
    assert {(each.value, each.qualifier, each.closed) for each in arrivals} == {(1, ">=", True)}
    # The new day begins with the aircraft that stayed.
    assert counts(world)["aircraft_present", "2023-08-02"] == 1


def test_nothing_is_closed_where_nobody_ever_watched(engine: Engine) -> None:
    assert close_days(engine, CAST, NOON) == DeriveReport()


# --- told to stop in a backlog ------------------------------------------------------------------


def backlog(engine: Engine) -> World:
    """Three watched days with a visit, of which nothing was derived."""
    world = World(engine, [QUIET_FIELD, BUSY_PORT], interval_s=7200, step_s=7200)
    for step in range(36):
        at = DAY_START + step * 2 * HOUR
        heard = [fix for fix in Pilot(QUIET_FIELD).land().fixes if at - 2 * HOUR < fix.at <= at]
        world.poll(at, heard)
    return world


def everything(engine: Engine) -> list[tuple[object, ...]]:
    """All revisions of all looks, without when they were recorded."""
    with reading(engine) as connection:
        return [
            (
                each.series,
                each.look_key,
                each.revision,
                each.value,
                each.qualifier,
                each.closed,
                each.exposure,
            )
            for site in (QUIET_FIELD, BUSY_PORT)
            for metric in (*COUNTED_METRICS, NEW_VISITORS_METRIC)
            for each in every_revision(connection, site.id, "", metric)
        ]


class Stop:
    """Says stop at the n-th question, and from then on."""

    def __init__(self, at: int) -> None:
        self.asked, self._at = 0, at

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked >= self._at


def test_a_stop_in_a_backlog_ends_between_two_batches_and_loses_nothing(
    fresh_engine: FreshEngine, tmp_path: Path
) -> None:
    later = DAY_START + timedelta(days=3, hours=6)
    for name in ("twin", "stopped"):
        (tmp_path / name).mkdir()
    with fresh_engine(tmp_path / "twin") as twin, fresh_engine(tmp_path / "stopped") as stopped:
        whole = backlog(twin)
        whole.derive(later)
        world = backlog(stopped)
        stops = 0
        for _ in range(100):
            stop = Stop(4)
            done = derive_pending(stopped, world.sites, later, stop=stop)
            done += close_days(stopped, world.sites, later, stop=stop)
            stops += stop.asked >= 4
            assert done.polls <= 3, "a batch of one poll each, three before the stop"
            with reading(stopped) as connection:
                if not underived_polls(connection, limit=1) and stop.asked < 4:
                    break
        assert stops >= 36 / 3
        assert everything(stopped) == everything(twin)


def test_whoever_is_told_to_stop_before_the_first_batch_does_nothing(engine: Engine) -> None:
    world = World(engine, [QUIET_FIELD])
    watch(world, DAY_START, 24)
    later = DAY_START + 30 * HOUR
    assert derive_pending(engine, world.sites, later, stop=lambda: True) == DeriveReport()
    derive_pending(engine, world.sites, later)
    assert close_days(engine, world.sites, later, stop=lambda: True) == DeriveReport()
    assert close_days(engine, world.sites, later).looks == len((*COUNTED_METRICS, NEW_VISITORS_METRIC))


# --- a site whose time zone is corrected ----------------------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def test_a_corrected_zone_repeats_no_day(world: World, zone: str) -> None:
    """What was counted and judged of a date stays that date's, and the next days go on from there."""
    pilot = Pilot(QUIET_FIELD, values={"type_code": "IL62"}).land()
    world.live(pilot.fixes)
    watch(world, DAY_START, 48)
    world.derive(DAY_START + 54 * HOUR)
    assert counts(world)["arrivals", "2023-08-01"] == 1
    before = [(each.series, each.look_key, each.revision, each.value) for each in all_looks(world)]
    with writing(world.engine) as connection:
        for look in unjudged(connection, NOON + 30 * 24 * HOUR, 1000):
            judged = Evaluation(
                look.key, "", "no_rule", exceeded=False, details={}, as_of=look.result_time, recorded_at=NOON
            )
            record_evaluations(connection, [judged])
    corrected = replace(QUIET_FIELD, timezone=ZoneInfo(zone))
    assert move_counted_days(world.engine, [corrected]) > 0
    found = all_looks(world)
    assert [(each.series, each.look_key, each.revision, each.value) for each in found] == before
    for each in found:
        assert (each.period_start, each.period_end) == day_period(
            corrected.timezone, date.fromisoformat(each.look_key)
        )
    with reading(world.engine) as connection:
        waiting = [
            each
            for each in unjudged(connection, NOON + 30 * 24 * HOUR, 1000)
            if each.series.metric in COUNTED_METRICS
        ]
    assert waiting == [], "nothing is judged again"
    assert move_counted_days(world.engine, [corrected]) == 0
    # The days after it are counted once each, by the right clock.
    after = World(world.engine, [corrected])
    close_days(after.engine, after.sites, DAY_START + 120 * HOUR)
    days = [(each.series, each.look_key) for each in all_looks(world)]
    assert len(days) == len(set(days))
    assert sum(value or 0 for (metric, _), value in counts(world).items() if metric == "arrivals") == 1
