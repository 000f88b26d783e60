"""Periods as they were written, so that a corrected time zone moves a day and never repeats it.

What was imported before is filled in from the zone in which its days begin and end at midnight.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("observation", "declared_baseline", "note")
_COLUMNS = ("written_start", "written_end", "zone")
_INDEX = "ix_observation_site_id_metric_written_start"
_SERIES = ("site_id", "area", "metric", "subject", "procedure")
_INSTANT = timedelta(microseconds=1)
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


def upgrade() -> None:
    """Apply."""
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in _COLUMNS:
                batch_op.add_column(sa.Column(column, sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.create_index(
            _INDEX,
            ["site_id", "metric", "written_start"],
            unique=False,
            sqlite_where=sa.text("written_start <> ''"),
            postgresql_where=sa.text("written_start <> ''"),
        )
    connection = op.get_bind()
    zones = _zones(connection)
    _fill(connection, zones, "observation", (*_SERIES, "period_start", "look_key"), "period_start", "period_end")
    _fill(connection, zones, "declared_baseline", ("key",), "window_start", "window_end")
    _fill(connection, zones, "note", ("key",), "starts_at", "ends_at")


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.drop_index(_INDEX)
    for table in reversed(_TABLES):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in reversed(_COLUMNS):
                batch_op.drop_column(column)


def _zones(connection: sa.Connection) -> dict[str, list[ZoneInfo]]:
    """The zones that each site has had, the newest first."""
    version = sa.table(
        "site_version", sa.column("site_id"), sa.column("version"), sa.column("feature", Json)
    )
    found: dict[str, list[ZoneInfo]] = {}
    for row in connection.execute(sa.select(version).order_by(version.c.version.desc())):
        zone = ZoneInfo(row.feature["properties"]["timezone"])
        found.setdefault(row.site_id, []).append(zone)
    return found


def _fill(
    connection: sa.Connection,
    zones: dict[str, list[ZoneInfo]],
    name: str,
    key: tuple[str, ...],
    start: str,
    end: str,
) -> None:
    times = {start, end, "period_start"}
    wanted = {*key, "site_id", "precision", start, end, "written_start", "written_end", "look_key", "evidence"}
    columns = [sa.column(each, UtcDateTime() if each in times else sa.Text()) for each in sorted(wanted)]
    table = sa.table(name, *columns)
    read = [table.c[each] for each in dict.fromkeys((*key, "site_id", "precision", start, end))]
    query = sa.select(*read).distinct()
    if name == "observation":
        # Looks of our own have no evidence of an import and are known by days or visits.
        imported = sa.cast(table.c.evidence, sa.Text()).like('%"import"%')
        query = query.where(
            sa.or_(table.c.look_key.like("import-%"), table.c.look_key.like("scene-%"), imported)
        )
    rows = list(_rows(connection, query, zones, key, start, end))
    if rows:
        same = [table.c[each] == sa.bindparam(f"b_{each}", type_=table.c[each].type) for each in key]
        change = table.update().where(*same).values(
            written_start=sa.bindparam("b_start"), written_end=sa.bindparam("b_end")
        )
        connection.execute(change, rows)


def _rows(
    connection: sa.Connection,
    query: sa.Select[Any],
    zones: dict[str, list[ZoneInfo]],
    key: tuple[str, ...],
    start: str,
    end: str,
) -> Iterator[dict[str, Any]]:
    for row in connection.execute(query):
        values = row._mapping  # noqa: SLF001 - the documented way to read a row by name
        first, last = _written(values[start], values[end], values["precision"], zones.get(values["site_id"], []))
        yield {**{f"b_{each}": values[each] for each in key}, "b_start": first, "b_end": last}


def _written(start: datetime, end: datetime, precision: str, zones: list[ZoneInfo]) -> tuple[str, str]:
    """A period as days of the first zone in which it begins and ends at midnight, else as times in UTC."""
    if precision not in _UNITS:
        for zone in zones:
            first, after = start.astimezone(zone), end.astimezone(zone)
            if _is_midnight(first) and _is_midnight(after) and start < end:
                return f"{first:%Y-%m-%d}", f"{(end - _INSTANT).astimezone(zone):%Y-%m-%d}"
    return start.isoformat(), (end - _UNITS.get(precision, timedelta())).isoformat()


def _is_midnight(at: datetime) -> bool:
    # Where clocks leap over midnight, the day begins when they have.
    return at.date() != (at.astimezone(ZoneInfo("UTC")) - _INSTANT).astimezone(at.tzinfo).date()
