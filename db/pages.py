"""Looks and visits read page by page in a fixed order, and what each series holds: for lists that may be long."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, or_, select, tuple_

from db.chunks import chunks
from db.flights import visits_by_id
from db.imports import released
from db.observations import READ_OBSERVATIONS, LookId, observation_from_row
from db.records import Observation, SeriesKey, SeriesKind, Visit
from db.records.revisions import in_force
from db.schema import SERIES_KEY, observation, series, visit
from db.schema.types import UtcDateTime

"""What the revisions of one look have in common."""

_LOOK = (*(observation.c[name] for name in SERIES_KEY), observation.c.period_start, observation.c.look_key)
VisitPlace = tuple[datetime, str]
"""Where a visit stands in the order: when it began as far as is known, then its id."""
_BEGAN = func.coalesce(
    visit.c.first_fix_at, visit.c.arrived_at, visit.c.departed_at, visit.c.recorded_at, type_=UtcDateTime
)


@dataclass(frozen=True, slots=True)
class LookFilter:
    """Which looks are asked for; what is left at None takes all. `since` and `until` overlap the period."""

    site_ids: Collection[str] | None = None
    area: str | None = None
    metric: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    as_recorded: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """What one series holds: how many looks, how many with a count, and when the newest of each was."""

    key: SeriesKey
    kind: SeriesKind
    looks: int
    counted: int
    first_at: datetime
    newest_at: datetime
    newest_counted_at: datetime | None


def look_page(
    connection: Connection, wanted: LookFilter, after: LookId | None, limit: int
) -> list[Observation]:
    """Read one revision of each of the next `limit` looks after a look, by series, period and look key."""
    conditions = [*_look_conditions(wanted)]
    page = select(*_LOOK).distinct().where(*conditions)
    if after is not None:
        page = page.where(tuple_(*_LOOK) > tuple_(*_literals(after)))
    ids = [tuple(row) for row in connection.execute(page.order_by(*_LOOK).limit(limit))]
    width = len(SERIES_KEY)
    knowable = [*_knowable(wanted)]
    found: dict[Any, list[Observation]] = defaultdict(list)
    for some in chunks(ids):
        for row in connection.execute(READ_OBSERVATIONS.where(tuple_(*_LOOK).in_(some), *knowable)):
            each = observation_from_row(row)
            found[look_id(each)].append(each)
    # In the database's own order, which is that of the cursor: a collation may differ from Python's.
    ordered = [(SeriesKey(*each[:width]), each[width], each[width + 1]) for each in ids]
    return [in_force(found[key], Observation.same_finding) for key in ordered]


def look_id(each: Observation) -> LookId:
    """Name the look that an observation is of."""
    return each.series, each.period_start, each.look_key


def series_summaries(connection: Connection, site_ids: Collection[str] | None = None) -> list[SeriesSummary]:
    """Summarise every series of these sites (None: of all)."""
    counted = observation.c.value.is_not(None)
    columns = [observation.c[name] for name in SERIES_KEY]
    query = (
        select(
            *columns,
            series.c.kind,
            func.count(observation.c.look_key.distinct()),
            func.count(observation.c.look_key.distinct()).filter(counted),
            func.min(observation.c.period_start),
            func.max(observation.c.period_start),
            func.max(observation.c.period_start).filter(counted),
        )
        .join_from(observation, series)
        .where(released(observation))
        .group_by(*columns, series.c.kind)
        .order_by(*columns)
    )
    if site_ids is not None:
        query = query.where(observation.c.site_id.in_(sorted(site_ids)))
    width = len(SERIES_KEY)
    return [SeriesSummary(SeriesKey(*row[:width]), *row[width:]) for row in connection.execute(query)]


def _literals(after: LookId) -> Sequence[ColumnElement[Any]]:
    key, period_start, look_key = after
    values = (*(getattr(key, name) for name in SERIES_KEY), period_start, look_key)
    return [literal(value, column.type) for value, column in zip(values, _LOOK, strict=True)]


def _look_conditions(wanted: LookFilter) -> Iterator[ColumnElement[bool]]:
    columns = observation.c
    yield released(observation)
    if wanted.site_ids is not None:
        yield columns.site_id.in_(sorted(wanted.site_ids))
    for name in ("area", "metric", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.since is not None:
        yield or_(columns.period_end > wanted.since, columns.period_start >= wanted.since)
    if wanted.until is not None:
        yield columns.period_start < wanted.until
    yield from _knowable(wanted)


def _knowable(wanted: LookFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.as_of is not None:
        yield observation.c.result_time <= wanted.as_of
    if wanted.as_recorded is not None:
        yield observation.c.recorded_at <= wanted.as_recorded


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
    query = select(visit.c.visit_id).where(*_visit_conditions(wanted))
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


def _visit_conditions(wanted: VisitFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.site_id is not None:
        yield visit.c.site_id == wanted.site_id
    if wanted.state is not None:
        yield visit.c.state == wanted.state
    if wanted.until is not None:
        yield wanted.until > _BEGAN
    if wanted.since is not None:
        ended = func.coalesce(visit.c.last_fix_at, visit.c.departed_at, type_=UtcDateTime)
        yield or_(ended.is_(None), ended >= wanted.since)
