"""The routes for adding a site: a form, a dry run, and the writing. Only the last changes anything."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from alerts.attribution import MAP, TIME_ZONES
from monitor import pipeline
from monitor.errors import WorkFailed
from monitor.sites.faults import SitesError
from monitor.sites.kinds import KINDS
from monitor.web.actions import LongText, OwnForm, ShortText
from monitor.web.adding.preview import DryRun, SiteForm, preview_site, refused_dry_run, write_sites
from monitor.web.context import Here, WebContext
from monitor.web.views.map_data import draft_map_data, plain_map_data

router = APIRouter(include_in_schema=False)
LinkText = Annotated[str, Form(max_length=4_000)]

_log = structlog.get_logger()


@router.get("/add-site")
def get_form(request: Request, here: Here) -> Response:
    """Show the form."""
    return _form(request, here, SiteForm(), DryRun())


@router.post("/add-site/check", dependencies=[OwnForm])
def post_preview(  # noqa: PLR0917 - the fields of the form
    request: Request,
    here: Here,
    airport: ShortText = "",
    place: LinkText = "",
    radius: ShortText = "",
    geojson: LongText = "",
    site_id: ShortText = "",
    name: ShortText = "",
    kind: ShortText = "",
    timezone: ShortText = "",
    chosen: Annotated[list[str] | None, Form(max_length=2_000)] = None,
    file: UploadFile | None = None,
) -> Response:
    """Show what adding would do; nothing is written."""
    wish = SiteForm(
        airport=airport.strip(),
        place=place.strip(),
        radius=radius.strip(),
        geojson=geojson.strip(),
        site_id=site_id.strip(),
        name=name.strip(),
        kind=kind.strip(),
        timezone=timezone.strip(),
        chosen=tuple(chosen or ()),
        upload=_sent(file),
    )
    found = preview_site(here.app, wish, here.clock())
    if found.geojson is not None:
        # The browser does not keep a file that was chosen: from now on its places stand in the field.
        wish = replace(wish, geojson=found.geojson, upload=None)
    return _form(request, here, wish, found)


def _sent(file: UploadFile | None) -> tuple[str, bytes] | None:
    """The file as it was sent; a field that was left empty arrives as a file without a name."""
    if file is None or not file.filename:
        return None
    return file.filename, file.file.read()


@router.post("/add-site", dependencies=[OwnForm])
def post_sites(request: Request, here: Here, features: LongText) -> Response:
    """Write the sites of a dry run into the sites file, and watch them from now on."""
    try:
        added = write_sites(here.app, features)
    except SitesError as error:
        wish = SiteForm(geojson=features)
        return _form(request, here, wish, refused_dry_run(wish, error.faults))
    except WorkFailed as error:
        return here.renderer.problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Not added", str(error))
    pipeline.reload_sites(here.app, here.clock())
    _log.info("sites added from the page", sites=added)
    return RedirectResponse(f"/sites/{added[0]}" if len(added) == 1 else "/", HTTPStatus.SEE_OTHER)


def _form(request: Request, here: WebContext, wish: SiteForm, found: DryRun) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if found.faults else HTTPStatus.OK
    return here.renderer.page(
        request,
        "add_site.html",
        status=status,
        wish=wish,
        found=found,
        kinds=KINDS,
        map=plain_map_data(here.app.sites.values()),
        draft=draft_map_data(here.app.sites.values(), [each.site for each in found.previews]),
        file=here.app.sites_file.path.name,
        data=[TIME_ZONES, MAP],
    )
