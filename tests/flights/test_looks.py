"""Visits counted by local day, with exposure: what may be called zero, and what may not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import CoverageHour, Observation, Visit
from monitor.flights.coverage import Exposure, observed_exposure, watched_s
from monitor.flights.looks import DayState, changed_days, day_looks, day_period, local_date, stay_interval
from monitor.flights.words import visits_story
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD

ZONE = QUIET_FIELD.timezone
DAY = date(2023, 8, 1)
START, END = day_period(ZONE, DAY)
HOUR = timedelta(hours=1)
WATCHED = Exposure(0.9, {"uptime": 0.9, "heard": 1.0, "hours": 24.0})


def a_visit(visit_id: str = "v1", **values: Any) -> Visit:
    base = Visit(
        visit_id=visit_id,
        version=1,
        site_id="quiet-field",
        icao24="15521f",
        state="present",
        confidence=4,
        arrived_at=START + 10 * HOUR,
        departed_at=None,
        first_fix_at=START + 10 * HOUR,
        last_fix_at=START + 11 * HOUR,
        recorded_at=START + 11 * HOUR,
        subjects=("class:vip_military", "type:IL62"),
    )
    return replace(base, **values)


def left(visit_id: str, came_h: float, left_h: float, **values: Any) -> Visit:
    came, gone = START + came_h * HOUR, START + left_h * HOUR
    return a_visit(
        visit_id,
        state="departed",
        arrived_at=came,
        first_fix_at=came,
        departed_at=gone,
        last_fix_at=gone,
        **values,
    )


def state(hours: float = 30, share: Exposure = WATCHED, *, closed: bool = True) -> DayState:
    at = START + hours * HOUR
    return DayState(at, at, share if closed else Exposure(None), closed, ("adsb.lol",))


def looks(
    *visits: Visit, known: list[Observation] | None = None, at: DayState | None = None
) -> dict[tuple[str, str], Observation]:
    found = day_looks(QUIET_FIELD, DAY, visits, known or [], at or state(), story=visits_story)
    return {(each.series.metric, each.series.subject): each for each in found}


# --- the running day ----------------------------------------------------------------------------

RUNNING = state(12, closed=False)


def test_a_running_day_tells_what_was_seen_so_far_and_no_zero() -> None:
    found = looks(a_visit(), at=RUNNING)
    assert set(found) == {
        (metric, subject)
        for metric in ("arrivals", "aircraft_present")
        for subject in ("", "class:vip_military", "type:IL62")
    }
    look = found["arrivals", ""]
    assert (look.value, look.qualifier, look.closed, look.assessable) == (1.0, ">=", False, True)
    assert (look.exposure, look.exposure_parts) == (None, {})
    assert look.result_time == START + 12 * HOUR
    assert (look.look_key, look.period_start, look.period_end) == ("2023-08-01", START, END)
    assert look.series.procedure == "adsb:1"


def test_a_quiet_running_day_says_nothing() -> None:
    assert looks(at=RUNNING) == {}


def test_the_same_count_is_not_told_again() -> None:
    known = list(looks(a_visit(), at=RUNNING).values())
    assert looks(a_visit(), known=known, at=state(13, closed=False)) == {}


def test_a_withdrawn_visit_corrects_every_count_that_it_was_in() -> None:
    known = list(looks(a_visit(), at=RUNNING).values())
    found = looks(a_visit(state="withdrawn"), known=known, at=state(13, closed=False))
    assert len(found) == 6
    assert {(each.value, each.closed) for each in found.values()} == {(0.0, False)}


# --- the closed day -----------------------------------------------------------------------------


def test_a_closed_day_without_aircraft_is_zero_where_it_was_watched() -> None:
    found = looks()
    assert set(found) == {("arrivals", ""), ("departures", ""), ("aircraft_present", "")}
    for look in found.values():
        assert (look.value, look.qualifier, look.assessable, look.closed) == (0.0, "=", True, True)
        assert (look.exposure, look.exposure_parts["hours"]) == (0.9, 24.0)
        assert look.result_time == END


@pytest.mark.parametrize(("share", "value"), [(0.5, 0.0), (0.499, None), (0.0, None)])
def test_a_zero_needs_half_of_the_day(share: float, value: float | None) -> None:
    look = looks(at=state(share=Exposure(share)))["arrivals", ""]
    assert (look.value, look.assessable) == (value, value is not None)
    assert (look.note == "") == (value is not None)


def test_without_coverage_there_is_no_count_and_no_exposure() -> None:
    look = looks(at=state(share=Exposure(None)))["arrivals", ""]
    assert (look.value, look.exposure, look.assessable) == (None, None, False)
    assert "No coverage" in look.note


@pytest.mark.parametrize(("share", "qualifier"), [(0.9, "="), (0.5, "="), (0.3, ">="), (None, ">=")])
def test_what_was_seen_is_never_dropped(share: float | None, qualifier: str) -> None:
    look = looks(a_visit(), at=state(share=Exposure(share)))["arrivals", ""]
    assert (look.value, look.qualifier, look.assessable) == (1.0, qualifier, True)


def test_closing_a_day_replaces_its_running_count() -> None:
    late = list(looks(a_visit(), at=state(24.2, closed=False)).values())
    found = looks(a_visit(), known=late)
    assert found["arrivals", ""].closed
    # A landing told from ten minutes of silence was known only after midnight.
    assert found["arrivals", ""].result_time == START + 24.2 * HOUR


def test_a_closed_day_that_later_data_changes_is_knowable_only_then() -> None:
    known = list(looks().values())
    found = looks(a_visit(), known=known, at=state(48))
    assert found["arrivals", ""].result_time == START + 48 * HOUR


def test_a_subject_that_is_absent_gets_no_zero() -> None:
    assert {subject for _, subject in looks()} == {""}


# --- what is counted ----------------------------------------------------------------------------


def test_arrivals_and_departures_belong_to_their_own_days() -> None:
    found = looks(left("a", -3, 5), left("b", 6, 30), a_visit("c", arrived_at=None))
    assert found["arrivals", ""].value == 1
    assert found["departures", ""].value == 1
    assert found["aircraft_present", ""].value == 2


def test_presence_is_the_most_at_one_time() -> None:
    found = looks(left("a", 1, 3), left("b", 2, 5), left("c", 4, 6), left("d", 7, 8))
    assert found["aircraft_present", ""].value == 2
    assert {each.ref for each in found["aircraft_present", ""].evidence} == {"a", "b"}


def test_an_aircraft_that_left_at_midnight_is_not_there_the_next_day() -> None:
    assert looks(left("a", -5, 0))["aircraft_present", ""].value == 0


def test_an_arrival_that_nobody_saw_is_presence_alone() -> None:
    found = looks(a_visit(arrived_at=None))
    assert found["arrivals", ""].value == 0
    assert found["aircraft_present", ""].value == 1


def test_a_silent_parked_aircraft_is_present_for_two_days() -> None:
    silent = a_visit(
        last_fix_at=START - 47 * HOUR, first_fix_at=START - 60 * HOUR, arrived_at=START - 60 * HOUR
    )
    assert looks(silent)["aircraft_present", ""].value == 1
    gone = replace(silent, last_fix_at=START - 49 * HOUR)
    assert looks(gone)["aircraft_present", ""].value == 0


def test_a_departure_between_bounds_ends_presence_at_the_later_one() -> None:
    bounds = {"departed_between": [(START + 11 * HOUR).isoformat(), (START + 20 * HOUR).isoformat()]}
    visit = a_visit(state="departed", candidates=bounds)
    assert stay_interval(visit, START + 40 * HOUR) == (START + 10 * HOUR, START + 20 * HOUR)
    assert looks(visit)["departures", ""].value == 0


def test_a_visit_without_any_time_counts_nowhere() -> None:
    timeless = a_visit(arrived_at=None, first_fix_at=None, last_fix_at=None)
    assert stay_interval(timeless, END) is None
    assert looks(timeless)["aircraft_present", ""].value == 0


def test_evidence_names_visits_and_never_aircraft() -> None:
    many = [left(f"v{n:02}", n / 10, n / 10 + 0.05) for n in range(25)]
    evidence = looks(*many)["arrivals", ""].evidence
    assert [each.ref for each in evidence[:20]] == [f"v{n:02}" for n in range(20)]
    assert evidence[20].text == "and 5 more visits"
    assert "15521f" not in str(evidence)


@given(st.lists(st.tuples(st.floats(0, 24), st.floats(0, 24)), max_size=12))
def test_no_more_are_present_than_came_and_no_fewer_than_one_if_any(stays: list[tuple[float, float]]) -> None:
    visits = [left(str(n), min(stay), max(stay)) for n, stay in enumerate(stays)]
    inside = [visit for visit in visits if visit.arrived_at and visit.arrived_at < END]
    value = looks(*visits)["aircraft_present", ""].value
    assert value is not None
    assert bool(inside) <= value <= len(inside)
    overlaps = any(
        a.departed_at and b.arrived_at and a.departed_at > b.arrived_at
        for a, b in pairwise(sorted(inside, key=lambda each: each.arrived_at or END))
    )
    assert not overlaps or value >= 2


# --- days ---------------------------------------------------------------------------------------


def test_a_day_is_that_of_the_sites_own_calendar() -> None:
    assert local_date(ZONE, datetime(2023, 8, 1, 2, 59, tzinfo=UTC)) == date(2023, 7, 31)
    assert day_period(ZONE, DAY)[0] == datetime(2023, 8, 1, 3, tzinfo=UTC)


def test_pyongyang_changed_its_offset() -> None:
    pyongyang = ZoneInfo("Asia/Pyongyang")
    assert day_period(pyongyang, date(2017, 6, 1))[0] == datetime(2017, 5, 31, 15, 30, tzinfo=UTC)
    assert day_period(pyongyang, date(2023, 6, 1))[0] == datetime(2023, 5, 31, 15, 0, tzinfo=UTC)


@given(
    st.dates(date(2014, 1, 1), date(2026, 12, 31)),
    st.sampled_from(["Asia/Pyongyang", "Europe/Paris", "Pacific/Fiji"]),
)
def test_days_follow_one_another_without_gap(day: date, name: str) -> None:
    zone = ZoneInfo(name)
    start, end = day_period(zone, day)
    assert end == day_period(zone, day + timedelta(days=1))[0]
    assert 22 * HOUR < end - start < 26 * HOUR
    assert local_date(zone, start) == day


def test_only_the_days_that_count_differently_are_counted_again() -> None:
    at = START + 60 * HOUR
    before = a_visit(last_fix_at=START + 50 * HOUR)
    gone = replace(before, state="departed", departed_at=START + 49 * HOUR, last_fix_at=START + 49 * HOUR)
    assert changed_days(ZONE, [before], [gone], at) == {date(2023, 8, 3)}
    assert changed_days(ZONE, [], [gone], at) == {date(2023, 8, 1), date(2023, 8, 2), date(2023, 8, 3)}
    assert changed_days(ZONE, [gone], [gone], at) == set()
    assert changed_days(ZONE, [gone], [replace(gone, state="withdrawn")], at) == {
        date(2023, 8, 1),
        date(2023, 8, 2),
        date(2023, 8, 3),
    }


# --- exposure -----------------------------------------------------------------------------------


def hours(first: float = 0, last: float = 24, **values: Any) -> list[CoverageHour]:
    base = CoverageHour("adsb.lol", "quiet-field", START, 3600, 3600, reports_nearby=5)
    return [replace(base, **{"hour": START + n * HOUR, **values}) for n in range(int(first), int(last))]


def test_a_day_watched_and_heard_throughout_is_whole() -> None:
    found = observed_exposure(START, END, hours(-24))
    assert (found.share, found.parts) == (1.0, {"uptime": 1.0, "heard": 1.0, "hours": 24.0})


def test_hours_without_a_working_feed_are_not_observed() -> None:
    assert observed_exposure(START, END, hours(0, 6)).share == 0.25
    assert observed_exposure(START, END, hours(0, 24, observed_s=900)).share == 0.25


def test_the_best_provider_of_an_hour_counts() -> None:
    other = hours(0, 24, provider="adsb.fi", observed_s=1800)
    assert observed_exposure(START, END, [*hours(0, 12), *other]).share == 0.75


def test_a_feed_that_hears_nobody_there_proves_nothing() -> None:
    found = observed_exposure(START, END, hours(-24, 24, reports_nearby=0))
    assert (found.share, found.parts["uptime"], found.parts["heard"]) == (None, 1.0, 0.0)


def test_an_aircraft_heard_nearby_vouches_for_a_day() -> None:
    silent = hours(-24, 24, reports_nearby=0)
    heard = replace(silent[12], reports_nearby=1)
    found = observed_exposure(START, END, [*silent[:12], heard, *silent[13:]])
    # Heard 12 hours before midnight: that vouches until noon.
    assert found.share == pytest.approx(0.5, abs=1e-4)


def test_a_degraded_hour_is_not_observed() -> None:
    found = observed_exposure(START, END, [*hours(0, 12), *hours(12, 24, degraded=True)])
    assert (found.share, found.parts["degraded_hours"]) == (0.5, 12)


def test_hours_are_weighed_by_what_lies_in_the_day() -> None:
    # Half past: the zone of Pyongyang until 2018.
    start = datetime(2017, 5, 31, 15, 30, tzinfo=UTC)
    only = CoverageHour("adsb.lol", "x", start - HOUR / 2, 3600, 3600, reports_nearby=1)
    assert observed_exposure(start, start + 24 * HOUR, [only]).share == pytest.approx(0.5 / 24, abs=1e-4)


def test_good_polls_vouch_for_the_time_since_the_one_before() -> None:
    polls = [START + timedelta(minutes=n) for n in (1, 2, 3, 20, 21)]
    assert watched_s(polls, START, START + timedelta(minutes=2)) == 120
    # A hole of 17 minutes counts nothing.
    assert watched_s(polls, START, START + HOUR) == 3 * 60 + 60
    assert watched_s([], START, END) == 0


def test_a_silence_that_begins_in_an_outage_is_never_watched() -> None:
    polls = [START + timedelta(minutes=n) for n in range(6, 60)]
    assert watched_s(polls, START, END) == 0
    assert watched_s(polls, START + timedelta(minutes=1), END) == 58 * 60


def test_the_dateline_site_has_its_own_day() -> None:
    found = day_looks(DATELINE_STRIP, DAY, [], [], state(), story=visits_story)
    assert {each.period_start for each in found} == {datetime(2023, 7, 31, 12, tzinfo=UTC)}


# --- how well a place is heard ------------------------------------------------------------------


def month(reports_an_hour: int, today: int, days: int = 28) -> list[CoverageHour]:
    return [*hours(-24 * days, 0, reports_nearby=reports_an_hour), *hours(0, 24, reports_nearby=today)]


@pytest.mark.parametrize(
    ("usual", "today", "share", "index"),
    [
        (100, 100, 1.0, 1.0),
        (100, 50, 1.0, 1.0),
        (100, 10, 0.2, 0.2),
        (100, 300, 1.0, 1.0),
        # Two reports an hour are too few to tell a deaf feed from a quiet day.
        (2, 1, 1.0, None),
    ],
)
def test_a_day_on_which_few_others_were_heard_was_watched_less(
    usual: int, today: int, share: float, index: float | None
) -> None:
    found = observed_exposure(START, END, month(usual, today))
    assert found.share == pytest.approx(share)
    assert found.parts.get("index") == index


def test_less_than_a_week_gives_no_index() -> None:
    assert observed_exposure(START, END, month(100, 5, days=6)).parts.get("index") is None
    assert observed_exposure(START, END, month(100, 5, days=7)).parts["index"] == 0.1


def test_days_that_were_hardly_watched_or_jammed_are_not_the_usual() -> None:
    bad = [
        *hours(-24 * 28, -24 * 8, reports_nearby=9000, degraded=True),
        *hours(-24 * 8, 24, reports_nearby=100),
    ]
    assert observed_exposure(START, END, bad).parts["index"] == 1.0
