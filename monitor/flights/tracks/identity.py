"""Which aircraft this is: what reports and the aircraft database say of it, and the subjects it is counted under."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from db.records import Fix
from db.records.aliases import is_alias
from db.records.claims import UNNAMED_FLAGS, EstimatedPosition, FlightClaim, KnownAircraft
from monitor.flights.tracks.codes import is_icao, listed_types, registration_of, registry_state

__all__ = [
    "Aircraft",
    "ClassRule",
    "Classes",
    "aircraft_in",
    "aircraft_of",
    "completed_aircraft",
    "completed_fixes",
    "is_counted",
    "is_icao",
    "is_watched",
    "registry_state",
    "visit_subjects",
]

_PATTERN = re.compile(r"[*?\[]")
# ICAO's airline designator and a flight number; a registration flown as a callsign has no such shape.
_AIRLINE_CALLSIGN = re.compile(r"([A-Z]{3})[0-9][0-9A-Z]*")


@dataclass(frozen=True, slots=True)
class Aircraft:
    """What is said of one aircraft; everything but the address may be missing.

    `listed_operator` is what an aircraft database says, `operator` what the callsign of this flight says.
    """

    icao24: str
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    db_flags: int = 0
    listed_operator: str = ""

    @property
    def operator(self) -> str:
        """The three letters of an airline callsign, or nothing."""
        match = _AIRLINE_CALLSIGN.fullmatch(self.callsign)
        return match.group(1) if match else ""

    @property
    def state(self) -> str:
        """The state of registry, as far as registration or address hint at it."""
        return registry_state(self.icao24, self.registration)

    @property
    def unnamed(self) -> bool:
        """Whether the operator asked not to be named (PIA, LADD), or nobody knows whether: then it goes by an alias."""
        return self.asked or is_alias(self.icao24)

    @property
    def asked(self) -> bool:
        """Whether the operator asked not to be named (PIA, LADD)."""
        return bool(self.db_flags & UNNAMED_FLAGS)


@dataclass(frozen=True, slots=True)
class ClassRule:
    """One way to belong to a class: every condition that is given must hold, and no class in `unless` be given."""

    name: str
    hex: frozenset[str] = frozenset()
    block: str = ""
    types: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    registrations: tuple[str, ...] = ()
    flags: int = 0
    unless: frozenset[str] = frozenset()

    def holds(self, aircraft: Aircraft) -> bool:
        """Whether the aircraft meets every condition; `unless` is not looked at."""
        operators = {aircraft.operator, aircraft.listed_operator}
        return (
            (not self.hex or aircraft.icao24 in self.hex)
            and (not self.block or aircraft.state == self.block)
            and (not self.types or aircraft.type_code in self.types)
            and (not self.operators or not operators.isdisjoint(self.operators))
            and (not self.registrations or self._registered(aircraft))
            and (not self.flags or bool(aircraft.db_flags & self.flags))
        )

    @property
    def singles(self) -> tuple[str, ...]:
        """The single aircraft that it names, by address or by a registration that is no pattern."""
        return (*sorted(self.hex), *(each for each in self.registrations if not _PATTERN.search(each)))

    def _registered(self, aircraft: Aircraft) -> bool:
        """Whether the registration, else the one that the address implies, is one of the list (`RF-*` is a pattern)."""
        name = aircraft.registration or registration_of(aircraft.icao24)
        return bool(name) and any(fnmatchcase(name, pattern) for pattern in self.registrations)


@dataclass(frozen=True, slots=True)
class Classes:
    """Every class of aircraft: its rules, its words, and which are watched."""

    rules: tuple[ClassRule, ...]
    labels: Mapping[str, str]
    watched: frozenset[str]

    def of(self, aircraft: Aircraft) -> tuple[str, ...]:
        """Give the classes of an aircraft, sorted; rules with `unless` are asked last, of what the others gave."""
        given = {rule.name for rule in self.rules if not rule.unless and rule.holds(aircraft)}
        late = (rule for rule in self.rules if rule.unless and rule.unless.isdisjoint(given))
        return tuple(sorted(given | {rule.name for rule in late if rule.holds(aircraft)}))

    def watches(self, aircraft: Aircraft) -> bool:
        """Whether reports and identity of this aircraft are kept wherever it is."""
        return not aircraft.unnamed and not self.watched.isdisjoint(self.of(aircraft))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that the rules of watched classes name one by one, sorted."""
        return tuple(sorted({each for rule in self.rules if rule.name in self.watched for each in rule.hex}))


