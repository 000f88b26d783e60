"""The seasonal expectation for R2: harmonics of the year and a trend, past surges weighed down."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.glm import GlmFit, fit_glm, surge_weights
from alerts.baselines.glm_parts import coefficients_without, joined, with_column, without_column
from alerts.baselines.level import (
    LEVEL_EVIDENCE,
    Levels,
    find_levels,
    gain_of_two,
    neighbour_dispersion,
    steady,
)
from alerts.baselines.model import DAYS_A_YEAR, Looks, cap_outliers, cautious, shrink_dispersion
from alerts.baselines.special import BoolArray, FloatArray, IntArray, times
from alerts.baselines.tail import Expectation, level_se, seasonless_expectation

_TREND, _LEVEL = 0, 1
_MOST_ETA = 50.0
_RUNAWAY = 4.0
_MAYBE = 0.6
_PRIOR_DISPERSION = 2.0
_COMPARED_DAYS, _COMPARED_YEARS = (91.0, 182.0, 365.25), 3
_COST_OF_A_TREND, _COST_OF_A_WAVE = 3.0, 5.0


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
    # Looks with something in them, not how much: what comes together says little of when it comes.
    events_outside = (outside & (past.counts > 0)).sum(axis=1)
    harmonics = np.zeros(len(years), dtype=np.int64)
    for m, least_years in ((1, season.one_harmonic_years), (2, season.two_harmonics_years)):
        columns = 2 + 2 * m
        enough = (looks_outside >= season.least_looks_a_column * columns) & (
            events_outside >= season.least_events_a_column * columns
        )
        harmonics[(years >= least_years) & enough] = m
    rates, counts = np.full((3, len(years)), np.nan), np.zeros((2, len(years)), dtype=np.int64)
    result = Expectation(rates[0], rates[1], rates[2], counts[0], counts[1])
    fitted_rows = np.zeros(len(years), dtype=bool)
    for m in (1, 2):
        rows = np.flatnonzero(harmonics == m)
        if rows.size:
            guard = season.guard_days if m == 2 else season.short_guard_days  # noqa: PLR2004 - two harmonics
            # `at` is in order of time.
            use = slice(int(recent.argmax()), int(np.searchsorted(at[:-1], now - guard)))
            fitted, sane = _fit_rows(past.rows(rows), _Frame(at[:-1] - now, use, m, season))
            # A fit that ran away (all events in one season) promises nonsense: the steady rate stands.
            sane &= fitted.rate <= _RUNAWAY * np.where(past.member, past.counts, 0.0)[rows].max(axis=1)
            result.put(rows[sane], fitted, sane)
            fitted_rows[rows[sane]] = True
    if not fitted_rows.all():
        rows = np.flatnonzero(~fitted_rows)
        plain = seasonless_expectation(past.rows(rows))
        result.put(rows, plain)
        result.se_log[rows] = np.hypot(plain.se_log, season.unknown_season)
    return result


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a fit of many series has in common."""

    days: FloatArray
    use: slice
    """The columns that are learnt from."""
    harmonics: int
    season: SeasonOptions


def _fit_rows(past: Looks, frame: _Frame) -> tuple[Expectation, BoolArray]:
    """Fit season and trend, tell levels apart beside them and fit again; and the series in which a season explains more.

    A change of level looks like a trend, and a surge that ended like a season while fewer than two whole years lie before it:
    where a level changed, what explains the counts best for what it has to assume is believed.
    """
    fitted, mean = _fit_once(past, frame, steady(*past.counts.shape))
    moved = find_levels(past.counts, mean, past.member)
    seasonal = np.ones(len(past.counts), dtype=bool)
    # What changed may be followed by waves and a trend so closely that beside them nothing is left to be found.
    plain = _Plain.of(past)
    unlike = plain.levels().moved if frame.harmonics == 1 else plain.unlike_years_before(frame.days)
    rows = np.flatnonzero(moved.moved | unlike)
    if not rows.size:
        return fitted, seasonal
    own = plain.rows(rows)
    alone = own.levels()
    best, cost = _with_levels(own, frame, moved.rows(rows))
    without_trend = replace(frame, season=replace(frame.season, least_t=np.inf))
    flat, cost_flat = _with_levels(own, without_trend, alone)
    # A great change bends the first season out of shape, and a great season breaks into levels: from either the fits may
    # never come to what happened. The one greatest change is neither.
    one, cost_one = _with_levels(own, without_trend, own.greatest_change())
    better = cost_one < cost_flat
    flat.put(np.flatnonzero(better), one, better)
    cost_flat = np.where(better, cost_one, cost_flat)
    no_trend = cost_flat < cost + _COST_OF_A_TREND
    best.put(np.flatnonzero(no_trend), flat, no_trend)
    fitted.put(rows, best)
    if frame.harmonics == 1:
        with_season = np.minimum(cost_flat, cost + _COST_OF_A_TREND) + _COST_OF_A_WAVE
        seasonal[rows] = with_season <= own.cost(own.exposure, alone)
    return fitted, seasonal


