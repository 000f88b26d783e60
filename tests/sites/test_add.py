"""Adding and removing sites: checked before writing, in one step, with a backup."""

import json
import math
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon

from db.records import Fix
from monitor.errors import WorkFailed
from monitor.sites.add import add_sites, remove_site
from monitor.sites.check import PROPERTY_KEYS, check_document
from monitor.sites.faults import SitesError
from monitor.sites.geometry import area_km2
from monitor.sites.incoming import (
    DEFAULT_AIRPORT_RADIUS_M,
    NOTHING_TOLD,
    Told,
    feature_from_airport,
    feature_from_point,
    kept_words,
    own_keys,
    places_from_file,
)
from monitor.sites.load import load_sites
from monitor.sites.runways import runways_of, runways_source
from monitor.sites.shapes import GeoJsonFeature
from monitor.sites.write import backup_path, dump_geojson
from tests.kit.cast import CAST_GEOJSON, contains, write_cast
from tests.kit.drawn import places_from_bytes
from tests.kit.flying import NOON, read


def pond(**other: Any) -> GeoJsonFeature:
    """A small round port south of Busy Port."""
    where: dict[str, Any] = {"lat": 69.5, "lon": 18.9, "radius_m": 800}
    told = {"site_id": "small-pond", "name": "Small Pond", "kind": "port"} | {
        key: value for key, value in other.items() if key not in where
    }
    return feature_from_point(Told(**told), **{key: other.get(key, value) for key, value in where.items()})


def on_disk(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def write_geojson(folder: Path, document: Any) -> Path:
    path = folder / "drawn.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def square(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def faults(error: pytest.ExceptionInfo[SitesError]) -> list[tuple[str, str]]:
    return [(fault.feature, fault.path) for fault in error.value.faults]


# --- making features ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lat", "lon", "zone"),
    [
        (39.2241, 125.67, "Asia/Pyongyang"),
        (-51.9, -70.6, "America/Argentina/Rio_Gallegos"),
        (-16.8, 180.0, "Pacific/Fiji"),
        (-16.8, -179.999, "Pacific/Fiji"),
        (69.66, 18.96, "Europe/Oslo"),
    ],
)
def test_a_point_with_a_radius_becomes_a_round_site_in_its_time_zone(
    lat: float, lon: float, zone: str
) -> None:
    feature = pond(lat=lat, lon=lon, radius_m=2500)
    sites, found = check_document({"type": "FeatureCollection", "features": [feature]})
    assert found == ()
    assert sites[0].timezone.key == zone
    assert contains(sites[0].geometry, lat, lon)
    assert area_km2(sites[0].geometry) == pytest.approx(19.63, rel=0.01)


def test_the_time_zone_can_be_given() -> None:
    assert pond(timezone="Europe/Stockholm")["properties"]["timezone"] == "Europe/Stockholm"


@pytest.mark.parametrize("other", [{"lat": 95.0}, {"radius_m": 0}, {"radius_m": 1e7}])
def test_a_circle_that_makes_no_sense_is_refused(other: dict[str, float]) -> None:
    with pytest.raises(SitesError, match="the new site, geometry"):
        pond(**other)


@pytest.mark.parametrize("code", ["ZKPY", "FNJ", "zkpy"])
def test_an_airport_comes_with_its_codes_time_zone_and_elevation(code: str) -> None:
    feature = feature_from_airport(code, NOTHING_TOLD)
    sites, found = check_document({"type": "FeatureCollection", "features": [feature]})
    assert found == ()
    site = sites[0]
    assert (site.id, site.kind, site.timezone.key) == ("kp-zkpy", "airport", "Asia/Pyongyang")
    assert site.codes == {"icao": "ZKPY", "iata": "FNJ"}
    assert site.elevation_ft == pytest.approx(117, abs=20)
    assert contains(site.geometry, 39.2241, 125.67)
    assert area_km2(site.geometry) == pytest.approx(3.1416 * (DEFAULT_AIRPORT_RADIUS_M / 1000) ** 2, rel=0.01)
    assert site.source.startswith("airportsdata")


