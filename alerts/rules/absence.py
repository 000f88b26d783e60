"""`absence`: nothing for longer than chance allows, counting only looks that could have shown something."""

from types import MappingProxyType

from alerts.baselines.absence import Absence
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
from alerts.words import numbered, rounded_number
from db.records import Observation
from db.said import chained, percent, phrase, phrase_n


class AbsenceRule:
    """Fires once in a silent stretch, when its chance first falls to what the promise allows."""

    name = "absence"
    strength = 18
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge the silent stretch that one look belongs to."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        refused = cannot_tell(case, "events")
        if refused:
            return refused
        found, p = case.ruling.of(Absence), case.p
        silent, hidden = int(found.silent[0]), int(found.not_counted[0])
        share = float(found.active_share[0])
        if silent == 0 or case.series.looks.today[0] > 0:
            sentence = phrase(
                "Something was there; usually {share} of looks show activity.", share=percent(share)
            )
            return verdict_of_finding(case, RuleFinding(1.0, "low", -1.0, sentence))
        expected = float(found.expected[0])
        stretches = round(share * (case.usable + 1 - silent))
        # Each look with something in it begins one stretch.
        chance = by_chance(case, p, "stretch of looks", n=stretches)
        more = {
            "silent_looks": silent,
            "looks_not_counted": hidden,
            "by_chance": chance,
        }
        clouds = (
            chained(
                "",
                [
                    " ",
                    phrase_n(
                        "({n} that could not see is not counted)",
                        "({n} that could not see are not counted)",
                        hidden,
                    ),
                ],
            )
            if hidden
            else ""
        )
        told = phrase(
            "Usually {share} of looks show activity; none in {silent}{clouds}, where {expected} {noun} were expected, from {history}",
            share=percent(share),
            silent=numbered(silent, "usable look"),
            clouds=clouds,
            expected=rounded_number(expected),
            noun=case.noun,
            history=history_words(case),
        )
        sentence = told_by_chance(told, phrase("so long a silence"), chance)
        return verdict_of_finding(case, RuleFinding(p, "low", 0.0, sentence, expected, more=more))
