"""Adding a site from the page: first a look at what it would be, then the writing; the file stays the only source."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.bootstrap import App, rule_defaults
from monitor.kinds import KINDS
from monitor.sites import Site
from monitor.sites.add import add_sites, try_sites
from monitor.sites.check import feature_id
from monitor.sites.faults import Fault, SitesError
from monitor.sites.geometry import area_km2
from monitor.sites.incoming import feature_from_airport, features_from_bytes
from monitor.sites.watching import site_watches
from monitor.web import wording
from monitor.web.plan import Plan, draw_plan

_PASTED = Path("the pasted GeoJSON")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says; empty fields are left to the file, the airport's table, or the place."""

    airport: str = ""
    geojson: str = ""
    site_id: str = ""
    name: str = ""
    kind: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """One site as it would be written, and what would be watched there."""

    site: Site
    kind: str
    plan: Plan
    area_km2: float
    watched: tuple[tuple[str, tuple[str, ...]], ...]
    feeds: tuple[str, ...]
    written: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """What adding would do: previews to look at, or the faults to mend."""

    previews: tuple[Preview, ...] = ()
    faults: tuple[Fault, ...] = ()
    features: str = ""
    """What the second step sends back, as GeoJSON text."""


def try_wish(app: App, wish: Wish) -> DryRun:
    """Say what adding would do, writing nothing."""
    try:
        features = _features(wish)
        after = try_sites(app.sites_file.path, features, rules=rule_defaults())
    except SitesError as error:
        return DryRun(faults=error.faults)
    ids = [feature_id(each) for each in features]
    previews = tuple(_preview(app, after.by_id[each]) for each in ids)
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    return DryRun(previews, (), text)


def write_sites(app: App, text: str) -> list[str]:
    """Write the sites of a dry run into the sites file and give their ids; raises SitesError or WorkFailed."""
    features = features_from_bytes(_PASTED, text.encode("utf-8"))
    add_sites(app.sites_file.path, features, rules=rule_defaults())
    return [feature_id(each) for each in features]


def _features(wish: Wish) -> list[dict[str, Any]]:
    if bool(wish.airport) == bool(wish.geojson):
        fault = Fault(
            "the form", "", "it names no single place", "Give either an airport code or an outline, not both"
        )
        raise SitesError("the form", [fault])
    if wish.airport:
        return [
            feature_from_airport(
                wish.airport,
                site_id=wish.site_id or None,
                name=wish.name or None,
                kind=wish.kind or None,
                timezone=wish.timezone or None,
            )
        ]
    return features_from_bytes(
        _PASTED,
        wish.geojson.encode("utf-8"),
        site_id=wish.site_id or None,
        name=wish.name or None,
        kind=wish.kind or None,
        timezone=wish.timezone or None,
    )


def _preview(app: App, site: Site) -> Preview:
    watch = site_watches([site], app.settings.watch, app.settings.lapse_after_days)[site.id]
    return Preview(
        site=site,
        kind=KINDS[site.kind].label,
        plan=draw_plan(site),
        area_km2=area_km2(site.geometry),
        watched=tuple(
            (wording.metric_words(each.metric), tuple(rule.replace("_", " ") for rule in each.rules))
            for each in watch.metrics.values()
        ),
        feeds=tuple(name for name, feed in app.feeds.items() if site.flies or not feed.watches),
        written=json.dumps(site.feature, ensure_ascii=False, indent=1),
    )
