"""Naming what somebody gave that holds no places, or holds them in a way that is not read here. Pure."""

from collections.abc import Collection

_ADD = "Add what is in it with “sitewatch sites add FILE”"
_DRAW = "Draw the outline and give it as KML or GeoJSON"
_AGAIN = "Export KML, GeoPackage or GeoJSON where it was made"
_AS_COUNTS = "Add each place with “sitewatch sites add LATITUDE,LONGITUDE”; counts go to “sitewatch observations import”"
_BEGINNINGS = (
    (b"PK\x03\x04", "a zip archive", _ADD),
    (b"SQLite format 3\x00", "a SQLite database without the tables of a GeoPackage", _AGAIN),
    (b"\x00\x00\x27\x0a", "a Shapefile", _ADD),
    (b"%PDF", "a PDF", _DRAW),
    (b"\x1f\x8b", "a gzip file", "Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "Unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a RAR archive", "Unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Microsoft Office file", _AGAIN),
    (b"II*\x00", "a TIFF picture", _DRAW),
    (b"MM\x00*", "a TIFF picture", _DRAW),
    (b"\x89PNG", "a PNG picture", _DRAW),
    (b"\xff\xd8\xff", "a JPEG picture", _DRAW),
    (b"fgb", "a FlatGeobuf file", _AGAIN),
    (b"PAR1", "a (Geo)Parquet file", _AGAIN),
    (b"AC10", "a DWG drawing", _AGAIN),
    (b"PMTiles", "a PMTiles archive", _AGAIN),
)
_MARKUP = (
    (b"<kml", "KML", _ADD),
    (b"<gpx", "GPX", _ADD),
    (b"<osm", "OpenStreetMap XML", _AGAIN),
    (b"<gml", "GML", _AGAIN),
    (b"featurecollection xmlns", "GML", _AGAIN),
    (b"<trainingcenterdatabase", "a TCX track", "Export GPX where it was made"),
    (b"<svg", "an SVG picture", _DRAW),
    (b"<!doctype html", "a web page", "Save the file behind the page, not the page"),
    (b"<html", "a web page", "Save the file behind the page, not the page"),
    (b'"esrigeometry', "Esri JSON", "Ask for it with f=geojson, or export GeoJSON"),
    (b'"type":"topology"', "TopoJSON", _AGAIN),
    (b"!table", "a MapInfo TAB file", _AGAIN),
    (b"version 300", "a MapInfo MIF file", _AGAIN),
    (b"  0\nsection", "a DXF drawing", _AGAIN),
    (b"$gprmc", "an NMEA log", "Turn it into GPX"),
)
_HEAD = 2_000


def other_format(data: bytes) -> tuple[str, str] | None:
    """Say what these bytes are and what to do instead; None where nothing is recognised."""
    head = data[:_HEAD]
    for beginning, name, mend in _BEGINNINGS:
        if head.startswith(beginning):
            return f"it is {name}, not GeoJSON", mend
    lower = head.lower()
    squeezed = lower.replace(b" ", b"")
    for mark, name, mend in _MARKUP:
        if mark in lower or mark in squeezed:
            return f"it is {name}, not GeoJSON", mend
    lines = [line.strip(b"\x1e \t") for line in data.splitlines() if line.strip(b"\x1e \t")]
    if len(lines) > 1 and all(line.startswith(b'{"') for line in lines):
        return "it holds one JSON object a line (newline-delimited GeoJSON)", _ADD
    if len(lines) > 1 and b"{" not in head and len({line.count(b",") for line in lines[:5]} - {0}) == 1:
        return "it is a table (CSV), not a map", _AS_COUNTS
    return None


def excel_words(names: Collection[str]) -> tuple[str, str] | None:
    """Say so where the names in a zip archive are those of an office document; None where they are not."""
    if not {"[Content_Types].xml", "mimetype"} & set(names):
        return None
    what = "an Excel workbook" if any(name.startswith("xl/") for name in names) else "an office document"
    return (
        f"it is {what}, not a map",
        "Counts go to “sitewatch observations import”; places need KML or GeoJSON",
    )
