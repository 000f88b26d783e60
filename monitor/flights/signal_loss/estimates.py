"""When a lost aircraft would have arrived and left, and which losses the rules of the approach judge first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.records import Fix
from monitor.flights.places import Place, positions
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.geometry import away_nm, off_deg
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.takeoff_landing import LANDING_BELOW_FT, NEAR_FINAL_NM
from monitor.flights.tracks.phases import HIGH_FT, height_ft

MIN_GROUND = timedelta(minutes=25)
CLIMB_AND_DESCENT = timedelta(minutes=20)
COVERED_NM, COVERED_BELOW_FT = 2.0, HIGH_FT
"""Who is heard so low and near to a field would have been heard landing there."""
_SURE_NM = 90.0
_SLOWEST_KT = 100.0
_DESCENT_NM = 25.0
_EARLY, _LATE = 0.9, 1.2
_BOUND_DEG = 30.0
_OVER_NM = 2.0


@dataclass(frozen=True, slots=True)
class ArrivalEstimate:
    """When a lost aircraft would have arrived: the estimate and its bounds."""

    early: datetime
    at: datetime
    late: datetime


def estimate_arrival(lost: GapEnd, place: Place, performance: Performance) -> ArrivalEstimate:
    """Estimate the arrival at a place from the loss of signal.

    Far out the descent costs ten minutes beyond the flight at cruise; near the field it is under way already.
    """
    away = away_nm(lost, place)
    flight, at = performance.flight(away), lost.fix.at
    descent = CLIMB_AND_DESCENT / 2 * min(1.0, away / _DESCENT_NM)
    speed_kt = lost.fix.ground_speed_kt
    if away < _SURE_NM and speed_kt is not None and _SLOWEST_KT < speed_kt < performance.cruise_kt:
        flight *= performance.cruise_kt / speed_kt
    return ArrivalEstimate(
        at + _EARLY * flight, at + flight + descent, at + _LATE * flight + CLIMB_AND_DESCENT
    )


def estimate_departure(back: GapEnd, place: Place, performance: Performance) -> ArrivalEstimate:
    """Estimate the departure from a place from where the aircraft was heard again; `early` is the earliest."""
    flight = performance.flight(away_nm(back, place))
    at = back.fix.at
    return ArrivalEstimate(
        at - _LATE * flight - CLIMB_AND_DESCENT, at - flight - CLIMB_AND_DESCENT / 2, at - _EARLY * flight
    )


def ground_time(gap: Gap, place: Place, performance: Performance) -> timedelta:
    """Give the time that a closed gap leaves on the ground of a place; it may be negative."""
    assert gap.back is not None
    flown = performance.flight(away_nm(gap.lost, place)) + performance.flight(away_nm(gap.back, place))
    return gap.back.fix.at - gap.lost.fix.at - flown - CLIMB_AND_DESCENT


def approach_side(place: Place, end: Fix) -> tuple[float, float, float, float]:
    """Give the half of the field's surroundings that a flight from there comes over: west, south, east, north (plane).

    Who was heard low on the other side says nothing: hills and distance deafen one side alone.
    """
    x, y = (float(each[0]) for each in place.plane(*positions([end])))
    west, south, east, north = place.bounds
    west, south, east, north = west - COVERED_NM, south - COVERED_NM, east + COVERED_NM, north + COVERED_NM
    if abs(x) >= abs(y):
        return (0.0, south, east, north) if x > 0 else (west, south, 0.0, north)
    return (west, 0.0, east, north) if y > 0 else (west, south, east, 0.0)


def on_approach(lost: GapEnd, places: Sequence[Place]) -> bool:
    """Whether a signal was lost so low and near a place, and bound for it, that the approach itself is judged."""
    lat, lon = positions([lost.fix])
    return any(
        place.near(lat, lon, NEAR_FINAL_NM)[0]
        and (height := height_ft(lost.fix, place)) is not None
        and height < LANDING_BELOW_FT
        and _is_bound(lost, place)
        for place in places
    )


def _is_bound(lost: GapEnd, place: Place) -> bool:
    off = off_deg(lost, place, outbound=False)
    return off is None or off <= _BOUND_DEG or away_nm(lost, place) <= _OVER_NM
