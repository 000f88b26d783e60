"""Losses of signal become inferred visits, in a draft: aircraft of watched classes alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from db.deriving import good_polls_like, heard_before, heard_cells, last_report_times, scope_of
from db.drafts import DerivingDraft
from db.engine import Connection
from db.flight_claims import claims, estimates
from db.flights import fixes
from db.records import Fix, Visit
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.flights.places import Place
from monitor.flights.signal_loss.candidates import unwatched_airports_around
from monitor.flights.signal_loss.gaps import LOOKED_AT_FOR, SIGNAL_LOST_AFTER, GapEnd, last_before_silence
from monitor.flights.signal_loss.hearing import HEARING_BAND_FT, HEARING_CELL_DEG, Hearing, hearing_of
from monitor.flights.signal_loss.outlook import OutlookReaders, SearchBox, read_losses
from monitor.flights.tracks.identity import Aircraft, Classes, is_icao
from monitor.flights.tracks.integrity import believed_track

HEARD_AGAIN_WITHIN = timedelta(days=60)
"""An aircraft that was silent for longer is met anew."""
_RUN_UP = timedelta(hours=1)


Reports = Callable[..., list[Fix]]
"""Reads reports: `fixes` of db.flights without its connection."""


@dataclass(frozen=True, slots=True)
class SignalLossReader:
    """What it takes to judge silences: the draft of this batch, reports, places, classes, the time of recording."""

    draft: DerivingDraft
    fixes: Reports
    places: Sequence[Place]
    regions: Sequence[Place]
    classes: Classes
    now: datetime
    readers: OutlookReaders

    @property
    def connection(self) -> Connection:
        """The view that is read."""
        return self.draft.connection

    def derive(self, new: Sequence[Fix], at: datetime, *, silences: bool) -> list[tuple[Visit | None, Visit]]:
        """Draft the inferred visits that these reports or the time change, each with its earlier version.

        `silences` says that it is time to look for aircraft that have fallen silent, once a minute or so.
        """
        first = {fix.icao24: fix.at for fix in reversed(new)}
        wanted = {
            visit.icao24: min(first.get(visit.icao24, at), at)
            for visit in self.draft.awaited_visits()
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
        heard = dict(last_report_times(self.connection, at - LOOKED_AT_FOR, at - SIGNAL_LOST_AFTER))
        last = self.fixes(icao24s=heard.keys(), since=at - LOOKED_AT_FOR, times=set(heard.values()))
        return {
            fix.icao24
            for fix in last
            if fix.at == heard[fix.icao24] and fix.on_ground is not True and self._is_watched(fix)
        }

    def _read(self, icao24: str, first: datetime, at: datetime) -> Iterator[tuple[Visit | None, Visit]]:
        known = self.draft.visits(icao24s=[icao24], since=first - HEARD_AGAIN_WITHIN)
        track = believed_track(self.fixes(icao24s=[icao24], since=self._since(icao24, first, known)))
        if not track.fixes:
            return
        found = read_losses(
            track,
            self.places,
            regions=self.regions,
            known=known,
            readers=self.readers,
            classes=self.classes,
            now=at,
        )
        earlier = {visit.visit_id: visit for visit in known}
        changed = [replace(each, recorded_at=self.now) for each in found]
        stored = self.draft.record_visits(changed)
        yield from ((earlier.get(each.visit_id), each) for each in stored)

    def _since(self, icao24: str, first: datetime, known: Sequence[Visit]) -> datetime:
        """Say from when on the track is read: from before the loss that these reports may end or change."""
        since = heard_before(self.connection, icao24, first - _RUN_UP) or first
        touched = [
            began
            for visit in known
            if visit.is_inferred and (began := visit.lost_at) is not None
            if visit.departed_at is None or (visit.last_fix_at or began) >= first
        ]
        return max(min([since, *touched]), first - HEARD_AGAIN_WITHIN) - _RUN_UP


@dataclass(frozen=True, slots=True)
class DatabaseReaders:
    """What is known beside the judged track, read from the database as it stands; each site's visits once."""

    draft: DerivingDraft
    _visits: dict[str, list[Visit]] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        """The view that is read."""
        return self.draft.connection

    def visits_of_site(self, site_id: str) -> Sequence[Visit]:
        """Every visit of a site, of any aircraft, as it stood when it was first asked for."""
        if site_id not in self._visits:
            self._visits[site_id] = self.draft.visits(site_id=site_id)
        return self._visits[site_id]

    def heard_before(self, icao24: str, before: datetime) -> datetime | None:
        """The time of the last report of one aircraft before another time."""
        return heard_before(self.connection, icao24, before)

    def heard_cells(self, box: SearchBox, since: datetime, until: datetime, *, but: str) -> Hearing:
        """Where any aircraft but one was heard in a box, in [since, until]."""
        rows = heard_cells(
            self.connection, box, since, until, but=but, cell_deg=HEARING_CELL_DEG, band_ft=HEARING_BAND_FT
        )
        return hearing_of(rows)

    def losses(self, icao24: str, since: datetime, until: datetime) -> Sequence[Fix]:
        """The reports of one aircraft in [since, until] after which it was not heard for five minutes."""
        after = until + SIGNAL_LOST_AFTER
        heard = fixes(self.connection, icao24s=[icao24], since=since, until=after + timedelta(microseconds=1))
        return [fix for fix in last_before_silence(heard) if fix.at <= until]

    def flights_claimed(
        self, codes: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[FlightClaim]:
        """What providers say of flights from and to airports, by their ICAO codes, that ended in [since, until)."""
        told = claims(self.connection, airports=codes, since=since)
        return [
            each
            for each in told
            if (ended := each.landed_at or each.last_seen_at or each.took_off_at) is not None
            and since <= ended < until
        ]

    def good_polls(self, fix: Fix, until: datetime) -> Sequence[datetime]:
        """The times at which good answers ended to the question that brought a report; an archive has no poll."""
        return [] if fix.poll_id is None else good_polls_like(self.connection, fix.poll_id, fix.at, until)

    def scope_of(self, fix: Fix) -> str:
        """The area that was asked about when this report came; an archive has no poll to tell."""
        return "" if fix.poll_id is None else scope_of(self.connection, fix.poll_id)

    def claims(self, icao24: str, since: datetime, until: datetime) -> Sequence[FlightClaim]:
        """What providers say of the flights of one aircraft seen in [since, until)."""
        return claims(self.connection, icao24s=[icao24], since=since, until=until)

    def estimates(self, icao24: str, since: datetime) -> Sequence[EstimatedPosition]:
        """Where providers reckon one aircraft to be, from a time on."""
        return estimates(self.connection, icao24s=[icao24], since=since)

    def airports_around(self, end: GapEnd, places: Sequence[Place]) -> Sequence[Place]:
        """The airports of the reference around an end of a gap that are none of the sites."""
        return unwatched_airports_around(end, places)
