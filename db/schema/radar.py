"""What radar shows of sites, what asking for it has cost, and which of its measures may be judged."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text

from db.schema.base import metadata
from db.schema.types import Json, UtcDateTime

radar_look = Table(
    "radar_look",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("look_key", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("relative_orbit", Integer, nullable=False),
    Column("orbit_state", Text, nullable=False),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("drawn", Text, nullable=False),
    Column("numbers", Json, nullable=False),
    Column("codes", LargeBinary),
    Column("epsg", Integer, nullable=False),
    Column("fault", Text, nullable=False, server_default=""),
    Column("read_at", UtcDateTime, nullable=False),
    Index("ix_radar_look_site_id_acquired_at", "site_id", "acquired_at"),
)

units_spent = Table(
    "units_spent",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("units", Float, nullable=False),
    Column("estimated", Float, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("not_before", UtcDateTime),
    Column("words", Text, nullable=False, server_default=""),
)

radar_admission = Table(
    "radar_admission",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("area", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("procedure", Text, primary_key=True),
    Column("outline", Text, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("figures", Json, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)
