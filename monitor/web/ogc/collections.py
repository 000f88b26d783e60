"""The collections: what each is called, what may be asked of it, a page of it, how many there are, and one item by its id."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel
from shapely.geometry import mapping

from db.alerts import alert_by_id, count_alerts
from db.causes import causes_of
from db.detections import count_detections, detection_by_key
from db.engine import Connection
from db.flights import visits_by_id
from db.pages import count_looks, count_visits, look_at, places_on_record
from db.records import GeoBox, LookFilter, SiteArea
from monitor.reports.sources import visit_attributions
from monitor.sites import Site
from monitor.web.api.formats import cursor_texts, encode_cursor, item_shape
from monitor.web.api.lists import (
    alert_list,
    alerts_wanted,
    detection_list,
    detections_wanted,
    look_feature_id,
    look_list,
    look_of_feature,
    site_list,
    visit_list,
    world,
)
from monitor.web.api.models import (
    AlertItem,
    DetectionItem,
    ObservationItem,
    SiteItem,
    VisitItem,
    alert_item,
    detection_item,
    observation_item,
    visit_item,
)
from monitor.web.api.queries import AlertQuery, DetectionQuery, ObservationQuery, SiteQuery, VisitQuery
from monitor.web.api.status import site_items
from monitor.web.context import WebContext
from monitor.web.ogc.asked import TimeSpan, places_within, sites_within, within_span

MOST_MATCHED = 10_000
"""So far is counted how many there are: beyond it nobody is made to wait for a number."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a collection: its own filters, where, when, and which page."""

    query: Any
    boxes: Sequence[GeoBox] | None
    span: TimeSpan
    cursor: str | None
    size: int


@dataclass(frozen=True, slots=True)
class FeaturePage:
    """Some features of a collection, and how many there are of what is asked; None: more than anybody counts."""

    items: Sequence[BaseModel]
    following: str | None
    matched: int | None
    data: Sequence[str]


@dataclass(frozen=True, slots=True)
class FeatureCollection:
    """A list of the API as features."""

    name: str
    title: str
    about: str
    query: type[Any]
    item: type[BaseModel]
    page: Callable[[Connection, WebContext, Wanted], FeaturePage]
    one: Callable[[Connection, WebContext, str], BaseModel | None]
    name_of: Callable[[Any], str]
    """The id of a feature, out of its item."""
    outlines: bool = False
    public: bool = True

    def feature(self, item: BaseModel, sites: Mapping[str, Site]) -> dict[str, Any]:
        """One item as a GeoJSON feature; `geometry` is null where the site is no longer watched."""
        properties = item.model_dump(mode="json")
        shape = item_shape(properties, sites, outlines=self.outlines)
        return {
            "type": "Feature",
            "id": self.name_of(item),
            "geometry": None if shape is None else mapping(shape),
            "properties": properties,
        }


def _counted(number: int) -> int | None:
    return number if number <= MOST_MATCHED else None


# --- sites --------------------------------------------------------------------------------------------------------


def _site_page(connection: Connection, here: WebContext, wanted: Wanted) -> FeaturePage:
    sites = here.app.sites
    among = frozenset(sites) if wanted.boxes is None else sites_within(wanted.boxes, sites, outlines=True)
    if wanted.query.site is not None:
        among &= {wanted.query.site}
    page = site_list(connection, here, wanted.query.site, wanted.cursor, wanted.size, among=among)
    return FeaturePage(page.items, page.next, len(among), page.attribution)


def _one_site(connection: Connection, here: WebContext, name: str) -> SiteItem | None:
    return next(iter(site_items(connection, here.app, here.clock(), name)), None)


# --- observations -------------------------------------------------------------------------------------------------


def _look_page(connection: Connection, here: WebContext, wanted: Wanted) -> FeaturePage:
    asked = within_span(wanted.query.words.filter(world(here)), wanted.span)
    asked = replace(asked, places=_places(connection, here, wanted.boxes))
    page, _ = look_list(connection, here, asked, wanted.cursor, wanted.size)
    matched = _counted(count_looks(connection, asked, MOST_MATCHED))
    return FeaturePage(page.items, page.next, matched, page.attribution)


def _one_look(connection: Connection, here: WebContext, name: str) -> ObservationItem | None:
    named = look_of_feature(name)
    found = None if named is None else look_at(connection, named, LookFilter())
    return None if found is None else observation_item(found, here.app.sources.look(found))


# --- visits -------------------------------------------------------------------------------------------------------


