"""The timers and arrivals of a scenario: what is due next, without a clock."""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.replay.scenario import RecordedResponse, ScenarioProvider


def slot_of(at: datetime, interval_s: int) -> int:
    """The number of the polling slot that an instant lies in, as the poller counts them."""
    return int(at.timestamp() // interval_s)


@dataclass(frozen=True, slots=True)
class PollTimer:
    """When one provider is due: once a slot in its active windows, at the recorded moment where there is one."""

    provider: str
    interval_s: int
    windows: Sequence[tuple[datetime, datetime]]
    recorded: Mapping[int, datetime]

    def next_after(self, at: datetime) -> datetime | None:
        """The first due moment later than `at`."""
        for start, end in self.windows:
            if end <= at:
                continue
            for due in self._dues(max(start, at), end):
                if due > at and due >= start:
                    return due
        return None

    def is_due(self, at: datetime) -> bool:
        """Whether this very moment is one of its due moments."""
        return self.next_after(at - timedelta(microseconds=1)) == at

    def _dues(self, start: datetime, end: datetime) -> Iterator[datetime]:
        slot = slot_of(start, self.interval_s)
        while True:
            begins = datetime.fromtimestamp(slot * self.interval_s, UTC)
            if begins >= end:
                return
            yield max(begins, self.recorded.get(slot, begins))
            slot += 1


def poll_timer(
    name: str,
    provider: ScenarioProvider,
    interval_s: int,
    whole: tuple[datetime, datetime],
    recorded: Iterable[RecordedResponse],
) -> PollTimer:
    """The timer of one provider; without active windows it runs over the whole scenario."""
    first: dict[int, datetime] = {}
    for each in recorded:
        if each.provider == name:
            first.setdefault(slot_of(each.at, interval_s), each.at)
    return PollTimer(name, interval_s, sorted(provider.active) or [whole], first)


@dataclass(frozen=True, slots=True)
class Wakes:
    """Moments at which something is due, in order."""

    moments: Sequence[datetime]

    def next_after(self, at: datetime) -> datetime | None:
        """The first moment later than `at`."""
        index = bisect.bisect_right(self.moments, at)
        return self.moments[index] if index < len(self.moments) else None


def lapse_moments(last_looks: Iterable[datetime], after_days: float) -> Wakes:
    """When alerts lapse that no further look touches."""
    return Wakes(sorted(each + timedelta(days=after_days) for each in last_looks))
