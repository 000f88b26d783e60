"""`ears_c1`, `ears_c2`, `ears_c3`: far above the last seven usable looks, as CDC's EARS reckons."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from alerts.baselines.ears import Method, ears
from alerts.baselines.special import normal_quantile, normal_sf
from alerts.rules.contract import Context, History, Params, Verdict
from alerts.rules.figures import Finding, open_case, settle, since, too_little
from alerts.words import number
from db.records import Observation

_METHODS: Mapping[str, Method] = {"ears_c1": "C1", "ears_c2": "C2", "ears_c3": "C3"}
_NEEDS = {"C1": 5, "C2": 7, "C3": 9}
_COLUMNS = 120


class Ears:
    """Fires above mean + z·sd of seven usable looks; p is the normal tail, which understates rare counts.

    C2 leaves out the newest two looks, C3 adds up three looks' excess.
    """

    def __init__(self, name: str, strength: int) -> None:
        self.name = name
        self.strength = strength
        self.defaults: Params = MappingProxyType({"baseline": 7, "least_sd": 0.5})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge one look against the seven before it."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        method = _METHODS[self.name]
        looks = case.series.newest(_COLUMNS).looks
        if not looks.member[0, -1]:
            reason = "Seen too badly to compare with whole looks: only its least count is known."
            return Verdict(self.name, "not_observed", exceeded=False, reason=reason)
        alpha = max(case.p_bound(), 1e-15)
        found = ears(
            looks, method, alpha, baseline=int(params["baseline"]), least_sd=float(params["least_sd"])
        )
        statistic = float(found.statistic[0, -1])
        if np.isnan(statistic):
            return too_little(case, _NEEDS[method] - case.series.usable)
        mean, sd = float(found.mean[0, -1]), max(float(found.sd[0, -1]), float(params["least_sd"]))
        z = normal_quantile(1.0 - alpha)
        # For C3 what today's count would have to pass on its own.
        reach = z + 1.0 if method == "C3" else z
        count = float(looks.today[0])
        above = count > mean
        sentence = (
            f"{number(count)} {case.noun}: {statistic:.1f} standard deviations ({method}) above the last "
            f"{int(found.n[0, -1])} usable looks, which had {number(mean)} on average; from {since(case)}."
        )
        p = float(normal_sf(statistic)) if above else 1.0
        threshold = mean + reach * sd
        if method == "C3":
            threshold = min(threshold, mean)
        band = (max(0.0, mean - 1.96 * sd), mean + 1.96 * sd)
        return settle(case, Finding(p, "high", threshold, sentence, mean, band, alpha))
