"""A detector of the user's own: every known layout read, objects counted once over tiles, and wrong models refused in words."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from scipy.stats import binom, nbinom
from shapely import box
from shapely.geometry.base import BaseGeometry

from monitor.imagery.detector import (
    Boxes,
    DetectorError,
    ModelCard,
    TrialPair,
    blind_trial,
    boxes_of,
    count_interval,
    read_card,
    single_objects,
)

pytest.importorskip("onnxruntime", reason="running models needs the extra sitewatch[detector]")
pytest.importorskip("onnx", reason="the models of these tests are built with onnx")

from monitor.imagery.detector_run import Detector, detect, load_detector
from tests.kit.onnx_models import model

CARD = ModelCard("planes", 0.8, 0.9, {"aircraft_present": ("plane",), "ships_present": ("ship",)}, tile_px=64)
PLANE, SHIP = (20.0, 30.0, 12.0, 6.0, 0.5, 0.9, 0.0), (50.0, 10.0, 8.0, 8.0, 0.0, 0.7, 1.0)
DIM = (10.0, 10.0, 5.0, 5.0, 0.0, 0.2, 0.0)
LAYOUTS = ("v5", "v8", "v8-obb", "whole", "whole-obb")
ORIGIN = (400_000.0, 4_700_000.0)


def outputs(detector: Detector) -> NDArray[np.float32]:
    name = detector.session.get_inputs()[0].name
    found: NDArray[np.float32] = detector.session.run(None, {name: np.zeros((1, 3, 64, 64), np.float32)})[0]
    return found


@contextmanager
def picture(
    pixels: NDArray[Any], metres: float = 1.0, crs: Any = "EPSG:32652", **profile: Any
) -> Iterator[Any]:
    bands, height, width = pixels.shape
    values = {
        "driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": pixels.dtype, "crs": crs,
        "transform": Affine(metres, 0, ORIGIN[0], 0, -metres, ORIGIN[1]), "tiled": True, "blockxsize": 64, "blockysize": 64, **profile,
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**values) as written:
            written.write(pixels)
        with memory.open() as opened:
            yield opened


def outline(left: float, top: float, right: float, bottom: float, metres: float = 1.0) -> BaseGeometry:
    """A box of pixels as a shape in degrees."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(32652, 4326, always_xy=True)
    whole = box(
        ORIGIN[0] + left * metres,
        ORIGIN[1] - bottom * metres,
        ORIGIN[0] + right * metres,
        ORIGIN[1] - top * metres,
    )
    return shapely.transform(
        whole, lambda points: np.column_stack(to_degrees.transform(points[:, 0], points[:, 1]))
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_says_the_same_objects(layout: str) -> None:
    filler = [(1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 0.0)] * 20
    task = "obb" if layout.endswith("obb") else "detect"
    detector = load_detector(model([PLANE, SHIP, DIM, *filler], layout=layout, task=task), CARD)
    found = boxes_of(outputs(detector), 2, detector.task)
    assert [detector.names[each] for each in found.kinds] == ["plane", "ship"]
    assert found.scores == pytest.approx([0.9, 0.7])
    assert found.rows[:, :4] == pytest.approx(np.array([PLANE[:4], SHIP[:4]]))
    assert found.rows[0, 4] == pytest.approx(0.5 if layout.endswith("obb") else 0.0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_objects_are_counted_once_over_tiles_wherever_they_lie(dtype: str) -> None:
    # A model that sees whatever shines at one of its places: each lamp is seen from up to four tiles.
    grid = [(float(x), float(y), 6.0, 6.0, 0.0, 0.95, 0.0) for x in range(0, 64, 2) for y in range(0, 64, 2)]
    detector = load_detector(model(grid, lit=True), CARD)
    pixels = np.zeros((3, 300, 260))
    lamps = [(30, 30), (48, 48), (64, 64), (100, 212), (250, 250), (210, 100)]
    for x, y in lamps:
        pixels[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    most = {"uint8": 1, "uint16": 200, "float32": 1 / 255}[dtype]
    with picture((pixels * most).astype(dtype)) as opened:
        found = detect(detector, opened, outline(0, 0, 260, 300))
    assert len(found.boxes.scores) == len(lamps)
    near = {min(lamps, key=lambda lamp: math.dist(lamp, each)) for each in found.boxes.rows[:, :2].tolist()}
    assert near == set(lamps)
    assert found.seen_share == pytest.approx(1, abs=0.02)
    assert found.tiles > 12


def test_of_one_class_the_surest_stays_and_another_class_is_another_object() -> None:
    rows = np.array(
        [
            [10, 10, 8, 4, 0],
            [10.5, 10, 8, 4, 0],
            [10, 10, 8, 4, 0],
            [10, 10, 8, 4, math.pi / 2],
            [30, 10, 8, 4, 0],
        ],
        float,
    )
    found = single_objects(Boxes(rows, np.array([0.6, 0.9, 0.7, 0.8, 0.5]), np.array([0, 0, 1, 0, 0])))
    assert sorted(found.scores.tolist()) == [0.5, 0.7, 0.8, 0.9], "one that lies across it is another"


def test_a_picture_that_shows_half_the_site_says_so() -> None:
    detector = load_detector(model([PLANE]), CARD)
    with picture(np.full((3, 128, 128), 100, np.uint8)) as opened:
        found = detect(detector, opened, outline(64, 0, 192, 128))
    assert found.seen_share == pytest.approx(0.5, abs=0.02)
    holed = np.full((1, 128, 128), 100, np.uint8)
    holed[:, :, :64] = 0
    with picture(holed, nodata=0) as opened:
        found = detect(detector, opened, outline(0, 0, 128, 128))
    assert found.seen_share == pytest.approx(0.5, abs=0.02)


def test_a_huge_picture_is_read_in_tiles_over_the_site_alone() -> None:
    detector = load_detector(model([PLANE]), CARD)
    with _sparse() as opened:
        found = detect(detector, opened, outline(40_000, 40_000, 40_200, 40_200))
    assert found.tiles <= 25


@contextmanager
def _sparse() -> Iterator[Any]:
    """3.6 thousand million pixels, none of them written."""
    with MemoryFile() as memory:
        values = {
            "driver": "GTiff",
            "width": 60_000,
            "height": 60_000,
            "count": 1,
            "dtype": "uint8",
            "crs": "EPSG:32652",
        }
        transform = Affine(1, 0, ORIGIN[0], 0, -1, ORIGIN[1])
        with memory.open(**values, transform=transform, tiled=True, sparse_ok=True):
            pass
        with memory.open() as opened:
            yield opened


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (b"not a model", "no ONNX model that can be run"),
        (model([PLANE], shape=(1, 1, 64, 64)), "one picture of three colours"),
        (model([PLANE], shape=(2, 3, 64, 64)), "one picture of three colours"),
        (model([PLANE], names=None), "does not name its classes"),
        (model([PLANE], names="{0: 'plane', 2: 'ship'}"), "has gaps"),
        (model([PLANE], names="__import__('os')"), "cannot be read"),
        (model([PLANE], names="['tank', 'lorry']"), "the model knows tank, lorry"),
    ],
)
def test_a_wrong_model_is_refused_in_words(made: bytes, said: str) -> None:
    with pytest.raises(DetectorError) as caught:
        load_detector(made, CARD)
    assert said in str(caught.value)


def test_sides_that_the_model_leaves_open_are_the_cards() -> None:
    made = model([PLANE], shape=("batch", 3, "height", "width"))
    assert load_detector(made, CARD).tile_px == (64, 64)
    assert len(load_detector(made, CARD).procedure.split(":sha256-")[1]) == 64


@pytest.mark.parametrize("shape", [(1, 7), (2, 6, 100), (1, 9, 100), (1, 100, 4), (1, 5, 5)])
def test_an_output_of_no_known_layout_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorError):
        boxes_of(np.zeros(shape, np.float32), 2)


