"""What providers say of flights, append-only by version, and where they reckon aircraft to be that nobody hears."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select

from db.chunks import chunks
from db.keys import with_keys
from db.records.claims import EstimatedPosition, FlightClaim
from db.schema import estimated_position, flight_claim
from db.upsert import insert_ignore

_CLAIM = tuple(each.name for each in fields(FlightClaim))
_ESTIMATE = tuple(each.name for each in fields(EstimatedPosition))
_NEVER = datetime.min.replace(tzinfo=UTC)
_CLAIMING = (flight_claim, estimated_position)
ClaimedNames = tuple[str, str, str, str]
"""Address, callsign, registration, type code."""


def insert_claims(connection: Connection, claims: Sequence[FlightClaim]) -> list[FlightClaim]:
    """Append a version of each claim that says something new; give those versions."""
    known = {
        (each.provider, each.flight_id): each
        for each in _newest(connection, sorted({(claim.provider, claim.flight_id) for claim in claims}))
    }
    stored: list[FlightClaim] = []
    for claim in claims:
        earlier = known.get((claim.provider, claim.flight_id))
        if earlier is not None and _says(earlier) == _says(claim):
            continue
        version = replace(claim, version=1 if earlier is None else earlier.version + 1)
        connection.execute(flight_claim.insert(), {name: getattr(version, name) for name in _CLAIM})
        known[version.provider, version.flight_id] = version
        stored.append(version)
    return stored


def insert_estimates(connection: Connection, estimates: Sequence[EstimatedPosition]) -> int:
    """Store the estimates that are new by (provider, icao24, at) and give their number."""
    rows = [{name: getattr(each, name) for name in _ESTIMATE} for each in estimates]
    return insert_ignore(connection, estimated_position, rows)


def claims(
    connection: Connection,
    *,
    airports: Collection[str] | None = None,
    icao24s: Collection[str] | None = None,
    poll_ids: Collection[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[FlightClaim]:
    """Read the newest version of each claim that touches one of these airports and was seen in [since, until)."""
    wanted = [
        *([] if icao24s is None else [flight_claim.c.icao24.in_(sorted(icao24s))]),
        *([] if poll_ids is None else [flight_claim.c.poll_id.in_(sorted(poll_ids))]),
        *([] if since is None else [flight_claim.c.last_seen_at >= since]),
        *([] if until is None else [flight_claim.c.first_seen_at < until]),
    ]
    if airports is not None:
        codes = sorted(airports)
        columns = (flight_claim.c.origin, flight_claim.c.destination, flight_claim.c.actual_destination)
        wanted.append(or_(*(column.in_(codes) for column in columns)))
    later = flight_claim.alias("later")
    replaced = exists().where(
        later.c.provider == flight_claim.c.provider,
        later.c.flight_id == flight_claim.c.flight_id,
        later.c.version > flight_claim.c.version,
    )
    query = select(*(flight_claim.c[name] for name in _CLAIM)).where(and_(~replaced, *wanted))
    order = (flight_claim.c.first_seen_at, flight_claim.c.provider, flight_claim.c.flight_id)
    return [_claim(row) for row in connection.execute(query.order_by(*order))]


def estimates(
    connection: Connection, *, icao24s: Collection[str], since: datetime | None = None
) -> list[EstimatedPosition]:
    """Read estimated positions of these aircraft by time."""
    wanted = [
        estimated_position.c.icao24.in_(sorted(icao24s)),
        *([] if since is None else [estimated_position.c.at >= since]),
    ]
    query = select(*(estimated_position.c[name] for name in _ESTIMATE)).where(and_(True, *wanted))
    rows = connection.execute(query.order_by(estimated_position.c.at, estimated_position.c.icao24))
    return [EstimatedPosition(*row) for row in rows]


def unwatched_claims(
    connection: Connection, before: datetime, watched: Callable[[ClaimedNames], bool]
) -> list[ClaimedNames]:
    """Give the names in claims and estimates received before then of aircraft that are not watched."""
    found: set[ClaimedNames] = set()
    for table in _CLAIMING:
        old = select(*_names(table)).where(table.c.received_at < before).distinct()
        found |= {(row[0], row[1], row[2], row[3]) for row in connection.execute(old)}
    return sorted(who for who in found if not watched(who))


def forget_claims(connection: Connection, claimed: Sequence[ClaimedNames], before: datetime) -> int:
    """Delete the claims and estimates received before then under these names; give their number."""
    forgotten = 0
    for who in claimed:
        for table in _CLAIMING:
            same = (column == value for column, value in zip(_names(table), who, strict=True))
            gone = delete(table).where(table.c.received_at < before, *same)
            forgotten += connection.execute(gone).rowcount
    return forgotten


def _names(table: Table) -> tuple[ColumnElement[str], ...]:
    return (table.c.icao24, table.c.callsign, table.c.registration, table.c.type_code)


def _newest(connection: Connection, flights: Sequence[tuple[str, str]]) -> Iterable[FlightClaim]:
    columns = (flight_claim.c.provider, flight_claim.c.flight_id)
    for some in chunks(flights):
        query = with_keys(connection, select(*(flight_claim.c[name] for name in _CLAIM)), columns, some)
        # Later versions overwrite earlier ones where the caller makes a mapping.
        for row in connection.execute(query.order_by(flight_claim.c.version)):
            yield _claim(row)


def _claim(row: Iterable[object]) -> FlightClaim:
    return FlightClaim(**dict(zip(_CLAIM, row, strict=True)))  # type: ignore[arg-type]


def _says(claim: FlightClaim) -> FlightClaim:
    """What a claim says, whenever it came."""
    return replace(claim, version=1, received_at=_NEVER, poll_id=None, quality=dict(claim.quality))
