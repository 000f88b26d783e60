"""`sitewatch backfill`: archived days, read part by part, here or on a cluster, then played through the pipeline.

What was done stands in the database: after a kill it goes on where it was, and a day that was loaded is left alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path

import shapely

from db.backfill import all_read, backfill_days, begin_day, finish_day, parts, parts_read, store_part
from db.engine import Engine, reading, writing
from db.records.claims import BackfillPart
from monitor.backfill.archive import Part, find_parts
from monitor.backfill.play import Progress, Stage
from monitor.backfill.sifting import Sieve
from monitor.errors import WorkFailed
from monitor.flights.tracks.identity import Classes, Rule
from monitor.sites import Site

_FORMAT = "1"
"""Raised when the same files would be read differently."""
_READING_SHARE = 0.6
_DAY = timedelta(days=1)

Readers = Callable[[Sieve, Sequence[Part], date, datetime], Iterator[BackfillPart]]
"""Reads parts in any order, each of them once."""


@dataclass(frozen=True, slots=True)
class DayReport:
    """What one day brought; `loaded` is False where it was there already."""

    day: str
    loaded: bool
    aircraft: int
    fixes: int


def read_here(sieve: Sieve, wanted: Sequence[Part], day: date, now: datetime) -> Iterator[BackfillPart]:
    """Read the parts in this process, one after the other."""
    for part in wanted:
        yield sieve.sift(part, day, now)


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
    readers: Readers = read_here

    @property
    def plan(self) -> str:
        """A fingerprint of what decides what is kept: another outline or class makes a day worth reading again."""
        outlines = sorted(
            (site.id, shapely.to_wkb(site.geometry, hex=True)) for site in self.sites if site.flies
        )
        rules = sorted(_plain(rule) for rule in self.classes.rules)
        text = repr((_FORMAT, outlines, rules, sorted(self.classes.watched)))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def load(self, days: Sequence[date], now: datetime, progress: Progress) -> list[DayReport]:
        """Load these days in the order of time; raises InputError where one is not in the archive, WorkFailed."""
        reports = []
        for number, day in enumerate(sorted(days)):

            def told(share: float, number: int = number) -> None:
                progress((number + share) / len(days))

            reports.append(self._day(day, now, told))
            told(1.0)
        return reports

    def _day(self, day: date, now: datetime, progress: Progress) -> DayReport:
        with writing(self.engine) as connection:
            begun = begin_day(connection, self.provider, day.isoformat(), self.plan, now)
        if begun.state == "done":
            return DayReport(begun.day, loaded=False, aircraft=begun.aircraft or 0, fixes=begun.fixes or 0)
        if begun.state == "reading":
            self._read(day, now, lambda share: progress(share * _READING_SHARE))
        stage = Stage(self.engine, self.provider, self.plan, self.sites, self.classes, now)
        stage.play(day, lambda share: progress(_READING_SHARE + share * (1 - _READING_SHARE)))
        return self._finish(day, now)

    def _read(self, day: date, now: datetime, progress: Progress) -> None:
        every = find_parts(self.root, day)
        with reading(self.engine) as connection:
            done = parts_read(connection, self.provider, day.isoformat())
        left = [part for part in every if part.name not in done]
        sieve = Sieve(self.provider, self.sites, self.classes)
        try:
            for part in self.readers(sieve, left, day, now):
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
            all_read(connection, self.provider, day.isoformat())

    def _finish(self, day: date, now: datetime) -> DayReport:
        name = day.isoformat()
        with writing(self.engine) as connection:
            read = parts(connection, self.provider, name)
            aircraft, fixes = sum(part.aircraft for part in read), sum(part.fixes for part in read)
            if backfill_days(connection, self.provider)[name].state != "done":
                finish_day(connection, self.provider, name, now, aircraft=aircraft, fixes=fixes)
        return DayReport(name, loaded=True, aircraft=aircraft, fixes=fixes)


def _plain(rule: Rule) -> str:
    """A rule as text that is the same in every process: sets have no order of their own."""
    values = (getattr(rule, each.name) for each in fields(rule))
    return repr([sorted(value) if isinstance(value, frozenset) else value for value in values])
