"""Log-link quasi-Poisson regression of many series on one design at once: matrix products, no loop over series."""

from dataclasses import dataclass, fields

import numpy as np

from alerts.baselines.special import BoolArray, FloatArray, IntArray, times

_TOLERANCE = 1e-8
_WARM_TOLERANCE = 1e-4
_MOST_ROUNDS = 25
_MOST_ETA = 300.0
# Keeps a singular system of one series from stopping its whole batch.
_JITTER = 1e-12
_COMPACT_BELOW = 0.8


@dataclass(frozen=True, slots=True)
class GlmFit:
    """A fitted batch of S series, T times, P columns; `dispersion` is Pearson χ²/df without a floor of 1."""

    coefficients: FloatArray
    """[S, P]"""
    mean: FloatArray
    """[S, T], NaN where nothing was counted"""
    covariance: FloatArray
    """[S, P, P], to be multiplied by the dispersion"""
    leverage: FloatArray
    """[S, T], or [S, 0] where it was not asked for"""
    dispersion: FloatArray
    df: IntArray
    converged: BoolArray

    def rows(self, rows: BoolArray) -> "GlmFit":
        """The fits of some of the series."""
        return GlmFit(**{entry.name: getattr(self, entry.name)[rows] for entry in fields(GlmFit)})


def fit_glm(
    counts: FloatArray,
    design: FloatArray,
    offset: FloatArray,
    prior: FloatArray,
    *,
    start: FloatArray | None = None,
    leverage: bool = True,
) -> GlmFit:
    """Fit log mean = design·b + offset by reweighted least squares from counts + 0.1, as R's `glm` does.

    `counts`, `offset`, `prior` (weights ≥ 0) are [S, T], `design` [T, P]. NaN counts are left out. A series
    stops when its deviance changes by less than 1e-8, after at most 25 rounds. Columns without any usable
    look get the coefficient 0 and cost no degree of freedom. With coefficients [S, P] to start from it takes
    a third of the rounds and stops at 1e-4 (the last round squares the error); series that do not converge from
    there start as R does.
    """
    seen = np.isfinite(counts)
    weights = np.where(seen, prior, 0.0)
    y = np.where(seen, counts, 0.0)
    shift = np.where(seen, offset, 0.0)
    coefficients, before, converged = _iterate(y, design, shift, weights, start)
    lost = ~converged
    if start is not None and lost.any():
        again = _iterate(y[lost], design, shift[lost], weights[lost])
        for whole, part in zip((coefficients, before, converged), again, strict=True):
            whole[lost] = part
    mean = _mean(coefficients, design, shift)
    # As R documents, the working weights are those of the last round, one step behind the mean.
    working = weights * (mean if start is not None else _mean(before, design, shift))
    pairs = _pairs(design)
    covariance = _inverse(_square(times(working, pairs[2]), pairs))
    hat = working * _quadratic(covariance, pairs) if leverage else np.zeros((len(y), 0))
    filled = ((weights > 0).astype(float) @ (design != 0)) > 0
    df = seen.sum(axis=1) - filled.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = (working * (y / mean - 1.0) ** 2).sum(axis=1)
        dispersion = np.where(df > 0, pearson / np.maximum(df, 1), np.nan)
    return GlmFit(
        coefficients,
        np.where(seen, mean, np.nan),
        covariance,
        hat,
        dispersion,
        df,
        converged,
    )


def fit_glm_reweighted(
    counts: FloatArray, design: FloatArray, offset: FloatArray, threshold: float
) -> tuple[GlmFit, FloatArray]:
    """Fit, weigh counts whose Anscombe residual s exceeds the threshold by s⁻², fit once more (Noufaily 2013).

    Gives the fit and the weights.
    """
    ones = np.ones_like(counts)
    first = fit_glm(counts, design, offset, ones)
    if not np.isfinite(threshold):
        return first, ones
    weights = surge_weights(counts, first, threshold)
    return fit_glm(counts, design, offset, weights), weights


def surge_weights(counts: FloatArray, first: GlmFit, threshold: float) -> FloatArray:
    """Weights that take past surges out of a first fit, rescaled to sum to the number of looks."""
    residual = anscombe_residual(counts, first.mean, np.maximum(1.0, first.dispersion), first.leverage)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(residual > threshold, 1.0 / np.square(residual), 1.0)
    seen = np.isfinite(counts)
    total = np.where(seen, weights, 0.0).sum(axis=1)
    weights *= (seen.sum(axis=1) / total)[:, None]
    return weights


