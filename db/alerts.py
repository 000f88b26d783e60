"""Alerts and their events: the append-only life, and the current row as a cache over it."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)

from db.keys import holds, key_table, with_keys
from db.records import Alert, AlertEvent, AlertFilter, JsonMapping, ObservationKey, SeriesKey
from db.said import TOLD_TEXT, packed_texts, phrase
from db.schema import alert, alert_event, silence
from db.schema.types import UtcDateTime

BEFORE = "before"
"""Where the details of an event keep the alert as it was before it."""
# Written out, not bound, so that both databases see that the partial index answers it.
_OPEN = text("alert.status = 'open'")
_BY_OPENING = (alert.c.opened_at, alert.c.site_id, alert.c.metric)
AlertPlace = tuple[datetime, str]
"""Where an alert stands in the order: when it was opened, then its id."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def insert_alert(connection: Connection, record: Alert) -> None:
    """Store a new alert; a second open one with its fingerprint is refused by the database."""
    connection.execute(alert.insert(), _alert_row(record))


def update_alert(connection: Connection, record: Alert) -> None:
    """Refresh the current row of an alert."""
    row = _alert_row(record)
    connection.execute(update(alert).where(alert.c.id == row.pop("id")).values(**row))


def append_event(connection: Connection, event: AlertEvent) -> None:
    """Append one event; of the observation's key it stores what the alert does not say already.

    It keeps the alert as it stands stored, before the change: call this first and `update_alert` after it.
    """
    key = event.observation
    before = alert_by_id(connection, event.alert_id) if event.seq > 1 else None
    kept = {} if before is None else {BEFORE: _plain_row(before)}
    connection.execute(
        alert_event.insert(),
        {
            "alert_id": event.alert_id,
            "seq": event.seq,
            "kind": event.kind,
            "at": event.at,
            "reason": event.reason,
            "value": event.value,
            "subject": key.series.subject if key else None,
            "procedure": key.series.procedure if key else None,
            "period_start": key.period_start if key else None,
            "look_key": key.look_key if key else None,
            "revision": key.revision if key else None,
            "visit_id": event.visit_id,
            "visit_version": event.visit_version,
            "details": {**event.details, TOLD_TEXT: event.reason, **kept},
            "recorded_at": event.recorded_at,
        },
    )


def alert_by_id(connection: Connection, alert_id: str) -> Alert | None:
    """Read one alert."""
    return _one(connection, select(alert).where(alert.c.id == alert_id))


def alerts_by_id(connection: Connection, alert_ids: Collection[str]) -> dict[str, Alert]:
    """Read those of these alerts that there are."""
    found = _all(
        connection, with_keys(connection, select(alert), [alert.c.id], [(each,) for each in alert_ids])
    )
    return {each.id: each for each in found}


def newest_alert(connection: Connection, fingerprint: str) -> Alert | None:
    """Read the alert that was last opened with a fingerprint, whatever became of it."""
    query = select(alert).where(alert.c.fingerprint == fingerprint)
    return _one(connection, query.order_by(alert.c.opened_at.desc(), alert.c.id).limit(1))


def alerts_at(
    connection: Connection, site_id: str, area: str, metric: str, *, withdrawn: bool = False
) -> list[Alert]:
    """Read the alerts about one metric in one place that a look could still change: all but withdrawn ones.

    With `withdrawn`, those too.
    """
    query = select(alert).where(alert.c.site_id == site_id, alert.c.area == area, alert.c.metric == metric)
    if not withdrawn:
        query = query.where(alert.c.status != "withdrawn")
    return _all(connection, query.order_by(alert.c.opened_at, alert.c.id))


def alerts_near(
    connection: Connection, site_ids: Collection[str], since: datetime, until: datetime
) -> list[Alert]:
    """Read the alerts at these sites about what was seen from `since` to `until`, oldest opening first; withdrawn ones too."""
    query = select(alert).where(
        alert.c.site_id.in_(sorted(site_ids)), alert.c.phenomenon_time.between(since, until)
    )
    return _all(connection, query.order_by(*_BY_OPENING))


def others_of_incident(connection: Connection, one: Alert) -> list[Alert]:
    """Read the other alerts of an alert's incident, oldest opening first."""
    query = select(alert).where(alert.c.incident_id == one.incident_id, alert.c.id != one.id)
    return _all(connection, query.order_by(*_BY_OPENING))


def open_since(connection: Connection, last_look_before: datetime) -> list[Alert]:
    """Read the open alerts that no usable look has touched since then."""
    query = select(alert).where(_OPEN, alert.c.last_look_at <= last_look_before)
    return _all(connection, query.order_by(alert.c.last_look_at, alert.c.id))


