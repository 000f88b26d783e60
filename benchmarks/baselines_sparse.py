"""What is found when at places that are seldom seen: a doubling, ×3.65 and ×12 at one level, by looks a year and history.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_sparse [series] [seed]
Simulated snapshots at uneven days, 40 to 90 % of each clear, level 4, dispersion 1.5; the engine is asked look by look by the
rules of a verdict on half an alarm a year. Found: any alarm upwards within so many months of the change.
"""

import sys

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import Judgement, Remembered, SideInformation, judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import Memory
from benchmarks.baselines_study import VERDICT, asked
from benchmarks.baselines_unkind import noise

LEVEL, DISPERSION = 4.0, 1.5
HISTORIES = (0.5, 1.0, 3.0)
LOOKS_A_YEAR = (12, 20, 30)
TIMES = (1.0, 2.0, 3.65, 12.0)
MONTHS = (2, 3, 6)
_DAYS_A_MONTH = DAYS_A_YEAR / 12.0


def rising(said: Judgement) -> BoolArray:
    """The series of which any rule says that there is more than usual."""
    step = said.rulings["step"].of(Remembered).step
    found: BoolArray = said.rulings["tail"].fires | (said.rulings["step"].fires & (step.ratio > 1.0))
    return found


def watch(times: float, years: float, a_year: int, series: int, rng: np.random.Generator) -> FloatArray:
    """Months from the change to the first alarm [series] (infinite: none in half a year)."""
    looks = int(a_year * (years + 0.5))
    days = (np.arange(looks) + rng.uniform(0.1, 0.9, looks)) * (DAYS_A_YEAR / a_year)
    change = years * DAYS_A_YEAR
    exposure = rng.uniform(0.4, 0.9, (series, looks))
    counts = noise(LEVEL * exposure * np.where(days < change, 1.0, times), DISPERSION, rng)
    known = clean_looks(counts, exposure, kind="stock")
    promise, rules = FalseAlarmPromise(shares=shares_of(VERDICT)), asked(*VERDICT)
    memory: Memory | None = None
    found = np.full(series, np.inf)
    for at in range(int(np.searchsorted(days, change)), looks):
        said = judge_series(
            Series(days[: at + 1] - days[at], known.window(slice(0, at + 1))),
            promise,
            rules,
            SideInformation(memory=memory),
        )
        memory = said.rulings["step"].of(Remembered).memory
        now = rising(said) & np.isinf(found)
        found[now] = (days[at] - change) / _DAYS_A_MONTH
    return found


def main() -> None:
    """Print the table."""
    given = [int(each) for each in sys.argv[1:] if each.isdigit()]
    series, seed = (*given, *(200, 41)[len(given) :])
    months = "".join(f"{f'{each} months':>10}" for each in MONTHS)
    print(f"level {LEVEL:g}, dispersion {DISPERSION:g}, {series} series a row, seed {seed}; simulated")
    print(f"{'looks a year':>13}{'history (years)':>17}{'times':>7}{months}")
    for a_year in LOOKS_A_YEAR:
        for years in HISTORIES:
            for times in TIMES:
                rng = np.random.default_rng([seed, a_year, int(10 * years), int(100 * times)])
                found = watch(times, years, a_year, series, rng)
                shares = "".join(f"{float((found <= each).mean()):>10.2f}" for each in MONTHS)
                print(f"{a_year:>13}{years:>17g}{times:>7g}{shares}", flush=True)


if __name__ == "__main__":
    main()
