"""The railhead story over several seeds: what the measure can do, when the measure alone tells that trains became long, and the naive rival.

Run: python -m benchmarks.railhead [SEED ...]             trains become long on the invented day of the scenario
     python -m benchmarks.railhead published [SEED ...]   on the day that was published
The world stands in scenarios/railhead-2023/README.md. It is invented; no number from here says how the place is. Passes are drawn, laid in place, measured,
studied and judged by the code that runs live, at its default settings; only catalogue and files are left out, which the scenario itself goes through.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from alerts.backtest.replay import replay_series
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch, merge_watch
from benchmarks.imagery_changes import rate_words
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.derive.pixels import LEAST_CLEAR, Reference, codes_in_place
from monitor.imagery.classes import clear_pixels, doubled
from monitor.imagery.codes import Codes
from monitor.imagery.grid import PixelGrid, Zone, site_grid, zones_of
from monitor.imagery.history import usual_of
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.measures import TRACK, Measured, look_against, measure
from monitor.imagery.observed import PROCEDURE
from monitor.imagery.study import Admission, KeptLook, seasons, study_looks
from monitor.replay.sky import MARGIN_PX, InventedSky, SkyPass, sky_passes
from monitor.sites import Site
from monitor.sites.kinds import KINDS
from monitor.sites.load import load_sites
from scenarios.passes import FOLDER, RISES, SAID_TO_RISE, write

SITE, AREA = "kp-tumangang", "sidings"
PUBLISHED = datetime(2023, 10, 6, tzinfo=UTC)
SEEDS = range(1, 13)
LISTED_AFTER = timedelta(hours=4)
_REFERENCE_LOOKS = 9
_LEAST_LOOKS, _MAD_TO_SD, _FAR = 12, 1.4826, 3.0


@dataclass(frozen=True, slots=True)
class Story:
    """What one seed told, with a rise on one day."""

    learned: Admission
    """What the measure could do by the looks before the rise."""
    quiet: list[float]
    busy: list[float]
    """Metres said before the rise, and from then until the publication."""
    told: list[datetime]
    """When the rules fire, were the measure judged whether it was admitted or not."""
    rival: list[datetime]


def story(site: Site, seed: int, rises: datetime) -> Story:
    """Draw, measure, study and judge the passes of a seed."""
    grid = site_grid(site, map_of_site(site))
    zones = zones_of(site, grid)
    zone = next(each for each in zones if each.area_id == AREA)
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), seed, rises)
        passes = sky_passes(Path(scratch) / "passes.csv")
    kept = list(_kept(InventedSky(site, AREA, seed, passes), passes, grid, zones))
    water = np.zeros(grid.shape, bool)
    learned, said = study_looks([each for each in kept if each.at < rises], grid, zones, water)
    found = [(one.look.at, each) for one in said for each in one.found if each.metric == TRACK]
    for look, season in seasons(kept):
        if look.at >= rises:
            shown = look_against(look.load(), usual_of([each.load() for each in season]), zones, water, ())
            found.append((look.at, measure(shown, zone, TRACK)))
    looks = [_look(at, each) for at, each in found]
    usable = [each for each in looks if each.value is not None]
    watch = SiteWatch(
        SITE, site.name, site.kind, site.timezone.key, metrics=merge_watch(KINDS[site.kind].watch)
    )
    judged = replay_series(looks, KnownHistory(looks[0].period_start), looks[0].series, watch, RULES)
    return Story(
        next(each for each in learned if each.metric == TRACK),
        [_whole(each) for each in usable if each.period_start < rises],
        [_whole(each) for each in usable if rises <= each.period_start < PUBLISHED],
        sorted(each.look.period_start for each in judged if each.told),
        list(naive(usable)),
    )


def _kept(
    sky: InventedSky, passes: Sequence[SkyPass], grid: PixelGrid, zones: Sequence[Zone]
) -> Iterator[KeptLook]:
    """The looks that are clear enough, each laid on those before it."""
    before: list[Codes] = []
    inner = slice(MARGIN_PX, -MARGIN_PX)
    for one in passes:
        scene, classes = sky.shown(one)
        clear = clear_pixels(doubled(classes[::2, ::2])[inner, inner])
        if clear[zones[0].mask].mean() < LEAST_CLEAR:
            continue
        numbers = np.clip(np.rint(scene[:, inner, inner] * 10_000), 1, 60_000).astype(np.uint16)
        coarse = numbers[-1].reshape(grid.height // 2, 2, grid.width // 2, 2).mean(axis=(1, 3))
        numbers[-1] = doubled(coarse)
        newest = Reference(before[-_REFERENCE_LOOKS:]) if before else None
        codes, _ = codes_in_place(numbers, 0, clear, newest)
        if codes is not None:
            before.append(codes)
            yield KeptLook(one.name, one.at, lambda codes=codes: codes)  # type: ignore[misc]


def _look(at: datetime, each: Measured) -> Observation:
    return Observation(
        SeriesKey(SITE, AREA, TRACK, "", PROCEDURE),
        "stock",
        at,
        at,
        at.isoformat(),
        each.value,
        at + LISTED_AFTER,
        at + LISTED_AFTER,
        precision="minute",
        assessable=each.value is not None,
        exposure=each.seen_share,
    )


def _whole(look: Observation) -> float:
    assert look.value is not None
    return look.value / (look.exposure or 1.0)


def naive(said: Sequence[Observation]) -> Iterator[datetime]:
    """When the rival alarms: more than the median and three scaled MAD of all looks before, of twelve at least."""
    values: list[float] = []
    for each in said:
        value = _whole(each)
        if len(values) >= _LEAST_LOOKS:
            middle = float(np.median(values))
            if value > middle + _FAR * _MAD_TO_SD * float(np.median(np.abs(np.array(values) - middle))):
                yield each.period_start
        values.append(value)


def _row(seed: int, rises: datetime, one: Story) -> str:
    largest = one.learned.trials[-1] if one.learned.trials else (0.0, 0, 0)
    quiet, busy = (
        f"{np.median(some):.0f} ({len(some)})" if some else "– (0)" for some in (one.quiet, one.busy)
    )
    highest = np.quantile(one.quiet, 0.95, method="higher") if one.quiet else np.inf
    above = rate_words([each > highest for each in one.busy])
    cells = [
        f"{largest[1]}/{largest[2]}",
        "yes" if one.learned.admitted else "no",
        quiet,
        busy,
        above,
        *(_alarms(some, rises) for some in (one.told, one.rival)),
    ]
    return f"| {seed} | {' | '.join(cells)} |"


def _alarms(found: Sequence[datetime], rises: datetime) -> str:
    first = min((each for each in found if each >= rises), default=None)
    return f"{sum(each < rises for each in found)}, {'never' if first is None else f'{first:%m-%d}'}"


def main() -> None:
    """Print the stories."""
    site = load_sites(FOLDER / "sites.geojson").by_id[SITE]
    asked = sys.argv[1:]
    rises = SAID_TO_RISE if asked[:1] == ["published"] else RISES
    seeds = [int(each) for each in asked if each != "published"] or SEEDS
    print(
        f"Trains become long on {rises:%Y-%m-%d}; the last columns: alarms before that day, and the first from then on.\n"
    )
    print(
        "| seed | 1,000 m seen | admitted | quiet: median m (looks) | busy | busy looks above 19 of 20 quiet ones | rules, were it judged | naive |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for seed in seeds:
        print(_row(seed, rises, story(site, seed, rises)), flush=True)


if __name__ == "__main__":
    main()
