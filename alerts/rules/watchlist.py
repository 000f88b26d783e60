"""`watchlist`: a listed subject was seen, whatever history says."""

from types import MappingProxyType

from alerts.rules import seen_before, site_day, unjudgeable
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.series import certain_count
from db.records import Observation
from db.said import phrase, phrase_n


class WatchlistRule:
    """Fires whenever a subject on the site's watch list is there; says "no history" where there is none."""

    name = "watchlist"
    strength = 10
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look by the watch list alone."""
        refused = unjudgeable(self.name, look)
        if refused:
            return refused
        if look.series.subject not in context.watchlist:
            return Verdict(self.name, "evaluated", exceeded=False, reason=phrase("Not on the watch list."))
        if certain_count(look) <= 0:
            return Verdict(
                self.name, "evaluated", exceeded=False, reason=phrase("On the watch list, but not there.")
            )
        earlier = seen_before(history)
        if earlier:
            past = phrase_n(
                "seen here once before, last on {day}",
                "seen here at {n} looks before, last on {day}",
                len(earlier),
                day=site_day(earlier[-1].period_start, context),
            )
        else:
            past = phrase("no history of it here")
        return Verdict(
            self.name,
            "evaluated",
            exceeded=True,
            reason=phrase("On the watch list; {past}.", past=past),
            details={"threshold": 0.0, "n": len(earlier)},
        )
