"""STAC API item search: which scenes lie over the sites. The server's filtering is never trusted, only its items.

Asked are collections, outlines and a closed time window, nothing else: a filter that a server ignores, or
applies wrongly, cannot be noticed; cloudy scenes are wanted as looks that could not be assessed.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

import shapely

from db.records import Purpose, Scene
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.links import ForeignLinkError, followed, next_link
from monitor.feeds.parsing import parse_json, words_of
from monitor.feeds.planned import kept_plan
from monitor.feeds.stac_items import ItemReader
from monitor.sites import Site

SITES_AT_ONCE = 20
_NO_POST = (405, 501)
"""Not allowed, and not implemented."""
_DEFAULTS = {"initial_days": 90, "overlap_days": 7, "lag_minutes": 10, "limit": 100, "max_pages": 20}
# What a server may not make this program send in its name.
_OWN_HEADERS = frozenset(
    {
        "host",
        "connection",
        "cookie",
        "authorization",
        "user-agent",
        "accept-encoding",
        "expect",
        "upgrade",
        "te",
    }
)
_OWN_PREFIXES = ("content-", "transfer-", "proxy-", "sec-")


@dataclass(frozen=True, slots=True)
class _Request:
    method: Literal["GET", "POST"]
    url: str
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]

    @property
    def identity(self) -> str:
        return json.dumps([self.method, self.url, self.body], sort_keys=True)


class StacFeed:
    """Searches one catalogue for scenes over the sites; it watches nothing, so no time counts as observed.

    Options: `collections` (separated by commas), `initial_days`, `overlap_days`, `lag_minutes`, `limit`,
    `max_pages`.
    """

    watches = False
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        named = provider.options.get("collections", "sentinel-2-l2a").split(",")
        self._collections = tuple(name.strip() for name in named if name.strip())
        if not self._collections:
            raise SettingsError(f"{provider.name}: the option collections names none.")
        options = {name: _whole(provider, name, default) for name, default in _DEFAULTS.items()}
        self._initial = timedelta(days=options["initial_days"])
        self._overlap = timedelta(days=options["overlap_days"])
        self._lag = timedelta(minutes=options["lag_minutes"])
        self._limit = options["limit"]
        self._max_pages = options["max_pages"]
        self._get_only = False

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Ask for many outlines at once."""
        ordered = sorted((site for site in sites if not site.is_region), key=lambda site: site.id)
        groups = [ordered[start : start + SITES_AT_ONCE] for start in range(0, len(ordered), SITES_AT_ONCE)]
        return [Scope(self._key(group), tuple(site.id for site in group)) for group in groups]

    def canary(self, scope: Scope) -> Scope | None:
        """None: no scene is never taken for a count of nothing, so an empty answer does no harm."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Search a window that ends minutes ago and reaches back before the last search, following pages."""
        begins, ends = self.window(now, since)
        reader = ItemReader(self.provider.name, self._collections, sites, begins=begins, ends=ends, now=now)
        read: dict[tuple[str, str], Sequence[Scene]] = {}
        bodies: list[bytes] = []
        status, matched, unusable = 0, 0, 0
        for answer, page in self.pages(sites, begins, ends, scope, purpose):
            status = answer.status
            bodies.append(answer.body)
            matched = max(matched, _matched(page))
            for item in page["features"]:
                key = _item_key(item)
                if key is None:
                    unusable += 1
                else:
                    # The later page is the newer word. Items are large, so none outlives its page.
                    read[key] = tuple(reader.read(item))
        if unusable and not read:
            raise FeedError(
                f"{self.provider.name} {scope.key}: of the {unusable} things that it lists none is an item (an id "
                "and a collection). Check that base_url is the root of a STAC API.",
                status=status,
                body=b"".join(bodies),
            )
        scenes = [scene for each in read.values() for scene in each]
        rejected = reader.rejected + Counter(
            {"no item": unusable, "missing from the answer": max(0, matched - len(read) - unusable)}
        )
        return Fetched(
            tuple(bodies),
            status,
            len(read),
            scenes=tuple(sorted(scenes, key=_order)),
            rejected=dict(rejected),
        )

    def window(self, now: datetime, since: datetime | None) -> tuple[datetime, datetime]:
        """What is asked for: from before the last search until minutes ago."""
        begins = now - self._initial if since is None else min(since, now) - self._overlap
        return begins, now - self._lag

    def pages(
        self, sites: Sequence[Site], begins: datetime, ends: datetime, scope: Scope, purpose: Purpose
    ) -> Iterator[tuple[Answer, dict[str, Any]]]:
        """Search for these sites in this window, page after page; each page holds a list `features`."""
        return self._pages(self._search(sites, begins, ends), scope, purpose)

    def _key(self, group: Sequence[Site]) -> str:
        outlines = json.dumps([self._collections, [[site.id, site.geometry.wkt] for site in group]])
        return f"sites:{len(group)}:{hashlib.sha256(outlines.encode()).hexdigest()[:12]}"

    def _search(self, sites: Sequence[Site], begins: datetime, ends: datetime) -> _Request:
        body = {
            "collections": list(self._collections),
            "intersects": _outline(sites),
            "datetime": f"{begins:%Y-%m-%dT%H:%M:%SZ}/{ends:%Y-%m-%dT%H:%M:%SZ}",
            "limit": self._limit,
        }
        return _Request("POST", f"{self.provider.base_url.rstrip('/')}/search", body, {})

    def _pages(
        self, first: _Request, scope: Scope, purpose: Purpose
    ) -> Iterator[tuple[Answer, dict[str, Any]]]:
        """Ask page after page; a page may be empty and lead on, and a repeated link ends the search."""
        where = f"{self.provider.name} {scope.key}"
        request: _Request | None = first
        asked: set[str] = set()
        while request is not None and request.identity not in asked:
            if len(asked) == self._max_pages:
                raise FeedError(
                    f"{where}: the answer has more than {self._max_pages} pages. Raise max_pages in the "
                    "provider's options, or lower initial_days."
                )
            asked.add(request.identity)
            answer = self._ask(request, purpose)
            page = _page(answer, where)
            yield answer, page
            request = self._next(page, first, answer, where)

    def _ask(self, request: _Request, purpose: Purpose) -> Answer:
        """Send, and where the server takes no POST, which the standard allows, ask the same by GET from then on."""
        if request.method == "POST" and self._get_only:
            return self._send(_as_get(request), purpose)
        try:
            return self._send(request, purpose)
        except FeedError as error:
            if request.method == "GET" or error.status not in _NO_POST:
                raise
        answer = self._send(_as_get(request), purpose)
        self._get_only = True
        return answer

    def _send(self, request: _Request, purpose: Purpose) -> Answer:
        return self._client.request(
            request.method, request.url, purpose=purpose, json=request.body, headers=request.headers
        )

    def _next(self, page: Mapping[str, Any], first: _Request, answer: Answer, where: str) -> _Request | None:
        link = next_link(page)
        if link is None:
            return None
        try:
            url = followed(link["href"], first.url)
            json.dumps(link)
        except ForeignLinkError as error:
            raise FeedError(
                f"{where}: {error}. If the catalogue has moved, change base_url; if it is your own behind a proxy, let the proxy hand "
                "on Host and X-Forwarded-Proto.",
                status=answer.status,
            ) from None
        except (ValueError, RecursionError):
            raise FeedError(
                f"{where}: the link to the next page cannot be followed.", status=answer.status
            ) from None
        if str(link.get("method", "GET")).upper() != "POST":
            return _Request("GET", url, None, _headers(link))
        return _Request("POST", url, _next_body(link, first), _headers(link))


