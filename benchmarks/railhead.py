"""The railhead story over several seeds: when the measure alone tells that trains became long, and what the naive rival says.

Run: python -m benchmarks.railhead [SEEDS]        the stories, through the real replay at default settings
     python -m benchmarks.railhead contrast       how well trains show in the invented world, beside real ground
The world stands in scenarios/railhead-2023/README.md. It is invented; no number from here says how the place is.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.imagery_changes import trains
from db.alerts import alerts
from db.engine import Engine, reading
from db.observations import looks
from db.pixels import admissions
from db.records import Observation
from monitor.imagery.grid import site_grid, zones_of
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.study import KeptLook
from monitor.replay.run import run_scenario
from monitor.replay.sky import Sky, sky_passes
from monitor.sites.load import load_sites
from scenarios.passes import FOLDER, RISES, SAID_TO_RISE, write

SITE, AREA, METRIC = "kp-tumangang", "sidings", "occupied_track_m"
PUBLISHED = datetime.fromisoformat("2023-10-06T00:00:00+00:00")
SEEDS = 12
_LEAST_LOOKS, _MAD_TO_SD, _FAR = 12, 1.4826, 3.0


@dataclass(frozen=True, slots=True)
class Story:
    """What one seed told."""

    admitted: str
    """Since which look metres of track are judged; '' never."""
    quiet: int
    busy: int
    """Looks of the measure before and after the rise (until the publication)."""
    medians: tuple[float, float]
    early: list[datetime]
    told: datetime | None
    """Alerts of the measure before the rise, and the first after it."""
    others: list[str]
    naive_early: int
    naive_told: datetime | None


def story(seed: int, rises: datetime) -> Story:
    """Replay the scenario with the passes and pixels of a seed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "scenario"
        shutil.copytree(FOLDER, folder)
        write(folder, seed, rises)
        file = folder / "scenario.toml"
        file.write_text(file.read_text().replace("\nseed = 1\n", f"\nseed = {seed}\n"))
        app = run_scenario(folder, f"sqlite:///{scratch}/story.db")
        try:
            return _read(app.engine, rises)
        finally:
            app.close()


def _read(engine: Engine, rises: datetime) -> Story:
    with reading(engine) as connection:
        found = alerts(connection)
        said = [
            each
            for each in looks(connection, site_id=SITE, metric=METRIC, area=AREA)
            if each.value is not None
        ]
        admitted = next((each for each in admissions(connection, SITE) if each.metric == METRIC), None)
    mine = [each for each in found if each.metric == METRIC]
    early = [each.opened_at for each in mine if each.opened_at < rises]
    after = [each.opened_at for each in mine if each.opened_at >= rises]
    quiet = [each for each in said if each.period_start < rises]
    busy = [each for each in said if rises <= each.period_start < PUBLISHED]
    rival = list(naive(said))
    return Story(
        f"{admitted.decided_at:%Y-%m-%d}" if admitted and admitted.admitted else "",
        len(quiet),
        len(busy),
        (_median(quiet), _median(busy)),
        early,
        min(after, default=None),
        [
            f"{each.opened_at:%Y-%m-%d} {each.area or 'site'} {each.metric}"
            for each in found
            if each.metric not in {METRIC, "railcars"}
        ],
        sum(each < rises for each in rival),
        min((each for each in rival if each >= rises), default=None),
    )


def _median(said: Sequence[Observation]) -> float:
    values = [each.value / (each.exposure or 1) for each in said if each.value is not None]
    return float(np.median(values)) if values else float("nan")


def naive(said: Sequence[Observation]) -> Iterator[datetime]:
    """When the rival alarms: more than the median and three scaled MAD of all looks before, of twelve at least."""
    values: list[float] = []
    for each in said:
        if each.value is None:
            continue
        if len(values) >= _LEAST_LOOKS:
            middle = float(np.median(values))
            far = middle + _FAR * _MAD_TO_SD * float(np.median(np.abs(np.array(values) - middle)))
            if each.value > far:
                yield each.period_start
        values.append(each.value)


def contrast() -> None:
    """Print how trains of known length read in the invented world, as benchmarks.imagery_changes prints it of real ground."""
    site = load_sites(FOLDER / "sites.geojson").by_id[SITE]
    grid = site_grid(site, map_of_site(site))
    zone = next(each for each in zones_of(site, grid) if each.area_id == AREA)
    for seed in range(101, 104):
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch), seed, RISES)
            passes = sky_passes(Path(scratch) / "passes.csv")
        quiet = [each for each in passes if each.cloud < 0.2 and not each.snow and each.at < RISES]
        sky = Sky(site, AREA, seed, passes)
        trains([_kept(sky, each) for each in quiet], grid, zone, f"invented, seed {seed}")


def _kept(sky: Sky, one: object) -> KeptLook:
    codes = sky.codes(one)  # type: ignore[arg-type,attr-defined]
    return KeptLook(one.name, one.at, lambda: codes)  # type: ignore[attr-defined]


def main() -> None:
    """Print the stories."""
    if sys.argv[1:] == ["contrast"]:
        contrast()
        return
    seeds = range(1, 1 + int(sys.argv[1] if sys.argv[1:] else SEEDS))
    for rises in (RISES, SAID_TO_RISE):
        print(f"\nTrains become long on {rises:%Y-%m-%d}")
        for seed in seeds:
            one = story(seed, rises)
            print(seed, one, flush=True)


if __name__ == "__main__":
    main()