def open_alerts(connection: Connection) -> list[Alert]:
    """Read the alerts that are open, oldest opening first."""
    return _all(connection, select(alert).where(_OPEN).order_by(*_BY_OPENING))


def newest_alerts(connection: Connection, limit: int, status: str | None = None) -> list[Alert]:
    """Read so many alerts that were opened last, or so many that stand so, the newest first."""
    query = select(alert) if status is None else select(alert).where(alert.c.status == status)
    return _all(connection, query.order_by(*(each.desc() for each in _BY_OPENING)).limit(limit))


def newest_by_site(connection: Connection, site_ids: Collection[str]) -> dict[str, Alert]:
    """Read the alert of each of these sites that was opened last, as far as there is one."""
    asked = key_table(connection, [alert.c.site_id], [(each,) for each in site_ids])
    there = alert.alias("there")
    newest = (
        select(alert.c.id)
        .where(alert.c.site_id == asked.c.key_0)
        .order_by(*(each.desc() for each in _BY_OPENING))
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )
    found = _all(connection, select(there).select_from(asked).join(there, there.c.id == newest))
    return {each.site_id: each for each in found}


def alerts_by_status(connection: Connection) -> dict[str, int]:
    """How many alerts stand so or so."""
    query = select(alert.c.status, func.count()).group_by(alert.c.status)
    return {status: number for status, number in connection.execute(query)}  # noqa: C416 - rows are not pairs to mypy


def alerts(
    connection: Connection,
    *,
    site_id: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Alert]:
    """Read alerts, oldest opening first."""
    query = select(alert)
    if site_id is not None:
        query = query.where(alert.c.site_id == site_id)
    if status is not None:
        query = query.where(alert.c.status == status)
    if since is not None:
        query = query.where(or_(alert.c.opened_at >= since, alert.c.closed_at >= since))
    return _all(connection, query.order_by(*_BY_OPENING).limit(limit))


def alerts_asked(
    connection: Connection, wanted: AlertFilter, after: AlertPlace | None, limit: int
) -> list[Alert]:
    """Read the next `limit` alerts that are asked for, the one that was opened last first."""
    query = select(alert).where(*_alert_conditions(connection, wanted))
    if after is not None:
        place = tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        query = query.where(alert.c.opened_at <= after[0], tuple_(alert.c.opened_at, alert.c.id) < place)
    return _all(connection, query.order_by(alert.c.opened_at.desc(), alert.c.id.desc()).limit(limit))


