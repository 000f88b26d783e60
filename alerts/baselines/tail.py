"""Predictive negative binomial tail (R2), the workhorse: how likely so many, or so few, at this exposure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.model import Looks, cap_outliers, learn_rate
from alerts.baselines.special import FloatArray, IntArray

TailSide = Literal["high", "low"]
TAIL_LEAST_LOOKS = 12
TAIL_LEAST_EXPOSURE = 5.0
_MOST_SE = 3.0


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


@dataclass(frozen=True, slots=True)
class Tail:
    """Of the newest look of S series: "expected `expected` (95 %: `band`) at this exposure"."""

    answers: Answers
    p_high: FloatArray
    p_low: FloatArray
    expected: FloatArray
    size: FloatArray
    """Of the predictive negative binomial."""
    dispersion: FloatArray
    n: IntArray


def seasonless_expectation(past: Looks) -> Expectation:
    """Without season: λ = (Σy + ½)/Σe over all usable looks, its variance φλ²/S."""
    rate = learn_rate(cap_outliers(past))
    exposure_missing = np.ceil(np.maximum(0.0, TAIL_LEAST_EXPOSURE - rate.exposure))
    needs = np.maximum(np.maximum(0, TAIL_LEAST_LOOKS - rate.n), exposure_missing).astype(np.int64)
    dispersion = rate.cautious_dispersion
    se = np.sqrt(dispersion / rate.events)
    return Expectation(rate.per_exposure, dispersion, se, rate.n, needs)


def probabilities(
    looks: Looks, expectation: Expectation, window: int = 1, factors: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """P(at least so many), P(at most so many), mean and size of the newest looks; 1 on the unsurprising side."""
    width = 1 if looks.kind == "stock" else min(window, looks.counts.shape[1])
    scale = np.broadcast_to(np.asarray(factors, np.float64), (len(looks.counts), window))[:, -width:]
    count, exposure = _sum_newest(looks, width, scale)
    mean = expectation.rate * exposure
    variance = expectation.dispersion * mean + (mean * np.minimum(expectation.se_log, _MOST_SE)) ** 2
    size = nb.size_of(mean, variance)
    p_high, p_low = np.ones((2, *count.shape))
    unknown = np.isnan(count) | np.isnan(mean)
    above, below = count > mean, count < mean
    p_high[above] = nb.sf(np.floor(count[above]), mean[above], size[above])
    p_low[below] = nb.cdf(np.ceil(count[below]), mean[below], size[below])
    return np.where(unknown, np.nan, p_high), np.where(unknown, np.nan, p_low), mean, size


def judge_windows(
    looks: Looks,
    expectation: Expectation | None = None,
    windows: tuple[int, ...] = (1, 2),
    factors: ArrayLike | None = None,
) -> Tail:
    """Judge the newest look and, for flows, sums of the newest looks, on one promise shared by all windows.

    Variance is φm + (m·se)². The high side asks P(Y ≥ y₀) and takes a badly exposed positive count as "at least"; the
    low side asks P(Y ≤ y₀) of well exposed looks only. A look at or below its expectation is never unusual on the high
    side, nor one at or above it on the low side. Stocks are snapshots and are never summed. A sum catches what spreads
    over looks. It counts only where today is itself above its expectation, so that yesterday's surge is not told again.
    The expectation given is that of the most telling window. `factors` [series, longest window] scale the
    expectation of the newest looks (days of the week).
    """
    expectation = seasonless_expectation(looks.past) if expectation is None else expectation
    tries = windows if looks.kind == "flow" else windows[:1]
    scale = np.ones((1, max(tries))) if factors is None else np.asarray(factors, np.float64)
    found = [probabilities(looks, expectation, window, scale[:, -window:]) for window in tries]
    high, low, mean, size = (np.stack(part) for part in zip(*found, strict=True))
    high[1:] = np.where(high[0] < 1.0, high[1:], np.where(np.isnan(high[0]), np.nan, 1.0))
    best = np.where(np.isnan(high), np.inf, high).argmin(axis=0)[None]
    p = np.minimum(1.0, len(tries) * np.take_along_axis(high, best, axis=0)[0])
    settled = answer_by_p("tail", p, observed=looks.seen[:, -1], needs=expectation.needs)
    mean, size = (np.take_along_axis(part, best, axis=0)[0] for part in (mean, size))
    p_low = np.where(looks.member[:, -1] | np.isnan(low[0]), low[0], 1.0)
    return Tail(settled, p, p_low, mean, size, expectation.dispersion, expectation.n)


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
