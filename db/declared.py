"""What was published beside counts, kept as revisions: declared baselines (statistics about the past) and notes."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from db.alerts import open_alerts
from db.chunks import chunks
from db.imports import released
from db.keyed import KeyedTable
from db.records import DeclaredBaseline, Note, SeriesKey
from db.schema import SERIES_KEY, declared_baseline, note
from db.spelling import tidy


def record_declared(connection: Connection, baselines: Sequence[DeclaredBaseline]) -> list[DeclaredBaseline]:
    """Append a revision for each baseline whose value, number of looks or window changed and return those."""
    return _BASELINES.record(connection, baselines)


def declared(
    connection: Connection,
    site_id: str,
    metric: str | None = None,
    as_of: datetime | None = None,
    as_recorded: datetime | None = None,
) -> list[DeclaredBaseline]:
    """Read the newest revision of each baseline that was knowable at `as_of`, by the start of its window."""
    conditions = [declared_baseline.c.site_id == site_id, released(declared_baseline)]
    if metric is not None:
        conditions.append(declared_baseline.c.metric == metric)
    found = _BASELINES.newest(connection, *conditions, as_of=as_of, as_recorded=as_recorded)
    return sorted(found, key=lambda each: (each.window_start, each.key))


def declared_where_alerts_are_open(connection: Connection, as_of: datetime) -> list[DeclaredBaseline]:
    """Read the newest revision of each baseline of a place and metric about which an alert is open."""
    places = {(each.site_id, each.area, each.metric) for each in open_alerts(connection)}
    sites = sorted({site_id for site_id, _, _ in places})
    found: list[DeclaredBaseline] = []
    for some in chunks(sites):
        here = declared_baseline.c.site_id.in_(some)
        found += _BASELINES.newest(connection, here, as_of=as_of, as_recorded=None)
    return [each for each in found if (each.series.site_id, each.series.area, each.series.metric) in places]


_PLAIN = tuple(column.name for column in declared_baseline.columns if column.name not in SERIES_KEY)


def _baseline_to_row(each: DeclaredBaseline) -> dict[str, Any]:
    key = {name: getattr(each.series, name) for name in SERIES_KEY}
    return {**key, **{name: getattr(each, name) for name in _PLAIN}}


def _baseline_from_row(row: Row[Any]) -> DeclaredBaseline:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to read a row by name
    key = SeriesKey(**{name: values.pop(name) for name in SERIES_KEY})
    return DeclaredBaseline(series=key, **values)


def _same_baseline(one: DeclaredBaseline, other: DeclaredBaseline) -> bool:
    return (one.value, one.n_looks, one.window_start, one.window_end) == (
        other.value,
        other.n_looks,
        other.window_start,
        other.window_end,
    )


_BASELINES = KeyedTable(declared_baseline, _baseline_to_row, _baseline_from_row, _same_baseline)


def every_declared(connection: Connection, site_ids: Sequence[str]) -> list[DeclaredBaseline]:
    """Read all revisions of the declared baselines of some sites."""
    query = select(declared_baseline).where(declared_baseline.c.site_id.in_(site_ids))
    return [_baseline_from_row(row) for row in connection.execute(query)]


def every_note(connection: Connection, site_ids: Sequence[str]) -> list[Note]:
    """Read all revisions of the notes of some sites."""
    return [
        _note_from_row(row) for row in connection.execute(select(note).where(note.c.site_id.in_(site_ids)))
    ]


def record_notes(connection: Connection, new: Sequence[Note]) -> list[Note]:
    """Append a revision for each note whose text, time or announcement changed and return those."""
    return _NOTES.record(connection, new)


def notes(
    connection: Connection,
    site_id: str,
    metric: str | None = None,
    as_of: datetime | None = None,
    as_recorded: datetime | None = None,
) -> list[Note]:
    """Read the newest revision of each note that was knowable at `as_of`, by its start."""
    conditions = [note.c.site_id == site_id, released(note)]
    if metric is not None:
        conditions.append(note.c.metric == metric)
    found = _NOTES.newest(connection, *conditions, as_of=as_of, as_recorded=as_recorded)
    return sorted(found, key=lambda each: (each.starts_at, each.key))


def _note_to_row(each: Note) -> dict[str, Any]:
    return {field.name: getattr(each, field.name) for field in fields(each)}


def _note_from_row(row: Row[Any]) -> Note:
    return Note(**row._mapping)  # noqa: SLF001 - the documented way to read a row by name


def _same_note(one: Note, other: Note) -> bool:
    return (tidy(one.text), one.announced, one.starts_at, one.ends_at) == (
        tidy(other.text),
        other.announced,
        other.starts_at,
        other.ends_at,
    )


_NOTES = KeyedTable(note, _note_to_row, _note_from_row, _same_note)
