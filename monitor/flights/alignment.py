"""Whether an aircraft that was lost near a field was lined up with one of its runways."""

import math

from monitor.flights.gaps import End
from monitor.flights.geodesy import course_deg, great_circle_nm, turn_deg
from monitor.flights.matching import Place

FINAL_NM = 12.0
"""Nearer than this who will land has turned to the runway."""
_REACH_NM = 25.0
_WITHIN_DEG = 12.0
_BESIDE_NM = 1.0


def lined_up(lost: End, place: Place) -> bool | None:
    """Say whether the track leads along the extended centreline of a runway; None where that cannot be told."""
    ends = [runway["ends"] for runway in place.site.runways if runway.get("ends")]
    if not ends or lost.course_deg is None:
        return None
    return any(
        _on_line(lost, lost.course_deg, near, far)
        for first, second in ends
        for near, far in ((first, second), (second, first))
    )


def _on_line(lost: End, flown_deg: float, near: list[float], far: list[float]) -> bool:
    """Whether the track leads to the near end of a runway in the direction of its far end."""
    runway_deg = course_deg(near[1], near[0], far[1], far[0])
    away = great_circle_nm(lost.fix.lat, lost.fix.lon, near[1], near[0])
    to_runway = course_deg(lost.fix.lat, lost.fix.lon, near[1], near[0])
    off = turn_deg(to_runway, runway_deg)
    return (
        away <= _REACH_NM
        and turn_deg(flown_deg, runway_deg) <= _WITHIN_DEG
        and away * math.sin(math.radians(min(off, 90.0))) <= _BESIDE_NM
    )
