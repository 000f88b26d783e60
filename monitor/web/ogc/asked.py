"""What OGC API Features asks beside the filters of the API: `bbox`, `datetime`, `limit` (OGC 17-069r4, section 7.15)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import shapely
from shapely.geometry.base import BaseGeometry

from db.records import AlertFilter, DetectionFilter, GeoBox, LookFilter, SiteArea, VisitFilter
from monitor.errors import InputError
from monitor.sites import Site
from monitor.web.api.formats import item_shape
from monitor.web.api.queries import MOST_ITEMS

_EDGES, _EDGES_WITH_HEIGHT = 4, 6
_TICK = timedelta(microseconds=1)
"""Intervals of OGC include their end, ours do not."""
_OPEN = frozenset({"", ".."})
TimeSpan = tuple[datetime | None, datetime | None]


FilterT = TypeVar("FilterT", LookFilter, VisitFilter, AlertFilter, DetectionFilter)


def asked_boxes(text: str) -> tuple[GeoBox, ...]:
    """Read `bbox`: west, south, east, north, with heights or without; two boxes where it lies across 180°.

    Raises InputError.
    """
    numbers = [_number(each) for each in text.split(",")]
    if len(numbers) == _EDGES_WITH_HEIGHT:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != _EDGES or not all(map(math.isfinite, numbers)) or numbers[1] > numbers[3]:
        raise InputError("bbox: write west,south,east,north in degrees, as in bbox=124,37,132,44.")
    west, south, east, north = numbers
    if west <= east:
        return ((west, south, east, north),)
    return (west, south, 180.0, north), (-180.0, south, east, north)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def asked_span(text: str) -> TimeSpan:
    """Read `datetime` as [since, until): an instant, a day of UTC, or two of them with `/` between; raises InputError."""
    first, slash, last = text.partition("/")
    begin = None if slash and first in _OPEN else _times(first)
    end = begin if not slash else None if last in _OPEN else _times(last)
    if begin is None and end is None:
        return None, None
    since, until = None if begin is None else begin[0], None if end is None else end[1]
    if since is not None and until is not None and since >= until:
        raise InputError("datetime: the interval ends before it begins. Change one of both.")
    return since, until


def _times(text: str) -> tuple[datetime, datetime]:
    """The first moment of what a text names, and the first one after it."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return _instant(text)
    return day, day + timedelta(days=1)


def _instant(text: str) -> tuple[datetime, datetime]:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            # Near year 1 or 9999 there may be no such moment in UTC.
            return at.astimezone(UTC), at.astimezone(UTC) + _TICK
    except (ValueError, OverflowError):
        pass
    raise InputError(
        "datetime: write an instant with its zone or a day of UTC, or two of them with a slash between; .. is open: "
        "2023-10-05T01:24:00Z, 2023-10-01/2023-10-05, 2023-10-01/.."
    )


def within_span(asked: FilterT, span: TimeSpan) -> FilterT:
    """The same question, and only of this time too."""
    since, until = span
    return replace(
        asked,
        since=max(filter(None, (asked.since, since)), default=None),
        until=min(filter(None, (asked.until, until)), default=None),
    )


def page_size(limit: int) -> int:
    """How many features to give: a limit beyond the highest means the highest (requirement /req/core/fc-limit-response-1)."""
    return min(limit, MOST_ITEMS)


def touching(shape: BaseGeometry | None, boxes: Sequence[GeoBox]) -> bool:
    """Whether a shape touches one of these boxes; what is nowhere does not."""
    return shape is not None and any(shape.intersects(shapely.box(*box)) for box in boxes)


def places_within(
    places: Iterable[SiteArea], boxes: Sequence[GeoBox], sites: Mapping[str, Site]
) -> frozenset[SiteArea]:
    """Those whose point touches one of the boxes."""
    return frozenset(
        place
        for place in places
        if touching(item_shape({"site_id": place[0], "area": place[1]}, sites, outlines=False), boxes)
    )


def sites_within(boxes: Sequence[GeoBox], sites: Mapping[str, Site], *, outlines: bool) -> frozenset[str]:
    """The ids of the sites whose outline, or whose point, touches one of the boxes."""
    return frozenset(
        each for each in sites if touching(item_shape({"id": each}, sites, outlines=outlines), boxes)
    )
