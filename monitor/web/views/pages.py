"""The pages: sites, alerts, feeds. Reading only; what changes something is in `actions`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from alerts.attribution import MAP, alert_attributions, each_once
from alerts.speech import chosen_language, speech_of
from alerts.words import duration
from db.alerts import alerts_asked, newest_alerts, newest_events
from db.causes import cause_by_id, causes_of
from db.cutouts import newest_cutout, picture_of
from db.deliveries import notified_alerts
from db.engine import Connection, reading
from db.records import AlertFilter, Cutout
from db.said import phrase, spaced
from monitor.reports.asked import AlertWords, World
from monitor.reports.evidence import evidence_of_poll
from monitor.sites import Site
from monitor.web.context import Here, WebContext
from monitor.web.security import FRAMED_HEADERS
from monitor.web.views.alert_view import CauseGroup, alert_page, cause_groups
from monitor.web.views.atom import MEDIA_TYPE, atom_feed
from monitor.web.views.feeds_view import feeds_page
from monitor.web.views.files import as_files
from monitor.web.views.map_data import map_data
from monitor.web.views.message_previews import mail_html
from monitor.web.views.overview import OverviewReader
from monitor.web.views.site_view import PanelQuery, site_page

router = APIRouter(include_in_schema=False)
MOST_ALERTS = 500
NEWEST_ALERTS = 6
NEWEST_EVENTS = 100


@router.get("/")
def get_index(request: Request, here: Here) -> Response:
    """Show every site: map, cards and the newest alerts."""
    return _kept(request, here, partial(_index, request, here))


def _kept(request: Request, here: WebContext, make: Callable[[], str | None]) -> Response:
    """Send a page that is kept, or made now; where there is none, say so."""
    found = here.pages.answer(request, make)
    if found is None:
        return _unknown(
            request,
            here,
            phrase("No such alert"),
            phrase("There is no alert with this address."),
            phrase("The list of alerts is at /alerts."),
        )
    return found


def _index(request: Request, here: WebContext) -> str:
    now = here.clock()
    with reading(here.app.engine) as connection:
        newest = _newest_groups(connection)
        overview = OverviewReader(connection, here.app, now).overview([group.first for group in newest])
    return here.renderer.html(
        request,
        "index.html",
        overview=overview,
        data=[*overview.data, MAP],
        newest=newest,
        map=map_data([card.mark for card in overview.cards]),
        sites_file=here.app.sites_file.path.name,
        faults=() if here.public else here.app.sites_file.faults,
    )


@router.get("/sites/{site_id}")
def get_site(request: Request, here: Here, site_id: str, asked: Annotated[PanelQuery, Depends()]) -> Response:
    """Show one site, with the counts that are asked for or else the most telling ones."""
    watched = here.app.sites.get(site_id)
    if watched is None:
        return _unknown(
            request,
            here,
            phrase("No such site"),
            phrase("There is no site with this address."),
            phrase("The list of sites is on the first page."),
        )
    return _kept(request, here, partial(_site, request, here, watched, asked))


def _site(request: Request, here: WebContext, watched: Site, asked: PanelQuery) -> str:
    with reading(here.app.engine) as connection:
        view = site_page(connection, here.app, watched, here.clock(), asked)
    return here.renderer.html(
        request, "site.html", view=view, map=map_data([view.card.mark]), data=[*view.data, MAP]
    )


@router.get("/sites/{site_id}/picture")
def get_picture(request: Request, here: Here, site_id: str, item: str = "") -> Response:
    """Send the newest picture of a site, or the one of a scene; its address changes with the picture, so that browsers may keep it."""
    with reading(here.app.engine) as connection:
        made = _kept_picture(connection, site_id, item) if site_id in here.app.sites else None
    if made is None:
        return _unknown(
            request,
            here,
            phrase("No such picture"),
            phrase("There is no picture with this address."),
            phrase("The list of sites is on the first page."),
        )
    headers = {
        "Cache-Control": "private, max-age=604800",
        "Content-Disposition": f'inline; filename="{site_id}-{made.acquired_at:%Y-%m-%d}.png"',
    }
    return Response(made.png, media_type="image/png", headers=headers)


def _kept_picture(connection: Connection, site_id: str, item: str) -> Cutout | None:
    return picture_of(connection, site_id, item) if item else newest_cutout(connection, site_id)


@dataclass(frozen=True, slots=True)
class AlertsAsked:
    """Which alerts the list shows, in the words of the API; what is empty takes all."""

    status: str = ""
    site: str = ""
    metric: str = ""
    cause: str = ""
    since: str = ""
    until: str = ""

    @property
    def given(self) -> dict[str, str]:
        """What is asked, as parameters."""
        return {name: value for name, value in asdict(self).items() if value}


@router.get("/alerts")
def get_alert_list(request: Request, here: Here, asked: Annotated[AlertsAsked, Depends()]) -> Response:
    """List the alerts, the newest first, those that share a cause under it."""
    return _kept(request, here, partial(_alert_list, request, here, asked))


def _alert_list(request: Request, here: WebContext, asked: AlertsAsked) -> str:
    with reading(here.app.engine) as connection:
        found = alerts_asked(connection, _wanted(connection, here, asked), None, MOST_ALERTS + 1)
        more, found = len(found) > MOST_ALERTS, found[:MOST_ALERTS]
        told = notified_alerts(connection, [each.id for each in found])
        causes = causes_of(connection, [each.id for each in found])
    return here.renderer.html(
        request,
        "alerts.html",
        groups=cause_groups(found, causes),
        asked=asked,
        files=as_files("/api/v1/alerts", asked.given),
        data=each_once(said for each in found for said in alert_attributions(each)),
        told=told,
        left_out=more,
        sites=here.app.sites,
    )


def _wanted(connection: Connection, here: WebContext, asked: AlertsAsked) -> AlertFilter:
    ids = None
    if asked.cause:
        cause = cause_by_id(connection, asked.cause)
        ids = cause.alert_ids if cause else ()
    given = {name: value for name, value in asked.given.items() if name != "cause"}
    world = World(here.app.sites, here.app.classes.labels, here.clock())
    return AlertWords(**given, alert_ids=ids).filter(world)


def _newest_groups(connection: Connection) -> tuple[CauseGroup, ...]:
    """The newest alerts for the first page, those that share a cause as one."""
    found = newest_alerts(connection, MOST_ALERTS)
    return cause_groups(found, causes_of(connection, [each.id for each in found]))[:NEWEST_ALERTS]


@router.get("/alerts.atom")
def get_alert_feed(request: Request, here: Here, site: str = "", language: str = "") -> Response:
    """Send the newest events of alerts as an Atom feed in one language; in public it is as late as all else."""
    with reading(here.app.engine) as connection:
        told = newest_events(connection, NEWEST_EVENTS, site or None)
    root = here.app.settings.public_url or str(request.base_url).rstrip("/")
    late_by = duration(timedelta(hours=here.app.settings.public_delay_hours)) if here.public else ""
    return Response(
        atom_feed(root, told, site=site, late_by=late_by, speech=speech_of(chosen_language(language))),
        media_type=MEDIA_TYPE,
    )


@router.get("/alerts/{alert_id}")
def get_alert(
    request: Request, here: Here, alert_id: str, event: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Show one alert."""
    return _kept(request, here, partial(_alert, request, here, alert_id, event))


