"""The sphere: laws that hold far north, south and west, across 180° and at the poles themselves."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyproj import Geod

from monitor.sites.geodesy import (
    EARTH_RADIUS_NM,
    METRES_PER_NM,
    course_deg,
    destination,
    great_circle_nm,
    great_circles_nm,
    longitude_near,
    turn_deg,
    wrap_longitude,
    wrap_longitudes,
)

SPHERE = Geod(a=EARTH_RADIUS_NM, b=EARTH_RADIUS_NM)
ELLIPSOID = Geod(ellps="WGS84")
HALF_ROUND_NM = math.pi * EARTH_RADIUS_NM

lats = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -89.9999, -51.9, 0.0, 69.66, 89.9999, 90.0]))
lons = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, -179.9999, -70.6, 0.0, 179.9999, 180.0]))
any_lon = st.one_of(lons, st.floats(-1000, 1000), st.sampled_from([-540.0, -360.0, 360.0, 540.0]))
places = st.tuples(lats, lons)


def same_meridian(one: float, other: float) -> bool:
    apart = math.radians(one - other)
    return math.cos(apart) == pytest.approx(1, abs=1e-12) and math.sin(apart) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("lon", "wrapped"), [(180, 180), (-180, -180), (190, -170), (-190, 170), (540, -180), (-70.6, -70.6)]
)
def test_longitudes_are_wrapped_to_half_a_turn(lon: float, wrapped: float) -> None:
    assert wrap_longitude(lon) == wrapped


@given(any_lon)
def test_a_wrapped_longitude_is_the_same_meridian_and_wrapping_again_changes_nothing(lon: float) -> None:
    wrapped = wrap_longitude(lon)
    assert -180 <= wrapped <= 180
    assert same_meridian(wrapped, lon)
    assert wrap_longitude(wrapped) == wrapped


@given(st.lists(any_lon, max_size=8))
def test_many_longitudes_are_wrapped_as_each_one(many: list[float]) -> None:
    assert wrap_longitudes(np.array(many)).tolist() == [wrap_longitude(lon) for lon in many]


def test_wrapping_many_leaves_what_it_was_given() -> None:
    given_lons = np.array([190.0, 10.0])
    assert wrap_longitudes(given_lons).tolist() == [-170.0, 10.0]
    assert given_lons.tolist() == [190.0, 10.0]


@given(any_lon, any_lon)
def test_a_longitude_near_another_is_the_same_meridian_within_half_a_turn(lon: float, other: float) -> None:
    near = longitude_near(lon, other)
    assert abs(near - other) <= 180 + 1e-9
    assert same_meridian(near, lon)


@given(places, places)
@example((90, 10), (90, -170))
@example((-90, 0), (90, 0))
@example((-16.8, 179.99), (-16.8, -179.99))
def test_distances_are_those_of_another_implementation(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    (lat_a, lon_a), (lat_b, lon_b) = one, other
    away = great_circle_nm(lat_a, lon_a, lat_b, lon_b)
    assert 0 <= away <= HALF_ROUND_NM
    # Close to the antipode a haversine has lost half of its digits: a tenth of a mile on half the earth.
    assert away == pytest.approx(SPHERE.inv(lon_a, lat_a, lon_b, lat_b)[2], abs=1e-4, rel=1e-9) or (
        away > HALF_ROUND_NM - 1
    )
    assert away == pytest.approx(great_circle_nm(lat_b, lon_b, lat_a, lon_a), abs=1e-6)
    turned = great_circle_nm(lat_a, lon_a + 360, lat_b, lon_b)
    assert turned == pytest.approx(away, abs=1e-3)


@given(places, places)
def test_the_sphere_is_good_to_six_thousandths(one: tuple[float, float], other: tuple[float, float]) -> None:
    (lat_a, lon_a), (lat_b, lon_b) = one, other
    away = great_circle_nm(lat_a, lon_a, lat_b, lon_b)
    measured = ELLIPSOID.inv(lon_a, lat_a, lon_b, lat_b)[2] / METRES_PER_NM
    assert away == pytest.approx(measured, rel=0.006, abs=1e-6)


@given(st.lists(places, min_size=1, max_size=6), places)
def test_many_distances_are_as_each_one(many: list[tuple[float, float]], one: tuple[float, float]) -> None:
    at_lat, at_lon = (np.array(each) for each in zip(*many, strict=True))
    wanted = [great_circle_nm(lat, lon, *one) for lat, lon in many]
    assert great_circles_nm(at_lat, at_lon, *one) == pytest.approx(wanted, abs=1e-3)
    others = great_circles_nm(at_lat, at_lon, at_lat[::-1], at_lon[::-1])
    pairs = zip(many, reversed(many), strict=True)
    assert others == pytest.approx([great_circle_nm(*a, *b) for a, b in pairs], abs=1e-3)


@pytest.mark.parametrize("lat", [-51.9, 0.0, 69.66])
@pytest.mark.parametrize(("course", "to"), [(90, "east"), (270, "west")])
def test_east_and_west_are_courses_also_across_180(lat: float, course: float, to: str) -> None:
    there = 179.9 if to == "west" else -179.9
    assert turn_deg(course_deg(lat, -there, lat, there), course) < 0.2


@given(places, st.floats(0, 360), st.floats(1e-3, HALF_ROUND_NM - 1))
@example((90, 10), 30, 600)
@example((-90, -170), 200, 600)
@example((89.9999, 180), 0, 60)
def test_one_arrives_as_far_away_as_one_went_and_the_course_leads_there(
    start: tuple[float, float], course: float, far_nm: float
) -> None:
    lat, lon = destination(*start, course, far_nm)
    assert -90 <= lat <= 90
    assert -180 <= lon <= 180
    assert great_circle_nm(*start, lat, lon) == pytest.approx(far_nm, rel=1e-6, abs=1e-3)
    again = destination(*start, course_deg(*start, lat, lon), far_nm)
    assert great_circle_nm(lat, lon, *again) == pytest.approx(0, abs=1e-3)


@given(places, st.floats(0, 360), st.floats(0, 3000))
def test_going_back_is_going_the_other_way(start: tuple[float, float], course: float, far_nm: float) -> None:
    back, away = destination(*start, course, -far_nm), destination(*start, course + 180, far_nm)
    assert great_circle_nm(*back, *away) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("pole", [90, -90])
def test_from_a_pole_every_course_leads_along_a_meridian(pole: int) -> None:
    for lon in (-170.0, -10.0, 100.0):
        course = course_deg(pole, 0, 0, lon)
        assert destination(pole, 0, course, 600) == pytest.approx((math.copysign(80, pole), lon), abs=0.01)


@pytest.mark.parametrize(("one", "other", "turn"), [(350, 10, 20), (10, 350, 20), (0, 180, 180), (90, 90, 0)])
def test_a_turn_goes_the_short_way(one: float, other: float, turn: float) -> None:
    assert turn_deg(one, other) == turn
