"""Dates as other people's tables write them, in a form that is said: DD/MM/YYYY, MM/DD/YYYY, DD-MON-YY, YYYYMM, ISO weeks. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache

from monitor.imports.faults import BadCell
from monitor.sites.faults import printable_value

ISO_FORM = "ISO"
WEEK_FORM = "ISO week"
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MON": r"(?P<name>[^\W\d_]{3,12})\.?",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "hh": r"(?P<hour>\d{1,2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2}(?:\.\d{1,9})?)",
}
_TOKEN = re.compile("|".join(_TOKENS))
_SQUEEZED = {"MM": r"(?P<month>\d{2})", "DD": r"(?P<day>\d{2})", "hh": r"(?P<hour>\d{2})"}
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("jan", "feb", "mär", "apr", "mai", "jun", "jul", "aug", "sep", "okt", "nov", "dez"),
)
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,9})?))?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?)?"
)
_ISO_WEEK = re.compile(r"(?P<year>\d{4})-?W(?P<week>\d{1,2})(?:-?[1-7])?", re.IGNORECASE)
_YEAR = re.compile(r"(?P<year>(?:19|20)\d{2})")
_EITHER = re.compile(r"\d{1,2}[/.\- ]\d{1,2}[/.\- ](?:\d{4}|\d{2})(?:\D.*)?")
_PIVOT = 69
"""Two digits from here on are of the last century, as POSIX has it."""
_CENTURY = 100
_EXAMPLES = "DD/MM/YYYY, MM/DD/YYYY, DD.MM.YYYY, DD-MM-YY, YYYYMM, DD MON YYYY, YYYY-MM-DD hh:mm or ISO week"


class CellDate(str):
    """A date that a workbook keeps as one: nothing about it is open, however the sheet shows it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class WrittenSpan:
    """What a row says of its time, in the forms of the import columns `start`, `end` and `precision`."""

    start: str
    end: str = ""
    precision: str = ""


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How a table writes times: its form, whose clock it is, and whether a midnight is a day."""

    form: str = ISO_FORM
    zone: tzinfo | None = None
    instants: bool = False


def check_form(form: str) -> None:
    """Raise BadCell where a form of dates is none."""
    if form in {ISO_FORM, WEEK_FORM}:
        return
    tokens = _TOKEN.findall(form)
    given = set(tokens)
    # A day needs its month and a clock what is larger: else one of them would be made up.
    lacks = ("DD" in given and not {"MM", "MON"} & given) or any(
        small in given and large not in given
        for small, large in (("hh", "DD"), ("mm", "hh"), ("hh", "mm"), ("ss", "mm"))
    )
    if len(given) < len(tokens) or not {"YYYY", "YY"} & given or {"MON", "MM"} <= given or lacks:
        raise BadCell(f"{printable_value(form)} is not a form of dates", f"Write one such as {_EXAMPLES}")


def read_span(text: str, how: TimeForm) -> WrittenSpan:
    """Read a time in its form; raises BadCell, and where the order of day and month is open says how to say it."""
    found = _match(text, how.form)
    if found is None:
        raise BadCell(f"{printable_value(text)} is not understood as a time", _advice(text, how.form))
    parts = {key: value for key, value in found.groupdict().items() if value is not None}
    if "week" in parts:
        return week_span(int(parts["year"]), int(parts["week"]))
    try:
        return _span(text, parts, how)
    except (ValueError, OverflowError):
        raise BadCell(
            f"{printable_value(text)} is no date in the calendar", _advice(text, how.form)
        ) from None


def week_span(year: int, week: int) -> WrittenSpan:
    """The days of an ISO week, Monday to Sunday; raises BadCell where the year has no such week."""
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        raise BadCell(
            f"the year {year} has no week {week}", "Weeks are those of ISO 8601, 1 to 52 or 53"
        ) from None
    return WrittenSpan(monday.isoformat(), (monday + timedelta(days=6)).isoformat())


def month_span(year: int, month: int | None) -> WrittenSpan:
    """A month, or a whole year; raises BadCell."""
    if month is None:
        return WrittenSpan(f"{year}-01", f"{year}-12", "window")
    if not 1 <= month <= 12:  # noqa: PLR2004 - months
        raise BadCell(f"there is no month {month}", "Write 1 to 12")
    return WrittenSpan(f"{year:04d}-{month:02d}")


def month_number(text: str) -> int:
    """A month by its number or its name (English or German); raises BadCell."""
    if text.isdecimal():
        return int(text)
    name = text.lower()[:3]
    if name not in _MONTHS:
        raise BadCell(f"{printable_value(text)} is no month", "Write 1 to 12, or a name in English or German")
    return _MONTHS.index(name) % 12 + 1


def _match(text: str, form: str) -> re.Match[str] | None:
    if isinstance(text, CellDate):
        return _ISO.fullmatch(text)
    if form == WEEK_FORM:
        return _ISO_WEEK.fullmatch(text)
    if form == ISO_FORM:
        return _ISO.fullmatch(text) or _ISO_WEEK.fullmatch(text) or _YEAR.fullmatch(text)
    return _pattern(form).fullmatch(text)


@cache
def _pattern(form: str) -> re.Pattern[str]:
    squeezed = _TOKEN.sub("", form) == ""

    def group(found: re.Match[str]) -> str:
        return (_SQUEEZED if squeezed else {}).get(found[0], _TOKENS[found[0]])

    pieces = _TOKEN.split(form)
    tokens = list(_TOKEN.finditer(form))
    built = "".join(
        re.escape(piece) + (group(tokens[index]) if index < len(tokens) else "")
        for index, piece in enumerate(pieces)
    )
    return re.compile(built)


def _span(text: str, parts: dict[str, str], how: TimeForm) -> WrittenSpan:
    year = int(parts["year"]) if "year" in parts else _full_year(int(parts["short"]))
    month = (
        month_number(parts["name"]) if "name" in parts else int(parts["month"]) if "month" in parts else None
    )
    if "day" not in parts:
        return month_span(year, month)
    assert month is not None  # a form with a day has one
    day = date(year, month, int(parts["day"]))
    if "hour" not in parts:
        return WrittenSpan(day.isoformat())
    seconds = float(parts.get("second", 0))
    whole = datetime(  # noqa: DTZ001 - a local clock, until its zone is laid on below
        day.year, day.month, day.day, int(parts["hour"]), int(parts["minute"]), int(seconds)
    )
    if "zone" in parts:
        return WrittenSpan(f"{whole.isoformat()}{parts['zone']}")
    midnight = not (whole.hour or whole.minute or seconds)
    if midnight and not how.instants:
        return WrittenSpan(day.isoformat())
    if how.zone is None:
        mend = "Say whose clock it is: zone under [time], such as UTC, or site for the site's own"
        raise BadCell(f"{printable_value(text)} has a time of day without a zone", mend)
    return WrittenSpan(_instant(text, whole, how.zone))


def _instant(text: str, local: datetime, zone: tzinfo) -> str:
    one, other = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if one.utcoffset() != other.utcoffset():
        what = (
            "does not exist"
            if one.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local
            else "was twice"
        )
        raise BadCell(
            f"{printable_value(text)} {what} by that clock", "Write it with its offset, such as +09:00"
        )
    return one.isoformat()


def _full_year(short: int) -> int:
    return short + (1900 if short >= _PIVOT else 2000)


def _advice(text: str, form: str) -> str:
    if form == ISO_FORM and _EITHER.fullmatch(text):
        return f"Say which of its numbers is the day: format under [time], such as {_EXAMPLES}"
    if form == ISO_FORM:
        return f"Say how it is written: format under [time], such as {_EXAMPLES}"
    return f"The mapping says that times are written {form}"
