"""The lists of the API, page by page: what is asked of the database, its items, and the cursor of the next page."""

from collections.abc import Iterable
from http import HTTPStatus

from fastapi import HTTPException

from alerts.attribution import alert_attributions, each_once
from db.alerts import alerts_asked
from db.causes import cause_by_id, causes_of
from db.detections import detection_page, detection_place
from db.engine import Connection
from db.observations import LookId
from db.pages import look_id, look_page, visit_page, visit_place
from db.records import AlertFilter, DetectionFilter, LookFilter, Observation, SeriesKey, VisitFilter
from db.sites import site_names
from monitor.reports.asked import World
from monitor.reports.sources import visit_attributions
from monitor.web.api.formats import (
    cursor_number,
    cursor_texts,
    cursor_time,
    decode_cursor,
    encode_cursor,
    packed_time,
)
from monitor.web.api.models import (
    Alerts,
    Detections,
    ObservationItem,
    Observations,
    SiteItem,
    Sites,
    StatusItem,
    Visits,
    alert_item,
    detection_item,
    observation_item,
    visit_item,
)
from monitor.web.api.queries import AlertQuery, DetectionQuery
from monitor.web.api.status import site_items
from monitor.web.context import WebContext


def check_site(connection: Connection, here: WebContext, site: str | None) -> None:
    """Refuse a site that never was watched; raises 404."""
    if site is None or site in here.app.sites or site in site_names(connection):
        return
    there = ", ".join(sorted(here.app.sites))
    raise HTTPException(HTTPStatus.NOT_FOUND, f"site: there is no such site. There are: {there}.")


def world(here: WebContext) -> World:
    """What words of a request are understood by."""
    return World(here.app.sites, here.app.classes.labels, here.clock())


def whole(items: Iterable[SiteItem | StatusItem]) -> list[str]:
    """Whose data all of these rest on."""
    return each_once(said for each in items for said in each.attribution.split("; "))


def site_list(
    connection: Connection,
    here: WebContext,
    site: str | None,
    cursor: str | None,
    size: int,
    *,
    among: frozenset[str] | None = None,
) -> Sites:
    """A page of the watched sites, of one, or of those `among` these ids."""
    after = decode_cursor(cursor, 1)
    start = 0 if after is None else cursor_number(after)
    items = site_items(connection, here.app, here.clock(), site)
    if among is not None:
        items = [each for each in items if each.id in among]
    page = items[start : start + size]
    following = encode_cursor(str(start + size)) if start + size < len(items) else None
    return Sites(items=page, next=following, attribution=whole(page))


def look_list(
    connection: Connection, here: WebContext, asked: LookFilter, cursor: str | None, size: int
) -> tuple[Observations, list[Observation]]:
    """A page of looks, and the same as the database has them."""
    found = look_page(connection, asked, _look_after(cursor), size + 1)
    following = None
    if len(found) > size:
        found = found[:size]
        key, start, look = look_id(found[-1])
        series = (key.site_id, key.area, key.metric, key.subject, key.procedure)
        following = encode_cursor(*series, start, look)
    sources = here.app.sources
    items = [observation_item(each, sources.look(each)) for each in found]
    data = each_once(said for each in found for said in sources.look(each))
    return Observations(items=items, next=following, attribution=data), found


def look_feature_id(item: ObservationItem) -> str:
    """The id of a look among features."""
    series = (item.site_id, item.area, item.metric, item.subject, item.procedure)
    return encode_cursor(*series, item.period_start, item.look_key)


def look_of_feature(name: str) -> LookId | None:
    """The look with this id; None where it is no id of one."""
    texts = cursor_texts(name, 7)
    at = None if texts is None else packed_time(texts[5])
    return None if texts is None or at is None else (SeriesKey(*texts[:5]), at, texts[6])


def _look_after(cursor: str | None) -> LookId | None:
    after = decode_cursor(cursor, 7)
    if after is None:
        return None
    return SeriesKey(*after[:5]), cursor_time(after[5]), after[6]


def visit_list(
    connection: Connection, here: WebContext, asked: VisitFilter, cursor: str | None, size: int
) -> Visits:
    """A page of visits, the one that began last first."""
    after = decode_cursor(cursor, 2)
    place = (cursor_time(after[0]), after[1]) if after else None
    found = visit_page(connection, asked, place, size + 1)
    following = None
    if len(found) > size:
        found = found[:size]
        following = encode_cursor(*visit_place(found[-1]))
    sources = visit_attributions(connection, found, here.app.sources)
    items = [visit_item(each, sources[each.visit_id]) for each in found]
    data = each_once(said for some in sources.values() for said in some)
    return Visits(items=items, next=following, attribution=data)


def alerts_wanted(connection: Connection, here: WebContext, wanted: AlertQuery) -> AlertFilter:
    """What is asked of alerts, those of a cause among it; raises InputError."""
    ids = None
    if wanted.cause is not None:
        cause = cause_by_id(connection, wanted.cause)
        ids = cause.alert_ids if cause is not None else ()
    return wanted.words(ids).filter(world(here))


def alert_list(connection: Connection, asked: AlertFilter, cursor: str | None, size: int) -> Alerts:
    """A page of alerts, the one that was opened last first."""
    after = decode_cursor(cursor, 2)
    place = (cursor_time(after[0]), after[1]) if after else None
    found = alerts_asked(connection, asked, place, size + 1)
    page = found[:size]
    causes = causes_of(connection, [each.id for each in page])
    following = encode_cursor(page[-1].opened_at, page[-1].id) if len(found) > len(page) else None
    items = [alert_item(each, causes.get(each.id)) for each in page]
    data = each_once(said for each in page for said in alert_attributions(each))
    return Alerts(items=items, next=following, attribution=data)


def detections_wanted(connection: Connection, here: WebContext, wanted: DetectionQuery) -> DetectionFilter:
    """What is asked of detections, at one site or at every one that was ever watched; raises InputError."""
    return wanted.words.filter(world(here), site_names(connection))


def detection_list(
    connection: Connection, here: WebContext, asked: DetectionFilter, cursor: str | None, size: int
) -> Detections:
    """A page of detections, by site and time."""
    after = decode_cursor(cursor, 5)
    place = (after[0], cursor_time(after[1]), after[2], after[3], after[4]) if after else None
    found = detection_page(connection, asked, place, size + 1)
    page = found[:size]
    following = encode_cursor(*detection_place(page[-1])) if len(found) > len(page) else None
    sources = here.app.sources
    items = [detection_item(each, [sources.provider(each.provider, each.at)]) for each in page]
    data = each_once(each.attribution for each in items)
    return Detections(items=items, next=following, attribution=data)
