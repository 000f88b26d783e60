"""The routes of the pages that are asked. The address holds all that is asked, in the words of the API."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from db.engine import reading
from db.sites import site_names
from monitor.reports.aircraft import NotWatchedError, aircraft_record
from monitor.reports.period_totals import totals_asked
from monitor.reports.searched import searched
from monitor.reports.totals import TotalsBy
from monitor.web.api.lists import check_site, world
from monitor.web.api.queries import (
    AircraftQuery,
    ObservationQuery,
    QueryTime,
    VisitQuery,
    only_known_parameters,
)
from monitor.web.asking.facets import Asked, page_address
from monitor.web.asking.view import FoundPage, looks_answer, totals_answer, visits_answer
from monitor.web.context import Here, WebContext
from monitor.web.views.aircraft_view import aircraft_page
from monitor.web.views.files import as_files

router = APIRouter(include_in_schema=False)
_OF_THE_PAGE = frozenset({"sort", "after", "by"})
"""Parameters that the lists of the API do not have."""
SortParameter = Annotated[str | None, Query(max_length=30)]
AfterParameter = Annotated[str | None, Query(max_length=500)]


@router.get("/visits", dependencies=[Depends(only_known_parameters)])
def show_visits(
    request: Request,
    here: Here,
    wanted: Annotated[VisitQuery, Depends()],
    sort: SortParameter = None,
    after: AfterParameter = None,
) -> Response:
    """Show the visits that are asked for, of all sites together."""
    del sort, after  # read from the address, where all else stands too
    return _kept(request, here, partial(_visits, request, here, wanted))


def _visits(request: Request, here: WebContext, wanted: VisitQuery) -> str:
    asked = dict(request.query_params)
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        answer = visits_answer(connection, here.app, wanted.words.filter(world(here)), asked)
    return _page(request, here, "visits.html", answer, twin="/api/v1/visits")


@router.get("/observations", dependencies=[Depends(only_known_parameters)])
def show_observations(  # noqa: PLR0917 - what may be asked
    request: Request,
    here: Here,
    wanted: Annotated[ObservationQuery, Depends()],
    by: Annotated[TotalsBy | None, Query()] = None,
    sort: SortParameter = None,
    after: AfterParameter = None,
) -> Response:
    """Show the counts that are asked for, of all sites together, or what they come to by day, week, month or year."""
    del sort, after  # as above
    return _kept(request, here, partial(_observations, request, here, wanted, by))


def _observations(request: Request, here: WebContext, wanted: ObservationQuery, by: TotalsBy | None) -> str:
    asked, understood = dict(request.query_params), world(here)
    with reading(here.app.engine) as connection:
        check_site(connection, here, wanted.site)
        if by is None:
            answer = looks_answer(connection, here.app, wanted.words.filter(understood), asked)
        else:
            found = totals_asked(connection, wanted.words, understood, by, here.app.sources)
            answer = totals_answer(connection, found, asked)
    twin = "/api/v1/observations" if by is None else "/api/v1/totals"
    return _page(request, here, "observations.html", answer, twin=twin, by=by)


@router.get("/aircraft/{address}", dependencies=[Depends(only_known_parameters)])
def show_one_aircraft(
    request: Request, here: Here, address: str, since: QueryTime = None, until: QueryTime = None
) -> Response:
    """Show one watched aircraft: its visits, where it was heard, and its gaps."""
    return _kept(request, here, partial(_aircraft, request, here, AircraftQuery(address, since, until)))


def _aircraft(request: Request, here: WebContext, wanted: AircraftQuery) -> str:
    with reading(here.app.engine) as connection:
        try:
            found = aircraft_record(connection, here.app, wanted.words, here.clock())
        except NotWatchedError as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, error.args[0]) from None
        names = site_names(connection)
    view = aircraft_page(found, here.app.sites, names)
    filters = {name: value for name, value in request.query_params.items() if name in {"since", "until"}}
    files = as_files("/api/v1/aircraft", {"address": found.icao24, **filters})
    return here.renderer.html(request, "aircraft.html", view=view, files=files, data=view.data)


@router.get("/visits/ask")
def ask_visits(request: Request, here: Here) -> Response:
    """Turn a filled form into the address of its answer."""
    return _asked(request, here, "/visits", flights=True)


@router.get("/observations/ask")
def ask_observations(request: Request, here: Here) -> Response:
    """Turn a filled form into the address of its answer."""
    return _asked(request, here, "/observations", flights=False)


def _asked(request: Request, here: WebContext, path: str, *, flights: bool) -> Response:
    """An address that says only what is asked: a field left empty asks for nothing, a search is what it means."""
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    if text := given.pop("q", ""):
        name, value = searched(text, here.app.sites, here.app.classes.labels, flights=flights)
        given[name] = value
    return RedirectResponse(page_address(path, given), HTTPStatus.SEE_OTHER)


def _kept(request: Request, here: WebContext, make: "partial[str]") -> Response:
    found = here.pages.answer(request, make)
    if found is None:  # pragma: no cover - such a page is always made
        raise LookupError(request.url.path)
    return found


def _page(
    request: Request,
    here: WebContext,
    template: str,
    answer: FoundPage,
    *,
    twin: str,
    by: TotalsBy | None = None,
) -> str:
    asked: Asked = dict(request.query_params)
    filters = {name: value for name, value in asked.items() if name not in _OF_THE_PAGE}
    return here.renderer.html(
        request,
        template,
        answer=answer,
        asked=asked,
        by=by,
        site_choices=[(each.id, each.name) for each in here.app.sites.values()],
        classes=here.app.classes.labels,
        files=as_files(twin, {**filters, **({"by": by} if by else {})}),
        data=answer.data,
    )
