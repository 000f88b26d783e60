"""What the rules said of each look; a look that has none yet waits to be judged, and is marked so."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from db.chunks import chunks
from db.keys import with_keys
from db.observations import READ_OBSERVATIONS, observation_from_row
from db.records import Evaluation, Observation, ObservationKey, SeriesKey
from db.schema import SERIES_KEY, evaluation, observation

_KEY = ("site_id", "area", "metric", "subject", "procedure", "period_start", "look_key", "revision")
# Written out, not bound, so that both databases see that the partial index answers it.
_WAITING = text("observation.waiting")
_REVISION = (
    *(evaluation.c[name] for name in SERIES_KEY),
    evaluation.c.period_start,
    evaluation.c.look_key,
    evaluation.c.revision,
)


def unjudged(connection: Connection, now: datetime, limit: int) -> list[Observation]:
    """Read the revisions that were knowable by `now` and that nobody has judged, oldest knowledge first."""
    query = (
        READ_OBSERVATIONS.where(_WAITING, observation.c.result_time <= now)
        .order_by(observation.c.result_time, *(observation.c[name] for name in _KEY))
        .limit(limit)
    )
    return [observation_from_row(row) for row in connection.execute(query)]


def record_evaluations(connection: Connection, records: Sequence[Evaluation]) -> None:
    """Append what the rules said; the looks that it is about wait no more."""
    if not records:
        return
    connection.execute(evaluation.insert(), [_row(record) for record in records])
    judged = {_values(record.observation) for record in records}
    connection.execute(
        _JUDGED, [{f"b_{name}": value for name, value in zip(_KEY, key, strict=True)} for key in judged]
    )


def verdicts(
    connection: Connection, keys: Sequence[ObservationKey]
) -> dict[ObservationKey, list[Evaluation]]:
    """Read what every rule said of these revisions; one that was not judged yet is left out."""
    found: dict[ObservationKey, list[Evaluation]] = defaultdict(list)
    for wanted in chunks(sorted(set(keys))):
        some = [_values(each) for each in wanted]
        query = with_keys(connection, select(evaluation), _REVISION, some).order_by(evaluation.c.rule)
        for row in connection.execute(query):
            said = _evaluation(row)
            found[said.observation].append(said)
    return dict(found)


_JUDGED = (
    update(observation)
    .where(*(observation.c[name] == bindparam(f"b_{name}", type_=observation.c[name].type) for name in _KEY))
    .values(waiting=False)
)


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
