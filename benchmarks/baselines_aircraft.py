"""Real Sentinel-2 looks at 15 airports: false alarms before 2020 and the collapse of March 2020.

Run: python -m benchmarks.baselines_aircraft ../shared/data
The engine of verdicts is asked look by look: R2 on the high side at a promise of its own, and R2 on the low side, R6 and
R7 on half an alarm a year. The exposure-aware rules fold datatakes of one pass, gate what was hardly seen and scale by what was seen; the
naive reading takes every row as a whole observation.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise
from alerts.baselines.calibrate import rate_interval
from alerts.baselines.engine import Remembered, SideInformation, judge_series
from alerts.baselines.model import DAYS_A_YEAR, Looks, Series, clean_looks, merge_near_looks
from alerts.baselines.step import Memory
from alerts.baselines.usual import usual_count
from benchmarks.baselines_data import FloatArray, Scenes, aircraft
from benchmarks.baselines_study import asked
from monitor.bootstrap import RULES

_DAY_S = 86_400.0
QUIET_FROM, QUIET_TO = datetime(2016, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
COLLAPSE = datetime(2020, 3, 16, tzinfo=UTC)
WATCHED_TO = datetime(2020, 6, 30, tzinfo=UTC)
ALPHA = 0.005
FALSE_ALARMS_A_YEAR = 0.5
_BUDGET = dict.fromkeys(("notify", "urgent", "digest"), FALSE_ALARMS_A_YEAR)
LOW = FalseAlarmPromise(_BUDGET, {"tail": 0.25, "absence": 0.25, "step": 0.5})
"""Shares of the rules that look downwards; both directions of R7 have one share together."""


@dataclass(frozen=True, slots=True)
class Airport:
    """What the rules said of one airport."""

    name: str
    looks: int
    high_alarms: int
    found_after_days: float
    """Days from 2020-03-16 to the first alarm on the low side; infinite if none."""
    low_before: int
    """Alarms on the low side in 2016 to 2019."""
    years: float


def judge_airport(scenes: Scenes, *, aware: bool, quiet_from: datetime = QUIET_FROM) -> Airport:
    """Replay one airport look by look: R2 on both sides, R6 and R7 downwards; judged from `quiet_from` on."""
    days, looks = _looks(scenes, aware=aware)
    quiet = [(moment - datetime(1970, 1, 1, tzinfo=UTC)).days for moment in (quiet_from, QUIET_TO)]
    collapse = (COLLAPSE - datetime(1970, 1, 1, tzinfo=UTC)).days
    end = (WATCHED_TO - datetime(1970, 1, 1, tzinfo=UTC)).days
    memory: Memory | None = None
    high = low_before = judged = 0
    found = np.inf
    for column in range(len(days)):
        at = days[column]
        if at > end:
            break
        known = Series(days[: column + 1] - at, looks.window(slice(0, column + 1)))
        if at < quiet[0]:
            continue
        what = usual_count(known)
        rules = {**asked("absence", "step"), "tail": {**RULES["tail"].defaults, "sides": "low"}}
        down = judge_series(known, LOW, rules, SideInformation(memory=memory, usual=what)).rulings
        step = down["step"].of(Remembered)
        memory = step.memory
        fell = down["step"].fires[0] and step.step.ratio[0] < 1
        any_low = bool(down["tail"].fires[0] or down["absence"].fires[0] or fell)
        if at < quiet[1]:
            up = judge_series(known, _promised(known), asked("tail"), SideInformation(usual=what)).rulings[
                "tail"
            ]
            judged += int(up.answers.say(0) == "evaluated")
            high += int(up.fires[0])
            low_before += int(any_low)
        elif at >= collapse and any_low:
            found = min(found, float(at - collapse))
    return Airport(scenes.airport, judged, high, found, low_before, (quiet[1] - quiet[0]) / DAYS_A_YEAR)


def _promised(known: Series) -> FalseAlarmPromise:
    """A promise that leaves R2 alone `ALPHA` a look."""
    whole = ALPHA * float(known.a_year[0])
    return FalseAlarmPromise(dict.fromkeys(("notify", "urgent", "digest"), whole), {"tail": 1.0})


def _looks(scenes: Scenes, *, aware: bool) -> tuple[FloatArray, Looks]:
    times = np.array([moment.timestamp() for moment in scenes.times])
    if not aware:
        return times / _DAY_S, clean_looks(scenes.counts, kind="flow")
    folded, counts, exposure = merge_near_looks(times, scenes.counts, scenes.exposure)
    # Aircraft in flight in one frame: the expected number grows with the area seen, so counts scale like a flow.
    return folded / _DAY_S, clean_looks(counts, exposure, kind="stock")


def table(airports: list[Airport]) -> list[str]:
    """Lines to print."""
    lines = [f"{'airport':<9}{'looks':>7}{'high':>6}{'low':>5}{'found after (days)':>20}"]
    lines += [
        f"{each.name:<9}{each.looks:>7}{each.high_alarms:>6}{each.low_before:>5}{each.found_after_days:>20.1f}"
        for each in airports
    ]
    looks, high = sum(each.looks for each in airports), sum(each.high_alarms for each in airports)
    years = sum(each.years for each in airports)
    low = sum(each.low_before for each in airports)
    found = [each.found_after_days for each in airports if np.isfinite(each.found_after_days)]
    lower, upper = rate_interval(low, years)
    median = float(np.median(found)) if found else float("nan")
    lines += [
        f"high-side alarms a look before 2020: {high / max(1, looks):.4f} (promised {ALPHA})",
        f"low-side alarms a site-year then: {low / years:.2f} [{lower:.2f}, {upper:.2f}] (promised {FALSE_ALARMS_A_YEAR})",
        f"collapse found at {len(found)} of {len(airports)} airports, median delay {median:.0f} days",
    ]
    return lines


def main() -> None:
    """Print both readings."""
    data = Path(sys.argv[1])
    for aware in (True, False):
        print("exposure-aware" if aware else "naive: every row is a whole observation")
        print("\n".join(table([judge_airport(scenes, aware=aware) for scenes in aircraft(data)])))


if __name__ == "__main__":
    main()
