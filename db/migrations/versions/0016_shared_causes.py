"""Causes that several alerts share, by revision, and messages that were told together with another."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATES = "'queued', 'sending', 'sent', 'dead', 'too_old', 'silenced'"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "shared_cause",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("metric", "sort", "side", "day")),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("alert_ids", Json, nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.CheckConstraint("side in ('high', 'low')", name=op.f("ck_shared_cause_side")),
        sa.PrimaryKeyConstraint("id", "revision", name=op.f("pk_shared_cause")),
    )
    op.create_table(
        "shared_cause_alert",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_shared_cause_alert_alert_id_alert")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_shared_cause_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("ix_alert_metric_phenomenon_time", ["metric", "phenomenon_time"], unique=False)
    _states(f"{_STATES}, 'joined'")


def downgrade() -> None:
    """Undo; what was told together counts as kept back."""
    op.execute("update delivery set state = 'silenced' where state = 'joined'")
    _states(_STATES)
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_metric_phenomenon_time")
    op.drop_table("shared_cause_alert")
    op.drop_table("shared_cause")


def _states(states: str) -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_delivery_state"), type_="check")
        batch_op.create_check_constraint(op.f("ck_delivery_state"), f"state in ({states})")
