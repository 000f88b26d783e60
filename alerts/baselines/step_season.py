"""Whether a step is only the season: the same weeks of the year before, at equal exposure."""

import numpy as np

from alerts.baselines import nb
from alerts.baselines.change_rate import LEAST_EVENTS
from alerts.baselines.model import Looks, learn_rate
from alerts.baselines.special import BoolArray, FloatArray, IntArray

DAYS_A_YEAR = 365.25
_CLEARLY = 0.05
_LEAST_SPAN_DAYS = 1.0


def change_day(looks: Looks, days: FloatArray, looks_ago: IntArray) -> FloatArray:
    """The day [series] of the look that began the change, `looks_ago` usable looks ago; NaN where there is none."""
    ahead = looks.member[:, ::-1].cumsum(axis=1)[:, ::-1]
    begins = looks.member & (ahead == looks_ago[:, None])
    return np.where(begins.any(axis=1), days[begins.argmax(axis=1)], np.nan)


def as_last_year(looks: Looks, days: FloatArray, since_day: FloatArray, *, rising: BoolArray) -> BoolArray:
    """Whether the looks since that day [series] were not clearly more (or fewer) than a year before.

    `days` [time] ends today. Without 8 events, or without looks then, last year says nothing.
    """
    today = days[-1]
    now = looks.member & (days >= since_day[:, None])
    then = looks.member & (days >= since_day[:, None] - DAYS_A_YEAR)
    then &= days <= today - DAYS_A_YEAR + _LEAST_SPAN_DAYS
    a, b = (np.where(part, looks.counts, 0.0).sum(axis=1) for part in (now, then))
    e_a, e_b = (np.where(part, looks.exposure, 0.0).sum(axis=1) for part in (now, then))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(rising, e_a, e_b) / (e_a + e_b)
    more, less = np.where(rising, a, b), np.where(rising, b, a)
    phi = learn_rate(looks.past).dispersion
    told = (b >= LEAST_EVENTS) & (e_a > 0) & (e_b > 0)
    alike: BoolArray = told & (more == 0)
    asked = told & ~alike
    p = np.exp(nb.log_incomplete_beta((more / phi)[asked], (less / phi)[asked] + 1.0, share[asked]))
    alike[asked] = p > _CLEARLY
    return alike
