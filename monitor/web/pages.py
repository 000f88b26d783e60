"""The pages: sites, alerts, feeds. Reading only; what changes something is in `actions`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from db.alerts import alerts
from db.engine import reading
from monitor.web.alert_view import alert_page
from monitor.web.context import Here
from monitor.web.feeds_view import feeds_page
from monitor.web.map_data import map_data
from monitor.web.overview import Surveyor
from monitor.web.site_view import Asked, site_page

router = APIRouter(include_in_schema=False)
MOST_ALERTS = 500
NEWEST_ALERTS = 6


@router.get("/")
def index(request: Request, here: Here) -> Response:
    """Show every site: map, cards and the newest alerts."""
    now = here.clock()
    with reading(here.app.engine) as connection:
        surveyor = Surveyor(connection, here.app, now)
        overview = surveyor.overview()
        newest = alerts(connection)[::-1][:NEWEST_ALERTS]
    return here.renderer.page(
        request, "index.html", overview=overview, newest=newest, map=map_data(overview.cards)
    )


@router.get("/sites/{site_id}")
def site(request: Request, here: Here, site_id: str, asked: Annotated[Asked, Depends()]) -> Response:
    """Show one site, with the counts that are asked for or else the most telling ones."""
    watched = here.app.sites.get(site_id)
    if watched is None:
        return _unknown(request, here, "site", "The list of sites is on the first page.")
    with reading(here.app.engine) as connection:
        view = site_page(connection, here.app, watched, here.clock(), asked)
    return here.renderer.page(request, "site.html", view=view, map=map_data([view.card]))


@router.get("/alerts")
def alert_list(request: Request, here: Here, status: str = "", site: str = "") -> Response:
    """List the alerts, the newest first."""
    with reading(here.app.engine) as connection:
        found = alerts(connection, site_id=site or None, status=status or None)[::-1]
    return here.renderer.page(
        request,
        "alerts.html",
        alerts=found[:MOST_ALERTS],
        left_out=max(0, len(found) - MOST_ALERTS),
        chosen_status=status,
        chosen_site=site,
        sites=here.app.sites,
    )


@router.get("/alerts/{alert_id}")
def alert(
    request: Request, here: Here, alert_id: str, event: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Show one alert."""
    with reading(here.app.engine) as connection:
        view = alert_page(connection, here.app, alert_id, here.clock(), event)
    if view is None:
        return _unknown(request, here, "alert", "The list of alerts is at /alerts.")
    return here.renderer.page(request, "alert.html", view=view)


@router.get("/feeds")
def feeds(request: Request, here: Here) -> Response:
    """Show the feeds, their health and their terms."""
    return here.renderer.page(request, "feeds.html", view=feeds_page(here.app, here.clock()))


def _unknown(request: Request, here: Here, what: str, where: str) -> Response:
    text = f"There is no {what} with this address. {where}"
    return here.renderer.problem(request, HTTPStatus.NOT_FOUND, f"No such {what}", text)
