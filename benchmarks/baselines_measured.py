"""What is measured (metres, square metres) on its promise: false alarms of series in which nothing happened, and surges caught.

Run: python -m benchmarks.baselines_measured [../shared/data] [series]
Simulated worlds, labelled as such: latent levels that forget themselves within days or weeks, looks at the uneven times of a
cloudy sky (26, 50 or 73 a year), five shapes of value that the rule's settings were not chosen on, none, a third or three
quarters of the looks empty, clear shares from 0.3 to 1, with and without a yearly wave. Real ones: 100 plots of a square
kilometre in which nothing was built, two years of NDVI and cloud, as areas of bare and of green ground. The engine is asked
with `record` and `tail` on the default promise, as a site's only metric would be, from the 13th look on; the naive rival alarms
above median + 3 scaled MAD of the same earlier looks.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.calibrate import EPISODE_GAP_DAYS
from alerts.baselines.engine import judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.metrics import METRICS
from monitor.bootstrap import RULES

ASKED = ("record", "tail")
YEARS = 4.0
CADENCES = (26, 50, 73)
MEMORY_DAYS = (0.0, 10.0, 40.0)
EMPTY = (0.0, 0.33, 0.75)
SHAPES = ("inverse gaussian", "log-logistic", "half-normal", "two levels", "uniform")
SURGES = (2.0, 4.0, 8.0)
"""What is planted at one look, in medians of the looks that show anything."""
_MAD_TO_SD, _FAR = 1.4826, 3.0
_LEAST = 12
_PLANTED = 12
_PIXEL_M2, _PLOT = 100.0, 10
_BARE, _GREEN = 3000, 6000
_RESAMPLED = 1000


@dataclass(frozen=True, slots=True)
class World:
    """S series at common times: `days`, `values` and `exposure` [series, time]."""

    name: tuple[str, ...]
    days: FloatArray
    values: FloatArray
    exposure: FloatArray


@dataclass(frozen=True, slots=True)
class NullRun:
    """Episodes [series] by each rival, over so many site-years each, and the shares of surges caught."""

    name: tuple[str, ...]
    years: float
    looks: int
    verdict: FloatArray
    naive: FloatArray
    caught: FloatArray
    """Shares [surge, rival]; rivals are the verdict and the naive one."""


def ordered(shape: str, u: FloatArray) -> FloatArray:
    """Values of this shape by their ranks u."""
    match shape:
        case "inverse gaussian":
            return _by_table(np.sort(np.random.default_rng(11).wald(1.0, 1.5, 400_000)), u)
        case "log-logistic":
            return (u / (1.0 - u)) ** (1.0 / 3.5)
        case "half-normal":
            return _by_table(np.sort(np.abs(np.random.default_rng(12).normal(size=400_000))), u)
        case "two levels":
            drawn = np.random.default_rng(13).gamma(20.0, 0.05, 400_000)
            return _by_table(np.sort(np.where(np.arange(400_000) % 5 == 0, 3.0 * drawn, drawn)), u)
    return 0.2 + u


def _by_table(table: FloatArray, u: FloatArray) -> FloatArray:
    found: FloatArray = np.interp(u, (np.arange(len(table)) + 0.5) / len(table), table)
    return found


def worlds(series: int) -> Iterator[World]:
    """Every simulated world."""
    kinds = product(SHAPES, CADENCES, MEMORY_DAYS, EMPTY)
    for seed, (shape, a_year, memory, empty) in enumerate(kinds, start=1):
        rng = np.random.default_rng(seed)
        days = np.cumsum(np.maximum(1.0, rng.exponential(DAYS_A_YEAR / a_year, round(a_year * YEARS))))
        u = _ranks(_latent(rng, days, memory, series))
        seasonal = seed % 2 == 0
        there = np.clip((u - empty) / (1.0 - empty), 0.0, 1.0 - 1e-9)
        values = np.where(u > empty, ordered(shape, np.maximum(there, 1e-9)), 0.0)
        if seasonal:
            values = values * np.exp(0.5 * np.cos(2.0 * np.pi * days / DAYS_A_YEAR))
        exposure = np.round(rng.uniform(0.3, 1.0, values.shape) ** 0.5, 2)
        # Whole pixels of ten metres, in what was seen.
        shown = np.round(100.0 * values * exposure) * _PIXEL_M2
        name = (shape, str(a_year), f"{memory:g} d", f"{empty:.0%}", "yes" if seasonal else "no")
        yield World(name, days, shown, exposure)


def _latent(rng: np.random.Generator, days: FloatArray, memory: float, series: int) -> FloatArray:
    """A level that forgets itself within `memory` days, seen at these days."""
    noise = rng.normal(size=(series, len(days)))
    if memory == 0:
        return noise
    level = noise.copy()
    for at in range(1, len(days)):
        kept = np.exp(-(days[at] - days[at - 1]) / memory)
        level[:, at] = kept * level[:, at - 1] + np.sqrt(1.0 - kept**2) * noise[:, at]
    return level


def _ranks(level: FloatArray) -> FloatArray:
    table = np.sort(np.random.default_rng(1).normal(size=400_000))
    found: FloatArray = np.searchsorted(table, level) / len(table)
    return np.clip(found, 1e-6, 1.0 - 1e-6)


def real_plots(data: Path) -> Iterator[World]:
    """Bare and green ground, m², in each of a hundred plots of 100 m × 100 m; cloud is not seen."""
    with np.load(data / "imagery" / "ndvi-two-years.npz") as file:
        ndvi, cloud, times = file["ndvi"], file["cloud_mask"] > 0, file["times"]
    at = [datetime.fromisoformat(str(each)).timestamp() for each in times]
    days = (np.array(at) - at[0]) / 86_400.0
    for name, mask in (("bare", ndvi < _BARE), ("green", ndvi > _GREEN)):
        plots = [
            (mask & ~cloud)[:, y : y + _PLOT, x : x + _PLOT].sum(axis=(1, 2)) * _PIXEL_M2
            for y in range(0, 100, _PLOT)
            for x in range(0, 100, _PLOT)
        ]
        clear = [
            (~cloud)[:, y : y + _PLOT, x : x + _PLOT].mean(axis=(1, 2))
            for y in range(0, 100, _PLOT)
            for x in range(0, 100, _PLOT)
        ]
        yield World((f"{name} ground",), days, np.array(plots, np.float64), np.array(clear, np.float64))


def run_world(world: World) -> NullRun:
    """Judge every look from the 13th on, and the last ones with something planted."""
    n = world.values.shape[1]
    looks = range(_LEAST, n)
    verdict, naive = np.zeros((2, *world.values.shape), dtype=bool)
    for look in looks:
        verdict[:, look] = ask(world, look)
        naive[:, look] = naive_fires(world, look)
    caught = np.zeros((len(SURGES), 2))
    for number, times in enumerate(SURGES):
        # Where every plot was under cloud, nothing could be planted.
        looked = [look for look in range(n - _PLANTED, n) if (world.exposure[:, look] > 0).any()]
        caught[number] = np.mean([_planted(world, look, times) for look in looked], axis=0)
    years = float(world.days[-1] - world.days[_LEAST]) / DAYS_A_YEAR
    return NullRun(
        world.name, years, len(looks), episodes(verdict, world.days), episodes(naive, world.days), caught
    )


def ask(world: World, look: int, more: FloatArray | float = 0.0) -> BoolArray:
    """Whether the engine tells of this look, with so much more in it."""
    values = world.values[:, : look + 1].copy()
    values[:, -1] += more
    metric = METRICS["changed_area_m2"]
    series = Series(
        world.days[: look + 1] - world.days[look],
        clean_looks(values, world.exposure[:, : look + 1], kind=metric.kind, largest=metric.most),
        measure=metric.measure,
        adds_up=metric.adds_up,
    )
    promise = FalseAlarmPromise(shares=shares_of(ASKED))
    return judge_series(series, promise, {name: RULES[name].defaults for name in ASKED}).fires


def naive_fires(world: World, look: int, more: FloatArray | float = 0.0) -> BoolArray:
    """Above median + 3 MAD of the earlier looks."""
    past = world.values[:, :look]
    middle = np.median(past, axis=1)
    mad = _MAD_TO_SD * np.median(np.abs(past - middle[:, None]), axis=1)
    fires: BoolArray = world.values[:, look] + more > middle + _FAR * mad
    return fires


def _planted(world: World, look: int, times: float) -> tuple[float, float]:
    past = world.values[:, :look]
    usual = np.array([np.median(row[row > 0]) if (row > 0).any() else np.nan for row in past])
    more = times * np.nan_to_num(usual) * world.exposure[:, look]
    seen = np.isfinite(usual) & (world.exposure[:, look] > 0)
    if not seen.any():
        return 0.0, 0.0
    return float(ask(world, look, more)[seen].mean()), float(naive_fires(world, look, more)[seen].mean())


def episodes(fires: BoolArray, days: FloatArray) -> FloatArray:
    """Alarms within a week are one, [series]."""
    found = np.zeros(len(fires))
    for row, hits in enumerate(fires):
        at = days[hits]
        found[row] = len(at) and 1 + int((np.diff(at) > EPISODE_GAP_DAYS).sum())
    return found


def interval(counts: Sequence[FloatArray], years: Sequence[float]) -> tuple[float, float, float]:
    """Episodes a series-year with its 95 % interval, series resampled within each world."""
    total = sum(len(each) * span for each, span in zip(counts, years, strict=True))
    rng = np.random.default_rng(7)
    drawn = np.zeros(_RESAMPLED)
    for each in counts:
        drawn += rng.choice(each, (_RESAMPLED, len(each))).sum(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975)) / total
    return sum(float(each.sum()) for each in counts) / total, float(low), float(high)


def _row(title: str, runs: Sequence[NullRun]) -> str:
    years = [each.years for each in runs]
    verdict, naive = (
        interval([getattr(each, name) for each in runs], years) for name in ("verdict", "naive")
    )
    n = sum(each.years * len(each.verdict) for each in runs)
    caught = np.mean([each.caught for each in runs], axis=0)
    promise = FalseAlarmPromise().budget["notify"]
    told = " / ".join(f"{one:.2f} ({other:.2f})" for one, other in caught)
    return (
        f"| {title} | {n:,.0f} | {verdict[0]:.2f} [{verdict[1]:.2f}, {verdict[2]:.2f}] | {verdict[0] / promise:.2f} | "
        f"{naive[0]:.1f} [{naive[1]:.1f}, {naive[2]:.1f}] | {told} |"
    )


def main() -> None:
    """Print the table of docs/baselines.md."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    series = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    runs = [run_world(world) for world in worlds(series)]
    surges = " / ".join(f"+{each:g}" for each in SURGES)
    promise = FalseAlarmPromise().budget["notify"]
    heading = (
        f"| looks | series-years | false episodes a year, {promise:g} promised | realised / promised "
        f"| naive rival | surges of {surges} medians caught at one look (naive) |"
    )
    say = [heading, "|---|---|---|---|---|---|", _row("all simulated", runs)]
    titles = ("shape {}", "{} looks a year", "memory {}", "{} empty", "yearly wave: {}")
    for place, title in enumerate(titles):
        kinds = dict.fromkeys(each.name[place] for each in runs)
        say += [
            _row(title.format(kind), [each for each in runs if each.name[place] == kind]) for kind in kinds
        ]
    say += [_row(f"real plots, {each.name[0]}", [run_world(each)]) for each in real_plots(data)]
    sys.stdout.write("\n".join(say) + "\n")


if __name__ == "__main__":
    main()