def test_an_airport_comes_with_its_runways_so_that_landings_are_told_at_once() -> None:
    """Lost on the approach to runway 35 of Pyongyang, a mile and a half out: in high pressure and without a ground report."""
    sites, found = check_document(
        {"type": "FeatureCollection", "features": [feature_from_airport("ZKPY", NOTHING_TOLD)]}
    )
    assert found == ()
    (site,) = sites
    assert [runway["name"] for runway in site.runways] == ["17/35"]
    assert site.source.endswith(runways_source())
    (_, (lon, lat)) = site.runways[0]["ends"]
    (north_lon, north_lat) = site.runways[0]["ends"][0]
    course = math.atan2((north_lon - lon) * math.cos(math.radians(lat)), north_lat - lat)
    fixes = []
    for seconds in range(0, 130, 10):
        away_nm = (170 - seconds) * 140 / 3600
        at = NOON + timedelta(seconds=seconds)
        fix = Fix("adsb.lol", "7278a1", at, at, lat - away_nm / 60 * math.cos(course), lon, on_ground=False)
        lon_here = lon - away_nm / 60 * math.sin(course) / math.cos(math.radians(lat))
        altitude = (site.elevation_ft or 0) + 318 * away_nm - 700
        fixes.append(replace(fix, lon=lon_here, altitude_ft=altitude, ground_speed_kt=140.0))
    (visit,) = read(fixes, site, now=NOON + timedelta(minutes=15))
    assert (visit.state, visit.confidence) == ("present", 3)


def test_an_airport_that_the_table_of_runways_does_not_know_has_none() -> None:
    assert runways_of("") == runways_of("QQQQ") == ()


def test_what_is_told_beside_an_airport_code_wins() -> None:
    feature = feature_from_airport(
        "UUMU", Told("ru-chkalovsky", "Chkalovsky", "airbase", "UTC"), radius_m=1000
    )
    told = feature["properties"]
    assert (feature["id"], told["name"], told["kind"], told["timezone"]) == (
        "ru-chkalovsky",
        "Chkalovsky",
        "airbase",
        "UTC",
    )


@pytest.mark.parametrize("code", ["QQQQ", "", "12345", "'; drop", "ZKPY\n"])
def test_an_unknown_airport_code_is_refused(code: str) -> None:
    with pytest.raises(SitesError, match="no airport in the packaged table"):
        feature_from_airport(code, NOTHING_TOLD)


@pytest.mark.parametrize("wrapped", ["geometry", "feature", "collection"])
def test_a_drawn_outline_is_read_however_it_is_wrapped(tmp_path: Path, wrapped: str) -> None:
    outline = square(18.8, 69.4, 18.9, 69.45)
    feature = {"type": "Feature", "geometry": outline, "properties": {}}
    document = {
        "geometry": outline,
        "feature": feature,
        "collection": {"type": "FeatureCollection", "features": [feature]},
    }[wrapped]
    path = write_geojson(tmp_path, document)
    found = places_from_file(path, Told("small-pond", "Small Pond", "port")).features
    assert found == [
        {
            "type": "Feature",
            "id": "small-pond",
            "geometry": outline,
            "properties": {"name": "Small Pond", "kind": "port", "timezone": "Europe/Oslo"},
        }
    ]


def test_what_a_drawn_feature_says_is_kept(tmp_path: Path) -> None:
    write_geojson(tmp_path, CAST_GEOJSON)
    assert places_from_file(tmp_path / "drawn.geojson").features == CAST_GEOJSON["features"]


def test_an_id_from_a_drawing_program_gives_way(tmp_path: Path) -> None:
    feature = {
        "type": "Feature",
        "id": 7,
        "geometry": square(18.8, 69.4, 18.9, 69.45),
        "properties": {"id": "7"},
    }
    found = places_from_file(write_geojson(tmp_path, feature), Told("small-pond", "Pond", "port")).features
    assert check_document({"type": "FeatureCollection", "features": found})[1] == ()


