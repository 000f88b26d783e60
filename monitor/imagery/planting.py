"""Things of known size drawn into real looks, as 10 m pixels would show them: to learn what a place would show of them.

What is drawn is mixed with the ground by the share of each pixel that it covers, then blurred as the instrument does.
Reflectances are of common materials, in the order of `monitor.imagery.codes.BANDS`; they are no measurement of anything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring, unary_union

from monitor.imagery.classes import widened
from monitor.imagery.codes import MISSING, Codes, decode, encode_reflectance
from monitor.imagery.grid import PIXEL_M, Bools, Floats32, PixelGrid, Zone

Material = tuple[float, ...]
ROOF: Material = (0.26, 0.28, 0.30, 0.34, 0.36)
SOIL: Material = (0.09, 0.12, 0.16, 0.22, 0.30)
ASPHALT: Material = (0.07, 0.08, 0.09, 0.10, 0.12)
GROUNDS = (ROOF, SOIL, ASPHALT)
PAINT: Material = (0.45, 0.45, 0.45, 0.45, 0.42)
"""A painted aircraft."""
RUST: Material = (0.05, 0.06, 0.09, 0.13, 0.18)
ORE: Material = (0.04, 0.04, 0.05, 0.05, 0.06)
TARPAULIN: Material = (0.22, 0.24, 0.25, 0.28, 0.24)
WAGONS = (RUST, ORE, TARPAULIN)
HULL: Material = (0.12, 0.11, 0.11, 0.12, 0.12)
WAGON_M, WAGON_GAP_M, WAGON_HALF_WIDTH_M = 14.0, 1.0, 1.55
_HULL_M, _FENDER_M = 22.0, 3.0
_FINE = 5
_BLUR = (0.25, 0.5, 0.25)
_MARGIN_M = 20.0
_OFF_SHORE_M, _LENGTH_TO_BEAM = 60.0, 6.0


@dataclass(frozen=True, slots=True)
class Planted:
    """One thing of one material, its shape in metres on the grid's map."""

    shape: BaseGeometry
    material: Material


def plant(codes: Codes, grid: PixelGrid, things: Sequence[Planted]) -> tuple[Codes, slice, slice]:
    """Draw things into a look, and say in which rows and columns; what is missing there stays missing."""
    rows, columns = _window(unary_union([thing.shape for thing in things]).bounds, grid)
    part = codes[:, rows, columns]
    reflectance = decode(part)
    by_material: dict[Material, list[BaseGeometry]] = {}
    for thing in things:
        if thing.shape.is_empty:
            continue
        by_material.setdefault(thing.material, []).append(thing.shape)
    for of, shapes in by_material.items():
        share = _coverage(shapes, grid, rows, columns)
        material = np.array(of, np.float32)[: len(codes), np.newaxis, np.newaxis]
        reflectance = reflectance * (1 - share) + material * share
    drawn = codes.copy()
    drawn[:, rows, columns] = encode_reflectance(reflectance, part[0] != MISSING)
    return drawn, rows, columns


def patch(
    zone: Zone, grid: PixelGrid, seen: Bools, area_m2: float, rng: np.random.Generator
) -> Polygon | None:
    """A square of this area at a random place of a zone that is seen; None where none is."""
    places = grid.centres(zone.mask & seen)
    if not len(places):
        return None
    east, north = places[rng.integers(len(places))] + rng.uniform(-PIXEL_M / 2, PIXEL_M / 2, 2)
    half = math.sqrt(area_m2) / 2
    return Polygon.from_bounds(east - half, north - half, east + half, north + half)


def train(axis: LineString, length_m: float, rng: np.random.Generator) -> list[Planted]:
    """A row of wagons of this length, of one material each, somewhere along a track."""
    begins = float(rng.uniform(0, max(0.0, axis.length - length_m)))
    ends = min(axis.length, begins + length_m)
    wagons = []
    at = begins
    while at < ends:
        body = substring(axis, at, min(ends, at + WAGON_M - WAGON_GAP_M))
        shape = body.buffer(WAGON_HALF_WIDTH_M, cap_style="flat")
        wagons.append(Planted(shape, WAGONS[rng.integers(len(WAGONS))]))
        at += WAGON_M
    return wagons


def ship(
    zone: Zone, grid: PixelGrid, water: Bools, length_m: float, rng: np.random.Generator
) -> list[Planted]:
    """A hull of this length alongside a quay, on the side where the water is."""
    assert zone.axis is not None
    begins = float(rng.uniform(0, max(0.0, zone.axis.length - length_m)))
    side = substring(zone.axis, begins, min(zone.axis.length, begins + length_m))
    hulls = [
        LineString(side.coords)
        .offset_curve(way * (_FENDER_M + _HULL_M / 2))
        .buffer(_HULL_M / 2, cap_style="flat")
        for way in (1, -1)
    ]
    wettest = max(hulls, key=lambda hull: int((grid.covers(hull) & water).sum()))
    return [Planted(wettest, HULL)]


def afloat(
    zone: Zone, grid: PixelGrid, water: Bools, length_m: float, rng: np.random.Generator
) -> list[Planted]:
    """A hull of this length, a sixth as wide, in open water of a zone, its head anywhere; nothing where there is no room."""
    room = math.ceil((length_m / 2 + _OFF_SHORE_M) / PIXEL_M)
    places = grid.centres(zone.mask & ~widened(~water, room))
    if not len(places):
        return []
    east, north = places[rng.integers(len(places))]
    way = rng.uniform(0, math.pi)
    across, up = length_m / 2 * math.cos(way), length_m / 2 * math.sin(way)
    keel = LineString([(east - across, north - up), (east + across, north + up)])
    return [Planted(keel.buffer(length_m / _LENGTH_TO_BEAM / 2, cap_style="flat"), HULL)]


def _window(bounds: tuple[float, float, float, float], grid: PixelGrid) -> tuple[slice, slice]:
    west, south, east, north = bounds
    left = math.floor((west - _MARGIN_M - grid.west) / PIXEL_M)
    right = math.ceil((east + _MARGIN_M - grid.west) / PIXEL_M)
    top = math.floor((grid.north - north - _MARGIN_M) / PIXEL_M)
    bottom = math.ceil((grid.north - south + _MARGIN_M) / PIXEL_M)
    return (
        slice(min(max(0, top), grid.height), max(0, min(bottom, grid.height))),
        slice(min(max(0, left), grid.width), max(0, min(right, grid.width))),
    )


def _coverage(shapes: Sequence[BaseGeometry], grid: PixelGrid, rows: slice, columns: slice) -> Floats32:
    """The share of each pixel of a window that shapes fill, as the instrument blurs it."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height <= 0 or width <= 0:
        return np.zeros((max(0, height), max(0, width)), np.float32)
    fine = from_origin(
        grid.west + columns.start * PIXEL_M,
        grid.north - rows.start * PIXEL_M,
        PIXEL_M / _FINE,
        PIXEL_M / _FINE,
    )
    drawn = rasterize(shapes, (height * _FINE, width * _FINE), transform=fine)
    share = drawn.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3), dtype=np.float32)
    return _blurred(share)


def _blurred(share: Floats32) -> Floats32:
    before, middle, after = _BLUR
    for axis in (0, 1):
        padded = np.pad(share, [(1, 1) if each == axis else (0, 0) for each in (0, 1)])
        size = share.shape[axis]
        parts: list[npt.NDArray[np.float32]] = [
            padded.take(range(start, start + size), axis) for start in range(3)
        ]
        share = np.float32(before) * parts[0] + np.float32(middle) * parts[1] + np.float32(after) * parts[2]
    return share
