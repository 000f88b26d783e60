"""Charts of events, one line a subject: counts of arrivals are nearly always one, so only the times matter. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from alerts.words import capital, count_label, subject_phrase, window_words
from db.records import DeclaredBaseline
from db.said import phrase
from monitor.web.charts.marks import (
    BOTTOM_PX,
    Chart,
    ChartInput,
    Lane,
    Mark,
    Span,
    chart_description,
    condense,
    look_key,
    mark_of,
    shade_gaps,
    shade_silence,
    span_of,
)

LANE_PX = 40
_FIRST_PX = 28


def lane_chart(given: ChartInput, title: str, most: int = 5) -> Chart | None:
    """Draw when each subject was seen; None where nothing was ever seen."""
    span = span_of(given)
    names = _seen_subjects(given)[:most]
    if span is None or not names:
        return None
    floor = LANE_PX * len(names)
    # Only the series of all subjects says when nobody looked; another subject's silence is no gap.
    whole = replace(given, looks=[each for each in given.looks if not each.series.subject])
    return Chart(
        title=title,
        description=chart_description(given, title),
        height=floor + BOTTOM_PX,
        floor_y=float(floor),
        ticks=span.ticks(),
        blocks=(*shade_gaps(whole, span, (0, floor)), *shade_silence(given, span, (0, floor))),
        lanes=tuple(
            _lane(each, given, span, _FIRST_PX + LANE_PX * place) for place, each in enumerate(names)
        ),
    )


def _seen_subjects(given: ChartInput) -> list[str]:
    """The subjects that were seen, those in alerts first, then the ones seen last."""
    seen: dict[str, tuple[bool, datetime]] = {}
    for each in given.looks:
        if each.value:
            alerted, newest = seen.get(each.series.subject, (False, each.period_start))
            alerted = alerted or look_key(each) in given.alerted
            seen[each.series.subject] = (alerted, max(newest, each.period_start))
    return sorted(seen, key=lambda name: seen[name], reverse=True)


def _lane(name: str, given: ChartInput, span: Span, y: float) -> Lane:
    shown, _ = condense([each for each in given.looks if each.series.subject == name and each.value])
    before = [_earlier(each, given, span, y) for each in given.declared if each.series.subject == name]
    seen = [
        replace(
            mark_of(each, given, span, lambda _value: y),
            y_low=None,
            y_high=None,
            floor=False,
            label=count_label(each) if each.value != 1 else "",
        )
        for each in shown
    ]
    return Lane(
        capital(subject_phrase(name, given.site_names)) if name else "All", y, (*_only(before), *seen)
    )


def _earlier(each: DeclaredBaseline, given: ChartInput, span: Span, y: float) -> Mark | None:
    if each.statistic != "last_seen":
        return None
    middle = each.window_start + (each.window_end - each.window_start) / 2
    when = window_words(each, given.zone)
    return Mark(
        span.x(middle),
        y,
        "declared",
        phrase("Last seen before: {when}, according to {publisher}", when=when, publisher=each.publisher),
    )


def _only(marks: list[Mark | None]) -> Iterator[Mark]:
    return (each for each in marks if each is not None)
