"""What measuring pixels costs, in processor time, through the code that runs live: run `python -m benchmarks.imagery_speed [LOOKS]`.

Invented files, passes over 14 sites in one tile; a real scene for vessels. Clocks of a busy machine
say nothing, so processor time is printed, and ratios of it.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.imagery_world import PIXELS, real_scene
from db.engine import open_engine, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from monitor.derive.pictures import PICTURE_CAPS
from monitor.derive.pixels import read_passes
from monitor.imagery.codes import encode_reflectance
from monitor.imagery.grid_vessels import vessels_shown
from monitor.imagery.history import departure, usual_of
from tests.kit.cast import QUIET_FIELD
from tests.kit.passes import Pass, World

FIRST = datetime(2023, 5, 1, 14, 20, tzinfo=UTC)
_SIDE, _LOOKS, _BANDS = 512, 25, 5
_SITES = 14
_BEST_OF = 5


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
    usual = usual_of(stack)
    middle = processor_s(lambda: usual_of(stack), _BEST_OF)
    left = processor_s(lambda: departure(stack[0], usual, nothing), _BEST_OF)
    print(
        f"A history of {_LOOKS} looks, {_SIDE} × {_SIDE} pixels, {_BANDS} bands: its median and spread {1e3 * middle:.0f} ms, one look "
        f"against it {1e3 * left:.0f} ms; of every band and look {1e9 * middle / _LOOKS / _BANDS / _SIDE**2:.1f} ns a pixel."
    )


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
        f"read and measured in {spent:.1f} s, {1e3 * spent / max(1, done):.0f} ms a look; 100 such looks are {100 * spent / max(1, done):.1f} s."
    )


def main() -> None:
    """Print everything."""
    history()
    if (PIXELS / "busan.tif").exists():
        vessels()
    new_scenes(int(sys.argv[1]) if len(sys.argv) > 1 else 9)


if __name__ == "__main__":
    sys.exit(main())
