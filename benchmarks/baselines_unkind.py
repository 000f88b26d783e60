"""False alarms in worlds that are not kind: what the whole verdict realises beside its promise, cell by cell and pooled.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_unkind [series] [seed]
The engine is asked look by look with what it remembers, by the rules of a verdict on one promise. Every cell is simulated and
holds nothing unusual where it is counted: histories with surges, levels that changed for good, constant counts,
counts that are nearly always zero, holidays, clouds. What follows a surge or a change is counted from 26 looks after it.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.calibrate import EPISODE_GAP_DAYS, rate_interval
from alerts.baselines.engine import Remembered, SideInformation, judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import Memory
from benchmarks.baselines_study import VERDICT, asked
from db.records import SeriesKind

FALSE_ALARMS_A_YEAR = 0.5
_AFTER = 26
LEVELS = (0.5, 2.0, 8.0, 30.0)
Maker = Callable[[int, np.random.Generator], "World"]


@dataclass(frozen=True, slots=True)
class World:
    """Series [S, T] in which nothing unusual happens from column `counted` on."""

    counts: FloatArray
    exposure: FloatArray
    days: FloatArray
    counted: int
    kind: SeriesKind = "flow"
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Realised:
    """False episodes of one cell (alarms within a week of the last are one), alarms of each rule, and the looks and years they came from."""

    looks: int
    years: float
    episodes: int
    by_rule: Mapping[str, int]

    @property
    def ratio(self) -> float:
        """Realised over promised."""
        return self.episodes / self.years / FALSE_ALARMS_A_YEAR

    def interval(self) -> tuple[float, float]:
        """95 % of it, by Garwood."""
        low, high = rate_interval(self.episodes, self.years * FALSE_ALARMS_A_YEAR)
        return low, high


def noise(mean: FloatArray, phi: float, rng: np.random.Generator) -> FloatArray:
    """Negative binomial counts of this dispersion; Poisson's at 1."""
    if phi == 1.0:
        return rng.poisson(mean).astype(np.float64)
    return rng.negative_binomial(np.maximum(mean, 1e-12) / (phi - 1.0), 1.0 / phi).astype(np.float64)


def levels(series: int) -> FloatArray:
    """Means of the series, [S, 1]."""
    return np.resize(np.array(LEVELS), series)[:, None]


def season(days: FloatArray, swing: float = 0.4) -> FloatArray:
    """A yearly wave [T]."""
    return np.exp(swing * np.cos(2.0 * np.pi * days / DAYS_A_YEAR))


def weeks(years: float) -> FloatArray:
    """Days of weekly looks."""
    return 7.0 * np.arange(int(years * DAYS_A_YEAR / 7.0))


def clean(series: int, rng: np.random.Generator) -> World:
    """Five years of weeks with a season, the last two counted."""
    days = weeks(5)
    counts = noise(levels(series) * season(days), 2.0, rng)
    return World(counts, np.ones_like(counts), days, len(days) - 104)


def young(series: int, rng: np.random.Generator) -> World:
    """The first one and a half years of weeks, a season in them, from the 13th look on."""
    days = weeks(1.5)
    phase = rng.uniform(0.0, DAYS_A_YEAR, (series, 1))
    counts = noise(levels(series) * season(days + phase), 2.0, rng)
    return World(counts, np.ones_like(counts), days, 12)


def contaminated(series: int, rng: np.random.Generator) -> World:
    """As the clean ones, with four surges of one to three weeks in the first three years."""
    world = clean(series, rng)
    counts = world.counts.copy()
    for row in range(series):
        for start in rng.integers(0, world.counted - 4, 4):
            length = int(rng.integers(1, 4))
            counts[row, start : start + length] *= rng.uniform(3.0, 12.0)
    return World(np.floor(counts), world.exposure, world.days, world.counted)


