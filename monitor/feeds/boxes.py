"""Boxes of latitude and longitude for feeds that charge by area; few and small, never across 180°."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

from monitor.sites import Site
from monitor.sites.geodesy import FULL_TURN_DEG, HALF_TURN_DEG, NM_PER_DEGREE, POLE_DEG

BOX_MARGIN_NM = 40.0
"""How far around a site aircraft are asked for where every square degree is paid for."""
_HIGHEST_LAT = 89.0


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """South, west, north, east in degrees, west at most east."""

    south: float
    west: float
    north: float
    east: float

    @property
    def area_sqdeg(self) -> float:
        """Width times height in degrees, as OpenSky charges it."""
        return (self.north - self.south) * (self.east - self.west)

    def joined(self, other: "BoundingBox") -> "BoundingBox":
        """The smallest box round both."""
        return BoundingBox(
            min(self.south, other.south),
            min(self.west, other.west),
            max(self.north, other.north),
            max(self.east, other.east),
        )


_Group = tuple[BoundingBox, tuple[str, ...]]


def boxes_around(site: Site, margin_nm: float) -> list[BoundingBox]:
    """The boxes round a site with a margin: one, or two where the site or its margin meets 180°."""
    parts = getattr(site.geometry, "geoms", [site.geometry])
    boxes = []
    for part in parts:
        west, south, east, north = part.bounds
        south, north = (
            max(-POLE_DEG, south - margin_nm / NM_PER_DEGREE),
            min(POLE_DEG, north + margin_nm / NM_PER_DEGREE),
        )
        highest = max(abs(south), abs(north))
        # Close to a pole every meridian is near.
        wide = (
            FULL_TURN_DEG
            if highest > _HIGHEST_LAT
            else margin_nm / (NM_PER_DEGREE * math.cos(math.radians(highest)))
        )
        boxes += _cut(BoundingBox(south, west - wide, north, east + wide))
    return boxes


def _cut(box: BoundingBox) -> list[BoundingBox]:
    west, east = -HALF_TURN_DEG, HALF_TURN_DEG
    if box.east - box.west >= FULL_TURN_DEG:
        return [replace(box, west=west, east=east)]
    if box.west < west:
        return [replace(box, west=west), replace(box, west=box.west + FULL_TURN_DEG, east=east)]
    if box.east > east:
        return [replace(box, east=east), replace(box, west=west, east=box.east - FULL_TURN_DEG)]
    return [box]


def merge_boxes(
    wanted: Iterable[tuple[str, BoundingBox]], largest_sqdeg: float
) -> list[tuple[BoundingBox, tuple[str, ...]]]:
    """Join boxes while the joined one stays within the area; the pair that adds least area first.

    n boxes take time of the order n² log n: a poll of many sites asks for it every time.
    """
    first_groups = sorted(
        ((box, (name,)) for name, box in wanted), key=lambda each: (each[1], each[0].south, each[0].west)
    )
    groups: dict[int, _Group] = {}
    pairs: list[tuple[float, int, int]] = []
    for number, group in enumerate(first_groups):
        pairs += _pairs(groups, number, group, largest_sqdeg)
        groups[number] = group
    heapify(pairs)
    number = len(groups)
    while pairs:
        _, first, second = heappop(pairs)
        if first not in groups or second not in groups:
            continue
        (one, names), (other, more) = groups.pop(first), groups.pop(second)
        joined = (one.joined(other), tuple(sorted({*names, *more})))
        for pair in _pairs(groups, number, joined, largest_sqdeg):
            heappush(pairs, pair)
        groups[number] = joined
        number += 1
    return sorted(groups.values(), key=lambda each: (each[0].south, each[0].west))


def _pairs(
    groups: Mapping[int, _Group], number: int, group: _Group, largest_sqdeg: float
) -> Iterator[tuple[float, int, int]]:
    """What joining a new group with each of the earlier ones would add to the area, where it may be joined."""
    new, new_area = group[0], group[0].area_sqdeg
    for earlier, (box, _) in groups.items():
        area = box.joined(new).area_sqdeg
        if area <= largest_sqdeg:
            yield area - box.area_sqdeg - new_area, earlier, number
