"""Who an aircraft is, from the aircraft database, the rules of its state and the classes, for a person to check."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.aircraft import aircraft_by_registration, known_aircraft, lists_unnamed, sources_of
from db.engine import Engine, reading
from db.records.claims import KnownAircraft
from monitor.errors import InputError
from monitor.flights.tracks.codes import icao24_of, is_icao, registration_of, type_names
from monitor.flights.tracks.identity import Aircraft, Classes, completed_aircraft

_REGISTRATION = re.compile(r"[A-Z0-9][A-Z0-9+./ -]{1,15}")


@dataclass(frozen=True, slots=True)
class AircraftIdentity:
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


def identify_aircraft(engine: Engine, name: str, classes: Classes) -> list[AircraftIdentity]:
    """Look up an address or a registration; several where databases disagree. Raises InputError where none fits."""
    with reading(engine) as connection:
        addresses = [name.lower()] if is_icao(name.lower()) else []
        listed: list[str] = []
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
        by_name = addresses != [name.lower()]
        list_known = lists_unnamed(connection)
    if by_name:
        # A number that follows from the rules of its state is no secret of anybody's list.
        _refuse_private(addresses, known, classes, list_known=list_known or not listed)
    return [_who(each, known.get(each), sources.get(each, ()), classes) for each in addresses]


def _refuse_private(
    addresses: Sequence[str], known: Mapping[str, KnownAircraft], classes: Classes, *, list_known: bool
) -> None:
    """Turn no registration into an address where the operator asked not to be shown, or nobody can tell whether."""
    aircraft = [completed_aircraft(Aircraft(each), known.get(each)) for each in addresses]
    if any(each.asked for each in aircraft):
        raise InputError(
            "The operator of this aircraft asked not to be shown (PIA or LADD), so no address is given for its registration."
        )
    if not list_known and not all(classes.watches(each) for each in aircraft):
        raise InputError(
            "Whether the operator of this aircraft asked not to be shown is not known, so no address is given for its "
            "registration. “sitewatch aircraft update” with tar1090-db's or Mictronics' file brings the list of those who asked."
        )


def _who(
    icao24: str, known: KnownAircraft | None, sources: tuple[str, ...], classes: Classes
) -> AircraftIdentity:
    aircraft = completed_aircraft(Aircraft(icao24), known)
    given = () if aircraft.unnamed else classes.of(aircraft)
    return AircraftIdentity(
        icao24,
        aircraft.state,
        "" if aircraft.unnamed else aircraft.registration,
        "" if aircraft.unnamed else registration_of(icao24),
        "" if aircraft.unnamed else aircraft.type_code,
        "" if aircraft.unnamed else next(iter(type_names(aircraft.type_code)), ""),
        "" if aircraft.unnamed else aircraft.listed_operator,
        {each: classes.labels[each] for each in given},
        classes.watches(aircraft),
        aircraft.unnamed,
        sources,
    )
