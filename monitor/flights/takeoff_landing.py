"""The two ends of a flight that no ground report confirms: lost on the approach, first heard on the climb.

Distances and heights are those at the last (or first) report, which lies up to one delivered interval before (or after) the
place where the feed goes deaf: so all limits grow with that interval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import takewhile

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from db.records import Fix
from monitor.flights.places import Place, positions
from monitor.flights.tracks.cadence import SLOW_S
from monitor.flights.tracks.ground import PRESSURE_FT, height_above
from monitor.flights.tracks.kinematics import seconds_between
from monitor.flights.tracks.phases import CLEARLY_ABOVE_FT, Phase, PhasedReport
from monitor.sites.geodesy import SECONDS_PER_HOUR, wrap_longitude

NEAR_FINAL_NM = 5.0
LANDING_BELOW_FT = 5000.0
TAKEOFF_BELOW_FT = 5000.0
DESCENT_FPM = 200.0
CLIMB_FPM = 257.0
SLOW_KT = 250.0
TAKEOFF_KT = 30.0
FIRST_FIXES_S = 60.0
KNOWN_TO_S = 60.0
"""A time that is known as well as this is told as heard; a wider one is reckoned from speed and distance."""
_HIGHEST_FIRST_FT = 10_000.0
_FURTHEST_FIRST_NM = 30.0
_TAIL_S = 120.0
_MIN_HEAD_S = 30.0
_MIN_REPORTS = 3
_RATES = 5
_INTERVALS = 2.5
"""So many delivered intervals hold two reports even where one is late."""
_PATH_FT_A_NM = 318.0
"""A path of 3°."""
# On a path of 3° an altimeter setting 20 hPa off standard moves the touchdown by this much.
_REACH_SLACK_NM = 2.0
_SIDE_SLACK_NM = 0.4
_TURN_NM_A_S = 0.02
"""By so much more it may have turned off the straight way for each second of the interval."""
_ALIGNED_NM, _ALIGNED_COS = 0.3, 0.99
_UNALIGNED_NM = 1.0
_RUNWAY_KT = 140.0
"""About the speed at which jets touch down and lift off: what flies faster comes down to it, or has come from it."""
_CLIMBING_FPM, _SINKING_FPM = 2000.0, 750.0
_TO_THE_RUNWAY_NM = 0.5
"""From the edge of an outline to where wheels meet the ground."""


@dataclass(frozen=True, slots=True)
class FlightEnd:
    """The end of a flight at a place: the report nearest to the runway, and how well it points there."""

    place: Place
    fix: Fix
    distance_nm: float
    miss_nm: float
    at: datetime
    """When it touched down or lifted off: the time of the report, or reckoned from it where that is over a minute away."""
    aligned: bool = True
    """Whether it flies on the line of a runway, or is on the ground."""


@dataclass(frozen=True, slots=True)
class _Crossing:
    """Where the straight way from a report meets a place."""

    distance_nm: float
    nearest_nm: float
    farthest_nm: float
    threshold_nm: float | None
    """How far the end of a runway is on whose line it flies."""

    def miss_nm(self, run_nm: float) -> float:
        """How far the way on which the height is lost or gained ends from the place."""
        miss = max(0.0, self.nearest_nm - run_nm, run_nm - self.farthest_nm)
        return miss if self.threshold_nm is not None else miss + _UNALIGNED_NM * bool(miss)


def find_landing(track: Sequence[PhasedReport], places: Sequence[Place]) -> FlightEnd | None:
    """Find where a track that fell silent was landing: low, slow, descending, pointed at a place.

    After the landing rules of the traffic library and adsbtrack. A track that ends at cruise has no place.
    """
    flown = [step for step in track if step.phase is Phase.AIR]
    if not flown:
        return None
    rest = [step for step in track if step.fix.at > flown[-1].fix.at]
    for step in rest:
        if step.phase in {Phase.ROLLING, Phase.GROUND} and step.place is not None:
            return FlightEnd(
                step.place, step.fix, 0.0, 0.0, touched_down(step.place, flown[-1].fix, step.fix)
            )
    if rest and _is_up(rest[-1], places):
        return None
    interval_s = flown[-1].interval_s
    tail_s = max(_TAIL_S, _INTERVALS * interval_s)
    tail = [step for step in track if 0 <= seconds_between(step.fix, flown[-1].fix) <= tail_s]
    found = (_landing_at(place, tail, interval_s) for place in places)
    return _best(found) if len(tail) >= _least(interval_s) else None


def _is_up(step: PhasedReport, places: Sequence[Place]) -> bool:
    """Whether an aircraft that was heard after its approach hung in the air over a place, however slowly."""
    heights = [height_above(step.fix, place) for place in places if step.place is place]
    return any(height is not None and height.low_ft >= CLEARLY_ABOVE_FT for height in heights)


def _least(interval_s: float) -> int:
    """Give how many reports an approach must have: of one that lasts three minutes a slow feed brings no more."""
    if interval_s < SLOW_S:
        return _MIN_REPORTS
    return _MIN_REPORTS - 1 if interval_s < _TAIL_S else _MIN_REPORTS - 2


def find_takeoff(segment: Sequence[PhasedReport], places: Sequence[Place]) -> FlightEnd | None:
    """Find where a track that began after silence had taken off: first fixes low, climbing, away from a place.

    After the take-off rule of the traffic library, within 5 NM and climbing; how high it may be follows from how
    fast it climbs and how far away it is.
    """
    interval_s = segment[0].interval_s
    head_s = max(FIRST_FIXES_S, _INTERVALS * interval_s)
    head = list(takewhile(lambda step: seconds_between(segment[0].fix, step.fix) <= head_s, segment))
    flown = [step for step in head if step.phase is Phase.AIR]
    if not flown or seconds_between(head[0].fix, head[-1].fix) < _MIN_HEAD_S:
        return None
    if any(step.phase in {Phase.GROUND, Phase.ROLLING} for step in head):
        return None
    found = (_takeoff_at(place, head, interval_s) for place in places)
    return _best(found) if interval_s < SLOW_S else _only(list(found))


def first_fixes_last_s(segment: Sequence[PhasedReport]) -> float:
    """Give for how long after its beginning a track may still tell that it took off."""
    interval_s = segment[0].interval_s
    return 2 * max(FIRST_FIXES_S, _INTERVALS * interval_s)


def may_have_taken_off(first: PhasedReport, places: Sequence[Place]) -> bool:
    """Whether a track that begins here is worth a closer look: near a place and not known to be high."""
    lat, lon = positions([first.fix])
    for place in places:
        height = first.height_ft(place)
        if (height is None or height < _HIGHEST_FIRST_FT) and place.near(lat, lon, _FURTHEST_FIRST_NM)[0]:
            return True
    return False


def touched_down(place: Place, flown: Fix, ground: Fix) -> datetime:
    """Give when it touched down between a report in flight and one from the ground: the latter's time, if that is known to a minute."""
    if seconds_between(flown, ground) <= KNOWN_TO_S:
        return ground.at
    return min(flown.at + timedelta(seconds=round(_seconds_to(place, flown, _SINKING_FPM))), ground.at)


