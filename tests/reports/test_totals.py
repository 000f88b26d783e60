"""Counts by period: flows summed, of stocks the highest, what was watched; silence is never zero."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Observation
from monitor.reports.period_totals import watched_words
from monitor.reports.totals import SeriesTotals, TotalsBy, TotalsCalendar, totals
from tests.kit.builders import at, look

DAY = timedelta(days=1)
UTC_CLOCK = ZoneInfo("UTC")
NOW = at("2024-06-01")


def by(
    found: list[Observation], period: TotalsBy = "month", zone: ZoneInfo = UTC_CLOCK, **asked: str
) -> SeriesTotals:
    spans = {name: at(text) for name, text in asked.items()}
    return totals(found, TotalsCalendar(period, zone, NOW), **spans)


def arrivals(day: str, value: float | None, exposure: float | None = 1.0, **fields: Any) -> Observation:
    return look(day, value, "arrivals", exposure=exposure, **fields)


def test_flows_are_summed_and_it_is_said_how_much_was_watched() -> None:
    found = [arrivals(f"2024-03-{day:02}", 2, 0.5) for day in range(1, 32)]
    (month,) = by(found).periods
    assert (month.label, month.value, month.qualifier) == ("2024-03", 62, "=")
    assert month.watched == pytest.approx(0.5)
    assert watched_words(month) == "50 % of the time"


def test_of_stocks_the_highest_is_taken_and_the_days_with_a_count_are_told() -> None:
    found = [look(f"2024-04-{day:02}", day, "containers") for day in (3, 9, 27)]
    (month,) = by(found).periods
    assert month.value == 27
    assert month.watched == pytest.approx(0.1)
    assert watched_words(month) == "10 % of the days"


def test_a_period_that_nobody_watched_has_no_value_wherever_it_lies() -> None:
    found = [
        arrivals("2024-01-05", 1),
        arrivals("2024-02-05", None, 0.0),
        arrivals("2024-03-05", 0, 0.0),
        arrivals("2024-05-05", 0),
    ]
    periods = by(found, since="2023-12-01").periods
    assert [(each.label, each.value) for each in periods] == [
        ("2023-12", None),
        ("2024-01", 1),
        ("2024-02", None),
        ("2024-03", None),
        ("2024-04", None),
        ("2024-05", 0),
    ]
    assert [watched_words(each) for each in periods][2:5] == ["not watched"] * 3


def test_a_zero_that_somebody_saw_is_a_zero_and_says_how_little_was_seen() -> None:
    (week,) = by([arrivals("2024-03-05", 0, 0.001)], "week").periods
    assert (week.label, week.value, watched_words(week)) == ("2024-W10", 0, "1 % of the time")


def test_where_nobody_stated_the_exposure_it_is_not_taken_for_all() -> None:
    (month,) = by([arrivals("2024-03-05", 3, None), arrivals("2024-03-06", 3)]).periods
    assert (month.value, month.watched, watched_words(month)) == (6, None, "not stated")


def test_of_counts_that_overlap_the_longer_one_counts() -> None:
    whole = replace(arrivals("2024-03-01", 9), period_end=at("2024-04-01"), look_key="month")
    found = by([whole, *(arrivals(f"2024-03-{day:02}", 1) for day in range(1, 11))])
    (month,) = found.periods
    assert (month.value, month.counted, month.left_out, month.looks) == (9, 1, 10, 11)


def test_a_look_longer_than_the_period_is_in_none_and_is_told() -> None:
    whole = replace(arrivals("2024-03-01", 9), period_end=at("2024-04-01"), look_key="month")
    found = by([whole, arrivals("2024-03-03", 1)], "day")
    assert [(each.label, each.value) for each in found.periods] == [("2024-03-03", 1)]
    assert found.spanning == 1


def test_a_day_of_another_clock_counts_where_the_greater_part_lies_and_is_told() -> None:
    oslo = ZoneInfo("Europe/Oslo")
    found = by([look("2024-01-31", 4, "containers"), look("2024-01-15", 2, "containers")], "month", oslo)
    assert [(each.label, each.value) for each in found.periods] == [("2024-01", 4)]
    assert found.across == 1


def test_months_are_the_sites_own_also_where_the_clock_is_changed() -> None:
    oslo = ZoneInfo("Europe/Oslo")
    (month,) = by([arrivals("2024-03-31", 1)], "month", oslo).periods
    assert (month.start, month.end) == (at("2024-02-29T23:00"), at("2024-03-31T22:00"))


@pytest.mark.parametrize(
    ("signs", "said"),
    [(("=", "="), "="), ((">=", "="), ">="), (("~=", "="), "~="), ((">=", "<="), "~="), (("<=", "="), "<=")],
)
def test_a_sum_is_as_exact_as_its_parts(signs: tuple[str, str], said: str) -> None:
    found = [arrivals(f"2024-03-0{day}", 1, qualifier=sign) for day, sign in enumerate(signs, 1)]
    (month,) = by(found).periods
    assert month.qualifier == said


def test_a_lower_bound_elsewhere_may_hide_a_higher_count() -> None:
    found = [look("2024-03-01", 9, "containers"), look("2024-03-02", 5, "containers", qualifier=">=")]
    (month,) = by(found).periods
    assert (month.value, month.qualifier) == (9, ">=")


def test_what_was_announced_and_what_could_not_be_assessed_is_in_no_value() -> None:
    found = [
        arrivals("2024-03-01", 5, announced=True),
        arrivals("2024-03-02", 7, assessable=False),
        arrivals("2024-03-03", 1),
    ]
    (month,) = by(found).periods
    assert (month.value, month.looks, month.counted) == (1, 2, 1)


def test_a_running_period_is_measured_by_what_is_over() -> None:
    found = [arrivals("2024-05-31", 1), replace(arrivals("2024-06-01", 1), period_end=at("2024-06-02"))]
    (_, june) = totals(found, TotalsCalendar("month", UTC_CLOCK, at("2024-06-02"))).periods
    assert (june.running, june.watched) == (True, 1.0)
    assert watched_words(june) == "100 % of the time, running"


def test_there_is_no_period_of_time_to_come() -> None:
    periods = by([arrivals("2024-05-05", 1)], until="2030-01-01").periods
    assert [each.label for each in periods] == ["2024-05", "2024-06"]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), st.sampled_from([0.25, 1.0])), max_size=60),
    st.sampled_from(["day", "week", "month", "year"]),
    st.sampled_from(["UTC", "Asia/Pyongyang", "Europe/Oslo", "America/Caracas"]),
)
def test_no_count_is_lost_or_told_twice(
    days: list[tuple[int, int, float]], period: TotalsBy, zone: str
) -> None:
    start = at("2023-01-01")
    one_each = {day: (value, exposure) for day, value, exposure in days}
    found = [
        arrivals(f"{start + day * DAY:%Y-%m-%d}", value, exposure)
        for day, (value, exposure) in one_each.items()
    ]
    periods = by(found, period, ZoneInfo(zone)).periods
    assert sum(each.value or 0 for each in periods) == sum(value for value, _ in one_each.values())
    assert sum(each.counted for each in periods) == len(found)
    assert all((each.value is None) == (each.counted == 0) for each in periods)
    assert all(before.end == after.start for before, after in pairwise(periods))
