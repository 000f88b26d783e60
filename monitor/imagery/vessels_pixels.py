"""How much each pixel looks like part of a vessel: some forty measures of it and its surroundings, and a small network. Pure.

Painted steel is darker in the short-wave infrared than in red light, concrete and soil are brighter there; wakes and surf are
dark in both. The network's coefficients are those of `vessels.toml`'s neighbour file, trained on labelled ports.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.vessels_water import Water, pixels_of

_FLOOR = 0.02
"""Contrast below which the logarithm of a band says nothing."""
_OPEN_M = 40.0
_FAR_M = 300.0
_STANDS_OUT = 4.0


def tones(water: Water) -> dict[str, Floats32]:
    """Brightness and colours, each [height, width], natural logarithms."""
    blue, green, red, nir, swir = np.log(np.clip(water.contrast, 0, None) + _FLOOR)
    visible = (blue + green + red) / 3
    return {
        "visible": visible,
        "nir": nir,
        "swir": swir,
        "blue/red": blue - red,
        "green": green - (blue + red) / 2,
        "nir/red": nir - red,
        "swir/nir": swir - nir,
        "swir/visible": swir - visible,
    }


def contrast_to_noise(water: Water) -> Floats32:
    """The most that any band lies above the local water, in its deviations."""
    return np.asarray((water.contrast / water.noise).max(axis=0), np.float32)


def looked_at(water: Water) -> Bools:
    """Pixels that the network is asked about: dry ones close to water, and what stands out of it."""
    return water.searched & (~water.wet | (contrast_to_noise(water) > _STANDS_OUT))


def pixel_measures(water: Water) -> Iterator[tuple[str, Floats32]]:
    """Each measure by name, [height, width]; radii are in metres on the ground."""
    ten = 10.0 / water.pixel_m
    seen = tones(water)
    for name, tone in seen.items():
        yield name, tone
        for metres in (10, 25):
            yield f"{name} {metres} m", ndimage.gaussian_filter(tone, metres / 10 * ten)
    for name in ("visible", "nir", "swir/visible", "blue/red"):
        for metres in (10, 25):
            yield f"{name} texture {metres} m", _texture(seen[name], metres / 10 * ten)
    for name in ("visible", "swir/visible"):
        yield f"{name} 60 m", ndimage.gaussian_filter(seen[name], 6 * ten)
    yield from _surroundings(water)
    yield "nir over noise", np.arcsinh(water.contrast[3] / water.noise[3])
    yield "over noise", np.arcsinh(contrast_to_noise(water))
    yield from _edges(seen["nir"], ten)


def _texture(tone: Floats32, sigma: float) -> Floats32:
    mean = ndimage.gaussian_filter(tone, sigma)
    return np.asarray(np.sqrt(np.clip(ndimage.gaussian_filter(tone * tone, sigma) - mean * mean, 0, None)))


def _surroundings(water: Water) -> Iterator[tuple[str, Floats32]]:
    wet = water.wet.astype(np.float32)
    for metres in (30, 60, 120, 250):
        size = int(2 * metres / water.pixel_m) | 1
        yield f"wet within {metres} m", ndimage.uniform_filter(wet, size)
    yield "to open water", _metres(~water.open_water, water.pixel_m)
    radius = pixels_of(_OPEN_M, water.pixel_m)
    yield "to wide water", _metres(~_opened(water.wet, radius), water.pixel_m)
    wide_land = _opened(~water.wet, radius)
    yield "to wide land", _metres(~wide_land, water.pixel_m)
    yield "inside wide land", _metres(wide_land, water.pixel_m)


def _opened(mask: Bools, radius: int) -> Bools:
    """Opening by a disk, through distances: what a disk of this radius fits into."""
    padded = np.pad(mask, radius + 1, mode="edge")
    core = ndimage.distance_transform_edt(padded) > radius
    grown = ndimage.distance_transform_edt(~core) <= radius
    return np.asarray(grown[radius + 1 : -radius - 1, radius + 1 : -radius - 1], np.bool_)


def _metres(mask: Bools, pixel_m: float) -> Floats32:
    """Metres from each pixel of the mask to its edge."""
    if mask.all():
        return np.full(mask.shape, _FAR_M, np.float32)
    return np.asarray(np.minimum(ndimage.distance_transform_edt(mask) * pixel_m, _FAR_M), np.float32)


def _edges(tone: Floats32, ten: float) -> Iterator[tuple[str, Floats32]]:
    """How strong and how straight the edges around a pixel are (structure tensor)."""
    down, across = np.gradient(ndimage.gaussian_filter(tone, ten))
    xx, yy, xy = (
        ndimage.gaussian_filter(part, 2 * ten) for part in (across * across, down * down, across * down)
    )
    yield "straightness", np.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy + 1e-5)
    yield "edge", np.log(xx + yy + 1e-5)


@dataclass(frozen=True, slots=True)
class PixelNetwork:
    """A perceptron of rectified layers with one logistic output; `mean` and `deviation` standardise the measures."""

    names: tuple[str, ...]
    mean: Floats32
    deviation: Floats32
    layers: Sequence[tuple[Floats32, Floats32]]
    """Weights [in, out] and offsets [out] of each layer."""

    def probability(self, rows: Floats32) -> Floats32:
        """Of each row of measures [n, len(names)]: 0 to 1, [n]."""
        signal = (rows - self.mean) / self.deviation
        for weights, offsets in self.layers[:-1]:
            signal = np.maximum(signal @ weights + offsets, 0)
        weights, offsets = self.layers[-1]
        return np.asarray(1 / (1 + np.exp(-(signal @ weights + offsets)[:, 0])), np.float32)


def vessel_map(water: Water, network: PixelNetwork) -> Floats32:
    """The network's answer for each pixel, [height, width], lightly smoothed; 0 where it is not asked."""
    where = looked_at(water)
    named = {name: values[where] for name, values in pixel_measures(water)}
    rows = np.stack([named[name] for name in network.names], axis=1)
    return smoothed_map(where, network.probability(rows), water.pixel_m)


def smoothed_map(where: Bools, answers: Floats32, pixel_m: float) -> Floats32:
    """Answers laid out over the window: `answers` are those of the pixels in `where`, row by row."""
    found = np.zeros(where.shape, np.float32)
    found[where] = answers
    return np.asarray(ndimage.gaussian_filter(found, 7.0 / pixel_m), np.float32)
