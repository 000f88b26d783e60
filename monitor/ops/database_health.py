"""Whether the database can be written just now; if not, why, in words, and how to mend it."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from db.engine import (
    DBAPIError,
    Engine,
    Holder,
    OperationalError,
    damage,
    holder_of,
    is_unusable,
    make_url,
    open_engine,
    reading,
    writing_refused,
)
from db.sqlite_files import MOVED
from monitor.config.secrets import mask_secrets
from monitor.config.settings import Settings
from monitor.ops.outages import OutageRegister

DATABASE = "database"
LOW_DISK_BYTES = 100 * 1024**2
"""Bytes on the disk of a SQLite file below which people are told, while that can still be stored."""
_NONE_LEFT = 1024**2
_TRIAL_BYTES = 256 * 1024
_GOES_ON = (
    "A running service then goes on by itself; what it could not store counts as not seen, never as zero."
)

FailureCause = Literal["full", "read-only", "locked", "damaged", "moved", "broken"]
_SQLITE: Mapping[int, FailureCause] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_IOERR: "broken",
    sqlite3.SQLITE_CANTOPEN: "broken",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
_POSTGRESQL: Mapping[str, FailureCause] = {
    "53100": "full",
    "25006": "read-only",
    "55P03": "locked",
    "42501": "broken",
}
_SERVER_CLASSES = ("08", "53", "57", "58")
"""Classes of PostgreSQL's codes that speak of the server: its connections, resources, stops and files."""


@dataclass(frozen=True, slots=True)
class DatabaseFailure:
    """Why nothing can be stored, and what a person can do about it; printed, it is both."""

    found: str
    mend: str
    passes: bool = True
    """Whether a running service goes on by itself once the cause is gone."""

    def __str__(self) -> str:
        return f"{self.found} {self.mend}"


