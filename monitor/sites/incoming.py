"""New sites as GeoJSON features: from a GeoJSON file, a point with a radius, or an airport code."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import airportsdata
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from monitor.sites.airports import find_airport
from monitor.sites.check import check_crs
from monitor.sites.document import check_leaves, parse_json_object, read_bytes
from monitor.sites.faults import SitesError, SitesFault, Spot, printable_value
from monitor.sites.geodesy import Floats
from monitor.sites.geometry import GeometryError, circle, footprint_outline
from monitor.sites.placing import time_zones_at
from monitor.sites.shapes import OUTLINE_TYPES

DEFAULT_AIRPORT_RADIUS_M = 4000.0
"""Enough for two runways of 4 km that meet at the reference point, with 2 km beyond their ends."""
_DECIMALS = 6

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
    """A round site at an airport (ICAO or IATA code), with its name, codes, time zone and elevation."""
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
    feature["properties"] |= {
        "codes": {key: value for key, value in codes.items() if value},
        "elevation_ft": airport.elevation_ft,
        "notes": f"Circle of {radius:g} m round the airport's reference point; draw the real outline.",
        "source": f"airportsdata {airportsdata.__version__}",
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


def _missing(path: Path) -> str:
    """What to do about a file that is not there: its name may be the code of an airport."""
    airport = find_airport(path.name)
    if airport is not None:
        return f"If the airport {airport.name} is meant, write --airport {path.name.upper()}"
    return "Look at the spelling, and in which folder it lies"


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
    rest = {
        key: value for key, value in feature.items() if key not in ("type", "id", "geometry", "properties")
    }
    return {"type": feature.get("type"), "id": own_id, "geometry": geometry, "properties": properties, **rest}


def _split(geometry: Any) -> Any:
    """The geometry, cut where its rings cross ±180; anything else stays for the check to judge."""
    try:
        longest = max(abs(point[0]) for point in _points(geometry))
        jumps = max(abs(a[0] - b[0]) for ring in _rings(geometry) for a, b in pairwise(ring))
        if longest <= 180 and jumps <= 180:  # noqa: PLR2004 - degrees
            return geometry
        return _geojson(footprint_outline(geometry))
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
