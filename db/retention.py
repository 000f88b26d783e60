"""What is forgotten, and when: extracts of answers, what receivers heard, and who the aircraft were that nobody watches."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, delete, func, literal, select, update

from db.chunks import KEYS_PER_STATEMENT, ChunkItemT, chunks
from db.cutouts import drop_sites
from db.engine import reading, writing
from db.extracts import ExtractKey, aircraft_in_extracts, cited_polls, forget_extracts, old_extracts
from db.flight_claims import forget_claims, unwatched_claims
from db.flights import nameless_visits
from db.hearing import forget_hearing
from db.keys import any_key
from db.pixels import drop_pixels
from db.polls import LOST_POLL_ERROR
from db.radar import drop_radar
from db.schema import fix, flight_claim, poll, visit, visit_version
from db.visitor_keys import drop_aliases, drop_keys

_VISITS_AT_ONCE = 20
_GIVEN_UP_AFTER = timedelta(days=1)
_KEEP_HEARING = timedelta(days=1)
_KEEP_PIXELS = timedelta(days=4 * 366)
"""Three years of a season and a little more: no look is held against older ones."""
DROPPED_IDENTITY = "(not kept)"


class Identity(NamedTuple):
    """What the reports said of one aircraft."""

    icao24: str
    callsign: str
    registration: str
    type_code: str
    db_flags: int


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """How much was forgotten: position reports, identities of visitors, extracts, pictures, claims; and polls lost."""

    fixes: int
    visits: int
    extracts: int
    lost_polls: int
    pictures: int
    claims: int = 0


def purge(
    engine: Engine,
    now: datetime,
    *,
    keep_identities: timedelta,
    keep_extracts: timedelta,
    watched: Callable[[Connection, Identity], bool],
    sites: Collection[str],
) -> PurgeReport:
    """Forget what is older than it may be kept; counts stay, and so does what an alert rests on.

    Of a site that is not among `sites` any more the pictures go: they can be made anew.

    Of an aircraft that is not `watched` the position reports go, and its visits keep no name, though it be heard
    on: a visit without name is continued by its key, which goes once it is silent for so long.

    What is to go is sought on a view that holds nobody up, and goes a little in each transaction: a kill leaves the rest to the
    next time.
    """
    before = now - keep_identities
    with reading(engine) as connection:
        known = partial(watched, connection)
        kept, gone = _sorted_out(connection, before, known)
        visitors = _visitors(connection, before, lambda who: who.icao24 in kept or known(who))
        extracts = _old_extracts(connection, before, now - keep_extracts, known, sites)
        claimed = unwatched_claims(connection, before, lambda who: who[0] in kept or known(Identity(*who, 0)))
    report = PurgeReport(
        _forget_reports(engine, before, gone),
        _in_steps(engine, visitors, _forget_visitors, _VISITS_AT_ONCE),
        _in_steps(engine, extracts, forget_extracts),
        _in_one(engine, partial(_give_up_lost, before=now - _GIVEN_UP_AFTER)),
        _in_one(engine, partial(drop_sites, watched=sites)),
        _in_steps(engine, claimed, partial(forget_claims, before=before), _VISITS_AT_ONCE),
    )
    with writing(engine) as connection:
        forget_hearing(connection, now - _KEEP_HEARING)
        drop_pixels(connection, sites, now - _KEEP_PIXELS)
        drop_radar(connection, sites, now - _KEEP_PIXELS)
        drop_aliases(connection, before)
        drop_keys(connection, before, nameless_visits(connection, before))
    return report


def _in_steps(
    engine: Engine,
    items: Sequence[ChunkItemT],
    step: Callable[[Connection, Sequence[ChunkItemT]], int],
    most: int = KEYS_PER_STATEMENT,
) -> int:
    done = 0
    for some in chunks(items, most):
        with writing(engine) as connection:
            done += step(connection, some)
    return done


def _in_one(engine: Engine, step: Callable[[Connection], int]) -> int:
    with writing(engine) as connection:
        return step(connection)


def _forget_reports(engine: Engine, before: datetime, gone: Collection[str]) -> int:
    forgotten = 0
    for some in chunks(sorted(gone)):
        while now := _forget_some_fixes(engine, before, some):
            forgotten += now
    return forgotten


def _forget_some_fixes(engine: Engine, before: datetime, gone: Sequence[str]) -> int:
    key = tuple(fix.primary_key.columns)
    old = select(*key).where(fix.c.received_at < before, fix.c.icao24.in_(gone)).limit(KEYS_PER_STATEMENT)
    with writing(engine) as connection:
        some = [tuple(row) for row in connection.execute(old)]
        return (
            connection.execute(delete(fix).where(any_key(key, some, ("icao24", "at")))).rowcount
            if some
            else 0
        )


def _sorted_out(
    connection: Connection, before: datetime, watched: Callable[[Identity], bool]
) -> tuple[set[str], set[str]]:
    """The addresses in old reports: those that are watched, and the others."""
    columns = (fix.c.icao24, fix.c.callsign, fix.c.registration, fix.c.type_code, fix.c.db_flags)
    rows = connection.execute(select(*columns).where(fix.c.received_at < before).distinct())
    # One report without a callsign must not undo what another one said of the same aircraft.
    names = {(row.icao24, watched(Identity(*row))) for row in rows}
    kept = {icao24 for icao24, is_watched in names if is_watched}
    return kept, {icao24 for icao24, _ in names} - kept


def _visitors(
    connection: Connection, before: datetime, watched: Callable[[Identity], bool]
) -> list[tuple[str, Identity]]:
    """The visits that lose their names, with what names them."""
    # What an archive tells of long ago was learnt when it was recorded.
    first = select(visit_version.c.visit_id).where(visit_version.c.recorded_at < before)
    names = (visit.c.icao24, visit.c.callsign, visit.c.registration, visit.c.type_code)
    query = select(visit.c.visit_id, *names).where(
        visit.c.icao24 != "",
        func.coalesce(visit.c.first_fix_at, visit.c.arrived_at, visit.c.departed_at) < before,
        visit.c.visit_id.in_(first.where(visit_version.c.version == 1)),
    )
    found = [(row[0], Identity(row[1], row[2], row[3], row[4], 0)) for row in connection.execute(query)]
    return [(visit_id, who) for visit_id, who in found if not watched(who)]


def _forget_visitors(connection: Connection, visitors: Sequence[tuple[str, Identity]]) -> int:
    for visit_id, who in visitors:
        for table in (visit, visit_version):
            _anonymise(connection, table, visit_id, who)
    return len(visitors)


def _anonymise(connection: Connection, table: Table, visit_id: str, who: Identity) -> None:
    rows = connection.execute(select(table).where(table.c.visit_id == visit_id)).mappings().all()
    for row in rows:
        names = {who.icao24, who.callsign, who.registration, row["callsign"], row["registration"]} - {""}
        connection.execute(
            update(table)
            .where(table.c.visit_id == visit_id, table.c.version == row["version"])
            .values(
                icao24="",
                callsign="",
                registration="",
                subjects=[each for each in row["subjects"] if not any(name in each for name in names)],
                candidates=_without(_without_gap_id(row["candidates"]), names),
                evidence=_without(row["evidence"], names),
            )
        )


def _without_gap_id(candidates: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take out the name of a loss of signal: it is made from the address, which could be found by trying all."""
    gap = candidates.get("gap")
    if not isinstance(gap, dict):
        return candidates
    return {**candidates, "gap": {key: value for key, value in gap.items() if key != "id"}}


