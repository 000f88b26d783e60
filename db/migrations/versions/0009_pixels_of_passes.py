"""What is read of each pass over a site, and what measures of it have shown that they can do."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import BigId, Json, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pixel_look",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("site_id", "look_key", "provider", "collection")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("item_id", "platform", "sensor")),
        sa.Column("acquired_at", UtcDateTime(), nullable=False),
        sa.Column("grid", sa.Text(), nullable=False),
        sa.Column("epsg", sa.Integer(), nullable=False),
        sa.Column("classes", sa.LargeBinary(), nullable=False),
        sa.Column("codes", sa.LargeBinary()),
        sa.Column("state", sa.LargeBinary()),
        sa.Column("shares", Json, nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("fault", sa.Text(), nullable=False, server_default=""),
        sa.Column("spent_bytes", BigId, nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "look_key", name=op.f("pk_pixel_look")),
    )
    op.create_index(op.f("ix_pixel_look_site_id_acquired_at"), "pixel_look", ["site_id", "acquired_at"])
    op.create_table(
        "pixel_failure",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("site_id", "provider", "collection", "item_id")),
        sa.Column("acquired_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_pixel_failure_reason")),
        sa.PrimaryKeyConstraint("site_id", "provider", "collection", "item_id", name=op.f("pk_pixel_failure")),
    )
    op.create_table(
        "pixels_read",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("read_bytes", BigId, nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_pixels_read")),
    )
    op.create_table(
        "measure_admission",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("site_id", "area", "metric", "outline")),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.Column("clear_looks", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("figures", Json, nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "area", "metric", name=op.f("pk_measure_admission")),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("measure_admission", "pixels_read", "pixel_failure", "pixel_look"):
        op.drop_table(table)
