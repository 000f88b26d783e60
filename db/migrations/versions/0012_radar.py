"""What radar shows of passes, what that costs, and what its measures have shown that they can do."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "radar_look",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("site_id", "look_key", "part")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("provider", "collection", "item_id")),
        sa.Column("relative_orbit", sa.Integer(), nullable=False),
        sa.Column("orbit_state", sa.Text(), nullable=False),
        sa.Column("acquired_at", UtcDateTime(), nullable=False),
        sa.Column("drawn", sa.Text(), nullable=False),
        sa.Column("numbers", Json, nullable=False),
        sa.Column("codes", sa.LargeBinary()),
        sa.Column("epsg", sa.Integer(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False, server_default=""),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "look_key", "part", name=op.f("pk_radar_look")),
    )
    op.create_index(op.f("ix_radar_look_site_id_acquired_at"), "radar_look", ["site_id", "acquired_at"])
    op.create_table(
        "units_spent",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("units", sa.Float(), nullable=False),
        sa.Column("estimated", sa.Float(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime()),
        sa.Column("words", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("provider", "month", name=op.f("pk_units_spent")),
    )
    op.create_table(
        "radar_admission",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("site_id", "area", "metric", "procedure")),
        sa.Column("outline", sa.Text(), nullable=False),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("figures", Json, nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "area", "metric", "procedure", name=op.f("pk_radar_admission")),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("radar_admission", "units_spent", "radar_look"):
        op.drop_table(table)
