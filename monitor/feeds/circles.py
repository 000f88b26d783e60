"""Circles on the globe for feeds that are asked by centre and radius; right across 180° and near the poles.

The earth is a sphere here, as it is for the feeds' own servers; the margin around each site is far
larger than the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import shapely

from monitor.sites import Site
from monitor.sites.geodesy import course_deg, destination, great_circle_nm
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


@lru_cache(maxsize=1024)
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
    for key, circle in sorted(circles):
        joined = [(enclosing_circle(group, circle), index) for index, (group, _) in enumerate(groups)]
        best = min(joined, key=lambda each: (each[0].radius_nm, each[1]), default=None)
        if best is not None and best[0].radius_nm <= limit_nm:
            groups[best[1]] = (best[0], (*groups[best[1]][1], key))
        else:
            groups.append((circle, (key,)))
    return groups
