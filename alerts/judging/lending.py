"""Lending: what a rule of a series cannot spend on a look, whatever it shows, the tail may spend. Pure."""

from dataclasses import replace

import numpy as np

from alerts.baselines.lending import outlook, unspendable
from alerts.baselines.since import chance_a_year
from alerts.promise import ALTERNATIVES, FIRSTS, SEVERITIES, Promise, Severity
from alerts.rules import unlisted_identity
from alerts.rules.contract import Context, History
from db.records import Observation

_LEAST_DAYS = 1.0


def lend(look: Observation, history: History, context: Context) -> Context:
    """The context with what history alone shows to be idle moved to the tail and its alternatives.

    Looks that no rule with a probability judges keep the promise as it is.
    """
    promise = context.promise
    judged = look.usable and not unlisted_identity(look.series.subject, context.watchlist)
    if not judged or not promise.shares.keys() & set(ALTERNATIVES):
        return context
    series = history.series(look)
    since = history.observed_days_since
    days = max(history.observed_days if since is None else since, _LEAST_DAYS)
    found = outlook(series.looks, chance_a_year(np.array([days])))
    lent = {}
    for severity in SEVERITIES:
        idle = unspendable(found, _budget(promise, severity), series.a_year)
        parts = {name: float(part[0]) for name, part in idle.items()}
        parts["first_ever"] = parts["first_since"]
        lent[severity] = {name: part for name, part in parts.items() if part > 0 and name in promise.shares}
    return replace(context, promise=replace(promise, lent=lent))


def _budget(promise: Promise, severity: Severity) -> dict[str, float]:
    """What each rule with a law has a year, the firsts together."""
    a_year = {name: promise.whole_a_year(name, severity) for name in ("record", "absence", "step")}
    return {**a_year, "first_since": max(promise.whole_a_year(name, severity) for name in FIRSTS)}
