"""Rate of change (R8): the newest looks against those before, at equal exposure, for digests."""

from dataclasses import dataclass

import numpy as np

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.model import Looks, learn_rate
from alerts.baselines.special import FloatArray

RATE_CHANGE_LEAST_EVENTS = 8
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class RateChange:
    """Of S series: "`ratio` times the looks before, at equal exposure (95 %: `low`–`high`)"."""

    answers: Answers
    ratio: FloatArray
    low: FloatArray
    high: FloatArray


def judge_rate_change(looks: Looks, newest: int, before: int, *, interval: bool = True) -> RateChange:
    """Compare the newest `newest` looks with the `before` looks preceding them.

    Of N events so many fall in the newest part by Binomial(N, E_A/(E_A + E_B)); counts are divided by the
    dispersion, which makes fewer independent events of clustered ones. Two-sided. Without `interval`, which
    takes most of the time, low and high are NaN.
    """
    width = looks.counts.shape[1]
    split, start = max(0, width - newest), max(0, width - newest - before)
    parts = looks.window(slice(split, None)), looks.window(slice(start, split))
    x_a, x_b = (np.where(part.member, part.counts, 0.0).sum(axis=1) for part in parts)
    e_a, e_b = (np.where(part.member, part.exposure, 0.0).sum(axis=1) for part in parts)
    # Dispersion about each part's own level, so that the change itself is not taken for noise.
    rates = [learn_rate(part) for part in parts]
    n = sum(rate.n for rate in rates)
    phi = sum(np.nan_to_num(rate.dispersion) * rate.n for rate in rates) / np.maximum(n, 1)
    phi = np.maximum(phi, 1.0)
    a, b = x_a / phi, x_b / phi
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = e_a / e_b
        share = e_a / (e_a + e_b)
        ratio = (x_a / x_b) / odds
    p = np.minimum(1.0, 2.0 * np.minimum(_at_least(a, b, share), _at_least(b, a, 1.0 - share)))
    low, high = _interval(a, b) if interval else np.full((2, *a.shape), np.nan)
    needs = np.ceil(np.maximum(0.0, RATE_CHANGE_LEAST_EVENTS - (x_a + x_b))).astype(np.int64)
    observed = (e_a > 0) & (e_b > 0)
    settled = answer_by_p("rate_change", p, observed=observed, needs=needs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return RateChange(settled, ratio, low / (1.0 - low) / odds, high / (1.0 - high) / odds)


def _at_least(a: FloatArray, b: FloatArray, share: FloatArray) -> FloatArray:
    """P(X ≥ a) of a + b trials; counts divided by a dispersion need not be whole."""
    return np.where(a > 0, np.exp(nb.log_incomplete_beta(a, b + 1.0, share)), 1.0)


def _interval(a: FloatArray, b: FloatArray, tail: float = 0.025) -> tuple[FloatArray, FloatArray]:
    """The exact (Clopper-Pearson) interval of the newest part's share, by halving."""
    low, high = np.zeros((2, *a.shape)), np.ones((2, *a.shape))
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        rare = np.stack([_at_least(a, b, middle[0]) < tail, _at_least(b, a, 1.0 - middle[1]) >= tail])
        low, high = np.where(rare, middle, low), np.where(rare, high, middle)
    lower, upper = low[0], high[1]
    return np.where(a > 0, lower, 0.0), np.where(b > 0, upper, 1.0)
