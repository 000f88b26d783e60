"""Detections that a real OGC API Features server (pygeoapi) serves become looks, page by page, and again without change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
from tests.kit.real_servers import pygeoapi

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


def test_ships_are_counted_scene_by_scene_and_once(
    server: str, client: GuardedClient, engine: Engine
) -> None:
    options = {"scene": "scene", "score": "score", "least_score": "0.5", "limit": "7"}
    provider = Provider(
        "ships", "ogc_features", f"{server}/collections/ships", 600, "own", "us", options=options
    )
    feed = FEEDS["ogc_features"](provider, client)
    expected = {
        f"S2A_{part}": sum(n % 2 == part and n % 5 != 0 and n % 4 != 1 for n in range(SHIPS))
        for part in (0, 1)
    }
    for again in (0, 20):
        (report,) = poll_provider(engine, feed, [BUSY_PORT], NOW + timedelta(minutes=again))
        derive_pending(engine, [BUSY_PORT], NOW + timedelta(minutes=again))
        assert report.outcome == "ok"
        # The server looks for boxes that touch: what it gives from elsewhere is left out on our side.
        assert report.rejected.keys() <= {"below the least score", "elsewhere", "before the window"}
        with reading(engine) as connection:
            found = looks(connection, site_id="busy-port", metric="ships_present")
        scenes = {next(e.ref for e in each.evidence if e.kind == "scene"): each for each in found}
        assert {name: each.value for name, each in scenes.items()} == expected
        assert {each.revision for each in found} == {1}
        assert {(each.qualifier, each.origin) for each in found} == {("=", "ships")}


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
