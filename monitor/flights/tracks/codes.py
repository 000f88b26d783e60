"""Codes: ICAO's blocks of addresses by state, registrations that follow from them, and designators of types.

Blocks and rules are hints, never proofs: JY-RAO of Jordan has an address in the DPRK's block.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

BLOCKS_FILE = Path(__file__).with_name("allocations.txt")

_ICAO24 = re.compile(r"[0-9a-f]{6}")
_BASE = 16
# RA-00000 to RA-99999 follow one another. State aircraft keep the number and write RF- or nothing before it.
_RUSSIA_FIRST, _RUSSIA_NUMBERS = 0x140000, 100_000
# Fits the ten registrations of Air Koryo that are known for sure; nobody has published the rule.
_KOREA_FIRST, _KOREA_NUMBERS = 0x727530, range(500, 1000)
_RUSSIAN = re.compile(r"(?:RA|RF)-(\d{5})")
_KOREAN = re.compile(r"P-(\d{3})")
# Enough to see that a registration contradicts the block; longest first, as HL and H are different states.
_PREFIXES = (
    (re.compile(r"R[AF]-"), "RU"),
    (re.compile(r"P-\d"), "KP"),
    (re.compile(r"HL\d"), "KR"),
    (re.compile(r"B-[0-9]"), "CN"),
    (re.compile(r"JA\d"), "JP"),
    (re.compile(r"JU-"), "MN"),
    (re.compile(r"EW-"), "BY"),
    (re.compile(r"JY-"), "JO"),
    (re.compile(r"N[1-9]"), "US"),
    (re.compile(r"(?:VP|VQ)-B"), "BM"),
)
_TYPE_SUBJECT = "type:"


def is_icao(icao24: str) -> bool:
    """Whether this is an ICAO 24-bit address; `~` marks one that is not, and such are never counted."""
    return _ICAO24.fullmatch(icao24) is not None


def registry_state(icao24: str, registration: str = "") -> str:
    """Give the state (ISO 3166) that the registration names, else the one to which ICAO gave the address, or ''."""
    named = next((state for prefix, state in _PREFIXES if prefix.match(registration)), "")
    if named or not is_icao(icao24):
        return named
    number = int(icao24, _BASE)
    firsts, blocks = _blocks()
    at = bisect_right(firsts, number) - 1
    return blocks[at][1] if at >= 0 and number <= blocks[at][0] else ""


def registry_states() -> frozenset[str]:
    """Give every state that has a block."""
    return frozenset(state for _, state in _blocks()[1])


def registration_of(icao24: str) -> str:
    """Give the registration that belongs to an address by the rules of Russia and the DPRK, or ''.

    Of the Russian rows of a public database that the rule covers, 97 of 100 bear its number; a state aircraft
    may write RF- or nothing before it. A hint: never publish it as what was seen.
    """
    if not is_icao(icao24):
        return ""
    number = int(icao24, _BASE)
    if 0 <= number - _RUSSIA_FIRST < _RUSSIA_NUMBERS:
        return f"RA-{number - _RUSSIA_FIRST:05d}"
    return f"P-{number - _KOREA_FIRST}" if number - _KOREA_FIRST in _KOREA_NUMBERS else ""


def icao24_of(registration: str) -> str:
    """Give the address that belongs to a registration by the same rules, or ''."""
    if found := _RUSSIAN.fullmatch(registration):
        return f"{_RUSSIA_FIRST + int(found[1]):06x}"
    found = _KOREAN.fullmatch(registration)
    if found and int(found[1]) in _KOREA_NUMBERS:
        return f"{_KOREA_FIRST + int(found[1]):06x}"
    return ""


@cache
def _blocks() -> tuple[list[int], list[tuple[int, str]]]:
    """Read the blocks: their first addresses, sorted, and the last address and state of each."""
    rows = []
    for line in BLOCKS_FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            block, state = line.split()
            first, _, last = block.partition("-")
            rows.append((int(first, _BASE), (int(last, _BASE), state)))
    rows.sort()
    return [first for first, _ in rows], [rest for _, rest in rows]


_DESIGNATOR = re.compile(r"[A-Z][A-Z0-9]{1,3}")
TYPES_FILE = Path(__file__).with_name("types.toml")


def type_names(designator: str) -> tuple[str, ...]:
    """Give the names under which people know a designator, the most common first; none where it has no entry."""
    return _names().get(designator, ())


def designators_of(name: str) -> tuple[str, ...]:
    """Give the ICAO type designators that a name of a type stands for, or the designator itself; none where it is neither."""
    meant = _bare(name)
    found = [code for code, names in _names().items() if meant in {_bare(each) for each in (code, *names)}]
    return tuple(found) or ((name.upper(),) if _DESIGNATOR.fullmatch(name.upper()) else ())


def listed_types(designator: str, watchlist: Collection[str]) -> list[str]:
    """Give the subjects of a watch list, as written there, that mean the type with this designator."""
    if not designator:
        return []
    meant = {_bare(name) for name in (designator, *type_names(designator))}
    return [
        subject
        for subject in watchlist
        if subject.startswith(_TYPE_SUBJECT) and _bare(subject.removeprefix(_TYPE_SUBJECT)) in meant
    ]


def _bare(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    document = tomllib.loads(TYPES_FILE.read_text(encoding="utf-8"))
    return {designator: tuple(names) for designator, names in document["types"].items()}
