"""The airports at which recorded tracks land or take off, as sites: an archive can be measured without a sites file."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import shapely

from db.records import Fix
from monitor.flights.evaluation.recording import Tracks
from monitor.flights.signal_loss.gaps import split_segments
from monitor.flights.tracks.integrity import believed_track
from monitor.sites import Site
from monitor.sites.airports import Airport, airports_around
from monitor.sites.geodesy import METRES_PER_NM, NM_PER_DEGREE
from monitor.sites.runways import runways_of

_WITHIN_NM = 5.0
_BELOW_FT = 2_500.0
_AROUND_NM = 1_000 / METRES_PER_NM
_BOX_NM = 1.2


def landing_fields(tracks: Tracks) -> tuple[Site, ...]:
    """Give every airport of the packaged table near which a track begins or ends low, or touches the ground."""
    found: dict[str, Airport] = {}
    for track in tracks.values():
        for fix in _low_points(believed_track(list(track)).fixes):
            for airport in airports_around(fix.lat, fix.lon, _WITHIN_NM)[:1]:
                height = fix.altitude_ft if fix.altitude_ft is not None else fix.altitude_geom_ft
                if fix.on_ground is True or (
                    height is not None and height - airport.elevation_ft < _BELOW_FT
                ):
                    found[airport.icao or airport.iata] = airport
    return tuple(_site(code, airport) for code, airport in sorted(found.items()))


def _low_points(fixes: Sequence[Fix]) -> Iterator[Fix]:
    for leg in split_segments(fixes):
        yield from (leg.fixes[0], leg.fixes[-1])
        yield from (
            fix
            for before, fix in pairwise(leg.fixes)
            if fix.on_ground is True and before.on_ground is not True
        )


def _site(code: str, airport: Airport) -> Site:
    runways = runways_of(airport.icao)
    ends = [tuple(end) for runway in runways for end in runway["ends"]]
    return Site(
        code.lower(),
        airport.name,
        "airport",
        _outline(ends, airport),
        ZoneInfo(airport.timezone),
        codes={"icao": airport.icao} if airport.icao else {},
        elevation_ft=airport.elevation_ft,
        runways=runways,
    )


def _outline(ends: Sequence[tuple[float, ...]], airport: Airport) -> shapely.Polygon:
    """Draw the hull of the runways with a kilometre around it, or a square where no runway is known."""
    wide = max(0.05, math.cos(math.radians(airport.lat)))
    points = shapely.MultiPoint(
        [(lon * wide, lat) for lon, lat in ends] or [(airport.lon * wide, airport.lat)]
    )
    margin = (_AROUND_NM if ends else _BOX_NM) / NM_PER_DEGREE
    outline = shapely.transform(points.convex_hull.buffer(margin), lambda at: at / (wide, 1))
    assert isinstance(outline, shapely.Polygon)
    return outline
