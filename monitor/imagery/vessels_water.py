"""What vessels stand out against: the water of one look, its level and noise around each pixel. Pure.

Contrasts are physical and the scene's own: the local level of water is taken off each band (haze, glint and turbid rivers
with it), and what is left is divided by how bright the land of the scene is, so that hazy looks and clear ones agree.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monitor.imagery.codes import BANDS
from monitor.imagery.grid import Bools, Floats32

LAND_HA = 4.0
"""What is dry, joined and larger than this is land or pier, not a vessel."""
_OPEN_WATER_M2 = 1e5
_LEVEL_CELL_M, _LEVEL_M = 40.0, 200.0
_LAND_BRIGHT = np.array([0.2, 0.2, 0.25, 0.3, 0.3], np.float32)
"""Ninetieth percentile of land over water in a clear scene: what a scale of one means."""
_SCALES = (0.1, 2.0)
_LEAST_NOISE = 0.001
_SEARCHED_M = 110.0
_MOSTLY = 0.5
ANY = np.ones((3, 3), np.bool_)


class NoWaterError(Exception):
    """Too little open water is seen to look for vessels; the text says so."""


@dataclass(frozen=True, slots=True)
class Window:
    """One look at one site.

    `reflectance` is [5, height, width] in the order of `monitor.imagery.codes.BANDS`, surface reflectance 0 to 1; `pixel_m` is the side of a
    pixel on the ground. `clear` is True where neither cloud, shadow nor a missing pixel hides the ground (None:
    everywhere). `water_share` is the share of earlier clear dates on which each pixel was water (None: only this look).
    """

    reflectance: Floats32
    pixel_m: float
    clear: Bools | None = None
    water_share: Floats32 | None = None


@dataclass(frozen=True, slots=True)
class Water:
    """The water of one look; every array is [height, width] of the window, contrasts are [5, height, width]."""

    pixel_m: float
    wet: Bools
    open_water: Bools
    contrast: Floats32
    """Above the local water, as a share of the brightness of land."""
    noise: Floats32
    """Robust deviation of the local water, in the same unit."""
    land_m: Floats32
    """Metres to the nearest land, pier or quay: not to other vessels."""
    searched: Bools
    """Open water and what lies close to it, where the view is clear."""


def pixels_of(metres: float, pixel_m: float) -> int:
    """Metres on the ground as whole pixels, at least one."""
    return max(1, round(metres / pixel_m))


def read_water(window: Window) -> Water:
    """Tell water from land by this look (and by earlier ones where given); raises NoWaterError."""
    seen = np.ones(window.reflectance.shape[1:], np.bool_) if window.clear is None else window.clear
    wet = _wet(window, seen)
    opened = ndimage.binary_opening(wet, iterations=2)
    open_water = _large(opened, window.pixel_m, _OPEN_WATER_M2)
    if not open_water.any():
        raise NoWaterError("too little open water is seen in this window to look for vessels")
    labels, count = ndimage.label(wet)
    joined = np.zeros(count + 1, np.bool_)
    joined[np.unique(labels[open_water])] = True
    wet = joined[labels] & wet
    land = _large(_dry(window, wet), window.pixel_m, LAND_HA * 1e4, ANY)
    level, noise = _level(window.reflectance, open_water, window.pixel_m)
    contrast = window.reflectance - level
    near = ndimage.distance_transform_edt(~open_water) * window.pixel_m <= _SEARCHED_M
    scale = _scale(contrast, near & ~wet & seen)
    away = ndimage.distance_transform_edt(~land) if land.any() else np.full(land.shape, np.inf)
    return Water(
        pixel_m=window.pixel_m,
        wet=wet,
        open_water=open_water,
        contrast=(contrast / scale).astype(np.float32),
        noise=(np.maximum(noise, _LEAST_NOISE) / scale).astype(np.float32),
        land_m=(away * window.pixel_m).astype(np.float32),
        searched=near & seen & (True if window.water_share is None else window.water_share >= _MOSTLY),
    )


def _wet(window: Window, seen: Bools) -> Bools:
    """Dark in near and short-wave infrared: the split of the two heaps that bright and dark pixels form."""
    infrared = np.log(np.clip(window.reflectance[3] + window.reflectance[4], 0.002, 1.0))
    values = infrared[seen]
    if values.size == 0:
        raise NoWaterError("no pixel of this window is clear")
    return np.asarray((infrared < _otsu(values)) & seen, np.bool_)


def _dry(window: Window, wet: Bools) -> Bools:
    """What is land on this look, or was on most earlier ones: moored vessels are land only without a history."""
    return ~wet if window.water_share is None else window.water_share < _MOSTLY


def _otsu(values: Floats32) -> float:
    """The threshold that parts two heaps best (Otsu 1979)."""
    if values.min() == values.max():
        return float(values.min())
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return float(centres[int(np.nanargmax(apart[:-1]))])


def _large(mask: Bools, pixel_m: float, least_m2: float, joined: Bools | None = None) -> Bools:
    """The joined parts of a mask that cover at least this area."""
    labels, _ = ndimage.label(mask, structure=joined)
    size = np.bincount(labels.ravel()) * pixel_m**2
    size[0] = 0
    return np.asarray((size >= least_m2)[labels], np.bool_)


def _level(bands: Floats32, water: Bools, pixel_m: float) -> tuple[Floats32, Floats32]:
    """Mean and deviation of the water around each pixel, vessels and wakes left out in two further rounds."""
    step = pixels_of(_LEVEL_CELL_M, pixel_m)
    used = water
    for _ in range(3):
        mean, deviation = _smoothed(bands, used, step, _LEVEL_M / (step * pixel_m))
        bright = ((bands - mean) > 3.5 * np.maximum(deviation, _LEAST_NOISE)).any(axis=0) & water
        used = water & ~ndimage.binary_dilation(bright, iterations=2)
    return mean, deviation


def _smoothed(bands: Floats32, used: Bools, step: int, sigma: float) -> tuple[Floats32, Floats32]:
    """Normalised convolution on a grid of cells; far from water the wide one decides."""
    height, width = used.shape

    def blurred(values: Floats32) -> Floats32:
        cells = np.add.reduceat(np.add.reduceat(values, range(0, height, step), 0), range(0, width, step), 1)
        wide = _gaussian(cells, 4 * sigma) + 1e-3 * _gaussian(cells, 16 * sigma)
        return np.asarray(_gaussian(cells, sigma) + 1e-2 * wide, np.float32)

    weight = blurred(used.astype(np.float32)) + 1e-12
    means = [blurred(band * used) / weight for band in bands]
    level = np.stack([_spread(mean, used.shape, step) for mean in means])
    spread = np.stack(
        [
            _spread(np.sqrt(blurred((band - mean) ** 2 * used) / weight), used.shape, step)
            for band, mean in zip(bands, level, strict=True)
        ]
    )
    return level, spread


def _gaussian(cells: Floats32, sigma: float) -> npt.NDArray[np.float64]:
    """SciPy's gaussian filter as two products of matrices: its kernels are longer than the few cells that they run over."""
    height, width = cells.shape
    whole = _gaussian_of(height, sigma) @ cells.astype(np.float64) @ _gaussian_of(width, sigma).T
    return np.asarray(whole, np.float64)


@lru_cache(maxsize=32)
def _gaussian_of(size: int, sigma: float) -> npt.NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0))


def _spread(cells: Floats32, shape: tuple[int, ...], step: int) -> Floats32:
    """Cells as pixels, straight lines between their middles."""
    rows, columns = (_lines_between(size, step) for size in shape)
    return np.asarray(rows @ cells @ columns.T, np.float32)


@lru_cache(maxsize=32)
def _lines_between(size: int, step: int) -> Floats32:
    """The weight of each cell in each pixel, [pixel, cell]."""
    cells = -(-size // step)
    at = np.clip((np.arange(size) + 0.5) / step - 0.5, 0, cells - 1)
    weights = 1 - np.abs(at[:, None] - np.arange(cells))
    return np.asarray(np.clip(weights, 0, None), np.float32)


def _scale(contrast: Floats32, land: Bools) -> Floats32:
    """How bright the land of this scene is over its water, band by band, as a share of a clear scene's."""
    if not land.any():
        return np.ones((len(BANDS), 1, 1), np.float32)
    bright = np.percentile(contrast[:, land], 90, axis=1) / _LAND_BRIGHT
    return np.asarray(np.clip(bright, *_SCALES), np.float32)[:, None, None]
