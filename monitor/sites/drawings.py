"""What people draw with other programs, as GeoJSON in WGS 84.

KML, KMZ, GPX, GeoPackage, Shapefile, GeoJSON of any reference system, newline-delimited GeoJSON, well-known text.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup
from shapely.geometry.base import BaseGeometry

from monitor.sites.archives import ArchiveError, members_of, names_in
from monitor.sites.check import PROPERTY_KEYS, SITE_PRECISIONS, check_crs
from monitor.sites.document import check_leaves, page_words, parse_json_object
from monitor.sites.faults import SitesError, SitesFault, Spot, printable_value
from monitor.sites.fields import ID_PATTERN
from monitor.sites.geodesy import Floats
from monitor.sites.kinds import KINDS
from monitor.sites.layers import LayersError, read_layers
from monitor.sites.placing import zone_named
from monitor.sites.recognise import excel_words
from monitor.sites.shapes import GeoJsonFeature, as_geojson

_WGS_84 = CRS.from_epsg(4326)
_HEAD = 4_000
_SHAPEFILE = b"\x00\x00\x27\x0a"
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_GEOPACKAGES = (b"GPKG", b"GP10", b"GP11")
_PACKABLE = (".kml", ".gpx", ".gpkg", ".geojson", *_SHAPEFILE_PARTS)
_NAMES = ("name", "title", "label", "placename", "site_name", "site", "nom", "bezeichnung")
# What GDAL makes of every KML placemark, whether its author said it or not.
_OF_KML = {
    "id",
    "timestamp",
    "begin",
    "end",
    "altitudemode",
    "tessellate",
    "extrude",
    "visibility",
    "draworder",
    "icon",
}
_OWN = "x-"
_ROUGH_M = 2.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """The features of a file (GeoJSON, WGS 84, any geometry), and what is to be said of how they were read."""

    features: list[Any]
    notes: tuple[str, ...] = ()


def read_drawing(source: str | Path, data: bytes) -> Drawing:
    """Read a file of any format that is known here, or raise SitesError, which names a format that is not."""
    try:
        for mark, read in _READERS:
            if mark(data):
                return read(source, data)
        return _of_geojson(source, data)
    except (ArchiveError, LayersError) as error:
        problem, _, mend = str(error).partition(". ")
        raise _refused(source, problem, mend or "Export it again, as KML or GeoJSON") from None


def shapefile_parts(path: Path) -> dict[str, bytes]:
    """A Shapefile that lies unpacked on the disk with what belongs to it, by ending."""
    found = {}
    for each in sorted(path.parent.iterdir()):
        if each.stem == path.stem and each.suffix.lower() in _SHAPEFILE_PARTS and each.is_file():
            found[each.suffix.lower()] = each.read_bytes()
    return found


def read_shapefile(source: str | Path, name: str, parts: Mapping[str, bytes]) -> Drawing:
    """Read a Shapefile from its parts by ending, or raise SitesError."""
    missing = [ending for ending in (".shp", ".shx", ".dbf") if ending not in parts]
    if missing:
        raise _refused(
            source,
            f"the Shapefile {printable_value(name)} has no {' and no '.join(missing)} beside it",
            "A Shapefile is several files: zip them all and give the archive",
        )
    try:
        return _of_layers(source, [{**each, "name": name} for each in read_layers("shp", parts)])
    except LayersError as error:
        raise _refused(source, str(error), "Export it again, as KML or GeoJSON") from None


class _ElsewhereError(SitesError):
    """A KML holds nothing but links."""


def _refused(source: str | Path, problem: str, mend: str) -> SitesError:
    return SitesError(str(source), [SitesFault("the file", "", problem, mend)])


# --- what it is ---------------------------------------------------------------------------------------------------


def _is_xml(data: bytes, root: str) -> bool:
    head = data[:_HEAD]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\x00", b"")
    return re.search(rb"<(?:\w+:)?%s[\s>]" % root.encode(), head) is not None and head.lstrip(
        b"\xef\xbb\xbf\xff\xfe \t\r\n"
    ).startswith(b"<")


def _is_geopackage(data: bytes) -> bool:
    return data.startswith(b"SQLite format 3\x00") and (
        data[68:72] in _GEOPACKAGES or b"gpkg_contents" in data[:65_536]
    )


def _is_lines(data: bytes) -> bool:
    lines = [line.strip(b"\x1e \t\r") for line in data.lstrip(b"\xef\xbb\xbf").splitlines()]
    return sum(map(bool, lines)) > 1 and all(
        re.match(rb'\{\s*"', line) and line.endswith(b"}") for line in lines if line
    )


_WKT = re.compile(
    rb"\s*(?:SRID=(?P<srid>\d+);)?\s*(?:MULTI)?(?:POLYGON|POINT|LINESTRING)\s*(?:ZM?|M)?\s*\(", re.IGNORECASE
)


# --- how it is read -----------------------------------------------------------------------------------------------


def _of_xml(kind: str) -> Callable[[str | Path, bytes], Drawing]:
    def read(source: str | Path, data: bytes) -> Drawing:
        return _of_layers(source, _xml_layers(source, kind, data))

    return read


def _xml_layers(source: str | Path, kind: str, data: bytes) -> list[dict[str, Any]]:
    text = _without_entities(source, data)
    layers = read_layers(kind, {f".{kind}": text})
    if not any(layer["features"] for layer in layers) and b"<NetworkLink" in text:
        mend = "Open it in Google Earth, save the places themselves and give that file"
        problem = "this KML holds no place, only a link to where they are, which is not followed"
        raise _ElsewhereError(str(source), [SitesFault("the file", "", problem, mend)])
    return layers


def _without_entities(source: str | Path, data: bytes) -> bytes:
    """The text as UTF-8, refused where it defines entities: those can grow without end, or be files of this machine."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise _refused(source, "it is not the UTF-16 that it begins as", "Save it as UTF-8") from None
        data = re.sub(r"<\?xml[^>]*\?>", "", text, count=1).encode("utf-8")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _refused(
            source,
            "it declares entities (<!DOCTYPE …>), which maps do not need and which can reach for other files",
            "Export it again, or take these lines out",
        )
    return data


