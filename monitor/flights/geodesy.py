"""Distances, bearings and speeds on the sphere, in nautical miles, degrees and knots."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.records import Fix

EARTH_RADIUS_NM = 3440.065
SECONDS_PER_HOUR = 3600.0


def great_circle_nm(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Give the great-circle distance (haversine)."""
    north, east = math.radians(lat_b - lat_a) / 2, math.radians(lon_b - lon_a) / 2
    both = math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b))
    half_chord = math.sin(north) ** 2 + both * math.sin(east) ** 2
    return 2 * EARTH_RADIUS_NM * math.asin(min(1.0, math.sqrt(half_chord)))


def seconds_between(earlier: Fix, later: Fix) -> float:
    """Give the time from one report to the other."""
    return (later.at - earlier.at).total_seconds()


def apart_nm(one: Fix, other: Fix) -> float:
    """Give the distance between two reports."""
    return great_circle_nm(one.lat, one.lon, other.lat, other.lon)


def steps_nm(fixes: Sequence[Fix]) -> NDArray[np.float64]:
    """Give the distance of each report from the one before it; one fewer than there are reports."""
    lat = np.radians([fix.lat for fix in fixes])
    lon = np.radians([fix.lon for fix in fixes])
    north, east = np.diff(lat) / 2, np.diff(lon) / 2
    half_chord = np.sin(north) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(east) ** 2
    steps: NDArray[np.float64] = 2 * EARTH_RADIUS_NM * np.arcsin(np.minimum(1.0, np.sqrt(half_chord)))
    return steps


def steps_s(fixes: Sequence[Fix]) -> NDArray[np.float64]:
    """Give the time of each report after the one before it; one fewer than there are reports."""
    times = np.array([fix.at.timestamp() for fix in fixes], dtype=np.float64)
    return np.diff(times)


def course_deg(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Give the initial true course of the great circle from one position to another."""
    east = math.radians(lon_b - lon_a)
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    y = math.sin(east) * math.cos(phi_b)
    x = math.cos(phi_a) * math.sin(phi_b) - math.sin(phi_a) * math.cos(phi_b) * math.cos(east)
    return math.degrees(math.atan2(y, x)) % 360


def turn_deg(one_deg: float, other_deg: float) -> float:
    """Give the angle between two courses, 0 to 180."""
    return abs((one_deg - other_deg + 180) % 360 - 180)


def destination(lat: float, lon: float, course: float, distance_nm: float) -> tuple[float, float]:
    """Give where one comes to on a great circle; a negative distance goes back."""
    angle, turn, phi = distance_nm / EARTH_RADIUS_NM, math.radians(course), math.radians(lat)
    there = math.asin(math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(turn))
    east = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(phi), math.cos(angle) - math.sin(phi) * math.sin(there)
    )
    return math.degrees(there), (lon + math.degrees(east) + 180) % 360 - 180
