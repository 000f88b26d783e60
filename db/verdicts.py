"""What the rules said of some looks, found by their keys: for pages, which show few of many."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, select, tuple_

from db.records import Evaluation, ObservationKey, SeriesKey
from db.schema import SERIES_KEY, evaluation

_CHUNK = 300
_KEY = (
    *(evaluation.c[name] for name in SERIES_KEY),
    evaluation.c.period_start,
    evaluation.c.look_key,
    evaluation.c.revision,
)


def verdicts(
    connection: Connection, keys: Sequence[ObservationKey]
) -> dict[ObservationKey, list[Evaluation]]:
    """Read what every rule said of these revisions; one that was not judged yet is left out."""
    found: dict[ObservationKey, list[Evaluation]] = defaultdict(list)
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _CHUNK):
        some = [_values(each) for each in wanted[start : start + _CHUNK]]
        query = select(evaluation).where(tuple_(*_KEY).in_(some)).order_by(evaluation.c.rule)
        for row in connection.execute(query):
            series = SeriesKey(row.site_id, row.area, row.metric, row.subject, row.procedure)
            key = ObservationKey(series, row.period_start, row.look_key, row.revision)
            said = Evaluation(
                key, row.rule, row.status, row.exceeded, row.details, row.as_of, row.recorded_at
            )
            found[key].append(said)
    return dict(found)


def _values(key: ObservationKey) -> tuple[object, ...]:
    series = (getattr(key.series, name) for name in SERIES_KEY)
    return (*series, key.period_start, key.look_key, key.revision)