@pytest.mark.parametrize(("west", "east"), [(179.98, -179.98), (179.98, 180.02), (-180.02, -179.98)])
def test_an_outline_across_the_dateline_is_split(tmp_path: Path, west: float, east: float) -> None:
    path = write_geojson(tmp_path, square(west, -16.81, east, -16.79))
    found = places_from_file(path, Told("dateline-pond", "Dateline Pond", "port")).features
    sites, faults_found = check_document({"type": "FeatureCollection", "features": found})
    assert faults_found == ()
    assert isinstance(sites[0].geometry, MultiPolygon)
    assert contains(sites[0].geometry, -16.8, 179.99)
    assert contains(sites[0].geometry, -16.8, -179.99)
    assert sites[0].timezone.key == "Pacific/Fiji"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"type": "Point", "coordinates": [18.9, 69.5]},
            r"it is a point, no outline of a site\. Say how far",
        ),
        ({"type": "Topology"}, "is no outline of a site"),
        ({**CAST_GEOJSON, "crs": {"type": "name", "properties": {"name": "EPSG:none"}}}, "is not WGS 84"),
        (CAST_GEOJSON, "holds 4 features"),
        ({"type": "FeatureCollection", "features": None}, "holds 0 features"),
    ],
)
def test_a_file_that_gives_no_site_is_refused(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(SitesError, match=words):
        places_from_file(write_geojson(tmp_path, document), Told(name="Pond"))


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        7,
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [[[200, "x"], [1]]]},
        {"type": "Polygon", "coordinates": 5},
        {"type": "MultiPolygon", "coordinates": [5]},
        {"type": "Polygon", "coordinates": [[[39.1, 225.6], [39.2, 225.6], [39.2, 225.7], [39.1, 225.6]]]},
        {"type": "Polygon", "coordinates": [[[190, 1], [190, 1], [190, 1], [190, 1]]]},
    ],
)
def test_a_broken_outline_is_left_to_the_check(tmp_path: Path, geometry: Any) -> None:
    feature = {"type": "Feature", "id": "x", "geometry": geometry, "properties": None}
    found = places_from_file(write_geojson(tmp_path, feature), Told(name="X", kind="port")).features
    with pytest.raises(SitesError) as caught:
        add_sites(write_cast(tmp_path), found)
    assert any(path.startswith("geometry") for _, path in faults(caught))


def test_a_feature_that_is_none_is_left_to_the_check(tmp_path: Path) -> None:
    found = places_from_file(write_geojson(tmp_path, {"type": "FeatureCollection", "features": [7]})).features
    with pytest.raises(SitesError, match="not an object"):
        add_sites(write_cast(tmp_path), found)


# --- writing the file -----------------------------------------------------------------------------


