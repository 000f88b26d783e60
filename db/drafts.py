"""What deriving a batch of polls is about to write: kept in memory while it is reckoned, then stored in one short transaction.

Reckoning reads a view that holds nobody up, with the draft laid over it. `store` writes all of it and ticks the polls off, or
nothing: where somebody has changed what it rests on since, the batch is reckoned anew.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from db.chunks import chunks
from db.coverage import HourKey, count_rejected, coverage, mark_degraded
from db.flights import (
    awaited_visits,
    mark_derived,
    nameless_visits,
    next_version,
    record_visits,
    same_story,
    touches,
    visits,
    visits_by_id,
)
from db.observations import known_revisions, record_observations
from db.records import CoverageHour, Observation, Visit
from db.records.aliases import day_of_draft, is_draft, sealed_visit_id
from db.schema import poll
from db.visitor_keys import add_visit_keys, new_key, visit_keys


class StaleDraftError(Exception):
    """Somebody else changed what the draft rests on; nothing was written."""


@dataclass(slots=True)
class DerivingDraft:
    """The draft of one batch; `connection` is the view that it is reckoned on, `now` when it is recorded."""

    connection: Connection
    now: datetime
    _base: dict[str, Visit | None] = field(default_factory=dict)
    """The visits that change, as they stand in the database."""
    _drafted: dict[str, Visit] = field(default_factory=dict)
    """The same as they will stand."""
    _versions: list[Visit] = field(default_factory=list)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _degraded: set[tuple[str, str, datetime]] = field(default_factory=set)
    _rejected: Counter[HourKey] = field(default_factory=Counter)
    _looks: list[Observation] = field(default_factory=list)
    _revisions: list[int] = field(default_factory=list)

    def visits(self, **wanted: Any) -> list[Visit]:
        """Read visits as `db.flights.visits` does, without its `limit`."""
        return self._over(visits(self.connection, **wanted), lambda each: touches(each, **wanted))

    def nameless_visits(self, since: datetime) -> list[Visit]:
        """Read the visits without name whose aircraft was heard since then."""
        stored = nameless_visits(self.connection, since)
        return self._over(
            stored,
            lambda each: not each.icao24 and each.last_fix_at is not None and each.last_fix_at >= since,
        )

    def awaited_visits(self) -> list[Visit]:
        """Read the visits whose aircraft was lost on the way and has not been heard again."""
        stored = awaited_visits(self.connection)
        return self._over(stored, lambda each: each.is_awaited and each.departed_at is None)

    def coverage(self, site_id: str, since: datetime, until: datetime) -> list[CoverageHour]:
        """Read the hours of a site as `db.coverage.coverage` does."""
        return [
            replace(each, degraded=True)
            if (each.provider, each.site_id, each.hour) in self._degraded
            else each
            for each in coverage(self.connection, site_id, since, until)
        ]

    def record_visits(self, changed: Sequence[Visit]) -> list[Visit]:
        """Draft a version for each visit that says something new, and give the new versions, ids sealed."""
        found = self._sealed(changed)
        self._look_up({each.visit_id for each in found} - self._base.keys())
        new = []
        for each in found:
            earlier = self._drafted.get(each.visit_id)
            later = next_version(earlier, each)
            if later is not None:
                new.append(later)
                self._drafted[each.visit_id] = later
            elif (
                earlier
                and earlier.last_fix_at
                and each.last_fix_at
                and earlier.last_fix_at < each.last_fix_at
            ):
                self._drafted[each.visit_id] = replace(earlier, last_fix_at=each.last_fix_at)
        self._versions += new
        return new

    def record_looks(self, looks: Sequence[Observation]) -> None:
        """Draft looks that are new or say something new, one for each period and key."""
        self._looks += looks
        self._revisions += [len(each) for each in known_revisions(self.connection, looks)]

    def mark_degraded(self, provider: str, site_id: str, hour: datetime) -> None:
        """Draft that what was heard in this hour cannot be trusted."""
        self._degraded.add((provider, site_id, hour))

    def count_rejected(self, counted: Mapping[HourKey, int]) -> None:
        """Draft to add to the counts of these hours."""
        self._rejected.update(counted)

    def store(self, connection: Connection, poll_ids: Collection[int]) -> int:
        """Write all of it and tick the polls off; give the number of new revisions of looks. Raises StaleDraftError."""
        self._make_sure(connection, poll_ids)
        record_visits(connection, [*self._versions, *self._drafted.values()])
        for degraded in sorted(self._degraded):
            mark_degraded(connection, *degraded)
        count_rejected(connection, self._rejected)
        stored = record_observations(connection, self._looks)
        mark_derived(connection, poll_ids)
        return len(stored)

    def _make_sure(self, connection: Connection, poll_ids: Collection[int]) -> None:
        """Hold what this rests on as it was read, to the end of the transaction."""
        waiting = 0
        for some in chunks(sorted(poll_ids)):
            mine = select(poll.c.id).where(poll.c.id.in_(some), ~poll.c.derived).with_for_update()
            waiting += len(connection.execute(mine).all())
        now = {each.visit_id: each for each in visits_by_id(connection, self._base, hold=True)}
        revisions = [len(each) for each in known_revisions(connection, self._looks)]
        if (
            waiting != len(poll_ids)
            or revisions != self._revisions
            or any(not _is_same(each, now.get(visit_id)) for visit_id, each in self._base.items())
            or add_visit_keys(connection, self._keys, self.now) != self._keys
        ):
            raise StaleDraftError

    def _look_up(self, visit_ids: Collection[str]) -> None:
        found = {each.visit_id: each for each in visits_by_id(self.connection, visit_ids)}
        self._base |= {visit_id: found.get(visit_id) for visit_id in visit_ids}
        self._drafted |= found

    def _sealed(self, changed: Sequence[Visit]) -> list[Visit]:
        days = {
            day_of_draft(each.visit_id) for each in changed if is_draft(each.visit_id)
        } - self._keys.keys()
        known = visit_keys(self.connection, days)
        self._keys |= {day: known.get(day) or new_key() for day in days}
        return [
            replace(each, visit_id=sealed_visit_id(self._keys[day_of_draft(each.visit_id)], each.visit_id))
            if is_draft(each.visit_id)
            else each
            for each in changed
        ]

    def _over(self, stored: Sequence[Visit], wanted: Callable[[Visit], bool]) -> list[Visit]:
        """Lay the draft over what is stored."""
        left = [each for each in stored if each.visit_id not in self._drafted]
        both = [*left, *filter(wanted, self._drafted.values())]
        return sorted(both, key=lambda each: (each.first_fix_at or each.recorded_at, each.visit_id))


def _is_same(base: Visit | None, now: Visit | None) -> bool:
    if base is None or now is None:
        return base is now
    return base.version == now.version and same_story(base, now)
