"""Which of several places in a file are meant, and how a point or a line becomes the outline of a site. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from shapely import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from monitor.sites.faults import SitesError, SitesFault, did_you_mean, printable_value
from monitor.sites.geodesy import Floats
from monitor.sites.geometry import MAX_RADIUS_M, GeometryError, Outline, circle, polygon_on_earth
from monitor.sites.shapes import OUTLINE_TYPES, GeoJsonFeature, as_geojson

_MOST_NAMED = 30
_MOST_LINES = 100
_LONGEST_ID = 60
_WIDEST_LINE_DEG = 20.0
_HIGHEST_LINE_DEG = 85.0
_LINE_KINDS = {
    "railhead": "track",
    "rail_crossing": "track",
    "factory": "track",
    "port": "berth",
    "naval_base": "berth",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is said beside a file: the places meant, by name, or all; the radius round points and along lines, in metres."""

    names: tuple[str, ...] = ()
    every: bool = False
    radius_m: float | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """One feature with its shape, in degrees, and the lines that lie inside it."""

    feature: GeoJsonFeature
    shape: BaseGeometry
    label: str
    lines: tuple["_Place", ...] = ()
    inside: str = ""


@dataclass(frozen=True, slots=True)
class ChosenPlaces:
    """Features whose geometry is an outline, and what is to be said of how they became so."""

    features: list[Any]
    notes: tuple[str, ...] = ()


