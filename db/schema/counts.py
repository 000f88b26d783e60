"""Series, their looks, and what others stated of them."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from db.schema.base import SERIES_KEY, metadata, series_columns
from db.schema.types import BigId, Json, UtcDateTime


def _written_columns() -> list[Column[str]]:
    """The columns that keep a period as it was written; every table needs its own."""
    names = ("written_start", "written_end", "zone")
    return [Column(name, Text, nullable=False, server_default="") for name in names]


series = Table(
    "series",
    metadata,
    *series_columns(),
    Column("kind", Text, nullable=False),
    # The longest period of any look, so that a stretch of time is found by where periods begin.
    Column("longest_us", BigId, nullable=False, server_default=text("0")),
    CheckConstraint("kind in ('flow', 'stock')", name="kind"),
)

metric = Table(
    "metric",
    metadata,
    Column("name", Text, primary_key=True),
    Column("measure", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("one", Text, nullable=False),
    Column("many", Text, nullable=False),
    Column("heading", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    CheckConstraint("measure in ('count', 'continuous')", name="measure"),
    CheckConstraint("kind in ('flow', 'stock')", name="kind"),
)

observation = Table(
    "observation",
    metadata,
    *series_columns(),
    Column("period_start", UtcDateTime, primary_key=True),
    Column("look_key", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("period_end", UtcDateTime, nullable=False),
    Column("precision", Text, nullable=False),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("qualifier", Text, nullable=False, server_default="="),
    Column("assessable", Boolean),
    Column("exposure", Float),
    Column("exposure_parts", Json, nullable=False),
    Column("detectability", Float),
    Column("closed", Boolean, nullable=False),
    Column("result_time", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("publisher", Text, nullable=False, server_default=""),
    Column("origin", Text, nullable=False, server_default=""),
    Column("via", Text, nullable=False, server_default=""),
    Column("certainty", Text, nullable=False, server_default=""),
    Column("announced", Boolean, nullable=False, server_default=text("false")),
    Column("evidence", Json, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    *_written_columns(),
    # True until the rules have said something of it; of old rows those wait that have no verdict.
    Column("waiting", Boolean, nullable=False, default=True, server_default=text("false")),
    ForeignKeyConstraint(SERIES_KEY, [f"series.{name}" for name in SERIES_KEY]),
    CheckConstraint("period_end >= period_start", name="period"),
    CheckConstraint("exposure is null or (exposure >= 0 and exposure <= 1)", name="exposure"),
    CheckConstraint("value is null or value >= 0", name="value"),
    Index("ix_observation_result_time", "result_time"),
    # The work list of judging, short however many looks there are.
    Index(
        "ix_observation_waiting",
        "result_time",
        sqlite_where=text("waiting"),
        postgresql_where=text("waiting"),
    ),
    # Open pages ask every few seconds whether anything was added.
    Index("ix_observation_recorded_at", "recorded_at"),
    Index("ix_observation_site_id_metric_period_start", "site_id", "metric", "period_start"),
    Index(
        "ix_observation_site_id_metric_written_start",
        *("site_id", "metric", "written_start"),
        sqlite_where=text("written_start <> ''"),
        postgresql_where=text("written_start <> ''"),
    ),
)

declared_baseline = Table(
    "declared_baseline",
    metadata,
    Column("key", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("area", Text, nullable=False, server_default=""),
    Column("metric", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("procedure", Text, nullable=False),
    Column("statistic", Text, nullable=False),
    Column("value", Float),
    Column("n_looks", Integer),
    Column("window_start", UtcDateTime, nullable=False),
    Column("window_end", UtcDateTime, nullable=False),
    Column("precision", Text, nullable=False),
    Column("result_time", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("publisher", Text, nullable=False, server_default=""),
    Column("via", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False, server_default=""),
    Column("certainty", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    *_written_columns(),
    CheckConstraint("statistic in ('max', 'none_before', 'last_seen', 'share')", name="statistic"),
    Index("ix_declared_baseline_site_id_metric", "site_id", "metric"),
    Index("ix_declared_baseline_recorded_at", "recorded_at"),
)

note = Table(
    "note",
    metadata,
    Column("key", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("area", Text, nullable=False, server_default=""),
    Column("metric", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("precision", Text, nullable=False),
    Column("result_time", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("publisher", Text, nullable=False, server_default=""),
    Column("via", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False, server_default=""),
    Column("certainty", Text, nullable=False, server_default=""),
    Column("announced", Boolean, nullable=False, server_default=text("false")),
    Column("text", Text, nullable=False, server_default=""),
    *_written_columns(),
    Index("ix_note_site_id_starts_at", "site_id", "starts_at"),
    Index("ix_note_recorded_at", "recorded_at"),
)
