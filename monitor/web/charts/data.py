"""What the chart script is given: the same looks, bounds, baselines and alert marks as the plain chart. Pure."""

from collections.abc import Iterator
from typing import Any

from db.records import Observation
from monitor.web.charts.marks import Told, look_key
from monitor.web.views import verdict_words as wording


def chart_data(told: Told) -> dict[str, Any]:
    """The chart in JSON types; times are seconds since 1970."""
    return {
        "now": told.now.timestamp(),
        "looks": [_look(each, told) for each in told.looks],
        "declared": list(_declared(told)),
        "usual": [
            {
                "start": each.look.period_start.timestamp(),
                "end": each.look.period_end.timestamp(),
                "low": each.low,
                "high": each.high,
            }
            for each in told.expected
        ],
    }


def _look(look: Observation, told: Told) -> dict[str, Any]:
    return {
        "start": look.period_start.timestamp(),
        "end": look.period_end.timestamp(),
        "value": look.value,
        "low": look.low,
        "high": look.high,
        "kind": _kind(look, told),
        "count": wording.counted(look),
        "when": wording.look_period(look, told.zone),
        "source": wording.source(look),
        "exposure": wording.exposure(look),
    }


def _kind(look: Observation, told: Told) -> str:
    if look.assessable is False:
        return "unusable"
    if look.value is None:
        return "gap"
    if look_key(look) in told.alerted:
        return "alert"
    return "announced" if look.announced else "count"


def _declared(told: Told) -> Iterator[dict[str, Any]]:
    for each in told.declared:
        yield {
            "start": each.window_start.timestamp(),
            "end": each.window_end.timestamp(),
            "value": each.value if each.statistic == "max" else None,
            "words": f"{wording.statement(each)}, according to {each.publisher or 'an unnamed source'}",
        }
