"""The observations: recording looks as revisions, and reading them back as they were knowable."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
    update,
)

from db.chunks import chunks
from db.imports import released
from db.keys import with_keys
from db.records import Evidence, Observation, SeriesKey
from db.records.counts import UNDATED
from db.records.revisions import in_force, next_revision
from db.schema import SERIES_KEY, observation, series
from db.schema.types import UtcDateTime
from db.upsert import insert_ignore

_SERIES = tuple(series.c[name] for name in SERIES_KEY)
_LOOK = (*(observation.c[name] for name in SERIES_KEY), observation.c.period_start, observation.c.look_key)
_KEPT = tuple(column for column in observation.columns if column.name != "waiting")
_PLAIN = tuple(column.name for column in _KEPT if column.name not in {*SERIES_KEY, "evidence"})

_MICROSECOND = timedelta(microseconds=1)
LookId = tuple[SeriesKey, datetime, str]
_ALL: Select[Any] = select(*_KEPT, series.c.kind).join_from(observation, series)
"""Every revision, also those of an import that is under way: what a writer must know."""
READ_OBSERVATIONS: Select[Any] = _ALL.where(released(observation))
"""Every revision that can be seen, with the kind of its series: what `observation_from_row` reads."""


def record_observations(connection: Connection, observations: Sequence[Observation]) -> list[Observation]:
    """Append a revision for each look whose finding changed and return those, with their revision numbers.

    A finding is compared with what was in force at its own result time, so that a restatement stores
    nothing and a correction that arrives before what it corrects still corrects it.
    """
    stored: list[Observation] = []
    for chunk in chunks(sorted(observations, key=lambda each: each.result_time)):
        register_series(connection, chunk)
        owed = list(_owed(chunk, _known(connection, chunk)))
        if owed:
            connection.execute(observation.insert(), [_to_row(each) for each in owed])
        stored += owed
    return stored


def written_looks(
    connection: Connection, site_ids: Sequence[str], metrics: Sequence[str], starts: Sequence[str]
) -> list[Observation]:
    """Read all revisions of the imported looks of some sites and metrics whose periods were written to begin so."""
    found: list[Observation] = []
    for some in chunks(starts):
        query = _ALL.where(
            observation.c.site_id.in_(site_ids),
            observation.c.metric.in_(metrics),
            observation.c.written_start.in_(some),
            observation.c.written_start != "",
        )
        found += [observation_from_row(row) for row in connection.execute(query)]
    return found


def series_at(connection: Connection, site_ids: Sequence[str]) -> list[SeriesKey]:
    """Read the keys of all series of some sites."""
    query = select(*_SERIES).where(series.c.site_id.in_(site_ids)).order_by(*_SERIES)
    return [SeriesKey(*row) for row in connection.execute(query)]


def known_revisions(connection: Connection, like: Sequence[Observation]) -> list[list[Observation]]:
    """For each look, all its revisions so far."""
    found: list[list[Observation]] = []
    for chunk in chunks(like):
        known = _known(connection, chunk)
        found += [known.get(_look_id(each), []) for each in chunk]
    return found


def register_series(connection: Connection, observations: Iterable[Observation]) -> None:
    """Insert the series that are new, lock them all, in one order, until the transaction ends, and note how long looks are."""
    kinds: dict[SeriesKey, str] = {}
    longest: dict[SeriesKey, int] = {}
    for each in observations:
        kinds[each.series] = each.kind
        longest[each.series] = max(longest.get(each.series, 0), length_us(each.period_start, each.period_end))
    keys = sorted(kinds)
    insert_ignore(
        connection,
        series,
        [{**_named(key), "kind": kinds[key], "longest_us": longest[key]} for key in keys],
    )
    # Two writers of one series must not choose the same revision number. SQLite has one writer anyway.
    if connection.dialect.name == "postgresql":
        for chunk in chunks(keys):
            these = with_keys(connection, select(*_SERIES), _SERIES, [_values(key) for key in chunk])
            connection.execute(these.order_by(*_SERIES).with_for_update(of=series)).all()
    note_longest(connection, longest)


def note_longest(connection: Connection, longest_us: Mapping[SeriesKey, int]) -> None:
    """Note that looks of these series are so long, in microseconds; nothing where longer ones are known."""
    rows = [
        {**{f"b_{name}": getattr(key, name) for name in SERIES_KEY}, "b_us": us}
        for key, us in sorted(longest_us.items())
    ]
    if rows:
        connection.execute(_LENGTHEN, rows)


_LENGTHEN = (
    update(series)
    .where(
        *(series.c[name] == bindparam(f"b_{name}") for name in SERIES_KEY),
        series.c.longest_us < bindparam("b_us", type_=series.c.longest_us.type),
    )
    .values(longest_us=bindparam("b_us", type_=series.c.longest_us.type))
)


def length_us(start: datetime, end: datetime) -> int:
    """How long a period is, in microseconds."""
    return -(-(end - start) // _MICROSECOND) if end > start else 0


def through_series() -> FromClause:
    """Looks by way of their series, to be asked for by columns of `series`: few rows lead to a stretch of each.

    A database would carry over what is asked of a series to its looks, and then read all of a site or metric; as it
    stands it cannot know that the two are the same.
    """
    same = (observation.c[name] == series.c[name].concat("") for name in SERIES_KEY)
    return series.join(observation, and_(*same))


def beginning_after(connection: Connection, since: datetime) -> ColumnElement[bool]:
    """Whether a look may last until after a moment, by the longest of its series: so that an index finds it.

    For queries that join `series`; what it lets through is to be asked for its end all the same.
    """
    moment = literal(since, UtcDateTime)
    if connection.dialect.name == "postgresql":
        earliest = moment - series.c.longest_us * text("interval '1 microsecond'")
    else:
        earliest = type_coerce(type_coerce(moment, BigInteger) - series.c.longest_us, UtcDateTime)
    return observation.c.period_start >= earliest


def looks(
    connection: Connection,
    *,
    site_id: str,
    metric: str | None = None,
    area: str | None = None,
    subject: str | Collection[str] | None = None,
    procedure: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_of: datetime | None = None,
    as_recorded: datetime | None = None,
) -> list[Observation]:
    """Read one revision per look: the newest that was knowable at `as_of` and recorded by `as_recorded`.

    Looks whose period overlaps [since, until) come back, by period start and look key. A filter left at
    None takes all; `area=""` is the whole site and `subject=""` is all of them, as written. Of several subjects each will do.
    """
    wanted = {"site_id": site_id, "metric": metric, "area": area, "procedure": procedure}
    subjects = [subject] if isinstance(subject, str) else subject
    query: Select[Any] = select(*_KEPT, series.c.kind).select_from(through_series())
    query = query.where(
        released(observation),
        *(series.c[name] == value for name, value in wanted.items() if value is not None),
        *([] if subjects is None else [series.c.subject.in_(sorted(subjects))]),
        *_overlapping(connection, since, until),
        *_knowable(as_of, as_recorded),
    )
    by_look = _by_look(connection.execute(query))
    chosen = [in_force(each, Observation.same_finding) for each in by_look.values()]
    return sorted(chosen, key=lambda each: (each.period_start, each.look_key, each.series))


def looks_at(
    connection: Connection, site_ids: Collection[str], *, metric: str, since: datetime
) -> list[Observation]:
    """The looks of a metric at whole sites that last until after a moment, of all subjects together, as `looks` has them."""
    query: Select[Any] = select(*_KEPT, series.c.kind).select_from(through_series())
    query = query.where(
        released(observation),
        series.c.area == "",
        series.c.metric == metric,
        series.c.subject == "",
        *_overlapping(connection, since, None),
    )
    wanted = with_keys(connection, query, [series.c.site_id], [(each,) for each in site_ids])
    by_look = _by_look(connection.execute(wanted))
    chosen = [in_force(each, Observation.same_finding) for each in by_look.values()]
    return sorted(chosen, key=lambda each: (each.period_start, each.look_key, each.series))


def series_counted(connection: Connection, site_id: str, as_of: datetime, least: int) -> frozenset[SeriesKey]:
    """The series of a site with at least so many looks that were counted and knowable at `as_of`."""
    counted = (
        select(*_LOOK)
        .where(
            observation.c.site_id == site_id,
            observation.c.result_time <= as_of,
            observation.c.value.is_not(None),
            observation.c.announced.is_(False),
            released(observation),
        )
        .distinct()
        .subquery()
    )
    key = [counted.c[name] for name in SERIES_KEY]
    query = select(*key).group_by(*key).having(func.count() >= least)
    return frozenset(SeriesKey(*row) for row in connection.execute(query))


def every_revision(connection: Connection, site_id: str, area: str, metric: str) -> list[Observation]:
    """Read every revision of every look of a site's metric in one area, in the order in which they became knowable."""
    query = READ_OBSERVATIONS.where(
        observation.c.site_id == site_id, observation.c.area == area, observation.c.metric == metric
    )
    order = (observation.c.result_time, *_LOOK, observation.c.revision)
    return [observation_from_row(row) for row in connection.execute(query.order_by(*order))]


