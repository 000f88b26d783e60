"""What a file that is neither CSV nor GeoJSON is, told from how it begins, and the way to mend it."""

import json
import re

from monitor.imports.faults import UnreadableFile, unreadable

SNIFFED_BYTES = 4096
_AS_CSV = "Open it, save the sheet as “CSV UTF-8”, and import that file"
_AS_GEOJSON = "Export it as GeoJSON (in QGIS: Export, Save Features As) or as CSV, with the columns of docs/importing.md"
_AS_UTF8 = "Save it as “CSV UTF-8” (or GeoJSON in UTF-8) and try again"
_BEGINNINGS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive, not CSV", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook, not CSV", _AS_CSV),
    (b"SQLite format 3", "a GeoPackage or another SQLite database", _AS_GEOJSON),
    (b"PAR1", "a Parquet file", _AS_GEOJSON),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "Unpack it first (unzstd)"),
    (b"%PDF", "a PDF", "Copy the table into a sheet and save that as “CSV UTF-8”"),
    (b"\x00\x00\x27\x0a", "a Shapefile", _AS_GEOJSON),
    (b"fgb", "a FlatGeobuf file", _AS_GEOJSON),
    (b"\xff\xfe\x00\x00", "UTF-32 text, not UTF-8", _AS_UTF8),
    (b"\xff\xfe", "UTF-16 text, not UTF-8", _AS_UTF8),
    (b"\xfe\xff", "UTF-16 text, not UTF-8", _AS_UTF8),
)
_XML = (
    ("<kml", "KML"),
    ("<gpx", "GPX"),
    ("<html", "a web page"),
    ("<!doctype html", "a web page"),
    ("<rss", "RSS"),
)
_NULS = 0.2


def check_beginning(head: bytes, *, geojson: bool) -> None:
    """Raise UnreadableFile, naming the format, where the first bytes are of another than the file's name says."""
    for beginning, what, mend in _BEGINNINGS:
        if head.startswith(beginning):
            raise unreadable(f"it is {what}", mend)
    if head.count(0) > _NULS * len(head):
        # Every other byte of Latin text in UTF-16 is a zero.
        raise unreadable("it is UTF-16 text, not UTF-8", _AS_UTF8)
    text = head.decode("utf-8-sig", errors="replace").lstrip("\x1e \t\r\n").lower()
    if text.startswith("<"):
        what = next((name for mark, name in _XML if mark in text), "XML")
        raise unreadable(f"it is {what}, neither CSV nor GeoJSON", _AS_GEOJSON)
    if not geojson and re.match(r"\{\s*\"|\[\s*[\[{]", text):
        raise (
            lines_of_json()
            if is_lines_of_json(text)
            else unreadable(
                "it is JSON, and the file's name does not end in .geojson or .json",
                "Rename it to end in .geojson",
            )
        )


def is_lines_of_json(text: str) -> bool:
    """Whether each of the first lines is a JSON object of its own."""
    lines = [each.strip("\x1e \t\r") for each in text.lstrip("\x1e\ufeff \t\r\n").splitlines()[:2]]
    try:
        first = json.loads(lines[0]) if lines else None
    except (ValueError, RecursionError):
        return False
    # A FeatureCollection on one line is the whole file.
    return isinstance(first, dict) and (len(lines) > 1 or str(first.get("type")).lower() == "feature")


def lines_of_json() -> UnreadableFile:
    """The error for newline-delimited GeoJSON."""
    return unreadable(
        "it is newline-delimited GeoJSON (one Feature a line), not a FeatureCollection",
        'Put the lines, with commas between them, into {"type": "FeatureCollection", "features": [ … ]} and name the '
        "file .geojson",
    )
