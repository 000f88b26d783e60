"""The sites that come with the program."""

import json
from pathlib import Path

import pytest
from shapely import STRtree
from shapely.geometry import shape

from monitor.flights.places import places_of
from monitor.sites.geometry import bounding_circle
from monitor.sites.kinds import KINDS
from monitor.sites.load import SiteSet, load_sites
from monitor.sites.watching import site_watches
from monitor.sites.write import dump_geojson
from tests.kit.cast import CAST_BY_ID, contains, write_cast

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shipped() -> SiteSet:
    return load_sites(ROOT / "sites.geojson")


@pytest.mark.shared
def test_every_researched_site_is_there_as_it_was_drawn(shipped: SiteSet, shared_data: Path) -> None:
    research = json.loads((shared_data / "sites-research.geojson").read_text(encoding="utf-8"))
    drawn = [site for site in shipped if not site.is_region]
    assert [site.id for site in drawn] == [feature["id"] for feature in research["features"]]
    for site, feature in zip(drawn, research["features"], strict=True):
        told = feature["properties"]
        assert site.geometry.equals(shape(feature["geometry"]))
        assert (site.name, site.timezone.key, site.precision) == (told["name"], told["tz"], told["precision"])
        assert site.codes == {key: told[key] for key in ("icao", "iata", "unlocode") if told[key]}
        lon, lat = told["ref_point"]
        assert contains(site.geometry, lat, lon)


def test_the_watch_lists_of_the_reference_stories(shipped: SiteSet) -> None:
    assert shipped.by_id["kp-sunan"].watchlist == ("class:vip_military",)
    assert shipped.by_id["kp-wonsan-kalma"].watchlist == ("class:vip_military",)
    assert shipped.by_id["ru-knevichi"].watchlist == (
        "type:Tu-160",
        "type:Tu-95MS",
        "type:Tu-22M3",
        "class:kinzhal_carrier",
    )
    assert shipped.by_id["ru-vladivostok-port"].watchlist == ("ship:Marshal Shaposhnikov",)


def test_links_run_both_ways(shipped: SiteSet) -> None:
    links = {(site.id, other) for site in shipped for other in site.links}
    assert {(other, site) for site, other in links} == links
    assert {
        ("kp-tumangang", "ru-khasan"),
        ("kp-rajin", "ru-vostochny-port"),
        ("kp-sunan", "ru-knevichi"),
    } <= links


def test_no_shape_is_invented_for_an_area_that_nobody_located(shipped: SiteSet) -> None:
    areas = {(site.id, area.id): area for site in shipped for area in site.areas}
    assert {
        ("kp-sunan", "apron"),
        ("kp-tumangang", "sidings"),
        ("kp-tumangang", "transshipment-yard"),
        ("kp-tumangang", "storage-area"),
        ("kp-rajin", "pier-1"),
        ("kp-rajin", "pier-2"),
        ("ru-vladivostok-port", "naval-base-ulysses-bay"),
        ("ru-vladivostok-port", "naval-base-berth-33"),
    } <= areas.keys()
    assert all(area.geometry is None for area in areas.values())


def test_every_site_says_where_its_outline_comes_from(shipped: SiteSet) -> None:
    assert all(site.source and site.notes and site.precision for site in shipped)


def test_no_two_sites_overlap(shipped: SiteSet) -> None:
    outlines = [site.geometry for site in shipped if not site.is_region]
    met = STRtree(outlines).query(outlines, predicate="intersects")
    assert [(one, other) for one, other in met.T.tolist() if one != other] == []


def test_every_site_that_flies_has_an_elevation(shipped: SiteSet) -> None:
    flying = [site for site in shipped if site.flies]
    assert [site.id for site in flying if site.elevation_ft is None] == []
    assert len(flying) == 7


def test_every_site_fits_the_circle_of_a_feed(shipped: SiteSet) -> None:
    drawn = [site for site in shipped if not site.is_region]
    assert all(0.3 < bounding_circle(site.geometry).radius_nm < 10 for site in drawn)


def test_the_shipped_regions_hold_their_sites_and_no_others(shipped: SiteSet) -> None:
    regions = {place.region for place in places_of(tuple(shipped)) if place.region}
    assert regions == {site.id for site in shipped if site.is_region} == {"kp", "ru-far-east"}
    for region, prefix, others in (("kp", "kp-", ("ru-", "kr-")), ("ru-far-east", "ru-", ("kp-",))):
        there = [place.id for place in places_of(tuple(shipped)) if place.region == region]
        assert there
        assert all(name.startswith(prefix) and not name.startswith(others) for name in there)


def test_every_kind_of_shipped_site_has_a_watch(shipped: SiteSet) -> None:
    watches = site_watches(shipped, {})
    assert all(watches[site.id].metrics.keys() == KINDS[site.kind].watch.keys() for site in shipped)


def test_the_file_is_written_as_the_program_writes_it(shipped: SiteSet) -> None:
    assert dump_geojson(shipped.document) == (ROOT / "sites.geojson").read_text(encoding="utf-8")


def test_the_cast_in_a_file_is_the_cast(tmp_path: Path) -> None:
    loaded = load_sites(write_cast(tmp_path))
    assert loaded.by_id == CAST_BY_ID
    assert loaded.features == {site.id: site.feature for site in loaded}
