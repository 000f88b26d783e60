"""Circles on the globe for feeds that are asked by centre and radius; right across 180° and near the poles.

The earth is a sphere here, as it is for the feeds' own servers; the margin around each site is far
larger than the difference.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import shapely

from monitor.sites import Site
from monitor.sites.geometry import bounding_circle

EARTH_RADIUS_NM = 3440.065

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the globe: centre in degrees, radius in nautical miles along the surface."""

    lat: float
    lon: float
    radius_nm: float

    def distance_nm(self, lat: float, lon: float) -> float:
        """How far a place is from the centre (great circle)."""
        return distance_nm(self.lat, self.lon, lat, lon)

    def contains(self, other: "Circle") -> bool:
        """Whether the other circle lies wholly inside."""
        return self.distance_nm(other.lat, other.lon) + other.radius_nm <= self.radius_nm


def distance_nm(lat_1: float, lon_1: float, lat_2: float, lon_2: float) -> float:
    """Great-circle distance by the haversine formula, which stays exact for near places."""
    phi_1, phi_2 = math.radians(lat_1), math.radians(lat_2)
    half_lon = math.radians(lon_2 - lon_1) / 2
    a = math.sin((phi_2 - phi_1) / 2) ** 2 + math.cos(phi_1) * math.cos(phi_2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_NM * math.asin(min(1.0, math.sqrt(a)))


def around(site: Site) -> Circle:
    """A circle around a whole site."""
    return _around(shapely.to_wkb(site.geometry))


@lru_cache(maxsize=1024)
def _around(outline: bytes) -> Circle:
    # Asked for at every poll, and slow to work out.
    circle = bounding_circle(shapely.from_wkb(outline))
    return Circle(circle.lat, circle.lon, circle.radius_nm)


def enclosing(one: Circle, two: Circle) -> Circle:
    """The smallest circle around two circles."""
    if one.contains(two):
        return one
    if two.contains(one):
        return two
    apart = one.distance_nm(two.lat, two.lon)
    radius = (apart + one.radius_nm + two.radius_nm) / 2
    lat, lon = _between(one, two, (radius - one.radius_nm) / apart, apart)
    return Circle(lat, lon, radius)


def merge_near(
    circles: Sequence[tuple[str, Circle]], limit_nm: float
) -> list[tuple[Circle, tuple[str, ...]]]:
    """Join circles greedily, in order of their keys, while the joint one stays within `limit_nm`."""
    groups: list[tuple[Circle, tuple[str, ...]]] = []
    for key, circle in sorted(circles):
        joined = [(enclosing(group, circle), index) for index, (group, _) in enumerate(groups)]
        best = min(joined, key=lambda each: (each[0].radius_nm, each[1]), default=None)
        if best is not None and best[0].radius_nm <= limit_nm:
            groups[best[1]] = (best[0], (*groups[best[1]][1], key))
        else:
            groups.append((circle, (key,)))
    return groups


def _between(one: Circle, two: Circle, share: float, apart_nm: float) -> tuple[float, float]:
    """The place that lies `share` of the way along the great circle from one centre to the other."""
    angle = apart_nm / EARTH_RADIUS_NM
    a, b = math.sin((1 - share) * angle), math.sin(share * angle)
    return _place(_sum([_scaled(_vector(one.lat, one.lon), a), _scaled(_vector(two.lat, two.lon), b)]))


def _vector(lat: float, lon: float) -> Vector:
    phi, lam = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def _scaled(vector: Vector, factor: float) -> Vector:
    return vector[0] * factor, vector[1] * factor, vector[2] * factor


def _sum(vectors: Iterable[Vector]) -> Vector:
    x, y, z = (math.fsum(each) for each in zip(*vectors, strict=True))
    return x, y, z


def _place(vector: Vector) -> tuple[float, float]:
    x, y, z = vector
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))
