"""Published statements without a date say so: nobody knows when they were said, but not before their period had ended.

What was imported without one is found by its time: the midnight after its period, by the clock of its days.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNDATED = "The date of publication is not known: it was known at the earliest when the period had ended."
_INSTANT = timedelta(microseconds=1)
_OBSERVATION = (
    *("site_id", "area", "metric", "subject", "procedure"),
    *("period_start", "look_key", "revision"),
)
_TABLES = (
    ("observation", _OBSERVATION, "note", "period_start", "period_end"),
    ("declared_baseline", ("key", "revision"), "note", "window_start", "window_end"),
    ("note", ("key", "revision"), "text", "starts_at", "ends_at"),
)


def upgrade() -> None:
    """Apply."""
    connection = op.get_bind()
    zones = _zones(connection)
    for name, key, text, start, end in _TABLES:
        table = _table(name, key, text, start, end)
        rows = list(_undated(connection, table, zones, key, (text, start, end)))
        if rows:
            _write(connection, table, key, text, rows)


def downgrade() -> None:
    """Take back."""
    connection = op.get_bind()
    for name, key, text, start, end in _TABLES:
        table = _table(name, key, text, start, end)
        query = sa.select(table).where(table.c[text].like(f"%{UNDATED}"))
        rows = [
            {
                **{f"b_{each}": row[each] for each in key},
                "b_text": str(row[text]).removesuffix(UNDATED).rstrip(),
            }
            for row in connection.execute(query).mappings()
        ]
        if rows:
            _write(connection, table, key, text, rows)


def _table(name: str, key: tuple[str, ...], text: str, start: str, end: str) -> sa.TableClause:
    times = {start, end, "period_start", "result_time"}
    source = "evidence" if name == "observation" else "url"
    names = sorted(
        {*key, "site_id", "publisher", source, "written_start", "zone", "result_time", text, start, end}
    )
    return sa.table(name, *(sa.column(each, _type(each, times)) for each in names))


def _type(name: str, times: set[str]) -> Any:
    return UtcDateTime() if name in times else sa.Integer() if name == "revision" else sa.Text()


def _zones(connection: sa.Connection) -> dict[str, tzinfo]:
    """The newest zone of each site."""
    version = sa.table(
        "site_version", sa.column("site_id"), sa.column("version"), sa.column("feature", Json)
    )
    return {
        row.site_id: ZoneInfo(row.feature["properties"]["timezone"])
        for row in connection.execute(sa.select(version).order_by(version.c.version))
    }


def _undated(
    connection: sa.Connection,
    table: sa.TableClause,
    zones: dict[str, tzinfo],
    key: tuple[str, ...],
    columns: tuple[str, str, str],
) -> Iterator[dict[str, Any]]:
    text, start, end = columns
    # A publisher without a name is known by the address.
    address = sa.cast(table.c.evidence, sa.Text()).like('%"url"%') if "evidence" in table.c else table.c.url != ""
    query = sa.select(table).where(sa.or_(table.c.publisher != "", address), table.c.written_start != "")
    for row in connection.execute(query).mappings():
        zone = _zone(row["zone"]) or zones.get(row["site_id"])
        if zone is not None and row["result_time"] == _midnight_after(row[start], row[end], zone):
            said = f"{row[text]} {UNDATED}".lstrip()
            yield {**{f"b_{each}": row[each] for each in key}, "b_text": said}


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    if name[0] in "+-":
        hours, minutes = name[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)


def _midnight_after(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    after = max(start, end - _INSTANT).astimezone(zone).date() + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=zone)


def _write(
    connection: sa.Connection,
    table: sa.TableClause,
    key: tuple[str, ...],
    text: str,
    rows: list[dict[str, Any]],
) -> None:
    same = [table.c[each] == sa.bindparam(f"b_{each}", type_=table.c[each].type) for each in key]
    connection.execute(table.update().where(*same).values({text: sa.bindparam("b_text")}), rows)
