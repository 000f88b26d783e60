"""The cast of sites that every test uses: far south, far north, across 180° and with a hole.

`CAST_GEOJSON` is the sites file; `QUIET_FIELD`, `BUSY_PORT`, `DATELINE_STRIP` and `DONUT_BASE` are what
loading it must give. The places are invented, the time zones are those of their coordinates.
"""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from monitor.sites import Area, Site
from monitor.sites.geodesy import wrap_longitude

_QUIET_FIELD: dict[str, Any] = {
    "type": "Feature",
    "id": "quiet-field",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[-70.62, -51.91], [-70.58, -51.91], [-70.58, -51.89], [-70.62, -51.89], [-70.62, -51.91]]],
    },
    "properties": {
        "name": "Quiet Field",
        "kind": "airport",
        "timezone": "America/Argentina/Rio_Gallegos",
        "codes": {"icao": "XQUF", "iata": "QUF"},
        "watchlist": ["class:vip_military"],
        "links": ["donut-base"],
        "elevation_ft": 120,
        "runways": [{"name": "09/27", "ends": [[-70.615, -51.9], [-70.585, -51.9]], "length_ft": 6780}],
        "precision": "good",
        "notes": "Hardly anything ever lands here.",
        "source": "invented",
    },
}  # fmt: skip

_BUSY_PORT: dict[str, Any] = {
    "type": "Feature",
    "id": "busy-port",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[18.9, 69.64], [19.02, 69.64], [19.02, 69.68], [18.9, 69.68], [18.9, 69.64]]],
    },
    "properties": {
        "name": "Busy Port",
        "kind": "port",
        "timezone": "Europe/Oslo",
        "codes": {"unlocode": "XXBSY"},
        "areas": [
            {
                "id": "pier-1",
                "name": "Pier 1",
                "kind": "pier",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[18.92, 69.65], [18.94, 69.65], [18.94, 69.655], [18.92, 69.655], [18.92, 69.65]]],
                },
            },
            {"id": "pier-2", "name": "Pier 2", "kind": "pier", "geometry": None},
        ],
        "precision": "approximate",
        "source": "invented",
    },
}  # fmt: skip

_DATELINE_STRIP: dict[str, Any] = {
    "type": "Feature",
    "id": "dateline-strip",
    "geometry": {
        "type": "MultiPolygon",
        "coordinates": [
            [[[179.98, -16.81], [180.0, -16.81], [180.0, -16.79], [179.98, -16.79], [179.98, -16.81]]],
            [[[-180.0, -16.81], [-179.98, -16.81], [-179.98, -16.79], [-180.0, -16.79], [-180.0, -16.81]]],
        ],
    },
    "properties": {
        "name": "Dateline Strip",
        "kind": "airport",
        "timezone": "Pacific/Fiji",
        "codes": {"icao": "XDLS"},
        "elevation_ft": 15,
        "runways": [{"name": "09/27", "ends": [[179.99, -16.8], [-179.99, -16.8]], "length_ft": 6980}],
        "precision": "good",
        "source": "invented",
    },
}

_DONUT_BASE: dict[str, Any] = {
    "type": "Feature",
    "id": "donut-base",
    "geometry": {
        "type": "Polygon",
        "coordinates": [
            [[-150.06, 65.48], [-149.94, 65.48], [-149.94, 65.52], [-150.06, 65.52], [-150.06, 65.48]],
            [[-150.02, 65.495], [-150.02, 65.505], [-149.98, 65.505], [-149.98, 65.495], [-150.02, 65.495]],
        ],
    },
    "properties": {
        "name": "Donut Base",
        "kind": "airbase",
        "timezone": "America/Anchorage",
        "codes": {"icao": "XDNT"},
        "watchlist": ["type:Tu-160", "class:kinzhal_carrier"],
        "links": ["quiet-field"],
        "elevation_ft": 550,
        "runways": [{"name": "09/27", "ends": [[-150.05, 65.485], [-149.95, 65.485]], "length_ft": 15160}],
        "precision": "good",
        "notes": "The town in the middle is not part of the base.",
        "source": "invented",
    },
}

CAST_GEOJSON: dict[str, Any] = {
    "type": "FeatureCollection",
    "features": [_QUIET_FIELD, _BUSY_PORT, _DATELINE_STRIP, _DONUT_BASE],
}


def _area(area: dict[str, Any]) -> Area:
    geometry = None if area["geometry"] is None else shape(area["geometry"])
    return Area(area["id"], area["name"], area["kind"], geometry)


def _site(feature: dict[str, Any]) -> Site:
    values = feature["properties"]
    geometry = shape(feature["geometry"])
    assert isinstance(geometry, Polygon | MultiPolygon)
    return Site(
        id=feature["id"],
        name=values["name"],
        kind=values["kind"],
        geometry=geometry,
        timezone=ZoneInfo(values["timezone"]),
        codes=values.get("codes", {}),
        areas=tuple(_area(area) for area in values.get("areas", ())),
        watchlist=tuple(values.get("watchlist", ())),
        links=tuple(values.get("links", ())),
        elevation_ft=values.get("elevation_ft"),
        runways=tuple(values.get("runways", ())),
        precision=values.get("precision", ""),
        notes=values.get("notes", ""),
        source=values.get("source", ""),
        feature=feature,
    )


QUIET_FIELD = _site(_QUIET_FIELD)
"""A small airport in the far south and west where hardly anything lands (51.9° S, 70.6° W)."""
BUSY_PORT = _site(_BUSY_PORT)
"""A port in the far north with one located pier and one that nobody has located (69.66° N, 18.96° E)."""
DATELINE_STRIP = _site(_DATELINE_STRIP)
"""An airport across 180°, stored as two parts (16.8° S)."""
DONUT_BASE = _site(_DONUT_BASE)
"""An air base with a town in a hole in its middle (65.5° N, 150° W)."""

CAST = (QUIET_FIELD, BUSY_PORT, DATELINE_STRIP, DONUT_BASE)
CAST_BY_ID = {site.id: site for site in CAST}


def write_cast(folder: Path) -> Path:
    """Write the cast as a sites file into `folder` and give its path."""
    path = folder / "sites.geojson"
    path.write_text(json.dumps(CAST_GEOJSON), encoding="utf-8")
    return path


def contains(geometry: BaseGeometry, lat: float, lon: float) -> bool:
    """Whether a point lies in an outline or on its edge (the cut at 180° is an edge)."""
    return bool(shapely.intersects_xy(geometry, wrap_longitude(lon), lat))
