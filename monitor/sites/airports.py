"""The packaged table of airports by code, held compactly: as dictionaries it would take 40 MB of every service."""

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from shapely import Point
from shapely.geometry.base import BaseGeometry

from monitor.sites.geodesy import Floats, great_circles_nm


@dataclass(frozen=True, slots=True)
class Airport:
    """An airport as the packaged table has it; `elevation_ft` is the field's."""

    icao: str
    iata: str
    name: str
    country: str
    lat: float
    lon: float
    elevation_ft: float
    timezone: str


class _Table(NamedTuple):
    """Every row as it is written, where each code and name stands in a row, and where each airport is."""

    rows: list[str]
    by_code: dict[str, int]
    column: dict[str, int]
    lat: Floats
    lon: Floats
    served: npt.NDArray[np.bool_]
    """Whether it has an IATA code."""


@cache
def _table() -> _Table:
    # As the package's own `load`, which makes a dictionary of each row.
    text = files("airportsdata").joinpath("airports.csv").read_text(encoding="utf-8")
    head, *rows = text.splitlines()
    column = {name: index for index, name in enumerate(next(csv.reader([head])))}
    places = np.empty((2, len(rows)))
    served = np.zeros(len(rows), dtype=np.bool_)
    by_code: dict[str, int] = {}
    for index, row in enumerate(csv.reader(rows)):
        places[:, index] = float(row[column["lat"]]), float(row[column["lon"]])
        served[index] = bool(row[column["iata"]])
        # ICAO codes have four characters and IATA codes three.
        by_code |= {row[column[kind]]: index for kind in ("icao", "iata") if row[column[kind]]}
    lat, lon = places
    return _Table(rows, by_code, column, lat, lon, served)


def find_airport(code: str) -> Airport | None:
    """The airport with this ICAO (four letters) or IATA (three letters) code, if the table has it."""
    index = _table().by_code.get(code.upper())
    return None if index is None else _airport(index)


@lru_cache(maxsize=256)
def nearest_airport(lat: float, lon: float) -> str:
    """The name of the airport of the packaged table that is nearest to a point."""
    table = _table()
    return _airport(int(np.argmin(great_circles_nm(table.lat, table.lon, lat, lon)))).name


def airports_around(lat: float, lon: float, within_nm: float) -> list[Airport]:
    """The airports with an IATA code, which most with scheduled or state flights have, so near to a point; nearest first."""
    table = _table()
    away = great_circles_nm(table.lat, table.lon, lat, lon)
    near = np.flatnonzero((away <= within_nm) & table.served)
    return [_airport(int(index)) for index in near[np.argsort(away[near])]]


def airports_inside(outline: BaseGeometry) -> list[Airport]:
    """The airports of the packaged table whose reference points lie inside an outline."""
    table = _table()
    west, south, east, north = outline.bounds
    near = np.flatnonzero(
        (table.lon >= west) & (table.lon <= east) & (table.lat >= south) & (table.lat <= north)
    )
    return [
        _airport(int(index))
        for index in near
        if outline.intersects(Point(table.lon[index], table.lat[index]))
    ]


@lru_cache(maxsize=1024)
def _airport(index: int) -> Airport:
    table = _table()
    (values,) = csv.reader([table.rows[index]])
    row = {name: values[column] for name, column in table.column.items()}
    return Airport(
        icao=row["icao"],
        iata=row["iata"],
        name=row["name"],
        country=row["country"],
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        elevation_ft=float(row["elevation"]),
        timezone=row["tz"],
    )
