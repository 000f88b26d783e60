"""The promise in a reader's units: how many false alarms a site and year may have, by severity, metric and series. Pure."""

from collections.abc import Mapping
from typing import Any

from alerts.baselines.budget import DEFAULT_BUDGET, SEVERITIES, FalseAlarmBudget


def whole_budget(given: Any, default: FalseAlarmBudget = DEFAULT_BUDGET) -> FalseAlarmBudget:
    """A budget for every severity, from a number (alerts; the others in proportion) or some severities."""
    if isinstance(given, int | float):
        scale = float(given) / default["notify"]
        return {name: value * scale for name, value in default.items()}
    return {**default, **given}


def site_budget(default: FalseAlarmBudget, given: Any, metric: str, metrics: int) -> FalseAlarmBudget:
    """What one metric of a site may cost a year: its own number, or an equal part of the site's."""
    if isinstance(given, Mapping) and metric in given:
        return whole_budget(given[metric], default)
    severities = isinstance(given, Mapping) and given.keys() <= set(SEVERITIES)
    site = whole_budget(given, default) if isinstance(given, int | float) or severities else default
    return {name: value / max(1, metrics) for name, value in site.items()}
