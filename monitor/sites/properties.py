"""Checking what else a site may say: codes, areas, runways, gates, changes and declared baselines."""

import re
from collections.abc import Mapping
from typing import Any

from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from alerts.metrics import METRICS
from alerts.metrics.declaration import LARGEST_AMOUNT
from monitor.sites import Area
from monitor.sites.faults import Spot, did_you_mean, printable_value
from monitor.sites.fields import (
    LONG_TEXT,
    choice,
    date_or_time,
    identifier,
    items,
    mapping,
    no_repeats,
    number_within,
    objects,
    required,
    required_id,
    required_text,
    text,
)
from monitor.sites.geodesy import great_circle_nm
from monitor.sites.geometry import bounding_circle
from monitor.sites.shapes import AREA_TYPES, SWAP_MEND, SWAPPED, LonLat, lonlat_position, parse_shape
from monitor.sites.subjects import subject_fault

_CODES = {
    "icao": (re.compile(r"[A-Z][A-Z0-9]{3}"), "four letters or digits, as in ZKPY"),
    "iata": (re.compile(r"[A-Z]{3}"), "three capital letters, as in FNJ"),
    "unlocode": (re.compile(r"[A-Z]{2}[A-Z2-9]{3}"), "five letters, country first, as in KPFNJ"),
}
_AREA_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
_BASELINE_KEYS = (
    *("area", "start", "end", "precision", "metric", "subject", "value", "comparator", "low", "high"),
    *("exposure", "method", "method_version", "sensor", "published", "publisher", "via", "url", "scene"),
    *("certainty", "reviewer", "note"),
)
_PRECISIONS = ("minute", "hour", "day", "month", "window")
_COMPARATORS = ("max", "none_before", "last_seen")
_OF_N = re.compile(r"of [1-9]\d{0,8}")
CHANGE_EFFECTS = ("break", "exclude", "note")
MAX_RUNWAY_FT = 30_000.0
MAX_GATE_NM = 500.0
_NEAR_NM = 15.0
"""How far beyond its outline a site's runway may end: coarse outlines cut runways short."""


def check_codes(spot: Spot, value: Any) -> Mapping[str, str]:
    """ICAO, IATA and UN/LOCODE codes; null ones are left out."""
    found: dict[str, str] = {}
    for key, code in mapping(spot, value).items():
        if code is None:
            continue
        if key not in _CODES:
            spot.at(key).fault("this kind of code is not known", did_you_mean(key, _CODES))
            continue
        pattern, example = _CODES[key]
        if not isinstance(code, str) or not pattern.fullmatch(code):
            spot.at(key).fault(f"{printable_value(code)} is not such a code", f"Write {example}")
            continue
        found[key] = code
    return found


def check_areas(spot: Spot, value: Any, outline: Polygon | MultiPolygon | None) -> tuple[Area, ...]:
    """Named parts of the site; a geometry of null means that nobody has located the part."""
    areas: list[Area] = []
    for here, entry in objects(spot, value, ("id", "name", "kind", "geometry", "notes", "source")):
        name = required(here, entry, "name", "Name it as people do")
        area = Area(
            id=identifier(
                here.at("id"), required(here, entry, "id", "Give it a short id, as in pier-1") or "x"
            ),
            name=text(here.at("name"), name) if name is not None else "",
            kind=_area_kind(here.at("kind"), entry.get("kind", "area")),
            geometry=_area_geometry(here.at("geometry"), entry.get("geometry"), outline),
        )
        for key in ("notes", "source"):
            if key in entry:
                text(here.at(key), entry[key], longest=LONG_TEXT, blank=True)
        areas.append(area)
    no_repeats(spot, [area.id for area in areas], "the area id")
    return tuple(areas)


def _area_kind(spot: Spot, value: Any) -> str:
    if isinstance(value, str) and _AREA_KIND.fullmatch(value):
        return value
    spot.fault(
        f"{printable_value(value)} is not a kind of area",
        "Use lower-case words, as in apron, sidings or berth",
    )
    return ""


def _area_geometry(spot: Spot, value: Any, outline: Polygon | MultiPolygon | None) -> BaseGeometry | None:
    if value is None:
        return None
    geometry = parse_shape(spot, value, AREA_TYPES)
    if geometry is not None and outline is not None and not geometry.intersects(outline):
        spot.fault("the area lies outside its site", "Move it, or draw the site around it")
        return None
    return geometry


def check_links(spot: Spot, value: Any, own_id: str) -> tuple[str, ...]:
    """Ids of sites that belong together; whether they exist is checked when all sites are read."""
    links = [identifier(here, item) for here, item in items(spot, value)]
    no_repeats(spot, links, "the site")
    if own_id in links:
        spot.fault("the site is linked with itself", "Remove its own id")
    return tuple(link for link in links if link)


def check_runways(
    spot: Spot, value: Any, outline: Polygon | MultiPolygon | None
) -> tuple[Mapping[str, Any], ...]:
    """Runways: a name, and where known ends, true heading, length, width, and whether it is closed."""
    found = []
    keys = ("name", "ends", "heading_deg", "length_ft", "width_ft", "closed", "notes")
    for here, entry in objects(spot, value, keys):
        required_text(here, entry, "name", "Name it by its numbers, as in 17/35")
        if "ends" in entry:
            _check_ends(here.at("ends"), entry["ends"], outline)
        for key, high in (("heading_deg", 360.0), ("length_ft", MAX_RUNWAY_FT), ("width_ft", 1000.0)):
            if key in entry:
                number_within(here.at(key), entry[key], 0, high)
        if not isinstance(entry.get("closed", False), bool):
            here.at("closed").fault(
                f"{printable_value(entry['closed'])} is neither true nor false", "Write true or false"
            )
        if "notes" in entry:
            text(here.at("notes"), entry["notes"], longest=LONG_TEXT)
        found.append(entry)
    return tuple(found)


