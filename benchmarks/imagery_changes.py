"""What measures in pixels say where nothing happens, and what they see of things of known size.

Run: python -m benchmarks.imagery_changes
Every number comes out of the code that runs live, at its default settings: looks held against those before them, measures of
zones, the ordinary rules. Beside it stands a naive rival: the difference to the last clear look.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from alerts.backtest.replay import replay_series
from alerts.backtest.summary import summarise
from alerts.baselines.calibrate import rate_interval
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch, merge_watch
from benchmarks.imagery_world import PIXELS, dates, look, real_scene, reflectances, surface, track
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.imagery.classes import widened
from monitor.imagery.codes import MISSING, Codes
from monitor.imagery.grid import PixelGrid, Zone
from monitor.imagery.history import coherent, departure, usual_of
from monitor.imagery.measures import CHANGED, TRACK, Look, Measured, measure
from monitor.imagery.observed import PROCEDURE
from monitor.imagery.planting import GROUNDS, Planted, patch, plant, train
from monitor.imagery.study import KeptLook, causal_looks, seasons
from monitor.sites.kinds import KINDS

SIZES = (400.0, 1_000.0, 4_000.0)
PLACES = (("busan", 100, 100), ("klang", 50, 400), ("durban", 300, 200), ("cartagena", 100, 250))
SIZE_PX, LOOKS = 200, 70
_CLOUDY, _LEAST_CLEAR = 100, 0.3
PER_INDEX, ZERO_INDEX = 120.0, 90.0
_NAIVE_CODES = 20.0
_BARE_INDEX = 0.12


@dataclass(frozen=True)
class Said:
    """What one zone said of its looks."""

    zone: Zone
    found: list[tuple[datetime, Measured]]


def real_series() -> tuple[list[KeptLook], PixelGrid]:
    """The two years of one real square kilometre where nothing was built: its vegetation index as a single band."""
    data = np.load(PIXELS / "ndvi-two-years.npz")
    kept = []
    for at, index, cloud in zip(data["times"], data["ndvi"], data["cloud_probability"], strict=True):
        seen = ~widened(cloud > _CLOUDY, 3)
        if seen.mean() < _LEAST_CLEAR:
            continue
        codes = _coded(index / 10_000, seen)
        when = datetime.fromisoformat(str(at)).replace(tzinfo=UTC)
        kept.append(KeptLook(str(at), when, lambda codes=codes: codes))  # type: ignore[misc]
    height, width = kept[0].load().shape[1:]
    return kept, PixelGrid(32633, 465_181, 5_080_255, height, width)


def _coded(index: NDArray[np.float64], seen: NDArray[np.bool_]) -> Codes:
    codes = np.clip(np.rint(index * PER_INDEX + ZERO_INDEX), 0, MISSING - 1)
    return np.where(seen, codes, MISSING).astype(np.uint8)[np.newaxis]


def squares(grid: PixelGrid, count: int, size: int) -> list[Zone]:
    """Zones of so many pixels a side, side by side, none of them on the edge."""
    return [
        surface(grid, f"{row}-{column}", "yard", (row, row + size), (column, column + size))
        for row in range(0, grid.height - size + 1, size)
        for column in range(0, grid.width - size + 1, size)
    ][:count]


def measured(
    kept: Sequence[KeptLook], zones: Sequence[Zone]
) -> tuple[list[Said], list[tuple[KeptLook, Look]]]:
    """What every zone says of every look that can be held against anything."""
    water = np.zeros(zones[0].mask.shape, bool)
    shown = [(one, found) for one, found, _ in causal_looks(kept, zones[:1], water)]
    said = [Said(zone, [(one.at, measure(found, zone, CHANGED)) for one, found in shown]) for zone in zones]
    return said, shown


def observations(said: Said) -> Iterator[Observation]:
    """The looks of a zone as they would be stored."""
    for at, each in said.found:
        yield Observation(
            SeriesKey("site", "", CHANGED, "", PROCEDURE),
            "stock",
            at,
            at,
            at.isoformat(),
            each.value,
            at,
            at,
            precision="minute",
            assessable=each.value is not None,
            exposure=each.seen_share,
        )


def site() -> SiteWatch:
    """A site that watches changed ground alone, so that it has the whole budget, at the default promise."""
    return SiteWatch(
        "site", "Site", "railhead", "UTC", metrics=merge_watch({CHANGED: KINDS["railhead"].watch[CHANGED]})
    )


def false_alarms(title: str, said: Sequence[Said], scale: float) -> None:
    """Print alarms of the ordinary rules where nothing happened, with the promise multiplied by `scale`."""
    series = [list(observations(each)) for each in said]
    looks = sum(look.usable for own in series for look in own)
    told = alarms_of(series, replace(site(), false_alarms=0.5 * scale))
    print(f"| {title} | {len(said)} | {looks} | {told.cells} | {told.alarms} |")


@dataclass(frozen=True, slots=True)
class Alarms:
    """What the ordinary rules told of series in which nothing happened."""

    alarms: int
    promised: float
    years: float

    @property
    def cells(self) -> str:
        """Years judged, alarms promised and told a year with their interval, as cells of a table."""
        years = max(self.years, 1e-9)
        low, high = rate_interval(self.alarms, years)
        return f"{self.years:.1f} | {self.promised / years:.2f} | {self.alarms / years:.2f} ({low:.2f}–{high:.2f})"


def alarms_of(series: Iterable[Sequence[Observation]], watch: SiteWatch) -> Alarms:
    """Judge each series look by look, by the rules that `watch` names."""
    alarms, promised, years = 0, 0.0, 0.0
    for own in series:
        judged = list(replay_series(own, KnownHistory(own[0].period_start), own[0].series, watch, RULES))
        found = summarise(judged)
        alarms += found.verdict.false_episodes
        promised += found.verdict.promised_a_year * found.site_years
        years += found.site_years
    return Alarms(alarms, promised, years)


def naive_share(kept: Sequence[KeptLook], zones: Sequence[Zone]) -> float:
    """How many looks of a zone differ from the last clear one by four joined pixels of 0.15 of the index."""
    told, alarms = 0, 0
    for before, after in pairwise(kept):
        one, other = before.load(), after.load()
        both = (one[0] != MISSING) & (other[0] != MISSING)
        apart = np.abs(one.astype(np.float32) - other).mean(axis=0)
        left = coherent(both & (apart > _NAIVE_CODES))
        for zone in zones:
            if (both & zone.mask).sum() >= zone.pixels / 2:
                told += 1
                alarms += bool((left & zone.mask).any())
    return alarms / max(1, told)


def real_planted(
    kept: Sequence[KeptLook], grid: PixelGrid, zones: Sequence[Zone], said: Sequence[Said]
) -> None:
    """Print how often bare squares of known size are seen in the real series."""
    rng = np.random.default_rng(7)
    lines: dict[float, list[bool]] = defaultdict(list)
    for number, (one, season) in enumerate(seasons(kept)):
        usual = usual_of([each.load() for each in season])
        for zone, own in zip(zones, said, strict=True):
            highest = _ninth(own, number)
            if highest is None or number % 2:
                continue
            for size in SIZES:
                codes = one.load()
                square = patch(zone, grid, codes[0] != MISSING, size, rng)
                if square is None:
                    continue
                covered = grid.covers(square)
                changed = codes.copy()
                bare = round(_BARE_INDEX * PER_INDEX + ZERO_INDEX)
                changed[:, covered & (codes[0] != MISSING)] = bare
                found = measure(_look(changed, usual, zone), zone, CHANGED)
                if found.value is not None:
                    lines[size].append(found.scaled > highest)
    for size, seen in lines.items():
        print(f"| the real series, bare ground | {size:,.0f} m² | {rate_words(seen)} |")


def _look(codes: Codes, usual: object, zone: Zone) -> Look:
    nothing = np.zeros(zone.mask.shape, bool)
    return Look(codes, departure(codes, usual, nothing), nothing)  # type: ignore[arg-type]


def _ninth(said: Said, place: int) -> float | None:
    """What nine of ten ordinary looks of a zone stay below, the tried one left out; None with too few."""
    values = [each.scaled for n, (_, each) in enumerate(said.found) if n != place and each.value is not None]
    return float(np.quantile(values, 0.9, method="higher")) if len(values) >= 8 else None


def rate_words(seen: Sequence[bool]) -> str:
    """A share with its interval of 95 % (Wilson)."""
    n = len(seen)
    if not n:
        return "none tried"
    p = sum(seen) / n
    z = 1.96
    middle, half = (
        (p + z * z / 2 / n) / (1 + z * z / n),
        z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / (1 + z * z / n),
    )
    return f"{sum(seen)}/{n} = {p:.2f} ({middle - half:.2f}–{middle + half:.2f})"


def invented() -> Iterator[tuple[str, PixelGrid, list[KeptLook], Zone]]:
    """Places out of real scenes with invented years; each with a track through its middle."""
    for number, (name, top, left) in enumerate(PLACES):
        rng = np.random.default_rng(number)
        base = real_scene(name, top, left, SIZE_PX)
        grid = PixelGrid(32652, 300_000, 4_600_000, SIZE_PX, SIZE_PX)
        times = dates(LOOKS, rng)
        codes = [look(scene, rng) for scene in reflectances(base, times, rng)]
        kept = [
            KeptLook(str(at), at, lambda one=one: one)  # type: ignore[misc]
            for at, one in zip(times, codes, strict=True)
            if (one[0] != MISSING).mean() >= _LEAST_CLEAR
        ]
        yield name, grid, kept, track(grid, "track", [(20, 120), (90, 95), (180, 100)])


def trains(kept: Sequence[KeptLook], grid: PixelGrid, zone: Zone, name: str) -> None:
    """Print occupied length against the length drawn, and the chance that one look shows 1,000 m where 280 m are usual."""
    rng = np.random.default_rng(11)
    assert zone.axis is not None
    lengths = (0.0, 140.0, 280.0, 600.0, 1_000.0)
    found: dict[float, list[float]] = defaultdict(list)
    water = np.zeros(grid.shape, bool)
    for one, shown, usual in causal_looks(kept, [zone], water):
        if shown.departure.fault:
            continue
        for length in lengths:
            codes = one.load()
            if length:
                codes, _, _ = plant(codes, grid, train(zone.axis, length, rng))
            value = measure(Look(codes, departure(codes, usual, ~zone.mask), water), zone, TRACK)
            if value.value is not None:
                found[length].append(value.scaled)
    for length, values in found.items():
        error = np.median(np.abs(np.array(values) - length))
        q = np.quantile(values, [0.1, 0.5, 0.9])
        print(
            f"| {name} | {length:,.0f} m | {len(values)} | {q[0]:.0f} / {q[1]:.0f} / {q[2]:.0f} | {error:.0f} m |"
        )
    usual_most = np.quantile(found[280.0], 0.95, method="higher")
    print(
        f"| {name} | 280 → 1,000 m in one clear look | {rate_words([each > usual_most for each in found[1_000.0]])} | | |"
    )


def speed() -> None:
    """Print what one update of a large history costs, in processor time."""
    rng = np.random.default_rng(1)
    stack = []
    for _ in range(25):
        codes = rng.normal(80, 5, (5, 512, 512)).clip(0, 254).astype(np.uint8)
        codes[:, rng.random((512, 512)) < 0.2] = MISSING
        stack.append(codes)
    nothing = np.zeros((512, 512), bool)
    spent = []
    for _ in range(5):
        begins = time.process_time()
        usual = usual_of(stack)
        middle = time.process_time()
        departure(stack[0], usual, nothing)
        spent.append((middle - begins, time.process_time() - middle))
    usual_s, left_s = np.min(spent, axis=0)
    print(
        f"\nA history of 25 looks, 512 × 512 pixels, five bands: its median and spread {usual_s * 1e3:.0f} ms of processor "
        f"time, one look against it {left_s * 1e3:.0f} ms (the best of five)."
    )


def main() -> None:
    """Print everything."""
    kept, grid = real_series()
    zones = squares(grid, 25, 20)
    said, shown = measured(kept, zones)
    print(
        f"Real series: {len(kept)} of 68 dates clear enough, {len(shown)} of them with a season before them."
    )
    some = [each.value for own in said for _, each in own.found if each.value is not None]
    print(
        f"Zones of 4 ha that say anything has changed: {np.mean(np.array(some) > 0):.3f} of {len(some)} looks; the naive "
        f"rival: {naive_share(kept, zones):.3f}."
    )
    speed()
    places = list(invented())
    print("\n| planted in | size | seen: more than nine of ten ordinary looks say (95 %) |")
    print("|---|---|---|")
    real_planted(kept, grid, zones, said)
    for name, other, some_kept, _ in places:
        planted(name, other, some_kept)
    print("\n| trains drawn into | length | looks | 10 % / median / 90 % of what is said | median error |")
    print("|---|---|---|---|---|")
    for name, other, some_kept, zone in places:
        trains(some_kept, other, zone, name)
    print(
        "\n| series, promise | zones | usable looks | years judged | promised a year | alarms a year (95 %) | alarms |"
    )
    print("|---|---|---|---|---|---|---|")
    wide = [
        each for _, other, some_kept, _ in places for each in measured(some_kept, squares(other, 6, 60))[0]
    ]
    for scale in (1, 8):
        false_alarms(f"the real series, {scale} × the default", said, scale)
        false_alarms(f"invented years of four real places, {scale} × the default", wide, scale)


def planted(name: str, grid: PixelGrid, kept: Sequence[KeptLook]) -> None:
    """Print how often things of three materials are seen in zones of 36 ha of an invented year of a real place."""
    rng = np.random.default_rng(5)
    zones = squares(grid, 6, 60)
    said, _ = measured(kept, zones)
    lines: dict[float, list[bool]] = defaultdict(list)
    for number, (one, season) in enumerate(seasons(kept)):
        usual = usual_of([each.load() for each in season])
        for place, (zone, own) in enumerate(zip(zones, said, strict=True)):
            highest = _ninth(own, number)
            if highest is None or (number + place) % 6:
                continue
            for size in SIZES:
                codes = one.load()
                square = patch(zone, grid, codes[0] != MISSING, size, rng)
                if square is None:
                    continue
                drawn, _, _ = plant(codes, grid, [Planted(square, GROUNDS[rng.integers(len(GROUNDS))])])
                found = measure(_look(drawn, usual, zone), zone, CHANGED)
                if found.value is not None:
                    lines[size].append(found.scaled > highest)
    for size, seen in lines.items():
        print(f"| {name}, invented years | {size:,.0f} m² | {rate_words(seen)} |")


if __name__ == "__main__":
    sys.exit(main())
