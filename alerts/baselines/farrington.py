"""Farrington flexible (R4): weekly counts against the same season of past years, past surges weighed down.

From Farrington et al. (1996) and Noufaily et al. (2013), with log exposure as the offset.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.glm import GlmFit, fit_glm_reweighted
from alerts.baselines.glm_parts import overlay, with_column, without_column
from alerts.baselines.model import DAYS_A_WEEK, Series, cap_outliers
from alerts.baselines.seasons import (
    WEEKS_A_YEAR,
    ReferenceWeeks,
    anniversaries_by_date,
    anniversaries_by_weeks,
    reference_weeks,
)
from alerts.baselines.special import BoolArray, FloatArray, IntArray, normal_quantile, normal_sf, times

ThresholdMethod = Literal["nbPlugin", "muan", "delta"]
FarringtonVariant = Literal["textbook", "surveillance"]
_TREND = 0
_MORE_WEEKS = 8


@dataclass(frozen=True, slots=True)
class FarringtonOptions:
    """The method's settings, under the names of its papers."""

    alpha: float = 0.005
    b: int = 5
    w: int = 3
    no_periods: int = 10
    past_weeks_not_included: int = 26
    reweight: bool = True
    weights_threshold: float = 2.58
    trend: bool = True
    p_threshold_trend: float = 1.0
    threshold_method: ThresholdMethod = "nbPlugin"
    limit54: tuple[int, int] = (0, 4)
    compat: FarringtonVariant = "textbook"
    """`surveillance` repeats that R package's dispersion of reweighted fits in trend test and standard error."""
    least_years: int = 3
    least_weeks: int = 52


@dataclass(frozen=True, slots=True)
class Farrington:
    """One week of S series: NaN (and no alarm) where `needs` says how many usable weeks are missing."""

    expected: FloatArray
    upper: FloatArray
    p: FloatArray
    dispersion: FloatArray
    se_log_mean: FloatArray
    n: IntArray
    trend: BoolArray
    alarm: BoolArray
    needs: IntArray
    weights: FloatArray
    """[S, reference weeks]"""


def judge_week(
    counts: FloatArray,
    exposure: FloatArray,
    now: int,
    options: FarringtonOptions,
    anniversaries: Sequence[int] | None = None,
) -> Farrington:
    """Judge week `now` of [S, T] weekly counts; NaN counts and counts without exposure are missing weeks.

    Exposure is any positive measure of how much could be seen (a share, a population).
    """
    if anniversaries is None:
        anniversaries = anniversaries_by_weeks(now, options.b)
    ref = reference_weeks(now, anniversaries, options.w, options.no_periods, options.past_weeks_not_included)
    y, offset = counts[:, ref.weeks], _log_exposure(exposure[:, ref.weeks])
    y = np.where(np.isfinite(offset), y, np.nan)
    needs = _needs(y, ref, options)
    design = ref.design(now)
    ready = needs == 0
    result = _blank(len(counts), ref, needs)
    if not ready.any():
        return result
    today, log_e0 = counts[ready, now], _log_exposure(exposure[ready, now])
    model, weights, kept = _model(y[ready], design, offset[ready], log_e0, options)
    at = np.zeros(design.shape[1])
    at[_TREND], at[-1] = 0.0, 1.0
    eta = times(model.coefficients, at[:, None])[:, 0] + log_e0
    dispersion = np.maximum(1.0, model.dispersion)
    unfloored = _se_dispersion(model, y[ready], weights, options)
    se = np.sqrt(unfloored * np.einsum("i,sij,j->s", at, model.covariance, at))
    mean = np.exp(eta)
    upper, p = farrington_threshold(today, mean, se, dispersion, options)
    recent = counts[ready, max(0, now - options.limit54[1] + 1) : now + 1]
    enough = np.nansum(recent, axis=1) >= options.limit54[0]
    alarm = (today > upper) & (today > 0) & enough
    for name, value in {
        "expected": mean,
        "upper": upper,
        "p": p,
        "dispersion": dispersion,
        "se_log_mean": se,
        "trend": kept,
        "alarm": alarm,
        "weights": weights,
    }.items():
        getattr(result, name)[ready] = value
    return result


