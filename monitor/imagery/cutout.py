"""Cutting the picture of one site out of a scene: which scene, which pixels, and how much of the site they show."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from db.records import JsonMapping, Scene
from monitor.imagery.drawing import draw_png
from monitor.sites import Site
from monitor.sites.geodesy import Floats, longitude_near

CUTOUT_COLLECTION = "sentinel-2-l2a"
VISUAL_LINK = "visual"
MOST_CUTOUT_CLOUD = 0.2
LEAST_COVERED = 0.95
CUTOUT_LOOK_BACK = timedelta(days=90)
LARGEST_CUTOUT_PX = 1024
MARGIN_SHARE, MARGIN_M = 0.15, 250.0
_MOST_BLOCKS = 4096
_LARGEST_BLOCK_PX = 4096 * 4096
_PIXEL_M = (1, 1000)
_FARTHEST_M = 2e7
_UTM = frozenset({*range(32601, 32661), *range(32701, 32761)})
_RGB = (1, 2, 3)
_EDGE_DEG = 0.005
_JOIN_M = 0.1
Pixels = npt.NDArray[np.uint8]


class CutoutError(Exception):
    """No picture can be cut out of this file; the text says why."""


class Raster(Protocol):
    """A GeoTIFF as rasterio reads it, each of its levels opened by itself."""

    def level(self, number: int | None) -> AbstractContextManager[Any]:
        """Open one overview (None: full resolution) as a dataset."""
        ...

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Bring these parts of the file (offset, size) together before they are read one by one."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """What is cut out: pixels of one level, [top, bottom) and [left, right), which may lie beyond the picture."""

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


@dataclass(frozen=True, slots=True)
class CutoutImage:
    """A finished picture; `bounds` and `shown_share` as in `db.records.Cutout`."""

    png: bytes
    width_px: int
    height_px: int
    metres_per_pixel: float
    bounds: JsonMapping
    shown_share: float


def clear_scenes(scenes: Iterable[Scene], now: datetime) -> list[Scene]:
    """Those that can give a picture of their site, the newest first."""
    good = (
        scene
        for scene in scenes
        if scene.collection == CUTOUT_COLLECTION
        and now - CUTOUT_LOOK_BACK <= scene.acquired_at <= now
        and scene.cloud_share is not None
        and scene.cloud_share < MOST_CUTOUT_CLOUD
        and scene.covered_share > LEAST_COVERED
        and scene.links.get(VISUAL_LINK)
    )
    return sorted(good, key=lambda scene: (scene.acquired_at, scene.provider, scene.item_id), reverse=True)


def copernicus_attribution(acquired_at: datetime) -> str:
    """What the Copernicus licence asks for, with the year of the picture."""
    return f"Contains modified Copernicus Sentinel data {acquired_at.year}"


def outline_digest(site: Site) -> str:
    """A short text that changes when the site is drawn anew."""
    return hashlib.sha256(shapely.to_wkb(site.geometry)).hexdigest()[:16]


def cut_out(raster: Raster, site: Site, *, most_bytes: int, texts: JsonMapping) -> CutoutImage:
    """Cut one site out of the finest level that fits; raises CutoutError, and RasterioError for a damaged file.

    `texts` are written into the PNG, so that a copy says where it is from.
    """
    with raster.level(None) as full:
        epsg = _checked(full)
        levels: list[int | None] = [None, *range(len(full.overviews(1)))]
    outline = _projected(site.geometry, epsg)
    for number in levels:
        with raster.level(number) as level:
            frame = _frame(level, outline)
            if max(frame.shape) > LARGEST_CUTOUT_PX:
                continue
            blocks = sorted(set(_blocks(level, frame)))
            if sum(size for _, size in blocks) > most_bytes:
                continue
            raster.fetch(blocks)
            return _finished(_read(level, frame), frame, outline, epsg, texts)
    raise CutoutError(
        f"the picture has no level at which the site fits into {LARGEST_CUTOUT_PX} pixels and few enough bytes"
    )


def _checked(full: Any) -> int:
    """The EPSG code of a picture that is what it should be: three bands of bytes on a UTM map, north up."""
    if full.count < len(_RGB) or any(kind != "uint8" for kind in full.dtypes[: len(_RGB)]):
        raise CutoutError("the file is not a colour picture of three bands with one byte each")
    epsg = (full.crs.to_epsg() if full.crs else None) or 0
    if epsg not in _UTM:
        raise CutoutError("the picture is not on a UTM map (WGS 84)")
    step = full.transform
    fine, coarse = _PIXEL_M
    if not (fine <= step.a <= coarse and fine <= -step.e <= coarse and step.b == step.d == 0):
        raise CutoutError(f"the picture is not north up with pixels of {fine} to {coarse} m")
    if not max(abs(step.c), abs(step.f)) <= _FARTHEST_M:
        raise CutoutError("the picture lies nowhere on Earth")
    if any(height * width > _LARGEST_BLOCK_PX for height, width in full.block_shapes):
        raise CutoutError("the picture is stored in blocks that are too large to read in part")
    return int(epsg)


def _projected(outline: BaseGeometry, epsg: int) -> BaseGeometry:
    """The outline in metres; parts on both sides of 180° join again."""
    to_metres = Transformer.from_crs(4326, epsg, always_xy=True)

    def project(points: Floats) -> Floats:
        return np.column_stack(to_metres.transform(points[:, 0], points[:, 1]))

    # A straight edge in degrees is a curve on the map.
    moved = shapely.transform(shapely.segmentize(outline, _EDGE_DEG), project)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise CutoutError("the site does not lie on the map of this picture")
    joined = shapely.union_all(shapely.get_parts(moved), grid_size=_JOIN_M)
    if joined.is_empty:
        raise CutoutError("the site is too small to be drawn")
    return joined


def _frame(level: Any, outline: BaseGeometry) -> Frame:
    west, south, east, north = outline.bounds
    margin = max(MARGIN_M, MARGIN_SHARE * max(east - west, north - south))
    step = level.transform
    left = math.floor((west - margin - step.c) / step.a)
    right = math.ceil((east + margin - step.c) / step.a)
    top = math.floor((north + margin - step.f) / step.e)
    bottom = math.ceil((south - margin - step.f) / step.e)
    if right <= 0 or bottom <= 0 or left >= level.width or top >= level.height:
        raise CutoutError("the site lies outside this picture")
    return Frame(top, bottom, left, right, step @ step.translation(left, top))


def _inside(level: Any, frame: Frame) -> tuple[int, int, int, int]:
    """The part of the frame that lies in the picture."""
    return (
        max(0, frame.top),
        min(level.height, frame.bottom),
        max(0, frame.left),
        min(level.width, frame.right),
    )


def _blocks(level: Any, frame: Frame) -> Iterator[tuple[int, int]]:
    """Where in the file (offset, size) the pixels of a frame stand; blocks without pixels have no place."""
    top, bottom, left, right = _inside(level, frame)
    height, width = level.block_shapes[0]
    rows = range(top // height, -(-bottom // height))
    columns = range(left // width, -(-right // width))
    if len(rows) * len(columns) > _MOST_BLOCKS:
        raise CutoutError("the picture is stored in too many small blocks")
    together = level.interleaving.value.lower() == "pixel"
    for band in _RGB[:1] if together else _RGB:
        for row in rows:
            for column in columns:
                place = [
                    level.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band)
                    for what in ("OFFSET", "SIZE")
                ]
                if all(place):
                    yield int(place[0]), int(place[1])


def _read(level: Any, frame: Frame) -> Pixels:
    """Red, green, blue and alpha; alpha is 0 where the picture ends or holds no data (0 in all bands)."""
    top, bottom, left, right = _inside(level, frame)
    height, width = frame.shape
    found = level.read(_RGB, window=Window(left, top, right - left, bottom - top))
    pixels = np.zeros((height, width, 4), np.uint8)
    part = pixels[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left]
    part[..., :3] = np.moveaxis(found, 0, -1)
    part[..., 3] = np.where(found.any(axis=0), 255, 0)
    return pixels


def _finished(
    pixels: Pixels, frame: Frame, outline: BaseGeometry, epsg: int, texts: JsonMapping
) -> CutoutImage:
    site = rasterize([outline], frame.shape, transform=frame.transform)
    if not site.any():
        site = rasterize([outline], frame.shape, transform=frame.transform, all_touched=True)
    if not site.any():
        raise CutoutError("the site lies outside this picture")
    shown = float((pixels[..., 3] > 0)[site > 0].mean())
    if not shown:
        raise CutoutError("the picture holds no data over the site")
    inverse = ~frame.transform
    in_pixels = shapely.transform(
        outline, lambda points: np.column_stack(inverse @ (points[:, 0], points[:, 1]))
    )
    height, width = frame.shape
    zoom = max(1, min(4, LARGEST_CUTOUT_PX // max(height, width)))
    return CutoutImage(
        png=draw_png(pixels, in_pixels, zoom=zoom, texts=texts),
        width_px=width * zoom,
        height_px=height * zoom,
        metres_per_pixel=frame.transform.a / zoom,
        bounds=_bounds(frame, epsg),
        shown_share=shown,
    )


def _bounds(frame: Frame, epsg: int) -> dict[str, Any]:
    height, width = frame.shape
    west, north = frame.transform @ (0, 0)
    east, south = frame.transform @ (width, height)
    to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
    lons, lats = to_degrees.transform([west, east, east, west], [north, north, south, south])
    return {
        "crs": f"EPSG:{epsg}",
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "corners": [[lon, lat] for lon, lat in zip(_together(lons), lats, strict=True)],
    }


def _together(lons: Sequence[float]) -> list[float]:
    """The longitudes on one turn: corners on both sides of 180° stay neighbours, some beyond it."""
    return [longitude_near(lon, lons[0]) for lon in lons]
