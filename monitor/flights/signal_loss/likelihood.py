"""How well an end of a gap fits a place: distance, course, height and climb, and the way to a runway."""

import math

import numpy as np

from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.flights.tracks.phases import height_ft
from monitor.sites.geodesy import course_deg, great_circle_nm, turn_deg

TERMINAL_NM = 45.0
"""Nearer than this to its field an aircraft flies where controllers and procedures send it, not straight in."""
_SPREAD_DEG = 12.0
_SPREADS = 2.5
_WIDEST_DEG = 144.0
"""So wide that the course says nothing."""
_WIDENING = 1.3
_TURNED = 0.1
"""So many of those near their field fly any course, as on the downwind leg of an approach."""
GLIDE_FT_PER_NM = 318.0
"""A path of 3°, on which airliners come down and above which most climb out."""
STEEP_DESCENT_FPM = 300.0
_LOW_FT = 6_000.0
_FITS, _LEAST = 4.0, 0.1
_LEVEL_SHARE = 0.5
_USUAL, _FARTHER, _NEARER = 1.2, 0.35, 0.9
"""The usual distance as a share of that on which the height is lost, and how far (in logarithms) it varies."""
_SLACK_FT, _SLACK_NM = 500.0, 10.0
_PATH_FT, _UNDER_PATH, _ABOVE_PATH = 150.0, 0.35, 0.25
_BEGUN, _LATE = 0.9, 0.25
_NOT_DOWN = 0.03
_CLIMBS_NEAR, _CLIMBS, _CLIMBS_FAR = 0.05, 0.25, 0.5
_NEAR_NM, _FAR_NM = 80.0, 200.0
FINAL_NM = 12.0
"""Nearer than this who will land has turned to the runway."""
_REACH_NM = 25.0
_JOIN_NM = 12.0
_FINAL_FROM_NM, _FINAL_TO_NM = 2.0, 18.0
_WITHIN_DEG = 12.0
_JOINS_DEG = 110.0
_BESIDE_NM = 1.0
Point = tuple[float, float]


def away_nm(end: GapEnd, place: Place) -> float:
    """Give the distance to the middle of a place."""
    return great_circle_nm(end.fix.lat, end.fix.lon, place.lat, place.lon)


def off_deg(end: GapEnd, place: Place, *, outbound: bool) -> float | None:
    """Give the angle between the track and the direction to the place, or from it; None where no course is known."""
    if end.course_deg is None:
        return None
    to_place = course_deg(end.fix.lat, end.fix.lon, place.lat, place.lon)
    return round(turn_deg(end.course_deg, (to_place + 180) % 360 if outbound else to_place), 1)


def leads_to(lost: GapEnd, place: Place) -> bool:
    """Whether the track at the loss may lead to a place: within 30°, and more the nearer it is."""
    return _agrees(lost, place, outbound=False)


def may_lead_to(lost: GapEnd, place: Place) -> bool:
    """Whether a place must be weighed: where the track leads, and every field near by, as whoever lands there may turn."""
    return leads_to(lost, place) or away_nm(lost, place) <= TERMINAL_NM


def points_along(end: GapEnd, place: Place, *, outbound: bool) -> bool:
    """Whether the track leads straight to a place, or from it: within 30°, however near it is."""
    off = off_deg(end, place, outbound=outbound)
    return off is not None and off <= _SPREADS * _SPREAD_DEG


def comes_from(back: GapEnd, place: Place) -> bool:
    """Whether the track at re-emergence may come from a place."""
    return _agrees(back, place, outbound=True)


def course_likelihood(end: GapEnd, place: Place, *, outbound: bool) -> float:
    """Weigh the course: 1 straight from afar; near the field, where any course occurs, it proves less either way."""
    away = away_nm(end, place)
    off, spread = off_deg(end, place, outbound=outbound), _spread_deg(away)
    anywhere = math.sqrt(_SPREAD_DEG / _WIDEST_DEG)
    if off is None or spread >= _WIDEST_DEG:
        return anywhere
    straight = math.sqrt(_SPREAD_DEG / spread) * math.exp(-((off / spread) ** 2) / 2)
    return straight if away > TERMINAL_NM else (1 - _TURNED) * straight + _TURNED * anywhere


