"""What a pixel usually looks like, and when it has left that: exact medians, offsets, shifts, haze, snow and roofs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from shapely import LineString, box

from monitor.imagery.classes import (
    CIRRUS,
    HIGH,
    SHADOW,
    SNOW,
    WATER,
    clear_pixels,
    false_cloud,
    shares_in,
    sky_of,
    water_of,
)
from monitor.imagery.codes import BANDS, MISSING, OFFSET, Codes, decide_offset, decode, encode_reflectance
from monitor.imagery.grid import PixelGrid, Zone
from monitor.imagery.history import (
    LEAST_LOOKS,
    departure,
    middle_of,
    of_season,
    quantiles_of,
    usual_of,
)
from monitor.imagery.kept import packed, packed_masks, unpacked, unpacked_masks
from monitor.imagery.measures import BERTH, BRIGHT, CHANGED, STAYING, TRACK, Look, look_against, measure
from monitor.imagery.planting import HULL, PAINT, ROOF, Planted, plant, train
from monitor.imagery.shift import find_shift, moved
from monitor.imagery.study import KeptLook, study_looks

# rasterio multiplies matrices in a way that will one day be old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
GRID = PixelGrid(32652, 500_000, 4_700_000, 120, 120)
NOON = datetime(2023, 10, 1, 3, tzinfo=UTC)
NOWHERE = np.zeros(GRID.shape, bool)
VEGETATION = 4
Bools = NDArray[np.bool_]


def ground(seed: int = 0, noise: float = 0.004, water: bool = False) -> Codes:
    """One look at one ground: what is random in it is the look's own."""
    rng = np.random.default_rng(1)
    base = np.clip(0.12 + 0.03 * rng.normal(0, 1, (30, 30)), 0.05, 0.3).repeat(4, 0).repeat(4, 1)
    bands = np.stack([base * level for level in (0.7, 0.9, 1.0, 1.8, 1.7)])
    if water:
        bands[:, :, 60:] = np.array([0.05, 0.04, 0.02, 0.012, 0.008])[:, np.newaxis, np.newaxis]
    own = np.random.default_rng([2, seed])
    bands = bands * (1 + own.normal(0, 0.02)) + own.normal(0, noise, bands.shape)
    return encode_reflectance(bands.astype(np.float32), np.ones(GRID.shape, bool))


STACK = [ground(seed) for seed in range(1, 16)]


def surface(kind: str = "yard") -> Zone:
    mask = NOWHERE.copy()
    mask[30:90, 30:90] = True
    return Zone("zone", "Zone", kind, mask)


