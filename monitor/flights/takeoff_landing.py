"""The two ends of a flight that no ground report confirms: lost on the approach, first heard on the climb."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import shapely

from db.records import Fix
from monitor.flights.places import Place, positions
from monitor.flights.tracks.kinematics import seconds_between
from monitor.flights.tracks.phases import HIGH_FT, Phase, PhasedReport
from monitor.sites.geodesy import SECONDS_PER_HOUR, wrap_longitude

NEAR_FINAL_NM = 5.0
LANDING_BELOW_FT = 5000.0
TAKEOFF_BELOW_FT = HIGH_FT
DESCENT_FPM = 200.0
CLIMB_FPM = 257.0
SLOW_KT = 250.0
TAKEOFF_KT = 30.0
_HOVER_KT, _DOWN_FT = 40.0, 200.0
_TAIL_S = 120.0
FIRST_FIXES_S = 60.0
_MIN_HEAD_S = 30.0
_MIN_REPORTS = 3
_RATES = 5
# On a path of 3° an altimeter setting 20 hPa off standard moves the touchdown by this much.
_REACH_SLACK_NM = 2.0
_SIDE_SLACK_NM = 0.4
_RAY_NM = NEAR_FINAL_NM + 5.0


@dataclass(frozen=True, slots=True)
class FlightEnd:
    """The end of a flight at a place: the report nearest to the runway, and how well it points there."""

    place: Place
    fix: Fix
    distance_nm: float
    miss_nm: float


def find_landing(track: Sequence[PhasedReport], places: Sequence[Place]) -> FlightEnd | None:
    """Find where a track that fell silent was landing: low, slow, descending, pointed at a place within 5 NM.

    After the landing rules of the traffic library and adsbtrack. A track that ends at cruise has no place.
    """
    flown = [step for step in track if step.phase is Phase.AIR]
    if not flown:
        return None
    rest = [step for step in track if step.fix.at > flown[-1].fix.at]
    for step in rest:
        if step.phase in {Phase.ROLLING, Phase.GROUND} and step.place is not None:
            return FlightEnd(step.place, step.fix, 0.0, 0.0)
    if rest and (place := rest[-1].place) is not None:
        down = list(takewhile(lambda step: _is_down(step, place), reversed(rest)))
        if down:
            return FlightEnd(place, down[-1].fix, 0.0, 0.0)
    tail = [step for step in track if 0 <= seconds_between(step.fix, flown[-1].fix) <= _TAIL_S]
    return _best(_landing_at(place, tail) for place in places) if len(tail) >= _MIN_REPORTS else None


def find_takeoff(
    segment: Sequence[PhasedReport], places: Sequence[Place], *, below_ft: float = TAKEOFF_BELOW_FT
) -> FlightEnd | None:
    """Find where a track that began after silence had taken off: first fixes low, climbing, away from a place.

    After the take-off rule of the traffic library: within 5 NM, below 1,500 ft, climbing, above 30 kt.
    """
    head = list(takewhile(lambda step: seconds_between(segment[0].fix, step.fix) <= FIRST_FIXES_S, segment))
    flown = [step for step in head if step.phase is Phase.AIR]
    if not flown or seconds_between(head[0].fix, head[-1].fix) < _MIN_HEAD_S:
        return None
    ground = [step for step in head if step.phase in {Phase.GROUND, Phase.ROLLING}]
    if not ground:
        return _best(_takeoff_at(place, head, below_ft) for place in places)
    # One report from the runway, then the climb: too little for a stay, enough for a take-off.
    last = ground[-1]
    if last.place in places and last.fix.at < flown[0].fix.at and len(flown) >= _MIN_REPORTS:
        return FlightEnd(last.place, flown[0].fix, 0.0, 0.0) if last.place is not None else None
    return None


def may_have_taken_off(first: PhasedReport, places: Sequence[Place]) -> bool:
    """Whether a track that begins here is worth a closer look: near a place and not known to be high."""
    lat, lon = positions([first.fix])
    for place in places:
        height = first.height_ft(place)
        if (height is None or height < TAKEOFF_BELOW_FT) and place.near(lat, lon, NEAR_FINAL_NM)[0]:
            return True
    return False


def _is_down(step: PhasedReport, place: Place) -> bool:
    """Whether an aircraft that never reports from the ground ended on it: over the field, no higher, hardly moving."""
    height = step.height_ft(place) if step.place is place else None
    slow = step.speed_kt is not None and step.speed_kt < _HOVER_KT
    return slow and height is not None and abs(height) < _DOWN_FT


def _landing_at(place: Place, tail: Sequence[PhasedReport]) -> FlightEnd | None:
    end = tail[-1]
    height = next((found for step in reversed(tail) if (found := step.height_ft(place)) is not None), None)
    rate = _rate_fpm(tail, place)
    if height is None or rate is None or height >= LANDING_BELOW_FT or not _sinking(tail, rate):
        return None
    if end.speed_kt is None or end.speed_kt >= SLOW_KT:
        return None
    to_touchdown_nm = _run_nm(height, min(rate, -DESCENT_FPM), end.speed_kt)
    return _edge(place, end.fix, _heading(tail), to_touchdown_nm)


def _takeoff_at(place: Place, head: Sequence[PhasedReport], below_ft: float) -> FlightEnd | None:
    height = next((found for step in head if (found := step.height_ft(place)) is not None), None)
    rate = _rate_fpm(head, place)
    speed = head[-1].speed_kt
    if height is None or rate is None or speed is None:
        return None
    if height >= below_ft or rate <= CLIMB_FPM or speed <= TAKEOFF_KT:
        return None
    x, y = _heading(head)
    return _edge(place, head[0].fix, (-x, -y), _run_nm(height, rate, speed))


def _edge(place: Place, fix: Fix, heading: tuple[float, float], run_nm: float) -> FlightEnd | None:
    """Compare where the path meets the field's height with where it crosses the place."""
    lat, lon = np.array([fix.lat]), np.array([fix.lon])
    distance = float(place.distance_nm(lat, lon)[0])
    if distance > NEAR_FINAL_NM or heading == (0.0, 0.0):
        return None
    x, y = place.plane(lat, lon)
    start = np.array([x[0], y[0]])
    ray = shapely.LineString([start, start + np.array(heading) * _RAY_NM])
    crossing = ray.intersection(place.outline.buffer(_SIDE_SLACK_NM))
    if crossing.is_empty:
        return None
    along = [float(np.hypot(*(np.array(point) - start))) for point in shapely.get_coordinates(crossing)]
    miss = max(0.0, min(along) - run_nm, run_nm - max(along))
    return FlightEnd(place, fix, distance, miss) if miss <= _REACH_SLACK_NM else None