def _changed(series: int, rng: np.random.Generator, times: float, length: int | None) -> World:
    days = weeks(5)
    mean = np.repeat(levels(series), len(days), axis=1)
    start = len(days) - 104 - _AFTER - (length or 0)
    mean[:, start : None if length is None else start + length] *= times
    counts = noise(mean, 2.0, rng)
    return World(counts, np.ones_like(counts), days, len(days) - 104)


def ended(series: int, rng: np.random.Generator) -> World:
    """Half a year at twelve times the level, ended half a year before."""
    return _changed(series, rng, 12.0, 26)


def lasting_3(series: int, rng: np.random.Generator) -> World:
    """3.65 times the level for good, since half a year."""
    return _changed(series, rng, 3.65, None)


def lasting_12(series: int, rng: np.random.Generator) -> World:
    """Twelve times the level for good, since half a year."""
    return _changed(series, rng, 12.0, None)


def fell(series: int, rng: np.random.Generator) -> World:
    """A quarter of the level for good, since half a year; where it was high enough for a year of looks to show that."""
    world = _changed(series, rng, 0.25, None)
    mean = np.repeat(levels(series) * 4.0, len(world.days), axis=1)
    mean[:, world.counted - _AFTER :] *= 0.25
    return World(noise(mean, 2.0, rng), world.exposure, world.days, world.counted)


def regular(series: int, rng: np.random.Generator) -> World:
    """Counts that vary by a third of Poisson's variance."""
    days = weeks(5)
    tries = np.resize(np.array([3.0, 6.0, 12.0, 30.0]), series)[:, None]
    counts = rng.binomial(tries.astype(np.int64), 2.0 / 3.0, (series, len(days))).astype(np.float64)
    return World(counts, np.ones_like(counts), days, len(days) - 104)


def mostly_zero(series: int, rng: np.random.Generator) -> World:
    """Nothing in 95 of 100 weeks, a few in the others."""
    days = weeks(5)
    there = rng.random((series, len(days))) < 0.05
    counts = np.where(there, 1.0 + rng.poisson(1.0, there.shape), 0.0)
    return World(counts, np.ones_like(counts), days, len(days) - 104)


def other_law(series: int, rng: np.random.Generator) -> World:
    """Poisson round a lognormal level: a heavier tail than the negative binomial's."""
    days = weeks(5)
    mean = levels(series) * np.exp(rng.normal(-0.125, 0.5, (series, len(days))))
    counts = rng.poisson(mean).astype(np.float64)
    return World(counts, np.ones_like(counts), days, len(days) - 104)


def remembering(series: int, rng: np.random.Generator) -> World:
    """Snapshots whose level forgets itself within three weeks."""
    days = weeks(5)
    state = np.zeros((series, len(days)))
    for at in range(1, len(days)):
        state[:, at] = 0.7 * state[:, at - 1] + rng.normal(0.0, 0.3 * np.sqrt(1 - 0.49), series)
    counts = rng.poisson(levels(series) * np.exp(state)).astype(np.float64)
    return World(counts, np.ones_like(counts), days, len(days) - 104, "stock")


def clouds(series: int, rng: np.random.Generator) -> World:
    """Snapshots 12 to 30 times a year, half to nine tenths of them clear enough, 0.4 to all of the place seen."""
    days = np.sort(rng.uniform(0.0, 4.0 * DAYS_A_YEAR, 120))
    exposure = np.where(rng.random((series, 120)) < 0.8, rng.uniform(0.4, 1.0, (series, 120)), 0.1)
    counts = noise(levels(series) * exposure, 2.0, rng)
    return World(counts, exposure, days, 50, "stock")


def holidays(series: int, rng: np.random.Generator) -> World:
    """Two and a half years of days: quieter weekends, half as many on ten holidays a year, the last year counted."""
    days = np.arange(int(2.5 * DAYS_A_YEAR)).astype(np.float64)
    week = np.array([1.1, 1.1, 1.1, 1.1, 1.2, 0.7, 0.7])[days.astype(np.int64) % 7]
    free = np.isin(days.astype(np.int64) % 365, (0, 1, 84, 87, 120, 127, 145, 226, 304, 358))
    counts = noise(levels(series) * week * np.where(free, 0.5, 1.0), 2.0, rng)
    return World(counts, np.ones_like(counts), days, len(days) - 365, daily=True)


