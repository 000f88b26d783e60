"""Verdicts, what rules remember, and alerts with their life."""

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

from db.schema.base import metadata, series_columns
from db.schema.types import Json, ToldJson, UtcDateTime

evaluation = Table(
    "evaluation",
    metadata,
    *series_columns(),
    Column("period_start", UtcDateTime, primary_key=True),
    Column("look_key", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("exceeded", Boolean, nullable=False),
    Column("details", ToldJson, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    CheckConstraint(
        "status in ('evaluated', 'not_observed', 'cannot_tell', 'baseline_broken', 'suppressed', 'no_rule')",
        name="status",
    ),
    # Once a day the newest year's scores of each rule are read.
    Index("ix_evaluation_rule_as_of", "rule", "as_of"),
    Index("ix_evaluation_recorded_at", "recorded_at"),
)

rule_state = Table(
    "rule_state",
    metadata,
    *series_columns(),
    Column("rule", Text, primary_key=True),
    Column("state", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("site_id", Text, nullable=False),
    Column("site_name", Text, nullable=False),
    Column("area", Text, nullable=False, server_default=""),
    Column("metric", Text, nullable=False),
    Column("group_key", Text, nullable=False, server_default=""),
    Column("subjects", Json, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rules", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("phenomenon_time", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("last_look_at", UtcDateTime, nullable=False),
    Column("value", Float),
    Column("peak", Float),
    Column("baseline", ToldJson, nullable=False),
    Column("headline", Text, nullable=False),
    Column("confidence", Text, nullable=False, server_default=""),
    Column("details", ToldJson, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", Text, nullable=False, server_default=""),
    Column("events", Integer, nullable=False),
    CheckConstraint("status in ('open', 'resolved', 'withdrawn', 'lapsed')", name="status"),
    CheckConstraint("(status = 'open') = (closed_at is null)", name="closed"),
    Index(
        "uq_alert_open_fingerprint",
        "fingerprint",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
    Index("ix_alert_fingerprint", "fingerprint"),
    Index("ix_alert_site_id_opened_at", "site_id", "opened_at"),
    # Alerts of one metric and day are looked for when several open at once.
    Index("ix_alert_metric_phenomenon_time", "metric", "phenomenon_time"),
    Index("ix_alert_opened_at", "opened_at"),
    Index("ix_alert_incident_id", "incident_id"),
    Index("ix_alert_closed_at", "closed_at"),
    Index(
        "ix_alert_open",
        "last_look_at",
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

shared_cause = Table(
    "shared_cause",
    metadata,
    Column("id", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("metric", Text, nullable=False),
    Column("sort", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("headline", Text, nullable=False),
    Column("alert_ids", Json, nullable=False),
    Column("details", ToldJson, nullable=False),
    CheckConstraint("side in ('high', 'low')", name="side"),
)

shared_cause_alert = Table(
    "shared_cause_alert",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("cause_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["alert_id"], ["alert.id"]),
)

alert_event = Table(
    "alert_event",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("value", Float),
    Column("subject", Text),
    Column("procedure", Text),
    Column("period_start", UtcDateTime),
    Column("look_key", Text),
    Column("revision", Integer),
    Column("visit_id", Text),
    Column("visit_version", Integer),
    Column("details", ToldJson, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["alert_id"], ["alert.id"]),
    CheckConstraint(
        "kind in ('opened', 'amended', 'corroborated', 'acknowledged', 'resolved', 'withdrawn', 'lapsed')",
        name="kind",
    ),
    # Open pages ask every few seconds whether anything was added.
    Index("ix_alert_event_recorded_at", "recorded_at"),
)
