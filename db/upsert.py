"""Insert-or-ignore and insert-or-update, once for both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

InsertRow = Mapping[str, Any]


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_ignore(connection: Connection, table: Table, rows: Sequence[InsertRow]) -> int:
    """Insert the rows, all of the same columns, that are new by any unique key; return how many were."""
    if not rows:
        return 0
    # Without the option the count of an INSERT is -1 on PostgreSQL.
    statement: Insert = (
        _insert(connection, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    )
    return connection.execute(statement, [dict(row) for row in rows]).rowcount


def upsert(connection: Connection, table: Table, row: InsertRow, key: Sequence[str]) -> None:
    """Insert the row, or overwrite the other columns of the row that has the same key (caches only)."""
    statement = _insert(connection, table).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in key}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(statement)
