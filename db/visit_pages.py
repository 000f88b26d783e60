"""Visits read page by page, newest first: for lists that may be long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal, or_, select, tuple_

from db.flights import visits_by_id
from db.records import Visit
from db.schema import visit
from db.schema.types import UtcDateTime

VisitPlace = tuple[datetime, str]
"""Where a visit stands in the order: when it began as far as is known, then its id."""

_BEGAN = func.coalesce(
    visit.c.first_fix_at, visit.c.arrived_at, visit.c.departed_at, visit.c.recorded_at, type_=UtcDateTime
)


@dataclass(frozen=True, slots=True)
class VisitFilter:
    """Which visits are asked for; what is left at None takes all. Those that touch [since, until) come."""

    site_id: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def visit_page(
    connection: Connection, wanted: VisitFilter, after: VisitPlace | None, limit: int
) -> list[Visit]:
    """Read the newest version of each of the next `limit` visits, the one that began last first."""
    query = select(visit.c.visit_id).where(*_conditions(wanted))
    if after is not None:
        place = tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        query = query.where(tuple_(_BEGAN, visit.c.visit_id) < place)
    rows = connection.execute(query.order_by(_BEGAN.desc(), visit.c.visit_id.desc()).limit(limit))
    ids = [row.visit_id for row in rows]
    found = {each.visit_id: each for each in visits_by_id(connection, ids)}
    return [found[each] for each in ids]


def visit_place(each: Visit) -> VisitPlace:
    """Where a visit stands in the order of the pages."""
    return each.first_fix_at or each.arrived_at or each.departed_at or each.recorded_at, each.visit_id


def _conditions(wanted: VisitFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.site_id is not None:
        yield visit.c.site_id == wanted.site_id
    if wanted.state is not None:
        yield visit.c.state == wanted.state
    if wanted.until is not None:
        yield wanted.until > _BEGAN
    if wanted.since is not None:
        ended = func.coalesce(visit.c.last_fix_at, visit.c.departed_at, type_=UtcDateTime)
        yield or_(ended.is_(None), ended >= wanted.since)
