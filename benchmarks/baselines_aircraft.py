"""Real Sentinel-2 looks at 15 airports: false alarms before 2020 and the collapse of March 2020.

Run: python -m benchmarks.baselines_aircraft ../shared/data
The exposure-aware rules fold datatakes of one pass, gate what was hardly seen and scale by what was seen; the
naive reading takes every row as a whole observation.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from alerts.baselines.absence import judge_absence
from alerts.baselines.calibrate import rate_interval
from alerts.baselines.model import Looks, fold, observe
from alerts.baselines.step import fresh_state, update
from alerts.baselines.tail import judge_tail
from alerts.baselines.tail_weekly import seasonal
from benchmarks.baselines_data import FloatArray, Scenes, aircraft

_DAY_S = 86_400.0
_YEAR = 365.25
QUIET_FROM, QUIET_TO = datetime(2016, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
COLLAPSE = datetime(2020, 3, 16, tzinfo=UTC)
WATCHED_TO = datetime(2020, 6, 30, tzinfo=UTC)
ALPHA = 0.005
FALSE_ALARMS_A_YEAR = 0.5


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
    state = fresh_state(1)
    high = low_before = judged = 0
    found = np.inf
    for column in range(len(days)):
        at = days[column]
        if at > end:
            break
        known = looks.window(slice(0, column + 1))
        a_year = _looks_a_year(known, days[: column + 1])
        state, step = update(state, known.window(slice(-1, None)), a_year / (FALSE_ALARMS_A_YEAR * 0.5))
        if at < quiet[0]:
            continue
        expectation = seasonal(known, days[: column + 1])
        tail = judge_tail(known, expectation, ALPHA)
        low_alpha = FALSE_ALARMS_A_YEAR * 0.25 / a_year
        low = judge_tail(known, expectation, low_alpha, "low").answers.fires[0]
        absence = judge_absence(known, a_year, FALSE_ALARMS_A_YEAR * 0.25).answers.fires[0]
        fell = step.answers.fires[0] and step.ratio[0] < 1
        any_low = bool(low or absence or fell)
        if at < quiet[1]:
            judged += int(tail.answers.say(0) == "evaluated")
            high += int(tail.answers.fires[0])
            low_before += int(any_low)
        elif at >= collapse and any_low:
            found = min(found, float(at - collapse))
    return Airport(scenes.airport, judged, high, found, low_before, (quiet[1] - quiet[0]) / _YEAR)


def _looks(scenes: Scenes, *, aware: bool) -> tuple[FloatArray, Looks]:
    times = np.array([moment.timestamp() for moment in scenes.times])
    if not aware:
        return times / _DAY_S, observe(scenes.counts, kind="flow")
    folded, counts, exposure = fold(times, scenes.counts, scenes.exposure)
    # Aircraft in flight in one frame: the expected number grows with the area seen, so counts scale like a flow.
    return folded / _DAY_S, observe(counts, exposure, kind="stock")


def _looks_a_year(known: Looks, days: FloatArray) -> float:
    recent = known.member[0] & (days > days[-1] - _YEAR)
    return max(10.0, float(recent.sum()))


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
