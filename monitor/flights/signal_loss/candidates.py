"""Where a lost aircraft may have gone: gates towards sites, and the airports that nobody watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import shapely

from monitor.flights.places import Place, place_of
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.sites import Site
from monitor.sites.airports import Airport, airports_around
from monitor.sites.geodesy import great_circle_nm
from monitor.sites.runways import runways_of

CANDIDATE_REACH_NM = 400.0
"""Farther airports weigh next to nothing against those that are nearer."""
SAME_FIELD_NM = 5.0
"""An airport so near to the middle of a site is that site."""
_CELL_DEG = 1.0
_CELL_NM = 60.0
_HALF_DEG = 0.02


@dataclass(frozen=True, slots=True)
class Gate:
    """A circle in which the signal of aircraft bound for a site is usually lost, and comes back."""

    name: str
    lat: float
    lon: float
    radius_nm: float

    def holds(self, lat: float, lon: float) -> bool:
        """Whether a position lies in it."""
        return great_circle_nm(self.lat, self.lon, lat, lon) <= self.radius_nm


def gates_of(site: Site) -> tuple[Gate, ...]:
    """Give the gates that the sites file names."""
    return tuple(
        Gate(
            str(each.get("name") or each["id"]),
            float(each["point"][1]),
            float(each["point"][0]),
            float(each["radius_nm"]),
        )
        for each in site.gates
    )


def unwatched_airports_around(end: GapEnd, sites: Sequence[Place]) -> tuple[Place, ...]:
    """Give the airports around an end of a gap that are none of the sites."""
    return _around(round(end.fix.lat / _CELL_DEG), round(end.fix.lon / _CELL_DEG), tuple(sites))


@lru_cache(maxsize=32)
def _around(lat_cell: int, lon_cell: int, sites: tuple[Place, ...]) -> tuple[Place, ...]:
    near = airports_around(lat_cell * _CELL_DEG, lon_cell * _CELL_DEG, CANDIDATE_REACH_NM + _CELL_NM)
    return tuple(_place(airport) for airport in near if not _is_one_of(airport, sites))


def _is_one_of(airport: Airport, sites: Sequence[Place]) -> bool:
    return any(
        great_circle_nm(airport.lat, airport.lon, site.lat, site.lon) <= SAME_FIELD_NM for site in sites
    )


@lru_cache(maxsize=1024)
def _place(airport: Airport) -> Place:
    east, north = airport.lon, airport.lat
    outline = shapely.box(east - _HALF_DEG, north - _HALF_DEG, east + _HALF_DEG, north + _HALF_DEG)
    return place_of(
        Site(
            airport.icao or airport.iata,
            airport.name,
            "airport",
            outline,
            ZoneInfo("UTC"),
            codes={"icao": airport.icao} if airport.icao else {},
            elevation_ft=airport.elevation_ft,
            runways=runways_of(airport.icao),
        )
    )