def _visit_page(connection: Connection, here: WebContext, wanted: Wanted) -> FeaturePage:
    asked = within_span(wanted.query.words.filter(world(here)), wanted.span)
    if wanted.boxes is not None:
        inside = sites_within(wanted.boxes, here.app.sites, outlines=False)
        asked = replace(asked, site_ids=_both(asked.site_ids, inside))
    page = visit_list(connection, here, asked, wanted.cursor, wanted.size)
    matched = _counted(count_visits(connection, asked, MOST_MATCHED))
    return FeaturePage(page.items, page.next, matched, page.attribution)


def _one_visit(connection: Connection, here: WebContext, name: str) -> VisitItem | None:
    found = visits_by_id(connection, [name])
    sources = visit_attributions(connection, found, here.app.sources)
    return next((visit_item(each, sources[each.visit_id]) for each in found), None)


# --- alerts -------------------------------------------------------------------------------------------------------


def _alert_page(connection: Connection, here: WebContext, wanted: Wanted) -> FeaturePage:
    asked = within_span(alerts_wanted(connection, here, wanted.query), wanted.span)
    asked = replace(asked, places=_places(connection, here, wanted.boxes))
    page = alert_list(connection, asked, wanted.cursor, wanted.size)
    matched = _counted(count_alerts(connection, asked, MOST_MATCHED))
    return FeaturePage(page.items, page.next, matched, page.attribution)


def _one_alert(connection: Connection, here: WebContext, name: str) -> AlertItem | None:
    del here
    found = alert_by_id(connection, name)
    return None if found is None else alert_item(found, causes_of(connection, [name]).get(name))


# --- detections ---------------------------------------------------------------------------------------------------


def _detection_page(connection: Connection, here: WebContext, wanted: Wanted) -> FeaturePage:
    asked = within_span(detections_wanted(connection, here, wanted.query), wanted.span)
    asked = replace(asked, boxes=wanted.boxes)
    page = detection_list(connection, here, asked, wanted.cursor, wanted.size)
    matched = _counted(count_detections(connection, asked, MOST_MATCHED))
    return FeaturePage(page.items, page.next, matched, page.attribution)


def _one_detection(connection: Connection, here: WebContext, name: str) -> DetectionItem | None:
    key = cursor_texts(name, 4)
    found = None if key is None else detection_by_key(connection, (key[0], key[1], key[2], key[3]))
    if found is None:
        return None
    return detection_item(found, [here.app.sources.provider(found.provider, found.at)])


def _detection_name(item: DetectionItem) -> str:
    return encode_cursor(item.provider, item.site_id, item.metric, item.detection_id)


def _places(
    connection: Connection, here: WebContext, boxes: Sequence[GeoBox] | None
) -> Collection[SiteArea] | None:
    return None if boxes is None else places_within(places_on_record(connection), boxes, here.app.sites)


def _both(asked: Iterable[str] | None, inside: frozenset[str]) -> frozenset[str]:
    return inside if asked is None else inside & frozenset(asked)


COLLECTIONS: tuple[FeatureCollection, ...] = (
    FeatureCollection(
        "sites",
        "Watched sites",
        "Every watched site as an outline, and how it stands.",
        SiteQuery,
        SiteItem,
        _site_page,
        _one_site,
        lambda item: str(item.id),
        outlines=True,
    ),
    FeatureCollection(
        "observations",
        "Observations",
        "Counts, one revision a look, at a point inside their site or area. A value that is null was not observed; it is never zero.",
        ObservationQuery,
        ObservationItem,
        _look_page,
        _one_look,
        look_feature_id,
    ),
    FeatureCollection(
        "visits",
        "Aircraft visits",
        "Stays of aircraft, at a point inside the site that tells of them; how sure each is stands in `confidence`.",
        VisitQuery,
        VisitItem,
        _visit_page,
        _one_visit,
        lambda item: str(item.visit_id),
    ),
    FeatureCollection(
        "alerts",
        "Alerts",
        "Episodes that were unusual, at a point inside their site or area.",
        AlertQuery,
        AlertItem,
        _alert_page,
        _one_alert,
        lambda item: str(item.id),
    ),
    FeatureCollection(
        "detections",
        "Detections",
        "Objects that others found, where they say that they stand. Not public.",
        DetectionQuery,
        DetectionItem,
        _detection_page,
        _one_detection,
        _detection_name,
        public=False,
    ),
)


def known_or_404(found: BaseModel | None) -> BaseModel:
    """The item; raises 404 where there is none."""
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no feature with this id in the collection.")
    return found