class SeveralPlacesError(SitesError):
    """A file holds several places and nobody said which; `names` are theirs."""

    def __init__(self, source: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        shown = ", ".join(map(printable_value, names[:_MOST_NAMED]))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        problem = f"it holds {len(names)} places: {shown}{more}"
        super().__init__(
            source,
            [
                SitesFault(
                    "the file", "", problem, "Choose by name (--place NAME, again for more), or take --all"
                )
            ],
        )


def place_names(features: Sequence[Any]) -> tuple[str, ...]:
    """The names by which the places of a file are chosen, where there are several; lines inside an outline are none."""
    own = [each for each in _all_places(features) if not each.inside]
    return tuple(each.label for each in own) if len(own) > 1 else ()


def _all_places(features: Sequence[Any]) -> list[_Place]:
    found = [_place(each) for each in features]
    return _labelled(
        _nested(
            [
                replace(each, label=each.label or f"place {index}")
                for index, each in enumerate(found, start=1)
                if each is not None
            ]
        )
    )


def choose_outlines(source: str, features: Sequence[Any], choice: Choice) -> ChosenPlaces:
    """The features that are meant, points and lines widened to outlines; raises SitesError where it is open which."""
    if _ready(features, choice):
        return ChosenPlaces(list(features))
    named = _all_places(features)
    if not named:
        return ChosenPlaces(list(features))  # the check says what is wrong with each
    note = f"Left out: {len(features) - len(named)} without a shape." if len(named) < len(features) else ""
    chosen = _chosen(source, named, choice)
    made = [_outlined(source, each, choice) for each in chosen]
    left = [
        f"{each.label} (inside {each.inside})"
        for each in named
        if each.inside
        and each not in chosen
        and not any(each.feature is line.feature for other in chosen for line in other.lines)
    ]
    if left and not choice.names:
        shown = ", ".join(left[:_MOST_NAMED])
        note = f"{note} Left out: {shown}; --place NAME adds one of them.".strip()
    return ChosenPlaces(
        [feature for feature, _ in made],
        tuple(dict.fromkeys(words for words in [*(words for _, words in made), note] if words)),
    )


def _ready(features: Sequence[Any], choice: Choice) -> bool:
    """Whether these are sites as a sites file has them: outlines, and more than one only where each says its kind."""
    outlined = all(_type_of(each) in (*OUTLINE_TYPES, "") for each in features)
    kinds = all(
        isinstance(each, dict) and isinstance(each.get("properties"), dict) and each["properties"].get("kind")
        for each in features
    )
    return outlined and not choice.names and (len(features) < 2 or kinds or choice.every)  # noqa: PLR2004


def _type_of(feature: Any) -> str:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    return kind if isinstance(kind, str) and kind in _KNOWN_TYPES else ""


_KNOWN_TYPES = (*OUTLINE_TYPES, "Point", "MultiPoint", "LineString", "MultiLineString", "GeometryCollection")


def _place(feature: Any) -> _Place | None:
    if not _type_of(feature):
        return None
    try:
        shape = shapely.force_2d(shapely.from_geojson(json.dumps(feature["geometry"])))
    except (shapely.errors.GEOSException, ValueError, TypeError):
        return None
    if shape.is_empty:
        return None
    properties = feature.get("properties")
    told = properties if isinstance(properties, dict) else {}
    name = next(
        (told[key] for key in ("name", "Name", "title") if isinstance(told.get(key), str) and told[key]), ""
    )
    own_id = feature.get("id")
    return _Place(feature, shape, name or (own_id if isinstance(own_id, str) else ""))


def _nested(places: Sequence[_Place]) -> list[_Place]:
    """Lines and points inside an outline of the same file, with it: its lines become its areas."""
    outlines = [each for each in places if each.shape.geom_type in OUTLINE_TYPES and each.shape.is_valid]
    near = shapely.STRtree([each.shape for each in outlines])
    found: list[_Place] = []
    lines: dict[int, list[_Place]] = {}
    for each in places:
        if each.shape.geom_type in OUTLINE_TYPES:
            found.append(each)
            continue
        touched = sorted(near.query(each.shape, predicate="intersects").tolist())
        home = _home(each, [outlines[index] for index in touched])
        found.append(replace(each, inside="" if home is None else home.label))
        if home is not None and _is_line(each.shape):
            lines.setdefault(id(home), []).append(each)
    return [replace(each, lines=tuple(lines.get(id(each), ())[:_MOST_LINES])) for each in found]


def _home(place: _Place, outlines: Iterable[_Place]) -> _Place | None:
    """The smallest outline that holds more than half of a line, or a point."""
    holding = [
        each
        for each in outlines
        if (place.shape.length and each.shape.intersection(place.shape).length > place.shape.length / 2)
        or (not place.shape.length and each.shape.intersects(place.shape))
    ]
    return min(holding, key=lambda each: each.shape.area, default=None)


def _is_line(shape: BaseGeometry) -> bool:
    return shape.geom_type in {"LineString", "MultiLineString"}


def _labelled(places: Sequence[_Place]) -> list[_Place]:
    """Places of one name told apart by a number."""
    taken: set[str] = set()
    found = []
    for each in places:
        label, number = each.label, 1
        while _folded(label) in taken:
            number += 1
            label = f"{each.label} ({number})"
        taken.add(_folded(label))
        found.append(each if number == 1 else replace(each, label=label))
    return found


def _chosen(source: str, places: Sequence[_Place], choice: Choice) -> list[_Place]:
    if choice.names:
        by_label = {_folded(each.label): each for each in places}
        unknown = [name for name in choice.names if _folded(name) not in by_label]
        if unknown:
            faults = [
                SitesFault(
                    "the file",
                    "",
                    f"it holds no place called {printable_value(name)}",
                    did_you_mean(name, [each.label for each in places]),
                )
                for name in unknown
            ]
            raise SitesError(source, faults)
        return [by_label[name] for name in dict.fromkeys(map(_folded, choice.names))]
    own = [each for each in places if not each.inside]
    if len(own) > 1 and not choice.every:
        raise SeveralPlacesError(source, [each.label for each in own])
    return own


def _folded(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).split()).casefold()


# --- outlines -----------------------------------------------------------------------------------------------------


