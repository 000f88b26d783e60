"""Rows by keys of several columns, each found by an index on either database."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.schema.types import UtcDateTime

Key = Sequence[Any]


def with_keys(
    connection: Connection, query: Select[Any], columns: Sequence[ColumnElement[Any]], keys: Collection[Key]
) -> Select[Any]:
    """Narrow a query to the rows whose columns hold one of the keys, and have each of them looked up.

    SQLite reads the whole table for a list of rows of values, and where each column has a list of its own it tries each
    value of one with each of the others. All keys come as one parameter, so that the statement is the same however many
    they are.
    """
    wanted = key_table(connection, columns, keys)
    return query.join(wanted, and_(*(one == other for one, other in zip(columns, wanted.c, strict=True))))


def key_table(
    connection: Connection, columns: Sequence[ColumnElement[Any]], keys: Collection[Key]
) -> Subquery:
    """The keys, each once, as a table with a column of the same type for each of these, in order: `key_0`, `key_1` and so on."""
    postgresql = connection.dialect.name == "postgresql"
    distinct = dict.fromkeys(tuple(key) for key in keys)
    told = json.dumps([[_plain(value, connection) for value in key] for key in distinct], ensure_ascii=False)
    given = bindparam("wanted_keys", told, Text, unique=True)
    each = func.json_array_elements(cast(given, JSON)) if postgresql else func.json_each(given)
    rows = each.table_valued(column("value")).alias("given_keys")
    cells = (
        _cell(rows.c.value, place, of, postgresql=postgresql).label(f"key_{place}")
        for place, of in enumerate(columns)
    )
    return select(*cells).select_from(rows).subquery("wanted")


def holds(
    connection: Connection, column: ColumnElement[Any], item: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether the list in a JSON column holds a text."""
    if connection.dialect.name == "postgresql":
        found: ColumnElement[bool] = type_coerce(column, JSONB).has_key(item)
        return found
    each = func.json_each(column).table_valued("value").alias("held")
    return exists(select(literal_column("1")).select_from(each).where(each.c.value == item))


def delete_keys(connection: Connection, table: Table, keys: Sequence[Key]) -> int:
    """Delete the rows with these primary keys, in the order of its columns; give how many there were."""
    if not keys:
        return 0
    names = [each.name for each in table.primary_key.columns]
    same = (table.c[name] == bindparam(f"key_{name}", type_=table.c[name].type) for name in names)
    gone = [{f"key_{name}": value for name, value in zip(names, key, strict=True)} for key in keys]
    return connection.execute(delete(table).where(*same), gone).rowcount


def _plain(value: Any, connection: Connection) -> Any:
    if not isinstance(value, datetime):
        return value
    stored = UtcDateTime().process_bind_param(value, connection.dialect)
    return stored.isoformat() if isinstance(stored, datetime) else stored


def _cell(
    row: ColumnElement[Any], place: int, of: ColumnElement[Any], *, postgresql: bool
) -> ColumnElement[Any]:
    if postgresql:
        return cast(row.op("->>")(literal_column(str(place))), of.type)
    return type_coerce(func.json_extract(row, literal_column(f"'$[{place}]'")), of.type)
