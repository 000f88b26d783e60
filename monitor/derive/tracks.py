"""Position reports become visits, in a draft: choose aircraft, read their tracks, reckon."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from db.aircraft import known_aircraft
from db.deriving import good_polls, last_report_times, poll_before
from db.drafts import DerivingDraft
from db.engine import Connection
from db.flights import fixes
from db.records import Fix, Poll, Visit
from db.visitor_keys import owners
from monitor.derive.integrity import ReportIntegrity
from monitor.derive.signal_loss import DatabaseReaders, SignalLossReader
from monitor.flights.coverage import watched_s
from monitor.flights.links import linked_visits
from monitor.flights.places import Place, grid_of, positions
from monitor.flights.selection import ends_near, triage
from monitor.flights.stays import STAY_SILENCE
from monitor.flights.tracks.identity import Classes, completed_fixes, is_counted
from monitor.flights.tracks.integrity import believed_track, misread, spoofed_addresses
from monitor.flights.visits import ADSB_PROCEDURE, derive_visits

TRACK_WINDOW = timedelta(hours=24)
"""How far back a track is read again; a visit that began before is continued."""
_AROUND_NM = 20.0
_SILENT_LOOKED_AT = timedelta(minutes=18)
"""So late a silence is judged still: of a provider that is asked every five minutes the next answer is as far away."""
_CROWD_TIME = timedelta(seconds=30)
_CROWD_DEG = 0.002
_TWIN_TIME = timedelta(minutes=2)
_TWIN_DEG = 0.05


@dataclass(frozen=True, slots=True)
class VisitChange:
    """A visit before and after; `before` is None for a new one."""

    before: Visit | None
    after: Visit


@dataclass(frozen=True, slots=True)
class TrackReader:
    """What it takes to read tracks: the draft of this batch, the places, the classes and the time of recording."""

    draft: DerivingDraft
    places: Sequence[Place]
    regions: Sequence[Place]
    classes: Classes
    now: datetime

    @property
    def connection(self) -> Connection:
        """The view that is read."""
        return self.draft.connection

    def derive(self, polls: Sequence[Poll], at: datetime) -> list[VisitChange]:
        """Draft the visits that these polls change; `at` is the time of the newest of them."""
        new = self._fixes(poll_ids=[poll.id for poll in polls])
        guard = ReportIntegrity(self.draft, self.places, frozenset(poll.id for poll in polls))
        spoof = guard.spoofed(new)
        guard.jammed(new)
        believed = [fix for fix in new if fix.icao24 not in spoof]
        chosen = triage(believed, self.places, self._known(believed, at))
        self.draft.record_visits(chosen.heard)
        first = {fix.icao24: fix.at for fix in reversed(new)}
        wanted = {icao24: min(first[icao24], at) for icao24 in chosen.read}
        new_minute = self._new_minute(polls, at)
        if new_minute:
            wanted |= dict.fromkeys(self._silent(at) - wanted.keys(), at)
        heard = [
            change
            for icao24, since in sorted(wanted.items())
            for change in self._read(icao24, since, at, guard)
        ]
        guard.settle(at)
        readers = DatabaseReaders(self.draft)
        dark = SignalLossReader(
            self.draft, self._fixes, self.places, self.regions, self.classes, self.now, readers
        )
        found = heard + [VisitChange(*pair) for pair in dark.derive(believed, at, silences=new_minute)]
        return found + self._linked({change.after.icao24 for change in found} - {""}, at)

    def _linked(self, changed: Collection[str], at: datetime) -> list[VisitChange]:
        """Join the visits of these aircraft that are two ends of one flight."""
        places = {place.id: place for place in self.places}
        changes = []
        for icao24 in sorted(changed):
            known = self.draft.visits(icao24s=[icao24], since=at - TRACK_WINDOW)
            before = {visit.visit_id: visit for visit in known}
            joined = [replace(visit, recorded_at=self.now) for visit in linked_visits(known, places)]
            changes += [VisitChange(before[each.visit_id], each) for each in self.draft.record_visits(joined)]
        return changes

    def _read(self, icao24: str, first: datetime, at: datetime, guard: ReportIntegrity) -> list[VisitChange]:
        since = first - TRACK_WINDOW
        track = believed_track(self._fixes(icao24s=[icao24], since=since))
        guard.note(track)
        known = self._known(track.fixes, since).get(icao24, [])
        found = derive_visits(
            track,
            self._around(track.fixes, known),
            known=known,
            since=since,
            watched=self._watched,
            classes=self.classes,
            now=at,
        )
        before = {visit.visit_id: visit for visit in known}
        true = [
            replace(visit, recorded_at=self.now)
            for visit in found
            if visit.visit_id in before or not self._is_false(visit, track.fixes, guard)
        ]
        stored = self.draft.record_visits(true)
        return [VisitChange(before.get(each.visit_id), each) for each in stored]

    def _fixes(self, **wanted: Any) -> list[Fix]:
        """Read reports, with what the aircraft database adds to them."""
        found = fixes(self.connection, **wanted)
        return completed_fixes(found, known_aircraft(self.connection, {fix.icao24 for fix in found}))

    def _around(self, track: Sequence[Fix], known: Sequence[Visit]) -> list[Place]:
        """Give the places that the track comes near: the others cannot matter."""
        visited = {visit.site_id for visit in known}
        _, near = grid_of(tuple(self.places), _AROUND_NM).near(*positions(track))
        around = set(near.tolist())
        return [place for n, place in enumerate(self.places) if n in around or place.id in visited]

    def _known(self, reports: Collection[Fix], since: datetime) -> dict[str, list[Visit]]:
        """Read the visits of these aircraft, by aircraft, also those that have lost their names."""
        names = {fix.icao24 for fix in reports}
        watched = {place.id for place in self.places}
        named = self.draft.visits(icao24s=names, since=since - TRACK_WINDOW)
        nameless = [
            visit
            for visit in self.draft.nameless_visits(since - TRACK_WINDOW)
            if visit.candidates.get("procedure") == ADSB_PROCEDURE
        ]
        found: dict[str, list[Visit]] = owners(self.connection, nameless, names)
        for visit in named:
            found.setdefault(visit.icao24, []).append(visit)
        return {
            icao24: [visit for visit in theirs if visit.site_id in watched]
            for icao24, theirs in found.items()
        }

    def _watched(self, place: Place, heard: frozenset[str], since: datetime, until: datetime) -> float:
        return watched_s(good_polls(self.connection, place.id, heard, since, until), since, until)

    def _new_minute(self, polls: Sequence[Poll], at: datetime) -> bool:
        """Whether no poll began in this minute before: silences are looked for once a minute."""
        before = poll_before(self.connection, polls)
        return before is None or before.replace(second=0, microsecond=0) < at.replace(second=0, microsecond=0)

    def _silent(self, at: datetime) -> set[str]:
        """Find the aircraft that fell silent low near a place and are not held to be there."""
        heard = dict(last_report_times(self.connection, at - _SILENT_LOOKED_AT, at - STAY_SILENCE))
        gone = [icao24 for icao24 in heard if is_counted(icao24)]
        last = [
            fix
            for fix in fixes(
                self.connection, icao24s=gone, since=at - _SILENT_LOOKED_AT, times=set(heard.values())
            )
            if fix.at == heard[fix.icao24]
        ]
        near = ends_near(last, self.places)
        known = self._known(near, at)
        there = {
            icao24 for icao24, theirs in known.items() if any(visit.state == "present" for visit in theirs)
        }
        return {fix.icao24 for fix in near} - there

    def _is_false(self, visit: Visit, track: Sequence[Fix], guard: ReportIntegrity) -> bool:
        """Whether a new visit begins on a point where too many aircraft were, or under a misread address."""
        first = next(fix for fix in track if fix.at == visit.first_fix_at)
        if first.icao24 in spoofed_addresses(self._around_fix(first, _CROWD_DEG, _CROWD_TIME)):
            return True
        if not misread(first, self._around_fix(first, _TWIN_DEG, _TWIN_TIME)):
            return False
        guard.note_misread(first)
        return True

    def _around_fix(self, fix: Fix, margin_deg: float, margin: timedelta) -> list[Fix]:
        box = (fix.lon - margin_deg, fix.lat - margin_deg, fix.lon + margin_deg, fix.lat + margin_deg)
        return fixes(self.connection, since=fix.at - margin, until=fix.at + margin, box=box)


def changes_by_site(changes: Iterable[VisitChange]) -> Mapping[str, list[VisitChange]]:
    """Group the changes by site."""
    grouped: dict[str, list[VisitChange]] = {}
    for change in changes:
        grouped.setdefault(change.after.site_id, []).append(change)
    return grouped
