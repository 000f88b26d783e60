"""The web application: routes behind one guard, errors as sentences, and streams that end with the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path

import structlog
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection

from db.ended_sessions import ended_sessions
from db.engine import DataError, SQLAlchemyError, reading, writing
from db.late import late_engine
from db.said import phrase, spaced
from db.scenario_mark import scenario_mark
from db.tokens import is_use_due, note_token_use, token_in_force
from db.versions import DatabaseVersion
from monitor.app import App
from monitor.errors import InputError
from monitor.ops.database_health import database_trouble, note_database_error
from monitor.web import actions, health, streams
from monitor.web.adding import routes as adding_routes
from monitor.web.answers import Head, Tagged
from monitor.web.api import routes as api
from monitor.web.api import writing as api_writing
from monitor.web.api.description import describe
from monitor.web.asking import routes as asking_routes
from monitor.web.context import WebContext, web_of
from monitor.web.events import ChangeFeed
from monitor.web.files import BUILT_FOLDER, NOT_BUILT, Assets, Files
from monitor.web.kept_pages import KeptPages
from monitor.web.looking import routes as looking_routes
from monitor.web.ogc import routes as ogc
from monitor.web.rendering import Renderer, make_environment
from monitor.web.security import (
    AccessMiddleware,
    Clock,
    CookieKeys,
    Grant,
    Sessions,
    add_headers,
    check_bind,
    is_public,
)
from monitor.web.views import pages

THREADS = 8
"""Answers that are made at once."""
PACKED_FROM_BYTES = 1_000
API_PREFIX, OGC_PREFIX = "/api/", "/ogc"
OPENAPI_URL = "/api/v1/openapi.json"
_ROUTERS = (
    pages.router,
    actions.router,
    adding_routes.router,
    asking_routes.router,
    looking_routes.router,
    ogc.router,
    api.router,
    api_writing.router,
    streams.router,
    health.router,
)

_log = structlog.get_logger()


def create_app(app: App, clock: Clock, built: Path = BUILT_FOLDER) -> FastAPI:
    """Build the page and the API over a program that is put together; nothing is read or written yet.

    `built` holds the built scripts. Raises ValueError where others could reach it without a token.
    """
    settings = app.settings
    check_bind(settings)
    token = settings.api_token.get_secret_value() if settings.api_token else None
    assets = Assets.of(built)
    if not assets.built:
        _log.warning(NOT_BUILT)
    keys = CookieKeys(token)
    https = (settings.public_url or "").startswith("https:")
    renderer = Renderer(
        make_environment(assets),
        assets,
        keys,
        clock,
        https,
        partial(database_trouble, settings, app.troubles),
        partial(_scenario, app),
    )
    version = DatabaseVersion(app.engine)
    kept = KeptPages(renderer, partial(_state, app, version, renderer))
    sessions = Sessions(partial(_ended, app))
    web = WebContext(app, clock, keys, renderer, ChangeFeed(app.engine), sessions, kept)
    site = FastAPI(
        title="sitewatch",
        version="1",
        # Their documentation pages load scripts from elsewhere; docs/api.md describes the API.
        docs_url=None,
        redoc_url=None,
        openapi_url=OPENAPI_URL,
        lifespan=_lifespan,
        # By this name a generated client calls the operation.
        generate_unique_id_function=lambda route: route.name,
    )
    site.state.web = web
    site.state.version = version
    site.state.late = _late(web, version)
    site.mount("/static", Files(built), name="static")
    for router in _ROUTERS:
        site.include_router(router)
    _handle_errors(site, web)
    site.add_middleware(Tagged)
    site.add_middleware(GZipMiddleware, minimum_size=PACKED_FROM_BYTES)
    site.add_middleware(Head)
    site.add_middleware(
        AccessMiddleware,
        settings=settings,
        keys=keys,
        sessions=web.sessions,
        attempts=web.attempts,
        named=partial(_named_grant, app),
        clock=clock,
        refuse=lambda request: _refuse(request, web),
    )
    describe(site, guarded=token is not None, public=settings.public_page)
    return site


def _state(app: App, version: DatabaseVersion, renderer: Renderer) -> tuple[object, ...]:
    """All that pages are made from: what the database knows, the minute, and what is known of the sites file and of troubles."""
    minute = int(renderer.clock().timestamp()) // 60
    return version.read(), minute, app.sites_file.sites.digest, app.sites_file.faults, renderer.trouble()


def _late(web: WebContext, version: DatabaseVersion) -> WebContext:
    """What the public is answered from: the database and the clock as they were `public_delay_hours` ago."""
    delay = timedelta(hours=web.app.settings.public_delay_hours)

    def clock() -> datetime:
        return web.clock() - delay

    renderer = replace(web.renderer, clock=clock, trouble=lambda: "", late_by=delay)
    engine = late_engine(web.app.engine, clock)
    # A view of the same database: what it shows changes with what that knows, and with the minute.
    kept = KeptPages(renderer, partial(_state, web.app, version, renderer))
    late = replace(web.app, engine=engine)
    return replace(web, app=late, clock=clock, renderer=renderer, pages=kept, public=True)


def _ended(app: App) -> frozenset[str]:
    with reading(app.engine) as connection:
        return ended_sessions(connection)


def _named_grant(app: App, text: str, now: datetime) -> Grant | None:
    """What a named token may do; a database that cannot be read opens nothing."""
    try:
        with reading(app.engine) as connection:
            known = token_in_force(connection, text, now)
        if known is None:
            return None
        if is_use_due(known, now):
            with writing(app.engine) as connection:
                note_token_use(connection, known.prefix, now)
    except SQLAlchemyError as error:
        _log.warning("a token could not be looked up", error=type(error).__name__)
        return None
    return Grant(known.name, known.scope)


def _scenario(app: App) -> str:
    # A page about a broken database must not need that database.
    with suppress(SQLAlchemyError), reading(app.engine) as connection:
        mark = scenario_mark(connection)
        return mark.words if mark else ""
    return ""


@asynccontextmanager
async def _lifespan(site: FastAPI) -> AsyncIterator[None]:
    # Each may hold a connection to the database, and the jobs need theirs.
    current_default_thread_limiter().total_tokens = THREADS
    yield
    await site.state.web.pulse.close()
    site.state.version.close()
    site.state.late.app.engine.dispose()


def _refuse(request: HTTPConnection, web: WebContext) -> Response:
    if is_public(request):
        return _not_public(request, web)
    if _asks_a_program(request) or "text/html" not in request.headers.get("accept", ""):
        text = (
            "This needs a token of this sitewatch: send the header “Authorization: Bearer TOKEN” "
            "(SITEWATCH_API_TOKEN, or one that “sitewatch tokens add” made and that is not over)."
        )
        answer = _fault(request, HTTPStatus.UNAUTHORIZED, text)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    return actions.login_page(request, web, HTTPStatus.UNAUTHORIZED)


def _asks_a_program(request: HTTPConnection) -> bool:
    return request.url.path.startswith(API_PREFIX) or _is_of_ogc(request)


def _is_of_ogc(request: HTTPConnection) -> bool:
    return request.url.path == OGC_PREFIX or request.url.path.startswith(f"{OGC_PREFIX}/")


def _fault(request: HTTPConnection, status: int, text: str) -> Response:
    """What a program is told: under `/ogc` in the words and with the numbers of that standard."""
    if not _is_of_ogc(request):
        return JSONResponse({"error": text}, status)
    status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    return JSONResponse({"code": str(int(status)), "description": text}, status)


def _not_public(request: HTTPConnection, web: WebContext) -> Response:
    """What anybody is told who asks for what only those see who watch here."""
    text = phrase(
        "This is not public: it is for those who run this sitewatch. Public are the sites, their counts and the alerts."
    )
    if web.keys.api_token is not None:
        text = spaced([text, phrase("Log in with the token of this sitewatch to see it.")])
    if _asks_a_program(request):
        return _fault(request, HTTPStatus.FORBIDDEN, text)
    late: WebContext = request.app.state.late
    return late.renderer.page(
        request, "problem.html", status=HTTPStatus.FORBIDDEN, title=phrase("Not public"), text=text
    )


def _handle_errors(site: FastAPI, web: WebContext) -> None:
    def answer(request: Request, status: int, text: str) -> Response:
        if _asks_a_program(request):
            return _fault(request, status, text)
        title = HTTPStatus(status).phrase
        return web_of(request).renderer.problem(request, status, _TITLES.get(title, title), text)

    @site.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> Response:
        plain = error.detail == HTTPStatus(error.status_code).phrase
        text = _PLAIN.get(error.status_code, error.detail) if plain else error.detail
        response = answer(request, error.status_code, text)
        response.headers.update(error.headers or {})
        return response

    @site.exception_handler(RequestValidationError)
    def on_invalid(request: Request, error: RequestValidationError) -> Response:
        faults = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
        return answer(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            phrase("The request cannot be answered. {faults}.", faults="; ".join(faults)),
        )

    @site.exception_handler(InputError)
    def on_input(request: Request, error: InputError) -> Response:
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @site.exception_handler(DataError)
    def on_value(request: Request, _error: DataError) -> Response:
        # PostgreSQL refuses what it could not hold, a NUL in a text among it: the question is at fault.
        return answer(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            phrase(
                "The request cannot be answered: it asks for something that no database here can hold, such as the character "
                "NUL (%00). Remove it from the address."
            ),
        )

    @site.exception_handler(SQLAlchemyError)
    def on_database(request: Request, error: SQLAlchemyError) -> Response:
        text = phrase(
            "The database cannot be read just now. “sitewatch doctor” says why; then load this page again."
        )
        if note_database_error(web.app.settings, web.app.troubles, error, web.clock()):
            text = database_trouble(web.app.settings, web.app.troubles)
        else:
            _log.error("the page could not read the database", path=request.url.path, exc_info=error)
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, text)

    @site.exception_handler(Exception)
    def on_fault(request: Request, error: Exception) -> Response:
        _log.error("the page failed", path=request.url.path, exc_info=error)
        text = phrase(
            "This is a fault in sitewatch, not in your settings. The log has the details; please report it."
        )
        response = answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, text)
        # Such an answer does not pass the guard again.
        add_headers(response.headers, https=web.renderer.https)
        return response


_PLAIN: dict[int, str] = {
    HTTPStatus.NOT_FOUND: phrase("There is nothing at this address. The first page is at /."),
    HTTPStatus.METHOD_NOT_ALLOWED: phrase("This address cannot be used in this way."),
}
_TITLES: dict[str, str] = {
    HTTPStatus.NOT_FOUND.phrase: phrase("Not Found"),
    HTTPStatus.FORBIDDEN.phrase: phrase("Forbidden"),
    HTTPStatus.METHOD_NOT_ALLOWED.phrase: phrase("Method Not Allowed"),
    HTTPStatus.UNPROCESSABLE_ENTITY.phrase: phrase("Unprocessable Entity"),
    HTTPStatus.INTERNAL_SERVER_ERROR.phrase: phrase("Internal Server Error"),
    HTTPStatus.SERVICE_UNAVAILABLE.phrase: phrase("Service Unavailable"),
}
