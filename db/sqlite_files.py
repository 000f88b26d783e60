"""The file of a SQLite database: made on purpose only, known again while it is open, and checked."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

MOVED = sqlite3.SQLITE_READONLY_DBMOVED
"""SQLite's own code for a file that was moved or deleted since it was opened; it looks itself in some cases only."""
_SIDES = ("-wal", "-shm")
"""Files that stand beside the database as long as anybody has it open, and not longer."""

FileIdentity = tuple[int, int]


def file_of(url: URL) -> Path | None:
    """The file of a database; None where it has none, or where its URL gives SQLite's own parameters."""
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def make(path: Path) -> None:
    """Make an empty file, and its folder, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def address(path: Path) -> str:
    """How SQLite opens a file without making it."""
    return f"file:{quote(str(path))}?mode=rw"


class FileWatch:
    """Notices that the file of an engine, or one beside it, is not the one that was opened.

    A program goes on writing into a file that was deleted, and loses all of it; a log that was deleted is begun anew
    by the next connection while the others use theirs, which spoils the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Path, FileIdentity] = {}
        self._open = 0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise OperationalError, with the code `MOVED`, where a file is gone or another one."""
        with self._lock:
            known = list(self._known.items())
        for path, identity in known:
            now = _identity(path)
            if now != identity:
                raise _moved(f"{path} was {'deleted' if now is None else 'replaced by another file'}")

    def opened(self) -> None:
        """A connection was opened."""
        with self._lock:
            self._open += 1
            self._learn()

    def closed(self) -> None:
        """A connection is about to be closed; the files beside the database may go with the last one."""
        with self._lock:
            self._open -= 1
            if self._open == 0:
                for path in self._sides():
                    self._known.pop(path, None)

    def used(self) -> None:
        """A transaction began: the files beside the database are there now."""
        with self._lock:
            self._learn()

    def _learn(self) -> None:
        for path in (self._path, *self._sides()):
            if path not in self._known and (identity := _identity(path)) is not None:
                self._known[path] = identity

    def _sides(self) -> Iterator[Path]:
        return (self._path.with_name(self._path.name + side) for side in _SIDES)


def _identity(path: Path) -> FileIdentity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _moved(said: str) -> OperationalError:
    error = sqlite3.OperationalError(said)
    error.sqlite_errorcode = MOVED
    return OperationalError("BEGIN", None, error)
