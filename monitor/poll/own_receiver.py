"""One's own receiver held against its settings, with what it heard in the last day, as its raw answers keep it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db.engine import Engine, reading
from db.payloads import answers_of_hours
from db.records import Fix
from monitor.feeds.circles import circle_around
from monitor.feeds.receiver import Receiver, heard_in, misplaced, out_of_hearing
from monitor.poll.answers import NEARBY_NM
from monitor.sites import Site

_EVIDENCE_OVER = timedelta(days=1)
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class ReceiverDoubt:
    """What speaks against the settings of a receiver: its place, or that it hears as far as these sites (with why not)."""

    place: str = ""
    unheard: dict[str, str] = field(default_factory=dict)


def receiver_doubt(
    engine: Engine, receiver: Receiver, sites: Sequence[Site], now: datetime, interval_s: int
) -> ReceiverDoubt:
    """Hold the settings against the answer that has just come and those of the last day."""
    earlier = _Earlier(engine, receiver.provider, now, max(1, _HOUR_S // interval_s))
    if place := misplaced(receiver, earlier):
        return ReceiverDoubt(place)
    circles = {site.id: circle_around(site) for site in sites}
    far = {
        name: circle
        for name, circle in circles.items()
        # What stands in the way of the horizon is not known; this near it is heard of too often to be reckoned.
        if receiver.reach.distance_nm(circle.lat, circle.lon) > NEARBY_NM
    }
    return ReceiverDoubt(unheard=out_of_hearing(receiver, earlier, far))


class _Earlier:
    """The answers of the last day, one an hour, newest first; read when they are asked for."""

    def __init__(self, engine: Engine, provider: str, now: datetime, slots_an_hour: int) -> None:
        self._engine, self._provider, self._now = engine, provider, now
        self._slots_an_hour = slots_an_hour
        self._read: list[tuple[Fix, ...]] | None = None

    def __iter__(self) -> Iterator[tuple[Fix, ...]]:
        if self._read is None:
            with reading(self._engine) as connection:
                bodies = answers_of_hours(
                    connection,
                    self._provider,
                    self._now - _EVIDENCE_OVER,
                    slots_an_hour=self._slots_an_hour,
                )
                self._read = [heard_in(body, self._provider) for body in bodies]
        return iter(self._read)
