"""What a stretch of time brought, in figures: looks, polls, verdicts and alerts, for the digest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from db.imports import released
from db.records import JsonMapping
from db.said import TOLD_TEXT, moment, phrase
from db.schema import SERIES_KEY, evaluation, observation, poll, shared_cause, shared_cause_alert
from db.schema import alert as alert_table

_NEWS = timedelta(days=7)
"""What was knowable so long before the stretch is history, whenever it was loaded."""

_MOST_UNUSUAL = _MOST_PLACED = 20
ChanceOf = Callable[[str, JsonMapping], float | None]
"""The chance of a false alarm that a rule gave with these details, None where it gave none."""


@dataclass(frozen=True, slots=True)
class ProviderWeek:
    """How one provider answered: polls for data, and how many of them failed or were lost."""

    provider: str
    polls: int
    failed: int


@dataclass(frozen=True, slots=True)
class Week:
    """The figures of one stretch; `chance` is the number of alarms that chance alone gives among the `judged` looks.

    None where no rule could say so.
    """

    since: datetime
    until: datetime
    sites: int
    looks: int
    counted: int
    providers: Sequence[ProviderWeek]
    opened: Sequence[str]
    closed: int
    judged: int
    chance: float | None
    unusual: Sequence[str] = ()
    """What the rules said of looks that were unusual, but not enough for an alert."""
    placed: Sequence[str] = ()
    """Where counts of people stand among the earlier ones, of which no rule knows what is usual."""


def read_week(
    connection: Connection, since: datetime, until: datetime, sites: int, chance_of: ChanceOf
) -> Week:
    """Gather the figures of [since, until) by when things were recorded here.

    A published fact about the past that was loaded then is no look of that time.
    """
    looks, counted = _looks(connection, since, until)
    chances = _chances(connection, since, until, chance_of)
    return Week(
        since=since,
        until=until,
        sites=sites,
        looks=looks,
        counted=counted,
        providers=_providers(connection, since, until),
        opened=_opened(connection, since, until),
        closed=_closed(connection, since, until),
        judged=len(chances),
        chance=sum(chances) if chances else None,
        unusual=_unusual(connection, since, until),
        placed=_placed(connection, since, until),
    )


def _looks(connection: Connection, since: datetime, until: datetime) -> tuple[int, int]:
    seen = and_(
        observation.c.recorded_at >= since,
        observation.c.recorded_at < until,
        observation.c.result_time >= since - _NEWS,
        released(observation),
    )
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
    """The headlines of alerts; those that share a cause have one together, its newest."""
    found, link = alert_table.c, shared_cause_alert.c
    query = (
        select(found.headline, found.details, link.cause_id)
        .select_from(alert_table.outerjoin(shared_cause_alert, link.alert_id == found.id))
        .where(found.opened_at >= since, found.opened_at < until)
        .order_by(found.opened_at, found.id)
    )
    told: dict[str, str] = {}
    for number, (headline, details, cause_id) in enumerate(connection.execute(query)):
        told.setdefault(cause_id or f"alert {number}", details.get(TOLD_TEXT, headline))
    newest = shared_cause.c
    causes = select(newest.id, newest.headline, newest.details).where(newest.id.in_(told))
    # In order, so that the newest revision has the last word.
    for cause_id, headline, details in connection.execute(causes.order_by(newest.revision)):
        told[cause_id] = details.get(TOLD_TEXT, headline)
    return list(told.values())


def _closed(connection: Connection, since: datetime, until: datetime) -> int:
    found = alert_table.c
    query = select(func.count()).where(found.closed_at >= since, found.closed_at < until)
    return int(connection.execute(query).scalar_one())


def _chances(connection: Connection, since: datetime, until: datetime, chance_of: ChanceOf) -> list[float]:
    """For each look that was judged by our own history, the chance of a false alarm by any of its rules."""
    look = [evaluation.c[name] for name in (*SERIES_KEY, "period_start", "look_key")]
    query = (
        select(*look, evaluation.c.rule, evaluation.c.details)
        .where(
            evaluation.c.recorded_at >= since,
            evaluation.c.recorded_at < until,
            evaluation.c.as_of >= since - _NEWS,
            evaluation.c.status == "evaluated",
        )
        .order_by(evaluation.c.revision)
    )
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for *key, rule, details in connection.execute(query):
        chance = chance_of(rule, details)
        if chance is not None:
            # A later revision of the look is judged anew: it is one look all the same.
            found.setdefault(tuple(key), {})[rule] = chance
    return [min(1.0, sum(chances.values())) for chances in found.values()]


def _unusual(connection: Connection, since: datetime, until: datetime) -> list[str]:
    """One sentence for each series and rule, the newest first."""
    query = (
        select(evaluation)
        .where(
            evaluation.c.recorded_at >= since,
            evaluation.c.recorded_at < until,
            evaluation.c.details["severity"].as_string() == "digest",
        )
        .order_by(evaluation.c.period_start.desc(), evaluation.c.site_id, evaluation.c.rule)
    )
    told: dict[tuple[str, ...], str] = {}
    for row in connection.execute(query):
        key = (*(getattr(row, name) for name in SERIES_KEY), row.rule)
        told.setdefault(key, _of_site(row, row.details["reason"]))
    return list(told.values())[:_MOST_UNUSUAL]


def _placed(connection: Connection, since: datetime, until: datetime) -> list[str]:
    """One sentence for each look, the newest first; what was known long before the stretch is no news."""
    words = evaluation.c.details["placed"].as_string()
    query = (
        select(evaluation.c.details)
        .where(
            evaluation.c.recorded_at >= since,
            evaluation.c.recorded_at < until,
            evaluation.c.as_of >= since - _NEWS,
            words.is_not(None),
        )
        .order_by(evaluation.c.period_start.desc(), evaluation.c.site_id, evaluation.c.revision.desc())
    )
    return list(dict.fromkeys(each["placed"] for each in connection.execute(query).scalars()))[:_MOST_PLACED]


def _of_site(row: Any, reason: str) -> str:
    start: datetime = row.period_start
    day = moment(f"{start:%Y-%m-%d}", start, "UTC", "day")
    return phrase("{site}, {day}: {reason}", site=row.site_id, day=day, reason=reason)
