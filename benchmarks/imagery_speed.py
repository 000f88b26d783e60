"""What measuring pixels costs, in processor time, through the code that runs live: run `python -m benchmarks.imagery_speed [SCENES [SITES]]`.

Invented files: SCENES (30) new scenes over 14 sites in one tile, and one scene over SITES (1,000); a real scene for vessels; one site of a
scene of 10,980 × 10,980 pixels, in a process of its own. Clocks of a busy machine say nothing, so processor time is printed, and
ratios of it: beside the history stands what numpy alone takes for the same medians and quartiles.
"""

import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rasterio.transform import from_origin
from shapely import box

from benchmarks.imagery_world import PIXELS, real_scene
from db.engine import open_engine, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from monitor.derive.pictures import PICTURE_CAPS
from monitor.derive.pixels import read_passes
from monitor.feeds.ranges import BLOCK_BYTES
from monitor.imagery.codes import FINE_BANDS, MISSING, Codes, encode_reflectance
from monitor.imagery.grid_vessels import vessels_shown
from monitor.imagery.history import departure, usual_of
from tests.kit.cast import QUIET_FIELD
from tests.kit.passes import Pass, World
from tests.kit.pictures import cog

FIRST = datetime(2023, 5, 1, 14, 20, tzinfo=UTC)
_SIDE, _LOOKS, _BANDS = 512, 25, 5
_SITES = 14
_BEST_OF = 5
_TILE_M = 109_800


def processor_s(work: Callable[[], object], best_of: int = 1) -> float:
    """The least processor time of so many runs."""
    spent = []
    for _ in range(best_of):
        begins = time.process_time()
        work()
        spent.append(time.process_time() - begins)
    return min(spent)


def history() -> None:
    """One update of a history of 512 × 512 pixels."""
    rng = np.random.default_rng(1)
    stack = [rng.integers(60, 120, (_BANDS, _SIDE, _SIDE)).astype(np.uint8) for _ in range(_LOOKS)]
    nothing = np.zeros((_SIDE, _SIDE), bool)
    for clouds in (0.0, 0.3):
        held = [_clouded(rng, each, clouds) for each in stack]
        usual = usual_of(held)
        middle = processor_s(lambda held=held: usual_of(held), _BEST_OF)
        left = processor_s(lambda held=held, usual=usual: departure(held[0], usual, nothing), _BEST_OF)
        plain = processor_s(lambda held=held: _plain(held))
        print(
            f"A history of {_LOOKS} looks, {_SIDE} × {_SIDE} pixels, {_BANDS} bands, {clouds:.0%} of them hidden: one update {1e3 * (middle + left):.0f} ms, of "
            f"which its median and spread {1e3 * middle:.0f} ms and the look against it {1e3 * left:.0f} ms. numpy's median and quartiles of the "
            f"same take {1e3 * plain:,.0f} ms, {plain / middle:.0f} times as much."
        )


def _clouded(rng: np.random.Generator, codes: Codes, share: float) -> Codes:
    """A look with a patch of cloud over twice this share of it in every other look."""
    found = codes.copy()
    top = rng.integers(_SIDE)
    hidden = np.roll(np.arange(_SIDE) < round(2 * share * _SIDE * rng.integers(2)), top)
    found[:, hidden] = MISSING
    return found


def _plain(stack: Sequence[Codes]) -> object:
    held = np.stack(stack)
    if not (held == MISSING).any():
        return np.percentile(held, (25, 50, 75), axis=0)
    return np.nanpercentile(np.where(held == MISSING, np.float32(np.nan), held), (25, 50, 75), axis=0)


def vessels() -> None:
    """One search for vessels in a real port."""
    scene = real_scene("busan", 0, 0, _SIDE)
    codes = encode_reflectance(scene, np.ones(scene.shape[1:], bool))
    water = (scene[1] - scene[4]) / (scene[1] + scene[4] + 1e-3) > 0.1
    vessels_shown(codes, water)
    print(
        f"Vessels in {_SIDE} × {_SIDE} pixels of a real port: {processor_s(lambda: vessels_shown(codes, water), _BEST_OF):.2f} s."
    )


def new_scenes(passes: int) -> None:
    """New scenes over 14 sites that have a history, read and measured."""
    world = World(replace(QUIET_FIELD, kind="railhead"))
    sites = [replace(world.site, id=f"site-{n}") for n in range(_SITES)]
    with TemporaryDirectory() as folder, world.served(caps=PICTURE_CAPS) as client:
        engine = open_engine(f"sqlite:///{folder}/x.db")
        migrate(engine)
        scenes = [world.scene(Pass(FIRST + timedelta(days=5 * n))) for n in range(passes)]
        with writing(engine) as connection:
            for site in sites:
                insert_scenes(
                    connection,
                    [
                        replace(each, site_id=site.id, look_key=f"{each.look_key}:{site.id}")
                        for each in scenes
                    ],
                )
        now = FIRST + timedelta(days=5 * passes)

        def read() -> int:
            done = 0
            while some := read_passes(engine, sites, client, now, limit=8, most_bytes=10**12):
                done += sum(each.read for each in some)
            return done

        begins = time.process_time()
        done = read()
        spent = time.process_time() - begins
        engine.dispose()
    print(
        f"{passes} scenes over {_SITES} sites of {world.grid.height} × {world.grid.width} pixels, files served on loopback by the same process: {done} looks "
        f"read and measured in {spent:.1f} s, {1e3 * spent / max(1, done):.0f} ms a look; 100 such scenes over all sites are "
        f"{100 * spent / passes:.0f} s of one core, the making of the files left out and their serving not."
    )


