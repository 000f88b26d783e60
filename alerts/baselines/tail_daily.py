"""The daily expectation for R2: the newest eight weeks at the day of the week's usual level."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.level import Levels, find_levels
from alerts.baselines.model import DAYS_A_WEEK, Looks, Occasions, cap_outliers, learn_rate
from alerts.baselines.special import FloatArray, IntArray, times
from alerts.baselines.tail import Expectation, level_se

_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class DailyOptions:
    """Windows of the daily expectation, in looks of one day."""

    level_days: int = 56
    guard_days: int = 2
    least_usable: int = 28
    factor_days: int = 364
    least_factor_days: int = 182
    prior_events: float = 10.0
    robust_sd: float = 3.0


def daily_expectation(
    looks: Looks,
    weekday: ArrayLike,
    options: DailyOptions | None = None,
    *,
    window: int = 1,
    occasions: Occasions | None = None,
) -> tuple[Expectation, FloatArray]:
    """Expectation of the newest day and the factors [series, window] of the newest days, for `judge_newest`.

    `looks` are consecutive days, `weekday` [time] is any number of the day, modulo 7. Days of the window
    and the newest two before it are left out. Below 182 usable days all weekdays are alike; factors shrink
    towards 1 by ten events. Counts over 3 robust standard deviations above the level are cut to that. Past `occasions` are
    left out where four weeks of other days remain.
    """
    options = options or DailyOptions()
    if occasions is not None:
        looks = _without(looks, occasions, options)
    day = np.asarray(weekday, np.int64) % DAYS_A_WEEK
    end = max(0, looks.counts.shape[1] - window - options.guard_days)
    longer = cap_outliers(looks.window(slice(max(0, end - options.factor_days), end)))
    factors = weekday_factors(longer, day[max(0, end - options.factor_days) : end], options)
    half = slice(max(0, end - options.least_factor_days), end)
    known = looks.window(half)
    shown = np.where(known.member, known.exposure * factors[:, day[half]], 0.0)
    levels = find_levels(known.counts, shown, known.member)
    recent = slice(max(0, end - options.level_days), end)
    past = looks.window(recent)
    newest = Levels(levels.ratio[:, max(0, known.counts.shape[1] - options.level_days) :], levels.changes)
    scale = factors[:, day[recent]] * newest.ratio
    rate = learn_rate(_cut(cap_outliers(past, scale), scale, options), scale=scale)
    needs = np.maximum(0, options.least_usable - rate.n)
    # Eight weeks say too little of how far days lie apart; half a year does, its levels taken out.
    spread = factors[:, day[half]] * levels.ratio
    dispersion = learn_rate(cap_outliers(known, spread), scale=spread).cautious_dispersion
    se = np.hypot(np.sqrt(dispersion / rate.events), level_se(past, newest, dispersion))
    expectation = Expectation(rate.per_exposure, dispersion, se, rate.n, needs)
    return expectation, factors[:, day[-window:]]


def weekday_factors(past: Looks, weekday: IntArray, options: DailyOptions) -> FloatArray:
    """Each weekday's level over the mean level, [series, 7], shrunk towards 1 by `prior_events`."""
    used = past.member
    y = np.where(used, past.counts, 0.0)
    e = np.where(used, past.exposure, 0.0)
    exposure = np.maximum(e.sum(axis=1), 1e-9)
    expected = (y.sum(axis=1) / exposure)[:, None] * e
    days = (weekday[:, None] == np.arange(DAYS_A_WEEK)).astype(np.float64)
    factors = (times(y, days) + options.prior_events) / (times(expected, days) + options.prior_events)
    known = used.sum(axis=1) >= options.least_factor_days
    return np.where(known[:, None], factors, 1.0)


def _without(looks: Looks, occasions: Occasions, options: DailyOptions) -> Looks:
    """The looks with occasions left out of baselines, in series whose newest eight weeks keep enough others."""
    kept = looks.member & (occasions.which == 0)
    recent = slice(-options.level_days - options.guard_days - 1, None)
    enough = (kept[:, recent].sum(axis=1) >= options.least_usable)[:, None]
    return replace(looks, member=np.where(enough, kept, looks.member))


def _cut(past: Looks, scale: FloatArray, options: DailyOptions) -> Looks:
    """Cut counts above level + 3 robust sd; where half the residuals are zero, Poisson's sd is the least."""
    rate = learn_rate(past, scale=scale)
    mean = rate.per_exposure[:, None] * np.where(past.member, past.exposure * scale, np.nan)
    size = np.where(past.member, np.abs(past.counts - mean), np.nan)
    sd = np.maximum(_MAD_TO_SD * _median(size)[:, None], np.sqrt(mean))
    counts = np.where(past.member, np.minimum(past.counts, mean + options.robust_sd * sd), past.counts)
    return Looks(counts, past.exposure, past.kind, past.member, past.faults)


def _median(values: FloatArray) -> FloatArray:
    """The median of each row's numbers, NaN where there are none."""
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)
    n = np.isfinite(values).sum(axis=1)
    low = np.take_along_axis(ordered, np.maximum(0, (n - 1) // 2)[:, None], axis=1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(n // 2, np.maximum(0, n - 1))[:, None], axis=1)[:, 0]
    return (low + high) / 2.0
