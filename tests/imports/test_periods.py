"""Dates are the site's own days, whatever its clock did; only times with a zone are instants."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.records import Precision
from monitor.imports.faults import BadCell
from monitor.imports.periods import Period, import_period, parse_time, precision_of, result_time

PYONGYANG = ZoneInfo("Asia/Pyongyang")
ANCHORAGE = ZoneInfo("America/Anchorage")
FIJI = ZoneInfo("Pacific/Fiji")


def read(start: str, end: str = "", precision: str = "", zone: ZoneInfo = PYONGYANG) -> Period:
    first = parse_time(start, zone)
    last = parse_time(end, zone) if end else first
    return import_period(first, last, precision_of(precision, first), zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "precision", "expected"),
    [
        ("2023-10-05", "", "", ("2023-10-04T15:00", "2023-10-05T15:00", "day")),
        ("2023-07-31", "2023-08-02", "", ("2023-07-30T15:00", "2023-08-02T15:00", "day")),
        ("2019-06", "", "", ("2019-05-31T15:00", "2019-06-30T15:00", "month")),
        ("2019-06", "2019-07", "month", ("2019-05-31T15:00", "2019-07-31T15:00", "month")),
        ("2019-12", "", "", ("2019-11-30T15:00", "2019-12-31T15:00", "month")),
        ("2018-10-06", "2023-09-17", "window", ("2018-10-05T15:00", "2023-09-17T15:00", "window")),
        ("2022-11-04T01:24:00Z", "", "", ("2022-11-04T01:24", "2022-11-04T01:25", "minute")),
        ("2022-11-04T10:24:31+09:00", "", "", ("2022-11-04T01:24", "2022-11-04T01:25", "minute")),
        ("2024-01-06T03:20Z", "", "hour", ("2024-01-06T03:00", "2024-01-06T04:00", "hour")),
        ("2023-10-04T15:00:00Z", "", "day", ("2023-10-04T15:00", "2023-10-05T15:00", "day")),
        ("2023-10-05T14:59:59Z", "", "day", ("2023-10-04T15:00", "2023-10-05T15:00", "day")),
        ("2023-10-05T02:00Z", "", "month", ("2023-09-30T15:00", "2023-10-31T15:00", "month")),
        ("2023-10-05T02:00Z", "2023-10-05T02:30Z", "window", ("2023-10-05T02:00", "2023-10-05T02:30", "window")),
        ("2023-10-05T02:00Z", "2023-10-05", "window", ("2023-10-05T02:00", "2023-10-05T15:00", "window")),
        ("2023-10", "2023-11-02", "window", ("2023-09-30T15:00", "2023-11-02T15:00", "window")),
        ("2019-06-15", "", "month", ("2019-05-31T15:00", "2019-06-30T15:00", "month")),
    ],
)  # fmt: skip
def test_periods(start: str, end: str, precision: str, expected: tuple[str, str, Precision]) -> None:
    found = read(start, end, precision)
    assert found == Period(utc(expected[0]), utc(expected[1]), expected[2])


@pytest.mark.parametrize(
    ("day", "begins", "hours"),
    [
        ("2015-08-13", "2015-08-12T15:00", 24),
        ("2015-08-14", "2015-08-13T15:00", 24.5),
        ("2015-08-15", "2015-08-14T15:30", 24),
        ("2018-05-04", "2018-05-03T15:30", 23.5),
        ("2018-05-05", "2018-05-04T15:00", 24),
    ],
)
def test_pyongyang_was_half_an_hour_off_for_three_years(day: str, begins: str, hours: float) -> None:
    found = read(day)
    assert found.start == utc(begins)
    assert found.end - found.start == timedelta(hours=hours)


def test_a_day_of_summer_time_has_23_hours() -> None:
    assert read("2024-03-10", zone=ANCHORAGE).end - read("2024-03-10", zone=ANCHORAGE).start == timedelta(
        hours=23
    )


@settings(deadline=None)
@given(st.dates(date(1951, 1, 1), date(2099, 12, 30)))
def test_days_follow_each_other_without_gap(day: date) -> None:
    for zone in (PYONGYANG, ANCHORAGE, FIJI):
        following = day + timedelta(days=1)
        assert read(str(day), zone=zone).end == read(str(following), zone=zone).start


@pytest.mark.parametrize(
    ("text", "problem", "mend"),
    [
        ("2023-10-05T10:24", "no time zone", "2023-10-05T10:24+09:00"),
        ("2016-10-05 10:24:00", "no time zone", "2016-10-05T10:24+08:30"),
        ("2023-02-30", "no date in the calendar", "2023-10-05"),
        ("2023-13", "no date in the calendar", "2023-10"),
        ("2023-10-05T25:00Z", "no date in the calendar", "T01:24Z"),
        ("5.10.2023", "not understood", "2023-10-05"),
        ("2023", "not understood", "2023-10"),
        ("٢٠٢٣-١٠-٠٥", "not understood", "2023-10-05"),
        ("0023-10-05", "year 23", "2023-10-05"),
        ("9999-12-31", "year 9999", "2023-10-05"),
        ("2023-10-05T10:24Zulu", "not understood", "T01:24Z"),
    ],
)
def test_times_that_cannot_be_used(text: str, problem: str, mend: str) -> None:
    with pytest.raises(BadCell) as bad:
        parse_time(text, PYONGYANG)
    assert problem in bad.value.problem
    assert mend in bad.value.mend


@pytest.mark.parametrize(
    ("start", "precision", "problem"),
    [
        ("2023-10-05", "minute", "finer than the start"),
        ("2023-10", "day", "finer"),
        ("2023-10-05", "week", "not known"),
    ],
)
def test_precisions_that_cannot_be(start: str, precision: str, problem: str) -> None:
    with pytest.raises(BadCell) as bad:
        read(start, precision=precision)
    assert problem in bad.value.problem


def test_an_end_before_the_start() -> None:
    for start, end in (("2023-10-05", "2023-10-04"), ("2023-10-05T02:00Z", "2023-10-05T01:00Z")):
        with pytest.raises(BadCell, match="before start"):
            read(start, end)


@pytest.mark.parametrize(
    ("published", "knowable"),
    [
        ("", "2023-10-05T15:00"),
        ("2023-10-06", "2023-10-06T00:00"),
        ("2023-10-05", "2023-10-05T00:00"),
        ("2023-10-04", "2023-10-04T15:00"),
        ("2023-10-06T09:30+09:00", "2023-10-06T00:30"),
    ],
)
def test_when_a_day_at_pyongyang_was_knowable(published: str, knowable: str) -> None:
    assert result_time(published, read("2023-10-05"), PYONGYANG) == utc(knowable)


def test_a_minute_is_knowable_from_the_next_local_day() -> None:
    assert result_time("", read("2022-11-04T01:24Z"), PYONGYANG) == utc("2022-11-04T15:00")
    instant = read("2022-11-03T15:00Z", "2022-11-03T15:00Z", "window")
    assert result_time("", instant, PYONGYANG) == utc("2022-11-04T15:00")


@pytest.mark.parametrize(
    ("published", "problem"),
    [
        ("2022-10-06", "before the start"),
        ("2023-10-03", "before the start"),
        ("2023-10-04T14:59Z", "before the start"),
        ("2023-10", "is a month"),
    ],
)
def test_publications_that_cannot_be(published: str, problem: str) -> None:
    with pytest.raises(BadCell) as bad:
        result_time(published, read("2023-10-05"), PYONGYANG)
    assert problem in bad.value.problem


@settings(deadline=None)
@given(
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.times(),
    st.sampled_from(["day", "month", "hour", "minute"]),
)
def test_a_period_holds_its_start_and_is_not_knowable_before(day: date, at: time, precision: str) -> None:
    written = f"{day}T{at:%H:%M}Z"
    found = read(written, precision=precision)
    assert found.start <= utc(written.removesuffix("Z")) < found.end
    assert result_time("", found, PYONGYANG) >= found.start
