"""How an end of a gap lies to places: distance, course, height and climb."""

import math

import numpy as np

from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.sites.geodesy import Floats, course_deg, courses_deg, great_circle_nm, turn_deg, wrap_longitudes

TERMINAL_NM = 45.0
"""Nearer than this to its field an aircraft flies where controllers and procedures send it, not straight in."""
_FAR_DEG, _NEAR_DEG = 8.0, 10.0
"""How far courses stray from the direct way: far out, and what distance adds (at 54 NM, less the farther away)."""
_OUT_SHARE = 0.6
"""Who has left is soon on course: on the way out they stray by so much of that on the way in."""
_NEAR_NM_OF = 54.0
_ANY_COURSE, _ANY_COURSE_FAR = 0.45, 0.1
"""So many of those near their field fly any course, as on the downwind leg of an approach, and of those far from it."""
_ANY_WITHIN_NM = 20.0
_CIRCLE_DEG = 360.0
GLIDE_FT_PER_NM = 318.0
"""A path of 3°, on which airliners come down and above which most climb out."""
STEEP_DESCENT_FPM = 300.0
LOW_FT = 6_000.0
"""So low level flight is no sign of flying on."""
FITS, _LEAST = 4.0, 0.1
"""A descent that fits the way to a place is of a flight there so many times rather than of any."""
LEVEL_SHARE = 0.5
"""Level flight says so much less."""
_USUAL, _FARTHER, _NEARER = 1.2, 0.35, 0.9
"""The usual distance as a share of that on which the height is lost, and how far (in logarithms) it varies."""
_SLACK_FT, _SLACK_NM = 500.0, 10.0
_BEGUN, _LATE = 0.9, 0.25
_NOT_DOWN = 0.03
CLIMBS_NEAR, _CLIMBS, _CLIMBS_FAR = 0.05, 0.25, 0.5
"""Who climbs is bound for a place so near, or farther and far away, by so much less."""
_NEAR_NM, _FAR_NM = 80.0, 200.0


def away_nm(end: GapEnd, place: Place) -> float:
    """Give the distance to the middle of a place."""
    return great_circle_nm(end.fix.lat, end.fix.lon, place.lat, place.lon)


def off_deg(end: GapEnd, place: Place, *, outbound: bool) -> float | None:
    """Give the angle between the track and the direction to the place, or from it; None where no course is known."""
    if end.course_deg is None:
        return None
    to_place = course_deg(end.fix.lat, end.fix.lon, place.lat, place.lon)
    return round(turn_deg(end.course_deg, (to_place + 180) % 360 if outbound else to_place), 1)


def course_ratio(off_deg: Floats, away_nm: Floats, *, outbound: bool) -> Floats:
    """Say how many times likelier a course so far off the direct one is of a flight to a place than of any flight.

    Student's t with two degrees of freedom, for airways bend, and a share that flies any course; the spread was set on the
    courses of real flights (the first half of the recording around Paris, up to 40 NM), farther out it is judgement.
    """
    away = np.maximum(away_nm, 1.0)
    spread = (_FAR_DEG + _NEAR_DEG * _NEAR_NM_OF / np.maximum(away, _ANY_WITHIN_NM)) * (
        _OUT_SHARE if outbound else 1.0
    )
    z, most = off_deg / spread, _CIRCLE_DEG / 2 / spread
    within = most / np.sqrt(2 + most**2)
    straight = _CIRCLE_DEG / (2 * math.sqrt(2) * spread) * (1 + z**2 / 2) ** -1.5 / within
    near = np.clip((TERMINAL_NM - away) / (TERMINAL_NM - _ANY_WITHIN_NM), 0.0, 1.0)
    any_course = _ANY_COURSE_FAR + (_ANY_COURSE - _ANY_COURSE_FAR) * near
    ratio: Floats = (1 - any_course) * straight + any_course
    return ratio


def courses_off_deg(end: GapEnd, lat: Floats, lon: Floats, *, outbound: bool) -> Floats | None:
    """Give the angles between the track and the directions to places, or from them; None where no course is known."""
    if end.course_deg is None:
        return None
    to = courses_deg(end.fix.lat, end.fix.lon, lat, lon)
    off: Floats = np.abs(wrap_longitudes((to + 180 if outbound else to) - end.course_deg))
    return off


def vertical_ratio(end: GapEnd, elevation_ft: Floats, away_nm: Floats, *, outbound: bool) -> Floats:
    """Weigh height and rate of climb: above 1 where they are those of a flight there, below 1 where they are not.

    A flight comes down about 3° before its field and climbs away from it. Who is past the point where the descent
    begins and still level will fly on; who climbs so near has just left another field. Outbound is the mirror image.
    An elevation that is not known (NaN) says nothing.
    """
    sinking = (end.rate_fpm or 0.0) * (1 if outbound else -1)
    if sinking < -STEEP_DESCENT_FPM:
        return np.where(
            away_nm < _NEAR_NM, CLIMBS_NEAR, np.where(away_nm < _FAR_NM, _CLIMBS, _CLIMBS_FAR)
        ).astype(np.float64)
    altitude = end.fix.altitude_ft if end.fix.altitude_ft is not None else end.fix.altitude_geom_ft
    if altitude is None or end.rate_fpm is None:
        return np.ones_like(away_nm)
    height = np.maximum(0.0, altitude - elevation_ft)
    coming_down = _descending(away_nm, height)
    if sinking <= STEEP_DESCENT_FPM:
        coming_down = np.where(height < LOW_FT, LEVEL_SHARE * coming_down, _level(away_nm, height))
    return np.where(np.isnan(height), 1.0, coming_down)


def _descending(away: Floats, height_ft: Floats) -> Floats:
    """Weigh a descent by how far the place is against the way on which that height is lost at 3°.

    Few begin so early that a long way is left below the path; many fly a longer way than the straight one.
    """
    ratio = np.maximum(away, 1.0) / ((height_ft + _SLACK_FT) / GLIDE_FT_PER_NM)
    off = np.log(ratio / _USUAL)
    found: Floats = np.maximum(
        _LEAST, FITS * np.exp(-((off / np.where(off > 0, _FARTHER, _NEARER)) ** 2) / 2)
    )
    return found


def _level(away: Floats, height_ft: Floats) -> Floats:
    """Weigh level flight: past the point where the descent begins it says that the flight goes on."""
    ratio = away / (height_ft / GLIDE_FT_PER_NM + _SLACK_NM)
    share = np.clip((ratio - _LATE) / (_BEGUN - _LATE), 0.0, 1.0)
    found: Floats = np.exp((1 - share) * math.log(_NOT_DOWN))
    return found
