"""Versions of the sites, and the registry of changes."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text

from db.schema.base import metadata
from db.schema.types import Json, UtcDateTime

site_version = Table(
    "site_version",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("feature", Json, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index("ix_site_version_recorded_at", "recorded_at"),
)

change = Table(
    "change",
    metadata,
    Column("key", Text, primary_key=True),
    Column("site_id", Text, nullable=False, server_default=""),
    Column("what", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("note", Text, nullable=False, server_default=""),
    Column("recorded_at", UtcDateTime, nullable=False),
    CheckConstraint("effect in ('break', 'exclude', 'note')", name="effect"),
    Index("ix_change_site_id_starts_at", "site_id", "starts_at"),
)
