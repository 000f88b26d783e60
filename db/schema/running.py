"""Messages owed, and what services and people keep between them."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from db.schema.base import metadata
from db.schema.types import BigId, Json, ToldJson, UtcDateTime

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("identity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("alert_id", Text),
    Column("event_seq", Integer),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_until", UtcDateTime),
    Column("not_before", UtcDateTime, nullable=False),
    Column("last_error", Text),
    Column("provider_ref", Text),
    Column("payload", ToldJson, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("pressing", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("identity"),
    CheckConstraint("kind in ('alert', 'notice')", name="kind"),
    CheckConstraint(
        "state in ('queued', 'sending', 'sent', 'dead', 'too_old', 'silenced', 'unrouted', 'gathered', 'bundled', 'joined')",
        name="state",
    ),
    ForeignKeyConstraint(["alert_id", "event_seq"], ["alert_event.alert_id", "alert_event.seq"]),
    Index("ix_delivery_state_not_before", "state", "not_before"),
    # Whoever was told of an alert hears how it goes on, and a cap counts what went out.
    Index("ix_delivery_channel_sent_at", "channel", "sent_at"),
    Index("ix_delivery_alert_id_event_seq", "alert_id", "event_seq"),
    Index("ix_delivery_created_at", "created_at"),
    Index("ix_delivery_sent_at", "sent_at"),
    Index(
        "ix_delivery_notice",
        *("channel", "reason", "id"),
        sqlite_where=text("kind = 'notice'"),
        postgresql_where=text("kind = 'notice'"),
    ),
)

channel_state = Table(
    "channel_state",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("not_before", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("last_error", Text),
    Column("updated_at", UtcDateTime, nullable=False),
)

silence = Table(
    "silence",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("site_id", Text, nullable=False),
    Column("metric", Text, nullable=False, server_default=""),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_by", Text, nullable=False, server_default=""),
    CheckConstraint("ends_at > starts_at", name="period"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("token", BigId, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("name", Text, nullable=False, server_default=""),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    CheckConstraint("role in ('read', 'write', 'admin')", name="role"),
)

api_request = Table(
    "api_request",
    metadata,
    Column("token", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("status", Integer),
    Column("answer", Json),
    Column("created_at", UtcDateTime, nullable=False),
)
