"""The pixels of a site on the map of its satellite tiles: one grid of 10 m, the zones in it, and what a line covers."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from monitor.imagery.windows import (
    Raster,
    RasterError,
    blocks_of,
    checked_epsg,
    frame_around,
    projected,
    read_frame,
)
from monitor.sites import Area, Site

Bools = npt.NDArray[np.bool_]
Floats32 = npt.NDArray[np.float32]
PIXEL_M = 10.0
PIXEL_M2 = PIXEL_M * PIXEL_M
_STEP_M = 20.0
"""Grids begin on a whole multiple of this, as the coarser bands do."""
RING_M = 300.0
"""So far around the site reaches the ground that a site is held against."""
LARGEST_GRID_PX = 1_200
"""A side of the largest grid whose pixels are kept; a larger site is measured in areas of its own."""
TOO_LARGE = (
    f"it is larger than {LARGEST_GRID_PX * PIXEL_M / 1000:g} km with the ground around it, and only smaller sites are "
    "measured: draw what matters as a site of its own"
)
TRACK_KINDS = frozenset({"track", "tracks", "siding", "sidings"})
BERTH_KINDS = frozenset({"quay", "berth", "pier", "wharf", "jetty"})
WATER_KINDS = frozenset({"port", "naval_base", "anchorage", "roads", "basin", "harbour"})
"""Sites and surfaces in which vessels are counted where there is water."""
OPEN_GROUND_KINDS = frozenset({"apron", "yard", "storage", "stand", "pad"})
TRACK_HALF_WIDTH_M = 8.0
BERTH_REACH_M = 45.0
"""A ship at a quay lies within so much of it: the widest hull, and a little for a quay drawn on land."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """Square pixels, of 10 m where nothing else is said, on one UTM map, the first one's top left corner at `west` and `north` (metres)."""

    epsg: int
    west: float
    north: float
    height: int
    width: int
    pixel_m: float = PIXEL_M

    @property
    def transform(self) -> Any:
        """From pixels to metres."""
        return from_origin(self.west, self.north, self.pixel_m, self.pixel_m)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.height * self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north in metres."""
        return (
            self.west,
            self.north - self.height * self.pixel_m,
            self.west + self.width * self.pixel_m,
            self.north,
        )

    @property
    def digest(self) -> str:
        """A short text that differs for any other grid."""
        text = f"{self.epsg}:{self.west:.0f}:{self.north:.0f}:{self.height}:{self.width}"
        text += "" if self.pixel_m == PIXEL_M else f":{self.pixel_m:g}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def is_kept(self) -> bool:
        """Whether it is small enough for its pixels to be kept."""
        return max(self.shape) <= LARGEST_GRID_PX

    def covers(self, shape: BaseGeometry, *, touched: bool = False) -> Bools:
        """Which pixels have their centre in a shape, or are touched by it."""
        if shape.is_empty:
            return np.zeros(self.shape, bool)
        return np.asarray(rasterize([shape], self.shape, transform=self.transform, all_touched=touched), bool)

    def centres(self, mask: Bools) -> npt.NDArray[np.float64]:
        """East and north in metres of the centres of the pixels in a mask."""
        rows, columns = np.nonzero(mask)
        size = self.pixel_m
        return np.column_stack([self.west + (columns + 0.5) * size, self.north - (rows + 0.5) * size])


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the grid that is measured by itself; `area_id` '' is the whole site."""

    area_id: str
    name: str
    kind: str
    mask: Bools = field(repr=False)
    """The pixels whose state counts."""
    steps: npt.NDArray[np.int32] | None = field(default=None, repr=False)
    """For what is measured along a line: which step of 10 m along it each pixel of the mask belongs to."""
    axis: LineString | None = field(default=None, repr=False)
    """That line, in metres."""

    @property
    def length_m(self) -> float:
        """How long it is; 0 for what is measured as a surface."""
        return 0.0 if self.axis is None else float(self.axis.length)

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return int(self.mask.sum())


def site_grid(site: Site, epsg: int) -> PixelGrid:
    """The grid of a site with a ring around it; raises RasterError where the site is not on that map."""
    west, south, east, north = projected(site.geometry, epsg).bounds
    left = math.floor((west - RING_M) / _STEP_M) * _STEP_M
    top = math.ceil((north + RING_M) / _STEP_M) * _STEP_M
    width = math.ceil((east + RING_M - left) / _STEP_M) * 2
    height = math.ceil((top - (south - RING_M)) / _STEP_M) * 2
    return PixelGrid(epsg, left, top, height, width)


def zones_of(site: Site, grid: PixelGrid) -> list[Zone]:
    """The site as a whole, then each of its areas that somebody has located."""
    whole = Zone("", site.name, site.kind, grid.covers(projected(site.geometry, grid.epsg)))
    return [whole, *filter(None, (_zone(area, grid) for area in site.areas))]


