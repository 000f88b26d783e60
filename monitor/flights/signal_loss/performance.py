"""How fast a type cruises and how long it can stay in the air: what a silence can and cannot be."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from monitor.flights.tracks.speeds import type_group
from monitor.sites.geodesy import SECONDS_PER_HOUR

Trade = Literal["airline", "business", ""]
PERFORMANCE_FILE = Path(__file__).with_name("performance.toml")


@dataclass(frozen=True, slots=True)
class Performance:
    """Cruise in knots; endurance None where the type is refuelled in flight, so that no silence proves a landing."""

    cruise_kt: float
    endurance: timedelta | None
    circles: float
    """How many of those that do not land turn back or circle where nobody hears them, from 0 to 1."""
    footprint_m2: float | None = None
    """What a parked one covers, seen from above; None where pictures of 10 m cannot tell it."""
    trade: Trade = ""
    """What it is mostly flown for, where that is known."""

    def flight(self, distance_nm: float) -> timedelta:
        """How long the type takes for a distance at cruise."""
        return timedelta(seconds=distance_nm / self.cruise_kt * SECONDS_PER_HOUR)

    def outlasted_by(self, silence: timedelta) -> bool:
        """Whether no aircraft of the type can have stayed in the air for so long."""
        return self.endurance is not None and silence > self.endurance


@cache
def performance_of(type_code: str) -> Performance:
    """Give what is known of a type by its ICAO designator, else of its group, else cautious values for any."""
    known, trades = _table()
    group = type_group(type_code)
    found = known.get(type_code) or (_read(group) if group else known[""])
    return replace(found, trade=trades.get(type_code, ""))


@cache
def _table() -> tuple[Mapping[str, Performance], Mapping[str, Trade]]:
    document = tomllib.loads(PERFORMANCE_FILE.read_text(encoding="utf-8"))
    known = {"": _read(document["other"])} | {name: _read(each) for name, each in document["types"].items()}
    return known, {name: trade for trade, names in document["trades"].items() for name in names}


def _read(entry: Mapping[str, Any]) -> Performance:
    hours = entry.get("endurance_h")
    endurance = None if hours is None else timedelta(hours=hours)
    footprint = entry.get("footprint_m2")
    covers = None if footprint is None else float(footprint)
    return Performance(float(entry["cruise_kt"]), endurance, float(entry["circles"]), covers)
