"""Time and compare Farrington flexible with R's surveillance in one run, on our own simulated series.

Run: python -m benchmarks.baselines_compare_r [series]
Needs Rscript with the package surveillance (Debian: r-base-core r-cran-surveillance r-cran-msm r-recommended).
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alerts.baselines.farrington import Options, judge_week
from benchmarks.baselines_simulation import FIRST, LAST, FloatArray, simulate

_SCRIPT = """
suppressMessages(library(surveillance))
args <- commandArgs(TRUE)
counts <- as.matrix(read.csv(args[1], header = FALSE))
series <- sts(counts, start = c(2000, 1), frequency = 52)
control <- list(range = 576:624, b = 5, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, reweight = TRUE,
  weightsThreshold = 2.58, trend = TRUE, thresholdMethod = "nbPlugin", pThresholdTrend = 1, alpha = 0.005,
  limit54 = c(0, 4), verbose = FALSE)
began <- proc.time()[["elapsed"]]
answer <- suppressWarnings(farringtonFlexible(series, control = control))
cat(proc.time()[["elapsed"]] - began, "\\n")
write.table(upperbound(answer), args[2], row.names = FALSE, col.names = FALSE, sep = ",")
"""


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
    counts = simulate(20, seed=5).null[:: 840 // wanted]
    began = time.perf_counter()
    ours = np.stack(
        [judge_week(counts, np.ones_like(counts), week, Options()).upper for week in range(FIRST - 1, LAST)],
        axis=1,
    )
    seconds = time.perf_counter() - began
    theirs, r_seconds = in_r(rscript, counts)
    points = ours.size
    print(
        f"{points} points: ours {seconds / points * 1e3:.3f} ms, R {r_seconds / points * 1e3:.2f} ms a point"
    )
    print(f"ratio {r_seconds / seconds:.0f}, worst difference of a bound {np.abs(ours - theirs).max():g}")


if __name__ == "__main__":
    main()
