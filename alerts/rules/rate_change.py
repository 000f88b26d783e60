"""`rate_change`: this quarter against the one before, at equal exposure. For digests: it opens no alert."""

from types import MappingProxyType

import numpy as np

from alerts.baselines.change_rate import judge_rate_change
from alerts.rules.figures import Finding, Side, number, one_in, open_case, settle, since, too_little
from alerts.verdict import Context, History, Params, Verdict
from db.records import Observation

_ALPHA = 0.01
_DIGITS = 3


class RateChange:
    """Compares the newest `days` with as many before; its answer stands in digests and in `baseline`."""

    name = "rate_change"
    strength = 5
    defaults: Params = MappingProxyType({"days": 91})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Compare the looks up to one look with those before."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        days = float(params["days"])
        newest = int((case.series.days > -days).sum())
        before = int((case.series.days > -2 * days).sum()) - newest
        found = judge_rate_change(case.series.looks, newest, before, _ALPHA)
        if found.answers.say(0) != "evaluated" or np.isnan(found.ratio[0]):
            return too_little(case, int(found.answers.needs[0]), "events in two spans")
        ratio, low, high = (float(part[0]) for part in (found.ratio, found.low, found.high))
        p = float(found.answers.p[0])
        sentence = (
            f"{number(ratio)} times the {days:g} days before, at equal exposure (95 %: {number(low)}–{number(high)}), "
            f"from {since(case)}; such a difference by chance: {one_in(p)}."
        )
        more = {"rate_ratio": round(ratio, _DIGITS), "rate_ratio_low": round(low, _DIGITS)}
        if np.isfinite(high):
            more["rate_ratio_high"] = round(high, _DIGITS)
        side: Side = "high" if ratio > 1 else "low"
        verdict = settle(case, Finding(p, side, 0.0, sentence, eligible=False, more=more))
        if not found.answers.fires[0]:
            return verdict
        details = {**verdict.details, "severity": "digest"}
        return Verdict(self.name, "evaluated", exceeded=False, reason=verdict.reason, details=details)
