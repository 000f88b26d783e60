"""Every table, with named constraints, as the migrations build it. Records are in `db.records`.

Append-only tables grow by versions and are never updated; caches (`visit`, `alert`, `rule_state`,
`provider_state`) can be rebuilt from them, `cutout` and `cutout_failure` from the pictures that scenes link
to; `delivery`, `lease`, `silence` and `token` are mutable.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from db.types import BigId, Json, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# --- polling ------------------------------------------------------------------------------------

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
    Column("payload_sha256", Text),
    # False while its position reports or scenes still wait to be turned into visits and looks.
    Column("derived", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("provider", "scope", "slot", "purpose", "sequence"),
    CheckConstraint("outcome in ('ok', 'empty', 'failed')", name="outcome"),
    CheckConstraint("purpose in ('data', 'canary', 'token', 'page')", name="purpose"),
    CheckConstraint("outcome is not null or finished_at is null", name="finished"),
    Index("ix_poll_provider_started_at", "provider", "started_at"),
    Index("ix_poll_provider_scope_started_at", "provider", "scope", "started_at"),
    # The work list of the derivation, short however many polls there are.
    Index(
        "ix_poll_underived",
        "started_at",
        sqlite_where=text("not derived and purpose = 'data'"),
        postgresql_where=text("not derived and purpose = 'data'"),
    ),
)

payload = Table(
    "payload",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("content_type", Text, nullable=False, server_default=""),
    Column("size", Integer, nullable=False),
    Column("provider", Text, nullable=False),
    Column("redistribute", Boolean, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("cited", Boolean, nullable=False, server_default=text("false")),
    Index("ix_payload_received_at", "received_at"),
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
)

rejection = Table(
    "rejection",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("number", Integer, nullable=False),
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

# --- flights ------------------------------------------------------------------------------------

fix = Table(
    "fix",
    metadata,
    # In this order the key serves the commonest question: the track of one aircraft.
    Column("icao24", Text, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("on_ground", Boolean),
    Column("altitude_ft", Float),
    Column("altitude_geom_ft", Float),
    Column("ground_speed_kt", Float),
    Column("track_deg", Float),
    Column("vertical_rate_fpm", Float),
    Column("source", Text, nullable=False, server_default=""),
    Column("nic", Integer),
    Column("nac_p", Integer),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("db_flags", Integer, nullable=False, server_default="0"),
    Column("poll_id", BigId),
    Index("ix_fix_at", "at"),
    Index("ix_fix_received_at", "received_at"),
    Index("ix_fix_poll_id", "poll_id"),
)

_VISIT_COLUMNS = ("arrived_at", "departed_at", "first_fix_at", "last_fix_at")


def _visit_columns() -> list[Column[Any]]:
    times: list[Column[Any]] = [Column(name, UtcDateTime) for name in _VISIT_COLUMNS]
    return [
        Column("site_id", Text, nullable=False),
        Column("icao24", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("confidence", Integer, nullable=False),
        *times,
        Column("callsign", Text, nullable=False, server_default=""),
        Column("registration", Text, nullable=False, server_default=""),
        Column("type_code", Text, nullable=False, server_default=""),
        Column("subjects", Json, nullable=False),
        Column("candidates", Json, nullable=False),
        Column("evidence", Json, nullable=False),
        Column("recorded_at", UtcDateTime, nullable=False),
    ]


_VISIT_STATES = (
    "state in ('lost_toward', 'presumed', 'present', 'confirmed', 'departed', "
    "'through_flight', 'diverted', 'withdrawn')"
)

visit_version = Table(
    "visit_version",
    metadata,
    Column("visit_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    *_visit_columns(),
    CheckConstraint(_VISIT_STATES, name="state"),
    CheckConstraint("confidence between 1 and 4", name="confidence"),
)

visit = Table(
    "visit",
    metadata,
    Column("visit_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    *_visit_columns(),
    Index("ix_visit_site_id_arrived_at", "site_id", "arrived_at"),
    Index("ix_visit_icao24_last_fix_at", "icao24", "last_fix_at"),
    Index("ix_visit_site_id_last_fix_at", "site_id", "last_fix_at"),
    Index("ix_visit_site_id_state", "site_id", "state"),
)

aircraft = Table(
    "aircraft",
    metadata,
    Column("icao24", Text, primary_key=True),
    # Several databases may speak of one aircraft; which is believed first is decided where they are read.
    Column("source", Text, primary_key=True),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False, server_default=""),
    Column("flags", Integer, nullable=False, server_default="0"),
    Column("imported_at", UtcDateTime, nullable=False),
    Index("ix_aircraft_registration", "registration"),
)

flight_claim = Table(
    "flight_claim",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("flight_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("icao24", Text, nullable=False, server_default=""),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False, server_default=""),
    Column("origin", Text, nullable=False, server_default=""),
    Column("destination", Text, nullable=False, server_default=""),
    Column("actual_destination", Text, nullable=False, server_default=""),
    Column("took_off_at", UtcDateTime),
    Column("landed_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime),
    Column("last_seen_at", UtcDateTime),
    Column("ended", Boolean),
    Column("estimated", Boolean, nullable=False),
    Column("quality", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("poll_id", BigId),
    Index("ix_flight_claim_icao24_first_seen_at", "icao24", "first_seen_at"),
    Index("ix_flight_claim_received_at", "received_at"),
)

# Kept apart from `fix`, so that nothing extrapolated can be counted.
estimated_position = Table(
    "estimated_position",
    metadata,
    Column("icao24", Text, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("altitude_ft", Float),
    Column("ground_speed_kt", Float),
    Column("track_deg", Float),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("origin", Text, nullable=False, server_default=""),
    Column("destination", Text, nullable=False, server_default=""),
    Column("eta", UtcDateTime),
    Column("poll_id", BigId),
    Index("ix_estimated_position_received_at", "received_at"),
)

# A day of an archive that is being loaded, part by part; emptied once its polls are recorded.
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

# --- imagery ------------------------------------------------------------------------------------

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

detection = Table(
    "detection",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site_id", Text, nullable=False),
    Column("detected_class", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("geometry", Json),
    Column("score", Float),
    Column("source", Text, nullable=False),
    Column("scene", Text, nullable=False, server_default=""),
    Column("properties", Json, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index("ix_detection_site_id_at", "site_id", "at"),
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
)

cutout_failure = Table(
    "cutout_failure",
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

# --- counts -------------------------------------------------------------------------------------

SERIES_KEY = ("site_id", "area", "metric", "subject", "procedure")


def _series_columns() -> list[Column[str]]:
    return [Column(name, Text, primary_key=True) for name in SERIES_KEY]


series = Table(
    "series",
    metadata,
    *_series_columns(),
    Column("kind", Text, nullable=False),
    CheckConstraint("kind in ('flow', 'stock')", name="kind"),
)

observation = Table(
    "observation",
    metadata,
    *_series_columns(),
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
    ForeignKeyConstraint(SERIES_KEY, [f"series.{name}" for name in SERIES_KEY]),
    CheckConstraint("period_end >= period_start", name="period"),
    CheckConstraint("exposure is null or (exposure >= 0 and exposure <= 1)", name="exposure"),
    CheckConstraint("value is null or value >= 0", name="value"),
    Index("ix_observation_result_time", "result_time"),
    # Open pages ask every few seconds whether anything was added.
    Index("ix_observation_recorded_at", "recorded_at"),
    Index("ix_observation_site_id_metric_period_start", "site_id", "metric", "period_start"),
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
    CheckConstraint("statistic in ('max', 'none_before', 'last_seen', 'share')", name="statistic"),
    Index("ix_declared_baseline_site_id_metric", "site_id", "metric"),
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
    Index("ix_note_site_id_starts_at", "site_id", "starts_at"),
)

# --- registry of sites and changes --------------------------------------------------------------

site_version = Table(
    "site_version",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("feature", Json, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
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

# --- judging and alerts -------------------------------------------------------------------------

evaluation = Table(
    "evaluation",
    metadata,
    *_series_columns(),
    Column("period_start", UtcDateTime, primary_key=True),
    Column("look_key", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("exceeded", Boolean, nullable=False),
    Column("details", Json, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    CheckConstraint(
        "status in ('evaluated', 'not_observed', 'cannot_tell', 'baseline_broken', 'suppressed', 'no_rule')",
        name="status",
    ),
    # Once a day the newest year's scores of each rule are read.
    Index("ix_evaluation_rule_as_of", "rule", "as_of"),
)

rule_state = Table(
    "rule_state",
    metadata,
    *_series_columns(),
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
    Column("baseline", Json, nullable=False),
    Column("headline", Text, nullable=False),
    Column("confidence", Text, nullable=False, server_default=""),
    Column("details", Json, nullable=False),
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
    Column("details", Json, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["alert_id"], ["alert.id"]),
    CheckConstraint(
        "kind in ('opened', 'amended', 'corroborated', 'acknowledged', 'resolved', 'withdrawn', 'lapsed')",
        name="kind",
    ),
)

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
    Column("payload", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    UniqueConstraint("identity"),
    CheckConstraint("kind in ('alert', 'notice')", name="kind"),
    CheckConstraint("state in ('queued', 'sending', 'sent', 'dead', 'too_old', 'silenced')", name="state"),
    ForeignKeyConstraint(["alert_id", "event_seq"], ["alert_event.alert_id", "alert_event.seq"]),
    Index("ix_delivery_state_not_before", "state", "not_before"),
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

# --- running ------------------------------------------------------------------------------------

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
    CheckConstraint("role in ('read', 'write', 'admin')", name="role"),
)