@dataclass(frozen=True, slots=True)
class _Plain:
    """Past looks of S series before anything is known of them but how much each saw, and how far neighbours lie apart."""

    past: Looks
    counts: FloatArray
    exposure: FloatArray
    """Both 0 outside baselines, [S, T]."""
    dispersion: FloatArray
    """Of neighbouring looks, [S]."""

    @classmethod
    def of(cls, past: Looks) -> "_Plain":
        """What these looks are by themselves."""
        y, e = (np.where(past.member, each, 0.0) for each in (past.counts, past.exposure))
        return cls(past, y, e, neighbour_dispersion(y, e, past.member))

    def rows(self, rows: IntArray) -> "_Plain":
        """Some of the series."""
        return _Plain(self.past.rows(rows), self.counts[rows], self.exposure[rows], self.dispersion[rows])

    def levels(self) -> Levels:
        """The levels without any season."""
        return find_levels(self.counts, self.exposure, self.past.member, self.dispersion)

    def greatest_change(self) -> Levels:
        """The likeliest stretch alone, without any season."""
        return find_levels(self.counts, self.exposure, self.past.member, self.dispersion, most=1)

    def unlike_years_before(self, days: FloatArray) -> BoolArray:
        """Whether the newest quarter, half or whole year is at another level than the same weeks of the years before."""
        unlike = np.zeros(len(self.counts), dtype=bool)
        for length in _COMPARED_DAYS:
            now, ago = days > -length, np.zeros(len(days), dtype=bool)
            for year in range(1, _COMPARED_YEARS + 1):
                end = -year * DAYS_A_YEAR
                ago |= (days > end - length) & (days <= end) & ~now
            s = [self.counts[:, part].sum(axis=1) for part in (now, ago)]
            m = [self.exposure[:, part].sum(axis=1) for part in (now, ago)]
            unlike |= gain_of_two(s[0], m[0], s[1], m[1]) / self.dispersion > LEVEL_EVIDENCE
        return unlike

    def cost(self, mean: FloatArray, levels: Levels) -> FloatArray:
        """Half the deviance over the dispersion of neighbours, and what the levels had to bring: less is a better description."""
        y = self.counts
        shown = np.where(self.past.member, mean * levels.ratio, 0.0)
        shown *= ((y.sum(axis=1) + 0.5) / (shown.sum(axis=1) + 0.5))[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(y > 0, y * np.log(y / shown), 0.0) - (y - shown)
        cost: FloatArray = part.sum(axis=1) / self.dispersion + levels.changes * LEVEL_EVIDENCE
        return cost


def _with_levels(own: _Plain, frame: _Frame, levels: Levels) -> tuple[Expectation, FloatArray]:
    """Fit, tell levels apart and fit again beside them; and how badly that describes every series."""
    past = own.past
    _, mean = _fit_once(past, frame, levels)
    levels = find_levels(past.counts, mean, past.member)
    fitted, mean = _fit_once(past, frame, levels)
    fitted.se_log[:] = np.hypot(fitted.se_log, level_se(past, levels, fitted.dispersion))
    return fitted, own.cost(mean, levels)


def _fit_once(past: Looks, frame: _Frame, levels: Levels) -> tuple[Expectation, FloatArray]:
    """What is expected at the present level, and what every past look would have shown at it."""
    # By time alone: were columns without any look left out, a series would be added up otherwise in another batch.
    use, season = frame.use, frame.season
    learnt = past.window(use)
    tamed = cap_outliers(learnt, levels.ratio[:, use])
    y = np.where(learnt.member, tamed.counts, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.log(tamed.exposure * levels.ratio[:, use])
    design, today = _design(frame.days, frame.harmonics), _design(np.zeros(1), frame.harmonics)[0]
    model = _model(y, design[use], offset, today, season)
    eta = times(model.coefficients, today[:, None])[:, 0]
    pearson = _capped_pearson(y, model, season.cut_z)
    # One degree of freedom is put back: the shrunk φ counts n - 1.
    n = np.isfinite(y).sum(axis=1)
    dispersion = cautious(
        shrink_dispersion(pearson, model.df + 1), n, np.nansum(y, axis=1) / np.maximum(n, 1)
    )
    pairs = np.outer(today, today).reshape(-1, 1)
    se = np.sqrt(dispersion * times(model.covariance.reshape(len(y), -1), pairs)[:, 0])
    rate = np.exp(np.minimum(eta, _MOST_ETA))
    mean = np.exp(np.minimum(times(model.coefficients, design.T), _MOST_ETA))
    mean = np.where(past.member, mean * past.exposure, 0.0)
    return Expectation(rate, dispersion, se, n, np.zeros(len(y), dtype=np.int64)), mean


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
