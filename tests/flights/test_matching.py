"""Which positions lie in which site, and which reports are worth storing."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st

from db.records import Fix
from monitor.flights.places import grid_of, place_of, places_of
from monitor.flights.selection import worth_storing
from monitor.sites import Site
from monitor.sites.geodesy import great_circle_nm, wrap_longitude
from tests.kit.cast import CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.flying import NOON

ALL = pytest.mark.parametrize("site", CAST, ids=lambda site: site.id)


def inside(site: Site, lat: float, lon: float) -> bool:
    return bool(place_of(site).contains(np.array([lat]), np.array([lon]))[0])


def fix_at(lat: float, lon: float, icao24: str = "3950c7", **values: object) -> Fix:
    return replace(Fix("adsb.lol", icao24, NOON, NOON, lat, lon), **values)  # type: ignore[arg-type]


@ALL
def test_a_site_contains_a_point_of_each_of_its_parts(site: Site) -> None:
    for part in getattr(site.geometry, "geoms", [site.geometry]):
        point = part.representative_point()
        assert inside(site, point.y, point.x)


def test_only_sites_where_aircraft_come_and_go_are_prepared() -> None:
    assert [place.id for place in places_of(CAST)] == ["quiet-field", "dateline-strip", "donut-base"]


def test_a_hole_is_outside() -> None:
    assert inside(DONUT_BASE, 65.485, -150.0)
    assert not inside(DONUT_BASE, 65.5, -150.0)


@pytest.mark.parametrize("lon", [179.985, 179.9999, 180.0, -180.0, -179.9999, -179.985])
def test_a_strip_across_180_has_no_seam(lon: float) -> None:
    assert inside(DATELINE_STRIP, -16.8, lon)


@pytest.mark.parametrize("lon", [179.97, -179.97, 0.0, 0.01])
def test_what_lies_beside_the_strip_is_outside(lon: float) -> None:
    assert not inside(DATELINE_STRIP, -16.8, lon)


@ALL
@given(data=st.data())
def test_containment_is_that_of_the_outline_as_drawn(site: Site, data: st.DataObject) -> None:
    west, south, east, north = site.geometry.bounds
    lon = data.draw(st.floats(west, east))
    lat = data.draw(st.floats(south - 0.01, north + 0.01))
    point = shapely.Point(lon, lat)
    if shapely.distance(site.geometry.boundary, point) > 1e-9:
        assert inside(site, lat, lon) == bool(site.geometry.contains(point))


@ALL
@given(east=st.floats(-30, 30), north=st.floats(-30, 30))
def test_distances_are_good_to_one_percent_near_a_site(site: Site, east: float, north: float) -> None:
    place = place_of(site)
    lat = place.lat + north / 60
    lon = wrap_longitude(place.lon + east / place.east_scale)
    x, y = place.plane(np.array([lat]), np.array([lon]))
    assert np.hypot(x[0], y[0]) == pytest.approx(
        great_circle_nm(place.lat, place.lon, lat, lon), rel=0.01, abs=0.02
    )


def test_the_distance_inside_is_nothing_and_a_hole_has_an_edge() -> None:
    place = place_of(DONUT_BASE)
    base, town = place.distance_nm(np.array([65.485, 65.5]), np.array([-150.0, -150.0]))
    assert base == 0
    assert town == pytest.approx(0.3, abs=0.01)


def test_nothing_near_needs_no_geometry() -> None:
    far = place_of(QUIET_FIELD).contains(np.array([10.0, -51.9]), np.array([10.0, 110.0]))
    assert not far.any()


# --- what is stored -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lat", "lon", "is_kept"),
    [
        (-51.9, -70.6, True),
        (-51.9 + 39 / 60, -70.6, True),
        (-51.9 + 42 / 60, -70.6, False),
        (-16.8, 179.5, True),
        (-16.8, -179.5, True),
        (-16.8, 178.0, False),
        (69.66, 18.96, False),
    ],
)
def test_reports_within_40_miles_of_an_airfield_are_kept(lat: float, lon: float, is_kept: bool) -> None:
    assert worth_storing(CAST, [fix_at(lat, lon)]) == [is_kept]


def test_watched_aircraft_are_kept_wherever_they_are() -> None:
    reports = [
        fix_at(0, 0, "15521f"),
        fix_at(0, 0, type_code="T160"),
        fix_at(0, 0, type_code="A320"),
        fix_at(0, 0, "15521f", db_flags=8),
    ]
    assert worth_storing(CAST, reports) == [True, True, False, False]
    assert worth_storing(CAST, []) == []


# --- the grid -----------------------------------------------------------------------------------

_EVERYWHERE = st.lists(
    st.tuples(st.floats(-90, 90), st.floats(-180, 180))
    | st.sampled_from([(-16.8, 179.99), (-16.8, -179.99)]),
    max_size=30,
)
_POLE = Site("pole", "Pole", "airport", shapely.Point(10, 89.9).buffer(0.05), QUIET_FIELD.timezone)


@given(_EVERYWHERE, st.sampled_from([0.0, 5.0, 40.0]))
@example([(-51.9, -70.6), (-51.9, 289.4 - 360), (65.5, -150.0)], 0.0)
def test_the_grid_finds_what_asking_every_place_finds(
    at: list[tuple[float, float]], margin_nm: float
) -> None:
    places = tuple(place_of(site) for site in (*CAST, _POLE))
    lat, lon = np.array([each[0] for each in at]), np.array([each[1] for each in at])
    which, place = grid_of(places, margin_nm).near(lat, lon)
    wanted = {
        (int(n), index)
        for index, each in enumerate(places)
        for n in np.flatnonzero(each.near(lat, lon, margin_nm))
    }
    assert set(zip(which.tolist(), place.tolist(), strict=True)) == wanted
    inside, where = grid_of(places, 0.0).inside(lat, lon)
    assert set(zip(inside.tolist(), where.tolist(), strict=True)) == {
        (int(n), index) for index, each in enumerate(places) for n in np.flatnonzero(each.contains(lat, lon))
    }


def test_the_same_sites_are_prepared_once() -> None:
    assert places_of(CAST)[0] is places_of(tuple(CAST))[0]
    assert grid_of(places_of(CAST), 6.0) is grid_of(places_of(CAST), 6.0)
    assert grid_of((), 6.0).near(np.array([1.0]), np.array([1.0]))[0].size == 0
