"""How long 100,000 series of five years of weekly looks take under the default rules, and Farrington a point.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_speed [series]
The two workers share the cores already; threads inside the matrix products would only spin.
R7 works from its stored state, as live judging does; learning that state from nothing is timed apart.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from alerts.baselines.defaults import judge
from alerts.baselines.farrington import Options, judge_week
from alerts.baselines.model import Looks, observe
from alerts.baselines.step import StepState, replay

WEEKS = 261
WORKERS = 2
CHUNK = 1000
_R_MS_A_POINT = "6.0-7.9"


def make(series: int, seed: int = 1) -> Looks:
    """Series of mixed level with a season, one look in ten hidden, the rest exposed by 0.5 to 1."""
    rng = np.random.default_rng(seed)
    week = np.arange(WEEKS)
    level = np.exp(rng.normal(0.5, 1.2, (series, 1)))
    exposure = np.where(rng.random((series, WEEKS)) < 0.1, np.nan, rng.uniform(0.5, 1.0, (series, WEEKS)))
    mean = level * np.exp(0.4 * np.cos(2 * np.pi * week / 52.18)) * np.nan_to_num(exposure, nan=0.1)
    return observe(rng.negative_binomial(mean, 0.5).astype(np.float64), exposure)


def default_rules(looks: Looks, states: list[StepState], workers: int = WORKERS) -> float:
    """Seconds to judge the newest look of all series, in chunks that stay in the cache."""
    days = 7.0 * np.arange(WEEKS)
    starts = range(0, len(looks.counts), CHUNK)
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        fired = list(
            pool.map(
                lambda job: judge(
                    looks.rows(slice(job[0], job[0] + CHUNK)), days, job[1]
                ).verdict.fires.sum(),
                zip(starts, states, strict=True),
            )
        )
    seconds = time.perf_counter() - began
    print(f"{int(sum(fired))} verdicts of {len(looks.counts)} series fired")
    return seconds


def main(series: int = 100_000) -> None:
    """Print times and ratios."""
    looks = make(series)
    began = time.perf_counter()
    states = [replay(looks.past.rows(slice(at, at + CHUNK)), 416.0)[0] for at in range(0, series, CHUNK)]
    learning = time.perf_counter() - began
    cpu = time.process_time()
    seconds = default_rules(looks, states)
    cpu = time.process_time() - cpu
    print(f"default rules: {seconds:.1f} s for {series} series, {seconds / series * 1e3:.4f} ms each,")
    print(
        f"  {cpu:.1f} s of processor time, {cpu / WORKERS:.1f} s a core: {1e5 / series * cpu / WORKERS / 10:.2f} of the "
        "10 s that 100,000 may take on two idle cores"
    )
    print(f"learning R7's state from {WEEKS - 1} looks: {learning:.1f} s")
    rng = np.random.default_rng(2)
    counts = rng.poisson(4.0, (840, 330)).astype(np.float64)
    cpu = time.process_time()
    judge_week(counts, np.ones_like(counts), 329, Options())
    cpu = (time.process_time() - cpu) / 840 * 1e3
    print(
        f"Farrington flexible: {cpu:.3f} ms a point of processor time, batched by 840 (R: {_R_MS_A_POINT} ms)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
