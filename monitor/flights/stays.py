"""The life of a stay: a track of one aircraft, step by step, becomes stays at places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from db.records import Fix, Visit
from monitor.flights.places import Place
from monitor.flights.takeoff_landing import (
    CLIMB_FPM,
    FlightEnd,
    find_landing,
    find_takeoff,
    first_fixes_last_s,
    lifted_off,
    may_have_taken_off,
    touched_down,
)
from monitor.flights.tracks.cadence import SLOW_S
from monitor.flights.tracks.ground import height_above
from monitor.flights.tracks.kinematics import seconds_between
from monitor.flights.tracks.phases import CLEARLY_ABOVE_FT, Phase, PhasedReport, is_slow
from monitor.sites.geodesy import SECONDS_PER_HOUR, great_circle_nm

ArrivalEvidence = Literal["ground", "approach", "unseen"]
DepartureEvidence = Literal["", "ground", "first_fixes", "gap", "elsewhere"]
WatchedSeconds = Callable[[Place, frozenset[str], datetime, datetime], float]
"""How many seconds between two times one of these providers, which had heard the aircraft, watched a place."""

STAY_SILENCE = timedelta(minutes=10)
STAY_SILENCE_JUDGED = timedelta(minutes=15)
"""So soon after the last report must the watched silence lie: an aircraft may leave in a longer outage."""
_SILENCE_INTERVALS = 2.5
_LONGEST_SILENCE = timedelta(minutes=14)
AIRBORNE_S = 60.0
TOUCH_AND_GO_S = 120.0
MIN_TURNAROUND = timedelta(minutes=25)
_SURE_TURNAROUND = timedelta(minutes=5)
"""Enough on the ground where it was heard down to the runway: whoever went around would have been heard again."""
_UNSURE_FROM_FT = 1500.0
APRON_NM = 2.0
"""A parked aircraft so near to the outline is on an apron that the outline leaves out."""
DEPARTED_BEYOND_NM = 5.0
"""Nearer to the place an aircraft on the ground may have been towed there: aprons and hangars lie outside outlines."""
CRUISE_KT = 430.0
_CLIMB_FPM, _CLIMB_KT = 2_500.0, 250.0
_STEEP_FPM = 500.0
_TAXI_KT = 40.0
_NEAR_NM = 5.0
_FAR_FIELD_NM = 30.0
_CLIMBED_FT = 300.0
_TWICE = 2
_LATELY = timedelta(minutes=2)
_LATELY_INTERVALS = 1.5


@dataclass(slots=True)
class Stay:
    """One aircraft at one place, from its arrival (if seen) to its departure (if seen)."""

    place: Place
    arrival: ArrivalEvidence
    first: Fix
    last: Fix
    before: Fix | None = None
    """The last report in flight before it."""
    grounded: bool = False
    """Whether a report that says "on the ground" was believed."""
    stood: bool = False
    """Whether it was seen on the ground, by whatever signs."""
    arrived_at: datetime | None = None
    """When it touched down, reckoned where nobody heard it; None where its arrival was not observed."""
    departed_at: datetime | None = None
    """When it lifted off, reckoned where nobody heard it; None where its departure was not observed."""
    departure: DepartureEvidence = ""
    off: Fix | None = None
    """The first report after it: in flight, or on the ground elsewhere."""
    prior: Visit | None = None
    """The visit that this stay continues, where its beginning lies before the track."""

    @property
    def lost(self) -> bool:
        """Whether the arrival rests on the approach alone."""
        return self.arrival == "approach" and not (self.grounded or self.stood)


def stays(
    track: Sequence[PhasedReport],
    places: Sequence[Place],
    *,
    prior: Stay | None,
    watched: WatchedSeconds,
    now: datetime,
) -> list[Stay]:
    """Read the stays out of a track; `prior` is an open stay that began before it."""
    reader = _Reader(places, watched, prior)
    for step in track:
        reader.read(step)
    return reader.finish(now)


class _Reader:
    """The state between two reports."""

    def __init__(self, places: Sequence[Place], watched: WatchedSeconds, prior: Stay | None) -> None:
        self._places = places
        self._watched = watched
        self._stays: list[Stay] = []
        self._current = prior
        self._segment: list[PhasedReport] = []
        """The reports since the last silence."""
        self._began_low = False
        self._edge: FlightEnd | None = None
        """Where the flight before the last silence was landing."""
        self._air: list[PhasedReport] = []
        self._ground: list[PhasedReport] = []
        self._away: list[PhasedReport] = []
        self._rolled: Fix | None = None
        self._has_flown = False
        """Whether any report since the last silence is from flight."""
        self._rolling_off: PhasedReport | None = None
        """The last report from the ground of a track that began there, too short for a stay."""
        self._flown: Fix | None = None

    def read(self, step: PhasedReport) -> None:
        """Take in one more report."""
        silent = bool(self._segment) and step.fix.at - self._segment[-1].fix.at
        if silent and silent >= STAY_SILENCE and silent >= self._silence:
            self._after_silence(step.fix.at)
        if not self._segment:
            self._began_low = may_have_taken_off(step, self._places)
            self._rolling_off, self._has_flown = None, False
        self._segment.append(step)
        self._has_flown = self._has_flown or step.phase is Phase.AIR
        if step.place is not None and not self._has_flown and _may_be_rolling(step, step.place):
            self._rolling_off = step
        if step.phase is Phase.GROUND:
            self._on_ground(step)
        elif step.phase is Phase.ROLLING:
            self._rolled = self._rolled or step.fix
            if self._current is not None and step.place is self._current.place:
                self._current.last = step.fix
        elif step.phase is Phase.AIR:
            self._in_air(step)
        elif self._current is not None and is_slow(step.speed_kt) and _is_on_apron(step, self._current.place):
            # Whatever it says of its height, it stands there, and what seemed flight before was an error.
            self._current.last, self._air = step.fix, []
            here = step.place is self._current.place
            self._current.stood = self._current.stood or (here and _may_be_rolling(step, self._current.place))
        if not self._ground and (self._current is None or self._is_far(self._current)):
            self._look_for_takeoff()

    def finish(self, now: datetime) -> list[Stay]:
        """Judge the silence since the last report and give all stays."""
        if self._segment and now - self._segment[-1].fix.at >= self._silence:
            self._after_silence(now)
        return [*self._stays, *([self._current] if self._current else [])]

    @property
    def _interval_s(self) -> float:
        return self._segment[-1].interval_s

    @property
    def _silence(self) -> timedelta:
        """After how long without a report an aircraft has fallen silent, as often as it is delivered."""
        scaled = timedelta(seconds=_SILENCE_INTERVALS * self._interval_s)
        return min(max(STAY_SILENCE, scaled), _LONGEST_SILENCE)

    @property
    def _enough(self) -> int:
        """How many reports in a row make a state; where they come slowly one is all that a landing leaves."""
        return 1 if self._interval_s >= SLOW_S else _TWICE

    def _after_silence(self, until: datetime) -> None:
        last = self._segment[-1].fix
        if self._current is not None and self._air and self._has_flown_off(self._current):
            self._depart(self._current)
        self._edge = None if self._current else find_landing(self._segment, self._places)
        if self._edge is not None and self._was_watched(self._edge.place, last, until):
            self._current = self._lost_stay(self._edge)
        self._segment, self._air = [], []

    def _was_watched(self, place: Place, last: Fix, until: datetime) -> bool:
        """Whether who heard it last went on listening; a provider that never heard it may be deaf there."""
        until = min(until, last.at + STAY_SILENCE_JUDGED)
        lately = max(_LATELY, timedelta(seconds=_LATELY_INTERVALS * self._interval_s))
        heard = frozenset(step.fix.provider for step in self._segment if last.at - step.fix.at <= lately)
        return self._watched(place, heard, last.at, until) >= STAY_SILENCE.total_seconds()

    def _lost_stay(self, edge: FlightEnd) -> Stay:
        fix = edge.fix
        landed = bool(fix.on_ground)
        return Stay(edge.place, "approach", fix, fix, before=self._flown, arrived_at=edge.at, stood=landed)

    def _on_ground(self, step: PhasedReport) -> None:
        self._air = []
        current = self._current
        if current is not None and step.place is current.place:
            current.last, current.stood = step.fix, True
            current.grounded = current.grounded or bool(step.fix.on_ground)
            self._ground, self._away = [step], []
            return
        if step.place is None:
            self._ground = []
            self._on_ground_outside(step)
            return
        if self._ground and self._ground[-1].place is not step.place:
            self._ground = []
        self._ground.append(step)
        if len(self._ground) >= self._enough and self._has_stopped():
            if current is not None:
                self._close(current, "elsewhere", self._ground[0].fix)
                self._flown = current.last
            self._open(step.place)

    def _has_stopped(self) -> bool:
        """Whether it came down here or moves no faster than aircraft taxi: a flag that is stuck passes at flying speed."""
        taxies = any(step.speed_kt is None or step.speed_kt < _TAXI_KT for step in self._ground)
        return taxies or (self._flown is not None and len(self._ground) >= _TWICE)

    def _on_ground_outside(self, step: PhasedReport) -> None:
        """Count reports from the ground far from the place; who was heard all the way there has been towed."""
        current = self._current
        if current is None:
            return
        if _distance_nm(current.place, step.fix) < DEPARTED_BEYOND_NM:
            current.last = step.fix
            return
        if self._segment[0].fix.at <= current.last.at and _went_at_kt(current.last, step.fix) < _TAXI_KT:
            return
        self._away.append(step)
        if len(self._away) >= _TWICE:
            self._close(current, "elsewhere", self._away[0].fix)

    def _open(self, place: Place) -> None:
        first, last = self._ground[0].fix, self._ground[-1].fix
        grounded = any(step.fix.on_ground for step in self._ground)
        edge = self._edge if self._edge is not None and self._edge.place is place else None
        if edge is not None and self._flown is not None and edge.fix.at >= self._flown.at:
            stay = Stay(place, "approach", edge.fix, last, self._flown, arrived_at=edge.at)
        elif self._flown is not None:
            rolled = self._rolled if self._rolled is not None and self._rolled.at > self._flown.at else first
            at = touched_down(place, self._flown, rolled)
            stay = Stay(place, "ground", rolled, last, self._flown, arrived_at=at)
        else:
            stay = Stay(place, "unseen", first, last)
        stay.grounded, stay.stood = grounded, True
        self._current, self._edge, self._flown, self._rolled = stay, None, None, None

    def _in_air(self, step: PhasedReport) -> None:
        self._ground, self._away = [], []
        self._air.append(step)
        # One report in flight may be an error; an arrival needs two to have come from.
        if len(self._air) >= self._enough:
            self._flown, self._rolled = step.fix, None
        if self._current is not None and _is_flying(self._air, self._current.place):
            self._depart(self._current)
        elif self._current is None and self._rolling_off is not None:
            self._roll_off(self._rolling_off)

    def _roll_off(self, rolling: PhasedReport) -> None:
        """End a stay of which nothing was heard but the take-off roll."""
        place = rolling.place
        # A track that begins on the roll: nothing else was heard of it before.
        if place is None or self._stays or not _is_flying(self._air, place):
            return
        if rolling.phase is Phase.UNKNOWN and not _has_climbed(rolling, self._air):
            return
        off = self._air[0].fix
        stay = Stay(
            place, "unseen", rolling.fix, rolling.fix, stood=True, grounded=bool(rolling.fix.on_ground)
        )
        self._rolling_off = None
        self._close(stay, "ground", off, lifted_off(place, rolling.fix, off))

    def _has_flown_off(self, stay: Stay) -> bool:
        """Whether the last that was heard before a silence, be it one report, shows it on its way."""
        last = self._air[-1]
        return last.place is not stay.place and (self._interval_s >= SLOW_S or len(self._air) >= _TWICE)

    def _depart(self, stay: Stay) -> None:
        off = self._air[0].fix
        edge = find_takeoff(self._segment, [stay.place])
        if stay.lost and edge is None and not _could_turn_round(stay, off):
            # It came back too soon to have landed: a go-around, or another field.
            self._current = None
            return
        if edge is not None:
            self._close(stay, "first_fixes", edge.fix, edge.at)
        elif off.at - stay.last.at < self._silence and not stay.lost and _can_have_left(stay, self._air):
            self._leave_the_ground(stay, off)
        else:
            self._close(stay, "gap", off)

    def _leave_the_ground(self, stay: Stay, off: Fix) -> None:
        if stay.arrival == "ground" and seconds_between(stay.first, off) < TOUCH_AND_GO_S:
            self._current = None
        else:
            self._close(stay, "ground", off, lifted_off(stay.place, stay.last, off))

    def _is_far(self, stay: Stay) -> bool:
        """Whether the track since the last silence begins far from a stay: it left unheard, and may leave another field now."""
        first = self._segment[0].fix
        away = great_circle_nm(stay.place.lat, stay.place.lon, first.lat, first.lon)
        return away > _FAR_FIELD_NM and first.at > stay.last.at

    def _look_for_takeoff(self) -> None:
        """See whether a track that began after silence came from a place."""
        if not self._began_low or self._segment[-1].phase is not Phase.AIR:
            return
        if seconds_between(self._segment[0].fix, self._segment[-1].fix) > first_fixes_last_s(self._segment):
            return
        edge = find_takeoff(self._segment, self._places)
        if edge is None or (self._stays and _is_told(self._stays[-1], edge)):
            return
        if self._current is not None:
            self._close(self._current, "gap", edge.fix)
        before = self._edge
        if before is not None and before.place is edge.place:
            stay = self._lost_stay(before)
        else:
            stay = Stay(edge.place, "unseen", edge.fix, edge.fix)
        self._close(stay, "first_fixes", edge.fix, edge.at)

    def _close(self, stay: Stay, departure: DepartureEvidence, off: Fix, at: datetime | None = None) -> None:
        stay.departure, stay.off, stay.departed_at = departure, off, at
        self._stays.append(stay)
        self._current, self._edge, self._away = None, None, []


def _is_told(stay: Stay, edge: FlightEnd) -> bool:
    """Whether a climb ends the stay before it; one that begins at a field far from it has a departure of its own."""
    away = great_circle_nm(stay.place.lat, stay.place.lon, edge.place.lat, edge.place.lon)
    return stay.off is edge.fix and away <= _FAR_FIELD_NM


def _is_flying(air: Sequence[PhasedReport], place: Place) -> bool:
    """Whether the aircraft has been in flight for a minute, outside the place or climbing."""
    if len(air) < _TWICE or seconds_between(air[0].fix, air[-1].fix) < AIRBORNE_S:
        return False
    if any(step.place is not place for step in air):
        return True
    return any((step.fix.vertical_rate_fpm or 0) > CLIMB_FPM for step in air)


def _may_be_rolling(step: PhasedReport, place: Place) -> bool:
    """Whether a report from inside a place is from the ground, or from who may be taxiing to the runway."""
    if step.phase in {Phase.GROUND, Phase.ROLLING}:
        return True
    height = height_above(step.fix, place)
    return is_slow(step.speed_kt) and (height is None or height.low_ft < CLEARLY_ABOVE_FT)


def _has_climbed(step: PhasedReport, air: Sequence[PhasedReport]) -> bool:
    """Whether those in flight are higher than a report before, as far as that says its height."""
    before = step.fix.altitude_ft
    heights = [each.fix.altitude_ft for each in air if each.fix.altitude_ft is not None]
    return bool(heights) and (before is None or max(heights) - before >= _CLIMBED_FT)


def _could_turn_round(stay: Stay, off: Fix) -> bool:
    """Whether the silence leaves time on the ground, beside the flight to where it was heard again.

    The higher it was lost, the more else may have filled the silence: a low circuit, a field near by.
    """
    away = great_circle_nm(stay.last.lat, stay.last.lon, off.lat, off.lon)
    height = height_above(off, stay.place)
    climb = timedelta(minutes=0.0 if height is None else max(0.0, height.feet) / _CLIMB_FPM)
    flight = max(timedelta(seconds=away / CRUISE_KT * SECONDS_PER_HOUR), climb)
    lost = height_above(stay.first, stay.place)
    doubt = 1.0 if lost is None else min(max(lost.feet / _UNSURE_FROM_FT, 0.0), 1.0)
    needed = _SURE_TURNAROUND + doubt * (MIN_TURNAROUND - _SURE_TURNAROUND)
    return off.at - stay.last.at - flight >= needed


def _is_on_apron(step: PhasedReport, place: Place) -> bool:
    return step.place is place or (step.place is None and _distance_nm(place, step.fix) < APRON_NM)


def _can_have_left(stay: Stay, air: Sequence[PhasedReport]) -> bool:
    """Whether what is heard in flight can have left the place since its last report from there.

    Who is low and climbing far away has just left another field; helicopters and light aircraft fly there level.
    """
    off = air[0].fix
    away = _distance_nm(stay.place, off) - _NEAR_NM
    if away > seconds_between(stay.last, off) * _CLIMB_KT / SECONDS_PER_HOUR:
        return False
    height, climbed_ft = height_above(off, stay.place), _climbed_ft(air)
    minutes = seconds_between(off, air[-1].fix) / 60
    if height is None or climbed_ft is None or minutes <= 0 or climbed_ft / minutes < _STEEP_FPM:
        return True
    flown_nm = great_circle_nm(off.lat, off.lon, air[-1].fix.lat, air[-1].fix.lon)
    return away <= max(0.0, height.high_ft) / climbed_ft * flown_nm


def _climbed_ft(air: Sequence[PhasedReport]) -> float | None:
    first, last = air[0].fix.altitude_ft, air[-1].fix.altitude_ft
    if first is None or last is None:
        first, last = air[0].fix.altitude_geom_ft, air[-1].fix.altitude_geom_ft
    return None if first is None or last is None else last - first


def _went_at_kt(last: Fix, fix: Fix) -> float:
    seconds = seconds_between(last, fix)
    away = great_circle_nm(last.lat, last.lon, fix.lat, fix.lon)
    return away / seconds * SECONDS_PER_HOUR if seconds > 0 else CRUISE_KT


def _distance_nm(place: Place, fix: Fix) -> float:
    return float(place.distance_nm(np.array([fix.lat]), np.array([fix.lon]))[0])
