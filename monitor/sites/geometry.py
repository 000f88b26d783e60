"""Shapes on the ellipsoid (WGS 84), right far north and south and across 180°: circles, areas, distances, shares.

Longitudes and latitudes are degrees; outlines are stored as RFC 7946 wants, split at the antimeridian.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pyproj import Geod
from shapely import MultiPoint, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from monitor.sites.geodesy import (
    FULL_TURN_DEG,
    HALF_TURN_DEG,
    METRES_PER_NM,
    POLE_DEG,
    Floats,
    wrap_longitude,
)

MAX_RADIUS_M = 200_000.0
CIRCLE_VERTICES = 64
_GEOD = Geod(ellps="WGS84")
_MOST_ROUND = 2 * FULL_TURN_DEG
_STEPS_ALONG_POLE = 4
_AMBIGUOUS_DEG = 1e-6
Outline = Polygon | MultiPolygon


class GeometryError(ValueError):
    """A shape cannot be made; the text says why and what to do instead."""


class CrossingError(GeometryError):
    """An outline crosses or touches itself."""


@dataclass(frozen=True, slots=True)
class BoundingCircle:
    """A circle that holds a whole site; the radius is in nautical miles and never rounded down."""

    lat: float
    lon: float
    radius_nm: float


def area_km2(geometry: BaseGeometry) -> float:
    """The area on the ellipsoid, holes left out."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    return sum(abs(float(_GEOD.geometry_area_perimeter(orient(part))[0])) for part in parts) / 1e6


def circle(lat: float, lon: float, radius_m: float, vertices: int = CIRCLE_VERTICES) -> Outline:
    """A geodesic circle as an outline; across 180° it comes in parts, over a pole it reaches up to ±90°.

    Raises GeometryError for a bad point or radius, or where the edge touches a pole.
    """
    if not (abs(lat) <= POLE_DEG and abs(lon) <= FULL_TURN_DEG):
        raise GeometryError(f"{lat:g}, {lon:g} is not a latitude and a longitude in degrees.")
    if not 1 <= radius_m <= MAX_RADIUS_M:
        raise GeometryError(f"A radius of {radius_m:g} m is not between 1 m and {MAX_RADIUS_M:g} m.")
    # Counter-clockwise, as RFC 7946 winds an outer ring.
    azimuths = -np.arange(vertices) * (FULL_TURN_DEG / vertices)
    centre = np.full(vertices, wrap_longitude(lon)), np.full(vertices, float(lat))
    lons, lats, _ = _GEOD.fwd(*centre, azimuths, np.full(vertices, float(radius_m)))
    ring = np.column_stack([np.append(lons, lons[0]), np.append(lats, lats[0])])
    return polygon_on_earth(ring)


def polygon_on_earth(ring: Floats, holes: Sequence[Floats] = ()) -> Outline:
    """The outline of a closed ring that may jump at ±180 or run past it, or go round a pole."""
    shell = _unwrap(ring)
    if np.ptp(shell[:, 0]) > _MOST_ROUND or np.abs(shell[:, 0]).max() > _MOST_ROUND:
        # Each turn round the earth is cut out of it by itself: what is no longitude would never end.
        raise GeometryError("The outline goes round the earth more than twice. Write longitudes in degrees.")
    turn = shell[-1, 0] - shell[0, 0]
    if abs(turn) > HALF_TURN_DEG:
        shell = _over_pole(shell)
    whole = Polygon(shell, [_near(_unwrap(hole), shell) for hole in holes])
    # The union joins the parts of a cap round a pole, which meet where the ring began.
    parts = [orient(part) for part in shapely.get_parts(shapely.union_all(_cut(whole)))]
    if not parts:
        raise GeometryError("The outline has no area. Draw at least three corners.")
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _unwrap(ring: Floats) -> Floats:
    """The ring with continuous longitudes, free to leave ±180; an edge of exactly 360° goes all the way round."""
    steps = np.diff(ring[:, 0])
    jumps = (np.abs(steps) > HALF_TURN_DEG) & (np.abs(steps) < FULL_TURN_DEG)
    turns = np.where(jumps, np.sign(steps), 0.0)
    ambiguous = np.abs(np.abs(steps) - HALF_TURN_DEG) < _AMBIGUOUS_DEG
    if np.any(ambiguous):
        raise GeometryError("The outline runs through a pole. Make it a little larger or smaller.")
    lons = ring[:, 0] - FULL_TURN_DEG * np.concatenate([[0.0], np.cumsum(turns)])
    return np.column_stack([lons, ring[:, 1]])


def _over_pole(shell: Floats) -> Floats:
    """A ring round a pole, closed along the pole itself."""
    pole = math.copysign(POLE_DEG, float(shell[:, 1].mean()))
    # In steps that cannot be taken for a jump across 180°.
    lons = np.linspace(shell[-1, 0], shell[0, 0], _STEPS_ALONG_POLE + 1)
    return np.vstack([shell, np.column_stack([lons, np.full(len(lons), pole)]), shell[:1]])


def _near(hole: Floats, shell: Floats) -> Floats:
    """The hole on the same turn of longitudes as its shell."""
    shift = np.round((shell[:, 0].mean() - hole[:, 0].mean()) / FULL_TURN_DEG) * FULL_TURN_DEG
    return np.column_stack([hole[:, 0] + shift, hole[:, 1]])