def along(kind: str, line: LineString, mask: Bools) -> Zone:
    import shapely

    steps = shapely.line_locate_point(line, shapely.points(GRID.centres(mask))) // 10
    last = int(line.length // 10) - 1
    return Zone("line", "Line", kind, mask, np.minimum(steps, last).astype(np.int32), line)


def look(
    codes: Codes, zone: Zone, before: tuple[tuple[Bools, Bools], ...] = (), water: Bools = NOWHERE
) -> Look:
    return look_against(codes, usual_of(STACK), [zone], water, before)


def square(east_px: float, north_px: float, side_m: float) -> Planted:
    east, north = GRID.west + east_px * 10, GRID.north - north_px * 10
    return Planted(box(east, north - side_m, east + side_m, north), ROOF)


@settings(max_examples=25, deadline=None)
@given(looks=st.integers(1, 25), seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 1))
def test_the_usual_is_the_exact_median_of_what_was_seen(looks: int, seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    stack = []
    for _ in range(looks):
        codes = rng.integers(0, MISSING, (2, 5, 7), dtype=np.uint8)
        codes[:, rng.random((5, 7)) < missing] = MISSING
        stack.append(codes)
    found = usual_of(stack)
    held = np.stack(stack)
    gone = held == MISSING
    assert (found.looks == (~gone[:, 0]).sum(axis=0)).all()
    some = found.looks > 0
    expected = np.nanmedian(np.where(gone, np.nan, held.astype(float))[..., some], axis=0)
    assert np.allclose(found.middle[:, some], expected)
    again = usual_of(stack[::-1])
    assert (again.middle[:, some] == found.middle[:, some]).all(), "no order matters"
    assert (again.spread[:, some] == found.spread[:, some]).all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_fast_way_says_what_the_plain_formulas_say(missing: float) -> None:
    rng = np.random.default_rng(5)
    bands, height, width = 3, 301, 250
    stack = []
    for _ in range(17):
        codes = rng.integers(60, 120, (bands, height, width)).astype(np.uint8)
        codes[:, rng.random((height, width)) < missing] = MISSING
        stack.append(codes)
    found = usual_of(stack)
    ordered = np.sort(np.stack(stack).astype(np.float64), axis=0)
    count = found.looks.astype(int)
    low = (count - 1) // 4
    share = (count - low - 0.375) / (count + 0.25)
    unit = np.maximum(0.2, 2 * norm.ppf(share))
    at = np.broadcast_to(np.stack([low, count - 1 - low])[:, np.newaxis], (2, bands, height, width))
    quartiles = np.take_along_axis(ordered, at, axis=0)
    spread = (quartiles[1] - quartiles[0]) / unit
    padded = np.pad(spread, ((0, 0), (0, -height % 4), (0, -width % 4)), mode="edge")
    mean = padded.reshape(bands, padded.shape[1] // 4, 4, padded.shape[2] // 4, 4).mean(axis=(2, 4))
    around = mean.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    assert np.allclose(found.spread, np.hypot(np.maximum(spread, around), 3.0), rtol=1e-5)
    middle, looks = middle_of(stack)
    assert (middle == found.middle).all()
    assert (looks == found.looks).all()
    shown = departure(stack[3], found, np.zeros((height, width), bool))
    steep = np.zeros_like(found.middle)
    for axis in (1, 2):
        for way in (1, -1):
            step = np.abs(found.middle - np.roll(found.middle, way, axis=axis))
            edge = [slice(None)] * 3
            edge[axis] = slice(0, 1) if way == 1 else slice(-1, None)
            step[tuple(edge)] = 0
            steep = np.maximum(steep, step)
    assert np.allclose(shown.spread, np.hypot(found.spread, 0.1 * steep), rtol=1e-5)
    values = rng.normal(0, 1, 1_001).astype(np.float32)
    wanted = (0.0, 0.01, 0.5, 0.9, 1.0)
    assert quantiles_of(values, wanted) == pytest.approx(np.quantile(values, wanted).tolist())


def test_the_season_is_that_of_the_day_in_other_years_too_and_a_new_place_borrows() -> None:
    at = datetime(2024, 1, 10, tzinfo=UTC)
    week = timedelta(days=7)
    recent = [at - week * n for n in range(1, 30)]
    assert [recent[place] for place in of_season(recent, at)] == recent[:10], "no further than 75 days"
    years = [at - timedelta(days=365 * back + apart) for back in (1, 2, 3) for apart in (-40, -20, 1, 20, 40)]
    assert sorted(of_season(years, at)) == list(range(15)), "the turn of the year is no border"
    assert of_season([at, at + week], at) == [], "nothing that came later"
    assert of_season([at - timedelta(days=182)], at) == []
    assert of_season([at - timedelta(days=4 * 365)], at) == []
    many = [at - timedelta(days=365 * back + apart) for back in (0, 1, 2) for apart in range(1, 41)]
    assert {many[place].year for place in of_season(many, at)} == {2023, 2024}, "the nearest years first"
    assert len(of_season(many, at)) == 25


def test_a_hall_of_four_pixels_is_seen_and_noise_is_not() -> None:
    quiet = [measure(look(ground(seed), surface()), surface(), CHANGED).value for seed in range(100, 110)]
    assert max(value or 0 for value in quiet) <= 800
    assert sorted(value or 0 for value in quiet)[5] == 0
    for side, least, most in ((20, 100, 1_600), (40, 1_000, 4_500), (63, 3_000, 9_000)):
        drawn, _, _ = plant(ground(200), GRID, [square(50, 50, side)])
        value = measure(look(drawn, surface()), surface(), CHANGED).value
        assert value is not None
        assert least <= value <= most, side
    outside, _, _ = plant(ground(200), GRID, [square(5, 5, 40)])
    assert measure(look(outside, surface()), surface(), CHANGED).value == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rho: rho + 0.07, "brighter than this place ever is"),
        (lambda rho: rho * 0.55, "darker than this place ever is"),
        (
            lambda rho: np.where(np.arange(120) % 2 == 0, rho * 1.9, rho),
            "of the ground around has changed too",
        ),
    ],
)
def test_a_scene_that_changed_as_a_whole_is_not_judged(change: object, words: str) -> None:
    assert callable(change)
    codes = encode_reflectance(np.asarray(change(decode(ground(300))), np.float32), np.ones(GRID.shape, bool))
    found = measure(look(codes, surface()), surface(), CHANGED)
    assert found.value is None
    assert words in found.fault


def test_light_and_thin_haze_are_no_change() -> None:
    rho = (
        decode(ground(301)) * 1.06 + np.array([0.012, 0.009, 0.007, 0.003, 0.001])[:, np.newaxis, np.newaxis]
    )
    codes = encode_reflectance(np.asarray(rho, np.float32), np.ones(GRID.shape, bool))
    found = measure(look(codes, surface()), surface(), CHANGED)
    assert (found.value or 0) <= 800
    assert found.fault == ""


def test_too_few_looks_are_no_history() -> None:
    few = usual_of(STACK[: LEAST_LOOKS - 1])
    assert departure(ground(1), few, NOWHERE).fault == "too little of the ground has a history of this season"


def test_of_a_half_hidden_zone_the_share_is_told_and_of_a_hidden_one_nothing() -> None:
    codes = ground(310)
    codes[:, :50] = MISSING
    half = measure(look(codes, surface()), surface(), CHANGED)
    assert half.seen_share == pytest.approx(40 / 60)
    assert half.value is not None
    codes[:, :80] = MISSING
    hidden = measure(look(codes, surface()), surface(), CHANGED)
    assert (hidden.value, hidden.fault) == (None, "only 17% of it could be judged")


def test_what_stays_is_what_three_clear_looks_show() -> None:
    drawn, _, _ = plant(ground(320), GRID, [square(50, 50, 60)])
    now = look(drawn, surface())
    shown = (now.departure.seen, now.departure.left)
    quiet = (now.departure.seen, NOWHERE)
    hidden = (NOWHERE, NOWHERE)

    def staying(*before: tuple[Bools, Bools]) -> float | None:
        return measure(look(drawn, surface(), before), surface(), STAYING).value

    assert staying(shown, shown, quiet) == measure(now, surface(), CHANGED).value
    assert staying(shown, hidden, hidden, shown) == staying(shown, shown), "a cloud between is no look"
    assert staying(shown, quiet, shown) == 0
    assert staying(quiet, quiet) == 0
    assert staying(shown) is None, "two looks are no three"


def test_a_painted_aircraft_is_bright_and_a_dark_patch_is_not() -> None:
    apron = surface("apron")
    white, _, _ = plant(ground(330), GRID, [Planted(square(60, 60, 50).shape, PAINT)])
    assert (measure(look(white, apron), apron, BRIGHT).value or 0) >= 1_500
    dark, _, _ = plant(ground(330), GRID, [Planted(square(60, 60, 50).shape, (0.02,) * 5)])
    assert measure(look(dark, apron), apron, BRIGHT).value == 0
    assert (measure(look(dark, apron), apron, CHANGED).value or 0) >= 1_500


def test_a_train_fills_the_track_it_stands_on() -> None:
    line = LineString([(GRID.west + 100, GRID.north - 300), (GRID.west + 1100, GRID.north - 700)])
    zone = along("sidings", line, GRID.covers(line.buffer(8)) | GRID.covers(line, touched=True))
    empty = [measure(look(ground(seed), zone), zone, TRACK).value or 0 for seed in range(400, 412)]
    assert np.median(empty) <= 110, "a tenth of the track"
    rng = np.random.default_rng(3)
    found = []
    for seed in range(420, 428):
        drawn, _, _ = plant(ground(seed), GRID, train(line, 600, rng))
        found.append(measure(look(drawn, zone), zone, TRACK).value or 0)
    assert 400 <= np.median(found) <= 800


