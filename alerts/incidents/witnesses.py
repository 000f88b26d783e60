"""Witnesses of one count: who else counted the same at the same time, and whether they contradict each other. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations

from alerts.incidents.findings import snapshot_look_id
from alerts.incidents.headline import Entry, entry_count
from alerts.rules import HUMAN_METHODS, method_of
from alerts.rules.among import ABOUT_FACTOR, bounds_of_count
from alerts.words import own_count
from db.records import Alert
from db.said import phrase
from db.spelling import folded

MUCH = ABOUT_FACTOR
"""By this factor counts must differ for people to be told: as far off as “about” may be."""
_ONE_LOOK = timedelta(hours=26)
"""A day on which clocks are changed has 25 hours; a longer period holds several looks, which may differ."""


def source(entry: Entry) -> str:
    """Who counted, for a sentence."""
    return str(entry["publisher"]) or own_count(entry["procedure"], entry.get("data_from", ()))


def witnesses(alert: Alert) -> list[Entry]:
    """All looks that an alert names: those that it rests on, and those that contradict them."""
    return [*alert.details["entries"], *alert.details.get("others", ())]


def unheard(pairs: Iterable[tuple[Entry, Entry]], before: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """The pairs that are much apart, but for those of which a new witness says what an earlier one did."""
    names = {(snapshot_look_id(each), each["value"]) for each in before}
    for pair in pairs:
        new = [each for each in pair if (snapshot_look_id(each), each["value"]) not in names]
        agrees = any(_agree(each, earlier) for each in new for earlier in before)
        if _much_apart(*pair) and not agrees:
            yield pair


def disputes(alert: Alert) -> dict[tuple[object, ...], tuple[Entry, Entry]]:
    """The pairs of witnesses that contradict each other, at least one of whom the alert rests on."""
    entries, others = alert.details["entries"], alert.details.get("others", ())
    pairs = [*combinations(entries, 2), *((one, other) for one in entries for other in others)]
    return {
        (snapshot_look_id(one), one["value"], snapshot_look_id(other), other["value"]): (one, other)
        for one, other in pairs
        if contradict(one, other)
    }


def contradicting(entries: Sequence[Entry], others: Iterable[Entry]) -> list[Entry]:
    """The other looks that contradict one that an alert rests on; each once, in its newest snapshot."""
    own = {snapshot_look_id(each) for each in entries}
    newest = {snapshot_look_id(each): each for each in others}
    return [
        each
        for name, each in newest.items()
        if name not in own and any(contradict(one, each) for one in entries)
    ]


def contradict(one: Entry, other: Entry) -> bool:
    """Whether two sources counted the same at the same time, and cannot both be right."""
    if one["subject"] != other["subject"] or not _other_source(one, other) or not _same_time(one, other):
        return False
    (low, high), (other_low, other_high) = _bounds(one), _bounds(other)
    return high < other_low or other_high < low


def _much_apart(one: Entry, other: Entry) -> bool:
    """Whether two counts differ by so much that people want to hear of it."""
    return float(max(one["value"], other["value"])) > MUCH * float(min(one["value"], other["value"]))


def otherwise(entries: Sequence[Entry], others: Iterable[Entry], metric: str) -> list[str]:
    """What others say of the count that leads a headline, to be put behind it."""
    against = [
        each
        for each in (*entries[1:], *others)
        if contradict(entries[0], each) and _much_apart(entries[0], each)
    ]
    said = dict.fromkeys(
        phrase(
            "but {count} according to {source}",
            count=entry_count(each, metric),
            source=source(each),
        )
        for each in against
    )
    return list(said)


def told(pairs: Iterable[tuple[Entry, Entry]], metric: str) -> Iterator[str]:
    """One sentence for each contradiction."""
    for one, other in pairs:
        yield (
            phrase(
                "{source} and {other} contradict each other: {count} and {other_count}.",
                source=source(other),
                other=source(one),
                count=entry_count(other, metric),
                other_count=entry_count(one, metric),
            )
        )


def _agree(one: Entry, other: Entry) -> bool:
    """Whether another source counted the same at the same time, and much the same."""
    comparable = one["subject"] == other["subject"] and _other_source(one, other) and _same_time(one, other)
    return comparable and not (contradict(one, other) and _much_apart(one, other))


def _other_source(one: Entry, other: Entry) -> bool:
    """Whether two people counted, or two publishers by one method: a detector's count is another measure."""
    methods = {method_of(one["procedure"]), method_of(other["procedure"])}
    comparable = one["procedure"] == other["procedure"] or methods <= HUMAN_METHODS
    return comparable and folded(one["publisher"]) != folded(other["publisher"])


def _same_time(one: Entry, other: Entry) -> bool:
    (start, end), (other_start, other_end) = _period(one), _period(other)
    if (start, end) == (other_start, other_end):
        return True
    short = end - start <= _ONE_LOOK and other_end - other_start <= _ONE_LOOK
    return short and start < other_end and other_start < end


def _period(entry: Entry) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(entry["period_start"]), datetime.fromisoformat(entry["period_end"])


def _bounds(entry: Entry) -> tuple[float, float]:
    value = float(entry["value"])
    low, high = (None if entry[name] is None else float(entry[name]) for name in ("low", "high"))
    return bounds_of_count(value, low, high, entry["qualifier"])
