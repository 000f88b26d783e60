"""Where a track points: how far an end of a gap is from a place, and whether its course leads there."""

import math

from monitor.flights.geodesy import course_deg, great_circle_nm, turn_deg
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import End

TERMINAL_NM = 45.0
"""Nearer than this to its field an aircraft flies where controllers and procedures send it, not straight in."""
_SPREAD_DEG = 12.0
_SPREADS = 2.5
_WIDEST_DEG = 144.0
"""So wide that the course says nothing."""
_WIDENING = 1.3
_TURNED = 0.1
"""So many of those near their field fly any course, as on the downwind leg of an approach."""


def away_nm(end: End, place: Place) -> float:
    """Give the distance to the middle of a place."""
    return great_circle_nm(end.fix.lat, end.fix.lon, place.lat, place.lon)


def off_deg(end: End, place: Place, *, outbound: bool) -> float | None:
    """Give the angle between the track and the direction to the place, or from it; None where no course is known."""
    if end.course_deg is None:
        return None
    to_place = course_deg(end.fix.lat, end.fix.lon, place.lat, place.lon)
    return round(turn_deg(end.course_deg, (to_place + 180) % 360 if outbound else to_place), 1)


def leads_to(lost: End, place: Place) -> bool:
    """Whether the track at the loss may lead to a place: within 30°, and more the nearer it is."""
    return _agrees(lost, place, outbound=False)


def may_lead_to(lost: End, place: Place) -> bool:
    """Whether a place must be weighed: where the track leads, and every field near by, as whoever lands there may turn."""
    return leads_to(lost, place) or away_nm(lost, place) <= TERMINAL_NM


def points_along(end: End, place: Place, *, outbound: bool) -> bool:
    """Whether the track leads straight to a place, or from it: within 30°, however near it is."""
    off = off_deg(end, place, outbound=outbound)
    return off is not None and off <= _SPREADS * _SPREAD_DEG


def comes_from(back: End, place: Place) -> bool:
    """Whether the track at re-emergence may come from a place."""
    return _agrees(back, place, outbound=True)


def fit(end: End, place: Place, *, outbound: bool) -> float:
    """Weigh the course: 1 straight from afar; near the field, where any course occurs, it proves less either way."""
    away = away_nm(end, place)
    off, spread = off_deg(end, place, outbound=outbound), _spread_deg(away)
    anywhere = math.sqrt(_SPREAD_DEG / _WIDEST_DEG)
    if off is None or spread >= _WIDEST_DEG:
        return anywhere
    straight = math.sqrt(_SPREAD_DEG / spread) * math.exp(-((off / spread) ** 2) / 2)
    return straight if away > TERMINAL_NM else (1 - _TURNED) * straight + _TURNED * anywhere


def _agrees(end: End, place: Place, *, outbound: bool) -> bool:
    off, spread = off_deg(end, place, outbound=outbound), _spread_deg(away_nm(end, place))
    if off is None:
        return spread >= _WIDEST_DEG
    return off <= _SPREADS * spread


def _spread_deg(away: float) -> float:
    if away <= 0:
        return _WIDEST_DEG
    wider: float = max(1.0, TERMINAL_NM / away) ** _WIDENING
    return min(_WIDEST_DEG, _SPREAD_DEG * wider)
