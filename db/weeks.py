"""What a stretch of time brought, in figures: looks, polls, verdicts and alerts, for the digest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select

from db.schema import alert as alert_table
from db.schema import evaluation, observation, poll


@dataclass(frozen=True, slots=True)
class ProviderWeek:
    """How one provider answered: polls for data, and how many of them failed or were lost."""

    provider: str
    polls: int
    failed: int


@dataclass(frozen=True, slots=True)
class Week:
    """The figures of one stretch; `chance` is the number of records that chance alone gives, None if untold."""

    since: datetime
    until: datetime
    sites: int
    looks: int
    counted: int
    providers: Sequence[ProviderWeek]
    opened: Sequence[str]
    closed: int
    chance: float | None


def read_week(connection: Connection, since: datetime, until: datetime, sites: int) -> Week:
    """Gather the figures of [since, until) by when things were recorded here."""
    looks, counted = _looks(connection, since, until)
    return Week(
        since=since,
        until=until,
        sites=sites,
        looks=looks,
        counted=counted,
        providers=_providers(connection, since, until),
        opened=_opened(connection, since, until),
        closed=_closed(connection, since, until),
        chance=_chance(connection, since, until),
    )


def _looks(connection: Connection, since: datetime, until: datetime) -> tuple[int, int]:
    seen = and_(observation.c.recorded_at >= since, observation.c.recorded_at < until)
    first = observation.c.revision == 1
    usable = case((observation.c.value.is_not(None), 1))
    row = connection.execute(select(func.count(), func.count(usable)).where(seen, first)).one()
    return row[0], row[1]


def _providers(connection: Connection, since: datetime, until: datetime) -> list[ProviderWeek]:
    good = case((poll.c.outcome.in_(("ok", "empty")), 1))
    query = (
        select(poll.c.provider, func.count(), func.count(good))
        .where(poll.c.started_at >= since, poll.c.started_at < until, poll.c.purpose == "data")
        .group_by(poll.c.provider)
        .order_by(poll.c.provider)
    )
    return [ProviderWeek(row[0], row[1], row[1] - row[2]) for row in connection.execute(query)]


def _opened(connection: Connection, since: datetime, until: datetime) -> list[str]:
    found = alert_table.c
    query = select(found.headline).where(found.opened_at >= since, found.opened_at < until)
    return list(connection.execute(query.order_by(found.opened_at)).scalars())


def _closed(connection: Connection, since: datetime, until: datetime) -> int:
    found = alert_table.c
    query = select(func.count()).where(found.closed_at >= since, found.closed_at < until)
    return int(connection.execute(query).scalar_one())


def _chance(connection: Connection, since: datetime, until: datetime) -> float | None:
    """Sum the chances of a record, 1/(n + 1) each, over the looks judged by our own history alone."""
    query = select(evaluation.c.details).where(
        evaluation.c.recorded_at >= since,
        evaluation.c.recorded_at < until,
        evaluation.c.rule == "record",
        evaluation.c.status == "evaluated",
    )
    ours = [each for each in connection.execute(query).scalars() if "declared" not in each and "n" in each]
    return sum(1 / (each["n"] + 1) for each in ours) if ours else None
