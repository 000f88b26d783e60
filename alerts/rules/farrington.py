"""`farrington`: a week far above the same season of past years (Farrington flexible)."""

from datetime import timedelta
from types import MappingProxyType

import numpy as np

from alerts.baselines import nb
from alerts.baselines.farrington import Options, judge_week
from alerts.baselines.model import tame
from alerts.baselines.seasons import anniversaries_by_date
from alerts.baselines.special import FloatArray
from alerts.rules.contract import Context, History, Params, Verdict
from alerts.rules.figures import Case, Finding, open_case, settle, since, too_little
from alerts.words import number, one_in
from db.records import Observation

DAYS_A_WEEK = 7
_WEEKS_A_YEAR = 52


class FarringtonRule:
    """Fires where the seven days that end with this look exceed the bound of Noufaily et al. (2013)."""

    name = "farrington"
    strength = 25
    defaults: Params = MappingProxyType({"years": 5, "least_years": 3})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge the week up to one look."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        counts, exposure, earlier = weeks(case, int(params["years"]))
        now = counts.shape[1] - 1
        alpha = max(case.p_bound(), 1e-300)
        options = Options(alpha=alpha, b=int(params["years"]), least_years=int(params["least_years"]))
        days = [
            case.look.period_start.date() - timedelta(days=DAYS_A_WEEK * (now - week))
            for week in range(now + 1)
        ]
        found = judge_week(counts, exposure, now, options, anniversaries_by_date(days, now, options.b))
        if found.needs[0] > 0 or np.isnan(found.p[0]):
            return too_little(case, int(found.needs[0]), "weeks")
        expected, upper = float(found.expected[0]), float(found.upper[0])
        week = float(counts[0, now])
        size = nb.size_of_dispersion(found.expected, found.dispersion)
        high, low = (float(nb.quantile(part, found.expected, size)[0]) for part in (0.025, 0.975))
        p = float(found.p[0]) if found.alarm[0] or week > expected else 1.0
        sentence = (
            f"{number(week)} {case.noun} in the week that ends here; expected {number(expected)} in this season "
            f"(95 %: {low:g}–{high:g}), from {since(case)}; so many by chance: {one_in(p)} weeks."
        )
        chance = float(nb.sf(upper + 1.0, found.expected, size)[0])
        threshold = max(0.0, upper - earlier)
        return settle(case, Finding(p, "high", threshold, sentence, expected, (low, high), chance))


def weeks(case: Case, years: int) -> tuple[FloatArray, FloatArray, float]:
    """Counts and exposure of whole weeks that end with the judged look, and what this week had before it.

    A flow's week is the sum over usable looks at their exposure; of snapshots the clearest counts.
    """
    series = case.series
    longest = _WEEKS_A_YEAR * years + 8
    week = np.floor(-series.days / DAYS_A_WEEK).astype(np.int64)
    width = int(min(longest, week.max(initial=0))) + 1
    counts, exposure = np.full((2, 1, width), np.nan)
    used = series.looks.member[0].copy()
    # A badly seen positive count means "at least": it may raise today's week, not a past one.
    used[-1] = series.looks.seen[0, -1]
    # A giant outlier must not blind the rule for as long as it stays in the reference.
    y = np.append(tame(series.looks.past).counts[0], series.looks.today)
    e = np.nan_to_num(series.looks.exposure[0], nan=1.0)
    for back in range(width):
        here = used & (week == back)
        if not here.any():
            continue
        if series.looks.kind == "flow":
            counts[0, width - 1 - back] = y[here].sum()
            exposure[0, width - 1 - back] = e[here].sum()
        else:
            best = np.flatnonzero(here)[e[here].argmax()] if back else len(y) - 1
            counts[0, width - 1 - back], exposure[0, width - 1 - back] = y[best], e[best]
    earlier = float(counts[0, -1] - y[-1]) if series.looks.kind == "flow" else 0.0
    return counts, exposure, earlier
