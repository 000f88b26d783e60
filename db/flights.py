"""Position reports and visits: storing thousands of fixes at once, and visits as append-only versions."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from db.chunks import chunks
from db.records import AWAITED_STATES, Evidence, Fix, Poll, Visit
from db.records.aliases import is_draft
from db.schema import fix, poll, visit, visit_version
from db.upsert import upsert
from db.visitor_keys import sealed_ids

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees; west greater than east crosses 180°."""

OPEN_VISIT_STATES = AWAITED_STATES | {"present"}
"""States of a visit that may still end."""

_FIX = tuple(field.name for field in fields(Fix))
_POLL = tuple(field.name for field in fields(Poll))
_FIX_COLUMNS = tuple(fix.c[name] for name in _FIX)
_VISIT = tuple(column.name for column in visit.columns)
# Written out, not bound, so that both databases see that the partial index answers it.
_UNDERIVED = text("not poll.derived and poll.purpose = 'data'")
_OPEN = visit.c.state.in_(sorted(OPEN_VISIT_STATES))

ItemT = TypeVar("ItemT")


def insert_fixes(connection: Connection, fixes: Sequence[Fix]) -> int:
    """Store the fixes that are new by (provider, icao24, at) and give their number; a repeat is ignored."""
    if not fixes:
        return 0
    postgres = connection.dialect.name == "postgresql"
    insert = (postgresql.insert(fix) if postgres else sqlite.insert(fix)).on_conflict_do_nothing()
    # One statement run with many rows: the driver prepares it once and counts what it inserted.
    statement = insert.execution_options(preserve_rowcount=True)
    rows = [{name: getattr(each, name) for name in _FIX} for each in fixes]
    return connection.execute(statement, rows).rowcount


def drop_unborn_fixes(connection: Connection, poll_ids: Collection[int], after: datetime) -> None:
    """Drop the reports of these polls that say a time to come: they were heard at another."""
    for some in chunks(sorted(poll_ids)):
        connection.execute(delete(fix).where(fix.c.poll_id.in_(some), fix.c.at > after))


