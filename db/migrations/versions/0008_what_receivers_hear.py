"""What one's own receivers heard, an hour at a time, to hold their settings against it."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "receiver_hour",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("heard", Json, nullable=False),
        sa.PrimaryKeyConstraint("provider", "hour", name=op.f("pk_receiver_hour")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("receiver_hour")
