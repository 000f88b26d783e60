"""What pictures of aprons say of an inferred visit: a likelihood ratio out of what the measure has shown there, or nothing.

Something bright on an apron during the visit makes it likelier by how much oftener the measure says so of a parked aircraft than
of nothing; an apron that looks empty makes it less likely by how seldom it misses one. Both shares were measured on that very
apron. A picture from the time in which it may or may not have been there counts by the chance that it was. Pure.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.words import digits, utc
from db.records import SEEN_FROM_ABOVE, Evidence, TimeBounds, Visit
from monitor.flights.signal_loss.answer import grade_of
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.posterior import LIKELY, still_there

SEEN = "seen"
"""The key of a visit's candidates that holds what pictures say, and what was said before them."""
_STATES = frozenset({"lost_toward", "presumed", "confirmed"})
_LEAST_CHANCE = 0.05
"""A picture in which it hardly can have stood says nothing."""
_STEPS = 48
_LEAST_ODDS, _MOST_ODDS = 1e-6, 1e6
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Apron:
    """One apron that somebody has drawn, and what the measure has shown there.

    `highest` is what all but one of twenty looks stay below (None: the measure was not admitted, and says nothing); `above` of
    `measured` looks said more. `trials` are sizes (m²) that were drawn, with how many of how many were seen.
    """

    area_id: str
    name: str
    highest: float | None
    above: int = 0
    measured: int = 0
    trials: Sequence[tuple[float, int, int]] = ()

    def recall(self, footprint_m2: float) -> tuple[float, float, int, int] | None:
        """How often something of this size is seen: the share, the largest size tried that is no larger, and the counts."""
        fitting = [each for each in self.trials if each[0] <= footprint_m2 and each[2]]
        if self.highest is None or not fitting:
            return None
        size, seen, tried = max(fitting)
        return (seen + 1) / (tried + 2), size, seen, tried

    @property
    def false_share(self) -> float:
        """How often it says so of nothing."""
        return (self.above + 1) / (self.measured + 2)


