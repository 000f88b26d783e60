"""How long working feeds watched a place, and whether they can hear anything there: the denominator of a count."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from db.records import CoverageHour

HOUR = timedelta(hours=1)
HEARD_WITHIN = timedelta(hours=24)
"""A feed that heard an aircraft near the place this long ago can still hear one."""
COVERAGE_INDEX_OVER = timedelta(days=28)
"""The days before that a day's reports around the place are compared with."""
_DAY = timedelta(days=1)
_INDEX_DAYS = 7
_INDEX_REPORTS = 50.0
_INDEX_WATCHED = 0.25
_USUAL_SHARE = 0.5
POLL_WORTH_S = 300.0
"""So long a good answer vouches for a place at least, however often it is asked about."""
_LATE = 1.2
"""By so much more than usual the answers of a slow provider may be apart, without a hole between them."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """The share of a period really observed; None where nobody was ever heard: that is not known to be coverage."""

    share: float | None
    parts: Mapping[str, Any] = field(default_factory=dict)


def observed_exposure(start: datetime, end: datetime, coverage: Sequence[CoverageHour]) -> Exposure:
    """Add up the observed share of a period over its hours, taking the best provider of each hour.

    `coverage` reaches back a day before `start`, better `COVERAGE_INDEX_OVER`. A degraded hour counts as not observed. Where
    far fewer aircraft were heard around the place than on most days before, it was heard worse: the share falls.
    """
    heard = {row.hour for row in coverage if row.reports_nearby > 0 and row.hour > start - 2 * HEARD_WITHIN}
    total = (end - start).total_seconds()
    uptime = audible = observed = 0.0
    for hour in _hours(start, end):
        overlap = (min(hour + HOUR, end) - max(hour, start)).total_seconds() / total
        best = max((_observed_share(row) for row in coverage if row.hour == hour), default=0.0)
        near = any(hour - HEARD_WITHIN < each <= hour for each in heard)
        uptime += overlap * best
        audible += overlap * near
        observed += overlap * best * near
    index = coverage_index(start, end, coverage)
    observed *= 1.0 if index is None else index
    degraded = len({row.hour for row in coverage if row.degraded and start - HOUR < row.hour < end})
    parts = {
        "uptime": round(uptime, 4),
        "heard": round(audible, 4),
        "hours": round(total / HOUR.total_seconds(), 2),
    }
    if index is not None:
        parts["index"] = round(index, 2)
    if degraded:
        parts["degraded_hours"] = degraded
    return Exposure(round(observed, 4) if audible else None, parts)


def coverage_index(start: datetime, end: datetime, coverage: Sequence[CoverageHour]) -> float | None:
    """Compare how many others were heard around a place with the days before: 1 is as usual, 0 is deaf.

    Traffic itself varies, so that down to half of the median counts as usual. None where a week of days with
    enough reports is not there to compare with.
    """
    rates = [
        rate
        for days in range(1, COVERAGE_INDEX_OVER.days + 1)
        if (rate := _reports_an_hour(start - days * _DAY, start - (days - 1) * _DAY, coverage)) is not None
    ]
    now = _reports_an_hour(start, end, coverage)
    if len(rates) < _INDEX_DAYS or now is None or median(rates) * _DAY / HOUR < _INDEX_REPORTS:
        return None
    return min(1.0, now / (_USUAL_SHARE * median(rates)))


def _reports_an_hour(start: datetime, end: datetime, coverage: Sequence[CoverageHour]) -> float | None:
    rows = [row for row in coverage if start <= row.hour < end and not row.degraded]
    observed_s = sum(row.observed_s for row in rows)
    if observed_s < _INDEX_WATCHED * (end - start).total_seconds():
        return None
    return sum(row.reports_nearby for row in rows) / observed_s * HOUR.total_seconds()


def watched_s(polls: Sequence[datetime], since: datetime, until: datetime) -> float:
    """Give the seconds of a silence that good answers vouch for; an outage is a hole and counts nothing.

    A silence that began in a hole proves nothing at all: the outage may be the silence.
    """
    ordered = sorted(poll for poll in polls if since < poll <= until)
    apart = [(after - before).total_seconds() for before, after in pairwise(ordered)]
    hole_s = max(POLL_WORTH_S, _LATE * median(apart)) if apart else POLL_WORTH_S
    if ordered and (ordered[0] - since).total_seconds() > hole_s:
        return 0.0
    steps = [(ordered[0] - since).total_seconds(), *apart] if ordered else []
    return sum(step for step in steps if step <= hole_s)


def _observed_share(row: CoverageHour) -> float:
    return 0.0 if row.degraded else min(1.0, row.observed_s / HOUR.total_seconds())


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR
