"""The negative binomial and its Poisson limit, by mean and size (variance mean + mean²/size), vectorised.

`size` infinite is the Poisson distribution, a negative size one that varies less: counts over their dispersion are then
taken for Poisson's, so that a constant series has a narrow law. Tails are logarithms, so that a probability of 1e-400 still ranks
below one of 1e-350. The probability mass follows Loader (2000), the tails are its multiples by the
continued fraction of the incomplete beta function.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines import scalar
from alerts.baselines.special import (
    BoolArray,
    FloatArray,
    beta_fraction,
    deviance_part,
    log_complement,
    normal_quantile,
    stirling_error,
)

_POISSON_SIZE = 1e300
_LOG_2PI = math.log(2.0 * math.pi)
_LEAST_DEVIATION = 1e-8
_LOG_LEAST = -690.0
_CLOSE = 1e-17
_LEAST_DISPERSION = 1.0 / 30.0
_FEW = 8
"""Up to so many numbers one by one are faster than an array."""


def size_of(mean: ArrayLike, variance: ArrayLike) -> FloatArray:
    """The size that gives this variance; infinite (Poisson) where the variance is at most the mean."""
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = mean * mean / (variance - mean)
    return np.where(np.isnan(mean) | np.isnan(variance), np.nan, np.where(variance > mean, size, np.inf))


def signed_size_of(mean: ArrayLike, variance: ArrayLike) -> FloatArray:
    """The size that gives this variance, negative where it is below the mean, but for a thirtieth of it at least."""
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    excess = np.maximum(variance, _LEAST_DISPERSION * mean) - mean
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = np.where(excess == 0, np.inf, mean * mean / excess)
    return np.where(np.isnan(mean) | np.isnan(variance), np.nan, np.where(mean == 0, np.inf, size))


def size_of_dispersion(mean: ArrayLike, dispersion: ArrayLike) -> FloatArray:
    """The size at which variance is `dispersion` times the mean; Poisson at 1 and below."""
    return size_of(mean, np.asarray(mean, np.float64) * np.asarray(dispersion, np.float64))


def log_pmf(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """Log P(Y = count); counts may be any real number ≥ 0, NaN gives NaN."""
    k, m, r, shape = _flat(count, mean, size)
    return _log_pmf(k, m, r).reshape(shape)


def log_sf(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """Log P(Y ≥ count) for whole counts: the chance of at least so many."""
    k, m, r, shape = _flat(count, mean, size)
    return _log_tail(k, m, r, upper=True).reshape(shape)


def log_cdf(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """Log P(Y ≤ count) for whole counts: the chance of at most so many."""
    k, m, r, shape = _flat(count, mean, size)
    return _log_tail(k + 1.0, m, r, upper=False).reshape(shape)


def sf(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """P(Y ≥ count)."""
    return np.exp(log_sf(count, mean, size))


def cdf(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """P(Y ≤ count)."""
    return np.exp(log_cdf(count, mean, size))


def log_zero(mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """Log P(Y = 0)."""
    return log_pmf(0.0, mean, size)


def quantile(upper_tail: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> FloatArray:
    """The smallest count k with P(Y > k) ≤ `upper_tail`, a probability in (0, 1)."""
    t, m, r, shape = _flat(upper_tail, mean, size)
    answer = np.full(m.shape, np.nan)
    good = np.isfinite(m) & (m >= 0) & _is_size(m, r) & (t > 0) & (t < 1)
    if good.any():
        answer[good] = _search(np.log(t[good]), m[good], r[good])
    return answer.reshape(shape)


def _flat(*values: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, tuple[int, ...]]:
    first, second, third = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in values))
    return first.ravel(), second.ravel(), third.ravel(), first.shape


def _log_pmf(k: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Log mass of flat arrays: saddle-point expansion for k > 0, exact formula for 0."""
    narrow = size < 0
    if narrow.any():
        answer = np.empty_like(k)
        answer[~narrow] = _log_pmf(k[~narrow], mean[~narrow], size[~narrow])
        part = (mean[narrow], size[narrow])
        at_least, more = (_narrow_tail(k[narrow] + step, *part, upper=True) for step in (0.0, 1.0))
        with np.errstate(divide="ignore"):
            answer[narrow] = at_least + np.log(-np.expm1(np.minimum(more - at_least, 0.0)))
        return answer
    r = np.minimum(size, _POISSON_SIZE)
    if k.size <= _FEW:
        return np.array(
            [scalar.scalar_log_pmf(*each) for each in zip(k.tolist(), mean.tolist(), r.tolist(), strict=True)]
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        s = 1.0 / r
        answer = np.where(np.isnan(k), np.nan, -r * np.log1p(mean * s))
        some = (k > 0) & (mean > 0)
        k, mean, r, s = k[some], mean[some], r[some], s[some]
        n = k + r
        ratio = (1.0 + k * s) / (1.0 + mean * s)
        answer[some] = (
            stirling_error(n)
            - stirling_error(r)
            - stirling_error(k)
            - deviance_part(r, r * ratio)
            - deviance_part(k, mean * ratio)
            - 0.5 * (_LOG_2PI + np.log(k) + np.log1p(k * s))
        )
    return answer


def _log_tail(k: FloatArray, mean: FloatArray, size: FloatArray, *, upper: bool) -> FloatArray:
    """Log P(Y ≥ k) or log P(Y < k); whichever side converges faster is computed, the other is its complement."""
    narrow = size < 0
    if narrow.any():
        answer = np.empty_like(k)
        answer[~narrow] = _log_tail(k[~narrow], mean[~narrow], size[~narrow], upper=upper)
        answer[narrow] = _narrow_tail(k[narrow], mean[narrow], size[narrow], upper=upper)
        return answer
    if k.size <= _FEW:
        each = zip(k.tolist(), mean.tolist(), np.minimum(size, _POISSON_SIZE).tolist(), strict=True)
        return np.array([scalar.scalar_log_tail(*one, upper=upper) for one in each])
    answer = np.full(k.shape, np.nan)
    known = (k >= 0) & (mean >= 0) & (size > 0) & np.isfinite(k) & np.isfinite(mean)
    sure = known & ((k == 0) | (mean == 0))
    # Below nothing lies nothing; a mean of zero never counts anything.
    answer[sure] = np.where((k[sure] == 0) == upper, 0.0, -np.inf)
    s = 1.0 / np.minimum(size, _POISSON_SIZE)
    above = known & ~sure & (k + 1.0 > mean * (1.0 + s))
    below = known & ~sure & ~above
    for side, is_upper in ((above, True), (below, False)):
        if side.any():
            part = (_upper if is_upper else _lower)(
                k[side], mean[side], np.minimum(size[side], _POISSON_SIZE)
            )
            answer[side] = part if is_upper == upper else log_complement(part)
    return answer


def _narrow_tail(k: FloatArray, mean: FloatArray, size: FloatArray, *, upper: bool) -> FloatArray:
    """The tail of a count that varies less than Poisson's: over its dispersion φ it is Poisson's, read between whole numbers.

    Y ≥ k is Y > k - ½, so k/φ is reckoned from there.
    """
    phi = 1.0 + mean / size
    with np.errstate(divide="ignore", invalid="ignore"):
        real = np.where(k > 0, np.maximum((k - 0.5) / phi + 0.5, 0.0), k)
        scaled = mean / phi
    whole = np.floor(real)
    share = real - whole
    none = np.full(k.shape, np.inf)
    first = _log_tail(whole, scaled, none, upper=upper)
    second = _log_tail(whole + 1.0, scaled, none, upper=upper)
    with np.errstate(invalid="ignore"):
        return np.where(share > 0, (1.0 - share) * first + share * second, first)


def _is_size(mean: FloatArray, size: FloatArray) -> BoolArray:
    possible: BoolArray = (size > 0) | (-size > mean)
    return possible


def _upper(k: FloatArray, mean: FloatArray, r: FloatArray) -> FloatArray:
    s = 1.0 / r
    x = mean * s / (1.0 + mean * s)
    tail: FloatArray = _log_pmf(k, mean, r) + np.log(beta_fraction(k, mean / (1.0 + mean * s), x))
    return tail


def _lower(k: FloatArray, mean: FloatArray, r: FloatArray) -> FloatArray:
    """Log P(Y < k): a short sum downwards near the Poisson limit, where the fraction would be slow."""
    answer = np.empty_like(k)
    summed = (r >= mean) & (k == np.floor(k))
    if summed.any():
        answer[summed] = _sum_down(k[summed] - 1.0, mean[summed], r[summed])
    rest = ~summed
    if rest.any():
        k, mean, r = k[rest], mean[rest], r[rest]
        x = 1.0 / (1.0 + mean / r)
        answer[rest] = _log_pmf(k, mean, r) + np.log(k / r) + np.log(beta_fraction(r, k * x, x))
    return answer


def _sum_down(top: FloatArray, mean: FloatArray, r: FloatArray) -> FloatArray:
    term, total, j = np.ones_like(top), np.ones_like(top), top.copy()
    left = np.flatnonzero(top > 0)
    base = _log_pmf(top, mean, r)
    s = 1.0 / r
    while left.size:
        at = j[left]
        term[left] *= at * (1.0 + mean[left] * s[left]) / (mean[left] * (1.0 + (at - 1.0) * s[left]))
        total[left] += term[left]
        j[left] -= 1.0
        left = left[(j[left] > 0) & (term[left] > _CLOSE * total[left])]
    log_tail: FloatArray = base + np.log(total)
    return log_tail


def _search(log_tail: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Bracket the quantile round a Cornish-Fisher guess, then halve the bracket."""
    guess = _guess(log_tail, mean, size)
    low, high = guess - 1.0, guess
    step = np.ones_like(mean)
    short = np.flatnonzero(_exceeds(high, log_tail, mean, size))
    while short.size:
        low[short], high[short] = high[short], high[short] + step[short]
        step[short] *= 2.0
        short = short[_exceeds(high[short], log_tail[short], mean[short], size[short])]
    step[:] = 1.0
    long = np.flatnonzero((low >= 0) & (low == guess - 1.0))
    while long.size:
        long = long[~_exceeds(low[long], log_tail[long], mean[long], size[long])]
        high[long], low[long] = low[long], np.maximum(low[long] - step[long], -1.0)
        step[long] *= 2.0
        long = long[low[long] >= 0]
    while (wide := np.flatnonzero(high - low > 1.0)).size:
        middle = np.floor((low[wide] + high[wide]) / 2.0)
        over = _exceeds(middle, log_tail[wide], mean[wide], size[wide])
        low[wide[over]], high[wide[~over]] = middle[over], middle[~over]
    return high


def _guess(log_tail: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    tails, where = np.unique(log_tail, return_inverse=True)
    z = np.array([-normal_quantile(math.exp(max(tail, _LOG_LEAST))) for tail in tails])[where]
    deviation = np.sqrt(mean + mean * mean / size)
    skew = (1.0 + 2.0 * mean / size) / np.maximum(deviation, _LEAST_DEVIATION)
    guess: FloatArray = np.floor(np.maximum(mean + deviation * (z + skew * (z * z - 1.0) / 6.0), 0.0))
    return guess


def _exceeds(count: FloatArray, log_tail: FloatArray, mean: FloatArray, size: FloatArray) -> BoolArray:
    exceeds: BoolArray = _log_tail(count + 1.0, mean, size, upper=True) > log_tail
    return exceeds


def student_p(t_squared: ArrayLike, df: ArrayLike) -> FloatArray:
    """The two-sided p of Student's t, by t²: an incomplete beta function, as the tails above are."""
    t2, degrees, _, shape = _flat(t_squared, df, 0.0)
    answer = np.full(t2.shape, np.nan)
    some = (t2 > 0) & (degrees > 0)
    answer[t2 == 0] = 1.0
    half = degrees[some] / 2.0
    answer[some] = np.exp(_log_tail(half, half / t2[some], np.full(half.shape, 0.5), upper=True))
    return answer.reshape(shape)


def log_incomplete_beta(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> FloatArray:
    """Log I_x(a, b), the regularised incomplete beta function, for a, b > 0 and 0 ≤ x ≤ 1."""
    first, second, third, shape = _flat(a, b, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = second * third / (1.0 - third)
    answer = np.where(third >= 1.0, 0.0, np.nan)
    inside = third < 1.0
    answer[inside] = _log_tail(first[inside], mean[inside], second[inside], upper=True)
    return answer.reshape(shape)