def count_recorded(connection: Connection) -> int:
    """How many revisions are stored in all."""
    return int(connection.execute(select(func.count()).where(released(observation))).scalar_one())


def count_undated(connection: Connection) -> int:
    """How many of them have no known date of publication."""
    ends = observation.c.note.endswith(UNDATED, autoescape=True)
    return int(connection.execute(select(func.count()).select_from(observation).where(ends)).scalar_one())


def count_revisions(connection: Connection, site_id: str, area: str, metric: str) -> int:
    """How many revisions there are of a site's metric in one area."""
    query = select(func.count()).where(
        observation.c.site_id == site_id,
        observation.c.area == area,
        observation.c.metric == metric,
        released(observation),
    )
    return int(connection.execute(query).scalar_one())


def _owed(new: Sequence[Observation], known: dict[LookId, list[Observation]]) -> Iterator[Observation]:
    for each in new:
        earlier = known[_look_id(each)]
        number = next_revision(earlier, each, Observation.same_finding)
        if number is not None:
            earlier.append(each.revised(number))
            yield earlier[-1]


def _known(connection: Connection, new: Sequence[Observation]) -> dict[LookId, list[Observation]]:
    wanted = {(*_values(each.series), each.period_start, each.look_key) for each in new}
    return _by_look(connection.execute(with_keys(connection, _ALL, _LOOK, wanted)))