def _zone(area: Area, grid: PixelGrid) -> Zone | None:
    if area.geometry is None:
        return None
    shape = projected(area.geometry, grid.epsg)
    axis = _axis(shape)
    if area.kind in TRACK_KINDS and shape.length and not _has_area(shape):
        mask = grid.covers(shape.buffer(TRACK_HALF_WIDTH_M), touched=False) | grid.covers(shape, touched=True)
    elif area.kind in BERTH_KINDS and axis is not None:
        mask = grid.covers(shape.buffer(BERTH_REACH_M))
    elif _has_area(shape):
        return Zone(area.id, area.name, area.kind, grid.covers(shape, touched=shape.area < _SMALL_M2))
    else:
        axis, mask = None, grid.covers(shape.buffer(PIXEL_M))
    if axis is None or not mask.any():
        return Zone(area.id, area.name, area.kind, mask) if mask.any() else None
    along = shapely.line_locate_point(axis, shapely.points(grid.centres(mask)))
    steps = np.minimum(along // PIXEL_M, max(0, math.ceil(axis.length / PIXEL_M) - 1)).astype(np.int32)
    return Zone(area.id, area.name, area.kind, mask, steps, axis)


_LARGEST_OVERVIEW_PX = 2_048
_SMALL_M2 = 4_000.0
"""Of a smaller area every pixel that it touches counts, or hardly one would be left."""


def _has_area(shape: BaseGeometry) -> bool:
    return any(isinstance(part, Polygon) for part in shapely.get_parts(shape).tolist())


def _axis(shape: BaseGeometry) -> LineString | None:
    """The line along which a part is measured: itself, or the long middle line of a drawn surface."""
    merged = shapely.line_merge(shape)
    if isinstance(merged, LineString):
        return merged
    if not _has_area(shape):
        lines = [part for part in shapely.get_parts(merged).tolist() if isinstance(part, LineString)]
        return max(lines, key=lambda line: line.length, default=None)
    box = shapely.minimum_rotated_rectangle(shape)
    if not isinstance(box, Polygon):
        return None
    corners = shapely.get_coordinates(box)[:4]
    sides = [(corners[i] + corners[(i + 1) % 4]) / 2 for i in range(4)]
    one, other = LineString([sides[0], sides[2]]), LineString([sides[1], sides[3]])
    return max(one, other, key=lambda line: line.length)


def read_band(
    raster: Raster, grids: Sequence[PixelGrid], *, kind: str, fine: bool
) -> Iterator[npt.NDArray[Any]]:
    """One band over each of these grids, all its blocks asked for together; 0 is no data, raises RasterError.

    `kind` is the type of its numbers; bands of 20 m are laid out on the grid's 10 m unless the band must be `fine`.
    """
    with raster.level(None) as full:
        epsg = checked_epsg(full)
        _check_band(full, kind, fine=fine)
        if any(grid.epsg != epsg for grid in grids):
            raise RasterError("the band lies on another map than the pixels that are known of the site")
        frames = [frame_around(full, grid.bounds) for grid in grids]
        raster.fetch(sorted({block for frame in frames for block in blocks_of(full, frame, (1,))}))
        times = round(full.transform.a / PIXEL_M)
        for grid, frame in zip(grids, frames, strict=True):
            found = read_frame(full, frame, (1,))[0]
            if full.nodata:
                found[found == full.nodata] = 0
            yield _on_grid(found, frame.transform, grid, times)


def blocks_around(raster: Raster, grids: Sequence[PixelGrid]) -> list[tuple[int, int]]:
    """Where in a file (offset, size) the blocks of a rectangle around these grids stand; nowhere where it lies beside them."""
    bounds = [grid.bounds for grid in grids]
    west, south = (min(each[place] for each in bounds) for place in (0, 1))
    east, north = (max(each[place] for each in bounds) for place in (2, 3))
    with raster.level(None) as full:
        try:
            frame = frame_around(full, (west, south, east, north))
        except RasterError:
            return []
        return list(blocks_of(full, frame, (1,)))


def read_overview(raster: Raster) -> npt.NDArray[Any] | None:
    """The whole of a single band in its coarsest level, None where there is none that is coarse; raises RasterError."""
    with raster.level(None) as full:
        checked_epsg(full)
        levels = full.overviews(1)
    if not levels:
        return None
    with raster.level(len(levels) - 1) as level:
        if max(level.height, level.width) > _LARGEST_OVERVIEW_PX:
            return None
        frame = frame_around(level, tuple(level.bounds))
        raster.fetch(sorted(set(blocks_of(level, frame, (1,)))))
        return np.asarray(read_frame(level, frame, (1,))[0])


def _on_grid(found: npt.NDArray[Any], transform: Any, grid: PixelGrid, times: int) -> npt.NDArray[Any]:
    fine = np.repeat(np.repeat(found, times, axis=0), times, axis=1) if times > 1 else found
    # The frame begins on a pixel of its own, which may lie a fine pixel before the grid.
    top = round((transform.f - grid.north) / PIXEL_M)
    left = round((grid.west - transform.c) / PIXEL_M)
    return fine[top : top + grid.height, left : left + grid.width]


def _check_band(full: Any, kind: str, *, fine: bool) -> None:
    if full.count != 1 or full.dtypes[0] != kind:
        raise RasterError(f"the file is not a single band of the type {kind}")
    size = full.transform.a
    if size not in ((PIXEL_M,) if fine else (PIXEL_M, _STEP_M)) or size != -full.transform.e:
        raise RasterError(f"the pixels of the band are {size:g} m wide, which is not expected of it")
    if (full.transform.c % PIXEL_M, full.transform.f % PIXEL_M) != (0, 0):
        raise RasterError("the pixels of the band do not lie on the grid of their map")
