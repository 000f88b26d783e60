"""Files that other programs make, written here by GDAL itself: read as places, or named with what to do. Hostile ones are refused."""

import contextlib
import io
import json
import socketserver
import sqlite3
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    box,
)
from shapely.geometry.base import BaseGeometry

from monitor.sites.add import add_sites
from monitor.sites.archives import MAX_MEMBERS, MAX_UNPACKED_BYTES
from monitor.sites.check import check_document
from monitor.sites.choosing import Choice, SeveralPlacesError
from monitor.sites.faults import SitesError
from monitor.sites.geometry import area_km2
from monitor.sites.incoming import NOTHING_TOLD, NewSites, Told, places_from_file
from tests.kit.cast import contains
from tests.kit.drawn import places_from_bytes

YARD = Polygon([(130.64, 42.41), (130.66, 42.41), (130.66, 42.42), (130.64, 42.42)])
FAR = Polygon([(131.64, 43.41), (131.66, 43.41), (131.66, 43.42), (131.64, 43.42)])
TRACK = LineString([(130.641, 42.412), (130.659, 42.418)])
RAIL = Told(kind="railhead")
DRIVERS = {
    ".kml": "LIBKML",
    ".kmz": "LIBKML",
    ".gpkg": "GPKG",
    ".shp.zip": "ESRI Shapefile",
    ".gpx": "GPX",
    ".geojson": "GeoJSON",
    ".geojsonl": "GeoJSONSeq",
}


def written(folder: Path, ending: str, shapes: Mapping[str, BaseGeometry], crs: int = 4326) -> Path:
    """A file as GDAL writes it, with the name of each place."""
    path = folder / f"given{ending}"
    frame = gpd.GeoDataFrame({"name": list(shapes)}, geometry=list(shapes.values()), crs=4326)
    frame.to_crs(crs).to_file(path, driver=DRIVERS[ending])
    return path


def read(path: Path, told: Told = RAIL, **choice: Any) -> NewSites:
    return places_from_file(path, told, Choice(**choice))


def outlines(new: NewSites) -> dict[str, BaseGeometry]:
    """The outlines of sites that pass the check, by id."""
    sites, faults = check_document({"type": "FeatureCollection", "features": new.features})
    assert faults == ()
    return {site.id: site.geometry for site in sites}


def refusal(path: Path, told: Told = RAIL, **choice: Any) -> str:
    with pytest.raises(SitesError) as caught:
        read(path, told, **choice)
    return str(caught.value)


# --- every format -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [each for each in DRIVERS if each != ".gpx"])
def test_an_outline_is_read_from_every_format(tmp_path: Path, ending: str) -> None:
    new = read(written(tmp_path, ending, {"Tumangang yard": YARD}))
    found = outlines(new)
    assert list(found) == ["tumangang-yard"]
    assert found["tumangang-yard"].symmetric_difference(YARD).area < 1e-9
    (feature,) = new.features
    assert feature["properties"]["name"] == "Tumangang yard"
    assert feature["properties"]["timezone"] == "Asia/Vladivostok"


@pytest.mark.parametrize("ending", list(DRIVERS))
def test_a_point_of_every_format_becomes_a_circle(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending, {"Pier 1": Point(130.65, 42.415)})
    assert "it is a point, no outline" in refusal(path)
    assert "--radius" in refusal(path)
    (outline,) = outlines(read(path, radius_m=300)).values()
    assert contains(outline, 42.415, 130.65)
    assert area_km2(outline) == pytest.approx(0.2827, rel=0.01)


@pytest.mark.parametrize("ending", [".kml", ".gpkg", ".geojsonl"])
def test_several_places_are_chosen_by_name_or_taken_all(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending, {"North yard": YARD, "Far yard": FAR})
    with pytest.raises(SeveralPlacesError) as caught:
        read(path)
    assert caught.value.names == ("North yard", "Far yard")
    assert 'it holds 2 places: "North yard", "Far yard". Choose by name (--place NAME' in str(caught.value)
    assert list(outlines(read(path, names=("far  YARD",)))) == ["far-yard"]
    assert list(outlines(read(path, every=True))) == ["north-yard", "far-yard"]
    assert "it holds no place called" in refusal(path, names=("Northern",))
    assert 'Did you mean "North yard"?' in refusal(path, names=("North yrd",))
    assert "id and name cannot be given" in refusal(path, Told("x", "X", "port"), every=True)


