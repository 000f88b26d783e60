"""`sitewatch backfill`: archived days, read part by part, here or on a cluster, then played through the pipeline.

What was done stands in the database: after a kill it goes on where it was, and a day that was loaded is left alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import shapely

from db.aircraft import unnamed_aliases
from db.backfill import (
    BackfillDay,
    all_read,
    backfill_days,
    begin_day,
    finish_day,
    parts_read,
    store_part,
    stored_parts,
)
from db.coverage import forget_hours
from db.engine import Connection, Engine, reading, writing
from db.records.claims import BackfillPart
from db.visitor_keys import ALIAS_KEY, REGISTER_KEY, key_named
from monitor.backfill.archive import Part, find_parts, missing_folders
from monitor.backfill.filtering import ReportFilter, TraceVeil, damage_of_parts, gaps_of_folders
from monitor.backfill.play import DayPlayback, PlayProgress
from monitor.errors import WorkFailed
from monitor.flights.tracks.identity import Classes, ClassRule
from monitor.sites import Site

_FORMAT = "1"
"""Raised when the same files would be read differently."""
WHOLE_SHARE = 0.99
"""A day of which less was read is not done: the same command reads it again."""
_DAMAGED = "!"
_READING_SHARE = 0.6
_DAY = timedelta(days=1)

PartReaders = Callable[[ReportFilter, Sequence[Part], date, datetime], Iterator[BackfillPart]]
"""Reads parts in any order, each of them once."""


@dataclass(frozen=True, slots=True)
class DayReport:
    """What one day brought; `loaded` is False where it was there already, or too much of it could not be read."""

    day: str
    loaded: bool
    aircraft: int
    fixes: int
    broken_files: int = 0
    files: int = 0
    missing_folders: int = 0
    read_share: float = 1.0

    @property
    def is_damaged(self) -> bool:
        """Whether so much is missing that the day is to be read again."""
        return self.read_share < WHOLE_SHARE


def read_here(
    report_filter: ReportFilter, wanted: Sequence[Part], day: date, now: datetime
) -> Iterator[BackfillPart]:
    """Read the parts in this process, one after the other."""
    for part in wanted:
        yield report_filter.read_part(part, day, now)


def days_between(first: date, last: date) -> list[date]:
    """Give the UTC days from the first to the last, both included."""
    return [first + number * _DAY for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Backfill:
    """One loading: from which archive, for which sites, into which database, and how parts are read."""

    engine: Engine
    provider: str
    root: Path
    sites: tuple[Site, ...]
    classes: Classes
    readers: PartReaders = read_here

    @property
    def plan(self) -> str:
        """A fingerprint of what decides what is kept: another outline or class makes a day worth reading again."""
        outlines = sorted(
            (site.id, shapely.to_wkb(site.geometry, hex=True)) for site in self.sites if site.flies
        )
        rules = sorted(_plain(rule) for rule in self.classes.rules)
        text = repr((_FORMAT, outlines, rules, sorted(self.classes.watched)))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def load(self, days: Sequence[date], now: datetime, progress: PlayProgress) -> list[DayReport]:
        """Load these days in the order of time; raises InputError where one is not in the archive, WorkFailed."""
        reports = []
        for number, day in enumerate(sorted(days)):

            def told(share: float, number: int = number) -> None:
                progress((number + share) / len(days))

            reports.append(self._day(day, now, told))
            told(1.0)
        return reports

    def _day(self, day: date, now: datetime, progress: PlayProgress) -> DayReport:
        with writing(self.engine) as connection:
            begun = self._begin(connection, day, now)
        if begun.state == "done":
            return DayReport(begun.day, loaded=False, aircraft=begun.aircraft or 0, fixes=begun.fixes or 0)
        if begun.state == "reading":
            self._read(day, now, lambda share: progress(share * _READING_SHARE))
        stage = DayPlayback(self.engine, self.provider, begun.plan, self.sites, self.classes, now)
        stage.play(day, lambda share: progress(_READING_SHARE + share * (1 - _READING_SHARE)))
        return self._finish(day, begun.plan, now)

    def _begin(self, connection: Connection, day: date, now: datetime) -> BackfillDay:
        """Begin the day, take it up, or read it again where too much of it was damaged before."""
        before = backfill_days(connection, self.provider).get(day.isoformat())
        ours = before and before.plan.removesuffix(_DAMAGED).partition(".")[0] == self.plan
        plan = before.plan if before and ours else self.plan
        if plan.endswith(_DAMAGED):
            name, _, attempt = plan.removesuffix(_DAMAGED).partition(".")
            plan = f"{name}.{int(attempt or 1) + 1}"
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            forget_hours(connection, self.provider, begin, begin + _DAY)
        return begin_day(connection, self.provider, day.isoformat(), plan, now)

    def _read(self, day: date, now: datetime, progress: PlayProgress) -> None:
        every = find_parts(self.root, day)
        with reading(self.engine) as connection:
            done = parts_read(connection, self.provider, day.isoformat())
        left = [part for part in every if part.name not in done]
        report_filter = ReportFilter(self.provider, self.sites, self.classes, self._veil(now))
        try:
            for part in self.readers(report_filter, left, day, now):
                with writing(self.engine) as connection:
                    store_part(connection, part)
                done.add(part.part)
                progress(len(done) / len(every))
        except OSError as error:
            raise WorkFailed(
                f"The archive of {day} cannot be read: {error}. What was read is kept; mend it and run the same "
                "command again."
            ) from None
        with writing(self.engine) as connection:
            if missing := missing_folders(every):
                store_part(connection, gaps_of_folders(self.provider, day, missing, now))
            all_read(connection, self.provider, day.isoformat())

    def _veil(self, now: datetime) -> TraceVeil:
        with writing(self.engine) as connection:
            return TraceVeil(
                key_named(connection, ALIAS_KEY, now),
                key_named(connection, REGISTER_KEY, now),
                unnamed_aliases(connection),
                frozenset(
                    subject.removeprefix("icao24:") for site in self.sites for subject in site.watchlist
                ),
            )

    def _finish(self, day: date, plan: str, now: datetime) -> DayReport:
        name = day.isoformat()
        with writing(self.engine) as connection:
            read = stored_parts(connection, self.provider, name)
            aircraft, fixes = sum(part.aircraft for part in read), sum(part.fixes for part in read)
            found = damage_of_parts(read)
            report = DayReport(
                name,
                loaded=found.share >= WHOLE_SHARE,
                aircraft=aircraft,
                fixes=fixes,
                broken_files=found.broken_files,
                files=found.files,
                missing_folders=found.missing_folders,
                read_share=round(found.share, 4),
            )
            if backfill_days(connection, self.provider)[name].state != "done":
                ended_as = plan + _DAMAGED if report.is_damaged else plan
                finish_day(
                    connection, self.provider, name, now, aircraft=aircraft, fixes=fixes, plan=ended_as
                )
        return report


def _plain(rule: ClassRule) -> str:
    """A rule as text that is the same in every process: sets have no order of their own."""
    values = (getattr(rule, each.name) for each in fields(rule))
    return repr([sorted(value) if isinstance(value, frozenset) else value for value in values])
