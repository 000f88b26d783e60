"""Absence (R6): how unlikely a silent stretch is, counting only looks that could have shown something."""

from dataclasses import dataclass

import numpy as np

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.level import LOWER_LEAST_LOOKS, find_levels
from alerts.baselines.model import EventRate, Looks, cap_outliers, learn_rate
from alerts.baselines.special import BoolArray, FloatArray, IntArray

ABSENCE_LEAST_EVENTS = 10
_MOST_ALPHA = 0.05
_SURGE = 2.0


@dataclass(frozen=True, slots=True)
class Absence:
    """Of the newest look of S series: "usually `active_share` of looks show activity; none in `silent` usable looks"."""

    answers: Answers
    """`p` is the chance of so long a stretch, 1 where something was there."""
    before: FloatArray
    """P of the stretch before the newest look; NaN where it is not silent."""
    silent: IntArray
    """Usable looks without any, up to today."""
    not_counted: IntArray
    """Looks in the stretch that could not show anything (cloud, outage)."""
    active_share: FloatArray
    expected: FloatArray
    """What the stretch would usually have shown; NaN where today is not silent."""

    def crosses(self, false_alarms_a_year: FloatArray, looks_a_year: FloatArray) -> BoolArray:
        """Whether p first falls to what is allowed: it never does again in the same stretch.

        Law: each active look begins at most one stretch, so chance alarms a year are active looks a year × p.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            alpha = np.minimum(false_alarms_a_year / (self.active_share * looks_a_year), _MOST_ALPHA)
            crossed: BoolArray = self.answers.fires(alpha) & (self.before > alpha)
        return crossed


def judge_absence(looks: Looks) -> Absence:
    """Judge the silent stretch that today's look belongs to, against the looks before it."""
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
        rate = present_rate(before.rows(silent))
        p[silent] = silence_p(rate, stretch[silent])
        earlier[silent] = silence_p(rate, (stretch - exposure[:, -1])[silent])
        expected[silent] = rate.per_exposure * stretch[silent]
    share = active.sum(axis=1) / np.maximum(before.member.sum(axis=1), 1)
    events = np.where(active[:, :-1], y[:, :-1], 0.0).sum(axis=1)
    needs = np.ceil(np.maximum(0.0, ABSENCE_LEAST_EVENTS - events)).astype(np.int64)
    # A look with something in it ends the stretch: nothing is absent.
    p = np.where(y[:, -1] > 0, 1.0, p)
    settled = answer_by_p("absence", p, observed=looks.seen[:, -1], needs=needs, news=silent)
    hidden = (in_stretch & ~member).sum(axis=1)
    return Absence(settled, earlier, silent_looks.sum(axis=1), hidden, share, expected)


def present_rate(before: Looks) -> EventRate:
    """The rate that a silence is judged by: of all looks but those of surges, or of the present level once it has lasted.

    A surge that ended makes no silence rarer. A level of few looks may be the quiet or the busy part of a year.
    """
    exposure = np.where(before.member, before.exposure, 0.0)
    levels = find_levels(before.counts, exposure, before.member)
    whole = learn_rate(cap_outliers(before))
    moved = np.flatnonzero(levels.moved)
    if not moved.size:
        return whole
    own, ratio = before.rows(moved), levels.ratio[moved]
    surge = ratio > _SURGE * np.nanmedian(np.where(own.member, ratio, np.nan), axis=1)[:, None]
    lasting = (own.member & levels.present[moved]).sum(axis=1) >= LOWER_LEAST_LOOKS
    used = np.where(lasting[:, None], levels.present[moved], ~surge)
    part = learn_rate(cap_outliers(Looks(own.counts, own.exposure, own.kind, own.member & used, own.faults)))
    for all_of_them, those in zip(whole.parts(), part.parts(), strict=True):
        all_of_them[moved] = those
    return whole


def silence_p(rate: EventRate, exposure: FloatArray) -> FloatArray:
    """The predictive negative binomial's chance of nothing in so much exposure; at φ 1 it is (Σe/(Σe+G))^S."""
    mean = rate.per_exposure * exposure
    variance = rate.cautious_dispersion * mean * (1.0 + mean / rate.events)
    return np.exp(nb.log_zero(mean, nb.size_of(mean, variance)))
