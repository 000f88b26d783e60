"""`absence`: nothing for longer than chance allows, counting only looks that could have shown something."""

from types import MappingProxyType

from alerts.baselines.absence import judge_absence
from alerts.promise import SEVERITIES
from alerts.rules.contract import Context, History, Params, Verdict
from alerts.rules.figures import Finding, open_case, refuse, settle, since, too_little
from alerts.words import one_in
from db.records import Observation


class Absence:
    """Fires once in a silent stretch, when its chance first falls to what the promise allows."""

    name = "absence"
    strength = 18
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge the silent stretch that one look belongs to."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        looks, promise = case.series.looks, context.promise
        judged = {
            severity: judge_absence(looks, case.a_year, promise.a_year(self.name, severity))
            for severity in SEVERITIES
        }
        found = judged["notify"]
        if found.answers.needs[0] > 0:
            return too_little(case, int(found.answers.needs[0]), "events")
        refused = refuse(case, found.answers, "events")
        if refused:
            return refused
        crossed = next((name for name in SEVERITIES if judged[name].answers.fires[0]), None)
        silent, hidden = int(found.silent[0]), int(found.not_counted[0])
        share, p = float(found.active_share[0]), float(found.answers.p[0])
        if silent == 0 or looks.today[0] > 0:
            sentence = f"Something was there; usually {share:.0%} of looks show activity."
            return settle(case, Finding(1.0, "low", -1.0, sentence, eligible=False))
        clouds = f" ({hidden} that could not see are not counted)" if hidden else ""
        sentence = (
            f"Usually {share:.0%} of looks show activity; none in {silent} usable looks{clouds}, where "
            f"{found.expected[0]:.1f} {case.noun} were expected, from {since(case)}; by chance: {one_in(p)} stretches."
        )
        more = {"silent_looks": silent, "looks_not_counted": hidden}
        verdict = settle(
            case, Finding(p, "low", 0.0, sentence, float(found.expected[0]), eligible=False, more=more)
        )
        if crossed is None:
            return verdict
        # Its law counts stretches, not looks: the crossing itself says how severe it is.
        details = {**verdict.details, "severity": crossed}
        return Verdict(self.name, "evaluated", crossed != "digest", verdict.reason, details)
