"""How long each transaction holds the writer's lock, measured from outside in any process of sitewatch.

Run as a program it is `sitewatch` itself: python -m benchmarks.writers_clock LOG COMMAND … appends a line for each
transaction to LOG. The lock is held from the end of BEGIN IMMEDIATE until the connection comes back after the commit.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from db.holders import own_name
from monitor.cli import main

_OURS = ("/monitor/", "/alerts/")


@dataclass(frozen=True)
class Held:
    """One transaction: whose it was, where it was begun, how long it waited for the lock and held it.

    `worked_s` is the processor time of its thread while it held the lock: what it would take on a machine of its own.
    """

    writer: str
    place: str
    waited_s: float
    held_s: float
    worked_s: float


class Clock:
    """Times every writing transaction of this process from now on."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("a", buffering=1, encoding="utf-8")
        self._heard = (
            (Engine, "before_cursor_execute", self._asked),
            (Engine, "after_cursor_execute", self._had),
            (Pool, "checkin", self._gave),
        )
        for each in self._heard:
            event.listen(*each)

    def close(self) -> None:
        """Stop."""
        for each in self._heard:
            event.remove(*each)
        self._log.close()

    def _asked(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            connection.info["asked"] = time.perf_counter()

    def _had(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            connection.info["had"] = time.perf_counter(), time.thread_time()
            connection.info["whose"] = _whose()

    def _gave(self, _raw: Any, record: Any) -> None:
        had = record.info.pop("had", None)
        if had is not None:
            asked, (writer, place) = record.info.pop("asked"), record.info.pop("whose")
            held_s, worked_s = time.perf_counter() - had[0], time.thread_time() - had[1]
            held = Held(writer, place, had[0] - asked, held_s, worked_s)
            self._log.write(json.dumps(asdict(held)) + "\n")


def read(log: Path) -> Iterator[Held]:
    """What was measured."""
    for line in log.read_text(encoding="utf-8").splitlines():
        yield Held(**json.loads(line))


def _whose() -> tuple[str, str]:
    frame = sys._getframe()  # noqa: SLF001 - who asked is known to the stack alone
    while frame.f_back is not None and not any(each in frame.f_code.co_filename for each in _OURS):
        frame = frame.f_back
    name = Path(frame.f_code.co_filename).stem
    return own_name(), f"{name}.{frame.f_code.co_qualname.removeprefix('_')}"


if __name__ == "__main__":
    Clock(Path(sys.argv[1]))
    main(sys.argv[2:])
