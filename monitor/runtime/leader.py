"""Which of several services on one database schedules: it holds the lease; the others wait and say for whom."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from db.engine import Engine, reading, writing
from db.leases import Lease, holder, release, renew, take
from monitor.ops.metrics import LEADING

log = structlog.get_logger()


class Follower(Protocol):
    """What has to know who leads."""

    def lead(self) -> None:
        """Start scheduling."""
        ...

    def stand_by(self) -> None:
        """Stop scheduling; what is in hand may end (a repeated step changes nothing)."""
        ...


class Leader:
    """One service's part in the election; `beat` is called about three times in a lease's life."""

    def __init__(
        self, engine: Engine, owner: str, ttl_s: float, follower: Follower, say: Callable[[str], None]
    ) -> None:
        self._engine, self.owner, self._ttl_s = engine, owner, ttl_s
        self._follower, self._say = follower, say
        self._held: Lease | None = None
        self._waits_for: str | None = None
        self._seen: tuple[Lease, datetime] | None = None
        """What the holder's lease looked like, and since when it has not changed."""

    @property
    def leads(self) -> bool:
        """Whether this service holds the lease, as far as it knows."""
        return self._held is not None

    def beat(self, now: datetime) -> None:
        """Take or renew the lease, and tell the follower when that changes something."""
        if self._held is not None:
            self._renew(self._held, now)
        else:
            self._try(now)
        LEADING.set(self.leads)

    def _try(self, now: datetime) -> None:
        with writing(self._engine) as connection:
            self._held = take(connection, self.owner, now, self._ttl_s, dead=self._dead(now))
        if self._held is not None:
            self._seen = None
            log.info("leading", owner=self.owner, token=self._held.token)
            if self._waits_for:
                self._say(f"Taking over from {self._waits_for}.")
            self._waits_for = None
            self._follower.lead()
            return
        self._wait(now)

    def _dead(self, now: datetime) -> Lease | None:
        """The holder's lease where a whole lease's life went by without a beat: its clock may have been ahead."""
        if self._seen is None:
            return None
        lease, since = self._seen
        return lease if now - since >= timedelta(seconds=self._ttl_s) else None

    def _wait(self, now: datetime) -> None:
        with reading(self._engine) as connection:
            other = holder(connection)
        if other is not None and (self._seen is None or self._seen[0] != other or self._seen[1] > now):
            self._seen = other, now
        if other is not None and other.owner != self._waits_for:
            self._waits_for = other.owner
            log.info("waiting", leader=other.owner)
            self._say(
                f"Waiting: another sitewatch already watches with this database ({other.owner}). This one takes "
                f"over within {self._ttl_s:g} s after that one stops."
            )

    def _renew(self, held: Lease, now: datetime) -> None:
        with writing(self._engine) as connection:
            self._held = renew(connection, held, now, self._ttl_s)
        if self._held is None:
            log.warning("lease lost", owner=self.owner, token=held.token)
            self._say(
                "Another sitewatch took over while this one could not renew its lease; this one now waits."
            )
            self._follower.stand_by()

    def let_go(self, now: datetime) -> None:
        """Free the lease, so that a waiting service need not wait for its expiry."""
        if self._held is not None:
            with writing(self._engine) as connection:
                release(connection, self._held, now)
            self._held = None
            LEADING.set(0)