def _of_geopackage(source: str | Path, data: bytes) -> Drawing:
    return _of_layers(source, read_layers("gpkg", {".gpkg": data}))


def _of_archive(source: str | Path, data: bytes) -> Drawing:
    names = names_in(data)
    if (named := excel_words(names)) is not None:
        raise _refused(source, *named)
    members = members_of(data, _PACKABLE)
    found = list(_shapefiles_in(source, members))
    elsewhere: list[SitesError] = []
    for name, content in members.items():
        if name.lower().endswith(_SHAPEFILE_PARTS):
            continue
        try:
            found.append(_of_member(f"{source}, {name}", content))
        except _ElsewhereError as error:
            # The first file of a KMZ may only lead to the others in it.
            elsewhere.append(error)
    if elsewhere and not any(each.features for each in found):
        raise elsewhere[0]
    if not found:
        some = ", ".join(printable_value(name) for name in names[:5])
        raise _refused(
            source,
            f"it is a zip archive without a KML, GPX, GeoPackage, Shapefile or GeoJSON in it (but {some or 'nothing'})",
            "Give the file with the places",
        )
    return Drawing(
        [feature for each in found for feature in each.features],
        tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )


def _of_member(source: str, content: bytes) -> Drawing:
    """One file of an archive; an archive in it stays closed."""
    for mark, read in _READERS:
        if read is not _of_archive and mark(content):
            return read(source, content)
    return _of_geojson(source, content)


def _shapefiles_in(source: str | Path, members: Mapping[str, bytes]) -> Iterator[Drawing]:
    by_stem: dict[str, dict[str, bytes]] = {}
    for name, content in members.items():
        stem, _, ending = name.rpartition(".")
        if f".{ending.lower()}" in _SHAPEFILE_PARTS:
            by_stem.setdefault(stem, {})[f".{ending.lower()}"] = content
    for stem, parts in by_stem.items():
        if ".shp" in parts:
            yield read_shapefile(source, stem.rpartition("/")[2], parts)


def _of_bare_shapefile(source: str | Path, data: bytes) -> Drawing:
    return read_shapefile(source, Path(str(source)).stem, {".shp": data})


def _of_lines(source: str | Path, data: bytes) -> Drawing:
    lines = [line.strip(b"\x1e \t\r") for line in data.lstrip(b"\xef\xbb\xbf").splitlines()]
    features = [parse_json_object(source, line).value for line in lines if line]
    return Drawing(features, ("Read as newline-delimited GeoJSON.",))


