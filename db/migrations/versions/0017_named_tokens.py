"""Tokens with a name and an end, and the answers to requests that may be sent again."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import Json, UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("expires_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("last_used_at", UtcDateTime(), nullable=True))
    op.create_table(
        "api_request",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", Json, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token", "idempotency_key", name=op.f("pk_api_request")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("api_request")
    with op.batch_alter_table("token", schema=None) as batch_op:
        for name in ("last_used_at", "expires_at", "name"):
            batch_op.drop_column(name)
