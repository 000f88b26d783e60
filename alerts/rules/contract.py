"""What a rule is given and what it answers: records between history and episodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from alerts.baselines.budget import FalseAlarmPromise
from alerts.baselines.engine import Judgement
from alerts.baselines.model import Series
from alerts.metrics import Metric
from alerts.occasions import HolidayCalendar
from alerts.rules.series import PastLooks, past_looks, series_of
from db.records import Change, DeclaredBaseline, EvaluationStatus, Observation

Params = Mapping[str, Any]
RuleState = Mapping[str, Any]
"""What a rule remembers of a series between looks, in JSON types; it can always be rebuilt from history."""


@dataclass(frozen=True)
class LookHistory:
    """What was knowable at `as_of` about the series of one look: newest revisions, the look itself left out.

    `looks` share the look's site, area, metric, subject and procedure; `sightings` are the looks of any
    procedure for the same subject; both end before the look's period and leave announced rows out. Looks
    before a change that breaks the baseline, and those in excluded periods, are sightings only.
    `observed_days` is the sum of exposure, in days, of the looks that could have shown the subject.
    """

    as_of: datetime
    looks: tuple[Observation, ...] = ()
    sightings: tuple[Observation, ...] = ()
    declared: tuple[DeclaredBaseline, ...] = ()
    observed_days: float = 0.0
    observed_days_since: float | None = None
    """Those since the last sighting, None where they were not counted apart."""
    implied: tuple[Observation, ...] = ()
    """Looks by the same procedure at which this subject would have been counted, and was not."""
    changes: tuple[Change, ...] = ()
    """The changes on record that concern this look or its baseline."""
    broken_by: Change | None = None
    """The last change that began the baseline anew."""
    excluded_by: Change | None = None
    """The change whose excluded period holds this look."""
    identities: tuple[float, ...] = ()
    """For an identity: how often each identity of its sort was counted here before."""
    states: Mapping[str, RuleState] = field(default_factory=dict)
    """What each rule remembered, by rule."""
    calendar: HolidayCalendar = field(default_factory=HolidayCalendar)
    """Whose holidays are no ordinary days here."""

    @cached_property
    def past(self) -> PastLooks:
        """The earlier looks as arrays."""
        return past_looks(self.looks, self.implied)

    def series(self, look: Observation) -> Series:
        """The look behind its past, laid out once for all rules."""
        if look is not self._laid[0]:
            self._laid[:] = [look, series_of(look, self.past, self.calendar)]
        laid: Series = self._laid[1]
        return laid

    @cached_property
    def _laid(self) -> list[Any]:
        return [None, None]


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What every rule may know beside look and history."""

    metric: Metric
    watchlist: tuple[str, ...] = ()
    timezone: str = "UTC"
    promise: FalseAlarmPromise = field(default_factory=FalseAlarmPromise)
    judgement: Judgement | None = None
    """What the engine says of the look by all rules of its watch together; None where a rule is asked alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer about one look; `reason` is one plain sentence with every figure in it.

    `details` carries threshold, n, window, exposure, odds and citation where they exist; a key that is
    absent could not be given, and must not be printed as if it were.
    """

    rule: str
    status: EvaluationStatus
    exceeded: bool
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    state: RuleState | None = None
    """What the rule wants to remember of the history it was given; kept in a row, not with the verdict."""


class Rule(Protocol):
    """What counts as unusual: a pure function of look and history. Copy `alerts/rules/record.py`."""

    name: str
    strength: int
    """The alert's `rule` is the one with the greatest strength of those that fired."""
    defaults: Params
    """Parameters with their defaults; a site may override just these."""

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look; never raises for odd history, answers `cannot_tell` instead."""
        ...
