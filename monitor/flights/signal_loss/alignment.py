"""The way to a runway: whether an aircraft that was lost near a field was on its final approach or about to join it."""

import math

import numpy as np

from monitor.flights.geodesy import turn_deg
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import End

FINAL_NM = 12.0
"""Nearer than this who will land has turned to the runway."""
_REACH_NM = 25.0
_JOIN_NM = 12.0
_FINAL_FROM_NM, _FINAL_TO_NM = 2.0, 18.0
_WITHIN_DEG = 12.0
_JOINS_DEG = 110.0
_BESIDE_NM = 1.0

Point = tuple[float, float]


def way_to_runway_nm(lost: End, place: Place) -> float | None:
    """Give the way to the nearest threshold along an extended centreline that the track is on or leads across.

    None where no runway is known, or none can be reached so: see `knows_runways`.
    """
    if lost.course_deg is None:
        return None
    turned = math.radians(lost.course_deg)
    here, flown = _in_plane(lost.fix.lon, lost.fix.lat, place), (math.sin(turned), math.cos(turned))
    ways = [_way(here, flown, near, far) for near, far in _directions(place)]
    return min((way for way in ways if way is not None), default=None)


def is_on_final(lost: End, place: Place) -> bool:
    """Whether the track leads along the extended centreline of a runway, not only across it."""
    if lost.course_deg is None:
        return False
    here = _in_plane(lost.fix.lon, lost.fix.lat, place)
    return any(
        turn_deg(lost.course_deg, _course_deg(near, far)) <= _WITHIN_DEG
        and 0 < (frame := _frame(here, near, far))[0] <= _REACH_NM
        and abs(frame[1]) <= _BESIDE_NM
        for near, far in _directions(place)
    )


def knows_runways(place: Place) -> bool:
    """Whether the sites file gives the ends of any runway."""
    return any(runway.get("ends") for runway in place.site.runways)


def _way(here: Point, flown: Point, near: Point, far: Point) -> float | None:
    """Give the way to the near end in the direction of the far end, straight in or by joining the final approach."""
    before, beside = _frame(here, near, far)
    landing_deg, flown_deg = _course_deg(near, far), math.degrees(math.atan2(*flown))
    turn = turn_deg(flown_deg, landing_deg)
    if turn <= _WITHIN_DEG and 0 < before <= _REACH_NM and abs(beside) <= _BESIDE_NM:
        return before
    angle = math.radians(flown_deg - landing_deg)
    if turn > _JOINS_DEG or math.sin(angle) == 0:
        return None
    until = -beside / math.sin(angle)
    joins = before - until * math.cos(angle)
    if 0 <= until <= _JOIN_NM and _FINAL_FROM_NM <= joins <= _FINAL_TO_NM:
        return until + joins
    return None


def _frame(here: Point, near: Point, far: Point) -> tuple[float, float]:
    """Give how far a position is before the near end of a runway, and how far to the right of its centreline."""
    length = math.dist(near, far)
    east, north = (far[0] - near[0]) / length, (far[1] - near[1]) / length
    x, y = here[0] - near[0], here[1] - near[1]
    return -(x * east + y * north), x * north - y * east


def _course_deg(near: Point, far: Point) -> float:
    return math.degrees(math.atan2(far[0] - near[0], far[1] - near[1])) % 360


def _directions(place: Place) -> list[tuple[Point, Point]]:
    pairs = [runway["ends"] for runway in place.site.runways if runway.get("ends")]
    ends = [(_in_plane(a[0], a[1], place), _in_plane(b[0], b[1], place)) for a, b in pairs]
    return [way for first, second in ends if first != second for way in ((first, second), (second, first))]


def _in_plane(lon: float, lat: float, place: Place) -> Point:
    x, y = place.plane(np.array([lat]), np.array([lon]))
    return float(x[0]), float(y[0])