def _outlined(source: str, place: _Place, choice: Choice) -> tuple[GeoJsonFeature, str]:
    shape, words = _main_parts(place)
    properties = dict(place.feature.get("properties") or {})
    kind = choice.kind or properties.get("kind") or ""
    lines = place.lines
    if isinstance(shape, Polygon | MultiPolygon):
        # As it was written, so that it can be judged as it was drawn.
        geometry = place.feature["geometry"] if not words else as_geojson(shape)
        if properties.get("name") is None and not place.label.startswith("place "):
            properties["name"] = place.label
    else:
        widened = _widened(source, place.label, shape, choice.radius_m)
        geometry = as_geojson(widened)
        what = (
            f"a circle of {choice.radius_m:g} m round a point"
            if isinstance(shape, Point)
            else (f"everything within {choice.radius_m:g} m of a line")
        )
        properties = {
            "precision": "coarse",
            "notes": f"Made as {what}; draw the real outline when you know it.",
            **properties,
        }
        if not isinstance(shape, Point):
            lines = (_Place(place.feature, shape, place.label),)
    if lines and not properties.get("areas"):
        areas = _areas(lines, _LINE_KINDS.get(str(kind), "line"))
        properties["areas"] = areas
        named = ", ".join(area["name"] for area in areas[:_MOST_NAMED])
        words = f"{words} Lines taken as areas of {place.label}: {named}.".strip()
    return {**place.feature, "geometry": geometry, "properties": properties}, words


def _main_parts(place: _Place) -> tuple[BaseGeometry, str]:
    """The parts of a shape that say most: outlines before lines before a point; and what of it is left out."""
    parts = list(_parts(place.shape))
    for kind in (Polygon, LineString, Point):
        these = [part for part in parts if isinstance(part, kind)]
        if not these:
            continue
        left = len(parts) - len(these)
        words = (
            f"Of {place.label} only its {'outlines' if kind is Polygon else 'lines'} are taken."
            if left
            else ""
        )
        if len(these) == 1:
            return these[0], words
        joined = shapely.union_all(these)
        if kind is Point:
            return joined.centroid, f"{place.label} is {len(these)} points: their middle is taken."
        return joined, words
    raise AssertionError(place.shape.geom_type)  # every part of a geometry is one of these


def _parts(shape: BaseGeometry) -> Iterable[BaseGeometry]:
    for part in shapely.get_parts(shape):
        if part.geom_type in _KNOWN_TYPES and part.geom_type not in {"Polygon", "LineString", "Point"}:
            yield from _parts(part)
        else:
            yield part


def _widened(source: str, label: str, shape: BaseGeometry, radius_m: float | None) -> Outline:
    what = "a point" if isinstance(shape, Point) else "a line"
    if radius_m is None:
        raise SitesError(
            source,
            [
                SitesFault(
                    label,
                    "radius",
                    f"it is {what}, no outline of a site",
                    "Say how far the site reaches round it, in metres (--radius), or draw an outline",
                )
            ],
        )
    try:
        if isinstance(shape, Point):
            return circle(shape.y, shape.x, radius_m)
        return _corridor(shape, radius_m)
    except GeometryError as error:
        problem, _, mend = str(error).rstrip(".").partition(". ")
        raise SitesError(
            source, [SitesFault(label, "geometry", problem, mend or "Give degrees, and metres")]
        ) from None


