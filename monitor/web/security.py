"""Who may see the page: known hosts only, default deny behind a token, strict headers on every answer."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.config.settings import Settings, is_loopback

SESSION_COOKIE = "sitewatch_session"
CSRF_COOKIE = "sitewatch_csrf"
LARGEST_BODY_BYTES = 8_000_000
SESSION_LASTS = timedelta(days=30)
LOGIN_PATH = "/login"
OPEN_PATHS = frozenset({"/healthz", LOGIN_PATH, "/static/sitewatch.css", "/static/favicon.svg"})
"""What needs no token: the health check, the way in, and what that one page is drawn with."""

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A publisher whose report is followed learns nothing of who watches what.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FRAMED_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
"""For a mail inside its frame: it has the styles that mails carry, and can neither run, load nor send anything."""
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")

Clock = Callable[[], datetime]
Refuse = Callable[[HTTPConnection], Response]


@dataclass(frozen=True, slots=True)
class CookieKeys:
    """The secrets behind cookies: sessions follow from the token, form tokens live as long as the process."""

    api_token: str | None
    forms: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def allows(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.api_token is not None and hmac.compare_digest(given.encode(), self.api_token.encode())

    def session(self, now: datetime) -> str:
        """A session's cookie: when it ends, signed. Another token makes every session void."""
        ends = str(int((now + SESSION_LASTS).timestamp()))
        return f"{ends}.{self._signed(ends)}"

    def knows_session(self, cookie: str, now: datetime) -> bool:
        """Whether the cookie is one of ours and not yet over."""
        ends, _, signature = cookie.partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._signed(ends).encode())
        return genuine and ends.isdecimal() and int(ends) > now.timestamp()

    def form_token(self, cookie: str) -> str:
        """What a form must carry so that its sender is known to have read our page."""
        return _sign(self.forms, f"form {cookie}")

    def _signed(self, ends: str) -> str:
        return _sign((self.api_token or "").encode(), f"session {ends}")


def _sign(key: bytes, text: str) -> str:
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class _Limited:
    """A request body that is refused where it grows beyond what our forms send."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left = receive, LARGEST_BODY_BYTES

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is more than sitewatch takes at once."
            )
        return message


class AccessMiddleware:
    """Stands before every route: refuses unknown hosts and whoever has no token, and sets the headers."""

    def __init__(
        self, app: ASGIApp, settings: Settings, keys: CookieKeys, clock: Clock, refuse: Refuse
    ) -> None:
        self._app, self._keys, self._clock, self._refuse = app, keys, clock, refuse
        self._hosts = _our_hosts(settings)
        self._https = (settings.public_url or "").startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(raw=message["headers"]), https=self._https)
            await send(message)

        answer = self._refusal(HTTPConnection(scope))
        await (answer or self._app)(scope, _Limited(receive), with_headers)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        if not self._known_host(connection.headers):
            return PlainTextResponse(
                "This address is not known to sitewatch. Open it as 127.0.0.1 or localhost, or set "
                "SITEWATCH_PUBLIC_URL to the address that you use.\n",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        if self._keys.api_token is None or connection.url.path in OPEN_PATHS:
            return None
        return None if is_authenticated(connection, self._keys, self._clock()) else self._refuse(connection)

    def _known_host(self, headers: Headers) -> bool:
        # A page elsewhere can point its own name at 127.0.0.1 and read us, unless names are checked. With a
        # token that gains nothing, because neither token nor cookie comes along.
        match = _HOST.fullmatch(headers.get("host", ""))
        return match is not None and (
            self._keys.api_token is not None or match["name"].lower() in self._hosts
        )


def _our_hosts(settings: Settings) -> frozenset[str]:
    address = settings.host
    with_brackets = f"[{address}]" if ":" in address else address
    public = urlsplit(settings.public_url or "").hostname
    return frozenset({"127.0.0.1", "localhost", "[::1]", with_brackets, *([public] if public else [])})


def add_headers(headers: MutableHeaders, *, https: bool) -> None:
    """Add the security headers where the answer has none of its own, and forbid caching likewise."""
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    headers.setdefault("Cache-Control", "no-store")


def check_bind(settings: Settings) -> None:
    """Refuse a bind that others can reach without a token; settings do so too, this is the second lock."""
    if settings.api_token is None and not is_loopback(settings.host):
        raise ValueError(f"The host {settings.host} can be reached by others and there is no api_token.")


def has_bearer(connection: HTTPConnection, keys: CookieKeys) -> bool:
    """Whether the request carries the token as `Authorization: Bearer`, which no browser sends by itself."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and keys.allows(given.strip())


def is_authenticated(connection: HTTPConnection, keys: CookieKeys, now: datetime) -> bool:
    """Whether the request may see anything: no token is set, or it carries the token or a session."""
    if keys.api_token is None or has_bearer(connection, keys):
        return True
    return keys.knows_session(connection.cookies.get(SESSION_COOKIE, ""), now)


def form_is_ours(request: Request, given: str, keys: CookieKeys) -> bool:
    """Whether a POST comes from one of our forms (or from a program that holds the token)."""
    if keys.api_token is not None and has_bearer(request, keys):
        return True
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    cookie = request.cookies.get(CSRF_COOKIE, "")
    return bool(cookie) and hmac.compare_digest(given.encode(), keys.form_token(cookie).encode())
