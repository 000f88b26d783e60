"""Records that cross module borders: frozen, typed, free of SQL. DESIGN words, units in names, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

SeriesKind = Literal["flow", "stock"]
Outcome = Literal["ok", "empty", "failed"]
Purpose = Literal["data", "canary", "token", "page"]
Precision = Literal["minute", "hour", "day", "month", "window"]
Qualifier = Literal["=", "~=", ">=", "<="]
Statistic = Literal["max", "none_before", "last_seen", "share"]
VisitState = Literal[
    "lost_toward",
    "presumed",
    "present",
    "confirmed",
    "departed",
    "through_flight",
    "diverted",
    "withdrawn",
]
EvaluationStatus = Literal[
    "evaluated", "not_observed", "cannot_tell", "baseline_broken", "suppressed", "no_rule"
]
AlertStatus = Literal["open", "resolved", "withdrawn", "lapsed"]
EventKind = Literal["opened", "amended", "corroborated", "acknowledged", "resolved", "withdrawn", "lapsed"]
DeliveryState = Literal["queued", "sending", "sent", "dead", "too_old", "silenced"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a reader can follow: `kind` is url, poll, scene, visit, import or note."""

    kind: str
    ref: str
    text: str = ""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """What is counted, where and how; `area` '' is the whole site, `subject` '' is all of them."""

    site_id: str
    area: str
    metric: str
    subject: str
    procedure: str


