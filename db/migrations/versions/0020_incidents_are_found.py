"""The alerts of one incident are found by an index."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Alerts that were opened before stay incidents of their own: their messages are sent."""
    op.create_index("ix_alert_incident_id", "alert", ["incident_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_alert_incident_id", table_name="alert")
