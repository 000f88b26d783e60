"""What waits to be judged, how long periods are, and the indexes by which everything is found however much there is."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import BigId

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KEY = ("site_id", "area", "metric", "subject", "procedure")
_INDEXES = (
    ("evaluation", "ix_evaluation_recorded_at", ("recorded_at",)),
    ("alert", "ix_alert_opened_at", ("opened_at",)),
    ("alert", "ix_alert_closed_at", ("closed_at",)),
    ("alert_event", "ix_alert_event_recorded_at", ("recorded_at",)),
    ("site_version", "ix_site_version_recorded_at", ("recorded_at",)),
    ("visit_version", "ix_visit_version_recorded_at", ("recorded_at",)),
    ("visit_version", "ix_visit_version_site_id", ("site_id",)),
    ("declared_baseline", "ix_declared_baseline_recorded_at", ("recorded_at",)),
    ("note", "ix_note_recorded_at", ("recorded_at",)),
    ("cutout", "ix_cutout_made_at", ("made_at",)),
    ("delivery", "ix_delivery_sent_at", ("sent_at",)),
    ("poll", "ix_poll_started_at", ("started_at",)),
    ("rejection", "ix_rejection_hour", ("hour",)),
    ("coverage_hour", "ix_coverage_hour_hour", ("hour",)),
    ("delivery", "ix_delivery_alert_id_event_seq", ("alert_id", "event_seq")),
    ("delivery", "ix_delivery_created_at", ("created_at",)),
    ("visit", "ix_visit_state", ("state",)),
    ("flight_claim", "ix_flight_claim_origin", ("origin",)),
    ("flight_claim", "ix_flight_claim_destination", ("destination",)),
    ("flight_claim", "ix_flight_claim_actual_destination", ("actual_destination",)),
    ("flight_claim", "ix_flight_claim_poll_id", ("poll_id",)),
    ("extract", "ix_extract_icao24", ("icao24",)),
    ("pixel_look", "ix_pixel_look_site_id_read_at", ("site_id", "read_at")),
    ("cutout", "ix_cutout_site_id_made_at", ("site_id", "made_at")),
    ("cutout", "ix_cutout_acquired_at", ("acquired_at", "site_id", "outline")),
)
_PARTIAL = (
    ("observation", "ix_observation_waiting", ("result_time",), "waiting"),
    ("alert", "ix_alert_open", ("last_look_at",), "status = 'open'"),
    ("delivery", "ix_delivery_notice", ("channel", "reason", "id"), "kind = 'notice'"),
    ("poll", "ix_poll_unfinished", ("started_at",), "outcome is null"),
    ("visit", "ix_visit_named", ("visit_id",), "icao24 <> ''"),
)


def upgrade() -> None:
    """Apply. What was judged stays judged: only looks without a verdict wait."""
    # Added with a default, a column costs neither database a rewrite of the table.
    op.add_column(
        "observation", sa.Column("waiting", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("series", sa.Column("longest_us", BigId, server_default=sa.text("0"), nullable=False))
    same = " and ".join(
        f"evaluation.{name} = observation.{name}" for name in (*_KEY, "period_start", "look_key", "revision")
    )
    op.execute(
        "update observation set waiting = true "  # noqa: S608 - the names of our own schema
        f"where not exists (select 1 from evaluation where {same})"
    )
    here = " and ".join(f"observation.{name} = series.{name}" for name in _KEY)
    length = "period_end - period_start"
    if op.get_bind().dialect.name == "postgresql":
        length = "cast(ceil(extract(epoch from period_end - period_start) * 1000000) as bigint)"
    op.execute(
        f"update series set longest_us = coalesce((select max({length}) from observation where {here}), 0)"  # noqa: S608
    )
    for table, name, columns in _INDEXES:
        op.create_index(name, table, list(columns))
    for table, name, columns, condition in _PARTIAL:
        where = sa.text(condition)
        op.create_index(name, table, list(columns), sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Undo."""
    for table, name, *_ in (*reversed(_PARTIAL), *reversed(_INDEXES)):
        op.drop_index(name, table_name=table)
    op.drop_column("series", "longest_us")
    op.drop_column("observation", "waiting")
