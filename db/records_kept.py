"""How long records of our own work are kept: polls, hours watched, verdicts, notices; never what an alert rests on.

What is old goes a little in each transaction, found from the oldest on; a kill leaves the rest to the next time.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, literal, select, text, tuple_

from db.chunks import KEYS_PER_STATEMENT
from db.engine import reading, writing
from db.extracts import cited_polls
from db.keys import delete_keys
from db.schema import (
    SERIES_KEY,
    alert,
    alert_event,
    backfill_day,
    coverage_hour,
    delivery,
    evaluation,
    poll,
    rejection,
    silence,
    token,
)

_SESSIONS_LAST = timedelta(days=31)
"""A cookie of a session lasts 30 days: after that it opens nothing, ended or not."""
_ROWS_LOOKED_AT = 400
"""Of each index, to know how well it finds: a thousandth part of reading it."""
RecordKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RecordsGone:
    """How many rows of each sort went."""

    polls: int = 0
    hours: int = 0
    rejections: int = 0
    verdicts: int = 0
    notices: int = 0
    silences: int = 0
    sessions: int = 0


def forget_records(
    engine: Engine,
    now: datetime,
    *,
    keep_records: timedelta,
    keep_verdicts: timedelta,
    sites: Collection[str],
) -> RecordsGone:
    """Forget what is older than it is kept, and have the database look anew at how much it holds."""
    before, judged_before = now - keep_records, now - keep_verdicts
    with reading(engine) as connection:
        cited = cited_polls(connection, sites)
        told = set(_told_looks(connection))
        # An archive brings hours of long ago, which are needed until its days are counted.
        loading = connection.execute(
            select(backfill_day.c.day).where(backfill_day.c.state != "done").limit(1)
        )
        archived = loading.first() is not None
    done = RecordsGone(
        polls=_forget(
            engine, poll, poll.c.started_at, before, but={(each,) for each in cited}, where=(_DONE,)
        ),
        hours=0 if archived else _forget(engine, coverage_hour, coverage_hour.c.hour, before),
        rejections=_forget(engine, rejection, rejection.c.hour, before),
        verdicts=_forget(engine, evaluation, evaluation.c.recorded_at, judged_before, but=told, rest=1),
        notices=_forget(engine, delivery, delivery.c.sent_at, before, where=(_NOTICE,)),
        silences=_forget(engine, silence, silence.c.ends_at, before),
        sessions=_forget(engine, token, token.c.revoked_at, now - _SESSIONS_LAST, where=(_SESSION,)),
    )
    _look_anew(engine)
    return done


# A poll of which something still waits is not over, however old it is.
_DONE = text("poll.derived and poll.outcome is not null")
_NOTICE = text("delivery.kind = 'notice' and delivery.state = 'sent'")
_SESSION = text("token.prefix like 'session:%'")


def _forget(
    engine: Engine,
    table: Table,
    at: ColumnElement[Any],
    before: datetime,
    *,
    but: Collection[RecordKey] = (),
    rest: int = 0,
    where: Sequence[ColumnElement[bool] | Any] = (),
) -> int:
    """Delete the rows from before then, oldest first, save those whose key, without its last `rest` columns, is in `but`."""
    key = tuple(table.primary_key.columns)
    width = len(key) - rest
    gone, after = 0, None
    while True:
        query = select(*key, at).where(at < before, *where).order_by(at, *key).limit(KEYS_PER_STATEMENT)
        if after is not None:
            # Past those that stay.
            last = (after[-1], *after[:-1])
            place = (literal(value, each.type) for value, each in zip(last, (at, *key), strict=True))
            query = query.where(at >= after[-1], tuple_(at, *key) > tuple_(*place))
        with writing(engine) as connection:
            rows = [tuple(row) for row in connection.execute(query)]
            gone += delete_keys(connection, table, [row[:-1] for row in rows if row[:width] not in but])
        if len(rows) < KEYS_PER_STATEMENT:
            return gone
        after = rows[-1]


def _told_looks(connection: Connection) -> Iterator[RecordKey]:
    """The revisions that alerts rest on, with the columns of a verdict's key in their order."""
    event = alert_event.c
    place = {"site_id": alert.c.site_id, "area": alert.c.area, "metric": alert.c.metric}
    series = (place[name] if name in place else event[name] for name in SERIES_KEY)
    query = select(*series, event.period_start, event.look_key, event.revision)
    named = query.join_from(alert_event, alert, alert.c.id == event.alert_id).where(
        event.look_key.is_not(None)
    )
    for row in connection.execute(named):
        yield tuple(row)
    # What an alert says of each of its looks, whatever event brought it.
    for site_id, area, metric, details in connection.execute(
        select(alert.c.site_id, alert.c.area, alert.c.metric, alert.c.details)
    ):
        for entry in details.get("entries", ()):
            start = datetime.fromisoformat(entry["period_start"])
            key = (site_id, area, metric, entry["subject"], entry["procedure"], start, entry["look_key"])
            yield (*key, entry.get("revision", 1))


def _look_anew(engine: Engine) -> None:
    """Have the database see how its tables are filled, by which it chooses indexes."""
    with writing(engine) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text(f"PRAGMA analysis_limit={_ROWS_LOOKED_AT}"))
        connection.execute(text("ANALYZE"))
