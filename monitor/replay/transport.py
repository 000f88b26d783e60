"""Recorded responses in place of the network: the only thing that a replay replaces."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import httpx

from monitor.replay.scenario import RecordedResponse
from monitor.replay.sky import HOST, InventedSky


class RecordedTransport(httpx.BaseTransport):
    """Answers each request with the next recorded line of its provider and purpose in the running slot.

    A request without such a line fails like a connection that nobody accepts.
    """

    def __init__(
        self,
        recorded: Iterable[RecordedResponse],
        slot_of: Callable[[str, datetime], int],
        clock: Callable[[], datetime],
        skies: Mapping[str, InventedSky] | None = None,
    ) -> None:
        self._slot_of = slot_of
        self._clock = clock
        self.skies = dict(skies or {})
        """The invented passes by the provider that lists them."""
        self._queues: dict[tuple[str, str], deque[RecordedResponse]] = {}
        for each in recorded:
            self._queues.setdefault((each.provider, each.purpose), deque()).append(each)
        self.unused: list[RecordedResponse] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request from the recording."""
        tag: Mapping[str, str] = request.extensions["sitewatch"]
        if request.url.host == HOST and (sky := self._sky(request, tag["provider"])) is not None:
            return sky.search(request, self._clock()) if tag["provider"] in self.skies else sky.file(request)
        found = self._next(tag["provider"], tag["purpose"])
        if found is None or found.status is None:
            raise httpx.ConnectError("nothing was recorded for this request", request=request)
        return httpx.Response(found.status, headers=dict(found.headers), content=found.body, request=request)

    def _sky(self, request: httpx.Request, provider: str) -> InventedSky | None:
        if provider in self.skies:
            return self.skies[provider] if request.url.path.endswith("/search") else None
        site = request.url.path.split("/")[1]
        return next((each for each in self.skies.values() if each.site.id == site), None)

    def _next(self, provider: str, purpose: str) -> RecordedResponse | None:
        queue = self._queues.get((provider, purpose), deque())
        slot = self._slot_of(provider, self._clock())
        while queue and self._slot_of(provider, queue[0].at) < slot:
            self.unused.append(queue.popleft())
        if queue and self._slot_of(provider, queue[0].at) == slot:
            return queue.popleft()
        return None
