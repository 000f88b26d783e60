"""Broken sites files, each named for its fault: the fault is told by feature, key and words."""

from pathlib import Path

import pytest

from monitor.sites.faults import SitesError
from monitor.sites.load import load_sites

BROKEN = Path(__file__).parent / "broken"
QUIET = "quiet-field"

FAULTS: dict[str, tuple[str, str, str]] = {
    "antimeridian-in-one-ring": (
        QUIET,
        "geometry.coordinates[0][0]",
        "the line jumps from longitude 179.98 to -179.98",
    ),
    "area-a-point": (QUIET, "properties.areas[0].geometry.type", '"Point" is the wrong type here'),
    "area-id-twice": (QUIET, "properties.areas", 'the area id "apron" stands twice'),
    "area-kind-bad": (QUIET, "properties.areas[0].kind", '"The apron" is not a kind of area'),
    "area-line-too-short": (QUIET, "properties.areas[0].geometry.coordinates", "fewer than 2 positions"),
    "area-outside": (QUIET, "properties.areas[0].geometry", "the area lies outside its site"),
    "area-tiny": (QUIET, "geometry", "the area is zero, or smaller than 100 m²"),
    "area-too-large": (QUIET, "geometry", "the area is 715,668 km²"),
    "area-without-id": (QUIET, "properties.areas[0].id", "it is missing"),
    "area-zero": (QUIET, "geometry.coordinates", "the area is zero"),
    "baseline-comparator-unknown": (
        QUIET,
        "properties.declared_baselines[0].comparator",
        '"maximum" is not known',
    ),
    "baseline-subject-bad": (
        QUIET,
        "properties.declared_baselines[0].subject",
        '"vip" is not a subject: it has no known prefix',
    ),
    "baseline-without-publisher": (QUIET, "properties.declared_baselines[0].publisher", "it is missing"),
    "baseline-without-value": (QUIET, "properties.declared_baselines[0].value", "it is missing"),
    "change-day-bad": (
        QUIET,
        "properties.changes[0].starts_at",
        '"May 2021" is not a date or a time with its offset',
    ),
    "change-effect-unknown": (QUIET, "properties.changes[0].effect", '"breaks" is not known'),
    "change-ends-first": (QUIET, "properties.changes[0].ends_at", "it ends before it begins"),
    "change-time-without-offset": (
        QUIET,
        "properties.changes[0].starts_at",
        '"2021-05-01T12:00:00" is not a date or a time with its offset',
    ),
    "code-malformed": (QUIET, "properties.codes.iata", '"zkpy" is not such a code'),
    "code-of-another-airport": (
        QUIET,
        "properties.codes.icao",
        "ZKPY is Pyongyang International Airport, 18,127 km from the outline",
    ),
    "code-unknown": (QUIET, "properties.codes.icoa", "this kind of code is not known"),
    "crs-not-wgs-84": ("the file", "crs", '"urn:ogc:def:crs:EPSG::3857" is not WGS 84'),
    "elevation-as-text": (QUIET, "properties.elevation_ft", 'it is "120", not a number'),
    "elevation-too-high": (QUIET, "properties.elevation_ft", "99999 is out of range"),
    "false-alarms-metric-unknown": (
        QUIET,
        "properties.false_alarms_per_site_year.railcar",
        "this metric is not known",
    ),
    "false-alarms-zero": (QUIET, "properties.false_alarms_per_site_year", "0 is out of range"),
    "feature-key-unknown": (QUIET, "geom", "this key is not known"),
    "feature-not-an-object": ("feature 1", "", 'it is "Quiet Field", not an object'),
    "feature-type-wrong": (QUIET, "type", '"Site" is not a Feature'),
    "features-missing": ("the file", "features", "it is missing"),
    "gate-point-bad": (
        QUIET,
        "properties.gates[0].point",
        "latitude -170.6 is beyond ±90: latitude and longitude look swapped",
    ),
    "gate-without-radius": (QUIET, "properties.gates[0].radius_nm", "it is missing"),
    "geometry-empty": (QUIET, "geometry.coordinates", "the geometry is empty"),
    "geometry-missing": (QUIET, "geometry", "it is missing"),
    "geometry-wrong-type": (QUIET, "geometry.type", '"LineString" is the wrong type here'),
    "hole-outside": (
        QUIET,
        "geometry.coordinates",
        "a hole lies outside the outline at [-70.5, -51.9]",
    ),
    "id-missing": ("feature 0", "id", "it is missing"),
    "id-twice": (QUIET, "id", "2 features have this id"),
    "id-two-ways": (QUIET, "properties.id", '"quiet" is not the feature\'s id "quiet-field"'),
    "id-with-capitals": ("feature 0", "id", '"Quiet Field" is not an id'),
    "key-twice": ("the file", "", 'the key "kind" stands twice in one object'),
    "key-unknown": (QUIET, "properties.watchlists", "this key is not known"),
    "kind-missing": (QUIET, "properties.kind", "it is missing"),
    "kind-unknown": (QUIET, "properties.kind", '"air_port" is not known'),
    "lat-lon-swapped-by-airport": (
        QUIET,
        "geometry.coordinates",
        "latitude and longitude look swapped: turned round the outline fits Vnukovo International Airport, as written it does not",
    ),
    "lat-lon-swapped-by-timezone": (
        QUIET,
        "geometry.coordinates",
        "latitude and longitude look swapped: turned round the outline fits Europe/Moscow, as written it does not",
    ),
    "lat-lon-swapped": (
        QUIET,
        "geometry.coordinates[0][0]",
        "latitude 125.66 is beyond ±90: latitude and longitude look swapped",
    ),
    "latitude-out-of-range": (QUIET, "geometry.coordinates[0][0]", "latitude -91.91 is beyond ±90"),
    "link-to-itself": (QUIET, "properties.links", "the site is linked with itself"),
    "link-unknown": (QUIET, "properties.links[0]", "no site has the id quiet-feld"),
    "longitude-out-of-range": (QUIET, "geometry.coordinates[0][0]", "longitude 289.38 is beyond ±180"),
    "name-empty": (QUIET, "properties.name", "it is empty"),
    "name-missing": (QUIET, "properties.name", "it is missing"),
    "name-with-control-characters": (QUIET, "properties.name", "it holds control characters"),
    "not-a-feature-collection": ("the file", "type", '"Feature" is not a FeatureCollection'),
    "not-an-object": ("the file", "", "it is not a GeoJSON object"),
    "not-json": ("the file", "", "it is not JSON: Expecting value at line 3, column 15"),
    "notes-not-text": (QUIET, "properties.notes", 'it is ["x"], not a text'),
    "number-infinite": (
        QUIET,
        "geometry.coordinates[0][2][1]",
        "the number is not finite (NaN, infinity or too large)",
    ),
    "number-nan": (
        QUIET,
        "geometry.coordinates[0][2][1]",
        "the number is not finite (NaN, infinity or too large)",
    ),
    "parts-overlap": (
        QUIET,
        "geometry.coordinates",
        "the outline crosses or overlaps itself at [-70.6, -51.89]",
    ),
    "polygon-empty": (QUIET, "geometry.coordinates[0]", "the polygon is empty"),
    "position-malformed": (QUIET, "geometry.coordinates[0][1]", "[-70.58] is not a position"),
    "precision-unknown": (QUIET, "properties.precision", '"exact" is not known'),
    "properties-missing": (QUIET, "properties", "it is null, not an object"),
    "ring-too-short": (QUIET, "geometry.coordinates[0]", "fewer than 4 positions"),
    "ring-unclosed": (QUIET, "geometry.coordinates[0]", "the ring is not closed"),
    "runway-closed-as-text": (QUIET, "properties.runways[0].closed", '"no" is neither true nor false'),
    "runway-elsewhere": (QUIET, "properties.runways[0].ends", "the runway lies away from its site"),
    "runway-length-as-text": (QUIET, "properties.runways[0].length_ft", 'it is "6780 ft", not a number'),
    "runway-nameless": (QUIET, "properties.runways[0].name", "it is missing"),
    "runway-one-end": (QUIET, "properties.runways[0].ends", "it has 1 ends"),
    "runway-swapped": (QUIET, "properties.runways[0].ends", "latitude and longitude look swapped"),
    "self-intersection": (
        QUIET,
        "geometry.coordinates",
        "the outline crosses or overlaps itself at [-70.6, -51.9]",
    ),
    "text-unstorable": (QUIET, "properties.name", "the text holds a character that cannot be stored"),
    "timezone-elsewhere": (
        QUIET,
        "properties.timezone",
        "Asia/Pyongyang is far from the outline, which lies in America/Argentina/Rio_Gallegos",
    ),
    "timezone-missing": (QUIET, "properties.timezone", "it is missing"),
    "timezone-unknown": (QUIET, "properties.timezone", '"America/Rio_Gallegos" is not a time zone'),
    "top-level-key-unknown": ("the file", "sites", "this key is not known"),
    "watch-key-unknown": (QUIET, "properties.watch.arrivals.rule", "this key is not known"),
    "watch-metric-unknown": (QUIET, "properties.watch.railcar", "this metric is not known"),
    "watch-not-an-object": (QUIET, "properties.watch", 'it is ["arrivals"], not an object'),
    "watch-param-wrong-type": (
        QUIET,
        "properties.watch.arrivals.rules.tail.alpha",
        "[0.01] is the wrong type",
    ),
    "watch-rule-unknown": (QUIET, "properties.watch.arrivals.rules.ears_c4", "this rule is not known"),
    "watch-subject-bad": (
        QUIET,
        "properties.watch.arrivals.subjects[0]",
        '"klass:vip" is not a subject: it has no known prefix',
    ),
    "watchlist-link-unknown": (QUIET, "properties.watchlist[0]", "no site has the id busy-port"),
    "watchlist-not-a-list": (QUIET, "properties.watchlist", 'it is "class:vip_military", not a list'),
    "watchlist-not-texts": (QUIET, "properties.watchlist[0]", "it is 7, not a text"),
    "watchlist-subject-bad": (
        QUIET,
        "properties.watchlist[0]",
        '"icao24:XYZ" is not a subject: what follows icao24: is not written rightly',
    ),
    "watchlist-subject-twice": (QUIET, "properties.watchlist", 'the subject "type:Tu-160" stands twice'),
}


def faults_of(path: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(SitesError) as caught:
        load_sites(path)
    return [(fault.feature, fault.path, fault.problem) for fault in caught.value.faults]


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_broken_file_is_refused_with_its_fault(name: str) -> None:
    feature, path, problem = FAULTS[name]
    found = faults_of(BROKEN / f"{name}.geojson")
    assert any((feature, path) == (where, key) and problem in what for where, key, what in found), found
    assert len(found) == (4 if name == "properties-missing" else 2 if name == "text-unstorable" else 1)


def test_every_broken_file_is_in_the_table() -> None:
    assert {path.stem for path in BROKEN.glob("*.geojson")} == set(FAULTS)


def test_every_fault_says_how_to_mend_it() -> None:
    for path in BROKEN.glob("*.geojson"):
        with pytest.raises(SitesError) as caught:
            load_sites(path)
        for fault in caught.value.faults:
            assert fault.mend
            assert fault.mend[0].isupper()
            assert str(fault) in str(caught.value)