def one_scene(count: int) -> None:
    """One scene over very many sites, and what of its files came more than once."""
    west, south, *_ = QUIET_FIELD.geometry.bounds
    tile = replace(QUIET_FIELD, kind="railhead", geometry=box(west, south, west + 0.3, south + 0.15))
    world = World(tile)
    rows = math.ceil(math.sqrt(count))
    sites = [
        replace(tile, id=f"place-{n}", geometry=box(x, y, x + 0.003, y + 0.002))
        for n in range(count)
        for x, y in [(west + 0.29 * (n % rows) / rows, south + 0.14 * (n // rows) / rows)]
    ]
    scene = world.scene(Pass(FIRST))
    with TemporaryDirectory() as folder, world.served(caps=PICTURE_CAPS) as client:
        engine = open_engine(f"sqlite:///{folder}/x.db")
        migrate(engine)
        with writing(engine) as connection:
            for site in sites:
                key = f"{scene.look_key}:{site.id}"
                insert_scenes(connection, [replace(scene, site_id=site.id, look_key=key)])
        found = []
        spent = processor_s(
            lambda: found.extend(
                read_passes(engine, sites, client, FIRST + timedelta(days=1), limit=8, most_bytes=10**12)
            )
        )
        engine.dispose()
    came = Counter(
        (path, block)
        for path, (first, last) in world.ranges
        for block in range(first // BLOCK_BYTES, last // BLOCK_BYTES + 1)
    )
    again = sum(times - 1 for times in came.values())
    print(
        f"One scene over {count:,} sites, {world.grid.height:,} × {world.grid.width:,} pixels: {sum(each.read for each in found):,} looks in {spent:.1f} s, "
        f"{len(world.ranges):,} requests for {len(came):,} blocks of 16 kB of its six files; {again} came twice."
    )


_HUGE = """
import re, sys
from datetime import UTC, datetime, timedelta
from dataclasses import replace
from db.engine import open_engine, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from monitor.derive.pictures import PICTURE_CAPS
from monitor.derive.pixels import read_passes
from tests.kit.cast import QUIET_FIELD
from tests.kit.passes import HOST, Pass, World
from pathlib import Path
folder = Path(sys.argv[1])
class Disk(dict):
    def get(self, path, default=None):
        import mmap
        with open(folder / path.rsplit("/", 1)[1], "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
world = World(replace(QUIET_FIELD, kind="railhead"))
scene = world.scene(Pass(datetime(2023, 5, 1, 14, 20, tzinfo=UTC)))
world.files = Disk()
engine = open_engine(f"sqlite:///{folder}/x.db")
migrate(engine)
with writing(engine) as connection:
    insert_scenes(connection, [scene])
def most_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = most_mb()
with world.served(caps=PICTURE_CAPS) as client:
    (report,) = read_passes(engine, [world.site], client, scene.acquired_at + timedelta(days=1), limit=8, most_bytes=10**12)
assert report.read, report
print(before, most_mb(), len(world.ranges))
"""


def huge_scene() -> None:
    """The memory of a process that reads and measures one site of a whole tile of Sentinel-2."""
    world = World(replace(QUIET_FIELD, kind="railhead"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        corner = (world.grid.west - 40_000, world.grid.north + 40_000)
        for band, size, kind in (
            ("scl", 20.0, "uint8"),
            *((each, 10.0, "uint16") for each in FINE_BANDS),
            ("swir16", 20.0, "uint16"),
        ):
            side = round(_TILE_M / size)
            rng = np.random.default_rng(len(band))
            # No data but around the site: what is not read takes no room, whatever it holds.
            pixels = np.zeros((1, side, side), kind)
            near = slice(round(30_000 / size), round(60_000 / size))
            shape = pixels[0, near, near].shape
            pixels[0, near, near] = rng.integers(600, 3_000, shape, np.uint16) if kind == "uint16" else 4
            cog(
                folder / f"{band}.tif",
                pixels,
                corner,
                world.grid.epsg,
                blocksize=1024,
                transform=from_origin(*corner, size, size),
            )
        done = subprocess.run(
            [sys.executable, "-c", _HUGE, name], capture_output=True, text=True, check=True, timeout=900
        )
    before, most, requests = done.stdout.split()
    print(
        f"One site of a scene of 10,980 × 10,980 pixels: the process, its libraries and the server of the files take {before} MB before and at most "
        f"{most} MB while it is read and measured, in {requests} requests."
    )


def main() -> None:
    """Print everything."""
    history()
    if (PIXELS / "busan.tif").exists():
        vessels()
    new_scenes(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    one_scene(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
    huge_scene()


if __name__ == "__main__":
    sys.exit(main())
