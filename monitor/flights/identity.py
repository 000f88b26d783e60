"""Which aircraft this is: state of registry, classes, and the subjects under which it is counted."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from db.records import Fix

UNNAMED_FLAGS = 4 | 8
"""PIA and LADD: aircraft whose operators asked not to be named."""

CLASSES_FILE = Path(__file__).with_name("classes.toml")

# ICAO's blocks of addresses, first and last (tar1090 flags.js). A hint only: JY-RAO of Jordan sits in KP's.
_BLOCKS = (
    ("RU", 0x100000, 0x1FFFFF),
    ("KP", 0x720000, 0x727FFF),
    ("KR", 0x718000, 0x71FFFF),
    ("CN", 0x780000, 0x7BFFFF),
    ("JP", 0x840000, 0x87FFFF),
    ("MN", 0x682000, 0x6827FF),
    ("BY", 0x510000, 0x5107FF),
)
_STATES = frozenset(state for state, _, _ in _BLOCKS)
_FLAGS = {"military": 1}
_ICAO24 = re.compile(r"[0-9a-f]{6}")
# ICAO's airline designator and a flight number; a registration flown as a callsign has no such shape.
_AIRLINE_CALLSIGN = re.compile(r"([A-Z]{3})[0-9][0-9A-Z]*")


class ClassesError(Exception):
    """The file of aircraft classes cannot be used; the text names the entry at fault."""


@dataclass(frozen=True, slots=True)
class Aircraft:
    """What the reports say of one aircraft; everything but the address may be missing."""

    icao24: str
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    db_flags: int = 0

    @property
    def operator(self) -> str:
        """The three letters of an airline callsign, or nothing."""
        match = _AIRLINE_CALLSIGN.fullmatch(self.callsign)
        return match.group(1) if match else ""

    @property
    def unnamed(self) -> bool:
        """Whether the operator asked not to be named (PIA, LADD)."""
        return bool(self.db_flags & UNNAMED_FLAGS)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to belong to a class: every condition that is given must hold."""

    name: str
    hex: frozenset[str] = frozenset()
    block: str = ""
    types: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    flags: int = 0

    def holds(self, aircraft: Aircraft) -> bool:
        """Whether the aircraft meets every condition."""
        return (
            (not self.hex or aircraft.icao24 in self.hex)
            and (not self.block or state_of(aircraft.icao24) == self.block)
            and (not self.types or aircraft.type_code in self.types)
            and (not self.operators or aircraft.operator in self.operators)
            and (not self.flags or bool(aircraft.db_flags & self.flags))
        )


@dataclass(frozen=True, slots=True)
class Classes:
    """Every class of aircraft: its rules, its words, and which are watched."""

    rules: tuple[Rule, ...]
    labels: Mapping[str, str]
    watched: frozenset[str]

    def of(self, aircraft: Aircraft) -> tuple[str, ...]:
        """Give the classes of an aircraft, sorted."""
        return tuple(sorted({rule.name for rule in self.rules if rule.holds(aircraft)}))

    def watches(self, aircraft: Aircraft) -> bool:
        """Whether reports and identity of this aircraft are kept wherever it is."""
        return not aircraft.unnamed and not self.watched.isdisjoint(self.of(aircraft))


def is_icao(icao24: str) -> bool:
    """Whether this is an ICAO 24-bit address; `~` marks one that is not, and such are never counted."""
    return _ICAO24.fullmatch(icao24) is not None


def state_of(icao24: str) -> str:
    """Give the state to which ICAO gave this address (ISO 3166), or nothing; a hint, not a proof."""
    if not is_icao(icao24):
        return ""
    number = int(icao24, 16)
    return next((state for state, first, last in _BLOCKS if first <= number <= last), "")


def aircraft_of(fixes: Sequence[Fix]) -> Aircraft:
    """Collect what the reports of one aircraft say: the first value given for each, every flag."""
    return Aircraft(
        fixes[0].icao24,
        _first(fix.callsign for fix in fixes),
        _first(fix.registration for fix in fixes),
        _first(fix.type_code for fix in fixes),
        _union(fix.db_flags for fix in fixes),
    )


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _union(flags: Iterable[int]) -> int:
    union = 0
    for each in flags:
        union |= each
    return union


def subjects(aircraft: Aircraft, classes: Classes, watchlist: Collection[str] = ()) -> tuple[str, ...]:
    """Give the subjects under which a visit is counted beside '': class, operator, type, and address if watched.

    An aircraft that asked not to be named has none.
    """
    if aircraft.unnamed:
        return ()
    found = [f"class:{name}" for name in classes.of(aircraft)]
    if aircraft.operator:
        found.append(f"operator:{aircraft.operator}")
    if aircraft.type_code:
        found.append(f"type:{aircraft.type_code}")
    address = f"icao24:{aircraft.icao24}"
    if classes.watches(aircraft) or not {address, *found}.isdisjoint(watchlist):
        found.append(address)
    return tuple(sorted(found))


@cache
def default_classes() -> Classes:
    """Read the classes that come with the program."""
    return load_classes(CLASSES_FILE)


def load_classes(path: Path) -> Classes:
    """Read a file of classes or raise ClassesError that says which entry to mend."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClassesError(f"The aircraft classes in {path} cannot be read: {error}.") from None
    named: dict[str, dict[str, Any]] = document.get("class", {})
    _refuse_unknown(path, "at the top", document, {"class", "rule"})
    for name, entry in named.items():
        _refuse_unknown(path, f"in class.{name}", entry, {"label", "watch"})
    rules = tuple(_rule(path, n, entry, named) for n, entry in enumerate(document.get("rule", ()), start=1))
    labels = {name: str(entry.get("label", name)) for name, entry in named.items()}
    return Classes(rules, labels, frozenset(name for name, entry in named.items() if entry.get("watch")))


def _rule(path: Path, number: int, entry: Mapping[str, Any], named: Mapping[str, Any]) -> Rule:
    where = f"in rule {number}"
    _refuse_unknown(path, where, entry, {"class", "hex", "block", "types", "operators", "flags"})
    name = entry.get("class", "")
    if name not in named:
        raise ClassesError(
            f"{path}, {where}: there is no class {name!r}. Add a table [class.{name or 'NAME'}]."
        )
    rule = Rule(
        name,
        frozenset(entry.get("hex", ())),
        entry.get("block", ""),
        frozenset(entry.get("types", ())),
        frozenset(entry.get("operators", ())),
        sum(_FLAGS.get(flag, 0) for flag in entry.get("flags", ())),
    )
    bad = sorted(str(each) for each in rule.hex if not is_icao(str(each)))
    if bad:
        raise ClassesError(f"{path}, {where}: {', '.join(bad)} is not six lower-case hexadecimal digits.")
    if rule.block and rule.block not in _STATES:
        raise ClassesError(
            f"{path}, {where}: block {rule.block!r} is not one of {', '.join(sorted(_STATES))}."
        )
    unknown = sorted({str(flag) for flag in entry.get("flags", ())} - _FLAGS.keys())
    if unknown:
        raise ClassesError(f"{path}, {where}: flag {', '.join(unknown)} is not one of {', '.join(_FLAGS)}.")
    if rule == Rule(name):
        raise ClassesError(f"{path}, {where}: it has no condition and would fit every aircraft. Give it one.")
    return rule


def _refuse_unknown(path: Path, where: str, entry: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise ClassesError(
            f"{path}, {where}: {', '.join(unknown)} is not known. Known are {', '.join(sorted(known))}."
        )
