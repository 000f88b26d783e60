"""Opening the database: one engine, and explicit reading and writing transactions.

SQLAlchemy is imported in `db` alone; what its callers hold of it, a connection or an error, has its name from here.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, SQLAlchemyError

from db.holders import (
    Holder,
    WaitHandler,
    application_name,
    file_holder,
    file_lock,
    known_as,
    signed,
    writers_turn,
)
from db.sqlite_files import FileWatch, address, file_of

__all__ = [
    "Connection",
    "DBAPIError",
    "DataError",
    "Engine",
    "Holder",
    "OperationalError",
    "SQLAlchemyError",
    "damage",
    "empty_log",
    "holder_of",
    "is_missing",
    "is_unusable",
    "known_as",
    "make_url",
    "open_engine",
    "reading",
    "server_time",
    "sole_importer",
    "write_anew",
    "writing",
    "writing_refused",
]

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another, on either kind of database, before it says that the database is locked."""
_IMPORT_LOCK = 0x51FE_1A9E
_CHECKPOINT_WAIT_MS = 1_000
LARGEST_REWRITTEN = 64 * 1024 * 1024
"""Bytes of a SQLite file that are written anew in two seconds of a busy machine; nobody else can write meanwhile."""
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
    # FULL, not NORMAL: the outbox must survive a power cut.
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    # What is deleted is overwritten: a name that was forgotten must not stand in the free room of the file.
    "PRAGMA secure_delete=ON",
)


def open_engine(url: str | URL) -> Engine:
    """Open `sqlite:///…` or `postgresql://…` (also written `postgres://`); a missing SQLite file is not made: `db.migrate` does."""
    parsed = make_url(url)
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        server = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "options": f"-c timezone=utc -c lock_timeout={BUSY_TIMEOUT_MS}",
                "application_name": application_name(),
                **_query_args(parsed),
            },
        )
        event.listen(server, "handle_error", _without_detail)
        return server
    # What was to be stored, and so who was heard, must not come into the log with an error.
    engine = create_engine(parsed, hide_parameters=True, json_deserializer=_read_json)
    event.listen(engine, "connect", _prepare_sqlite)
    if path := file_of(parsed):
        _watch_file(engine, path)
    else:
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _read_json(written: str) -> Any:
    """What was written; most of it is empty, and a look has two of these."""
    if written == "[]":
        return []
    return {} if written == "{}" else json.loads(written)


def _without_detail(context: ExceptionContext) -> None:
    """Take out of an error what PostgreSQL tells of the row: who was heard must not come into the log with it."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None:
            error.args = tuple(
                each.partition("\nDETAIL:")[0] if isinstance(each, str) else each for each in error.args
            )


def is_missing(engine: Engine) -> bool:
    """Whether the database is a file that is not there."""
    path = file_of(engine.url)
    return path is not None and not path.exists()


def damage(connection: Connection) -> str:
    """The first thing that is wrong inside a SQLite file, in SQLite's words; '' where nothing is, and elsewhere."""
    if connection.dialect.name != "sqlite":
        return ""
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return "" if found == "ok" else " ".join(found.split())


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
        with closing(
            sqlite3.connect(address(path), timeout=patience_s, isolation_level=None, uri=True)
        ) as connection:
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
    connection.exec_driver_sql("BEGIN" if _is_read_only(connection) else "BEGIN IMMEDIATE")


def _is_read_only(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("read_only", False))