def test_a_ship_fills_the_quay_it_lies_at_whatever_lay_there_before() -> None:
    quay = LineString([(GRID.west + 600, GRID.north - 200), (GRID.west + 600, GRID.north - 1000)])
    zone = along("quay", quay, GRID.covers(quay.buffer(45)))
    water = NOWHERE.copy()
    water[:, 60:] = True
    hull = Planted(box(GRID.west + 605, GRID.north - 500, GRID.west + 630, GRID.north - 300), HULL)
    empty = ground(500, noise=0.001, water=True)
    with_ship, _, _ = plant(empty, GRID, [hull])
    for stack in ([empty] * 10, [with_ship] * 10):
        usual = usual_of(stack)
        assert measure(look_against(empty, usual, [zone], water, ()), zone, BERTH).value == 0
        value = measure(look_against(with_ship, usual, [zone], water, ()), zone, BERTH).value
        assert value == pytest.approx(200, abs=40)
    dry = measure(look_against(empty, usual_of([empty] * 10), [zone], NOWHERE, ()), zone, BERTH)
    assert (dry.value, dry.fault) == (None, "no water has been seen beside it in any clear look")


def test_a_study_says_what_it_would_see_and_refuses_where_it_sees_nothing() -> None:
    kept = [KeptLook(str(n), NOON + timedelta(days=3 * n), lambda n=n: ground(600 + n)) for n in range(22)]  # type: ignore[misc]
    site = Zone("", "Site", "railhead", surface().mask)
    learned, said = study_looks(kept, GRID, [site, surface()], NOWHERE)
    by_metric = {(each.area_id, each.metric): each for each in learned}
    assert by_metric["zone", CHANGED].admitted
    assert by_metric["zone", CHANGED].smallest in (400, 1000)
    assert by_metric["zone", BRIGHT].admitted
    assert len(said) == 22 - LEAST_LOOKS
    wild = [
        KeptLook(str(n), NOON + timedelta(days=3 * n), lambda n=n: ground(700 + n, noise=0.12))  # type: ignore[misc]
        for n in range(22)
    ]
    refused, _ = study_looks(wild, GRID, [site], NOWHERE)
    assert not refused[0].admitted
    assert "drawn into it were seen" in refused[0].fault
    short, _ = study_looks(kept[:12], GRID, [site], NOWHERE)
    assert "4 looks of 12 clear ones show enough of it" in short[0].fault


# --- offsets, shifts, classes -------------------------------------------------------------------


def numbers(darkest: float, offset: int) -> NDArray[np.uint16]:
    rho = np.linspace(darkest, 0.4, 10_000).reshape(100, 100)
    return (rho * 10_000 + offset).astype(np.uint16)


SEEN = np.ones((100, 100), bool)


@pytest.mark.parametrize("offset", [0, OFFSET])
def test_pixels_decide_whether_an_offset_was_added(offset: int) -> None:
    usual = [(numbers(0.15, 0) / 10_000).astype(np.float32)] * 2
    bright = numbers(0.15, offset)
    assert decide_offset(bright, bright, SEEN, usual).offset == offset, "by history"
    alone = decide_offset(bright, bright, SEEN, None)
    assert alone.offset is None
    assert "no dark pixel" in alone.why
    assert decide_offset(bright, bright, SEEN, None, numbers(0.01, offset)).offset == offset, "by the tile"
    dark = numbers(0.01, offset)
    assert decide_offset(dark, dark, SEEN, None, numbers(0.01, offset)).offset == offset


def test_haze_is_no_offset_and_a_grey_tile_proves_nothing() -> None:
    usual = [(numbers(0.15, 0) / 10_000).astype(np.float32)] * 2
    hazy = decide_offset(numbers(0.15, 1_100), numbers(0.15, 500), SEEN, usual, numbers(0.02, OFFSET))
    assert hazy.offset is None
    assert "haze does" in hazy.why
    grey = decide_offset(numbers(0.15, 0), numbers(0.15, 0), SEEN, None, numbers(0.085, 0))
    assert grey.offset is None
    assert "proves neither" in grey.why


