"""What one series may cost a year, how its rules share that, and what each may spend on the judged look."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alerts.baselines.answers import Answers
from alerts.baselines.special import BoolArray, FloatArray, IntArray

Severity = Literal["urgent", "notify", "digest"]
SEVERITIES: tuple[Severity, ...] = ("urgent", "notify", "digest")
URGENT, NOTIFY, DIGEST, ORDINARY = range(4)
"""Severities as numbers: their place in `SEVERITIES`, and one more for what is ordinary."""
FalseAlarmBudget = Mapping[str, float]
DEFAULT_BUDGET: FalseAlarmBudget = MappingProxyType({"notify": 0.5, "urgent": 0.05, "digest": 4.0})
"""False alarms a site-year: `notify` opens an alert, `urgent` marks it, `digest` only stands in the digest."""

BUDGET_SHARES: Mapping[str, float] = MappingProxyType(
    {"tail": 0.80, "first_since": 0.05, "absence": 0.05, "step": 0.10}
)
"""Of R2, R5, R6 and R7: delay grows with the logarithm of 1/share where evidence adds up, so those need little. A record
explains an alarm and has no share; other rules have none either."""
TAIL_ALTERNATIVES = ("tail", "ears_c1", "ears_c2", "ears_c3", "farrington")
"""Rules that ask the same question, so many, and share the tail's part of the budget."""
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "tail": TAIL_ALTERNATIVES,
    "first_since": ("first_ever", "first_since"),
    "absence": ("absence",),
    "step": ("step",),
}
FIRST_RULES = _GROUPS["first_since"]
"""They have one share together: a subject was seen before, or it was not."""
BUDGETED_RULES = frozenset(rule for group in _GROUPS.values() for rule in group)
"""Rules under the promise; the watch list and declared statistics lie outside it."""

COUNT_RULES = frozenset(
    {"ears_c1", "ears_c2", "ears_c3", "farrington", "absence", "step", "rate_change", "several"}
)
"""Rules that rest on laws of counts: they judge nothing that is measured in a unit."""

_MOST = 0.5


def shares_of(rules: Collection[str]) -> Mapping[str, float]:
    """Each enabled rule's share of a series' budget; what rules that are off would have had goes to the others.

    `first_ever` and `first_since` have one share together: a subject was seen before, or it was not.
    """
    groups = {name: [rule for rule in group if rule in rules] for name, group in _GROUPS.items()}
    total = sum(BUDGET_SHARES[name] for name, group in groups.items() if group)
    return {
        rule: BUDGET_SHARES[name] / total / (1 if name == "first_since" else len(group))
        for name, group in groups.items()
        for rule in group
    }


_ALONE: Mapping[str, float] = {
    **dict.fromkeys(TAIL_ALTERNATIVES, BUDGET_SHARES["tail"]),
    **shares_of(["tail", "first_ever", "first_since", "absence", "step"]),
}
"""Shares of a rule that is looked at alone, each alternative in the tail's place."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The highest past scores (-log₁₀ p) of a class of series under one rule, highest first, of `n` in all."""

    n: int
    top: tuple[float, ...]

    def bound(self, alpha: FloatArray) -> FloatArray:
        """The score that a new one exceeds with chance alpha; NaN where n are too few to promise that.

        A new score exceeds the j-th highest of n with chance j/(n + 1).
        """
        allowed = ((self.n + 1) * alpha + 1e-9).astype(np.int64)
        if not self.top:
            return np.full(alpha.shape, np.nan)
        place = np.clip(allowed, 1, len(self.top)) - 1
        return np.where(allowed >= 1, np.array(self.top)[place], np.nan)


@dataclass(frozen=True, slots=True)
class FalseAlarmPromise:
    """What one series may cost a year, how its rules share that, and how its class has scored so far."""

    budget: FalseAlarmBudget = field(default_factory=lambda: DEFAULT_BUDGET)
    shares: Mapping[str, float] = field(default_factory=lambda: dict(_ALONE))
    scores: Mapping[tuple[str, str], ClassScores] = field(default_factory=dict)
    """By rule and class (`flow, daily`)."""

    def a_year(self, rule: str, severity: Severity = "notify") -> float:
        """The false alarms a year that this rule may give in this series, before anything is lent."""
        return self.budget[severity] * self.shares.get(rule, 0.0)


@dataclass(frozen=True, slots=True)
class Spending:
    """The promise of S series at their judged looks, with what rules that are idle lend to the tail."""

    promise: FalseAlarmPromise
    looks_a_year: FloatArray
    """Usable looks a year [series], over which a rule's part is spread."""
    kind: str
    """The class whose past scores set bounds."""
    lent: Mapping[Severity, Mapping[str, FloatArray]] = field(default_factory=dict)
    """By severity and rule: the fraction of its share [series] that a rule cannot spend on the judged look."""

    def a_year(self, rule: str, severity: Severity = "notify") -> FloatArray:
        """The false alarms a year that this rule may give, [series]."""
        whole = np.full(self.looks_a_year.shape, self.promise.a_year(rule, severity))
        lent, shares = self.lent.get(severity, {}), self.promise.shares
        if rule not in TAIL_ALTERNATIVES or rule not in shares:
            return whole * (1.0 - lent[rule]) if rule in lent else whole
        # The firsts have one share together, so only one of them has any to lend.
        each = {
            ("first" if name in FIRST_RULES else name): shares[name] * part for name, part in lent.items()
        }
        borrowers = sum(name in shares for name in TAIL_ALTERNATIVES)
        total: FloatArray = whole + self.promise.budget[severity] * sum(each.values()) / borrowers
        return total

    def alpha(self, rule: str, severity: Severity = "notify") -> FloatArray:
        """The chance of a false alarm that one look may have."""
        return np.minimum(_MOST, self.a_year(rule, severity) / self.looks_a_year)

    def bound(self, rule: str, severity: Severity = "notify") -> FloatArray:
        """The p at or below which the rule fires: the class's own quantile where it is known, else alpha."""
        alpha = self.alpha(rule, severity)
        scores = self.promise.scores.get((rule, self.kind))
        if scores is None:
            return alpha
        score = scores.bound(alpha)
        # Strictly above the bound: the next smaller p.
        return np.where(np.isnan(score), alpha, np.nextafter(10.0**-score, 0.0))

    def recalibrated(self, rule: str) -> BoolArray:
        """Whether the class's own past scores set the bound of alerts."""
        scores = self.promise.scores.get((rule, self.kind))
        if scores is None:
            return np.zeros(self.looks_a_year.shape, dtype=bool)
        known: BoolArray = ~np.isnan(scores.bound(self.alpha(rule)))
        return known

    def severity(self, answers: Answers) -> IntArray:
        """How severe each judged look is."""
        rule = answers.rule
        return severest(
            [answers.fires(self.bound(rule, name)) & (self.a_year(rule, name) > 0) for name in SEVERITIES]
        )


def severest(hits: list[NDArray[np.bool_]]) -> IntArray:
    """The number of the severest that holds; `hits` are in the order of `SEVERITIES`."""
    found = np.full(hits[0].shape, ORDINARY, dtype=np.int64)
    for number in reversed(range(len(hits))):
        found[hits[number]] = number
    return found