def anscombe_residual(
    counts: FloatArray, mean: FloatArray, dispersion: FloatArray, leverage: FloatArray
) -> FloatArray:
    """Anscombe's residual of a quasi-Poisson count, near standard normal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(dispersion[:, None] * (1.0 - leverage))
        # Roots, not powers: several times faster.
        sixth = np.sqrt(np.cbrt(mean))
        residual: FloatArray = 1.5 * (np.square(np.cbrt(counts)) / sixth - np.sqrt(mean)) / spread
    return residual


def _iterate(
    y: FloatArray,
    design: FloatArray,
    offset: FloatArray,
    weights: FloatArray,
    start: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Iterate all series together, dropping each when it has converged: coefficients, those a round before, converged."""
    series, columns = y.shape[0], design.shape[1]
    coefficients, before = np.zeros((2, series, columns))
    left, open_ = np.arange(series), np.ones(series, dtype=bool)
    wy = weights * y
    target, tolerance = times(wy, design), _TOLERANCE if start is None else _WARM_TOLERANCE
    # Σ w (y log y - y - y·offset): the part of the deviance that no round changes.
    fixed = np.einsum("st,st->s", wy, np.log(np.where(y > 0, y, 1.0)) - offset) - wy.sum(axis=1)
    pairs = _pairs(design)
    products, column, total = _products(design, pairs)
    scale = weights * np.exp(offset)
    if start is None:
        b = np.zeros((series, columns))
        working = weights * (y + 0.1)
        eta = np.log(y + 0.1) - offset
        sums = times(working, products)
        score = times(working * eta, design) + target - sums[:, column]
        deviance = 2.0 * (fixed - np.einsum("st,st->s", wy, eta) + sums[:, total])
    else:
        b = start
        sums = times(_working(b, design, scale), products)
        score = target - sums[:, column]
        deviance = _deviance(fixed, target, b, sums[:, total])
    for _ in range(_MOST_ROUNDS):
        last = b
        b = b + _solve(_square(sums, pairs), score)
        sums = times(_working(b, design, scale), products)
        now = _deviance(fixed, target, b, sums[:, total])
        done = np.abs(now - deviance) / (np.abs(now) + 0.1) < tolerance
        # A finished series may ride along until enough have finished: its answer is kept already.
        fresh = done & open_
        coefficients[left[fresh]], before[left[fresh]] = b[fresh], last[fresh]
        open_ &= ~done
        if not open_.any():
            break
        if open_.mean() < _COMPACT_BELOW:
            left = left[open_]
            fixed, target, scale, b, last, sums, now = (
                part[open_] for part in (fixed, target, scale, b, last, sums, now)
            )
            open_ = np.ones(left.size, dtype=bool)
        score = target - sums[:, column]
        deviance = now
    unfinished = np.zeros(series, dtype=bool)
    unfinished[left[open_]] = True
    coefficients[left[open_]], before[left[open_]] = b[open_], last[open_]
    return coefficients, before, ~unfinished


def _working(coefficients: FloatArray, design: FloatArray, scale: FloatArray) -> FloatArray:
    """The weights of a round, [S, T]: `scale` (prior weight times exposure) times exp(X·b)."""
    weights = times(coefficients, design.T)
    # Seldom anything runs so far; to look costs less than to cut.
    if weights.size and weights.max() > _MOST_ETA:
        np.minimum(weights, _MOST_ETA, out=weights)
    np.exp(weights, out=weights)
    weights *= scale
    return weights


def _mean(coefficients: FloatArray, design: FloatArray, offset: FloatArray) -> FloatArray:
    mean = times(coefficients, design.T)
    mean += offset
    np.minimum(mean, _MOST_ETA, out=mean)
    np.exp(mean, out=mean)
    return mean


def _deviance(fixed: FloatArray, target: FloatArray, b: FloatArray, whole: FloatArray) -> FloatArray:
    total: FloatArray = 2.0 * (fixed - np.einsum("sp,sp->s", target, b) + whole)
    return total


def _pairs(design: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    rows, columns = np.triu_indices(design.shape[1])
    return rows, columns, design[:, rows] * design[:, columns]


def _products(
    design: FloatArray, pairs: tuple[IntArray, IntArray, FloatArray]
) -> tuple[FloatArray, IntArray, int]:
    """What one matrix product a round needs for X'WX, X'W1 and the sum of the weights, and where the latter two stand.

    A design with a column of ones has them among its pairs.
    """
    rows, columns, products = pairs
    count = design.shape[1]
    ones = np.flatnonzero((design == 1.0).all(axis=0))
    if not ones.size:
        whole = np.column_stack([products, design, np.ones(len(design))])
        return whole, len(rows) + np.arange(count), whole.shape[1] - 1
    level = int(ones[0])
    place = {(int(row), int(column)): n for n, (row, column) in enumerate(zip(rows, columns, strict=True))}
    column = np.array([place[min(level, n), max(level, n)] for n in range(count)])
    return products, column, place[level, level]


def _square(sums: FloatArray, pairs: tuple[IntArray, IntArray, FloatArray]) -> FloatArray:
    """X'WX of every series, from its sums over the pairwise products of the design's columns."""
    rows, columns, _ = pairs
    size = int(rows[-1]) + 1
    out = np.empty((len(sums), size, size))
    out[:, rows, columns] = out[:, columns, rows] = sums[:, : len(rows)]
    return out


def _quadratic(covariance: FloatArray, pairs: tuple[IntArray, IntArray, FloatArray]) -> FloatArray:
    """Give x'Cx of every series and row of the design, [S, T]."""
    rows, columns, products = pairs
    twice = np.where(rows == columns, 1.0, 2.0)
    return times(covariance[:, rows, columns] * twice, products.T)


def _scaled(cross: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale to a unit diagonal; a column without weight becomes a row of the identity."""
    diagonal = np.einsum("spp->sp", cross)
    empty = ~(diagonal > 0)
    scale = 1.0 / np.sqrt(np.where(empty, 1.0, diagonal))
    scaled = cross * scale[:, :, None] * scale[:, None, :]
    index = np.arange(cross.shape[1])
    scaled[:, index, index] = np.where(empty, 1.0, 1.0 + _JITTER)
    return scaled, scale


def _solve(cross: FloatArray, right: FloatArray) -> FloatArray:
    scaled, scale = _scaled(cross)
    solved: FloatArray = np.linalg.solve(scaled, (right * scale)[:, :, None])[:, :, 0] * scale
    return solved


def _inverse(cross: FloatArray) -> FloatArray:
    scaled, scale = _scaled(cross)
    inverse: FloatArray = np.linalg.inv(scaled) * scale[:, :, None] * scale[:, None, :]
    return inverse
