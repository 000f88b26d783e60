"""Who else counted the same picture, and whether they agree: counts stay side by side, and nobody's is averaged away. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from alerts.incidents.witnesses import contradict, source
from alerts.rules import HUMAN_METHODS, method_of
from alerts.rules.series import certain_count
from alerts.words import count_words, listed
from db.records import Observation

Pictured = tuple[str, str, str, str]
"""Area, metric, subject, and the scene, or the period where no scene is named."""


@dataclass(frozen=True, slots=True)
class SharedCount:
    """The counts of several people of one picture, and what is to be said of them."""

    metric: str
    counts: tuple[Observation, ...]
    agree: bool
    words: str


@dataclass(frozen=True, slots=True)
class PairRecord:
    """How two people's counts of the same pictures compare."""

    names: tuple[str, str]
    metric: str
    pictures: int
    agreeing: int
    words: str


def scene_of(look: Observation) -> str:
    """The image that a look names, '' for none."""
    return next((each.ref for each in look.evidence if each.kind == "scene"), "")


def shared_counts(looks: Iterable[Observation]) -> list[SharedCount]:
    """The pictures that several people counted, in the order of their first count."""
    return [_shared(group) for group in _pictured(looks).values() if len({_name(each) for each in group}) > 1]


def pair_records(looks: Iterable[Observation]) -> list[PairRecord]:
    """How often each two people agreed who counted the same pictures, and how far apart their counts usually are."""
    pairs: dict[tuple[str, str, str], list[tuple[Observation, Observation]]] = defaultdict(list)
    for group in _pictured(looks).values():
        counted = [each for each in group if each.usable]
        for one, other in combinations(sorted(counted, key=_name), 2):
            if _name(one) != _name(other):
                pairs[_name(one), _name(other), one.series.metric].append((one, other))
    return [_record((one, other), metric, both) for (one, other, metric), both in sorted(pairs.items())]


def _pictured(looks: Iterable[Observation]) -> Mapping[Pictured, list[Observation]]:
    found: dict[Pictured, list[Observation]] = {}
    for each in looks:
        if method_of(each.series.procedure) in HUMAN_METHODS and each.publisher:
            series = each.series
            picture = scene_of(each) or f"{each.period_start.isoformat()}/{each.period_end.isoformat()}"
            found.setdefault((series.area, series.metric, series.subject, picture), []).append(each)
    return found


def _shared(group: Sequence[Observation]) -> SharedCount:
    counted = [each for each in group if each.usable]
    metric = group[0].series.metric
    agree = not any(_contradict(one, other) for one, other in combinations(counted, 2))
    said = listed([f"{_name(each)} {_count(each)}" for each in group])
    if len(counted) < len(group):
        return SharedCount(metric, tuple(group), agree=False, words=f"{said}.")
    how = "They agree within their bounds" if agree else "They contradict each other"
    return SharedCount(metric, tuple(group), agree, f"{said}. {how}.")


def _count(look: Observation) -> str:
    return f"counts {count_words(certain_count(look), look.qualifier)}" if look.usable else "could not count"


def _record(
    names: tuple[str, str], metric: str, both: Sequence[tuple[Observation, Observation]]
) -> PairRecord:
    agreeing = sum(not _contradict(one, other) for one, other in both)
    apart = median(_apart(certain_count(one), certain_count(other)) for one, other in both)
    pictures = "1 picture" if len(both) == 1 else f"{len(both)} pictures"
    return PairRecord(
        names,
        metric,
        len(both),
        agreeing,
        f"{names[0]} and {names[1]} counted {pictures} both and agree on {agreeing or 'none'}; their counts lie {apart:.0%} apart in the middle.",
    )


def _apart(one: float, other: float) -> float:
    largest = max(one, other)
    return abs(one - other) / largest if largest > 0 else 0.0


def _name(look: Observation) -> str:
    return source(_entry(look))


def _contradict(one: Observation, other: Observation) -> bool:
    # They speak of one picture, whatever times they wrote down.
    return contradict(_entry(one), {**_entry(other), **_times(one)})


def _times(look: Observation) -> dict[str, object]:
    return {"period_start": look.period_start.isoformat(), "period_end": look.period_end.isoformat()}


def _entry(look: Observation) -> dict[str, object]:
    return {
        **_times(look),
        "subject": look.series.subject,
        "procedure": look.series.procedure,
        "publisher": look.publisher,
        "value": certain_count(look),
        "low": look.low,
        "high": look.high,
        "qualifier": look.qualifier,
    }
