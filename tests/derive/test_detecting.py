"""Counts of a user's own detector: stored and not shown until a blind trial is passed, then looks like any other."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from shapely import box
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from db.detections import detections_by
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import looks, record_observations
from db.records import Observation, SeriesKey
from monitor.errors import InputError
from monitor.sites import Area
from monitor.web.views.imagery_view import measurable
from tests.kit.cast import QUIET_FIELD, write_cast
from tests.kit.pictures import utm_of

pytest.importorskip("onnxruntime", reason="running models needs the extra sitewatch[detector]")
pytest.importorskip("onnx", reason="the models of these tests are built with onnx")

from monitor.commands.detector import detector_app
from monitor.derive.detecting import SiteImage, count_picture, detector_sentences, hold_trial
from monitor.imagery.detector import ModelCard
from monitor.imagery.detector_run import Detector, load_detector
from tests.kit.onnx_models import model

WEST, SOUTH, EAST, NORTH = QUIET_FIELD.geometry.bounds
APRON = Area("apron", "Apron", "apron", box(WEST, SOUTH, (WEST + EAST) / 2, NORTH))
SITE = replace(QUIET_FIELD, areas=(APRON,))
CARD = ModelCard("planes", 0.8, 0.9, {"aircraft_present": ("plane",)})
CARD_TEXT = "name = 'planes'\nrecall = 0.8\nprecision = 0.9\n[metrics]\naircraft_present = ['plane']\n"
SIDE, METRES = 256, 12.0
FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)
NOW = FIRST + timedelta(days=90)
SEEN = [(float(x), float(y), 12.0, 12.0, 0.0, 0.9, 0.0) for x in range(0, 64, 2) for y in range(0, 64, 2)]
MODEL = model(SEEN, lit=True)


def lamp(lon: float, lat: float) -> tuple[int, int]:
    """The pixel of a place."""
    x, y = Transformer.from_crs(4326, utm_of(SITE), always_xy=True).transform(lon, lat)
    west, north = _origin()
    return int((x - west) / METRES), int((north - y) / METRES)


def _origin() -> tuple[float, float]:
    x, y = Transformer.from_crs(4326, utm_of(SITE), always_xy=True).transform(WEST, NORTH)
    return float(x) - 120, float(y) + 240


def write_image(path: Path, planes: int, metres: float = METRES) -> Path:
    """An image of the site with so many lamps: the first two in the apron, the others east of it."""
    pixels = np.zeros((3, SIDE, SIDE), np.uint8)
    for place in range(planes):
        lon = WEST + 0.004 + 0.0052 * (place if place < 2 else 2 + place % 4 * 0.6 + 2)
        x, y = lamp(lon, SOUTH + 0.004 + 0.0028 * (place // 4))
        pixels[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    west, north = _origin()
    transform = Affine(metres, 0, west, 0, -metres, north)
    values = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **values, crs=f"EPSG:{utm_of(SITE)}", transform=transform) as written:
        written.write(pixels)
    return path


def count(engine: Engine, detector: Detector, path: Path, at: datetime) -> Any:
    with rasterio.open(path) as opened:
        return count_picture(engine, detector, SITE, SiteImage(opened, path.stem, at), NOW)


def by_a_person(engine: Engine, at: datetime, value: float, area: str = "") -> None:
    look = Observation(
        SeriesKey(SITE.id, area, "aircraft_present", "", "analyst"), "stock", at, at, f"by hand {at:%Y%m%d}", value, NOW, NOW,
        precision="minute", assessable=True, exposure=1.0, publisher="Desk",
    )  # fmt: skip
    with writing(engine) as connection:
        record_observations(connection, [look])


def stored(engine: Engine, procedure: str, area: str = "") -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=SITE.id, area=area, procedure=procedure)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector(MODEL, CARD)


def test_counts_are_kept_to_themselves_until_a_blind_trial_is_passed(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    planes = [0, 3, 7, 1, 0, 5, 2, 6, 0, 4, 3, 2]
    for place, number in enumerate(planes[:11]):
        at = FIRST + place * timedelta(days=5)
        counted = count(sqlite_engine, detector, write_image(tmp_path / f"image-{place}.tif", number), at)
        assert counted.counts == {"aircraft_present": number}
        assert not counted.told
        by_a_person(sqlite_engine, at + timedelta(hours=1), number + (place == 2))
    assert stored(sqlite_engine, detector.procedure) == []
    with reading(sqlite_engine) as connection:
        (said,) = detector_sentences(connection)
        assert measurable(connection, SITE)[-1] == said
    assert "its counts of 11 images are stored and neither shown nor judged" in said
    assert detector.digest[:12] in said
    assert (
        "11 looks were counted by it and by a person"
        in hold_trial(sqlite_engine, CARD, detector.procedure, "aircraft_present", NOW).words
    )
    last = FIRST + 11 * timedelta(days=5)
    by_a_person(sqlite_engine, last, planes[11])
    counted = count(sqlite_engine, detector, write_image(tmp_path / "image-11.tif", planes[11]), last)
    assert counted.told, counted.trials
    found = stored(sqlite_engine, detector.procedure)
    assert [each.value for each in found] == planes
    assert [each.value for each in stored(sqlite_engine, detector.procedure, "apron")] == [
        min(2, each) for each in planes
    ]
    assert found[0].low == 0
    assert (found[0].high or 0) > 0, "none found is not none there"
    assert all((each.low or 0) <= (each.value or 0) <= (each.high or 0) + 1 for each in found)
    assert found[2].series.procedure == f"detector:planes:sha256-{detector.digest}"
    with reading(sqlite_engine) as connection:
        (said,) = detector_sentences(connection, SITE.id)
    assert said.endswith("its counts of 12 images are judged.")


def test_the_same_image_twice_is_one_look_and_other_weights_are_another_detector(
    engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    path = write_image(tmp_path / "one.tif", 3)
    count(engine, detector, path, FIRST)
    count(engine, detector, path, FIRST)
    with reading(engine) as connection:
        found = detections_by(connection, detector.procedure)
        assert sum(each.amount for each in found) == 3
        assert {each.coverage for each in found} == {1.0}
    other = load_detector(model(SEEN[:-1], lit=True), CARD)
    assert other.procedure != detector.procedure
    assert other.procedure.startswith("detector:planes:sha256-")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    database = f"sqlite:///{tmp_path}/watch.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", database)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(write_cast(tmp_path)))
    engine = open_engine(database)
    migrate(engine)
    engine.dispose()
    (tmp_path / "planes.onnx").write_bytes(MODEL)
    (tmp_path / "planes.toml").write_text(CARD_TEXT)
    write_image(tmp_path / "image.tif", 4)
    return lambda *given: CliRunner().invoke(detector_app, list(given))


def test_the_command_counts_and_shows_nothing_before_the_trial(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run(
        "count", "planes.onnx", "image.tif", "--site", "quiet-field", "--taken", "2026-03-01T02:00:00Z"
    )
    assert done.exit_code == 0, done.output
    assert "100% of the site seen" in done.output
    assert "stored, and neither shown nor judged until its blind trial is passed: 0 looks" in done.output
    item = {"assets": {"visual": {"href": "image.tif"}}, "properties": {"datetime": "2026-03-02T02:00:00Z"}}
    (tmp_path / "item.json").write_text(json.dumps(item))
    done = run("count", "planes.onnx", "item.json", "--site", "quiet-field", "--json")
    assert json.loads(done.output)["counts"] is None
    assert "not passed: 0 looks were counted" in run("trial", "planes.onnx").output
    assert "its counts of 2 images are stored" in run("status").output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("planes.onnx", "image.tif"), "Say with --taken"),
        (("planes.onnx", "planes.toml", "--taken", "2026-03-01T02:00:00Z"), "no GeoTIFF that can be read"),
        (("image.tif", "image.tif", "--taken", "2026-03-01T02:00:00Z"), "The card image.toml cannot be read"),
        (("nothing.onnx", "image.tif"), "nothing.onnx cannot be read"),
        (("planes.onnx", "item.json"), "is no STAC item with a time and the asset 'visual'"),
    ],
)
def test_what_cannot_be_used_is_said(run: Callable[..., Result], given: tuple[str, ...], said: str) -> None:
    done = run("count", *given, "--site", "quiet-field")
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
