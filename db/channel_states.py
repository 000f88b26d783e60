"""What the outbox knows of each channel: whether it works, and until when it rests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, or_, select, update
from sqlalchemy.sql import ColumnElement

from db.schema import channel_state
from db.schema.types import UtcDateTime
from db.upsert import insert_ignore


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What the outbox knows of one channel; `failing_since` is None while it works."""

    channel: str
    not_before: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None


def channel_failed(
    connection: Connection, channel: str, *, not_before: datetime | None, error: str, now: datetime
) -> ChannelState:
    """Record a failure; `not_before` lets the channel rest, and never shortens a rest."""
    know_channel(connection, channel, now)
    values: dict[str, Any] = {
        "failing_since": func.coalesce(channel_state.c.failing_since, literal(now, UtcDateTime)),
        "last_error": error,
        "updated_at": now,
    }
    where = [channel_state.c.channel == channel]
    connection.execute(update(channel_state).where(*where).values(**values))
    if not_before is not None:
        shorter = or_(channel_state.c.not_before.is_(None), channel_state.c.not_before < not_before)
        connection.execute(update(channel_state).where(*where, shorter).values(not_before=not_before))
    return read_channel_state(connection, channel)


def channel_worked(connection: Connection, channel: str, now: datetime) -> None:
    """Forget the trouble of a channel that works again."""
    connection.execute(
        update(channel_state)
        .where(channel_state.c.channel == channel, channel_state.c.failing_since.is_not(None))
        .values(failing_since=None, last_error=None, updated_at=now)
    )


def read_channel_state(connection: Connection, channel: str) -> ChannelState:
    """What is known of a channel; an unknown one works."""
    rows = _channel_states(connection, channel_state.c.channel == channel)
    return rows[0] if rows else ChannelState(channel)


def know_channel(connection: Connection, channel: str, now: datetime) -> None:
    """Make sure that there is a row for a channel."""
    insert_ignore(connection, channel_state, [{"channel": channel, "updated_at": now}])


def failing_channels(connection: Connection) -> list[ChannelState]:
    """The channels that fail now."""
    return _channel_states(connection, channel_state.c.failing_since.is_not(None))


def _channel_states(connection: Connection, where: ColumnElement[bool]) -> list[ChannelState]:
    columns = channel_state.c
    query = select(columns.channel, columns.not_before, columns.failing_since, columns.last_error)
    rows = connection.execute(query.where(where).order_by(columns.channel))
    return [ChannelState(*row) for row in rows]
