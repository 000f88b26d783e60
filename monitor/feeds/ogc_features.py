"""OGC API Features: the items of one collection around each site. The server's filters are never trusted, only its features.

Some servers ignore the time, others give features without any on every question: each is checked again, and one without a
time is refused. Places are asked for in CRS84 alone, since servers swap the axes of any other.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from db.records import Purpose
from db.records.detections import Detection
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of
from monitor.feeds.features import features_of, id_of, properties_of, shape_of
from monitor.feeds.links import ForeignLinkError, followed, next_link
from monitor.feeds.options import number_option
from monitor.feeds.planned import kept_plan
from monitor.feeds.site_boxes import bbox_text, box_scopes
from monitor.sites import Site


class OgcFeaturesFeed:
    """Asks one collection for what lies around a site; `base_url` is the collection's (…/collections/NAME).

    Options: the mapping of `monitor.feeds.detections`, `initial_days`, `overlap_days`, `limit`, `max_pages`.
    """

    watches = False
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._mapping = mapping_of(provider, time="datetime", **{"class": "class"})
        self._initial = timedelta(days=number_option(provider, "initial_days", 90))
        self._overlap = timedelta(days=number_option(provider, "overlap_days", 7))
        self._limit = int(number_option(provider, "limit", 1000))
        self._max_pages = int(number_option(provider, "max_pages", 50))

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One box for each site."""
        return box_scopes(sites, self._mapping.margin_m)

    def canary(self, scope: Scope) -> Scope | None:
        """None: nothing found is never taken for a count of nothing."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for a window that reaches back before the last question, following pages."""
        begins = now - self._initial if since is None else min(since, now) - self._overlap
        reader = DetectionReader(self.provider.name, self._mapping, sites, begins=begins, now=now)
        found: list[Detection] = []
        bodies: list[bytes] = []
        read, status, asked, matched = 0, 0, "", 0
        for answer, page, features in self._pages(scope, begins, purpose):
            status, asked = answer.status, asked or answer.asked
            bodies.append(answer.body)
            matched = max(matched, _matched(page))
            read += len(features)
            for each in features:
                found += reader.read(properties_of(each), shape_of(each), id_of(each))
        missing = {"missing from the answer": max(0, matched - read)}
        return Fetched(
            tuple(bodies),
            status,
            read,
            detections=tuple(found),
            rejected={**reader.rejected, **{name: number for name, number in missing.items() if number}},
            request=asked,
        )

    def _pages(
        self, scope: Scope, begins: datetime, purpose: Purpose
    ) -> Iterator[tuple[Answer, dict[str, Any], list[dict[str, Any]]]]:
        where = f"{self.provider.name} {scope.key}"
        question = {
            "bbox": bbox_text(scope),
            "datetime": f"{begins:%Y-%m-%dT%H:%M:%SZ}/..",
            "limit": str(self._limit),
            "f": "json",
        }
        first = f"{self.provider.base_url.rstrip('/')}/items?{urlencode(question)}"
        url, asked = first, set[str]()
        while url and url not in asked:
            if len(asked) == self._max_pages:
                raise FeedError(
                    f"{where}: the answer has more than {self._max_pages} pages. Raise max_pages or limit in the provider's "
                    "options, or lower initial_days."
                )
            asked.add(url)
            answer = self._client.request("GET", url, purpose=purpose)
            page, features = features_of(answer, where)
            yield answer, page, features
            # Some servers lead on for ever; nothing more comes after an empty page.
            url = _next(page, first, where, answer) if features else ""


def _next(page: dict[str, Any], first: str, where: str, answer: Answer) -> str:
    link = next_link(page)
    if link is None:
        return ""
    try:
        return followed(link["href"], first)
    except ForeignLinkError as error:
        raise FeedError(
            f"{where}: {error}. If the server has moved, change base_url.", status=answer.status
        ) from None
    except ValueError:
        raise FeedError(
            f"{where}: the link to the next page cannot be followed.", status=answer.status
        ) from None


def _matched(page: dict[str, Any]) -> int:
    found = page.get("numberMatched")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
