"""What charts are made of: a time axis, marks, shaded blocks and lanes, in per cent across and pixels down. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby

from alerts.judging.forecast import Expected
from alerts.words import counted_by, hidden_by, listed, look_count, look_period, numbered, period_words, utc
from db.records import DeclaredBaseline, Observation
from db.said import chained, moment, phrase

LEFT, RIGHT = 1.5, 98.5
_MOST_TICKS = 7
_YEAR, _MONTH = 365.25, 30.44
_YEARLY_FROM_DAYS, _MONTHLY_FROM_DAYS = 3 * _YEAR, 90
BOTTOM_PX = 22
_MOST_MARKS = 300
_SILENCE_SHARE = 0.02
_ROOM_SHARE = 0.02
Scale = Callable[[float], float]
Room = tuple[float, float]
"""From which pixel down, and how many."""
LookKey = tuple[str, str, datetime, str]
"""Subject, procedure, period start and look key: what an alert names a look by."""


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
                yield Tick(
                    self.x(at),
                    moment(f"{at:%b %Y}", at, "UTC", "short_month_year")
                    if month % 12 == 0
                    else moment(f"{at:%b}", at, "UTC", "short_month"),
                )

    def _daily(self, step: int) -> Iterator[Tick]:
        at = self.start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        while at <= self.end:
            yield Tick(self.x(at), moment(f"{at.day} {at:%b}", at, "UTC", "day_month"))
            at += timedelta(days=step)


def _step(units: float, steps: tuple[int, ...]) -> int:
    return next((step for step in steps if units / step <= _MOST_TICKS), steps[-1])


@dataclass(frozen=True, slots=True)
class Mark:
    """One look: where it stands, how it is drawn and what it says when pointed at."""

    x: float
    y: float
    kind: str
    title: str
    label: str = ""
    width: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    floor: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A shaded part: a time without a count, a look that could not be used, or what a declared baseline covers."""

    x: float
    width: float
    kind: str
    title: str
    y: float = 0
    height: float = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One subject's line of sightings."""

    name: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a template draws; `floor_y` is where zero stands."""

    title: str
    description: str
    height: int
    floor_y: float
    ticks: tuple[Tick, ...]
    blocks: tuple[Block, ...] = ()
    marks: tuple[Mark, ...] = ()
    lanes: tuple[Lane, ...] = ()
    condensed: str = ""


@dataclass(frozen=True, slots=True)
class ChartInput:
    """What a chart is made from: looks (newest revisions, by time), baselines, and the looks that alerts name."""

    zone: str
    now: datetime
    looks: Sequence[Observation]
    declared: Sequence[DeclaredBaseline] = ()
    alerted: frozenset[LookKey] = field(default_factory=frozenset)
    site_names: Mapping[str, str] = field(default_factory=dict)
    expected: Sequence[Expected] = ()
    """What was expected of the newest looks, each from those before it."""


def look_key(look: Observation) -> LookKey:
    """What an alert names a look by."""
    return (look.series.subject, look.series.procedure, look.period_start, look.look_key)


def span_of(given: ChartInput) -> Span | None:
    """Choose the time to show, up to now; None where nothing was ever counted."""
    starts = [each.period_start for each in given.looks] + [each.window_start for each in given.declared]
    if not any(each.value is not None for each in given.looks) or not starts:
        return None
    start = min(starts)
    end = max([given.now, *(each.period_end for each in given.looks)])
    end = max(end, start + timedelta(days=1))
    # The first mark must not stand on the edge.
    return Span(start - (end - start) * _ROOM_SHARE, end)


def condense(looks: Sequence[Observation]) -> tuple[list[Observation], str]:
    """Keep the highest look of each stretch where there are more looks than can be told apart."""
    if len(looks) <= _MOST_MARKS:
        return list(looks), ""
    size = math.ceil(len(looks) / _MOST_MARKS)
    stretches = (looks[start : start + size] for start in range(0, len(looks), size))
    kept = [max(each, key=lambda look: look.value or 0.0) for each in stretches]
    return kept, phrase("Of every {size} looks the highest is drawn; the table has all.", size=size)


def mark_of(look: Observation, given: ChartInput, span: Span, y: Scale) -> Mark:
    """Place one look."""
    value = look.value or 0.0
    start, end = span.x(look.period_start), span.x(look.period_end)
    wide = look.precision in {"window", "month"} and end - start > 1
    bounded = look.low is not None and look.high is not None
    return Mark(
        x=round((start + end) / 2, 2) if wide or look.precision == "day" else start,
        y=y(value),
        kind="alert" if look_key(look) in given.alerted else "announced" if look.announced else "count",
        title=phrase(
            "{when}: {count}, {by}",
            when=look_period(look, given.zone),
            count=look_count(look),
            by=counted_by(look),
        ),
        width=round(end - start, 2) if wide else None,
        y_low=y(look.low) if bounded and look.low is not None else None,
        y_high=y(look.high) if bounded and look.high is not None else None,
        floor=look.qualifier == ">=",
    )


def shade_gaps(given: ChartInput, span: Span, room: Room) -> Iterator[Block]:
    """Shade the times without a count, series by series."""
    by_series = sorted(given.looks, key=lambda each: (each.series, each.period_start))
    for (_, kind), group in groupby(by_series, key=lambda each: (each.series, _gap_kind(each))):
        stretch = list(group)
        if kind:
            start, end = stretch[0].period_start, stretch[-1].period_end
            words = not_assessable(stretch) if kind == "unusable" else phrase("no count: not observed")
            title = chained(": ", [period_words(start, end, "day", given.zone), words])
            yield _block(span, (start, end), kind, title, room)


def not_assessable(looks: Iterable[Observation]) -> str:
    """Say what hid the looks that could not be used: `not assessable (cloud)`; '' where there is no such look."""
    unusable = [each for each in looks if each.assessable is False]
    why = sorted({*map(hidden_by, unusable)} - {""})
    return _hidden(why) if unusable else ""


def shade_silence(given: ChartInput, span: Span, room: Room) -> Iterator[Block]:
    """Shade the time since anybody looked."""
    newest = max(each.period_end for each in given.looks if each.value is not None)
    ended = max(each.period_end for each in given.looks)
    if span.end - ended > (span.end - span.start) * _SILENCE_SHARE:
        yield _block(
            span, (ended, span.end), "silence", phrase("No count since {when}", when=utc(newest)), room
        )


def _gap_kind(look: Observation) -> str:
    if look.assessable is False:
        return "unusable"
    return "gap" if look.value is None else ""


def _block(span: Span, when: tuple[datetime, datetime], kind: str, title: str, room: Room) -> Block:
    left, right = (span.x(at) for at in when)
    return Block(left, round(max(0.4, right - left), 2), kind, title, *room)


def chart_description(given: ChartInput, title: str) -> str:
    """Say in words what a chart shows."""
    counts = [each for each in given.looks if each.value is not None]
    highest = max(counts, key=lambda each: each.value or 0.0)
    newest = counts[-1]
    return phrase(
        "{title}: {counts}. Highest {highest} ({highest_when}), newest {newest} ({newest_when}). The table below has every one.",
        title=title,
        counts=numbered(len(counts), "count"),
        highest=look_count(highest),
        highest_when=look_period(highest, given.zone),
        newest=look_count(newest),
        newest_when=look_period(newest, given.zone),
    )


def _hidden(why: Sequence[str]) -> str:
    return phrase("not assessable ({why})", why=listed(why)) if why else phrase("not assessable")
