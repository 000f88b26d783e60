"""GeoJSON shapes (RFC 7946) to Shapely ones and back, with every fault told by its place; winding order is put right."""

import json
from collections.abc import Collection
from typing import Any

import numpy as np
import shapely
from shapely import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from monitor.sites.faults import Spot, printable_value
from monitor.sites.fields import known_keys, mapping
from monitor.sites.geodesy import Floats
from monitor.sites.geometry import area_km2

MAX_VERTICES = 10_000
MIN_AREA_KM2 = 1e-4
MAX_AREA_KM2 = 100_000.0
MAX_REGION_KM2 = 20_000_000.0
OUTLINE_TYPES = ("Polygon", "MultiPolygon")
AREA_TYPES = ("Polygon", "MultiPolygon", "LineString")
SWAPPED = "latitude and longitude look swapped"
SWAP_MEND = "GeoJSON writes [longitude, latitude]: turn every pair round"
SPLIT_MEND = "Store a site across the antimeridian as a MultiPolygon whose parts end at 180 and at -180 (RFC 7946, 3.1.9)"
_MIN_RING = 4
_WHAT = {
    "Self-intersection": "the outline crosses or overlaps itself",
    "Ring Self-intersection": "the outline touches itself",
    "Hole lies outside shell": "a hole lies outside the outline",
    "Holes are nested": "one hole lies inside another",
    "Nested shells": "one part lies inside another",
    "Interior is disconnected": "a hole cuts the site in two",
    "Too few points in geometry component": "a ring has fewer than three corners",
}

LonLat = tuple[float, float]
GeoJsonFeature = dict[str, Any]
DECIMALS = 7
"""Of degrees: a centimetre."""


def as_geojson(shape: BaseGeometry, decimals: int = DECIMALS) -> GeoJsonFeature:
    """A shape in degrees as a geometry of GeoJSON, rounded."""
    rounded = shapely.transform(shape, lambda points: np.round(points, decimals))
    geometry: GeoJsonFeature = json.loads(shapely.to_geojson(rounded))
    return geometry


def outline(spot: Spot, value: Any, most_km2: float = MAX_AREA_KM2) -> Polygon | MultiPolygon | None:
    """The outline of a site: valid, counter-clockwise, of a sensible area; None with faults otherwise."""
    geometry = parse_shape(spot, value, OUTLINE_TYPES)
    if not isinstance(geometry, Polygon | MultiPolygon):
        return None
    return geometry if _fits(spot, geometry, most_km2) else None