def test_a_shapefile_lying_unpacked_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"NAME": ["Yard"]}, geometry=[YARD], crs=4326).to_crs(32652)
    frame.to_file(tmp_path / "Yards.shp")
    new = read(tmp_path / "Yards.shp")
    assert outlines(new)["yard"].symmetric_difference(YARD).area < 1e-9
    assert any("EPSG:32652" in note for note in new.notes)
    (tmp_path / "Yards.shx").unlink()
    assert "has no .shx beside it" in refusal(tmp_path / "Yards.shp")
    bare = (tmp_path / "Yards.shp").read_bytes()
    with pytest.raises(SitesError, match="zip them all"):
        places_from_bytes("Yards.shp", bare)


def test_layers_and_folders_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for layer, shape in (("Yard", YARD), ("Pier", FAR)):
        gpd.GeoDataFrame({"n": [1]}, geometry=[shape], crs=4326).to_file(path, layer=layer)
    assert list(outlines(read(path, every=True))) == ["yard", "pier"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_names_keep_their_letters(tmp_path: Path, encoding: str) -> None:
    text = written(tmp_path, ".kml", {"Туманган": YARD}).read_text(encoding="utf-8")
    path = tmp_path / "other.kml"
    path.write_bytes(text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding))
    (feature,) = read(path, Told("kp-tumangang", kind="railhead")).features
    assert feature["properties"]["name"] == "Туманган"
    # There are no Latin letters to make an id of.
    with pytest.raises(SitesError, match="id: it is missing"):
        add_sites(tmp_path / "sites.geojson", read(path).features)


def test_well_known_text_with_and_without_a_system() -> None:
    told = Told("yard", "Yard", "railhead")
    plain = places_from_bytes("a", YARD.wkt.encode(), told)
    assert outlines(plain)["yard"].equals(YARD)
    utm = gpd.GeoSeries([YARD], crs=4326).to_crs(32652).iloc[0]
    moved = places_from_bytes("a", f"SRID=32652;{utm.wkt}".encode(), told)
    assert outlines(moved)["yard"].symmetric_difference(YARD).area < 1e-9
    assert moved.notes == ("Converted from EPSG:32652 (WGS 84 / UTM zone 52N) to WGS 84.",)
    with pytest.raises(SitesError, match="numbers are not degrees"):
        places_from_bytes("a", utm.wkt.encode(), told)
    with pytest.raises(SitesError, match="well-known text"):
        places_from_bytes("a", b"POLYGON((1 1, 2 2", told)


@pytest.mark.parametrize("ending", [".gpkg", ".shp.zip", ".geojson"])
@pytest.mark.parametrize("epsg", [32652, 3857, 4284, 5179])
def test_other_reference_systems_are_converted_and_said(tmp_path: Path, ending: str, epsg: int) -> None:
    new = read(written(tmp_path, ending, {"Yard": YARD}, epsg))
    assert outlines(new)["yard"].symmetric_difference(YARD).area < 1e-7
    (words,) = [note for note in new.notes if note.startswith("Converted from")]
    assert f"EPSG:{epsg}" in words
    # Pulkovo 1942 is known in metres only.
    assert ("good to about" in words) == (epsg == 4284)


def test_a_shapefile_without_a_system_is_taken_as_degrees_or_refused(tmp_path: Path) -> None:
    for epsg, answer in ((4326, "taken as degrees"), (32652, "numbers are not degrees")):
        path = written(tmp_path, ".shp.zip", {"Yard": YARD}, epsg)
        bare = tmp_path / f"bare{epsg}.zip"
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(bare, "w") as new:
            for name in old.namelist():
                if not name.endswith(".prj"):
                    new.writestr(name, old.read(name))
        said = str(read(bare).notes) if epsg == 4326 else refusal(bare)
        assert answer in said


