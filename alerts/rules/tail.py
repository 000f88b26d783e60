"""`tail`: so many (or so few) are very unlikely, given what is usual at this exposure, season and day."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from alerts.baselines import nb
from alerts.baselines.special import FloatArray
from alerts.baselines.tail import Expectation, Tail, judge_windows, probabilities
from alerts.baselines.tail import attainable as attainable_chance
from alerts.baselines.tail_daily import daily
from alerts.baselines.tail_weekly import Season, seasonal
from alerts.rules.contract import Context, History, Params, Verdict
from alerts.rules.figures import Case, Finding, Side, at_exposure, open_case, refuse, settle, since
from alerts.rules.series import Series
from alerts.words import number, one_in
from db.records import Observation

DAILY_COLUMNS = 400
"""What the daily expectation looks at: a year of weekday factors and the weeks it leaves out."""
_WINDOWS = {True: (1, 3), False: (1, 2)}


@dataclass(frozen=True, slots=True)
class Usual:
    """What the judged look should show, and the sums of newest looks that share its promise."""

    series: Series
    expectation: Expectation
    windows: tuple[int, ...]
    factors: FloatArray | None


def usual(series: Series, longest_years: float = 10.0) -> Usual:
    """Expect by the newest eight weeks at the day's usual level for daily looks, else by season and trend.

    Until there are four weeks of daily looks, all of them together give one level.
    """
    windows = _WINDOWS[series.daily] if series.looks.kind == "flow" else (1,)
    if series.daily:
        recent = series.newest(DAILY_COLUMNS)
        expectation, factors = daily(recent.looks, recent.weekday, window=max(windows))
        if expectation.needs[0] == 0:
            return Usual(recent, expectation, windows, factors)
    expectation = seasonal(series.looks, series.days, Season(longest_years=longest_years))
    return Usual(series, expectation, windows, None)


def judge_usual(what: Usual, alpha: float) -> Tail:
    """Judge the newest look, and for flows the sums of the newest ones."""
    return judge_windows(what.series.looks, what.expectation, alpha, what.windows, what.factors)


class TailRule:
    """Fires where P(Y ≥ count) under the predictive negative binomial falls to what the promise allows.

    With `sides` "both" it also asks for too few, and both share the promise.
    """

    name = "tail"
    strength = 26
    defaults: Params = MappingProxyType({"sides": "high", "longest_years": 10.0})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge one look against what is usual."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        what = usual(case.series, float(params["longest_years"]))
        bound = case.p_bound()
        tail = judge_usual(what, bound)
        refused = refuse(case, tail.answers)
        if refused:
            return refused
        p_high, p_low = float(tail.answers.p[0]), float(tail.p_low[0])
        tries = 2 if params["sides"] == "both" else 1
        low = params["sides"] == "low" or (tries > 1 and p_low < p_high)
        p = min(1.0, tries * (p_low if low else p_high))
        return settle(case, _finding(case, what, tail, (p, "low" if low else "high", bound / tries)))


def _finding(case: Case, what: Usual, tail: Tail, told: tuple[float, Side, float]) -> Finding:
    """`told` is p, the side, and the p at which an alert opens."""
    p, side, alpha = told
    looks = what.series.looks
    factors = 1.0 if what.factors is None else what.factors[:, -1:]
    _, _, mean, size = probabilities(looks, what.expectation, 1, factors)
    expected, spread = float(mean[0]), size
    high, low = (float(nb.quantile(tail_p, mean, spread)[0]) for tail_p in (0.025, 0.975))
    each = alpha / len(what.windows)
    if side == "high":
        threshold = _threshold(what, each)
    else:
        threshold = float(nb.quantile(1.0 - each, mean, spread)[0]) - 1.0
    chance = len(what.windows) * float(attainable_chance(np.array([each]), mean, spread, side)[0])
    count = number(float(looks.today[0]))
    many = "so many" if side == "high" else "so few"
    together = _together(tail, mean, case) if side == "high" and p < 1 else ""
    sentence = (
        f"{count} {case.noun}; expected {number(expected)} (95 %: {low:g}–{high:g}) {at_exposure(case)}, from "
        f"{since(case)}; {many}{together} by chance: {one_in(p)} looks."
    )
    more: dict[str, float] = {"dispersion": round(float(tail.dispersion[0]), 3)}
    if np.isfinite(size[0]):
        more["size"] = float(size[0])
    return Finding(p, side, threshold, sentence, expected, (low, high), chance, more=more)


def _threshold(what: Usual, alpha: float) -> float:
    """The largest count today that no window takes for unusual."""
    looks, least = what.series.looks, np.inf
    own = 0.0
    for window in what.windows:
        factors = 1.0 if what.factors is None else what.factors[:, -window:]
        _, _, mean, size = probabilities(looks, what.expectation, window, factors)
        bound = float(nb.quantile(alpha, mean, size)[0])
        if window == 1:
            own = float(mean[0])
            least = bound
            continue
        part = looks.window(slice(-min(window, looks.counts.shape[1]), None))
        before = float(np.where(part.past.member, part.past.counts, 0.0).sum())
        least = min(least, bound - before)
    # A sum counts only where today is itself above its expectation.
    return max(least, float(np.floor(own)))


def _together(tail: Tail, mean: FloatArray, case: Case) -> str:
    if float(tail.expected[0]) <= float(mean[0]) * (1 + 1e-9):
        return ""
    days = "days" if case.series.daily else "looks"
    return f", the newest {days} taken together,"