def parse_shape(spot: Spot, value: Any, types: Collection[str]) -> BaseGeometry | None:
    """A valid geometry of one of these types, or None with faults."""
    if value is None:
        spot.fault("it is missing", f"Draw a {' or '.join(types)}")
        return None
    entry = mapping(spot, value)
    kind = entry.get("type")
    if kind not in types:
        if entry or isinstance(value, dict):
            spot.at("type").fault(
                f"{printable_value(kind)} is the wrong type here", f"Draw a {' or '.join(types)}"
            )
        return None
    known_keys(spot, entry, ("type", "coordinates", "bbox"))
    coordinates = entry.get("coordinates")
    here = spot.at("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        here.fault("the geometry is empty", "Draw it, or write null for an area that nobody has located")
        return None
    if kind == "LineString":
        line = _positions(here, coordinates, least=2)
        return None if line is None else LineString(line)
    polygons = (
        [_polygon(here, coordinates)]
        if kind == "Polygon"
        else [_polygon(here.at(index), part) for index, part in enumerate(coordinates)]
    )
    sound = [polygon for polygon in polygons if polygon is not None]
    if len(sound) < len(polygons):
        return None
    return _valid(here, sound[0] if kind == "Polygon" else MultiPolygon(sound))


def lonlat_position(spot: Spot, value: Any) -> LonLat | None:
    """One [longitude, latitude], or None with a fault."""
    found = _positions(spot, [value], least=1, inner=False)
    return None if found is None else (float(found[0, 0]), float(found[0, 1]))


def _polygon(spot: Spot, rings: Any) -> Polygon | None:
    if not isinstance(rings, list) or not rings:
        spot.fault("the polygon is empty", "Give it a ring of at least four positions")
        return None
    parsed = [_ring(spot.at(index), ring) for index, ring in enumerate(rings)]
    sound = [ring for ring in parsed if ring is not None]
    return Polygon(sound[0], sound[1:]) if len(sound) == len(rings) else None


def _ring(spot: Spot, ring: Any) -> Floats | None:
    if isinstance(ring, list) and len(ring) > MAX_VERTICES:
        spot.fault(f"the ring has {len(ring)} positions", f"Simplify it to at most {MAX_VERTICES}")
        return None
    points = _positions(spot, ring, least=_MIN_RING)
    if points is None:
        return None
    if (points[0] != points[-1]).any():
        spot.fault("the ring is not closed", f"Repeat its first position {points[0].tolist()} at its end")
        return None
    return points


def _positions(spot: Spot, values: Any, *, least: int, inner: bool = True) -> Floats | None:
    """Positions as an array of longitudes and latitudes; heights are left out."""
    if not isinstance(values, list) or len(values) < least:
        spot.fault(
            f"fewer than {least} positions", f"Give at least {least}, each [longitude, latitude] in degrees"
        )
        return None
    bad = [index for index, value in enumerate(values) if not _is_position(value)]
    if bad:
        here = spot.at(bad[0]) if inner else spot
        more = f" (and {len(bad) - 1} more like it)" if len(bad) > 1 else ""
        here.fault(
            f"{printable_value(values[bad[0]])} is not a position{more}",
            "Write [longitude, latitude] in degrees",
        )
        return None
    points = np.array([(value[0], value[1]) for value in values], dtype=float)
    if not np.isfinite(points).all():
        return None  # noted already, with every other number of the file that is not finite
    return points if _on_earth(spot, points, inner=inner) else None


def _is_position(value: Any) -> bool:
    # Exact types: JSON gives no others, and true is an int to isinstance.
    return type(value) is list and len(value) in (2, 3) and {int, float}.issuperset(map(type, value))


def _on_earth(spot: Spot, points: Floats, *, inner: bool) -> bool:
    lons, lats = points[:, 0], points[:, 1]
    for beyond, limit, name in ((lats, 90, "latitude"), (lons, 180, "longitude")):
        outside = np.flatnonzero(np.abs(beyond) > limit)
        if not len(outside):
            continue
        swapped = name == "latitude" and bool((np.abs(lons) <= 90).all() and (np.abs(lats) <= 180).all())  # noqa: PLR2004 - degrees
        here = spot.at(int(outside[0])) if inner else spot
        here.fault(
            f"{name} {beyond[outside[0]]:g} is beyond ±{limit}{': ' + SWAPPED if swapped else ''}",
            SWAP_MEND if swapped else "Give degrees, longitude first" if name == "latitude" else SPLIT_MEND,
        )
        return False
    jumps = np.flatnonzero(np.abs(np.diff(lons)) > 180)  # noqa: PLR2004 - degrees
    if len(jumps):
        west, east = lons[jumps[0]], lons[jumps[0] + 1]
        spot.at(int(jumps[0])).fault(f"the line jumps from longitude {west:g} to {east:g}", SPLIT_MEND)
    return not len(jumps)


def _valid(spot: Spot, geometry: Polygon | MultiPolygon) -> Polygon | MultiPolygon | None:
    if geometry.convex_hull.area == 0:
        spot.fault("the area is zero", "Draw an outline with at least three corners")
        return None
    if not geometry.is_valid:
        spot.fault(_why_invalid(geometry), "Redraw the outline there")
        return None
    oriented = shapely.orient_polygons(geometry)
    assert isinstance(oriented, Polygon | MultiPolygon)
    return oriented


def _why_invalid(geometry: BaseGeometry) -> str:
    what, _, where = shapely.is_valid_reason(geometry).rstrip("]").partition("[")
    place = where.replace(" ", ", ")
    return f"{_WHAT.get(what, f'the outline is not valid ({what.lower()})')} at [{place}]"


def _fits(spot: Spot, geometry: Polygon | MultiPolygon, most_km2: float) -> bool:
    area = area_km2(geometry)
    if area < MIN_AREA_KM2:
        spot.fault("the area is zero, or smaller than 100 m²", "Draw the whole site, in degrees")
        return False
    if area > most_km2:
        spot.fault(f"the area is {area:,.0f} km²", f"Draw a site of at most {most_km2:,.0f} km², or several")
        return False
    return True
