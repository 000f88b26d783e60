"""The outbox in SQL: deliveries owed, claimed, closed, and the state of each channel.

A claim is a short transaction of its own; the message is sent outside of any. Whoever closes a delivery must
still hold it: owner and attempt number are the fence against one that was slow and has been overtaken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, RowMapping, and_, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from db.channel_states import ChannelState, failing_channels, know_channel
from db.engine import writing
from db.records import Delivery, DeliveryState, Json
from db.schema import channel_state, delivery
from db.upsert import insert_ignore

Channels = Mapping[str, float]
"""The channels that may be claimed, each with the least seconds between two of its messages."""


@dataclass(frozen=True, slots=True)
class OutboxSummary:
    """The outbox at a glance; `waiting` counts what is still owed, by channel."""

    counts: Mapping[str, int]
    waiting: Mapping[str, int]
    oldest_waiting_s: float | None
    dead: int
    failing: tuple[ChannelState, ...]


def enqueue(
    connection: Connection,
    *,
    identity: str,
    kind: Literal["alert", "notice"],
    channel: str,
    now: datetime,
    alert_id: str | None = None,
    event_seq: int | None = None,
    reason: str = "",
    payload: Json | None = None,
    state: DeliveryState = "queued",
    not_before: datetime | None = None,
) -> bool:
    """Owe one message to one channel, in the transaction of its cause; False where it is owed already."""
    row = {
        "identity": identity,
        "kind": kind,
        "channel": channel,
        "alert_id": alert_id,
        "event_seq": event_seq,
        "reason": reason,
        "payload": dict(payload or {}),
        "state": state,
        "not_before": not_before or now,
        "created_at": now,
    }
    return insert_ignore(connection, delivery, [row]) == 1


def claim(engine: Engine, owner: str, now: datetime, lease_s: float, channels: Channels) -> Delivery | None:
    """Take the oldest delivery that is due, or whose holder let the lease run out, in its own transaction."""
    while True:
        with writing(engine) as connection:
            row = _claim_row(connection, owner, now, lease_s, channels)
            if row is None:
                return None
            claimed = _record(row)
            if _take_turn(connection, claimed.channel, now, channels[claimed.channel]):
                return claimed
            # Another worker took this channel's turn meanwhile: give the row back and look at other channels.
            requeue(
                connection,
                claimed,
                not_before=claimed.not_before,
                error=claimed.last_error,
                counts=False,
            )


def _claim_row(
    connection: Connection, owner: str, now: datetime, lease_s: float, channels: Channels
) -> RowMapping | None:
    waiting = and_(delivery.c.state == "queued", delivery.c.not_before <= now)
    abandoned = and_(delivery.c.state == "sending", delivery.c.lease_until <= now)
    due = (
        select(delivery.c.id)
        .where(delivery.c.channel.in_(tuple(channels)), or_(waiting, abandoned), ~_resting(now))
        .order_by(delivery.c.not_before, delivery.c.id)
        .limit(1)
        # PostgreSQL only; SQLite's BEGIN IMMEDIATE lets one writer in at a time.
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(delivery)
        .where(delivery.c.id == due.scalar_subquery())
        .values(
            state="sending",
            owner=owner,
            lease_until=now + timedelta(seconds=lease_s),
            attempts=delivery.c.attempts + 1,
        )
        .returning(*delivery.c)
    )
    return connection.execute(statement).mappings().one_or_none()


def _resting(now: datetime) -> ColumnElement[bool]:
    return exists().where(channel_state.c.channel == delivery.c.channel, channel_state.c.not_before > now)


def _take_turn(connection: Connection, channel: str, now: datetime, interval_s: float) -> bool:
    """Move the channel's next turn, unless somebody else was faster; the row lock makes the second one wait."""
    if interval_s <= 0:
        return True
    know_channel(connection, channel, now)
    free = or_(channel_state.c.not_before.is_(None), channel_state.c.not_before <= now)
    moved = connection.execute(
        update(channel_state)
        .where(channel_state.c.channel == channel, free)
        .values(not_before=now + timedelta(seconds=interval_s), updated_at=now)
    )
    return moved.rowcount == 1


def mark_sent(
    connection: Connection, held: Delivery, *, provider_ref: str | None, note: str, now: datetime
) -> bool:
    """Close a delivery as sent; False where it is no longer held. `note` says who was left out, if anybody."""
    return _close(
        connection, held, state="sent", provider_ref=provider_ref, sent_at=now, last_error=note or None
    )


def requeue(
    connection: Connection, held: Delivery, *, not_before: datetime, error: str | None, counts: bool = True
) -> bool:
    """Put a delivery back for another try; a try that does not count is taken off again."""
    attempts = held.attempts if counts else held.attempts - 1
    return _close(
        connection, held, state="queued", not_before=not_before, last_error=error, attempts=attempts
    )


