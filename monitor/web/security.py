"""Who may see the page: known hosts only, default deny behind a token, strict headers on every answer."""

import base64
import hashlib
import hmac
import math
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.tokens import TOKEN_MARK, TOKEN_SCOPES, TokenScope
from monitor.config.channels import is_loopback
from monitor.config.settings import Settings

SESSION_COOKIE = "sitewatch_session"
CSRF_COOKIE = "sitewatch_csrf"
LARGEST_BODY_BYTES = 8_000_000
SESSION_LASTS = timedelta(days=30)
LOGIN_PATH = "/login"
FREE_ATTEMPTS = 5
"""Wrong tokens of one address that are answered at once; a person mistypes."""
LONGEST_PAUSE_S = 60
_MOST_ADDRESSES = 10_000
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
PUBLIC_PATHS = re.compile(
    r"/|/static/.*|/healthz|/sites/[^/]+(/picture)?|/alerts(\.atom|/[^/]+)?|/polls/[^/]+"
    r"|/(observations|visits)(/ask)?"
    r"|/api/v1/(sites|observations|totals|visits|alerts|polls|openapi\.json)"
    r"|/ogc(/|/api|/conformance|/collections(/(sites|observations|visits|alerts)(/items(/[^/]+)?)?)?)?"
)
"""What anybody may read where the page is public: nothing that changes something, and nothing about the program itself."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What a proxy adds: whoever comes through one is not at this machine."""
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
_PUBLIC, _GRANT = "public", "grant"
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")

_log = structlog.get_logger()

Clock = Callable[[], datetime]
Refuse = Callable[[HTTPConnection], Response]


MASTER_TOKEN = "SITEWATCH_API_TOKEN"  # noqa: S105 - a name
"""The name under which the token of the settings acts: it may do everything."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a program is, and what it may do."""

    name: str
    scope: TokenScope

    def may(self, scope: TokenScope) -> bool:
        """Whether it may do this: each scope may do what those before it may."""
        return TOKEN_SCOPES.index(self.scope) >= TOKEN_SCOPES.index(scope)


