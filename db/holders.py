"""Who holds the database: each writer leaves its name where one that waits in vain can read it.

Beside a SQLite file stands another, `…-writer`, with the name of whoever writes just now; its time of change is when that
began. PostgreSQL keeps the same by itself, as the name of an application and the begin of its transaction. The same
file, or a lock of the server's, makes sure that there is one importer at a time, and goes with its process.
"""

import fcntl
import json
import math
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

_PROGRAM = "sitewatch"
_NAME_BYTES = 63
"""What PostgreSQL keeps of the name of an application."""
_NAME_CHARACTERS = 120
_NOTE_BYTES = 1_000
_LOOK_AGAIN_S = 0.003
_doing: ContextVar[str] = ContextVar("doing", default=_PROGRAM)

WaitHandler = Callable[[], None]
"""Called once where another importer has to be waited for."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a database, in words: what it does, in which process of which machine, since when it writes."""

    name: str
    process: int
    machine: str
    since: datetime

    def __str__(self) -> str:
        where = f" on {self.machine}" if self.machine else ""
        return f"“{self.name}” (process {self.process}{where}) has been writing since {self.since:%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def known_as(name: str) -> Iterator[None]:
    """What is written from here on is written by this command or job, as far as others are told."""
    before = _doing.set(name)
    try:
        yield
    finally:
        _doing.reset(before)


def own_name() -> str:
    """What this command or job is called."""
    return _doing.get()


def application_name() -> str:
    """The same with the process, as PostgreSQL tells it to others."""
    tail = f" {os.getpid()}"
    name = own_name().encode()[: _NAME_BYTES - len(tail)].decode(errors="ignore")
    return f"{name}{tail}"


@contextmanager
def signed(path: Path) -> Iterator[None]:
    """Leave the own name beside a SQLite file, whose writer one is now, and take it back."""
    own = own_name()[:_NAME_CHARACTERS]
    _write(path, {"name": own, "process": os.getpid(), "machine": socket.gethostname()})
    try:
        yield
    finally:
        # The next writer may have been faster.
        note = _read(path)
        if note.get("process") == os.getpid() and note.get("name") == own:
            _write(path, {})


def file_holder(path: Path) -> Holder | None:
    """Who writes to a SQLite file just now; None where it is no sitewatch, or its name cannot be read."""
    note, ours = _read(path), socket.gethostname()
    with suppress(OSError, KeyError, TypeError, ValueError):
        since = datetime.fromtimestamp(_beside(path).stat().st_mtime, UTC)
        found = Holder(str(note["name"]), int(note["process"]), str(note["machine"]), since)
        if found.machine != ours or _lives(found.process):
            return found
    return None


@contextmanager
def file_lock(path: Path, waiting: WaitHandler) -> Iterator[None]:
    """Hold what one importer at a time may hold; the system takes it back when this process ends. Raises OSError."""
    descriptor = os.open(_beside(path), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writers_turn(path: Path, patience_s: float) -> Iterator[bool]:
    """Stand first in the queue of writers of a SQLite file; False where so many seconds were not enough.

    SQLite has no queue: who waits looks again every tenth of a second, and one that writes without pause takes the lock in
    between every time. Here it has to stand behind whoever waits. Held until the lock is had, not while it is held.
    """
    try:
        descriptor = os.open(path.with_name(f"{path.name}-queue"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        # Where nothing may be made beside it, the database itself says so in better words.
        yield True
        return
    try:
        yield _is_locked_within(descriptor, patience_s)
    finally:
        os.close(descriptor)


def _is_locked_within(descriptor: int, patience_s: float) -> bool:
    pause = Event()
    for _ in range(math.ceil(patience_s / _LOOK_AGAIN_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(_LOOK_AGAIN_S)
        else:
            return True
    return False


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-writer")


def _write(path: Path, note: dict[str, Any]) -> None:
    # Where nothing may be written, the database itself says so in better words.
    with suppress(OSError):
        descriptor = os.open(_beside(path), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, json.dumps(note).encode()[:_NOTE_BYTES].ljust(_NOTE_BYTES), 0)
        finally:
            os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(_beside(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
