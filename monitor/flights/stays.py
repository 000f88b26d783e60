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
    FIRST_FIXES_S,
    LANDING_BELOW_FT,
    FlightEnd,
    find_landing,
    find_takeoff,
    may_have_taken_off,
)
from monitor.flights.tracks.kinematics import seconds_between
from monitor.flights.tracks.phases import Phase, PhasedReport
from monitor.sites.geodesy import SECONDS_PER_HOUR, great_circle_nm

ArrivalEvidence = Literal["ground", "approach", "unseen"]
DepartureEvidence = Literal["", "ground", "first_fixes", "gap", "elsewhere"]
WatchedSeconds = Callable[[Place, frozenset[str], datetime, datetime], float]
"""How many seconds between two times one of these providers, which had heard the aircraft, watched a place."""

STAY_SILENCE = timedelta(minutes=10)
STAY_SILENCE_JUDGED = timedelta(minutes=15)
"""So soon after the last report must the watched silence lie: an aircraft may leave in a longer outage."""
AIRBORNE_S = 60.0
TOUCH_AND_GO_S = 120.0
MIN_TURNAROUND = timedelta(minutes=25)
DEPARTED_BEYOND_NM = 2.0
CRUISE_KT = 430.0
_TWICE = 2
_LATELY = timedelta(minutes=2)


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
    """Whether a ground report was believed."""
    departure: DepartureEvidence = ""
    off: Fix | None = None
    """The first report after it: in flight, or on the ground elsewhere."""
    prior: Visit | None = None
    """The visit that this stay continues, where its beginning lies before the track."""

    @property
    def lost(self) -> bool:
        """Whether the arrival rests on the approach alone."""
        return self.arrival == "approach" and not self.grounded


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
        self._flown: Fix | None = None

    def read(self, step: PhasedReport) -> None:
        """Take in one more report."""
        if self._segment and step.fix.at - self._segment[-1].fix.at >= STAY_SILENCE:
            self._after_silence(step.fix.at)
        if not self._segment:
            self._began_low = may_have_taken_off(step, self._places)
        self._segment.append(step)
        if step.phase is Phase.GROUND:
            self._on_ground(step)
        elif step.phase is Phase.ROLLING:
            self._rolled = self._rolled or step.fix
            if self._current is not None and step.place is self._current.place:
                self._current.last = step.fix
        elif step.phase is Phase.AIR:
            self._in_air(step)
        if self._current is None and not self._ground:
            self._look_for_takeoff()

    def finish(self, now: datetime) -> list[Stay]:
        """Judge the silence since the last report and give all stays."""
        if self._segment and now - self._segment[-1].fix.at >= STAY_SILENCE:
            self._after_silence(now)
        return [*self._stays, *([self._current] if self._current else [])]

    def _after_silence(self, until: datetime) -> None:
        last = self._segment[-1].fix
        self._edge = None if self._current else find_landing(self._segment, self._places)
        if self._edge is not None and self._was_watched(self._edge.place, last, until):
            self._current = self._lost_stay(self._edge)
        self._segment, self._air = [], []

    def _was_watched(self, place: Place, last: Fix, until: datetime) -> bool:
        """Whether who heard it last went on listening; a provider that never heard it may be deaf there."""
        until = min(until, last.at + STAY_SILENCE_JUDGED)
        heard = frozenset(step.fix.provider for step in self._segment if last.at - step.fix.at <= _LATELY)
        return self._watched(place, heard, last.at, until) >= STAY_SILENCE.total_seconds()

    def _lost_stay(self, edge: FlightEnd) -> Stay:
        return Stay(edge.place, "approach", edge.fix, edge.fix, before=self._flown)

    def _on_ground(self, step: PhasedReport) -> None:
        self._air = []
        current = self._current
        if current is not None and step.place is current.place:
            current.last, current.grounded = step.fix, True
            self._ground, self._away = [step], []
            return
        if step.place is None:
            self._ground = []
            self._on_ground_outside(step)
            return
        if self._ground and self._ground[-1].place is not step.place:
            self._ground = []
        self._ground.append(step)
        if len(self._ground) >= _TWICE:
            if current is not None:
                self._close(current, "elsewhere", self._ground[0].fix)
                self._flown = current.last
            self._open(step.place)

    def _on_ground_outside(self, step: PhasedReport) -> None:
        """Count reports from the ground far from the place; aprons beyond its outline are not far."""
        current = self._current
        if current is None or _distance_nm(current.place, step.fix) < DEPARTED_BEYOND_NM:
            return
        self._away.append(step)
        if len(self._away) >= _TWICE:
            self._close(current, "elsewhere", self._away[0].fix)

    def _open(self, place: Place) -> None:
        first = self._ground[0].fix
        edge = self._edge if self._edge is not None and self._edge.place is place else None
        if edge is not None and self._flown is not None and edge.fix.at >= self._flown.at:
            stay = Stay(place, "approach", edge.fix, self._ground[-1].fix, self._flown, grounded=True)
        elif self._flown is not None:
            rolled = self._rolled if self._rolled is not None and self._rolled.at > self._flown.at else first
            stay = Stay(place, "ground", rolled, self._ground[-1].fix, self._flown, grounded=True)
        else:
            stay = Stay(place, "unseen", first, self._ground[-1].fix, grounded=True)
        self._current, self._edge, self._flown, self._rolled = stay, None, None, None

    def _in_air(self, step: PhasedReport) -> None:
        self._ground, self._away = [], []
        self._air.append(step)
        # One report in flight may be an error; an arrival needs two to have come from.
        if len(self._air) >= _TWICE:
            self._flown, self._rolled = step.fix, None
        if self._current is not None and _is_flying(self._air, self._current.place):
            self._depart(self._current)

    def _depart(self, stay: Stay) -> None:
        off = self._air[0].fix
        edge = find_takeoff(self._segment, [stay.place], below_ft=LANDING_BELOW_FT)
        if stay.lost and edge is None and not _could_turn_round(stay, off):
            # It came back too soon to have landed: a go-around, or another field.
            self._current = None
            return
        if edge is not None:
            self._close(stay, "first_fixes", edge.fix)
        elif off.at - stay.last.at < STAY_SILENCE and not stay.lost:
            self._leave_the_ground(stay, off)
        else:
            self._close(stay, "gap", off)

    def _leave_the_ground(self, stay: Stay, off: Fix) -> None:
        if stay.arrival == "ground" and seconds_between(stay.first, off) < TOUCH_AND_GO_S:
            self._current = None
        else:
            self._close(stay, "ground", off)

    def _look_for_takeoff(self) -> None:
        """See whether a track that began after silence came from a place."""
        if (
            not self._began_low
            or seconds_between(self._segment[0].fix, self._segment[-1].fix) > 2 * FIRST_FIXES_S
        ):
            return
        edge = find_takeoff(self._segment, self._places)
        if edge is None or (self._stays and self._stays[-1].off is edge.fix):
            return
        before = self._edge
        if before is not None and before.place is edge.place:
            stay = self._lost_stay(before)
        else:
            stay = Stay(edge.place, "unseen", edge.fix, edge.fix)
        self._close(stay, "first_fixes", edge.fix)

    def _close(self, stay: Stay, departure: DepartureEvidence, off: Fix) -> None:
        stay.departure, stay.off = departure, off
        self._stays.append(stay)
        self._current, self._edge, self._away = None, None, []


def _is_flying(air: Sequence[PhasedReport], place: Place) -> bool:
    """Whether the aircraft has been in flight for a minute, outside the place or climbing."""
    if len(air) < _TWICE or seconds_between(air[0].fix, air[-1].fix) < AIRBORNE_S:
        return False
    if any(step.place is not place for step in air):
        return True
    return any((step.fix.vertical_rate_fpm or 0) > CLIMB_FPM for step in air)


def _could_turn_round(stay: Stay, off: Fix) -> bool:
    """Whether the silence leaves time to taxi in and out after the flight to where it was heard again."""
    away = great_circle_nm(stay.last.lat, stay.last.lon, off.lat, off.lon)
    flight = timedelta(seconds=away / CRUISE_KT * SECONDS_PER_HOUR)
    return off.at - stay.last.at - flight >= MIN_TURNAROUND


def _distance_nm(place: Place, fix: Fix) -> float:
    return float(place.distance_nm(np.array([fix.lat]), np.array([fix.lon]))[0])
