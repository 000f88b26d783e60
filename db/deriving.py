"""What deriving visits and looks asks of the database: good polls, silent aircraft, days that are closed."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    case,
    cast,
    delete,
    distinct,
    func,
    literal_column,
    or_,
    select,
)

from db.flights import Bounds, in_box
from db.moments import CLOCK_SKEW
from db.observations import READ_OBSERVATIONS, observation_from_row
from db.records import Observation, Poll
from db.schema import SERIES_KEY, coverage_hour, evaluation, fix, observation, poll

_HOUR = timedelta(hours=1)
_FAR_CELLS = 10_000
"""More than there are cells between a meridian and its opposite: what is lifted by so much is above 0."""


def first_coverage(connection: Connection, site_ids: Collection[str]) -> dict[str, datetime]:
    """Give the first hour in which anybody watched each site, as far as anybody did."""
    query = select(coverage_hour.c.site_id, func.min(coverage_hour.c.hour)).where(
        coverage_hour.c.site_id.in_(sorted(site_ids))
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(coverage_hour.c.site_id))}


def good_polls(
    connection: Connection, site_id: str, providers: Collection[str], since: datetime, until: datetime
) -> list[datetime]:
    """Give the times in (since, until] at which good answers ended of those of the providers that cover the site.

    An answer stands for the time until it ended; five minutes of an archive are one answer.
    """
    covering = (
        select(coverage_hour.c.provider)
        .where(coverage_hour.c.site_id == site_id, coverage_hour.c.observed_s > 0)
        .where(coverage_hour.c.provider.in_(providers))
        .where(coverage_hour.c.hour > since - _HOUR, coverage_hour.c.hour <= until)
        .distinct()
    )
    query = (
        select(poll.c.finished_at)
        .where(poll.c.provider.in_(covering))
        .where(poll.c.purpose == "data", poll.c.outcome.in_(("ok", "empty")))
        .where(*_ended(since, until))
        .order_by(poll.c.finished_at)
    )
    return list(connection.execute(query).scalars())


def good_polls_like(connection: Connection, poll_id: int, since: datetime, until: datetime) -> list[datetime]:
    """Give the times in (since, until] at which good answers of the same provider to the same question ended."""
    same = poll.alias()
    query = (
        select(poll.c.finished_at)
        .join(same, (same.c.provider == poll.c.provider) & (same.c.scope == poll.c.scope))
        .where(same.c.id == poll_id)
        .where(poll.c.purpose == "data", poll.c.outcome.in_(("ok", "empty")))
        .where(*_ended(since, until))
        .order_by(poll.c.finished_at)
    )
    return list(connection.execute(query).scalars())


def _ended(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    # No answer takes an hour; the beginning is what the index knows.
    begun = poll.c.started_at > since - _HOUR, poll.c.started_at <= until
    return (*begun, poll.c.finished_at > since, poll.c.finished_at <= until)


def scope_of(connection: Connection, poll_id: int) -> str:
    """Give the scope that a poll asked for, or nothing where the poll is not known."""
    found = connection.execute(select(poll.c.scope).where(poll.c.id == poll_id)).scalar_one_or_none()
    return found or ""


def heard_before(connection: Connection, icao24: str, before: datetime) -> datetime | None:
    """Give the time of the last report of one aircraft before another time."""
    query = select(func.max(fix.c.at)).where(fix.c.icao24 == icao24, fix.c.at < before)
    found: datetime | None = connection.execute(query).scalar_one()
    return found


def heard_cells(
    connection: Connection,
    box: Bounds,
    since: datetime,
    until: datetime,
    *,
    but: str,
    cell_deg: float,
    band_ft: float,
) -> list[tuple[int, int, int, int]]:
    """Count the aircraft but one that were heard in [since, until], by cell and band of height.

    A row holds the row and the column of the cell (its southwest corner through its size), the band (-1 on the ground, else
    whole bands of altitude, none below 0) and the number of aircraft. Reports without a height are left out.
    """
    cell, height = literal_column(repr(cell_deg), Float), literal_column(repr(band_ft), Float)
    row, column = (_whole(connection, at / cell, _FAR_CELLS) for at in (fix.c.lat, fix.c.lon))
    band = case(
        (fix.c.on_ground, literal_column("-1")),
        (fix.c.altitude_ft < 0, literal_column("0")),
        else_=_whole(connection, fix.c.altitude_ft / height, 0),
    )
    query = (
        select(row.label("r"), column.label("c"), band.label("b"), func.count(distinct(fix.c.icao24)))
        .where(fix.c.at >= since, fix.c.at <= until, *in_box(box), fix.c.icao24 != but)
        .where(or_(fix.c.on_ground, fix.c.altitude_ft.is_not(None)))
        .group_by("r", "c", "b")
    )
    return [(int(a), int(b), int(c), int(n)) for a, b, c, n in connection.execute(query)]


def _whole(connection: Connection, value: ColumnElement[Any], lift: int) -> ColumnElement[int]:
    """Round down; SQLite has no floor everywhere but cuts towards 0, PostgreSQL rounds: the value is lifted above 0 first."""
    lifted = value + literal_column(str(lift), Integer)
    whole = func.floor(lifted) if connection.dialect.name == "postgresql" else lifted
    return cast(whole, Integer) - literal_column(str(lift), Integer)


def poll_before(connection: Connection, polls: Sequence[Poll]) -> datetime | None:
    """Give the start of the newest data poll before these of any of their providers."""
    query = (
        select(func.max(poll.c.started_at))
        .where(poll.c.provider.in_(sorted({each.provider for each in polls})), poll.c.purpose == "data")
        .where(poll.c.started_at < min(each.started_at for each in polls))
    )
    before: datetime | None = connection.execute(query).scalar_one()
    return before


def last_report_times(connection: Connection, since: datetime, until: datetime) -> list[tuple[str, datetime]]:
    """Give the aircraft heard since `since` but not after `until`, each with the time of its last report."""
    last = func.max(fix.c.at)
    # Grouped by the bare column, SQLite would go through the whole table in its order.
    who = fix.c.icao24.concat("")
    query = select(who, last).where(fix.c.at >= since).group_by(who).having(last <= until)
    return [(row[0], row[1]) for row in connection.execute(query)]


def looks_of_day(
    connection: Connection, site_id: str, metrics: Collection[str], procedure: str, period_start: datetime
) -> list[Observation]:
    """Read the newest revisions of the looks of one day of a site, as far as they come from this procedure."""
    later = observation.alias()
    newest = select(func.max(later.c.revision)).where(
        *(later.c[name] == observation.c[name] for name in (*SERIES_KEY, "period_start", "look_key"))
    )
    query = READ_OBSERVATIONS.where(
        observation.c.site_id == site_id,
        observation.c.metric.in_(sorted(metrics)),
        observation.c.period_start == period_start,
        observation.c.area == "",
        observation.c.procedure == procedure,
        observation.c.revision == newest.scalar_subquery(),
    )
    return [observation_from_row(row) for row in connection.execute(query)]


def last_closed(
    connection: Connection, site_ids: Collection[str], metric: str, procedure: str, since: datetime | None
) -> dict[str, datetime]:
    """Give the end of the last day that was closed for all subjects together, for the sites that have one.

    Only days that began at `since` or later are looked at, where it is given.
    """
    query = select(observation.c.site_id, func.max(observation.c.period_end)).where(
        observation.c.site_id.in_(sorted(site_ids)),
        observation.c.metric == metric,
        observation.c.area == "",
        observation.c.subject == "",
        observation.c.procedure == procedure,
        observation.c.closed,
    )
    if since is not None:
        query = query.where(observation.c.period_start >= since)
    return {row[0]: row[1] for row in connection.execute(query.group_by(observation.c.site_id))}


def closed_too_early(
    connection: Connection,
    site_ids: Collection[str],
    metric: str,
    procedure: str,
    *,
    since: datetime,
    now: datetime,
) -> set[str]:
    """Give the sites of which a day that began at `since` or later was closed under a clock that was ahead."""
    query = select(observation.c.site_id).where(
        observation.c.site_id.in_(sorted(site_ids)),
        observation.c.metric == metric,
        observation.c.procedure == procedure,
        observation.c.closed,
        observation.c.period_start >= since,
        observation.c.recorded_at > now + CLOCK_SKEW,
    )
    return set(connection.execute(query.distinct()).scalars())


def drop_unborn_looks(
    connection: Connection, site_ids: Collection[str], procedure: str, now: datetime
) -> int:
    """Drop the looks that a clock that was ahead recorded, with their verdicts; give their number."""
    ours = observation.c.site_id.in_(sorted(site_ids)), observation.c.procedure == procedure
    unborn = (*ours, observation.c.recorded_at > now + CLOCK_SKEW)
    same = [
        evaluation.c[name] == observation.c[name]
        for name in (*SERIES_KEY, "period_start", "look_key", "revision")
    ]
    judged = select(observation.c.site_id).where(*unborn, *same).exists()
    connection.execute(delete(evaluation).where(judged))
    return connection.execute(delete(observation).where(*unborn)).rowcount
