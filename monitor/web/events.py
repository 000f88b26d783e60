"""Telling open pages that something changed: one task looks at the database every few seconds, for all of them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress

import anyio.to_thread
import structlog

from db.engine import Engine, SQLAlchemyError
from db.page_marks import Marks, read_marks

LOOK_EVERY_S = 3.0
KEEP_ALIVE_S = 15.0
MOST_LISTENERS = 200
LAST_READ_S = 3.0
"""How long the end waits for a look at the database that is under way."""

log = structlog.get_logger()


class Pulse:
    """Looks for changes while anybody listens, and wakes the listeners with what changed."""

    def __init__(
        self,
        engine: Engine,
        look_every_s: float = LOOK_EVERY_S,
        keep_alive_s: float = KEEP_ALIVE_S,
        most: int = MOST_LISTENERS,
    ) -> None:
        self._engine, self._look_every_s = engine, look_every_s
        self._keep_alive_s, self._most = keep_alive_s, most
        self._listeners: set[asyncio.Queue[list[str] | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[Marks | None] | None = None
        self._looks = asyncio.Condition()
        self._closed = False
        self._blind = False

    @property
    def full(self) -> bool:
        """Whether as many listen as may."""
        return len(self._listeners) >= self._most

    @property
    def looking(self) -> bool:
        """Whether the database is being looked at."""
        return self._task is not None

    async def looked(self) -> None:
        """Wait until the database was looked at once more."""
        async with self._looks:
            await self._looks.wait()

    async def listen(self) -> AsyncGenerator[str, None]:
        """Give server-sent events: what changed, and now and then a comment that keeps the connection open."""
        queue: asyncio.Queue[list[str] | None] = asyncio.Queue()
        self._listeners.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        try:
            # The browser waits this long before it comes again.
            yield "retry: 5000\n\n"
            while not self._closed:
                changed = await _next(queue, self._keep_alive_s)
                if changed is None:
                    yield ": still here\n\n"
                else:
                    yield f"event: changed\ndata: {json.dumps(changed)}\n\n"
        finally:
            self._listeners.discard(queue)
            if not self._listeners:
                await self._rest()

    async def close(self) -> None:
        """End every stream, so that the server can stop, and let go of the database."""
        self._closed = True
        for queue in self._listeners:
            queue.put_nowait(None)
        await self._rest()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=LAST_READ_S)

    async def _rest(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        before: Marks | None = None
        while True:
            # A thread cannot be cancelled: whoever stops waiting for it must still know of it.
            self._reading = asyncio.create_task(anyio.to_thread.run_sync(self._read))
            after = await asyncio.shield(self._reading)
            if before is not None and after is not None and after != before:
                changed = sorted(name for name in after if after[name] != before.get(name))
                for queue in self._listeners:
                    queue.put_nowait(changed)
            before = after or before
            async with self._looks:
                self._looks.notify_all()
            await asyncio.sleep(self._look_every_s)

    def _read(self) -> Marks | None:
        try:
            marks = read_marks(self._engine)
        except SQLAlchemyError as error:
            if not self._blind:
                log.warning("cannot look for changes", error=type(error).__name__)
            self._blind = True
            return None
        self._blind = False
        return marks


async def _next(queue: asyncio.Queue[list[str] | None], patience_s: float) -> list[str] | None:
    with suppress(TimeoutError):
        return await asyncio.wait_for(queue.get(), patience_s)
    return None
