"""What changes something: acknowledging, silencing, logging in and out. POST only, and only from our own forms."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from db.alerts import acknowledge, alert_by_id
from db.ended_sessions import end_session
from db.engine import writing
from db.records import Alert
from db.silences import add_silence, lift_silences
from monitor.web.context import Here, WebContext
from monitor.web.rendering import path_and_query
from monitor.web.security import (
    LOGIN_PATH,
    SESSION_COOKIE,
    SESSION_LASTS,
    address_of,
    form_is_ours,
    session_of,
    too_many,
)

router = APIRouter(include_in_schema=False)
ON_PAGE = "the page"
_LONGEST_NAME, _LONGEST_REASON = 80, 500
_HOURS = {1, 8, 24, 72, 168, 720}


async def from_our_form(request: Request, here: Here, form_token: Annotated[str, Form()] = "") -> None:
    """Refuse a POST that does not come from one of our own pages."""
    if not form_is_ours(request, form_token, here.keys):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "This form is not from a current page of sitewatch, so nothing was changed. Load the page again and "
            "repeat what you did.",
        )


OwnForm = Depends(from_our_form)
ShortText = Annotated[str, Form(max_length=200)]
LongText = Annotated[str, Form(max_length=1_000_000)]
"""A field of a form that takes a line, and one that takes a file or a drawing."""
PersonName = Annotated[str, Form(max_length=_LONGEST_NAME)]
SilenceReason = Annotated[str, Form(max_length=_LONGEST_REASON)]


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[OwnForm])
def acknowledge_alert(here: Here, alert_id: str, by: PersonName = "") -> Response:
    """Note that a person has seen an alert."""
    with writing(here.app.engine) as connection:
        found = acknowledge(connection, alert_id, by.strip() or ON_PAGE, here.clock())
    if found is None:
        raise _no_alert()
    return _back(found)


@router.post("/alerts/{alert_id}/silence", dependencies=[OwnForm])
def silence_alert(
    here: Here, alert_id: str, hours: Annotated[int, Form()], reason: SilenceReason = "", by: PersonName = ""
) -> Response:
    """Send no messages about the alert's site and metric for some hours; alerts are still recorded."""
    if hours not in _HOURS:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "Choose one of the times that the form offers.")
    now = here.clock()
    with writing(here.app.engine) as connection:
        found = alert_by_id(connection, alert_id)
        if found is None:
            raise _no_alert()
        ends = now + timedelta(hours=hours)
        add_silence(
            connection,
            found.site_id,
            found.metric,
            now,
            ends,
            reason=reason.strip(),
            by=by.strip() or ON_PAGE,
        )
    return _back(found)


@router.post("/alerts/{alert_id}/unsilence", dependencies=[OwnForm])
def lift_silence(here: Here, alert_id: str) -> Response:
    """End what silences the alert's site and metric."""
    with writing(here.app.engine) as connection:
        found = alert_by_id(connection, alert_id)
        if found is None:
            raise _no_alert()
        lift_silences(connection, found.site_id, found.metric, here.clock())
    return _back(found)


@router.get(LOGIN_PATH)
def login_form(request: Request, here: Here) -> Response:
    """Show the way in."""
    return login_page(request, here, HTTPStatus.OK)


@router.post(LOGIN_PATH, dependencies=[OwnForm])
def log_in(
    request: Request, here: Here, token: Annotated[str, Form()], following: Annotated[str, Form()] = "/"
) -> Response:
    """Exchange the token for a session cookie; an address that was wrong again and again waits."""
    asker, now = address_of(request), here.clock()
    if wait_s := here.attempts.wait_s(asker, now):
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, too_many(wait_s), {"Retry-After": str(wait_s)})
    if not here.keys.allows(token.strip()):
        here.attempts.wrong(asker, now)
        return login_page(request, here, HTTPStatus.UNAUTHORIZED, wrong=True, following=following)
    here.attempts.right(asker)
    response = _see(following)
    response.set_cookie(
        SESSION_COOKIE,
        here.keys.session(here.clock()),
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        # Not strict: a link in a message must open the page of somebody who is logged in.
        samesite="lax",
        secure=here.renderer.https,
    )
    return response


@router.post("/logout", dependencies=[OwnForm])
def log_out(request: Request, here: Here) -> Response:
    """End the session: whoever has a copy of its cookie is out as well."""
    now = here.clock()
    if name := session_of(request, here.keys, now):
        here.sessions.end(name)
        with writing(here.app.engine) as connection:
            end_session(connection, name, now)
    response = _see(LOGIN_PATH)
    response.delete_cookie(SESSION_COOKIE)
    return response


def login_page(
    request: HTTPConnection,
    here: WebContext,
    status: int,
    *,
    wrong: bool = False,
    following: str | None = None,
) -> Response:
    """The form that asks for the token, and afterwards leads where the reader wanted to go."""
    wanted = following or ("/" if request.url.path == LOGIN_PATH else path_and_query(request))
    return here.renderer.page(request, "login.html", status=status, wrong=wrong, following=wanted)


def _back(alert: Alert) -> Response:
    return _see(f"/alerts/{alert.id}")


def _see(path: str) -> Response:
    # Only a path of our own: `//elsewhere` and `/\elsewhere` are other hosts to a browser.
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return RedirectResponse(path if ours else "/", HTTPStatus.SEE_OTHER)


def _no_alert() -> HTTPException:
    return HTTPException(
        HTTPStatus.NOT_FOUND, "There is no alert with this address. The list of alerts is at /alerts."
    )
