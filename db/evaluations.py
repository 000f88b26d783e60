"""What the rules said of each look; a look without an evaluation is one that still waits to be judged."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from db.chunks import chunks
from db.keys import any_key
from db.observations import READ_OBSERVATIONS, observation_from_row
from db.records import Evaluation, Observation, ObservationKey, SeriesKey
from db.schema import SERIES_KEY, evaluation, observation

_KEY = ("site_id", "area", "metric", "subject", "procedure", "period_start", "look_key", "revision")
_INDEXED = (*SERIES_KEY, "period_start")
_REVISION = (
    *(evaluation.c[name] for name in SERIES_KEY),
    evaluation.c.period_start,
    evaluation.c.look_key,
    evaluation.c.revision,
)


def unjudged(connection: Connection, now: datetime, limit: int) -> list[Observation]:
    """Read the revisions that were knowable by `now` and that nobody has judged, oldest knowledge first."""
    joined = and_(*(observation.c[name] == evaluation.c[name] for name in _KEY))
    query = (
        READ_OBSERVATIONS.outerjoin(evaluation, joined)
        .where(evaluation.c.rule.is_(None), observation.c.result_time <= now)
        .order_by(observation.c.result_time, *(observation.c[name] for name in _KEY))
        .limit(limit)
    )
    return [observation_from_row(row) for row in connection.execute(query)]


def record_evaluations(connection: Connection, records: Sequence[Evaluation]) -> None:
    """Append what the rules said."""
    if records:
        connection.execute(evaluation.insert(), [_row(record) for record in records])


def verdicts(
    connection: Connection, keys: Sequence[ObservationKey]
) -> dict[ObservationKey, list[Evaluation]]:
    """Read what every rule said of these revisions; one that was not judged yet is left out."""
    found: dict[ObservationKey, list[Evaluation]] = defaultdict(list)
    for wanted in chunks(sorted(set(keys))):
        some = [_values(each) for each in wanted]
        query = select(evaluation).where(any_key(_REVISION, some, _INDEXED)).order_by(evaluation.c.rule)
        for row in connection.execute(query):
            said = _evaluation(row)
            found[said.observation].append(said)
    return dict(found)


def _row(record: Evaluation) -> dict[str, Any]:
    key = record.observation
    return {
        "site_id": key.series.site_id,
        "area": key.series.area,
        "metric": key.series.metric,
        "subject": key.series.subject,
        "procedure": key.series.procedure,
        "period_start": key.period_start,
        "look_key": key.look_key,
        "revision": key.revision,
        "rule": record.rule,
        "status": record.status,
        "exceeded": record.exceeded,
        "details": dict(record.details),
        "as_of": record.as_of,
        "recorded_at": record.recorded_at,
    }


def _evaluation(row: Row[Any]) -> Evaluation:
    series = SeriesKey(row.site_id, row.area, row.metric, row.subject, row.procedure)
    return Evaluation(
        observation=ObservationKey(series, row.period_start, row.look_key, row.revision),
        rule=row.rule,
        status=row.status,
        exceeded=row.exceeded,
        details=row.details,
        as_of=row.as_of,
        recorded_at=row.recorded_at,
    )


def _values(key: ObservationKey) -> tuple[object, ...]:
    series = (getattr(key.series, name) for name in SERIES_KEY)
    return (*series, key.period_start, key.look_key, key.revision)
