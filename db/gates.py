"""What holds a channel's messages back that has nothing to do with them: quiet hours, and a cap an hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.sql import ColumnElement

from db.channel_states import know_channel
from db.schema import channel_state, delivery

_CAP_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ChannelGate:
    """Quiet until then, and at most so many messages in any hour; None: neither. Pressing messages pass both."""

    quiet_until: datetime | None = None
    at_most_an_hour: int | None = None


ChannelGates = Mapping[str, ChannelGate]


def closed_until(connection: Connection, gates: ChannelGates, now: datetime) -> dict[str, datetime]:
    """The channels that take nothing but what presses, and until when."""
    closed = {}
    for channel, gate in gates.items():
        full = _full_until(connection, channel, gate.at_most_an_hour, now) if gate.at_most_an_hour else None
        until = max(filter(None, (gate.quiet_until, full)), default=None)
        if until is not None and until > now:
            closed[channel] = until
    return closed


def lock_capped(connection: Connection, gates: ChannelGates, now: datetime) -> None:
    """Let one sender at a time count what went through the capped channels; in a transaction that writes."""
    for channel in sorted(name for name, gate in gates.items() if gate.at_most_an_hour):
        know_channel(connection, channel, now)
        connection.execute(select(channel_state).where(channel_state.c.channel == channel).with_for_update())


def waiting_behind(connection: Connection, channel: str, now: datetime) -> int:
    """How many messages are due for a channel and wait, without those that press, which do not."""
    waiting = (
        delivery.c.channel == channel,
        delivery.c.state == "queued",
        delivery.c.not_before <= now,
        ~delivery.c.pressing,
    )
    return int(connection.execute(select(func.count()).where(*waiting)).scalar_one())


def _full_until(connection: Connection, channel: str, most: int, now: datetime) -> datetime | None:
    """When the next message fits under the cap; None where it does now."""
    columns = delivery.c
    # What a clock that was ahead wrote counts for nothing.
    went = and_(columns.state == "sent", columns.sent_at > now - _CAP_WINDOW, columns.sent_at <= now)
    goes = and_(columns.state == "sending", columns.lease_until > now)
    used = select(columns.sent_at).where(columns.channel == channel, or_(went, goes))
    # Those that are being sent free nothing for an hour.
    moments: list[datetime] = sorted(each or now for each in connection.execute(used).scalars())
    return moments[-most] + _CAP_WINDOW if len(moments) >= most else None


def is_open(closed: Mapping[str, datetime]) -> ColumnElement[bool]:
    """Whether a delivery's channel takes it now."""
    return or_(delivery.c.pressing, delivery.c.channel.not_in(sorted(closed)))
