"""EARS C1 to C3 (R3), CDC's early aberration reporting, over usable days, so that a gap silences nothing."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.model import Looks
from alerts.baselines.special import BoolArray, FloatArray, IntArray, normal_quantile, normal_sf

EarsMethod = Literal["C1", "C2", "C3"]
_LAG = {"C1": 0, "C2": 2, "C3": 2}
_NEEDS = {"C1": 5, "C2": 7, "C3": 9}
_C3_DAYS = 3
_COLUMNS = 120
"""The newest columns hold the looks that are compared, unless most of them saw nothing."""


@dataclass(frozen=True, slots=True)
class Ears:
    """One EARS judgement of every look [S, T]; NaN where it cannot tell."""

    statistic: FloatArray
    mean: FloatArray
    sd: FloatArray
    bound: FloatArray
    """The count above which it alarms (C1, C2); for C3 the bound of its statistic."""
    alarm: BoolArray
    n: IntArray
    """Usable days in the baseline."""


def ears(
    looks: Looks,
    method: EarsMethod = "C1",
    alpha: float = 0.001,
    *,
    baseline: int = 7,
    least: int = 5,
    least_sd: float = 0.5,
) -> Ears:
    """Judge every look: C1 against the last seven usable days, C2 leaving out the newest two of them.

    C3 sums max(0, C2 - 1) over the last three usable days ending today (CDC's formula, which looks at today).
    """
    z = normal_quantile(1.0 - alpha)
    mean, sd, n = _baseline(looks, baseline, _LAG[method])
    enough = n >= least
    spread = np.where(enough, np.maximum(sd, least_sd), np.nan)
    y = np.where(looks.member, looks.counts, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(y == mean, 0.0, (y - mean) / spread)
        statistic = np.where(enough, statistic, np.nan)
        if method == "C3":
            statistic = _sum_recent(np.maximum(0.0, statistic - 1.0), looks.member)
            return Ears(statistic, mean, sd, np.full_like(mean, z), statistic > z, n)
        bound = mean + z * spread
        return Ears(statistic, mean, sd, bound, y > bound, n)


@dataclass(frozen=True, slots=True)
class Newest:
    """EARS of the newest look alone, [series]: so many standard deviations above the mean of the looks before."""

    answers: Answers
    """`p` is the normal tail, which understates rare counts; 1 at or below the mean."""
    statistic: FloatArray
    mean: FloatArray
    sd: FloatArray
    n: IntArray


def judge_ears(
    looks: Looks, method: EarsMethod, rule: str, *, baseline: int = 7, least_sd: float = 0.5
) -> Newest:
    """Judge the newest look; one that was seen too badly to compare with whole looks is not observed."""
    newest = looks.window(slice(max(0, looks.counts.shape[1] - _COLUMNS), None))
    found = ears(newest, method, baseline=baseline, least_sd=least_sd)
    statistic, mean, sd = (part[:, -1] for part in (found.statistic, found.mean, found.sd))
    with np.errstate(invalid="ignore"):
        p = np.where(newest.today > mean, normal_sf(statistic), 1.0)
    p = np.where(np.isnan(statistic), np.nan, p)
    short = np.isnan(statistic) & newest.member[:, -1]
    needs = np.where(short, np.maximum(1, _NEEDS[method] - looks.past.member.sum(axis=1)), 0)
    settled = answer_by_p(rule, p, observed=newest.member[:, -1], needs=needs)
    return Newest(settled, statistic, mean, np.maximum(sd, least_sd), found.n[:, -1])


def _baseline(looks: Looks, size: int, lag: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Mean and sample sd of the usable looks before each look, skipping the newest `lag` usable ones."""
    series = len(looks.counts)
    packed = _pack(np.where(looks.member, looks.counts, np.nan), looks.member)
    rank: IntArray = np.cumsum(looks.member, axis=1) - looks.member
    n = np.clip(rank - lag, 0, size)
    padded = np.concatenate([np.full((series, size + lag), np.nan), packed], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.isfinite(windows).sum(axis=2)
        total = np.nansum(windows, axis=2)
        centre = total / count
        square = np.nansum((windows - centre[:, :, None]) ** 2, axis=2)
        deviation = np.sqrt(square / (count - 1))
    return np.take_along_axis(centre, rank, axis=1), np.take_along_axis(deviation, rank, axis=1), n


def _pack(values: FloatArray, member: BoolArray) -> FloatArray:
    """Move the usable values of each series to its front, in order, NaN behind them."""
    order = np.argsort(~member, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1)


def _sum_recent(part: FloatArray, member: BoolArray) -> FloatArray:
    """Sum over the last three usable days, each of which must have a value."""
    packed = _pack(np.where(member, part, np.nan), member)
    padded = np.concatenate([np.full((len(part), _C3_DAYS - 1), np.nan), packed], axis=1)
    summed = np.lib.stride_tricks.sliding_window_view(padded, _C3_DAYS, axis=1).sum(axis=2)
    rank = np.maximum(np.cumsum(member, axis=1) - 1, 0)
    out = np.take_along_axis(summed, rank, axis=1)
    return np.where(member, out, np.nan)
