"""What others say of aircraft and flights, and the state of back-fills."""

import sqlalchemy as sa
from alembic import op

import db.schema.types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "aircraft",
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), server_default="", nullable=False),
        sa.Column("flags", sa.Integer(), server_default="0", nullable=False),
        sa.Column("imported_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("icao24", "source", name=op.f("pk_aircraft")),
    )
    with op.batch_alter_table("aircraft", schema=None) as batch_op:
        batch_op.create_index("ix_aircraft_registration", ["registration"], unique=False)

    op.create_table(
        "backfill_day",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("aircraft", sa.Integer(), nullable=True),
        sa.Column("fixes", sa.Integer(), nullable=True),
        sa.CheckConstraint("state in ('reading', 'recording', 'done')", name=op.f("ck_backfill_day_state")),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("pk_backfill_day")),
    )
    op.create_table(
        "backfill_part",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("aircraft", sa.Integer(), nullable=False),
        sa.Column("fixes", sa.Integer(), nullable=False),
        sa.Column("heard", db.schema.types.Json, nullable=False),
        sa.Column("nearby", db.schema.types.Json, nullable=False),
        sa.Column("rejected", db.schema.types.Json, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "day", "part", name=op.f("pk_backfill_part")),
    )
    op.create_table(
        "estimated_position",
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("altitude_ft", sa.Float(), nullable=True),
        sa.Column("ground_speed_kt", sa.Float(), nullable=True),
        sa.Column("track_deg", sa.Float(), nullable=True),
        sa.Column("callsign", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("eta", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("poll_id", db.schema.types.BigId, nullable=True),
        sa.PrimaryKeyConstraint("icao24", "at", "provider", name=op.f("pk_estimated_position")),
    )
    with op.batch_alter_table("estimated_position", schema=None) as batch_op:
        batch_op.create_index("ix_estimated_position_received_at", ["received_at"], unique=False)

    op.create_table(
        "flight_claim",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("flight_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("icao24", sa.Text(), server_default="", nullable=False),
        sa.Column("callsign", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("destination", sa.Text(), server_default="", nullable=False),
        sa.Column("actual_destination", sa.Text(), server_default="", nullable=False),
        sa.Column("took_off_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("landed_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("last_seen_at", db.schema.types.UtcDateTime(), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("quality", db.schema.types.Json, nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("poll_id", db.schema.types.BigId, nullable=True),
        sa.PrimaryKeyConstraint("provider", "flight_id", "version", name=op.f("pk_flight_claim")),
    )
    with op.batch_alter_table("flight_claim", schema=None) as batch_op:
        batch_op.create_index(
            "ix_flight_claim_icao24_first_seen_at", ["icao24", "first_seen_at"], unique=False
        )
        batch_op.create_index("ix_flight_claim_received_at", ["received_at"], unique=False)


def downgrade() -> None:
    """Take back."""

    with op.batch_alter_table("flight_claim", schema=None) as batch_op:
        batch_op.drop_index("ix_flight_claim_received_at")
        batch_op.drop_index("ix_flight_claim_icao24_first_seen_at")

    op.drop_table("flight_claim")
    with op.batch_alter_table("estimated_position", schema=None) as batch_op:
        batch_op.drop_index("ix_estimated_position_received_at")

    op.drop_table("estimated_position")
    op.drop_table("backfill_part")
    op.drop_table("backfill_day")
    with op.batch_alter_table("aircraft", schema=None) as batch_op:
        batch_op.drop_index("ix_aircraft_registration")

    op.drop_table("aircraft")