def _alert(request: Request, here: WebContext, alert_id: str, event: int | None) -> str | None:
    with reading(here.app.engine) as connection:
        view = alert_page(connection, here.app, alert_id, here.clock(), event)
    if view is None:
        return None
    data = [*view.data, MAP] if view.flights else view.data
    return here.renderer.html(request, "alert.html", view=view, data=data)


@router.get("/alerts/{alert_id}/email")
def get_email(
    request: Request, here: Here, alert_id: str, event: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Send the HTML of the mail about an alert, to be shown in a frame of its page where nothing of it can run."""
    with reading(here.app.engine) as connection:
        html = mail_html(connection, here.app, alert_id, event)
    if html is None:
        return _unknown(
            request,
            here,
            phrase("No such alert"),
            phrase("There is no alert with this address."),
            phrase("The list of alerts is at /alerts."),
        )
    return HTMLResponse(html, headers=FRAMED_HEADERS)


@router.get("/polls/{poll_id}")
def get_poll(request: Request, here: Here, poll_id: int) -> Response:
    """Show one poll: when and what was asked, the hash of the answer, and what is kept of it."""
    with reading(here.app.engine) as connection:
        view = evidence_of_poll(connection, poll_id, public=here.public)
    if view is None:
        return _unknown(
            request,
            here,
            phrase("No such poll"),
            phrase("There is no poll with this address."),
            phrase("Alerts and visits name those that they rest on."),
        )
    return here.renderer.page(
        request, "poll.html", view=view, data=[here.app.sources.provider(view.poll.provider)]
    )


@router.get("/feeds")
def get_feeds(request: Request, here: Here) -> Response:
    """Show the feeds, their health and their terms."""
    return _kept(request, here, partial(_feeds, request, here))


def _feeds(request: Request, here: WebContext) -> str:
    view = feeds_page(here.app, here.clock())
    data = each_once(each.provider.attribution for each in view.feeds)
    return here.renderer.html(request, "feeds.html", view=view, data=data)


def _unknown(request: Request, here: Here, title: str, *parts: str) -> Response:
    told = list(parts)
    if here.public:
        # Said of every address that leads nowhere, so that it tells nothing of this one.
        delay = duration(timedelta(hours=here.app.settings.public_delay_hours))
        told.append(
            phrase(
                "What is younger than {delay} is not shown in public; whoever watches here sees it after a log-in.",
                delay=delay,
            )
        )
    return here.renderer.problem(request, HTTPStatus.NOT_FOUND, title, spaced(told))
