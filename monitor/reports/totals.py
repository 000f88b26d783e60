"""Counts by day, week, month or year: flows summed, of stocks the highest, and how much of each period was watched. Pure.

A period that nobody watched has no value: it is never zero. What was counted of a period is never more than was seen of it, and
how much that was stands beside it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from db.records import Observation, Qualifier, SeriesKey, SeriesKind

TotalsBy = Literal["day", "week", "month", "year"]
_DECEMBER = 12
_MOMENT = timedelta(microseconds=1)
_FROM_SUREST: Sequence[Qualifier] = ("=", "~=", ">=", "<=")


@dataclass(frozen=True, slots=True)
class PeriodTotal:
    """One period of one series; `value` None means that nobody counted, never zero.

    `watched` is the share of the period, as far as it is over, that was really seen: of a flow by the exposure of its looks, of a
    stock the share of its days with a count. None: those who counted did not say.
    """

    series: SeriesKey
    kind: SeriesKind
    label: str
    start: datetime
    end: datetime
    value: float | None
    qualifier: Qualifier
    watched: float | None
    looks: int
    """How many looks there are, with a count or without."""
    counted: int
    """How many of them have a count that is in the value."""
    left_out: int
    """Counts that lie within a longer one of the same series, and would be counted twice."""
    running: bool
    """Whether the period is not over yet."""


@dataclass(frozen=True, slots=True)
class TotalsCalendar:
    """Which periods time is cut into, whose days they are made of, and what the time is. Weeks begin on Monday."""

    by: TotalsBy
    zone: ZoneInfo
    now: datetime

    def first_day(self, at: datetime) -> date:
        """The first day of the period in which an instant lies."""
        day = at.astimezone(self.zone).date()
        if self.by == "week":
            return day - timedelta(days=day.weekday())
        if self.by == "month":
            return day.replace(day=1)
        return day.replace(month=1, day=1) if self.by == "year" else day

    def following(self, day: date) -> date:
        """The first day of the next period."""
        if self.by == "day":
            return day + timedelta(days=1)
        if self.by == "week":
            return day + timedelta(days=7)
        if self.by == "year":
            return date(day.year + 1, 1, 1)
        return date(day.year + day.month // _DECEMBER, day.month % _DECEMBER + 1, 1)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """When a period begins and when it is over, in UTC."""
        ends = (datetime.combine(each, time(), self.zone) for each in (day, self.following(day)))
        start, end = (each.astimezone(UTC) for each in ends)
        return start, end

    def label(self, day: date) -> str:
        """What a period is called: 2024-03-09, 2024-W10, 2024-03 or 2024."""
        if self.by == "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        return (
            f"{day:%Y}" if self.by == "year" else f"{day:%Y-%m}" if self.by == "month" else f"{day:%Y-%m-%d}"
        )


@dataclass(frozen=True, slots=True)
class SeriesTotals:
    """The periods of some series, and what is to be known beside them."""

    periods: tuple[PeriodTotal, ...]
    spanning: int
    """Looks that are longer than a period: they belong to none and are in no value."""
    across: int
    """Looks that lie across the border of two: of days of another clock, as of UTC."""


def totals(
    looks: Iterable[Observation],
    calendar: TotalsCalendar,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> SeriesTotals:
    """Every period of every series from the first to the last that is asked for, or that has a look.

    A look counts where the greater part of it lies. Announced counts are left out: nobody saw them.
    """
    by_series: dict[SeriesKey, list[Observation]] = defaultdict(list)
    for each in looks:
        if not each.announced:
            by_series[each.series].append(each)
    found: list[PeriodTotal] = []
    spanning = across = 0
    for _, some in sorted(by_series.items()):
        inside: dict[date, list[Observation]] = defaultdict(list)
        for each in some:
            length = each.period_end - each.period_start
            day = calendar.first_day(each.period_start + length / 2)
            start, end = calendar.bounds(day)
            if length > end - start:
                spanning += 1
                continue
            across += each.period_start < start or each.period_end > end
            inside[day].append(each)
        days = _periods(inside, calendar, since, until)
        found += [_total(some[0], inside.get(day, []), day, calendar) for day in days]
    return SeriesTotals(tuple(found), spanning, across)


def _periods(
    inside: Iterable[date], calendar: TotalsCalendar, since: datetime | None, until: datetime | None
) -> Iterator[date]:
    """From what is asked for, else from the first look to the last, without a gap and not into the future."""
    known = sorted(inside)
    first = calendar.first_day(since) if since is not None else min(known, default=None)
    last = calendar.first_day(until - _MOMENT) if until is not None else max(known, default=None)
    if first is None or last is None:
        return
    last = min(last, max([calendar.first_day(calendar.now), *known]))
    while first <= last:
        yield first
        first = calendar.following(first)


def _total(of: Observation, looks: Sequence[Observation], day: date, calendar: TotalsCalendar) -> PeriodTotal:
    """One period of the series that a look is of."""
    start, end = calendar.bounds(day)
    usable = [each for each in looks if each.usable and not _is_silence(each)]
    counted = _apart(usable) if of.kind == "flow" else usable
    value: float | None
    if of.kind == "flow":
        value = sum(each.value or 0.0 for each in counted) if counted else None
        qualifier = _sum_sign(counted)
        watched = _watched_share(counted, max(timedelta(), min(end, calendar.now) - start))
    else:
        value = max((each.value or 0.0 for each in counted), default=None)
        qualifier = _highest_sign(counted, value)
        watched = _days_seen(counted, start, end, calendar)
    return PeriodTotal(
        series=of.series,
        kind=of.kind,
        label=calendar.label(day),
        start=start,
        end=end,
        value=value,
        qualifier=qualifier,
        watched=watched,
        looks=len(looks),
        counted=len(counted),
        left_out=len(usable) - len(counted),
        running=end > calendar.now,
    )


def _is_silence(look: Observation) -> bool:
    """Whether a zero was written where nobody looked."""
    return not look.value and look.exposure == 0


def _apart(looks: Sequence[Observation]) -> list[Observation]:
    """Those that do not overlap: of two that do, the longer one, which says more of the period; then the higher one."""
    chosen: list[Observation] = []
    for each in sorted(
        looks,
        key=lambda one: (
            one.period_start - one.period_end,
            one.period_start,
            -(one.value or 0),
            one.look_key,
        ),
    ):
        if not any(
            each.period_start < other.period_end and other.period_start < each.period_end for other in chosen
        ):
            chosen.append(each)
    return sorted(chosen, key=lambda one: one.period_start)


def _watched_share(counted: Sequence[Observation], over: timedelta) -> float | None:
    """What share of the time was seen; None where there are counts and one of them does not say."""
    if any(each.exposure is None for each in counted):
        return None
    if not over:
        return 0.0
    seen = sum(((each.exposure or 0.0) * (each.period_end - each.period_start) / over) for each in counted)
    return min(1.0, seen)


def _days_seen(
    counted: Sequence[Observation], start: datetime, end: datetime, calendar: TotalsCalendar
) -> float:
    """The share of the days, as far as they have begun, on which somebody counted."""
    last = min(end, max(calendar.now, start)) - _MOMENT
    first_day, last_day = (at.astimezone(calendar.zone).date() for at in (start, last))
    seen = {each.period_start.astimezone(calendar.zone).date() for each in counted}
    return min(1.0, len(seen) / max(1, (last_day - first_day).days + 1))


def _sum_sign(counted: Sequence[Observation]) -> Qualifier:
    """What a sum is at least, at most or about; it is exact only where every part is."""
    signs = {each.qualifier for each in counted} - {"="}
    if not signs:
        return "="
    return next(iter(signs)) if len(signs) == 1 else "~="


def _highest_sign(counted: Sequence[Observation], highest: float | None) -> Qualifier:
    """The sign of the highest count itself; a lower bound anywhere else may hide a higher one."""
    signs = {each.qualifier for each in counted if each.value == highest}
    if "=" not in signs:
        return min(signs, key=_FROM_SUREST.index, default="=")
    return ">=" if any(each.qualifier == ">=" for each in counted) else "="
