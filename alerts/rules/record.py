"""`record`: more than at any earlier look, or than a published maximum."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alerts.baselines.record import Record as Found
from alerts.baselines.record import comparable_looks
from alerts.odds import told_by_chance
from alerts.rules import attribution, citation, comparable, declared_window, site_day, unjudgeable
from alerts.rules.among import bounds_of_count
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import Case, RuleFinding, by_chance, cannot_tell, open_case, verdict_of_finding
from alerts.rules.series import certain_count
from alerts.words import count_words, digits, looks_behind, numbered
from db.records import DeclaredBaseline, Observation
from db.said import chained, phrase

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
    over = (
        each
        for each in history.sightings
        if comparable(each, declared) and _least(each) > (declared.value or 0.0)
    )
    return max(over, key=certain_count, default=None)


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
    most = max(_most(highest) if highest else 0.0, declared.value or 0.0)
    threshold = max(own, declared.value or 0.0)
    value = certain_count(look)
    details: dict[str, object] = {"value": value, "threshold": threshold, "n": n}
    alike = _is_alike(look, highest, threshold)
    if threshold > 0 and not alike:
        details["ratio"] = round(value / threshold, 2)
    if alike:
        details["alike"] = True
    details["declared"] = citation(declared)
    basis = phrase(
        "at most {value} from {window} {attribution}, {looks}",
        value=digits(declared.value or 0.0),
        window=declared_window(declared, context),
        attribution=attribution(declared),
        looks=looks_behind(declared.n_looks),
    )
    if highest is not None and own >= threshold:
        details["previous"] = _previous(highest)
        basis = phrase("{named}; {basis}", named=_named(highest, context), basis=basis)
    reason = phrase(
        "{comparison} ({basis}).", comparison=_comparison(value, threshold, context, alike=alike), basis=basis
    )
    notes: list[str] = []
    if passed is None:
        exceeded = _least(look) > most
        details["until"] = phrase("any count has passed it")
    else:
        exceeded = value > _MARGIN * most
        details["until"] = phrase("our own looks are enough for odds")
        notes.append(
            phrase(
                "The published maximum was passed on {day} and is history.",
                day=site_day(passed.period_start, context),
            )
        )
    if value > threshold and not alike and _least(look) <= most:
        notes.append(phrase("Counts so near each other may be the same."))
    reason = chained(" ", [reason, *notes]) if notes else reason
    return Verdict("record", "evaluated", exceeded=exceeded, reason=reason, details=details)


def _by_odds(case: Case, highest: Observation | None) -> Verdict:
    """Our own looks have odds: a record of n independent looks comes by chance at one look in n + 1."""
    found = case.ruling.of(Found)
    value, threshold = certain_count(case.look), float(found.previous[0])
    alike = _is_alike(case.look, highest, threshold)
    n, worth, is_record = (
        int(found.comparable[0]),
        int(found.worth[0]),
        bool(found.is_record[0]) and not alike,
    )
    more: dict[str, Any] = {"n": n, "is_record": is_record}
    if alike:
        more["alike"] = True
    elif threshold > 0:
        more["ratio"] = round(value / threshold, 2)
    basis = phrase("in {looks}", looks=numbered(n, "usable look"))
    if highest is not None:
        more["previous"] = _previous(highest)
        basis = phrase("{named}; {basis}", named=_named(highest, case.context), basis=basis)
    odds = ""
    if is_record:
        if worth < n:
            basis = phrase(
                "{basis}, worth {looks} as neighbouring looks are alike",
                basis=basis,
                looks=numbered(worth, "independent one"),
            )
            more["independent"] = worth
        odds = more["by_chance"] = by_chance(case, 1.0 / (worth + 1), n=worth)
    told = phrase(
        "{comparison} ({basis})",
        comparison=_comparison(value, threshold, case.context, alike=alike),
        basis=basis,
    )
    sentence = told_by_chance(told, phrase("so many"), odds) if odds else phrase("{told}.", told=told)
    # It has no share of the promise, so that by itself it never fires.
    finding = RuleFinding(case.p, "high", threshold, sentence, chance=0.0, more=more, n=worth)
    return verdict_of_finding(case, finding)


def _is_alike(look: Observation, highest: Observation | None, threshold: float) -> bool:
    """Whether a higher number may be no more: “about 258” may have been 270."""
    value = certain_count(look)
    if highest is None or highest.value is None or value <= threshold or certain_count(highest) < threshold:
        return False
    return _least(look) <= _most(highest)


def _least(look: Observation) -> float:
    """How many there surely were, as far as “about” allows."""
    return bounds_of_count(certain_count(look), look.low, look.high, look.qualifier)[0]


def _most(look: Observation) -> float:
    """How many there may have been; “at least 73” proves no more than 73."""
    value = certain_count(look)
    return value if look.qualifier == ">=" else bounds_of_count(value, look.low, look.high, look.qualifier)[1]


def _comparison(value: float, threshold: float, context: RuleContext, *, alike: bool = False) -> str:
    parts = {"value": digits(value), "many": context.metric.many, "threshold": digits(threshold)}
    if alike:
        return phrase("{value} {many}: about as many as the highest known before, {threshold}", **parts)
    if value > threshold:
        return phrase("{value} {many}: more than the highest known before, {threshold}", **parts)
    return phrase("{value} {many}: not more than the highest known before, {threshold}", **parts)


def _named(highest: Observation, context: RuleContext) -> str:
    source = phrase(", {publisher}", publisher=highest.publisher) if highest.publisher else ""
    count = count_words(certain_count(highest), highest.qualifier)
    return phrase(
        "{count} on {day}{source}",
        count=count,
        day=site_day(highest.period_start, context),
        source=source,
    )


def _previous(highest: Observation) -> dict[str, object]:
    return {
        "value": certain_count(highest),
        "at": highest.period_start.isoformat(),
        "publisher": highest.publisher,
    }
