"""How many reports were not believed, by provider, hour and reason."""

import sqlalchemy as sa
from alembic import op

import db.schema.types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "rejection",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("hour", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "hour", "reason", name=op.f("pk_rejection")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("rejection")
