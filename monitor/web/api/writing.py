"""The part of the API that changes something: counts, sites, acknowledging, silences. Each needs a token that may."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi import Path as ApiPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from alerts.metrics import METRICS
from db.alerts import acknowledge
from db.api_requests import begin_request, drop_request, end_request
from db.causes import causes_of
from db.engine import reading, writing
from db.imports import ImportOvertakenError
from db.silences import add_silence, lift_silences, silences
from db.tokens import TokenScope
from monitor import pipeline
from monitor.bootstrap import address_test, rule_defaults
from monitor.errors import WorkFailed
from monitor.imports import Rows, UnreadableFile, csv_rows, exact_json, feature_rows, import_rows, object_rows
from monitor.imports.faults import BadCell
from monitor.imports.values import zone as known_zone
from monitor.sites.add import add_sites
from monitor.sites.check import feature_id
from monitor.sites.choosing import Choice
from monitor.sites.drawings import read_drawing
from monitor.sites.faults import SitesError, as_sentence, did_you_mean
from monitor.sites.incoming import (
    NewSites,
    Told,
    feature_from_airport,
    kept_words,
    place_from_text,
    sites_in_drawing,
    swap_questions,
)
from monitor.sites.overlaps import overlaps
from monitor.web.api.models import AlertItem, ApiError, alert_item
from monitor.web.api.queries import only_known_parameters
from monitor.web.api.sent import (
    OBSERVATIONS_BODY,
    SITES_BODY,
    AcknowledgeWish,
    AddedSites,
    ApiRefusal,
    ImportedCounts,
    Lifted,
    SilenceItem,
    Silences,
    SilenceWish,
    import_refusal,
    imported_counts,
    silence_item,
    sites_refusal,
)
from monitor.web.context import Here, WebContext
from monitor.web.security import Grant, grant_of

_PLAIN = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ApiError, "description": "The body cannot be read at all"},
    401: {"model": ApiError, "description": "There is no token, or one that is wrong, revoked or over"},
    403: {"model": ApiError, "description": "The token may not do this"},
    404: {"model": ApiError, "description": "There is no such site or alert"},
    405: {"model": ApiError, "description": "This address does something else"},
    409: {"model": ApiError, "description": "A request with this Idempotency-Key is still being answered"},
    413: {"model": ApiError, "description": "It is more than 8 MB"},
    415: {"model": ApiError, "description": "A content type that is not read here"},
    421: {**_PLAIN, "description": "The host by which it was asked is not known to this sitewatch"},
    422: {
        "model": ApiRefusal,
        "description": "What was sent cannot be used, or this Idempotency-Key came with something else before; nothing was done",
    },
    429: {
        **_PLAIN,
        "description": "Too many wrong tokens came from this address; Retry-After says when to ask again",
    },
    503: {
        "model": ApiError,
        "description": "The database cannot be used, or another import is under way; Retry-After says when",
    },
}
router = APIRouter(prefix="/api/v1", responses=_REFUSALS, dependencies=[Depends(only_known_parameters)])
_BUSY_S = 15

_log = structlog.get_logger()


def _needs(scope: TokenScope) -> Callable[[Request], Grant]:
    def check(request: Request) -> Grant:
        grant = grant_of(request)
        if grant is None:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "This changes something, so it needs a token even on this machine: “sitewatch tokens add NAME --scope "
                f"{scope}” makes one; send it as the header “Authorization: Bearer TOKEN”.",
                {"WWW-Authenticate": "Bearer"},
            )
        if not grant.may(scope):
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"The token {grant.name} may only {grant.scope}; this needs the scope {scope}.",
            )
        return grant

    return check


Writer = Annotated[Grant, Depends(_needs("write"))]
Admin = Annotated[Grant, Depends(_needs("admin"))]


async def _raw_body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_raw_body)]
RequestKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="A name of your own for this request: sent again, it is answered as before and done once. Kept for a week.",
    ),
]


class _RefusedError(Exception):
    """Nothing was done; the answer says why."""

    def __init__(self, refusal: ApiRefusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal


class _BusyError(Exception):
    """Another import is under way."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that changes something, and who sent it."""

    request: Request
    here: WebContext
    grant: Grant
    body: bytes
    key: str | None


def _once(asked: _Asked, do: Callable[[], tuple[int, BaseModel]]) -> Response:
    """Do it and answer; under a key that came before, answer as before and do nothing."""
    try:
        if asked.key is not None:
            return _once_under(asked.key, asked, do)
        status, answer = do()
        return JSONResponse(answer.model_dump(mode="json"), status)
    except _RefusedError as error:
        return JSONResponse(error.refusal.model_dump(mode="json"), HTTPStatus.UNPROCESSABLE_ENTITY)


