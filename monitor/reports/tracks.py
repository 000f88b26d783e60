"""Where a watched aircraft was heard around its visit, and where it was not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from db.engine import Connection
from db.extracts import visits_cited
from db.flights import fixes, visits_by_id
from db.records import Alert, Fix, Visit
from db.records.aliases import is_alias
from monitor.app import App

AROUND = timedelta(hours=6)
"""So long before and after a visit its aircraft's way is shown: all of a flight within the region, and the end of a longer one."""
SILENT_FROM = timedelta(minutes=15)
"""From here on two reports do not belong to one line: it is several polls of the slowest provider."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """A time in which nobody heard the aircraft, between two reports."""

    before: Fix
    after: Fix

    @property
    def length(self) -> timedelta:
        """How long it was silent."""
        return self.after.at - self.before.at


@dataclass(frozen=True, slots=True)
class HeardTrack:
    """One visit with the reports around it: in stretches without a gap, oldest first."""

    visit: Visit
    stretches: tuple[tuple[Fix, ...], ...]

    @property
    def gaps(self) -> tuple[Unheard, ...]:
        """What lies between the stretches."""
        return tuple(Unheard(one[-1], other[0]) for one, other in pairwise(self.stretches))


def stretches_of(heard: Sequence[Fix]) -> tuple[tuple[Fix, ...], ...]:
    """Cut reports, oldest first, where nobody heard anything for longer than `SILENT_FROM`."""
    found: list[list[Fix]] = []
    for each in heard:
        if not found or each.at - found[-1][-1].at > SILENT_FROM:
            found.append([])
        found[-1].append(each)
    return tuple(map(tuple, found))


def nameable_visits(connection: Connection, app: App, alert: Alert) -> list[Visit]:
    """The visits in an alert whose aircraft may be named."""
    return nameable_among(app, visits_by_id(connection, visits_cited(alert)))


def nameable_among(app: App, visits: Iterable[Visit]) -> list[Visit]:
    """Those visits whose aircraft may be named: watched when they came, and watched still."""
    listed = {subject for site in app.sites.values() for subject in site.watchlist}
    wanted = listed | {f"class:{name}" for name in app.classes.watched}
    return [
        each
        for each in visits
        if f"icao24:{each.icao24}" in each.subjects
        and not is_alias(each.icao24)
        and not wanted.isdisjoint(each.subjects)
    ]


def reports_around(connection: Connection, visit: Visit, around: timedelta) -> list[Fix]:
    """What was heard of an aircraft from so long before its visit until so long after it, oldest first."""
    if visit.first_fix_at is None:
        return []
    until: datetime = (visit.last_fix_at or visit.first_fix_at) + around
    return fixes(connection, icao24s=[visit.icao24], since=visit.first_fix_at - around, until=until)
