"""Which past weeks count as reference, and at what season: Farrington flexible's windows and levels (Noufaily 2013)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from alerts.baselines.special import FloatArray, IntArray

WEEKS_A_YEAR = 52


@dataclass(frozen=True, slots=True)
class ReferenceWeeks:
    """Reference weeks (indices, oldest first) and each one's seasonal level; the judged week has the last level."""

    weeks: IntArray
    levels: IntArray
    years: int

    def design(self, now: int) -> FloatArray:
        """Trend (years before `now`) and one column a level; the judged week is (0, 0 … 0, 1)."""
        trend = (self.weeks - now) / WEEKS_A_YEAR
        count = int(self.levels.max(initial=0)) + 1
        return np.column_stack([trend, self.levels[:, None] == np.arange(count)]).astype(float)


def anniversaries_by_weeks(now: int, years: int) -> tuple[int, ...]:
    """The same week of the last `years` years, counted back by 52 weeks, newest first."""
    return tuple(now - WEEKS_A_YEAR * j for j in range(1, years + 1))


def anniversaries_by_date(days: Sequence[date], now: int, years: int) -> tuple[int, ...]:
    """The weeks whose day is the same weekday nearest the calendar anniversary (29 February: 1 March).

    `days` are the consecutive weeks' days; anniversaries before the first are left out.
    """
    found = []
    for j in range(1, years + 1):
        today = days[now]
        if (today.month, today.day) == (2, 29):
            target = date(today.year - j, 3, 1)
        else:
            target = today.replace(year=today.year - j)
        ahead = (today.weekday() - target.weekday()) % 7
        nearest = target + timedelta(days=ahead if ahead <= 3 else ahead - 7)  # noqa: PLR2004 - half a week
        weeks_back = (today - nearest).days // 7
        if now - weeks_back >= 0:
            found.append(now - weeks_back)
    return tuple(found)


def reference_weeks(
    now: int, anniversaries: Sequence[int], half_window: int, periods: int, weeks_excluded: int
) -> ReferenceWeeks:
    """Weeks from the oldest window to the newest week not excluded, with their levels.

    Weeks within `half_window` of an anniversary or of now share the last level. Each stretch between two such
    windows is cut into `periods - 1` blocks numbered forward, the first ones a week longer where it does not
    divide. With one period only the windows are used. Anniversaries whose window is not whole are left out.
    """
    whole = sorted(week for week in anniversaries if week - half_window >= 0)
    last = now - weeks_excluded - 1
    weeks: list[int] = []
    levels: list[int] = []
    for start, end in pairwise([*whole, now]):
        weeks.extend(range(start - half_window, start + half_window + 1))
        levels.extend([periods - 1] * (2 * half_window + 1))
        if periods > 1:
            stretch = range(start + half_window + 1, end - half_window)
            blocks = np.array_split(np.arange(stretch.start, stretch.stop), periods - 1)
            for level, block in enumerate(blocks):
                weeks.extend(block.tolist())
                levels.extend([level] * len(block))
    used = np.array(weeks, dtype=np.int64)
    kept = used <= last
    level_of = np.array(levels, dtype=np.int64)
    return ReferenceWeeks(
        used[kept], level_of[kept] if periods > 1 else np.zeros(kept.sum(), np.int64), len(whole)
    )
