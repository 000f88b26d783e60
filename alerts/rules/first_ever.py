"""`first_ever`: seen where it was never seen before."""

from types import MappingProxyType
from typing import Any

from alerts.rules import (
    attribution,
    citation,
    comparable,
    declared_window,
    seen_before,
    site_day,
    unjudgeable,
    unlisted_identity,
)
from alerts.rules.chance import gap_verdict, new_identity_verdict
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import open_case
from alerts.rules.series import certain_count
from alerts.words import looks_behind, numbered
from db.records import DeclaredBaseline, Observation
from db.said import phrase


class FirstEverRule:
    """Fires on the first sighting, if somebody published that there was none before, or so long a watch saw none.

    A listed subject is told after the least history. Others must fit the promise: by the law 1/(e·g), and for a
    new identity by the share of identities that were seen just once (Good–Turing).
    """

    name = "first_ever"
    strength = 40
    defaults: Params = MappingProxyType({"min_looks": 20, "min_observed_days": 90})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against everything seen before it."""
        refused = unjudgeable(self.name, look, history)
        if refused:
            return refused
        if certain_count(look) <= 0:
            return Verdict(self.name, "evaluated", exceeded=False, reason=phrase("Nothing was there."))
        earlier = seen_before(history)
        if earlier:
            return Verdict(
                self.name,
                "evaluated",
                exceeded=False,
                reason=phrase(
                    "Seen before, last on {day}.",
                    day=site_day(earlier[-1].period_start, context),
                ),
            )
        return self._first(look, history, context, params)

    def _first(
        self, look: Observation, history: LookHistory, context: RuleContext, params: Params
    ) -> Verdict:
        declared = _declared_none(look, history)
        if declared is not None:
            when = phrase(
                "{window}, {looks}",
                window=declared_window(declared, context),
                looks=looks_behind(declared.n_looks),
            )
            return Verdict(
                self.name,
                "evaluated",
                exceeded=True,
                reason=phrase(
                    "None had been seen here before ({when}), {attribution}.",
                    when=when,
                    attribution=attribution(declared),
                ),
                details={"threshold": 0.0, "declared": citation(declared)},
            )
        if any(each.statistic == "last_seen" for each in history.declared):
            return Verdict(
                self.name, "evaluated", exceeded=False, reason=phrase("A source names an earlier sighting.")
            )
        if unlisted_identity(look.series.subject, context.watchlist):
            return new_identity_verdict(self.name, history, context, params["min_observed_days"])
        return self._from_own_history(look, history, context, params)

    def _from_own_history(
        self, look: Observation, history: LookHistory, context: RuleContext, params: Params
    ) -> Verdict:
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        details: dict[str, Any] = {
            "n": len(history.looks),
            "observed_days": round(history.observed_days, 1),
        }
        seen = phrase(
            "{looks} and {days}",
            looks=numbered(len(history.looks), "usable look"),
            days=numbered(round(history.observed_days), "observed day"),
        )
        missing = int(case.ruling.answers.needs[0])
        if missing > 0:
            return Verdict(
                self.name,
                "cannot_tell",
                exceeded=False,
                reason=phrase("No history: {seen}, too few to say that it is the first.", seen=seen),
                details={**details, "missing": missing},
            )
        return gap_verdict(case, phrase("The first in {seen}", seen=seen), {**details, "threshold": 0.0})


def _declared_none(look: Observation, history: LookHistory) -> DeclaredBaseline | None:
    usable = [
        each
        for each in history.declared
        if each.statistic == "none_before" and each.window_end <= look.period_start and comparable(look, each)
    ]
    return max(usable, key=lambda each: each.window_end, default=None)
