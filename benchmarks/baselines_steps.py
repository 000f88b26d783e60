"""R7 on its own promise: how often steady series alarm, and how soon a doubling and a tripling are told.

Run: python -m benchmarks.baselines_steps [series]
The engine is asked look by look, with what it remembers, by `step` alone and half an alarm a site-year. It learns while it
watches; what is counted begins after 260 looks, and so does a change.
"""

import sys
from dataclasses import dataclass

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise
from alerts.baselines.calibrate import rate_interval
from alerts.baselines.engine import Remembered, SideInformation, judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import Memory
from benchmarks.baselines_study import asked

FALSE_ALARMS_A_YEAR = 0.5
LEARNT = 260
WATCHED = {7.0: 520, 1.0: 730}
"""Looks watched afterwards, by the days between looks."""
LEVELS = ((0.2, 1.5), (2.0, 1.5), (10.0, 3.0))
"""Mean and dispersion."""
_AFTER = 150


@dataclass(frozen=True, slots=True)
class Steps:
    """Alarms [series, looks], and on which of them the rate is said to have risen."""

    fires: BoolArray
    rising: BoolArray


def watch(counts: FloatArray, step_days: float) -> Steps:
    """Ask about every look, from the first on."""
    looks = clean_looks(counts)
    promise = FalseAlarmPromise(
        dict.fromkeys(("notify", "urgent", "digest"), FALSE_ALARMS_A_YEAR), {"step": 1.0}
    )
    fires, rising = np.zeros((2, *counts.shape), dtype=bool)
    memory: Memory | None = None
    for look in range(counts.shape[1]):
        days = step_days * np.arange(-float(look), 1.0)
        series = Series(days, looks.window(slice(0, look + 1)), period_days=step_days)
        said = judge_series(series, promise, asked("step"), SideInformation(memory=memory)).rulings["step"]
        found = said.of(Remembered)
        memory = found.memory
        fires[:, look], rising[:, look] = said.fires, found.step.ratio > 1.0
    return Steps(fires, rising)


def noise(rng: np.random.Generator, mean: FloatArray, phi: float) -> FloatArray:
    """Negative binomial counts with this dispersion."""
    return rng.negative_binomial(mean / (phi - 1.0), 1.0 / phi).astype(np.float64)


def main() -> None:
    """Print realised rates and delays."""
    series = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 200
    rng = np.random.default_rng(23)
    for step_days, watched in WATCHED.items():
        for mean, phi in LEVELS:
            steady = watch(noise(rng, np.full((series, LEARNT + watched), mean), phi), step_days).fires
            alarms, years = int(steady[:, LEARNT:].sum()), series * watched * step_days / DAYS_A_YEAR
            low, high = rate_interval(alarms, years)
            told = [
                f"every {step_days:g} days, mean {mean:g}: {alarms / years:.2f} a site-year [{low:.2f}, {high:.2f}]"
            ]
            for times in (2.0, 3.0):
                level = np.where(np.arange(LEARNT + _AFTER) < LEARNT, mean, times * mean)
                found = watch(noise(rng, np.tile(level, (series, 1)), phi), step_days)
                hit = (found.fires & found.rising)[:, LEARNT:]
                delay = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, np.inf)
                told.append(f"×{times:g} told after a median of {np.median(delay):.0f} looks")
            print("; ".join(told), flush=True)


if __name__ == "__main__":
    main()