def _once_under(key: str, asked: _Asked, do: Callable[[], tuple[int, BaseModel]]) -> Response:
    request, here, grant = asked.request, asked.here, asked.grant
    said = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + asked.body
    digest = hashlib.sha256(said).hexdigest()
    with writing(here.app.engine) as connection:
        earlier = begin_request(connection, grant.name, key, digest, here.clock())
    if earlier is not None and earlier.request_sha256 != digest:
        error = "This Idempotency-Key came with another request before. Choose a new one for a new request."
        raise _RefusedError(ApiRefusal(error=error))
    if earlier is not None and earlier.status is None:
        raise HTTPException(
            HTTPStatus.CONFLICT,
            "A request with this Idempotency-Key is still being answered. Send it again in a while.",
            {"Retry-After": str(_BUSY_S)},
        )
    if earlier is not None and earlier.status is not None:
        return JSONResponse(earlier.answer, earlier.status, {"Idempotency-Replayed": "true"})
    try:
        status, answer = do()
    except BaseException:
        # What was refused was not done: mended, it may come under the same key.
        with writing(here.app.engine) as connection:
            drop_request(connection, grant.name, key)
        raise
    document = answer.model_dump(mode="json")
    with writing(here.app.engine) as connection:
        end_request(connection, grant.name, key, status, document)
    return JSONResponse(document, status)


# --- counts -------------------------------------------------------------------------------------------------------

ZoneParameter = Annotated[
    str,
    Query(max_length=100, description="Whose days bare dates are, such as UTC; left out, the site's own"),
]


@router.post(
    "/observations", name="add_observations", response_model=ImportedCounts, openapi_extra=OBSERVATIONS_BODY
)
def post_observations(  # noqa: PLR0917 - what a request has
    request: Request, here: Here, grant: Writer, body: Body, zone: ZoneParameter = "", key: RequestKey = None
) -> Response:
    """Bring counts in, by the checks of “sitewatch observations import”: all of them, or none."""
    zone_words = _zone_fault(zone)
    if zone_words:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, zone_words)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def do() -> tuple[int, BaseModel]:
        report = _imported(here, _rows_of(kind, body, f"the API, {grant.name}"), zone)
        _log.info("counts from the API", token=grant.name, stored=report.stored, revised=report.revised)
        return HTTPStatus.OK, report

    return _once(_Asked(request, here, grant, body, key), do)


def _zone_fault(zone: str) -> str:
    try:
        known_zone(zone)
    except BadCell as bad:
        return f"zone: {bad.problem}. {as_sentence(bad.mend)}"
    return ""


def _imported(here: WebContext, rows: Rows, zone: str) -> ImportedCounts:
    def progress(stage: str, _rows: int) -> None:
        if stage == "waiting":
            # A request holds a thread of the page, and an import can last: better asked again.
            raise _BusyError

    try:
        report = import_rows(
            here.app.engine, rows, here.app.sites, here.clock(), zone=zone, progress=progress
        )
    except (_BusyError, ImportOvertakenError):
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Another import is under way, so nothing was imported. Send the same again in a while.",
            {"Retry-After": str(_BUSY_S)},
        ) from None
    if report.faults:
        raise _RefusedError(import_refusal(report.faults))
    return imported_counts(report)


def _rows_of(kind: str, body: bytes, source: str) -> Rows:
    try:
        match kind:
            case "text/csv":
                text = body.decode("utf-8-sig")
                rows = list(csv_rows(io.StringIO(text, newline=""), source))
            case "application/geo+json":
                rows = list(feature_rows(exact_json(body), source))
            case "application/json":
                rows = list(object_rows(_observations(exact_json(body)), source))
            case _:
                raise HTTPException(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    "Send application/json, application/geo+json or text/csv as Content-Type.",
                )
    except UnicodeDecodeError:
        raise _RefusedError(ApiRefusal(error="The body is not UTF-8 text.")) from None
    except UnreadableFile as error:
        raise _RefusedError(import_refusal(error.faults)) from None
    return Rows(lambda: iter(rows))


def _observations(document: Any) -> Any:
    if isinstance(document, dict) and set(document) == {"observations"}:
        return document["observations"]
    error = 'Send one object with the one key observations: {"observations": [{…}, …]}, each with the import columns.'
    raise _RefusedError(ApiRefusal(error=error))


# --- sites --------------------------------------------------------------------------------------------------------


@router.post(
    "/sites",
    name="add_sites",
    status_code=HTTPStatus.CREATED,
    response_model=AddedSites,
    openapi_extra=SITES_BODY,
)
def post_site_file(  # noqa: PLR0917 - what a request has
    request: Request,
    here: Here,
    grant: Admin,
    body: Body,
    airport: Annotated[str | None, Query(max_length=10, description="An airport's ICAO or IATA code")] = None,
    at: Annotated[str | None, Query(max_length=4_000, description="A place as people write it")] = None,
    radius: Annotated[
        float | None, Query(gt=0, le=200_000, description="Metres round a point or along a line")
    ] = None,
    site_id: Annotated[
        str | None, Query(alias="id", max_length=100, description="Else made of the name")
    ] = None,
    name: Annotated[
        str | None, Query(max_length=200, description="What it is called; else as the file says")
    ] = None,
    kind: Annotated[str | None, Query(max_length=50, description="As in docs/sites.md")] = None,
    timezone: Annotated[str | None, Query(max_length=60, description="Else the one at the place")] = None,
    place: Annotated[
        list[str] | None, Query(max_length=200, description="Which places of a file with several")
    ] = None,
    every: Annotated[bool, Query(alias="all", description="All places of a file with several")] = False,
    as_written: Annotated[
        bool, Query(description="The place is right although it lies in the open sea")
    ] = False,
    replace: Annotated[bool, Query(description="Replace a site that has this id")] = False,
    key: RequestKey = None,
) -> Response:
    """Add sites as “sitewatch sites add” does: from a file in the body, a place or an airport code."""
    told = Told(site_id, name, kind, timezone)

    def do() -> tuple[int, BaseModel]:
        new = _new_sites(airport, at, body, told, Choice(tuple(place or ()), every, radius))
        if not as_written and (questions := swap_questions(new.features)):
            raise _RefusedError(
                ApiRefusal(error=f"{' '.join(questions)} If they are right, send as_written=true.")
            )
        added = _written(here, new, replace=replace)
        _log.info("sites added by the API", token=grant.name, sites=added.added)
        return HTTPStatus.CREATED, added

    return _once(_Asked(request, here, grant, body, key), do)


