"""What people call an aircraft type and which ICAO designators feeds send for it: `type:Tu-160` is also T160."""

import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

TYPES_FILE = Path(__file__).with_name("types.toml")
_PREFIX = "type:"


def names_of(designator: str) -> tuple[str, ...]:
    """Give the names under which people know a designator, the most common first; none where it has no entry."""
    return _names().get(designator, ())


def listed_types(designator: str, watchlist: Collection[str]) -> list[str]:
    """Give the subjects of a watch list, as written there, that mean the type with this designator."""
    if not designator:
        return []
    meant = {_bare(name) for name in (designator, *names_of(designator))}
    return [
        subject
        for subject in watchlist
        if subject.startswith(_PREFIX) and _bare(subject.removeprefix(_PREFIX)) in meant
    ]


def _bare(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    document = tomllib.loads(TYPES_FILE.read_text(encoding="utf-8"))
    return {designator: tuple(names) for designator, names in document["types"].items()}