def _agrees(end: GapEnd, place: Place, *, outbound: bool) -> bool:
    off, spread = off_deg(end, place, outbound=outbound), _spread_deg(away_nm(end, place))
    if off is None:
        return spread >= _WIDEST_DEG
    return off <= _SPREADS * spread


def _spread_deg(away: float) -> float:
    if away <= 0:
        return _WIDEST_DEG
    wider: float = max(1.0, TERMINAL_NM / away) ** _WIDENING
    return min(_WIDEST_DEG, _SPREAD_DEG * wider)


def vertical_likelihood(end: GapEnd, place: Place, *, outbound: bool) -> float:
    """Weigh height and rate of climb: above 1 where they are those of a flight there, below 1 where they are not.

    A flight comes down about 3° before its field and climbs away from it. Who is past the point where the descent
    begins and still level will fly on; who climbs so near has just left another field. Outbound is the mirror image.
    """
    height, away = height_ft(end.fix, place), away_nm(end, place)
    sinking = (end.rate_fpm or 0.0) * (1 if outbound else -1)
    if sinking < -STEEP_DESCENT_FPM:
        return _CLIMBS_NEAR if away < _NEAR_NM else _CLIMBS if away < _FAR_NM else _CLIMBS_FAR
    if height is None or end.rate_fpm is None:
        return 1.0
    if sinking > STEEP_DESCENT_FPM:
        return _descending(away, height)
    return _LEVEL_SHARE * _descending(away, height) if height < _LOW_FT else _level(away, height)


def glide_path_likelihood(way_nm: float, height_ft: float) -> float:
    """Weigh a height by the way that is left to a runway: 1 on a path of 3°, less above it and far below it."""
    ratio = max(way_nm, 1.0) / ((max(0.0, height_ft) + _PATH_FT) / GLIDE_FT_PER_NM)
    off = math.log(ratio)
    return math.exp(-((off / (_UNDER_PATH if off > 0 else _ABOVE_PATH)) ** 2) / 2)


def _descending(away: float, height_ft: float) -> float:
    """Weigh a descent by how far the place is against the way on which that height is lost at 3°.

    Few begin so early that a long way is left below the path; many fly a longer way than the straight one.
    """
    ratio = max(away, 1.0) / ((max(0.0, height_ft) + _SLACK_FT) / GLIDE_FT_PER_NM)
    off = math.log(ratio / _USUAL)
    return max(_LEAST, _FITS * math.exp(-((off / (_FARTHER if off > 0 else _NEARER)) ** 2) / 2))


def _level(away: float, height_ft: float) -> float:
    """Weigh level flight: past the point where the descent begins it says that the flight goes on."""
    ratio = away / (height_ft / GLIDE_FT_PER_NM + _SLACK_NM)
    if ratio >= _BEGUN:
        return 1.0
    share = max(0.0, (ratio - _LATE) / (_BEGUN - _LATE))
    return math.exp((1 - share) * math.log(_NOT_DOWN))


def way_to_runway_nm(lost: GapEnd, place: Place) -> float | None:
    """Give the way to the nearest threshold along an extended centreline that the track is on or leads across.

    None where no runway is known, or none can be reached so: see `knows_runways`.
    """
    if lost.course_deg is None:
        return None
    turned = math.radians(lost.course_deg)
    here, flown = _in_plane(lost.fix.lon, lost.fix.lat, place), (math.sin(turned), math.cos(turned))
    ways = [_way(here, flown, near, far) for near, far in _directions(place)]
    return min((way for way in ways if way is not None), default=None)


def is_on_final(lost: GapEnd, place: Place) -> bool:
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
