"""One's own receiver held against its settings, with what it heard in the last day, as each hour keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from db.engine import Engine, reading, writing
from db.hearing import hearing_since, note_hearing
from db.records import HeardAt
from monitor.feeds.circles import circle_around
from monitor.feeds.receiver import Receiver, misplaced, out_of_hearing, to_keep
from monitor.poll.answers import NEARBY_NM
from monitor.sites import Site

_EVIDENCE_OVER = timedelta(days=1)
_GONE_AFTER = timedelta(hours=3)
"""Whoever flew within hearing has gone by then."""


@dataclass(frozen=True, slots=True)
class ReceiverDoubt:
    """What speaks against the settings of a receiver: its place, or that it hears as far as these sites (with why not)."""

    place: str = ""
    unheard: dict[str, str] = field(default_factory=dict)


def receiver_doubt(engine: Engine, receiver: Receiver, sites: Sequence[Site], now: datetime) -> ReceiverDoubt:
    """Hold the settings against the answer that has just come and those of the last day."""
    earlier = _Earlier(engine, receiver.provider, now)
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

    def __init__(self, engine: Engine, provider: str, now: datetime) -> None:
        self._engine, self._provider, self._now = engine, provider, now

    def answers(self) -> list[tuple[HeardAt, ...]]:
        return [heard for _, heard in self._hours]

    def apart(self) -> list[tuple[HeardAt, ...]]:
        found, next_at = [], self._now - _GONE_AFTER
        for hour, heard in self._hours:
            if hour <= next_at:
                found.append(heard)
                next_at = hour - _GONE_AFTER
        return found

    @cached_property
    def _hours(self) -> list[tuple[datetime, tuple[HeardAt, ...]]]:
        with reading(self._engine) as connection:
            return hearing_since(connection, self._provider, self._now - _EVIDENCE_OVER)


def remember_hearing(engine: Engine, receiver: Receiver, now: datetime) -> None:
    """Keep where somebody was heard, once an hour."""
    if not receiver.heard:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    with reading(engine) as connection:
        if hearing_since(connection, receiver.provider, hour):
            return
    kept = to_keep(receiver.reach, receiver.heard)
    with writing(engine) as connection:
        note_hearing(connection, receiver.provider, hour, kept, oldest=hour - _EVIDENCE_OVER)
