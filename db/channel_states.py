"""What the outbox knows of each channel: whether it works, and until when it rests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, literal, or_, select, update
from sqlalchemy.sql import ColumnElement

from db.moments import has_come
from db.schema import channel_state
from db.schema.types import UtcDateTime
from db.upsert import insert_ignore

_SKEW = timedelta(seconds=5)
"""So far may the clocks of two senders lie apart; less than `CLOCK_SKEW`, since a turn lasts a second."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What the outbox knows of one channel; `failing_since` is None while it works."""

    channel: str
    not_before: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None


def rest_is_over(now: datetime, longest: timedelta) -> ColumnElement[bool]:
    """Whether a channel may be tried: its rest is over, or was written by a clock that was ahead."""
    columns = channel_state.c
    return or_(has_come(columns.not_before, now, longest), columns.updated_at > now + _SKEW)


def channel_failed(
    connection: Connection,
    channel: str,
    *,
    not_before: datetime | None,
    error: str,
    now: datetime,
    longest: timedelta,
) -> ChannelState:
    """Record a failure; `not_before` lets the channel rest, and never shortens a rest that can be believed."""
    know_channel(connection, channel, now)
    columns = channel_state.c
    known = and_(columns.failing_since.is_not(None), columns.failing_since <= now + _SKEW)
    values: dict[str, Any] = {
        "failing_since": case((known, columns.failing_since), else_=literal(now, UtcDateTime)),
        "last_error": error,
        "updated_at": now,
    }
    if not_before is not None:
        longer = and_(~rest_is_over(now, longest), columns.not_before > not_before)
        values["not_before"] = case((longer, columns.not_before), else_=literal(not_before, UtcDateTime))
    connection.execute(update(channel_state).where(columns.channel == channel).values(**values))
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
