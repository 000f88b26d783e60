"""New sites as GeoJSON features: from a file that somebody drew, a place as people write it, or an airport code."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import airportsdata
from shapely import LineString
from shapely.geometry.base import BaseGeometry

from monitor.sites import FLIGHT_KINDS
from monitor.sites.airports import Airport, airports_inside, find_airport
from monitor.sites.check import FEATURE_KEYS, PROPERTY_KEYS, feature_id
from monitor.sites.choosing import Choice, choose_outlines, with_names
from monitor.sites.document import read_bytes
from monitor.sites.drawings import Drawing, read_drawing, read_shapefile, shapefile_parts
from monitor.sites.faults import SitesError, SitesFault, printable_value
from monitor.sites.geodesy import POLE_DEG
from monitor.sites.geometry import CrossingError, GeometryError, circle, footprint_outline
from monitor.sites.placing import time_zones_at
from monitor.sites.positions import PlaceError, place_in
from monitor.sites.runways import runways_of, runways_source
from monitor.sites.shapes import GeoJsonFeature, as_geojson

DEFAULT_AIRPORT_RADIUS_M = 4000.0
"""Enough for two runways of 4 km that meet at the reference point, with 2 km beyond their ends."""
_DECIMALS = 6
_OWN = "x-"
_ALIKE = 0.8
_AT_SEA = "Etc/"


@dataclass(frozen=True, slots=True)
class NewSites:
    """Features for the sites file, still to be checked, and what is to be said of how they were read."""

    features: list[Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What is said beside a file or a place; it replaces what the file says."""

    site_id: str | None = None
    name: str | None = None
    kind: str | None = None
    timezone: str | None = None

    def of_all(self) -> dict[str, str]:
        """What can be said of several sites at once, and the name of a single one, as properties."""
        given = {"name": self.name, "kind": self.kind, "timezone": self.timezone}
        return {key: value for key, value in given.items() if value is not None}


NOTHING_TOLD = Told()
NO_CHOICE = Choice()


def _refusal(source: str, path: str, problem: str, mend: str) -> SitesError:
    return SitesError(source, [SitesFault("the new site", path, problem, mend)])


def feature_from_point(told: Told, *, lat: float, lon: float, radius_m: float) -> GeoJsonFeature:
    """A round site; the check misses what is not told, but for the time zone. Raises SitesError for a bad circle."""
    try:
        outline = circle(lat, lon, radius_m)
    except GeometryError as error:
        raise SitesError("the new site", [_geometry_fault(error)]) from None
    properties = {
        "timezone": _time_zone(outline),
        **told.of_all(),
        "precision": "coarse",
        "notes": f"Circle of {radius_m:g} m round {lat:g}, {lon:g}; draw the real outline when you know it.",
    }
    return {
        "type": "Feature",
        **({"id": told.site_id} if told.site_id is not None else {}),
        "geometry": as_geojson(outline, _DECIMALS),
        "properties": properties,
    }


def _geometry_fault(error: GeometryError) -> SitesFault:
    problem, _, mend = str(error).rstrip(".").partition(". ")
    return SitesFault(
        "the new site",
        "geometry",
        problem,
        mend or "Give degrees within ±90 and ±180, and a radius in metres",
    )


def feature_from_airport(code: str, told: Told, *, radius_m: float | None = None) -> GeoJsonFeature:
    """A round site at an airport (ICAO or IATA code), with its name, codes, time zone, elevation and runways."""
    airport = find_airport(code)
    if airport is None:
        raise _refusal(
            printable_value(code),
            "code",
            "no airport in the packaged table has this code",
            "Give an ICAO code (ZKPY) or an IATA code (FNJ), or add the site by point and radius",
        )
    radius = DEFAULT_AIRPORT_RADIUS_M if radius_m is None else radius_m
    whole = Told(
        told.site_id or f"{airport.country}-{airport.icao or airport.iata}".lower(),
        told.name or airport.name,
        told.kind or "airport",
        told.timezone or airport.timezone,
    )
    feature = feature_from_point(whole, lat=airport.lat, lon=airport.lon, radius_m=radius)
    known = _known_of(airport)
    feature["properties"] |= {
        **known,
        "elevation_ft": airport.elevation_ft,
        "notes": f"Circle of {radius:g} m round the airport's reference point; draw the real outline.",
        "source": f"airportsdata {airportsdata.__version__}"
        + (f"; runways: {runways_source()}" if "runways" in known else ""),
    }
    return feature


