"""`rate_change`: this quarter against the one before, at equal exposure. For digests: it opens no alert."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from alerts.baselines.change_rate import judge_rate_change
from alerts.odds import odds, told_by_chance
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import (
    FiredSide,
    RuleFinding,
    history_words,
    open_case,
    too_little,
    verdict_of_finding,
)
from alerts.words import capital, numbered, rounded_number, times_words
from db.records import Observation
from db.said import phrase

_ALPHA = 0.01
_DIGITS = 3


class RateChangeRule:
    """Compares the newest `days` with as many before; its answer stands in digests and in `baseline`."""

    name = "rate_change"
    strength = 5
    defaults: Params = MappingProxyType({"days": 91})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Compare the looks up to one look with those before."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        days = float(params["days"])
        newest = int((case.series.days > -days).sum())
        before = int((case.series.days > -2 * days).sum()) - newest
        found = judge_rate_change(case.series.looks, newest, before, interval=False)
        if found.answers.say(0) != "evaluated" or np.isnan(found.ratio[0]):
            return too_little(case, int(found.answers.needs[0]), "events in two spans")
        ratio, p = float(found.ratio[0]), float(found.answers.p[0])
        if not found.answers.fires(_ALPHA)[0]:
            sentence = phrase("{compared}: no difference to speak of.", compared=_compared(ratio, days))
            return verdict_of_finding(case, _finding(p, ratio, sentence, {}))
        told = judge_rate_change(case.series.looks, newest, before)
        low, high = float(told.low[0]), float(told.high[0])
        between = (
            phrase("{low}–{high}", low=rounded_number(low), high=rounded_number(high))
            if np.isfinite(high)
            else phrase("at least {low}", low=rounded_number(low))
        )
        by_law = odds(p, "comparison")
        said = phrase(
            "{compared} (95 %: {between}), from {history}",
            compared=_compared(ratio, days),
            between=between,
            history=history_words(case),
        )
        sentence = told_by_chance(said, phrase("such a difference"), by_law)
        more: dict[str, float | str] = {"rate_ratio_low": round(low, _DIGITS), "by_chance": by_law}
        if np.isfinite(high):
            more["rate_ratio_high"] = round(high, _DIGITS)
        verdict = verdict_of_finding(case, _finding(p, ratio, sentence, more))
        details = {**verdict.details, "severity": "digest"}
        return replace(verdict, details=details)


def _compared(ratio: float, days: float) -> str:
    before = phrase("the {days} before, at equal exposure", days=numbered(days, "day"))
    return (
        phrase("{much} {before}", much=capital(times_words(ratio)), before=before)
        if np.isfinite(ratio)
        else phrase("Some, after none in {before}", before=before)
    )


def _finding(p: float, ratio: float, sentence: str, more: Mapping[str, float | str]) -> RuleFinding:
    side: FiredSide = "high" if ratio > 1 else "low"
    told = {"rate_ratio": round(ratio, _DIGITS), **more} if np.isfinite(ratio) else more
    return RuleFinding(p, side, 0.0, sentence, more=told)
