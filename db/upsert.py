"""Insert-or-ignore and insert-or-update, once for both databases."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

InsertRow = Mapping[str, Any]


def _insert(dialect: str, table: Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_ignore(connection: Connection, table: Table, rows: Sequence[InsertRow]) -> int:
    """Insert the rows, all of the same columns, that are new by any unique key; return how many were."""
    if not rows:
        return 0
    # Without the option the count of an INSERT is -1 on PostgreSQL.
    statement: Insert = (
        _insert(connection.dialect.name, table)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)
    )
    return connection.execute(statement, [dict(row) for row in rows]).rowcount


def upsert(connection: Connection, table: Table, row: InsertRow, key: Sequence[str]) -> None:
    """Insert the row, or overwrite the other columns of the row that has the same key (caches only)."""
    upsert_all(connection, table, [row], key)


def upsert_all(connection: Connection, table: Table, rows: Sequence[InsertRow], key: Sequence[str]) -> None:
    """The same of several rows, all of the same columns."""
    if rows:
        statement = _upserting(connection.dialect.name, table, tuple(rows[0]), tuple(key))
        connection.execute(statement, dict(rows[0]) if len(rows) == 1 else [dict(row) for row in rows])


@cache
def _upserting(dialect: str, table: Table, names: tuple[str, ...], key: tuple[str, ...]) -> Insert:
    """Built once: to build it anew for each row took longer than the database takes to run it."""
    statement = _insert(dialect, table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    built: Insert = statement
    return built
