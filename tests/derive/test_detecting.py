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
        assert counted.judged == {"aircraft_present": False}
        assert counted.shown == {"aircraft_present": None}
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
    assert counted.judged == {"aircraft_present": True}, counted.trials
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
        found = detections_by(connection, detector.procedure, "aircraft_present")
        assert sum(each.amount for each in found) == 3
        assert {each.coverage for each in found if not each.amount} == {1.0}
    other = load_detector(model(SEEN[:-1], lit=True), CARD)
    assert other.procedure != detector.procedure
    assert other.procedure.startswith("detector:planes:sha256-")


def test_what_an_image_does_not_show_of_an_area_was_not_counted_there(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    site = replace(
        SITE, areas=(APRON, Area("yard", "Yard", "yard", box((WEST + EAST) / 2, SOUTH, EAST, NORTH)))
    )
    for place in range(12):
        at = FIRST + place * timedelta(days=5)
        path = write_image(tmp_path / f"image-{place}.tif", 2 + place % 3)
        with rasterio.open(path) as opened:
            count_picture(sqlite_engine, detector, site, SiteImage(opened, path.stem, at), NOW)
        by_a_person(sqlite_engine, at, 2 + place % 3)
    west_half = cut(write_image(tmp_path / "half.tif", 3), lamp((WEST + EAST) / 2 - 0.001, SOUTH)[0])
    at = FIRST + timedelta(days=70)
    with rasterio.open(west_half) as opened:
        counted = count_picture(sqlite_engine, detector, site, SiteImage(opened, "half", at), NOW)
    assert counted.judged == {"aircraft_present": True}, counted.trials
    assert 0.3 < counted.seen_share < 0.6
    whole, apron, yard = (
        stored(sqlite_engine, detector.procedure, name)[-1] for name in ("", "apron", "yard")
    )
    assert (whole.value, apron.value) == (2.0, 2.0)
    assert (apron.exposure or 0) > 0.95
    assert (yard.value, yard.assessable, yard.exposure) == (None, False, 0.0), "not shown is not none there"
    assert yard.note == "Not counted: the image shows 0% of the area."
    assert [each.value for each in stored(sqlite_engine, detector.procedure, "yard")][:3] == [0.0, 1.0, 2.0]


def test_what_little_of_a_site_shows_is_a_lower_bound_of_it(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    learn(sqlite_engine, detector, tmp_path)
    strip = cut(write_image(tmp_path / "strip.tif", 3), lamp(WEST + 0.0115, SOUTH)[0])
    at = FIRST + timedelta(days=70)
    assert count(sqlite_engine, detector, strip, at).seen_share < 0.3
    found = stored(sqlite_engine, detector.procedure)[-1]
    assert (found.value, found.qualifier, found.high, found.assessable) == (2.0, ">=", None, True)
    assert found.note.startswith("At least: the image shows ")
    empty = cut(write_image(tmp_path / "empty.tif", 0), lamp(WEST + 0.0115, SOUTH)[0])
    count(sqlite_engine, detector, empty, at + timedelta(days=1))
    assert stored(sqlite_engine, detector.procedure)[-1].value is None


def cut(path: Path, columns: int) -> Path:
    """The west of an image alone: so many columns."""
    with rasterio.open(path) as opened:
        pixels, values = opened.read()[:, :, :columns], opened.profile
    with rasterio.open(path, "w", **{**values, "width": columns}) as written:
        written.write(pixels)
    return path


def learn(engine: Engine, detector: Detector, folder: Path) -> None:
    """Twelve images that a person counted as well."""
    for place in range(12):
        at = FIRST + place * timedelta(days=5)
        count(engine, detector, write_image(folder / f"image-{place}.tif", place % 4), at)
        by_a_person(engine, at, place % 4)


def test_each_metric_is_judged_by_its_own_trial(sqlite_engine: Engine, tmp_path: Path) -> None:
    both = {"aircraft_present": ("plane",), "vehicles": ("plane",)}
    able = load_detector(MODEL, replace(CARD, metrics=both))
    learn(sqlite_engine, able, tmp_path)
    counted = count(sqlite_engine, able, write_image(tmp_path / "late.tif", 3), FIRST + timedelta(days=70))
    assert counted.judged == {"aircraft_present": True, "vehicles": False}
    assert counted.shown == {"aircraft_present": 3, "vehicles": None}
    with reading(sqlite_engine) as connection:
        judged, waiting = detector_sentences(connection)
        assert looks(connection, site_id=SITE.id, metric="vehicles") == []
    assert judged.endswith("its counts of aircraft_present in 13 images are judged.")
    assert "its counts of vehicles in 13 images are stored and neither shown nor judged" in waiting


def test_images_of_one_name_are_each_a_look_of_their_own(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    learn(sqlite_engine, detector, tmp_path)
    for place, planes in enumerate((3, 3, 1)):
        path = write_image(tmp_path / "visual.tif", planes)
        count(sqlite_engine, detector, path, FIRST + timedelta(days=70 + place))
    path = cut(write_image(tmp_path / "visual.tif", 2), lamp((WEST + EAST) / 2, SOUTH)[0])
    count(sqlite_engine, detector, path, FIRST + timedelta(days=72))
    assert sorted(newest(sqlite_engine, detector)) == [1.0, 2.0, 3.0, 3.0]
    mended = write_image(tmp_path / "visual.tif", 2)
    count(sqlite_engine, detector, mended, FIRST + timedelta(days=70))
    again = newest(sqlite_engine, detector)
    assert again[:2] == [2.0, 3.0], "the same image again takes back what it showed before"
    assert sorted(again) == [1.0, 2.0, 2.0, 3.0]


def newest(engine: Engine, detector: Detector) -> list[float]:
    """What the last four looks of the site say."""
    return [each.value or 0.0 for each in stored(engine, detector.procedure)[-4:]]


def test_an_area_that_is_drawn_no_more_keeps_no_zero(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path
) -> None:
    learn(sqlite_engine, detector, tmp_path)
    path = write_image(tmp_path / "image-3.tif", 3)
    with rasterio.open(path) as opened:
        image = SiteImage(opened, path.stem, FIRST + timedelta(days=15))
        count_picture(sqlite_engine, detector, replace(SITE, areas=()), image, NOW + timedelta(days=1))
    found = stored(sqlite_engine, detector.procedure, "apron")
    assert [each.value for each in found[2:5]] == [2.0, None, 0.0]


def test_sentences_of_a_page_load_no_detections(
    sqlite_engine: Engine, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(sqlite_engine, detector, tmp_path)
    monkeypatch.setattr("db.detections._detection", lambda _: pytest.fail("no row of a detection is shown"))
    monkeypatch.setattr("db.observations.observation_from_row", lambda _: pytest.fail("no look is shown"))
    with reading(sqlite_engine) as connection:
        assert len(list(detector_sentences(connection))) == 1


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
    assert json.loads(done.output)["counts"] == {"aircraft_present": None}
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
