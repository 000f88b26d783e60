"""The looks of a place as they were knowable, kept in memory while a backlog is judged moment by moment."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from alerts.judging.history import LEAST_SERIES_LOOKS
from db.engine import Connection
from db.observations import count_revisions, every_revision, series_counted
from db.records import Observation, SeriesKey
from db.records.revisions import in_force

MetricScope = tuple[str, str, str]
"""Site, area and metric."""
_LookId = tuple[SeriesKey, datetime, str]


@dataclass(slots=True)
class _ScopeHistory:
    """One place's revisions by result time, and what was in force after the first `taken` of them."""

    revisions: list[Observation]
    at: datetime
    taken: int = 0
    revised: dict[_LookId, list[Observation]] = field(default_factory=dict)
    current: dict[_LookId, Observation] = field(default_factory=dict)

    def advance(self, at: datetime) -> None:
        """Take in what became knowable up to then."""
        while self.taken < len(self.revisions) and self.revisions[self.taken].result_time <= at:
            each = self.revisions[self.taken]
            identity = (each.series, each.period_start, each.look_key)
            known = self.revised.setdefault(identity, [])
            known.append(each)
            self.current[identity] = in_force(known, Observation.same_finding)
            self.taken += 1
        self.at = at


def day_of(at: datetime) -> datetime:
    """The start of a moment's day: what shares a promise is settled once a day, so that no count of the day can change it."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class LookHistoryCache:
    """Reads a place once for many moments; a revision that arrives meanwhile is noticed and read."""

    def __init__(self) -> None:
        self._shelves: dict[MetricScope, _ScopeHistory] = {}
        self._counted: dict[str, tuple[datetime, frozenset[SeriesKey]]] = {}

    def histories(self, connection: Connection, site_id: str, at: datetime) -> frozenset[SeriesKey]:
        """The series of a site that had a history when the day of this moment began; asked once a day."""
        day = day_of(at)
        known = self._counted.get(site_id)
        if known is None or known[0] != day:
            found = series_counted(connection, site_id, day, LEAST_SERIES_LOOKS)
            known = self._counted[site_id] = (day, found)
        return known[1]

    def looks(
        self, connection: Connection, place: MetricScope, until: datetime, as_of: datetime
    ) -> list[Observation]:
        """The newest revision knowable at `as_of` of each look that began before `until`, by time."""
        shelf = self._shelves.get(place)
        if shelf is None or shelf.at > as_of or count_revisions(connection, *place) != len(shelf.revisions):
            shelf = self._shelves[place] = _ScopeHistory(every_revision(connection, *place), as_of)
        shelf.advance(as_of)
        found = [each for each in shelf.current.values() if each.period_start < until]
        found.sort(key=lambda each: (each.period_start, each.look_key, each.series))
        return found
