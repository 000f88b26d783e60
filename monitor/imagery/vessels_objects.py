"""Joined pixels that could be vessels, and what is measured of each. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.vessels_pixels import contrast_to_noise, tones
from monitor.imagery.vessels_water import ANY, Water

QUAY_M = 20.0
"""A candidate nearer to land or pier than this lies at a quay."""
LONGEST_M, LARGEST_M2 = 520.0, 6e4
_LEAST_PX = 3
_LEVELS = tuple(3 * 1.4**step for step in range(17))
_MAP_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_RING_PX = 2
_TINY = 0.003
_FLOOR = 0.01
_RING_TONES = ("visible", "nir/red", "swir/nir", "swir/visible", "blue/red")


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels [left, right) × [top, bottom) of the window, and where the hull lies in it (fractions of pixels)."""

    left: int
    top: int
    right: int
    bottom: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class HullCandidate:
    """One joined group of pixels: which they are (rows, columns), and the measures of it by name."""

    box: Box
    pixels: tuple[np.ndarray, np.ndarray]
    measures: dict[str, float]
    length_m: float
    at_quay: bool


def open_candidates(water: Water, likeness: Floats32) -> list[HullCandidate]:
    """Groups away from quays: what stands out of the water, at many heights, in any band and in the infrared alone."""
    allowed = (water.land_m >= QUAY_M) & water.searched
    images = (
        contrast_to_noise(water),
        water.contrast[3] / water.noise[3],
        water.contrast[4] / water.noise[4],
    )
    describe = partial(_described, _Layers.of(water, likeness))
    levels = ((np.where(allowed, image, 0), _LEVELS) for image in images)
    return [each for each in map(describe, _groups(levels, water.pixel_m)) if not each.at_quay]


def quay_candidates(water: Water, likeness: Floats32) -> list[HullCandidate]:
    """Groups at quays: what the map of likeness joins, at many heights."""
    describe = partial(_described, _Layers.of(water, likeness))
    found = _groups([(np.where(water.searched, likeness, 0), _MAP_LEVELS)], water.pixel_m)
    return [each for each in map(describe, found) if each.at_quay]


@dataclass(frozen=True, slots=True)
class _Group:
    rows: slice
    columns: slice
    mask: Bools
    level: float


@dataclass(frozen=True, slots=True)
class _Layers:
    """All that is measured from, once a window."""

    water: Water
    likeness: Floats32
    visible: Floats32
    hull: Floats32
    """Contrast weighted towards what is steel and not water: wakes fade in the short-wave infrared."""
    hull_noise: Floats32
    tones: dict[str, Floats32]

    @classmethod
    def of(cls, water: Water, likeness: Floats32) -> "_Layers":
        contrast, noise = water.contrast, water.noise
        return cls(
            water=water,
            likeness=likeness,
            visible=contrast[:3].mean(axis=0),
            hull=(contrast[2] + contrast[3] + 2 * contrast[4]) / 4,
            hull_noise=np.sqrt(noise[2] ** 2 + noise[3] ** 2 + 4 * noise[4] ** 2) / 4,
            tones=tones(water),
        )


@dataclass(frozen=True, slots=True)
class _Rings:
    """The pixels around a group: the nearest two, and the next two."""

    ring: Bools
    outer: Bools

    @classmethod
    def around(cls, mask: Bools) -> "_Rings":
        near = ndimage.binary_dilation(mask, iterations=_RING_PX)
        return cls(near & ~mask, ndimage.binary_dilation(near, iterations=_RING_PX) & ~near)


def _groups(images: Iterable[tuple[Floats32, Sequence[float]]], pixel_m: float) -> Iterator[_Group]:
    """Each joined group at each level once, with a margin for its rings."""
    seen: set[tuple[int, ...]] = set()
    margin = 2 * _RING_PX
    for image, levels in images:
        height, width = image.shape
        for level in levels:
            labels, count = ndimage.label(image > level, structure=ANY)
            if not count:
                break
            sizes = np.bincount(labels.ravel())
            for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
                size = int(sizes[number])
                key = (rows.start, rows.stop, columns.start, columns.stop, size)
                longest = max(rows.stop - rows.start, columns.stop - columns.start) * pixel_m
                if size < _LEAST_PX or size * pixel_m**2 > LARGEST_M2 or longest > LONGEST_M or key in seen:
                    continue
                seen.add(key)
                wide = (
                    slice(max(0, rows.start - margin), min(height, rows.stop + margin)),
                    slice(max(0, columns.start - margin), min(width, columns.stop + margin)),
                )
                yield _Group(*wide, labels[wide] == number, level)


def _described(layers: _Layers, group: _Group) -> HullCandidate:
    part, mask, pixel_m = (group.rows, group.columns), group.mask, layers.water.pixel_m
    rows, columns = np.nonzero(mask)
    rings = _Rings.around(mask)
    y, x = _hull_centre(np.clip(layers.hull[part], 0, None) ** 2 * mask, (rows.mean(), columns.mean()))
    length, breadth = _sides(rows, columns, pixel_m)
    land_m = float(layers.water.land_m[part][mask].min())
    found = {
        **_shape("", mask, length, breadth, pixel_m),
        "land": min(land_m, 200.0),
        "level": float(np.log(group.level)),
        "hull shift": float(np.log(np.hypot(y - rows.mean(), x - columns.mean()) * pixel_m + 3)),
        **_contrasts(layers, part, mask, rings),
        **_half(layers, part, mask),
        **_likeness(layers.likeness[part], mask, rings),
        **_ring_tones(layers, part, mask, rings.ring | rings.outer),
    }
    box = Box(
        left=group.columns.start + int(columns.min()),
        top=group.rows.start + int(rows.min()),
        right=group.columns.start + int(columns.max()) + 1,
        bottom=group.rows.start + int(rows.max()) + 1,
        x=group.columns.start + x + 0.5,
        y=group.rows.start + y + 0.5,
    )
    pixels = (rows + group.rows.start, columns + group.columns.start)
    return HullCandidate(box, pixels, found, length, at_quay=land_m < QUAY_M)