def fixes(
    connection: Connection,
    *,
    icao24s: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    box: Bounds | None = None,
    poll_ids: Collection[int] | None = None,
    times: Collection[datetime] | None = None,
) -> list[Fix]:
    """Read the fixes of [since, until) by time; a filter left at None takes all."""
    common = [*_between(fix.c.at, since, until), *in_box(box), *_at(times)]
    found: list[Fix] = []
    for some in _filters(icao24s, poll_ids):
        query = select(*_FIX_COLUMNS).where(*common, *some)
        found += [Fix(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda each: (each.at, each.icao24, each.provider))


def underived_polls(connection: Connection, *, limit: int = 1000) -> list[Poll]:
    """Read the finished data polls whose reports or scenes still wait to be derived, oldest first."""
    query = (
        select(*(poll.c[name] for name in _POLL))
        .where(_UNDERIVED, poll.c.finished_at.is_not(None))
        .order_by(poll.c.started_at, poll.c.id)
        .limit(limit)
    )
    return [Poll(*row) for row in connection.execute(query)]


def mark_derived(connection: Connection, poll_ids: Collection[int]) -> None:
    """Say of these polls that everything in them has been derived."""
    for some in chunks(sorted(poll_ids)):
        connection.execute(update(poll).where(poll.c.id.in_(some)).values(derived=True))


def record_visits(connection: Connection, visits: Sequence[Visit]) -> list[Visit]:
    """Append a version for each visit that says something new, refresh the cache, return the new versions.

    A later `last_fix_at` alone is no news: it refreshes the cache and adds no version. Ids that still name the
    aircraft are sealed here.
    """
    sealed = _sealed(connection, visits)
    known = {each.visit_id: each for each in visits_by_id(connection, [each.visit_id for each in sealed])}
    stored: list[Visit] = []
    for each in sealed:
        earlier = known.get(each.visit_id)
        later = next_version(earlier, each)
        if later is None:
            _touch(connection, each)
            continue
        _store(connection, later)
        known[each.visit_id] = later
        stored.append(later)
    return stored


def next_version(earlier: Visit | None, each: Visit) -> Visit | None:
    """Give the version under which a visit is to be stored, None where it says nothing new."""
    if earlier is not None and same_story(earlier, each):
        return None
    return _from_row({**_to_row(each), "version": 1 if earlier is None else earlier.version + 1})


def visits(
    connection: Connection,
    *,
    site_id: str | None = None,
    icao24s: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    open_only: bool = False,
    limit: int | None = None,
) -> list[Visit]:
    """Read the newest version of each visit that touches [since, until), by its first fix.

    A visit that has not ended touches every time after its first fix. Withdrawn ones come back too.
    """
    common = [*_equal(visit.c.site_id, site_id), *_beginning(until)]
    # Asked in one, with OR, the two would use no index on SQLite, unless the aircraft narrow them down.
    touching = _touching(since, open_only=open_only)
    touching = [[or_(*(and_(*each) for each in touching))]] if icao24s is not None and since else touching
    found: dict[str, Visit] = {}
    for some in _filters(icao24s, None, visit.c.icao24):
        for still in touching:
            query = select(visit).where(*common, *some, *still).order_by(visit.c.first_fix_at.desc())
            rows = connection.execute(query.limit(limit)).mappings()
            found |= {row["visit_id"]: _from_row(row) for row in rows}
    ordered = sorted(found.values(), key=lambda each: (each.first_fix_at or each.recorded_at, each.visit_id))
    return ordered if limit is None else ordered[-limit:]


def nameless_visits(connection: Connection, since: datetime) -> list[Visit]:
    """Read the visits without name whose aircraft was heard since then."""
    query = select(visit).where(visit.c.icao24 == "", visit.c.last_fix_at >= since)
    return [_from_row(row) for row in connection.execute(query).mappings()]


def awaited_visits(connection: Connection) -> list[Visit]:
    """Read the visits whose aircraft was lost on the way and has not been heard again."""
    query = select(visit).where(visit.c.state.in_(sorted(AWAITED_STATES)), visit.c.departed_at.is_(None))
    return [_from_row(row) for row in connection.execute(query).mappings()]


def visits_by_id(connection: Connection, visit_ids: Collection[str], *, hold: bool = False) -> list[Visit]:
    """Read the newest version of each of these visits; `hold` keeps others from changing them meanwhile."""
    found: list[Visit] = []
    for some in chunks(sorted(set(visit_ids))):
        query = select(visit).where(visit.c.visit_id.in_(some)).order_by(visit.c.visit_id)
        rows = connection.execute(query.with_for_update() if hold else query)
        found += [_from_row(row) for row in rows.mappings()]
    return found


def touches(
    each: Visit,
    *,
    site_id: str | None = None,
    icao24s: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> bool:
    """Whether `visits` would find this visit if it were stored so."""
    begin = each.first_fix_at or each.arrived_at or each.departed_at
    last = each.last_fix_at or each.departed_at
    return (
        site_id in {None, each.site_id}
        and (icao24s is None or each.icao24 in icao24s)
        and (until is None or (begin is not None and begin < until))
        and (since is None or each.state in OPEN_VISIT_STATES or (last is not None and last >= since))
    )


def _touching(since: datetime | None, *, open_only: bool) -> list[list[ColumnElement[bool]]]:
    """Give the conditions, of which one must hold."""
    if open_only:
        return [[_OPEN]]
    if since is None:
        return [[]]
    unheard = [visit.c.last_fix_at.is_(None), visit.c.departed_at >= since]
    return [[_OPEN], [visit.c.last_fix_at >= since], unheard]


def _beginning(until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if until is not None:
        yield func.coalesce(visit.c.first_fix_at, visit.c.arrived_at, visit.c.departed_at) < until


def _equal(column: ColumnElement[Any], value: object) -> Iterator[ColumnElement[bool]]:
    if value is not None:
        yield column == value


def _between(
    column: ColumnElement[Any], since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield column >= since
    if until is not None:
        yield column < until


def _at(times: Collection[datetime] | None) -> Iterator[ColumnElement[bool]]:
    if times is not None:
        yield fix.c.at.in_(sorted(times))


def in_box(box: Bounds | None) -> Iterator[ColumnElement[bool]]:
    """Give the conditions under which a report lies in a box; none where there is no box."""
    if box is None:
        return
    west, south, east, north = box
    yield fix.c.lat.between(south, north)
    if west <= east:
        yield fix.c.lon.between(west, east)
    else:
        yield or_(fix.c.lon >= west, fix.c.lon <= east)


def _filters(
    icao24s: Collection[str] | None,
    poll_ids: Collection[int] | None,
    column: ColumnElement[Any] = fix.c.icao24,
) -> Iterator[list[ColumnElement[bool]]]:
    """Split long lists over several queries: each database limits the number of parameters."""
    for hexes in _some(icao24s):
        for ids in _some(poll_ids):
            yield [
                *([column.in_(hexes)] if hexes is not None else []),
                *([fix.c.poll_id.in_(ids)] if ids is not None else []),
            ]


def _some(items: Collection[ItemT] | None) -> Iterable[Sequence[ItemT] | None]:
    return [None] if items is None else chunks(sorted(set(items), key=str))


def _sealed(connection: Connection, visits: Sequence[Visit]) -> list[Visit]:
    drafts = {each.visit_id for each in visits if is_draft(each.visit_id)}
    if not drafts:
        return list(visits)
    ids = sealed_ids(connection, drafts, max(each.recorded_at for each in visits))
    return [replace(each, visit_id=ids.get(each.visit_id, each.visit_id)) for each in visits]


def _store(connection: Connection, each: Visit) -> None:
    row = _to_row(each)
    connection.execute(visit_version.insert(), row)
    upsert(connection, visit, row, ["visit_id"])


def _touch(connection: Connection, each: Visit) -> None:
    if each.last_fix_at is not None:
        unheard = visit.c.visit_id == each.visit_id, visit.c.last_fix_at < each.last_fix_at
        connection.execute(update(visit).where(*unheard).values(last_fix_at=each.last_fix_at))


def same_story(one: Visit, other: Visit) -> bool:
    """Whether two versions of a visit say the same, but for when its aircraft was last heard."""
    dull = {"version", "recorded_at", "last_fix_at", "began_at"}
    mine, theirs = _to_row(one), _to_row(other)
    return all(mine[name] == theirs[name] for name in _VISIT if name not in dull)


def _to_row(each: Visit) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(each, name) for name in _VISIT}
    row["subjects"] = list(each.subjects)
    row["candidates"] = dict(each.candidates)
    row["evidence"] = [{"kind": item.kind, "ref": item.ref, "text": item.text} for item in each.evidence]
    return row


def _from_row(row: Mapping[Any, Any]) -> Visit:
    values = {name: value for name, value in row.items() if name != "began_at"}
    values["subjects"] = tuple(values["subjects"])
    values["evidence"] = tuple(Evidence(**item) for item in values["evidence"])
    return Visit(**values)
