"""Raw answers of feeds, kept packed by their SHA-256 as evidence for what was read from them."""

import hashlib
import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from db.chunks import chunks
from db.schema import payload, poll
from db.upsert import insert_ignore

PAGE_BREAK = b"\n"
"""Stands between the pages of one answer, so that each line of a stored answer of JSON is one page."""
_GZIP = zlib.MAX_WBITS | 16


def store_payload(
    connection: Connection,
    bodies: Sequence[bytes],
    *,
    provider: str,
    redistribute: bool,
    content_type: str,
    now: datetime,
) -> str | None:
    """Keep the pages of one answer and give their SHA-256, None where there is nothing to keep."""
    if not any(bodies):
        return None
    digest, size = hashlib.sha256(), 0
    # Page by page, as all of a first search together take many megabytes. Such a packer writes no time, so the
    # same answer is always packed into the same bytes.
    packer, packed = zlib.compressobj(wbits=_GZIP), bytearray()
    for number, body in enumerate(bodies):
        for part in (PAGE_BREAK, body) if number else (body,):
            digest.update(part)
            size += len(part)
            packed += packer.compress(part)
    packed += packer.flush()
    sha256 = digest.hexdigest()
    row = {
        "sha256": sha256,
        "body": bytes(packed),
        "encoding": "gzip",
        "content_type": content_type,
        "size": size,
        "provider": provider,
        "redistribute": redistribute,
        "received_at": now,
        "cited": False,
    }
    insert_ignore(connection, payload, [row])
    return sha256


def cite_polls(connection: Connection, poll_ids: Collection[int]) -> None:
    """Keep the raw answers of these polls for good, because something that was told rests on them."""
    for ids in chunks(sorted(poll_ids)):
        digests = select(poll.c.payload_sha256).where(poll.c.id.in_(ids))
        connection.execute(update(payload).where(payload.c.sha256.in_(digests)).values(cited=True))


def answers_of_hours(
    connection: Connection, provider: str, since: datetime, *, slots_an_hour: int
) -> Iterator[bytes]:
    """One raw answer of each hour since then to a poll for data, newest first, as far as they are still kept."""
    hour = poll.c.slot // slots_an_hour
    newest = (
        select(func.max(poll.c.id))
        .where(poll.c.provider == provider, poll.c.started_at >= since, poll.c.purpose == "data")
        .where(poll.c.payload_sha256.is_not(None))
        .group_by(hour)
    )
    query = (
        select(payload.c.body)
        .join(poll, poll.c.payload_sha256 == payload.c.sha256)
        .where(poll.c.id.in_(newest))
        .order_by(poll.c.id.desc())
    )
    for (body,) in connection.execute(query):
        yield zlib.decompress(body, _GZIP)
