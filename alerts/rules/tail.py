"""`tail`: so many (or so few) are very unlikely, given what is usual at this exposure, season and day."""

from types import MappingProxyType

import numpy as np

from alerts.baselines import nb
from alerts.baselines.engine import TwoSided
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import (
    Case,
    FiredSide,
    RuleFinding,
    at_exposure,
    cannot_tell,
    history_words,
    open_case,
    verdict_of_finding,
)
from alerts.words import one_in, rounded_number
from db.records import Observation


class TailRule:
    """Fires where P(Y ≥ count) under the predictive negative binomial falls to what the promise allows.

    With `sides` "both" it also asks for too few, and both share the promise.
    """

    name = "tail"
    strength = 26
    defaults: Params = MappingProxyType({"sides": "high", "longest_years": 10.0})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against what is usual."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        return cannot_tell(case) or verdict_of_finding(case, _finding(case, case.ruling.of(TwoSided)))


def _finding(case: Case, found: TwoSided) -> RuleFinding:
    what, p = found.usual, case.p
    side: FiredSide = "low" if found.low[0] else "high"
    alpha = case.spending.bound(case.rule) / found.tries
    mean, size = what.of_today()
    expected = float(mean[0])
    high, low = (float(nb.quantile(part, mean, size)[0]) for part in (0.025, 0.975))
    if side == "high":
        threshold = float(what.most_ordinary(alpha)[0])
    else:
        threshold = float(nb.quantile(1.0 - alpha / len(what.windows), mean, size)[0]) - 1.0
    chance = float(what.attainable(alpha, side)[0])
    count = rounded_number(float(case.series.looks.today[0]))
    many = "so many" if side == "high" else "so few"
    together = _together(found, expected, case) if side == "high" and p < 1 else ""
    sentence = (
        f"{count} {case.noun}; expected {rounded_number(expected)} (95 %: {low:g}–{high:g}) {at_exposure(case)}, from "
        f"{history_words(case)}; {many}{together} by chance: {one_in(p)} looks."
    )
    more: dict[str, float] = {"dispersion": round(float(found.tail.dispersion[0]), 3)}
    if np.isfinite(size[0]):
        more["size"] = float(size[0])
    return RuleFinding(p, side, threshold, sentence, expected, (low, high), chance, more=more)


def _together(found: TwoSided, expected: float, case: Case) -> str:
    if float(found.tail.expected[0]) <= expected * (1 + 1e-9):
        return ""
    days = "days" if case.series.daily else "looks"
    return f", the newest {days} taken together,"