# --- every shape ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".kml", ".gpkg"])
def test_heights_holes_and_parts(tmp_path: Path, ending: str) -> None:
    high = Polygon([(x, y, 35.0) for x, y in YARD.exterior.coords])
    hole = Polygon(YARD.exterior.coords, [[(130.645, 42.412), (130.65, 42.412), (130.65, 42.416)]])
    parts = MultiPolygon([YARD, FAR])
    path = written(tmp_path, ending, {"High": high, "Hole": hole, "Parts": parts})
    found = outlines(read(path, every=True))
    assert not found["high"].has_z
    assert found["high"].equals(YARD)
    assert found["hole"].area == pytest.approx(hole.area)
    assert found["parts"].area == pytest.approx(parts.area)


def test_a_collection_gives_what_says_most(tmp_path: Path) -> None:
    mixed = {"Mixed": GeometryCollection([YARD, Point(130.65, 42.4151), TRACK])}
    new = read(written(tmp_path, ".kml", mixed))
    assert outlines(new)["mixed"].equals(YARD)
    assert "Of Mixed only its outlines are taken." in new.notes
    several = read(
        written(tmp_path, ".gpkg", {"Three": MultiPoint([(1, 50), (1.01, 50), (1.02, 50)])}), radius_m=900
    )
    assert contains(outlines(several)["three"], 50, 1.01)
    assert "Three is 3 points: their middle is taken." in several.notes


def test_lines_inside_an_outline_become_its_areas(tmp_path: Path) -> None:
    shapes = {
        "Yard": YARD,
        "Track 1": TRACK,
        "Track 2": MultiLineString([TRACK.coords, [(130.65, 42.411), (130.655, 42.411)]]),
        "Signal box": Point(130.65, 42.415),
        "Elsewhere": LineString([(130.7, 42.5), (130.71, 42.5)]),
    }
    path = written(tmp_path, ".kml", shapes)
    assert "it holds 2 places" in refusal(path)
    new = read(path, names=("Yard",))
    ((site,), faults) = check_document({"type": "FeatureCollection", "features": new.features})
    assert faults == ()
    assert [(area.id, area.kind) for area in site.areas] == [
        ("track-1", "track"),
        ("track-2-1", "track"),
        ("track-2-2", "track"),
    ]
    assert any("Lines taken as areas of Yard: Track 1, Track 2 1" in note for note in new.notes)
    (single,) = read(path, Told(kind="port"), names=("Signal box",), radius_m=50).features
    assert single["id"] == "signal-box"
    whole = read(path, every=True, radius_m=100)
    assert list(outlines(whole)) == ["yard", "elsewhere"]
    assert any("Signal box (inside Yard); --place NAME" in note for note in whole.notes)


@pytest.mark.parametrize("ending", [".gpx", ".kml", ".shp.zip"])
def test_a_line_becomes_a_corridor_with_itself_as_an_area(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending, {"Quay": TRACK})
    assert "it is a line, no outline" in refusal(path)
    new = read(path, Told(kind="port"), radius_m=50)
    ((site,), faults) = check_document({"type": "FeatureCollection", "features": new.features})
    assert faults == ()
    length_m = gpd.GeoSeries([TRACK], crs=4326).to_crs(32652).length[0]
    assert area_km2(site.geometry) == pytest.approx((length_m * 100 + 3.1416 * 50**2) / 1e6, rel=0.01)
    assert [(area.id, area.kind) for area in site.areas] == [("quay", "berth")]


def test_a_line_over_half_the_earth_is_no_site() -> None:
    for text in ("LINESTRING(0 0, 120 10)", "LINESTRING(0 80, 0 89)"):
        with pytest.raises(SitesError, match="too long or too near a pole"):
            places_from_bytes("a", text.encode(), RAIL, Choice(radius_m=100))
    with pytest.raises(SitesError, match="not between 1 m"):
        places_from_bytes("a", TRACK.wkt.encode(), RAIL, Choice(radius_m=1e6))


