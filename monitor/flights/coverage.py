"""How long working feeds watched a place, and whether they can hear anything there: the denominator of a count."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from db.records import CoverageHour

HOUR = timedelta(hours=1)
HEARD_WITHIN = timedelta(hours=24)
"""A feed that heard an aircraft near the place this long ago can still hear one."""
POLL_WORTH_S = 300.0
"""Good answers further apart than this have a hole between them."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """The share of a period really observed; None where nobody was ever heard: that is not known to be coverage."""

    share: float | None
    parts: Mapping[str, Any] = field(default_factory=dict)


def exposure(start: datetime, end: datetime, coverage: Sequence[CoverageHour]) -> Exposure:
    """Add up the observed share of a period over its hours, taking the best provider of each hour.

    `coverage` reaches back a day before `start`. A degraded hour counts as not observed.
    """
    heard = {row.hour for row in coverage if row.reports_nearby > 0}
    total = (end - start).total_seconds()
    uptime = audible = observed = 0.0
    for hour in _hours(start, end):
        overlap = (min(hour + HOUR, end) - max(hour, start)).total_seconds() / total
        best = max((_observed_share(row) for row in coverage if row.hour == hour), default=0.0)
        near = any(hour - HEARD_WITHIN < each <= hour for each in heard)
        uptime += overlap * best
        audible += overlap * near
        observed += overlap * best * near
    degraded = len({row.hour for row in coverage if row.degraded and start - HOUR < row.hour < end})
    parts = {
        "uptime": round(uptime, 4),
        "heard": round(audible, 4),
        "hours": round(total / HOUR.total_seconds(), 2),
    }
    if degraded:
        parts["degraded_hours"] = degraded
    return Exposure(round(observed, 4) if audible else None, parts)


def watched_s(polls: Sequence[datetime], since: datetime, until: datetime) -> float:
    """Give the seconds of a silence that good answers vouch for; an outage is a hole and counts nothing.

    A silence that began in a hole proves nothing at all: the outage may be the silence.
    """
    watched = 0.0
    last = since
    for poll in sorted(polls):
        if since < poll <= until:
            gap = (poll - last).total_seconds()
            if gap > POLL_WORTH_S and last == since:
                return 0.0
            watched += gap if gap <= POLL_WORTH_S else 0.0
            last = poll
    return watched


def _observed_share(row: CoverageHour) -> float:
    return 0.0 if row.degraded else min(1.0, row.observed_s / HOUR.total_seconds())


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR
