"""Verdicts, alerts with their life, and messages owed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from db.records.base import JsonMapping
from db.records.counts import ObservationKey

EvaluationStatus = Literal[
    "evaluated", "not_observed", "cannot_tell", "baseline_broken", "suppressed", "no_rule"
]
AlertStatus = Literal["open", "resolved", "withdrawn", "lapsed"]
EventKind = Literal["opened", "amended", "corroborated", "acknowledged", "resolved", "withdrawn", "lapsed"]
DeliveryState = Literal[
    "queued", "sending", "sent", "dead", "too_old", "silenced", "unrouted", "gathered", "bundled", "joined"
]
"""`gathered` waits for its channel's daily digest and is `bundled` in it; `joined` was told with others that share a cause;
`unrouted` goes to no reader of that channel."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one rule said of one revision of one look."""

    observation: ObservationKey
    rule: str
    status: EvaluationStatus
    exceeded: bool
    details: JsonMapping
    as_of: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """The current state of one episode; a cache over its events."""

    id: str
    fingerprint: str
    site_id: str
    site_name: str
    area: str
    metric: str
    group_key: str
    subjects: tuple[str, ...]
    rule: str
    rules: tuple[str, ...]
    status: AlertStatus
    phenomenon_time: datetime
    opened_at: datetime
    closed_at: datetime | None
    last_look_at: datetime
    value: float | None
    peak: float | None
    baseline: JsonMapping
    headline: str
    confidence: str
    details: JsonMapping
    incident_id: str
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    events: int = 1


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One step in an alert's life, naming the observation revision or visit version behind it."""

    alert_id: str
    seq: int
    kind: EventKind
    at: datetime
    recorded_at: datetime
    reason: str = ""
    value: float | None = None
    observation: ObservationKey | None = None
    visit_id: str | None = None
    visit_version: int | None = None
    details: JsonMapping = field(default_factory=dict)

    @property
    def corrects(self) -> bool:
        """Whether it takes back or changes something that was told: every channel that carried the alert is owed it."""
        return self.kind == "withdrawn" or bool(self.details.get("corrects"))


@dataclass(frozen=True, slots=True)
class SharedCause:
    """What several alerts of one kind and day share, told once; the newest revision names all of them."""

    id: str
    revision: int
    metric: str
    sort: str
    """The sort of subject that is counted, as in `class` or `operator`; empty for the counts of all."""
    side: Literal["high", "low"]
    day: str
    """Of the sites' own calendars: `2024-04-01`."""
    at: datetime
    recorded_at: datetime
    headline: str
    alert_ids: tuple[str, ...]
    details: JsonMapping


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message owed to one channel; `identity` never changes over tries, so receivers can tell a repeat."""

    id: int
    identity: str
    kind: Literal["alert", "notice"]
    channel: str
    state: DeliveryState
    created_at: datetime
    not_before: datetime
    alert_id: str | None = None
    event_seq: int | None = None
    reason: str = ""
    attempts: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    last_error: str | None = None
    provider_ref: str | None = None
    payload: JsonMapping = field(default_factory=dict)
    sent_at: datetime | None = None
    pressing: bool = False
    """Whether it waits for neither quiet hours nor a cap."""
