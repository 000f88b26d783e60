"""Detections that real servers serve become looks, page by page, and again without change.

pygeoapi as OGC API Features, stac-fastapi over pgstac as STAC items, nginx as files.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas
import pytest
from sqlalchemy import Engine

from db.engine import reading
from db.observations import looks
from monitor.bootstrap import FEEDS
from monitor.config.clock import monotonic_s, utc_now
from monitor.derive.pending import derive_pending
from monitor.feeds import Provider
from monitor.feeds.http import GuardedClient
from monitor.poll.rounds import poll_provider
from tests.kit.cast import BUSY_PORT
from tests.kit.fake_feeds import USER_AGENT
from tests.kit.real_servers import nginx, pygeoapi, stac_api

SHIPS = 25
NOW = datetime(2023, 8, 2, tzinfo=UTC)
PORT = BUSY_PORT.geometry.representative_point()


def ship(number: int) -> dict[str, Any]:
    outside = number % 5 == 0
    seen = NOW - timedelta(days=1 + number % 2)
    return {
        "type": "Feature",
        "id": f"ship-{number}",
        "geometry": {"type": "Point", "coordinates": [PORT.x + (1.0 if outside else number / 1e5), PORT.y]},
        "properties": {
            "datetime": seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "class": "vessel",
            "score": 0.3 if number % 4 == 1 else 0.9,
            "scene": f"S2A_{number % 2}",
        },
    }


@pytest.fixture(scope="module", params=["GeoJSON", "TinyDB"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Which ignores the time that is asked for, or filters by it."""
    ships = [ship(n) for n in range(SHIPS)] + [long_ago()]
    with pygeoapi(tmp_path_factory.mktemp("pygeoapi"), {"ships": ships}, request.param) as url:
        yield url


def long_ago() -> dict[str, Any]:
    made = ship(7)
    return {
        **made,
        "id": "old",
        "properties": {**made["properties"], "datetime": "2019-03-01T00:00:00Z", "scene": "OLD"},
    }


@pytest.fixture
def client() -> Iterator[GuardedClient]:
    made = GuardedClient(
        name="ships", user_agent=USER_AGENT, monotonic=monotonic_s, clock=utc_now, allowed_networks=("127.0.0.0/8",)
    )  # fmt: skip
    yield made
    made.close()


IN_SCENES = {
    f"S2A_{part}": sum(n % 2 == part and n % 5 != 0 and n % 4 != 1 for n in range(SHIPS)) for part in (0, 1)
}
"""How many ships of each scene lie in the port with a score that is believed."""
MAPPING = {"scene": "scene", "score": "score", "least_score": "0.5"}


def counted_once(engine: Engine, provider: Provider, client: GuardedClient) -> None:
    """Poll twice: the counts of both scenes are there, and the second time changes nothing."""
    feed = FEEDS[provider.kind](provider, client)
    for again in (0, 20):
        (report,) = poll_provider(engine, feed, [BUSY_PORT], NOW + timedelta(minutes=again))
        derive_pending(engine, [BUSY_PORT], NOW + timedelta(minutes=again))
        assert report.outcome == "ok", report
        # Servers look for boxes that touch, or for nothing: what lies elsewhere is left out on our side.
        assert report.rejected.keys() <= {"below the least score", "elsewhere", "before the window"}
        with reading(engine) as connection:
            found = looks(connection, site_id="busy-port", metric="ships_present")
        scenes = {next(e.ref for e in each.evidence if e.kind == "scene"): each for each in found}
        assert {name: each.value for name, each in scenes.items()} == IN_SCENES
        assert {each.revision for each in found} == {1}
        assert {(each.qualifier, each.origin) for each in found} == {("=", "ships")}


def test_ships_of_a_features_server_are_counted_scene_by_scene_and_once(
    server: str, client: GuardedClient, engine: Engine
) -> None:
    url, options = f"{server}/collections/ships", {**MAPPING, "limit": "7"}
    counted_once(engine, Provider("ships", "ogc_features", url, 600, "own", "us", options=options), client)


def test_ships_of_a_catalogue_are_counted_scene_by_scene_and_once(
    client: GuardedClient, sqlite_engine: Engine
) -> None:
    described = {
        "type": "Collection", "stac_version": "1.0.0", "id": "vessels", "description": "ships", "license": "other", "links": [],
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]}},
    }  # fmt: skip
    items = [as_item(each) for each in [*map(ship, range(SHIPS)), long_ago()]]
    options = {**MAPPING, "collections": "vessels", "class": "class", "limit": "4"}
    with stac_api([described], items) as api:
        provider = Provider("ships", "stac_detections", api.url, 600, "own", "us", options=options)
        counted_once(sqlite_engine, provider, client)


def as_item(feature: dict[str, Any]) -> dict[str, Any]:
    lon, lat = feature["geometry"]["coordinates"]
    said = {"stac_version": "1.0.0", "collection": "vessels", "links": [], "assets": {}}
    return {**feature, **said, "bbox": [lon, lat, lon, lat]}


def as_geojson(ships: list[dict[str, Any]]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": ships}).encode()


def as_csv(ships: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    places = (
        dict(zip(("longitude", "latitude"), each["geometry"]["coordinates"], strict=True)) for each in ships
    )
    rows = [{**each["properties"], **place} for each, place in zip(ships, places, strict=True)]
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def as_geoparquet(ships: list[dict[str, Any]]) -> bytes:
    packed = io.BytesIO()
    geopandas.GeoDataFrame.from_features(ships, crs="EPSG:4326").to_parquet(packed)
    return packed.getvalue()


@pytest.mark.parametrize("written", [as_geojson, as_csv, as_geoparquet])
def test_ships_of_a_file_are_counted_scene_by_scene_and_once(
    written: Callable[[list[dict[str, Any]]], bytes],
    client: GuardedClient,
    sqlite_engine: Engine,
    tmp_path: Path,
) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "ships").write_bytes(written([ship(n) for n in range(SHIPS)]))
    with nginx(tmp_path, "location / { gzip on; gzip_types *; gzip_min_length 0; }") as web:
        options = {**MAPPING, "time": "datetime"}
        provider = Provider("ships", "detections_file", f"{web.url}/ships", 600, "own", "us", options=options)
        counted_once(sqlite_engine, provider, client)


def test_a_collection_that_is_not_there_is_a_failure(
    server: str, client: GuardedClient, sqlite_engine: Engine
) -> None:
    provider = Provider("ships", "ogc_features", f"{server}/collections/none", 600, "own", "us")
    (report,) = poll_provider(sqlite_engine, FEEDS["ogc_features"](provider, client), [BUSY_PORT], NOW)
    assert report.outcome == "failed"


def test_the_file_that_a_server_gives_is_read_as_a_file(
    server: str, client: GuardedClient, sqlite_engine: Engine, tmp_path: Path
) -> None:
    url = f"{server}/collections/ships/items?f=json&limit=100"
    provider = Provider(
        "ships", "detections_file", url, 600, "own", "us", options={"time": "datetime", "scene": "scene"}
    )
    (report,) = poll_provider(sqlite_engine, FEEDS["detections_file"](provider, client), [BUSY_PORT], NOW)
    assert (report.outcome, report.items) == ("ok", SHIPS + 1)
