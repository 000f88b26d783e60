"""What a backtest counts: looks and skips, alarms, episodes, the realised rate beside the promise, labelled events. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from alerts.backtest.replay import ReplayedLook
from alerts.baselines.budget import BUDGETED_RULES
from alerts.baselines.calibrate import EPISODE_GAP_DAYS, rate_interval
from alerts.baselines.model import DAYS_A_YEAR

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """A labelled period: something really happened in it, or somebody looked and found that nothing did."""

    start: datetime
    end: datetime
    label: str = ""
    real: bool = True


@dataclass(frozen=True, slots=True)
class Episode:
    """Alarms that hang together, with what a person said of them."""

    start: datetime
    """When its first look began."""
    end: datetime
    """When its last look began."""
    alarms: int
    highest: float | None
    rules: tuple[str, ...]
    real: bool | None
    """Whether it was real; None where nobody labelled it: it counts as false until then."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """Alarms of one rule or of all together: how many, in how many episodes, and the realised rate beside the promise."""

    rule: str
    statuses: Mapping[str, int]
    alarms: int
    episodes: int
    false_episodes: int
    site_years: float
    realised_a_year: float | None
    low: float | None
    high: float | None
    promised_a_year: float
    attainable_a_year: float | None
    verdict: str
    """within, above or below the promise, by Garwood's interval of false episodes; "" where nothing was judged."""
    median_days_between: float | None = None
    longest_days: float | None = None


@dataclass(frozen=True, slots=True)
class EventDetection:
    """What became of one labelled event."""

    event: LabelledEvent
    caught: bool
    by: str = ""
    delay_days: float | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class BacktestSummary:
    """What a backtest counts."""

    looks: int
    skips: Mapping[str, int]
    site_years: float
    verdict: AlarmRate
    rules: tuple[AlarmRate, ...]
    events: tuple[EventDetection, ...] = ()
    by_exposure: tuple[Mapping[str, Any], ...] = field(default=())
    episodes: tuple[Episode, ...] = ()
    """All under the promise, in order of time."""


def summarise(judged: Sequence[ReplayedLook], events: Sequence[LabelledEvent] = ()) -> BacktestSummary:
    """Count looks, skips, alarms, episodes and false ones, for every rule and for all together."""
    years = _site_years(judged)
    names = list(dict.fromkeys(each.rule for one in judged for each in one.verdicts))
    statuses = Counter(_status(each) for each in judged)
    every = [_rate(name, judged, events, years) for name in names]
    promised = max((each.promised_a_year for each in judged), default=0.0)
    return BacktestSummary(
        looks=len(judged),
        skips={name: n for name, n in sorted(statuses.items()) if name != "evaluated"},
        site_years=round(years, 3),
        verdict=_whole(judged, events, years, promised, every),
        rules=tuple(every),
        events=tuple(_caught(each, judged) for each in events if each.real),
        episodes=tuple(_episode(each, events) for each in _episodes(_fired(judged, None))),
        by_exposure=tuple(_by_exposure(judged)),
    )


def _status(judged: ReplayedLook) -> str:
    """A look was judged where any rule under the promise judged it; else the commonest reason why not."""
    said = [each.status for each in judged.verdicts if each.rule in BUDGETED_RULES]
    if "evaluated" in said:
        return "evaluated"
    return Counter(said).most_common(1)[0][0] if said else "no_rule"


def _site_years(judged: Sequence[ReplayedLook]) -> float:
    times = [each.look.period_start.timestamp() for each in judged if _status(each) == "evaluated"]
    return (max(times) - min(times)) / _DAY_S / DAYS_A_YEAR if times else 0.0


def _fired(judged: Sequence[ReplayedLook], rule: str | None) -> list[ReplayedLook]:
    if rule is not None:
        return [each for each in judged if rule in each.told]
    return [each for each in judged if each.told.keys() & BUDGETED_RULES and not _declared_only(each)]


def _declared_only(judged: ReplayedLook) -> bool:
    """Whether only published statistics spoke, which the promise does not cover."""
    fired = [each for each in judged.verdicts if each.exceeded and each.rule in BUDGETED_RULES]
    return bool(fired) and all("declared" in each.details for each in fired)


def _episodes(fired: Sequence[ReplayedLook]) -> list[list[ReplayedLook]]:
    """Alarms within the refractory time of the last one are one episode."""
    found: list[list[ReplayedLook]] = []
    for each in fired:
        if found and _days(found[-1][-1], each) <= EPISODE_GAP_DAYS:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _days(one: ReplayedLook, other: ReplayedLook) -> float:
    return (other.look.period_start - one.look.period_start).total_seconds() / _DAY_S


def _is_false(episode: Sequence[ReplayedLook], events: Sequence[LabelledEvent]) -> bool:
    return not any(event.real for event in _touching(episode, events))


