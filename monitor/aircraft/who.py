"""Who an aircraft is, from the aircraft database, the rules of its state and the classes, for a person to check."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from db.aircraft import aircraft_by_registration, known_aircraft, sources_of
from db.engine import Engine, reading
from db.records.claims import KnownAircraft
from monitor.errors import InputError
from monitor.flights.tracks.codes import icao24_of, is_icao, names_of, registration_of
from monitor.flights.tracks.identity import Aircraft, Classes, completed

_REGISTRATION = re.compile(r"[A-Z0-9][A-Z0-9+./ -]{1,15}")


@dataclass(frozen=True, slots=True)
class Who:
    """What is known of one address; `by_rule` is the registration that its state's numbering implies."""

    icao24: str
    state: str
    registration: str
    by_rule: str
    type_code: str
    type_name: str
    operator: str
    classes: Mapping[str, str]
    watched: bool
    unnamed: bool
    sources: tuple[str, ...]


def who_is(engine: Engine, name: str, classes: Classes) -> list[Who]:
    """Look up an address or a registration; several where databases disagree. Raises InputError where none fits."""
    with reading(engine) as connection:
        addresses = [name.lower()] if is_icao(name.lower()) else []
        if not addresses and _REGISTRATION.fullmatch(name.upper()):
            listed = aircraft_by_registration(connection, name.upper())
            by_rule = icao24_of(name.upper())
            addresses = listed or ([by_rule] if by_rule else [])
        if not addresses:
            raise InputError(
                f"{name!r} is no address of six hexadecimal digits, and no database that was imported names it as a "
                "registration. “sitewatch aircraft update” imports one."
            )
        known = known_aircraft(connection, addresses)
        sources = sources_of(connection, addresses)
    return [_who(each, known.get(each), sources.get(each, ()), classes) for each in addresses]


def _who(icao24: str, known: KnownAircraft | None, sources: tuple[str, ...], classes: Classes) -> Who:
    aircraft = completed(Aircraft(icao24), known)
    given = () if aircraft.unnamed else classes.of(aircraft)
    return Who(
        icao24,
        aircraft.state,
        "" if aircraft.unnamed else aircraft.registration,
        "" if aircraft.unnamed else registration_of(icao24),
        aircraft.type_code,
        next(iter(names_of(aircraft.type_code)), ""),
        "" if aircraft.unnamed else aircraft.listed_operator,
        {each: classes.labels[each] for each in given},
        classes.watches(aircraft),
        aircraft.unnamed,
        sources,
    )
