"""Pixels of radar bursts on a site's own grid of 30 m: read in part, kept in one byte a polarisation, laid together by pass.

Each burst sees the ground from a place of its own, so each pixel of a pass is taken from one and the same burst, and is missing
where that burst is.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry

from monitor.imagery.grid import RING_M, Bools, Floats32, PixelGrid
from monitor.imagery.radar import ZoneNumbers, counted_by_level, decibels
from monitor.imagery.windows import (
    Raster,
    RasterError,
    blocks_of,
    checked_epsg,
    frame_around,
    projected,
    read_frame,
)
from monitor.sites import Site

BURST_PIXEL_M = 30.0
BurstCodes = npt.NDArray[np.uint8]
"""VV and VH (layer, row, column) in quarters of a decibel; 0: nothing was seen."""
_FIRST_DB, _STEP_DB, _MOST = -35.25, 0.25, 255
_LARGEST_PX = 500
_SMALL_PX = 12
_VALID = 0
"""What the mask says of a pixel that lies neither in shadow nor laid over."""


def burst_grid(site: Site, epsg: int) -> PixelGrid:
    """The grid of 30 m of a site with a ring around it; raises RasterError."""
    west, south, east, north = projected(site.geometry, epsg).bounds
    left = math.floor((west - RING_M) / BURST_PIXEL_M) * BURST_PIXEL_M
    top = math.ceil((north + RING_M) / BURST_PIXEL_M) * BURST_PIXEL_M
    width = math.ceil((east + RING_M - left) / BURST_PIXEL_M)
    height = math.ceil((top - (south - RING_M)) / BURST_PIXEL_M)
    if max(width, height) > _LARGEST_PX:
        raise RasterError(
            "the site is too large to be measured in pixels: draw what matters as a site of its own"
        )
    return PixelGrid(epsg, left, top, height, width, BURST_PIXEL_M)


def read_burst(raster: Raster, site: Site, kind: str) -> tuple[PixelGrid, npt.NDArray[Any]]:
    """One layer of a burst over a site, on the site's grid of the burst's own map; raises RasterError.

    `kind` is the type of its numbers. What lies outside the picture is NaN, or 255 where numbers are whole.
    """
    with raster.level(None) as full:
        epsg = checked_epsg(full)
        if full.count != 1 or full.dtypes[0] != kind:
            raise RasterError(f"the file is not a single band of the type {kind}")
        step = full.transform
        if step.a != BURST_PIXEL_M or -step.e != BURST_PIXEL_M:
            raise RasterError(f"the pixels of the burst are {step.a:g} m wide, and 30 m are expected")
        grid = burst_grid(site, epsg)
        frame = frame_around(full, grid.bounds)
        raster.fetch(sorted(set(blocks_of(full, frame, (1,)))))
        found = read_frame(full, frame, (1,))[0]
        top, bottom, left, right = frame.inside(full)
    whole = np.full(found.shape, np.nan if np.issubdtype(found.dtype, np.floating) else _MOST, found.dtype)
    inside = (slice(top - frame.top, bottom - frame.top), slice(left - frame.left, right - frame.left))
    whole[inside] = found[inside]
    # A map that begins within half a pixel of ours is taken as ours.
    row = round((frame.transform.f - grid.north) / BURST_PIXEL_M)
    column = round((grid.west - frame.transform.c) / BURST_PIXEL_M)
    padded = np.pad(whole, 1, constant_values=_MOST if whole.dtype.kind == "u" else np.nan)
    return grid, padded[row + 1 : row + 1 + grid.height, column + 1 : column + 1 + grid.width]


def burst_codes(vv: Floats32, vh: Floats32 | None, mask: npt.NDArray[np.uint8] | None) -> BurstCodes:
    """Powers (γ0) as they are kept; what the mask calls shadow, laid over or nothing is left out."""
    layers = [vv, np.full(vv.shape, np.nan, np.float32) if vh is None else vh]
    codes = np.stack([_encoded(decibels(each)) for each in layers])
    if mask is not None:
        codes[:, mask != _VALID] = 0
    return codes


def _encoded(levels: Floats32) -> npt.NDArray[np.uint8]:
    steps = np.rint((np.nan_to_num(levels, nan=_FIRST_DB) - _FIRST_DB) / _STEP_DB)
    return np.where(np.isfinite(levels), np.clip(steps, 1, _MOST), 0).astype(np.uint8)


def burst_levels(codes: BurstCodes) -> Floats32:
    """What was kept, in dB (layer, row, column); NaN where nothing was seen."""
    return np.where(codes > 0, _FIRST_DB + _STEP_DB * codes.astype(np.float32), np.float32(np.nan))


def laid_together(passes: Sequence[Mapping[str, Floats32]]) -> list[Floats32]:
    """The levels of each pass, of all its bursts (by name): each pixel of all passes is of one and the same burst."""
    names = sorted({name for one in passes for name in one})
    shape = next(iter(passes[0].values())).shape
    owner = np.full(shape[1:], -1)
    for place, name in enumerate(names):
        known = [np.isfinite(one[name][0]) for one in passes if name in one]
        often = np.mean(known, axis=0) > 0.5  # noqa: PLR2004 - most of its passes
        owner[often & (owner < 0)] = place
    found = []
    for one in passes:
        whole = np.full(shape, np.nan, np.float32)
        for place, name in enumerate(names):
            if name in one:
                whole[:, owner == place] = one[name][:, owner == place]
        found.append(whole)
    return found


def zone_mask(grid: PixelGrid, shape: BaseGeometry) -> Bools:
    """The pixels of a zone: those with their centre in it, or, of a small one, all that it touches."""
    inside = grid.covers(shape)
    return inside if inside.sum() >= _SMALL_PX else grid.covers(shape, touched=True)


def numbers_of_zone(levels: Floats32, mask: Bools) -> ZoneNumbers | None:
    """What one pass shows of a zone; None where it shows nothing of it."""
    vv, vh = (each[mask] for each in levels)
    seen = np.isfinite(vv)
    if not seen.any():
        return None
    crossed = np.isfinite(vh)
    return ZoneNumbers(
        counted_by_level(vv),
        float((10 ** (vv[seen].astype(float) / 10)).mean()),
        float((10 ** (vh[crossed].astype(float) / 10)).mean()) if crossed.any() else None,
        None,
        round(float(seen.mean()), 4),
    )
