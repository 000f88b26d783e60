"""Connections to the page have a budget of their own, so that whoever fills it takes nothing from the watch.

A connection that has said nothing yet costs a file handle and no request: it is given a few seconds, and where the
room is full the one that has waited longest goes first.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0
"""The whole head of a request, not each byte of it: a browser sends it at once."""
MOST_CONNECTIONS = 512
FOR_THE_WATCH = 192
"""File handles kept for feeds, database, channels and pictures; the watch was seen to use up to 60."""
BACKLOG = 32
"""Connections that the event loop takes at once, before one of them can be turned away."""
_LEAST = 8


def room() -> int:
    """How many connections the page may hold, by what this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = soft if soft != resource.RLIM_INFINITY else hard
    if allowed == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(_LEAST, min(MOST_CONNECTIONS, allowed - FOR_THE_WATCH - 3 * BACKLOG))


class Door:
    """Who is connected, and who has not yet asked anything."""

    def __init__(self, most: int, tell: Callable[[str], None], patience_s: float = HEADERS_WITHIN_S) -> None:
        self.patience_s = patience_s
        self._most, self._tell = most, tell
        self._all: set[Guest] = set()
        # In the order in which they came.
        self._silent: dict[Guest, None] = {}
        self._crowded = False

    def enter(self, guest: "Guest") -> None:
        """Take a connection in; where there is no room, one that has asked nothing goes, at last this one."""
        self._all.add(guest)
        self._silent[guest] = None
        if len(self._all) <= self._most:
            return
        if not self._crowded:
            self._tell(
                f"More than {self._most} connections to the page were open at once, which is all that it takes. Those that "
                "ask nothing are closed, and the watch goes on. A proxy before the page can limit who connects so often."
            )
        self._crowded = True
        next(iter(self._silent)).give_up()

    def heard(self, guest: "Guest") -> None:
        """A connection has asked something."""
        self._silent.pop(guest, None)

    def waits(self, guest: "Guest") -> None:
        """A connection has begun to ask once more."""
        self._silent.setdefault(guest)

    def leave(self, guest: "Guest") -> None:
        """A connection is closed."""
        self._all.discard(guest)
        self._silent.pop(guest, None)
        self._crowded = self._crowded and len(self._all) > self._most // 2


class Guest(H11Protocol):
    """One connection, which must say in time what it wants."""

    def __init__(self, door: Door, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._door = door
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(self._door.patience_s, self.give_up)
        self._door.enter(self)

    def data_received(self, data: bytes) -> None:
        """Take what came; once it is a whole head the connection is patient with us, and we with it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
            self._door.heard(self)
        elif self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(self._door.patience_s, self.give_up)
            self._door.waits(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._rest()
        self._door.leave(self)
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Close at once: whatever is still owed to such a connection, it has not asked for."""
        self._rest()
        self._door.leave(self)
        self.transport.abort()

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class LoopFaults:
    """Tells what goes wrong in the event loop once, and not with every connection that meets it."""

    def __init__(self, tell: Callable[[str, BaseException | None], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take a fault as asyncio reports it."""
        error = context.get("exception")
        words = str(context.get("message", "the event loop reports a fault"))
        key = f"{words} {type(error).__name__} {getattr(error, 'errno', '')}"
        if key not in self._told:
            self._told.add(key)
            self._tell(words, error)