@dataclass(frozen=True, slots=True)
class ApronLook:
    """What one look says of one apron: square metres as if all of it had been seen."""

    area_id: str
    look_key: str
    at: datetime
    platform: str
    value_m2: float


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one picture says: how much likelier (or less) the visit is by it, and in words."""

    look_key: str
    ratio: float
    chance: float
    text: str


def corroborated(visit: Visit, aprons: Sequence[Apron], looks: Sequence[ApronLook], now: datetime) -> Visit:
    """The visit with what pictures say of it; as it was before any where they say nothing (any more)."""
    before = _before(visit)
    sights = _told(list(_sights(before, aprons, looks, now)))
    prior = before.candidates.get("probability")
    if not sights or prior is None:
        return before
    ratio = math.prod(each.ratio for each in sights)
    odds = min(max(prior / max(1 - prior, _LEAST_ODDS), _LEAST_ODDS), _MOST_ODDS) * ratio
    probability = odds / (1 + odds)
    confidence = min(4, max(1, before.confidence + _grade(probability) - _grade(prior)))
    seen = {
        "confidence_before": before.confidence,
        "probability_before": prior,
        "probability": round(probability, 3),
        "likelihood_ratio": round(ratio, 3),
        "pictures": [
            {
                "look_key": each.look_key,
                "likelihood_ratio": round(each.ratio, 3),
                "there": round(each.chance, 2),
            }
            for each in sights
        ],
    }
    went = f"That it was here: {prior:.0%} by the flight alone, {probability:.0%} with the pictures."
    told = [
        Evidence(SEEN_FROM_ABOVE, each.look_key, f"{each.text}{f' {went}' if each is sights[-1] else ''}")
        for each in sights
    ]
    return replace(
        before,
        confidence=confidence,
        candidates={**before.candidates, SEEN: seen},
        evidence=(*before.evidence, *told),
    )


def _before(visit: Visit) -> Visit:
    """The visit as the flights alone tell it."""
    seen = visit.candidates.get(SEEN)
    evidence = tuple(each for each in visit.evidence if each.kind != SEEN_FROM_ABOVE)
    if seen is None:
        return replace(visit, evidence=evidence)
    rest = {name: value for name, value in visit.candidates.items() if name != SEEN}
    return replace(visit, confidence=seen["confidence_before"], candidates=rest, evidence=evidence)


def _grade(probability: float) -> int:
    return grade_of(probability) if probability >= LIKELY else 1


def _told(sights: Sequence[_Sight]) -> list[_Sight]:
    """The most telling picture for it and the most telling one against it: what one shows wrongly, the next shows as well."""
    speaking = [each for each in sights if each.ratio > 1]
    against = [each for each in sights if each.ratio < 1]
    return [
        *([max(speaking, key=lambda each: each.ratio)] if speaking else ()),
        *([min(against, key=lambda each: each.ratio)] if against else ()),
    ]


def _sights(
    visit: Visit, aprons: Sequence[Apron], looks: Sequence[ApronLook], now: datetime
) -> Iterator[_Sight]:
    footprint = performance_of(visit.type_code).footprint_m2
    if not visit.is_inferred or visit.state not in _STATES or visit.site is None or footprint is None:
        return
    by_pass: dict[str, dict[str, ApronLook]] = defaultdict(dict)
    for look in looks:
        by_pass[look.look_key][look.area_id] = look
    for _, seen in sorted(by_pass.items()):
        first = next(iter(seen.values()))
        chance = chance_there(visit, first.at)
        if first.at <= now and chance >= _LEAST_CHANCE:
            sight = _sight(aprons, seen, footprint, chance)
            if sight is not None:
                yield sight


def _sight(
    aprons: Sequence[Apron], seen: Mapping[str, ApronLook], footprint: float, chance: float
) -> _Sight | None:
    """What one picture of all aprons says; None where no measure that was admitted saw any of them."""
    told = [
        (apron, seen[apron.area_id], recall)
        for apron in aprons
        if apron.area_id in seen and (recall := apron.recall(footprint)) is not None
    ]
    if not told:
        return None
    quiet = math.prod(1 - apron.false_share for apron, _, _ in told)
    missed = [quiet / (1 - apron.false_share) * (1 - recall[0]) for apron, _, recall in told]
    # It may as well stand on an apron of which nothing is told: there is what there is without it.
    unseen = len(aprons) - len(told)
    empty_there = (sum(missed) + unseen * quiet) / len(aprons)
    bright = [(apron, look, recall) for apron, look, recall in told if look.value_m2 > (apron.highest or 0.0)]
    empty = chance * empty_there + (1 - chance) * quiet
    ratio = (1 - empty) / (1 - quiet) if bright else empty / quiet
    apron, look, (_, size, hits, tried) = bright[0] if bright else told[0]
    where = apron.name if bright or len(told) == 1 else f"{apron.name} and {len(told) - 1} more aprons"
    what = (
        f"something bright of {digits(round(look.value_m2))} m² stood on {where}; what it was is not known"
        if bright
        else f"nothing bright stood on {where}"
    )
    often = f"{hits} of {tried} times something of {digits(size)} m² drawn there was seen, and {apron.above} of {apron.measured} looks say so"
    then = "" if chance >= 0.995 else f", when it was there with a chance of {chance:.0%}"  # noqa: PLR2004 - rounds to all
    times = f"{ratio:.2g} times as likely" if ratio >= 1 else f"{1 / ratio:.2g} times less likely"
    text = f"{look.platform or 'A satellite'} at {utc(look.at)}{then}: {what} ({often} without it). That makes a visit {times}."
    return _Sight(look.look_key, ratio, chance, text)


def chance_there(visit: Visit, at: datetime) -> float:
    """The chance that it stood at its place at this moment, if it came: never beyond the bounds of arrival and departure.

    Within them it rises and falls evenly. Where one end was not observed, stays last as long as they do elsewhere.
    """
    arrived, departed = visit.arrived_between, visit.departed_between
    if arrived is None and departed is None:
        return 0.0
    came = 1.0 if arrived is None else _passed(arrived, at)
    left = 0.0 if departed is None else _passed(departed, at)
    if departed is None and arrived is not None:
        return came * _mean_stay(arrived, at, after=True)
    if arrived is None and departed is not None:
        return (1 - left) * _mean_stay(departed, at, after=False)
    return came * (1 - left)


def _passed(bounds: TimeBounds, at: datetime) -> float:
    begins, ends = bounds
    if at >= ends:
        return 1.0
    return 0.0 if at <= begins else (at - begins) / (ends - begins)


def _mean_stay(bounds: TimeBounds, at: datetime, *, after: bool) -> float:
    """The chance that a stay that began (or ended) somewhere between these bounds lasts over this moment."""
    begins, ends = bounds
    steps = [begins + (ends - begins) * (each + 0.5) / _STEPS for each in range(_STEPS)]
    away = [(at - each if after else each - at).total_seconds() / _HOUR_S for each in steps]
    possible = [still_there(each) for each in away if each >= 0]
    return sum(possible) / len(possible) if possible else 0.0
