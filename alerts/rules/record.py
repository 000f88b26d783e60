"""`record`: more than at any earlier look, or than a published maximum."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alerts.baselines.record import Record as Found
from alerts.baselines.record import attainable_record_chance, comparable_looks
from alerts.rules import attribution, citation, comparable, declared_window, site_day, unjudgeable
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import Case, RuleFinding, cannot_tell, open_case, verdict_of_finding
from alerts.rules.series import certain_count, count_bounds
from alerts.words import digits, looks_behind
from db.records import DeclaredBaseline, Observation

_MARGIN = 2.0
"""While too few looks are known for odds, a count must be so many times the highest known to be told after a published maximum."""


class RecordRule:
    """Says that the count passes every earlier look, and fires where it passes a declared maximum.

    A record among our own looks explains what another rule tells: its odds, 1 in n + 1 by the exact law
    P ≤ (1 + number at least as high) / (n + 1), have no share of the promise. A declared maximum lies outside the promise, since
    the number of looks behind it is seldom published. It counts until any count has passed it; then it is history,
    and until our own looks are enough for odds only a doubling of the highest known is told.
    """

    name = "record"
    strength = 30
    defaults: Params = MappingProxyType({"min_looks": 20})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against the highest count known."""
        refused = unjudgeable(self.name, look, history)
        if refused:
            return refused
        declared = _declared_maximum(look, history)
        # Before "the most" every look is asked: a cloudy one may show more.
        highest = max(history.looks, key=certain_count, default=None)
        if declared is not None:
            n = int(comparable_looks(history.series(look).looks).sum())
            passed = _passed(declared, history)
            if not passed or n < params["min_looks"]:
                return _against_declared(look, _Maximum(declared, passed, highest, n), context)
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        return cannot_tell(case, n=int(case.ruling.of(Found).comparable[0])) or _by_odds(case, highest)


def _declared_maximum(look: Observation, history: LookHistory) -> DeclaredBaseline | None:
    usable = [
        each
        for each in history.declared
        if each.statistic == "max"
        and each.value is not None
        and each.window_end <= look.period_start
        and comparable(look, each)
    ]
    return max(usable, key=lambda each: each.value or 0.0, default=None)


def _passed(declared: DeclaredBaseline, history: LookHistory) -> Observation | None:
    """The highest count, ours or another's, that passed a published maximum; then the maximum is history."""
    highest = max(history.sightings, key=certain_count, default=None)
    if (
        highest is None
        or count_bounds(highest)[0] <= (declared.value or 0.0)
        or not comparable(highest, declared)
    ):
        return None
    return highest


@dataclass(frozen=True, slots=True)
class _Maximum:
    """A published maximum, and what has become of it."""

    declared: DeclaredBaseline
    passed: Observation | None
    """The highest count that passed it."""
    highest: Observation | None
    """The highest of our own looks."""
    n: int


def _against_declared(look: Observation, known: _Maximum, context: RuleContext) -> Verdict:
    """A published maximum lies outside the promise: nobody knows its odds."""
    declared, passed, n = known.declared, known.passed, known.n
    highest = max((each for each in (known.highest, passed) if each), key=certain_count, default=None)
    own = certain_count(highest) if highest else 0.0
    most = max(count_bounds(highest)[1] if highest else 0.0, declared.value or 0.0)
    threshold = max(own, declared.value or 0.0)
    value = certain_count(look)
    details: dict[str, object] = {"value": value, "threshold": threshold, "n": n}
    if threshold > 0:
        details["ratio"] = round(value / threshold, 2)
    details["declared"] = citation(declared)
    basis = (
        f"at most {digits(declared.value or 0.0)} from {declared_window(declared, context)} {attribution(declared)}, "
        f"{looks_behind(declared.n_looks)}"
    )
    if highest is not None and own >= threshold:
        details["previous"] = _previous(highest)
        basis = f"{_named(highest, context)}; {basis}"
    reason = f"{_comparison(value, threshold, context)} ({basis})."
    if passed is None:
        exceeded = count_bounds(look)[0] > most
        details["until"] = "any count has passed it"
    else:
        exceeded = value > _MARGIN * most
        details["until"] = "our own looks are enough for odds"
        reason += (
            f" The published maximum was passed on {site_day(passed.period_start, context)} and is history."
        )
    if value > threshold and count_bounds(look)[0] <= most:
        reason += " Counts so near each other may be the same."
    return Verdict("record", "evaluated", exceeded=exceeded, reason=reason, details=details)


def _by_odds(case: Case, highest: Observation | None) -> Verdict:
    """Our own looks have odds: a record of n independent looks comes by chance at one look in n + 1."""
    found = case.ruling.of(Found)
    value, threshold = certain_count(case.look), float(found.previous[0])
    n, worth, is_record = int(found.comparable[0]), int(found.worth[0]), bool(found.is_record[0])
    more: dict[str, Any] = {"n": n, "is_record": is_record}
    if threshold > 0:
        more["ratio"] = round(value / threshold, 2)
    basis = f"in {n} usable looks"
    if highest is not None:
        more["previous"] = _previous(highest)
        basis = f"{_named(highest, case.context)}; {basis}"
    odds = ""
    if is_record:
        if worth < n:
            basis += f", worth {worth} independent ones as neighbouring looks are alike"
            more["independent"] = worth
        odds = f"; by chance 1 in {worth + 1:,} looks"
    sentence = f"{_comparison(value, threshold, case.context)} ({basis}{odds})."
    chance = float(attainable_record_chance(found.comparable, case.spending.alpha(case.rule))[0])
    return verdict_of_finding(
        case, RuleFinding(case.p, "high", threshold, sentence, chance=chance, more=more)
    )


def _comparison(value: float, threshold: float, context: RuleContext) -> str:
    comparison = "more than" if value > threshold else "not more than"
    return (
        f"{digits(value)} {context.metric.many}: {comparison} the highest known before, {digits(threshold)}"
    )


def _named(highest: Observation, context: RuleContext) -> str:
    source = f", {highest.publisher}" if highest.publisher else ""
    return f"{digits(certain_count(highest))} on {site_day(highest.period_start, context)}{source}"


def _previous(highest: Observation) -> dict[str, object]:
    return {
        "value": certain_count(highest),
        "at": highest.period_start.isoformat(),
        "publisher": highest.publisher,
    }
