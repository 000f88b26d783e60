"""`farrington`: a week far above the same season of past years (Farrington flexible)."""

from types import MappingProxyType

import numpy as np

from alerts.baselines import nb
from alerts.baselines.farrington import FarringtonWeek
from alerts.odds import told_by_chance
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import (
    RuleFinding,
    by_chance,
    cannot_tell,
    history_words,
    open_case,
    verdict_of_finding,
)
from alerts.words import digits, rounded_number
from db.records import Observation
from db.said import phrase


class FarringtonRule:
    """Fires where the seven days that end with this look exceed the bound of Noufaily et al. (2013)."""

    name = "farrington"
    strength = 25
    defaults: Params = MappingProxyType({"years": 5, "least_years": 3})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge the week up to one look."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        refused = cannot_tell(case, "weeks")
        if refused:
            return refused
        found, p = case.ruling.of(FarringtonWeek), case.p
        expected, size = found.expected, found.size
        week = float(found.count[0])
        alpha = np.maximum(case.spending.bound(self.name), 1e-300)
        upper, high, low = (float(nb.quantile(part, expected, size)[0]) for part in (alpha, 0.025, 0.975))
        weeks = int(float(-case.series.days[0]) // 7)
        n = min(case.usable, weeks)
        odds = by_chance(case, p, "week", n=n)
        told = phrase(
            "{week} {noun} in the week that ends here; expected {expected} in this season (95 %: {low}–{high}), from {history}",
            week=rounded_number(week),
            noun=case.noun,
            expected=rounded_number(float(expected[0])),
            low=digits(low),
            high=digits(high),
            history=history_words(case),
        )
        sentence = told_by_chance(told, phrase("so many"), odds)
        chance = float(nb.sf(upper + 1.0, expected, size)[0])
        threshold = max(0.0, upper - float(found.earlier[0]))
        return verdict_of_finding(
            case,
            RuleFinding(
                p,
                "high",
                threshold,
                sentence,
                float(expected[0]),
                (low, high),
                chance,
                more={"by_chance": odds},
                n=n,
            ),
        )
