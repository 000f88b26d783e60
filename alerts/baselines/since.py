"""First seen and first since (R5): how long it was watched without one, and how often that ends by chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.answers import Answers, answer
from alerts.baselines.model import Looks
from alerts.baselines.special import BoolArray, FloatArray

LEAST_OBSERVED_DAYS = 90.0
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Since:
    """Of the newest look of S series: "first since …: `gap_days` observed days without one"."""

    answers: Answers
    """`p` is the chance law of one look: alarms a year over looks a year; `needs` is in observed days."""
    gap_days: FloatArray
    """Observed days without one before this look, outages left out."""
    observed_days: FloatArray
    first_ever: BoolArray
    chance_a_year: FloatArray
    """At any steady rate such gaps end by chance at most so often a year."""


def judge_since(
    looks: Looks,
    look_days: ArrayLike,
    looks_a_year: ArrayLike,
    false_alarms_a_year: ArrayLike,
    watched: int = 1,
) -> Since:
    """Judge a positive newest look; `look_days` [time] or [series, time] is how many days each look stands for.

    Only looks with a count were observed, for their share of exposure. `watched` categories under watch at
    once multiply the chance. A newest look without any is evaluated and cannot fire.
    """
    days = np.broadcast_to(np.asarray(look_days, np.float64), looks.counts.shape)
    past = looks.past
    watched_days = np.where(past.seen, days[:, :-1] * np.nan_to_num(past.exposure), 0.0)
    positive = past.counts > 0
    times = past.counts.shape[1]
    last = np.max(np.where(positive, np.arange(times), -1), axis=1, initial=-1)
    after = np.arange(times) > last[:, None]
    gap = np.where(after, watched_days, 0.0).sum(axis=1)
    observed_days = watched_days.sum(axis=1)
    chance = chance_a_year(gap, watched)
    today = looks.today
    observed = np.isfinite(today)
    p = np.where(today > 0, np.minimum(1.0, chance / np.asarray(looks_a_year, np.float64)), 1.0)
    needs = np.ceil(np.maximum(0.0, LEAST_OBSERVED_DAYS - observed_days)).astype(np.int64)
    alpha = np.asarray(false_alarms_a_year, np.float64) / np.asarray(looks_a_year, np.float64)
    settled = answer("first_since", p, observed=observed, needs=needs, alpha=np.minimum(alpha, 0.5))
    return Since(settled, gap, observed_days, last < 0, chance)


def chance_a_year(gap_days: ArrayLike, watched: int = 1) -> FloatArray:
    """The most alarms a year that a steady rate can cause: 1/(e·g), g in years; infinite without a gap."""
    with np.errstate(divide="ignore"):
        chance: FloatArray = watched * DAYS_A_YEAR / (math.e * np.asarray(gap_days, np.float64))
    return chance


def chance_alarms(rate_a_year: ArrayLike, gap_days: ArrayLike) -> FloatArray:
    """Alarms a year at a known steady rate λ: λ·exp(-λg)."""
    rate = np.asarray(rate_a_year, np.float64)
    alarms: FloatArray = rate * np.exp(-rate * np.asarray(gap_days, np.float64) / DAYS_A_YEAR)
    return alarms


def chance_on_a_day(gap_days: ArrayLike) -> FloatArray:
    """The chance of one on a given day after g silent observed days, from the silence alone: 1 - √(g/(g+1))."""
    gap = np.asarray(gap_days, np.float64)
    chance: FloatArray = 1.0 - np.sqrt(gap / (gap + 1.0))
    return chance


def chance_new(visits_by_identity: ArrayLike) -> float:
    """The chance that the next visitor was never seen: share of visits by those seen once (Good 1953).

    Without any visit the answer is NaN: nothing is known.
    """
    visits = np.asarray(visits_by_identity, np.float64)
    total = float(visits.sum())
    return float((visits == 1).sum()) / total if total > 0 else math.nan


def new_identity_fires(
    visits_by_identity: ArrayLike, visits_a_year: float, false_alarms_a_year: float
) -> bool:
    """Whether a new identity may alarm outside a watch category: chance of a new one × visits a year fits the budget."""
    chance = chance_new(visits_by_identity)
    return bool(chance * visits_a_year <= false_alarms_a_year)