CELLS: Mapping[str, Maker] = MappingProxyType(
    {
        "clean, five years": clean,
        "clean, young": young,
        "past surges": contaminated,
        "ended surge x12": ended,
        "lasting x3.65": lasting_3,
        "lasting x12": lasting_12,
        "lasting x1/4": fell,
        "varies less": regular,
        "95 % zeros": mostly_zero,
        "another law": other_law,
        "with memory": remembering,
        "clouds, 30 a year": clouds,
        "days, holidays": holidays,
    }
)


def realised(world: World, promise: FalseAlarmPromise) -> Realised:
    """Judge look by look and count what fires."""
    rules = asked(*VERDICT)
    looks = clean_looks(world.counts, world.exposure, kind=world.kind)
    memory: Memory | None = None
    fires: list[BoolArray] = []
    by_rule = dict.fromkeys(VERDICT, 0)
    step = 1.0 if world.daily else 7.0
    for at in range(world.counted, len(world.days)):
        series = Series(
            world.days[: at + 1] - world.days[at],
            looks.window(slice(0, at + 1)),
            daily=world.daily,
            period_days=step if world.kind == "flow" else 0.0,
        )
        said = judge_series(series, promise, rules, SideInformation(memory=memory))
        memory = said.rulings["step"].of(Remembered).memory
        fires.append(said.fires)
        for name, ruling in said.rulings.items():
            by_rule[name] += int(ruling.fires.sum())
    years = len(world.counts) * float(world.days[-1] - world.days[world.counted]) / DAYS_A_YEAR
    episodes = _episodes(np.array(fires), world.days[world.counted :])
    return Realised(len(fires) * len(world.counts), years, episodes, by_rule)


def _episodes(fires: BoolArray, days: FloatArray) -> int:
    """Alarms [looks, S] more than a week after the last one of their series."""
    last = np.full(fires.shape[1], -np.inf)
    found = 0
    for day, fired in zip(days.tolist(), fires, strict=True):
        found += int((fired & (day - last > EPISODE_GAP_DAYS)).sum())
        last = np.where(fired, day, last)
    return found


def main() -> None:
    """Print a line a cell and one for all."""
    given = [int(each) for each in sys.argv[1:] if each.isdigit()]
    series, seed = (*given, *(100, 31)[len(given) :])
    names = [each for each in sys.argv[1:] if each in CELLS] or list(CELLS)
    promise = FalseAlarmPromise(shares=shares_of(VERDICT))
    print(f"{series} series a cell, seed {seed}, {FALSE_ALARMS_A_YEAR} promised a year; all simulated")
    print(
        f"{'cell':<20}{'looks':>8}{'years':>7}{'episodes':>9}{'realised/promised':>19}{'95 %':>14}   alarms by rule"
    )
    found = []
    for name in names:
        world = CELLS[name](series, np.random.default_rng([seed, list(CELLS).index(name)]))
        each = realised(world, promise)
        found.append(each)
        _print(name, each)
    together = {rule: sum(each.by_rule[rule] for each in found) for rule in VERDICT}
    sums = [sum(getattr(each, part) for each in found) for part in ("looks", "years", "episodes")]
    _print("all together", Realised(int(sums[0]), float(sums[1]), int(sums[2]), together))


def _print(name: str, each: Realised) -> None:
    low, high = each.interval()
    parts = ", ".join(f"{rule} {n}" for rule, n in each.by_rule.items() if n)
    print(
        f"{name:<20}{each.looks:>8}{each.years:>7.0f}{each.episodes:>9}{each.ratio:>19.2f}"
        f"{f'[{low:.2f}, {high:.2f}]':>14}   {parts}",
        flush=True,
    )


if __name__ == "__main__":
    main()
