"""A railhead that nobody counts: passes are listed, read and measured, and a long train is told by the measure alone.

Pixels and trains are invented (`tests.kit.passes`); catalogue and files are asked for as the real ones are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from shapely import LineString, box
from shapely.geometry import mapping

from db.alerts import alerts
from db.engine import reading
from db.observations import looks
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imagery.grid import zones_of
from monitor.imagery.planting import Planted, train
from monitor.runtime.service import run_once
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import Asked
from tests.kit.feed_contract import stac_item, stac_page
from tests.kit.passes import HOST, Pass, World
from tests.kit.pictures import ranged

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.long,
    pytest.mark.untraced,
]
FIRST = datetime(2023, 5, 2, 14, 20, tzinfo=UTC)
LISTED = timedelta(hours=3)
WEST, NORTH = -70.61, -51.895
OUTLINE = box(WEST, NORTH - 0.006, WEST + 0.022, NORTH)
TRACK = LineString([(WEST + 0.002, NORTH - 0.002), (WEST + 0.020, NORTH - 0.0035)])
QUIET_PASSES = 32


@dataclass
class Sky:
    """A catalogue of the passes so far, and their files."""

    world: World
    items: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: Pass) -> None:
        """Let a satellite pass."""
        scene = self.world.scene(one)
        stamp = f"{one.at:%Y-%m-%dT%H:%M:%SZ}"
        item = stac_item(datetime=stamp, created=stamp, updated=stamp, **{"eo:cloud_cover": 100 * one.cloud})
        item["properties"]["s2:datatake_id"] = f"GS2B_{one.at:%Y%m%dT%H%M%S}_033417_N05.09"
        assets = {name: {"href": href} for name, href in scene.links.items()}
        self.items.append({**item, "id": scene.item_id, "assets": assets})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as catalogue and file server do."""
        if request.url.host != HOST:
            return httpx.Response(200, content=stac_page(*self.items))
        body = self.world.files.get(request.url.path)
        if body is None:
            return httpx.Response(404)
        status, headers, part = ranged(body)(Asked("GET", request.url.path, request.headers, b""))
        return httpx.Response(status, headers=headers, content=part)


def sites_file(folder: Path) -> Path:
    feature = {
        "type": "Feature",
        "id": "lone-siding",
        "geometry": mapping(OUTLINE),
        "properties": {
            "name": "Lone Siding",
            "kind": "railhead",
            "timezone": QUIET_FIELD.timezone.key,
            "areas": [{"id": "sidings", "name": "Sidings", "kind": "sidings", "geometry": mapping(TRACK)}],
            "false_alarms_per_site_year": {"occupied_track_m": 2},
            "source": "invented",
        },
    }
    path = folder / "sites.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.fixture
def sky_and_app(tmp_path: Path) -> Iterator[tuple[Sky, App]]:
    settings = Settings.model_validate(
        {
            "database_url": f"sqlite:///{tmp_path / 'test.db'}",
            "sites_file": sites_file(tmp_path),
            "history_file": tmp_path / "none.csv",
            "providers": {
                "adsb.lol": {"enabled": False},
                "earth-search": {"options": {"initial_days": "365"}},
            },
        }
    )
    app = None
    sky = Sky(World(QUIET_FIELD))
    app = build_app(settings, transport=httpx.MockTransport(sky))
    sky.world = World(app.sites["lone-siding"])
    pipeline.start(app, FIRST)
    yield sky, app
    app.close()


def day(app: App, now: datetime) -> None:
    """What the service does after passes."""
    pipeline.tick(app, now)
    while any(report.read for report in pipeline.read_pixels(app, now)):
        pass
    pipeline.judge(app, now)


def occupied(app: App) -> list[float | None]:
    with reading(app.engine) as connection:
        found = looks(connection, site_id="lone-siding", metric="occupied_track_m", area="sidings")
    return [each.value for each in found]


def test_a_long_train_is_told_by_the_measure_alone(sky_and_app: tuple[Sky, App]) -> None:
    sky, app = sky_and_app
    rng = np.random.default_rng(3)
    axis = zones_of(app.sites["lone-siding"], sky.world.grid)[1].axis
    assert axis is not None
    times = [FIRST + timedelta(days=5 * place) for place in range(QUIET_PASSES)]
    for place, at in enumerate(times):
        things: list[Planted] = train(axis, 140, rng) if place % 3 == 0 else []
        sky.add(Pass(at, things, cloud=1.0 if place % 9 == 5 else 0.0))
    day(app, times[-1] + LISTED)
    quiet = occupied(app)
    assert len(quiet) >= 12
    assert max(value or 0 for value in quiet) <= 300
    with reading(app.engine) as connection:
        assert alerts(connection) == []
    at = times[-1] + timedelta(days=5)
    sky.add(Pass(at, train(axis, 1_000, rng)))
    day(app, at + LISTED)
    assert 700 <= (occupied(app)[-1] or 0) <= 1_300
    with reading(app.engine) as connection:
        (told,) = alerts(connection)
    assert (told.site_id, told.metric, told.status) == ("lone-siding", "occupied_track_m", "open")
    assert "m of track occupied" in told.headline
    assert told.opened_at - at < timedelta(days=1)


def test_nothing_more_is_read_or_told_when_all_was_read(sky_and_app: tuple[Sky, App]) -> None:
    sky, app = sky_and_app
    sky.add(Pass(FIRST))
    said: list[str] = []
    run_once(app, said.append, lambda: FIRST + LISTED, lambda _seconds: None)
    assert [line for line in said if line.startswith("Pixels: ")] == [
        "Pixels: Lone Siding, 2023-05-02: 100% clear."
    ]
    said.clear()
    run_once(app, said.append, lambda: FIRST + 2 * LISTED, lambda _seconds: None)
    assert [line for line in said if line.startswith("Pixels: ")] == []
