"""The declared baselines: published statistics about the past, kept as revisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from db.keyed import KeyedTable
from db.records import DeclaredBaseline, SeriesKey
from db.schema import SERIES_KEY, declared_baseline


def record_declared(connection: Connection, baselines: Sequence[DeclaredBaseline]) -> list[DeclaredBaseline]:
    """Append a revision for each baseline whose value, number of looks or window changed and return those."""
    return _STORE.record(connection, baselines)


def declared(
    connection: Connection,
    site_id: str,
    metric: str | None = None,
    as_of: datetime | None = None,
    as_recorded: datetime | None = None,
) -> list[DeclaredBaseline]:
    """Read the newest revision of each baseline that was knowable at `as_of`, by the start of its window."""
    conditions = [declared_baseline.c.site_id == site_id]
    if metric is not None:
        conditions.append(declared_baseline.c.metric == metric)
    found = _STORE.newest(connection, *conditions, as_of=as_of, as_recorded=as_recorded)
    return sorted(found, key=lambda each: (each.window_start, each.key))


_PLAIN = tuple(column.name for column in declared_baseline.columns if column.name not in SERIES_KEY)


def _to_row(each: DeclaredBaseline) -> dict[str, Any]:
    key = {name: getattr(each.series, name) for name in SERIES_KEY}
    return {**key, **{name: getattr(each, name) for name in _PLAIN}}


def _from_row(row: Row[Any]) -> DeclaredBaseline:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to read a row by name
    key = SeriesKey(**{name: values.pop(name) for name in SERIES_KEY})
    return DeclaredBaseline(series=key, **values)


def _same(one: DeclaredBaseline, other: DeclaredBaseline) -> bool:
    return (one.value, one.n_looks, one.window_start, one.window_end) == (
        other.value,
        other.n_looks,
        other.window_start,
        other.window_end,
    )


_STORE = KeyedTable(declared_baseline, _to_row, _from_row, _same)
