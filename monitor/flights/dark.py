"""The test for a visit that nobody heard: an aircraft lost on the way to a place, and heard again on the way back.

Eight steps: coverage, through flight, feasible stay, direction, endurance, which place, events (`inferred`),
and emergence alone. Distances in nautical miles; nothing here knows the time or a database.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.flights.alignment import FINAL_NM, lined_up
from monitor.flights.edges import LANDING_BELOW_FT, NEAR_NM
from monitor.flights.gaps import End, Gap
from monitor.flights.gates import Gate
from monitor.flights.geodesy import course_deg, great_circle_nm, turn_deg
from monitor.flights.matching import Place, positions
from monitor.flights.performance import Performance
from monitor.flights.phases import HIGH_FT, height_ft

WITHIN_DEG = 30.0
"""A track within this angle of the direction to a place may lead there."""
MIN_GROUND = timedelta(minutes=25)
CLIMB_AND_DESCENT = timedelta(minutes=20)
LIKELY = 0.5
"""A place less likely than this is not named as where the aircraft went."""
UNLIKELY = 0.25
COVERED_BELOW_FT = HIGH_FT
"""Who is heard so low within 5 NM of a field would have been heard landing there."""
_THROUGH_FACTOR = 1.3
_THROUGH_SLACK = timedelta(minutes=10)
_ON_TOP_NM = 15.0
"""So near to a place no course says anything."""
_SPREAD_DEG = 12.0
_FREE_NM = 300.0
"""At this distance a place and everything else in its direction are as likely as each other."""
_SURE_NM = 90.0
_STEEP_FPM = 300.0
_SLOWEST_KT = 100.0
_DESCENT_NM = 25.0
_TREND = 2.0
_AT_GATE, _OFF_GATE = 3.0, 0.5
_ALIGNED = 5.0
_OTHER_COURSE = 0.1
_EARLY, _LATE = 0.9, 1.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to which a lost aircraft may have gone, and how likely that is among all there are."""

    place: Place
    probability: float
    away_nm: float
    off_deg: float | None
    gate: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known beside the reports of the aircraft itself."""

    gates: Mapping[str, Sequence[Gate]]
    before: Mapping[str, int]
    """How many earlier visits of its kind each site had."""
    covered: Callable[[Place, datetime], bool]
    """Whether others were heard low over a place around a time: there, a landing would have been heard too."""
    watched: Callable[[Gap, datetime], float]
    """The seconds of a silence, up to a time, in which a working feed listened where the signal was lost."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a lost aircraft would have arrived: the estimate and its bounds."""

    early: datetime
    at: datetime
    late: datetime


def arrival(lost: End, place: Place, performance: Performance) -> Arrival:
    """Estimate the arrival at a place from the loss of signal.

    Far out the descent costs ten minutes beyond the flight at cruise; near the field it is under way already.
    """
    away = _away_nm(lost, place)
    flight, at = performance.flight(away), lost.fix.at
    descent = CLIMB_AND_DESCENT / 2 * min(1.0, away / _DESCENT_NM)
    speed_kt = lost.fix.ground_speed_kt
    if away < _SURE_NM and speed_kt is not None and _SLOWEST_KT < speed_kt < performance.cruise_kt:
        flight *= performance.cruise_kt / speed_kt
    return Arrival(at + _EARLY * flight, at + flight + descent, at + _LATE * flight + CLIMB_AND_DESCENT)


def departure(back: End, place: Place, performance: Performance) -> Arrival:
    """Estimate the departure from a place from where the aircraft was heard again; `early` is the earliest."""
    flight = performance.flight(_away_nm(back, place))
    at = back.fix.at
    return Arrival(
        at - _LATE * flight - CLIMB_AND_DESCENT, at - flight - CLIMB_AND_DESCENT / 2, at - _EARLY * flight
    )


def flew_through(gap: Gap, performance: Performance) -> bool:
    """Whether a closed gap is no longer than a flight without landing from one end to the other."""
    assert gap.back is not None
    one, other = gap.lost.fix, gap.back.fix
    flight = performance.flight(great_circle_nm(one.lat, one.lon, other.lat, other.lon))
    return other.at - one.at <= _THROUGH_FACTOR * flight + _THROUGH_SLACK


def ground_time(gap: Gap, place: Place, performance: Performance) -> timedelta:
    """Give the time that a closed gap leaves on the ground of a place; it may be negative."""
    assert gap.back is not None
    flown = performance.flight(_away_nm(gap.lost, place)) + performance.flight(_away_nm(gap.back, place))
    return gap.back.fix.at - gap.lost.fix.at - flown - CLIMB_AND_DESCENT


def on_approach(lost: End, places: Sequence[Place]) -> bool:
    """Whether a signal was lost so low and near a place that landing there is judged from the approach itself."""
    lat, lon = positions([lost.fix])
    return any(
        place.near(lat, lon, NEAR_NM)[0]
        and (height := height_ft(lost.fix, place)) is not None
        and height < LANDING_BELOW_FT
        for place in places
    )


