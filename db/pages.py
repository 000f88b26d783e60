"""Looks and visits read page by page in a fixed order, and what each series holds: for lists that may be long."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, func, literal, or_, select, tuple_

from db.chunks import chunks
from db.flights import visits_by_id
from db.imports import released
from db.keys import holds, with_keys
from db.observations import (
    READ_OBSERVATIONS,
    LookId,
    beginning_after,
    observation_from_row,
    through_series,
)
from db.records import LookFilter, Observation, SeriesKey, SeriesKind, SiteArea, Visit, VisitFilter
from db.records.revisions import in_force
from db.schema import SERIES_KEY, declared_baseline, note, observation, series, visit
from db.schema.types import UtcDateTime

_SERIES = tuple(series.c[name] for name in SERIES_KEY)
_LOOK = (*(observation.c[name] for name in SERIES_KEY), observation.c.period_start, observation.c.look_key)
"""What the revisions of one look have in common."""
_PLACE = (*_SERIES, *_LOOK[-2:])
"""The same, with the series from their own table: there are few of them, and each leads to its looks."""
VisitPlace = tuple[datetime, str]
"""Where a visit stands in the order: when it began as far as is known, then its id."""
_MICROSECOND = timedelta(microseconds=1)
_FIRST_STRETCH = timedelta(days=32)
"""So far back the newest looks are sought at first; twice as far each time that they are not enough."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """What one series holds: how long its looks are at most, when the first began, the newest, and the newest with a count."""

    key: SeriesKey
    kind: SeriesKind
    longest: timedelta
    first_at: datetime
    newest_at: datetime
    newest_counted_at: datetime | None


def look_page(
    connection: Connection, wanted: LookFilter, after: LookId | None, limit: int
) -> list[Observation]:
    """Read one revision of each of the next `limit` looks after a look, by series, period and look key."""
    ids = _next_looks(connection, wanted, after, limit)
    width = len(SERIES_KEY)
    # In the database's own order, which is that of the cursor: a collation may differ from Python's.
    ordered = [(SeriesKey(*each[:width]), each[width], each[width + 1]) for each in ids]
    return looks_by_id(connection, ordered, wanted)


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


def newest_looks(connection: Connection, wanted: LookFilter, limit: int) -> list[LookId]:
    """Name the newest `limit` looks that are asked for, the one whose period began last first.

    They are sought stretch by stretch from the newest back, each by way of the series: so it takes as long as there is to
    read, however much lies before.
    """
    known = _summaries(connection, *_series_conditions(wanted))
    if not known:
        return []
    upper = max(each.newest_at for each in known) + _MICROSECOND
    first = min(each.first_at for each in known)
    if wanted.until is not None:
        upper = min(upper, wanted.until)
    stretch, found = _FIRST_STRETCH, list[LookId]()
    while first < upper and len(found) < limit:
        lower = max(first, upper - stretch) if upper - first > stretch else first
        found += _stretch(connection, wanted, lower, upper, limit - len(found))
        upper, stretch = lower, 2 * stretch
        if wanted.since is not None and upper <= wanted.since - max(each.longest for each in known):
            break
    return found


def _stretch(
    connection: Connection, wanted: LookFilter, lower: datetime, upper: datetime, limit: int
) -> list[LookId]:
    start, width = observation.c.period_start, len(SERIES_KEY)
    query = select(*_PLACE).select_from(through_series()).distinct()
    query = query.where(*_look_conditions(connection, wanted), start >= lower, start < upper)
    order = (start.desc(), *_SERIES, observation.c.look_key)
    rows = _keys(connection, query.order_by(*order).limit(limit))
    return [(SeriesKey(*each[:width]), each[width], each[width + 1]) for each in rows]


def count_looks(connection: Connection, wanted: LookFilter, most: int) -> int:
    """How many looks are asked for; one more than `most` where there are more."""
    query = select(*_PLACE).select_from(through_series()).distinct()
    some = query.where(*_look_conditions(connection, wanted)).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def places_on_record(connection: Connection) -> frozenset[SiteArea]:
    """The sites and areas of which there is a look."""
    rows = connection.execute(select(series.c.site_id, series.c.area).distinct())
    return frozenset((row.site_id, row.area) for row in rows)


def looks_by_id(connection: Connection, ids: Sequence[LookId], wanted: LookFilter) -> list[Observation]:
    """Read one revision of each of these looks, in their order: the one in force among those that are knowable."""
    found: dict[LookId, list[Observation]] = defaultdict(list)
    knowable = [*_knowable(wanted)]
    for some in chunks([(*_values(key), start, look_key) for key, start, look_key in ids]):
        for row in connection.execute(with_keys(connection, READ_OBSERVATIONS.where(*knowable), _LOOK, some)):
            each = observation_from_row(row)
            found[look_id(each)].append(each)
    return [in_force(found[each], Observation.same_finding) for each in ids]


def look_at(connection: Connection, named: LookId, wanted: LookFilter) -> Observation | None:
    """The same of one look; None where there is none that is knowable."""
    key, start, look_key = named
    here = (column == value for column, value in zip(_LOOK, (*_values(key), start, look_key), strict=True))
    query = READ_OBSERVATIONS.where(*here, released(observation), *_knowable(wanted))
    found = [observation_from_row(row) for row in connection.execute(query)]
    return in_force(found, Observation.same_finding) if found else None


def _keys(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(query)]


def sites_on_record(connection: Connection, metric: str | None = None) -> frozenset[str]:
    """The ids of the sites of which there is a look, a declared baseline or a note, of one metric or of any."""
    found: set[str] = set()
    for table in (series, declared_baseline, note):
        query = select(table.c.site_id).distinct()
        wanted = query if metric is None else query.where(table.c.metric == metric)
        found |= set(connection.execute(wanted).scalars())
    return frozenset(found)


def look_id(each: Observation) -> LookId:
    """Name the look that an observation is of."""
    return each.series, each.period_start, each.look_key


def series_summaries(connection: Connection, site_ids: Collection[str] | None = None) -> list[SeriesSummary]:
    """Summarise every series of these sites (None: of all) that has looks.

    Each end of a series is looked up, so that it takes no longer however many looks lie between.
    """
    found: list[SeriesSummary] = []
    for some in [None] if site_ids is None else chunks(sorted(site_ids)):
        found += _summaries(connection, *([] if some is None else [series.c.site_id.in_(some)]))
    return found


def _summaries(connection: Connection, *conditions: ColumnElement[bool]) -> list[SeriesSummary]:
    start, counted = observation.c.period_start, observation.c.value.is_not(None)
    ends = (_end(start), _end(start.desc()), _end(start.desc(), counted))
    query = select(*_SERIES, series.c.kind, series.c.longest_us, *ends).where(*conditions).order_by(*_SERIES)
    width = len(SERIES_KEY)
    return [
        SeriesSummary(SeriesKey(*row[:width]), row.kind, row.longest_us * _MICROSECOND, *row[width + 2 :])
        for row in connection.execute(query)
        if row[width + 2] is not None
    ]


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
    yield from _series_conditions(wanted)
    if wanted.since is not None:
        yield beginning_after(connection, wanted.since)
        yield or_(columns.period_end > wanted.since, columns.period_start >= wanted.since)
    if wanted.until is not None:
        yield columns.period_start < wanted.until
    yield from _knowable(wanted)


def _series_conditions(wanted: LookFilter) -> Iterator[ColumnElement[bool]]:
    for name, some in (("site_id", wanted.site_ids), ("subject", wanted.subjects)):
        if some is not None:
            yield series.c[name].in_(sorted(some))
    if wanted.places is not None:
        yield tuple_(series.c.site_id, series.c.area).in_(sorted(wanted.places))
    for name in ("area", "metric"):
        value = getattr(wanted, name)
        if value is not None:
            yield series.c[name] == value


def _knowable(wanted: LookFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.as_of is not None:
        yield observation.c.result_time <= wanted.as_of
    if wanted.as_recorded is not None:
        yield observation.c.recorded_at <= wanted.as_recorded


class VisitMark(NamedTuple):
    """As much of a visit as lists are counted and ordered by."""

    visit_id: str
    began_at: datetime
    site_id: str
    state: str
    confidence: int
    type_code: str
    subjects: Sequence[str]


def visit_page(
    connection: Connection, wanted: VisitFilter, after: VisitPlace | None, limit: int
) -> list[Visit]:
    """Read the newest version of each of the next `limit` visits, the one that began last first."""
    query = _newest_first(connection, select(visit.c.visit_id), wanted, after).limit(limit)
    ids = [row.visit_id for row in connection.execute(query)]
    found = {each.visit_id: each for each in visits_by_id(connection, ids)}
    return [found[each] for each in ids]


def count_visits(connection: Connection, wanted: VisitFilter, most: int) -> int:
    """How many visits are asked for; one more than `most` where there are more."""
    found = select(visit.c.visit_id).where(*_visit_conditions(connection, wanted))
    some = found.order_by(visit.c.began_at.desc()).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def visit_marks(connection: Connection, wanted: VisitFilter, limit: int) -> list[VisitMark]:
    """Read the marks of the newest `limit` visits that are asked for, the one that began last first."""
    columns = (visit.c[name] for name in VisitMark._fields)
    query = _newest_first(connection, select(*columns), wanted, None).limit(limit)
    return [VisitMark(*row) for row in connection.execute(query)]


def visit_place(each: Visit) -> VisitPlace:
    """Where a visit stands in the order of the pages."""
    return each.began_at, each.visit_id


def _newest_first(
    connection: Connection, query: Select[Any], wanted: VisitFilter, after: VisitPlace | None
) -> Select[Any]:
    query = query.where(*_visit_conditions(connection, wanted))
    if after is not None:
        place = tuple_(literal(after[0], UtcDateTime), literal(after[1]))
        query = query.where(visit.c.began_at <= after[0], tuple_(visit.c.began_at, visit.c.visit_id) < place)
    return query.order_by(visit.c.began_at.desc(), visit.c.visit_id.desc())


def _visit_conditions(connection: Connection, wanted: VisitFilter) -> Iterator[ColumnElement[bool]]:
    columns = visit.c
    for column, some in ((columns.site_id, wanted.site_ids), (columns.type_code, wanted.type_codes)):
        if some is not None:
            yield column.in_(sorted(some))
    for name in ("icao24", "registration", "callsign", "state"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.by_name:
        yield columns.icao24 != ""
        yield holds(connection, columns.subjects, literal("icao24:") + columns.icao24)
    for subject in wanted.subjects:
        yield holds(connection, columns.subjects, literal(subject))
    if wanted.least_confidence is not None:
        yield columns.confidence >= wanted.least_confidence
    if wanted.until is not None:
        yield columns.began_at < wanted.until
    if wanted.since is not None:
        ended = func.coalesce(columns.last_fix_at, columns.departed_at, type_=UtcDateTime)
        yield or_(ended.is_(None), ended >= wanted.since)
