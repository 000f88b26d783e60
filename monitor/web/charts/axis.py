"""The time axis of a chart: places in per cent, and four to seven round dates. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LEFT, RIGHT = 1.5, 98.5
_MOST_TICKS = 7
_YEAR, _MONTH = 365.25, 30.44
_YEARLY_FROM_DAYS, _MONTHLY_FROM_DAYS = 3 * _YEAR, 90


@dataclass(frozen=True, slots=True)
class Tick:
    """A year, month or day on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a chart shows."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Where a moment stands, in per cent."""
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (RIGHT - LEFT), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Put round dates on the axis."""
        days = (self.end - self.start) / timedelta(days=1)
        if days > _YEARLY_FROM_DAYS:
            return tuple(self._yearly(_step(days / _YEAR, (1, 2, 5, 10))))
        if days > _MONTHLY_FROM_DAYS:
            return tuple(self._monthly(_step(days / _MONTH, (1, 2, 3, 6))))
        return tuple(self._daily(_step(days, (1, 2, 7, 14))))

    def _yearly(self, step: int) -> Iterator[Tick]:
        for year in range(self.start.year + 1, self.end.year + 1, step):
            yield Tick(self.x(datetime(year, 1, 1, tzinfo=UTC)), str(year))

    def _monthly(self, step: int) -> Iterator[Tick]:
        first = self.start.year * 12 + self.start.month
        last = self.end.year * 12 + self.end.month - 1
        for month in range(first, last + 1):
            if month % step == 0:
                at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
                yield Tick(self.x(at), f"{at:%b %Y}" if month % 12 == 0 else f"{at:%b}")

    def _daily(self, step: int) -> Iterator[Tick]:
        at = self.start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        while at <= self.end:
            yield Tick(self.x(at), f"{at.day} {at:%b}")
            at += timedelta(days=step)


def _step(units: float, steps: tuple[int, ...]) -> int:
    return next((step for step in steps if units / step <= _MOST_TICKS), steps[-1])
