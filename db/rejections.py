"""Reports that were not believed, counted by provider, hour and reason, so that nothing is dropped in silence."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from db.schema import rejection
from db.upsert import insert_ignore

Key = tuple[str, datetime, str]
"""Provider, hour and reason."""


def count_rejected(connection: Connection, counted: Mapping[Key, int]) -> None:
    """Add to the counts of these hours."""
    for (provider, hour, reason), number in sorted(counted.items()):
        row = {"provider": provider, "hour": hour, "reason": reason}
        insert_ignore(connection, rejection, [{**row, "number": 0}])
        # Computed by the database, so that two writers cannot lose each other's counts.
        same = [rejection.c[name] == value for name, value in row.items()]
        connection.execute(update(rejection).where(*same).values(number=rejection.c.number + number))


def rejected(connection: Connection, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    """Give how many reports of each provider were not believed in [since, until), by reason, the most first."""
    total = func.sum(rejection.c.number)
    query = (
        select(rejection.c.provider, rejection.c.reason, total)
        .where(rejection.c.hour >= since, rejection.c.hour < until)
        .group_by(rejection.c.provider, rejection.c.reason)
        .order_by(rejection.c.provider, total.desc(), rejection.c.reason)
    )
    found: dict[str, dict[str, int]] = {}
    for provider, reason, number in connection.execute(query):
        found.setdefault(provider, {})[reason] = int(number)
    return found
