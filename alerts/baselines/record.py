"""Record high (R1): the most in n looks, with the odds of that by chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.answers import Answers, answer
from alerts.baselines.model import Looks
from alerts.baselines.special import BoolArray, FloatArray, IntArray

LEAST_LOOKS = 20
_LONGEST_LAG = 52
_WHOLE = 0.7


@dataclass(frozen=True, slots=True)
class Record:
    """Of the newest look of S series: "the most in `looks` looks (previous `previous`); by chance 1 in `odds`"."""

    answers: Answers
    is_record: BoolArray
    """More than every earlier look, badly exposed ones included: a cloudy look may show more."""
    previous: FloatArray
    """The largest earlier count, NaN where there is none."""
    looks: IntArray
    """Earlier usable looks."""
    comparable: IntArray
    """n′: those with exposure at least today's, which keeps the odds conservative."""
    odds: FloatArray
    """n′ + 1: a record happens by chance once in so many looks, where they are independent."""


def judge_record(looks: Looks, alpha: FloatArray | float = 0.0) -> Record:
    """Rank the newest look: p = (1 + number with at least its count) / (n′ + 1).

    Trend and dependence make records commoner: of those whose p is small enough only the ones fire that are as rare
    among the independent looks that the history is worth.
    """
    past, today = looks.past, looks.today
    observed = np.isfinite(today)
    exposure = np.where(np.isnan(looks.today_exposure), 0.0, looks.today_exposure)
    comparable = past.member & (past.exposure >= exposure[:, None])
    with np.errstate(invalid="ignore"):
        reached = (comparable & (past.counts >= today[:, None])).sum(axis=1)
    n = comparable.sum(axis=1)
    largest = np.max(np.where(past.seen, past.counts, -np.inf), axis=1, initial=-np.inf)
    p = np.where(observed, (1.0 + reached) / (n + 1.0), np.nan)
    is_record = observed & (today > largest)
    needs = np.maximum(0, LEAST_LOOKS - n)
    # Only a record may fire: ties and looks below a cloudy maximum are not news.
    with np.errstate(invalid="ignore"):
        rare = np.flatnonzero(is_record & (p <= alpha))
    if rare.size:
        p[rare] = (1.0 + reached[rare]) / (n[rare] * independent_share(past.rows(rare)) + 1.0)
    settled = answer("record", p, observed=observed, needs=needs, alpha=np.where(is_record, alpha, -1.0))
    previous = np.where(np.isfinite(largest), largest, np.nan)
    return Record(settled, is_record, previous, past.member.sum(axis=1), n, n + 1.0)


def chance_records(looks: ArrayLike, looks_a_year: ArrayLike, years: float = 1.0) -> FloatArray:
    """Records expected by chance in the coming years after n looks of history: log(1 + L·years/n)."""
    expected: FloatArray = np.log1p(
        np.asarray(looks_a_year, np.float64) * years / np.asarray(looks, np.float64)
    )
    return expected


def independent_share(past: Looks) -> FloatArray:
    """How much of an independent look each usable one is worth, [series], above 0 and at most 1.

    Independent looks themselves seem to be worth 0.9 by chance: from 0.7 on they are taken as whole.
    """
    n = np.maximum(past.member.sum(axis=1), 1)
    share = np.maximum(effective_looks(past) / n, 1.0 / n)
    return np.where(share >= _WHOLE, 1.0, share)


def effective_looks(looks: Looks) -> FloatArray:
    """The number of independent looks the usable ones are worth: n over the autocorrelation time.

    The time is 1 + 2·Σρ over lags of usable looks, up to the first lag without positive correlation.
    """
    n = looks.member.sum(axis=1)
    order = np.argsort(~looks.member, axis=1, kind="stable")
    mean = np.where(looks.member, looks.counts, 0.0).sum(axis=1) / np.maximum(n, 1)
    centred = np.where(looks.member, looks.counts - mean[:, None], 0.0)
    packed = np.take_along_axis(centred, order, axis=1)
    variance = (packed**2).sum(axis=1)
    time = np.ones(len(n))
    going = variance > 0
    for lag in range(1, min(_LONGEST_LAG, packed.shape[1] - 1) + 1):
        product = (packed[:, lag:] * packed[:, :-lag]).sum(axis=1)
        correlation = np.divide(product, variance, out=np.zeros_like(product), where=variance > 0)
        going = going & (correlation > 0) & (lag <= n // 4)
        time += np.where(going, 2.0 * correlation, 0.0)
        if not going.any():
            break
    return np.where(n > 0, n / time, 0.0)
