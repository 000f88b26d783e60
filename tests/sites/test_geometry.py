"""Shapes on the ellipsoid: invariants that hold far north, south, west and across 180°, and over the poles."""

import math
from contextlib import suppress
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely import MultiPolygon, Polygon

from monitor.sites.geodesy import METRES_PER_NM
from monitor.sites.geometry import (
    MAX_RADIUS_M,
    GeometryError,
    area_km2,
    bounding_circle,
    circle,
    covered_share,
    footprint_outline,
    polygon_on_earth,
)
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD, contains

GEOD = Geod(ellps="WGS84")

lats = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -89.99, -66.0, 0.0, 51.0, 89.5, 90.0]))
lons = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, -179.999, 0.0, 179.999, 180.0]))
radii = st.floats(10, 150_000)


def apart_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    return float(GEOD.inv(lon_a, lat_a, lon_b, lat_b)[2])


def drawn_circle(lat: float, lon: float, radius_m: float) -> Polygon | MultiPolygon | None:
    """The circle, or None in the one case that may be refused: an edge that runs through a pole."""
    to_pole = apart_m(lat, lon, math.copysign(90, lat), lon)
    if abs(to_pole - radius_m) > 0.002 * radius_m:
        return circle(lat, lon, radius_m)
    with suppress(GeometryError):
        return circle(lat, lon, radius_m)
    return None


@given(lats, lons, radii)
@settings(max_examples=300, deadline=None)
def test_a_circle_holds_its_middle_and_has_the_area_of_a_circle(
    lat: float, lon: float, radius_m: float
) -> None:
    outline = drawn_circle(lat, lon, radius_m)
    if outline is None:
        return
    assert outline.is_valid
    west, south, east, north = outline.bounds
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90
    assert contains(outline, lat, lon)
    assert area_km2(outline) == pytest.approx(math.pi * radius_m**2 / 1e6, rel=0.01)


@given(lats, lons, radii)
@settings(max_examples=200, deadline=None)
def test_every_corner_of_a_circle_lies_at_its_radius_or_on_a_cut(
    lat: float, lon: float, radius_m: float
) -> None:
    outline = drawn_circle(lat, lon, radius_m)
    if outline is None:
        return
    corners = shapely.get_coordinates(outline)
    away = np.array([apart_m(lat, lon, y, x) for x, y in corners])
    on_circle = np.isclose(away, radius_m, rtol=1e-6, atol=0.01)
    # A cut lies on the antimeridian, or where a cap round a pole was closed.
    cut = (np.abs(corners[:, 0]) == 180) | (np.abs(corners[:, 1]) == 90)
    assert (on_circle | cut).all()
    assert on_circle.sum() >= 60
    # A cut is found along a straight edge in degrees, which close to a pole lies a little off the circle.
    assert away.max() <= radius_m * 1.005 + 0.01


@given(lats, lons, st.floats(1000, 150_000), st.floats(0, 360), st.floats(0, 2))
@settings(max_examples=200, deadline=None)
def test_a_point_is_in_a_circle_when_it_is_nearer_than_the_radius(
    lat: float, lon: float, radius_m: float, azimuth: float, share: float
) -> None:
    outline = drawn_circle(lat, lon, radius_m)
    if outline is None or 0.98 < share < 1.02 or abs(lat) > 80:
        return  # near a pole the straight edges between corners leave the circle
    x, y, _ = GEOD.fwd(lon, lat, azimuth, radius_m * share)
    assert contains(outline, y, x) == (share < 1)


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m", "word"),
    [
        (91, 0, 1000, "not a latitude"),
        (0, 400, 1000, "not a latitude"),
        (math.nan, 0, 1000, "not a latitude"),
        (0, math.inf, 1000, "not a latitude"),
        (0, 0, 0, "radius"),
        (0, 0, -5, "radius"),
        (0, 0, math.nan, "radius"),
        (0, 0, MAX_RADIUS_M * 1.01, "radius"),
    ],
)
def test_a_circle_that_makes_no_sense_is_refused(lat: float, lon: float, radius_m: float, word: str) -> None:
    with pytest.raises(GeometryError, match=word):
        circle(lat, lon, radius_m)


