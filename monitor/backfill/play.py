"""Playing an archived day through the pipeline: each five minutes become a poll, its reports become visits and looks.

A day may be played again after a kill: polls are known by their slot, and what one brought was stored with it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from db.backfill import stored_parts
from db.engine import Connection, Engine, reading, writing
from db.polls import PollKey, PollResult, next_sequence, record_poll, start_poll
from db.records import Fix
from db.records.claims import BackfillPart
from monitor.backfill.filtering import SLOT_S, damage_of_parts, slots_of, unpack_fixes
from monitor.derive.days import record_day
from monitor.derive.pending import derive_pending
from monitor.derive.screening import screened
from monitor.feeds import Fetched
from monitor.flights.looks import CLOSE_DAY_AFTER, day_period, local_date
from monitor.flights.tracks.identity import Classes
from monitor.sites import Site

SLOTS_A_DAY = 86_400 // SLOT_S
_DAY = timedelta(days=1)
_NOTHING = "the archive heard nothing anywhere in these minutes"
PlayProgress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class DayPlayback:
    """Where a day is played: the database, the sites and classes, and the archive's name and plan."""

    engine: Engine
    provider: str
    plan: str
    sites: Sequence[Site]
    classes: Classes
    now: datetime

    def play(self, day: date, progress: PlayProgress) -> None:
        """Record and derive slot by slot in the order of time, then count the days that ended."""
        with reading(self.engine) as connection:
            read = stored_parts(connection, self.provider, day.isoformat())
        heard, nearby, fixes = _joined(read)
        # What could not be read was not watched: addresses are spread evenly over the files.
        lasts_s = max(1, int(SLOT_S * damage_of_parts(read).share))
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for number in range(SLOTS_A_DAY):
            at = begin + timedelta(seconds=number * SLOT_S)
            result = self._result(number, at, heard, nearby, fixes)
            with writing(self.engine) as connection:
                self._record(connection, at, result, lasts_s)
            # One slot at a time, so that nothing is judged by what came later.
            derive_pending(self.engine, self.sites, self.now, classes=self.classes)
            progress((number + 1) / SLOTS_A_DAY)
        self._count(begin)

    def _result(
        self,
        number: int,
        at: datetime,
        heard: Mapping[int, int],
        nearby: Mapping[str, Mapping[int, int]],
        fixes: Mapping[int, Sequence[Fix]],
    ) -> PollResult:
        around = {site.id: nearby.get(site.id, {}).get(number, 0) for site in self.sites if site.flies}
        if not heard.get(number):
            return PollResult("failed", error=_NOTHING, nearby=around)
        return PollResult(
            "ok",
            item_count=heard[number],
            feed_time=at + timedelta(seconds=SLOT_S),
            fixes=tuple(fixes.get(number, ())),
            nearby=around,
        )

    def _record(self, connection: Connection, at: datetime, result: PollResult, lasts_s: int) -> None:
        key = PollKey(self.provider, f"archive:{self.plan}", int(at.timestamp()) // SLOT_S)
        # Begun and finished in one transaction, so that a poll that is there is whole.
        sequence = next_sequence(connection, key, self.now)
        poll_id = None if sequence is None else start_poll(connection, key, sequence, at)
        if poll_id is not None:
            ended = at + timedelta(seconds=SLOT_S)
            stored = self._named(connection, result)
            record_poll(connection, poll_id, stored, interval_s=SLOT_S, now=ended, lasts_s=lasts_s)

    def _named(self, connection: Connection, result: PollResult) -> PollResult:
        fetched = Fetched((), 0, 0, fixes=result.fixes, marked=frozenset(fix.icao24 for fix in result.fixes))
        kept = screened(connection, self.sites, self.classes, fetched, redistribute=False)
        return replace(kept, fixes=result.fixes).stored(connection, result, self.now)

    def _count(self, begin: datetime) -> None:
        """Count each local day that the archived day touches: for good where it has ended by then."""
        end = begin + _DAY
        for site in self.sites:
            if not site.flies:
                continue
            day = local_date(site.timezone, begin)
            while day_period(site.timezone, day)[0] < end:
                at = min(day_period(site.timezone, day)[1] + CLOSE_DAY_AFTER, end + CLOSE_DAY_AFTER)
                with writing(self.engine) as connection:
                    record_day(connection, site, day, at, self.now)
                day += _DAY


def _joined(
    read: Sequence[BackfillPart],
) -> tuple[Counter[int], dict[str, Counter[int]], dict[int, list[Fix]]]:
    """Join the parts of a day: what was heard and near each site by slot, and the reports of each slot."""
    heard: Counter[int] = Counter()
    nearby: dict[str, Counter[int]] = {}
    fixes: dict[int, list[Fix]] = {}
    for part in read:
        heard.update(slots_of(part.heard))
        for site_id, slots in part.nearby.items():
            nearby.setdefault(site_id, Counter()).update(slots_of(slots))
        for fix in unpack_fixes(part):
            fixes.setdefault(int(fix.at.timestamp()) % 86_400 // SLOT_S, []).append(fix)
    for each in fixes.values():
        each.sort(key=lambda fix: (fix.at, fix.icao24))
    return heard, nearby, fixes
