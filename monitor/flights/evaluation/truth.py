"""What all reports together show of each aircraft: the truth that a measurement compares with, read once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db.records import Fix, Visit
from monitor.flights.evaluation.recording import NEVER, Tracks
from monitor.flights.places import Place
from monitor.flights.tracks.identity import Classes
from monitor.flights.tracks.integrity import Track, believed_track
from monitor.flights.visits import derive_visits

_READ_UNTIL = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Truth:
    """The visits of every aircraft that its whole track shows; the feed is held never to have failed."""

    tracks: Tracks
    places: Sequence[Place]
    classes: Classes
    _visits: dict[str, list[Visit]] = field(default_factory=dict, repr=False)
    _believed: dict[str, Track] = field(default_factory=dict, repr=False)

    @property
    def end(self) -> datetime:
        """When everything is read: half an hour after the last report."""
        return max(track[-1].at for track in self.tracks.values()) + _READ_UNTIL

    def visits(self, icao24: str) -> list[Visit]:
        """The visits of one aircraft, in order of time."""
        if icao24 not in self._visits:
            self._visits[icao24] = derive_visits(
                self.believed(icao24),
                self.places,
                known=(),
                since=NEVER,
                watched=lambda _place, _heard, since, until: (until - since).total_seconds(),
                classes=self.classes,
                now=self.end,
            )
        return self._visits[icao24]

    def believed(self, icao24: str) -> Track:
        """The reports of one aircraft that can be believed."""
        if icao24 not in self._believed:
            self._believed[icao24] = believed_track(list(self.tracks[icao24]))
        return self._believed[icao24]

    def landed_between(self, icao24: str, since: datetime, until: datetime) -> Visit | None:
        """The first visit to any place whose aircraft came in (since, until]."""
        came = [
            visit
            for visit in self.visits(icao24)
            if visit.is_counted and visit.arrived_at is not None and since < visit.arrived_at <= until
        ]
        return min(came, key=lambda visit: visit.arrived_at or NEVER, default=None)

    def heard(self, icao24: str, since: datetime, until: datetime) -> Sequence[Fix]:
        """The believed reports of one aircraft in [since, until]."""
        return [fix for fix in self.believed(icao24).fixes if since <= fix.at <= until]
