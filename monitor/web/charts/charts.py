"""Charts of counts that need no script: one subject's counts over time, with bounds, baselines and gaps. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from alerts.words import (
    count_label,
    interval_words,
    look_period,
    looks_behind,
    named,
    rounded_number,
    statement_words,
    window_words,
)
from db.records import DeclaredBaseline, Observation
from db.said import phrase
from monitor.web.charts.marks import (
    BOTTOM_PX,
    Block,
    Chart,
    ChartInput,
    Mark,
    Scale,
    Span,
    chart_description,
    condense,
    mark_of,
    shade_gaps,
    shade_silence,
    span_of,
)

TOP_PX = 22
_LETTER_PX, _LABEL_GAP_PX, _LABEL_HEIGHT_PX = 7.5, 4, 14
_NARROWEST_PX = 330
"""Labels must not touch on a phone."""
_MARK_PX, _MOST_TOGETHER = 9, 4


def value_chart(given: ChartInput, title: str, height: int = 170) -> Chart | None:
    """Draw one subject's counts over time; None where there is nothing to draw."""
    span = span_of(given)
    if span is None:
        return None
    counts = [each for each in given.looks if each.value is not None]
    highest = [each.high or each.value or 0.0 for each in counts]
    top = _top([*highest, *(each.high for each in given.expected)], given.declared)
    plot_px = height - TOP_PX - BOTTOM_PX
    floor = float(height - BOTTOM_PX)

    def y(value: float) -> float:
        return round(floor - plot_px * value / top, 1)

    shown, condensed = condense(counts)
    marks = [mark_of(each, given, span, y) for each in shown]
    return Chart(
        title=title,
        description=chart_description(given, title),
        height=height,
        floor_y=floor,
        ticks=span.ticks(),
        blocks=(
            *shade_gaps(given, span, (TOP_PX, plot_px)),
            *shade_silence(given, span, (TOP_PX, plot_px)),
            *_baselines(given, span, y, floor),
            *_usual(given, span, y),
        ),
        marks=tuple(_labelled(marks, shown)),
        condensed=condensed,
    )


def _top(values: Sequence[float], declared: Iterable[DeclaredBaseline]) -> float:
    highest = max([0.0, *values, *(each.value or 0.0 for each in declared if each.statistic == "max")])
    # A radiance may be far below one.
    return (highest or 1.0) * 1.06


def _baselines(given: ChartInput, span: Span, y: Scale, floor: float) -> Iterator[Block]:
    for each in given.declared:
        title = phrase(
            "{said}, {when}, according to {publisher} ({looks})",
            said=statement_words(each),
            when=window_words(each, given.zone),
            publisher=named(each.publisher),
            looks=looks_behind(each.n_looks),
        )
        left, right = span.x(each.window_start), span.x(each.window_end)
        width = round(max(0.6, right - left), 2)
        if each.statistic == "max" and each.value is not None:
            top = y(each.value)
            yield Block(left, width, "declared", title, top, floor - top, statement_words(each))
        elif each.statistic == "none_before":
            yield Block(left, width, "declared", title, floor - 3, 3, statement_words(each))


def _usual(given: ChartInput, span: Span, y: Scale) -> Iterator[Block]:
    """What was usual at each look, by the looks before it."""
    for each in given.expected:
        left, right = span.x(each.look.period_start), span.x(each.look.period_end)
        top = y(each.high)
        yield Block(
            left,
            round(max(0.4, right - left), 2),
            "usual",
            phrase(
                "{when}: usually {interval}, {expected} expected",
                when=look_period(each.look, given.zone),
                interval=interval_words(each.low, each.high),
                expected=rounded_number(each.expected),
            ),
            top,
            round(max(1.0, y(each.low) - top), 1),
        )


def _labelled(marks: Sequence[Mark], looks: Sequence[Observation]) -> Iterator[Mark]:
    """Write the count beside a mark, where its words touch no other: alerts first, then the newest, then the highest.

    Marks that nearly cover each other share one label: `3, 5, 8`.
    """

    def rank(places: Sequence[int]) -> tuple[bool, bool, float]:
        highest = max(looks[place].value or 0.0 for place in places)
        return marks[places[0]].kind != "alert", len(marks) - 1 not in places, -highest

    taken: list[tuple[float, float, float]] = []
    labels: dict[int, str] = {}
    for places in sorted(_heaps(marks), key=rank):
        place = min(places, key=lambda each: marks[each].y)
        x_px, y_px = _x_px(marks[place]), marks[place].y
        together = ", ".join(count_label(looks[each]) for each in places)
        for text in dict.fromkeys((together, count_label(looks[place]))):
            half = (len(text) * _LETTER_PX + _LABEL_GAP_PX) / 2
            inside = len(places) == 1 or text != together or half < x_px < _NARROWEST_PX - half
            if inside and all(
                abs(x_px - x) > half + other or abs(y_px - y) > _LABEL_HEIGHT_PX for x, y, other in taken
            ):
                taken.append((x_px, y_px, half))
                labels[place] = text
                break
    return (replace(mark, label=labels.get(place, "")) for place, mark in enumerate(marks))


def _heaps(marks: Sequence[Mark]) -> Iterator[list[int]]:
    """The places of marks that nearly cover each other, a few together; all others alone."""
    heap: list[int] = []
    for place, mark in enumerate(marks):
        last = marks[heap[-1]] if heap else mark
        near = _x_px(mark) - _x_px(last) <= _MARK_PX and abs(mark.y - last.y) <= _MARK_PX
        if heap and not (near and "alert" not in {mark.kind, last.kind}):
            yield from _few(heap)
            heap = []
        heap.append(place)
    yield from _few(heap)


def _few(heap: list[int]) -> Iterator[list[int]]:
    if len(heap) <= _MOST_TOGETHER:
        yield heap
    else:
        yield from ([place] for place in heap)


def _x_px(mark: Mark) -> float:
    return mark.x / 100 * _NARROWEST_PX
