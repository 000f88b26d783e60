"""First seen and first since (R5): how long it was watched without one, and how often that ends by chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.model import DAYS_A_YEAR, LONGEST_SPAN_DAYS, Series
from alerts.baselines.special import BoolArray, FloatArray, IntArray

_LEAST_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class Watched:
    """How long S series were watched before the judged look, in days; NaN since a sighting that never was."""

    looks: IntArray
    observed_days: FloatArray
    since_days: FloatArray
    """Those since the last sighting."""
    gap_days: FloatArray
    """All days since the last sighting ended, observed or not."""

    @property
    def seen(self) -> BoolArray:
        """Whether it was ever seen before."""
        before: BoolArray = ~np.isnan(self.gap_days)
        return before

    @property
    def silent_days(self) -> FloatArray:
        """Observed days up to now without one."""
        return np.maximum(
            np.where(np.isnan(self.since_days), self.observed_days, self.since_days), _LEAST_DAYS
        )


@dataclass(frozen=True, slots=True)
class First:
    """Of the judged look of S series: the first ever, or the first since `days` observed days."""

    answers: Answers
    """`p` is the law's chance of one look; `needs` is in looks (ever) or observed days (since)."""
    chance_a_year: FloatArray
    """At any steady rate such gaps end by chance at most so often a year."""


def watched(series: Series) -> Watched:
    """How long these series themselves were watched.

    A flow's look was watched for its share of its period, a snapshot stands for the time since the one before it, but
    for no more than 30 days.
    """
    past, days = series.looks.past, series.days[:-1]
    looked = past.seen | np.isfinite(past.exposure)
    if series.looks.kind == "flow":
        each = np.where(looked, np.nan_to_num(past.exposure) * series.period_days, 0.0)
    else:
        each = np.where(looked, np.clip(days - _previous(looked, days), 0.0, LONGEST_SPAN_DAYS), 0.0)
    at = np.where(past.counts > 0, days + series.period_days, -np.inf)
    last = at.max(axis=1, initial=-np.inf)[:, None]
    since = np.where(days >= last, each, 0.0)
    # One after the other, as records are added up.
    observed, after = (np.cumsum(part, axis=1)[:, -1:].sum(axis=1) for part in (each, since))
    never = np.isinf(last[:, 0])
    return Watched(
        looked.sum(axis=1),
        observed,
        np.where(never, np.nan, after),
        np.where(never, np.nan, 0.0 - last[:, 0]),
    )


def _previous(looked: BoolArray, days: FloatArray) -> FloatArray:
    """The day of the look before each look; its own day where there is none."""
    at = np.where(looked, days, -np.inf)
    before = np.maximum.accumulate(at, axis=1)
    before = np.concatenate([np.full((len(at), 1), -np.inf), before[:, :-1]], axis=1)
    return np.where(np.isinf(before), days, before)


def judge_first_ever(
    series: Series, known: Watched, *, min_looks: float = 20, min_observed_days: float = 90.0
) -> First:
    """Judge a first sighting: after enough looks, of flows also after enough observed days."""
    days = np.maximum(known.observed_days, _LEAST_DAYS)
    enough = known.looks >= min_looks
    if series.looks.kind == "flow":
        enough |= known.observed_days >= min_observed_days
    needs = np.where(enough, 0, np.maximum(1, np.ceil(min_looks - known.looks)))
    return _first("first_ever", series, days, needs, ~known.seen)


def judge_first_since(
    series: Series, known: Watched, *, min_gap_days: float = 365.0, min_observed_days: float = 90.0
) -> First:
    """Judge a sighting after a long gap, of which enough days were observed."""
    days = np.maximum(known.since_days, _LEAST_DAYS)
    with np.errstate(invalid="ignore"):
        long = known.gap_days >= min_gap_days
    missing = np.where(long, np.maximum(0.0, min_observed_days - known.since_days), 0.0)
    needs = np.where(missing > 0, np.maximum(1, np.round(missing)), 0)
    return _first("first_since", series, days, needs, long)


def _first(rule: str, series: Series, days: FloatArray, needs: FloatArray, asked: BoolArray) -> First:
    """`asked` are series whose sighting would be such a first."""
    today = series.looks.today
    chance = chance_a_year(days)
    there = np.nan_to_num(today) > 0
    p = np.where(there & asked, np.minimum(1.0, chance / series.a_year), 1.0)
    if rule == "first_since":
        # Without any earlier sighting nothing is known of a gap.
        p = np.where(there & np.isnan(days), np.nan, p)
    short = np.where(there & asked, needs, 0).astype(np.int64)
    settled = answer_by_p(rule, p, observed=np.isfinite(today), needs=short, news=there & asked)
    return First(settled, chance)


def chance_a_year(gap_days: ArrayLike) -> FloatArray:
    """The most alarms a year that a steady rate can cause: 1/(e·g), g in years; infinite without a gap."""
    with np.errstate(divide="ignore"):
        chance: FloatArray = DAYS_A_YEAR / (math.e * np.asarray(gap_days, np.float64))
    return chance


def chance_new(visits_by_identity: ArrayLike) -> float:
    """The chance that the next visitor was never seen: share of visits by those seen once (Good 1953).

    Without any visit the answer is NaN: nothing is known.
    """
    visits = np.asarray(visits_by_identity, np.float64)
    total = float(visits.sum())
    return float((visits == 1).sum()) / total if total > 0 else math.nan