@dataclass(frozen=True, slots=True)
class CookieKeys:
    """The secrets behind cookies: sessions follow from the token, form tokens live as long as the process."""

    api_token: str | None
    forms: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def allows(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.api_token is not None and hmac.compare_digest(given.encode(), self.api_token.encode())

    def session(self, now: datetime) -> str:
        """A session's cookie: its name and when it ends, signed. Another token makes every session void."""
        named = f"{secrets.token_urlsafe(12)}~{int((now + SESSION_LASTS).timestamp())}"
        return f"{named}.{self._signed(named)}"

    def session_named(self, cookie: str, now: datetime) -> str | None:
        """The name of a session, where the cookie is one of ours and not yet over."""
        named, _, signature = cookie.partition(".")
        name, _, ends = named.partition("~")
        genuine = hmac.compare_digest(signature.encode(), self._signed(named).encode())
        return name if genuine and ends.isdecimal() and int(ends) > now.timestamp() else None

    def form_token(self, cookie: str) -> str:
        """What a form must carry so that its sender is known to have read our page."""
        return _sign(self.forms, f"form {cookie}")

    def _signed(self, ends: str) -> str:
        return _sign((self.api_token or "").encode(), f"session {ends}")


class Sessions:
    """Which sessions were ended by a log-out: read once, kept in mind from then on."""

    def __init__(self, read: Callable[[], frozenset[str]]) -> None:
        self._read = read
        self._ended: set[str] | None = None

    def is_over(self, name: str) -> bool:
        """Whether somebody logged out of it."""
        if self._ended is None:
            self._ended = set(self._read())
        return name in self._ended

    def end(self, name: str) -> None:
        """Remember that it is over."""
        if self._ended is not None:
            self._ended.add(name)


class Attempts:
    """Wrong tokens by address: after a few, that address waits before another one is looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, datetime]] = {}

    def wait_s(self, address: str, now: datetime) -> int:
        """How many seconds this address must wait."""
        with self._lock:
            number, last = self._wrong.get(address, (0, now))
        if number < FREE_ATTEMPTS:
            return 0
        pause_s = min(1 << min(number - FREE_ATTEMPTS + 1, 10), LONGEST_PAUSE_S)
        # A clock that was set back keeps nobody out for longer than the pause.
        return max(0, math.ceil(pause_s - abs((now - last).total_seconds())))

    def wrong(self, address: str, now: datetime) -> None:
        """Note and log a wrong token."""
        with self._lock:
            number = self._wrong.pop(address, (0, now))[0] + 1
            self._wrong[address] = (number, now)
            # The oldest go: memory is bounded, whoever tries from however many addresses.
            while len(self._wrong) > _MOST_ADDRESSES:
                del self._wrong[next(iter(self._wrong))]
        # Two, four, eight, …: told again and again, and yet no flood.
        if number & (number - 1) == 0:
            _log.warning("wrong token", address=address, attempts=number)

    def right(self, address: str) -> None:
        """Forget what was wrong before."""
        with self._lock:
            self._wrong.pop(address, None)


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
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        keys: CookieKeys,
        sessions: Sessions,
        attempts: Attempts,
        named: Callable[[str, datetime], Grant | None],
        clock: Clock,
        refuse: Refuse,
    ) -> None:
        self._named = named
        self._app, self._keys, self._clock, self._refuse = app, keys, clock, refuse
        self._sessions, self._attempts = sessions, attempts
        self._hosts, self._local = _our_hosts(settings), _local_hosts(settings)
        self._public_page = settings.public_page
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

        connection = HTTPConnection(scope)
        state = scope.setdefault("state", {})
        state[_GRANT] = await self._granted(connection)
        state[_PUBLIC] = self._is_public(connection)
        answer = self._refusal(connection)
        await (answer or self._app)(scope, _Limited(receive), with_headers)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        if not self._known_host(connection.headers):
            return PlainTextResponse(
                "This address is not known to sitewatch. Open it as 127.0.0.1 or localhost, or set "
                "SITEWATCH_PUBLIC_URL to the address that you use.\n",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        if is_public(connection):
            readable = connection.scope["method"] in {"GET", "HEAD"} and PUBLIC_PATHS.fullmatch(
                connection.url.path
            )
            log_in = self._keys.api_token is not None and connection.url.path in OPEN_PATHS
            return None if readable or log_in else self._refuse(connection)
        if connection.url.path in OPEN_PATHS:
            return None
        if _bearer(connection).startswith(TOKEN_MARK) or (
            self._keys.api_token is not None and "authorization" in connection.headers
        ):
            return self._bearer_refusal(connection)
        if self._keys.api_token is None:
            return None
        return None if self._logged_in(connection) else self._refuse(connection)

    async def _granted(self, connection: HTTPConnection) -> Grant | None:
        """What the bearer of a request may do, or None without one that is in force."""
        given = _bearer(connection)
        if not given:
            return None
        if self._keys.allows(given):
            return Grant(MASTER_TOKEN, "admin")
        if not given.startswith(TOKEN_MARK):
            return None
        address = address_of(connection)
        if self._attempts.wait_s(address, self._clock()):
            return None
        return await run_sync(self._named, given, self._clock())

    def _logged_in(self, connection: HTTPConnection) -> bool:
        name = session_of(connection, self._keys, self._clock())
        return name is not None and not self._sessions.is_over(name)

    def _is_public(self, connection: HTTPConnection) -> bool:
        """Whether whoever asks is anybody: neither logged in nor, where there is no token, at this very machine."""
        if grant_of(connection) is not None:
            return False
        if self._keys.api_token is None:
            match = _HOST.fullmatch(connection.headers.get("host", ""))
            here = match is not None and match["name"].lower() in self._local
            return not here or any(name in connection.headers for name in _FORWARDED)
        # A token that is sent is looked at, right or wrong.
        return (
            self._public_page
            and "authorization" not in connection.headers
            and not self._logged_in(connection)
        )

    def _bearer_refusal(self, connection: HTTPConnection) -> Response | None:
        address, now = address_of(connection), self._clock()
        if wait_s := self._attempts.wait_s(address, now):
            return PlainTextResponse(
                too_many(wait_s), HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait_s)}
            )
        if grant_of(connection) is not None:
            self._attempts.right(address)
            return None
        self._attempts.wrong(address, now)
        return self._refuse(connection)

    def _known_host(self, headers: Headers) -> bool:
        # A page elsewhere can point its own name at 127.0.0.1 and read us, unless names are checked. With a
        # token that gains nothing, because neither token nor cookie comes along.
        match = _HOST.fullmatch(headers.get("host", ""))
        return match is not None and (
            self._keys.api_token is not None or match["name"].lower() in self._hosts
        )


def _local_hosts(settings: Settings) -> frozenset[str]:
    address = settings.host
    with_brackets = f"[{address}]" if ":" in address else address
    return frozenset({"127.0.0.1", "localhost", "[::1]", with_brackets})


def _our_hosts(settings: Settings) -> frozenset[str]:
    public = urlsplit(settings.public_url or "").hostname
    return _local_hosts(settings) | ({public} if public else set())


def is_public(connection: HTTPConnection) -> bool:
    """Whether whoever asks is anybody, so that the answer is late."""
    return bool(connection.scope.get("state", {}).get(_PUBLIC, False))


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


def _bearer(connection: HTTPConnection) -> str:
    """The token that a request carries as `Authorization: Bearer`, which no browser sends by itself; '' without one."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def grant_of(connection: HTTPConnection) -> Grant | None:
    """What the token of a request may do, or None where it carries none that is in force."""
    found: Grant | None = connection.scope.get("state", {}).get(_GRANT)
    return found


def session_of(connection: HTTPConnection, keys: CookieKeys, now: datetime) -> str | None:
    """The name of the session that a request carries."""
    return keys.session_named(connection.cookies.get(SESSION_COOKIE, ""), now)


def address_of(connection: HTTPConnection) -> str:
    """Who asks, by the connection alone: a header can be forged."""
    return connection.client.host if connection.client else "unknown"


def too_many(wait_s: int) -> str:
    """What is said to an address that gave wrong tokens again and again."""
    return f"Too many wrong tokens came from your address. Wait {wait_s} s, then try again.\n"


def form_is_ours(request: Request, given: str, keys: CookieKeys) -> bool:
    """Whether a POST comes from one of our forms (or from a program that holds the token)."""
    if grant_of(request) is not None:
        # A named token is for the API, whatever cookies come along.
        return keys.allows(_bearer(request))
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    cookie = request.cookies.get(CSRF_COOKIE, "")
    return bool(cookie) and hmac.compare_digest(given.encode(), keys.form_token(cookie).encode())