def describe_database(settings: Settings) -> str:
    """Where the database is, in words and without password."""
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database}"
    return f"PostgreSQL database {url.database} on {url.host or url.query.get('host') or 'this machine'}"


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the database, None where it is no file."""
    url = make_url(settings.database_url.get_secret_value())
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def database_failure(error: BaseException, settings: Settings) -> DatabaseFailure | None:
    """What ails the database, where this error says that it is the database; None for any other."""
    cause = _cause(error) if isinstance(error, DBAPIError) else None
    if not isinstance(error, DBAPIError) or cause is None:
        return None
    # A file that cannot grow, or whose folder takes nothing, is told as one that cannot be opened now and then.
    seen = inspect_database(settings) if cause == "broken" else None
    return seen or _words(cause, settings, str(error.orig).strip())


def database_failure_or_lack(error: DBAPIError, settings: Settings) -> DatabaseFailure | None:
    """The same for a person who waits: a database that lacks what it should hold is at fault as well."""
    found = database_failure(error, settings)
    return found or (_words("broken", settings, str(error.orig).strip()) if is_unusable(error) else None)


def inspect_database(settings: Settings) -> DatabaseFailure | None:
    """What can be seen to be wrong without writing anything."""
    path = sqlite_file(settings)
    if path is None or not path.exists():
        return None
    if _free(path) < _NONE_LEFT:
        return _words("full", settings)
    writable = os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)
    return None if writable else _words("read-only", settings)


def try_database(settings: Settings, patience_s: float = 3.0) -> DatabaseFailure | None:
    """What trying shows to be wrong: the lock is taken and given back, and the folder takes a little that is not kept."""
    path = sqlite_file(settings)
    if found := inspect_database(settings):
        return found
    if path is None or not path.exists():
        return None
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent) as trial:
            trial.write(bytes(_TRIAL_BYTES))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return _words("full", settings, error.strerror or "")
    refused = writing_refused(path, patience_s)
    return None if refused is None else database_failure(refused, settings)


def is_damaged(error: DBAPIError) -> bool:
    """Whether it says that the file itself is spoilt."""
    return _cause(error) == "damaged"


def inside(engine: Engine, settings: Settings) -> DatabaseFailure | None:
    """What is wrong inside the file of a SQLite database; reads all of it once."""
    with reading(engine) as connection:
        found = damage(connection)
    return _words("damaged", settings, found) if found else None


def database_trouble(settings: Settings, troubles: OutageRegister) -> str:
    """What this process found to be wrong and what can be seen to be, in words; '' where all is well."""
    return troubles.now(DATABASE) or _service_words(inspect_database(settings))


def note_database_error(
    settings: Settings, troubles: OutageRegister, error: BaseException, now: datetime
) -> bool:
    """Tell once that the database is at fault, if it is; whether it is."""
    words = _service_words(database_failure(error, settings))
    if words:
        troubles.failed(DATABASE, words, now)
    return bool(words)


def note_database_written(settings: Settings, troubles: OutageRegister, now: datetime) -> None:
    """Something small was stored: believe that all is well again once more than that can be."""
    troubled = troubles.now(DATABASE)
    words = _service_words(try_database(settings) if troubled else inspect_database(settings))
    if words:
        troubles.failed(DATABASE, words, now)
    else:
        troubles.worked(DATABASE)


def _service_words(found: DatabaseFailure | None) -> str:
    if found is None:
        return ""
    return f"{found} {_GOES_ON}" if found.passes else str(found)


def low_disk_words(settings: Settings) -> str:
    """That the disk of the database is nearly full, in words; '' where there is room, or where that is not known."""
    path = sqlite_file(settings)
    if path is None or not path.exists() or _free(path) >= LOW_DISK_BYTES:
        return ""
    return (
        f"Only {size_words(_free(path))} are free in {path.absolute().parent}, where the {describe_database(settings)} lies. Once "
        "that disk is full nothing more is stored, seen or told. Make room there, or move the database "
        "(SITEWATCH_DATABASE_URL)."
    )


def size_words(number: int) -> str:
    """So many bytes as people say them."""
    for unit, each in (("GiB", 1024**3), ("MiB", 1024**2)):
        if number >= each:
            return f"{number / each:.1f} {unit}"
    return f"{number // 1024} KiB"


def _free(path: Path) -> int:
    folder = path.absolute().parent
    return shutil.disk_usage(folder).free if folder.exists() else 0


def _cause(error: DBAPIError) -> FailureCause | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code == MOVED:
        return "moved"
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # A server that cannot be reached gives no code.
        return "broken" if isinstance(error, OperationalError) else None
    return _POSTGRESQL.get(state) or ("broken" if state[:2] in _SERVER_CLASSES else None)


def _words(cause: FailureCause, settings: Settings, said: str = "") -> DatabaseFailure:
    database, path = describe_database(settings), sqlite_file(settings)
    if cause == "full":
        return _full(database, path)
    if cause == "locked":
        return _locked(database, settings)
    if cause == "read-only":
        where = "" if path is None else f", its folder {path.absolute().parent} or their disk"
        return DatabaseFailure(
            f"The {database}{where} is read-only for the user who runs sitewatch, so nothing can be stored.",
            "Give that user the right to write there.",
        )
    if path is not None and cause == "damaged":
        return DatabaseFailure(
            f"The {database} is damaged, or is no database: {said}.",
            "End what has it open, and bring the last backup back with “sitewatch restore BACKUP”: it keeps the damaged "
            "file beside it. Was a file named …-wal deleted, or only one of the two copied?",
            passes=False,
        )
    if cause == "moved":
        return DatabaseFailure(
            f"The {database} is not what this sitewatch opened: {said}. Nothing is read or stored any more, since it "
            "would be lost.",
            "Put the file back where it was, or start sitewatch again, which then takes what lies there; “sitewatch "
            "restore BACKUP” brings a backup back.",
            passes=False,
        )
    check = (
        "that the server runs and that sitewatch may read and write there"
        if path is None
        else "the file, its folder and its disk"
    )
    return DatabaseFailure(
        f"The {database} does not work: {mask_secrets(said, settings.secrets)}.",
        f"Check SITEWATCH_DATABASE_URL, and {check}.",
    )


def _locked(database: str, settings: Settings) -> DatabaseFailure:
    holder = _holder(settings)
    if holder is None:
        return DatabaseFailure(
            f"The {database} is locked: another program holds it, so nothing can be stored.",
            "End what holds it: a backup, a database browser.",
        )
    return DatabaseFailure(
        f"The {database} is locked: {holder}, so nothing else can be stored.",
        "Wait until that is done; if it never is, end that process.",
    )


def _holder(settings: Settings) -> Holder | None:
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        return holder_of(engine)
    except DBAPIError:
        # A server that is not reached does not tell who holds it.
        return None
    finally:
        engine.dispose()


def _full(database: str, path: Path | None) -> DatabaseFailure:
    if path is None:
        return DatabaseFailure(
            f"The disk of the server of the {database} is full, so nothing can be stored.", "Make room there."
        )
    free, folder = _free(path), path.absolute().parent
    quota = ", so a quota may be used up" if free >= _NONE_LEFT else ""
    return DatabaseFailure(
        f"The disk is full: {size_words(free)} are free in {folder}{quota}, where the {database} lies, and nothing can be stored.",
        "Make room there, or move the database (SITEWATCH_DATABASE_URL).",
    )
