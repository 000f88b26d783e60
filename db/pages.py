"""Looks and visits read page by page in a fixed order, and what each series holds: for lists that may be long."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, func, literal, or_, select, tuple_

from db.chunks import chunks
from db.flights import visits_by_id
from db.imports import released
from db.keys import with_keys
from db.observations import (
    READ_OBSERVATIONS,
    LookId,
    beginning_after,
    observation_from_row,
    through_series,
)
from db.records import Observation, SeriesKey, SeriesKind, Visit
from db.records.revisions import in_force
from db.schema import SERIES_KEY, observation, series, visit
from db.schema.types import UtcDateTime

_SERIES = tuple(series.c[name] for name in SERIES_KEY)
_LOOK = (*(observation.c[name] for name in SERIES_KEY), observation.c.period_start, observation.c.look_key)
"""What the revisions of one look have in common."""
_PLACE = (*_SERIES, *_LOOK[-2:])
"""The same, with the series from their own table: there are few of them, and each leads to its looks."""
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
    """What one series holds: when its first look began, its newest one, and the newest with a count."""

    key: SeriesKey
    kind: SeriesKind
    first_at: datetime
    newest_at: datetime
    newest_counted_at: datetime | None


def look_page(
    connection: Connection, wanted: LookFilter, after: LookId | None, limit: int
) -> list[Observation]:
    """Read one revision of each of the next `limit` looks after a look, by series, period and look key."""
    ids = _next_looks(connection, wanted, after, limit)
    width = len(SERIES_KEY)
    knowable = [*_knowable(wanted)]
    found: dict[Any, list[Observation]] = defaultdict(list)
    for some in chunks(ids):
        wanted_looks = with_keys(connection, READ_OBSERVATIONS.where(*knowable), _LOOK, some)
        for row in connection.execute(wanted_looks):
            each = observation_from_row(row)
            found[look_id(each)].append(each)
    # In the database's own order, which is that of the cursor: a collation may differ from Python's.
    ordered = [(SeriesKey(*each[:width]), each[width], each[width + 1]) for each in ids]
    return [in_force(found[key], Observation.same_finding) for key in ordered]


def _next_looks(
    connection: Connection, wanted: LookFilter, after: LookId | None, limit: int
) -> list[tuple[Any, ...]]:
    """The keys of the next looks: the rest of the series in which the last page ended, then the series after it.

    Series by series, each from an index: in one go both databases would read whatever lies before.
    """
    page = select(*_PLACE).select_from(through_series()).distinct()
    page = page.where(*_look_conditions(connection, wanted))
    if after is None:
        return _keys(connection, page.order_by(*_PLACE).limit(limit))
    told, width = _literals(after), len(SERIES_KEY)
    key, place = told[:width], told[width:]
    here = (column == value for column, value in zip(_SERIES, key, strict=True))
    rest = page.where(*here, _LOOK[-2] >= place[0], tuple_(*_LOOK[-2:]) > tuple_(*place))
    found = _keys(connection, rest.order_by(*_PLACE).limit(limit))
    if len(found) < limit:
        later = page.where(tuple_(*_SERIES) > tuple_(*key))
        found += _keys(connection, later.order_by(*_PLACE).limit(limit - len(found)))
    return found


def _keys(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(query)]


def look_id(each: Observation) -> LookId:
    """Name the look that an observation is of."""
    return each.series, each.period_start, each.look_key


def series_summaries(connection: Connection, site_ids: Collection[str] | None = None) -> list[SeriesSummary]:
    """Summarise every series of these sites (None: of all) that has looks.

    Each end of a series is looked up, so that it takes no longer however many looks lie between.
    """
    start, counted = observation.c.period_start, observation.c.value.is_not(None)
    ends = (_end(start), _end(start.desc()), _end(start.desc(), counted))
    query = select(*_SERIES, series.c.kind, *ends).order_by(*_SERIES)
    width = len(SERIES_KEY)
    found: list[SeriesSummary] = []
    for some in [None] if site_ids is None else chunks(sorted(site_ids)):
        here = query if some is None else query.where(series.c.site_id.in_(some))
        rows = (row for row in connection.execute(here) if row[width + 1] is not None)
        found += [SeriesSummary(SeriesKey(*row[:width]), *row[width:]) for row in rows]
    return found


def newest_counts(
    connection: Connection, summaries: Collection[SeriesSummary]
) -> dict[SeriesKey, Observation]:
    """The newest look with a count of each of these series; one whose newest counts were all taken back is left out."""
    columns = _LOOK[:-1]
    keys = [(*_values(each.key), each.newest_counted_at) for each in summaries if each.newest_counted_at]
    found: dict[LookId, list[Observation]] = defaultdict(list)
    for some in chunks(keys):
        for row in connection.execute(with_keys(connection, READ_OBSERVATIONS, columns, some)):
            each = observation_from_row(row)
            found[look_id(each)].append(each)
    chosen = (in_force(each, Observation.same_finding) for each in found.values())
    ordered = sorted((each for each in chosen if each.value is not None), key=lambda each: each.look_key)
    return {each.series: each for each in ordered}


def _values(key: SeriesKey) -> tuple[str, ...]:
    return tuple(getattr(key, name) for name in SERIES_KEY)


def _end(order: ColumnElement[Any], *where: ColumnElement[bool]) -> ScalarSelect[Any]:
    """When the first look of a series in this order begins."""
    same = (observation.c[name] == series.c[name] for name in SERIES_KEY)
    here = select(observation.c.period_start).where(*same, released(observation), *where)
    return here.order_by(order).limit(1).correlate(series).scalar_subquery()


def _literals(after: LookId) -> Sequence[ColumnElement[Any]]:
    key, period_start, look_key = after
    values = (*_values(key), period_start, look_key)
    return [literal(value, column.type) for value, column in zip(values, _LOOK, strict=True)]


def _look_conditions(connection: Connection, wanted: LookFilter) -> Iterator[ColumnElement[bool]]:
    columns = observation.c
    yield released(observation)
    if wanted.site_ids is not None:
        yield series.c.site_id.in_(sorted(wanted.site_ids))
    for name in ("area", "metric", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            yield series.c[name] == value
    if wanted.since is not None:
        yield beginning_after(connection, wanted.since)
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