def _cut(whole: Polygon) -> list[Polygon]:
    west, _, east, _ = whole.bounds
    first = math.floor((west + HALF_TURN_DEG) / FULL_TURN_DEG)
    last = max(first, math.ceil((east + HALF_TURN_DEG) / FULL_TURN_DEG) - 1)
    sound = whole if whole.is_valid else shapely.make_valid(whole)
    parts: list[Polygon] = []
    for turn in range(first, last + 1):
        shift = turn * FULL_TURN_DEG
        window = shapely.box(shift - HALF_TURN_DEG, -POLE_DEG, shift + HALF_TURN_DEG, POLE_DEG)
        piece = sound.intersection(window) if last > first else sound
        parts += [_moved(part, -shift) for part in shapely.get_parts(piece) if isinstance(part, Polygon)]
    return [part for part in parts if part.area > 0]


def _moved(part: Polygon, shift: float) -> Polygon:
    # Cutting rounds: without the clip a corner can lie a hair beyond 180.
    def move(points: Floats) -> Floats:
        return np.column_stack([np.clip(points[:, 0] + shift, -HALF_TURN_DEG, HALF_TURN_DEG), points[:, 1]])

    moved = shapely.transform(part, move)
    assert isinstance(moved, Polygon)
    return moved


def bounding_circle(geometry: BaseGeometry) -> BoundingCircle:
    """The (nearly) smallest circle that holds the outline, for feeds that are asked by point and radius."""
    points = _dense_points(geometry)
    lat, lon = _middle(points)
    # Azimuth and distance from the middle are the azimuthal equidistant plane, without a projection to set up.
    azimuths, _, away = _from(lat, lon, points)
    flat = MultiPoint(
        np.column_stack([away * np.sin(np.radians(azimuths)), away * np.cos(np.radians(azimuths))])
    )
    west, south, east, north = shapely.minimum_bounding_circle(flat).bounds
    x, y = (west + east) / 2, (south + north) / 2
    lon, lat, _ = _GEOD.fwd(lon, lat, math.degrees(math.atan2(x, y)), math.hypot(x, y))
    _, _, distances = _from(lat, lon, points)
    # A metre and a thousandth more: edges bulge a little between the dense points.
    return BoundingCircle(
        float(lat), wrap_longitude(float(lon)), (float(np.max(distances)) * 1.001 + 1) / METRES_PER_NM
    )


def _from(lat: float, lon: float, points: Floats) -> tuple[Floats, Floats, Floats]:
    count = len(points)
    azimuths, back, away = _GEOD.inv(np.full(count, lon), np.full(count, lat), points[:, 0], points[:, 1])
    return azimuths, back, away


def _dense_points(geometry: BaseGeometry) -> Floats:
    dense = []
    for part in shapely.get_parts(geometry):
        west, south, east, north = part.bounds
        step = max(east - west, north - south, 1e-6) / 32
        dense.append(shapely.get_coordinates(shapely.segmentize(part, step)))
    return np.vstack(dense)


def _middle(points: Floats) -> tuple[float, float]:
    lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
    x, y, z = (np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat).mean()
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def footprint_outline(footprint: Mapping[str, Any], *, mended: bool = True) -> BaseGeometry:
    """A catalogue's GeoJSON Polygon or MultiPolygon, mended and cut at ±180 where its rings cross it.

    Raises GeometryError for anything else, and without `mended` CrossingError for a ring that crosses itself.
    """
    kind, coordinates = footprint.get("type"), footprint.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise GeometryError(f"A footprint is a Polygon or MultiPolygon, not {kind!r}.")
    try:
        polygons = [[_ring_array(ring) for ring in rings] for rings in _polygons(kind, coordinates)]
    except (TypeError, ValueError, IndexError) as error:
        raise GeometryError(f"The footprint's coordinates cannot be read: {error}.") from None
    if not polygons or not all(polygons):
        raise GeometryError("The footprint is empty.")
    if not mended:
        for rings in polygons:
            _refuse_crossing(_unwrap(rings[0]))
    return shapely.union_all([polygon_on_earth(rings[0], rings[1:]) for rings in polygons])


def _refuse_crossing(shell: Floats) -> None:
    ring = Polygon(shell)
    closed = abs(shell[-1, 0] - shell[0, 0]) < HALF_TURN_DEG
    if closed and ring.convex_hull.area > 0 and not ring.is_valid:
        what, _, where = shapely.is_valid_reason(ring).rstrip("]").partition("[")
        lon, lat = (float(part) for part in where.split())
        raise CrossingError(
            f"The outline is not valid ({what.lower()}) at [{wrap_longitude(lon):g}, {lat:g}]: it crosses or touches "
            "itself. Redraw the outline there."
        )


def _polygons(kind: str, coordinates: Any) -> list[Any]:
    return [coordinates] if kind == "Polygon" else list(coordinates)


def _ring_array(ring: Any) -> Floats:
    array = np.asarray([position[:2] for position in ring], dtype=float)
    if array.ndim != 2 or len(array) < 4 or not np.isfinite(array).all():  # noqa: PLR2004 - a ring in a plane
        raise ValueError("a ring needs at least four finite positions")
    return array


def covered_share(footprint: BaseGeometry, outline: BaseGeometry) -> float:
    """The share (0 to 1) of a site's area that lies in a footprint; both as this module makes them."""
    whole = area_km2(outline)
    if whole == 0:
        raise GeometryError("The outline has no area, so no share of it can be covered.")
    return min(1.0, area_km2(footprint.intersection(outline)) / whole)
