"""The scene classes that a catalogue gives each pixel (SCL): what of a zone was seen, and which cloud is a roof.

Classes and their faults: the Sentinel-2 L2A processor's mask finds some 85 % of hand-drawn cloud, is not widened around
it, and calls bright roofs, stacks and aprons cloud for ever (Zekoll and others, Remote Sensing 13:137).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.imagery.grid import Bools

SceneClasses = npt.NDArray[np.uint8]
NO_DATA, SHADOW, WATER, MEDIUM, HIGH, CIRRUS, SNOW = 0, 3, 6, 8, 9, 10, 11
_DEFECTIVE = 1
_CLOUD = (MEDIUM, HIGH, CIRRUS)
_WIDENED_PX = 6
"""Thick cloud and its shadow reach so far beyond the mask (10 m pixels; 3 of the mask's own)."""
LEAST_LOOKS_FOR_ROOFS = 20
_ROOF_SHARE = 0.6
_AROUND_PX, _AROUND_CLEAR = 8, 0.5
_WATER_SHARE = 0.3
"""Of clear looks; a berth with ships in it most of the time is water in the others."""
_MOST_CLASS = 11
COUNTED_PIXEL_M2 = 400.0


@dataclass(frozen=True, slots=True)
class Shares:
    """What one scene shows of a zone, as shares (0 to 1) of the zone's pixels; they add up to 1 without `water`."""

    clear: float
    cloud: float
    shadow: float
    snow: float
    no_data: float
    water: float
    """Of all pixels, those that are clear and water."""

    @property
    def covered(self) -> float:
        """The share that the scene reaches at all."""
        return 1 - self.no_data

    def as_parts(self) -> dict[str, float]:
        """For the exposure of a look, rounded."""
        return {name: round(value, 4) for name, value in {"covered": self.covered, **asdict(self)}.items()}


def shares_in(classes: SceneClasses, mask: Bools, roofs: Bools | None = None) -> Shares:
    """Count the classes inside a mask; `roofs` are pixels that are called cloud whatever the weather.

    Cloud and shadow are not widened here: this is what the mask says, for people and for the share of a pass.
    """
    inside = classes[mask]
    total = max(1, len(inside))
    cloud = np.isin(inside, _CLOUD)
    if roofs is not None:
        cloud &= ~roofs[mask]
    counts = {
        "cloud": cloud.sum() / total,
        "shadow": (inside == SHADOW).sum() / total,
        "snow": (inside == SNOW).sum() / total,
        "no_data": (inside <= _DEFECTIVE).sum() / total if len(inside) else 1.0,
    }
    seen = 1.0 - sum(counts.values())
    return Shares(
        clear=float(max(0.0, seen)),
        water=float((inside == WATER).sum() / total),
        **{name: float(value) for name, value in counts.items()},
    )


def shares_of_counts(counts: Sequence[int], area_m2: float) -> Shares:
    """The same from pixels of 20 m by class (0 to 11), of a zone of that size; what was not counted is no data."""
    total = max(area_m2 / COUNTED_PIXEL_M2, float(sum(counts)), 1.0)
    found = dict(enumerate(counts))
    cloud, shadow, snow = (
        sum(found.get(each, 0) for each in some) / total for some in (_CLOUD, (SHADOW,), (SNOW,))
    )
    seen = sum(each for name, each in found.items() if name > _DEFECTIVE) / total
    return Shares(
        clear=max(0.0, seen - cloud - shadow - snow),
        cloud=cloud,
        shadow=shadow,
        snow=snow,
        no_data=max(0.0, 1 - seen),
        water=found.get(WATER, 0) / total,
    )


def clear_pixels(classes: SceneClasses, roofs: Bools | None = None) -> Bools:
    """Which pixels may be measured: nothing of cloud, shadow or snow in them, nor thick cloud close by."""
    thick = np.isin(classes, (MEDIUM, HIGH, SHADOW))
    thin = np.isin(classes, (CIRRUS, SNOW)) | (classes <= _DEFECTIVE)
    if roofs is not None:
        thick &= ~roofs | (classes == SHADOW)
        thin &= ~roofs | (classes != CIRRUS)
    return ~(widened(thick, _WIDENED_PX) | thin | (classes > _MOST_CLASS))


Sky = npt.NDArray[np.uint8]
"""What one pass says of each pixel (20 m), a bit each: many are held at once."""
_AROUND_CLEAR_BIT, _CLOUDY_BIT, _CLEAR_BIT, _WATER_BIT = 0, 1, 2, 3


def sky_of(classes: SceneClasses) -> Sky:
    """Read one pass for what many of them tell together: of false cloud, and of water."""
    cloud, shown = _CLOUDY[classes], classes > _DEFECTIVE
    around = box_mean(shown & ~cloud, _AROUND_PX) >= _AROUND_CLEAR
    said = (around & shown, around & cloud, shown & ~cloud & (classes != SHADOW), classes == WATER)
    found = np.zeros(classes.shape, np.uint8)
    for bit, each in enumerate(said):
        found |= each.astype(np.uint8) << np.uint8(bit)
    return found


def _counted(passes: Sequence[Sky], bit: int) -> npt.NDArray[np.int32]:
    """In how many passes each pixel has this bit."""
    found = np.zeros(passes[0].shape, np.int32)
    for each in passes:
        found += (each >> np.uint8(bit)) & np.uint8(1)
    return found


_CLOUDY = np.zeros(256, bool)
_CLOUDY[list(_CLOUD)] = True


def false_cloud(passes: Sequence[Sky]) -> Bools | None:
    """Which pixels are called cloud for ever: in most looks at which the ground around them is clear.

    None where fewer than twenty passes are known. All are of one shape, with the mask's own pixels of 20 m.
    """
    if len(passes) < LEAST_LOOKS_FOR_ROOFS:
        return None
    looked, cloudy = (_counted(passes, bit) for bit in (_AROUND_CLEAR_BIT, _CLOUDY_BIT))
    return np.asarray((looked >= LEAST_LOOKS_FOR_ROOFS // 2) & (cloudy > _ROOF_SHARE * looked))


def water_of(passes: Sequence[Sky]) -> Bools | None:
    """Which pixels are water in at least three of ten clear looks; None without any pass."""
    if not passes:
        return None
    clear, water = (_counted(passes, bit) for bit in (_CLEAR_BIT, _WATER_BIT))
    return np.asarray((water > 0) & (water >= _WATER_SHARE * clear))


def doubled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels of 20 m on the grid of 10 m."""
    return np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)


def widened(mask: Bools, by_px: int) -> Bools:
    """A mask grown by so many pixels on every side (a square)."""
    grown = mask.copy()
    for axis in (0, 1):
        source = grown.copy()
        for step in range(1, by_px + 1):
            before, after = _sides(axis, step)
            grown[after] |= source[before]
            grown[before] |= source[after]
    return grown


def _sides(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    whole = [slice(None), slice(None)]
    low, high = whole.copy(), whole.copy()
    low[axis], high[axis] = slice(None, -step), slice(step, None)
    return tuple(low), tuple(high)


def box_mean(values: npt.NDArray[np.float32] | Bools, radius_px: int) -> npt.NDArray[np.float32]:
    """The mean over the square of so many pixels around each, as far as it lies in the picture."""
    # Sums of whole numbers are exact, and of half the bytes.
    total = _box_sum(values.astype(np.int32 if values.dtype == bool else np.float64), radius_px)
    mean = total / _box_size(values.shape, radius_px)
    return np.asarray(mean, np.float32)


@lru_cache(maxsize=8)
def _box_size(shape: tuple[int, ...], radius_px: int) -> npt.NDArray[np.int32]:
    return _box_sum(np.ones(shape, np.int32), radius_px)


def _box_sum(values: npt.NDArray[Any], radius_px: int) -> npt.NDArray[Any]:
    width = 2 * radius_px + 1
    for axis in (0, 1):
        around = [(0, 0), (0, 0)]
        around[axis] = (radius_px + 1, radius_px)
        running = np.pad(values, around).cumsum(axis, dtype=values.dtype)
        before, after = (
            tuple(part if each == axis else slice(None) for each in (0, 1))
            for part in (slice(None, -width), slice(width, None))
        )
        values = running[after] - running[before]
    return values
