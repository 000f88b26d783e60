"""Keeping the requests to one provider apart: each books the next free moment and waits for it, whoever asks for what.

The booking stands in the database, so that it holds between jobs, commands and a service that was just restarted.
"""

from collections.abc import Callable
from datetime import datetime

import httpx

from db.engine import Engine, writing
from db.leases import book
from monitor.feeds import Provider
from monitor.feeds.options import spacing_of


class Pace:
    """Lets requests to one host through `spacing_s` apart."""

    def __init__(
        self,
        engine: Engine,
        host: str,
        spacing_s: float,
        clock: Callable[[], datetime],
        wait: Callable[[float], None],
    ) -> None:
        self._engine, self._name, self._spacing_s = engine, f"pace:{host}", spacing_s
        self._clock, self._wait = clock, wait

    def keep(self) -> float:
        """Wait for one's turn to send a request; give the seconds that were waited."""
        now = self._clock()
        with writing(self._engine) as connection:
            at = book(connection, self._name, now, self._spacing_s)
        # Storing the booking took time as well.
        wait_s = max(0.0, (at - self._clock()).total_seconds())
        if wait_s:
            self._wait(wait_s)
        return (self._clock() - now).total_seconds()


def pace_of(
    provider: Provider, engine: Engine, clock: Callable[[], datetime], wait: Callable[[float], None]
) -> Callable[[], float]:
    """How long each request to this provider waits; providers at one host share its limit."""
    spacing_s = spacing_of(provider)
    if not spacing_s:
        return no_pace
    return Pace(engine, httpx.URL(provider.base_url).host, spacing_s, clock, wait).keep


def no_pace() -> float:
    """Wait for nothing."""
    return 0.0
