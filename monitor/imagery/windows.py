"""Reading a part of one GeoTIFF on a UTM map: which blocks hold it, and its pixels, padded where the file ends."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from monitor.sites.geodesy import Floats

_MOST_BLOCKS = 4096
_LARGEST_BLOCK_PX = 4096 * 4096
_PIXEL_M = (1, 1000)
_FARTHEST_M = 2e7
_UTM = frozenset({*range(32601, 32661), *range(32701, 32761)})
_EDGE_DEG = 0.005
_JOIN_M = 0.1


class RasterError(Exception):
    """A file does not hold what is looked for in it; the text says why."""


class Raster(Protocol):
    """A GeoTIFF as rasterio reads it, each of its levels opened by itself."""

    def level(self, number: int | None) -> AbstractContextManager[Any]:
        """Open one overview (None: full resolution) as a dataset."""
        ...

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Bring these parts of the file (offset, size) together before they are read one by one."""
        ...

    def keep_only(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Say that of what was brought only these parts (offset, size) are read any more."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """Pixels of one level, [top, bottom) and [left, right), which may lie beyond the picture."""

    top: int
    bottom: int
    left: int
    right: int
    transform: Any
    """From pixels of the frame to metres."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    def inside(self, level: Any) -> tuple[int, int, int, int]:
        """The part of the frame that lies in the picture: top, bottom, left, right."""
        return (
            max(0, self.top),
            min(level.height, self.bottom),
            max(0, self.left),
            min(level.width, self.right),
        )


def checked_epsg(full: Any) -> int:
    """The EPSG code of a picture that lies north up on a UTM map, stored in blocks; raises RasterError."""
    epsg = (full.crs.to_epsg() if full.crs else None) or 0
    if epsg not in _UTM:
        raise RasterError("the picture is not on a UTM map (WGS 84)")
    step = full.transform
    fine, coarse = _PIXEL_M
    if not (fine <= step.a <= coarse and fine <= -step.e <= coarse and step.b == step.d == 0):
        raise RasterError(f"the picture is not north up with pixels of {fine} to {coarse} m")
    if not max(abs(step.c), abs(step.f)) <= _FARTHEST_M:
        raise RasterError("the picture lies nowhere on Earth")
    if any(height * width > _LARGEST_BLOCK_PX for height, width in full.block_shapes):
        raise RasterError("the picture is stored in blocks that are too large to read in part")
    return int(epsg)


def projected(outline: BaseGeometry, epsg: int) -> BaseGeometry:
    """A shape in metres; parts on both sides of 180° join again. Raises RasterError."""
    to_metres = Transformer.from_crs(4326, epsg, always_xy=True)

    def project(points: Floats) -> Floats:
        return np.column_stack(to_metres.transform(points[:, 0], points[:, 1]))

    # A straight edge in degrees is a curve on the map.
    moved = shapely.transform(shapely.segmentize(outline, _EDGE_DEG), project)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise RasterError("the site does not lie on the map of this picture")
    joined = shapely.union_all(shapely.get_parts(moved), grid_size=_JOIN_M)
    if joined.is_empty:
        raise RasterError("the site is too small to be drawn")
    return joined


def frame_around(level: Any, bounds: tuple[float, float, float, float]) -> Frame:
    """The pixels that hold west, south, east, north (metres); raises RasterError where none lies in the picture."""
    west, south, east, north = bounds
    step = level.transform
    left = math.floor((west - step.c) / step.a)
    right = math.ceil((east - step.c) / step.a)
    top = math.floor((north - step.f) / step.e)
    bottom = math.ceil((south - step.f) / step.e)
    if right <= 0 or bottom <= 0 or left >= level.width or top >= level.height:
        raise RasterError("the site lies outside this picture")
    return Frame(top, bottom, left, right, step @ step.translation(left, top))


def blocks_of(level: Any, frame: Frame, bands: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where in the file (offset, size) the pixels of a frame stand; blocks without pixels have no place."""
    top, bottom, left, right = frame.inside(level)
    height, width = level.block_shapes[0]
    rows = range(top // height, -(-bottom // height))
    columns = range(left // width, -(-right // width))
    if len(rows) * len(columns) > _MOST_BLOCKS:
        raise RasterError("the picture is stored in too many small blocks")
    together = len(bands) > 1 and level.interleaving.value.lower() == "pixel"
    for band in bands[:1] if together else bands:
        for row in rows:
            for column in columns:
                place = [
                    level.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band)
                    for what in ("OFFSET", "SIZE")
                ]
                if all(place):
                    yield int(place[0]), int(place[1])


def shown_in(level: Any, frame: Frame) -> npt.NDArray[np.bool_]:
    """Which pixels of a frame the file itself calls data, by its value for no data, its alpha or its mask."""
    top, bottom, left, right = frame.inside(level)
    shown = np.zeros(frame.shape, bool)
    rows = slice(top - frame.top, bottom - frame.top)
    columns = slice(left - frame.left, right - frame.left)
    told = level.dataset_mask(window=Window(left, top, right - left, bottom - top))
    shown[rows, columns] = told > 0
    return shown


def read_frame(level: Any, frame: Frame, bands: Sequence[int]) -> npt.NDArray[Any]:
    """The pixels of a frame, (band, row, column); 0 where the picture ends."""
    top, bottom, left, right = frame.inside(level)
    found = level.read(list(bands), window=Window(left, top, right - left, bottom - top))
    whole = np.zeros((len(bands), *frame.shape), found.dtype)
    whole[:, top - frame.top : bottom - frame.top, left - frame.left : right - frame.left] = found
    return whole
