"""A copy of the whole database while it is in use, always one SQLite file, and its way back into either kind.

A backup of SQLite is made by SQLite itself; one of PostgreSQL is read row by row from one snapshot. Restoring puts the
rows of the file in the place of all others, in one transaction, so a running service sees the old or the new. That
transaction is kept short: SQLite copies whole pages, PostgreSQL takes the rows from tables beside its own, where they
were put before. What an import under way has stored so far is no part of a backup.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    delete,
    func,
    insert,
    null,
    select,
    text,
)

from db.engine import DBAPIError, damage, open_engine, reading, sole_importer, writing
from db.holders import signed
from db.imports import IMPORTED_TABLES, drop_unfinished, released
from db.migrate import current_revision, is_known, migrate
from db.schema import metadata, visitor_key
from db.sqlite_files import address, file_of
from db.visitor_keys import REGISTER_KEY

_ROWS = 2_000
"""Rows that are held in memory at once."""
_STAGED = "restoring_"
_LIVE = frozenset({"lease", "alias", "visitor_key"})
"""Who watches now is no part of what was known, and a backup must not undo names that were taken out of it."""
_KEPT_KEYS = (REGISTER_KEY,)


class BackupError(Exception):
    """A file is no backup that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How much was copied."""

    tables: int
    rows: int


def back_up(engine: Engine, target: Path) -> Copied:
    """Write all that is stored now into a new file, whole or not at all; raises FileExistsError, OSError."""
    if target.exists():
        raise FileExistsError(str(target))
    with _beside(target) as unfinished:
        source = file_of(engine.url)
        if source is not None:
            # The engine looks whether the file is still the one that it opened.
            with reading(engine):
                _copy_file(source, unfinished)
        else:
            _copy_server(engine, unfinished)
        copy = open_engine(f"sqlite:///{unfinished}")
        try:
            drop_unfinished(copy)
            with reading(copy) as connection:
                if found := damage(connection):
                    raise BackupError(f"what was copied is damaged ({found}), and so is the database itself")
                copied = Copied(len(_tables()), sum(_count(connection, each) for each in _tables()))
        finally:
            copy.dispose()
        # A name that came up meanwhile is not replaced.
        os.link(unfinished, target)
    return copied


@contextmanager
def opened_backup(source: Path) -> Iterator[Engine]:
    """A copy of a backup, brought up to date; the backup itself stays as it is. Raises BackupError where it is none."""
    with tempfile.TemporaryDirectory(prefix="sitewatch-restore-") as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(source, copy)
        engine = open_engine(f"sqlite:///{copy}")
        try:
            _check(engine)
            migrate(engine)
            drop_unfinished(engine)
            yield engine
        finally:
            engine.dispose()


def bring_back(copy: Engine, engine: Engine) -> Copied:
    """Put what a backup holds in the place of all that is stored; an import under way is waited for."""
    with sole_importer(engine):
        path = file_of(engine.url)
        if path is not None:
            _put_pages(copy, engine, path)
        else:
            _put_rows(copy, engine)
    with reading(copy) as connection:
        return Copied(len(_tables()), sum(_count(connection, each) for each in _tables()))


def _put_pages(copy: Engine, engine: Engine, path: Path) -> None:
    live = [table for table in metadata.sorted_tables if table.name in _LIVE and table is not visitor_key]
    with reading(engine) as here, writing(copy) as there:
        for table in live:
            there.execute(delete(table))
            _pour(here, there, table)
        there.execute(delete(visitor_key).where(visitor_key.c.name.not_in(_KEPT_KEYS)))
    source = file_of(copy.url)
    assert source is not None, "a backup is a file"
    with (
        closing(sqlite3.connect(address(source), uri=True)) as old,
        closing(sqlite3.connect(address(path), uri=True)) as new,
        signed(path),
    ):
        old.backup(new)


def _put_rows(copy: Engine, engine: Engine) -> None:
    """Put the rows into tables beside the own ones, then all of them into these at once."""
    staged = {table: _beside_table(table) for table in _tables()}
    _drop_staged(engine, staged.values())
    try:
        with writing(engine) as new:
            for table, stage in staged.items():
                new.execute(text(f"create unlogged table {stage.name} (like {table.name})"))
        for table, stage in staged.items():
            with reading(copy) as old, writing(engine) as new:
                _pour(old, new, table, stage)
        with writing(engine) as new:
            # Others can read what was there until the end; what they would write in between would be lost.
            new.execute(text(f"lock table {', '.join(table.name for table in staged)} in exclusive mode"))
            for table in reversed(staged):
                new.execute(delete(table))
            for table, stage in staged.items():
                names = [each.name for each in table.c]
                new.execute(insert(table).from_select(names, select(*(stage.c[name] for name in names))))
            with reading(copy) as old:
                _bring_keys(old, new)
            _go_on_counting(new)
    finally:
        _drop_staged(engine, staged.values())


def _beside_table(table: Table) -> Table:
    return Table(f"{_STAGED}{table.name}", MetaData(), *(Column(each.name, each.type) for each in table.c))


def _drop_staged(engine: Engine, staged: Iterable[Table]) -> None:
    with writing(engine) as connection:
        for stage in staged:
            connection.execute(text(f"drop table if exists {stage.name}"))


def set_aside(path: Path, mark: str) -> Path:
    """Move a file that cannot be read out of the way, with those beside it; give its new name."""
    aside = path.with_name(f"{path.name}.{mark}")
    for side in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    return aside


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in _LIVE]


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".sitewatch-backup-") as folder:
        yield Path(folder) / "unfinished.db"


def _copy_file(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(address(source), uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA secure_delete=ON")
        new.execute("DELETE FROM alias")
        new.execute("DELETE FROM visitor_key WHERE name <> ?", _KEPT_KEYS)
        new.commit()
        # The file has rooms in which things that were deleted may still stand.
        new.execute("VACUUM")
        # One file and nothing beside it, wherever it is carried.
        new.execute("PRAGMA journal_mode=DELETE")


def _copy_server(engine: Engine, target: Path) -> None:
    copy = open_engine(f"sqlite:///{target}")
    try:
        migrate(copy)
        snapshot = engine.connect().execution_options(isolation_level="REPEATABLE READ")
        with snapshot as old, writing(copy) as new:
            for table in _tables():
                _pour(old, new, table)
            _bring_keys(old, new)
    finally:
        copy.dispose()
    with closing(sqlite3.connect(target)) as new:
        new.execute("PRAGMA journal_mode=DELETE")


def _check(engine: Engine) -> None:
    try:
        with reading(engine) as connection:
            found = damage(connection)
        revision = None if found else current_revision(engine)
    except DBAPIError as error:
        raise BackupError(f"it is damaged, or no database ({error.orig})") from None
    if found:
        raise BackupError(f"it is damaged ({found})")
    if revision is None:
        raise BackupError("it is no database of sitewatch")
    if not is_known(revision):
        raise BackupError(f"it was made by a newer sitewatch ({revision})")


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _pour(old: Connection, new: Connection, table: Table, into: Table | None = None) -> None:
    # Python's None would be written as the word null of JSON.
    names = [each.name for each in table.c]
    empty = {
        each.name: each.is_(null()).label(f"{each.name} is empty") for each in table.c if _may_be_empty(each)
    }
    query = select(table, *empty.values())
    if table in IMPORTED_TABLES:
        query = query.where(released(table))
    found = old.execution_options(yield_per=_ROWS).execute(query)
    for rows in found.mappings().partitions():
        new.execute(
            insert(table if into is None else into),
            [{name: null() if row.get(f"{name} is empty") else row[name] for name in names} for row in rows],
        )


def _bring_keys(old: Connection, new: Connection) -> None:
    """Bring the key without which the lists of those who asked not to be shown cannot be read, in the place of any other."""
    new.execute(delete(visitor_key))
    rows = old.execute(select(visitor_key).where(visitor_key.c.name.in_(_KEPT_KEYS))).mappings().all()
    if rows:
        new.execute(insert(visitor_key), [dict(row) for row in rows])


def _may_be_empty(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON) and bool(column.nullable)


def _go_on_counting(connection: Connection) -> None:
    """New rows get numbers that no restored one has; SQLite looks by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        column = table.autoincrement_column
        if column is not None:
            connection.execute(
                text("select setval(pg_get_serial_sequence(:name, :key), greatest(:last, 1))"),
                {
                    "name": table.name,
                    "key": column.name,
                    "last": connection.execute(select(func.coalesce(func.max(column), 1))).scalar_one(),
                },
            )
