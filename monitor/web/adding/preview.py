"""Adding a site from the page: first a look at what it would be, then the writing; the file stays the only source."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.judging.knowable import histories_at, known_at
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch
from db.engine import Connection, reading
from db.records import DeclaredBaseline
from db.said import phrase
from monitor.app import App
from monitor.bootstrap import address_test, rule_defaults
from monitor.imports import ImportClock, declared_of
from monitor.sites import Site
from monitor.sites.add import add_sites, try_sites
from monitor.sites.check import feature_id
from monitor.sites.choosing import Choice, SeveralPlacesError, place_names
from monitor.sites.drawings import Drawing, read_drawing
from monitor.sites.faults import SitesError, SitesFault, printable_value
from monitor.sites.geometry import area_km2
from monitor.sites.incoming import (
    NewSites,
    Told,
    feature_from_airport,
    features_from_bytes,
    kept_words,
    place_from_text,
    sites_in_drawing,
    swap_questions,
)
from monitor.sites.kinds import KINDS
from monitor.sites.overlaps import overlaps
from monitor.sites.watching import site_watches
from monitor.web.adding.request_load import RequestLoad, request_loads
from monitor.web.adding.rule_forecast import MetricPlan, forecast_rules
from monitor.web.views.plan import Plan, draw_plan

_PASTED = phrase("the outline")
_FORM = phrase("the form")
# Where on the form a fault is mended, by the key in the file that it names.
_FIELDS = {"name": "name", "kind": "kind", "timezone": "timezone", "id": "site_id", "code": "airport"} | {
    "place": "place",
    "radius": "radius",
}


@dataclass(frozen=True, slots=True)
class SiteForm:
    """What the form says; empty fields are left to the file, the airport's table, or the place."""

    airport: str = ""
    place: str = ""
    radius: str = ""
    geojson: str = ""
    site_id: str = ""
    name: str = ""
    kind: str = ""
    timezone: str = ""
    chosen: tuple[str, ...] = ()
    """Which places of a file with several."""
    upload: tuple[str, bytes] | None = None
    """A file as it was sent: what it is called, and its bytes."""

    def field_of(self, fault: SitesFault) -> str:
        """The field beside which a fault is told."""
        key = fault.path.removeprefix("properties.")
        if fault.feature == _FORM and not key:
            return "airport"
        return _FIELDS.get(key) or ("airport" if self.airport else "place" if self.place else "geojson")


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
    places: tuple[str, ...] = ()
    """The places of a file with several."""
    geojson: str | None = None
    """What a file that was sent holds, as text for the form, so that it need not be sent again."""


def refused_dry_run(wish: SiteForm, faults: Iterable[SitesFault], geojson: str | None = None) -> DryRun:
    """A dry run that found faults."""
    found = tuple(faults)
    beside: dict[str, list[SitesFault]] = defaultdict(list)
    for fault in found:
        beside[wish.field_of(fault)].append(fault)
    return DryRun(faults=found, beside=beside, geojson=geojson)


def preview_site(app: App, wish: SiteForm, now: datetime) -> DryRun:
    """Say what adding would do, writing nothing."""
    geojson = None
    try:
        drawing = _drawing(wish)
        geojson = _as_text(drawing) if drawing is not None and wish.upload is not None else None
        new = _new_sites(wish, drawing)
        after = try_sites(
            app.sites_file.path,
            new.features,
            rules=rule_defaults(),
            in_watched_class=address_test(app.classes),
        )
    except SeveralPlacesError as error:
        return DryRun(places=error.names, geojson=geojson)
    except SitesError as error:
        return refused_dry_run(wish, error.faults, geojson)
    added = [after.by_id[feature_id(each)] for each in new.features]
    with reading(app.engine) as connection:
        previews = tuple(_preview(connection, app, site, now) for site in added)
    asked = request_loads(app.feeds.values(), list(app.sites.values()), added)
    shared = overlaps(after.sites, [site.id for site in added])
    notes = (*swap_questions(new.features), *new.notes, *kept_words(new.features), *map(str, shared))
    text = _as_text(Drawing(new.features))
    places = place_names(drawing.features) if drawing is not None and wish.chosen else ()
    return DryRun(previews, asked, notes=notes, features=text, places=places, geojson=geojson)


def _as_text(drawing: Drawing) -> str:
    return json.dumps({"type": "FeatureCollection", "features": drawing.features}, ensure_ascii=False)


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


def _drawing(wish: SiteForm) -> Drawing | None:
    """What a file or a text that was given holds, or None where a place is given in another way."""
    given = [bool(wish.airport), bool(wish.place), bool(wish.geojson) or wish.upload is not None]
    if sum(given) != 1:
        problem = phrase("it names several places") if any(given) else phrase("it names no place at all")
        mend = phrase("Give one: an airport code, a place with a radius, a file or an outline")
        raise SitesError(_FORM, [SitesFault(_FORM, "", problem, mend)])
    if wish.upload is not None:
        return read_drawing(*wish.upload)
    return read_drawing(_PASTED, wish.geojson.encode("utf-8")) if wish.geojson else None


def _new_sites(wish: SiteForm, drawing: Drawing | None) -> NewSites:
    told = Told(*(each or None for each in (wish.site_id, wish.name, wish.kind, wish.timezone)))
    radius_m = _radius_m(wish.radius)
    if wish.airport:
        return NewSites([feature_from_airport(wish.airport, told, radius_m=radius_m)])
    if drawing is None:
        found = place_from_text(wish.place, told, radius_m)
        if found is None:
            mend = phrase(
                "Write it as in 39.2241, 125.67 or 39°13'27\"N 125°40'12\"E, as MGRS, or give a link of a map service"
            )
            raise SitesError(_FORM, [SitesFault(_FORM, "place", "this is no place that is known here", mend)])
        return found
    # What was ticked before was said of another file.
    choice = Choice(() if wish.upload else wish.chosen, radius_m=radius_m)
    new = sites_in_drawing(wish.upload[0] if wish.upload else _PASTED, drawing, told, choice)
    if not new.features:
        mend = phrase("Give at least one feature with a shape")
        raise SitesError(_FORM, [SitesFault("the outline", "features", "it holds no feature", mend)])
    return new


def _radius_m(text: str) -> float | None:
    try:
        radius_m = float(text.replace(",", ".")) if text else None
    except ValueError:
        radius_m = math.nan
    if radius_m is not None and not math.isfinite(radius_m):
        mend = phrase("Write metres as a number, as in 800")
        raise SitesError(_FORM, [SitesFault(_FORM, "radius", f"{printable_value(text)} is no number", mend)])
    return radius_m


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
    histories = histories_at(connection, watch.site_id, now)
    found = {
        metric: known_at(connection, watch, metric, "", now, histories=histories) for metric in watch.metrics
    }
    return {
        metric: replace(
            each, declared=[*each.declared, *(one for one in stated if one.series.metric == metric)]
        )
        for metric, each in found.items()
    }