def _check_ends(spot: Spot, value: Any, outline: Polygon | MultiPolygon | None) -> None:
    ends = [lonlat_position(here, item) for here, item in items(spot, value)]
    if len(ends) != 2 and isinstance(value, list):  # noqa: PLR2004 - a runway has two ends
        spot.fault(f"it has {len(ends)} ends", "Give two positions, [[lon, lat], [lon, lat]]")
    if outline is None or not ends or any(end is None for end in ends):
        return
    if all(_near(outline, end) for end in ends if end is not None):
        return
    mirrored = [(end[1], end[0]) for end in ends if end is not None and abs(end[0]) <= 90]  # noqa: PLR2004 - degrees
    if mirrored and all(_near(outline, end) for end in mirrored):
        spot.fault(SWAPPED, SWAP_MEND)
    else:
        spot.fault("the runway lies away from its site", "Correct its ends, or draw the site around it")


def _near(outline: Polygon | MultiPolygon, point: LonLat) -> bool:
    around = bounding_circle(outline)
    return great_circle_nm(around.lat, around.lon, point[1], point[0]) <= around.radius_nm + _NEAR_NM


def check_gates(spot: Spot, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Circles in which tracks towards the site are usually lost, with the edge of coverage in them."""
    found = []
    for here, entry in objects(spot, value, ("id", "name", "point", "radius_nm", "notes", "source")):
        required_id(here, entry, "north-east")
        if "name" in entry:
            text(here.at("name"), entry["name"])
        point = required(here, entry, "point", "Give its middle as [longitude, latitude]")
        if point is not None:
            lonlat_position(here.at("point"), point)
        radius = required(here, entry, "radius_nm", "Give its radius in nautical miles")
        if radius is not None:
            number_within(here.at("radius_nm"), radius, 0.1, MAX_GATE_NM)
        found.append(entry)
    no_repeats(spot, [str(entry.get("id", "")) for entry in found], "the gate id")
    return tuple(found)


def check_changes(spot: Spot, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Known changes at the site: they break a baseline, leave a period out of it, or are only noted."""
    found = []
    for here, entry in objects(spot, value, ("what", "effect", "starts_at", "ends_at", "note")):
        required_text(here, entry, "what", "Say what changed, as in new runway opened")
        effect = required(here, entry, "effect", f"Write one of {', '.join(CHANGE_EFFECTS)}")
        if effect is not None:
            choice(here.at("effect"), effect, CHANGE_EFFECTS)
        _check_period(here, entry, "starts_at", "ends_at")
        if "note" in entry:
            text(here.at("note"), entry["note"], longest=LONG_TEXT)
        found.append(entry)
    return tuple(found)


def _check_period(spot: Spot, entry: Mapping[str, Any], first: str, last: str) -> None:
    start = required(spot, entry, first, "Give the day, as in 2023-10-05")
    begins = None if start is None else date_or_time(spot.at(first), start)
    ends = date_or_time(spot.at(last), entry[last]) if last in entry else None
    if begins and ends and ends.replace(tzinfo=None) < begins.replace(tzinfo=None):
        spot.at(last).fault("it ends before it begins", f"Turn {first} and {last} round")


def check_declared_baselines(spot: Spot, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Published statistics as rows of import columns (without `site_id`), with their citation."""
    found = []
    for here, entry in objects(spot, value, _BASELINE_KEYS):
        metric = required(here, entry, "metric", f"Write one of {', '.join(METRICS)}")
        if metric is not None:
            choice(here.at("metric"), metric, METRICS)
        comparator = required(here, entry, "comparator", f"Write one of {', '.join(_COMPARATORS)}, of N")
        if comparator is not None and not (isinstance(comparator, str) and _OF_N.fullmatch(comparator)):
            choice(here.at("comparator"), comparator, _COMPARATORS)
        required_text(here, entry, "publisher", "Say who published it: every number carries its source")
        if "value" in entry or comparator != "none_before":
            _check_value(here, entry)
        _check_period(here, entry, "start", "end")
        if "published" in entry:
            date_or_time(here.at("published"), entry["published"])
        if "precision" in entry:
            choice(here.at("precision"), entry["precision"], _PRECISIONS)
        _check_baseline_texts(here, entry)
        found.append(entry)
    return tuple(found)


def _check_value(spot: Spot, entry: Mapping[str, Any]) -> None:
    value = required(spot, entry, "value", "Give the published number")
    if value is not None:
        metric = entry.get("metric")
        most = METRICS[metric].most if isinstance(metric, str) and metric in METRICS else LARGEST_AMOUNT
        number_within(spot.at("value"), value, 0, most)


def _check_baseline_texts(spot: Spot, entry: Mapping[str, Any]) -> None:
    for key in ("area", "via", "url", "certainty", "note", "method", "sensor"):
        if key in entry:
            text(spot.at(key), entry[key], longest=LONG_TEXT, blank=True)
    subject = entry.get("subject", "")
    fault = subject_fault(subject) if isinstance(subject, str) else ("it is not a text", "Write a text")
    if fault is not None:
        spot.at("subject").fault(f"{printable_value(subject)} is not a subject: {fault[0]}", fault[1])
