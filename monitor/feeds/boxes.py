"""Boxes of latitude and longitude for feeds that charge by area; few and small, never across 180°."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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

    Each box remembers its best partner among those before it alone, so that n boxes take n² numbers of work and n of
    memory; of equal pairs the older ones are joined first.
    """
    first_groups = sorted(
        ((box, (name,)) for name, box in wanted), key=lambda each: (each[1], each[0].south, each[0].west)
    )
    pairing = _Pairing(first_groups, largest_sqdeg)
    while (pair := pairing.best()) is not None:
        pairing.join(*pair)
    return sorted(pairing.groups.values(), key=lambda each: (each[0].south, each[0].west))


class _Pairing:
    """The boxes that are there, by number, and for each the earlier one whose joining adds least area."""

    def __init__(self, first_groups: Sequence[_Group], largest_sqdeg: float) -> None:
        self._largest = largest_sqdeg
        room = max(1, 2 * len(first_groups))
        self._sides = np.zeros((4, room))
        """South, west, north, east."""
        self._there = np.zeros(room, bool)
        self._added = np.full(room, np.inf)
        """What joining each with its partner adds to the area; infinite where it has none."""
        self._partner = np.full(room, -1)
        self.groups: dict[int, _Group] = {}
        self._next = 0
        for group in first_groups:
            self._add(group)

    def best(self) -> tuple[int, int] | None:
        """The pair that adds least, None where none may be joined."""
        least = self._added[: self._next].min(initial=np.inf)
        if not np.isfinite(least):
            return None
        equal = np.flatnonzero(self._added[: self._next] == least)
        second = min(equal, key=lambda each: (self._partner[each], each))
        return int(self._partner[second]), int(second)

    def join(self, first: int, second: int) -> None:
        """Put one box in the place of two; whose partner is gone gets another."""
        (one, names), (other, more) = self.groups.pop(first), self.groups.pop(second)
        for gone in (first, second):
            self._there[gone], self._added[gone] = False, np.inf
        left = self._there[: self._next] & np.isin(self._partner[: self._next], (first, second))
        for number in np.flatnonzero(left):
            self._pair(int(number))
        self._add((one.joined(other), tuple(sorted({*names, *more}))))

    def _add(self, group: _Group) -> None:
        number, box = self._next, group[0]
        self._sides[:, number] = box.south, box.west, box.north, box.east
        self.groups[number] = group
        self._there[number] = True
        self._next += 1
        self._pair(number)

    def _pair(self, number: int) -> None:
        """Find the earlier box whose joining adds least area, the oldest of equal ones."""
        self._added[number] = np.inf
        if not number:
            return
        south, west, north, east = self._sides[:, :number]
        own_south, own_west, own_north, own_east = self._sides[:, number]
        height = np.maximum(north, own_north) - np.minimum(south, own_south)
        area = height * (np.maximum(east, own_east) - np.minimum(west, own_west))
        added = area - (north - south) * (east - west) - (own_north - own_south) * (own_east - own_west)
        added[(area > self._largest) | ~self._there[:number]] = np.inf
        partner = int(added.argmin())
        self._added[number], self._partner[number] = added[partner], partner
