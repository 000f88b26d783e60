"""The map of the flights behind an alert: tracks as they were heard, gaps as gaps, and the same in sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapely import LineString
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from alerts.words import measured_duration, numbered, utc
from db.engine import Connection
from db.records import Alert, Fix
from db.said import chained, grouped, phrase
from monitor.app import App
from monitor.reports.tracks import AROUND, HeardTrack, Unheard, nameable_visits, reports_around, stretches_of
from monitor.sites import Site
from monitor.sites.geodesy import course_deg, great_circle_nm, longitude_near
from monitor.web.views.map_data import geojson_of, plain_map_data

_DETAIL_DEG = 0.004
"""A line is drawn no finer than this: some 400 m."""
_KM_PER_NM = 1.852
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
_HERE_KM = 1.0


@dataclass(frozen=True, slots=True)
class FlightLegs:
    """One visit's way in words."""

    name: str
    icao24: str
    visit_id: str
    legs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlightMap:
    """What the map script is given, and the same in sentences for whoever sees no map."""

    data: dict[str, Any]
    flights: tuple[FlightLegs, ...]


def flight_map(connection: Connection, app: App, alert: Alert) -> FlightMap | None:
    """Draw where the watched aircraft in an alert were heard; None where none is in it, or nothing of it is kept."""
    site = app.sites.get(alert.site_id)
    visits = nameable_visits(connection, app, alert)
    tracks = [
        HeardTrack(each, stretches_of(heard))
        for each in visits
        if (heard := reports_around(connection, each, AROUND))
    ]
    if site is None or not tracks:
        return None
    return draw_tracks(tracks, site)


def draw_tracks(tracks: Sequence[HeardTrack], site: Site, others: Sequence[Site] = ()) -> FlightMap:
    """Draw tracks around a site, and those of visits to `others` around these. Pure."""
    sites = {each.id: each for each in (site, *others)}
    middle = site.geometry.representative_point()
    drawn = [each for track in tracks for each in _features(track, middle.x)]
    heard = [(each.lon, each.lat) for track in tracks for part in track.stretches for each in part]
    lons = [middle.x, *(longitude_near(lon, middle.x) for lon, _ in heard)]
    lats = [middle.y, *(lat for _, lat in heard)]
    for each in others:
        spot = each.geometry.representative_point()
        lons.append(longitude_near(spot.x, middle.x))
        lats.append(spot.y)
    data: dict[str, Any] = plain_map_data(sites.values())
    data |= {
        "tracks": geojson_of(drawn),
        "bounds": [[min(lons), min(lats)], [max(lons), max(lats)]],
    }
    legs = (
        FlightLegs(
            _name(track),
            track.visit.icao24,
            track.visit.visit_id,
            tuple(_legs(track, sites.get(track.visit.site_id, site) if others else site)),
        )
        for track in tracks
    )
    return FlightMap(data, tuple(legs))


def _features(track: HeardTrack, near: float) -> Iterator[dict[str, Any]]:
    for part in track.stretches:
        yield _feature(_line(part, near), "heard")
    for gap in track.gaps:
        yield _feature(_line((gap.before, gap.after), near), "gap")
        for words, fix in ((phrase("last heard"), gap.before), (phrase("heard again"), gap.after)):
            at = {"type": "Point", "coordinates": [longitude_near(fix.lon, near), fix.lat]}
            label = chained(" ", [words, f"{fix.at:%H:%M}"])
            yield {"type": "Feature", "properties": {"kind": "end", "label": label}, "geometry": at}


def _line(heard: Sequence[Fix], near: float) -> BaseGeometry:
    points = [(longitude_near(each.lon, near), each.lat) for each in heard]
    # A stretch of one report is a dot: a line without length, with round ends.
    return LineString(points if len(points) > 1 else points * 2).simplify(_DETAIL_DEG)


def _feature(line: BaseGeometry, kind: str) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"kind": kind}, "geometry": mapping(line)}


def _name(track: HeardTrack) -> str:
    visit = track.visit
    known = [each for each in (visit.registration, visit.callsign, visit.type_code) if each]
    return ", ".join([visit.icao24.upper(), *known])


def _legs(track: HeardTrack, site: Site) -> Iterator[str]:
    gaps: list[Unheard | None] = [*track.gaps, None]
    for part, gap in zip(track.stretches, gaps, strict=True):
        first, last = part[0], part[-1]
        if len(part) == 1:
            yield phrase("Heard once, {at}, {place}.", at=utc(first.at), place=_place(first, site))
        else:
            yield (
                phrase(
                    "Heard {times} from {begins}, {place}, to {ends}, {last_place}.",
                    times=numbered(len(part), "time"),
                    begins=utc(first.at),
                    place=_place(first, site),
                    ends=utc(last.at),
                    last_place=_place(last, site),
                )
            )
        if gap is not None:
            yield phrase(
                "Then not heard for {length}: where it was is not known from this.",
                length=measured_duration(gap.length),
            )


def _place(fix: Fix, site: Site) -> str:
    """Where a report was, seen from the site, and how high."""
    middle = site.geometry.representative_point()
    km = great_circle_nm(middle.y, middle.x, fix.lat, fix.lon) * _KM_PER_NM
    if km < _HERE_KM:
        where = phrase("at {site}", site=site.name)
    else:
        wind = _WINDS[round(course_deg(middle.y, middle.x, fix.lat, fix.lon) / 45) % 8]
        where = phrase("{km} km {wind} of {site}", km=grouped(km), wind=wind, site=site.name)
    if fix.on_ground:
        return phrase("{where}, on the ground", where=where)
    return (
        phrase("{where}, at {altitude} ft", where=where, altitude=grouped(fix.altitude_ft))
        if fix.altitude_ft is not None
        else where
    )
