"""What a rule is given and what it answers: records between history and episodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from alerts.metrics import Metric
from db.records import DeclaredBaseline, EvaluationStatus, Observation

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """What was knowable at `as_of` about the series of one look: newest revisions, the look itself left out.

    `looks` share the look's site, area, metric, subject and procedure; `sightings` are the looks of any
    procedure for the same subject; both end before the look's period and leave announced rows out.
    `observed_days` is the sum of exposure, in days, of the flow looks of this metric without subject.
    """

    as_of: datetime
    looks: tuple[Observation, ...] = ()
    sightings: tuple[Observation, ...] = ()
    declared: tuple[DeclaredBaseline, ...] = ()
    observed_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Context:
    """What every rule may know beside look and history."""

    metric: Metric
    watchlist: tuple[str, ...] = ()
    timezone: str = "UTC"


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


class Rule(Protocol):
    """What counts as unusual: a pure function of look and history. Copy `alerts/rules/record.py`."""

    name: str
    strength: int
    """The alert's `rule` is the one with the greatest strength of those that fired."""
    defaults: Params
    """Parameters with their defaults; a site may override just these."""

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge one look; never raises for odd history, answers `cannot_tell` instead."""
        ...
