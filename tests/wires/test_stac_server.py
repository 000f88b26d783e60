"""Searches through a real STAC API (stac-fastapi over pgstac): pages, counts, windows of time, outlines and proxies."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from monitor.bootstrap import build_feed
from monitor.config.settings import ProviderSettings, Settings
from monitor.feeds import FeedError, Fetched
from monitor.feeds.providers import configured_providers
from tests.kit.authority import Authority
from tests.kit.cast import CAST, DATELINE_STRIP, QUIET_FIELD
from tests.kit.real_servers import StacApi, nginx, stac_api

NOW = datetime(2023, 8, 1, 12, tzinfo=UTC)
COLLECTION = "sentinel-2-l2a"
PASSES = 23


def collection(name: str) -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "description": "scenes of a test",
        "license": "proprietary",
        "links": [],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2015-06-27T10:25:31Z", None]]},
        },
    }


def item(item_id: str, outline: BaseGeometry, at: datetime | None, **changes: Any) -> dict[str, Any]:
    properties = {
        "datetime": f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None,
        "platform": "sentinel-2b",
        "eo:cloud_cover": 5.5,
        "created": "2023-07-31T00:00:00Z",
        "updated": "2023-07-31T00:00:00Z",
        **changes.pop("properties", {}),
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "collection": COLLECTION,
        "geometry": json.loads(shapely.to_geojson(outline)),
        "bbox": list(outline.bounds),
        "properties": properties,
        "links": [],
        "assets": {
            "visual": {"href": f"https://sentinel-cogs.example/{item_id}/TCI.tif", "type": "image/tiff"}
        },
        **changes,
    }


def around(lon: float, lat: float, half_deg: float = 0.5) -> BaseGeometry:
    return shapely.box(lon - half_deg, lat - half_deg, lon + half_deg, lat + half_deg)


QUIET = around(-70.6, -51.9)
RANGE = {"start_datetime": "2023-07-20T10:00:00Z", "end_datetime": "2023-07-20T10:02:00Z"}
ITEMS = [
    *(item(f"quiet_{day:02}", QUIET, NOW - timedelta(days=day)) for day in range(1, PASSES + 1)),
    item("just_inside", QUIET, NOW - timedelta(days=90) + timedelta(seconds=1)),
    item("long_ago", QUIET, NOW - timedelta(days=91)),
    item("minutes_ago", QUIET, NOW - timedelta(minutes=5)),
    item("elsewhere", around(10, 10), NOW - timedelta(days=1)),
    item("beside", around(-70.6, -50.7), NOW - timedelta(days=1)),
    item("other", QUIET, NOW - timedelta(days=1), collection="landsat-c2-l2"),
    item("east_of_180", around(179.75, -16.8, 0.25), NOW - timedelta(days=2)),
    item("radar_strip", QUIET, None, properties={**RANGE, "sar:frequency_band": "C"}),
]
OVER_QUIET_FIELD = {f"quiet_{day:02}" for day in range(1, PASSES + 1)} | {"just_inside", "radar_strip"}


@pytest.fixture(scope="module")
def api() -> Iterator[StacApi]:
    with stac_api([collection(COLLECTION), collection("landsat-c2-l2")], ITEMS) as running:
        yield running


def search(
    url: str,
    sites: Any = (QUIET_FIELD,),
    since: datetime | None = None,
    ca_file: Path | None = None,
    **options: str,
) -> Fetched:
    """Search as a configured provider does."""
    provider = ProviderSettings(
        kind="stac",
        base_url=url,
        interval_s=3600,
        licence="test",
        attribution="a catalogue of our own",
        ca_file=ca_file,
        options={"collections": COLLECTION, **options},
    )
    settings = Settings(allowed_networks=("127.0.0.0/8",), providers={"own": provider})
    named = next(each for each in configured_providers(settings) if each.name == "own")
    clients: list[Any] = []
    feed = build_feed(named, settings, clients)
    try:
        (scope,) = feed.scopes(sites)
        return feed.fetch(scope, sites, purpose="data", now=NOW, since=since)
    finally:
        clients[0].close()


def ids(found: Fetched) -> set[str]:
    return {scene.item_id for scene in found.scenes}


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_every_page_is_read_whatever_its_size(api: StacApi, limit: int, counted: bool) -> None:
    api.count_matches(on=counted)
    found = search(api.url, limit=str(limit), max_pages="40")
    assert ids(found) == OVER_QUIET_FIELD
    assert found.item_count == len(OVER_QUIET_FIELD)
    assert len(found.bodies) >= found.item_count / limit
    assert (b'"numberMatched"' in found.bodies[0]) == counted
    assert not any(found.rejected.values()), found.rejected


def test_an_answer_of_more_pages_than_are_read_fails_and_says_so(api: StacApi) -> None:
    with pytest.raises(FeedError, match="more than 3 pages"):
        search(api.url, limit="5", max_pages="3")


def test_what_a_later_search_asks_for_reaches_back_before_the_last(api: StacApi) -> None:
    found = search(api.url, since=NOW - timedelta(days=1), overlap_days="3")
    assert ids(found) == {"quiet_01", "quiet_02", "quiet_03", "quiet_04"}


def test_a_scene_is_read_as_it_was_written(api: StacApi) -> None:
    scene = next(each for each in search(api.url).scenes if each.item_id == "quiet_01")
    assert (scene.provider, scene.collection, scene.site_id) == ("own", COLLECTION, "quiet-field")
    assert scene.acquired_at == NOW - timedelta(days=1)
    assert scene.covered_share == 1.0
    assert scene.cloud_share == pytest.approx(0.055)
    assert scene.links["visual"] == "https://sentinel-cogs.example/quiet_01/TCI.tif"
    assert scene.links["self"] == f"{api.url}/collections/{COLLECTION}/items/quiet_01"
    strip = next(each for each in search(api.url).scenes if each.item_id == "radar_strip")
    assert (strip.sensor, strip.cloud_share) == ("sar", None)
    assert strip.acquired_at == datetime(2023, 7, 20, 10, tzinfo=UTC)


def test_sites_across_180_degrees_and_with_holes_are_asked_for_in_one_search(api: StacApi) -> None:
    found = search(api.url, CAST)
    by_site = {(scene.site_id, scene.item_id) for scene in found.scenes}
    assert {item_id for site_id, item_id in by_site if site_id == DATELINE_STRIP.id} == {"east_of_180"}
    assert {item_id for site_id, item_id in by_site if site_id == "quiet-field"} == OVER_QUIET_FIELD
    assert "elsewhere" not in ids(found)


def test_a_collection_that_is_not_there_lists_nothing(api: StacApi) -> None:
    assert search(api.url, collections="no-such-collection").scenes == ()


@pytest.mark.parametrize("path", ["/collections", f"/collections/{COLLECTION}", "/nowhere"])
def test_an_address_that_is_not_the_root_is_told_as_that(api: StacApi, path: str) -> None:
    with pytest.raises(FeedError) as caught:
        search(f"{api.url}{path}")
    assert caught.value.status in {404, 405}
    assert "base_url" in caught.value.reason


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        "proxy_set_header Host $http_host;",
        "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;",
    ],
    ids=["nothing", "host", "host and scheme"],
)
def test_behind_nginx_with_its_own_authority_every_page_is_read(
    api: StacApi, forwarded: str, tmp_path: Path
) -> None:
    """A proxy seldom says everything, and then the server writes http, its own port or none into its links."""
    authority = Authority(tmp_path)
    with behind(api, authority, forwarded, tmp_path) as url:
        assert ids(search(url, ca_file=authority.file, limit="10")) == OVER_QUIET_FIELD


def test_links_to_another_host_are_refused_with_what_the_proxy_lacks(api: StacApi, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    forwarded = "proxy_set_header Host stac.internal;"
    with behind(api, authority, forwarded, tmp_path) as url, pytest.raises(FeedError) as caught:
        search(url, ca_file=authority.file, limit="10")
    assert "on another server ('stac.internal')" in caught.value.reason
    assert "let the proxy hand on Host and X-Forwarded-Proto" in caught.value.reason


def test_a_catalogue_that_takes_no_post_is_searched_by_get(api: StacApi, tmp_path: Path) -> None:
    """STAC demands GET of every server and POST of none."""
    authority = Authority(tmp_path)
    refusing = "proxy_set_header Host $http_host; if ($request_method = POST) { return 405; }"
    api.count_matches(on=True)
    with behind(api, authority, refusing, tmp_path) as url:
        found = search(url, CAST, ca_file=authority.file, limit="10")
        lines = (tmp_path / "access.log").read_text().splitlines()
    assert {scene.item_id for scene in found.scenes} == OVER_QUIET_FIELD | {"east_of_180"}
    assert len(found.bodies) == 3
    assert [line.split()[0] for line in lines] == ["POST", "GET", "GET", "GET"]


@contextmanager
def behind(api: StacApi, authority: Authority, forwarded: str, folder: Path) -> Iterator[str]:
    """The address of an nginx in front of the catalogue."""
    certificate = authority.certificate()
    locations = f"location / {{ proxy_pass {api.url}; {forwarded} }}"
    with nginx(folder, locations, chain=certificate.chain, key=certificate.key) as proxy:
        yield proxy.url
