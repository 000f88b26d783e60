"""What each metric meant when its looks were stored, so that no later declaration reads them in another unit."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from db.observations import through_series
from db.records import MetricMeaning
from db.schema import metric, series
from db.upsert import upsert

_MEANING = ("name", "measure", "kind", "unit", "one", "many", "heading")


def metric_meanings(connection: Connection) -> list[MetricMeaning]:
    """Read what every metric on record means, by name."""
    query = select(*(metric.c[name] for name in _MEANING)).order_by(metric.c.name)
    return [MetricMeaning(*row) for row in connection.execute(query)]


def keep_meanings(connection: Connection, meanings: Sequence[MetricMeaning], now: datetime) -> None:
    """Keep what these metrics mean from now on."""
    for each in meanings:
        row = {**{name: getattr(each, name) for name in _MEANING}, "recorded_at": now}
        upsert(connection, metric, row, ("name",))


def looks_of_metric(connection: Connection, name: str) -> int:
    """Count the stored revisions of looks of a metric."""
    query = select(func.count()).select_from(through_series()).where(series.c.metric == name)
    return int(connection.execute(query).scalar_one())
