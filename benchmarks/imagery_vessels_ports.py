"""Labelled ports: one Sentinel-2 look each with boxes of vessels drawn by people, and how finds are held against them.

A folder has `NAME.tif` (blue, green, red, near and short-wave infrared, reflectance × 65,535, Web Mercator) and
`vessels.json` with boxes `[x, y, width, height]` in pixels. A find is right if its hull lies in the box of a vessel that no
surer find took. Reflectance goes through the one byte in which the program keeps it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

from monitor.imagery.codes import decode, encode_reflectance
from monitor.imagery.vessels_objects import QUAY_M, Box
from monitor.imagery.vessels_water import Water, Window

_EARTH_M = 6378137.0
Boxes = npt.NDArray[np.float64]
"""[n, 4]: left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Port:
    """One look and what people saw on it."""

    name: str
    window: Window
    boxes: Boxes


def read_ports(folder: Path) -> list[Port]:
    """All ports of a folder, by name."""
    labels = json.loads((folder / "vessels.json").read_text(encoding="utf-8"))
    return [_port(folder, name, labels[name]["vessels"]) for name in sorted(labels)]


def _port(folder: Path, name: str, vessels: Sequence[Sequence[float]]) -> Port:
    with rasterio.open(folder / f"{name}.tif") as file:
        values = file.read().astype(np.float32) / 65535
        step, middle = file.transform.a, file.transform.f + file.transform.e * file.height / 2
        mercator = file.crs.to_epsg() == 3857
    latitude = 2 * math.atan(math.exp(middle / _EARTH_M)) - math.pi / 2 if mercator else 0.0
    values = decode(encode_reflectance(values, np.ones(values.shape[1:], np.bool_)))
    boxes = np.array(vessels, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Port(name, Window(values, step * math.cos(latitude)), boxes)


def away_from_quays(port: Port, water: Water) -> npt.NDArray[np.bool_]:
    """Which labelled vessels lie nowhere within 20 m of land or pier (dry, joined, above four hectares)."""
    return np.array(
        [
            water.land_m[max(0, round(top)) : round(bottom), max(0, round(left)) : round(right)].min()
            >= QUAY_M
            for left, top, right, bottom in port.boxes
        ],
        np.bool_,
    )


def overlaps(box: Box, boxes: Boxes) -> npt.NDArray[np.float64]:
    """Share of the union with each labelled box, [n]."""
    wide = np.clip(np.minimum(box.right, boxes[:, 2]) - np.maximum(box.left, boxes[:, 0]), 0, None)
    high = np.clip(np.minimum(box.bottom, boxes[:, 3]) - np.maximum(box.top, boxes[:, 1]), 0, None)
    union = (box.right - box.left) * (box.bottom - box.top) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(wide * high / (union - wide * high), np.float64)


def hull_within(box: Box, boxes: Boxes) -> npt.NDArray[np.bool_]:
    """In which labelled boxes the hull lies, [n]."""
    across = (boxes[:, 0] <= box.x) & (box.x <= boxes[:, 2])
    return np.asarray(across & (boxes[:, 1] <= box.y) & (box.y <= boxes[:, 3]), np.bool_)


def matched(found: Sequence[Box], boxes: Boxes, least_overlap: float = 0.0) -> npt.NDArray[np.int64]:
    """For each find, the surest first, which labelled vessel it is, or −1.

    With `least_overlap` boxes must share that much of their union instead.
    """
    taken, answer = np.zeros(len(boxes), np.bool_), np.full(len(found), -1)
    for at, box in enumerate(found):
        shared = overlaps(box, boxes)
        fits = (shared >= least_overlap if least_overlap else hull_within(box, boxes)) & ~taken
        if fits.any():
            answer[at] = int(np.argmax(np.where(fits, shared, -1)))
            taken[answer[at]] = True
    return answer


def f1(right: int, found: int, labelled: int) -> float:
    """The harmonic mean of recall and precision."""
    return 2 * right / max(1, found + labelled)
