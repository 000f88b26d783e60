"""A place through two and a half years, out of one real Sentinel-2 scene: what changes from date to date is invented.

Ground, edges, textures and band ratios are those of a real port and its town on one date. Invented, and unkind on purpose: light,
seasons of plants, soil that dries and gets wet, haze, noise, shifts that are mended only in part, clouds whose mask misses their
edges, and fields that are cut on some day. Nothing is built. A number from here says what the method does in such a world, no more.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from shapely import LineString

from monitor.imagery.classes import box_mean, widened
from monitor.imagery.codes import Codes, encode_reflectance
from monitor.imagery.grid import PixelGrid, Zone
from monitor.imagery.shift import moved

PIXELS = Path("../shared/data/imagery")
BEGINS = datetime(2023, 1, 1, tzinfo=UTC)
_FULL = 65_535
_TROPICS_DAYS = 365.2425
Scene = NDArray[np.float32]


def real_scene(name: str, top: int, left: int, size: int) -> Scene:
    """A square of a real scene as reflectance: blue, green, red, near and short-wave infrared."""
    with rasterio.open(PIXELS / f"{name}.tif") as source:
        pixels = source.read(window=((top, top + size), (left, left + size)))
    return (pixels / np.float32(_FULL)).astype(np.float32)


def dates(count: int, rng: np.random.Generator) -> list[datetime]:
    """Days of clear and half-clear looks: two satellites, half of the passes lost to cloud."""
    steps = rng.choice([2.5, 5.0, 7.5, 10.0, 20.0], count, p=[0.2, 0.35, 0.2, 0.15, 0.1])
    return [BEGINS + timedelta(days=float(each)) for each in np.cumsum(steps)]


def reflectances(base: Scene, times: Sequence[datetime], rng: np.random.Generator) -> list[Scene]:
    """The place at each of these times, before clouds."""
    size = base.shape[1]
    index = (base[3] - base[2]) / (base[3] + base[2] + 1e-3)
    plants = np.clip((index - 0.25) / 0.4, 0, 1)
    fields = np.kron(rng.random((size // 25 + 1, size // 25 + 1)), np.ones((25, 25)))[:size, :size]
    cut_on = np.where(rng.random(fields.shape) < 0.5, fields, 9) * 365
    found = []
    for at in times:
        day = at.timetuple().tm_yday
        season = np.sin(2 * np.pi * (day - 100) / _TROPICS_DAYS)
        # Cut fields stay bare for some weeks, every year on about the same day.
        bare = plants * ((day > cut_on + rng.normal(0, 4)) & (day < cut_on + 40))
        green = np.clip(plants * (1 + 0.3 * season) * (1 - 0.7 * bare), 0, 1.4)
        scene = base.copy()
        scene[3] *= 1 + 0.35 * (green - plants)
        scene[2] *= 1 - 0.30 * (green - plants)
        scene[4] *= 1 - 0.20 * (green - plants)
        scene *= 1 - 0.06 * _smooth(size, 30, rng)
        scene *= 1 + rng.normal(0, 0.03)
        haze = rng.exponential(0.008) * np.array([1, 0.75, 0.55, 0.3, 0.1])
        scene = scene + haze[:, np.newaxis, np.newaxis]
        south, east = rng.normal(0, 0.15, 2)
        scene = moved(scene.astype(np.float32), float(south), float(east))
        found.append(scene)
    return found


def look(scene: Scene, rng: np.random.Generator) -> Codes:
    """The same under clouds, with the noise of an instrument."""
    size = scene.shape[1]
    noisy = scene + rng.normal(0, 1, scene.shape) * (0.003 + 0.01 * scene)
    held = np.ones((size, size), bool)
    if rng.random() < 0.4:
        cloud = _smooth(size, 40, rng) > 0.35
        noisy = np.where(cloud, noisy + 0.25, noisy)
        shadow = np.roll(cloud, (8, 12), (0, 1)) & ~cloud
        noisy = np.where(shadow, noisy * 0.6, noisy)
        # The mask is two pixels too small, as masks are, and is then widened by six.
        held = ~widened(~widened(~cloud, 2) | ~widened(~shadow, 2), 6)
    return encode_reflectance(np.asarray(noisy, np.float32), held)


def _smooth(size: int, scale: int, rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.normal(0, 1, (size // scale + 2, size // scale + 2))
    wide = np.kron(coarse, np.ones((scale, scale)))[:size, :size].astype(np.float32)
    return box_mean(wide, scale // 2)


def surface(grid: PixelGrid, name: str, kind: str, rows: tuple[int, int], columns: tuple[int, int]) -> Zone:
    """A zone of these rows and columns."""
    mask = np.zeros(grid.shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return Zone(name, name, kind, mask)


def track(grid: PixelGrid, name: str, points: Sequence[tuple[float, float]]) -> Zone:
    """A track through these points (column and row, in pixels)."""
    line = LineString([(grid.west + 10 * x, grid.north - 10 * y) for x, y in points])
    mask = grid.covers(line.buffer(8)) | grid.covers(line, touched=True)
    along = shapely.line_locate_point(line, shapely.points(grid.centres(mask)))
    last = int(np.ceil(line.length / 10)) - 1
    return Zone(name, name, "sidings", mask, np.minimum(along // 10, last).astype(np.int32), line)
