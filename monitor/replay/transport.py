"""Recorded responses in place of the network: the only thing that a replay replaces."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import httpx

from monitor.replay.scenario import RecordedResponse


class RecordedTransport(httpx.BaseTransport):
    """Answers each request with the next recorded line of its provider and purpose in the running slot.

    A request without such a line fails like a connection that nobody accepts.
    """

    def __init__(
        self,
        recorded: Iterable[RecordedResponse],
        slot_of: Callable[[str, datetime], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._slot_of = slot_of
        self._clock = clock
        self._queues: dict[tuple[str, str], deque[RecordedResponse]] = {}
        for each in recorded:
            self._queues.setdefault((each.provider, each.purpose), deque()).append(each)
        self.unused: list[RecordedResponse] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request from the recording."""
        tag: Mapping[str, str] = request.extensions["sitewatch"]
        found = self._next(tag["provider"], tag["purpose"])
        if found is None or found.status is None:
            raise httpx.ConnectError("nothing was recorded for this request", request=request)
        return httpx.Response(found.status, headers=dict(found.headers), content=found.body, request=request)

    def _next(self, provider: str, purpose: str) -> RecordedResponse | None:
        queue = self._queues.get((provider, purpose), deque())
        slot = self._slot_of(provider, self._clock())
        while queue and self._slot_of(provider, queue[0].at) < slot:
            self.unused.append(queue.popleft())
        if queue and self._slot_of(provider, queue[0].at) == slot:
            return queue.popleft()
        return None
