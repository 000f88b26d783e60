"""When: periods and times of publication, from dates in the site's own zone to UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

from db.records import Precision
from monitor.imports.faults import BadCell
from monitor.sites.faults import did_you_mean, printable_value

VALID_YEARS = range(1950, 2101)
_DAY = timedelta(days=1)
_ZONES_SPREAD = timedelta(hours=12)
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_INSTANT = re.compile(_TIME + r"(Z|[+-][0-9]{2}:?[0-9]{2})")
_NO_ZONE = re.compile(_TIME)
_FORMS = "Write 2023-10-05, 2023-10, or a time with its zone, such as 2023-10-05T01:24Z"

WrittenPrecision = Literal["instant", "day", "month"]
_COARSENESS: dict[WrittenPrecision, int] = {"instant": 0, "day": 1, "month": 2}
_INFERRED: dict[WrittenPrecision, Precision] = {"instant": "minute", "day": "day", "month": "month"}
_COARSEST: dict[Precision, WrittenPrecision] = {
    "minute": "instant",
    "hour": "instant",
    "day": "day",
    "month": "month",
    "window": "month",
}


@dataclass(frozen=True, slots=True)
class WrittenTime:
    """A time as written: an instant with its offset, or a local day, or a month by its first day."""

    shape: WrittenPrecision
    at: datetime
    """Naive for days and months."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until just before `end`, in UTC."""

    start: datetime
    end: datetime
    precision: Precision


def parse_time(text: str, zone: tzinfo) -> WrittenTime:
    """Read a time; the zone is only used to say how a time without one should have been written."""
    try:
        if found := _MONTH.fullmatch(text):
            return _checked("month", datetime(int(found[1]), int(found[2]), 1))  # noqa: DTZ001 - a local month
        if _DATE.fullmatch(text):
            return _checked("day", datetime.fromisoformat(text))
        if _INSTANT.fullmatch(text):
            return _checked("instant", datetime.fromisoformat(text))
        if _NO_ZONE.fullmatch(text):
            local = datetime.fromisoformat(text).replace(tzinfo=zone).isoformat(timespec="minutes")
            mend = f"At the site's own time it is {local}; add Z where it is UTC"
            raise BadCell(f"{printable_value(text)} has no time zone", mend)
    except (ValueError, OverflowError):
        raise BadCell(f"{printable_value(text)} is no date in the calendar", _FORMS) from None
    raise BadCell(f"{printable_value(text)} is not understood", _FORMS)


def _checked(shape: WrittenPrecision, at: datetime) -> WrittenTime:
    if at.year not in VALID_YEARS:
        raise BadCell(f"the year {at.year} cannot be right", _FORMS)
    return WrittenTime(shape, at)


def precision_of(text: str, start: WrittenTime) -> Precision:
    """The precision as written, or as the shape of `start` shows it."""
    if not text:
        return _INFERRED[start.shape]
    known = next((each for each in _COARSEST if each == text), None)
    if known is None:
        raise BadCell(f"{printable_value(text)} is not known", did_you_mean(text, _COARSEST))
    if _COARSENESS[start.shape] > _COARSENESS[_COARSEST[known]]:
        raise BadCell(f"{text} is finer than the start, which is a {start.shape}", "Leave it empty")
    return known


def import_period(start: WrittenTime, end: WrittenTime, precision: Precision, zone: tzinfo) -> Period:
    """The period from the first to the last moment, both included; the exact end only of a window of instants."""
    first = _floor(start, precision, zone)
    after = _after(end, precision, zone)
    if after < first or (end.shape == start.shape and end.at < start.at):
        raise BadCell("it lies before start", "Swap them, or leave end empty")
    return Period(first, after, precision)


def _floor(when: WrittenTime, precision: Precision, zone: tzinfo) -> datetime:
    if when.shape == "instant":
        if precision == "minute":
            return when.at.replace(second=0, microsecond=0).astimezone(UTC)
        if precision == "hour":
            return when.at.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        if precision == "window":
            return when.at.astimezone(UTC)
    return _midnight(_first_day(when, precision, zone), zone)


def _after(when: WrittenTime, precision: Precision, zone: tzinfo) -> datetime:
    if when.shape == "instant" and precision in {"minute", "hour", "window"}:
        unit = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}.get(precision, timedelta())
        return _floor(when, precision, zone) + unit
    first = _first_day(when, precision, zone)
    if precision == "month" or when.shape == "month":
        return _midnight((first.replace(day=1) + 31 * _DAY).replace(day=1), zone)
    return _midnight(first + _DAY, zone)


def _first_day(when: WrittenTime, precision: Precision, zone: tzinfo) -> date:
    day = when.at.astimezone(zone).date() if when.shape == "instant" else when.at.date()
    return day.replace(day=1) if precision == "month" else day


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def result_time(text: str, of: Period, zone: tzinfo) -> datetime:
    """When a statement about this period was knowable.

    A date of publication counts from 00:00 UTC of that date; without one it is the local midnight after
    the last day of the period. Nothing is knowable before its period began.
    """
    if not text:
        last = max(of.start, of.end - timedelta(microseconds=1))
        last_day = last.astimezone(zone).date()
        return _midnight(last_day + _DAY, zone)
    published = parse_time(text, zone)
    if published.shape == "month":
        raise BadCell(
            f"{printable_value(text)} is a month", "Write the date, or nothing for the day after the period"
        )
    instant = published.at.replace(tzinfo=UTC) if published.shape == "day" else published.at.astimezone(UTC)
    latest = instant + (_DAY + _ZONES_SPREAD if published.shape == "day" else timedelta())
    # An instant may be published as it is taken; a day must reach beyond the start.
    if latest < of.start or (published.shape == "day" and latest == of.start):
        raise BadCell(
            f"{printable_value(text)} lies before the start",
            "A count cannot be published before it was taken; check the years",
        )
    return max(instant, of.start)