def count_alerts(connection: Connection, wanted: AlertFilter, most: int) -> int:
    """How many alerts are asked for; one more than `most` where there are more."""
    some = select(alert.c.id).where(*_alert_conditions(connection, wanted)).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _alert_conditions(connection: Connection, wanted: AlertFilter) -> Iterator[ColumnElement[bool]]:
    columns = alert.c
    for column, some in ((columns.site_id, wanted.site_ids), (columns.id, wanted.alert_ids)):
        if some is not None:
            yield column.in_(sorted(some))
    if wanted.places is not None:
        yield tuple_(columns.site_id, columns.area).in_(sorted(wanted.places))
    for name in ("metric", "status"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.subjects is not None:
        yield or_(false(), *(_is_about(connection, each) for each in sorted(wanted.subjects)))
    if wanted.since is not None:
        yield or_(columns.closed_at.is_(None), columns.closed_at >= wanted.since)
    if wanted.until is not None:
        yield columns.opened_at < wanted.until


def _is_about(connection: Connection, subject: str) -> ColumnElement[bool]:
    named = holds(connection, alert.c.subjects, literal(subject))
    # The counts of all are those of no subject.
    return named if subject else or_(named, cast(alert.c.subjects, Text) == "[]")


def alerts_between(connection: Connection, metric: str, since: datetime, until: datetime) -> list[Alert]:
    """Read the alerts about what happened to one metric in [since, until), at any site."""
    at = alert.c.phenomenon_time
    query = select(alert).where(alert.c.metric == metric, at >= since, at < until)
    return _all(connection, query.order_by(at, alert.c.site_id, alert.c.id))


def alert_events(connection: Connection, alert_id: str) -> list[AlertEvent]:
    """Read the whole life of an alert."""
    record = alert_by_id(connection, alert_id)
    query = select(alert_event).where(alert_event.c.alert_id == alert_id).order_by(alert_event.c.seq)
    return [_event(row, record) for row in connection.execute(query)] if record else []


def newest_events(
    connection: Connection, limit: int, site_id: str | None = None
) -> list[tuple[Alert, AlertEvent]]:
    """The newest events of all alerts, each with its alert as it stands, newest first; acknowledgements are left out."""
    query = (
        select(alert_event)
        .join_from(alert_event, alert, alert_event.c.alert_id == alert.c.id)
        .where(alert_event.c.kind != "acknowledged")
        .order_by(alert_event.c.at.desc(), alert_event.c.alert_id, alert_event.c.seq.desc())
        .limit(limit)
    )
    if site_id is not None:
        query = query.where(alert.c.site_id == site_id)
    rows = connection.execute(query).all()
    found = alerts_by_id(connection, {row.alert_id for row in rows})
    return [(found[row.alert_id], _event(row, found[row.alert_id])) for row in rows]


def acknowledge(connection: Connection, alert_id: str, by: str, now: datetime) -> Alert | None:
    """Note that a person has seen the alert; a second acknowledgement changes nothing. None: no such alert."""
    record = alert_by_id(connection, alert_id)
    if record is None or record.acknowledged_at is not None:
        return record
    seen = replace(record, acknowledged_at=now, acknowledged_by=by, events=record.events + 1)
    event = AlertEvent(
        alert_id, seen.events, "acknowledged", now, now, phrase("Acknowledged by {name}.", name=by)
    )
    append_event(connection, event)
    update_alert(connection, seen)
    return seen


def silenced(connection: Connection, site_id: str, metric: str, at: datetime) -> str | None:
    """The reason of a silence in force for this site and metric, if any ('' when none was given)."""
    query = select(silence.c.reason).where(
        and_(
            silence.c.site_id == site_id,
            or_(silence.c.metric == "", silence.c.metric == metric),
            silence.c.starts_at <= at,
            silence.c.ends_at > at,
        )
    )
    return connection.execute(query.limit(1)).scalar()


def forget_earlier_states(connection: Connection, recorded_before: datetime) -> int:
    """Drop what alerts were before events that are older than this, as no late page needs it any more; give the number."""
    wanted = alert_event.c.recorded_at < recorded_before, alert_event.c.details[BEFORE].is_not(None)
    rows = connection.execute(select(alert_event).where(*wanted)).all()
    old = [row for row in rows if BEFORE in row.details]
    for row in old:
        left = {name: value for name, value in row.details.items() if name != BEFORE}
        one = alert_event.c.alert_id == row.alert_id, alert_event.c.seq == row.seq
        connection.execute(update(alert_event).where(*one).values(details=left))
    return len(old)


def _plain_row(record: Alert) -> dict[str, Any]:
    """The row in JSON types; a time is its microseconds since 1970, as `db.late` reads it."""
    return {
        name: (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else packed_texts(value)
        for name, value in _alert_row(record).items()
    }


def _alert_row(record: Alert) -> dict[str, Any]:
    row = asdict(record)
    row["subjects"], row["rules"] = list(record.subjects), list(record.rules)
    # The column has room for the words alone; how they were made stands with the details.
    row["details"] = {**record.details, TOLD_TEXT: record.headline}
    return row


def _one(connection: Connection, query: Select[Any]) -> Alert | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _alert(row)


def _all(connection: Connection, query: Select[Any]) -> list[Alert]:
    return [_alert(row) for row in connection.execute(query)]


def _alert(row: Row[Any]) -> Alert:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping
    details, headline = _untold(row.details, row.headline)
    lists = {"subjects": tuple(fields["subjects"]), "rules": tuple(fields["rules"])}
    return Alert(**{**fields, **lists, "details": details, "headline": headline})


def _untold(details: JsonMapping, words: str) -> tuple[JsonMapping, str]:
    """Details without the text that stood with them, and that text where it is the same as the column's."""
    told = details.get(TOLD_TEXT)
    left = {name: value for name, value in details.items() if name not in {TOLD_TEXT, BEFORE}}
    return left, told if told == words else words


def _event(row: Row[Any], record: Alert) -> AlertEvent:
    key = None
    details, reason = _untold(row.details, row.reason)
    if row.look_key is not None:
        series = SeriesKey(record.site_id, record.area, record.metric, row.subject, row.procedure)
        key = ObservationKey(series, row.period_start, row.look_key, row.revision)
    return AlertEvent(
        alert_id=row.alert_id,
        seq=row.seq,
        kind=row.kind,
        at=row.at,
        recorded_at=row.recorded_at,
        reason=reason,
        value=row.value,
        observation=key,
        visit_id=row.visit_id,
        visit_version=row.visit_version,
        details=details,
    )
