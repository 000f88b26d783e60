"""The tails of `nb` for single numbers: for a few of them plain floats are several times faster than arrays.

Every step is the array's own, logarithms by numpy too, so that a series has the same p alone and in a batch.
"""

import math

import numpy as np

from alerts.baselines.special import SHRINK_EVERY

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_SERIES_FROM = 10
_STEPS = np.arange(float(_SERIES_FROM))
_NEAR = 0.1
_LOG_2PI = math.log(2.0 * math.pi)
_TINY, _CLOSE = 1e-300, 1e-15
_CLOSE_SUM = 1e-17
_MOST_ROUNDS = 20_000


def scalar_log_pmf(k: float, mean: float, size: float) -> float:
    """Log P(Y = k) of a negative binomial, as `nb` has it for arrays; `size` is finite."""
    if math.isnan(k + mean + size):
        return math.nan
    s = 1.0 / size
    if not (k > 0 and mean > 0):
        return -size * _log1p(mean * s) if mean * s > -1 else math.nan
    ratio = (1.0 + k * s) / (1.0 + mean * s)
    return (
        _stirling_error(k + size)
        - _stirling_error(size)
        - _stirling_error(k)
        - _deviance_part(size, size * ratio)
        - _deviance_part(k, mean * ratio)
        - 0.5 * (_LOG_2PI + _log(k) + _log1p(k * s))
    )


def scalar_log_tail(k: float, mean: float, size: float, *, upper: bool) -> float:
    """Log P(Y ≥ k) or log P(Y < k); whichever side converges faster is computed."""
    if not (0 <= k < math.inf and 0 <= mean < math.inf and size > 0):
        return math.nan
    if k == 0 or mean == 0:
        # Below nothing lies nothing; a mean of zero never counts anything.
        return 0.0 if (k == 0) == upper else -math.inf
    above = k + 1.0 > mean * (1.0 + 1.0 / size)
    part = _upper(k, mean, size) if above else _lower(k, mean, size)
    return part if above == upper else _log_complement(part)


def _upper(k: float, mean: float, r: float) -> float:
    s = 1.0 / r
    x = mean * s / (1.0 + mean * s)
    return scalar_log_pmf(k, mean, r) + _log(_fraction(k, mean / (1.0 + mean * s), x))


def _lower(k: float, mean: float, r: float) -> float:
    """Log P(Y < k): a short sum downwards near the Poisson limit, where the fraction would be slow."""
    if r < mean or k != math.floor(k):
        x = 1.0 / (1.0 + mean / r)
        return scalar_log_pmf(k, mean, r) + _log(k / r) + _log(_fraction(r, k * x, x))
    s, at = 1.0 / r, k - 1.0
    base, term, total = scalar_log_pmf(at, mean, r), 1.0, 1.0
    while at > 0 and term > _CLOSE_SUM * total:
        term *= at * (1.0 + mean * s) / (mean * (1.0 + (at - 1.0) * s))
        total += term
        at -= 1.0
    return base + _log(total)


def _fraction(a: float, bx: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), given b·x instead of b."""
    abx = a * x + bx
    c, d = 1.0, 1.0 / _off_zero(1.0 - abx / (a + 1.0))
    h = d
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
        if m % SHRINK_EVERY == 0 and not abs(step - 1.0) > _CLOSE:
            break
    return h


def _log(x: float) -> float:
    return float(np.log(x))


def _log1p(x: float) -> float:
    return float(np.log1p(x))


def _off_zero(value: float) -> float:
    return _TINY if abs(value) < _TINY else value


def _log_complement(log_p: float) -> float:
    at = min(log_p, 0.0)
    if at > -math.log(2.0):
        return _log(-float(np.expm1(at))) if at < 0 else -math.inf
    return _log1p(-float(np.exp(at)))


def _stirling_error(x: float) -> float:
    base = x + _SERIES_FROM if x < _SERIES_FROM else x
    inverse = 1.0 / base
    square = inverse * inverse
    total = _STIRLING[-1]
    for coefficient in _STIRLING[-2::-1]:
        total = total * square + coefficient
    total *= inverse
    if x < _SERIES_FROM:
        logs = np.log1p(1.0 / (x + _STEPS)).tolist()
        for step in range(_SERIES_FROM):
            total += (x + step + 0.5) * logs[step] - 1.0
    return total


def _deviance_part(x: float, mean: float) -> float:
    difference = x - mean
    v = difference / (x + mean)
    if abs(v) >= _NEAR:
        return x * _log(x / mean) - difference
    square, series = v * v, 0.0
    for odd in range(17, 1, -2):
        series = (series + 1.0 / odd) * square
    return difference * v + 2.0 * x * v * series
