"""Opening the database: one engine, and explicit reading and writing transactions.

SQLAlchemy is imported in `db` alone; what its callers hold of it, a connection or an error, has its name from here.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

__all__ = [
    "Connection",
    "DBAPIError",
    "Engine",
    "OperationalError",
    "SQLAlchemyError",
    "is_unusable",
    "make_url",
    "open_engine",
    "reading",
    "server_time",
    "writing",
    "writing_refused",
]

BUSY_TIMEOUT_MS = 30_000
_NO_PRIVILEGE = "42501"
"""PostgreSQL's code where the user may not read or write something."""
_LIVELINESS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""So that a server that vanished from the network is given up within a minute and not after hours."""
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL, not NORMAL: the outbox must survive a power cut.
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
)


def open_engine(url: str | URL) -> Engine:
    """Open `sqlite:///…` or `postgresql://…` (also written `postgres://`); a missing SQLite folder is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"options": "-c timezone=utc", **_query_args(parsed)},
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def is_unusable(error: DBAPIError) -> bool:
    """Whether the database itself is at fault (gone, full, damaged, closed to us), and not what was asked of it."""
    return (
        isinstance(error, OperationalError)
        # “file is not a database” and “disk image is malformed” have no class of their own.
        or type(error.orig) is sqlite3.DatabaseError
        or getattr(error.orig, "sqlstate", None) == _NO_PRIVILEGE
    )


def writing_refused(path: Path, patience_s: float) -> DBAPIError | None:
    """What keeps anybody from writing to a SQLite file just now; None: the writer's lock was taken and given back."""
    try:
        with closing(sqlite3.connect(path, timeout=patience_s, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return OperationalError("BEGIN IMMEDIATE", None, error)
    return None


def server_time(connection: Connection) -> datetime:
    """The clock of the database server."""
    value: datetime = connection.execute(select(func.now())).scalar_one()
    return value


def _query_args(url: URL) -> dict[str, Any]:
    return {name: value for name, value in _LIVELINESS.items() if name not in url.query}


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    # The driver must not begin transactions itself: its deferred BEGIN fails at once with
    # "database is locked" when a reader turns writer, whatever the timeout.
    raw.isolation_level = None
    for pragma in _PRAGMAS:
        raw.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any error."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent reading transaction that never blocks a writer; nothing in it is kept."""
    connection = engine.connect().execution_options(read_only=True)
    with connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
