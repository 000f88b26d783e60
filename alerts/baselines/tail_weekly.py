"""The seasonal expectation for R2: harmonics of the year and a trend, past surges weighed down."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.glm import GlmFit, fit_glm, surge_weights
from alerts.baselines.glm_parts import coefficients_without, joined, with_column, without_column
from alerts.baselines.model import DAYS_A_YEAR, Looks, cap_outliers, cautious, shrink_dispersion
from alerts.baselines.special import FloatArray, times
from alerts.baselines.tail import Expectation, seasonless_expectation

_TREND, _LEVEL = 0, 1
_MOST_ETA = 50.0
_RUNAWAY = 4.0
_MAYBE = 0.6
_PRIOR_DISPERSION = 2.0


@dataclass(frozen=True, slots=True)
class SeasonOptions:
    """How the seasonal expectation is learnt; the guard keeps the newest looks from hiding a surge."""

    longest_years: float = 10.0
    one_harmonic_years: float = 1.5
    two_harmonics_years: float = 3.0
    guard_days: float = 182.0
    short_guard_days: float = 56.0
    weights_threshold: float = 2.58
    cut_z: float = 2.33
    """Counts beyond this normal quantile (1 in 100) tell nothing more of the dispersion."""
    unknown_season: float = 0.3
    """How far (sd of the logarithm) the level may lie from its average over the year where no season is known yet."""
    least_t: float = 1.96
    most_promised: float = 2.0
    """A trend may promise so many times the largest past count; one times would forbid ordinary growth."""
    least_looks_a_column: int = 8
    least_events_a_column: float = 3.0
    """With fewer events a season is guesswork."""


def seasonal_expectation(looks: Looks, days: ArrayLike, season: SeasonOptions | None = None) -> Expectation:
    """Expectation of the newest look; `days` [time] is when the looks were, in days from any origin.

    Under 1.5 years of usable history there is no season (and the level is the less sure), from 1.5 one harmonic,
    from 3 two. The trend stays
    where its |t| exceeds 1.96 and it promises at most twice the largest past count.
    """
    season = season or SeasonOptions()
    at = np.asarray(days, np.float64)
    now = at[-1]
    recent = at >= now - season.longest_years * DAYS_A_YEAR
    past = Looks(looks.counts, looks.exposure, looks.kind, looks.member & recent, looks.faults).past
    oldest = np.min(np.where(past.member, at[:-1], np.inf), axis=1, initial=np.inf)
    years = np.where(np.isfinite(oldest), (now - oldest) / DAYS_A_YEAR, 0.0)
    outside = past.member & (at[:-1] < now - season.guard_days)
    looks_outside = outside.sum(axis=1)
    events_outside = np.where(outside, past.counts, 0.0).sum(axis=1)
    harmonics = np.zeros(len(years), dtype=np.int64)
    for m, least_years in ((1, season.one_harmonic_years), (2, season.two_harmonics_years)):
        columns = 2 + 2 * m
        enough = (looks_outside >= season.least_looks_a_column * columns) & (
            events_outside >= season.least_events_a_column * columns
        )
        harmonics[(years >= least_years) & enough] = m
    result = Expectation(*np.full((3, len(years)), np.nan), *np.zeros((2, len(years)), dtype=np.int64))
    fitted_rows = np.zeros(len(years), dtype=bool)
    for m in (1, 2):
        rows = np.flatnonzero(harmonics == m)
        if rows.size:
            guard = season.guard_days if m == 2 else season.short_guard_days  # noqa: PLR2004 - two harmonics
            # `at` is in order of time.
            use = slice(int(recent.argmax()), int(np.searchsorted(at[:-1], now - guard)))
            fitted = _fit_rows(past.rows(rows), at[:-1] - now, use, m, season)
            # A fit that ran away (all events in one season) promises nonsense: the steady rate stands.
            sane = fitted["rate"] <= _RUNAWAY * np.where(past.member, past.counts, 0.0)[rows].max(axis=1)
            for name, value in fitted.items():
                getattr(result, name)[rows[sane]] = value[sane]
            fitted_rows[rows[sane]] = True
    if not fitted_rows.all():
        plain = seasonless_expectation(past.rows(~fitted_rows))
        for entry in fields(Expectation):
            getattr(result, entry.name)[~fitted_rows] = getattr(plain, entry.name)
        result.se_log[~fitted_rows] = np.hypot(plain.se_log, season.unknown_season)
    return result


def _fit_rows(
    past: Looks, days: FloatArray, use: slice, m: int, season: SeasonOptions
) -> dict[str, FloatArray]:
    # By time alone: were columns without any look left out, a series would be added up otherwise in another batch.
    learnt = past.window(use)
    tamed = cap_outliers(learnt)
    y = np.where(learnt.member, tamed.counts, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.log(tamed.exposure)
    design = _design(days[use], m)
    today = _design(np.zeros(1), m)[0]
    model = _model(y, design, offset, today, season)
    eta = times(model.coefficients, today[:, None])[:, 0]
    pearson = _capped_pearson(y, model, season.cut_z)
    # One degree of freedom is put back: the shrunk φ counts n - 1.
    n = np.isfinite(y).sum(axis=1)
    dispersion = cautious(
        shrink_dispersion(pearson, model.df + 1), n, np.nansum(y, axis=1) / np.maximum(n, 1)
    )
    pairs = np.outer(today, today).reshape(-1, 1)
    se = np.sqrt(dispersion * times(model.covariance.reshape(len(y), -1), pairs)[:, 0])
    return {
        "rate": np.exp(np.minimum(eta, _MOST_ETA)),
        "dispersion": dispersion,
        "se_log": se,
        "n": n,
    }


def _capped_pearson(y: FloatArray, model: GlmFit, z: float) -> FloatArray:
    """Pearson's χ² with each count cut at the level that one look in a hundred passes.

    The weights that keep past surges out of the mean would take ordinary high counts out of the dispersion too,
    and so promise too thin a tail. The cut is Cornish and Fisher's quantile of a negative binomial.
    """
    phi = np.maximum(_PRIOR_DISPERSION, model.dispersion)[:, None]
    most = model.mean + z * np.sqrt(phi * model.mean) + (2.0 * phi - 1.0) * (z * z - 1.0) / 6.0
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (np.minimum(y, most) - model.mean) ** 2 / model.mean
    total: FloatArray = np.nansum(part, axis=1)
    return total


def _design(days: FloatArray, harmonics: int) -> FloatArray:
    """Trend in years, level, then cosine and sine of each harmonic; today is day 0."""
    columns = [days / DAYS_A_YEAR, np.ones_like(days)]
    for j in range(1, harmonics + 1):
        angle = 2.0 * np.pi * j * days / DAYS_A_YEAR
        columns += [np.cos(angle), np.sin(angle)]
    return np.column_stack(columns)


def _model(
    y: FloatArray, design: FloatArray, offset: FloatArray, today: FloatArray, season: SeasonOptions
) -> GlmFit:
    """Fit, weigh past surges down, fit again, and once more without the trend where it does not stand."""
    exposure = np.where(np.isfinite(y), np.exp(offset), 0.0).sum(axis=1)
    start = np.zeros((len(y), design.shape[1]))
    start[:, _LEVEL] = np.log((np.nansum(y, axis=1) + 0.5) / exposure)
    first = fit_glm(y, design, offset, np.ones_like(y), start=start)
    weights = surge_weights(y, first, season.weights_threshold)
    near = coefficients_without(first, _TREND)
    # What is far from a trend before past surges are weighed down is none afterwards.
    asked = np.flatnonzero(~first.converged | (_trend_t(first) > _MAYBE * season.least_t))
    flat = np.ones(len(y), dtype=bool)
    full = None
    if asked.size:
        part = (y[asked], design, offset[asked], weights[asked])
        full = fit_glm(*part, start=first.coefficients[asked], leverage=False)
        promise = np.exp(np.minimum(times(full.coefficients, today[:, None])[:, 0], _MOST_ETA))
        largest = np.nanmax(y[asked] / np.exp(offset[asked]), axis=1)
        stands = full.converged & (_trend_t(full) > season.least_t)
        flat[asked] = ~(stands & (promise <= season.most_promised * largest))
        near[asked] = coefficients_without(full, _TREND)
        full = full.rows(~flat[asked])
    reduced = fit_glm(
        y[flat], without_column(design, _TREND), offset[flat], weights[flat], start=near[flat], leverage=False
    )
    level = with_column(reduced, _TREND)
    return level if full is None else joined(level, full, flat)


def _trend_t(model: GlmFit) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.sqrt(np.maximum(1.0, model.dispersion) * model.covariance[:, _TREND, _TREND])
        t: FloatArray = np.abs(model.coefficients[:, _TREND]) / se
    return t
