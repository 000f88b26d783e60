"""New sites as GeoJSON features: from a GeoJSON file, a point with a radius, or an airport code."""

import json
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import airportsdata
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from monitor.sites.airports import find_airport
from monitor.sites.check import FEATURE_KEYS, PROPERTY_KEYS, check_crs
from monitor.sites.document import check_leaves, page_words, parse_json_object, read_bytes
from monitor.sites.faults import SitesError, SitesFault, Spot, printable_value
from monitor.sites.geodesy import Floats
from monitor.sites.geometry import CrossingError, GeometryError, circle, footprint_outline
from monitor.sites.placing import time_zones_at
from monitor.sites.recognise import place_words
from monitor.sites.runways import runways_of, runways_source
from monitor.sites.shapes import OUTLINE_TYPES

DEFAULT_AIRPORT_RADIUS_M = 4000.0
"""Enough for two runways of 4 km that meet at the reference point, with 2 km beyond their ends."""
_DECIMALS = 6
_OWN = "x-"
_ALIKE = 0.8

GeoJsonFeature = dict[str, Any]


def _refusal(source: str, path: str, problem: str, mend: str) -> SitesError:
    return SitesError(source, [SitesFault("the new site", path, problem, mend)])


def feature_from_point(
    *,
    site_id: str,
    name: str,
    kind: str,
    lat: float,
    lon: float,
    radius_m: float,
    timezone: str | None = None,
) -> GeoJsonFeature:
    """A round site; the time zone is the one at the point unless given. Raises SitesError for a bad circle."""
    try:
        outline = circle(lat, lon, radius_m)
    except GeometryError as error:
        raise SitesError("the new site", [_geometry_fault(error)]) from None
    properties = {
        "name": name,
        "kind": kind,
        "timezone": timezone or _time_zone(outline),
        "precision": "coarse",
        "notes": f"Circle of {radius_m:g} m round {lat:g}, {lon:g}; draw the real outline when you know it.",
    }
    return {"type": "Feature", "id": site_id, "geometry": _geojson(outline), "properties": properties}


def _geometry_fault(error: GeometryError) -> SitesFault:
    problem, _, mend = str(error).rstrip(".").partition(". ")
    return SitesFault(
        "the new site",
        "geometry",
        problem,
        mend or "Give degrees within ±90 and ±180, and a radius in metres",
    )


def feature_from_airport(
    code: str,
    *,
    site_id: str | None = None,
    name: str | None = None,
    kind: str | None = None,
    radius_m: float | None = None,
    timezone: str | None = None,
) -> GeoJsonFeature:
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
    feature = feature_from_point(
        site_id=site_id or f"{airport.country}-{airport.icao or airport.iata}".lower(),
        name=name or airport.name,
        kind=kind or "airport",
        lat=airport.lat,
        lon=airport.lon,
        radius_m=radius,
        timezone=timezone or airport.timezone,
    )
    codes = {"icao": airport.icao, "iata": airport.iata}
    runways = [dict(each) for each in runways_of(airport.icao)]
    feature["properties"] |= {
        "codes": {key: value for key, value in codes.items() if value},
        "elevation_ft": airport.elevation_ft,
        "notes": f"Circle of {radius:g} m round the airport's reference point; draw the real outline.",
        "source": f"airportsdata {airportsdata.__version__}"
        + (f"; runways: {runways_source()}" if runways else ""),
        **({"runways": runways} if runways else {}),
    }
    return feature


def features_from_file(
    path: Path,
    *,
    site_id: str | None = None,
    name: str | None = None,
    kind: str | None = None,
    timezone: str | None = None,
) -> list[GeoJsonFeature]:
    """The features of a GeoJSON file (FeatureCollection, Feature or bare geometry), or SitesError.

    What is given replaces what the file says and needs a file with one shape. A ring that crosses ±180 is
    split; a missing time zone is looked up.
    """
    data = read_bytes(path, missing=_missing(path))
    return features_from_bytes(path, data, site_id=site_id, name=name, kind=kind, timezone=timezone)


def page_words_of(path: Path) -> list[str]:
    """A sentence where the GeoJSON file is one page of a server's longer answer, else none; raises SitesError."""
    return page_words(parse_json_object(path, read_bytes(path, missing=_missing(path))).value)


def _missing(path: Path) -> str:
    """What to do about a file that is not there: its name may be the code of an airport."""
    airport = find_airport(path.name)
    if airport is not None:
        return f"If the airport {airport.name} is meant, write --airport {path.name.upper()}"
    return place_words(str(path)) or "Look at the spelling, and in which folder it lies"


def features_from_bytes(
    path: Path,
    data: bytes,
    *,
    site_id: str | None = None,
    name: str | None = None,
    kind: str | None = None,
    timezone: str | None = None,
) -> list[GeoJsonFeature]:
    """As `features_from_file`, from the bytes of a file; `path` only names them in messages."""
    document = parse_json_object(path, data).value
    faults: list[SitesFault] = []
    check_crs(Spot(faults).at("crs"), document.get("crs"))
    # Before it is written anywhere: half a surrogate pair cannot even be encoded.
    check_leaves(Spot(faults), document)
    if faults:
        raise SitesError(str(path), faults)
    features = _features(path, document)
    given = {"name": name, "kind": kind, "timezone": timezone}
    override = {key: value for key, value in given.items() if value is not None}
    if (override or site_id is not None) and len(features) != 1:
        raise _refusal(
            str(path),
            "features",
            f"it holds {len(features)} features, so id, name, kind and time zone cannot be given beside it",
            "Give a file with one feature, or write them into each feature's properties",
        )
    return [_completed(feature, site_id, override) for feature in features]


def _features(path: Path, document: GeoJsonFeature) -> list[Any]:
    match document.get("type"):
        case "FeatureCollection":
            features = document.get("features")
            return features if isinstance(features, list) else []
        case "Feature":
            return [document]
        case kind if kind in OUTLINE_TYPES:
            return [{"type": "Feature", "geometry": document, "properties": {}}]
        case kind:
            raise _refusal(
                str(path),
                "type",
                f"{printable_value(kind)} is no outline of a site",
                "Give a FeatureCollection, a Feature, a Polygon or a MultiPolygon",
            )


def _completed(feature: Any, site_id: str | None, override: Mapping[str, str]) -> Any:
    if not isinstance(feature, dict):
        return feature  # the check says what is wrong with it
    properties = feature.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    if site_id is not None:
        properties.pop("id", None)
    own_id = site_id if site_id is not None else feature.get("id", properties.get("id"))
    geometry = _split(feature.get("geometry"))
    properties |= override
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
        return _geojson(footprint_outline(geometry, mended=False))
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


def _geojson(outline: BaseGeometry) -> GeoJsonFeature:
    def rounded(points: Floats) -> Floats:
        return np.round(points, _DECIMALS)

    geometry: GeoJsonFeature = json.loads(shapely.to_geojson(shapely.transform(outline, rounded)))
    return geometry
