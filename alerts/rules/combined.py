"""One verdict from the rules of one series: what fires together, how strong it is, and what chance alone gives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alerts.baselines.budget import BUDGETED_RULES, FIRST_RULES, TAIL_ALTERNATIVES, Spending
from alerts.rules.contract import Verdict
from db.records import JsonMapping
from db.said import phrase

_SUPPORTED = {"record": "is_record", "first_ever": "is_first", "first_since": "is_first"}
"""Statements whose odds seldom fit the promise; they are told where the margin does."""


def combine_verdicts(verdicts: Sequence[Verdict], spending: Spending | None) -> tuple[Verdict, ...]:
    """Let a record or a first be told with an unusual count, and note the combined p on the leading verdict.

    The combined p is the smallest p over its rule's share of the budget; `chance` is the real chance of any
    alarm by this look, summed over the rules. Without `spending` no rule with a probability was asked.
    """
    unusual = any(
        each.exceeded and each.rule in TAIL_ALTERNATIVES and each.details.get("side") == "high"
        for each in verdicts
    )
    told = [_drawing(_support(each) if unusual else each) for each in verdicts]
    judged = [
        each
        for each in told
        if each.rule in BUDGETED_RULES and each.status == "evaluated" and "p" in each.details
    ]
    if not judged or spending is None:
        return tuple(told)
    leading = min(judged, key=lambda each: _relative(each, spending))
    combined: dict[str, Any] = {
        "p": min(1.0, _relative(leading, spending)),
        "rules": [each.rule for each in judged],
        "chance": sum(_chance(each) for each in judged),
        "alpha": sum(each.details["alpha"] for each in judged),
    }
    return tuple(
        replace(each, details={**each.details, "combined": combined}) if each is leading else each
        for each in told
    )


def _drawing(verdict: Verdict) -> Verdict:
    """Name what an alarm draws on: its part of the promise, or what lies outside it, and when that ends."""
    if not verdict.exceeded:
        return verdict
    details = verdict.details
    if details.get("supported"):
        drawn = {"from": "promise", "part": "tail"}
    elif "declared" in details:
        drawn = {"from": "published statistic", "until": details.get("until", phrase("it was told once"))}
    elif "promised_a_year" in details:
        drawn = {"from": "promise", "part": verdict.rule}
    elif verdict.rule in {"watchlist", *FIRST_RULES}:
        drawn = {"from": "watch list", "until": phrase("the subject is taken off the list")}
    else:
        drawn = {"from": "own request", "until": phrase("{rule} is switched off", rule=verdict.rule)}
    return replace(verdict, details={**details, "budget": drawn})


def _relative(verdict: Verdict, spending: Spending) -> float:
    share = float(spending.a_year(verdict.rule)[0]) / spending.promise.budget["notify"]
    return float(verdict.details["p"]) / share if share > 0 else float("inf")


def _chance(verdict: Verdict) -> float:
    """The real chance of an alarm, or what is promised where it is not worked out."""
    return float(verdict.details.get("chance", verdict.details["alpha"]))


def false_alarm_chance(rule: str, details: JsonMapping) -> float | None:
    """The chance that a rule gave for a false alarm; the n + 1 equal places of a record speak for themselves."""
    for name in ("chance", "alpha"):
        if isinstance(value := details.get(name), float):
            return value
    if rule == "record" and "declared" not in details and "n" in details:
        return 1.0 / (int(details["n"]) + 1)
    return None


def _support(verdict: Verdict) -> Verdict:
    first = _SUPPORTED.get(verdict.rule)
    if first is None or verdict.exceeded or not verdict.details.get(first):
        return verdict
    details = {**verdict.details, "supported": True}
    return replace(verdict, exceeded=True, details=details)
