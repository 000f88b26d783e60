"""What a rule cannot spend today, whatever is seen, is lent to the tail: known from history alone, so no promise breaks.

Much of a split budget would lie idle: a "first since" within a twentieth of half an alarm a year needs fifteen years of
silence, and a silence at a busy place is a thousand times rarer than its share allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alerts.baselines.absence import ABSENCE_LEAST_EVENTS, silence_p
from alerts.baselines.budget import (
    FIRST_RULES,
    SEVERITIES,
    TAIL_ALTERNATIVES,
    FalseAlarmPromise,
    Severity,
    Spending,
)
from alerts.baselines.model import Looks, Series, cap_outliers, learn_rate
from alerts.baselines.since import Watched, chance_a_year
from alerts.baselines.special import FloatArray
from alerts.baselines.step import STEP_LEAST_LOOKS

LEAST_KEPT_SHARE = 0.05
"""What `absence` keeps where one look without anything is rarer than that."""


@dataclass(frozen=True, slots=True)
class FiringChances:
    """What history says, before today's count, of how often each rule of S series can fire."""

    first_a_year: FloatArray
    """1/(e·g) of the silence up to now."""
    silence_p: FloatArray
    """The chance of nothing at today's look."""
    active_share: FloatArray
    """Share of looks with something in them: each may begin one silence."""
    events: FloatArray
    looks: FloatArray


def reallocate_budget(series: Series, promise: FalseAlarmPromise, known: Watched) -> Spending:
    """The promise with what history alone shows to be idle moved to the tail and its alternatives."""
    whole = Spending(promise, series.a_year, series.kind)
    if not promise.shares.keys() & set(TAIL_ALTERNATIVES):
        return whole
    found = firing_chances(series.looks, chance_a_year(known.silent_days))
    lent: dict[Severity, Mapping[str, FloatArray]] = {}
    for severity in SEVERITIES:
        idle = idle_shares(found, _budget(promise, severity), series.a_year)
        idle["first_ever"] = idle["first_since"]
        lent[severity] = {name: part for name, part in idle.items() if name in promise.shares}
    return Spending(promise, series.a_year, series.kind, lent)


def _budget(promise: FalseAlarmPromise, severity: Severity) -> dict[str, float]:
    """What each rule with a law has a year, the firsts together."""
    a_year = {name: promise.a_year(name, severity) for name in ("absence", "step")}
    return {**a_year, "first_since": max(promise.a_year(name, severity) for name in FIRST_RULES)}


def firing_chances(looks: Looks, first_a_year: FloatArray) -> FiringChances:
    """Look at everything but today's count; `first_a_year` [series] is the law of the gap up to now."""
    past = looks.past
    exposure = np.nan_to_num(looks.today_exposure, nan=1.0)
    rate = learn_rate(cap_outliers(past))
    n = past.member.sum(axis=1)
    active = past.member & (past.counts > 0)
    return FiringChances(
        first_a_year=first_a_year,
        silence_p=silence_p(rate, exposure),
        active_share=active.sum(axis=1) / np.maximum(n, 1),
        events=np.where(active, past.counts, 0.0).sum(axis=1),
        looks=n.astype(np.float64),
    )


def idle_shares(
    found: FiringChances, budget: Mapping[str, float], looks_a_year: FloatArray | float
) -> dict[str, FloatArray]:
    """The fraction [series] of each rule's yearly `budget` that it cannot spend on today's look."""
    first = found.first_a_year > budget["first_since"]
    with np.errstate(invalid="ignore"):
        busy = found.silence_p * found.active_share * looks_a_year <= LEAST_KEPT_SHARE * budget["absence"]
    absence = np.where(found.events < ABSENCE_LEAST_EVENTS, 1.0, np.where(busy, 1.0 - LEAST_KEPT_SHARE, 0.0))
    return {
        "first_since": first.astype(np.float64),
        "absence": absence,
        "step": (found.looks < STEP_LEAST_LOOKS).astype(np.float64),
    }