def lifted_off(place: Place, ground: Fix, flown: Fix) -> datetime:
    """Give when it lifted off between a report from the ground and one in flight: the latter's time, if that is known to a minute."""
    if seconds_between(ground, flown) <= KNOWN_TO_S:
        return flown.at
    return max(flown.at - timedelta(seconds=round(_seconds_to(place, flown, _CLIMBING_FPM))), ground.at)


def _seconds_to(place: Place, fix: Fix, fpm: float) -> float:
    """Give the least time between a report in flight and the runway, by way and by height."""
    lat, lon = positions([fix])
    way_nm = float(place.distance_nm(lat, lon)[0]) + _TO_THE_RUNWAY_NM
    height = height_above(fix, place)
    by_height = 0.0 if height is None else max(0.0, height.feet) / fpm * 60
    return max(way_nm / _mean_kt(fix.ground_speed_kt) * SECONDS_PER_HOUR, by_height)


def _mean_kt(speed_kt: float | None) -> float:
    """Give the mean speed between a report and the runway."""
    if speed_kt is None:
        return _RUNWAY_KT
    return (speed_kt + min(speed_kt, _RUNWAY_KT)) / 2 if speed_kt > TAKEOFF_KT else _RUNWAY_KT


def _landing_at(place: Place, tail: Sequence[PhasedReport], interval_s: float) -> FlightEnd | None:
    end = tail[-1]
    height = next((found for step in reversed(tail) if (found := step.height_ft(place)) is not None), None)
    rate = _rate_fpm(tail, place)
    if height is None or rate is None or height >= LANDING_BELOW_FT or not _sinking(tail, rate):
        return None
    if end.speed_kt is None or end.speed_kt >= SLOW_KT:
        return None
    slow = interval_s >= SLOW_S
    run_nm = height / _PATH_FT_A_NM if slow else _run_nm(height, min(rate, -DESCENT_FPM), end.speed_kt)
    near_nm = NEAR_FINAL_NM + end.speed_kt * interval_s / SECONDS_PER_HOUR
    crossing = _crossing(place, end.fix, _heading(tail, slow=slow), near_nm, _SIDE_SLACK_NM)
    if crossing is None:
        return None
    way_nm = min(max(run_nm, crossing.nearest_nm), crossing.farthest_nm)
    if crossing.threshold_nm is not None:
        way_nm = max(crossing.threshold_nm, 0.0)
    return _end(place, end, crossing, run_nm, way_nm)


