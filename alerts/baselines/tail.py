"""Predictive negative binomial tail (R2), the workhorse: how likely so many, or so few, at this exposure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.level import Levels, find_levels
from alerts.baselines.model import Looks, cap_outliers, learn_rate
from alerts.baselines.special import BoolArray, FloatArray, IntArray
from db.records import SeriesKind

TailSide = Literal["high", "low"]
NEWEST_LOOKS: Mapping[SeriesKind, int] = MappingProxyType({"stock": 1, "flow": 2})
NEWEST_DAYS = 3
"""Looks that are judged together: of flows today and the one before it, of days today and two."""
TAIL_LEAST_LOOKS = 12
TAIL_LEAST_EXPOSURE = 5.0
_MOST_SE = 3.0
_BET, _POWER, _LEAST_RANK = 0.9, 1.1, 0.02
_MEAN_OF_POWER = _LEAST_RANK ** (1.0 - _POWER) + (1.0 - _LEAST_RANK ** (1.0 - _POWER)) / (1.0 - _POWER)
_GOLDEN, _ROOT = (math.sqrt(5.0) - 1.0) / 2.0, math.sqrt(2.0)
_CHOSEN = 1.5
FOUND_MULTIPLES = (1.5, 2.0, 3.0, 5.0, 10.0)
_FOUND = 0.8
MOST_IN_TURN = 2.0
"""A count is told in turn while it is at most so many times likelier than the promise."""
_NEARLY_ORDINARY = 0.2


@dataclass(frozen=True, slots=True)
class Expectation:
    """What S series should show today at full exposure, with how surely that is known."""

    rate: FloatArray
    """Expected count at exposure 1."""
    dispersion: FloatArray
    se_log: FloatArray
    """Standard error of the logarithm of the rate."""
    n: IntArray
    """Usable looks behind it."""
    needs: IntArray
    """Usable looks still missing."""

    def put(self, rows: IntArray, part: "Expectation", chosen: BoolArray | slice = slice(None)) -> None:
        """Write what is expected of some series, the `chosen` of `part`, into that of all."""
        for name in ("rate", "dispersion", "se_log", "n", "needs"):
            getattr(self, name)[rows] = getattr(part, name)[chosen]


@dataclass(frozen=True, slots=True)
class Tail:
    """Of the newest look of S series: "expected `expected` (95 %: `band`) at this exposure"."""

    answers: Answers
    p_high: FloatArray
    """By the newest looks together."""
    p_low: FloatArray
    in_turn: FloatArray
    """As `p_high`, but for what whole counts leave over, which is spent in turn."""
    expected: FloatArray
    size: FloatArray
    """Of the predictive negative binomial."""
    bet: FloatArray
    """How many times the promise of a look is staked on this one, by the looks just before it: 1 on average."""
    dispersion: FloatArray
    n: IntArray


def seasonless_expectation(past: Looks) -> Expectation:
    """Without season: λ = (Σy + ½)/Σe over all usable looks at the present level, its variance φλ²/S.

    Looks of another level count by how it relates to the present one.
    """
    exposure = np.where(past.member, past.exposure, 0.0)
    levels = find_levels(past.counts, exposure, past.member)
    rate = learn_rate(cap_outliers(past, levels.ratio), scale=levels.ratio)
    exposure_missing = np.ceil(np.maximum(0.0, TAIL_LEAST_EXPOSURE - exposure.sum(axis=1)))
    needs = np.maximum(np.maximum(0, TAIL_LEAST_LOOKS - rate.n), exposure_missing).astype(np.int64)
    dispersion = rate.cautious_dispersion
    se = np.hypot(np.sqrt(dispersion / rate.events), level_se(past, levels, dispersion))
    return Expectation(rate.per_exposure, dispersion, se, rate.n, needs)


def level_se(past: Looks, levels: Levels, dispersion: FloatArray) -> FloatArray:
    """Standard error of the logarithm of the present level, [S]; 0 where the level never changed.

    Half as much again as of a level that was given: this one, and where it begins, was chosen as the likeliest.
    """
    present = np.where(past.member & levels.present, past.counts, 0.0).sum(axis=1)
    return np.where(levels.moved, _CHOSEN * np.sqrt(dispersion / (present + 0.5)), 0.0)


def predicted(
    looks: Looks, expectation: Expectation, width: int = 1, factors: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Count, mean and size of the newest `width` looks together, NaN where the newest was not seen.

    Variance is φm + (m·se)². `factors` [series, width] scale what is expected (days of the week).
    """
    width = min(width, looks.counts.shape[1])
    scale = np.broadcast_to(np.asarray(factors, np.float64), (len(looks.counts), max(width, 1)))
    count, exposure = _sum_newest(looks, width, scale[:, -width:])
    mean = expectation.rate * exposure
    variance = expectation.dispersion * mean + (mean * np.minimum(expectation.se_log, _MOST_SE)) ** 2
    return count, mean, nb.signed_size_of(mean, variance)


