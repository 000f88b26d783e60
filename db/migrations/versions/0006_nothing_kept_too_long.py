"""Extracts in the place of raw answers, and keys under which aircraft that are not named are known for a while."""

import sqlalchemy as sa
from alembic import op

import db.schema.types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "extract",
        sa.Column("poll_id", db.schema.types.BigId, autoincrement=False, nullable=False),
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("rows", db.schema.types.Json, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("redistribute", sa.Boolean(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("poll_id", "icao24", name=op.f("pk_extract")),
    )
    op.create_index("ix_extract_received_at", "extract", ["received_at"], unique=False)
    # Not by copying the table: polls are many.
    op.execute("alter table poll rename column payload_sha256 to answer_sha256")
    op.execute("alter table poll add column answer_size integer")
    op.drop_index("ix_payload_received_at", table_name="payload")
    op.drop_table("payload")


def downgrade() -> None:
    """Take back; raw answers that were dropped do not come back."""
    op.create_table(
        "payload",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("redistribute", sa.Boolean(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("cited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload")),
    )
    op.create_index("ix_payload_received_at", "payload", ["received_at"], unique=False)
    op.execute("alter table poll drop column answer_size")
    op.execute("alter table poll rename column answer_sha256 to payload_sha256")
    op.drop_index("ix_extract_received_at", table_name="extract")
    op.drop_table("extract")
