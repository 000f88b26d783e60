"""Pages that are kept: a page is a function of what the database knows and of the minute, and is made once for all readers.

It is made anew once anybody has written to the database, the minute is over, or the sites file says something else. What
belongs to one reader alone, the token of the forms, is put in when the page is sent. Whoever watches here and the public have
pages of their own, which are never mixed: each context keeps its own.
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from monitor.web.answers import has_tag
from monitor.web.rendering import FORM_MARK, Renderer, path_and_query
from monitor.web.security import CSRF_COOKIE, SESSION_COOKIE

MOST_PAGES = 256
MOST_PAGE_BYTES = 32 * 1024 * 1024
_PACKED_FROM_BYTES = 1_000
PageKey = tuple[str, str, tuple[tuple[str, str], ...]]
"""The address, the languages that are asked for, and the cookies that are no secret of one reader."""
StateReader = Callable[[], tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class KeptPage:
    """One page as it was made from one state of things."""

    state: tuple[object, ...]
    html: str
    packed: bytes
    """The same, packed; empty where something of each reader has to be put in."""
    tag: str

    @property
    def size(self) -> int:
        """About how many bytes are held."""
        return len(self.html) + len(self.packed)


@dataclass(slots=True)
class KeptPages:
    """The pages of one context; `state` reads all that they are made from."""

    renderer: Renderer
    state: StateReader
    _pages: OrderedDict[PageKey, KeptPage] = field(default_factory=OrderedDict)
    _making: dict[PageKey, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0
    """How many were made so far."""

    def answer(self, request: Request, make: Callable[[], str | None]) -> Response | None:
        """Send a page, which `make` makes where none is kept; None where it says that there is none."""
        key, state = _key(request), self.state()
        page = self._kept(key, state)
        if page is None:
            with self._turn(key):
                # Whoever waited here finds what the first one made.
                page = self._kept(key, state) or self._make(key, state, make)
        return None if page is None else self._send(request, page)

    def _kept(self, key: PageKey, state: tuple[object, ...]) -> KeptPage | None:
        with self._lock:
            page = self._pages.get(key)
            if page is None or page.state != state:
                return None
            self._pages.move_to_end(key)
            return page

    def _turn(self, key: PageKey) -> threading.Lock:
        with self._lock:
            if len(self._making) > MOST_PAGES:
                self._making = {each: lock for each, lock in self._making.items() if lock.locked()}
            return self._making.setdefault(key, threading.Lock())

    def _make(
        self, key: PageKey, state: tuple[object, ...], make: Callable[[], str | None]
    ) -> KeptPage | None:
        html = make()
        if html is None:
            return None
        body = html.encode()
        whole = FORM_MARK not in html and len(body) >= _PACKED_FROM_BYTES
        packed = gzip.compress(body, 6, mtime=0) if whole else b""
        page = KeptPage(state, html, packed, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')
        with self._lock:
            self.made += 1
            self._pages[key] = page
            self._pages.move_to_end(key)
            while (
                len(self._pages) > MOST_PAGES
                or sum(each.size for each in self._pages.values()) > MOST_PAGE_BYTES
            ):
                self._pages.popitem(last=False)
        return page

    def _send(self, request: Request, page: KeptPage) -> Response:
        if not page.packed:
            return self.renderer.sent(request, page.html)
        headers = {"ETag": page.tag, "Vary": "Accept-Encoding, Accept-Language, Cookie"}
        if has_tag(request.headers.get("if-none-match", ""), page.tag):
            response = Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        elif "gzip" in request.headers.get("accept-encoding", ""):
            packed = {**headers, "Content-Encoding": "gzip"}
            response = Response(page.packed, headers=packed, media_type="text/html")
        else:
            response = Response(page.html, headers=headers, media_type="text/html")
        self.renderer.add_cookie(request, response)
        return response


def _key(request: Request) -> PageKey:
    secret = {CSRF_COOKIE, SESSION_COOKIE}
    others = tuple(sorted(each for each in request.cookies.items() if each[0] not in secret))
    return path_and_query(request), request.headers.get("accept-language", ""), others