def aircraft_of(fixes: Sequence[Fix]) -> Aircraft:
    """Collect what the reports of one aircraft say: the first value given for each, every flag."""
    return Aircraft(
        fixes[0].icao24,
        _first(fix.callsign for fix in fixes),
        _first(fix.registration for fix in fixes),
        _first(fix.type_code for fix in fixes),
        _union(fix.db_flags for fix in fixes),
    )


def flown_as(fixes: Sequence[Fix], at: datetime) -> Aircraft:
    """Collect what reports in order of time say of one aircraft, with the callsign that it had last at a time, else the next."""
    newest_first = list(reversed(fixes))
    before = [fix for fix in newest_first if fix.at <= at]
    after = [fix for fix in fixes if fix.at > at]
    return replace(aircraft_of(newest_first), callsign=_first(fix.callsign for fix in (*before, *after)))


def is_counted(icao24: str) -> bool:
    """Whether a name stands for one aircraft: an ICAO address, or the alias of one."""
    return is_icao(icao24) or is_alias(icao24)


def aircraft_in(report: Fix | FlightClaim | EstimatedPosition) -> Aircraft:
    """Give what one report, claim or estimate says of its aircraft."""
    flags = report.db_flags if isinstance(report, Fix) else 0
    return Aircraft(report.icao24, report.callsign, report.registration, report.type_code, flags)


def completed_aircraft(aircraft: Aircraft, known: KnownAircraft | None) -> Aircraft:
    """Fill in what the reports leave out from the aircraft database; what a report says stands, flags add up."""
    if known is None:
        return aircraft
    return replace(
        aircraft,
        registration=aircraft.registration or known.registration,
        type_code=aircraft.type_code or known.type_code,
        db_flags=aircraft.db_flags | known.flags,
        listed_operator=aircraft.listed_operator or known.operator,
    )


def completed_fixes(fixes: Iterable[Fix], known: Mapping[str, KnownAircraft]) -> list[Fix]:
    """Fill in reports from the aircraft database (rows of `db.aircraft.known_aircraft`) before they are read.

    So a feed without types (OpenSky) gives `type:` subjects and classes too, and an aircraft that asked not to
    be named stays unnamed whichever feed it came from.
    """
    return [_completed_fix(fix, known.get(fix.icao24)) for fix in fixes]


def _completed_fix(fix: Fix, known: KnownAircraft | None) -> Fix:
    if known is None:
        return fix
    named = (
        fix.registration or known.registration,
        fix.type_code or known.type_code,
        fix.db_flags | known.flags,
    )
    if named == (fix.registration, fix.type_code, fix.db_flags):
        return fix
    return replace(fix, registration=named[0], type_code=named[1], db_flags=named[2])


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _union(flags: Iterable[int]) -> int:
    union = 0
    for each in flags:
        union |= each
    return union


def kinds_of(aircraft: Aircraft, classes: Classes) -> frozenset[str]:
    """Give the subjects that say which earlier visits were of its kind: itself, its classes, its operator."""
    operator = {f"operator:{aircraft.operator}"} if aircraft.operator else set()
    return frozenset(
        {f"icao24:{aircraft.icao24}", *(f"class:{name}" for name in classes.of(aircraft)), *operator}
    )


def is_watched(aircraft: Aircraft, classes: Classes, listed: Collection[str]) -> bool:
    """Whether an aircraft is watched: by a class, or by its address, class, type or operator on a watch list."""
    return f"icao24:{aircraft.icao24}" in visit_subjects(aircraft, classes, listed)


def visit_subjects(aircraft: Aircraft, classes: Classes, watchlist: Collection[str] = ()) -> tuple[str, ...]:
    """Give the subjects under which a visit is counted beside '': class, operator, type, and address if watched.

    The type is the ICAO designator that the feed sent (`type:T160`), and also the watch list's own word for it
    (`type:Tu-160`). An aircraft that asked not to be named has no subject.
    """
    if aircraft.unnamed:
        return ()
    found = [f"class:{name}" for name in classes.of(aircraft)]
    if aircraft.operator:
        found.append(f"operator:{aircraft.operator}")
    if aircraft.type_code:
        found.append(f"type:{aircraft.type_code}")
    found += listed_types(aircraft.type_code, watchlist)
    address = f"icao24:{aircraft.icao24}"
    if classes.watches(aircraft) or not {address, *found}.isdisjoint(watchlist):
        found.append(address)
    return tuple(sorted(set(found)))
