"""Losses of signal become inferred visits, in one transaction of the caller: aircraft of watched classes alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from db.deriving import good_polls_like, heard_before, heard_low, last_heard, scope_of
from db.engine import Connection
from db.flight_claims import claims, estimates
from db.flights import awaited_visits, record_visits, visits
from db.payloads import cite_polls
from db.records import Fix, Visit
from monitor.flights.coverage import watched_s
from monitor.flights.places import HALF_TURN_DEG, NM_PER_DEGREE, Place
from monitor.flights.signal_loss.candidates import Gate, gates_of, others_around
from monitor.flights.signal_loss.estimates import COVERED_BELOW_FT, facing
from monitor.flights.signal_loss.gaps import LOST_AFTER, End, Gap, flew_in, flies_out
from monitor.flights.signal_loss.inferred import infer
from monitor.flights.signal_loss.performance import Performance, performance_of
from monitor.flights.signal_loss.ranking import Outlook, past_of
from monitor.flights.signal_loss.records import lost_at
from monitor.flights.tracks.identity import Aircraft, Classes, aircraft_of, is_icao, kinds_of
from monitor.flights.tracks.integrity import clean
from monitor.flights.visits import is_inferred

HEARD_AGAIN_WITHIN = timedelta(days=60)
"""An aircraft that was silent for longer is met anew."""
_LOST_WITHIN = timedelta(minutes=30)
_RUN_UP = timedelta(hours=1)
_COVERED_FOR = timedelta(hours=24)
_SAME_FLIGHT = timedelta(hours=1)


Reports = Callable[..., list[Fix]]
"""Reads reports: `fixes` of db.flights without its connection."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known of each site from before, by its id."""

    gates: dict[str, tuple[Gate, ...]]
    before: dict[str, int]
    passed: dict[str, int]


