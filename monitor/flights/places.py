"""Which positions lie in which site: each site in a plane of its own, in nautical miles around its middle."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from db.records import Fix
from monitor.sites import Site

Floats = NDArray[np.float64]
NM_PER_DEGREE = 60.0
HALF_TURN_DEG = 180.0


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A site as flights see it: its outline in a local plane (x east, y north, nautical miles).

    The plane is linear in longitude and latitude, so containment is exactly that of the outline as drawn,
    and it has no seam at 180°. Distances are good to 1 % within 50 nautical miles.
    """

    site: Site
    lat: float
    lon: float
    east_scale: float
    outline: BaseGeometry = field(repr=False)
    bounds: tuple[float, float, float, float]

    @property
    def id(self) -> str:
        """The site's id."""
        return self.site.id

    @property
    def elevation_ft(self) -> float | None:
        """The field's elevation; without it no altitude can be called low."""
        return self.site.elevation_ft

    def plane(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Put positions into the plane."""
        turned = (lon - self.lon + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
        return turned * self.east_scale, (lat - self.lat) * NM_PER_DEGREE

    def near(self, lat: Floats, lon: Floats, margin_nm: float) -> NDArray[np.bool_]:
        """Say which positions are within the margin of the site's bounding box."""
        x, y = self.plane(lat, lon)
        west, south, east, north = self.bounds
        return (
            (x >= west - margin_nm)
            & (x <= east + margin_nm)
            & (y >= south - margin_nm)
            & (y <= north + margin_nm)
        )

    def contains(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """Say which positions are inside the outline; a hole is outside."""
        inside = self.near(lat, lon, 0.0)
        if inside.any():
            x, y = self.plane(lat[inside], lon[inside])
            inside[inside] = shapely.contains_xy(self.outline, x, y)
        return inside

    def distance_nm(self, lat: Floats, lon: Floats) -> Floats:
        """Give the distance to the outline, 0 inside it."""
        x, y = self.plane(lat, lon)
        distances: Floats = np.asarray(shapely.distance(self.outline, shapely.points(x, y)), dtype=np.float64)
        return distances


def place_of(site: Site) -> Place:
    """Prepare a site for matching."""
    outline = _unwrapped(site.geometry)
    west, south, east, north = outline.bounds
    lat, lon = (south + north) / 2, (west + east) / 2
    scale = NM_PER_DEGREE * max(float(np.cos(np.radians(lat))), 1e-6)
    local = shapely.transform(outline, lambda at: (at - (lon, lat)) * (scale, NM_PER_DEGREE), include_z=False)
    shapely.prepare(local)
    bounds = tuple(float(each) for each in local.bounds)
    middle = (lon + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
    return Place(site, lat, middle, scale, local, (bounds[0], bounds[1], bounds[2], bounds[3]))


def places_of(sites: Sequence[Site]) -> tuple[Place, ...]:
    """Prepare the sites where aircraft come and go; the same sites give the same places, as preparing is slow."""
    return _places(_Same(tuple(sites)))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """The very same sites: comparing them by their contents would cost more than preparing them."""

    sites: tuple[Site, ...]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Same)
            and len(self.sites) == len(other.sites)
            and all(map(operator.is_, self.sites, other.sites))
        )

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.sites)))


@lru_cache(maxsize=8)
def _places(same: _Same) -> tuple[Place, ...]:
    return tuple(place_of(site) for site in same.sites if site.flies)


def _unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    """Join the parts on either side of 180° again, with longitudes beyond it."""
    west, _, east, _ = geometry.bounds
    if east - west <= HALF_TURN_DEG:
        return shapely.force_2d(geometry)

    def turn(at: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack([np.where(at[:, 0] < 0, at[:, 0] + 2 * HALF_TURN_DEG, at[:, 0]), at[:, 1]])

    return shapely.unary_union(shapely.transform(shapely.force_2d(geometry), turn))


def positions(fixes: Sequence[Fix]) -> tuple[Floats, Floats]:
    """Give the latitudes and the longitudes of reports."""
    lat = np.array([fix.lat for fix in fixes], dtype=np.float64)
    return lat, np.array([fix.lon for fix in fixes], dtype=np.float64)
