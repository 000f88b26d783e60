"""Adding a site from the page: first a look at what it would be, then the writing; the file stays the only source."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.judging.knowable import known_at
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch
from db.engine import Connection, reading
from db.records import DeclaredBaseline
from monitor.app import App
from monitor.bootstrap import address_test, rule_defaults
from monitor.imports import ImportClock, declared_of
from monitor.sites import Site
from monitor.sites.add import add_sites, try_sites
from monitor.sites.check import feature_id
from monitor.sites.faults import SitesError, SitesFault
from monitor.sites.geometry import area_km2
from monitor.sites.incoming import feature_from_airport, features_from_bytes, kept_words
from monitor.sites.kinds import KINDS
from monitor.sites.overlaps import overlaps
from monitor.sites.watching import site_watches
from monitor.web.adding.request_load import RequestLoad, request_loads
from monitor.web.adding.rule_forecast import MetricPlan, forecast_rules
from monitor.web.views.plan import Plan, draw_plan

_PASTED = Path("the outline")
_FORM = "the form"
# Where on the form a fault is mended, by the key in the file that it names.
_FIELDS = {"name": "name", "kind": "kind", "timezone": "timezone", "id": "site_id", "code": "airport"}


@dataclass(frozen=True, slots=True)
class SiteForm:
    """What the form says; empty fields are left to the file, the airport's table, or the place."""

    airport: str = ""
    geojson: str = ""
    site_id: str = ""
    name: str = ""
    kind: str = ""
    timezone: str = ""

    def field_of(self, fault: SitesFault) -> str:
        """The field beside which a fault is told."""
        key = fault.path.removeprefix("properties.")
        if fault.feature == _FORM or key == "code":
            return "airport"
        return _FIELDS.get(key) or ("airport" if self.airport else "geojson")


@dataclass(frozen=True, slots=True)
class Preview:
    """One site as it would be written, and what would be watched there."""

    site: Site
    kind: str
    plan: Plan
    area_km2: float
    metrics: tuple[MetricPlan, ...]
    looks_a_day: int
    written: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """What adding would do: previews to look at, or the faults to mend."""

    previews: tuple[Preview, ...] = ()
    asked: tuple[RequestLoad, ...] = ()
    faults: tuple[SitesFault, ...] = ()
    beside: Mapping[str, Sequence[SitesFault]] = field(default_factory=dict)
    """The faults by the field of the form where they are mended."""
    notes: tuple[str, ...] = ()
    """What nothing forbids and is seldom meant."""
    features: str = ""
    """What the second step sends back, as GeoJSON text."""


def refused_dry_run(wish: SiteForm, faults: Iterable[SitesFault]) -> DryRun:
    """A dry run that found faults."""
    found = tuple(faults)
    beside: dict[str, list[SitesFault]] = defaultdict(list)
    for fault in found:
        beside[wish.field_of(fault)].append(fault)
    return DryRun(faults=found, beside=beside)


def preview_site(app: App, wish: SiteForm, now: datetime) -> DryRun:
    """Say what adding would do, writing nothing."""
    try:
        features = _features(wish)
        after = try_sites(
            app.sites_file.path,
            features,
            rules=rule_defaults(),
            in_watched_class=address_test(app.classes),
        )
    except SitesError as error:
        return refused_dry_run(wish, error.faults)
    added = [after.by_id[feature_id(each)] for each in features]
    with reading(app.engine) as connection:
        previews = tuple(_preview(connection, app, site, now) for site in added)
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    asked = request_loads(app.feeds.values(), list(app.sites.values()), added)
    shared = overlaps(after.sites, [site.id for site in added])
    notes = (*kept_words(features), *map(str, shared))
    return DryRun(previews, asked, notes=notes, features=text)


def write_sites(app: App, text: str) -> list[str]:
    """Write the sites of a dry run into the sites file and give their ids; raises SitesError or WorkFailed."""
    features = features_from_bytes(_PASTED, text.encode("utf-8"))
    add_sites(
        app.sites_file.path,
        features,
        rules=rule_defaults(),
        in_watched_class=address_test(app.classes),
    )
    return [feature_id(each) for each in features]


def _features(wish: SiteForm) -> list[dict[str, Any]]:
    if bool(wish.airport) == bool(wish.geojson):
        problem = (
            "it names two places, an airport and an outline" if wish.airport else "it names no place at all"
        )
        raise SitesError(_FORM, [SitesFault(_FORM, "", problem, "Give either an airport code or an outline")])
    site_id, name, kind, timezone = (
        each or None for each in (wish.site_id, wish.name, wish.kind, wish.timezone)
    )
    if wish.airport:
        return [feature_from_airport(wish.airport, site_id=site_id, name=name, kind=kind, timezone=timezone)]
    data = wish.geojson.encode("utf-8")
    found = features_from_bytes(_PASTED, data, site_id=site_id, name=name, kind=kind, timezone=timezone)
    if not found:
        mend = "Give at least one feature with a Polygon or a MultiPolygon"
        raise SitesError(_FORM, [SitesFault("the outline", "features", "it holds no feature", mend)])
    return found


def _preview(connection: Connection, app: App, site: Site, now: datetime) -> Preview:
    said = app.settings
    layers = (said.watch, said.lapse_after_days, said.false_alarms_per_site_year)
    watch = site_watches([site], *layers)[site.id]
    flight_feeds = [name for name, feed in app.feeds.items() if feed.watches and feed.scopes([site])]
    stated, _ = declared_of(site, ImportClock(now))
    metrics = forecast_rules(watch, _known(connection, watch, stated, now), app.rules, flight_feeds)
    return Preview(
        site=site,
        kind=KINDS[site.kind].label,
        plan=draw_plan(site),
        area_km2=area_km2(site.geometry),
        metrics=metrics,
        looks_a_day=sum(len(each.metrics) for each in metrics if each.counted_daily),
        written=json.dumps(site.feature, ensure_ascii=False, indent=1),
    )


def _known(
    connection: Connection, watch: SiteWatch, stated: Sequence[DeclaredBaseline], now: datetime
) -> dict[str, KnownHistory]:
    """What is known of each metric, with what the site itself declares."""
    found = {metric: known_at(connection, watch, metric, "", now) for metric in watch.metrics}
    return {
        metric: replace(
            each, declared=[*each.declared, *(one for one in stated if one.series.metric == metric)]
        )
        for metric, each in found.items()
    }
