"""Distances, courses and longitudes on a sphere: numbers in, numbers out, right across 180° and at the poles.

Latitudes, longitudes and courses are degrees, distances nautical miles. The sphere is good to 0.6 % of a distance;
outlines and their areas, which need the ellipsoid, are in `geometry`.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_NM = 3440.065
"""The mean radius of WGS 84, 6371.0 km."""
METRES_PER_NM = 1852.0
NM_PER_DEGREE = 60.0
"""Of latitude; the nautical mile was made for it, and no ellipsoid is meant."""
SECONDS_PER_HOUR = 3600.0
"""For knots, which are nautical miles an hour."""
POLE_DEG = 90.0
HALF_TURN_DEG = 180.0
FULL_TURN_DEG = 360.0


def wrap_longitude(lon: float) -> float:
    """Give the same meridian within ±180, or a difference of longitudes the short way round; 180 stays 180."""
    if -HALF_TURN_DEG <= lon <= HALF_TURN_DEG:
        return lon
    return (lon + HALF_TURN_DEG) % FULL_TURN_DEG - HALF_TURN_DEG


def wrap_longitudes(lons: Floats) -> Floats:
    """As `wrap_longitude`, for many at once."""
    beyond = np.abs(lons) > HALF_TURN_DEG
    wrapped = lons.copy()
    # Most are within ±180 as they come, and the remainder is what costs.
    wrapped[beyond] = (lons[beyond] + HALF_TURN_DEG) % FULL_TURN_DEG - HALF_TURN_DEG
    return wrapped


def longitude_near(lon: float, reference: float) -> float:
    """Give the same meridian within 180° of a reference, beyond ±180 where it must be."""
    return reference + wrap_longitude(lon - reference)


def great_circle_nm(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Give the great-circle distance (haversine, which stays exact for near places)."""
    north, east = math.radians(lat_b - lat_a) / 2, math.radians(lon_b - lon_a) / 2
    both = math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b))
    half_chord = math.sin(north) ** 2 + both * math.sin(east) ** 2
    return 2 * EARTH_RADIUS_NM * math.asin(min(1.0, math.sqrt(half_chord)))


def great_circles_nm(
    lats_a: Floats, lons_a: Floats, lats_b: Floats | float, lons_b: Floats | float
) -> Floats:
    """As `great_circle_nm`, for many pairs, or for many places and one."""
    north, east = np.radians(lats_b - lats_a) / 2, np.radians(lons_b - lons_a) / 2
    both = np.cos(np.radians(lats_a)) * np.cos(np.radians(lats_b))
    half_chord = np.sin(north) ** 2 + both * np.sin(east) ** 2
    distances: Floats = 2 * EARTH_RADIUS_NM * np.arcsin(np.minimum(1.0, np.sqrt(half_chord)))
    return distances


def course_deg(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Give the initial true course of the great circle from one position to another, 0 up to 360."""
    east = math.radians(lon_b - lon_a)
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    y = math.sin(east) * math.cos(phi_b)
    x = math.cos(phi_a) * math.sin(phi_b) - math.sin(phi_a) * math.cos(phi_b) * math.cos(east)
    return math.degrees(math.atan2(y, x)) % FULL_TURN_DEG


def courses_deg(lat: float, lon: float, lats: Floats, lons: Floats) -> Floats:
    """As `course_deg`, from one position to many."""
    east, phi_a, phi_b = np.radians(lons - lon), math.radians(lat), np.radians(lats)
    y = np.sin(east) * np.cos(phi_b)
    x = math.cos(phi_a) * np.sin(phi_b) - math.sin(phi_a) * np.cos(phi_b) * np.cos(east)
    found: Floats = np.degrees(np.arctan2(y, x)) % FULL_TURN_DEG
    return found


def turn_deg(one_deg: float, other_deg: float) -> float:
    """Give the angle between two courses, 0 to 180."""
    return abs(wrap_longitude(one_deg - other_deg))


def destination(lat: float, lon: float, course: float, distance_nm: float) -> tuple[float, float]:
    """Give where one comes to on a great circle; a negative distance goes back."""
    angle, turn, phi = distance_nm / EARTH_RADIUS_NM, math.radians(course), math.radians(lat)
    # As a vector with x towards the meridian of departure: unlike an arc sine, it is exact at the poles.
    x = math.cos(phi) * math.cos(angle) - math.sin(phi) * math.cos(turn) * math.sin(angle)
    y = math.sin(turn) * math.sin(angle)
    z = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.cos(turn) * math.sin(angle)
    north = math.degrees(math.atan2(z, math.hypot(x, y)))
    return north, wrap_longitude(lon + math.degrees(math.atan2(y, x)))
