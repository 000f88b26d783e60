"""Which positions lie in or near which site: each site in a plane of its own, very many sites behind one grid."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from db.records import Fix
from monitor.sites import Site
from monitor.sites.geodesy import (
    FULL_TURN_DEG,
    HALF_TURN_DEG,
    NM_PER_DEGREE,
    POLE_DEG,
    Floats,
    wrap_longitude,
    wrap_longitudes,
)

Indexes = NDArray[np.intp]
_CELLS_A_DEGREE = 4
_COLUMNS, _ROWS = 360 * _CELLS_A_DEGREE, 180 * _CELLS_A_DEGREE


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
    runway_ends: tuple[Floats, ...] = field(default=(), repr=False)
    """The two ends of each runway that is known, in the plane: arrays of two rows."""
    region: str = ""
    """The region that it lies in, or nothing."""

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
        return wrap_longitudes(lon - self.lon) * self.east_scale, (lat - self.lat) * NM_PER_DEGREE

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
    middle = wrap_longitude(lon)
    return Place(
        site,
        lat,
        middle,
        scale,
        local,
        (bounds[0], bounds[1], bounds[2], bounds[3]),
        tuple(_runway_ends(site, lat, middle, scale)),
    )


def _runway_ends(site: Site, lat: float, lon: float, scale: float) -> Iterator[Floats]:
    for runway in site.runways:
        if runway.get("ends") and not runway.get("closed"):
            ends = np.array(runway["ends"], dtype=np.float64)
            yield np.column_stack(
                [wrap_longitudes(ends[:, 0] - lon) * scale, (ends[:, 1] - lat) * NM_PER_DEGREE]
            )


def places_of(sites: Sequence[Site]) -> tuple[Place, ...]:
    """Prepare the sites where aircraft come and go; the same sites give the same places, as preparing is slow."""
    return _places(_Same(tuple(sites)))


def regions_of(sites: Sequence[Site]) -> tuple[Place, ...]:
    """Prepare the regions among the sites: sets of places and the ground between them."""
    return _regions(_Same(tuple(sites)))


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
    regions = _regions(same)
    return tuple(_in_region(place_of(site), regions) for site in same.sites if site.flies)


def _in_region(place: Place, regions: Sequence[Place]) -> Place:
    here = np.array([place.lat]), np.array([place.lon])
    return replace(place, region=next((each.id for each in regions if each.contains(*here)[0]), ""))


@lru_cache(maxsize=8)
def _regions(same: _Same) -> tuple[Place, ...]:
    return tuple(place_of(site) for site in same.sites if site.is_region)


def _unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    """Join the parts on either side of 180° again, with longitudes beyond it."""
    west, _, east, _ = geometry.bounds
    if east - west <= HALF_TURN_DEG:
        return shapely.force_2d(geometry)

    def turn(at: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack([np.where(at[:, 0] < 0, at[:, 0] + FULL_TURN_DEG, at[:, 0]), at[:, 1]])

    return shapely.unary_union(shapely.transform(shapely.force_2d(geometry), turn))


def positions(fixes: Sequence[Fix]) -> tuple[Floats, Floats]:
    """Give the latitudes and the longitudes of reports."""
    lat = np.array([fix.lat for fix in fixes], dtype=np.float64)
    return lat, np.array([fix.lon for fix in fixes], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Grid:
    """The boxes of places, widened by a margin, in cells of a quarter of a degree; `near` and `inside` ask it."""

    places: tuple[Place, ...]
    starts: NDArray[np.int32]
    """For each cell, where its places begin in `members`; one more than there are cells."""
    members: NDArray[np.int32]
    occupied: NDArray[np.bool_]
    frame: Floats
    """For each place: latitude, longitude, east scale, and its box in its own plane, widened."""
    outlines: NDArray[np.object_]

    def near(self, lat: Floats, lon: Floats) -> tuple[Indexes, Indexes]:
        """Give the pairs (report, place) in which the report lies in the widened box, by report then place."""
        which, place, _, _ = self._pairs(lat, lon)
        return which, place

    def inside(self, lat: Floats, lon: Floats) -> tuple[Indexes, Indexes]:
        """Give the pairs (report, place) in which the report lies inside the outline; made for a margin of 0."""
        which, place, x, y = self._pairs(lat, lon)
        if not len(which):
            return which, place
        within = shapely.contains_xy(self.outlines[place], x, y)
        return which[within], place[within]

    def _pairs(self, lat: Floats, lon: Floats) -> tuple[Indexes, Indexes, Floats, Floats]:
        cell = _cells(lat, lon)
        (which,) = np.nonzero(self.occupied[cell])
        first, last = self.starts[cell[which]], self.starts[cell[which] + 1]
        number = last - first
        which = np.repeat(which, number)
        # The running index within each report's own list of places.
        offset = np.arange(len(which)) - np.repeat(np.cumsum(number) - number, number)
        place = self.members[np.repeat(first, number) + offset].astype(np.intp)
        frame = self.frame[place]
        x, y = (
            wrap_longitudes(lon[which] - frame[:, 1]) * frame[:, 2],
            (lat[which] - frame[:, 0]) * NM_PER_DEGREE,
        )
        there = (x >= frame[:, 3]) & (y >= frame[:, 4]) & (x <= frame[:, 5]) & (y <= frame[:, 6])
        return which[there], place[there], x[there], y[there]


@lru_cache(maxsize=16)
def grid_of(places: tuple[Place, ...], margin_nm: float) -> Grid:
    """Build the grid of these places; asked for at every poll and slow to build, so it is kept."""
    frame = np.array(
        [(place.lat, place.lon, place.east_scale, *_widened(place.bounds, margin_nm)) for place in places]
    ).reshape(-1, 7)
    cells: list[Indexes] = [_covered(row) for row in frame]
    owner = np.repeat(np.arange(len(places), dtype=np.int32), [len(each) for each in cells])
    flat = np.concatenate(cells) if cells else np.empty(0, dtype=np.intp)
    order = np.lexsort((owner, flat))
    number = np.bincount(flat, minlength=_COLUMNS * _ROWS)
    starts = np.concatenate([[0], np.cumsum(number)]).astype(np.int32)
    outlines = np.array([place.outline for place in places], dtype=object)
    return Grid(places, starts, owner[order], number > 0, frame, outlines)


def _widened(bounds: tuple[float, float, float, float], margin_nm: float) -> tuple[float, ...]:
    west, south, east, north = bounds
    return west - margin_nm, south - margin_nm, east + margin_nm, north + margin_nm


def _cells(lat: Floats, lon: Floats) -> Indexes:
    column = np.floor((lon + HALF_TURN_DEG) * _CELLS_A_DEGREE).astype(np.intp) % _COLUMNS
    row = np.clip(np.floor((lat + POLE_DEG) * _CELLS_A_DEGREE).astype(np.intp), 0, _ROWS - 1)
    return row * _COLUMNS + column


def _covered(frame: Floats) -> Indexes:
    """Give every cell that a widened box touches; near a pole that is a whole ring."""
    lat, lon, scale, west, south, east, north = frame
    low, high = lat + south / NM_PER_DEGREE, lat + north / NM_PER_DEGREE
    left, right = lon + west / scale, lon + east / scale
    rows = np.arange(_row(low), _row(high) + 1)
    if right - left >= FULL_TURN_DEG:
        columns = np.arange(_COLUMNS)
    else:
        first = int(np.floor((left + HALF_TURN_DEG) * _CELLS_A_DEGREE))
        last = int(np.floor((right + HALF_TURN_DEG) * _CELLS_A_DEGREE))
        columns = np.unique(np.arange(first, last + 1) % _COLUMNS)
    found: Indexes = (rows[:, None] * _COLUMNS + columns[None, :]).ravel()
    return found


def _row(lat: float) -> int:
    return int(np.clip(np.floor((lat + POLE_DEG) * _CELLS_A_DEGREE), 0, _ROWS - 1))


def sets_of(grid: Grid, lat: Floats, lon: Floats) -> Sequence[tuple[int, ...]]:
    """Give for each report the places near it, by their order."""
    found: list[list[int]] = [[] for _ in range(len(lat))]
    which, place = grid.near(lat, lon)
    for report, index in zip(which.tolist(), place.tolist(), strict=True):
        found[report].append(index)
    return [tuple(each) for each in found]
