"""`ears_c1`, `ears_c2`, `ears_c3`: far above the last seven usable looks, as CDC's EARS reckons."""

from collections.abc import Mapping
from types import MappingProxyType

from alerts.baselines.ears import EarsMethod, Newest
from alerts.baselines.special import normal_quantile
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import RuleFinding, cannot_tell, history_words, open_case, verdict_of_finding
from alerts.words import rounded_number
from db.records import Observation
from db.said import numeral, phrase

_METHODS: Mapping[str, EarsMethod] = {"ears_c1": "C1", "ears_c2": "C2", "ears_c3": "C3"}


class EarsRule:
    """Fires above mean + z·sd of seven usable looks; p is the normal tail, which understates rare counts.

    C2 leaves out the newest two looks, C3 adds up three looks' excess.
    """

    def __init__(self, name: str, strength: int) -> None:
        self.name = name
        self.strength = strength
        self.defaults: Params = MappingProxyType({"baseline": 7, "least_sd": 0.5})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against the seven before it."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        refused = cannot_tell(case)
        if refused:
            return refused
        found, method = case.ruling.of(Newest), _METHODS[self.name]
        mean, sd = float(found.mean[0]), float(found.sd[0])
        alpha = max(float(case.spending.bound(self.name)[0]), 1e-15)
        z = normal_quantile(1.0 - alpha)
        # For C3 what today's count would have to pass on its own.
        reach = z + 1.0 if method == "C3" else z
        count = float(case.series.looks.today[0])
        sentence = phrase(
            "{count} {noun}: {statistic} standard deviations ({method}) above the last {n} usable looks, which had {mean} on average; from {history}.",
            count=rounded_number(count),
            noun=case.noun,
            statistic=numeral(f"{found.statistic[0]:.1f}"),
            method=method,
            n=int(found.n[0]),
            mean=rounded_number(mean),
            history=history_words(case),
        )
        threshold = mean + reach * sd
        if method == "C3":
            threshold = min(threshold, mean)
        band = (max(0.0, mean - 1.96 * sd), mean + 1.96 * sd)
        return verdict_of_finding(case, RuleFinding(case.p, "high", threshold, sentence, mean, band, alpha))