def test_a_circle_across_the_dateline_comes_in_two_parts() -> None:
    outline = circle(-16.8, 179.99, 5000)
    assert isinstance(outline, MultiPolygon)
    east, west = sorted(outline.geoms, key=lambda part: -part.bounds[0])
    assert east.bounds[2] == 180
    assert west.bounds[0] == -180
    assert contains(outline, -16.8, 179.97)
    assert contains(outline, -16.8, -179.98)
    assert not contains(outline, -16.8, 0)


def test_a_circle_over_a_pole_reaches_the_pole_at_every_longitude() -> None:
    for lat in (89.9, -89.9):
        outline = circle(lat, 77, 60_000)
        assert isinstance(outline, Polygon)
        for lon in range(-180, 181, 30):
            assert contains(outline, math.copysign(90, lat), lon)
            assert contains(outline, math.copysign(89.99, lat), lon)


@pytest.mark.parametrize("lon", [180.0, -180.0, 540.0])
def test_the_antimeridian_itself_belongs_to_a_site_across_it(lon: float) -> None:
    assert contains(DATELINE_STRIP.geometry, -16.8, lon)


def test_a_hole_is_not_part_of_its_site() -> None:
    assert not contains(DONUT_BASE.geometry, 65.5, -150.0)
    assert contains(DONUT_BASE.geometry, 65.485, -150.0)


def test_the_area_of_a_hole_is_left_out() -> None:
    donut = DONUT_BASE.geometry
    assert isinstance(donut, Polygon)
    whole, hole = Polygon(donut.exterior), Polygon(donut.interiors[0])
    assert area_km2(donut) == pytest.approx(area_km2(whole) - area_km2(hole))


def test_an_area_does_not_depend_on_the_winding_or_the_cut() -> None:
    west, east = (Polygon(p.exterior.coords[::-1]) for p in shapely.get_parts(DATELINE_STRIP.geometry))
    assert area_km2(west) + area_km2(east) == pytest.approx(area_km2(DATELINE_STRIP.geometry))
    same_size = shapely.box(9.98, -16.81, 10.02, -16.79)
    assert area_km2(DATELINE_STRIP.geometry) == pytest.approx(area_km2(same_size), rel=1e-6)


@pytest.mark.parametrize("site", CAST, ids=lambda site: site.id)
def test_a_bounding_circle_holds_the_whole_site_and_little_more(site: Any) -> None:
    around = bounding_circle(site.geometry)
    corners = shapely.get_coordinates(site.geometry)
    away = [apart_m(around.lat, around.lon, y, x) / METRES_PER_NM for x, y in corners]
    assert max(away) <= around.radius_nm < max(away) * 1.002 + 0.001
    assert -180 <= around.lon <= 180


@given(lats, lons, st.floats(100, 150_000))
@settings(max_examples=150, deadline=None)
def test_the_bounding_circle_of_a_circle_is_that_circle(lat: float, lon: float, radius_m: float) -> None:
    outline = drawn_circle(lat, lon, radius_m)
    if outline is None:
        return
    around = bounding_circle(outline)
    assert apart_m(around.lat, around.lon, lat, lon) < radius_m * 0.02 + 1
    assert radius_m * 0.999 <= around.radius_nm * METRES_PER_NM <= radius_m * 1.03 + 5