def _new_sites(airport: str | None, at: str | None, body: bytes, told: Told, choice: Choice) -> NewSites:
    if sum([airport is not None, at is not None, bool(body)]) != 1:
        raise _RefusedError(ApiRefusal(error="Say one thing to add: a file in the body, at or airport."))
    try:
        if airport is not None:
            return NewSites([feature_from_airport(airport, told, radius_m=choice.radius_m)])
        if at is None:
            return sites_in_drawing("the body", read_drawing("the body", body), told, choice)
        found = place_from_text(at, told, choice.radius_m)
    except SitesError as error:
        raise _RefusedError(sites_refusal(error.faults)) from None
    if found is None:
        raise _RefusedError(
            ApiRefusal(error="at: this is no place that is known here. Write 39.2241, 125.67.")
        )
    return found


def _written(here: WebContext, new: NewSites, *, replace: bool) -> AddedSites:
    try:
        sites = add_sites(
            here.app.sites_file.path,
            new.features,
            replace=replace,
            rules=rule_defaults(),
            in_watched_class=address_test(here.app.classes),
        )
    except SitesError as error:
        raise _RefusedError(sites_refusal(error.faults)) from None
    except WorkFailed as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
    pipeline.reload_sites(here.app, here.clock())
    added = [feature_id(each) for each in new.features]
    notes = [*new.notes, *kept_words(new.features), *map(str, overlaps(sites.sites, added))]
    return AddedSites(added=added, sites=len(sites), notes=notes)


# --- alerts -------------------------------------------------------------------------------------------------------


@router.post("/alerts/{alert_id}/acknowledge", name="acknowledge_alert", response_model=AlertItem)
def post_acknowledge(
    here: Here,
    grant: Writer,
    alert_id: Annotated[str, ApiPath(max_length=200, description="The alert's id")],
    wish: AcknowledgeWish | None = None,
) -> Response:
    """Note that somebody has seen an alert; it stays open until the facts close it."""
    by = (wish.by.strip() if wish else "") or grant.name
    with writing(here.app.engine) as connection:
        found = acknowledge(connection, alert_id, by, here.clock())
        cause = causes_of(connection, [alert_id]).get(alert_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no alert with this id.")
    return JSONResponse(alert_item(found, cause).model_dump(mode="json"))


@router.get("/silences", name="silences")
def get_silences(here: Here) -> Silences:
    """The silences in force."""
    with reading(here.app.engine) as connection:
        return Silences(items=[silence_item(each) for each in silences(connection, here.clock())])


@router.post("/silences", name="add_silence", status_code=HTTPStatus.CREATED, response_model=SilenceItem)
def post_silence(here: Here, grant: Writer, wish: SilenceWish) -> Response:
    """Send no messages about a site, or one metric there, for some hours; alerts are still recorded."""
    _check_known(here, wish.site, wish.metric)
    now = here.clock()
    by = wish.by.strip() or grant.name
    with writing(here.app.engine) as connection:
        made = add_silence(
            connection,
            wish.site,
            wish.metric,
            now,
            now + timedelta(hours=wish.hours),
            reason=wish.reason.strip(),
            by=by,
        )
    return JSONResponse(silence_item(made).model_dump(mode="json"), HTTPStatus.CREATED)


@router.delete("/silences", name="lift_silences")
def delete_silences(
    here: Here,
    grant: Writer,  # noqa: ARG001 - who may not is refused before
    site: Annotated[str, Query(max_length=200, description="The site's id")],
    metric: Annotated[str, Query(max_length=200, description="Only those of this metric")] = "",
) -> Lifted:
    """End what silences a site, or one metric there."""
    _check_known(here, site, metric)
    with writing(here.app.engine) as connection:
        return Lifted(lifted=lift_silences(connection, site, metric, here.clock()))


def _check_known(here: WebContext, site: str, metric: str) -> None:
    if site not in here.app.sites:
        there = ", ".join(sorted(here.app.sites))
        raise HTTPException(HTTPStatus.NOT_FOUND, f"site: there is no such site. There are: {there}.")
    if metric and metric not in METRICS:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"metric: there is no such metric. {did_you_mean(metric, METRICS)}",
        )