def test_a_site_is_added_at_the_end_and_everything_else_kept(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    document = on_disk(path) | {"name": "sites", "x-desk": {"a": [1, 2]}}
    document["features"][0]["properties"]["x-note"] = "ours"
    path.write_text(json.dumps(document), encoding="utf-8")
    after = add_sites(path, [pond()])
    assert [site.id for site in after] == [
        "quiet-field",
        "busy-port",
        "dateline-strip",
        "donut-base",
        "small-pond",
    ]
    assert on_disk(path) == document | {"features": [*document["features"], pond()]}
    assert load_sites(path).sites == after.sites


def test_the_earlier_version_stays_beside_the_file(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    before = path.read_bytes()
    add_sites(path, [pond()])
    assert backup_path(path).read_bytes() == before
    middle = path.read_bytes()
    remove_site(path, "small-pond")
    assert backup_path(path).read_bytes() == middle
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sites.geojson", "sites.geojson.bak"]


def test_a_missing_file_is_made_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sites.geojson"
    assert [site.id for site in add_sites(path, [pond()])] == ["small-pond"]
    assert not backup_path(path).exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_rights_of_the_file_and_a_link_to_it_are_kept(tmp_path: Path) -> None:
    target = write_cast(tmp_path)
    target.chmod(0o640)
    link = tmp_path / "link.geojson"
    link.symlink_to(target)
    add_sites(link, [pond()])
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert "small-pond" in load_sites(target).by_id


@pytest.mark.parametrize(
    "bad",
    [
        pond(kind="prt"),
        pond(site_id="Small Pond"),
        pond(timezone="Nowhere"),
        {"type": "Feature"},
        {**pond(), "geometry": {"type": "Polygon", "coordinates": [[[float("nan"), 1.0]]]}},
    ],
)
def test_nothing_is_written_that_would_not_pass_the_check(tmp_path: Path, bad: GeoJsonFeature) -> None:
    path = write_cast(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SitesError):
        add_sites(path, [pond(site_id="good-pond"), bad])
    assert path.read_bytes() == before
    assert not backup_path(path).exists()


def test_nothing_is_added_to_a_file_with_faults(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(SitesError, match="not JSON"):
        add_sites(path, [pond()])
    assert path.read_text(encoding="utf-8") == "{"


def test_an_id_that_is_taken_is_refused_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    feature = pond(site_id="busy-port", lat=69.66, lon=18.96)
    with pytest.raises(SitesError, match="--replace"):
        add_sites(path, [feature])
    after = add_sites(path, [feature], replace=True)
    assert [site.id for site in after] == ["quiet-field", "busy-port", "dateline-strip", "donut-base"]
    assert after.by_id["busy-port"].name == "Small Pond"


def test_two_new_sites_with_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="2 features have this id"):
        add_sites(write_cast(tmp_path), [pond(), pond()])


def test_a_removed_site_is_gone_and_the_others_stay_as_they_were(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    after = remove_site(path, "busy-port")
    assert [site.id for site in after] == ["quiet-field", "dateline-strip", "donut-base"]
    features = CAST_GEOJSON["features"]
    assert on_disk(path)["features"] == [features[0], features[2], features[3]]


def test_an_unknown_site_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match='Did you mean "busy-port"'):
        remove_site(write_cast(tmp_path), "busyport")


def test_a_linked_site_is_removed_only_with_its_links(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    with pytest.raises(SitesError, match="quiet-field is linked with it"):
        remove_site(path, "donut-base")
    after = remove_site(path, "donut-base", unlink=True)
    assert after.by_id["quiet-field"].links == ()


def test_a_site_on_a_watch_list_is_not_removed_behind_its_back(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    document = on_disk(path)
    document["features"][0]["properties"]["watchlist"] = ["link:busy-port"]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SitesError, match="no site has the id busy-port"):
        remove_site(path, "busy-port", unlink=True)


def test_an_edit_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = write_cast(tmp_path)

    class Meanwhile(dict[str, Any]):
        """Rules whose first reading stands for somebody who saves the file in an editor."""

        def __contains__(self, name: object) -> bool:
            write = on_disk(path) | {"x-edited": True}
            path.write_text(json.dumps(write), encoding="utf-8")
            return True

        def __getitem__(self, name: str) -> None:
            return None

    feature = pond()
    feature["properties"]["watch"] = {"ship_calls": {"rules": {"record": {}}}}
    with pytest.raises(SitesError, match="changed it just now"):
        add_sites(path, [feature], rules=Meanwhile())
    assert on_disk(path)["x-edited"]


def test_a_file_that_cannot_be_replaced_stays_whole(tmp_path: Path) -> None:
    path = write_cast(tmp_path)
    before = path.read_bytes()
    backup_path(path).mkdir()  # stands in the way
    with pytest.raises(WorkFailed, match="cannot be written"):
        add_sites(path, [pond()])
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sites.geojson", "sites.geojson.bak"]


def test_a_ring_takes_one_line() -> None:
    text = dump_geojson(CAST_GEOJSON)
    assert json.loads(text) == CAST_GEOJSON
    for feature in CAST_GEOJSON["features"]:
        geometry = feature["geometry"]
        parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        for ring in (json.dumps(ring) for part in parts for ring in part):
            assert sum(ring in line for line in text.splitlines()) == 1
    assert '    "codes": {"icao": "XQUF", "iata": "QUF"},' in text.splitlines()


@pytest.mark.parametrize("lon", [-170.0, -90.0, 0.0, 10.0, 77.0, 179.0])
@pytest.mark.parametrize("lat", [89.999, -89.99])
def test_a_circle_over_a_pole_can_be_added_wherever_its_ring_begins(
    tmp_path: Path, lat: float, lon: float
) -> None:
    path = write_cast(tmp_path)
    sites = add_sites(path, [pond(lat=lat, lon=lon, radius_m=5000)])
    assert contains(sites.by_id["small-pond"].geometry, 90.0 if lat > 0 else -90.0, -lon)


def test_a_drawing_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match=r"does not exist\. Look at the spelling"):
        places_from_file(tmp_path / "none.geojson")
    with pytest.raises(SitesError, match=r"it is a folder\. Name the file in it"):
        places_from_file(tmp_path)


# --- what other programs write --------------------------------------------------------------------

CASES = Path(__file__).parent / "cases"
TOLD = Told("my-yard", "My yard", "railhead")


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        ("geojsonio_style", ["x-stroke", "x-stroke-width", "x-fill", "x-fill-opacity"]),
        ("togeojson_kml", ["x-description", "x-styleUrl", "x-styleHash", "x-visibility"]),
        ("crs_wgs84_name", []),
    ],
)
def test_what_other_programs_write_beside_is_kept_as_the_authors_own(
    tmp_path: Path, case: str, kept: list[str]
) -> None:
    features = places_from_file(CASES / f"{case}.geojson", TOLD).features
    sites = add_sites(tmp_path / "sites.geojson", features)
    assert own_keys(sites.document["features"]) == kept
    assert [site.name for site in sites] == ["My yard"]


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12).filter(
            lambda key: key not in {"type", "id", "geometry", "properties", "bbox"}
        ),
        st.none()
        | st.booleans()
        | st.integers(-9, 9)
        | st.text("abc", max_size=5)
        | st.lists(st.integers(0, 9)),
        max_size=4,
    )
)
def test_any_foreign_member_is_harmless(extras: dict[str, Any]) -> None:
    extras = {key: value for key, value in extras.items() if key not in PROPERTY_KEYS}
    feature = {
        "type": "Feature",
        "geometry": square(130.66, 42.41, 130.67, 42.42),
        "properties": dict(extras),
        **{f"m{key}": value for key, value in extras.items()},
    }
    data = json.dumps(feature).encode()
    [read] = places_from_bytes("drawn", data, TOLD).features
    _, found = check_document({"type": "FeatureCollection", "features": [read]})
    assert found == ()


