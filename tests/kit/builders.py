"""Small builders of records, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.metrics import METRICS
from db.records import DeclaredBaseline, Observation, SeriesKey

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    """`2023-10-05` or `2023-10-05T12:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def series(metric: str = "railcars", subject: str = "", **others: str) -> SeriesKey:
    return SeriesKey(
        others.get("site_id", "busy-port"),
        others.get("area", ""),
        metric,
        subject,
        others.get("procedure", "published"),
    )


def look(
    day: str, value: float | None, metric: str = "railcars", subject: str = "", **fields: Any
) -> Observation:
    """One day's count, knowable the day after."""
    key = fields.pop("key", None) or series(
        metric,
        subject,
        **{name: fields.pop(name) for name in ("site_id", "area", "procedure") if name in fields},
    )
    start = at(day)
    known = fields.pop("known", None)
    defaults: dict[str, Any] = {
        "series": key,
        "kind": METRICS[metric].kind,
        "period_start": start,
        "period_end": start + DAY,
        "look_key": day,
        "value": value,
        "result_time": at(known) if known else start + DAY,
        "recorded_at": at(known) if known else start + DAY,
        "publisher": "Harbour Watch",
    }
    return Observation(**{**defaults, **fields})


def stated(
    statistic: Any,
    value: float | None,
    window: tuple[str, str],
    metric: str = "railcars",
    subject: str = "",
    **fields: Any,
) -> DeclaredBaseline:
    """One declared baseline, knowable when its window ended."""
    known = fields.pop("known", None)
    end = at(window[1])
    defaults: dict[str, Any] = {
        "key": f"{metric}/{subject}/{statistic}/{window}",
        "series": series(metric, subject),
        "statistic": statistic,
        "value": value,
        "window_start": at(window[0]),
        "window_end": end,
        "precision": "window",
        "result_time": at(known) if known else end,
        "recorded_at": at(known) if known else end,
        "publisher": "Institute of Yards",
    }
    return DeclaredBaseline(**{**defaults, **fields})
