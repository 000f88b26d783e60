"""Deliveries that press, that wait for a daily digest, and that no route gives to their channel."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

_BEFORE = "'queued', 'sending', 'sent', 'dead', 'too_old', 'silenced', 'joined'"
_NAME = "ck_delivery_state"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pressing", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.drop_constraint(op.f(_NAME), type_="check")
        batch_op.create_check_constraint(op.f(_NAME), f"state in ({_BEFORE}, 'unrouted', 'gathered', 'bundled')")
        batch_op.create_index("ix_delivery_alert_id", ["alert_id"], unique=False)
        batch_op.create_index("ix_delivery_channel_sent_at", ["channel", "sent_at"], unique=False)


def downgrade() -> None:
    """Undo: what no reader got is forgotten, what waits for a digest is owed by itself, what was in one was sent."""
    op.execute("delete from delivery where state = 'unrouted'")
    op.execute("update delivery set state = 'queued' where state = 'gathered'")
    op.execute("update delivery set state = 'sent' where state = 'bundled'")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_channel_sent_at")
        batch_op.drop_index("ix_delivery_alert_id")
        batch_op.drop_constraint(op.f(_NAME), type_="check")
        batch_op.create_check_constraint(op.f(_NAME), f"state in ({_BEFORE})")
        batch_op.drop_column("pressing")