def _best(edges: Iterator[FlightEnd | None]) -> FlightEnd | None:
    found = [edge for edge in edges if edge is not None]
    return min(found, key=lambda edge: (edge.miss_nm, edge.distance_nm)) if found else None


def _run_nm(height_ft: float, rate_fpm: float, speed_kt: float) -> float:
    """Give the distance flown while the height is lost, or since it was gained."""
    minutes = max(0.0, height_ft) / abs(rate_fpm)
    return minutes * 60 * speed_kt / SECONDS_PER_HOUR


def _rate_fpm(steps: Sequence[PhasedReport], place: Place) -> float | None:
    """Give the mean rate of climb over these steps from their altitudes, else from the rates reported."""
    known = [(step.fix, height) for step in steps if (height := step.height_ft(place)) is not None]
    if len(known) > 1 and (seconds := seconds_between(known[0][0], known[-1][0])) > 0:
        return (known[-1][1] - known[0][1]) / seconds * 60
    rates = [step.fix.vertical_rate_fpm for step in steps if step.fix.vertical_rate_fpm is not None]
    return sum(rates) / len(rates) if rates else None


def _sinking(tail: Sequence[PhasedReport], rate_fpm: float) -> bool:
    rates = [step.fix.vertical_rate_fpm for step in tail if step.fix.vertical_rate_fpm is not None][-_RATES:]
    steady = sum(rate <= -DESCENT_FPM for rate in rates) >= _MIN_REPORTS
    return rate_fpm <= -DESCENT_FPM or (steady and rate_fpm < 0)


def _heading(steps: Sequence[PhasedReport]) -> tuple[float, float]:
    """Give the direction of flight as a unit vector (east, north), from up to a minute of movement."""
    last = steps[-1].fix
    base = next((step.fix for step in steps if seconds_between(step.fix, last) <= FIRST_FIXES_S), last)
    east = wrap_longitude(last.lon - base.lon)
    vector = np.array([east * np.cos(np.radians(last.lat)), last.lat - base.lat])
    length = float(np.hypot(*vector))
    return (float(vector[0] / length), float(vector[1] / length)) if length else (0.0, 0.0)
