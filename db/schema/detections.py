"""What others found in their images and sensors."""

from sqlalchemy import Boolean, CheckConstraint, Column, Float, Index, Integer, Table, Text

from db.schema.base import metadata
from db.schema.types import BigId, Json, UtcDateTime

detection = Table(
    "detection",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("site_id", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("detection_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("detected_class", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("look_key", Text, nullable=False),
    Column("look_start", UtcDateTime, nullable=False),
    Column("look_end", UtcDateTime, nullable=False),
    Column("precision", Text, nullable=False),
    Column("amount", Float, nullable=False),
    Column("areas", Json, nullable=False),
    Column("score", Float),
    Column("scene", Text, nullable=False, server_default=""),
    Column("whole", Boolean, nullable=False),
    Column("coverage", Float),
    Column("remark", Text, nullable=False, server_default=""),
    Column("poll_id", BigId),
    Column("recorded_at", UtcDateTime, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    Index("ix_detection_site_id_at", "site_id", "at"),
    Index("ix_detection_look", "site_id", "provider", "metric", "look_key"),
    Index("ix_detection_poll_id", "poll_id"),
)
