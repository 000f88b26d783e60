"""Log-link quasi-Poisson regression of many series on one design at once: matrix products, no loop over series."""

from dataclasses import dataclass, fields, replace

import numpy as np

from alerts.baselines.special import BoolArray, FloatArray, IntArray

_TOLERANCE = 1e-8
_WARM_TOLERANCE = 1e-4
_MOST_ROUNDS = 25
_MOST_ETA = 300.0
# Keeps a singular system of one series from stopping its whole batch.
_JITTER = 1e-12
_COMPACT_BELOW = 0.8


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted batch of S series, T times, P columns; `dispersion` is Pearson χ²/df without a floor of 1."""

    coefficients: FloatArray
    """[S, P]"""
    mean: FloatArray
    """[S, T], NaN where nothing was counted"""
    covariance: FloatArray
    """[S, P, P], to be multiplied by the dispersion"""
    leverage: FloatArray
    """[S, T]"""
    dispersion: FloatArray
    df: IntArray
    converged: BoolArray


def fit(
    counts: FloatArray,
    design: FloatArray,
    offset: FloatArray,
    prior: FloatArray,
    *,
    start: FloatArray | None = None,
) -> Fit:
    """Fit log mean = design·b + offset by reweighted least squares from counts + 0.1, as R's `glm` does.

    `counts`, `offset`, `prior` (weights ≥ 0) are [S, T], `design` [T, P]. NaN counts are left out. A series
    stops when its deviance changes by less than 1e-8, after at most 25 rounds. Columns without any usable
    look get the coefficient 0 and cost no degree of freedom. With coefficients [S, P] to start from it takes
    a third of the rounds and stops at 1e-4 (the last round squares the error); series that do not converge from there start as R does.
    """
    seen = np.isfinite(counts)
    weights = np.where(seen, prior, 0.0)
    y = np.where(seen, counts, 0.0)
    shift = np.where(seen, offset, 0.0)
    if start is None:
        coefficients, eta, working, converged = _iterate(y, design, shift, weights)
    else:
        coefficients, eta, working, converged = _iterate(y, design, shift, weights, start)
        lost = ~converged
        if lost.any():
            again = _iterate(y[lost], design, shift[lost], weights[lost])
            for whole, part in zip((coefficients, eta, working, converged), again, strict=True):
                whole[lost] = part
    mean = np.exp(eta)
    # As R documents, the working weights are those of the last round, one step behind the mean.
    pairs = _pairs(design)
    covariance = _inverse(_cross(working, pairs))
    leverage = working * _quadratic(covariance, pairs)
    filled = ((weights > 0).astype(float) @ (design != 0)) > 0
    df = seen.sum(axis=1) - filled.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = (working * (y / mean - 1.0) ** 2).sum(axis=1)
        dispersion = np.where(df > 0, pearson / np.maximum(df, 1), np.nan)
    return Fit(
        coefficients,
        np.where(seen, mean, np.nan),
        covariance,
        np.where(seen, leverage, 0.0),
        dispersion,
        df,
        converged,
    )


def fit_reweighted(
    counts: FloatArray, design: FloatArray, offset: FloatArray, threshold: float
) -> tuple[Fit, FloatArray]:
    """Fit, weigh counts whose Anscombe residual s exceeds the threshold by s⁻², fit once more (Noufaily 2013).

    Gives the fit and the weights.
    """
    ones = np.ones_like(counts)
    first = fit(counts, design, offset, ones)
    if not np.isfinite(threshold):
        return first, ones
    weights = surge_weights(counts, first, threshold)
    return fit(counts, design, offset, weights), weights


def surge_weights(counts: FloatArray, first: Fit, threshold: float) -> FloatArray:
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
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Iterate all series together and drop each from the work when it has converged."""
    series, columns = y.shape[0], design.shape[1]
    results = np.zeros((series, columns)), np.zeros_like(y), np.zeros_like(y)
    left, open_ = np.arange(series), np.ones(series, dtype=bool)
    wy = weights * y
    # Σ w (y log y - y): the part of the deviance that no round changes.
    fixed = np.einsum("st,st->s", wy, np.log(np.where(y > 0, y, 1.0))) - wy.sum(axis=1)
    if start is None:
        b = np.zeros((series, columns))
        eta = np.log(y + 0.1)
        working = weights * (y + 0.1)
        score = (working * (eta - offset) + wy - working) @ design
    else:
        b = start
        eta = np.minimum(b @ design.T + offset, _MOST_ETA)
        working = weights * np.exp(eta)
        score = (wy - working) @ design
    pairs = _pairs(design)
    tolerance = _TOLERANCE if start is None else _WARM_TOLERANCE
    before = _deviance(fixed, wy, eta, working)
    for _ in range(_MOST_ROUNDS):
        b = b + _solve(_cross(working, pairs), score)
        last_working = working
        eta = b @ design.T
        eta += offset
        np.minimum(eta, _MOST_ETA, out=eta)
        working = np.exp(eta)
        working *= weights
        now = _deviance(fixed, wy, eta, working)
        done = np.abs(now - before) / (np.abs(now) + 0.1) < tolerance
        # A finished series may ride along until enough have finished: its answer is kept already.
        fresh = done & open_
        _keep(results, left, fresh, (b, eta, last_working))
        open_ &= ~done
        if not open_.any():
            break
        if open_.mean() < _COMPACT_BELOW:
            left = left[open_]
            fixed, wy, offset, weights = (part[open_] for part in (fixed, wy, offset, weights))
            b, eta, working, last_working, now = (
                part[open_] for part in (b, eta, working, last_working, now)
            )
            open_ = np.ones(left.size, dtype=bool)
        score = (wy - working) @ design
        before = now
    unfinished = np.zeros(series, dtype=bool)
    unfinished[left[open_]] = True
    _keep(results, left, open_, (b, eta, last_working))
    return *results, ~unfinished