def _watch_file(engine: Engine, path: Path) -> None:
    """Open the file only where it is, and begin and end no transaction in one that nobody will find again."""
    watch = FileWatch(path)

    def before_opening(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        watch.check()
        arguments[0], options["uri"] = address(path), True

    def begin(connection: Connection) -> None:
        watch.check()
        if _is_read_only(connection):
            _begin_sqlite(connection)
        else:
            with writers_turn(path, BUSY_TIMEOUT_MS / 1_000) as had:
                if not had:
                    raise OperationalError(
                        "BEGIN IMMEDIATE", None, sqlite3.OperationalError("database is locked")
                    )
                _begin_sqlite(connection)
        watch.used()

    def before_commit(connection: Connection) -> None:
        if not _is_read_only(connection):
            watch.check()

    event.listen(engine, "do_connect", before_opening)
    event.listen(engine, "connect", lambda *_: watch.opened())
    event.listen(engine, "close", lambda *_: watch.closed())
    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", before_commit)


def holder_of(engine: Engine) -> Holder | None:
    """Which sitewatch writes just now, or has been writing longest; None where none does. Raises DBAPIError."""
    if path := file_of(engine.url):
        return file_holder(path)
    if engine.dialect.name != "postgresql":
        return None
    with reading(engine) as connection:
        row = connection.execute(text(_LONGEST_WRITER)).one_or_none()
    if row is None:
        return None
    # The name ends with the process on its own machine; the server knows its own process only.
    name, _, process = row.name.rpartition(" ")
    return Holder(
        name or row.name, int(process) if process.isdigit() else row.pid, row.machine or "", row.since
    )


_LONGEST_WRITER = """
    select activity.application_name as name, activity.pid, host(activity.client_addr) as machine,
           activity.xact_start as since
    from pg_stat_activity activity
    where activity.datname = current_database() and activity.pid <> pg_backend_pid()
      and activity.xact_start is not null and exists (
        select 1 from pg_locks held
        where held.pid = activity.pid and held.granted
          and (held.mode in ('RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock', 'ShareRowExclusiveLock')
               and held.locktype in ('relation', 'advisory')))
    order by activity.xact_start
    limit 1
"""


@contextmanager
def sole_importer(engine: Engine, waiting: WaitHandler = lambda: None) -> Iterator[None]:
    """Hold what one process at a time may hold, and wait for it; it goes back when this process ends, however it does."""
    if path := file_of(engine.url):
        with ExitStack() as held:
            try:
                held.enter_context(file_lock(path, waiting))
            except OSError as error:
                raise OperationalError(
                    "lock for an import", None, sqlite3.OperationalError(str(error))
                ) from error
            yield
        return
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"key": _IMPORT_LOCK}
        if not connection.execute(text("select pg_try_advisory_lock(:key)"), key).scalar_one():
            waiting()
            connection.execute(text("set lock_timeout = 0"))
            connection.execute(text("select pg_advisory_lock(:key)"), key)
            connection.execute(text(f"set lock_timeout = {BUSY_TIMEOUT_MS}"))
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:key)"), key)


def empty_log(engine: Engine) -> bool:
    """Bring SQLite's write-ahead log into the file and cut it to nothing, where deleted things still stand.

    False where somebody reads just now, so that it has to wait. PostgreSQL keeps deleted rows until it vacuums and its
    log as long as it is set up to; neither is ours to cut.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        # While it waits for readers nobody can write.
        cursor.execute(f"PRAGMA busy_timeout={_CHECKPOINT_WAIT_MS}")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    finally:
        raw.close()
    return not busy


def write_anew(engine: Engine, now: datetime) -> bool:
    """Write a SQLite file of no more than `LARGEST_REWRITTEN` anew, once a UTC day; say whether it was done.

    SQLite overwrites what is deleted, but not each copy that it left behind in a page when it moved rows about.
    """
    path = file_of(engine.url)
    if path is None or path.stat().st_size > LARGEST_REWRITTEN:
        return False
    today = now.date().toordinal()
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if cursor.execute("PRAGMA user_version").fetchone()[0] == today:
            return False
        cursor.execute("VACUUM")
        cursor.execute(f"PRAGMA user_version={today}")
    except sqlite3.OperationalError:
        # Somebody else writes, or there is no room: it is tried again an hour later.
        return False
    finally:
        raw.close()
    return True


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any error; others can read whose it is."""
    path = file_of(engine.url)
    if path is None:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                name = {"name": application_name()}
                connection.execute(text("select set_config('application_name', :name, true)"), name)
            yield connection
        return
    with ExitStack() as held, engine.begin() as connection:
        # Taken back after the commit only, which may take its time.
        held.enter_context(signed(path))
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent reading transaction that never blocks a writer; nothing in it is kept."""
    connection = engine.connect().execution_options(read_only=True)
    with connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
