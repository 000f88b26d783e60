"""Under which name the reports of an aircraft are stored: its address, or an alias where it may not be named."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, select, update

from db.records.aliases import is_alias
from db.schema import fix
from db.visitor_keys import aliases_for, aliases_heard, note_aliases

Standing = Literal["asked", "watched", "open", "unknown"]
"""Whether an aircraft may be named: its operator asked not to be shown; it is watched; nobody asked; nobody can tell."""


def stored_names(connection: Connection, standings: Mapping[str, Standing], now: datetime) -> dict[str, str]:
    """Give the name under which to store each aircraft, by address, and join what is stored under another.

    Providers differ in what they know of an aircraft. Its reports must stand under one name all the same, or it would
    be counted twice: once under an alias it stays there, for whoever hears it, until it was silent so long that its
    reports are forgotten.
    """
    names = {name: name for name in standings if is_alias(name)}
    aliases = aliases_for(connection, standings.keys() - names.keys(), now)
    heard = aliases_heard(connection, aliases.values())
    for icao24, alias in aliases.items():
        standing = standings[icao24]
        hidden = alias in heard
        if standing == "watched":
            names[icao24] = icao24
        elif standing == "asked" or hidden or (standing == "unknown" and not _is_stored(connection, icao24)):
            names[icao24] = alias
        else:
            names[icao24] = icao24
        if standing == "watched" and hidden:
            _move_reports(connection, alias, icao24)
        if standing == "asked" and not hidden:
            _move_reports(connection, icao24, alias)
    note_aliases(connection, (name for name in names.values() if is_alias(name)), now)
    return names


def nameless_ids(connection: Connection, flight_ids: Iterable[str], now: datetime) -> dict[str, str]:
    """Give what stands for the id of a flight whose aircraft may not be named: providers' ids lead to the aircraft."""
    return aliases_for(connection, flight_ids, now)


def _is_stored(connection: Connection, icao24: str) -> bool:
    return connection.execute(select(fix.c.icao24).where(fix.c.icao24 == icao24).limit(1)).first() is not None


def _move_reports(connection: Connection, old: str, new: str) -> None:
    """Bring reports under another name; the same report of one provider stands there once."""
    there = fix.alias()
    twice = select(there.c.at).where(
        there.c.icao24 == new, there.c.at == fix.c.at, there.c.provider == fix.c.provider
    )
    connection.execute(delete(fix).where(fix.c.icao24 == old, twice.exists()))
    values = {"icao24": new}
    if is_alias(new):
        values |= dict.fromkeys(("callsign", "registration", "type_code"), "")
    connection.execute(update(fix).where(fix.c.icao24 == old).values(values))
