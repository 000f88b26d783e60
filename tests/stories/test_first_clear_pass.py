"""Without a key and without history: a number from pixels for each located site within a day of its first clear pass.

Real pixels of three ports (`../shared/data/imagery`) are put where three sites lie, on the map of each; catalogue and files are asked for on loopback
as the real ones are, with the settings that a new user has.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely import box
from shapely.geometry import mapping

from db.engine import reading
from db.observations import looks
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imagery.codes import BANDS, FINE_BANDS
from tests.kit.fake_feeds import Asked
from tests.kit.feed_contract import stac_item, stac_page
from tests.kit.passes import HOST
from tests.kit.pictures import cog, ranged

pytestmark = [
    pytest.mark.shared,
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]
AT = datetime(2026, 10, 5, 2, 16, tzinfo=UTC)
PLACES = {"busan": (129.06, 35.1, 32652), "klang": (101.36, 3.0, 32647), "durban": (31.03, -29.87, 32736)}
SIDE = 240
_FULL, _WATER, _LAND = 65_535, 6, 4


def files_of(name: str, folder: Path, shared: Path) -> tuple[dict[str, bytes], Any]:
    """The files of a scene made of a real one, around the middle of its place, and its outline in degrees."""
    lon, lat, epsg = PLACES[name]
    with rasterio.open(shared / "imagery" / f"{name}.tif") as source:
        top, left = (source.height - SIDE) // 2, (source.width - SIDE) // 2
        pixels = source.read(window=((top, top + SIDE), (left, left + SIDE)))
    numbers = np.clip(np.rint(pixels / _FULL * 10_000), 1, 60_000).astype(np.uint16)
    blue, green, red, _, swir = numbers.astype(np.float32)
    classes = np.where((green - swir) / (green + swir) > 0.1, _WATER, _LAND).astype(np.uint8)
    colours = np.clip(np.stack([red, green, blue]) / 3_000 * 254, 1, 255).astype(np.uint8)
    to_metres = rasterio.warp.transform("EPSG:4326", f"EPSG:{epsg}", [lon], [lat])
    west, north = (
        round(each[0] / 20) * 20 + way * SIDE * 5 for each, way in zip(to_metres, (-1, 1), strict=True)
    )
    found = {}
    every: dict[str, Any] = {"scl": classes[np.newaxis, ::2, ::2], "visual": colours}
    for band, values in zip(BANDS, numbers, strict=True):
        every[band] = values[np.newaxis] if band in FINE_BANDS else values[np.newaxis, ::2, ::2]
    for band, values in every.items():
        size = 10 if band in FINE_BANDS or band == "visual" else 20
        made = cog(
            folder / f"{name}-{band}.tif",
            values,
            (west, north),
            epsg,
            transform=from_origin(west, north, size, size),
        )
        found[band] = made.read_bytes()
    bounds = rasterio.warp.transform_bounds(
        f"EPSG:{epsg}", "EPSG:4326", west, north - SIDE * 10, west + SIDE * 10, north
    )
    return found, box(*bounds)


def sites_file(folder: Path) -> Path:
    """Three ports, each a square of a kilometre in the middle of its scene."""
    features = [
        {
            "type": "Feature",
            "id": name,
            "geometry": mapping(box(lon - 0.006, lat - 0.005, lon + 0.006, lat + 0.005)),
            "properties": {"name": name.capitalize(), "kind": "port", "timezone": zone, "source": "test"},
        }
        for (name, (lon, lat, _)), zone in zip(
            PLACES.items(), ("Asia/Seoul", "Asia/Kuala_Lumpur", "Africa/Johannesburg"), strict=True
        )
    ]
    path = folder / "sites.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@contextmanager
def program(tmp_path: Path, shared: Path) -> Iterator[App]:
    """The program as a new user has it, but for where its files lie; the network is a catalogue and its files."""
    served: dict[str, bytes] = {}
    items = []
    for name in PLACES:
        files, outline = files_of(name, tmp_path, shared)
        served |= {f"/{name}/{band}.tif": body for band, body in files.items()}
        stamp = f"{AT:%Y-%m-%dT%H:%M:%SZ}"
        item = stac_item(datetime=stamp, created=stamp, updated=stamp, **{"eo:cloud_cover": 3.0})
        item["properties"].pop("grid:code", None)
        item["properties"]["s2:datatake_id"] = f"GS2B_{AT:%Y%m%dT%H%M%S}_033417_N05.09"
        assets = {band: {"href": f"https://{HOST}/{name}/{band}.tif"} for band in files}
        items.append(
            {
                **item,
                "id": f"S2B_{name}",
                "geometry": mapping(outline),
                "bbox": list(outline.bounds),
                "assets": assets,
            }
        )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != HOST:
            return httpx.Response(200, content=stac_page(*items))
        body = served.get(request.url.path)
        if body is None:
            return httpx.Response(404)
        status, headers, part = ranged(body)(Asked("GET", request.url.path, request.headers, b""))
        return httpx.Response(status, headers=headers, content=part)

    settings = Settings.model_validate(
        {
            "database_url": f"sqlite:///{tmp_path / 'test.db'}",
            "sites_file": sites_file(tmp_path),
            "history_file": tmp_path / "none.csv",
            "providers": {"adsb.lol": {"enabled": False}},
        }
    )
    app = build_app(settings, transport=httpx.MockTransport(answer))
    try:
        yield app
    finally:
        app.close()


def test_each_site_has_a_number_from_pixels_within_a_day_of_its_first_clear_pass(
    tmp_path: Path, shared_data: Path
) -> None:
    assert "SITEWATCH_API_TOKEN" not in os.environ
    with program(tmp_path, shared_data) as app:
        now = AT + timedelta(hours=6)
        pipeline.start(app, now)
        pipeline.tick(app, now)
        while any(report.read for report in pipeline.read_pixels(app, now)):
            pass
        assert sum(report.made for report in pipeline.make_pictures(app, now)) == len(PLACES)
        for name in PLACES:
            with reading(app.engine) as connection:
                (seen,) = looks(connection, site_id=name, metric="passes", area="")
            assert seen.exposure_parts["cloud_of"] == "site"
            assert seen.exposure is not None
            assert seen.exposure > 0.95
            assert 0 < seen.exposure_parts["water"] < 1
            assert seen.recorded_at - seen.period_start < timedelta(days=1)