def _hull_centre(weights: Floats32, middle: tuple[float, float]) -> tuple[float, float]:
    total = float(weights.sum())
    if total <= 0:
        return middle
    rows, columns = np.indices(weights.shape)
    return float((rows * weights).sum() / total), float((columns * weights).sum() / total)


def _sides(rows: np.ndarray, columns: np.ndarray, pixel_m: float) -> tuple[float, float]:
    """Length and breadth of the rectangle with the same second moments, in metres."""
    moments = np.cov(np.vstack([rows, columns])) if rows.size > 1 else np.zeros((2, 2))
    short, long = np.sqrt(12 * np.linalg.eigvalsh(moments + np.eye(2) / 12)) * pixel_m
    return float(long), float(short)


def _shape(prefix: str, mask: Bools, length: float, breadth: float, pixel_m: float) -> dict[str, float]:
    area = float(mask.sum()) * pixel_m**2
    return {
        f"{prefix}area": float(np.log(area)),
        f"{prefix}length": float(np.log(length)),
        f"{prefix}breadth": float(np.log(breadth)),
        f"{prefix}elongation": float(np.log(length / breadth)),
        f"{prefix}fill": area / (length * breadth),
    }


def _log(value: float, floor: float = _TINY) -> float:
    return float(np.log(max(value, 0.0) + floor))


def _contrasts(layers: _Layers, part: tuple[slice, slice], mask: Bools, rings: _Rings) -> dict[str, float]:
    water, area = layers.water, layers.water.pixel_m**2
    ring, outer = rings.ring, rings.outer
    bands = {"visible": layers.visible[part], "nir": water.contrast[3][part], "swir": water.contrast[4][part]}
    found: dict[str, float] = {}
    for name, band in bands.items():
        found[f"{name} most"] = _log(band[mask].max())
        found[f"{name} mean"] = _log(band[mask].mean())
        found[f"{name} sum"] = _log(band[mask | ring].sum() * area, 1.0)
    visible, nir, swir = (_log(band[mask].mean(), _FLOOR) for band in bands.values())
    hull, wet = layers.hull[part], water.wet[part]
    inside = max(float(hull[mask].mean()), _FLOOR)
    return {
        **found,
        "swir to visible": swir - visible,
        "nir to visible": nir - visible,
        "blue to red": _log(water.contrast[0][part][mask].mean(), _FLOOR)
        - _log(water.contrast[2][part][mask].mean(), _FLOOR),
        "edge": max(float(hull[ring].mean()), 0.0) / inside,
        "outer edge": max(float(hull[outer].mean()), 0.0) / inside if outer.any() else 0.0,
        "noise": float(np.log(water.noise[3][part][mask].mean())),
        "over noise": _log(float((hull[mask] / layers.hull_noise[part][mask]).mean()), 1.0),
        "wet": float(wet[mask].mean()),
        "wet ring": float(wet[ring].mean()),
        "wet outer": float(wet[outer].mean()) if outer.any() else 0.0,
    }


def _half(layers: _Layers, part: tuple[slice, slice], mask: Bools) -> dict[str, float]:
    """The part around the brightest hull pixel that has half its contrast: the same at every level."""
    hull = layers.hull[part]
    at = np.unravel_index(int(np.argmax(np.where(mask, hull, -np.inf))), mask.shape)
    labels, _ = ndimage.label((hull > 0.5 * hull[at]) | (mask & (hull >= hull[at])), structure=ANY)
    half = labels == labels[at]
    rows, columns = np.nonzero(half)
    length, breadth = _sides(rows, columns, layers.water.pixel_m)
    return {
        **_shape("half ", half, length, breadth, layers.water.pixel_m),
        "hull most": _log(float(hull[at])),
        "hull swir": _log(float(layers.water.contrast[4][part][at]))
        - _log(float(layers.water.contrast[3][part][at])),
    }


def _likeness(likeness: Floats32, mask: Bools, rings: _Rings) -> dict[str, float]:
    inside, around, outer = likeness[mask], likeness[rings.ring], rings.outer
    return {
        "likeness": float(inside.mean()),
        "likeness most": float(inside.max()),
        "likeness low": float(np.percentile(inside, 20)),
        "likeness ring": float(around.mean()),
        "likeness ring most": float(around.max()),
        "likeness outer": float(likeness[outer].mean()) if outer.any() else 0.0,
        "likeness drop": float(inside.mean() - around.mean()),
    }


def _ring_tones(layers: _Layers, part: tuple[slice, slice], mask: Bools, around: Bools) -> dict[str, float]:
    """Colour within, how much it varies, and how it differs from the dry ground beside it."""
    dry = around & ~layers.water.wet[part]
    beside = dry if dry.any() else around
    found: dict[str, float] = {}
    for name in _RING_TONES:
        tone = layers.tones[name][part]
        found[f"tone {name}"] = float(tone[mask].mean())
        found[f"tone {name} beside"] = float(tone[mask].mean() - tone[beside].mean())
        found[f"tone {name} varies"] = float(tone[mask].std())
    return found
