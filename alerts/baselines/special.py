"""Special functions behind the tails: vectorised, in logarithms where probabilities are tiny."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Stirling's series for the logarithm of the gamma function (DLMF 5.11.1).
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_SERIES_FROM = 10
_NEAR = 0.1
_TINY = 1e-300
_CLOSE = 1e-15
_MOST_ROUNDS = 20_000
SHRINK_EVERY = 8
"""Rounds between two looks at what has converged."""
_ROWS = 8
_DOUBLINGS, _HALVINGS = 200, 60


def times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """The product of [series, n] and [n, m], each row the same to the last digit whatever stands beside it.

    A product of one row takes another way through the processor than one of a thousand, and rounds otherwise; blocks
    of one size all take the same.
    """
    short = -len(rows) % _ROWS
    whole = np.concatenate([rows, np.zeros((short, rows.shape[1]))]) if short else np.ascontiguousarray(rows)
    blocks = whole.reshape(len(whole) // _ROWS, _ROWS, rows.shape[1])
    product: FloatArray = (blocks @ np.ascontiguousarray(matrix)).reshape(len(whole), matrix.shape[1])
    return product[: len(rows)]


def stirling_error(x: FloatArray) -> FloatArray:
    """Log Γ(x+1) less Stirling's formula (x+½) log x - x + ½ log 2π, for x > 0."""
    small = x < _SERIES_FROM
    base = np.where(small, x + _SERIES_FROM, x)
    inverse = 1.0 / base
    square = inverse * inverse
    total = np.full_like(base, _STIRLING[-1])
    for coefficient in _STIRLING[-2::-1]:
        total *= square
        total += coefficient
    total *= inverse
    if small.any():
        low = x[small]
        for step in range(_SERIES_FROM):
            at = low + step
            total[small] += (at + 0.5) * np.log1p(1.0 / at) - 1.0
    return total


def deviance_part(x: FloatArray, mean: FloatArray) -> FloatArray:
    """Give x·log(x/mean) + mean - x without cancellation near the mean (Loader 2000); x, mean > 0."""
    difference = x - mean
    v = difference / (x + mean)
    square = v * v
    series = np.zeros_like(v)
    for odd in range(17, 1, -2):
        series = (series + 1.0 / odd) * square
    near: FloatArray = difference * v + 2.0 * x * v * series
    far = x * np.log(x / mean) - difference
    return np.where(np.abs(v) < _NEAR, near, far)


def beta_fraction(a: FloatArray, bx: FloatArray, x: FloatArray) -> FloatArray:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), all of one flat shape.

    It takes b·x instead of b, so that b → ∞ with b·x fixed (the incomplete gamma function) is no special case.
    """
    result = np.empty_like(a)
    left = np.arange(a.size)
    abx = a * x + bx
    c = np.ones_like(a)
    d = 1.0 / _off_zero(1.0 - abx / (a + 1.0))
    h = d.copy()
    for m in range(1, _MOST_ROUNDS):
        a2m = a + 2 * m
        coefficient = m * (bx - m * x) / ((a2m - 1.0) * a2m)
        d = 1.0 / _off_zero(1.0 + coefficient * d)
        c = _off_zero(1.0 + coefficient / c)
        h *= d * c
        coefficient = -(a + m) * (abx + m * x) / (a2m * (a2m + 1.0))
        d = 1.0 / _off_zero(1.0 + coefficient * d)
        c = _off_zero(1.0 + coefficient / c)
        step = d * c
        h *= step
        if m % SHRINK_EVERY:
            continue
        # NaN counts as done, so that bad input cannot keep the others waiting.
        more = np.abs(step - 1.0) > _CLOSE
        result[left[~more]] = h[~more]
        if not more.any():
            return result
        left = left[more]
        a, bx, x, abx, c, d, h = (part[more] for part in (a, bx, x, abx, c, d, h))
    result[left] = h
    return result


def _off_zero(value: FloatArray) -> FloatArray:
    return np.where(np.abs(value) < _TINY, _TINY, value)


def log_complement(log_p: FloatArray) -> FloatArray:
    """Log(1 - exp(log_p)) for log_p ≤ 0."""
    at = np.minimum(log_p, 0.0)
    with np.errstate(divide="ignore"):
        return np.where(at > -math.log(2.0), np.log(-np.expm1(at)), np.log1p(-np.exp(at)))


def normal_quantile(probability: float) -> float:
    """The quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def normal_sf(z: ArrayLike) -> FloatArray:
    """P(Z > z) of the standard normal distribution, with full relative accuracy above zero."""
    scaled = np.asarray(z, dtype=np.float64) / math.sqrt(2.0)
    tail: FloatArray = 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(scaled)
    return tail


def student_sf(t: FloatArray, degrees: FloatArray) -> FloatArray:
    """P(T > t) of Student's t distribution with any positive degrees of freedom, with full relative accuracy above zero.

    Half the incomplete beta function I_x(ν/2, ½) at x = ν/(ν + t²), on the side where its fraction converges (DLMF 8.17).
    """
    t, degrees = (np.array(each, dtype=np.float64) for each in np.broadcast_arrays(t, degrees))
    square = np.where(np.isfinite(t), t, 0.0) ** 2
    x, a = degrees / (degrees + square), degrees / 2.0
    near = x > (a + 1.0) / (a + 2.5)
    log_beta = np.vectorize(_log_beta_half, otypes=[np.float64])(a) if a.size else a
    with np.errstate(divide="ignore"):
        log_front = a * np.log(x) + 0.5 * np.log1p(-x) - log_beta
    first, second = np.where(near, 0.5, a), np.where(near, a, 0.5)
    at = np.where(near, square / (degrees + square), x)
    fraction = beta_fraction(first.ravel(), (second * at).ravel(), at.ravel()).reshape(first.shape)
    part = np.exp(log_front) / first * fraction
    tail: FloatArray = 0.5 * np.where(near, 1.0 - part, part)
    tail = np.where(t < 0, 1.0 - tail, tail)
    tail = np.where(np.isposinf(t), 0.0, np.where(np.isneginf(t), 1.0, tail))
    return np.where(np.isnan(t) | np.isnan(degrees), np.nan, tail)


def _log_beta_half(a: float) -> float:
    """Log B(a, ½)."""
    return math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5) if a > 0 else math.nan


def student_quantile(tail: FloatArray, degrees: FloatArray) -> FloatArray:
    """The t with P(T > t) = `tail`, by halving; ±∞ for 0 and 1."""
    tail, degrees = (np.array(each, dtype=np.float64) for each in np.broadcast_arrays(tail, degrees))
    upper = np.minimum(tail, 1.0 - tail)
    low, high = np.zeros(tail.shape), np.full(tail.shape, 2.0)
    for _ in range(_DOUBLINGS):
        short = student_sf(high, degrees) > upper
        if not short.any():
            break
        high = np.where(short, 2.0 * high, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        beyond = student_sf(middle, degrees) > upper
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    t = np.where(upper > 0, 0.5 * (low + high), np.inf)
    return np.where(np.isnan(tail), np.nan, np.where(tail > 0.5, -t, t))  # noqa: PLR2004 - the middle
