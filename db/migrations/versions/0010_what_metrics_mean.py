"""What each metric means, with its unit, so that no later declaration reads stored numbers otherwise."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    texts = ("measure", "kind", "unit", "one", "many", "heading")
    op.create_table(
        "metric",
        sa.Column("name", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("measure in ('count', 'continuous')", name=op.f("ck_metric_measure")),
        sa.CheckConstraint("kind in ('flow', 'stock')", name=op.f("ck_metric_kind")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_metric")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("metric")
