"""The JSON API, version 1: reading only, strict about what it is asked, never more than a page at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from shapely.geometry.base import BaseGeometry

from alerts.attribution import alert_attributions, each_once
from db.alerts import alert_by_id, alerts_asked
from db.causes import cause_by_id, causes_of
from db.engine import Connection, reading
from db.observations import LookId
from db.pages import look_id, look_page, visit_page, visit_place
from db.records import LookFilter, Observation, SeriesKey
from db.sites import site_names
from monitor.reports.asked import World
from monitor.reports.evidence import evidence_of_poll, polls_of_alert, polls_of_visits
from monitor.reports.exports import MEDIA_TYPES, TableForm
from monitor.reports.period_totals import remarks, totals_asked, totals_table
from monitor.reports.sources import visit_attributions
from monitor.reports.tables import HISTORY_CELLS, Table, look_table_row, point_of
from monitor.reports.totals import TotalsBy
from monitor.web.api.formats import bad_cursor, cursor_time, decode_cursor, encode_cursor, format_page
from monitor.web.api.models import (
    Alerts,
    ApiError,
    Observations,
    Polls,
    SiteItem,
    Sites,
    Statuses,
    StatusItem,
    TotalItem,
    Totals,
    Visits,
    alert_item,
    observation_item,
    poll_item,
    visit_item,
)
from monitor.web.api.queries import (
    MOST_EXPORTED,
    AlertQuery,
    FormatParameter,
    ObservationQuery,
    Paging,
    PollQuery,
    SiteParameter,
    VisitQuery,
    only_known_parameters,
)
from monitor.web.api.status import site_items, status_items
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
    start = int(_one(decode_cursor(paging.cursor, 1), "0", str.isdecimal))
    with reading(here.app.engine) as connection:
        check_site(connection, here, site)
        items = site_items(connection, here.app, here.clock(), site)
    page = items[start : start + paging.size]
    more = start + paging.size < len(items)
    following = encode_cursor(str(start + paging.size)) if more else None
    return _answer(
        request, here, paging, Sites(items=page, next=following, attribution=_whole(page)), outlines=True
    )


@router.get("/observations", name="observations", response_model=Observations, responses=_FORMS)
def get_observations(
    request: Request, here: Here, paging: Pages, wanted: Annotated[ObservationQuery, Depends()]
) -> Response:
    """Counts, one revision a look: the newest that was knowable at `as_of` and recorded by `as_recorded`."""
    asked = _look_filter(here, wanted)
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        found = look_page(connection, asked, _look_after(paging.cursor), paging.size + 1)
        names = site_names(connection)
    following = None
    if len(found) > paging.size:
        found = found[: paging.size]
        key, start, look = look_id(found[-1])
        series = (key.site_id, key.area, key.metric, key.subject, key.procedure)
        following = encode_cursor(*series, start, look)
    sources = here.app.sources
    items = [observation_item(each, sources.look(each)) for each in found]
    data = each_once(said for each in found for said in sources.look(each))
    page = Observations(items=items, next=following, attribution=data)
    table = None if paging.form in {"json", "geojson"} else _look_table(here, names, found, data)
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
    after = decode_cursor(paging.cursor, 2)
    place = (cursor_time(after[0]), after[1]) if after else None
    asked = wanted.words.filter(world(here))
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        found = visit_page(connection, asked, place, paging.size + 1)
        following = None
        if len(found) > paging.size:
            found = found[: paging.size]
            following = encode_cursor(*visit_place(found[-1]))
        sources = visit_attributions(connection, found, here.app.sources)
    items = [visit_item(each, sources[each.visit_id]) for each in found]
    data = each_once(said for some in sources.values() for said in some)
    return _answer(request, here, paging, Visits(items=items, next=following, attribution=data))


@router.get("/alerts", name="alert_list", response_model=Alerts, responses=_FORMS)
def get_alerts(
    request: Request, here: Here, paging: Pages, wanted: Annotated[AlertQuery, Depends()]
) -> Response:
    """Alerts, the one that was opened last first."""
    after = decode_cursor(paging.cursor, 2)
    place = (cursor_time(after[0]), after[1]) if after else None
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        ids = None
        if wanted.cause is not None:
            cause = cause_by_id(connection, wanted.cause)
            ids = cause.alert_ids if cause is not None else ()
        asked = wanted.words(ids).filter(world(here))
        found = alerts_asked(connection, asked, place, paging.size + 1)
        page = found[: paging.size]
        causes = causes_of(connection, [each.id for each in page])
    following = encode_cursor(page[-1].opened_at, page[-1].id) if len(found) > len(page) else None
    items = [alert_item(each, causes.get(each.id)) for each in page]
    data = each_once(said for each in page for said in alert_attributions(each))
    return _answer(request, here, paging, Alerts(items=items, next=following, attribution=data))


@router.get("/polls", name="polls", response_model=Polls, responses=_FORMS)
def get_polls(
    request: Request, here: Here, paging: Pages, wanted: Annotated[PollQuery, Depends()]
) -> Response:
    """The polls that an alert or a visit rests on, or one by its number: time, request, hash, and what is kept."""
    after = decode_cursor(paging.cursor, 1)
    place = -1 if after is None else int(_one(after, "0", str.isdecimal))
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
    return _answer(request, here, Paging(form), Statuses(items=items, next=None, attribution=_whole(items)))


def _whole(items: Iterable[SiteItem | StatusItem]) -> list[str]:
    return each_once(said for each in items for said in each.attribution.split("; "))


def check_site(connection: Connection, here: WebContext, site: str | None) -> None:
    """Refuse a site that never was watched; raises 404."""
    if site is None or site in here.app.sites or site in site_names(connection):
        return
    there = ", ".join(sorted(here.app.sites))
    raise HTTPException(HTTPStatus.NOT_FOUND, f"site: there is no such site. There are: {there}.")


def world(here: WebContext) -> World:
    """What words of a request are understood by."""
    return World(here.app.sites, here.app.classes.labels, here.clock())


def _look_filter(here: WebContext, wanted: ObservationQuery) -> LookFilter:
    return wanted.words.filter(world(here))


def _look_after(cursor: str | None) -> LookId | None:
    after = decode_cursor(cursor, 7)
    if after is None:
        return None
    return SeriesKey(*after[:5]), cursor_time(after[5]), after[6]


def _one(values: list[str] | None, default: str, good: Callable[[str], bool]) -> str:
    if values is None:
        return default
    if not good(values[0]):
        raise bad_cursor()
    return values[0]


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
