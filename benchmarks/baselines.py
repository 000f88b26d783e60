"""Everything that is promised of the baselines, measured by one command.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines ../shared/data
An hour on two cores; each part also runs alone (`python -m benchmarks.baselines_study` and so on).
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    baselines_agreement,
    baselines_aircraft,
    baselines_compare_r,
    baselines_daily,
    baselines_judgeable,
    baselines_judging,
    baselines_measured,
    baselines_pipeline,
    baselines_sparse,
    baselines_speed,
    baselines_steps,
    baselines_study,
    baselines_unkind,
)

PARTS: dict[str, Callable[[], None]] = {
    "Agreement with R's surveillance, 420 series": baselines_agreement.main,
    "Simulation study, 42 scenarios": baselines_study.main,
    "False alarms in worlds that are not kind": baselines_unkind.main,
    "Places that are seldom seen": baselines_sparse.main,
    "Real Sentinel-2 looks at 15 airports": baselines_aircraft.main,
    "Simulated daily flows": baselines_daily.main,
    "What is measured": baselines_measured.main,
    "Steps": baselines_steps.main,
    "The rules as they run: promise and realised rate by backtest": baselines_pipeline.main,
    "Judgeability": baselines_judgeable.main,
    "Speed": baselines_speed.main,
    "Judging records as they come": baselines_judging.main,
    "Speed beside R": baselines_compare_r.main,
}


def main() -> None:
    """Run every part."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("Say where the shared data is: python -m benchmarks.baselines ../shared/data")
    for title, part in PARTS.items():
        print(f"\n== {title}", flush=True)
        part()


if __name__ == "__main__":
    main()
