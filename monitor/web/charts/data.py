"""What the chart script is given: the same looks, bounds, baselines and alert marks as the plain chart. Pure."""

from collections.abc import Iterator
from typing import Any

from alerts.words import counted_by, exposure_words, look_count, look_period, named, statement_words
from db.records import Observation
from db.said import phrase
from monitor.web.charts.marks import ChartInput, look_key


def chart_data(given: ChartInput) -> dict[str, Any]:
    """The chart in JSON types; times are seconds since 1970."""
    return {
        "now": given.now.timestamp(),
        "looks": [_look(each, given) for each in given.looks],
        "declared": list(_declared(given)),
        "usual": [
            {
                "start": each.look.period_start.timestamp(),
                "end": each.look.period_end.timestamp(),
                "low": each.low,
                "high": each.high,
            }
            for each in given.expected
        ],
    }


def _look(look: Observation, given: ChartInput) -> dict[str, Any]:
    return {
        "start": look.period_start.timestamp(),
        "end": look.period_end.timestamp(),
        "value": look.value,
        "low": look.low,
        "high": look.high,
        "kind": _kind(look, given),
        "count": look_count(look),
        "when": look_period(look, given.zone),
        "rest": phrase(
            ", {source}. Observed: {exposure}.",
            source=counted_by(look),
            exposure=exposure_words(look.exposure),
        ),
    }


def _kind(look: Observation, given: ChartInput) -> str:
    if look.assessable is False:
        return "unusable"
    if look.value is None:
        return "gap"
    if look_key(look) in given.alerted:
        return "alert"
    return "announced" if look.announced else "count"


def _declared(given: ChartInput) -> Iterator[dict[str, Any]]:
    for each in given.declared:
        yield {
            "start": each.window_start.timestamp(),
            "end": each.window_end.timestamp(),
            "value": each.value if each.statistic == "max" else None,
            "words": phrase(
                "{said}, according to {publisher}",
                said=statement_words(each),
                publisher=named(each.publisher),
            ),
        }
