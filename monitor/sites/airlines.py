"""Which airports have scheduled flights, and which are large: of the packaged table of airports (OurAirports)."""

import csv
from dataclasses import dataclass
from functools import cache

from monitor.sites.runways import packaged_table

_TABLE = "airports.csv"
_LARGE = "large_airport"


@dataclass(frozen=True, slots=True)
class AirlineService:
    """What the table says of an airport."""

    scheduled: bool
    large: bool


def airline_service(icao: str) -> AirlineService | None:
    """Say whether an airport has scheduled flights and is large; None where the table does not have it."""
    known, scheduled, large = _fields()
    return AirlineService(icao in scheduled, icao in large) if icao in known else None


@cache
def _fields() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Give the codes of all airports, of those with scheduled flights and of the large ones."""
    known, scheduled, large = set(), set(), set()
    with packaged_table(_TABLE).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            code = row["icao_code"] or row["ident"]
            if len(code) != len("ICAO"):
                continue
            known.add(code)
            if row["scheduled_service"] == "yes":
                scheduled.add(code)
            if row["type"] == _LARGE:
                large.add(code)
    return frozenset(known), frozenset(scheduled), frozenset(large)
