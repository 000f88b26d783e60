"""The shapes of the JSON API: what each item holds, in the words of docs/api.md."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from db.records import Alert, Evidence, Observation, Visit

JsonObject = dict[str, Any]


class ApiError(BaseModel):
    """Why a request was not answered."""

    error: str


class EvidenceItem(BaseModel):
    """One thing that a reader can follow."""

    kind: str
    ref: str
    text: str


class AreaItem(BaseModel):
    """A named part of a site; `located` is false where nobody has drawn it."""

    id: str
    name: str
    kind: str
    located: bool


class SiteItem(BaseModel):
    """One watched site, and how it stands."""

    id: str
    name: str
    kind: str
    timezone: str
    codes: dict[str, str]
    watchlist: list[str]
    links: list[str]
    areas: list[AreaItem]
    elevation_ft: float | None
    precision: str
    notes: str
    source: str
    finding: Literal["unusual", "ordinary", "unknown"]
    current: bool = Field(description="Whether the finding rests on a count of the last 30 days.")
    seen_until: datetime | None = Field(description="The end of the newest count or of what was heard there.")
    open_alerts: int


class ObservationItem(BaseModel):
    """The newest knowable revision of one look's count; `value` null is not observed, never zero."""

    site_id: str
    area: str
    metric: str
    subject: str
    procedure: str
    kind: Literal["flow", "stock"]
    period_start: datetime
    period_end: datetime
    precision: str
    look_key: str
    revision: int
    value: float | None
    low: float | None
    high: float | None
    qualifier: str
    assessable: bool | None
    exposure: float | None
    exposure_parts: JsonObject
    detectability: float | None
    closed: bool
    result_time: datetime
    recorded_at: datetime
    publisher: str
    origin: str
    via: str
    certainty: str
    announced: bool
    evidence: list[EvidenceItem]
    note: str


class VisitItem(BaseModel):
    """The newest version of one aircraft's stay."""

    visit_id: str
    version: int
    site_id: str
    icao24: str
    state: str
    confidence: int
    arrived_at: datetime | None
    departed_at: datetime | None
    first_fix_at: datetime | None
    last_fix_at: datetime | None
    callsign: str
    registration: str
    type_code: str
    subjects: list[str]
    candidates: JsonObject
    evidence: list[EvidenceItem]
    recorded_at: datetime


class AlertItem(BaseModel):
    """One episode."""

    id: str
    site_id: str
    site_name: str
    area: str
    metric: str
    subjects: list[str]
    rule: str
    rules: list[str]
    status: str
    phenomenon_time: datetime
    opened_at: datetime
    closed_at: datetime | None
    last_look_at: datetime
    value: float | None
    peak: float | None
    baseline: JsonObject
    headline: str
    confidence: str
    incident_id: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    page: str = Field(description="The path of the alert's page.")


class StatusItem(BaseModel):
    """One part of the program and how it is."""

    part: str = Field(description="`program`, `outbox`, `provider:NAME` or `channel:NAME`.")
    state: str
    since: datetime | None
    text: str


class Sites(BaseModel):
    """A page of sites."""

    items: list[SiteItem]
    next: str | None


class Observations(BaseModel):
    """A page of observations."""

    items: list[ObservationItem]
    next: str | None


class Visits(BaseModel):
    """A page of visits."""

    items: list[VisitItem]
    next: str | None


class Alerts(BaseModel):
    """A page of alerts."""

    items: list[AlertItem]
    next: str | None


class Statuses(BaseModel):
    """How every part of the program is."""

    items: list[StatusItem]
    next: str | None


def observation_item(each: Observation) -> ObservationItem:
    """One observation as the API gives it."""
    series = each.series
    return ObservationItem(
        site_id=series.site_id,
        area=series.area,
        metric=series.metric,
        subject=series.subject,
        procedure=series.procedure,
        kind=each.kind,
        period_start=each.period_start,
        period_end=each.period_end,
        precision=each.precision,
        look_key=each.look_key,
        revision=each.revision,
        value=each.value,
        low=each.low,
        high=each.high,
        qualifier=each.qualifier,
        assessable=each.assessable,
        exposure=each.exposure,
        exposure_parts=dict(each.exposure_parts),
        detectability=each.detectability,
        closed=each.closed,
        result_time=each.result_time,
        recorded_at=each.recorded_at,
        publisher=each.publisher,
        origin=each.origin,
        via=each.via,
        certainty=each.certainty,
        announced=each.announced,
        evidence=_evidence(each.evidence),
        note=each.note,
    )


def visit_item(each: Visit) -> VisitItem:
    """One visit as the API gives it."""
    return VisitItem(
        visit_id=each.visit_id,
        version=each.version,
        site_id=each.site_id,
        icao24=each.icao24,
        state=each.state,
        confidence=each.confidence,
        arrived_at=each.arrived_at,
        departed_at=each.departed_at,
        first_fix_at=each.first_fix_at,
        last_fix_at=each.last_fix_at,
        callsign=each.callsign,
        registration=each.registration,
        type_code=each.type_code,
        subjects=list(each.subjects),
        candidates=dict(each.candidates),
        evidence=_evidence(each.evidence),
        recorded_at=each.recorded_at,
    )


def alert_item(each: Alert) -> AlertItem:
    """One alert as the API gives it."""
    return AlertItem(
        id=each.id,
        site_id=each.site_id,
        site_name=each.site_name,
        area=each.area,
        metric=each.metric,
        subjects=list(each.subjects),
        rule=each.rule,
        rules=list(each.rules),
        status=each.status,
        phenomenon_time=each.phenomenon_time,
        opened_at=each.opened_at,
        closed_at=each.closed_at,
        last_look_at=each.last_look_at,
        value=each.value,
        peak=each.peak,
        baseline=dict(each.baseline),
        headline=each.headline,
        confidence=each.confidence,
        incident_id=each.incident_id,
        acknowledged_at=each.acknowledged_at,
        acknowledged_by=each.acknowledged_by,
        page=f"/alerts/{each.id}",
    )


def _evidence(evidence: tuple[Evidence, ...]) -> list[EvidenceItem]:
    return [EvidenceItem(kind=each.kind, ref=each.ref, text=each.text) for each in evidence]