def probabilities(count: FloatArray, mean: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(at least so many) and P(at most so many); 1 on the unsurprising side."""
    p_high, p_low = np.ones((2, *count.shape))
    unknown = np.isnan(count) | np.isnan(mean)
    above, below = count > mean, count < mean
    p_high[above] = nb.sf(np.floor(count[above]), mean[above], size[above])
    p_low[below] = nb.cdf(np.ceil(count[below]), mean[below], size[below])
    return np.where(unknown, np.nan, p_high), np.where(unknown, np.nan, p_low)


def stake(looks: Looks, expectation: Expectation, newest: int, factors: ArrayLike = 1.0) -> FloatArray:
    """How many times the promise of a look is staked on the newest one, by the `newest - 1` looks before it, [series].

    It is known before today's count and 1 on average: with U the rank of those looks' sum among what chance gives (between
    P(more) and P(at least so many), in the middle), it is 0.1 + 0.9·max(U, 0.02)^-1.1 over the mean of that power. U is
    uniform or, for whole counts, the mean of a uniform rank; the power is convex, so the mean is at most 1. Hence
    P(p ≤ α·stake) ≤ α, without a factor for two tries: a surge of several looks is met with up to ten times the
    promise, a look after an ordinary one with two fifths of it.
    """
    before = looks.past
    if newest < 2 or not before.counts.shape[1]:  # noqa: PLR2004 - one look has none before it
        return np.ones(len(looks.counts))
    scale = np.broadcast_to(np.asarray(factors, np.float64), (len(looks.counts), newest))[:, :-1]
    width = min(newest - 1, before.counts.shape[1])
    used = before.member[:, -width:]
    count = np.where(used, before.counts[:, -width:], 0.0).sum(axis=1)
    exposure = np.where(used, before.exposure[:, -width:] * scale[:, -width:], 0.0).sum(axis=1)
    mean = expectation.rate * exposure
    bet = np.ones(len(count))
    known = np.flatnonzero(used.any(axis=1) & np.isfinite(mean) & (mean > 0))
    if known.size:
        y, m = np.floor(count[known]), mean[known]
        variance = (
            expectation.dispersion[known] * m + (m * np.minimum(expectation.se_log[known], _MOST_SE)) ** 2
        )
        rank = nb.sf(y, m, size := nb.signed_size_of(m, variance)) - 0.5 * np.exp(nb.log_pmf(y, m, size))
        bet[known] = staked(rank)
    return bet


def staked(rank: FloatArray) -> FloatArray:
    """How many times the promise of a look is staked after looks of this rank (0: the most unusual); 1 on average."""
    power: FloatArray = np.clip(rank, _LEAST_RANK, 1.0) ** -_POWER / _MEAN_OF_POWER
    return 1.0 - _BET + _BET * power


def judge_newest(
    looks: Looks,
    expectation: Expectation | None = None,
    newest: int | None = None,
    factors: ArrayLike | None = None,
) -> Tail:
    """Judge the newest look on the promise that the looks before it leave it; stocks are snapshots, judged alone.

    The high side asks P(Y ≥ y₀) and takes a badly exposed positive count as "at least"; the low side asks P(Y ≤ y₀) of
    well exposed looks only. A look at or below its expectation is never unusual on the high side, nor one at or
    above it on the low side. `factors` [series, newest] scale the expectation of the newest looks (days of the week).
    """
    expectation = seasonless_expectation(looks.past) if expectation is None else expectation
    newest = NEWEST_LOOKS[looks.kind] if newest is None else newest
    scale = np.ones((1, newest)) if factors is None else np.asarray(factors, np.float64)[:, -newest:]
    count, mean, size = predicted(looks, expectation, 1, scale[:, -1:])
    high, low = probabilities(count, mean, size)
    bet = stake(looks, expectation, newest, scale)
    settled = answer_by_p(
        "tail", p := np.minimum(1.0, high / bet), observed=looks.seen[:, -1], needs=expectation.needs
    )
    low = np.where(looks.member[:, -1] | np.isnan(low), low, 1.0)
    part = np.ones_like(p)
    near = np.flatnonzero(high < _NEARLY_ORDINARY)
    if near.size:
        y, m, r = np.floor(count[near]), mean[near], size[near]
        part[near] = spent_in_turn(looks.rows(near), high[near], nb.sf(y + 1.0, m, r)) / bet[near]
    return Tail(settled, p, low, np.minimum(p, part), mean, size, bet, expectation.dispersion, expectation.n)


def turn(looks: Looks) -> FloatArray:
    """A number in (0, 1) for the newest look of each series, known before it: evenly spread from look to look."""
    past = looks.past
    n = past.member.sum(axis=1)
    # What was counted so far sets series apart, so that those with equally many looks do not take turns together.
    events = np.where(past.member, past.counts, 0.0).sum(axis=1)
    share: FloatArray = np.mod(_GOLDEN * n + _ROOT * events, 1.0)
    return share


def spent_in_turn(looks: Looks, at_least: FloatArray, more: FloatArray) -> FloatArray:
    """P(more) and a part of P(just so many), by turns: over many looks just the promise is spent, though counts are whole.

    A count is never told that is more than twice as likely as the promise.
    """
    return np.maximum(more + turn(looks) * (at_least - more), at_least / MOST_IN_TURN)


def smallest_found(most_ordinary: float, expected: float, dispersion: float, looks: float) -> float | None:
    """The smallest of a few multiples of what is expected that one of so many looks tells in four of five cases; None: none of them."""
    times = np.array(FOUND_MULTIPLES)
    mean = times * max(expected, 0.0)
    told = nb.sf(most_ordinary + 1.0, mean, nb.signed_size_of(mean, dispersion * mean))
    found = 1.0 - (1.0 - told) ** max(1.0, looks) >= _FOUND
    return float(times[found.argmax()]) if found.any() else None


def _sum_newest(looks: Looks, width: int, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Count and exposure (times factors) over the newest looks, NaN where today was not seen."""
    counts, exposure = looks.counts[:, -width:], looks.exposure[:, -width:]
    # A positive count without known exposure is judged as if all had been seen: the cautious reading.
    shown = np.where(np.isnan(exposure) | (exposure <= 0), 1.0, exposure)
    used = looks.member[:, -width:].copy()
    used[:, -1] = today = looks.seen[:, -1]
    count = np.where(used, counts, 0.0).sum(axis=1)
    total = np.where(used, shown * factors, 0.0).sum(axis=1)
    return np.where(today, count, np.nan), np.where(today, total, np.nan)


def attainable_tail_chance(
    alpha: FloatArray, mean: FloatArray, size: FloatArray, side: TailSide = "high"
) -> FloatArray:
    """The largest chance of an alarm not above alpha that whole counts allow."""
    if side == "high":
        bound = nb.quantile(np.clip(alpha, 1e-300, 0.5), mean, size)
        chance = nb.sf(bound + 1.0, mean, size)
    else:
        # The largest count whose lower tail stays within alpha; below zero there is none.
        bound = nb.quantile(1.0 - np.clip(alpha, 1e-15, 0.5), mean, size)
        inside = nb.cdf(bound, mean, size) <= alpha
        below = np.where(inside, bound, bound - 1.0)
        chance = np.where(below >= 0, nb.cdf(np.maximum(below, 0.0), mean, size), 0.0)
    return np.where(alpha > 0, chance, 0.0)