@dataclass(frozen=True, slots=True)
class DarkReader:
    """What it takes to judge silences: an open transaction, reports, places, classes, the time of recording."""

    connection: Connection
    fixes: Reports
    places: Sequence[Place]
    classes: Classes
    now: datetime
    _pasts: dict[frozenset[str], "_Past"] = field(default_factory=dict)

    def derive(self, new: Sequence[Fix], at: datetime, *, silences: bool) -> list[tuple[Visit | None, Visit]]:
        """Record the inferred visits that these reports or the time change, each with its earlier version.

        `silences` says that it is time to look for aircraft that have fallen silent, once a minute or so.
        """
        first = {fix.icao24: fix.at for fix in reversed(new)}
        wanted = {
            visit.icao24: min(first.get(visit.icao24, at), at)
            for visit in awaited_visits(self.connection)
            if silences or visit.icao24 in first
        }
        if silences:
            wanted |= self._watched_ones(new, first)
            wanted |= {icao24: at for icao24 in self._silent(at) if icao24 not in wanted}
        return [pair for icao24, since in sorted(wanted.items()) for pair in self._read(icao24, since, at)]

    def _watched_ones(self, new: Sequence[Fix], first: Mapping[str, datetime]) -> dict[str, datetime]:
        return {fix.icao24: first[fix.icao24] for fix in new if self._is_watched(fix)}

    def _is_watched(self, fix: Fix) -> bool:
        return is_icao(fix.icao24) and self.classes.watches(
            Aircraft(fix.icao24, fix.callsign, fix.registration, fix.type_code, fix.db_flags)
        )

    def _silent(self, at: datetime) -> set[str]:
        """Find the watched aircraft that fell silent in flight a few minutes ago."""
        heard = dict(last_heard(self.connection, at - _LOST_WITHIN, at - LOST_AFTER))
        last = self.fixes(icao24s=heard.keys(), since=at - _LOST_WITHIN, times=set(heard.values()))
        return {
            fix.icao24
            for fix in last
            if fix.at == heard[fix.icao24] and fix.on_ground is not True and self._is_watched(fix)
        }

    def _read(self, icao24: str, first: datetime, at: datetime) -> Iterator[tuple[Visit | None, Visit]]:
        known = visits(self.connection, icao24s=[icao24], since=first - HEARD_AGAIN_WITHIN)
        track = clean(self.fixes(icao24s=[icao24], since=self._since(icao24, first, known)))
        if not track.fixes:
            return
        aircraft = aircraft_of(list(reversed(track.fixes)))
        outlook = self._outlook(aircraft, track.fixes)
        found = infer(
            track,
            self.places,
            aircraft,
            known=known,
            outlook=outlook,
            classes=self.classes,
            now=at,
        )
        earlier = {visit.visit_id: visit for visit in known}
        changed = [replace(each, recorded_at=self.now) for each in found]
        stored = record_visits(self.connection, changed)
        cited = {int(each.ref) for visit in stored for each in visit.evidence if each.kind == "poll"}
        cite_polls(self.connection, cited)
        yield from ((earlier.get(each.visit_id), each) for each in stored)

    def _since(self, icao24: str, first: datetime, known: Sequence[Visit]) -> datetime:
        """Say from when on the track is read: from before the loss that these reports may end or change."""
        since = heard_before(self.connection, icao24, first - _RUN_UP) or first
        touched = [
            began
            for visit in known
            if is_inferred(visit) and (began := lost_at(visit)) is not None
            if visit.departed_at is None or (visit.last_fix_at or began) >= first
        ]
        return max(min([since, *touched]), first - HEARD_AGAIN_WITHIN) - _RUN_UP

    def _outlook(self, aircraft: Aircraft, track: Sequence[Fix]) -> Outlook:
        performance, past = performance_of(aircraft.type_code), self._past(aircraft, track[0].at)
        return Outlook(
            past.gates,
            past.before,
            self._covered,
            lambda gap, until: self._watched(gap, until, performance),
            past.passed,
            lambda end: others_around(end, self.places),
            lambda at: self._hinted(aircraft.icao24, at),
            lambda end: self._entered(end, performance),
        )

    def _past(self, aircraft: Aircraft, until: datetime) -> "_Past":
        """Give each site's gates, its visits of this aircraft or its kind, and its losses that led elsewhere."""
        kinds = kinds_of(aircraft, self.classes)
        if kinds not in self._pasts:
            past = _Past({}, {}, {})
            for place in self.places:
                earlier = visits(self.connection, site_id=place.id, until=until)
                past.gates[place.id] = gates_of(place.site, earlier)
                past.before[place.id], past.passed[place.id] = past_of(earlier, kinds)
            self._pasts[kinds] = past
        return self._pasts[kinds]

    def _hinted(self, icao24: str, at: datetime) -> frozenset[str]:
        """Give the airports that another service names as the destination of the flight that was lost."""
        since, until = at - _SAME_FLIGHT, at + _SAME_FLIGHT
        told = claims(self.connection, icao24s=[icao24], since=since, until=until)
        reckoned = estimates(self.connection, icao24s=[icao24], since=since)
        named = {each.actual_destination or each.destination for each in told if not each.estimated}
        return frozenset(named | {each.destination for each in reckoned if each.at <= until}) - {""}

    def _entered(self, end: End, performance: Performance) -> bool:
        poll_id = end.fix.poll_id
        return poll_id is not None and flew_in(end, scope_of(self.connection, poll_id), performance)

    def _covered(self, place: Place, lost: Fix) -> bool:
        """Whether others were heard low at the place, on the side it came from, in the day before or the hour after."""
        west, south, east, north = facing(place, lost)
        box = (
            _turned(place.lon + west / place.east_scale),
            place.lat + south / NM_PER_DEGREE,
            _turned(place.lon + east / place.east_scale),
            place.lat + north / NM_PER_DEGREE,
        )
        below_ft = (place.elevation_ft or 0.0) + COVERED_BELOW_FT
        since, until = lost.at - _COVERED_FOR, lost.at + _RUN_UP
        return heard_low(self.connection, box, since, until, below_ft=below_ft, but=lost.icao24)

    def _watched(self, gap: Gap, until: datetime, performance: Performance) -> float:
        """How long a feed listened where the signal was lost; reports of an archive have no poll to tell."""
        lost = gap.lost.fix
        if lost.poll_id is None:
            return 0.0
        if flies_out(gap.lost, scope_of(self.connection, lost.poll_id), performance, gap.settled_after):
            return 0.0
        polls = good_polls_like(self.connection, lost.poll_id, lost.at, until)
        return watched_s(polls, lost.at, until)


def _turned(lon: float) -> float:
    """Bring a longitude back between -180 and 180."""
    return (lon + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
