"""Pixels of passes: read once, kept, measured by those before them, and stored only for what has shown what it can do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import shapely
from rasterio.io import MemoryFile
from shapely import LineString, box
from sqlalchemy import Engine, select

from db.engine import open_engine, reading, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from db.observations import looks
from db.pixels import admissions, bytes_read_on, codes_of, kept_passes, pixel_failures, shares_of_pass
from db.records import Observation
from db.schema import pixel_look
from monitor.derive.measuring import study_site, study_where_due
from monitor.derive.pictures import PICTURE_CAPS
from monitor.derive.pixels import PixelReport, Reference, codes_in_place, read_passes
from monitor.feeds.ranges import BLOCK_BYTES
from monitor.imagery.classes import box_mean
from monitor.imagery.codes import MISSING, Codes
from monitor.imagery.history import departure, usual_of
from monitor.imagery.kept import unpacked
from monitor.imagery.planting import ROOF, Planted
from monitor.imagery.shift import WORTH_MENDING_PX, moved
from monitor.imagery.windows import projected
from monitor.sites import Area, Site
from monitor.sites.geometry import area_km2
from tests.kit.cast import QUIET_FIELD
from tests.kit.passes import EVERY, Pass, World
from tests.kit.pictures import cog

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
FIRST = datetime(2023, 5, 1, 14, 20, tzinfo=UTC)
WEST, SOUTH, EAST, NORTH = QUIET_FIELD.geometry.bounds
YARD = Area("yard", "Yard", "yard", box(WEST + 0.008, SOUTH + 0.006, WEST + 0.016, SOUTH + 0.010))
TRACK = Area(
    "sidings",
    "Sidings",
    "sidings",
    LineString([(WEST + 0.005, NORTH - 0.006), (EAST - 0.005, NORTH - 0.005)]),
)
SITE = replace(QUIET_FIELD, kind="railhead", areas=(YARD, TRACK))
PLENTY = 10**10


def times(count: int) -> Iterator[datetime]:
    return (FIRST + place * EVERY for place in range(count))


def read_all(engine: Engine, world: World, now: datetime, most_bytes: int = PLENTY) -> list[PixelReport]:
    reports: list[PixelReport] = []
    with world.served(caps=PICTURE_CAPS) as pictures:
        while some := read_passes(engine, [world.site], pictures, now, limit=8, most_bytes=most_bytes):
            reports += some
    return reports


def store(engine: Engine, world: World, *passes: Pass) -> None:
    with writing(engine) as connection:
        insert_scenes(connection, [world.scene(each) for each in passes])


def stored(engine: Engine, metric: str, area: str = "") -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=SITE.id, metric=metric, area=area)


@pytest.fixture(scope="module")
def warehouse() -> Planted:
    """A hall of some 4,000 m² in the yard."""
    assert YARD.geometry is not None
    world = World(SITE)
    middle = projected(YARD.geometry, world.grid.epsg).centroid
    return Planted(middle.buffer(32, cap_style="square"), ROOF)


def test_a_clear_pass_is_read_once_and_its_cloud_is_that_of_the_site(engine: Engine) -> None:
    world = World(SITE)
    store(engine, world, Pass(FIRST), Pass(FIRST + EVERY, cloud=0.5), Pass(FIRST + 2 * EVERY, cloud=1.0))
    reports = read_all(engine, world, FIRST + timedelta(days=60))
    assert [(each.read, each.measured) for each in reports] == [(True, 0)] * 3
    assert not any("nir" in path for path in world.asked if "20230511" in path), "cloud hides all"
    passes = stored(engine, "passes")
    assert [round(each.exposure or 0, 1) for each in passes] == [1.0, pytest.approx(0.5, abs=0.15), 0.0]
    assert [each.assessable for each in passes] == [True, True, False]
    assert {each.exposure_parts["cloud_of"] for each in passes} == {"site"}
    yard = stored(engine, "passes", "yard")
    assert [round(each.exposure or 0, 1) for each in yard] == [1.0, 1.0, 0.0], (
        "the yard lies in the clear south"
    )
    with reading(engine) as connection:
        assert shares_of_pass(connection, SITE.id, passes[2].look_key)["yard"]["cloud"] == 1.0
        assert bytes_read_on(connection, f"{FIRST + timedelta(days=60):%Y-%m-%d}") > 100_000
    asked = len(world.asked)
    assert read_all(engine, world, FIRST + timedelta(days=61)) == []
    assert len(world.asked) == asked


def test_a_hall_is_seen_and_stays_and_only_after_the_measures_were_studied(
    sqlite_engine: Engine, warehouse: Planted
) -> None:
    world = World(SITE)
    now = FIRST + timedelta(days=200)
    quiet = [Pass(at) for at in times(20)]
    store(sqlite_engine, world, *quiet)
    read_all(sqlite_engine, world, now)
    assert stored(sqlite_engine, "changed_area_m2", "yard") == []
    learned = study_where_due(sqlite_engine, SITE, now)
    assert learned is not None
    assert study_where_due(sqlite_engine, SITE, now) is None, "nothing is new"
    with reading(sqlite_engine) as connection:
        decided = {(each.area, each.metric): each for each in admissions(connection, SITE.id)}
    assert decided["yard", "changed_area_m2"].admitted
    assert "measurable here from 20 clear looks" in decided["yard", "changed_area_m2"].words
    before = stored(sqlite_engine, "changed_area_m2", "yard")
    assert len(before) == 12
    assert max(each.value or 0 for each in before) <= 400
    late = [Pass(FIRST + place * EVERY, things=[warehouse]) for place in range(20, 24)]
    store(sqlite_engine, world, *late)
    read_all(sqlite_engine, world, now)
    values = [each.value for each in stored(sqlite_engine, "changed_area_m2", "yard")[12:]]
    assert len(values) == 4
    # Pixels that the hall only touches have changed too.
    assert all(4_000 <= (value or 0) <= 10_000 for value in values), values
    staying = [each.value or 0 for each in stored(sqlite_engine, "new_area_m2", "yard")[-4:]]
    assert staying[:2] == [0, 0]
    assert all(4_000 <= value <= 10_000 for value in staying[2:]), staying
    text = " ".join(each.text for each in stored(sqlite_engine, "changed_area_m2", "yard")[-1].evidence)
    assert "measurable here" in text


def test_what_was_measured_is_the_same_when_it_is_built_anew(
    sqlite_engine: Engine, warehouse: Planted
) -> None:
    world = World(SITE)
    now = FIRST + timedelta(days=200)
    store(sqlite_engine, world, *(Pass(at) for at in times(18)))
    read_all(sqlite_engine, world, now)
    study_site(sqlite_engine, SITE, now)
    store(sqlite_engine, world, Pass(FIRST + 18 * EVERY, things=[warehouse]))
    read_all(sqlite_engine, world, now)
    before = [
        (each.look_key, each.value, each.revision)
        for each in stored(sqlite_engine, "changed_area_m2", "yard")
    ]
    states = _states(sqlite_engine, world)
    study_site(sqlite_engine, SITE, now + timedelta(days=1))
    after = [
        (each.look_key, each.value, each.revision)
        for each in stored(sqlite_engine, "changed_area_m2", "yard")
    ]
    assert after == before
    assert _states(sqlite_engine, world) == states


def _states(engine: Engine, world: World) -> list[bytes | None]:
    with reading(engine) as connection:
        return [each.state for each in kept_passes(connection, SITE.id, world.grid.digest)]


def test_offset_shift_haze_and_snow_are_no_change(sqlite_engine: Engine) -> None:
    world = World(SITE)
    now = FIRST + timedelta(days=200)
    store(sqlite_engine, world, *(Pass(at) for at in times(17)))
    read_all(sqlite_engine, world, now)
    study_site(sqlite_engine, SITE, now)
    at = FIRST + 17 * EVERY
    odd = [
        Pass(at, offset=1000),
        Pass(at + EVERY, shift=(1.3, -0.8)),
        Pass(at + 2 * EVERY, haze=0.12),
        Pass(at + 3 * EVERY, snow=True),
        Pass(at + 4 * EVERY, shift=(5.0, 0.0)),
    ]
    store(sqlite_engine, world, *odd)
    reports = read_all(sqlite_engine, world, now)
    found = {each.period_start: each for each in stored(sqlite_engine, "changed_area_m2", "")}
    assert (found[at].value or 0) <= 400
    assert (found[at + EVERY].value or 0) <= 400
    assert found.keys() & {at + place * EVERY for place in (2, 3, 4)} == set(), (
        "what cannot be told is not told"
    )
    assert _shares(sqlite_engine, at + 3 * EVERY)["snow"] == 1.0
    hazy, snowy, beside = (each.text for each in reports[2:])
    assert "which haze does and an offset does not" in hazy
    assert "too little of it is clear" in snowy
    assert "it lies 5.0 pixels beside the others" in beside


def test_files_without_coarse_levels_leave_open_what_only_the_tile_could_tell(sqlite_engine: Engine) -> None:
    """Bright ground, no history: the cloud of the pass is kept all the same, and nothing is asked for again and again."""
    world = World(SITE, profile={"overviews": "NONE"})
    store(sqlite_engine, world, Pass(FIRST, offset=1000, haze=0.12))
    (report,) = read_all(sqlite_engine, world, FIRST + EVERY)
    assert report.read
    assert "nothing else tells whether 1,000 was added" in report.text
    assert _shares(sqlite_engine, FIRST)["clear"] == 1.0
    assert read_all(sqlite_engine, world, FIRST + 9 * EVERY) == []


def test_a_value_for_no_data_that_is_not_0_hides_its_pixels(sqlite_engine: Engine) -> None:
    world = World(SITE)
    scene = world.scene(Pass(FIRST))
    with MemoryFile(world.files[path := urlsplit(scene.links["red"]).path]) as held, held.open() as source:
        pixels = source.read()
        pixels[:, :, : pixels.shape[2] // 2] = 65_535
        origin = (source.transform.c, source.transform.f)
        with TemporaryDirectory() as folder:
            written = cog(Path(folder) / "red.tif", pixels, origin, world.grid.epsg, nodata=65_535)
            world.files[path] = written.read_bytes()
    with writing(sqlite_engine) as connection:
        insert_scenes(connection, [scene])
    assert [each.read for each in read_all(sqlite_engine, world, FIRST + EVERY)] == [True]
    with reading(sqlite_engine) as connection:
        codes = unpacked(codes_of(connection, SITE.id, [scene.look_key])[scene.look_key])
    missing = (codes[0] == MISSING).mean()
    assert 0.4 < missing < 0.6


def _shares(engine: Engine, at: datetime) -> Mapping[str, Any]:
    return next(each.exposure_parts for each in stored(engine, "passes") if each.period_start == at)


def test_a_file_that_is_not_there_is_a_reason_and_is_tried_again(engine: Engine) -> None:
    world = World(SITE)
    scene = world.scene(Pass(FIRST))
    files, world.files = world.files, {}
    with writing(engine) as connection:
        insert_scenes(connection, [scene])
    now = FIRST + timedelta(hours=3)
    with world.served(caps=PICTURE_CAPS) as pictures:
        (report,) = read_passes(engine, [SITE], pictures, now, limit=8, most_bytes=PLENTY)
        assert not report.read
        assert "answered 404" in report.text
        with reading(engine) as connection:
            (failed,) = pixel_failures(connection, SITE.id)
        assert failed.not_before == now + timedelta(hours=1)
        assert read_passes(engine, [SITE], pictures, now, limit=8, most_bytes=PLENTY) == []
        world.files = files
        (again,) = read_passes(engine, [SITE], pictures, now + timedelta(hours=1), limit=8, most_bytes=PLENTY)
    assert again.read
    with reading(engine) as connection:
        assert pixel_failures(connection, SITE.id) == []


def test_no_more_is_read_in_a_day_than_is_allowed(engine: Engine) -> None:
    world = World(SITE)
    store(engine, world, *(Pass(at) for at in times(3)))
    now = FIRST + timedelta(days=60)
    assert read_all(engine, world, now, most_bytes=0) == []
    with world.served(caps=PICTURE_CAPS) as pictures:
        assert len(read_passes(engine, [SITE], pictures, now, limit=1, most_bytes=1)) == 1
        assert read_passes(engine, [SITE], pictures, now, limit=1, most_bytes=1) == []
        assert len(read_passes(engine, [SITE], pictures, now + timedelta(days=1), limit=1, most_bytes=1)) == 1


def test_two_sites_of_one_scene_read_each_block_once(sqlite_engine: Engine) -> None:
    world = World(SITE)
    other = _twin(SITE)
    scene = world.scene(Pass(FIRST))
    with writing(sqlite_engine) as connection:
        insert_scenes(
            connection,
            [scene, replace(scene, site_id=other.id, look_key=scene.look_key.replace(SITE.id, other.id))],
        )
    with world.served(caps=PICTURE_CAPS) as pictures:
        reports = read_passes(
            sqlite_engine, [SITE, other], pictures, FIRST + timedelta(days=1), limit=8, most_bytes=PLENTY
        )
    assert [each.read for each in reports] == [True, True]
    alone = World(SITE)
    with writing(sqlite_engine) as connection:
        insert_scenes(connection, [alone.scene(Pass(FIRST + EVERY))])
    read_all(sqlite_engine, alone, FIRST + timedelta(days=60))
    assert len(world.asked) == len(alone.asked)


def _twin(site: Site) -> Site:
    smaller = shapely.affinity.scale(site.geometry, 0.5, 0.5)
    assert isinstance(smaller, shapely.Polygon)
    assert area_km2(smaller) > 0
    return replace(site, id="quiet-twin", geometry=smaller, areas=())


def test_scenes_read_together_say_what_they_say_one_by_one(sqlite_engine: Engine, tmp_path: Path) -> None:
    world = World(SITE)
    passes = [
        Pass(
            at,
            cloud=0.4 if n % 5 == 3 else 0.0,
            shift=(0.4, -0.3) if n % 4 == 2 else (0.0, 0.0),
            offset=1000 * (n % 2),
        )
        for n, at in enumerate(times(14))
    ]
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    migrate(other)
    kept = []
    for engine, limit in ((sqlite_engine, 1), (other, 8)):
        store(engine, world, *passes)
        now = FIRST + 15 * EVERY
        with world.served(caps=PICTURE_CAPS) as pictures:
            while read_passes(engine, [SITE], pictures, now, limit=limit, most_bytes=PLENTY):
                pass
        with reading(engine) as connection:
            rows = connection.execute(select(pixel_look).order_by(pixel_look.c.look_key)).mappings()
            looked = looks(connection, site_id=SITE.id)
            kept.append(([dict(row) for row in rows], looked))
    other.dispose()
    assert len(kept[0][0]) == 14
    assert any(row["state"] is not None for row in kept[0][0])
    assert kept[0] == kept[1]


def test_each_block_of_a_file_is_read_once_for_all_sites_in_it(sqlite_engine: Engine) -> None:
    west, south, east, north = WHOLE_TILE.geometry.bounds
    sites = [
        replace(
            WHOLE_TILE,
            id=f"place-{row}-{column}",
            geometry=box(
                west + (east - west) * column / 7 + 0.001,
                south + (north - south) * row / 7 + 0.001,
                west + (east - west) * column / 7 + 0.003,
                south + (north - south) * row / 7 + 0.002,
            ),
        )
        for row in range(7)
        for column in range(7)
    ]
    assert len(sites) > 3 * 16
    world = World(WHOLE_TILE)
    scene = world.scene(Pass(FIRST))
    with writing(sqlite_engine) as connection:
        for site in sites:
            insert_scenes(
                connection, [replace(scene, site_id=site.id, look_key=f"{scene.look_key}:{site.id}")]
            )
    with world.served(caps=PICTURE_CAPS) as pictures:
        reports = read_passes(sqlite_engine, sites, pictures, FIRST + EVERY, limit=8, most_bytes=PLENTY)
        assert sum(each.read for each in reports) == len(sites), reports
    for path in set(world.asked):
        parts = [part for asked, part in world.ranges if asked == path]
        blocks = [
            block for first, last in parts for block in range(first // BLOCK_BYTES, last // BLOCK_BYTES + 1)
        ]
        assert len(blocks) == len(set(blocks)), f"{path}: a part came twice"
    with reading(sqlite_engine) as connection:
        spent = bytes_read_on(connection, f"{FIRST + EVERY:%Y-%m-%d}")
    assert spent <= sum(len(body) for body in world.files.values())


WHOLE_TILE = replace(SITE, id="tile", areas=(), geometry=box(WEST, SOUTH, WEST + 0.12, SOUTH + 0.06))


def test_a_narrow_line_through_fields_is_seen_in_looks_that_were_laid_in_place() -> None:
    """Looks of one place lie some 0.2 pixels apart each way, so most are laid anew, and a line of rails is all edge."""
    rng = np.random.default_rng(4)
    fields = box_mean(rng.normal(0, 1, (120, 160)).astype(np.float32), 2) * 0.15 + 0.25
    ground = np.stack([fields * share for share in (0.3, 0.4, 0.4, 1.0, 0.8)]).astype(np.float32)
    line = np.zeros((120, 160), bool)
    line[59:61, 10:150] = True
    ground[:, line] = np.array([0.09, 0.10, 0.10, 0.14, 0.17], np.float32)[:, np.newaxis]
    clear = np.ones(line.shape, bool)
    kept: list[Codes] = []
    laid = 0
    for _ in range(16):
        south, east = (float(each) for each in rng.uniform(-0.3, 0.3, 2))
        noisy = moved(ground, south, east) + rng.normal(0, 0.003, ground.shape)
        numbers = np.rint(noisy * 10_000).clip(1).astype(np.uint16)
        before = Reference(kept[-9:]) if kept else None
        codes, shift = codes_in_place(numbers, 0, clear, before)
        assert codes is not None
        laid += shift.size > WORTH_MENDING_PX
        kept.append(codes)
    assert laid >= 8
    inner = np.zeros_like(line)
    inner[5:-5, 5:-5] = True
    held = [(codes[0][line & inner] != MISSING).mean() for codes in kept]
    assert min(held) > 0.9
    shown = departure(kept[-1], usual_of(kept[:-1]), inner & ~line)
    assert not shown.fault
    assert shown.seen[line & inner].all()
    assert shown.left[line & inner].mean() < 0.02, "what is left at its edges is no change"
