"""Whether an outline lies where its airport code and time zone say: latitude and longitude are easily swapped.

Two witnesses are heard. An airport code speaks for a place within 100 km of the airport. A time zone speaks
strongly for a place that lies in that very zone, weakly for one in a zone with the same clock today. The outline
counts as swapped where its mirror image has a word from every witness, and a stronger one than the outline itself.
Places whose latitude and longitude are alike (40° N, 44° E) cannot be told apart this way.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import shapely
import tzfpy
from shapely import MultiPolygon, Polygon

from monitor.sites.airports import Airport, find_airport
from monitor.sites.faults import Spot
from monitor.sites.geodesy import METRES_PER_NM, great_circle_nm
from monitor.sites.shapes import SWAP_MEND, SWAPPED

AIRPORT_REACH_KM = 100.0
MAX_ZONE_ERROR = timedelta(hours=6)
# Beyond 18 hours two clocks are near each other again, across the date line (Kiribati, Samoa).
_DAY = timedelta(hours=24)
_SAMPLES = 24
_STRONGLY = 2
# Two dates, so that a zone with summer time is not taken for one without.
_CLOCKS = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))

Points = list[tuple[float, float]]
"""Places as (longitude, latitude)."""


def time_zones_at(lat: float, lon: float) -> tuple[str, ...]:
    """The names of the time zones at a point, none at sea where the table has none."""
    return tuple(tzfpy.get_tzs(lon, lat))


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of that name, or None."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def check_place(
    spot: Spot, outline: Polygon | MultiPolygon, timezone: ZoneInfo | None, codes: Mapping[str, str]
) -> None:
    """Note a swapped outline, a code of another airport, or a time zone of another part of the world."""
    here = _sample(outline)
    airports = _named_airports(codes)
    if all(word == _STRONGLY for word in _words(here, timezone, list(airports.values()))):
        return
    mirrored = [(lat, lon) for lon, lat in here]
    if _on_earth(mirrored) and _swapped(here, mirrored, timezone, list(airports.values())):
        names = [airport.name for airport in airports.values()]
        names += [timezone.key] if timezone is not None else []
        spot.at("geometry", "coordinates").fault(
            f"{SWAPPED}: turned round the outline fits {names[0]}, as written it does not", SWAP_MEND
        )
        return
    _check_codes(spot.at("properties", "codes"), here, airports)
    _check_zone(spot.at("properties", "timezone"), here, timezone)


def _swapped(here: Points, mirrored: Points, timezone: ZoneInfo | None, airports: Sequence[Airport]) -> bool:
    for_here, for_mirrored = (_words(points, timezone, airports) for points in (here, mirrored))
    return all(for_mirrored) and sum(for_mirrored) > sum(for_here)


def _words(points: Points, timezone: ZoneInfo | None, airports: Sequence[Airport]) -> list[int]:
    """What each witness says for a place: 0 nothing, 1 weakly, 2 strongly."""
    words = [_STRONGLY if _km_from(points, airport) <= AIRPORT_REACH_KM else 0 for airport in airports]
    return words if timezone is None else [*words, _zone_word(points, timezone)]


def _zone_word(points: Points, timezone: ZoneInfo) -> int:
    names = _zones_of(points)
    if timezone.key in names:
        return _STRONGLY
    clocks = {_clock(zone) for zone in map(zone_named, names) if zone is not None}
    return 1 if _clock(timezone) in clocks else 0


def _sample(outline: Polygon | MultiPolygon) -> Points:
    middle = outline.representative_point()
    corners = shapely.get_coordinates(outline)
    corners = corners[:: max(1, len(corners) // _SAMPLES)]
    return [(middle.x, middle.y), *((float(lon), float(lat)) for lon, lat in corners)]


def _on_earth(points: Points) -> bool:
    return all(abs(lat) <= 90 for _, lat in points)  # noqa: PLR2004 - degrees


def _named_airports(codes: Mapping[str, str]) -> dict[str, Airport]:
    found = {key: find_airport(codes[key]) for key in ("icao", "iata") if key in codes}
    return {key: airport for key, airport in found.items() if airport is not None}


def _km_from(points: Points, airport: Airport) -> float:
    nearest = min(great_circle_nm(lat, lon, airport.lat, airport.lon) for lon, lat in points)
    return nearest * METRES_PER_NM / 1000


def _zones_of(points: Points) -> set[str]:
    return {name for lon, lat in points for name in time_zones_at(lat, lon)}


def _clock(timezone: ZoneInfo) -> tuple[timedelta, ...]:
    return tuple(moment.astimezone(timezone).utcoffset() or timedelta() for moment in _CLOCKS)


def _check_codes(spot: Spot, here: Points, airports: Mapping[str, Airport]) -> None:
    for key, airport in airports.items():
        away_km = _km_from(here, airport)
        if away_km > AIRPORT_REACH_KM:
            spot.at(key).fault(
                f"{getattr(airport, key)} is {airport.name}, {away_km:,.0f} km from the outline",
                "Correct the code or the outline",
            )


def _check_zone(spot: Spot, here: Points, timezone: ZoneInfo | None) -> None:
    names = sorted(_zones_of(here)) if timezone is not None else []
    clocks = [_clock(zone) for zone in map(zone_named, names) if zone is not None]
    if timezone is not None and clocks and all(_far_apart(clock, _clock(timezone)) for clock in clocks):
        spot.fault(
            f"{timezone.key} is far from the outline, which lies in {names[0]}",
            "Correct the time zone or the outline",
        )


def _far_apart(one: Sequence[timedelta], other: Sequence[timedelta]) -> bool:
    return all(MAX_ZONE_ERROR <= abs(a - b) <= _DAY - MAX_ZONE_ERROR for a, b in zip(one, other, strict=True))
