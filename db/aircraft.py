"""The aircraft database: what public registers say of each address, as the user imported them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, delete, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from db.chunks import chunks
from db.records.aliases import alias_of
from db.records.claims import UNNAMED_FLAGS, KnownAircraft
from db.schema import aircraft
from db.visitor_keys import REGISTER_KEY, key_named, known_key

REGISTER_SOURCES = ("tar1090-db", "mictronics", "opensky")
"""The kinds of database that can be imported, the one that is believed first in front."""
_SAYS = ("registration", "type_code", "operator", "flags")


def import_aircraft(connection: Connection, source: str, rows: Sequence[KnownAircraft], now: datetime) -> int:
    """Store what one source says of these aircraft, over what it said before; give the number that is new or changed.

    Of one whose operator asked not to be shown nothing is stored but that, under an alias, whatever other sources say.
    """
    if not rows:
        return 0
    wanted = _veiled(connection, source, rows, now)
    if not wanted:
        return 0
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(aircraft)
    says = {name: insert.excluded[name] for name in (*_SAYS, "imported_at")}
    differs = or_(*(aircraft.c[name] != insert.excluded[name] for name in _SAYS))
    statement = insert.on_conflict_do_update(index_elements=["icao24", "source"], set_=says, where=differs)
    values = [
        {"icao24": row.icao24, "source": source, "imported_at": now, **{name: getattr(row, name) for name in _SAYS}}
        for row in {row.icao24: row for row in wanted}.values()
    ]  # fmt: skip
    return connection.execute(statement.execution_options(preserve_rowcount=True), values).rowcount


def known_aircraft(connection: Connection, icao24s: Collection[str]) -> dict[str, KnownAircraft]:
    """Read what the sources together say of these addresses: the first that says anything has it, flags add up."""
    key = known_key(connection, REGISTER_KEY)
    names = {each: each for each in icao24s}
    if key is not None:
        names |= {alias_of(key, each): each for each in icao24s}
    found = dict(_merged(connection, sorted(names)))
    return {names[each]: replace(said, icao24=names[each]) for each, said in found.items()}


def lists_unnamed(connection: Connection) -> bool:
    """Whether any database was imported that says whose operators asked not to be shown."""
    query = select(aircraft.c.icao24).where(text("flags >= 4")).limit(1)
    return connection.execute(query).first() is not None


def unnamed_aliases(connection: Connection) -> frozenset[str]:
    """Read the aliases of all whose operators asked not to be shown, under the key of aircraft databases."""
    query = select(aircraft.c.icao24).where(text("flags >= 4"))
    return frozenset(connection.execute(query).scalars())


def aircraft_by_registration(connection: Connection, registration: str) -> list[str]:
    """Read the addresses that carry this registration in any source."""
    found = select(aircraft.c.icao24).where(aircraft.c.registration == registration).distinct()
    return list(connection.execute(found.order_by(aircraft.c.icao24)).scalars())


def sources_of(connection: Connection, icao24s: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Read which sources name each of these addresses."""
    query = select(aircraft.c.icao24, aircraft.c.source).where(aircraft.c.icao24.in_(sorted(set(icao24s))))
    found: dict[str, tuple[str, ...]] = {}
    for icao24, source in connection.execute(query.order_by(aircraft.c.source)):
        found[icao24] = (*found.get(icao24, ()), source)
    return found


def _veiled(
    connection: Connection, source: str, rows: Sequence[KnownAircraft], now: datetime
) -> list[KnownAircraft]:
    """Put those that asked not to be shown under aliases, forget what was known of them, and leave out what others say."""
    key = key_named(connection, REGISTER_KEY, now)
    aliases = {row.icao24: alias_of(key, row.icao24) for row in rows}
    asked = {row.icao24: row.flags for row in rows if row.flags & UNNAMED_FLAGS}
    free = sorted(alias for icao24, alias in aliases.items() if icao24 not in asked)
    for some in chunks(free):
        # The source takes back that its operator asked.
        connection.execute(delete(aircraft).where(aircraft.c.source == source, aircraft.c.icao24.in_(some)))
    hidden = {aliases[icao24] for icao24 in asked}
    for some in chunks(free):
        hidden |= set(
            connection.execute(select(aircraft.c.icao24).where(aircraft.c.icao24.in_(some))).scalars()
        )
    for some in chunks(sorted(asked)):
        connection.execute(delete(aircraft).where(aircraft.c.icao24.in_(some)))
    return [
        *(KnownAircraft(aliases[icao24], flags=flags) for icao24, flags in asked.items()),
        *(row for row in rows if aliases[row.icao24] not in hidden),
    ]


def _merged(connection: Connection, icao24s: Sequence[str]) -> Iterator[tuple[str, KnownAircraft]]:
    for some in chunks(icao24s):
        query = select(aircraft).where(aircraft.c.icao24.in_(some)).order_by(aircraft.c.icao24)
        for icao24, rows in groupby(connection.execute(query).mappings(), key=lambda row: row["icao24"]):
            yield icao24, _merge(icao24, sorted(rows, key=_rank))


def _merge(icao24: str, rows: Sequence[Any]) -> KnownAircraft:
    said = {name: next((row[name] for row in rows if row[name]), "") for name in _SAYS if name != "flags"}
    flags = 0
    for row in rows:
        flags |= row["flags"]
    return KnownAircraft(icao24, flags=flags, **said)


def _rank(row: Any) -> int:
    return (
        REGISTER_SOURCES.index(row["source"]) if row["source"] in REGISTER_SOURCES else len(REGISTER_SOURCES)
    )