def leads_to(lost: End, place: Place) -> bool:
    """Whether the track at the loss points at a place."""
    off = _off_deg(lost, place, outbound=False)
    return _away_nm(lost, place) <= _ON_TOP_NM or (off is not None and off <= WITHIN_DEG)


def comes_from(back: End, place: Place) -> bool:
    """Whether the track at re-emergence points away from a place."""
    off = _off_deg(back, place, outbound=True)
    return _away_nm(back, place) <= _ON_TOP_NM or (off is not None and off <= WITHIN_DEG)


def rank(
    lost: End, back: End | None, places: Sequence[Place], outlook: Outlook, performance: Performance
) -> list[Candidate]:
    """Rank the uncovered places that the track led to, the likeliest first.

    The probabilities leave room for everywhere else: airports that are not watched, and flying on.
    """
    weights = [(place, _weight(lost, back, place, outlook)) for place in places]
    reachable = [
        (place, weight)
        for place, weight in weights
        if weight > 0
        and not performance.outlasted_by(performance.flight(_away_nm(lost, place)))
        and not outlook.covered(place, lost.fix.at)
    ]
    total = 1.0 + sum(weight for _, weight in reachable)
    found = [
        Candidate(
            place,
            round(weight / total, 3),
            round(_away_nm(lost, place), 1),
            _off_deg(lost, place, outbound=False),
            _gate(lost, outlook.gates.get(place.id, ())),
        )
        for place, weight in reachable
    ]
    return sorted(found, key=lambda each: (-each.probability, each.place.id))


def emerged_from(back: End, places: Sequence[Place], outlook: Outlook) -> Candidate | None:
    """Find the place whose departure a first report shows: at a gate of it, and flying away from it."""
    found = []
    for place in places:
        gate = _gate(back, outlook.gates.get(place.id, ()))
        off = _off_deg(back, place, outbound=True)
        if gate and off is not None and off <= WITHIN_DEG and (back.rate_fpm or 0) > -_STEEP_FPM:
            weight = (1 + outlook.before.get(place.id, 0)) * _fit(off) * _AT_GATE
            found.append((weight, place, off, gate))
    if not found:
        return None
    weight, place, off, gate = max(found, key=lambda each: (each[0], each[1].id))
    probability = weight / (1 + sum(each[0] for each in found))
    if probability < LIKELY or outlook.covered(place, back.fix.at):
        return None
    return Candidate(place, round(probability, 3), round(_away_nm(back, place), 1), off, gate)


def _weight(lost: End, back: End | None, place: Place, outlook: Outlook) -> float:
    gates = outlook.gates.get(place.id, ())
    named = any(not gate.losses for gate in gates)
    at_gate = bool(_gate(lost, gates))
    if not leads_to(lost, place) or (named and not at_gate):
        return 0.0
    weight = (1.0 + outlook.before.get(place.id, 0)) * _fit(_off_deg(lost, place, outbound=False))
    weight *= _trend(-(lost.rate_fpm or 0.0))
    if gates:
        weight *= _AT_GATE if at_gate else _OFF_GATE
    away = _away_nm(lost, place)
    aligned = lined_up(lost, place)
    if aligned:
        weight *= _ALIGNED
    elif aligned is False and away <= FINAL_NM:
        weight /= _ALIGNED**2
    if back is not None:
        weight *= _trend(back.rate_fpm or 0.0)
        came = comes_from(back, place)
        weight *= _fit(_off_deg(back, place, outbound=True)) if came else _OTHER_COURSE
        away = min(away, _away_nm(back, place)) if came else away
    return weight * (_FREE_NM / max(away, _SURE_NM)) ** 2


def _fit(off_deg: float | None) -> float:
    return 1.0 if off_deg is None else math.exp(-((off_deg / _SPREAD_DEG) ** 2) / 2)


def _trend(rate_fpm: float) -> float:
    """A descent before the loss and a climb after it raise the belief, their opposites lower it."""
    if abs(rate_fpm) < _STEEP_FPM:
        return 1.0
    return _TREND if rate_fpm > 0 else 1 / _TREND


def _gate(end: End, gates: Sequence[Gate]) -> str:
    return next((gate.name for gate in gates if gate.holds(end.fix.lat, end.fix.lon)), "")


def _away_nm(end: End, place: Place) -> float:
    return great_circle_nm(end.fix.lat, end.fix.lon, place.lat, place.lon)


def _off_deg(end: End, place: Place, *, outbound: bool) -> float | None:
    """Give the angle between the track and the direction to the place, or from it; None very near to it."""
    if end.course_deg is None or _away_nm(end, place) <= _ON_TOP_NM:
        return None
    to_place = course_deg(end.fix.lat, end.fix.lon, place.lat, place.lon)
    return round(turn_deg(end.course_deg, (to_place + 180) % 360 if outbound else to_place), 1)