def test_numbers_that_are_none_are_no_objects() -> None:
    table = np.zeros((1, 6, 30), np.float32)
    table[0, :, 0] = [10, 10, 5, 5, 0.9, 0]
    table[0, :, 1] = [np.nan, 10, 5, 5, 0.9, 0]
    table[0, :, 2] = [10, 10, -5, 5, 0.9, 0]
    table[0, :, 3] = [10, 10, 5, 5, np.inf, 0]
    assert len(boxes_of(table, 2).scores) == 1


def test_a_picture_that_lies_nowhere_is_refused() -> None:
    detector = load_detector(model([PLANE]), CARD)
    pixels = np.full((1, 64, 64), 9, np.uint8)
    with picture(pixels, crs=None) as opened, pytest.raises(DetectorError, match="where on Earth"):
        detect(detector, opened, outline(0, 0, 60, 60))
    with picture(pixels) as opened, pytest.raises(DetectorError, match="does not show the site"):
        detect(detector, opened, outline(9_000, 0, 9_100, 100))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'x", "no TOML"),
        ("", "name needs"),
        ("name = 'ok'\nrecall = 1.2\nprecision = 0.5\n[metrics]\na = ['b']", "recall needs"),
        ("name = 'ok'\nrecall = 0.5\nprecision = 0.5\nwhat = 1\n[metrics]\na = ['b']", "what is not known"),
        ("name = 'ok'\nrecall = 0.5\nprecision = 0.5", "metrics needs"),
        ("name = 'ok'\nrecall = 0.5\nprecision = 0.5\ntile_px = 100\n[metrics]\na = ['b']", "tile_px needs"),
    ],
)
def test_a_bad_card_names_its_faults(text: str, said: str) -> None:
    with pytest.raises(DetectorError) as caught:
        read_card(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("found", [0, 1, 7, 60, 900])
@pytest.mark.parametrize(("recall", "precision"), [(0.82, 0.9), (0.05, 0.3), (1.0, 1.0), (0.4, 1.0)])
def test_the_interval_is_that_of_the_laws_it_names(found: int, recall: float, precision: float) -> None:
    low, high = (int(binom.ppf(each, found, precision)) for each in (0.025, 0.975))
    missed = int(nbinom.ppf(0.025, max(1, low), recall)) if low else 0
    wanted = low + missed, high + int(nbinom.ppf(0.975, high + 1, recall))
    assert count_interval(found, recall, precision) == wanted


def test_the_interval_holds_what_is_there_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(600):
        there = int(rng.integers(0, 80))
        right = rng.binomial(there, 0.74)
        false = rng.negative_binomial(max(1, right), 0.9) if right else 0
        low, high = count_interval(int(right + false), 0.74, 0.9)
        inside += low <= there <= high
    assert inside >= 0.9 * 600
    assert count_interval(0, 0.74, 0.9)[0] == 0
    assert count_interval(0, 0.74, 0.9)[1] >= 1, "none found is not none there"


def pairs(counts: list[int], found: list[int]) -> list[TrialPair]:
    return [TrialPair(f, *count_interval(f, 0.8, 0.9), a) for a, f in zip(counts, found, strict=True)]


def test_a_blind_trial_wants_enough_looks_right_intervals_and_more_than_the_middle() -> None:
    counts = [0, 3, 10, 6, 0, 12, 5, 8, 2, 0, 9, 4]
    good = [0, 3, 8, 5, 0, 10, 4, 7, 2, 0, 8, 3]
    assert blind_trial(pairs(counts, good)).passed
    few = blind_trial(pairs(counts[:11], good[:11]))
    assert not few.passed
    assert "12 and 4 are needed" in few.words
    assert not blind_trial(pairs([0] * 12, [0] * 12)).passed, "nothing was ever there"
    assert not blind_trial(pairs(counts, good[::-1])).passed
    assert not blind_trial(pairs(counts, [4] * 12)).passed, "always the same is no count"
