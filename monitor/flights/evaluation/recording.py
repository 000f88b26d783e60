"""Tracks in memory, and what is known beside them: the study reads of a recording what the live line reads of its database."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import compress

import numpy as np

from db.records import Fix, Visit
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.flights.coverage import POLL_WORTH_S
from monitor.flights.places import Place, positions
from monitor.flights.selection import worth_storing
from monitor.flights.signal_loss.candidates import unwatched_airports_around
from monitor.flights.signal_loss.gaps import SIGNAL_LOST_AFTER, GapEnd, last_before_silence
from monitor.flights.signal_loss.hearing import (
    HeardCell,
    Hearing,
    cells_of,
    hearing_band,
    hearing_of,
)
from monitor.flights.signal_loss.outlook import SearchBox
from monitor.flights.tracks.identity import Classes

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
_ALWAYS = timedelta(seconds=POLL_WORTH_S)

Tracks = Mapping[str, Sequence[Fix]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyContext:
    """What a measurement takes for known beside the tracks."""

    scope: str = ""
    """The area that was asked about, as a poll names it: who flies out of it has not fallen silent."""
    since: datetime = NEVER
    """Only what happens from then on is measured."""
    polls: Sequence[datetime] | None = None
    """When the good answers ended, by time; None is a feed that never fails."""
    visits: Mapping[str, Sequence[Visit]] = field(default_factory=dict)
    """The earlier visits of each site: gates, habits, and losses that led elsewhere."""
    claims: Sequence[FlightClaim] = ()
    """What providers say of flights."""
    estimates: Sequence[EstimatedPosition] = ()
    regions: Sequence[Place] = ()
    airports: Callable[[GapEnd, Sequence[Place]], Sequence[Place]] = unwatched_airports_around
    """The airports that nobody watches, around an end of a gap."""


EVERYTHING = StudyContext()


class TrackRecording:
    """Reports of many aircraft, which may be read as they stood at any time."""

    def __init__(
        self, tracks: Tracks, places: Sequence[Place], classes: Classes, setting: StudyContext = EVERYTHING
    ) -> None:
        self.tracks = tracks
        self.setting = setting
        every = [fix for track in tracks.values() for fix in track]
        # Who is low far from all sites is not stored by the live line either.
        stored = compress(every, worth_storing([place.site for place in places], every, classes))
        fixes = sorted(stored, key=lambda fix: fix.lat)
        self._lat, self._lon = positions(fixes)
        self._at = np.array([fix.at.timestamp() for fix in fixes], dtype=np.float64)
        self._band = np.array([hearing_band(fix) for fix in fixes], dtype=np.float64)
        names, self._who = np.unique([fix.icao24 for fix in fixes] or [""], return_inverse=True)
        self._number = {str(name): n for n, name in enumerate(names)}
        self._losses: dict[str, Sequence[Fix]] = {}
        self._heard: dict[tuple[SearchBox, datetime, datetime, str], Hearing] = {}

    def until(self, now: datetime) -> "RecordingReaders":
        """Give the readers of what was known at a time."""
        return RecordingReaders(self, now)

    def heard_cells(self, box: SearchBox, since: datetime, until: datetime, *, but: str) -> Hearing:
        """Where any aircraft but one was heard in a box, in [since, until]."""
        key = (box, since, until, but)
        if key not in self._heard:
            self._heard[key] = hearing_of(self._cells(box, since, until, but))
        return self._heard[key]

    def _cells(self, box: SearchBox, since: datetime, until: datetime, but: str) -> Iterator[HeardCell]:
        west, south, east, north = box
        rows = slice(int(np.searchsorted(self._lat, south)), int(np.searchsorted(self._lat, north, "right")))
        lon, at = self._lon[rows], self._at[rows]
        across = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
        during = (at >= since.timestamp()) & (at <= until.timestamp())
        other = self._who[rows] != self._number.get(but, -1)
        kept = across & during & other & np.isfinite(self._band[rows])
        cells = np.column_stack(
            [
                cells_of(self._lat[rows][kept]),
                cells_of(lon[kept]),
                self._band[rows][kept],
                self._who[rows][kept],
            ]
        ).astype(np.int64)
        by_aircraft = np.unique(cells, axis=0)
        found, number = np.unique(by_aircraft[:, :3], axis=0, return_counts=True)
        for (row, column, band), heard in zip(found.tolist(), number.tolist(), strict=True):
            yield row, column, band, heard

    def losses(self, icao24: str) -> Sequence[Fix]:
        """The reports of one aircraft after which it was not heard for five minutes, if ever."""
        if icao24 not in self._losses:
            self._losses[icao24] = last_before_silence(self.tracks.get(icao24, ()))
        return self._losses[icao24]


@dataclass(frozen=True, slots=True)
class RecordingReaders:
    """What a recording tells of everything but the judged track, as it stood at a time."""

    recording: TrackRecording
    now: datetime

    def visits_of_site(self, site_id: str) -> Sequence[Visit]:
        """The earlier visits of a site that the setting gives."""
        return self.recording.setting.visits.get(site_id, ())

    def heard_before(self, icao24: str, before: datetime) -> datetime | None:
        """The time of the last report of one aircraft before another time."""
        track = self.recording.tracks.get(icao24, ())
        return max((fix.at for fix in track if fix.at < before), default=None)

    def heard_cells(self, box: SearchBox, since: datetime, until: datetime, *, but: str) -> Hearing:
        """Where any aircraft but one was heard in a box, in [since, until], as far as that is over."""
        return self.recording.heard_cells(box, since, min(until, self.now), but=but)

    def losses(self, icao24: str, since: datetime, until: datetime) -> Sequence[Fix]:
        """The reports of one aircraft in [since, until] after which it was not heard for five minutes."""
        known = min(until, self.now - SIGNAL_LOST_AFTER)
        return [fix for fix in self.recording.losses(icao24) if since <= fix.at <= known]

    def flights_claimed(
        self, codes: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[FlightClaim]:
        """What was known by now of flights from and to airports that ended in [since, until)."""
        return [
            each
            for each in self.recording.setting.claims
            if each.received_at <= self.now
            and not {each.origin, each.destination, each.actual_destination}.isdisjoint(codes)
            if (ended := each.landed_at or each.last_seen_at or each.took_off_at) is not None
            and since <= ended < until
        ]

    def good_polls(self, fix: Fix, until: datetime) -> Sequence[datetime]:
        """The times from a report on at which good answers ended."""
        return self.answers(fix.at, until)

    def answers(self, since: datetime, until: datetime) -> Sequence[datetime]:
        """The times in (since, until] at which good answers ended; a feed that never fails answers as often as it takes."""
        polls = self.recording.setting.polls
        if polls is not None:
            return polls[bisect_right(polls, since) : bisect_right(polls, min(until, self.now))]
        steps = range(1, int((until - since) / _ALWAYS) + 1)
        return [*(since + n * _ALWAYS for n in steps), until]

    def scope_of(self, fix: Fix) -> str:
        """The area that was asked about."""
        return self.recording.setting.scope

    def claims(self, icao24: str, since: datetime, until: datetime) -> Sequence[FlightClaim]:
        """What was known by now of the flights of one aircraft seen in [since, until)."""
        return [
            each
            for each in self.recording.setting.claims
            if each.icao24 == icao24 and each.received_at <= self.now
            if each.last_seen_at is not None and each.last_seen_at >= since
            if each.first_seen_at is not None and each.first_seen_at < until
        ]

    def estimates(self, icao24: str, since: datetime) -> Sequence[EstimatedPosition]:
        """Where one aircraft was reckoned to be by now, from a time on."""
        return [
            each
            for each in self.recording.setting.estimates
            if each.icao24 == icao24 and each.received_at <= self.now and each.at >= since
        ]

    def airports_around(self, end: GapEnd, places: Sequence[Place]) -> Sequence[Place]:
        """The airports around an end of a gap that are none of the sites."""
        return self.recording.setting.airports(end, places)