def _of_wkt(source: str | Path, data: bytes) -> Drawing:
    found = _WKT.match(data)
    assert found is not None
    text = data.decode("utf-8", "replace").strip()
    try:
        shape = shapely.force_2d(shapely.from_wkt(re.sub(r"^\s*SRID=\d+;", "", text, flags=re.IGNORECASE)))
    except shapely.errors.GEOSException:
        raise _refused(
            source, "it is well-known text (WKT) that cannot be read", "Look at its brackets"
        ) from None
    srid = found["srid"]
    layer = {
        "name": "",
        "crs": None if srid is None else f"EPSG:{srid.decode()}",
        "features": [{"geometry": json.loads(shapely.to_geojson(shape)), "properties": {}}],
    }
    return _of_layers(source, [layer])


def _of_geojson(source: str | Path, data: bytes) -> Drawing:
    document = parse_json_object(source, data).value
    faults: list[SitesFault] = []
    # Before it is written anywhere: half a surrogate pair cannot even be encoded.
    check_leaves(Spot(faults), document)
    if faults:
        raise SitesError(str(source), faults)
    features = _features_of(source, document)
    notes = page_words(document)
    faults = []
    check_crs(Spot(faults).at("crs"), document.get("crs"))
    if faults:
        crs = document["crs"]
        properties = crs.get("properties") if isinstance(crs, dict) else None
        named = properties.get("name") if isinstance(properties, dict) else None
        system = _system(named)
        if system is None:
            raise SitesError(str(source), faults)
        features, words = _converted_features(source, features, system)
        notes.append(words)
    return Drawing(features, tuple(notes))


_SHAPES = (
    *(
        "Polygon",
        "MultiPolygon",
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "GeometryCollection",
    ),
)


def _features_of(source: str | Path, document: GeoJsonFeature) -> list[Any]:
    match document.get("type"):
        case "FeatureCollection":
            features = document.get("features")
            return features if isinstance(features, list) else []
        case "Feature":
            return [document]
        case kind if kind in _SHAPES:
            return [{"type": "Feature", "geometry": document, "properties": {}}]
        case kind:
            raise SitesError(
                str(source),
                [
                    SitesFault(
                        "the file",
                        "type",
                        f"{printable_value(kind)} is no outline of a site",
                        "Give a FeatureCollection, a Feature, a Polygon or a MultiPolygon",
                    )
                ],
            )


# --- reference systems --------------------------------------------------------------------------------------------


def _system(named: Any) -> CRS | None:
    if not isinstance(named, str) or len(named) > _HEAD:
        return None
    try:
        return CRS.from_user_input(named)
    except CRSError:
        return None


def _is_wgs_84(system: CRS) -> bool:
    return bool(system.to_2d().equals(_WGS_84, ignore_axis_order=True))


def _converted_features(source: str | Path, features: Sequence[Any], system: CRS) -> tuple[list[Any], str]:
    shapes = [_shape(feature) for feature in features]
    moved, words = _converted(source, [shape for shape in shapes if shape is not None], system)
    rest = iter(moved)
    return [
        feature if shape is None else {**feature, "geometry": as_geojson(next(rest))}
        for feature, shape in zip(features, shapes, strict=True)
    ], words


def _shape(feature: Any) -> BaseGeometry | None:
    """The shape of a feature, or None where it has no sound one: the check tells that."""
    try:
        return shapely.force_2d(shapely.from_geojson(json.dumps(feature["geometry"])))
    except (shapely.errors.GEOSException, TypeError, KeyError, ValueError):
        return None


def _converted(
    source: str | Path, shapes: Sequence[BaseGeometry], system: CRS
) -> tuple[list[BaseGeometry], str]:
    """Shapes in WGS 84, and the words that say from where and how well."""
    name = " ".join(part for part in (_code_of(system), f"({system.name})") if part)
    try:
        turn = _best(shapes, system)
        moved = [_moved(shape, turn) for shape in shapes]
    except ProjError:
        moved = []
    if len(moved) < len(shapes) or any(
        not np.isfinite(shapely.get_coordinates(each)).all() for each in moved
    ):
        raise _refused(
            source, f"its reference system {name} cannot be converted here", "Export it in WGS 84 (EPSG:4326)"
        )
    rough = ""
    if shapes and not 0 <= turn.accuracy <= _ROUGH_M:
        rough = (
            f", good to about {turn.accuracy:g} m"
            if turn.accuracy > 0
            else ", to an accuracy that is not known"
        )
    return moved, f"Converted from {name} to WGS 84{rough}."


