"""Reports that are not believed: counted by reason, and the hours of a site in which they cannot be trusted."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from db.drafts import DerivingDraft
from db.records import Fix
from monitor.flights.places import Place, grid_of, positions
from monitor.flights.selection import STORED_WITHIN_NM
from monitor.flights.tracks.integrity import Track, first_reason, jammed, spoofed_addresses

_AROUND_NM = 10.0
_TORN_TO_NM = 2.0
_TORN_AT_LEAST = 3
"""So many aircraft put on one place that they cannot have flown to: spoofing, not a broken transponder."""
_TORN_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ReportIntegrity:
    """What one batch of polls brought that is not believed; `settle` drafts it."""

    draft: DerivingDraft
    places: Sequence[Place]
    poll_ids: frozenset[int]
    _counted: Counter[tuple[str, datetime, str]] = field(default_factory=Counter)
    _torn: dict[Place, list[Fix]] = field(default_factory=lambda: defaultdict(list))

    def spoofed(self, new: Sequence[Fix]) -> frozenset[str]:
        """Name the aircraft that are put on one point, and degrade the hours of the places around it."""
        false = spoofed_addresses(new)
        crowd = [fix for fix in new if fix.icao24 in false]
        for fix in crowd:
            self._count(fix, "crowd")
        for place, around in self._near(crowd, _AROUND_NM):
            self._degrade(place, around)
        for fix in new:
            if (reason := first_reason(fix)) and fix.icao24 not in false:
                self._count(fix, reason)
        return false

    def jammed(self, new: Sequence[Fix]) -> None:
        """Degrade the hours of the places around which satellite navigation fails."""
        for place, around in self._near(new, STORED_WITHIN_NM):
            if jammed(around):
                self._degrade(place, around)

    def note(self, track: Track) -> None:
        """Count what was not believed of one aircraft in this batch, and where its address was put."""
        for fix, reason in track.rejected:
            if fix.poll_id in self.poll_ids and not first_reason(fix):
                self._count(fix, reason)
        for place, put in self._near(track.torn, _TORN_TO_NM):
            self._torn[place] += put

    def note_misread(self, fix: Fix) -> None:
        """Count a report under a misread address that would have begun a visit."""
        self._count(fix, "misread")

    def settle(self, at: datetime) -> None:
        """Draft the counts, and degrade the places at which several aircraft arrived without a way there."""
        for place, put in self._torn.items():
            recent = [fix for fix in put if at - fix.at <= _TORN_WITHIN]
            if len({fix.icao24 for fix in recent}) >= _TORN_AT_LEAST:
                self._degrade(place, recent)
        self.draft.count_rejected(self._counted)

    def _near(self, reports: Sequence[Fix], margin_nm: float) -> Iterator[tuple[Place, list[Fix]]]:
        """Give the places that reports lie around, with those reports."""
        if not reports:
            return
        which, place = grid_of(tuple(self.places), margin_nm).near(*positions(reports))
        for index in np.unique(place):
            yield self.places[int(index)], [reports[int(n)] for n in which[place == index]]

    def _count(self, fix: Fix, reason: str) -> None:
        self._counted[fix.provider, _hour(fix.received_at), reason] += 1

    def _degrade(self, place: Place, told: Collection[Fix]) -> None:
        for provider, hour in sorted({(fix.provider, _hour(fix.at)) for fix in told}):
            self.draft.mark_degraded(provider, place.id, hour)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
