"""What one's own receivers heard: of each hour one answer, as places and heights alone, without any aircraft."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from db.records import HeardAt
from db.schema import receiver_hour
from db.upsert import insert_ignore


def note_hearing(
    connection: Connection, provider: str, hour: datetime, heard: Sequence[HeardAt], *, oldest: datetime
) -> None:
    """Keep what was heard in an hour, unless something is kept of it; what lies before `oldest` is forgotten."""
    old = receiver_hour.c.hour < oldest
    connection.execute(delete(receiver_hour).where(receiver_hour.c.provider == provider, old))
    row = {"provider": provider, "hour": hour, "heard": [list(each) for each in heard]}
    insert_ignore(connection, receiver_hour, [row])


def forget_hearing(connection: Connection, before: datetime) -> int:
    """Forget what any receiver heard in hours before then, also of one that is asked no more; give the number of hours."""
    return connection.execute(delete(receiver_hour).where(receiver_hour.c.hour < before)).rowcount


def hearing_since(
    connection: Connection, provider: str, since: datetime
) -> list[tuple[datetime, tuple[HeardAt, ...]]]:
    """Read the hours since then in which anybody was heard, newest first, each with one answer."""
    query = (
        select(receiver_hour.c.hour, receiver_hour.c.heard)
        .where(receiver_hour.c.provider == provider, receiver_hour.c.hour >= since)
        .order_by(receiver_hour.c.hour.desc())
    )
    return [(hour, tuple(HeardAt(*each) for each in heard)) for hour, heard in connection.execute(query)]
