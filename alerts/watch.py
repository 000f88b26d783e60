"""What is watched at a site: metrics, subjects and rules, merged from kind, settings and the site itself. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.baselines.budget import (
    BUDGETED_RULES,
    DEFAULT_BUDGET,
    FalseAlarmBudget,
    FalseAlarmPromise,
    shares_of,
)
from alerts.metrics import metric_named
from alerts.occasions import HolidayCalendar
from alerts.promise import site_budget

RuleParams = Mapping[str, Any]
WatchSpec = Mapping[str, Mapping[str, Any]]
"""As written in sites.geojson: `{metric: {"subjects": [...], "rules": {name: {params} | null}}}`."""
PICTURES_TOLD_FROM, LEAST_TOLD_SHARE = 0.8, 0.3
"""From which clear share of a site on a new picture is told where it says no other, and the least that it may say."""


@dataclass(frozen=True, slots=True)
class MetricWatch:
    """One metric's rules; `subjects` None watches every subject that appears."""

    metric: str
    subjects: tuple[str, ...] | None
    rules: Mapping[str, RuleParams]

    def covers(self, subject: str) -> bool:
        """Whether looks of this subject are judged."""
        return self.subjects is None or subject in self.subjects


@dataclass(frozen=True, slots=True)
class SiteWatch:
    """All that judging needs to know of a site; the geometry stays with the monitor."""

    site_id: str
    name: str
    kind: str
    timezone: str
    watchlist: tuple[str, ...] = ()
    metrics: Mapping[str, MetricWatch] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    """The ids of the regions among the sites in which it lies."""
    lapse_after_days: float = 90.0
    country: str = ""
    """The ISO 3166 code of its country, for public holidays; '' where it is not known."""
    budget: FalseAlarmBudget = field(default_factory=lambda: DEFAULT_BUDGET)
    """False alarms a site-year by severity, as the settings say."""
    false_alarms: Any = None
    """What the site itself says: a number, by severity, or by metric; None: as the settings say."""

    @property
    def calendar(self) -> HolidayCalendar:
        """Whose holidays are no ordinary days here."""
        return HolidayCalendar(self.country, self.timezone)

    def promise(
        self, metric: str, series: int = 1, counted: Collection[str] | None = None
    ) -> FalseAlarmPromise:
        """What one of so many series of a metric may cost a year; the site's budget is split evenly, what shares a look taking one part.

        `counted` are the metrics that have a history here: others take no part. None: all that are watched.
        """
        parts = [
            metric_named(name).shares or name
            for name, watch in self.metrics.items()
            if watch.rules.keys() & BUDGETED_RULES and (counted is None or name == metric or name in counted)
        ]
        within = max(1, parts.count(metric_named(metric).shares or metric))
        whole = site_budget(self.budget, self.false_alarms, metric, len(set(parts)) * within)
        rules = self.metrics[metric].rules if metric in self.metrics else ()
        part = {name: value / max(1, series) for name, value in whole.items()}
        return FalseAlarmPromise(part, shares_of(tuple(rules)))


def merge_watch(*layers: WatchSpec) -> dict[str, MetricWatch]:
    """Merge specifications, later over earlier, rule by rule; a rule set to null is switched off."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for metric, spec in layer.items():
            into = merged.setdefault(metric, {"subjects": None, "rules": {}})
            if "subjects" in spec:
                into["subjects"] = spec["subjects"]
            _merge_rules(into["rules"], spec.get("rules", {}))
    return {
        metric: MetricWatch(
            metric,
            None if spec["subjects"] is None else tuple(spec["subjects"]),
            {name: params for name, params in spec["rules"].items() if params is not None},
        )
        for metric, spec in merged.items()
    }


def _merge_rules(into: dict[str, Any], rules: Mapping[str, RuleParams | None]) -> None:
    for name, params in rules.items():
        if params is None:
            into[name] = None
        else:
            into[name] = {**(into.get(name) or {}), **params}
