"""A database as the public sees it: late on purpose, so that nothing younger than a moment is in any table.

Every connection of a late engine has, before the tables themselves, a temporary view of the same name (both SQLite and
PostgreSQL look there first). The views leave out what happened or became known after the moment, which is set anew at the
beginning of each transaction. So no query, count, join or tag of any page can say more, whoever writes it; a table that
nobody has thought about is empty. An alert that changed since then stands as it did, for every event keeps what the row
was before it (`db.alerts.append_event`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, Engine, Float, Integer, Table, event

from db.engine import open_engine
from db.schema import alert, metadata, visit
from db.schema.types import ToldJson, UtcDateTime

MOMENT = "public_moment"
_AT = f"(select at from {MOMENT})"  # noqa: S608 - the names in these queries are those of our own schema
_HOUR_BEFORE = f"(select hour_before from {MOMENT})"  # noqa: S608 - as above
_WHOLE, _NOTHING = "true", "false"
_VISIT_IS_OLD = f"(v.recorded_at <= {_AT} or (v.departed_at <= {_AT} and (v.last_fix_at is null or v.last_fix_at <= {_AT})))"
_LOOK_IS_OLD = f"o.result_time <= {_AT} and (o.recorded_at <= {_AT} or o.period_end <= {_AT})"
_HAS_OLD_LOOK = (
    "exists (select 1 from {schema}.observation o where o.site_id = series.site_id and o.area = series.area "  # noqa: S608 - as above
    f"and o.metric = series.metric and o.subject = series.subject and o.procedure = series.procedure and {_LOOK_IS_OLD})"
)
SHOWN: Mapping[str, str] = {
    # Known to the world by then, and over by then or recorded by then.
    "observation": _LOOK_IS_OLD.replace("o.", ""),
    "declared_baseline": f"result_time <= {_AT}",
    "note": f"result_time <= {_AT}",
    "evaluation": f"as_of <= {_AT}",
    "rule_state": f"updated_at <= {_AT}",
    "series": _HAS_OLD_LOOK,
    # An acknowledgement names a person of the desk.
    "alert_event": f"at <= {_AT} and kind <> 'acknowledged'",
    "visit_version": _VISIT_IS_OLD.replace("v.", ""),
    "scene": f"acquired_at <= {_AT} and recorded_at <= {_AT}",
    "cutout": f"acquired_at <= {_AT} and made_at <= {_AT}",
    "cutout_failure": f"acquired_at <= {_AT} and failed_at <= {_AT}",
    "shared_cause": f"at <= {_AT}",
    "shared_cause_alert": f"at <= {_AT}",
    "measure_admission": f"decided_at <= {_AT}",
    "radar_admission": f"decided_at <= {_AT}",
    "poll": f"started_at <= {_AT} and (finished_at is null or finished_at <= {_AT})",
    "extract": f"received_at <= {_AT}",
    # An hour is told when the whole of it is old.
    "coverage_hour": f"hour <= {_HOUR_BEFORE}",
    "site_version": f"recorded_at <= {_AT}",
    "change": f"recorded_at <= {_AT}",
    "aircraft": _WHOLE,
    # Words and units, with nothing of when or where.
    "metric": _WHOLE,
    # How things stand now, or nothing that a public page shows.
    **dict.fromkeys(
        (
            *(
                "fix",
                "flight_claim",
                "estimated_position",
                "detection",
                "pixel_look",
                "pixel_failure",
                "pixels_read",
                "radar_look",
                "units_spent",
                "api_request",
                "rejection",
                "blind_period",
            ),
            *("provider_state", "delivery", "channel_state", "silence", "lease", "token"),
            *("backfill_day", "backfill_part", "alias", "visitor_key", "receiver_hour"),
        ),
        _NOTHING,
    ),
}
"""What of each table is shown, as a condition on its rows; what is named nowhere is not shown at all."""
_NOW = frozenset(
    {
        *(
            "status",
            "phenomenon_time",
            "closed_at",
            "last_look_at",
            "value",
            "peak",
            "subjects",
            "rule",
            "rules",
        ),
        *("baseline", "headline", "confidence", "details", "events"),
    }
)
"""Columns of an alert that its events change."""


def late_engine(engine: Engine, moment: Callable[[], datetime]) -> Engine:
    """Open the same database once more, as it is to be shown at `moment`; only for reading."""
    late = open_engine(engine.url)
    postgresql = late.dialect.name == "postgresql"

    def prepare(raw: Any, _record: Any) -> None:
        cursor = raw.cursor()
        schema = "main"
        if postgresql:
            cursor.execute("select current_schema()")
            schema = cursor.fetchone()[0]
        for statement in _statements(schema, postgresql=postgresql):
            cursor.execute(statement)
        if postgresql:
            # A plain view can be written through; the moment stands in a table of the session's own, which stays open.
            cursor.execute("set session characteristics as transaction read only")
        cursor.close()
        if postgresql:
            raw.commit()

    def begin(connection: Connection) -> None:
        _set_moment(connection, moment())

    event.listen(late, "connect", prepare)
    event.listen(late, "begin", begin)
    return late


def _set_moment(connection: Connection, at: datetime) -> None:
    to_stored = UtcDateTime().process_bind_param
    dialect = connection.dialect
    stored = to_stored(at, dialect)
    hour = "interval '1 hour'" if dialect.name == "postgresql" else "3600000000"
    mark = "%s" if dialect.name == "postgresql" else "?"
    # The names are this module's own.
    statement = f"update {MOMENT} set at = {mark}, hour_before = {mark} - {hour}"  # noqa: S608
    connection.exec_driver_sql(statement, (stored, stored))


def _statements(schema: str, *, postgresql: bool) -> Iterator[str]:
    kind = "timestamptz" if postgresql else "integer"
    # Until a transaction sets it, nothing is old enough.
    zero = "timestamptz '-infinity'" if postgresql else "-9223372036854775807"
    yield f"create temporary table {MOMENT} (at {kind}, hour_before {kind})"
    yield f"insert into {MOMENT} values ({zero}, {zero})"  # noqa: S608 - as above
    for table in metadata.sorted_tables:
        yield f"create temporary view {table.name} as {_view(table, schema, postgresql=postgresql)}"


def _view(table: Table, schema: str, *, postgresql: bool) -> str:
    if table is alert:
        return _alert_view(schema, postgresql=postgresql)
    if table is visit:
        return _visit_view(schema)
    columns = ", ".join(f"{table.name}.{each.name}" for each in table.c)
    condition = SHOWN.get(table.name, _NOTHING).format(schema=schema)
    return f"select {columns} from {schema}.{table.name} {table.name} where {condition}"  # noqa: S608 - names of our own schema


def _visit_view(schema: str) -> str:
    """The newest version of each visit that is old enough."""
    columns = ", ".join(f"v.{each.name}" for each in visit.c)
    newer = _VISIT_IS_OLD.replace("v.", "w.")
    return (
        f"select {columns} from {schema}.visit_version v where {_VISIT_IS_OLD} and not exists (select 1 from "  # noqa: S608
        f"{schema}.visit_version w where w.visit_id = v.visit_id and w.version > v.version and {newer})"
    )


def _alert_view(schema: str, *, postgresql: bool) -> str:
    """Each alert as it stood before the first event that is too young; one that was taken back since is left out."""
    columns = ", ".join(_alert_column(each, postgresql=postgresql) for each in alert.c)
    kept = (
        "e.details -> 'before' is not null" if postgresql else "json_type(e.details, '$.before') is not null"
    )
    return (
        f"select {columns} from {schema}.alert a "  # noqa: S608 - names of our own schema
        f"left join {schema}.alert_event e on e.alert_id = a.id and e.seq = (select min(y.seq) from {schema}.alert_event y "
        f"where y.alert_id = a.id and y.at > {_AT} and y.kind <> 'acknowledged') "
        f"where a.opened_at <= {_AT} and (e.seq is null or (e.seq > 1 and a.status <> 'withdrawn' and {kept}))"
    )


def _alert_column(column: Column[Any], *, postgresql: bool) -> str:
    name = column.name
    if name == "acknowledged_at":
        empty = "cast(null as timestamptz)" if postgresql else "null"
        return f"{empty} as {name}"
    if name == "acknowledged_by":
        return f"'' as {name}"
    if name not in _NOW:
        return f"a.{name}"
    before = _from_json(column, postgresql=postgresql)
    found = f"case when e.seq is null then a.{name} else {before} end"
    if name == "last_look_at":
        found = f"{'least' if postgresql else 'min'}({found}, {_AT})"
    return f"{found} as {name}"


def _from_json(column: Column[Any], *, postgresql: bool) -> str:
    if not postgresql:
        return f"json_extract(e.details, '$.before.{column.name}')"
    inside = f"(e.details -> 'before' ->> '{column.name}')"
    if isinstance(column.type, UtcDateTime):
        return f"(timestamptz 'epoch' + {inside}::bigint * interval '1 microsecond')"
    if isinstance(column.type, JSON | ToldJson):
        return f"(e.details -> 'before' -> '{column.name}')"
    if isinstance(column.type, Float):
        return f"{inside}::double precision"
    if isinstance(column.type, Integer):
        return f"{inside}::integer"
    return inside
