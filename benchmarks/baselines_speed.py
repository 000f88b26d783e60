"""How long 100,000 series of five years take under the default rules, by the clock on two threads, and Farrington a point.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_speed [series]
Weekly looks, 261 of them, then a tenth as many series of 1,826 days. The two workers share the cores already; threads
inside the matrix products would only spin. R7 works from its stored state, as live judging does; learning that state
from nothing is timed apart.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from alerts.baselines.defaults import Judgement, judge
from alerts.baselines.farrington import Options, judge_week
from alerts.baselines.model import Looks, observe
from alerts.baselines.step import StepState, fresh_state, replay
from alerts.baselines.tail_daily import daily

WEEKS, DAYS = 261, 1_826
WORKERS = 2
CHUNK, DAILY_CHUNK = 1000, 250
"""Series judged at once: what stays near the cache."""
_R_MS_A_POINT = "6.0-7.9"

Judge = Callable[[Looks, StepState], Judgement]


def make(series: int, looks: int = WEEKS, step_days: float = 7.0, seed: int = 1) -> Looks:
    """Series of mixed level with a season, one look in ten hidden, the rest exposed by 0.5 to 1."""
    rng = np.random.default_rng(seed)
    year = 2.0 * np.pi * step_days * np.arange(looks) / 365.25
    level = np.exp(rng.normal(0.5, 1.2, (series, 1)))
    exposure = np.where(rng.random((series, looks)) < 0.1, np.nan, rng.uniform(0.5, 1.0, (series, looks)))
    mean = level * np.exp(0.4 * np.cos(year)) * np.nan_to_num(exposure, nan=0.1)
    return observe(rng.negative_binomial(mean, 0.5).astype(np.float64), exposure)


def weekly(looks: Looks, state: StepState) -> Judgement:
    """The default rules on weekly looks."""
    return judge(looks, 7.0 * np.arange(WEEKS), state)


def by_day(looks: Looks, state: StepState) -> Judgement:
    """The default rules on daily looks: the tail expects by the newest eight weeks and the day of the week."""
    days = np.arange(looks.counts.shape[1])
    expectation, _ = daily(looks, days)
    return judge(looks, days.astype(np.float64), state, expectation=expectation)


def timed(looks: Looks, states: Sequence[StepState], chunk: int, rules: Judge) -> tuple[float, float, int]:
    """Seconds by the clock and of processor time to judge the newest look of all series, and the verdicts that fired."""
    jobs = [
        (looks.rows(slice(at, at + chunk)), state)
        for at, state in zip(range(0, len(looks.counts), chunk), states, strict=True)
    ]
    wall, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(WORKERS) as pool:
        fired = sum(pool.map(lambda job: int(rules(*job).verdict.fires.sum()), jobs))
    return time.perf_counter() - wall, time.process_time() - processor, fired


def _told(what: str, series: int, found: tuple[float, float, int], whole: int) -> str:
    wall, processor, fired = found
    return (
        f"{what}: {wall:.2f} s by the clock on {WORKERS} threads ({processor:.1f} s of processor time) for {series} series, "
        f"{wall / series * whole:.1f} s for {whole}; {fired} verdicts fired"
    )


def main(series: int = 100_000) -> None:
    """Print times and ratios."""
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    looks = make(series)
    began = time.perf_counter()
    starts = range(0, series, CHUNK)
    states = [replay(looks.past.rows(slice(at, at + CHUNK)), 416.0)[0] for at in starts]
    learning = time.perf_counter() - began
    print(_told("default rules, 261 weekly looks", series, timed(looks, states, CHUNK, weekly), series))
    print(f"  learning R7's state from {WEEKS - 1} looks: {learning:.1f} s on one thread")
    few = max(1, series // 10)
    days = make(few, DAYS, 1.0, seed=2)
    fresh = [fresh_state(len(days.counts[at : at + DAILY_CHUNK])) for at in range(0, few, DAILY_CHUNK)]
    print(_told("default rules, 1,826 daily looks", few, timed(days, fresh, DAILY_CHUNK, by_day), series))
    rng = np.random.default_rng(2)
    counts = rng.poisson(4.0, (840, 330)).astype(np.float64)
    cpu = time.process_time()
    judge_week(counts, np.ones_like(counts), 329, Options())
    cpu = (time.process_time() - cpu) / 840 * 1e3
    print(
        f"Farrington flexible: {cpu:.3f} ms a point of processor time, batched by 840 (R: {_R_MS_A_POINT} ms)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 100_000)
