"""The JSON API, version 1: reading only, strict about what it is asked, never more than a page at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from shapely.geometry.base import BaseGeometry

from alerts.attribution import each_once
from db.alerts import alert_by_id
from db.engine import Connection, reading
from db.records import Observation
from db.sites import site_names
from monitor.reports.aircraft import NotWatchedError, aircraft_record, leg_rows
from monitor.reports.evidence import evidence_of_poll, polls_of_alert, polls_of_visits
from monitor.reports.exports import MEDIA_TYPES, TableForm
from monitor.reports.period_totals import remarks, totals_asked, totals_table
from monitor.reports.tables import HISTORY_CELLS, Table, look_table_row, point_of
from monitor.reports.totals import TotalsBy
from monitor.web.api.formats import cursor_number, decode_cursor, encode_cursor, format_page
from monitor.web.api.lists import (
    alert_list,
    alerts_wanted,
    check_site,
    detection_list,
    detections_wanted,
    look_list,
    site_list,
    visit_list,
    whole,
    world,
)
from monitor.web.api.models import (
    AircraftItem,
    AircraftWays,
    Alerts,
    ApiError,
    Detections,
    Observations,
    Polls,
    Sites,
    Statuses,
    TotalItem,
    Totals,
    Visits,
    poll_item,
)
from monitor.web.api.queries import (
    MOST_EXPORTED,
    AircraftQuery,
    AlertQuery,
    DetectionQuery,
    FormatParameter,
    ObservationQuery,
    Paging,
    PollQuery,
    SiteParameter,
    VisitQuery,
    only_known_parameters,
)
from monitor.web.api.status import status_items
from monitor.web.context import Here, WebContext

_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ApiError, "description": "The token is missing or wrong"},
    405: {"model": ApiError, "description": "The API only reads: GET and HEAD"},
    421: {
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "description": "The host by which it was asked is not known to this sitewatch",
    },
    429: {
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "description": "Too many wrong tokens came from this address; Retry-After says when to ask again",
    },
    404: {"model": ApiError, "description": "There is no such site or alert"},
    422: {
        "model": ApiError,
        "description": "A parameter is not known here, or holds what cannot be used: a time without zone, a limit beyond "
        "1,000, a cursor that this API did not give out, a word that no state has; or the file would be too long",
    },
    503: {"model": ApiError, "description": "The database cannot be read"},
}
router = APIRouter(prefix="/api/v1", responses=_ERRORS, dependencies=[Depends(only_known_parameters)])


Pages = Annotated[Paging, Depends()]


_COLLECTION = {
    "type": "object",
    "required": ["type", "features", "next", "attribution"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {"type": "object", "required": ["type", "geometry", "properties"]},
        },
        "next": {"type": ["string", "null"]},
        "attribution": {"type": "array", "items": {"type": "string"}},
    },
}
_BINARY: tuple[TableForm, ...] = ("parquet", "xlsx")
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            **{MEDIA_TYPES[form]: {"schema": {"type": "string", "format": "binary"}} for form in _BINARY},
            "application/geo+json": {"schema": _COLLECTION},
        }
    }
}


@router.get("/sites", name="sites", response_model=Sites, responses=_FORMS)
def get_sites(request: Request, here: Here, paging: Pages, site: SiteParameter = None) -> Response:
    """Every watched site and how it stands; GeoJSON gives the outlines."""
    with reading(here.app.engine) as connection:
        check_site(connection, here, site)
        page = site_list(connection, here, site, paging.cursor, paging.size)
    return _answer(request, here, paging, page, outlines=True)


@router.get("/observations", name="observations", response_model=Observations, responses=_FORMS)
def get_observations(
    request: Request, here: Here, paging: Pages, wanted: Annotated[ObservationQuery, Depends()]
) -> Response:
    """Counts, one revision a look: the newest that was knowable at `as_of` and recorded by `as_recorded`."""
    asked = wanted.words.filter(world(here))
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        page, found = look_list(connection, here, asked, paging.cursor, paging.size)
        names = site_names(connection)
    table = None if paging.form in {"json", "geojson"} else _look_table(here, names, found, page.attribution)
    return _answer(request, here, paging, page, table=table)


@router.get("/totals", name="totals", response_model=Totals, responses=_FORMS)
def get_totals(
    request: Request,
    here: Here,
    wanted: Annotated[ObservationQuery, Depends()],
    by: Annotated[TotalsBy, Query(description="day, week, month or year, of each site's own clock")],
    form: FormatParameter = "json",
) -> Response:
    """Counts by period: flows summed, of stocks the highest, and how much of each period was watched."""
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        found = totals_asked(connection, wanted.words, world(here), by, here.app.sources)
    table = totals_table(found)
    if len(table.rows) > MOST_EXPORTED:
        raise too_long()
    items = [TotalItem(**row) for row in table.rows]
    page = Totals(items=items, next=None, remarks=remarks(found), attribution=list(table.sources))
    return _answer(request, here, Paging(form), page, table=table)


@router.get("/visits", name="visits", response_model=Visits, responses=_FORMS)
def get_visits(
    request: Request, here: Here, paging: Pages, wanted: Annotated[VisitQuery, Depends()]
) -> Response:
    """Aircraft visits, the one that began last first; those that touch [since, until)."""
    asked = wanted.words.filter(world(here))
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        page = visit_list(connection, here, asked, paging.cursor, paging.size)
    return _answer(request, here, paging, page)


@router.get("/alerts", name="alert_list", response_model=Alerts, responses=_FORMS)
def get_alerts(
    request: Request, here: Here, paging: Pages, wanted: Annotated[AlertQuery, Depends()]
) -> Response:
    """Alerts, the one that was opened last first."""
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        asked = alerts_wanted(connection, here, wanted)
        page = alert_list(connection, asked, paging.cursor, paging.size)
    return _answer(request, here, paging, page)


@router.get("/detections", name="detections", response_model=Detections, responses=_FORMS)
def get_detections(
    request: Request, here: Here, paging: Pages, wanted: Annotated[DetectionQuery, Depends()]
) -> Response:
    """Objects that others found, in their newest version, by site and time."""
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        asked = detections_wanted(connection, here, wanted)
        page = detection_list(connection, here, asked, paging.cursor, paging.size)
    return _answer(request, here, paging, page)


@router.get("/aircraft", name="aircraft", response_model=AircraftWays, responses=_FORMS)
def get_aircraft(
    request: Request, here: Here, wanted: Annotated[AircraftQuery, Depends()], form: FormatParameter = "json"
) -> Response:
    """Where a watched aircraft was heard around its newest visits, and where it was not; GeoJSON gives lines."""
    with reading(here.app.engine) as connection:
        try:
            found = aircraft_record(connection, here.app, wanted.words, here.clock())
        except NotWatchedError as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, error.args[0]) from None
    items = [AircraftItem(**row) for row in leg_rows(found)]
    return _answer(request, here, Paging(form), AircraftWays(items=items, next=None, attribution=found.data))


@router.get("/polls", name="polls", response_model=Polls, responses=_FORMS)
def get_polls(
    request: Request, here: Here, paging: Pages, wanted: Annotated[PollQuery, Depends()]
) -> Response:
    """The polls that an alert or a visit rests on, or one by its number: time, request, hash, and what is kept."""
    after = decode_cursor(paging.cursor, 1)
    place = -1 if after is None else cursor_number(after)
    with reading(here.app.engine) as connection:
        numbers = [each for each in _polls_asked(connection, wanted) if each > place]
        page = numbers[: paging.size]
        read = [evidence_of_poll(connection, each, public=here.public) for each in page]
    found = [each for each in read if each is not None]
    sources = here.app.sources
    items = [poll_item(each, [sources.provider(each.poll.provider)]) for each in found]
    following = encode_cursor(str(page[-1])) if len(numbers) > len(page) else None
    data = each_once(sources.provider(each.poll.provider) for each in found)
    return _answer(request, here, paging, Polls(items=items, next=following, attribution=data))


def _polls_asked(connection: Connection, wanted: PollQuery) -> list[int]:
    if wanted.poll is not None:
        return [wanted.poll]
    if wanted.alert is not None:
        alert = alert_by_id(connection, wanted.alert)
        if alert is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "alert: there is no alert with this id.")
        return polls_of_alert(connection, alert)
    if wanted.visit is not None:
        return polls_of_visits(connection, [wanted.visit])
    raise HTTPException(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Say whose polls: alert=ID or visit=ID, or poll=NUMBER for one. There are too many to list them all.",
    )


@router.get("/status", name="status", response_model=Statuses, responses=_FORMS)
def get_status(request: Request, here: Here, form: FormatParameter = "json") -> Response:
    """How the program is: who leads, the outbox, every provider and channel."""
    items = status_items(here.app, here.clock())
    return _answer(request, here, Paging(form), Statuses(items=items, next=None, attribution=whole(items)))


@dataclass(frozen=True, slots=True)
class _Unwatched:
    """A site of which only the counts are left."""

    id: str
    name: str
    timezone: ZoneInfo


def _look_table(
    here: WebContext, names: Mapping[str, str], found: Iterable[Observation], data: Sequence[str]
) -> Table:
    """Looks as `sitewatch history` writes them."""
    rows, shapes = [], list[BaseGeometry | None]()
    for each in found:
        site_id = each.series.site_id
        site = here.app.sites.get(site_id)
        gone = _Unwatched(site_id, names.get(site_id, site_id), ZoneInfo("UTC"))
        rows.append(look_table_row(each, site or gone, here.app.attributions))
        shapes.append(None if site is None else point_of(site, each.series.area))
    return Table(HISTORY_CELLS, rows, shapes, data)


def _answer(
    request: Request,
    here: WebContext,
    paging: Paging,
    page: Any,
    *,
    outlines: bool = False,
    table: Table | None = None,
) -> Response:
    if page.next and paging.size == MOST_EXPORTED:
        raise too_long()
    return format_page(page, paging.form, request.url, here.app.sites, outlines=outlines, table=table)


def too_long() -> HTTPException:
    """What is said where a file would be too long."""
    return HTTPException(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"There are more than {MOST_EXPORTED:,} rows. Ask for less (site, metric, since, until), or page by page with "
        "limit and cursor.",
    )
