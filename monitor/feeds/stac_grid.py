"""Where a tile must lie by its own grid code (MGRS, as Sentinel-2 uses it), to hold its footprint against."""

import re
from functools import cache

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from monitor.sites.geometry import covered_share, polygon_on_earth

_CODE = re.compile(
    r"(?:MGRS-)?(?P<zone>\d{1,2})(?P<band>[C-HJ-NP-X])(?P<column>[A-HJ-NP-Z])(?P<row>[A-HJ-NP-V])"
)
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_ZONES = 60
_SQUARE_M = 100_000.0
_ROUND_M = _SQUARE_M * len(_ROWS)
_MARGIN_M = 25_000.0
"""Tiles of 110 km reach beyond their square, and strips of a pass are now and then drawn a little wider."""
_LEAST_INSIDE = 0.95
_EDGE_POINTS = 9


def is_refuted(code: object, footprint: BaseGeometry) -> bool:
    """Whether a footprint lies, by more than a twentieth, where a tile with this grid code cannot be.

    A code that is none of MGRS, or none at all, refutes nothing.
    """
    square = _square(code) if isinstance(code, str) else None
    return square is not None and covered_share(square, footprint) < _LEAST_INSIDE


@cache
def _square(code: str) -> BaseGeometry | None:
    said = _CODE.fullmatch(code)
    if said is None or not 1 <= int(said["zone"]) <= _ZONES:
        return None
    zone, band = int(said["zone"]), _BANDS.index(said["band"])
    letters = _COLUMNS[zone % 3]
    if said["column"] not in letters:
        return None
    west = (letters.index(said["column"]) + 1) * _SQUARE_M
    # Rows are named anew every 2,000 km, and in zones of even number five letters later.
    row = (_ROWS.index(said["row"]) - (5 if zone % 2 == 0 else 0)) % len(_ROWS)
    south_lat = -80.0 + 8 * band
    north = south_lat >= 0
    to_degrees = Transformer.from_crs((32600 if north else 32700) + zone, 4326, always_xy=True)
    middle = 6 * zone - 183.0
    _, lowest = to_degrees.transform(middle, south_lat, direction="INVERSE")
    southing = row * _SQUARE_M
    southing += _ROUND_M * np.ceil((lowest - _SQUARE_M - southing) / _ROUND_M)
    return _outline(to_degrees, west, float(southing))


def _outline(to_degrees: Transformer, west: float, south: float) -> BaseGeometry:
    low, high = -_MARGIN_M, _SQUARE_M + _MARGIN_M
    ring = shapely.get_coordinates(shapely.box(west + low, south + low, west + high, south + high))
    dense = shapely.get_coordinates(shapely.segmentize(shapely.linearrings(ring), _SQUARE_M / _EDGE_POINTS))
    lons, lats = to_degrees.transform(dense[:, 0], dense[:, 1])
    return polygon_on_earth(np.column_stack([lons, lats]))