def _takeoff_at(place: Place, head: Sequence[PhasedReport], interval_s: float) -> FlightEnd | None:
    first = head[0]
    height = next((found for step in head if (found := step.height_ft(place)) is not None), None)
    rate = _rate_fpm(head, place)
    speed = head[-1].speed_kt
    if height is None or rate is None or speed is None or rate <= CLIMB_FPM or speed <= TAKEOFF_KT:
        return None
    slow = interval_s >= SLOW_S
    if slow and first.fix.vertical_rate_fpm is not None:
        rate = max(rate, first.fix.vertical_rate_fpm)
    late_s = interval_s if slow else 0.0
    if height >= min(TAKEOFF_BELOW_FT + max(rate, _CLIMBING_FPM) * late_s / 60, _HIGHEST_FIRST_FT):
        return None
    first_kt = speed if first.speed_kt is None else first.speed_kt
    run_nm = _run_nm(height, rate, _mean_kt(first_kt) if slow else speed)
    x, y = _heading(head, slow=slow, first=True)
    near_nm = NEAR_FINAL_NM + speed * late_s / SECONDS_PER_HOUR
    side_nm = _SIDE_SLACK_NM + _TURN_NM_A_S * late_s
    crossing = _crossing(place, first.fix, (-x, -y), near_nm, side_nm)
    if crossing is None:
        return None
    return _end(place, first, crossing, run_nm, -min(max(run_nm, crossing.nearest_nm), crossing.farthest_nm))


def _end(
    place: Place, step: PhasedReport, crossing: _Crossing, run_nm: float, way_nm: float
) -> FlightEnd | None:
    """Judge the end of a flight; `way_nm` from the report to the runway is negative where it came from there."""
    miss = crossing.miss_nm(run_nm)
    slack = _REACH_SLACK_NM
    height = height_above(step.fix, place)
    if crossing.threshold_nm is not None and height is not None and not height.is_geometric:
        # On the line of a runway only the weather can put the height wrong.
        slack = PRESSURE_FT / _PATH_FT_A_NM
    if miss > slack:
        return None
    seconds = abs(way_nm) / _mean_kt(step.speed_kt) * SECONDS_PER_HOUR
    later = timedelta(seconds=round(seconds if way_nm > 0 else -seconds))
    at = step.fix.at + later if seconds > KNOWN_TO_S else step.fix.at
    return FlightEnd(place, step.fix, crossing.distance_nm, miss, at, crossing.threshold_nm is not None)