def _touching(episode: Sequence[ReplayedLook], events: Sequence[LabelledEvent]) -> list[LabelledEvent]:
    return [
        event
        for event in events
        if any(each.look.period_start < event.end and each.look.period_end > event.start for each in episode)
    ]


def _episode(alarms: Sequence[ReplayedLook], events: Sequence[LabelledEvent]) -> Episode:
    said = _touching(alarms, events)
    # One real event makes it real, whatever else is said of that time.
    real = any(each.real for each in said) if said else None
    values = [each.look.value for each in alarms if each.look.value is not None]
    return Episode(
        start=alarms[0].look.period_start,
        end=alarms[-1].look.period_start,
        alarms=len(alarms),
        highest=max(values, default=None),
        rules=tuple(sorted({rule for each in alarms for rule in each.told.keys() & BUDGETED_RULES})),
        real=real,
        label=", ".join(dict.fromkeys(each.label for each in said if each.label and each.real == real)),
    )


def _rate(
    name: str, judged: Sequence[ReplayedLook], events: Sequence[LabelledEvent], years: float
) -> AlarmRate:
    said = [each for one in judged if (each := one.said(name)) is not None]
    figures = [each.details for each in said if each.status == "evaluated"]
    promised = [each["promised_a_year"] for each in figures if "promised_a_year" in each]
    attainable = [each["attainable_a_year"] for each in figures if "attainable_a_year" in each]
    rates = (
        sum(promised) / len(promised) if promised else 0.0,
        sum(attainable) / len(attainable) if attainable else None,
    )
    return _counted((name, Counter(each.status for each in said)), _fired(judged, name), events, years, rates)


def _whole(
    judged: Sequence[ReplayedLook],
    events: Sequence[LabelledEvent],
    years: float,
    promised: float,
    rules: Sequence[AlarmRate],
) -> AlarmRate:
    # Rules that hold by a law on whole stretches attain what they promise, as far as anybody knows.
    attainable = [
        each.promised_a_year if each.attainable_a_year is None else each.attainable_a_year
        for each in rules
        if each.rule in BUDGETED_RULES
    ]
    statuses = Counter(_status(each) for each in judged)
    rates = (promised, sum(attainable) if attainable else None)
    return _counted(("all", statuses), _fired(judged, None), events, years, rates)


def _counted(
    what: tuple[str, Mapping[str, int]],
    fired: Sequence[ReplayedLook],
    events: Sequence[LabelledEvent],
    years: float,
    rates: tuple[float, float | None],
) -> AlarmRate:
    """`what` is a name with its statuses, `rates` are those promised and attainable."""
    (name, statuses), (promised, attainable) = what, rates
    episodes = _episodes(fired)
    false = [each for each in episodes if _is_false(each, events)]
    low, high = rate_interval(len(false), years) if years > 0 else (None, None)
    verdict = ""
    if low is not None and high is not None and promised > 0:
        verdict = "above" if low > promised else "below" if high < promised else "within"
    gaps = sorted(_days(one[-1], other[0]) for one, other in pairwise(false))
    lengths = [_days(each[0], each[-1]) for each in episodes]
    return AlarmRate(
        rule=name,
        statuses=dict(sorted(statuses.items())),
        alarms=len(fired),
        episodes=len(episodes),
        false_episodes=len(false),
        site_years=round(years, 3),
        realised_a_year=len(false) / years if years > 0 else None,
        low=low,
        high=high,
        promised_a_year=promised,
        attainable_a_year=attainable,
        verdict=verdict,
        median_days_between=gaps[len(gaps) // 2] if gaps else None,
        longest_days=max(lengths, default=None),
    )


def _caught(event: LabelledEvent, judged: Sequence[ReplayedLook]) -> EventDetection:
    inside = [
        each for each in judged if each.look.period_start < event.end and each.look.period_end > event.start
    ]
    hits = [(at, rule) for each in inside for rule, at in each.told.items()]
    if not hits:
        return EventDetection(event, caught=False, looks=len(inside))
    at, rule = min(hits)
    return EventDetection(
        event, True, rule, round((at - event.start).total_seconds() / _DAY_S, 2), len(inside)
    )


_SHARES = ((0.0, 0.3), (0.3, 0.5), (0.5, 0.8), (0.8, 1.01))


def exposure_class(share: float | None) -> str:
    """How well a look was seen, in words."""
    if share is None:
        return "unknown"
    low, high = next(each for each in _SHARES if each[0] <= share < each[1])
    return f"{low:.0%} to {min(high, 1.0):.0%}"


def _by_exposure(judged: Sequence[ReplayedLook]) -> Iterator[Mapping[str, Any]]:
    groups: dict[str, list[ReplayedLook]] = {}
    for each in judged:
        groups.setdefault(exposure_class(each.look.exposure), []).append(each)
    for name, group in sorted(groups.items()):
        yield {
            "exposure": name,
            "looks": len(group),
            "judged": sum(_status(each) == "evaluated" for each in group),
            "alarms": len(_fired(group, None)),
        }
