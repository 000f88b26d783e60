"""The part of the sky that a poll asked about: an aircraft that flies out of it has not fallen silent."""

from datetime import timedelta

from monitor.flights.geodesy import SECONDS_PER_HOUR, destination, great_circle_nm
from monitor.flights.signal_loss.gaps import End
from monitor.flights.signal_loss.performance import Performance

_FULL_TURN_DEG = 360.0
_LITTLE = timedelta(minutes=2)


def flies_out(lost: End, scope: str, performance: Performance, within: timedelta) -> bool:
    """Whether an aircraft that flew on as before would have left the asked area in this time.

    `scope` is a poll's: `circle:LAT,LON,NM` or `box:SOUTH,WEST,NORTH,EAST`; any other has no edge.
    """
    if lost.course_deg is None:
        return False
    speed_kt = lost.fix.ground_speed_kt or performance.cruise_kt
    way_nm = speed_kt * within.total_seconds() / SECONDS_PER_HOUR
    return not asks_about(scope, *destination(lost.fix.lat, lost.fix.lon, lost.course_deg, way_nm))


def flew_in(first: End, scope: str, performance: Performance) -> bool:
    """Whether an aircraft first heard there may have come into the asked area a little before."""
    if first.course_deg is None:
        return False
    speed_kt = first.fix.ground_speed_kt or performance.cruise_kt
    way_nm = speed_kt * _LITTLE.total_seconds() / SECONDS_PER_HOUR
    return not asks_about(scope, *destination(first.fix.lat, first.fix.lon, first.course_deg, -way_nm))


def asks_about(scope: str, lat: float, lon: float) -> bool:
    """Whether a position lies in the area that a poll asked about."""
    kind, _, text = scope.partition(":")
    numbers = [float(part) for part in text.split(",")] if text and kind in {"circle", "box"} else []
    if kind == "circle" and numbers:
        return great_circle_nm(numbers[0], numbers[1], lat, lon) <= numbers[2]
    if kind == "box" and numbers:
        south, west, north, east = numbers
        return south <= lat <= north and (lon - west) % _FULL_TURN_DEG <= (east - west) % _FULL_TURN_DEG
    return True
