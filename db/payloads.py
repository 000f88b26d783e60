"""Raw answers of feeds, kept packed by their SHA-256 as evidence for what was read from them."""

import hashlib
import zlib
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

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
