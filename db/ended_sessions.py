"""Sessions of the page that were ended before their time, so that their cookies open nothing more."""

from datetime import datetime

from sqlalchemy import select

from db.engine import Connection
from db.schema import token
from db.upsert import insert_ignore

_PREFIX = "session:"


def end_session(connection: Connection, name: str, now: datetime) -> None:
    """Note that a session is over; a second time changes nothing."""
    row = {
        "prefix": f"{_PREFIX}{name}",
        "hash": "",
        "role": "read",
        "note": "logged out",
        "created_at": now,
        "revoked_at": now,
    }
    insert_ignore(connection, token, [row])


def ended_sessions(connection: Connection) -> frozenset[str]:
    """The sessions that were ended."""
    found = connection.execute(select(token.c.prefix).where(token.c.prefix.startswith(_PREFIX)))
    return frozenset(each.removeprefix(_PREFIX) for each in found.scalars())
