"""The first schema."""

import sqlalchemy as sa
from alembic import op

import db.schema.types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alert",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("site_name", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), server_default="", nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), server_default="", nullable=False),
        sa.Column("subjects", db.schema.types.Json, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rules", db.schema.types.Json, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phenomenon_time", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("opened_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_look_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("peak", sa.Float(), nullable=True),
        sa.Column("baseline", db.schema.types.Json, nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Text(), server_default="", nullable=False),
        sa.Column("details", db.schema.types.Json, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), server_default="", nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'open') = (closed_at is null)", name=op.f("ck_alert_closed")),
        sa.CheckConstraint(
            "status in ('open', 'resolved', 'withdrawn', 'lapsed')", name=op.f("ck_alert_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("ix_alert_fingerprint", ["fingerprint"], unique=False)
        batch_op.create_index("ix_alert_site_id_opened_at", ["site_id", "opened_at"], unique=False)
        batch_op.create_index(
            "uq_alert_open_fingerprint",
            ["fingerprint"],
            unique=True,
            sqlite_where=sa.text("status = 'open'"),
            postgresql_where=sa.text("status = 'open'"),
        )

    op.create_table(
        "blind_period",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("since", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("noticed_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("ended_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("ended_at is null or ended_at > since", name=op.f("ck_blind_period_ended")),
        sa.PrimaryKeyConstraint("site_id", "since", name=op.f("pk_blind_period")),
    )
    op.create_table(
        "change",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), server_default="", nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("starts_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("ends_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("effect in ('break', 'exclude', 'note')", name=op.f("ck_change_effect")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_site_id_starts_at", ["site_id", "starts_at"], unique=False)

    op.create_table(
        "channel_state",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("not_before", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("failing_since", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("updated_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_state")),
    )
    op.create_table(
        "coverage_hour",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("hour", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("expected_s", sa.Integer(), nullable=False),
        sa.Column("observed_s", sa.Integer(), nullable=False),
        sa.Column("degraded", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("reports_nearby", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("provider", "site_id", "hour", name=op.f("pk_coverage_hour")),
    )
    with op.batch_alter_table("coverage_hour", schema=None) as batch_op:
        batch_op.create_index("ix_coverage_hour_site_id_hour", ["site_id", "hour"], unique=False)

    op.create_table(
        "cutout",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("scene_version", sa.Integer(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("acquired_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("metres_per_pixel", sa.Float(), nullable=False),
        sa.Column("bounds", db.schema.types.Json, nullable=False),
        sa.Column("shown_share", sa.Float(), nullable=False),
        sa.Column("outline", sa.Text(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.Column("made_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("shown_share >= 0 and shown_share <= 1", name=op.f("ck_cutout_shown_share")),
        sa.PrimaryKeyConstraint("site_id", "provider", "collection", "item_id", name=op.f("pk_cutout")),
    )
    with op.batch_alter_table("cutout", schema=None) as batch_op:
        batch_op.create_index("ix_cutout_site_id_acquired_at", ["site_id", "acquired_at"], unique=False)

    op.create_table(
        "cutout_failure",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("acquired_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("not_before", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_cutout_failure_reason")),
        sa.PrimaryKeyConstraint(
            "site_id", "provider", "collection", "item_id", name=op.f("pk_cutout_failure")
        ),
    )
    op.create_table(
        "declared_baseline",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), server_default="", nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("statistic", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("n_looks", sa.Integer(), nullable=True),
        sa.Column("window_start", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("window_end", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("result_time", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("publisher", sa.Text(), server_default="", nullable=False),
        sa.Column("via", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("certainty", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "statistic in ('max', 'none_before', 'last_seen', 'share')",
            name=op.f("ck_declared_baseline_statistic"),
        ),
        sa.PrimaryKeyConstraint("key", "revision", name=op.f("pk_declared_baseline")),
    )
    with op.batch_alter_table("declared_baseline", schema=None) as batch_op:
        batch_op.create_index("ix_declared_baseline_site_id_metric", ["site_id", "metric"], unique=False)

    op.create_table(
        "detection",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("detected_class", sa.Text(), nullable=False),
        sa.Column("at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("geometry", db.schema.types.Json, nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("scene", sa.Text(), server_default="", nullable=False),
        sa.Column("properties", db.schema.types.Json, nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection")),
    )
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.create_index("ix_detection_site_id_at", ["site_id", "at"], unique=False)

    op.create_table(
        "evaluation",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("period_start", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("look_key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("exceeded", sa.Boolean(), nullable=False),
        sa.Column("details", db.schema.types.Json, nullable=False),
        sa.Column("as_of", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "status in ('evaluated', 'not_observed', 'cannot_tell', 'baseline_broken', 'suppressed', 'no_rule')",
            name=op.f("ck_evaluation_status"),
        ),
        sa.PrimaryKeyConstraint(
            "site_id",
            "area",
            "metric",
            "subject",
            "procedure",
            "period_start",
            "look_key",
            "revision",
            "rule",
            name=op.f("pk_evaluation"),
        ),
    )
    op.create_table(
        "fix",
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("on_ground", sa.Boolean(), nullable=True),
        sa.Column("altitude_ft", sa.Float(), nullable=True),
        sa.Column("altitude_geom_ft", sa.Float(), nullable=True),
        sa.Column("ground_speed_kt", sa.Float(), nullable=True),
        sa.Column("track_deg", sa.Float(), nullable=True),
        sa.Column("vertical_rate_fpm", sa.Float(), nullable=True),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("nic", sa.Integer(), nullable=True),
        sa.Column("nac_p", sa.Integer(), nullable=True),
        sa.Column("callsign", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("db_flags", sa.Integer(), server_default="0", nullable=False),
        sa.Column("poll_id", db.schema.types.BigId, nullable=True),
        sa.PrimaryKeyConstraint("icao24", "at", "provider", name=op.f("pk_fix")),
    )
    with op.batch_alter_table("fix", schema=None) as batch_op:
        batch_op.create_index("ix_fix_at", ["at"], unique=False)
        batch_op.create_index("ix_fix_poll_id", ["poll_id"], unique=False)
        batch_op.create_index("ix_fix_received_at", ["received_at"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", db.schema.types.BigId, nullable=False),
        sa.Column("expires_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "note",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), server_default="", nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("ends_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("result_time", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("publisher", sa.Text(), server_default="", nullable=False),
        sa.Column("via", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("certainty", sa.Text(), server_default="", nullable=False),
        sa.Column("announced", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("key", "revision", name=op.f("pk_note")),
    )
    with op.batch_alter_table("note", schema=None) as batch_op:
        batch_op.create_index("ix_note_site_id_starts_at", ["site_id", "starts_at"], unique=False)

    op.create_table(
        "payload",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("redistribute", sa.Boolean(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("cited", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload")),
    )
    with op.batch_alter_table("payload", schema=None) as batch_op:
        batch_op.create_index("ix_payload_received_at", ["received_at"], unique=False)

    op.create_table(
        "poll",
        sa.Column("id", db.schema.types.BigId, autoincrement=True, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("slot", db.schema.types.BigId, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("item_count", sa.Integer(), nullable=True),
        sa.Column("feed_time", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("payload_sha256", sa.Text(), nullable=True),
        sa.Column("derived", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.CheckConstraint("outcome in ('ok', 'empty', 'failed')", name=op.f("ck_poll_outcome")),
        sa.CheckConstraint("purpose in ('data', 'canary', 'token', 'page')", name=op.f("ck_poll_purpose")),
        sa.CheckConstraint("outcome is not null or finished_at is null", name=op.f("ck_poll_finished")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poll")),
        sa.UniqueConstraint(
            "provider",
            "scope",
            "slot",
            "purpose",
            "sequence",
            name=op.f("uq_poll_provider_scope_slot_purpose_sequence"),
        ),
    )
    with op.batch_alter_table("poll", schema=None) as batch_op:
        batch_op.create_index(
            "ix_poll_provider_scope_started_at", ["provider", "scope", "started_at"], unique=False
        )
        batch_op.create_index("ix_poll_provider_started_at", ["provider", "started_at"], unique=False)
        batch_op.create_index(
            "ix_poll_underived",
            ["started_at"],
            unique=False,
            sqlite_where=sa.text("not derived and purpose = 'data'"),
            postgresql_where=sa.text("not derived and purpose = 'data'"),
        )

    op.create_table(
        "provider_state",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("not_before", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("retry_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_ok_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("failing_since", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("feed_time", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("credits", db.schema.types.Json, nullable=True),
        sa.Column("updated_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "health in ('unknown', 'ok', 'failing', 'disabled')", name=op.f("ck_provider_state_health")
        ),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_state")),
    )
    op.create_table(
        "rule_state",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("state", db.schema.types.Json, nullable=False),
        sa.Column("updated_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "site_id", "area", "metric", "subject", "procedure", "rule", name=op.f("pk_rule_state")
        ),
    )
    op.create_table(
        "scene",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("look_key", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("sensor", sa.Text(), server_default="", nullable=False),
        sa.Column("acquired_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("published_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("updated_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("cloud_share", sa.Float(), nullable=True),
        sa.Column("covered_share", sa.Float(), nullable=False),
        sa.Column("footprint", db.schema.types.Json, nullable=True),
        sa.Column("links", db.schema.types.Json, nullable=False),
        sa.Column("properties", db.schema.types.Json, nullable=False),
        sa.Column("poll_id", db.schema.types.BigId, nullable=True),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "provider", "collection", "item_id", "site_id", "version", name=op.f("pk_scene")
        ),
    )
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.create_index("ix_scene_poll_id", ["poll_id"], unique=False)
        batch_op.create_index("ix_scene_site_id_acquired_at", ["site_id", "acquired_at"], unique=False)

    op.create_table(
        "series",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.CheckConstraint("kind in ('flow', 'stock')", name=op.f("ck_series_kind")),
        sa.PrimaryKeyConstraint("site_id", "area", "metric", "subject", "procedure", name=op.f("pk_series")),
    )
    op.create_table(
        "silence",
        sa.Column("id", db.schema.types.BigId, autoincrement=True, nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("ends_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_silence_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_table(
        "site_version",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("feature", db.schema.types.Json, nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "version", name=op.f("pk_site_version")),
    )
    op.create_table(
        "token",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("revoked_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("role in ('read', 'write', 'admin')", name=op.f("ck_token_role")),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_token")),
    )
    op.create_table(
        "visit",
        sa.Column("visit_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("arrived_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("departed_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("first_fix_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_fix_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("callsign", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("subjects", db.schema.types.Json, nullable=False),
        sa.Column("candidates", db.schema.types.Json, nullable=False),
        sa.Column("evidence", db.schema.types.Json, nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_visit")),
    )
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.create_index("ix_visit_icao24_last_fix_at", ["icao24", "last_fix_at"], unique=False)
        batch_op.create_index("ix_visit_site_id_arrived_at", ["site_id", "arrived_at"], unique=False)
        batch_op.create_index("ix_visit_site_id_last_fix_at", ["site_id", "last_fix_at"], unique=False)
        batch_op.create_index("ix_visit_site_id_state", ["site_id", "state"], unique=False)

    op.create_table(
        "visit_version",
        sa.Column("visit_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("arrived_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("departed_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("first_fix_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_fix_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("callsign", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("subjects", db.schema.types.Json, nullable=False),
        sa.Column("candidates", db.schema.types.Json, nullable=False),
        sa.Column("evidence", db.schema.types.Json, nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state in ('lost_toward', 'presumed', 'present', 'confirmed', 'departed', 'through_flight', 'diverted', 'withdrawn')",
            name=op.f("ck_visit_version_state"),
        ),
        sa.CheckConstraint("confidence between 1 and 4", name=op.f("ck_visit_version_confidence")),
        sa.PrimaryKeyConstraint("visit_id", "version", name=op.f("pk_visit_version")),
    )
    op.create_table(
        "alert_event",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("procedure", sa.Text(), nullable=True),
        sa.Column("period_start", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("look_key", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("visit_id", sa.Text(), nullable=True),
        sa.Column("visit_version", sa.Integer(), nullable=True),
        sa.Column("details", db.schema.types.Json, nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind in ('opened', 'amended', 'corroborated', 'acknowledged', 'resolved', 'withdrawn', 'lapsed')",
            name=op.f("ck_alert_event_kind"),
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_alert_event_alert_id")),
        sa.PrimaryKeyConstraint("alert_id", "seq", name=op.f("pk_alert_event")),
    )
    op.create_table(
        "observation",
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("period_start", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("look_key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("period_end", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("qualifier", sa.Text(), server_default="=", nullable=False),
        sa.Column("assessable", sa.Boolean(), nullable=True),
        sa.Column("exposure", sa.Float(), nullable=True),
        sa.Column("exposure_parts", db.schema.types.Json, nullable=False),
        sa.Column("detectability", sa.Float(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("result_time", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("recorded_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("publisher", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("via", sa.Text(), server_default="", nullable=False),
        sa.Column("certainty", sa.Text(), server_default="", nullable=False),
        sa.Column("announced", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("evidence", db.schema.types.Json, nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "exposure is null or (exposure >= 0 and exposure <= 1)", name=op.f("ck_observation_exposure")
        ),
        sa.CheckConstraint("period_end >= period_start", name=op.f("ck_observation_period")),
        sa.CheckConstraint("value is null or value >= 0", name=op.f("ck_observation_value")),
        sa.ForeignKeyConstraint(
            ["site_id", "area", "metric", "subject", "procedure"],
            ["series.site_id", "series.area", "series.metric", "series.subject", "series.procedure"],
            name=op.f("fk_observation_site_id_area_metric_subject_procedure"),
        ),
        sa.PrimaryKeyConstraint(
            "site_id",
            "area",
            "metric",
            "subject",
            "procedure",
            "period_start",
            "look_key",
            "revision",
            name=op.f("pk_observation"),
        ),
    )
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.create_index("ix_observation_recorded_at", ["recorded_at"], unique=False)
        batch_op.create_index("ix_observation_result_time", ["result_time"], unique=False)
        batch_op.create_index(
            "ix_observation_site_id_metric_period_start", ["site_id", "metric", "period_start"], unique=False
        )

    op.create_table(
        "delivery",
        sa.Column("id", db.schema.types.BigId, autoincrement=True, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=True),
        sa.Column("event_seq", sa.Integer(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("not_before", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("payload", db.schema.types.Json, nullable=False),
        sa.Column("created_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("sent_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("kind in ('alert', 'notice')", name=op.f("ck_delivery_kind")),
        sa.CheckConstraint(
            "state in ('queued', 'sending', 'sent', 'dead', 'too_old', 'silenced')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(
            ["alert_id", "event_seq"],
            ["alert_event.alert_id", "alert_event.seq"],
            name=op.f("fk_delivery_alert_id_event_seq"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("identity", name=op.f("uq_delivery_identity")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_state_not_before", ["state", "not_before"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_state_not_before")

    op.drop_table("delivery")
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.drop_index("ix_observation_site_id_metric_period_start")
        batch_op.drop_index("ix_observation_result_time")
        batch_op.drop_index("ix_observation_recorded_at")

    op.drop_table("observation")
    op.drop_table("alert_event")
    op.drop_table("visit_version")
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.drop_index("ix_visit_site_id_state")
        batch_op.drop_index("ix_visit_site_id_last_fix_at")
        batch_op.drop_index("ix_visit_site_id_arrived_at")
        batch_op.drop_index("ix_visit_icao24_last_fix_at")

    op.drop_table("visit")
    op.drop_table("token")
    op.drop_table("site_version")
    op.drop_table("silence")
    op.drop_table("series")
    with op.batch_alter_table("scene", schema=None) as batch_op:
        batch_op.drop_index("ix_scene_site_id_acquired_at")
        batch_op.drop_index("ix_scene_poll_id")

    op.drop_table("scene")
    op.drop_table("rule_state")
    op.drop_table("provider_state")
    with op.batch_alter_table("poll", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_poll_underived",
            sqlite_where=sa.text("not derived and purpose = 'data'"),
            postgresql_where=sa.text("not derived and purpose = 'data'"),
        )
        batch_op.drop_index("ix_poll_provider_started_at")
        batch_op.drop_index("ix_poll_provider_scope_started_at")

    op.drop_table("poll")
    with op.batch_alter_table("payload", schema=None) as batch_op:
        batch_op.drop_index("ix_payload_received_at")

    op.drop_table("payload")
    with op.batch_alter_table("note", schema=None) as batch_op:
        batch_op.drop_index("ix_note_site_id_starts_at")

    op.drop_table("note")
    op.drop_table("lease")
    with op.batch_alter_table("fix", schema=None) as batch_op:
        batch_op.drop_index("ix_fix_received_at")
        batch_op.drop_index("ix_fix_poll_id")
        batch_op.drop_index("ix_fix_at")

    op.drop_table("fix")
    op.drop_table("evaluation")
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.drop_index("ix_detection_site_id_at")

    op.drop_table("detection")
    with op.batch_alter_table("declared_baseline", schema=None) as batch_op:
        batch_op.drop_index("ix_declared_baseline_site_id_metric")

    op.drop_table("declared_baseline")
    op.drop_table("cutout_failure")
    with op.batch_alter_table("cutout", schema=None) as batch_op:
        batch_op.drop_index("ix_cutout_site_id_acquired_at")

    op.drop_table("cutout")
    with op.batch_alter_table("coverage_hour", schema=None) as batch_op:
        batch_op.drop_index("ix_coverage_hour_site_id_hour")

    op.drop_table("coverage_hour")
    op.drop_table("channel_state")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("ix_change_site_id_starts_at")

    op.drop_table("change")
    op.drop_table("blind_period")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_alert_open_fingerprint",
            sqlite_where=sa.text("status = 'open'"),
            postgresql_where=sa.text("status = 'open'"),
        )
        batch_op.drop_index("ix_alert_site_id_opened_at")
        batch_op.drop_index("ix_alert_fingerprint")

    op.drop_table("alert")
