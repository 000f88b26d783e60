"""What of a file of counts cannot all be true, or is told more exactly than anybody knows it. Pure.

Nothing of this is a fault of form: a person decides what is right. Every finding names the rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from alerts.words import count_words, digits
from db.records import DeclaredBaseline, Note, Observation, Qualifier

CountedRecord = Observation | DeclaredBaseline | Note
ABOUT = 2.0
"""A count that is "about" so many may be this many times as many, or as few."""
_DAY = timedelta(days=1)
_CLOCKS_APART = timedelta(hours=36)
_MOST_PAIRS = 2_000
_ZONE_GUESSED = re.compile(
    r"time zone[^.]*\b(?:not stated|assumed|taken)|\b(?:states?|gives?) no time zone|zone not stated"
    r"|\btaken as [^.)]*\b(?:time|KST|UTC)\b|\b(?:assumed|inferred) (?:to be )?[^.]*\btime\b",
    re.IGNORECASE,
)
_NO_ADDRESS = re.compile(r"\bno address\b", re.IGNORECASE)
_NAMES_SOME = re.compile(
    r"\b(?:after|until|before|then) the (?:ship|train|aircraft)\b|\bwas (?:there|seen)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """A record with the words that say which row of which file it is."""

    label: str
    record: CountedRecord


def contradictions(records: Iterable[LabelledRecord]) -> list[str]:
    """Every finding as a sentence, in the order of the rows."""
    rows = list(records)
    found = [said for each in rows for said in _alone(each)]
    return [*found, *_together(rows)]


def without_address(rows: Iterable[LabelledRecord]) -> Iterator[str]:
    """Say of each row that names a publisher and neither gives an address nor says that it has none."""
    for row in rows:
        record = row.record
        if record.publisher and not _has_address(record) and not _NO_ADDRESS.search(_text(record)):
            yield (
                f"{row.label}: it names {record.publisher} and no address. Write it into url, or “No address is known.” into note."
            )


def _alone(row: LabelledRecord) -> Iterator[str]:
    record = row.record
    if isinstance(record, Observation):
        yield from _of_a_look(row, record)
    start, end = _bounds(record)
    if not record.undated and end - start > _DAY and record.result_time + _CLOCKS_APART < end:
        yield f"{row.label}: it was published before its period had ended. End the period where the report ends."


def _of_a_look(row: LabelledRecord, look: Observation) -> Iterator[str]:
    length = look.period_end - look.period_start
    if _is_zero(look) and length > _DAY and look.exposure is None:
        yield (
            f"{row.label}: none in {length.days} days, and nobody says how much of them was looked at. Give exposure, or write a "
            "note: a report about some of them is no zero of all."
        )
    if _is_zero(look) and _NAMES_SOME.search(look.note):
        yield f"{row.label}: it counts none, while its note names some: “{look.note}”"
    if look.precision in {"minute", "hour"} and _ZONE_GUESSED.search(look.note):
        yield (
            f"{row.label}: the time is told to the {look.precision}, while its note says that the time zone is assumed. Write day "
            "into precision."
        )


def _together(rows: Sequence[LabelledRecord]) -> Iterator[str]:
    looks: dict[tuple[str, ...], list[tuple[str, Observation]]] = defaultdict(list)
    for row in rows:
        record = row.record
        if isinstance(record, Observation) and record.usable:
            key = record.series
            looks[key.site_id, key.area, key.metric].append((row.label, record))
    for there in looks.values():
        yield from _pairs(there)
    for row in rows:
        record = row.record
        if isinstance(record, DeclaredBaseline):
            key = record.series
            for label, look in looks.get((key.site_id, key.area, key.metric), ()):
                yield from _against(row.label, record, label, look)


def _pairs(there: list[tuple[str, Observation]]) -> Iterator[str]:
    ordered = sorted(there, key=lambda each: each[1].period_start)
    pairs = 0
    for number, (label, look) in enumerate(ordered):
        for other_label, other in ordered[number + 1 :]:
            if other.period_start >= look.period_end and other.period_start > look.period_start:
                break
            pairs += 1
            if pairs > _MOST_PAIRS:
                return
            if said := _apart(label, look, other_label, other):
                yield said


def _apart(label: str, look: Observation, other_label: str, other: Observation) -> str:
    """What two looks that share some time say against each other; '' where both may be true."""
    if _same_look(look, other):
        return ""
    for (one_label, one), (two_label, two) in (
        ((label, look), (other_label, other)),
        ((other_label, other), (label, look)),
    ):
        covers = one.series.subject in {"", two.series.subject}
        if covers and _is_zero(one) and _least(two) > 0:
            return f"{one_label} and {two_label}: none {_when(one)}, and {_count(two)} {_when(two)}. A period that saw some is no zero."
    if look.series.subject != other.series.subject:
        return ""
    if _days(look) == _days(other) and (_least(look) > _most(other) or _least(other) > _most(look)):
        return (
            f"{label} and {other_label}: {_count(look)} and {_count(other)} {_when(look)}. Both cannot be true; if they saw different "
            "moments, give each its time."
        )
    if look.kind == "flow":
        whole, part = sorted((look, other), key=lambda each: each.period_start - each.period_end)
        inside = whole.period_start <= part.period_start and part.period_end <= whole.period_end
        if inside and _least(part) > _most(whole):
            return f"{label} and {other_label}: {_count(part)} {_when(part)}, and only {_count(whole)} {_when(whole)}, which holds it."
    return ""


def _against(label: str, declared: DeclaredBaseline, other_label: str, look: Observation) -> Iterator[str]:
    """A look inside the window of a statement that denies it."""
    inside = declared.window_start <= look.period_start and look.period_end <= declared.window_end
    if not inside or look.series.subject != declared.series.subject or declared.value is None:
        return
    most = {"max": declared.value, "none_before": 0.0}.get(declared.statistic, inf)
    if _least(look) > most:
        yield (
            f"{label} and {other_label}: at most {digits(most)} in a window that holds {_count(look)} {_when(look)}. One of the two is wrong."
        )


def _same_look(one: Observation, two: Observation) -> bool:
    """Whether one corrects the other: the same source about the same period."""
    return (one.series, one.period_start, one.look_key) == (two.series, two.period_start, two.look_key)


def _is_zero(look: Observation) -> bool:
    return look.usable and look.value == 0 and look.qualifier in {"=", "<="}


def _least(look: Observation) -> float:
    return _between(look)[0]


def _most(look: Observation) -> float:
    return _between(look)[1]


def _between(look: Observation) -> tuple[float, float]:
    """The least and the most that a count leaves possible."""
    least, most = _by_qualifier(look.qualifier, look.value or 0.0)
    return (least if look.low is None else look.low, most if look.high is None else look.high)


def _by_qualifier(qualifier: Qualifier, value: float) -> tuple[float, float]:
    match qualifier:
        case "<=":
            return (0.0, value)
        case ">=":
            return (value, inf)
        case "~=":
            return (value / ABOUT, value * ABOUT)
    return (value, value)


def _count(look: Observation) -> str:
    return count_words(look.value or 0.0, look.qualifier, look.series.metric)


def _days(look: Observation) -> tuple[str, str]:
    return look.written_start, look.written_end


def _when(look: Observation) -> str:
    first, last = _days(look)
    return f"on {first}" if first == last else f"from {first} to {last}"


def _text(record: CountedRecord) -> str:
    return record.text if isinstance(record, Note) else record.note


def _has_address(record: CountedRecord) -> bool:
    if isinstance(record, Observation):
        return any(each.kind == "url" for each in record.evidence)
    return bool(record.url)


def _bounds(record: CountedRecord) -> tuple[datetime, datetime]:
    if isinstance(record, Note):
        return record.starts_at, record.ends_at
    if isinstance(record, DeclaredBaseline):
        return record.window_start, record.window_end
    return record.period_start, record.period_end
