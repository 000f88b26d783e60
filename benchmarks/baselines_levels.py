"""What is told, and what is expected, after a surge that ended, a rise that stays, and in series that hardly vary.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_levels [series]
All simulated: negative binomial counts of dispersion 2 around levels 0.5 to 30, with and without a yearly wave, by weeks and days, flows
and snapshots. The surge is twelve times the level, and the newest look is the 21st after its end; the rise is judged look by look for 40
looks by the rules of a verdict with what they remember, half an alarm a series-year promised. The naive rival expects the mean
of all earlier looks and tells what is above it by three of their standard deviations.
"""

import sys
from dataclasses import dataclass
from itertools import product

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import Judgement, Remembered, SideInformation, TwoSided, judge_series
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import Memory
from benchmarks.baselines_study import VERDICT, asked
from benchmarks.baselines_unkind import levels, noise, season
from db.records import SeriesKind

TIMES = (3.65, 12.0)
SURGES = (8, 26, 52)
"""Looks that a surge lasts."""
_BEFORE, _AFTER, _WATCHED = 160, 20, 40
_STEADY = (1.0, 3.0, 7.0, 20.0)
_PROMISE = FalseAlarmPromise(shares=shares_of(VERDICT))


@dataclass(frozen=True, slots=True)
class Cell:
    """How looks come."""

    kind: SeriesKind
    daily: bool
    swing: float

    def __str__(self) -> str:
        return f"{self.kind}, {'days' if self.daily else 'weeks'}{', a wave' if self.swing else ''}"

    @property
    def step_days(self) -> float:
        """Days from look to look."""
        return 1.0 if self.daily else 7.0

    def mean(self, series: int, looks: int) -> FloatArray:
        """What is usual, [S, T]."""
        return levels(series) * season(self.step_days * np.arange(looks), self.swing)

    def judge(self, counts: FloatArray, memory: Memory | None = None) -> Judgement:
        """What is said of the newest looks."""
        days = self.step_days * np.arange(1.0 - counts.shape[1], 1.0)
        length = self.step_days if self.kind == "flow" else 0.0
        series = Series(days, clean_looks(counts, kind=self.kind), daily=self.daily, period_days=length)
        return judge_series(series, _PROMISE, asked(*VERDICT), SideInformation(memory=memory))


CELLS = tuple(
    Cell(kind, daily, swing)
    for kind, daily, swing in product(("flow", "stock"), (False, True), (0.0, 0.4))
    if not (kind == "stock" and daily)
)


def after_a_surge(cell: Cell, length: int, series: int, rng: np.random.Generator) -> str:
    """The largest count that is no alarm 21 looks after the end, over what is true; of the naive rival too."""
    usual = cell.mean(series, _BEFORE + length + _AFTER + 1)
    mean = usual.copy()
    mean[:, _BEFORE : _BEFORE + length] *= 12.0
    counts = noise(mean, 2.0, rng)
    said = cell.judge(counts)
    bound = said.rulings["tail"].of(TwoSided).usual.most_ordinary(said.spending.bound("tail"))
    past = counts[:, :-1]
    rival = past.mean(axis=1) + 3.0 * past.std(axis=1)
    parts = []
    for level in np.unique(levels(series)):
        rows = levels(series)[:, 0] == level
        over = bound[rows] / usual[rows, -1]
        parts.append(
            f"{level:g}: {np.median(over):.1f}, within 4x {(over <= 4.0).mean():.2f} (naive {np.median(rival[rows] / usual[rows, -1]):.0f})"
        )
    return f"ended x12 of {length} looks; {cell}; bound over truth by level: " + "; ".join(parts)


def after_a_rise(cell: Cell, times: float, series: int, rng: np.random.Generator) -> str:
    """Alarm episodes in the 40 looks from the rise on, and what is expected after 20 of them."""
    mean = cell.mean(series, _BEFORE + _WATCHED)
    mean[:, _BEFORE:] *= times
    counts = noise(mean, 2.0, rng)
    memory: Memory | None = None
    fires: list[BoolArray] = []
    expected = np.zeros(series)
    for at in range(_BEFORE, _BEFORE + _WATCHED):
        said = cell.judge(counts[:, : at + 1], memory)
        memory = said.rulings["step"].of(Remembered).memory
        fires.append(said.fires)
        if at == _BEFORE + _AFTER:
            expected = said.rulings["tail"].of(TwoSided).usual.expected() / mean[:, at]
    told = np.array(fires)
    parts = []
    for level in np.unique(levels(series)):
        rows = levels(series)[:, 0] == level
        near = (np.abs(expected[rows] - 1.0) <= 0.3).mean()
        parts.append(
            f"{level:g}: told within 8 looks {told[:8, rows].any(axis=0).mean():.2f}, alarms after those "
            f"{told[8:, rows].sum(axis=0).mean():.2f}, expected within 30 % {near:.2f} (median {np.median(expected[rows]):.2f})"
        )
    return f"lasting x{times:g}; {cell}; by level: " + "; ".join(parts)


def steady(level: float) -> str:
    """The smallest alarm after five years of weeks that never vary."""
    counts = np.full((1, 261), level)
    for today in range(int(level) + 1, int(10 * level) + 10):
        counts[0, -1] = today
        if CELLS[0].judge(counts).fires[0]:
            return f"{level:g} a week for five years: {today} is an alarm"
    return f"{level:g} a week for five years: nothing up to ten times as many is an alarm"


def main() -> None:
    """Print a line a cell."""
    series = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 200
    print(f"{series} series a cell, a quarter at each level", flush=True)
    for level in _STEADY:
        print(steady(level), flush=True)
    for n, cell in enumerate(CELLS):
        for length in SURGES:
            print(after_a_surge(cell, length, series, np.random.default_rng([41, n, length])), flush=True)
        for at, times in enumerate(TIMES):
            print(after_a_rise(cell, times, series, np.random.default_rng([42, n, at])), flush=True)


if __name__ == "__main__":
    main()
