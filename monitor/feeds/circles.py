"""Circles on the globe for feeds that are asked by centre and radius; right across 180° and near the poles.

The earth is a sphere here, as it is for the feeds' own servers; the margin around each site is far
larger than the difference.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import shapely

from monitor.sites import Site
from monitor.sites.geodesy import (
    HALF_TURN_DEG,
    NM_PER_DEGREE,
    course_deg,
    destination,
    great_circle_nm,
)
from monitor.sites.geometry import bounding_circle


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the globe: centre in degrees, radius in nautical miles along the surface."""

    lat: float
    lon: float
    radius_nm: float

    def distance_nm(self, lat: float, lon: float) -> float:
        """How far a place is from the centre (great circle)."""
        return great_circle_nm(self.lat, self.lon, lat, lon)

    def contains(self, other: "Circle") -> bool:
        """Whether the other circle lies wholly inside."""
        return self.distance_nm(other.lat, other.lon) + other.radius_nm <= self.radius_nm


def circle_around(site: Site) -> Circle:
    """A circle around a whole site."""
    return _around(shapely.to_wkb(site.geometry))


@lru_cache(maxsize=16_384)
def _around(outline: bytes) -> Circle:
    # Asked for at every poll, and slow to work out.
    circle = bounding_circle(shapely.from_wkb(outline))
    return Circle(circle.lat, circle.lon, circle.radius_nm)


def enclosing_circle(one: Circle, two: Circle) -> Circle:
    """The smallest circle around two circles."""
    if one.contains(two):
        return one
    if two.contains(one):
        return two
    apart = one.distance_nm(two.lat, two.lon)
    radius = (apart + one.radius_nm + two.radius_nm) / 2
    course = course_deg(one.lat, one.lon, two.lat, two.lon)
    lat, lon = destination(one.lat, one.lon, course, radius - one.radius_nm)
    return Circle(lat, lon, radius)


def merge_near_circles(
    circles: Sequence[tuple[str, Circle]], limit_nm: float
) -> list[tuple[Circle, tuple[str, ...]]]:
    """Join circles greedily, in order of their keys, while the joint one stays within `limit_nm`."""
    groups: list[tuple[Circle, tuple[str, ...]]] = []
    # Circles that fit into one of this radius lie no farther apart than it is wide.
    near = _Cells(2 * limit_nm)
    for key, circle in sorted(circles):
        joined = [(enclosing_circle(groups[index][0], circle), index) for index in near.around(circle)]
        best = min(joined, key=lambda each: (each[0].radius_nm, each[1]), default=None)
        if best is not None and best[0].radius_nm <= limit_nm:
            index = best[1]
            near.move(index, groups[index][0], best[0])
            groups[index] = (best[0], (*groups[index][1], key))
        else:
            near.put(len(groups), circle)
            groups.append((circle, (key,)))
    return groups


class _Cells:
    """Circles by where their centres lie, in cubes around a globe of radius 1: there is no edge at 180° or at a pole."""

    def __init__(self, apart_nm: float) -> None:
        half_deg = min(apart_nm / NM_PER_DEGREE, HALF_TURN_DEG) / 2
        # A little more than the straight line between two places so far apart.
        self._size = max(2 * math.sin(math.radians(half_deg)) * 1.001, 1e-6)
        self._cells: dict[tuple[int, int, int], set[int]] = defaultdict(set)

    def around(self, circle: Circle) -> Iterator[int]:
        """Give the numbers of all circles whose centres may lie within the distance, and of some more."""
        x, y, z = self._cell(circle)
        for cell in itertools.product((x - 1, x, x + 1), (y - 1, y, y + 1), (z - 1, z, z + 1)):
            yield from self._cells.get(cell, ())

    def put(self, index: int, circle: Circle) -> None:
        """Add a circle under its number."""
        self._cells[self._cell(circle)].add(index)

    def move(self, index: int, old: Circle, new: Circle) -> None:
        """Note that a circle is another now."""
        self._cells[self._cell(old)].discard(index)
        self.put(index, new)

    def _cell(self, circle: Circle) -> tuple[int, int, int]:
        lat, lon = math.radians(circle.lat), math.radians(circle.lon)
        place = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
        x, y, z = (math.floor(each / self._size) for each in place)
        return x, y, z
