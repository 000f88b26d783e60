"""The promise in a reader's units: how many false alarms a site and year may have, and what that allows a look. Pure.

The budget of a site is split among its metrics and series, and within a series among its rules.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from alerts.baselines.combine import SHARES

Severity = Literal["urgent", "notify", "digest"]
SEVERITIES: tuple[Severity, ...] = ("urgent", "notify", "digest")
Budget = Mapping[str, float]
DEFAULT_BUDGET: Budget = MappingProxyType({"notify": 0.5, "urgent": 0.05, "digest": 4.0})
"""False alarms a site-year: `notify` opens an alert, `urgent` marks it, `digest` only stands in the digest."""

ALTERNATIVES = ("tail", "ears_c1", "ears_c2", "ears_c3", "farrington")
"""Rules that ask the same question, so many, and share the tail's part of the budget."""
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "record": ("record",),
    "tail": ALTERNATIVES,
    "first_since": ("first_ever", "first_since"),
    "absence": ("absence",),
    "step": ("step",),
}
FIRSTS = _GROUPS["first_since"]
"""They have one share together: a subject was seen before, or it was not."""
BUDGETED = frozenset(rule for group in _GROUPS.values() for rule in group)
"""Rules under the promise; the watch list and declared statistics lie outside it."""

_MOST = 0.5


def whole_budget(given: Any, default: Budget = DEFAULT_BUDGET) -> Budget:
    """A budget for every severity, from a number (alerts; the others in proportion) or some severities."""
    if isinstance(given, int | float):
        scale = float(given) / default["notify"]
        return {name: value * scale for name, value in default.items()}
    return {**default, **given}


def site_budget(default: Budget, given: Any, metric: str, metrics: int) -> Budget:
    """What one metric of a site may cost a year: its own number, or an equal part of the site's."""
    if isinstance(given, Mapping) and metric in given:
        return whole_budget(given[metric], default)
    severities = isinstance(given, Mapping) and given.keys() <= set(SEVERITIES)
    site = whole_budget(given, default) if isinstance(given, int | float) or severities else default
    return {name: value / max(1, metrics) for name, value in site.items()}


def shares_of(rules: Collection[str]) -> Mapping[str, float]:
    """Each enabled rule's share of a series' budget; what rules that are off would have had goes to the others.

    `first_ever` and `first_since` have one share together: a subject was seen before, or it was not.
    """
    groups = {name: [rule for rule in group if rule in rules] for name, group in _GROUPS.items()}
    total = sum(SHARES[name] for name, group in groups.items() if group)
    return {
        rule: SHARES[name] / total / (1 if name == "first_since" else len(group))
        for name, group in groups.items()
        for rule in group
    }


_ALONE: Mapping[str, float] = {
    **dict.fromkeys(ALTERNATIVES, SHARES["tail"]),
    **shares_of(["record", "tail", "first_ever", "first_since", "absence", "step"]),
}
"""Shares of a rule that is looked at alone, each alternative in the tail's place."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The highest past scores (-log₁₀ p) of a class of series under one rule, highest first, of `n` in all."""

    n: int
    top: tuple[float, ...]

    def bound(self, alpha: float) -> float | None:
        """The score that a new one exceeds with chance alpha; None where n are too few to promise that."""
        allowed = int((self.n + 1) * alpha + 1e-9)
        return self.top[min(allowed, len(self.top)) - 1] if allowed >= 1 and self.top else None


@dataclass(frozen=True, slots=True)
class Promise:
    """What one series may cost a year, how its rules share that, and how its class has scored so far."""

    budget: Budget = field(default_factory=lambda: DEFAULT_BUDGET)
    shares: Mapping[str, float] = field(default_factory=lambda: dict(_ALONE))
    scores: Mapping[tuple[str, str], ClassScores] = field(default_factory=dict)
    """By rule and class (`flow, daily`)."""
    lent: Mapping[Severity, Mapping[str, float]] = field(default_factory=dict)
    """By severity and rule: the fraction of its share that a rule cannot spend on the judged look."""

    def whole_a_year(self, rule: str, severity: Severity = "notify") -> float:
        """The false alarms a year that this rule may give in this series, before anything is lent."""
        return self.budget[severity] * self.shares.get(rule, 0.0)

    def a_year(self, rule: str, severity: Severity = "notify") -> float:
        """The false alarms a year that this rule may give in this series at the judged look."""
        lent = self.lent.get(severity, {})
        if rule not in ALTERNATIVES or rule not in self.shares:
            return self.whole_a_year(rule, severity) * (1.0 - lent.get(rule, 0.0))
        # The firsts have one share together, so only one of them has any to lend.
        each = {
            ("first" if name in FIRSTS else name): self.shares[name] * part for name, part in lent.items()
        }
        borrowers = sum(name in self.shares for name in ALTERNATIVES)
        return self.whole_a_year(rule, severity) + self.budget[severity] * sum(each.values()) / borrowers

    def alpha(self, rule: str, looks_a_year: float, severity: Severity = "notify") -> float:
        """The chance of a false alarm that one look may have."""
        return min(_MOST, self.a_year(rule, severity) / max(looks_a_year, 1.0))

    def p_bound(self, rule: str, looks_a_year: float, kind: str, severity: Severity = "notify") -> float:
        """The p at or below which the rule fires: the class's own quantile where it is known, else alpha."""
        alpha = self.alpha(rule, looks_a_year, severity)
        scores = self.scores.get((rule, kind))
        bound = scores.bound(alpha) if scores else None
        # Strictly above the bound: the next smaller p.
        return alpha if bound is None else math.nextafter(10.0**-bound, 0.0)

    def recalibrated(self, rule: str, looks_a_year: float, kind: str) -> bool:
        """Whether the class's own past scores set the bound of alerts."""
        scores = self.scores.get((rule, kind))
        return scores is not None and scores.bound(self.alpha(rule, looks_a_year)) is not None

    def severity(self, rule: str, p: float, looks_a_year: float, kind: str) -> Severity | None:
        """How severe a look with this p is, None where it is ordinary."""
        for severity in SEVERITIES:
            if self.a_year(rule, severity) > 0 and p <= self.p_bound(rule, looks_a_year, kind, severity):
                return severity
        return None