def _crossing(
    place: Place, fix: Fix, heading: tuple[float, float], near_nm: float, side_nm: float
) -> _Crossing | None:
    """Say where a path meets a place; None where it does not, or too far away."""
    lat, lon = positions([fix])
    distance = float(place.distance_nm(lat, lon)[0])
    if distance > near_nm or heading == (0.0, 0.0):
        return None
    x, y = place.plane(lat, lon)
    start = np.array([x[0], y[0]])
    ray = shapely.LineString([start, start + np.array(heading) * (near_nm + NEAR_FINAL_NM)])
    crossing = ray.intersection(_widened(place, round(side_nm, 1)))
    if crossing.is_empty:
        return None
    along = [float(np.hypot(*(np.array(point) - start))) for point in shapely.get_coordinates(crossing)]
    return _Crossing(distance, min(along), max(along), _threshold_nm(place, start, heading))


@lru_cache(maxsize=256)
def _widened(place: Place, margin_nm: float) -> BaseGeometry:
    widened: BaseGeometry = place.outline.buffer(margin_nm)
    return widened


def _threshold_nm(place: Place, start: np.ndarray, heading: tuple[float, float]) -> float | None:
    """Give how far along its way the nearer end of a runway lies on whose line it flies; None off every line."""
    found = []
    for ends in place.runway_ends:
        way = ends[1] - ends[0]
        way = way / np.hypot(*way)
        if abs(float(way @ heading)) < _ALIGNED_COS:
            continue
        offsets = ends - start
        across = np.abs(offsets[:, 0] * way[1] - offsets[:, 1] * way[0])
        ahead = offsets @ np.array(heading)
        if across.min() <= _ALIGNED_NM and ahead.max() > 0:
            found.append(float(ahead.min()))
    return min(found, default=None)


def _best(edges: Iterator[FlightEnd | None]) -> FlightEnd | None:
    found = [edge for edge in edges if edge is not None]
    return min(found, key=lambda edge: (edge.miss_nm, edge.distance_nm)) if found else None


def _only(edges: Sequence[FlightEnd | None]) -> FlightEnd | None:
    """Choose a place as `_best`, or none where another fits about as well: after a minute in flight it may have turned."""
    found = sorted(
        (edge for edge in edges if edge is not None), key=lambda edge: (not edge.aligned, edge.miss_nm)
    )
    if len(found) > 1 and found[0].aligned == found[1].aligned:
        return found[0] if found[1].miss_nm - found[0].miss_nm > _UNALIGNED_NM else None
    return found[0] if found else None


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
    steady = sum(rate <= -DESCENT_FPM for rate in rates) >= min(_MIN_REPORTS, len(tail))
    return rate_fpm <= -DESCENT_FPM or (steady and rate_fpm < 0)


def _heading(
    steps: Sequence[PhasedReport], *, slow: bool = False, first: bool = False
) -> tuple[float, float]:
    """Give the direction of flight as a unit vector (east, north), from up to a minute of movement.

    Where reports are as far apart as that, a turn lies between them: then as reported, if it is.
    """
    told = (steps[0] if first else steps[-1]).fix.track_deg
    if slow and told is not None:
        return float(np.sin(np.radians(told))), float(np.cos(np.radians(told)))
    last = (steps[1] if slow and first and len(steps) > 1 else steps[-1]).fix
    near = [step.fix for step in steps if 0 <= seconds_between(step.fix, last) <= FIRST_FIXES_S]
    base = near[0]
    if base is last and len(steps) > 1:
        base = steps[steps.index(next(step for step in steps if step.fix is last)) - 1].fix
    east = wrap_longitude(last.lon - base.lon)
    vector = np.array([east * np.cos(np.radians(last.lat)), last.lat - base.lat])
    length = float(np.hypot(*vector))
    return (float(vector[0] / length), float(vector[1] / length)) if length else (0.0, 0.0)
