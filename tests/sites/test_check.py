"""Checking a sites file: every fault by feature and key, and nothing refused that is sound."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sites.check import check_document
from monitor.sites.faults import SitesError, Spot
from monitor.sites.incoming import NOTHING_TOLD, feature_from_airport
from monitor.sites.load import sites_from_bytes
from monitor.sites.watching import NO_RULE_DEFAULTS, RULE_NAMES
from tests.kit.cast import CAST, CAST_GEOJSON


def cast() -> dict[str, Any]:
    return copy.deepcopy(CAST_GEOJSON)


def check(document: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in check_document(document)[1]]


def test_the_cast_loads_as_it_is_written() -> None:
    assert check_document(cast()) == (CAST, ())


def test_all_faults_of_all_features_come_at_once() -> None:
    document = cast()
    document["features"][0]["properties"]["kind"] = "airprt"
    document["features"][1]["properties"]["watchlst"] = []
    document["features"][2]["geometry"]["coordinates"][0][0].pop()
    document["features"][3]["properties"]["links"] = ["nowhere"]
    document["names"] = "typo"
    assert sorted(fault.feature for fault in check_document(document)[1]) == sorted(
        ["quiet-field", "busy-port", "dateline-strip", "donut-base", "the file"]
    )


def test_one_fault_hides_no_other_in_the_same_feature() -> None:
    document = cast()
    feature = document["features"][0]
    feature["geometry"] = None
    feature["properties"] |= {
        "timezone": "Nowhere",
        "kind": "x",
        "links": ["nowhere"],
        "elevation_ft": "high",
    }
    paths = {fault.path for fault in check_document(document)[1]}
    assert paths == {
        "geometry",
        "properties.timezone",
        "properties.kind",
        "properties.links[0]",
        "properties.elevation_ft",
    }


def test_members_that_qgis_writes_and_keys_beginning_x_are_kept() -> None:
    document = cast()
    document |= {
        "name": "sites",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "xy_coordinate_resolution": 1e-07,
        "x-author": {"mail": "desk@example.org"},
    }
    document["features"][0]["properties"]["x-desk"] = ["north", {"deep": 1}]
    document["features"][0]["x-drawn"] = True
    # QGIS gives every feature every key.
    document["features"][1]["properties"] |= {"watch": None, "runways": None, "elevation_ft": None}
    sites, faults = check_document(document)
    assert faults == ()
    assert sites[0].feature["properties"]["x-desk"] == ["north", {"deep": 1}]


@pytest.mark.parametrize("name", ["EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:OGC::CRS84"])
def test_every_way_to_write_wgs_84_is_read(name: str) -> None:
    document = cast()
    document["crs"] = {"type": "name", "properties": {"name": name}}
    assert check(document) == []


def test_the_id_may_stand_in_the_properties() -> None:
    document = cast()
    for feature in document["features"]:
        feature["properties"]["id"] = feature.pop("id")
    assert [site.id for site in check_document(document)[0]] == [site.id for site in CAST]


def test_a_clockwise_outline_is_turned_not_refused() -> None:
    document = cast()
    document["features"][3]["geometry"]["coordinates"] = [
        ring[::-1] for ring in document["features"][3]["geometry"]["coordinates"]
    ]
    sites, faults = check_document(document)
    assert faults == ()
    donut = sites[3].geometry
    assert isinstance(donut, shapely.Polygon)
    assert donut.exterior.is_ccw
    assert not donut.interiors[0].is_ccw


def test_heights_are_read_and_left_out_of_the_outline() -> None:
    document = cast()
    ring = document["features"][0]["geometry"]["coordinates"][0]
    document["features"][0]["geometry"]["coordinates"] = [[[*point, 12.5] for point in ring]]
    sites, faults = check_document(document)
    assert faults == ()
    assert not sites[0].geometry.has_z


def test_a_file_without_sites_is_sound() -> None:
    assert check_document({"type": "FeatureCollection", "features": []}) == ((), ())


def test_an_area_that_nobody_located_keeps_no_shape() -> None:
    port = check_document(cast())[0][1]
    assert [(area.id, area.geometry is None) for area in port.areas] == [("pier-1", False), ("pier-2", True)]


def test_rule_parameters_are_checked_against_their_defaults_where_these_are_known() -> None:
    document = cast()
    rules: dict[str, Any] = {
        "tail": {"alpha": 0.01, "weekly": True, "sides": ("high",), "by": "week"},
        "record": {},
    }
    sound = {"alpha": 1, "weekly": False, "sides": ["low"], "by": "month"}
    document["features"][3]["properties"]["watch"] = {"arrivals": {"rules": {"tail": sound}}}
    document["features"][0]["properties"]["watch"] = {
        "arrivals": {
            "rules": {"tail": {"alpha": "low", "alfa": 1, "weekly": 1, "sides": "low"}, "record": {"n": 1}}
        }
    }
    found = {fault.path: fault for fault in check_document(document, rules)[1]}
    rule = "properties.watch.arrivals.rules"
    assert found.keys() == {
        f"{rule}.tail.alpha",
        f"{rule}.tail.alfa",
        f"{rule}.tail.weekly",
        f"{rule}.tail.sides",
        f"{rule}.record.n",
    }
    assert "alpha" in found[f"{rule}.tail.alfa"].mend


def test_a_rule_may_be_switched_off_and_every_rule_is_known() -> None:
    document = cast()
    document["features"][0]["properties"]["watch"] = {
        "arrivals": {"subjects": ["class:vip_military", ""], "rules": dict.fromkeys(RULE_NAMES)}
    }
    sites, faults = check_document(document)
    assert faults == ()
    assert set(sites[0].watch["arrivals"]["rules"]) == set(NO_RULE_DEFAULTS)


FULL: dict[str, Any] = {
    "codes": {"icao": "XQUF", "iata": None},
    "areas": [
        {"id": "apron", "name": "Apron", "notes": "", "source": "drawn by hand", "geometry": None},
        {
            "id": "taxiway",
            "name": "Taxiway",
            "kind": "taxiway",
            "geometry": {"type": "LineString", "coordinates": [[-70.61, -51.9], [-70.59, -51.9]]},
        },
    ],
    "gates": [
        {"id": "north", "name": "North gate", "point": [-70.6, -50.0], "radius_nm": 30, "source": "learnt"},
        {"id": "east", "point": [-69, -51.9], "radius_nm": 20.5},
    ],
    "changes": [
        {"what": "New hangar", "effect": "note", "starts_at": "2020-02", "ends_at": "2020-03-04T00:00:00Z"},
        {
            "what": "Receiver moved",
            "effect": "break",
            "starts_at": "2021-01-01",
            "note": "two lines\nof text",
        },
    ],
    "runways": [{"name": "01/19", "heading_deg": 12.5, "length_ft": 9000, "width_ft": 150, "closed": True}],
    "declared_baselines": [
        {
            "metric": "arrivals",
            "comparator": "max",
            "value": 3,
            "publisher": "Somebody",
            "via": "a paper",
            "start": "2018-01-01",
            "end": "2023-01-01",
            "precision": "window",
            "published": "2023-02-01",
            "subject": "class:vip_military",
            "url": "https://example.org/",
            "note": "",
            "area": "",
        },
        {"metric": "arrivals", "comparator": "none_before", "start": "2018-01", "publisher": "Somebody"},
        {
            "metric": "arrivals",
            "comparator": "of 109",
            "value": 49,
            "start": "2018-01",
            "publisher": "Somebody",
        },
    ],
    "false_alarms_per_site_year": {"arrivals": 0.5, "aircraft_present": 2},
    "tell_clear_pictures": 0.9,
}


def test_everything_that_a_site_may_say_can_be_said() -> None:
    document = cast()
    document["features"][0]["properties"] |= FULL
    sites, faults = check_document(document)
    assert faults == ()
    site = sites[0]
    assert site.codes == {"icao": "XQUF"}
    assert [(area.id, area.kind) for area in site.areas] == [("apron", "area"), ("taxiway", "taxiway")]
    assert list(site.gates) == FULL["gates"]
    assert list(site.changes) == FULL["changes"]
    assert list(site.runways) == FULL["runways"]
    assert list(site.declared_baselines) == FULL["declared_baselines"]
    assert site.false_alarms_per_site_year == {"arrivals": 0.5, "aircraft_present": 2}
    assert site.tell_clear_pictures == 0.9


@pytest.mark.parametrize(
    ("keys", "value", "path"),
    [
        (("changes", 0, "effect"), None, "changes[0].effect"),
        (("changes", 0, "starts_at"), 2020, "changes[0].starts_at"),
        (("changes", 0, "starts_at"), "2020-13", "changes[0].starts_at"),
        (("declared_baselines", 0, "metric"), None, "declared_baselines[0].metric"),
        (("declared_baselines", 0, "metric"), "note", "declared_baselines[0].metric"),
        (("declared_baselines", 0, "comparator"), None, "declared_baselines[0].comparator"),
        (("declared_baselines", 0, "precision"), "year", "declared_baselines[0].precision"),
        (("declared_baselines", 0, "published"), "soon", "declared_baselines[0].published"),
        (("declared_baselines", 0, "subject"), 7, "declared_baselines[0].subject"),
        (("declared_baselines", 0, "value"), -1, "declared_baselines[0].value"),
        (("declared_baselines", 0, "via"), 7, "declared_baselines[0].via"),
        (("false_alarms_per_site_year", "arrivals"), -1, "false_alarms_per_site_year.arrivals"),
        (("tell_clear_pictures",), 0.1, "tell_clear_pictures"),
        (("tell_clear_pictures",), "yes", "tell_clear_pictures"),
        (("gates", 0, "radius_nm"), 0, "gates[0].radius_nm"),
        (("gates", 1, "id"), "north", "gates"),
        (("gates", 0, "name"), "", "gates[0].name"),
        (("gates", 0, "point"), None, "gates[0].point"),
        (("runways", 0, "heading_deg"), 361, "runways[0].heading_deg"),
        (("runways", 0, "name"), "0" * 161, "runways[0].name"),
        (("areas", 1, "geometry", "coordinates", 0), [-70.61], "areas[1].geometry.coordinates[0]"),
    ],
)
def test_each_part_of_a_full_site_is_checked(keys: tuple[str | int, ...], value: Any, path: str) -> None:
    document = cast()
    properties = document["features"][0]["properties"]
    properties |= copy.deepcopy(FULL)
    parent: Any = properties
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = value
    assert [fault.path for fault in check_document(document)[1]] == [f"properties.{path}"]


def test_of_two_codes_only_the_wrong_one_is_told() -> None:
    feature = feature_from_airport("ZKPY", NOTHING_TOLD)
    feature["properties"]["codes"]["iata"] = "VVO"
    (fault,) = check_document({"type": "FeatureCollection", "features": [feature]})[1]
    assert fault.path == "properties.codes.iata"
    assert fault.problem.startswith("VVO is Vladivostok International Airport, 7")


def test_a_number_that_is_not_finite_is_told_once() -> None:
    document = cast()
    document["features"][0]["properties"]["elevation_ft"] = float("nan")
    (told,) = check(document)
    assert told.startswith("quiet-field, properties.elevation_ft: the number is not finite")


@pytest.mark.parametrize(
    "subject",
    [
        *("class:vip_military", "type:Tu-95MS", "type:An-124-100", "operator:KOR", "icao24:15521f"),
        *("icao24:~ab12cd", "ship:Marshal Shaposhnikov", "ship:Lady R", "link:donut-base", "size:large"),
        *("train:armoured", ""),
    ],
)
def test_subjects_as_people_write_them_are_sound(subject: str) -> None:
    document = cast()
    properties = document["features"][0]["properties"]
    properties["watchlist"] = [subject]
    if subject.startswith("icao24:"):
        properties["watchlist_reasons"] = {subject: "It is the head of state's own aircraft."}
    assert check(document) == []


@pytest.mark.parametrize(
    "subject",
    ["vip", "class:", "class:VIP", "operator:kor", "icao24:15521F", "ship: x", "type:a:b", ":x", "ship:\n"],
)
def test_subjects_written_wrongly_are_refused(subject: str) -> None:
    document = cast()
    document["features"][0]["properties"]["watchlist"] = [subject]
    assert "is not a subject" in check(document)[0]


def test_no_control_character_of_a_file_reaches_the_terminal() -> None:
    document = cast()
    document["features"][0]["properties"]["\x1b]0;owned\x07"] = "\x1b[2J"
    document["features"][0]["id"] = "\x1b[31m"
    text = "\n".join(check(document))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_ring_of_too_many_corners_is_refused() -> None:
    document = cast()
    ring = document["features"][0]["geometry"]["coordinates"][0]
    ring[1:1] = [ring[0]] * 10_000
    assert "10005 positions" in check(document)[0]


def test_too_many_features_are_refused() -> None:
    assert "20001 features" in check({"type": "FeatureCollection", "features": [None] * 20_001})[0]


def test_the_error_text_stays_readable_with_thousands_of_faults() -> None:
    document = {"type": "FeatureCollection", "features": [None] * 5000}
    with pytest.raises(SitesError) as caught:
        sites_from_bytes(Path("many.geojson"), json.dumps(document).encode())
    assert len(caught.value.faults) == 5000
    assert "and 4800 more" in str(caught.value)
    assert len(str(caught.value)) < 20_000


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({})
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)


def spots(value: Any, keys: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where in a JSON value something can be put in the place of what is there."""
    below: list[tuple[str | int, Any]] = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [keys, *(spot for key, item in below for spot in spots(item, (*keys, key)))]


SPOTS = [spot for spot in spots(CAST_GEOJSON) if spot]


@given(st.sampled_from(SPOTS), JSON)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_anywhere_is_either_sound_or_a_fault(spot: tuple[str | int, ...], value: Any) -> None:
    document = cast()
    parent: Any = document
    for key in spot[:-1]:
        parent = parent[key]
    parent[spot[-1]] = value
    sites, faults = check_document(document)
    assert not (sites and faults)
    for fault in faults:
        assert str(fault).isprintable()


def test_a_spot_writes_odd_keys_so_that_they_cannot_mislead() -> None:
    assert Spot([]).at("a", 0, "b.c", "x-é").path == 'a[0]["b.c"].x-é'
