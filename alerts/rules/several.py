"""`several`: more than one unusual visitor on one day."""

import math
from types import MappingProxyType

from alerts.rules import site_day, unjudgeable
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.series import certain_count
from alerts.words import count_words, digits, numbered
from db.records import Observation
from db.said import phrase, phrase_n


class SeveralRule:
    """Fires where so many visitors that are new here come on one day.

    Newness needs a past: without `min_observed_days` in which the place was watched everybody is new.
    """

    name = "several"
    strength = 15
    defaults: Params = MappingProxyType({"at_least": 2, "min_observed_days": 90})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one day's count of new visitors."""
        refused = unjudgeable(self.name, look, history)
        if refused:
            return refused
        came, wanted = certain_count(look), float(params["at_least"])
        details: dict[str, object] = {"threshold": wanted - 1, "n": len(history.looks)}
        if came < wanted:
            reason = phrase(
                "{count}; {unusual}.",
                count=count_words(came, metric=context.metric.name),
                unusual=phrase_n("{n} on one day is unusual", "{n} on one day are unusual", wanted),
            )
            return Verdict(self.name, "evaluated", exceeded=False, reason=reason, details=details)
        missing = params["min_observed_days"] - history.observed_days
        if missing > 0:
            lacking = math.ceil(missing)
            reason = phrase_n(
                "Too little history: everybody is new here. {n} more observed day is needed.",
                "Too little history: everybody is new here. {n} more observed days are needed.",
                lacking,
            )
            return Verdict(self.name, "cannot_tell", exceeded=False, reason=reason, details=details)
        most = max(history.looks, key=certain_count, default=None)
        before = (
            phrase("none came so before")
            if most is None or certain_count(most) < 1
            else (
                phrase(
                    "the most before was {count}, on {day}",
                    count=digits(certain_count(most)),
                    day=site_day(most.period_start, context),
                )
            )
        )
        reason = phrase(
            "{count} on one day; {before}, in {days}.",
            count=count_words(came, metric=context.metric.name),
            before=before,
            days=numbered(round(history.observed_days), "observed day"),
        )
        return Verdict(self.name, "evaluated", exceeded=True, reason=reason, details=details)
