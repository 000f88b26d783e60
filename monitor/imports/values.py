"""What single cells say: numbers, yes or no, comparators, subjects, addresses. Each raises BadCell."""

import re
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from alerts.metrics import METRICS, NOTE_METRIC, metric_named
from alerts.metrics.declaration import unit_words
from alerts.rules import HUMAN_METHODS
from db.records import Qualifier, Statistic
from db.spelling import folded, spelled, tidy
from monitor.imports.faults import BadCell
from monitor.imports.numbers import counted_number, number
from monitor.sites.faults import did_you_mean, printable_value
from monitor.sites.subjects import subject_fault

MAX_CELL_TEXT = 2_000
_LONGEST_METHOD = 100
_OFFSET = re.compile(r"(?:UTC)?([+-])([0-9]{2}):?([0-9]{2})?")
_WIDEST = timedelta(hours=15)
_OF = re.compile(r"of ([0-9]{1,7})")
_PROTECTED = tuple("=+-@")
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_QUALIFIERS: dict[str, Qualifier] = {
    "": "=",
    **{name: name for name in get_args(Qualifier)},
    "exactly": "=",
    "approximately": "~=",
    "at_least": ">=",
    "at_most": "<=",
}
_STATISTICS: dict[str, Statistic] = {"max": "max", "none_before": "none_before", "last_seen": "last_seen"}
_BREAKS = re.compile(r"[\r\n\t]")
# Controls, halves of surrogate pairs (which no database stores) and marks that turn the reading direction.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def plain_text(cell: str) -> str:
    """A cell in composed letters and plain blanks, without the apostrophe that protects spreadsheets."""
    text = cell.strip()
    if not text.isprintable() and _CONTROL.search(_BREAKS.sub(" ", text)):
        raise BadCell(f"{printable_value(text)} holds control characters", "Remove them")
    text = tidy(text)
    if len(text) > MAX_CELL_TEXT:
        raise BadCell(f"it has {len(text)} characters", f"Cut it to {MAX_CELL_TEXT}")
    return text[1:] if text[:1] == "'" and text[1:2] in _PROTECTED else text


def parse_amount(text: str, metric: str) -> float:
    """A number of what is counted or measured, whole for everything that is counted."""
    known = metric_named(metric)
    value = counted_number(text, known.most)
    if known.counted and not value.is_integer():
        raise BadCell(
            f"{text} is not a whole number",
            f"{metric} are counted; put an average's interval into low and high",
        )
    return value


def check_unit(text: str, metric: str) -> None:
    """Refuse a row in another unit than the metric's: nothing is converted."""
    known = metric_named(metric)
    if spelled(text) not in {known.unit, unit_words(known.unit)}:
        mend = (
            f"Convert the value to {known.unit}"
            if known.unit
            else "Leave it empty: what is counted has no unit"
        )
        raise BadCell(f"{printable_value(text)} is not the unit of {metric}", mend)


def parse_share(text: str) -> float:
    """A share from 0 to 1."""
    value = number(text)
    if value > 1:
        raise BadCell(f"{text} is not a share", "Write 0.8 for 80 %, and nothing where it is not known")
    return value


def parse_yes_no(text: str) -> bool:
    """Yes or no."""
    try:
        return _YES_NO[text.lower()]
    except KeyError:
        raise BadCell(f"{printable_value(text)} is neither yes nor no", "Write yes, no or nothing") from None


@dataclass(frozen=True, slots=True)
class Comparator:
    """What kind of statement the row makes."""

    says: Literal["count", "statistic", "trend"]
    qualifier: Qualifier = "="
    statistic: Statistic = "max"
    n_looks: int | None = None


def parse_comparator(text: str) -> Comparator:
    """Read `=`, `~=`, `>=`, `<=`, `max`, `none_before`, `last_seen`, `of N` or `trend_up`."""
    if text in _QUALIFIERS:
        return Comparator("count", qualifier=_QUALIFIERS[text])
    if text in _STATISTICS:
        return Comparator("statistic", statistic=_STATISTICS[text])
    if text == "trend_up":
        return Comparator("trend")
    if looks := _OF.fullmatch(text):
        return Comparator("statistic", statistic="share", n_looks=int(looks[1]))
    known = ", ".join([*get_args(Qualifier), *_STATISTICS, "of 109", "trend_up"])
    raise BadCell(f"{printable_value(text)} is not known", f"Write one of {known}")


def parse_metric(text: str) -> str:
    """A known metric, or `note`; a detector's class in the singular is understood."""
    text = spelled(text)
    name = text if text in METRICS else _by_other_name(text.lower())
    if name not in METRICS and name != NOTE_METRIC:
        raise BadCell(f"{printable_value(text)} is not a metric", did_you_mean(name, [*METRICS, NOTE_METRIC]))
    return name


def _by_other_name(text: str) -> str:
    """The metric that a detector calls so, else the text itself."""
    for name, metric in METRICS.items():
        if text in (metric.one, name.rstrip("s"), *metric.also):
            return name
    return text


def parse_subject(text: str) -> str:
    """Nothing for all, or which of them, such as `type:Tu-160`."""
    text = spelled(text)
    if fault := subject_fault(text):
        raise BadCell(f"{printable_value(text)} is not a subject: {fault[0]}", fault[1])
    return text


def parse_method_part(text: str) -> str:
    """A method, version or sensor: short, and free of the signs that join them."""
    text = spelled(text)
    if folded(text) in HUMAN_METHODS:
        return folded(text)
    if any(sign in text for sign in ":@") or len(text) > _LONGEST_METHOD:
        raise BadCell(
            f"{printable_value(text)} cannot be used", "Use at most 100 characters, without : and @"
        )
    return text


def zone(text: str) -> tuple[str, tzinfo | None]:
    """The name and the rules of a zone whose days bare dates are; the site's own has neither."""
    name = spelled(text)
    if folded(name) in {"", "site", "local"}:
        return "", None
    if folded(name) in {"utc", "z", "gmt", "zulu"}:
        return "UTC", UTC
    if found := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if offset < _WIDEST:
            return f"{found[1]}{found[2]}:{found[3] or '00'}", timezone(
                -offset if found[1] == "-" else offset
            )
    zones = {folded(each): each for each in available_timezones()}
    if known := zones.get(folded(name)):
        return known, ZoneInfo(known)
    raise BadCell(
        f"{printable_value(text)} is not a time zone",
        f"Write UTC, +09:00 or a name. {did_you_mean(name, zones.values())}",
    )


def parse_certainty(text: str) -> str:
    """How sure the source or the person who wrote the row is."""
    known = ("high", "medium", "low")
    if text.lower() not in known:
        raise BadCell(f"{printable_value(text)} is not known", "Write high, medium, low or nothing")
    return text.lower()


def parse_web_address(text: str) -> str:
    """An http or https address without name and password."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or " " in text:
        # Not shown: it may hold a password.
        raise BadCell("it is not a web address", "Write one that begins with https:// and holds no password")
    return text
