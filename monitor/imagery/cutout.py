"""Cutting the picture of one site out of a scene: which scene, which pixels, and how much of the site they show."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from db.records import JsonMapping, Scene
from monitor.imagery.drawing import draw_png
from monitor.imagery.windows import (
    Frame,
    Raster,
    RasterError,
    blocks_of,
    checked_epsg,
    frame_around,
    projected,
    read_frame,
    shown_in,
)
from monitor.sites import Site
from monitor.sites.geodesy import longitude_near

CUTOUT_COLLECTION = "sentinel-2-l2a"
VISUAL_LINK = "visual"
MOST_CUTOUT_CLOUD = 0.2
LEAST_COVERED = 0.95
CUTOUT_LOOK_BACK = timedelta(days=90)
LARGEST_CUTOUT_PX = 1024
MARGIN_SHARE, MARGIN_M = 0.15, 250.0
_RGB = (1, 2, 3)
Pixels = npt.NDArray[np.uint8]


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
    """Cut one site out of the finest level that fits; raises RasterError, and RasterioError for a damaged file.

    `texts` are written into the PNG, so that a copy says where it is from.
    """
    with raster.level(None) as full:
        _check_colours(full)
        epsg = checked_epsg(full)
        levels: list[int | None] = [None, *range(len(full.overviews(1)))]
    outline = projected(site.geometry, epsg)
    for number in levels:
        with raster.level(number) as level:
            frame = _frame(level, outline)
            if max(frame.shape) > LARGEST_CUTOUT_PX:
                continue
            blocks = sorted(set(blocks_of(level, frame, _RGB)))
            if sum(size for _, size in blocks) > most_bytes:
                continue
            raster.fetch(blocks)
            return _finished(_read(level, frame), frame, outline, epsg, texts)
    raise RasterError(
        f"the picture has no level at which the site fits into {LARGEST_CUTOUT_PX} pixels and few enough bytes"
    )


def _check_colours(full: Any) -> None:
    if full.count < len(_RGB) or any(kind != "uint8" for kind in full.dtypes[: len(_RGB)]):
        raise RasterError("the file is not a colour picture of three bands with one byte each")


def _frame(level: Any, outline: BaseGeometry) -> Frame:
    west, south, east, north = outline.bounds
    margin = max(MARGIN_M, MARGIN_SHARE * max(east - west, north - south))
    return frame_around(level, (west - margin, south - margin, east + margin, north + margin))


def _read(level: Any, frame: Frame) -> Pixels:
    """Red, green, blue and alpha; alpha is 0 where the picture ends or holds no data: by its own word, or 0 in all bands."""
    found = read_frame(level, frame, _RGB)
    alpha = np.where(found.any(axis=0) & shown_in(level, frame), 255, 0).astype(np.uint8)
    return np.concatenate([np.moveaxis(found, 0, -1), alpha[..., np.newaxis]], axis=-1)


def _finished(
    pixels: Pixels, frame: Frame, outline: BaseGeometry, epsg: int, texts: JsonMapping
) -> CutoutImage:
    site = rasterize([outline], frame.shape, transform=frame.transform)
    if not site.any():
        site = rasterize([outline], frame.shape, transform=frame.transform, all_touched=True)
    if not site.any():
        raise RasterError("the site lies outside this picture")
    shown = float((pixels[..., 3] > 0)[site > 0].mean())
    if not shown:
        raise RasterError("the picture holds no data over the site")
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
