"""Extracts: what of an answer is kept as evidence, the rows of watched aircraft alone; of the rest, its hash and size."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from db.alerts import alerts
from db.chunks import chunks
from db.flights import visits_by_id
from db.keys import delete_keys
from db.records import Alert, Extract, Visit
from db.schema import extract
from db.upsert import insert_ignore

ExtractKey = tuple[int, str]
"""The poll and the aircraft."""
PAGE_BREAK = b"\n"
"""Stands between the pages of one answer when its hash is taken."""


def answer_digest(bodies: Sequence[bytes]) -> tuple[str, int] | tuple[None, None]:
    """Give the SHA-256 of the pages of one answer and their size in bytes; (None, None) where nothing came."""
    if not any(bodies):
        return None, None
    digest, size = hashlib.sha256(), 0
    for number, body in enumerate(bodies):
        for part in (PAGE_BREAK, body) if number else (body,):
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size


def store_extracts(connection: Connection, poll_id: int, extracts: Iterable[Extract], now: datetime) -> int:
    """Keep what one answer said of watched aircraft; give the number of new extracts."""
    rows = [
        {
            "poll_id": poll_id,
            "icao24": each.icao24,
            "rows": [dict(row) for row in each.rows],
            "request": each.request,
            "redistribute": each.redistribute,
            "received_at": now,
        }
        for each in extracts
    ]
    return insert_ignore(connection, extract, rows)


def extracts_of(connection: Connection, poll_ids: Collection[int]) -> list[Extract]:
    """Read the extracts of these polls that are still kept, by poll and aircraft."""
    found: list[Extract] = []
    for ids in chunks(sorted(set(poll_ids))):
        query = select(extract).where(extract.c.poll_id.in_(ids))
        rows = connection.execute(query.order_by(extract.c.poll_id, extract.c.icao24))
        found += [_from_row(row) for row in rows.mappings()]
    return found


def polls_behind(connection: Connection, alert: Alert) -> dict[str, tuple[int, ...]]:
    """Give the visits that an alert rests on, each with the polls that it is told from, in the order of the telling."""
    told = {each.visit_id: each for each in visits_by_id(connection, visits_cited(alert))}
    return {ref: _polls_of(told[ref]) for ref in visits_cited(alert) if ref in told}


def cited_polls(connection: Connection, site_ids: Collection[str]) -> set[int]:
    """Give the polls that an alert at one of these sites rests on, unless it was withdrawn or its visit was."""
    standing = [
        each for each in alerts(connection) if each.status != "withdrawn" and each.site_id in site_ids
    ]
    refs = {ref for each in standing for ref in visits_cited(each)}
    told = visits_by_id(connection, refs)
    return {number for each in told if each.state != "withdrawn" for number in _polls_of(each)}


def old_extracts(
    connection: Connection, before: datetime, *, cited: Collection[int] = (), but: Collection[str] = ()
) -> list[ExtractKey]:
    """Name the extracts received before then, save those of cited polls and of these aircraft."""
    old = select(extract.c.poll_id, extract.c.icao24).where(extract.c.received_at < before)
    rows = [(row.poll_id, row.icao24) for row in connection.execute(old)]
    return [row for row in rows if row[0] not in cited and row[1] not in but]


def forget_extracts(connection: Connection, keys: Sequence[ExtractKey]) -> int:
    """Delete these extracts and give the number of those that were there; no more than fit into one statement."""
    return delete_keys(connection, extract, keys)


def aircraft_in_extracts(connection: Connection) -> list[str]:
    """Read the addresses of the aircraft that extracts are about."""
    return list(connection.execute(select(extract.c.icao24).distinct().order_by(extract.c.icao24)).scalars())


def visits_cited(alert: Alert) -> tuple[str, ...]:
    """The ids of the visits that an alert rests on, each once, as they are cited."""
    entries: Sequence[Mapping[str, Any]] = alert.details.get("entries", ())
    refs = (each["ref"] for entry in entries for each in entry["evidence"] if each["kind"] == "visit")
    return tuple(dict.fromkeys(refs))


def _polls_of(visit: Visit) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(each.ref) for each in visit.evidence if each.kind == "poll"))


def _from_row(row: Mapping[Any, Any]) -> Extract:
    return Extract(
        row["icao24"],
        tuple(row["rows"]),
        row["request"],
        row["redistribute"],
        row["poll_id"],
        row["received_at"],
    )
