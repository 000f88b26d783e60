"""When each site was last watched, and the periods in which no working feed watched it."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from db.records import BlindPeriod
from db.schema import blind_period, coverage_hour, provider_state, site_version
from db.upsert import insert_ignore

_HOUR = timedelta(hours=1)


def watched_until(connection: Connection, site_ids: Collection[str], now: datetime) -> dict[str, datetime]:
    """Until when each site was watched, or since when it is in the registry if it never was.

    That is the last good answer of a provider that watched it in its last hour, at most the end of that hour:
    a provider may go on to answer for other sites.
    """
    known = (
        select(site_version.c.site_id, func.min(site_version.c.recorded_at))
        .where(site_version.c.site_id.in_(sorted(site_ids)))
        .group_by(site_version.c.site_id)
    )
    here = coverage_hour.c.site_id.in_(sorted(site_ids)), coverage_hour.c.observed_s > 0
    newest = (
        select(coverage_hour.c.site_id, func.max(coverage_hour.c.hour).label("hour"))
        .where(*here)
        .group_by(coverage_hour.c.site_id)
        .subquery()
    )
    seen = (
        select(coverage_hour.c.site_id, coverage_hour.c.hour, func.max(provider_state.c.last_ok_at))
        .join(newest, (newest.c.site_id == coverage_hour.c.site_id) & (newest.c.hour == coverage_hour.c.hour))
        .outerjoin(provider_state, provider_state.c.provider == coverage_hour.c.provider)
        .where(*here)
        .group_by(coverage_hour.c.site_id, coverage_hour.c.hour)
    )
    until = {row[0]: row[1] for row in connection.execute(known)}
    for site_id, hour, answered in connection.execute(seen):
        until[site_id] = min(hour + _HOUR, now, max(answered or now, hour))
    return until


def open_periods(connection: Connection) -> dict[str, BlindPeriod]:
    """The blind periods that last, by site."""
    return {each.site_id: each for each in blind_periods(connection) if each.ended_at is None}


def blind_periods(
    connection: Connection, site_id: str | None = None, since: datetime | None = None
) -> list[BlindPeriod]:
    """Blind periods, oldest first, that had not ended before `since`."""
    query = select(blind_period).order_by(blind_period.c.since, blind_period.c.site_id)
    if site_id is not None:
        query = query.where(blind_period.c.site_id == site_id)
    if since is not None:
        query = query.where(blind_period.c.ended_at.is_(None) | (blind_period.c.ended_at > since))
    return [BlindPeriod(**row) for row in connection.execute(query).mappings()]


def begin_period(connection: Connection, period: BlindPeriod) -> bool:
    """Note that a site is blind; False where that is known."""
    row = {
        "site_id": period.site_id,
        "since": period.since,
        "noticed_at": period.noticed_at,
        "ended_at": period.ended_at,
    }
    return insert_ignore(connection, blind_period, [row]) == 1


def end_period(connection: Connection, period: BlindPeriod, ended_at: datetime) -> bool:
    """Note that a site is watched again; False where another process did."""
    done = connection.execute(
        update(blind_period)
        .where(
            blind_period.c.site_id == period.site_id,
            blind_period.c.since == period.since,
            blind_period.c.ended_at.is_(None),
        )
        .values(ended_at=ended_at)
    )
    return done.rowcount == 1
