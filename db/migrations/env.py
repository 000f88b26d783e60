"""Alembic's environment: runs on the connection handed in by `db.migrate`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, BigInteger

from db.schema import metadata
from db.schema.types import UtcDateTime


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    if kind == "type" and isinstance(item, JSON):
        return "db.schema.types.Json"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "db.schema.types.UtcDateTime()"
    if kind == "type" and isinstance(item, BigInteger):
        return "db.schema.types.BigId"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=_render,
    compare_type=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
