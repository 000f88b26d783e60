"""`absence`: nothing for longer than chance allows, counting only looks that could have shown something."""

from types import MappingProxyType

from alerts.baselines.absence import Absence
from alerts.rules.contract import Context, History, Params, Verdict
from alerts.rules.figures import Finding, open_case, refuse, settle, since
from alerts.words import one_in
from db.records import Observation


class AbsenceRule:
    """Fires once in a silent stretch, when its chance first falls to what the promise allows."""

    name = "absence"
    strength = 18
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge the silent stretch that one look belongs to."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        refused = refuse(case, "events")
        if refused:
            return refused
        found, p = case.ruling.of(Absence), case.p
        silent, hidden = int(found.silent[0]), int(found.not_counted[0])
        share = float(found.active_share[0])
        if silent == 0 or case.series.looks.today[0] > 0:
            sentence = f"Something was there; usually {share:.0%} of looks show activity."
            return settle(case, Finding(1.0, "low", -1.0, sentence))
        clouds = f" ({hidden} that could not see are not counted)" if hidden else ""
        expected = float(found.expected[0])
        sentence = (
            f"Usually {share:.0%} of looks show activity; none in {silent} usable looks{clouds}, where "
            f"{expected:.1f} {case.noun} were expected, from {since(case)}; by chance: {one_in(p)} stretches."
        )
        more = {"silent_looks": silent, "looks_not_counted": hidden}
        return settle(case, Finding(p, "low", 0.0, sentence, expected, more=more))
