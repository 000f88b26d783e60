"""How fast a type can fly at most over the ground: what is faster is another aircraft, or a false position."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from monitor.flights.tracks.kinematics import MAX_SPEED_KT

SPEEDS_FILE = Path(__file__).with_name("speeds.toml")


def fastest_kt(type_code: str) -> float:
    """Give the speed that no aircraft of a type (ICAO designator) exceeds over the ground, else that of any."""
    return float(type_group(type_code).get("fastest_kt", MAX_SPEED_KT))


def type_group(type_code: str) -> Mapping[str, float]:
    """Give what is said of the group of a type: `fastest_kt`, `cruise_kt`, `endurance_h`, `circles`; nothing of one in none."""
    return _table().get(type_code, {})


@cache
def _table() -> Mapping[str, Mapping[str, float]]:
    document = tomllib.loads(SPEEDS_FILE.read_text(encoding="utf-8"))
    return {
        name: {key: float(value) for key, value in group.items() if key != "types"}
        for group in document["group"]
        for name in group["types"]
    }
