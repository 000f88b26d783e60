"""`absence`: nothing for longer than chance allows, counting only looks that could have shown something."""

from types import MappingProxyType

from alerts.baselines.absence import Absence
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import (
    RuleFinding,
    by_chance,
    cannot_tell,
    history_words,
    open_case,
    verdict_of_finding,
)
from alerts.words import rounded_number, units
from db.records import Observation


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
            sentence = f"Something was there; usually {share:.0%} of looks show activity."
            return verdict_of_finding(case, RuleFinding(1.0, "low", -1.0, sentence))
        clouds = f" ({hidden} that could not see are not counted)" if hidden else ""
        expected = float(found.expected[0])
        stretches = round(share * (case.usable + 1 - silent))
        more = {
            "silent_looks": silent,
            "looks_not_counted": hidden,
            # Each look with something in it begins one stretch.
            "by_chance": by_chance(case, p, "stretch of looks", n=stretches),
        }
        sentence = (
            f"Usually {share:.0%} of looks show activity; none in {silent} usable {units(silent, 'looks')}{clouds}, where "
            f"{rounded_number(expected)} {case.noun} were expected, from {history_words(case)}; so long a silence by chance: "
            f"{more['by_chance']}."
        )
        return verdict_of_finding(case, RuleFinding(p, "low", 0.0, sentence, expected, more=more))
