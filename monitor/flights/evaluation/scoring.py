"""How well visits fit a truth: events matched one to one within a tolerance, and intervals for the shares found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MATCH_TOLERANCE = timedelta(minutes=2)
_Z95 = 1.959964

FlightEventKind = Literal["arrival", "departure"]


@dataclass(frozen=True, slots=True, order=True)
class FlightEvent:
    """One aircraft that landed or took off at a place."""

    at: datetime
    kind: FlightEventKind
    icao24: str
    site_id: str


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many; None where there were none to count."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval (Wilson's score), which holds near 0 and 1 and for few cases too."""
        if not self.of:
            return 0.0, 1.0
        share, weight = self.hits / self.of, _Z95**2 / self.of
        middle = share + weight / 2
        half = _Z95 * math.sqrt((share * (1 - share) + weight / 4) / self.of)
        return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))

    def __str__(self) -> str:
        low, high = self.interval
        value = "–" if self.value is None else f"{self.value:.3f} ({low:.2f}–{high:.2f})"
        return f"{self.hits}/{self.of} = {value}"


@dataclass(frozen=True, slots=True)
class Score:
    """What was found of a truth, what was missed, and what was found beside it."""

    matched: tuple[tuple[FlightEvent, FlightEvent], ...]
    """Pairs of the true event and the one found."""
    missed: tuple[FlightEvent, ...]
    false: tuple[FlightEvent, ...]

    @property
    def recall(self) -> Share:
        """The share of the true events that were found."""
        return Share(len(self.matched), len(self.matched) + len(self.missed))

    @property
    def precision(self) -> Share:
        """The share of the events found that are true."""
        return Share(len(self.matched), len(self.matched) + len(self.false))


def score(
    found: Sequence[FlightEvent], truth: Sequence[FlightEvent], within: timedelta = MATCH_TOLERANCE
) -> Score:
    """Match each true event with the nearest one found of its kind, aircraft and place, each used once."""
    left = sorted(found)
    matched, missed = [], []
    for event in sorted(truth):
        near = [each for each in left if _same(each, event) and abs(each.at - event.at) <= within]
        if near:
            best = min(near, key=lambda each: abs(each.at - event.at))
            left.remove(best)
            matched.append((event, best))
        else:
            missed.append(event)
    return Score(tuple(matched), tuple(missed), tuple(left))


def _same(one: FlightEvent, other: FlightEvent) -> bool:
    # An aircraft that asked not to be named is told by place and time alone.
    nameless = not one.icao24 or not other.icao24
    return (one.kind, one.site_id) == (other.kind, other.site_id) and (nameless or one.icao24 == other.icao24)