def _corridor(shape: BaseGeometry, radius_m: float) -> Outline:
    """Everything within a radius of a line, measured in a plane that touches the earth in its middle."""
    west, south, east, north = shape.bounds
    if not (
        east - west <= _WIDEST_LINE_DEG
        and north - south <= _WIDEST_LINE_DEG
        and max(-south, north) < _HIGHEST_LINE_DEG
    ):
        raise GeometryError("The line is too long or too near a pole to be one site. Draw an outline.")
    if not 1 <= radius_m <= MAX_RADIUS_M:
        raise GeometryError(f"A radius of {radius_m:g} m is not between 1 m and {MAX_RADIUS_M:g} m.")
    middle = f"+proj=aeqd +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84"
    there = Transformer.from_crs("EPSG:4326", middle, always_xy=True)
    back = Transformer.from_crs(middle, "EPSG:4326", always_xy=True)

    def flat(points: Floats) -> Floats:
        return np.column_stack(there.transform(points[:, 0], points[:, 1]))

    def on_earth(points: Floats) -> Floats:
        return np.column_stack(back.transform(points[:, 0], points[:, 1]))

    wide = shapely.simplify(shapely.buffer(shapely.transform(shape, flat), radius_m), radius_m / 50)
    parts = [
        polygon_on_earth(
            np.asarray(part.exterior.coords), [np.asarray(hole.coords) for hole in part.interiors]
        )
        for part in shapely.get_parts(shapely.transform(wide, on_earth))
    ]
    joined = shapely.union_all(parts)
    assert isinstance(joined, Polygon | MultiPolygon)
    return joined


def _areas(lines: Sequence[_Place], kind: str) -> list[GeoJsonFeature]:
    found: list[GeoJsonFeature] = []
    for line in lines:
        merged = shapely.line_merge(line.shape)
        parts = [part for part in shapely.get_parts(merged) if part.length]
        for number, part in enumerate(parts[: _MOST_LINES - len(found)], start=1):
            name = line.label if len(parts) == 1 else f"{line.label} {number}"
            found.append({"id": name, "name": name, "kind": kind, "geometry": as_geojson(part)})
    ids = unused_ids([each["name"] for each in found], "line")
    return [{**each, "id": own} for each, own in zip(found, ids, strict=True)]


# --- ids ----------------------------------------------------------------------------------------------------------


def id_from_name(name: str) -> str:
    """An id made of a name, as in `tumangang-yard`; '' where it has no Latin letter or digit."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    letters = "".join(each for each in plain.lower() if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_LONGEST_ID].strip("-")


def unused_ids(names: Sequence[str], otherwise: str, taken: Iterable[str] = ()) -> list[str]:
    """An id for each name, no two alike; `otherwise` with a number where a name makes none."""
    used = set(taken)
    found = []
    for number, name in enumerate(names, start=1):
        wanted = id_from_name(name) or f"{otherwise}-{number}"
        own, again = wanted, 1
        while own in used:
            again += 1
            own = f"{wanted}-{again}"
        used.add(own)
        found.append(own)
    return found


def with_names(features: Sequence[Any], told: Mapping[str, str]) -> list[Any]:
    """Features with what was told of all of them, and an id made of the name where they have none."""
    named = [_told(each, told) for each in features]
    open_ones = [index for index, each in enumerate(named) if _needs_id(each)]
    without = set(open_ones)
    taken = [
        each["id"]
        for index, each in enumerate(named)
        if index not in without and isinstance(each, dict) and each.get("id")
    ]
    names = [named[index]["properties"]["name"] for index in open_ones]
    for index, own in zip(open_ones, unused_ids(names, "site", [str(each) for each in taken]), strict=True):
        properties = {key: value for key, value in named[index]["properties"].items() if key != "id"}
        named[index] = {**named[index], "id": own, "properties": properties}
    return named


def _told(feature: Any, told: Mapping[str, str]) -> Any:
    if not isinstance(feature, dict):
        return feature
    properties = feature.get("properties")
    return {**feature, "properties": {**(properties if isinstance(properties, dict) else {}), **told}}


def _needs_id(feature: Any) -> bool:
    if not isinstance(feature, dict):
        return False
    properties = feature["properties"]
    # Programs that draw number their features.
    given = [
        each
        for each in (feature.get("id"), properties.get("id"))
        if not isinstance(each, int | float | NoneType)
    ]
    return not given and isinstance(properties.get("name"), str) and bool(id_from_name(properties["name"]))
