"""Dead letters: messages that were given up, and owed again when a person has mended the cause."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from db.schema import delivery


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
