"""How long 100,000 series of five years take under the default rules, by the clock in two processes, and Farrington a point.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_speed [series]
Weekly looks, 261 of them, then a tenth as many series of 1,826 days. The two workers share the cores already; threads
inside the matrix products would only spin. Where others use the cores, the clock says little: the longer of the two processes' own processor times
is what the clock would say on two free cores. R7 works from its stored state, as live judging does; learning that state
from nothing is timed apart.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import Judgement, SideInformation, judge_series
from alerts.baselines.farrington import FarringtonOptions, judge_week
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.step import Memory, alarm_at, fresh_step_state, learn
from benchmarks.baselines_study import VERDICT, asked

WEEKS, DAYS = 261, 1_826
WORKERS = 2
CHUNK, DAILY_CHUNK = 1000, 250
"""Series judged at once: what stays near the cache."""
_R_MS_A_POINT = "6.0-7.9"

PROMISE = FalseAlarmPromise(shares=shares_of(VERDICT))


def make(series: int, looks: int = WEEKS, step_days: float = 7.0, seed: int = 1) -> Series:
    """Series of mixed level with a season, one look in ten hidden, the rest exposed by 0.5 to 1."""
    rng = np.random.default_rng(seed)
    year = 2.0 * np.pi * step_days * np.arange(looks) / 365.25
    level = np.exp(rng.normal(0.5, 1.2, (series, 1)))
    exposure = np.where(rng.random((series, looks)) < 0.1, np.nan, rng.uniform(0.5, 1.0, (series, looks)))
    mean = level * np.exp(0.4 * np.cos(year)) * np.nan_to_num(exposure, nan=0.1)
    counts = rng.negative_binomial(mean, 0.5).astype(np.float64)
    days = step_days * np.arange(1.0 - looks, 1.0)
    return Series(days, clean_looks(counts, exposure), daily=step_days == 1.0, period_days=step_days)


def part(series: Series, at: int, size: int) -> Series:
    """Some of the series."""
    return replace(series, looks=series.looks.rows(slice(at, at + size)))


def told(series: Series, memory: Memory) -> Judgement:
    """The default rules, as the live line asks them."""
    return judge_series(series, PROMISE, asked(*VERDICT), SideInformation(memory=memory))


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds for all series: by the clock, of processor time of each worker, and the verdicts that fired."""

    wall: float
    processor: tuple[float, ...]
    fired: int


def timed(series: Series, memories: Sequence[Memory], chunk: int) -> Timed:
    """Judge the newest look of all series, every second chunk in each of two processes."""
    starts = range(0, len(series.looks.counts), chunk)
    jobs = [(part(series, at, chunk), memory) for at, memory in zip(starts, memories, strict=True)]
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    # Forked, so that the series need not be sent.
    workers = [
        context.Process(target=_work, args=(jobs[n::WORKERS], answers))
        for n in range(min(WORKERS, len(jobs)))
    ]
    began = time.perf_counter()
    for each in workers:
        each.start()
    found = [answers.get() for _ in workers]
    wall = time.perf_counter() - began
    for each in workers:
        each.join()
    return Timed(wall, tuple(spent for spent, _ in found), sum(fired for _, fired in found))


def _work(
    jobs: Sequence[tuple[Series, Memory]], answers: "multiprocessing.SimpleQueue[tuple[float, int]]"
) -> None:
    began = time.process_time()
    fired = sum(int(told(*job).fires.sum()) for job in jobs)
    answers.put((time.process_time() - began, fired))


def _told(what: str, series: int, found: Timed, whole: int) -> str:
    times = whole / series
    each = " and ".join(f"{spent * times:.1f}" for spent in found.processor)
    return (
        f"{what}: {found.wall * times:.1f} s by the clock for {whole} series in {len(found.processor)} processes, {each} s of processor "
        f"time each ({series} judged, {found.fired} verdicts fired)"
    )


def main(series: int = 100_000) -> None:
    """Print times and ratios."""
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    weeks = make(series)
    began = time.perf_counter()
    memories = []
    for at in range(0, series, CHUNK):
        some = part(weeks, at, CHUNK)
        memories.append(learn(some, alarm_at(some, PROMISE.a_year("step"))))
    learning = time.perf_counter() - began
    print(_told("default rules, 261 weekly looks", series, timed(weeks, memories, CHUNK), series))
    print(f"  learning R7's state from {WEEKS - 1} looks: {learning:.1f} s on one thread")
    few = max(1, series // 10)
    days = make(few, DAYS, 1.0, seed=2)
    blank = [
        Memory(DAYS - 1, fresh_step_state(min(DAILY_CHUNK, few - at))) for at in range(0, few, DAILY_CHUNK)
    ]
    print(_told("default rules, 1,826 daily looks", few, timed(days, blank, DAILY_CHUNK), series))
    rng = np.random.default_rng(2)
    counts = rng.poisson(4.0, (840, 330)).astype(np.float64)
    cpu = time.process_time()
    judge_week(counts, np.ones_like(counts), 329, FarringtonOptions())
    cpu = (time.process_time() - cpu) / 840 * 1e3
    print(
        f"Farrington flexible: {cpu:.3f} ms a point of processor time, batched by 840 (R: {_R_MS_A_POINT} ms)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 100_000)