def square(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    ("footprint", "share"),
    [
        (square(-71, -52, -70, -51), 1.0),
        (square(-70.62, -51.91, -70.6, -51.89), 0.5),
        (square(-70.6, -52, -70, -51), 0.5),
        (square(70, 51, 71, 52), 0.0),
        (square(-70.62, -51.91, -70.61, -51.9), 0.125),
    ],
)
def test_the_share_of_a_site_under_a_footprint(footprint: dict[str, Any], share: float) -> None:
    assert covered_share(footprint_outline(footprint), QUIET_FIELD.geometry) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(
    ("west", "east", "share"),
    [
        (179.0, -179.0, 1.0),  # jumps at the antimeridian
        (179.0, 181.0, 1.0),  # runs past it
        (-181.0, -179.0, 1.0),
        (180.0, 181.0, 0.5),
        (-181.0, -180.0, 0.5),
        (178.0, 179.9, 0.0),
        (-180.0, 180.0, 1.0),  # all the way round
    ],
)
def test_a_footprint_across_the_dateline_covers_what_it_covers(
    west: float, east: float, share: float
) -> None:
    footprint = footprint_outline(square(west, -18, east, -16))
    assert covered_share(footprint, DATELINE_STRIP.geometry) == pytest.approx(share, abs=1e-3)


def test_a_footprint_with_holes_and_parts_is_read_whole() -> None:
    ring = square(18, 69, 20, 70)["coordinates"][0]
    hole = square(18.96, 69.6, 19.5, 69.7)["coordinates"][0]
    parts = {"type": "MultiPolygon", "coordinates": [[ring, hole], square(30, 69, 31, 70)["coordinates"]]}
    assert covered_share(footprint_outline(parts), BUSY_PORT.geometry) == pytest.approx(0.5, abs=1e-3)


def test_a_footprint_whose_edges_cross_is_mended() -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[17, 69], [19.5, 70], [19.5, 69], [17, 70], [17, 69]]]}
    mended = footprint_outline(bow_tie)
    assert mended.is_valid
    assert covered_share(mended, BUSY_PORT.geometry) == pytest.approx(1.0)
    box = footprint_outline(square(17, 69, 19.5, 70))
    assert covered_share(mended, box) == pytest.approx(0.5, abs=0.01)


def test_a_footprint_over_the_pole_covers_the_pole() -> None:
    ring = [[0, 80], [90, 80], [180, 80], [-90, 80], [0, 80]]
    cap = footprint_outline({"type": "Polygon", "coordinates": [ring]})
    assert covered_share(cap, circle(90, 0, 10_000)) == pytest.approx(1.0)
    assert covered_share(cap, QUIET_FIELD.geometry) == 0


def test_an_edge_through_a_pole_is_refused() -> None:
    ring = [[0, 80], [180, 80], [90, 85], [0, 80]]
    with pytest.raises(GeometryError, match="through a pole"):
        footprint_outline({"type": "Polygon", "coordinates": [ring]})


@pytest.mark.parametrize(
    "footprint",
    [
        {},
        {"type": "Point", "coordinates": [0, 0]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, math.nan], [1, 1], [0, 0]]]},
        {"type": "MultiPolygon", "coordinates": 7},
        {"type": "MultiPolygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]},
    ],
)
def test_a_footprint_that_is_none_is_refused(footprint: dict[str, Any]) -> None:
    with pytest.raises(GeometryError):
        footprint_outline(footprint)


@pytest.mark.parametrize(
    "lons", [[0, 1e300, 1e300, 0], [1e12, 1e12 + 1, 1e12, 1e12], [n * 170 for n in range(99)]]
)
def test_longitudes_that_are_none_are_refused_at_once(lons: list[float]) -> None:
    ring = [[lon, lat] for lon, lat in zip(lons, cycle([0, 1]), strict=False)]
    with pytest.raises(GeometryError, match="more than twice"):
        footprint_outline({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


def test_no_share_of_nothing_can_be_covered() -> None:
    with pytest.raises(GeometryError, match="no area"):
        covered_share(QUIET_FIELD.geometry, Polygon())


def test_holes_follow_their_outline_past_the_antimeridian() -> None:
    shell = np.array([[179.0, 0], [-179.0, 0], [-179.0, 1], [179.0, 1], [179.0, 0]])
    hole = np.array([[-179.6, 0.4], [-179.6, 0.6], [-179.4, 0.6], [-179.4, 0.4], [-179.6, 0.4]])
    outline = polygon_on_earth(shell, [hole])
    assert outline.is_valid
    assert not contains(outline, 0.5, -179.5)
    assert contains(outline, 0.5, -179.2)