def places_from_file(path: Path, told: Told = NOTHING_TOLD, choice: Choice = NO_CHOICE) -> NewSites:
    """The sites that a file of any known format holds, or SitesError.

    What is told replaces what the file says; an id and a name need a file with one place, or one that is chosen. A
    ring that crosses ±180 is split; a missing time zone is looked up; a missing id is made of the name.
    """
    data = read_bytes(path, missing=_missing(path))
    drawing = (
        read_shapefile(path, path.stem, shapefile_parts(path))
        if path.suffix.lower() in {".shp", ".dbf", ".shx"}
        else read_drawing(path, data)
    )
    return sites_in_drawing(str(path), drawing, told, choice)


def place_from_text(text: str, told: Told, radius_m: float | None) -> NewSites | None:
    """A round site at a place as people write it (degrees, MGRS, a link), or None where the text is no place.

    Raises SitesError where it is open which place is meant, or without a radius.
    """
    try:
        place = place_in(text)
    except PlaceError as error:
        problem, _, mend = str(error).rstrip(".").partition(". ")
        raise _refusal(printable_value(text), "place", problem, mend or "Write 39.2241, 125.67") from None
    if place is None:
        return None
    if radius_m is None:
        raise _refusal(
            printable_value(text),
            "radius",
            "a point is no outline of a site",
            "Say how far the site reaches round it, in metres (--radius)",
        )
    feature = feature_from_point(told, lat=place.lat, lon=place.lon, radius_m=radius_m)
    equipped, words = _with_airfield(with_names([feature], {})[0])
    read = f"Read as {place.lat:.7g}, {place.lon:.7g} ({place.how})."
    return NewSites([equipped], (read, words) if words else (read,))


def features_from_bytes(source: str, data: bytes) -> list[GeoJsonFeature]:
    """The features of a GeoJSON text that was shown before, as they are; raises SitesError."""
    return [_completed(feature) for feature in read_drawing(source, data).features]


def swap_questions(features: Iterable[Any]) -> list[str]:
    """A question for each new site that lies in the open sea where its mirror image lies on land."""
    found = []
    for feature in features:
        try:
            middle = footprint_outline(feature["geometry"]).representative_point()
        except (GeometryError, AttributeError, TypeError, KeyError):
            continue  # the check says what is wrong with it
        here, there = (_on_land(lat, lon) for lat, lon in ((middle.y, middle.x), (middle.x, middle.y)))
        if not here and there:
            found.append(
                f"{feature_id(feature) or 'The new site'} lies in the open sea, at {middle.y:.4f}, {middle.x:.4f} (latitude, "
                f"longitude). Turned round it lies in {there}. Are latitude and longitude swapped?"
            )
    return found


def _on_land(lat: float, lon: float) -> str:
    """The time zone of a country at a point; '' in the open sea or off the earth."""
    if abs(lat) > POLE_DEG:
        return ""
    zone = next(iter(time_zones_at(lat, lon)), "")
    return "" if zone.startswith(_AT_SEA) else zone


def _missing(path: Path) -> str:
    """What to do about a file that is not there: its name may be the code of an airport."""
    airport = find_airport(path.name)
    if airport is not None:
        return f"If the airport {airport.name} is meant, write --airport {path.name.upper()}"
    return "Look at the spelling, and in which folder it lies"


def sites_in_drawing(source: str, drawing: Drawing, told: Told, choice: Choice) -> NewSites:
    """As `places_from_file`, from what was read already."""
    chosen = choose_outlines(source, drawing.features, replace(choice, kind=told.kind))
    features = chosen.features
    given = told.of_all()
    if (told.site_id is not None or told.name is not None) and len(features) != 1:
        raise _refusal(
            source,
            "features",
            f"it holds {len(features)} features, so id and name cannot be given beside it",
            "Choose one place, or write them into each feature's properties",
        )
    if told.site_id is not None:
        features = [_with_id(feature, told.site_id) for feature in features]
    completed = [_completed(feature) for feature in with_names(features, given)]
    equipped = [_with_airfield(feature) for feature in completed]
    notes = (*drawing.notes, *chosen.notes, *(words for _, words in equipped if words))
    return NewSites([feature for feature, _ in equipped], notes)


