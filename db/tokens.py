"""Named tokens of programs: what each may do and until when. Kept as a hash, so that nobody can read one out of the database."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, Row, select, update

from db.schema import token

TokenScope = Literal["read", "write", "admin"]
TOKEN_SCOPES: tuple[TokenScope, ...] = ("read", "write", "admin")
"""Each may do what those before it may."""
TOKEN_MARK = "sw_"  # noqa: S105 - what every one begins with
_PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LENGTH = 8
_USE_NOTED_EVERY = timedelta(hours=1)
"""Often enough to see a forgotten token, seldom enough that reading writes next to nothing."""


@dataclass(frozen=True, slots=True)
class NamedToken:
    """What is known of a token: never the token itself. `prefix` is its readable beginning."""

    prefix: str
    name: str
    scope: TokenScope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_in_force(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def issue_token(
    connection: Connection, name: str, scope: TokenScope, now: datetime, expires_at: datetime | None
) -> str:
    """Make a token and give it: it can be read this once."""
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    text = f"{TOKEN_MARK}{prefix}_{secrets.token_urlsafe(32)}"
    values = {
        "prefix": prefix,
        "hash": _hash(text),
        "role": scope,
        "name": name,
        "created_at": now,
        "expires_at": expires_at,
    }
    connection.execute(token.insert().values(**values))
    return text


def named_tokens(connection: Connection) -> list[NamedToken]:
    """Every named token, in force or not, the oldest first."""
    query = select(token).where(token.c.name != "").order_by(token.c.created_at, token.c.prefix)
    return [_named(row) for row in connection.execute(query)]


def token_in_force(connection: Connection, text: str, now: datetime) -> NamedToken | None:
    """What this token may do, or None where it is none, revoked or over; compared in constant time."""
    prefix = text.removeprefix(TOKEN_MARK)[:_PREFIX_LENGTH]
    row = connection.execute(select(token).where(token.c.prefix == prefix, token.c.name != "")).one_or_none()
    # Random texts of 256 bits need no slow hash: there is nothing to guess.
    if row is None or not hmac.compare_digest(_hash(text), row.hash):
        return None
    found = _named(row)
    return found if found.is_in_force(now) else None


def is_use_due(known: NamedToken, now: datetime) -> bool:
    """Whether it is worth noting that the token is used just now."""
    return known.last_used_at is None or now - known.last_used_at >= _USE_NOTED_EVERY


def note_token_use(connection: Connection, prefix: str, now: datetime) -> None:
    """Note that the token was used."""
    connection.execute(update(token).where(token.c.prefix == prefix).values(last_used_at=now))


def revoke_token(connection: Connection, name: str, now: datetime) -> int:
    """End every token of that name or prefix that is in force; give how many that were."""
    named = (token.c.name == name) | (token.c.prefix == name)
    ended = (
        token.update().where(named, token.c.name != "", token.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return connection.execute(ended).rowcount


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _named(row: Row[tuple[object, ...]]) -> NamedToken:
    return NamedToken(
        row.prefix, row.name, row.role, row.created_at, row.expires_at, row.revoked_at, row.last_used_at
    )