def test_places_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path, ".kml", {"Yard": YARD})
    frame = gpd.GeoDataFrame(
        {"name": ["Yard", "Yard", ""]}, geometry=[YARD, FAR, box(10, 50, 10.1, 50.1)], crs=4326
    )
    frame.to_file(path, driver="LIBKML")
    assert 'it holds 3 places: "Yard", "Yard (2)", "place 3"' in refusal(path)
    found = read(path, names=("yard (2)",))
    assert outlines(found)["yard"].equals(FAR)


def test_names_that_differ_in_letters_alone_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path, ".geojson", {"Yard": YARD, "YARD": FAR, "yard (2)": box(10, 50, 10.1, 50.1)})
    assert 'it holds 3 places: "Yard", "YARD (2)", "yard (2) (2)"' in refusal(path)
    assert outlines(read(path, names=("yard",)))["yard"].equals(YARD)


def test_a_geojson_of_sites_is_taken_whole_and_a_drawing_is_asked_about(tmp_path: Path) -> None:
    features: list[dict[str, Any]] = [
        {"type": "Feature", "id": number, "properties": {"name": name}, "geometry": shape.__geo_interface__}
        for number, (name, shape) in enumerate({"A": YARD, "B": FAR}.items())
    ]
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    data = json.dumps(document).encode()
    with pytest.raises(SeveralPlacesError):
        places_from_bytes("a", data, RAIL)
    assert list(outlines(places_from_bytes("a", data, RAIL, Choice(every=True)))) == ["a", "b"]
    for each in features:
        each["properties"] |= {"kind": "port"}
    assert list(outlines(places_from_bytes("a", json.dumps(document).encode()))) == ["a", "b"]


def test_what_a_file_says_under_our_own_keys_is_taken_where_it_is_sound(tmp_path: Path) -> None:
    columns = {
        "Name": ["Yard"],
        "kind": ["railhead"],
        "timezone": ["Asia/Tokyo"],
        "id": ["my-yard"],
        "notes": ["n"],
        "width": [3.5],
    }
    frame = gpd.GeoDataFrame(columns, geometry=[YARD], crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    (feature,) = read(tmp_path / "a.gpkg", NOTHING_TOLD).features
    assert feature["id"] == "my-yard"
    assert feature["properties"] == {
        "name": "Yard",
        "kind": "railhead",
        "timezone": "Asia/Tokyo",
        "notes": "n",
        "x-width": 3.5,
    }
    frame.assign(kind="Bahnhof", timezone="MEZ", id="7").to_file(tmp_path / "b.gpkg")
    (feature,) = read(tmp_path / "b.gpkg", RAIL).features
    assert feature["id"] == "yard"
    assert feature["properties"]["x-kind"] == "Bahnhof"
    assert feature["properties"]["timezone"] == "Asia/Vladivostok"


def test_a_drawn_airfield_gets_what_the_table_knows_of_it(tmp_path: Path) -> None:
    sunan = box(125.63, 39.19, 125.71, 39.26)
    path = written(tmp_path, ".kml", {"Sunan": sunan})
    new = read(path, Told(kind="airbase"))
    ((site,), faults) = check_document({"type": "FeatureCollection", "features": new.features})
    assert faults == ()
    assert site.codes == {"icao": "ZKPY", "iata": "FNJ"}
    assert site.elevation_ft == pytest.approx(117, abs=20)
    assert [runway["name"] for runway in site.runways] == ["17/35"]
    assert any("whose place is inside: codes, elevation, runways" in note for note in new.notes)
    # A yard there is none, and of two airports nobody knows which is meant.
    assert "codes" not in read(path, RAIL).features[0]["properties"]
    paris = written(tmp_path, ".gpkg", {"Paris": box(2.2, 48.65, 2.6, 49.1)})
    assert "codes" not in read(paris, Told(kind="airport")).features[0]["properties"]


# --- what is not read is named ----------------------------------------------------------------------


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SQLite format 3\x00" + b"\x00" * 400, "SQLite database without the tables of a GeoPackage"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"fgb\x03fgb", "a FlatGeobuf file"),
        (b"PAR1", "Parquet"),
        (b"<osm version='0.6'/>", "OpenStreetMap XML"),
        (b"<gml:FeatureCollection xmlns:gml='x'/>", "GML"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b'{"geometryType": "esriGeometryPolygon", "features": []}', "is no outline of a site"),
        (b'{"type": "Topology", "objects": {}}', "is no outline of a site"),
        (b"name,lat,lon\nYard,42.4,130.6\n", "a table (CSV)"),
        (b"7z\xbc\xaf\x27\x1c\x00", "7z"),
        (b"nonsense", "it is not JSON"),
        (b"", "it is not JSON"),
        (zipped(readme__txt=b"x"), "zip archive without a KML"),
        (zipped(**{"[Content_Types]__xml": b"", "xl/workbook__xml": b""}), "an Excel workbook"),
        (b"PK\x03\x04" + b"\x00" * 40, "damaged"),
        (b"<kml xmlns='http://www.opengis.net/kml/2.2'><Placemark>", "GDAL cannot read it"),
        (b"<kml xmlns='http://www.opengis.net/kml/2.2'></kml>", "no container element"),
        (b"<gpx version='1.1'>", "GDAL cannot read it"),
    ],
)
def test_another_format_is_named_with_the_way_to_mend_it(data: bytes, words: str) -> None:
    with pytest.raises(SitesError) as caught:
        places_from_bytes("given", data, Told("a", "A", "port"))
    assert words in str(caught.value)


