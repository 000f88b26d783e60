"""Detections of others, by source, site and metric, in versions; nothing ever wrote the table that stood in their place."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import BigId, Json, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.drop_index("ix_detection_site_id_at")
    op.drop_table("detection")
    op.create_table(
        "detection",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("provider", "site_id", "metric", "detection_id")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("detected_class", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("look_key", sa.Text(), nullable=False),
        sa.Column("look_start", UtcDateTime(), nullable=False),
        sa.Column("look_end", UtcDateTime(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("areas", Json, nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("scene", sa.Text(), server_default="", nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("coverage", sa.Float(), nullable=True),
        sa.Column("remark", sa.Text(), server_default="", nullable=False),
        sa.Column("poll_id", BigId, nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_detection_amount")),
        sa.PrimaryKeyConstraint(
            "provider", "site_id", "metric", "detection_id", "version", name=op.f("pk_detection")
        ),
    )
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.create_index("ix_detection_site_id_at", ["site_id", "at"], unique=False)
        batch_op.create_index("ix_detection_look", ["site_id", "provider", "metric", "look_key"], unique=False)
        batch_op.create_index("ix_detection_poll_id", ["poll_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("detection", schema=None) as batch_op:
        for name in ("ix_detection_poll_id", "ix_detection_look", "ix_detection_site_id_at"):
            batch_op.drop_index(name)
    op.drop_table("detection")
    op.create_table(
        "detection",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("detected_class", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("geometry", Json, nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("scene", sa.Text(), server_default="", nullable=False),
        sa.Column("properties", Json, nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection")),
    )
    with op.batch_alter_table("detection", schema=None) as batch_op:
        batch_op.create_index("ix_detection_site_id_at", ["site_id", "at"], unique=False)
