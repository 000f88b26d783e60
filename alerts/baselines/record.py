"""Record high (R1): the most in n looks, with the odds of that by chance."""

from dataclasses import dataclass

import numpy as np

from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.model import Looks
from alerts.baselines.special import BoolArray, FloatArray, IntArray

RECORD_LEAST_LOOKS = 20
_LONGEST_LAG = 52
_WHOLE = 0.7


@dataclass(frozen=True, slots=True)
class Record:
    """Of the newest look of S series: "the most in `comparable_looks` looks; by chance 1 in 1/p"."""

    answers: Answers
    is_record: BoolArray
    """More than every earlier look, badly exposed ones included: a cloudy look may show more."""
    previous: FloatArray
    """The largest earlier count, 0 where there is none."""
    comparable: IntArray
    """n′: earlier usable looks with exposure at least today's, which keeps the odds conservative."""
    worth: IntArray
    """How many independent looks those are worth; n′ where it is no record."""


def judge_record(
    looks: Looks, *, min_looks: float = RECORD_LEAST_LOOKS, highest: FloatArray | float = 0.0
) -> Record:
    """Rank the newest look: p = (1 + number with at least its count) / (n′ + 1), of a record 1 / (worth + 1).

    Trend and dependence make records commoner, so a record's odds are those among the independent looks that the
    history is worth. `highest` is the largest count known from elsewhere (a look folded into a clearer one).
    """
    past, today = looks.past, looks.today
    observed = np.isfinite(today)
    alike = comparable_looks(looks)
    with np.errstate(invalid="ignore"):
        reached = (alike & (past.counts >= today[:, None])).sum(axis=1)
    n = alike.sum(axis=1)
    largest = np.max(np.where(past.seen, past.counts, 0.0), axis=1, initial=0.0)
    previous = np.maximum(largest, highest)
    with np.errstate(invalid="ignore"):
        is_record: BoolArray = observed & (today > previous)
    worth = n.copy()
    rows = np.flatnonzero(is_record)
    if rows.size:
        worth[rows] = np.round(n[rows] * independent_share(past.rows(rows))).astype(np.int64)
    p = np.where(is_record, 1.0 / (worth + 1.0), (1.0 + reached) / (n + 1.0))
    needs = np.ceil(np.maximum(0.0, min_looks - n)).astype(np.int64)
    # Only a record is news: ties and looks below a cloudy maximum are not.
    settled = answer_by_p(
        "record", np.where(observed, p, np.nan), observed=observed, needs=needs, news=is_record
    )
    return Record(settled, is_record, previous, n, worth)


def comparable_looks(looks: Looks) -> BoolArray:
    """The earlier usable looks that saw at least as much as the newest, [series, time]; all where that is unknown."""
    past = looks.past
    exposure = np.nan_to_num(looks.today_exposure)[:, None]
    return past.member & (past.exposure >= exposure)


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
    rows = np.flatnonzero(variance > 0)
    packed, scale, most = packed[rows], variance[rows], n[rows] // 4
    for lag in range(1, min(_LONGEST_LAG, packed.shape[1] - 1) + 1):
        correlation = (packed[:, lag:] * packed[:, :-lag]).sum(axis=1) / scale
        going = (correlation > 0) & (lag <= most)
        if not going.all():
            rows, packed, scale, most, correlation = (
                part[going] for part in (rows, packed, scale, most, correlation)
            )
        if not rows.size:
            break
        time[rows] += 2.0 * correlation
    return np.where(n > 0, n / time, 0.0)
