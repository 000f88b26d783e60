"""When each visit began, and the indexes by which visits of all sites are found: newest first, by type and by name."""

import sqlalchemy as sa
from alembic import op

from db.schema.types import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = ("visit", "visit_version")
_INDEXES = (
    ("ix_visit_began_at", ("began_at", "visit_id")),
    ("ix_visit_type_code_began_at", ("type_code", "began_at")),
    ("ix_visit_registration", ("registration",)),
    ("ix_visit_callsign", ("callsign",)),
)


def upgrade() -> None:
    """Apply."""
    for table in _TABLES:
        op.add_column(table, sa.Column("began_at", UtcDateTime()))
        op.execute(
            f"update {table} set began_at = coalesce(first_fix_at, arrived_at, departed_at, recorded_at)"  # noqa: S608
        )
    for name, columns in _INDEXES:
        op.create_index(name, "visit", list(columns))


def downgrade() -> None:
    """Undo."""
    for name, _ in reversed(_INDEXES):
        op.drop_index(name, table_name="visit")
    for table in reversed(_TABLES):
        op.drop_column(table, "began_at")
