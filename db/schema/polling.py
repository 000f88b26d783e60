"""What was asked, what came, and how long it was watched."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from db.schema.base import metadata
from db.schema.types import BigId, Json, UtcDateTime

poll = Table(
    "poll",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("provider", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("slot", BigId, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("outcome", Text),
    Column("http_status", Integer),
    Column("item_count", Integer),
    Column("feed_time", UtcDateTime),
    Column("error", Text),
    # Of the answer as it came, nothing of which is kept but extracts.
    Column("answer_sha256", Text),
    Column("answer_size", Integer),
    # False while its position reports or scenes still wait to be turned into visits and looks.
    Column("derived", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("provider", "scope", "slot", "purpose", "sequence"),
    CheckConstraint("outcome in ('ok', 'empty', 'failed')", name="outcome"),
    CheckConstraint("purpose in ('data', 'canary', 'token', 'page')", name="purpose"),
    CheckConstraint("outcome is not null or finished_at is null", name="finished"),
    Index("ix_poll_started_at", "started_at"),
    Index("ix_poll_provider_started_at", "provider", "started_at"),
    Index(
        "ix_poll_unfinished",
        "started_at",
        sqlite_where=text("outcome is null"),
        postgresql_where=text("outcome is null"),
    ),
    Index("ix_poll_provider_scope_started_at", "provider", "scope", "started_at"),
    # The work list of the derivation, short however many polls there are.
    Index(
        "ix_poll_underived",
        "started_at",
        sqlite_where=text("not derived and purpose = 'data'"),
        postgresql_where=text("not derived and purpose = 'data'"),
    ),
)

extract = Table(
    "extract",
    metadata,
    Column("poll_id", BigId, primary_key=True, autoincrement=False),
    Column("icao24", Text, primary_key=True),
    # The rows as the provider wrote them, of the fields that are used and of no others.
    Column("rows", Json, nullable=False),
    Column("request", Text, nullable=False),
    Column("redistribute", Boolean, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_extract_received_at", "received_at"),
    Index("ix_extract_icao24", "icao24"),
)

receiver_hour = Table(
    "receiver_hour",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    # Degrees, degrees, feet: nothing that tells whose they are.
    Column("heard", Json, nullable=False),
)

coverage_hour = Table(
    "coverage_hour",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("site_id", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("expected_s", Integer, nullable=False),
    Column("observed_s", Integer, nullable=False),
    Column("degraded", Boolean, nullable=False, server_default=text("false")),
    Column("reports_nearby", Integer, nullable=False, server_default="0"),
    Index("ix_coverage_hour_site_id_hour", "site_id", "hour"),
    Index("ix_coverage_hour_hour", "hour"),
)

rejection = Table(
    "rejection",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Index("ix_rejection_hour", "hour"),
)

blind_period = Table(
    "blind_period",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("since", UtcDateTime, primary_key=True),
    Column("noticed_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    CheckConstraint("ended_at is null or ended_at > since", name="ended"),
)

provider_state = Table(
    "provider_state",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("health", Text, nullable=False),
    Column("not_before", UtcDateTime),
    Column("retry_at", UtcDateTime),
    Column("last_ok_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("last_error", Text),
    Column("feed_time", UtcDateTime),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("credits", Json),
    Column("updated_at", UtcDateTime, nullable=False),
    CheckConstraint("health in ('unknown', 'ok', 'failing', 'disabled')", name="health"),
)