def _keep(
    results: tuple[FloatArray, ...], left: IntArray, rows: BoolArray, parts: tuple[FloatArray, ...]
) -> None:
    for result, part in zip(results, parts, strict=True):
        result[left[rows]] = part[rows]


def _deviance(fixed: FloatArray, wy: FloatArray, eta: FloatArray, working: FloatArray) -> FloatArray:
    total: FloatArray = 2.0 * (fixed - np.einsum("st,st->s", wy, eta) + working.sum(axis=1))
    return total


def _pairs(design: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    rows, columns = np.triu_indices(design.shape[1])
    return rows, columns, design[:, rows] * design[:, columns]


def _cross(working: FloatArray, pairs: tuple[IntArray, IntArray, FloatArray]) -> FloatArray:
    """X'WX of every series, as one matrix product with the pairwise products of the design's columns."""
    rows, columns, products = pairs
    flat = working @ products
    size = int(rows[-1]) + 1
    out = np.empty((working.shape[0], size, size))
    out[:, rows, columns] = flat
    out[:, columns, rows] = flat
    return out


def _quadratic(covariance: FloatArray, pairs: tuple[IntArray, IntArray, FloatArray]) -> FloatArray:
    """Give x'Cx of every series and row of the design, [S, T]."""
    rows, columns, products = pairs
    twice = np.where(rows == columns, 1.0, 2.0)
    value: FloatArray = (covariance[:, rows, columns] * twice) @ products.T
    return value


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


def without_column(design: FloatArray, column: int) -> FloatArray:
    """The design less one column."""
    return np.delete(design, column, axis=1)


def with_column(part: Fit, column: int) -> Fit:
    """The fit of a design that lacked `column`, written on the whole design with the coefficient 0."""
    covariance = np.insert(np.insert(part.covariance, column, 0.0, axis=1), column, 0.0, axis=2)
    return replace(
        part, coefficients=np.insert(part.coefficients, column, 0.0, axis=1), covariance=covariance
    )


def overlay(base: Fit, part: Fit, rows: BoolArray) -> Fit:
    """The base with the chosen series taken from `part`, which holds those alone."""
    mixed = {}
    for entry in fields(Fit):
        values = getattr(base, entry.name).copy()
        values[rows] = getattr(part, entry.name)
        mixed[entry.name] = values
    return Fit(**mixed)