def bury(connection: Connection, held: Delivery, *, error: str) -> bool:
    """Make a delivery a dead letter: kept, shown, never tried again."""
    return _close(connection, held, state="dead", last_error=error)


def _close(connection: Connection, held: Delivery, **values: Any) -> bool:
    closed = connection.execute(
        update(delivery)
        .where(
            delivery.c.id == held.id,
            delivery.c.state == "sending",
            delivery.c.owner == held.owner,
            delivery.c.attempts == held.attempts,
        )
        .values(owner=None, lease_until=None, **values)
    )
    return closed.rowcount == 1


def newest_notice(connection: Connection, channel: str, reason: str) -> Delivery | None:
    """The last notice of this reason owed to a channel, locked until the transaction ends."""
    query = (
        select(delivery)
        .where(delivery.c.kind == "notice", delivery.c.channel == channel, delivery.c.reason == reason)
        .order_by(delivery.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def rewrite_notice(connection: Connection, delivery_id: int, payload: Json) -> bool:
    """Change a notice that nobody has tried to send yet; False where it is too late."""
    changed = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.state == "queued", delivery.c.attempts == 0)
        .values(payload=dict(payload))
    )
    return changed.rowcount == 1


def next_due(connection: Connection, channels: Sequence[str]) -> datetime | None:
    """When the next delivery of these channels can be claimed, None where nothing is owed."""
    ready = func.coalesce(delivery.c.lease_until, delivery.c.not_before)
    query = (
        select(func.min(ready).label("ready"), channel_state.c.not_before)
        .select_from(delivery.outerjoin(channel_state, channel_state.c.channel == delivery.c.channel))
        .where(delivery.c.state.in_(("queued", "sending")), delivery.c.channel.in_(channels))
        .group_by(delivery.c.channel, channel_state.c.not_before)
    )
    return min((max(filter(None, row)) for row in connection.execute(query)), default=None)


def told_alerts(connection: Connection) -> frozenset[str]:
    """The ids of the alerts of which a message was sent, or still is to be sent, through any channel."""
    told = delivery.c.state.in_(("queued", "sending", "sent"))
    found = connection.execute(
        select(delivery.c.alert_id).where(told, delivery.c.alert_id.is_not(None)).distinct()
    )
    return frozenset(found.scalars())


def deliveries(
    connection: Connection,
    alert_id: str | None = None,
    state: DeliveryState | None = None,
    limit: int | None = None,
) -> list[Delivery]:
    """What was owed and what became of it, oldest first; `limit` keeps the newest."""
    query = select(delivery)
    if alert_id is not None:
        query = query.where(delivery.c.alert_id == alert_id)
    if state is not None:
        query = query.where(delivery.c.state == state)
    rows = connection.execute(query.order_by(delivery.c.id.desc()).limit(limit)).mappings()
    return [_record(row) for row in rows][::-1]


def outbox_summary(connection: Connection, now: datetime) -> OutboxSummary:
    """Count the outbox by state, and what waits by channel; ages are in seconds."""
    counts = connection.execute(select(delivery.c.state, func.count()).group_by(delivery.c.state))
    owed = delivery.c.state.in_(("queued", "sending"))
    waiting = connection.execute(
        select(delivery.c.channel, func.count()).where(owed).group_by(delivery.c.channel)
    )
    oldest = connection.execute(
        select(delivery.c.created_at).where(owed).order_by(delivery.c.created_at).limit(1)
    ).scalar_one_or_none()
    by_state: dict[str, int] = dict(iter(counts))
    return OutboxSummary(
        counts=by_state,
        waiting=dict(iter(waiting)),
        oldest_waiting_s=None if oldest is None else (now - oldest).total_seconds(),
        dead=by_state.get("dead", 0),
        failing=tuple(failing_channels(connection)),
    )


def _record(row: RowMapping) -> Delivery:
    return Delivery(**cast("dict[str, Any]", dict(row)))


def revive(connection: Connection, channels: Collection[str], since: datetime, now: datetime) -> int:
    """Owe again what was given up for these channels and owed since then, under its old identity; give the number."""
    again = (
        update(delivery)
        .where(
            delivery.c.state == "dead",
            delivery.c.channel.in_(sorted(channels)),
            delivery.c.created_at >= since,
        )
        .values(state="queued", attempts=0, not_before=now)
    )
    return connection.execute(again).rowcount


def dead_letters(connection: Connection, channels: Collection[str]) -> int:
    """How many messages are given up for these channels."""
    query = select(func.count()).where(delivery.c.state == "dead", delivery.c.channel.in_(sorted(channels)))
    return int(connection.execute(query).scalar_one())