def test_a_key_that_was_meant_otherwise_is_told() -> None:
    data = json.dumps(
        {"type": "Feature", "geometry": square(1, 1, 1.01, 1.01), "properties": {"watchlst": ["type:Tu-160"]}}
    ).encode()
    features = places_from_bytes("drawn", data, TOLD).features
    assert kept_words(features) == ["Kept and not read: x-watchlst (did you mean watchlist?)."]


def test_an_outline_that_crosses_itself_over_the_dateline_is_refused() -> None:
    with pytest.raises(SitesError) as error:
        places_from_file(CASES / "selfcross_dateline.geojson", TOLD)
    assert "crosses or touches itself" in str(error.value)
    assert "180" in str(error.value)


@pytest.mark.parametrize(
    "name", ["WGS 84", "WGS84", "GCS_WGS_1984", "urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"]
)
def test_wgs_84_has_many_names(name: str) -> None:
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": name}},
        "features": [],
    }
    assert check_document(document) == ((), ())


@pytest.mark.parametrize(
    "name", ["EPSG:3857", "WGS 84 / UTM zone 52N", "Pulkovo 1942", "banana", "x" * 5_000]
)
def test_another_system_is_refused(name: str) -> None:
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": name}},
        "features": [],
    }
    assert [fault.path for fault in check_document(document)[1]] == ["crs"]


def test_a_site_is_added_to_a_file_that_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "sites.geojson"
    path.write_text('{"type":"FeatureCollection","features":[]}', encoding="utf-8")
    assert [site.id for site in add_sites(path, [pond()])] == ["small-pond"]
    assert [site.id for site in remove_site(path, "small-pond")] == []
    assert [site.id for site in add_sites(path, [pond()])] == ["small-pond"]
