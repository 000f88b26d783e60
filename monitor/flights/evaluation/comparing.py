"""Two versions of the rule on the same flights: what one finds that the other does not, and how sure the difference is."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.flights.evaluation.calibration import Estimate, Statement, mean_of, ratio_difference
from monitor.flights.evaluation.losses import LANDED, JudgedLoss, Stage
from monitor.flights.evaluation.outcomes import EventOutcome, Outcomes
from monitor.flights.evaluation.scoring import FlightEventKind, Share

_EventKey = tuple[str, str, str, FlightEventKind, datetime]
_LossKey = tuple[str, str, str, datetime, Stage]
_KINDS: tuple[FlightEventKind, ...] = ("arrival", "departure")


@dataclass(frozen=True, slots=True)
class PairedShare:
    """True events that both runs had before them: by which of them each was found."""

    name: str
    both: int
    only_this: int
    only_other: int
    neither: int
    difference: Estimate
    """This share less the other's; aircraft are drawn again."""

    @property
    def chance(self) -> float:
        """McNemar's exact test: how likely so lopsided a split is if neither finds more."""
        number, least = self.only_this + self.only_other, min(self.only_this, self.only_other)
        if not number:
            return 1.0
        tail = sum(math.comb(number, n) for n in range(least + 1))
        return min(1.0, 2 * math.ldexp(tail, -number))


@dataclass(frozen=True, slots=True)
class PairedScore:
    """The log score of one kind of statement on losses that both runs judged: this less the other; below 0 this is better."""

    name: str
    this: Estimate
    other: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class PrecisionPair:
    """What each run told, and how much of it is true."""

    name: str
    this: Share
    other: Share
    interval: tuple[float, float]
    """The 95 % interval of the difference: of the same aircraft drawn again where both runs tell of each, else Newcombe's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two runs tell of each other."""

    found: tuple[PairedShare, ...]
    told: tuple[PrecisionPair, ...]
    scores: tuple[PairedScore, ...]
    unpaired: tuple[PrecisionPair, ...]
    """Where one run gives totals alone: shares that cannot be compared flight by flight."""
    only_one: int
    """Cases that only one of the runs has: other tracks, other sites, or another truth."""


def compared(this: Outcomes, other: Outcomes) -> Comparison:
    """Compare two runs on the same tracks, masks and sites."""
    if not this.is_case_by_case or not other.is_case_by_case:
        return Comparison((), (), (), tuple(_totals(this, other)), 0)
    mine, theirs = ({each.key: each for each in run.events if each.side == "true"} for run in (this, other))
    losses, their_losses = ({each.key: each for each in run.losses} for run in (this, other))
    only_one = len(mine.keys() ^ theirs.keys())
    return Comparison(
        tuple(_found(mine, theirs)),
        tuple(_told(this, other)),
        tuple(_scores(losses, their_losses)),
        (),
        only_one,
    )


def difference_interval(one: Share, other: Share) -> tuple[float, float]:
    """Give the 95 % interval of one share less another of other cases (Newcombe's hybrid score)."""
    if one.value is None or other.value is None:
        return -1.0, 1.0
    (low, high), (their_low, their_high) = one.interval, other.interval
    apart = one.value - other.value
    return (
        apart - math.hypot(one.value - low, their_high - other.value),
        apart + math.hypot(high - one.value, other.value - their_low),
    )


def _found(
    mine: Mapping[_EventKey, EventOutcome], theirs: Mapping[_EventKey, EventOutcome]
) -> Iterator[PairedShare]:
    keys = [key for key in mine if key in theirs]
    masks = list(dict.fromkeys(mine[key].mask for key in keys))
    for kind in _KINDS:
        for mask in (*masks, None) if len(masks) > 1 else masks:
            pairs = [
                (mine[key], theirs[key])
                for key in keys
                if mine[key].kind == kind and mask in (None, mine[key].mask)
            ]
            if pairs:
                yield _paired(f"{kind}s, {mask or 'all masks'}", pairs)


def _paired(name: str, pairs: Sequence[tuple[EventOutcome, EventOutcome]]) -> PairedShare:
    split = [(one.matched, other.matched) for one, other in pairs]
    apart = mean_of([(one.icao24, float(one.matched) - float(other.matched)) for one, other in pairs])
    return PairedShare(
        name,
        split.count((True, True)),
        split.count((True, False)),
        split.count((False, True)),
        split.count((False, False)),
        apart,
    )


def _told(this: Outcomes, other: Outcomes) -> Iterator[PrecisionPair]:
    for kind in _KINDS:
        told = [
            [each for each in run.events if each.side == "told" and each.kind == kind]
            for run in (this, other)
        ]
        shares = [Share(sum(each.matched for each in of), len(of)) for of in told]
        if any(share.of for share in shares):
            ratios = [[(each.icao24, float(each.matched)) for each in of] for of in told]
            interval = ratio_difference(ratios[0], ratios[1])
            yield PrecisionPair(f"{kind}s told that are true", shares[0], shares[1], interval)


def _scores(
    mine: Mapping[_LossKey, JudgedLoss], theirs: Mapping[_LossKey, JudgedLoss]
) -> Iterator[PairedScore]:
    pairs = [(mine[key], theirs[key]) for key in mine if key in theirs]
    kinds = {"places": "place:", "regions": "region:", "landed at all": LANDED}
    for title, prefix in kinds.items():
        said = [
            (_statement(one, name), _statement(other, name))
            for one, other in pairs
            for name in one.odds
            if name.startswith(prefix) and name in other.odds and one.true(name) is not None
        ]
        if said:
            yield PairedScore(
                title,
                mean_of([(one.icao24, one.log_score) for one, _ in said]),
                mean_of([(other.icao24, other.log_score) for _, other in said]),
                mean_of([(one.icao24, one.log_score - other.log_score) for one, other in said]),
            )


def _statement(loss: JudgedLoss, name: str) -> Statement:
    return Statement(loss.icao24, loss.odds[name], bool(loss.true(name)))


def _totals(this: Outcomes, other: Outcomes) -> Iterator[PrecisionPair]:
    for mask, shares in this.totals.items():
        for name, share in shares.items():
            if (theirs := other.totals.get(mask, {}).get(name)) is not None:
                interval = difference_interval(share, theirs)
                yield PrecisionPair(f"{name.replace('_', ' ')}, {mask}", share, theirs, interval)