def _with_airfield(feature: Any) -> tuple[Any, str]:
    """An airfield that was drawn without codes, elevation and runways, with those of the one airport inside its outline."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict) or properties.get("kind") not in FLIGHT_KINDS:
        return feature, ""
    if any(properties.get(key) for key in ("codes", "elevation_ft", "runways")):
        return feature, ""
    try:
        outline = footprint_outline(feature["geometry"])
    except (GeometryError, AttributeError, TypeError, KeyError):
        return feature, ""  # the check says what is wrong with it
    inside = airports_inside(outline)
    if len(inside) != 1:
        return feature, ""
    known = _known_of(inside[0])
    known["runways"] = [
        each for each in known.get("runways", ()) if LineString(each["ends"]).intersects(outline)
    ]
    known = {key: value for key, value in known.items() if value}
    named = {"codes": "codes", "elevation_ft": "elevation", "runways": "runways"}
    words = f"Taken from the table for {inside[0].name}, whose place is inside: {', '.join(named[key] for key in known)}."
    return {**feature, "properties": {**properties, **known}}, words


def _known_of(airport: Airport) -> dict[str, Any]:
    codes = {key: code for key, code in (("icao", airport.icao), ("iata", airport.iata)) if code}
    runways = [dict(each) for each in runways_of(airport.icao)]
    known = {"codes": codes, "elevation_ft": airport.elevation_ft, "runways": runways}
    return {key: value for key, value in known.items() if value}


def _with_id(feature: Any, site_id: str) -> Any:
    if not isinstance(feature, dict):
        return feature  # the check says what is wrong with it
    properties = feature.get("properties")
    kept = (
        {key: value for key, value in properties.items() if key != "id"}
        if isinstance(properties, dict)
        else {}
    )
    return {**feature, "id": site_id, "properties": kept}


def _completed(feature: Any) -> Any:
    if not isinstance(feature, dict):
        return feature  # the check says what is wrong with it
    properties = feature.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    own_id = feature.get("id", properties.get("id"))
    if own_id == properties.get("id"):
        properties.pop("id", None)
    geometry = _split(feature.get("geometry"))
    if properties.get("timezone") is None:
        properties |= _looked_up(geometry)
    members = {key: value for key, value in feature.items() if key in FEATURE_KEYS}
    own = _as_own({key: value for key, value in feature.items() if key not in FEATURE_KEYS}, ())
    return {
        **members,
        "type": feature.get("type"),
        "id": own_id,
        "geometry": geometry,
        "properties": _as_own(properties, PROPERTY_KEYS),
        **own,
    }


def _as_own(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """What other programs write beside (styles, tags, attributes), kept under keys of the author's own: `x-…`."""
    return {
        key if key in known or key.startswith(_OWN) else f"{_OWN}{key}": value
        for key, value in values.items()
    }


def own_keys(features: Iterable[Any]) -> list[str]:
    """The keys that nobody here reads and that are kept with new sites, as `x-stroke`."""
    found: dict[str, None] = {}
    for feature in features:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        for keys in (feature, properties):
            found |= dict.fromkeys(key for key in keys or () if key.startswith(_OWN))
    return list(found)


def kept_words(features: Iterable[Any]) -> list[str]:
    """A sentence on what is kept and not read, with the key that may have been meant; none where there is nothing."""
    keys = own_keys(features)
    if not keys:
        return []
    meant = [
        f"{key} (did you mean {near[0]}?)" if near else key
        for key in keys
        for near in [get_close_matches(key.removeprefix(_OWN), PROPERTY_KEYS, n=1, cutoff=_ALIKE)]
    ]
    return [f"Kept and not read: {', '.join(meant)}."]


def _split(geometry: Any) -> Any:
    """The geometry, cut where its rings cross ±180; anything else stays for the check to judge."""
    try:
        longest = max(abs(point[0]) for point in _points(geometry))
        jumps = max(abs(a[0] - b[0]) for ring in _rings(geometry) for a, b in pairwise(ring))
        if longest <= 180 and jumps <= 180:  # noqa: PLR2004 - degrees
            return geometry
        return as_geojson(footprint_outline(geometry, mended=False), _DECIMALS)
    except CrossingError as error:
        raise SitesError("the new site", [_geometry_fault(error)]) from None
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return geometry


def _rings(geometry: Any) -> list[Any]:
    coordinates = geometry["coordinates"]
    return (
        list(coordinates)
        if geometry["type"] == "Polygon"
        else [ring for part in coordinates for ring in part]
    )


def _points(geometry: Any) -> list[Any]:
    return [point for ring in _rings(geometry) for point in ring]


def _looked_up(geometry: Any) -> dict[str, str]:
    try:
        outline = footprint_outline(geometry)
    except (GeometryError, AttributeError):
        return {}
    return {"timezone": _time_zone(outline)}


def _time_zone(outline: BaseGeometry) -> str:
    middle = outline.representative_point()
    return next(iter(time_zones_at(middle.y, middle.x)), "UTC")
