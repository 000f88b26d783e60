"""Which reports are near which of very many sites: a grid over the sites' boxes, before any exact test.

A world poll is 12,000 reports and there may be 10,000 sites. Nearly every report lies in a cell that no site
touches; one look into a table settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray

from monitor.flights.places import HALF_TURN_DEG, NM_PER_DEGREE, Floats, Place

Indexes = NDArray[np.intp]
_CELLS_A_DEGREE = 4
_COLUMNS, _ROWS = 360 * _CELLS_A_DEGREE, 180 * _CELLS_A_DEGREE


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
        turned = (lon[which] - frame[:, 1] + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
        x, y = turned * frame[:, 2], (lat[which] - frame[:, 0]) * NM_PER_DEGREE
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
    row = np.clip(np.floor((lat + HALF_TURN_DEG / 2) * _CELLS_A_DEGREE).astype(np.intp), 0, _ROWS - 1)
    return row * _COLUMNS + column


def _covered(frame: Floats) -> Indexes:
    """Give every cell that a widened box touches; near a pole that is a whole ring."""
    lat, lon, scale, west, south, east, north = frame
    low, high = lat + south / NM_PER_DEGREE, lat + north / NM_PER_DEGREE
    left, right = lon + west / scale, lon + east / scale
    rows = np.arange(_row(low), _row(high) + 1)
    if right - left >= 2 * HALF_TURN_DEG:
        columns = np.arange(_COLUMNS)
    else:
        first = int(np.floor((left + HALF_TURN_DEG) * _CELLS_A_DEGREE))
        last = int(np.floor((right + HALF_TURN_DEG) * _CELLS_A_DEGREE))
        columns = np.unique(np.arange(first, last + 1) % _COLUMNS)
    found: Indexes = (rows[:, None] * _COLUMNS + columns[None, :]).ravel()
    return found


def _row(lat: float) -> int:
    return int(np.clip(np.floor((lat + HALF_TURN_DEG / 2) * _CELLS_A_DEGREE), 0, _ROWS - 1))


def sets_of(grid: Grid, lat: Floats, lon: Floats) -> Sequence[tuple[int, ...]]:
    """Give for each report the places near it, by their order."""
    found: list[list[int]] = [[] for _ in range(len(lat))]
    which, place = grid.near(lat, lon)
    for report, index in zip(which.tolist(), place.tolist(), strict=True):
        found[report].append(index)
    return [tuple(each) for each in found]