# --- hostile files ----------------------------------------------------------------------------------


@pytest.fixture
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """A server that notes whoever comes; its address."""
    came: list[bytes] = []

    class Note(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            came.append(self.request.recv(100))

    with socketserver.TCPServer(("127.0.0.1", 0), Note) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", came
        server.shutdown()
        thread.join()


KML = '<?xml version="1.0"?>{entity}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{inside}</Document></kml>'
PLACEMARK = (
    "<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>130.64,42.41 130.66,42.41 "
    "130.66,42.42 130.64,42.41</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
)


def test_links_in_a_kml_are_not_followed(trap: tuple[str, list[bytes]]) -> None:
    address, came = trap
    link = f"<NetworkLink><name>x</name><Link><href>{address}/x.kml</href></Link></NetworkLink>"
    style = f"<styleUrl>{address}/style.kml#a</styleUrl>"
    overlay = f"<GroundOverlay><Icon><href>{address}/x.png</href></Icon></GroundOverlay>"
    with pytest.raises(SitesError, match="only a link to where they are, which is not followed"):
        places_from_bytes("a", KML.format(entity="", inside=link).encode(), RAIL)
    inside = link + overlay + PLACEMARK.format(name="Yard").replace("<Polygon>", f"{style}<Polygon>")
    assert list(outlines(places_from_bytes("a", KML.format(entity="", inside=inside).encode(), RAIL))) == [
        "yard"
    ]
    kmz = zipped(doc__kml=KML.format(entity="", inside=link + PLACEMARK.format(name="Yard")).encode())
    assert list(outlines(places_from_bytes("a", kmz, RAIL))) == ["yard"]
    assert came == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(tmp_path: Path, encoding: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not to be told", encoding="utf-8")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    for entity in (
        f'<!DOCTYPE kml [<!ENTITY x SYSTEM "file://{secret}">]>',
        f'<!DOCTYPE kml [<!ENTITY l0 "ha">{laughs}]>',
    ):
        text = KML.format(entity=entity, inside=PLACEMARK.format(name="&x;&l29;"))
        with pytest.raises(SitesError, match="it declares entities") as caught:
            places_from_bytes("a", text.encode(encoding), RAIL)
        assert "not to be told" not in str(caught.value)


def test_a_kmz_full_of_links_to_its_own_files_is_read_once(tmp_path: Path) -> None:
    path = written(tmp_path, ".kmz", {"Yard": YARD})
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) > 1  # GDAL puts the layers beside a root that only links to them
    assert list(outlines(read(path))) == ["yard"]


def test_a_zip_that_grows_without_end_is_bounded() -> None:
    bomb = zipped(doc__kml=b"<kml>" + b" " * (MAX_UNPACKED_BYTES + 1))
    assert len(bomb) < 200_000
    with pytest.raises(SitesError, match="unpacks to more than 64 MiB"):
        places_from_bytes("a", bomb, RAIL)
    # The size that it states is a lie.
    lying = bytearray(bomb)
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", lying, lying.index(mark) + offset, 10)
    with pytest.raises(SitesError):
        places_from_bytes("a", bytes(lying), RAIL)


