"""Visits become looks: the days of a site that changed, and the days that ended."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from db.chunks import chunks
from db.coverage import coverage
from db.deriving import closed_too_early, drop_unborn_looks, first_coverage, last_closed, looks_of_day
from db.drafts import DerivingDraft
from db.engine import Connection, Engine, reading, writing
from db.flights import underived_polls, visits
from db.moves import PeriodBounds, WrittenLook, counted_by_day, move_look
from db.observations import looks, record_observations
from db.records import CoverageHour, Observation, Visit
from monitor.derive.tracks import VisitChange
from monitor.flights.coverage import COVERAGE_INDEX_OVER, HEARD_WITHIN, Exposure, observed_exposure
from monitor.flights.looks import (
    CLOSE_DAY_AFTER,
    COUNTED_METRICS,
    PRESENT_UNHEARD,
    DayState,
    changed_days,
    day_looks,
    day_period,
    local_date,
    look_of_day,
)
from monitor.flights.measures import (
    NEW_VISITOR_AFTER,
    NEW_VISITORS_METRIC,
    STAY_METRIC,
    new_visitors,
    stay_looks,
)
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.flights.words import visits_story
from monitor.sites import Site

_DAY = timedelta(days=1)
_DAILY = (*COUNTED_METRICS, NEW_VISITORS_METRIC)
_RECENTLY = timedelta(days=4)
_STEPS_AT_ONCE = 20
_log = structlog.get_logger()


def changed_looks(
    draft: DerivingDraft, site: Site, changes: Sequence[VisitChange], at: datetime
) -> list[Observation]:
    """Give the looks of the days that changed visits touch, and the stays, as far as they say something new."""
    whole = _whole_changes(changes)
    before = [change.before for change in whole if change.before is not None]
    days = changed_days(site.timezone, before, [change.after for change in whole], at)
    found = [look for change in whole for look in _stay(draft.connection, change, at, draft.now)]
    reader = _Counter(draft.connection, draft.visits, draft.coverage)
    return found + [look for day in sorted(days) for look in reader.count(site, day, at, draft.now)]


def _whole_changes(changes: Sequence[VisitChange]) -> list[VisitChange]:
    """Join the steps in which a visit changed: what lies between them was never stored."""
    joined: dict[str, VisitChange] = {}
    for each in changes:
        first = joined.get(each.after.visit_id, each)
        joined[each.after.visit_id] = VisitChange(first.before, each.after)
    return list(joined.values())


def _stay(connection: Connection, change: VisitChange, at: datetime, now: datetime) -> list[Observation]:
    """Measure the stay of a changed visit again."""
    visit = change.after
    ends = [
        moment
        for each in (change.before, visit)
        if each is not None
        for moment in (each.arrived_at, each.departed_at)
        if moment is not None
    ]
    if not ends:
        return []
    near = looks(
        connection,
        site_id=visit.site_id,
        metric=STAY_METRIC,
        procedure=ADSB_PROCEDURE,
        since=min(ends) - _DAY,
        until=max(ends) + _DAY,
    )
    known = [each for each in near if each.look_key == visit.visit_id]
    return stay_looks(visit, known, at, now)


def record_day(connection: Connection, site: Site, day: date, at: datetime, now: datetime) -> int:
    """Count one day of a site again and record what differs; give the number of new revisions."""
    counter = _Counter(connection, partial(visits, connection), partial(coverage, connection))
    return len(record_observations(connection, counter.count(site, day, at, now)))


@dataclass(frozen=True, slots=True)
class _Counter:
    """Counts days by the visits and hours that it is given to read, stored or drafted."""

    connection: Connection
    visits: Callable[..., list[Visit]]
    coverage: Callable[[str, datetime, datetime], list[CoverageHour]]

    def count(self, site: Site, day: date, at: datetime, now: datetime) -> list[Observation]:
        """Give the looks of one day of a site that say something new."""
        start, end = day_period(site.timezone, day)
        closed = at >= end + CLOSE_DAY_AFTER
        watched_since = start - HEARD_WITHIN
        hours = self.coverage(site.id, start - COVERAGE_INDEX_OVER if closed else watched_since, end)
        state = DayState(
            at=at,
            now=now,
            exposure=observed_exposure(start, end, hours) if closed else Exposure(None),
            closed=closed,
            providers=tuple(
                sorted({row.provider for row in hours if row.hour >= watched_since and row.observed_s})
            ),
        )
        there = self.visits(site_id=site.id, since=start - PRESENT_UNHEARD, until=end)
        known = looks_of_day(self.connection, site.id, _DAILY, ADSB_PROCEDURE, start)
        counted = [each for each in known if each.series.metric in COUNTED_METRICS]
        found = day_looks(site, day, there, counted, state, story=visits_story)
        arrived = [
            each for each in there if each.is_here and each.arrived_at and start <= each.arrived_at < end
        ]
        new = new_visitors(arrived, self._of_the_year(site, arrived, start))
        before = next((each for each in known if each.series.metric == NEW_VISITORS_METRIC), None)
        if new or before or closed:
            look = look_of_day(
                site, day, (NEW_VISITORS_METRIC, ""), new, state=state, earlier=before, story=visits_story
            )
            found += [look] if before is None or not look.same_finding(before) else []
        return found

    def _of_the_year(self, site: Site, arrived: Sequence[Visit], start: datetime) -> list[Visit]:
        """Read the visits of the year before of aircraft that arrived, where they have names."""
        names = {visit.icao24 for visit in arrived if f"icao24:{visit.icao24}" in visit.subjects}
        if not names:
            return []
        return self.visits(site_id=site.id, icao24s=names, since=start - NEW_VISITOR_AFTER)


def move_counted_days(engine: Engine, sites: Sequence[Site]) -> int:
    """Move our own daily looks whose days begin elsewhere by the sites' clocks now; give how many there were.

    A day is known by its date: what was counted of it, judged and told stays as it is, and is not counted again as
    another day.
    """
    moved = 0
    for site in sites:
        with reading(engine) as connection:
            counted = counted_by_day(connection, site.id, ADSB_PROCEDURE, _DAILY)
        astray = [(look, bounds) for look in counted if (bounds := _moved_bounds(site, look)) is not None]
        if astray:
            with writing(engine) as connection:
                moved += sum(move_look(connection, look, bounds) for look, bounds in astray)
    return moved


def _moved_bounds(site: Site, look: WrittenLook) -> PeriodBounds | None:
    start, end = day_period(site.timezone, date.fromisoformat(look.look_key))
    if (start, end) == (look.period_start, look.period_end):
        return None
    return PeriodBounds(start, end, "", site.timezone.key)


def close_ended(engine: Engine, sites: Sequence[Site], now: datetime, stop: Callable[[], bool]) -> int:
    """Close the days of the sites that ended since each one's last closed day, then count the running day.

    `stop` is asked before each ended day, never between the last of them and the running one: what ended and was not
    closed is taken up again, and the running day only after one that ended. A few days of sites are written at once:
    at midnight a thousand sites end their day.
    """
    _reopen(engine, {site.id for site in sites}, now)
    with reading(engine) as connection:
        ended = {site.id: days for site, days in _ended(connection, sites, now)}
    steps = [step for site in sites for step in _steps(site, ended.get(site.id, []), now)]
    looks = 0
    for some in chunks(steps, _STEPS_AT_ONCE):
        with writing(engine) as connection:
            for site, days in some:
                if stop():
                    return looks
                looks += sum(record_day(connection, site, day, now, now) for day in days)
    return looks


def _steps(site: Site, ended: Sequence[date], now: datetime) -> Iterator[tuple[Site, list[date]]]:
    """The days of a site that are counted together: each by itself, the last that ended with the running one."""
    yield from ((site, [day]) for day in ended[:-1])
    if ended:
        yield site, [ended[-1], local_date(site.timezone, now)]


def _reopen(engine: Engine, site_ids: set[str], now: datetime) -> None:
    """Take back the days that were counted for good before they ended, under a clock that was ahead."""
    with reading(engine) as connection:
        wrong = closed_too_early(
            connection, site_ids, COUNTED_METRICS[0], ADSB_PROCEDURE, since=now - _RECENTLY, now=now
        )
    if wrong:
        with writing(engine) as connection:
            looks = drop_unborn_looks(connection, wrong, ADSB_PROCEDURE, now)
        _log.warning("looks of a wrong clock dropped", sites=sorted(wrong), looks=looks)


def _ended(connection: Connection, sites: Sequence[Site], now: datetime) -> Iterator[tuple[Site, list[date]]]:
    begun = _counted_until(connection, {site.id for site in sites}, now)
    due = [site for site in sites if site.id in begun and _next_close(site, begun[site.id]) <= now]
    if not due:
        return
    # What was polled in a day must be derived before the day is counted for good.
    waiting = underived_polls(connection, limit=1)
    until = min(now, waiting[0].started_at) if waiting else now
    for site in due:
        day, days = local_date(site.timezone, begun[site.id]), []
        while day_period(site.timezone, day)[1] + CLOSE_DAY_AFTER <= until:
            days.append(day)
            day += _DAY
        yield site, days


def _counted_until(connection: Connection, site_ids: set[str], now: datetime) -> dict[str, datetime]:
    """Give where the counting of each site stands: the end of its last closed day, or its first coverage."""
    found = last_closed(connection, site_ids, COUNTED_METRICS[0], ADSB_PROCEDURE, now - _RECENTLY)
    if left := site_ids - found.keys():
        found |= last_closed(connection, left, COUNTED_METRICS[0], ADSB_PROCEDURE, None)
    if left := site_ids - found.keys():
        found |= first_coverage(connection, left)
    return found


def _next_close(site: Site, begun: datetime) -> datetime:
    return day_period(site.timezone, local_date(site.timezone, begun))[1] + CLOSE_DAY_AFTER
