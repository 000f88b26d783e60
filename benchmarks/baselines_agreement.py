"""How far our Farrington flexible and EARS differ from R's surveillance on the same series.

python benchmarks/baselines_agreement.py ../shared/data
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alerts.baselines.ears import ears
from alerts.baselines.farrington import FarringtonOptions, farrington_threshold, judge_week
from alerts.baselines.model import clean_looks
from benchmarks.baselines_data import FIRST_WEEK, LAST_WEEK, FloatArray, FromR, Simulated, from_r, simulated

METHODS = {
    "FF_noufaily_005": FarringtonOptions(alpha=0.005),
    "FF_delta_01": FarringtonOptions(
        alpha=0.01, threshold_method="delta", p_threshold_trend=0.05, compat="surveillance"
    ),
}
_WEEKS = range(FIRST_WEEK - 1, LAST_WEEK)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Worst relative differences over all points, and how many alarms differ."""

    method: str
    points: int
    bound: float
    p: float
    alarms: int
    ms_a_point: float

    def line(self) -> str:
        """One line of the table."""
        return (
            f"{self.method:<18}{self.points:>8}{self.bound:>12.1e}{self.p:>12.1e}{self.alarms:>9}"
            f"{self.ms_a_point:>10.3f}"
        )


HEAD = f"{'method':<18}{'points':>8}{'bound':>12}{'p':>12}{'alarms':>9}{'ms/point':>10}"


def _worst(ours: FloatArray, theirs: FloatArray) -> float:
    both = np.isfinite(theirs)
    if not both.any():
        return 0.0
    return float(np.max(np.abs(ours - theirs)[both] / np.maximum(np.abs(theirs[both]), 1e-300)))


def farrington(series: Simulated, theirs: FromR, method: str) -> Agreement:
    """Judge all 49 weeks of all series, both variants."""
    began = time.perf_counter()
    weeks = [_week(series, week, METHODS[method]) for week in _WEEKS]
    ms = (time.perf_counter() - began) * 1e3 / theirs.alarm.size
    bound, p = (np.stack([week[part] for week in weeks], axis=2) for part in (0, 1))
    today = np.stack([version[:, FIRST_WEEK - 1 :] for version in (series.null, series.outbreak)])
    differ = int((((today > bound) & (today > 0)) != (theirs.alarm == 1)).sum())
    return Agreement(method, bound.size, _worst(bound, theirs.bound), _worst(p, theirs.p), differ, ms)


def _week(series: Simulated, week: int, options: FarringtonOptions) -> tuple[FloatArray, FloatArray]:
    """Bounds and p [variant, series]; series whose reference the outbreak has not reached are fitted once."""
    ones = np.ones_like(series.null)
    null = judge_week(series.null, ones, week, options)
    today = series.outbreak[:, week]
    upper, p = farrington_threshold(today, null.expected, null.se_log_mean, null.dispersion, options)
    reached = (series.outbreak[:, : week - 26] != series.null[:, : week - 26]).any(axis=1)
    if reached.any():
        other = judge_week(series.outbreak[reached], ones[reached], week, options)
        upper[reached], p[reached] = other.upper, other.p
    return np.stack([null.upper, upper]), np.stack([null.p, p])


def ears_agreement(series: Simulated, theirs: FromR, method: str) -> Agreement:
    """C1 and C2 with the package's settings: α .01, no least standard deviation."""
    counts = np.concatenate([series.null, series.outbreak])
    began = time.perf_counter()
    answer = ears(clean_looks(counts), "C1" if method.endswith("C1") else "C2", 0.01, least_sd=0.0)
    ms = (time.perf_counter() - began) * 1e3 / counts.size
    shape = theirs.bound.shape
    bound = answer.bound[:, FIRST_WEEK - 1 :].reshape(shape)
    alarm = answer.alarm[:, FIRST_WEEK - 1 :].reshape(shape)
    differ = int((alarm != (theirs.alarm == 1)).sum())
    # A bound of zero has no relative difference; its absolute one is shown.
    both = np.where(theirs.bound == 0, np.where(bound == 0, np.nan, 0.0), theirs.bound)
    return Agreement(method, alarm.size, _worst(bound, both), 0.0, differ, ms)


def agreements(data: Path) -> list[Agreement]:
    """All comparisons."""
    series = simulated(data)
    theirs = from_r(data, series)
    return [
        *(farrington(series, theirs[method], method) for method in METHODS),
        *(ears_agreement(series, theirs[name], name) for name in ("EARS_C1", "EARS_C2")),
    ]


def main() -> None:
    """Print the table."""
    print(HEAD)
    for agreement in agreements(Path(sys.argv[1])):
        print(agreement.line())


if __name__ == "__main__":
    main()
