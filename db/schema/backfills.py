"""How far archives were loaded."""

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, Table, Text

from db.schema.base import metadata
from db.schema.types import Json, UtcDateTime

backfill_part = Table(
    "backfill_part",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("aircraft", Integer, nullable=False),
    Column("fixes", Integer, nullable=False),
    Column("heard", Json, nullable=False),
    Column("nearby", Json, nullable=False),
    Column("rejected", Json, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
)

backfill_day = Table(
    "backfill_day",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("aircraft", Integer),
    Column("fixes", Integer),
    CheckConstraint("state in ('reading', 'recording', 'done')", name="state"),
)
