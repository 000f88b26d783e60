"""Global Fishing Watch: port visits of ships that send AIS. Its silence is never "no ship".

A ship that switches its transponder off has no port visit, and the radar of the same service classifies nothing within a
kilometre of the shore: at a pier both see nothing where something may lie.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import mapping as geojson_of

from db.records import Purpose
from db.records.detections import Detection
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of, remarked
from monitor.feeds.options import number_option
from monitor.feeds.parsing import parse_json, words_of
from monitor.feeds.planned import kept_plan
from monitor.feeds.site_boxes import box_scopes
from monitor.sites import Site

CALLS_METRIC = "ship_calls"
AIS_REMARK = "Ships that send AIS alone: one without a signal has no port visit here, so nothing counted is not no ship."
DATASET = "public-global-port-visits-events:latest"
ANCHORAGE_M = 3_000.0
"""A visit is told at its anchorage, and begins within three kilometres of it."""
_INITIAL, _OVERLAP = timedelta(days=30), timedelta(days=10)
"""It is told about four days late, and corrected afterwards."""
_PAGE = 100
_MOST_PAGES = 50


class GfwPortVisitsFeed:
    """Asks for the port visits around each site; needs the credential `token`. Non-commercial use alone.

    Options: `confidences` (of the service, 2 to 4), `margin_m`.
    """

    watches = False
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._token = provider.credentials.get("token", "")
        self._confidences = [each.strip() for each in provider.options.get("confidences", "4").split(",")]
        self._mapping = mapping_of(
            provider, metric=CALLS_METRIC, time="start", id="id", margin_m=f"{ANCHORAGE_M:g}"
        )
        self._most_pages = int(number_option(provider, "max_pages", _MOST_PAGES))

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One box for each site."""
        return box_scopes(sites, self._mapping.margin_m)

    def canary(self, scope: Scope) -> Scope | None:
        """None: nothing told is never taken for a count of nothing."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for a window that reaches back before the last question, following its offsets."""
        where = f"{self.provider.name} {scope.key}"
        if not self._token or scope.box is None:
            raise FeedError(
                f"{where}: it needs a token (free for non-commercial use). Set credentials = {{ token_file = … }} in "
                f"[providers.{self.provider.name!r}].",
                ours=True,
            )
        begins = (now - _INITIAL if since is None else min(since, now)) - _OVERLAP
        reader = DetectionReader(self.provider.name, self._mapping, sites, begins=begins, now=now)
        south, west, north, east = scope.box
        question = {
            "datasets": [DATASET],
            "startDate": f"{begins:%Y-%m-%d}",
            "endDate": f"{now:%Y-%m-%d}",
            "confidences": self._confidences,
            "geometry": geojson_of(shapely.box(west, south, east, north)),
        }
        found: list[Detection] = []
        bodies: list[bytes] = []
        read, status, pages = 0, 0, 0
        offset: int | None = 0
        while offset is not None:
            if pages == self._most_pages:
                raise FeedError(
                    f"{where}: the answer has more than {self._most_pages} pages. Raise max_pages."
                )
            answer = self._ask(question, offset, purpose)
            page, entries = _page(answer, where)
            pages, status = pages + 1, answer.status
            bodies.append(answer.body)
            read += len(entries)
            for entry in entries:
                found += _read(reader, entry)
            offset = _next(page, offset, entries)
        return Fetched(
            tuple(bodies),
            status,
            read,
            detections=tuple(remarked(found, AIS_REMARK)),
            rejected=dict(reader.rejected),
        )

    def _ask(self, question: Mapping[str, Any], offset: int, purpose: Purpose) -> Answer:
        return self._client.request(
            "POST",
            f"{self.provider.base_url.rstrip('/')}/events?limit={_PAGE}&offset={offset}",
            purpose=purpose,
            json=question,
            headers={"Authorization": f"Bearer {self._token}"},
            accept=(200, 201),
        )


def _page(answer: Answer, where: str) -> tuple[Mapping[str, Any], list[Any]]:
    page = parse_json(answer.body, where)
    entries = page.get("entries") if isinstance(page, dict) else None
    if not isinstance(page, dict) or not isinstance(entries, list):
        raise FeedError(
            f"{where}: the answer holds no list of events (entries).{words_of(page, answer)}",
            status=answer.status,
            body=answer.body,
        )
    return page, entries


def _read(reader: DetectionReader, entry: Any) -> list[Detection]:
    if not isinstance(entry, dict) or entry.get("type", "port_visit") != "port_visit":
        reader.rejected["no port visit"] += 1
        return []
    position = entry.get("position")
    place = None
    if isinstance(position, dict):
        lat, lon = position.get("lat"), position.get("lon")
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (lat, lon)):
            place = _point(lat, lon)
    return reader.read({"start": entry.get("start"), "id": entry.get("id")}, place)


def _point(lat: Any, lon: Any) -> shapely.Point | None:
    try:
        return shapely.Point(float(lon), float(lat))
    except OverflowError:
        return None


def _next(page: Mapping[str, Any], offset: int, entries: Sequence[Any]) -> int | None:
    following = page.get("nextOffset")
    if not entries or isinstance(following, bool) or not isinstance(following, int) or following <= offset:
        return None
    return following