def test_an_archive_of_too_many_files_in_archives_or_with_a_password(tmp_path: Path) -> None:
    many = zipped(**{f"n{number}__kml": b"" for number in range(MAX_MEMBERS + 1)})
    with pytest.raises(SitesError, match="holds 1001 files"):
        places_from_bytes("a", many, RAIL)
    nested = zipped(inner__kml=zipped(doc__kml=b"<kml/>"))
    with pytest.raises(SitesError, match="zip archive"):
        places_from_bytes("a", nested, RAIL)
    locked = bytearray(zipped(doc__kml=b"<kml/>"))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[locked.index(mark) + offset] |= 1
    with pytest.raises(SitesError, match="locked with a password"):
        places_from_bytes("a", bytes(locked), RAIL)


@pytest.mark.parametrize(
    "name", ["../evil.kml", "/etc/evil.kml", "a/../../evil.kml", "..\\evil.kml", "C:\\evil.kml"]
)
def test_names_that_lead_out_of_an_archive_are_refused(name: str) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, KML.format(entity="", inside=PLACEMARK.format(name="Yard")))
    with pytest.raises(SitesError, match="leads out of it"):
        places_from_bytes("a", data.getvalue(), RAIL)


def test_a_geopackage_that_reaches_elsewhere_reaches_nothing(
    tmp_path: Path, trap: tuple[str, list[bytes]]
) -> None:
    address, came = trap
    path = written(tmp_path, ".gpkg", {"Yard": YARD})
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA writable_schema = ON")
        statement = f"CREATE VIRTUAL TABLE far USING VirtualOGR('/vsicurl/{address}/x.geojson')"
        made.execute("INSERT INTO sqlite_master VALUES ('table', 'far', 'far', 0, ?)", (statement,))
        made.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('far', 'attributes', 'far')"
        )
    made.close()
    with contextlib.suppress(SitesError):
        assert list(outlines(read(path, every=True))) == ["yard"]
    assert came == []


@pytest.mark.parametrize(
    "text",
    [
        '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/vsicurl/{address}/kml</SrcDataSource></OGRVRTLayer></OGRVRTDataSource><!--<kml >-->',
        '<?xml version="1.0"?><!-- <kml > --><OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>',
    ],
)
def test_what_only_pretends_to_be_a_kml_is_not_opened(trap: tuple[str, list[bytes]], text: str) -> None:
    address, came = trap
    with pytest.raises(SitesError):
        places_from_bytes("a", text.replace("{address}", address).encode(), RAIL)
    assert came == []


def test_a_path_of_gdal_is_no_place(tmp_path: Path, trap: tuple[str, list[bytes]]) -> None:
    address, came = trap
    for text in (f"/vsicurl/{address}/x.kml", f"WFS:{address}", f"/vsizip/{tmp_path}/x.zip"):
        with pytest.raises(SitesError, match="does not exist"):
            places_from_file(Path(text), RAIL)
    assert came == []


def test_a_broken_file_breaks_nothing_but_its_own_reading(tmp_path: Path) -> None:
    whole = written(tmp_path, ".gpkg", {"Yard": YARD}).read_bytes()
    broken = whole[:4096] + bytes(255 for _ in range(len(whole) - 4096))
    with pytest.raises(SitesError):
        places_from_bytes("a", broken, RAIL)
    squeezed = zlib.compress(b"x")
    with pytest.raises(SitesError):
        places_from_bytes("a", squeezed, RAIL)


def test_more_places_than_anybody_watches_are_refused() -> None:
    points = "".join(f"<wpt lat='{n / 100}' lon='1'><name>p{n}</name></wpt>" for n in range(2_001))
    data = f"<gpx version='1.1' creator='x' xmlns='http://www.topografix.com/GPX/1/1'>{points}</gpx>".encode()
    with pytest.raises(SitesError, match="more than 2,000 places"):
        places_from_bytes("a", data, RAIL, Choice(every=True, radius_m=10))