def _blank(series: int, ref: ReferenceWeeks, needs: IntArray) -> Farrington:
    nan = np.full(series, np.nan)
    no = np.zeros(series, dtype=bool)
    n = np.zeros(series, dtype=np.int64)
    weights = np.full((series, ref.weeks.size), np.nan)
    return Farrington(nan, nan.copy(), nan.copy(), nan.copy(), nan.copy(), n, no, no.copy(), needs, weights)


def _log_exposure(exposure: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        logged = np.log(exposure)
    return np.where(np.isfinite(logged), logged, np.nan)


def _needs(y: FloatArray, ref: ReferenceWeeks, options: FarringtonOptions) -> IntArray:
    """Usable weeks still missing: years of history first, then weeks, then weeks of today's season."""
    years = max(0, options.least_years - ref.years) * 52
    usable = np.isfinite(y)
    weeks = np.maximum(0, options.least_weeks - usable.sum(axis=1))
    season = np.maximum(0, 1 - usable[:, ref.levels == ref.levels.max(initial=0)].sum(axis=1))
    needs: IntArray = np.maximum(np.maximum(weeks, season), years).astype(np.int64)
    return needs


def _model(
    y: FloatArray, design: FloatArray, offset: FloatArray, log_e0: FloatArray, options: FarringtonOptions
) -> tuple[GlmFit, FloatArray, BoolArray]:
    """Fit with trend where it stands, else without: (fit on the full design, weights, whether it has a trend)."""
    series = len(y)
    flat = without_column(design, _TREND)
    keep = np.zeros(series, dtype=bool)
    if options.trend:
        full, weights = _reweighted(y, design, offset, options)
        eta = full.coefficients[:, -1] + log_e0
        largest = np.nanmax(y, axis=1)
        keep = full.converged & (np.exp(eta) <= largest) & _significant(full, y, weights, options)
        if keep.all():
            return full, weights, keep
        reduced, lighter = _reweighted(y[~keep], flat, offset[~keep], options)
        weights[~keep] = lighter
        return overlay(full, with_column(reduced, _TREND), ~keep), weights, keep
    reduced, weights = _reweighted(y, flat, offset, options)
    return with_column(reduced, _TREND), weights, keep


def _reweighted(
    y: FloatArray, design: FloatArray, offset: FloatArray, options: FarringtonOptions
) -> tuple[GlmFit, FloatArray]:
    return fit_glm_reweighted(y, design, offset, options.weights_threshold if options.reweight else np.inf)


def _se_dispersion(
    model: GlmFit, y: FloatArray, weights: FloatArray, options: FarringtonOptions
) -> FloatArray:
    """The dispersion behind standard errors, without its floor of 1."""
    if options.compat == "textbook" or not options.reweight:
        return model.dispersion
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.nansum(weights * ((y - model.mean) / model.mean) ** 2, axis=1)
        return np.where(model.df > 0, total / model.df, np.nan)


def _significant(model: GlmFit, y: FloatArray, weights: FloatArray, options: FarringtonOptions) -> BoolArray:
    """Whether the trend's two-sided t test passes."""
    variance = _se_dispersion(model, y, weights, options) * model.covariance[:, _TREND, _TREND]
    with np.errstate(divide="ignore", invalid="ignore"):
        t_squared = model.coefficients[:, _TREND] ** 2 / variance
    passes: BoolArray = nb.student_p(t_squared, model.df) < options.p_threshold_trend
    return passes


def farrington_threshold(
    today: FloatArray,
    mean: FloatArray,
    se_log_mean: FloatArray,
    dispersion: FloatArray,
    options: FarringtonOptions,
) -> tuple[FloatArray, FloatArray]:
    """The count above which a week alarms, and p of today's count."""
    se = se_log_mean
    z = normal_quantile(1.0 - options.alpha)
    if options.threshold_method == "delta":
        spread = np.sqrt(4 / 9 * np.cbrt(mean) * (dispersion + se * se * mean))
        centre = mean ** (2 / 3)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = normal_sf((today ** (2 / 3) - centre) / spread)
        return np.maximum(0.0, centre + z * spread) ** 1.5, p
    centre = mean * np.exp(z * se) if options.threshold_method == "muan" else mean
    size = nb.size_of_dispersion(centre, dispersion)
    return nb.quantile(options.alpha, centre, size), nb.sf(np.floor(today), centre, size)


@dataclass(frozen=True, slots=True)
class FarringtonWeek:
    """The week that ends with the newest look of S series, against the same season of past years."""

    answers: Answers
    """`p` is 1 where the week does not exceed its expectation."""
    count: FloatArray
    """What the week had, NaN where nothing was seen."""
    earlier: FloatArray
    """What it had before the newest look."""
    expected: FloatArray
    size: FloatArray
    """Of the negative binomial, infinite for Poisson's."""


def judge_season(series: Series, *, years: int = 5, least_years: int = 3) -> FarringtonWeek:
    """Judge the seven days that end with the newest look by Farrington flexible."""
    counts, exposure = weekly_counts(series, years)
    now = counts.shape[1] - 1
    options = FarringtonOptions(b=years, least_years=least_years)
    anniversaries = None
    if series.today is not None:
        days = [series.today - timedelta(days=DAYS_A_WEEK * (now - week)) for week in range(now + 1)]
        anniversaries = anniversaries_by_date(days, now, years)
    found = judge_week(counts, exposure, now, options, anniversaries)
    count = counts[:, now]
    with np.errstate(invalid="ignore"):
        p = np.where(count > found.expected, found.p, np.where(np.isnan(found.p), np.nan, 1.0))
    seen = series.looks.seen[:, -1]
    needs = np.where(np.isnan(p), np.maximum(1, found.needs), found.needs)
    settled = answer_by_p("farrington", p, observed=seen, needs=needs)
    earlier = count - series.looks.today if series.looks.kind == "flow" else np.zeros(len(count))
    size = nb.size_of_dispersion(found.expected, found.dispersion)
    return FarringtonWeek(settled, count, earlier, found.expected, size)


def weekly_counts(series: Series, years: int) -> tuple[FloatArray, FloatArray]:
    """Counts and exposure [series, week] of whole weeks that end with the newest look.

    A flow's week is the sum over usable looks at their exposure; of snapshots the clearest counts.
    """
    looks = series.looks
    back = np.floor(-series.days / DAYS_A_WEEK).astype(np.int64)
    width = int(min(WEEKS_A_YEAR * years + _MORE_WEEKS, back.max(initial=0))) + 1
    used = looks.member.copy()
    # A badly seen positive count means "at least": it may raise today's week, not a past one.
    used[:, -1] = looks.seen[:, -1]
    # A giant outlier must not blind the rule for as long as it stays in the reference.
    y = np.column_stack([cap_outliers(looks.past).counts, looks.today])
    e = np.nan_to_num(looks.exposure, nan=1.0)
    counts, exposure = np.full((2, len(y), width), np.nan)
    for week in range(width):
        here = used & (back == week)
        any_look = here.any(axis=1)
        column = width - 1 - week
        if looks.kind == "flow":
            total, seen = (np.where(here, part, 0.0).sum(axis=1) for part in (y, e))
        else:
            # The judged look stands for its own week.
            best = np.where(here, e, -1.0).argmax(axis=1) if week else np.full(len(y), y.shape[1] - 1)
            total, seen = (np.take_along_axis(part, best[:, None], axis=1)[:, 0] for part in (y, e))
        counts[any_look, column], exposure[any_look, column] = total[any_look], seen[any_look]
    return counts, exposure
