"""Bringing a database to the newest schema; safe to call from several processes at once."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from db.engine import OperationalError, is_missing, reading, writing
from db.sqlite_files import file_of, make

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x51FE_7A7C


def alembic_config() -> Config:
    """The Alembic configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Upgrade (or, for tests, downgrade) to a revision in one transaction under a lock; a missing file is made."""
    if path := file_of(engine.url):
        make(path)
        _use_log(engine)
    with writing(engine) as connection:
        _lock(connection)
        config = alembic_config()
        config.attributes["connection"] = connection
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def current_revision(engine: Engine) -> str | None:
    """The revision that the database is at, None for an empty or a missing one."""
    try:
        with reading(engine) as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        # A file that was there when this program opened it is another matter.
        if is_missing(engine) and getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN:
            return None
        raise


def newest_revision() -> str | None:
    """The revision that this program expects."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Whether this program has the migration; a newer one made the database where it has not."""
    return any(
        each.revision == revision for each in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    )


def _use_log(engine: Engine) -> None:
    # A write-ahead log is a property of the file: whoever opens it later finds it so.
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise OperationalError("PRAGMA journal_mode=WAL", None, error) from error
    finally:
        raw.close()


def _lock(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE is a lock already.
    if connection.dialect.name == "postgresql":
        # Another process may be at the same for minutes, and is waited for.
        connection.execute(text("set local lock_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
