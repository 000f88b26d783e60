"""What is watched at a site: checking `watch`, `watchlist` and the false-alarm budget, and merging the layers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from alerts.baselines.budget import COUNT_RULES, DEFAULT_BUDGET, SEVERITIES, FalseAlarmBudget
from alerts.metrics import METRICS, Metric
from alerts.watch import LEAST_TOLD_SHARE, PICTURES_TOLD_FROM, RuleParams, SiteWatch, WatchSpec, merge_watch
from monitor.sites import Site
from monitor.sites.countries import country_of
from monitor.sites.faults import Spot, did_you_mean, printable_value
from monitor.sites.fields import is_number, items, known_keys, mapping, no_repeats, number_within
from monitor.sites.kinds import KINDS
from monitor.sites.subjects import subject_fault

RULE_NAMES = (
    "record",
    "first_ever",
    "first_since",
    "watchlist",
    "tail",
    "ears_c1",
    "ears_c2",
    "ears_c3",
    "farrington",
    "absence",
    "step",
    "rate_change",
)
RuleDefaults = Mapping[str, RuleParams | None]
"""Each rule's parameters with their defaults; None where they are not known, so that any scalar passes."""
NO_RULE_DEFAULTS: RuleDefaults = dict.fromkeys(RULE_NAMES)
LEAST_FALSE_ALARMS, MAX_FALSE_ALARMS = 0.001, 366.0


def check_watch(spot: Spot, value: Any, rules: RuleDefaults = NO_RULE_DEFAULTS) -> WatchSpec:
    """A `watch` block: `{metric: {"subjects": […], "rules": {name: {params} | null}}}`."""
    watch = mapping(spot, value)
    for metric, entry in watch.items():
        here = spot.at(metric)
        if metric not in METRICS:
            here.fault("this metric is not known", did_you_mean(metric, METRICS))
        spec = mapping(here, entry)
        known_keys(here, spec, ("subjects", "rules"))
        if spec.get("subjects") is not None:
            check_subjects(here.at("subjects"), spec["subjects"])
        for name, params in mapping(here.at("rules"), spec.get("rules", {})).items():
            _check_rule(here.at("rules", name), name, params, rules)
            if params is not None and name in COUNT_RULES and metric in METRICS:
                _check_law(here.at("rules", name), METRICS[metric])
    return watch


def _check_law(spot: Spot, metric: Metric) -> None:
    if not metric.counted:
        fit = ", ".join(name for name in RULE_NAMES if name not in COUNT_RULES)
        spot.fault(
            f"this rule judges counts, and {metric.name} is measured in {metric.unit}", f"Use some of {fit}"
        )


def _check_rule(spot: Spot, name: str, params: Any, rules: RuleDefaults) -> None:
    if name not in rules:
        spot.fault("this rule is not known", did_you_mean(name, rules))
        return
    if params is None:
        return
    defaults = rules[name]
    for key, value in mapping(spot, params).items():
        _check_param(spot.at(key), key, value, defaults)


def _check_param(spot: Spot, key: str, value: Any, defaults: RuleParams | None) -> None:
    if defaults is not None and key not in defaults:
        advice = did_you_mean(key, defaults) if defaults else "It has none, so write {}"
        spot.fault("the rule has no such parameter", advice)
        return
    default = defaults[key] if defaults is not None else None
    if not _fits(value, default):
        expected = (
            "a number, a text, true or false" if default is None else f"as in {printable_value(default)}"
        )
        spot.fault(f"{printable_value(value)} is the wrong type", f"Write {expected}")


def _fits(value: Any, default: Any) -> bool:
    if default is None:
        return isinstance(value, str | int | float)
    if isinstance(default, bool):
        return isinstance(value, bool)
    if is_number(default):
        return is_number(value)
    return isinstance(value, type(default)) or (isinstance(default, tuple) and isinstance(value, list))


def check_subjects(spot: Spot, value: Any) -> tuple[str, ...]:
    """A list of subjects, each rightly written and none twice."""
    found: list[str] = []
    for here, subject in items(spot, value):
        if not isinstance(subject, str):
            here.fault(f"it is {printable_value(subject)}, not a text", "Write it in quotation marks")
            continue
        fault = subject_fault(subject)
        if fault is not None:
            here.fault(f"{printable_value(subject)} is not a subject: {fault[0]}", fault[1])
        else:
            found.append(subject)
    no_repeats(spot, found, "the subject")
    return tuple(found)


FalseAlarms = Mapping[str, float | Mapping[str, float]] | float | None


def check_false_alarms(spot: Spot, value: Any) -> FalseAlarms:
    """How many false alarms a site and year may have: one number, one per severity, or either for each metric."""
    if not isinstance(value, dict):
        return number_within(spot, value, LEAST_FALSE_ALARMS, MAX_FALSE_ALARMS)
    if value and value.keys() <= set(SEVERITIES):
        return _check_severities(spot, value)
    found: dict[str, float | Mapping[str, float]] = {}
    for metric, budget in value.items():
        here = spot.at(metric)
        if metric not in METRICS:
            here.fault("this metric is not known", did_you_mean(metric, METRICS))
        if isinstance(budget, dict):
            found[metric] = _check_severities(here, budget)
        elif (checked := number_within(here, budget, LEAST_FALSE_ALARMS, MAX_FALSE_ALARMS)) is not None:
            found[metric] = checked
    return found


def check_pictures(spot: Spot, value: Any) -> float | None:
    """From which clear share of a site on a new picture of it is told; None: nobody said, infinite: never."""
    if value is None:
        return None
    if isinstance(value, bool):
        return PICTURES_TOLD_FROM if value else math.inf
    return number_within(spot, value, LEAST_TOLD_SHARE, 1.0)


def _check_severities(spot: Spot, value: Mapping[str, Any]) -> dict[str, float]:
    known_keys(spot, value, SEVERITIES)
    found = {
        name: number_within(spot.at(name), budget, LEAST_FALSE_ALARMS, MAX_FALSE_ALARMS)
        for name, budget in value.items()
    }
    return {name: budget for name, budget in found.items() if budget is not None}


def site_watches(
    sites: Iterable[Site],
    layers: Mapping[str, WatchSpec],
    lapse_after_days: float = 90.0,
    budget: FalseAlarmBudget = DEFAULT_BUDGET,
) -> dict[str, SiteWatch]:
    """Every site's watch: the kind's defaults, under `layers` (settings by kind), under the site's own."""
    sites = list(sites)
    regions = [site for site in sites if site.is_region]
    return {
        site.id: SiteWatch(
            site_id=site.id,
            name=site.name,
            kind=site.kind,
            timezone=site.timezone.key,
            watchlist=site.watchlist,
            metrics=merge_watch(KINDS[site.kind].watch, layers.get(site.kind, {}), site.watch),
            links=site.links,
            regions=tuple(each.id for each in regions if _lies_in(site, each)),
            country=country_of(site),
            lapse_after_days=lapse_after_days,
            budget=budget,
            false_alarms=site.false_alarms_per_site_year,
        )
        for site in sites
    }


def sites_in(region: Site, sites: Iterable[Site]) -> tuple[str, ...]:
    """The ids of the sites that lie in a region, its own among them: there stands what is only known to be somewhere in it."""
    return tuple(site.id for site in sites if _lies_in(site, region))


def _lies_in(site: Site, region: Site) -> bool:
    return site.id == region.id or bool(region.geometry.covers(site.geometry.representative_point()))
