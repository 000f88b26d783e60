"""Time and compare Farrington flexible with R's surveillance in one run, on our own simulated series.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_compare_r [series for R]
Both sides in processor time, which a crowded machine stretches less. Ours judges all 840 series of a week in one
batch (the best of three rounds over the weeks), R some of them, because it takes a second for every hundred points.
Needs Rscript with the package surveillance (Debian: r-base-core r-cran-surveillance r-cran-msm r-recommended).
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alerts.baselines.farrington import FarringtonOptions, judge_week
from benchmarks.baselines_simulation import FIRST, LAST, FloatArray, simulate

_SCRIPT = """
suppressMessages(library(surveillance))
args <- commandArgs(TRUE)
counts <- as.matrix(read.csv(args[1], header = FALSE))
series <- sts(counts, start = c(2000, 1), frequency = 52)
control <- list(range = 576:624, b = 5, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, reweight = TRUE,
  weightsThreshold = 2.58, trend = TRUE, thresholdMethod = "nbPlugin", pThresholdTrend = 1, alpha = 0.005,
  limit54 = c(0, 4), verbose = FALSE)
began <- proc.time()[["user.self"]]
answer <- suppressWarnings(farringtonFlexible(series, control = control))
cat(proc.time()[["user.self"]] - began, "\\n")
write.table(upperbound(answer), args[2], row.names = FALSE, col.names = FALSE, sep = ",")
"""

_ROUNDS = 3


def in_r(rscript: str, counts: FloatArray) -> tuple[FloatArray, float]:
    """R's bounds [series, week] and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        script, given, taken = (Path(folder) / name for name in ("run.R", "in.csv", "out.csv"))
        script.write_text(_SCRIPT)
        np.savetxt(given, counts.T, fmt="%d", delimiter=",")
        run = subprocess.run(
            [rscript, str(script), str(given), str(taken)], check=True, capture_output=True, text=True
        )
        return np.loadtxt(taken, delimiter=",", ndmin=2).T, float(run.stdout.split()[-1])


def main() -> None:
    """Print both times, their ratio and the worst difference."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        print(
            "Rscript is not installed, so R was not timed; the recorded answers in shared data still are compared."
        )
        return
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 42
    counts = simulate(20, seed=5).null
    seconds, ours = min((_ours(counts) for _ in range(_ROUNDS)), key=lambda each: each[0])
    some = slice(None, None, len(counts) // wanted)
    theirs, r_seconds = in_r(rscript, counts[some])
    ms, r_ms = seconds / ours.size * 1e3, r_seconds / theirs.size * 1e3
    print(f"ours {ms:.3f} ms a point ({ours.size} points), R {r_ms:.2f} ms ({theirs.size} points)")
    print(f"ratio {r_ms / ms:.0f}, worst difference of a bound {np.abs(ours[some] - theirs).max():g}")


def _ours(counts: FloatArray) -> tuple[float, FloatArray]:
    """Seconds of processor time, and the bounds [series, week]."""
    began = time.process_time()
    ones = np.ones_like(counts)
    bounds = [judge_week(counts, ones, week, FarringtonOptions()).upper for week in range(FIRST - 1, LAST)]
    return time.process_time() - began, np.stack(bounds, axis=1)


if __name__ == "__main__":
    main()
