"""Absence (R6): how unlikely a silent stretch is, counting only looks that could have shown something."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer
from alerts.baselines.model import Looks, Rate, learn_rate, tame
from alerts.baselines.special import FloatArray, IntArray, log_gamma

LEAST_EVENTS = 10


@dataclass(frozen=True, slots=True)
class Absence:
    """Of the newest look of S series: "usually `active_share` of looks show activity; none in `silent` usable looks"."""

    answers: Answers
    """It fires where p first falls to alpha or below, and never again in the same stretch."""
    silent: IntArray
    """Usable looks without any, up to today."""
    not_counted: IntArray
    """Looks in the stretch that could not show anything (cloud, outage)."""
    active_share: FloatArray
    expected: FloatArray
    """What the stretch would usually have shown; NaN where today is not silent."""


def judge_absence(looks: Looks, looks_a_year: ArrayLike, false_alarms_a_year: ArrayLike) -> Absence:
    """Judge a silent stretch that today's look belongs to, against the looks before it.

    Law: each active look begins at most one stretch, so chance alarms a year are active looks a year × p.
    """
    member, y = looks.member, looks.counts
    times = y.shape[1]
    active = member & (y > 0)
    seen_active = np.where(looks.seen & (y > 0), np.arange(times), -1).max(axis=1)
    in_stretch = np.arange(times) > seen_active[:, None]
    silent_looks = member & in_stretch
    before = Looks(y, looks.exposure, looks.kind, member & ~in_stretch, looks.faults)
    exposure = np.where(silent_looks, looks.exposure, 0.0)
    stretch = exposure.sum(axis=1)
    p, earlier, expected = np.full((3, len(y)), np.nan)
    silent = silent_looks[:, -1]
    if silent.any():
        rate = learn_rate(tame(before.rows(silent)))
        p[silent] = silence_p(rate, stretch[silent])
        earlier[silent] = silence_p(rate, (stretch - exposure[:, -1])[silent])
        expected[silent] = rate.per_exposure * stretch[silent]
    share = active.sum(axis=1) / np.maximum(before.member.sum(axis=1), 1)
    stretches = share * np.asarray(looks_a_year, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = np.minimum(np.asarray(false_alarms_a_year, np.float64) / stretches, 0.05)
    events = np.where(active[:, :-1], y[:, :-1], 0.0).sum(axis=1)
    needs = np.ceil(np.maximum(0.0, LEAST_EVENTS - events)).astype(np.int64)
    # A look with something in it ends the stretch: nothing is absent.
    p = np.where(y[:, -1] > 0, 1.0, p)
    with np.errstate(invalid="ignore"):
        alpha = np.where(earlier > alpha, alpha, -1.0)
    settled = answer("absence", p, observed=looks.seen[:, -1], needs=needs, alpha=alpha)
    hidden = (in_stretch & ~member).sum(axis=1)
    return Absence(settled, silent_looks.sum(axis=1), hidden, share, expected)


def silence_p(rate: Rate, exposure: FloatArray) -> FloatArray:
    """The predictive negative binomial's chance of nothing in so much exposure; at φ 1 it is (Σe/(Σe+G))^S."""
    mean = rate.per_exposure * exposure
    variance = rate.cautious_dispersion * mean * (1.0 + mean / rate.events)
    return np.exp(nb.log_zero(mean, nb.size_of(mean, variance)))


def silence_p_presence(active: ArrayLike, inactive: ArrayLike, silent: ArrayLike) -> FloatArray:
    """The same where only presence is known: B(a, b+k)/B(a, b) with a and b half a look above the counts."""
    a = np.asarray(active, np.float64) + 0.5
    b = np.asarray(inactive, np.float64) + 0.5
    k = np.asarray(silent, np.float64)
    return np.exp(log_gamma(b + k) - log_gamma(b) + log_gamma(a + b) - log_gamma(a + b + k))
