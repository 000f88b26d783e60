"""Naming what somebody gave instead of GeoJSON: another format of maps, or a place written as people write it. Pure."""

import re

_OGR = "Convert it with “ogr2ogr -f GeoJSON -t_srs EPSG:4326 sites.geojson FILE”, or export GeoJSON where it was made"
_LINES = "It is newline-delimited GeoJSON: put the features into one {“type”: “FeatureCollection”, “features”: […]}"
_BEGINNINGS = (
    (b"PK\x03\x04", "a zip archive (a Shapefile or a KMZ?)", f"Unpack it first. {_OGR}"),
    (b"SQLite format 3\x00", "a SQLite file (a GeoPackage?)", _OGR),
    (b"\x00\x00\x27\x0a", "a Shapefile", _OGR),
    (b"%PDF", "a PDF", "Give the outline as GeoJSON"),
    (b"\x1f\x8b", "a gzip file", "Unpack it first"),
    (b"II*\x00", "a TIFF picture", "Draw the outline and give it as GeoJSON"),
    (b"\x89PNG", "a PNG picture", "Draw the outline and give it as GeoJSON"),
)
_MARKUP = (
    (b"<kml", "KML", _OGR),
    (b"<gpx", "GPX", f"{_OGR}. A track is a line: draw the outline around it"),
    (b"<osm", "OpenStreetMap XML", "Export GeoJSON where it was made"),
    (b"<gml", "GML", _OGR),
    (b"featurecollection xmlns", "GML", _OGR),
    (b"<!doctype html", "a web page", "Save the file behind the page, not the page"),
    (b"<html", "a web page", "Save the file behind the page, not the page"),
)
_WKT = re.compile(rb"\s*(?:SRID=\d+;)?\s*(?:MULTI)?(?:POLYGON|POINT|LINESTRING)\s*Z?\s*\(", re.IGNORECASE)
_HEAD = 2_000
_NUMBER = r"[+-]?\d{1,3}(?:\.\d+)?"
_DECIMAL = re.compile(rf"\s*({_NUMBER})°?\s*([NS])?\s*[,; ]\s*({_NUMBER})°?\s*([EW])?\s*", re.IGNORECASE)
_SEXAGESIMAL = re.compile(
    r"\s*(\d{1,3})\s*[°d]\s*(\d{1,2})\s*['′m]?\s*(\d{1,2}(?:\.\d+)?)?\s*[\"″s]?\s*([NS])[\s,;]*"
    r"(\d{1,3})\s*[°d]\s*(\d{1,2})\s*['′m]?\s*(\d{1,2}(?:\.\d+)?)?\s*[\"″s]?\s*([EW])\s*",
    re.IGNORECASE,
)
_MGRS = re.compile(
    r"\s*\d{1,2}\s*[C-HJ-NP-X]\s*[A-HJ-NP-Z]{2}\s*(?:\d{2}|\d{4}|\d{6}|\d{8}|\d{10}|\d+ \d+)\s*",
    re.IGNORECASE,
)
_IN_LINK = re.compile(rf"[@=/!]\s*({_NUMBER})(?:,|%2C|/)({_NUMBER})(?![\d.]*/)", re.IGNORECASE)
_HIGHEST_LAT = 90.0


def other_format(data: bytes) -> tuple[str, str] | None:
    """Say what these bytes are and what to do instead; None where nothing is recognised."""
    head = data[:_HEAD]
    for beginning, name, mend in _BEGINNINGS:
        if head.startswith(beginning):
            return f"it is {name}, not GeoJSON", mend
    lower = head.lower()
    for mark, name, mend in _MARKUP:
        if mark in lower:
            return f"it is {name}, not GeoJSON", mend
    if _WKT.match(head):
        return "it is well-known text (WKT), not GeoJSON", "Write it as GeoJSON: shapely.to_geojson does"
    lines = [line for line in data.splitlines() if line.strip(b"\x1e \t")]
    if len(lines) > 1 and all(line.strip(b"\x1e \t").startswith(b'{"') for line in lines):
        return "it holds one JSON object a line", _LINES
    if (point := place_in(head.decode("utf-8", "replace"))) is not None:
        return "it is a point, not GeoJSON", _point_words(point)
    return None


def place_words(text: str) -> str:
    """What to write instead where a name that is no file is a place; '' where it is none."""
    if (point := place_in(text)) is not None:
        return f"If a point is meant: {_point_words(point)}"
    if _MGRS.fullmatch(text):
        return (
            "If a place in MGRS is meant, turn it into degrees first (a map service shows both) and write --lat, --lon and "
            "--radius"
        )
    return ""


def place_in(text: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, where a text or a link of a map service is such a place."""
    text = text.strip()
    # A path made of a link has lost one of its slashes.
    if text.startswith(("http:", "https:")):
        found = _IN_LINK.search(text)
        return _sound(float(found[1]), float(found[2])) if found else None
    if found := _DECIMAL.fullmatch(text):
        lat, lon = float(found[1]), float(found[3])
        return _sound(-lat if found[2] in {"S", "s"} else lat, -lon if found[4] in {"W", "w"} else lon)
    if found := _SEXAGESIMAL.fullmatch(text):
        lat, lon = _degrees(found[1], found[2], found[3]), _degrees(found[5], found[6], found[7])
        return _sound(-lat if found[4].upper() == "S" else lat, -lon if found[8].upper() == "W" else lon)
    return None


def _degrees(whole: str, minutes: str, seconds: str | None) -> float:
    return int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600


def _sound(lat: float, lon: float) -> tuple[float, float] | None:
    return (lat, lon) if abs(lat) <= _HIGHEST_LAT and abs(lon) <= 2 * _HIGHEST_LAT else None


def _point_words(point: tuple[float, float]) -> str:
    lat, lon = point
    return f"Write --lat {round(lat, 5)} --lon {round(lon, 5)} --radius METRES, with --id, --name and --kind"