@dataclass(frozen=True, slots=True, order=True)
class ObservationKey:
    """The natural key of one revision of one look."""

    series: SeriesKey
    period_start: datetime
    look_key: str
    revision: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One revision of one look's count; `value` None means not observed, never zero.

    `exposure` is the share of the period or area really observed (None: unknown, not 1). `result_time`
    is when the count was knowable. `closed` is False while a running period may still change.
    """

    series: SeriesKey
    kind: SeriesKind
    period_start: datetime
    period_end: datetime
    look_key: str
    value: float | None
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    precision: Precision = "day"
    low: float | None = None
    high: float | None = None
    qualifier: Qualifier = "="
    assessable: bool | None = None
    exposure: float | None = None
    exposure_parts: Json = field(default_factory=dict)
    detectability: float | None = None
    closed: bool = True
    publisher: str = ""
    origin: str = ""
    via: str = ""
    certainty: str = ""
    announced: bool = False
    evidence: tuple[Evidence, ...] = ()
    note: str = ""

    @property
    def key(self) -> ObservationKey:
        """The natural key that evaluations and alert events refer to."""
        return ObservationKey(self.series, self.period_start, self.look_key, self.revision)

    @property
    def data_from(self) -> tuple[str, ...]:
        """Whose data the count rests on: its publisher, or the providers that watched where we counted ourselves."""
        return (self.publisher,) if self.publisher else tuple(filter(None, self.origin.split(", ")))

    @property
    def usable(self) -> bool:
        """Whether this look says anything: a count is there and the look was assessable."""
        return self.value is not None and self.assessable is not False

    def same_finding(self, other: Self) -> bool:
        """Whether the other revision says the same, so that none is owed (DESIGN §6)."""
        return (
            self.value == other.value
            and self.low == other.low
            and self.high == other.high
            and self.qualifier == other.qualifier
            and self.assessable == other.assessable
            and self.closed == other.closed
            and self.announced == other.announced
        )

    def revised(self, revision: int) -> Self:
        """The same look under another revision number."""
        return replace(self, revision=revision)


@dataclass(frozen=True, slots=True)
class DeclaredBaseline:
    """A published statistic about the past, with its citation; `n_looks` None means not published."""

    key: str
    series: SeriesKey
    statistic: Statistic
    value: float | None
    window_start: datetime
    window_end: datetime
    precision: Precision
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    n_looks: int | None = None
    publisher: str = ""
    via: str = ""
    url: str = ""
    certainty: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed at a site ('' = everywhere): it breaks a baseline, excludes a period or is a note.

    The period runs from `starts_at` up to, not including, `ends_at` (None: still so).
    """

    key: str
    site_id: str
    what: str
    effect: str
    starts_at: datetime
    ends_at: datetime | None
    note: str

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether a period lies at least partly within it."""
        return start < (self.ends_at or datetime.max.replace(tzinfo=start.tzinfo)) and end > self.starts_at


@dataclass(frozen=True, slots=True)
class Note:
    """A dated remark about a site that carries no count."""

    key: str
    site_id: str
    metric: str
    subject: str
    starts_at: datetime
    ends_at: datetime
    precision: Precision
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    area: str = ""
    publisher: str = ""
    via: str = ""
    url: str = ""
    certainty: str = ""
    announced: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """One position report: one aircraft at one time and place (ft, kt, °, ft/min; WGS 84).

    `icao24` is lower-case hexadecimal; a leading `~` marks an address that is not ICAO's.
    `on_ground` is None where the report does not say.
    """

    provider: str
    icao24: str
    at: datetime
    received_at: datetime
    lat: float
    lon: float
    on_ground: bool | None = None
    altitude_ft: float | None = None
    altitude_geom_ft: float | None = None
    ground_speed_kt: float | None = None
    track_deg: float | None = None
    vertical_rate_fpm: float | None = None
    source: str = ""
    nic: int | None = None
    nac_p: int | None = None
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    db_flags: int = 0
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One STAC Item over one site; shares are 0 to 1 of the site's area, `look_key` names the pass."""

    provider: str
    collection: str
    item_id: str
    site_id: str
    look_key: str
    platform: str
    acquired_at: datetime
    covered_share: float
    recorded_at: datetime
    version: int = 1
    sensor: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    cloud_share: float | None = None
    footprint: Json | None = None
    links: Json = field(default_factory=dict)
    properties: Json = field(default_factory=dict)
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cutout:
    """The part of one scene's picture that shows one site, as a PNG with the site's outline drawn in.

    `bounds` holds `crs`, `west`, `south`, `east`, `north` in its metres, and `corners`, [lon, lat] from the
    top left clockwise. `shown_share` is the share of the site with pixels; `outline` a digest of the shape drawn.
    """

    site_id: str
    provider: str
    collection: str
    item_id: str
    scene_version: int
    platform: str
    acquired_at: datetime
    png: bytes = field(repr=False)
    width_px: int
    height_px: int
    metres_per_pixel: float
    bounds: Json
    shown_share: float
    outline: str
    attribution: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class CutoutFailure:
    """Why a picture of one site could not be cut out of one scene, and when it is tried again."""

    site_id: str
    provider: str
    collection: str
    item_id: str
    acquired_at: datetime
    reason: str
    attempts: int
    failed_at: datetime
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """One aircraft's stay at one site, in one version; confidence 1 (weak) to 4 (both sides seen)."""

    visit_id: str
    version: int
    site_id: str
    icao24: str
    state: VisitState
    confidence: int
    arrived_at: datetime | None
    departed_at: datetime | None
    first_fix_at: datetime | None
    last_fix_at: datetime | None
    recorded_at: datetime
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    subjects: tuple[str, ...] = ()
    candidates: Json = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageHour:
    """How long one provider really watched one site in one UTC hour."""

    provider: str
    site_id: str
    hour: datetime
    expected_s: int
    observed_s: int
    degraded: bool = False
    reports_nearby: int = 0


@dataclass(frozen=True, slots=True)
class BlindPeriod:
    """A time in which no working feed watched a site; `ended_at` None while it lasts."""

    site_id: str
    since: datetime
    noticed_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """One request to one provider for one scope, with its outcome (None while it runs)."""

    id: int
    provider: str
    scope: str
    slot: int
    purpose: Purpose
    started_at: datetime
    sequence: int = 0
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    http_status: int | None = None
    item_count: int | None = None
    feed_time: datetime | None = None
    error: str | None = None
    payload_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What is known of one provider's health; `not_before` is the earliest next request.

    `retry_at` is the provider's own wish in it (Retry-After), which holds for a person's poll too.
    """

    provider: str
    health: Literal["unknown", "ok", "failing", "disabled"]
    updated_at: datetime
    not_before: datetime | None = None
    last_ok_at: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    feed_time: datetime | None = None
    failures: int = 0
    credits: Json | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one rule said of one revision of one look."""

    observation: ObservationKey
    rule: str
    status: EvaluationStatus
    exceeded: bool
    details: Json
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
    baseline: Json
    headline: str
    confidence: str
    details: Json
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
    details: Json = field(default_factory=dict)


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
    payload: Json = field(default_factory=dict)
    sent_at: datetime | None = None
