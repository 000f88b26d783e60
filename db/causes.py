"""Causes that several alerts share: told once, kept by revision, and what is needed to tell whether there is one."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, and_, func, select

from db.chunks import chunks
from db.records import JsonMapping, SharedCause
from db.said import TOLD_TEXT
from db.schema import evaluation, shared_cause, shared_cause_alert
from db.upsert import insert_ignore


class RuleChance(NamedTuple):
    """What one rule said of one look, for the chance that it gave."""

    site_id: str
    area: str
    subject: str
    procedure: str
    period_start: datetime
    rule: str
    details: JsonMapping


def rule_chances(
    connection: Connection, metric: str, since: datetime, until: datetime, rules: Collection[str]
) -> Iterator[RuleChance]:
    """What these rules said of the looks of one metric that began in [since, until), the oldest first."""
    found = evaluation.c
    query = (
        select(*(found[name] for name in RuleChance._fields))
        .where(
            found.metric == metric,
            found.rule.in_(sorted(rules)),
            # A look is judged after it began: by rule and this the rows are found.
            found.as_of >= since,
            found.period_start >= since,
            found.period_start < until,
            found.status == "evaluated",
        )
        .order_by(found.period_start, found.revision)
    )
    for row in connection.execute(query):
        yield RuleChance(*row)


def store_cause(connection: Connection, cause: SharedCause) -> None:
    """Append a revision of a cause, once, and note of its alerts that they share it."""
    row = asdict(cause)
    row["details"] = {**cause.details, TOLD_TEXT: cause.headline}
    insert_ignore(connection, shared_cause, [{**row, "alert_ids": list(cause.alert_ids)}])
    rows = [{"alert_id": each, "cause_id": cause.id, "at": cause.at} for each in cause.alert_ids]
    insert_ignore(connection, shared_cause_alert, rows)


def cause_by_id(connection: Connection, cause_id: str, revision: int | None = None) -> SharedCause | None:
    """One revision of a cause, else the newest."""
    if revision is None:
        return next(iter(_newest(connection, [cause_id])), None)
    query = select(shared_cause).where(shared_cause.c.id == cause_id, shared_cause.c.revision == revision)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def causes_of(connection: Connection, alert_ids: Sequence[str]) -> dict[str, SharedCause]:
    """The causes that these alerts share, by alert; those that share none are left out."""
    links: dict[str, str] = {}
    for some in chunks(sorted(set(alert_ids))):
        query = select(shared_cause_alert.c.alert_id, shared_cause_alert.c.cause_id).where(
            shared_cause_alert.c.alert_id.in_(some)
        )
        links |= {row.alert_id: row.cause_id for row in connection.execute(query)}
    causes = {each.id: each for each in _newest(connection, sorted(set(links.values())))}
    return {alert_id: causes[cause_id] for alert_id, cause_id in links.items() if cause_id in causes}


def _newest(connection: Connection, cause_ids: Sequence[str]) -> list[SharedCause]:
    found: list[SharedCause] = []
    for some in chunks(list(cause_ids)):
        newest = (
            select(shared_cause.c.id, func.max(shared_cause.c.revision).label("revision"))
            .where(shared_cause.c.id.in_(some))
            .group_by(shared_cause.c.id)
            .subquery()
        )
        same = and_(shared_cause.c.id == newest.c.id, shared_cause.c.revision == newest.c.revision)
        query = select(shared_cause).join(newest, same).order_by(shared_cause.c.id)
        found += [_record(row) for row in connection.execute(query).mappings()]
    return found


def _record(row: RowMapping) -> SharedCause:
    fields: dict[str, Any] = dict(row)
    details = {name: value for name, value in row["details"].items() if name != TOLD_TEXT}
    headline = row["details"].get(TOLD_TEXT, row["headline"])
    return SharedCause(
        **{**fields, "alert_ids": tuple(fields["alert_ids"]), "details": details, "headline": headline}
    )
