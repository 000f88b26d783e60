"""Answers to requests that a program may send again under the same key, so that what was done is not done twice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from db.schema import api_request
from db.upsert import insert_ignore

KEEP_ANSWERS = timedelta(days=7)
_GIVEN_UP_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class EarlierRequest:
    """A request that came under the same key: its content, and how it was answered, if it was."""

    request_sha256: str
    status: int | None
    answer: Any


def begin_request(
    connection: Connection, token: str, key: str, request_sha256: str, now: datetime
) -> EarlierRequest | None:
    """Take the key; gives the earlier request where it is taken. One that was never answered is given up after a while."""
    lost = (api_request.c.status.is_(None)) & (api_request.c.created_at < now - _GIVEN_UP_AFTER)
    old = api_request.c.created_at < now - KEEP_ANSWERS
    connection.execute(delete(api_request).where(old | (_is(token, key) & lost)))
    row = {"token": token, "idempotency_key": key, "request_sha256": request_sha256, "created_at": now}
    if insert_ignore(connection, api_request, [row]):
        return None
    found = connection.execute(select(api_request).where(_is(token, key))).one()
    return EarlierRequest(found.request_sha256, found.status, found.answer)


def end_request(connection: Connection, token: str, key: str, status: int, answer: Any) -> None:
    """Keep the answer."""
    connection.execute(update(api_request).where(_is(token, key)).values(status=status, answer=answer))


def drop_request(connection: Connection, token: str, key: str) -> None:
    """Let the key go: nothing was done, so that the request may come again, mended."""
    connection.execute(delete(api_request).where(_is(token, key)))


def _is(token: str, key: str) -> Any:
    return (api_request.c.token == token) & (api_request.c.idempotency_key == key)
