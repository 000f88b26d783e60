"""The notes: dated remarks that carry no count, kept as revisions."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from db import schema
from db.keyed import KeyedTable
from db.records import Note


def record_notes(connection: Connection, new: Sequence[Note]) -> list[Note]:
    """Append a revision for each note whose text, time or announcement changed and return those."""
    return _STORE.record(connection, new)


def notes(
    connection: Connection,
    site_id: str,
    metric: str | None = None,
    as_of: datetime | None = None,
    as_recorded: datetime | None = None,
) -> list[Note]:
    """Read the newest revision of each note that was knowable at `as_of`, by its start."""
    conditions = [schema.note.c.site_id == site_id]
    if metric is not None:
        conditions.append(schema.note.c.metric == metric)
    found = _STORE.newest(connection, *conditions, as_of=as_of, as_recorded=as_recorded)
    return sorted(found, key=lambda each: (each.starts_at, each.key))


def _to_row(each: Note) -> dict[str, Any]:
    return {field.name: getattr(each, field.name) for field in fields(each)}


def _from_row(row: Row[Any]) -> Note:
    return Note(**row._mapping)  # noqa: SLF001 - the documented way to read a row by name


def _same(one: Note, other: Note) -> bool:
    return (one.text, one.announced, one.starts_at, one.ends_at) == (
        other.text,
        other.announced,
        other.starts_at,
        other.ends_at,
    )


_STORE = KeyedTable(schema.note, _to_row, _from_row, _same)