def _whole(provider: Provider, name: str, default: int) -> int:
    text = provider.options.get(name, str(default))
    if not (text.isdecimal() and text.isascii() and 0 < int(text[:6]) <= 10_000):  # noqa: PLR2004 - STAC's own limit
        raise SettingsError(
            f"{provider.name}: the option {name} must be a whole number from 1 to 10000 (got {text!r})."
        )
    return int(text)


def _outline(sites: Sequence[Site]) -> dict[str, Any]:
    """The sites as one simple shape that holds them: convex parts, holes filled; what comes back is checked exactly."""
    parts = [part.convex_hull for site in sites for part in shapely.get_parts(site.geometry).tolist()]
    found: dict[str, Any] = json.loads(shapely.to_geojson(shapely.union_all(parts)))
    return found


def _as_get(search: _Request) -> _Request:
    """The same search in the address itself: short enough for it, since each part of the outline is its box."""
    body = dict(search.body or {})
    parts = shapely.get_parts(shapely.from_geojson(json.dumps(body["intersects"])))
    boxes = shapely.to_geojson(shapely.union_all(shapely.envelope(parts)))
    query = {**body, "collections": ",".join(body["collections"]), "intersects": boxes}
    return _Request("GET", f"{search.url}?{urlencode(query)}", None, search.headers)


def _page(answer: Answer, where: str) -> dict[str, Any]:
    page = parse_json(answer.body, where)
    if not isinstance(page, dict) or not isinstance(page.get("features"), list):
        raise FeedError(
            f"{where}: the answer holds no list of items (features).{words_of(page, answer)} Check that base_url is the root of a STAC API.",
            status=answer.status,
            body=answer.body,
        )
    return page


def _matched(page: Mapping[str, Any]) -> int:
    context = page.get("context")
    found = page.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _item_key(item: object) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        return None
    collection, item_id = item.get("collection"), item.get("id")
    return (collection, item_id) if isinstance(collection, str) and isinstance(item_id, str) else None


def _next_body(link: Mapping[str, Any], first: _Request) -> Mapping[str, Any] | None:
    body = link.get("body")
    if not isinstance(body, dict):
        return first.body
    return {**(first.body or {}), **body} if link.get("merge") is True else body


def _headers(link: Mapping[str, Any]) -> dict[str, str]:
    given = link.get("headers")
    if not isinstance(given, dict):
        return {}
    return {
        key: value
        for key, value in given.items()
        if isinstance(value, str)
        and key.lower() not in _OWN_HEADERS
        and not key.lower().startswith(_OWN_PREFIXES)
    }


def _order(scene: Scene) -> tuple[datetime, str, str, str]:
    return scene.acquired_at, scene.collection, scene.item_id, scene.site_id
