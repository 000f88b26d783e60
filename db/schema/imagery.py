"""Scenes, what was found in them, and the pictures and pixels taken out of them."""

from sqlalchemy import Boolean, CheckConstraint, Column, Float, Index, Integer, LargeBinary, Table, Text

from db.schema.base import metadata
from db.schema.types import BigId, Json, UtcDateTime


def _failures_of(name: str) -> Table:
    """Scenes that could not be read over a site, as `SceneFailure` has them: of pictures, and of pixels."""
    return Table(
        name,
        metadata,
        Column("site_id", Text, primary_key=True),
        Column("provider", Text, primary_key=True),
        Column("collection", Text, primary_key=True),
        Column("item_id", Text, primary_key=True),
        Column("acquired_at", UtcDateTime, nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("failed_at", UtcDateTime, nullable=False),
        Column("not_before", UtcDateTime, nullable=False),
        CheckConstraint("reason <> ''", name="reason"),
    )


scene = Table(
    "scene",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("site_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("look_key", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("sensor", Text, nullable=False, server_default=""),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("cloud_share", Float),
    Column("covered_share", Float, nullable=False),
    Column("footprint", Json),
    Column("links", Json, nullable=False),
    Column("properties", Json, nullable=False),
    Column("poll_id", BigId),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index("ix_scene_site_id_acquired_at", "site_id", "acquired_at"),
    Index("ix_scene_poll_id", "poll_id"),
)

cutout = Table(
    "cutout",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("scene_version", Integer, nullable=False),
    Column("platform", Text, nullable=False),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("png", LargeBinary, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("metres_per_pixel", Float, nullable=False),
    Column("bounds", Json, nullable=False),
    Column("shown_share", Float, nullable=False),
    Column("outline", Text, nullable=False),
    Column("attribution", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    CheckConstraint("shown_share >= 0 and shown_share <= 1", name="shown_share"),
    Index("ix_cutout_site_id_acquired_at", "site_id", "acquired_at"),
    # Nor any picture, to learn when and how it was made.
    Index("ix_cutout_site_id_made_at", "site_id", "made_at"),
    Index("ix_cutout_made_at", "made_at"),
    Index("ix_cutout_acquired_at", "acquired_at", "site_id", "outline"),
)

cutout_failure = _failures_of("cutout_failure")

pixel_look = Table(
    "pixel_look",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("look_key", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("sensor", Text, nullable=False),
    Column("acquired_at", UtcDateTime, nullable=False),
    Column("grid", Text, nullable=False),
    Column("epsg", Integer, nullable=False),
    Column("classes", LargeBinary, nullable=False),
    Column("codes", LargeBinary),
    Column("state", LargeBinary),
    Column("shares", Json, nullable=False),
    Column("facts", Json, nullable=False),
    Column("fault", Text, nullable=False, server_default=""),
    Column("spent_bytes", BigId, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
    Index("ix_pixel_look_site_id_acquired_at", "site_id", "acquired_at"),
    # So that no pixel has to be passed by to learn when it was read.
    Index("ix_pixel_look_site_id_read_at", "site_id", "read_at"),
)

pixel_failure = _failures_of("pixel_failure")

pixels_read = Table(
    "pixels_read",
    metadata,
    Column("day", Text, primary_key=True),
    Column("read_bytes", BigId, nullable=False),
    Column("requests", Integer, nullable=False),
)

measure_admission = Table(
    "measure_admission",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("area", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("outline", Text, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("clear_looks", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("figures", Json, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)
