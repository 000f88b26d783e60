"""Keeping promises: bounds from the class's own past scores, what a budget allows, episodes, and chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines import nb
from alerts.baselines.special import BoolArray, FloatArray, IntArray

WARM_UP_DAYS = 180
WINDOW_DAYS = 365
GUARD_DAYS = 2
DAYS_A_YEAR = 365.25
REFRACTORY_DAYS = 7.0
QUIET_P = 0.2


@dataclass(frozen=True, slots=True)
class Bound:
    """Alarm strictly above `score`; infinite, with `needs` past scores missing, where none can be promised."""

    score: float
    n: int
    needs: int


def score_of(log_p: ArrayLike) -> FloatArray:
    """The score of a p: -log₁₀ p."""
    score: FloatArray = np.asarray(log_p, np.float64) / -math.log(10.0)
    return score


def bound(past_scores: ArrayLike, false_alarms_a_year: float, looks_a_year: float, warm_up: int = 0) -> Bound:
    """The strict upper empirical quantile of a class's past scores (NaN = not evaluated).

    A new score exceeds the j-th largest of n with chance j/(n+1), so j is the whole part of (n+1)·F/L. Below
    one, or below the warm-up, the bound is infinite: pool more sites.
    """
    scores = np.asarray(past_scores, np.float64).ravel()
    scores = np.sort(scores[~np.isnan(scores)])
    share = min(1.0, false_alarms_a_year / looks_a_year)
    least = max(math.ceil(1.0 / share - 1e-9) - 1, warm_up)
    if len(scores) < least:
        return Bound(math.inf, len(scores), least - len(scores))
    allowed = min(len(scores), math.floor((len(scores) + 1) * share + 1e-9))
    return Bound(float(scores[-allowed]), len(scores), 0)


@dataclass(frozen=True, slots=True)
class Rolling:
    """Alarms of a pooled class day by day, with the bound of each day (infinite while warming up)."""

    alarm: BoolArray
    bounds: FloatArray


def rolling(
    scores: FloatArray,
    false_alarms_a_year: float,
    looks_a_year: float = DAYS_A_YEAR,
    confirmed: BoolArray | None = None,
) -> Rolling:
    """Judge each day of [sites, days] against the class's scores of the past 365 days less the newest two.

    Scores of `confirmed` events are left out. The first 180 days only warm up.
    """
    known = scores if confirmed is None else np.where(confirmed, np.nan, scores)
    days = scores.shape[1]
    bounds = np.full(days, np.inf)
    for day in range(WARM_UP_DAYS, days):
        window = known[:, max(0, day - WINDOW_DAYS) : max(0, day - GUARD_DAYS)]
        bounds[day] = bound(window, false_alarms_a_year, looks_a_year).score
    with np.errstate(invalid="ignore"):
        return Rolling(scores > bounds, bounds)


def alpha_for(false_alarms_a_year: ArrayLike, share: float, looks_a_year: ArrayLike) -> FloatArray:
    """The chance a look that a share of the yearly budget allows, at most a half: F·share/L."""
    looks = np.maximum(np.asarray(looks_a_year, np.float64), 1e-9)
    return np.minimum(0.5, np.asarray(false_alarms_a_year, np.float64) * share / looks)


def usable_looks_a_year(member: BoolArray, days: FloatArray) -> FloatArray:
    """Usable looks in the last year, L_eff, so that cloudy winters keep the promise; `days` [time] ends today."""
    recent = days > days[-1] - DAYS_A_YEAR
    span = min(DAYS_A_YEAR, max(1.0, float(days[-1] - days[0])))
    looks: FloatArray = (member & recent).sum(axis=1) * (DAYS_A_YEAR / span)
    return looks


@dataclass(frozen=True, slots=True)
class Promise:
    """Alarms a site-year: promised, and attainable with whole counts."""

    promised: float
    attainable: float


def promise(alpha: ArrayLike, mean: ArrayLike, size: ArrayLike, looks_a_year: float) -> Promise:
    """Compare what is promised with what whole counts allow, averaged over series."""
    chance = np.broadcast_to(np.asarray(alpha, np.float64), np.shape(mean))
    allowed = nb.sf(nb.quantile(chance, mean, size) + 1.0, mean, size)
    return Promise(float(np.mean(chance)) * looks_a_year, float(np.mean(allowed)) * looks_a_year)


def episodes(
    alarm: BoolArray, days: FloatArray, p: FloatArray | None = None, refractory_days: float = REFRACTORY_DAYS
) -> IntArray:
    """Number the episode of each alarm of [sites, looks], 0 where there is none.

    An alarm within the refractory time of the last one belongs to its episode, and so does a later one while
    no look between has quieted down to p > 0.2.
    """
    number = np.zeros(alarm.shape, dtype=np.int64)
    for site, row in enumerate(alarm):
        last, count = -1, 0
        for look in np.flatnonzero(row).tolist():
            near = last >= 0 and bool(days[look] - days[last] <= refractory_days)
            unquiet = last >= 0 and p is not None and not bool((p[site, last + 1 : look] > QUIET_P).any())
            if not (near or unquiet):
                count += 1
            number[site, look] = count
            last = look
    return number


def chance_today(sites: int, false_alarms_a_year: float) -> float:
    """How many alarms chance alone gives on one day: sites × F/365."""
    return sites * false_alarms_a_year / 365.0


def rate_interval(events: int, site_years: float, tail: float = 0.025) -> tuple[float, float]:
    """Garwood's exact interval of events a site-year, as χ² quantiles give it, by halving the Poisson mean."""
    low = _poisson_mean(events, tail) if events else 0.0
    return low / site_years, _poisson_mean(events + 1, 1.0 - tail) / site_years


def _poisson_mean(count: int, tail: float) -> float:
    """The mean at which P(Y ≥ count) = tail."""
    low, high = 0.0, 10.0 * count + 50.0
    for _ in range(100):
        middle = (low + high) / 2.0
        if float(nb.sf(count, middle)) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