def _best(shapes: Sequence[BaseGeometry], system: CRS) -> Transformer:
    """The conversion that is best where the shapes lie: a datum has many, each for a part of the world."""
    turn = Transformer.from_crs(system, _WGS_84, always_xy=True)
    points = np.concatenate([np.empty((0, 2)), *map(shapely.get_coordinates, shapes)])
    lons, lats = turn.transform(points[:, 0], points[:, 1])
    if not len(lons) or not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        return turn
    here = AreaOfInterest(float(min(lons)), float(min(lats)), float(max(lons)), float(max(lats)))
    found = TransformerGroup(
        system,
        _WGS_84,
        always_xy=True,
        area_of_interest=here,  # type: ignore[arg-type] # the stubs name its inner class
    )
    best: Transformer = found.transformers[0]
    return best


def _moved(shape: BaseGeometry, turn: Transformer) -> BaseGeometry:
    def move(points: Floats) -> Floats:
        return np.column_stack(turn.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shape, move)


def _code_of(system: CRS) -> str:
    found = system.to_authority(min_confidence=70)
    return ":".join(found) if found else ""


# --- features -----------------------------------------------------------------------------------------------------


def _of_layers(source: str | Path, layers: Sequence[Mapping[str, Any]]) -> Drawing:
    features: list[Any] = []
    notes: list[str] = []
    for layer in layers:
        drawn = [_feature(each) for each in layer["features"]]
        system = _system(layer["crs"])
        if system is not None and not _is_wgs_84(system):
            drawn, words = _converted_features(source, drawn, system)
            notes.append(words)
        elif layer["crs"] is None and drawn:
            notes.append(_taken_as_degrees(source, drawn))
        features += [_named(each, layer["name"]) if len(drawn) == 1 else each for each in drawn]
    return Drawing(features, tuple(dict.fromkeys(notes)))


def _taken_as_degrees(source: str | Path, features: Sequence[GeoJsonFeature]) -> str:
    points = [shapely.get_coordinates(shape) for shape in map(_shape, features) if shape is not None]
    if any((np.abs(each) > (180, 180)).any() for each in points):
        raise _refused(
            source,
            "it does not say its reference system, and its numbers are not degrees",
            "Give the .prj file with it, or export it in WGS 84 (EPSG:4326)",
        )
    return "The file does not say its reference system; its numbers are taken as degrees of WGS 84."


def _named(feature: GeoJsonFeature, layer: str) -> GeoJsonFeature:
    """A single place without a name is called as its layer is."""
    properties = feature["properties"]
    if properties.get("name") or not layer or layer.lower() in {"waypoints", "routes", "tracks"}:
        return feature
    return {**feature, "properties": {"name": layer, **properties}}


def _feature(found: Mapping[str, Any]) -> GeoJsonFeature:
    """A feature with what it says under the keys of a sites file, and everything else kept as its author's own."""
    properties: dict[str, Any] = {}
    for key, value in found["properties"].items():
        lower = key.lower()
        if (
            value in ("", None)
            or (lower in _OF_KML and not isinstance(value, str))
            or lower in {"altitudemode", "icon"}
        ):
            continue
        if (known := _known_key(lower, value)) and known not in properties:
            properties[known] = value if isinstance(value, str) else str(value)
        elif lower not in _OF_KML:
            properties[f"{_OWN}{lower}"] = value
    geometry = found["geometry"]
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _known_key(lower: str, value: Any) -> str:
    text = str(value)
    if lower in _NAMES:
        return "name"
    sound = {
        "id": ID_PATTERN.fullmatch(text) is not None and not text.isdigit() and "." not in text,
        "kind": text in KINDS,
        "timezone": zone_named(text) is not None,
        "precision": text in SITE_PRECISIONS,
        "notes": True,
        "source": True,
    }
    return lower if lower in PROPERTY_KEYS and sound.get(lower, False) else ""


_Reader = Callable[[str | Path, bytes], Drawing]
_READERS: tuple[tuple[Callable[[bytes], bool], _Reader], ...] = (
    (lambda data: data.startswith(b"PK\x03\x04"), _of_archive),
    (_is_geopackage, _of_geopackage),
    (lambda data: data.startswith(_SHAPEFILE), _of_bare_shapefile),
    (lambda data: _is_xml(data, "kml"), _of_xml("kml")),
    (lambda data: _is_xml(data, "gpx"), _of_xml("gpx")),
    (lambda data: _WKT.match(data[:_HEAD]) is not None, _of_wkt),
    (_is_lines, _of_lines),
)