def _by_look(rows: Iterable[Row[Any]]) -> dict[LookId, list[Observation]]:
    found: dict[LookId, list[Observation]] = defaultdict(list)
    for row in rows:
        each = observation_from_row(row)
        found[_look_id(each)].append(each)
    return found


def _overlapping(
    connection: Connection, since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield beginning_after(connection, since)
        yield or_(observation.c.period_end > since, observation.c.period_start >= since)
    if until is not None:
        yield observation.c.period_start < until


def _knowable(as_of: datetime | None, as_recorded: datetime | None) -> Iterator[ColumnElement[bool]]:
    if as_of is not None:
        yield observation.c.result_time <= as_of
    if as_recorded is not None:
        yield observation.c.recorded_at <= as_recorded


def _look_id(each: Observation) -> LookId:
    return each.series, each.period_start, each.look_key


def _values(key: SeriesKey) -> tuple[str, ...]:
    return tuple(getattr(key, name) for name in SERIES_KEY)


def _named(key: SeriesKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in SERIES_KEY}


def _to_row(each: Observation) -> dict[str, Any]:
    evidence = [{"kind": item.kind, "ref": item.ref, "text": item.text} for item in each.evidence]
    plain = {name: getattr(each, name) for name in _PLAIN}
    return {**_named(each.series), **plain, "exposure_parts": dict(each.exposure_parts), "evidence": evidence}


def observation_from_row(row: Row[Any]) -> Observation:
    """Read one row of the table as a record."""
    return _reader(row._fields)(row)


@cache
def _reader(columns: tuple[str, ...]) -> Callable[[Row[Any]], Observation]:
    """How rows with these columns become records; by place, because a judgement reads thousands of them."""
    names = [each.name for each in fields(Observation)]
    at = {name: number for number, name in enumerate(columns)}
    if set(at) != {*names, *SERIES_KEY} - {"series"}:
        message = f"a look is not read from the columns {', '.join(columns)}"
        raise ValueError(message)
    key = itemgetter(*(at[name] for name in SERIES_KEY))
    # The columns of the series stand in for it until its key is there.
    values = itemgetter(*(at.get(name, 0) for name in names))
    of_series, of_evidence = names.index("series"), names.index("evidence")

    def read(row: Row[Any]) -> Observation:
        found = list(values(row))
        found[of_series] = _series_key(*key(row))
        found[of_evidence] = tuple(Evidence(**item) for item in found[of_evidence])
        return Observation(*found)

    return read


# One key for all looks of a series, which come one after the other.
_series_key = lru_cache(maxsize=1024)(SeriesKey)
