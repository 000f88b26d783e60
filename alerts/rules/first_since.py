"""`first_since`: seen again after a long time without."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from alerts.baselines.model import DAYS_A_YEAR
from alerts.rules import (
    attribution,
    citation,
    declared_window,
    last_seen,
    site_day,
    unjudgeable,
    unlisted_identity,
)
from alerts.rules.chance import gap_verdict
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import Case, open_case
from alerts.rules.series import certain_count
from alerts.words import duration, numbered
from db.records import DeclaredBaseline, Observation
from db.said import numeral, phrase, phrase_n


@dataclass(frozen=True, slots=True)
class _LastSeen:
    at: datetime
    words: str
    declared: DeclaredBaseline | None


class FirstSinceRule:
    """Fires after `min_gap_days` without a sighting.

    At any steady rate such a gap ends by chance at most 1/(e·g) times a year, g in observed years; stated
    only for gaps that we watched ourselves. A listed subject is told with these odds, any other only where they
    fit the promise. A published "last seen" counts as history and gets no odds.
    """

    name = "first_since"
    strength = 20
    defaults: Params = MappingProxyType({"min_gap_days": 365, "min_observed_days": 90})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against the last sighting before it."""
        refused = unjudgeable(self.name, look, history)
        if refused:
            return refused
        if certain_count(look) <= 0:
            return Verdict(self.name, "evaluated", exceeded=False, reason=phrase("Nothing was there."))
        last = _last_seen(look, history, context)
        if last is None:
            return Verdict(
                self.name,
                "cannot_tell",
                exceeded=False,
                reason=phrase("No history: no earlier sighting is known, here or in a publication."),
            )
        return self._after_gap(look, last, history, context, params)

    def _after_gap(
        self, look: Observation, last: _LastSeen, history: LookHistory, context: RuleContext, params: Params
    ) -> Verdict:
        gap_days = (look.period_start - last.at).total_seconds() / 86_400
        details: dict[str, Any] = {
            "threshold": 0.0,
            "last_seen": last.at.isoformat(),
            "last_seen_words": last.words,
            "gap_days": round(gap_days, 1),
        }
        if gap_days < params["min_gap_days"]:
            reason = phrase(
                "Last seen {when}, {days} before; {least} are unusual.",
                when=last.words,
                days=numbered(round(gap_days), "day"),
                least=f"{params['min_gap_days']:g}",
            )
            return Verdict(self.name, "evaluated", exceeded=False, reason=reason, details=details)
        gap = timedelta(days=gap_days)
        years = (
            phrase("{number} years", number=numeral(f"{gap_days / DAYS_A_YEAR:.1f}"))
            if gap_days >= 2 * DAYS_A_YEAR
            else duration(gap)
        )
        if last.declared is not None:
            details["declared"] = citation(last.declared)
            reason = phrase(
                "The first in {years}: last seen {when}, {attribution}.",
                years=years,
                when=last.words,
                attribution=attribution(last.declared),
            )
            return Verdict(self.name, "evaluated", exceeded=True, reason=reason, details=details)
        if unlisted_identity(look.series.subject, context.watchlist):
            reason = phrase("Last seen {when}, but not on the watch list.", when=last.words)
            return Verdict(self.name, "suppressed", exceeded=False, reason=reason, details=details)
        case = open_case(self.name, look, history, context, params)
        return case if isinstance(case, Verdict) else _watched(case, last.words, details)


def _watched(case: Case, words: str, details: dict[str, Any]) -> Verdict:
    days, missing = float(case.judgement.watched.since_days[0]), int(case.ruling.answers.needs[0])
    details["observed_days"] = round(days, 1)
    if missing > 0:
        reason = phrase(
            "Last seen {when}, but only {days} observed.",
            when=words,
            days=phrase_n("{n} day since then was", "{n} days since then were", round(days)),
        )
        details |= {"missing": missing, "missing_what": "observed days"}
        return Verdict(case.rule, "cannot_tell", exceeded=False, reason=reason, details=details)
    return gap_verdict(
        case,
        phrase(
            "The first since {when}: {days} without one",
            when=words,
            days=numbered(round(days), "observed day"),
        ),
        details,
    )


def _last_seen(look: Observation, history: LookHistory, context: RuleContext) -> _LastSeen | None:
    candidates = [
        _LastSeen(each.window_end, phrase("in {window}", window=declared_window(each, context)), each)
        for each in history.declared
        if each.statistic == "last_seen" and each.window_end <= look.period_start
    ]
    seen = last_seen(history)
    if seen is not None:
        candidates.append(
            _LastSeen(
                seen.period_end,
                phrase("on {day}", day=site_day(seen.period_start, context)),
                None,
            )
        )
    return max(candidates, key=lambda each: each.at, default=None)
