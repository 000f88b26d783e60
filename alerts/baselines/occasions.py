"""What holidays, and the days beside them, do to daily counts (R2): each by its own past, and by that of days of its sort."""

from dataclasses import dataclass

import numpy as np

from alerts.baselines.model import DAYS_A_WEEK, Looks, Occasions
from alerts.baselines.special import BoolArray, FloatArray, IntArray

_WEEKS_BESIDE = 4
_LEAST_BESIDE = 3
_SORT_SD = 0.3
"""How far (sd of the logarithm) an occasion lies from an ordinary day, and from others of its sort, before anything is known."""
_SORT_WEIGHT = 8.0
_YEAR_SD = 0.1
"""How far the same occasion lies from itself from year to year."""
_LEAST_SD = 0.02
_MOST_RATIO = 5.0


@dataclass(frozen=True, slots=True)
class OccasionEffects:
    """What the newest days show for being what they are, [series, newest]: 1 and 0 on ordinary days."""

    factor: FloatArray
    se_log: FloatArray


def occasion_effects(
    looks: Looks, occasions: Occasions, dispersion: FloatArray, newest: int
) -> OccasionEffects:
    """Learn from the past what the newest days' occasions do.

    A past occasion's count is compared with ordinary days of the same weekday within four weeks. What such ratios say is
    weighed by how surely they are known (negative binomial noise of both, and what differs from year to year), and an
    occasion that was never seen is as others of its sort, no nearer than those are alike.
    """
    width = min(newest, len(occasions.which))
    today = occasions.which[-width:]
    factor, se = np.ones((len(looks.counts), width)), np.zeros((len(looks.counts), width))
    past = _PastOccasions.of(looks, occasions, dispersion, width)
    for column in np.flatnonzero(today).tolist():
        factor[:, column], se[:, column] = past.say(int(today[column]), occasions.sorts)
    return OccasionEffects(factor, se)


@dataclass(frozen=True, slots=True)
class _PastOccasions:
    """K occasions before the newest days of S series."""

    which: IntArray
    """[K]"""
    ratio: FloatArray
    """Count over what an ordinary day would have shown, [S, K]; 1 where unknown."""
    variance: FloatArray
    """Of the ratio, [S, K]; infinite where unknown."""

    @classmethod
    def of(cls, looks: Looks, occasions: Occasions, dispersion: FloatArray, width: int) -> "_PastOccasions":
        """Compare each with the same weekday of the weeks beside it."""
        end = len(occasions.which) - width
        columns = np.flatnonzero(occasions.which[:end])
        plain = looks.member[:, :end] & (occasions.which[:end] == 0)
        y, e = (np.where(plain, each[:, :end], 0.0) for each in (looks.counts, looks.exposure))
        beside, shown, n = np.zeros((3, len(y), len(columns)))
        for weeks in (*range(-_WEEKS_BESIDE, 0), *range(1, _WEEKS_BESIDE + 1)):
            at = columns + weeks * DAYS_A_WEEK
            inside: BoolArray = (at >= 0) & (at < end)
            at = np.clip(at, 0, max(end - 1, 0))
            beside += np.where(inside, y[:, at], 0.0)
            shown += np.where(inside, e[:, at], 0.0)
            n += np.where(inside, plain[:, at], 0.0)
        known = (n >= _LEAST_BESIDE) & looks.member[:, columns]
        with np.errstate(divide="ignore", invalid="ignore"):
            base = (beside + 0.5) / shown * looks.exposure[:, columns]
            ratio = np.minimum(looks.counts[:, columns] / base, _MOST_RATIO)
            noise = dispersion[:, None] * (1.0 / base + 1.0 / (beside + 0.5))
        known &= np.isfinite(noise)
        return cls(
            occasions.which[columns],
            np.where(known, ratio, 1.0),
            np.where(known, noise + _YEAR_SD**2, np.inf),
        )

    def say(self, number: int, sorts: IntArray) -> tuple[FloatArray, FloatArray]:
        """An occasion's factor and its standard error, [S]: a gamma posterior, its sort's the prior."""
        sort = sorts[self.which] == sorts[number]
        # In order of memory, so that a series is added up as it would be alone.
        ratio, variance = (np.ascontiguousarray(each[:, sort]) for each in (self.ratio, self.variance))
        start = 1.0 / (variance + _SORT_SD**2)
        about = _gamma(ratio, start, _SORT_SD**-2, 1.0)[0]
        away = np.where(np.isfinite(variance), (ratio / about[:, None] - 1.0) ** 2 - variance, 0.0)
        seen = np.isfinite(variance).sum(axis=1)
        apart = np.maximum(
            _LEAST_SD**2, (_SORT_WEIGHT * _SORT_SD**2 + away.sum(axis=1)) / (_SORT_WEIGHT + seen)
        )
        mean, shape = _gamma(ratio, 1.0 / (variance + apart[:, None]), _SORT_SD**-2, 1.0)
        own = self.which[sort] == number
        prior = 1.0 / (apart + 1.0 / shape)
        ratio, variance = (np.ascontiguousarray(each[:, own]) for each in (ratio, variance))
        factor, known = _gamma(ratio, 1.0 / variance, prior, mean)
        return factor, np.sqrt(1.0 / known + _YEAR_SD**2)


def _gamma(
    ratio: FloatArray, weight: FloatArray, prior: FloatArray | float, mean: FloatArray | float
) -> tuple[FloatArray, FloatArray]:
    """Mean and shape of a gamma law with this prior mean and shape, after ratios [S, K] that are worth so many events each."""
    shape = prior + (ratio * weight).sum(axis=1)
    return shape / (prior / mean + weight.sum(axis=1)), shape