def _without(value: Any, names: Collection[str]) -> Any:
    """The same document with these names struck out of every text."""
    if isinstance(value, str):
        for name in names:
            value = value.replace(name, DROPPED_IDENTITY)
        return value
    if isinstance(value, dict):
        return {key: _without(each, names) for key, each in value.items()}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def _old_extracts(
    connection: Connection,
    identities_before: datetime,
    before: datetime,
    watched: Callable[[Identity], bool],
    sites: Collection[str],
) -> list[ExtractKey]:
    """The extracts that no alert rests on any more, and those about aircraft that are watched no more."""
    still = _watched_ones(connection, aircraft_in_extracts(connection), watched)
    unwatched = old_extracts(connection, identities_before, but=still)
    uncited = old_extracts(connection, before, cited=cited_polls(connection, sites))
    return sorted({*unwatched, *uncited})


def _watched_ones(
    connection: Connection, icao24s: Sequence[str], watched: Callable[[Identity], bool]
) -> set[str]:
    """Choose the addresses that are watched, by all that reports and claims say of them."""
    said = {Identity(each, "", "", "", 0) for each in icao24s}
    for some in chunks(icao24s):
        for table in (fix, flight_claim):
            flags = [table.c.db_flags] if table is fix else [literal(0)]
            names = (table.c.icao24, table.c.callsign, table.c.registration, table.c.type_code)
            rows = connection.execute(select(*names, *flags).where(table.c.icao24.in_(some)).distinct())
            said |= {Identity(*row) for row in rows}
    return {each.icao24 for each in said if watched(each)}


def _give_up_lost(connection: Connection, before: datetime) -> int:
    lost = (
        update(poll)
        .where(poll.c.outcome.is_(None), poll.c.started_at < before)
        .values(outcome="failed", error=LOST_POLL_ERROR, derived=True)
    )
    return connection.execute(lost).rowcount