@pytest.mark.shared
@pytest.mark.parametrize(
    "port", ["athens", "busan", "cartagena", "durban", "genoa", "hedland", "klang", "marseille"]
)
def test_a_shift_of_a_real_scene_is_found_and_put_right(shared_data: Path, port: str) -> None:
    with rasterio.open(shared_data / "imagery" / f"{port}.tif") as source:
        infrared = source.read(4, window=((0, 300), (0, 300))) / 65_535
    rng = np.random.default_rng(0)
    held = rng.random((15, 15)).repeat(20, 0).repeat(20, 1) < 0.7
    usual = np.sqrt(infrared).astype(np.float32) * 230
    waves = np.fft.fftfreq(300)
    for south, east in ((0.0, 0.0), (0.4, -0.3), (1.2, 0.7), (-2.4, 0.2)):
        turned = np.exp(-2j * np.pi * (waves[:, np.newaxis] * south + waves * east))
        there = np.fft.ifft2(np.fft.fft2(infrared) * turned).real * 1.1 + rng.normal(0, 0.006, infrared.shape)
        seen = np.sqrt(np.clip(there, 0, 1)).astype(np.float32) * 230
        found = find_shift(seen, usual, held)
        assert found.found
        assert (found.south, found.east) == pytest.approx(
            (south, east), abs=0.25 if port == "hedland" else 0.15
        ), "hedland is sea"
        inner = (slice(10, -10), slice(10, -10))
        apart = np.abs(moved(seen, found.south, found.east) - usual)[inner]
        assert np.median(apart) <= np.median(np.abs(seen - usual)[inner]) + 0.2


def test_nothing_to_measure_a_shift_by_is_said() -> None:
    rng = np.random.default_rng(0)
    sea, other = rng.normal(20, 1, (2, 100, 100)).astype(np.float32)
    assert not find_shift(sea, other, SEEN).found
    assert not find_shift(sea, sea, np.zeros((100, 100), bool)).found
    assert not find_shift(np.full((100, 100), 7, np.float32), sea, SEEN).found


def test_shares_add_up_and_name_what_hides() -> None:
    classes = np.full((10, 10), VEGETATION, np.uint8)
    classes[0], classes[1], classes[2], classes[3], classes[4], classes[5] = (
        0,
        HIGH,
        SHADOW,
        SNOW,
        WATER,
        CIRRUS,
    )
    shares = shares_in(classes, np.ones((10, 10), bool))
    parts = shares.as_parts()
    assert parts == {
        "covered": 0.9, "clear": 0.5, "cloud": 0.2, "shadow": 0.1, "snow": 0.1, "no_data": 0.1, "water": 0.1
    }  # fmt: skip
    roofs = classes == HIGH
    assert shares_in(classes, np.ones((10, 10), bool), roofs).cloud == pytest.approx(0.1)


def test_a_roof_that_is_cloud_for_ever_is_none_and_real_cloud_stays_one() -> None:
    rng = np.random.default_rng(0)
    passes = []
    for n in range(24):
        classes = np.full((60, 60), VEGETATION, np.uint8)
        classes[20:23, 30:34] = HIGH if rng.random() < 0.9 else VEGETATION
        if n % 3 == 0:
            classes[:] = HIGH
        classes[40:50, rng.integers(0, 50) :] = CIRRUS
        passes.append(classes)
    roofs = false_cloud([sky_of(each) for each in passes])
    assert roofs is not None
    assert roofs[20:23, 30:34].all()
    assert roofs.sum() == 12
    assert false_cloud([sky_of(each) for each in passes[:19]]) is None
    today = np.full((60, 60), VEGETATION, np.uint8)
    today[20:23, 30:34] = HIGH
    assert clear_pixels(today, roofs).all()
    assert not clear_pixels(today)[14:29, 24:40].any(), "cloud is widened"
    assert clear_pixels(today)[:13].all()


def test_a_berth_with_ships_most_of_the_time_is_water() -> None:
    passes = [np.full((2, 2), VEGETATION, np.uint8) for _ in range(10)]
    for each in passes[:4]:
        each[0, 0] = WATER
    passes[4][1, 1] = WATER
    water = water_of([sky_of(each) for each in passes])
    assert water is not None
    assert water.tolist() == [[True, False], [False, False]]
    assert water_of([]) is None


def test_what_is_kept_comes_back() -> None:
    codes = ground(9)
    assert (unpacked(packed(codes)) == codes).all()
    assert (unpacked(packed(codes[0])) == codes[0]).all()
    seen, left = codes[0] > 80, codes[1] > 90
    assert all(
        (a == b).all() for a, b in zip(unpacked_masks(packed_masks(seen, left)), (seen, left), strict=True)
    )
    rho = np.linspace(0, 1.2, 200, dtype=np.float32).reshape(1, 10, 20)
    assert np.abs(decode(encode_reflectance(rho, np.ones((10, 20), bool))) - rho).max() < 0.006
    assert len(BANDS) == 5
