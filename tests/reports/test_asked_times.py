"""What was asked for under `since`, `until` and `as of`: whole days and months by the clock of a zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.reports.asked_times import TimeReader
from tests.kit.builders import at

OSLO, PYONGYANG = ZoneInfo("Europe/Oslo"), ZoneInfo("Asia/Pyongyang")
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2023-10-05", "2023-10-04T22:00", "2023-10-05T22:00"),
        ("2023-10-29", "2023-10-28T22:00", "2023-10-29T23:00"),  # clocks are set back
        ("2023-10", "2023-09-30T22:00", "2023-10-31T23:00"),
        ("2023-12", "2023-11-30T23:00", "2023-12-31T23:00"),
        ("today", "2023-10-05T22:00", "2023-10-06T22:00"),
        ("Yesterday", "2023-10-04T22:00", "2023-10-05T22:00"),
        ("2023-10-05T01:24Z", "2023-10-05T01:24", "2023-10-05T01:24"),
        ("2023-10-05T01:24:00+09:00", "2023-10-04T16:24", "2023-10-04T16:24"),
    ],
)
def test_a_day_is_meant_whole_and_is_that_of_the_zone(text: str, since: str, until: str) -> None:
    # It is past midnight in Oslo, and the day before in UTC.
    times = TimeReader(OSLO, at("2023-10-05T22:30"))
    begins, ends, by = times.since("a", text), times.until("b", text), times.by("c", text)
    assert (begins, ends) == (at(since), at(until))
    assert by == (at(until) if since == until else at(until) - MICROSECOND)


def test_nothing_asked_is_nothing_limited() -> None:
    times = TimeReader(UTC, at("2023-10-05"))
    assert (times.since("a", None), times.until("b", None), times.by("c", None)) == (None, None, None)


@given(day=st.dates(date(1951, 1, 1), date(2099, 12, 30)), zone=st.sampled_from([UTC, OSLO, PYONGYANG]))
def test_days_follow_each_other_without_a_gap(day: date, zone: ZoneInfo) -> None:
    times = TimeReader(zone, datetime(2023, 10, 5, tzinfo=UTC))
    this, following = day.isoformat(), (day + timedelta(days=1)).isoformat()
    ends = times.until("until", this)
    assert ends == times.since("since", following)
    assert times.by("as_of", this) == (ends - MICROSECOND if ends else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "banana",
            'since: "banana" is not understood. Write a day (2023-10-05), a month (2023-10), today, yesterday, or a time w',
        ),
        ("", 'since: "" is not understood. Write a day'),
        ("1023-10-05", "since: the year 1023 cannot be right. Write a day"),
        (
            "2023-10-05T10:00",
            'since: "2023-10-05T10:00" has no time zone. Write 2023-10-05T10:00Z where it is UTC, or 2023-10-05T10:00+02:00 ',
        ),
    ],
    ids=["word", "empty", "year", "no zone"],
)
def test_what_is_no_time_is_told_with_the_way_to_write_it(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        TimeReader(OSLO, at("2023-10-05")).since("since", text)
    assert str(raised.value).startswith(said)
