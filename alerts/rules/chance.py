"""The odds of firsts: how often a silence ends by chance, and how likely the next visitor is a new one."""

from dataclasses import replace
from typing import Any

from alerts.baselines.budget import NOTIFY, ORDINARY, SEVERITIES
from alerts.baselines.model import DAYS_A_YEAR
from alerts.baselines.since import First, chance_new
from alerts.odds import times_a_year
from alerts.rules.contract import LookHistory, RuleContext, Verdict
from alerts.rules.figures import Case
from alerts.words import rounded_number
from db.said import chained, percent, phrase, phrase_n

_ROUND = 3


def gap_verdict(case: Case, first: str, details: dict[str, Any]) -> Verdict:
    """Tell a first after a silence: always of a listed subject, else where 1/(e·g) fits the promise."""
    chance = float(case.ruling.of(First).chance_a_year[0])
    details = {**details, "chance_a_year": round(chance, _ROUND), "value": case.look.value}
    reason = phrase(
        "{first}. At any steady rate such a gap ends by chance {often}.",
        first=first,
        often=times_a_year(chance),
    )
    if case.look.series.subject in case.context.watchlist:
        details["severity"] = "notify"
        return Verdict(case.rule, "evaluated", exceeded=True, reason=reason, details=details)
    severity, allowed = int(case.ruling.severity[0]), float(case.spending.a_year(case.rule)[0])
    return _within(case.rule, severity, allowed, reason, details)


def new_identity_verdict(rule: str, history: LookHistory, context: RuleContext, least_days: float) -> Verdict:
    """Tell a new identity that nobody listed only where new ones are so rare that it fits the promise."""
    said = phrase("New here, but not on the watch list")
    chance = chance_new(history.identities)
    # Without any earlier visit, or too short a watch, nothing is known of how often new ones come.
    if not history.identities or history.observed_days < least_days:
        return Verdict(rule, "suppressed", exceeded=False, reason=phrase("{said}.", said=said))
    visits_a_year = sum(history.identities) * DAYS_A_YEAR / history.observed_days
    expected = chance * visits_a_year
    if expected == 0:
        # None was seen just once: the next new one is at most as likely as after one more visit.
        expected = visits_a_year / (sum(history.identities) + 1.0)
    details: dict[str, Any] = {
        "threshold": 0.0,
        "chance_new": round(chance, _ROUND),
        "chance_a_year": round(expected, _ROUND),
        "n": len(history.identities),
    }
    visits = sum(history.identities)
    reason = phrase(
        "{said}: {chance} of {visits} by identities seen just once, so new ones come by chance {often}.",
        said=said,
        chance=percent(chance),
        visits=phrase_n("{n} earlier visit was", "{n} earlier visits were", visits),
        often=times_a_year(expected),
    )
    promise = context.promise
    fits = (n for n, name in enumerate(SEVERITIES) if expected <= promise.a_year(rule, name))
    verdict = _within(rule, next(fits, ORDINARY), promise.a_year(rule), reason, details)
    return verdict if verdict.exceeded else replace(verdict, status="suppressed")


def _within(rule: str, severity: int, allowed: float, reason: str, details: dict[str, Any]) -> Verdict:
    details = {**details, "promised_a_year": round(allowed, 4), "is_first": True}
    if severity != ORDINARY:
        details["severity"] = SEVERITIES[severity]
    exceeded = severity <= NOTIFY
    if not exceeded:
        more = (
            phrase("The promise allows {allowed} a year.", allowed=rounded_number(allowed))
            if allowed
            else phrase("The promise has no room for it.")
        )
        reason = chained(" ", [reason, more])
    return Verdict(rule, "evaluated", exceeded=exceeded, reason=reason, details=details)
