"""The routes of a site's pictures: the page, a count, a part drawn. What is sent is checked as an import or a sites file is."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, urlencode

import structlog
from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from alerts.attribution import MAP
from db.engine import reading
from db.imagery import scenes
from monitor import pipeline
from monitor.errors import InputError, WorkFailed
from monitor.imports import ImportFault, import_row
from monitor.imports.analyst import AnalystCount, count_row
from monitor.sites import Site
from monitor.sites.faults import SitesError
from monitor.web.actions import LongText, OwnForm, ShortText
from monitor.web.context import Here, WebContext
from monitor.web.looking.drawing import write_area
from monitor.web.looking.view import CERTAINTIES, COMPARATORS, AreaWish, Chosen, pictures_page, taken_words

router = APIRouter(include_in_schema=False)
RemarkText = Annotated[str, Form(max_length=2_000)]

_log = structlog.get_logger()


@router.get("/sites/{site_id}/look")
def get_look(request: Request, here: Here, site_id: str, scene: str = "", other: str = "") -> Response:
    """Show a site's pictures, what people counted in the chosen one, and the forms."""
    return _page(request, here, _site(here, site_id), Chosen(scene, other))


@router.post("/sites/{site_id}/counts", dependencies=[OwnForm])
def post_count(  # noqa: PLR0917 - the fields of the form
    request: Request,
    here: Here,
    site_id: str,
    metric: ShortText = "",
    value: ShortText = "",
    reviewer: ShortText = "",
    scene: ShortText = "",
    start: ShortText = "",
    low: ShortText = "",
    high: ShortText = "",
    comparator: ShortText = "",
    area: ShortText = "",
    subject: ShortText = "",
    assessable: ShortText = "",
    exposure: ShortText = "",
    certainty: ShortText = "",
    url: RemarkText = "",
    note: RemarkText = "",
) -> Response:
    """Store one count of a picture, by the same checks as a row of a file."""
    site, now = _site(here, site_id), here.clock()
    wish = AnalystCount(
        site_id=site.id,
        metric=metric,
        value=value,
        reviewer=reviewer,
        scene=scene,
        start=start,
        low=low,
        high=high,
        comparator=comparator,
        area=area,
        subject=subject,
        assessable=assessable,
        exposure=exposure,
        certainty=certainty,
        url=url,
        note=note,
    )
    chosen = Chosen(scene)
    try:
        with reading(here.app.engine) as connection:
            known = scenes(connection, site_id=site.id) if scene else []
        row = count_row(wish, known, now, "the page")
    except InputError as error:
        fault = ImportFault("the form", "" if reviewer.strip() else "reviewer", str(error).rstrip("."), "")
        return _page(request, here, site, chosen, wish=wish, faults=[fault])
    report = import_row(here.app.engine, row, here.app.sites, now)
    if report.faults:
        return _page(request, here, site, chosen, wish=wish, faults=report.faults)
    _log.info("count added from the page", site=site.id, metric=metric, revised=bool(report.revised))
    return _see(site, chosen, "counts-title")


@router.post("/sites/{site_id}/areas", dependencies=[OwnForm])
def post_area(  # noqa: PLR0917 - the fields of the form
    request: Request,
    here: Here,
    site_id: str,
    area: ShortText = "",
    area_id: ShortText = "",
    name: ShortText = "",
    kind: ShortText = "",
    geometry: LongText = "",
    scene: ShortText = "",
) -> Response:
    """Write where a part of the site is into the sites file, and watch it from now on."""
    site, chosen = _site(here, site_id), Chosen(scene)
    wish = AreaWish(*(each.strip() for each in (area, area_id, name, kind, geometry)))
    try:
        written = write_area(here.app, site, wish)
    except SitesError as error:
        return _page(request, here, site, chosen, drawing=wish, drawing_faults=error.faults)
    except WorkFailed as error:
        return here.renderer.problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Not written", str(error))
    pipeline.reload_sites(here.app, here.clock())
    _log.info("area drawn on the page", site=site.id, area=written)
    return _see(site, chosen, "draw-title")


def _site(here: WebContext, site_id: str) -> Site:
    found = here.app.sites.get(site_id)
    if found is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, "There is no such site. The list of sites is on the first page."
        )
    return found


def _page(request: Request, here: WebContext, site: Site, chosen: Chosen, **given: object) -> Response:
    with reading(here.app.engine) as connection:
        watch, now, sources = here.app.watches[site.id], here.clock(), here.app.sources
        view = pictures_page(connection, site, watch, now, chosen, sources=sources, **given)  # type: ignore[arg-type]
    wrong = bool(view.faults or view.drawing_faults)
    return here.renderer.page(
        request,
        "look.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        view=view,
        site=site,
        comparators=COMPARATORS,
        certainties=CERTAINTIES,
        taken=taken_words,
        file=here.app.sites_file.path.name,
        data=[*view.data, MAP],
    )


def _see(site: Site, chosen: Chosen, anchor: str) -> Response:
    asked = urlencode({"scene": chosen.scene}) if chosen.scene else ""
    where = f"/sites/{quote(site.id)}/look{'?' if asked else ''}{asked}#{anchor}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)
