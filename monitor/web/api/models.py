"""The shapes of the JSON API: what each item holds, in the words of docs/api.md."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from alerts.attribution import alert_attributions, one_cell
from alerts.incidents.causes import cause_object
from alerts.words import quoted_note
from db.records import (
    Alert,
    AlertStatus,
    Evidence,
    Observation,
    Precision,
    Qualifier,
    SharedCause,
    Visit,
    VisitState,
)
from db.records.detections import Detection
from monitor.imagery.cadence import PassState
from monitor.reports.evidence import PollEvidence
from monitor.reports.visit_tables import visit_fields
from monitor.web.views.rows import evidence_page

JsonObject = dict[str, Any]


class ApiError(BaseModel):
    """Why a request was not answered."""

    error: str = Field(description="What is wrong and how to mend it, in a sentence.")


class EvidenceItem(BaseModel):
    """One thing that a reader can follow."""

    kind: str = Field(description="What it is: poll, scene, url and the like.")
    ref: str = Field(description="Its number, id or address.")
    text: str = Field(description="What it shows, in words.")
    page: str = Field(description="The path of our page that shows it; empty where there is none.")


class ExtractItem(BaseModel):
    """What one answer said of one watched aircraft."""

    icao24: str = Field(description="The ICAO 24-bit address.")
    rows: list[JsonObject] = Field(description="As the provider wrote it: its own field names and units.")
    redistribute: bool = Field(description="Whether the provider's terms let it be passed on.")


class PollItem(BaseModel):
    """One question to one provider, on which an alert or a visit rests."""

    id: int = Field(description="The poll's number, as evidence of kind `poll` names it.")
    provider: str = Field(description="Who was asked.")
    scope: str = Field(description="About what.")
    request: str = Field(description="The address that was asked, without keys; empty where it is not kept.")
    started_at: datetime = Field(description="When it was asked.")
    finished_at: datetime | None = Field(description="When the answer was stored.")
    feed_time: datetime | None = Field(description="What the provider's own clock said.")
    outcome: Literal["ok", "empty", "failed"] | None = Field(
        description="How it ended; null while it is under way."
    )
    http_status: int | None = Field(description="The HTTP status of the answer.")
    item_count: int | None = Field(description="How many items it listed.")
    answer_sha256: str | None = Field(description="SHA-256 of the answer as it came.")
    answer_size: int | None = Field(description="Its size, bytes.")
    extracts: list[ExtractItem] = Field(description="What is kept of it: of watched aircraft alone.")
    missing: str = Field(description="Why nothing of the answer is here; empty where something is.")
    page: str = Field(description="The path of the poll's page.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class AreaItem(BaseModel):
    """A named part of a site; `located` is false where nobody has drawn it."""

    id: str = Field(description="Its id within the site.")
    name: str = Field(description="Its name.")
    kind: str = Field(description="apron, sidings, yard, berth and the like.")
    located: bool = Field(description="Whether its outline is known.")


class PassesItem(BaseModel):
    """How the satellite passes over a site go, as far as they show enough of it."""

    state: PassState = Field(
        description="What the newest pass that can be told of says: clear, cloudy or unread (not read yet); awaited (one has "
        "flown and is not later listed than others were), overdue, unasked (no catalogue has answered), unknown."
    )
    text: str = Field(description="The same in sentences.")
    last_at: datetime | None = Field(description="The newest pass that is listed.")
    last_clear_at: datetime | None = Field(description="The newest one that showed enough of the site.")
    clear_share: float | None = Field(
        description="How much of the site the newest one showed clear, 0 to 1; null: not known."
    )
    next_at: datetime | None = Field(description="When the next one is due.")
    expected: int = Field(description="How many passes of the last 60 days should be listed by now.")
    listed: int = Field(description="How many of them are.")


class SiteItem(BaseModel):
    """One watched site, and how it stands."""

    id: str = Field(description="The site's id.")
    name: str = Field(description="Its name.")
    kind: str = Field(description="airport, airbase, railhead and the like.")
    timezone: str = Field(description="The IANA time zone of its days.")
    codes: dict[str, str] = Field(description="Codes of others for it, such as ICAO and IATA.")
    watchlist: list[str] = Field(description="Subjects that are told whenever they come.")
    watchlist_reasons: dict[str, str] = Field(
        description="Why single aircraft are listed, in the words of whoever watches, by subject."
    )
    links: list[str] = Field(description="Ids of sites that belong to it.")
    areas: list[AreaItem] = Field(description="Its named parts.")
    elevation_ft: float | None = Field(description="Height above mean sea level, feet.")
    precision: str = Field(description="How exactly its outline was drawn.")
    notes: str = Field(description="What its author wrote about it.")
    source: str = Field(description="Where its outline comes from.")
    finding: Literal["unusual", "ordinary", "unknown"] = Field(
        description="What the newest usable counts say."
    )
    current: bool = Field(description="Whether the finding rests on a count of the last 30 days.")
    seen_until: datetime | None = Field(description="The end of the newest count or of what was heard there.")
    open_alerts: int = Field(description="How many alerts are open there.")
    passes: PassesItem = Field(description="How the satellite passes over it go.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class ObservationItem(BaseModel):
    """The newest knowable revision of one look's count; `value` null is not observed, never zero."""

    site_id: str = Field(description="The site's id.")
    area: str = Field(description="The area's id; empty for the whole site.")
    metric: str = Field(description="What was counted, such as railcars.")
    subject: str = Field(description="Which of them, such as type:Tu-160; empty for all.")
    procedure: str = Field(description="How it was seen: method, version, sensor class.")
    kind: Literal["flow", "stock"] = Field(
        description="flow grows with the time watched, stock is a snapshot."
    )
    period_start: datetime = Field(description="Begin of the period (inclusive).")
    period_end: datetime = Field(description="End of the period (exclusive).")
    precision: Precision = Field(description="How exactly the time is known.")
    look_key: str = Field(description="Which look of the series and period this is.")
    revision: int = Field(description="Number of the revision, from 0 on.")
    value: float | None = Field(description="The count; null is not observed, never zero.")
    low: float | None = Field(description="Lower bound, if one was given.")
    high: float | None = Field(description="Upper bound, if one was given.")
    qualifier: Qualifier = Field(description="How value is meant: exactly, about, at least, at most.")
    assessable: bool | None = Field(description="Whether anything could have been counted; null: not said.")
    exposure: float | None = Field(
        description="Share of the period or area that was really observed, 0 to 1; null: not stated."
    )
    exposure_parts: JsonObject = Field(description="What the exposure was made of.")
    detectability: float | None = Field(
        description="Share of what was there that such a look finds; null: unknown."
    )
    closed: bool = Field(description="Whether the period is over.")
    result_time: datetime = Field(description="When it was knowable.")
    undated: bool = Field(
        description="Whether its date of publication is not known; `result_time` is then the earliest."
    )
    recorded_at: datetime = Field(description="When this database learned it.")
    publisher: str = Field(description="Who says so.")
    origin: str = Field(description="Who said so first.")
    via: str = Field(description="Who retold it.")
    certainty: str = Field(description="How sure the publisher is, in the publisher's word.")
    announced: bool = Field(description="Whether it had been announced.")
    evidence: list[EvidenceItem] = Field(description="What a reader can follow.")
    note: str = Field(description="A remark: in quotation marks under its publisher's name, else our own.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class VisitItem(BaseModel):
    """The newest version of one aircraft's stay."""

    visit_id: str = Field(description="The visit's id.")
    version: int = Field(description="Number of the version, from 1 on.")
    site_id: str = Field(
        description="The id of the site that tells of it; the region's where only that is known."
    )
    site: str | None = Field(description="The site's id; null where only the region is known.")
    region: str | None = Field(description="The id of the region; null where the site lies in none.")
    places: list[JsonObject] = Field(
        description="The odds of an inferred visit, the likeliest first: `site` (an airport's code where it is `watched` by nobody), "
        "`name`, `probability` and `away_nm`."
    )
    icao24: str = Field(description="The ICAO 24-bit address.")
    state: VisitState = Field(description="How far the visit has come.")
    confidence: int = Field(description="1 (weak) to 4 (sure).")
    arrived_at: datetime | None = Field(description="When it arrived, if known.")
    departed_at: datetime | None = Field(description="When it left, if known.")
    arrived_between: tuple[datetime, datetime] | None = Field(
        description="The interval in which it must have arrived; null where its arrival was not observed."
    )
    departed_between: tuple[datetime, datetime] | None = Field(
        description="The interval in which it must have left; null while it is not known to have."
    )
    first_fix_at: datetime | None = Field(description="First position report of the visit.")
    last_fix_at: datetime | None = Field(description="Last position report of the visit.")
    callsign: str = Field(description="Callsign, if one was sent.")
    registration: str = Field(description="Registration, if known.")
    type_code: str = Field(description="ICAO type designator, if known.")
    subjects: list[str] = Field(description="Under what it is counted.")
    candidates: JsonObject = Field(
        description="Where an inferred visit may have been, each with its probability."
    )
    evidence: list[EvidenceItem] = Field(description="What each step rests on.")
    recorded_at: datetime = Field(description="When this database learned this version.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class AlertItem(BaseModel):
    """One episode."""

    id: str = Field(description="The alert's id.")
    site_id: str = Field(description="The site's id.")
    site_name: str = Field(description="The site's name when the alert opened.")
    area: str = Field(description="The area's id; empty for the whole site.")
    metric: str = Field(description="What was counted.")
    subjects: list[str] = Field(description="Which of them.")
    rule: str = Field(description="The strongest rule that fired.")
    rules: list[str] = Field(description="All rules that fired.")
    status: AlertStatus = Field(description="Where the episode stands.")
    phenomenon_time: datetime = Field(description="When what it tells of happened.")
    opened_at: datetime = Field(description="When it was opened.")
    closed_at: datetime | None = Field(description="When it was closed; null while it is open.")
    last_look_at: datetime = Field(description="The last usable look.")
    value: float | None = Field(description="The count at opening.")
    peak: float | None = Field(description="The highest count since.")
    baseline: JsonObject = Field(description="What was normal, and why.")
    headline: str = Field(description="One sentence.")
    confidence: str = Field(description="How sure, in a word.")
    incident_id: str = Field(description="Alerts of one incident share it.")
    cause: JsonObject | None = Field(
        description="What it shares with other alerts of its kind and day, which are told as one: `id`, `headline`, `day`, how many "
        "`alarmed` of those `judged`, how many were `expected` by chance, and the `occasion` of that day. Null where nothing."
    )
    acknowledged_at: datetime | None = Field(description="When a person noted it.")
    acknowledged_by: str = Field(description="Who noted it.")
    page: str = Field(description="The path of the alert's page.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class DetectionItem(BaseModel):
    """One object that others found, in its newest version."""

    provider: str = Field(description="Who found it.")
    site_id: str = Field(description="The id of the site in which it lies.")
    metric: str = Field(description="What it is counted as.")
    detection_id: str = Field(description="The source's own name for it, or a digest of what it said.")
    detected_class: str = Field(description="What the source calls it.")
    at: datetime = Field(description="When it was seen.")
    lat: float = Field(description="Latitude, degrees of WGS 84.")
    lon: float = Field(description="Longitude, degrees of WGS 84.")
    look_key: str = Field(description="The look in which it was seen; others of it have the same.")
    look_start: datetime = Field(description="Begin of that look (inclusive).")
    look_end: datetime = Field(description="End of that look (exclusive).")
    precision: Precision = Field(description="How exactly the time is known.")
    recorded_at: datetime = Field(description="When this database learned this version.")
    amount: float = Field(
        description="How many it stands for, or how much; 0: the source looked and saw none."
    )
    areas: list[str] = Field(description="Ids of the areas of the site in which it lies.")
    score: float | None = Field(
        description="How sure the source is, 0 to 1, by its own measure; null: not said."
    )
    scene: str = Field(description="The image in which it was found, if it was said.")
    whole: bool = Field(description="Whether the source states all that it saw.")
    coverage: float | None = Field(description="The share of the site that it saw; null: not said.")
    remark: str = Field(description="A remark of the source.")
    version: int = Field(description="Number of the version, from 1 on.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class AircraftItem(BaseModel):
    """One leg of a watched aircraft's way around one of its visits: heard, or a gap in which nobody heard it."""

    icao24: str = Field(description="The ICAO 24-bit address.")
    registration: str = Field(description="Registration, if known.")
    type_code: str = Field(description="ICAO type designator, if known.")
    callsign: str = Field(description="Callsign, if one was sent.")
    visit_id: str = Field(description="The visit's id.")
    site_id: str = Field(description="The id of the site that tells of the visit.")
    state: VisitState = Field(description="How far the visit has come.")
    confidence: int = Field(description="1 (weak) to 4 (sure).")
    kind: Literal["heard", "gap", "not kept"] = Field(
        description="`heard`: reports came in; `gap`: none did, and where it was is not known; `not kept`: there are no reports of this visit."
    )
    start: datetime | None = Field(description="The first report, or the last one before the gap.")
    end: datetime | None = Field(description="The last report, or the first one after the gap.")
    reports: int = Field(description="How many reports there are; 0 in a gap.")
    line: list[list[float]] | None = Field(
        description="Longitude and latitude, point by point; of a gap its two ends, which is not the way that was flown."
    )
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class TotalItem(BaseModel):
    """The counts of one period of one series."""

    site_id: str = Field(description="The site's id.")
    site_name: str = Field(description="The site's name.")
    area: str = Field(description="The area's id; empty for the whole site.")
    metric: str = Field(description="What was counted.")
    subject: str = Field(description="Which of them; empty for all.")
    procedure: str = Field(description="How it was seen.")
    kind: str = Field(description="`flow`: the counts are summed; `stock`: the highest is taken.")
    period: str = Field(
        description="The period, as in 2024-03, by the site's own clock; weeks as in 2024-W10."
    )
    start: datetime = Field(description="When the period begins.")
    end: datetime = Field(description="When it is over.")
    value: float | None = Field(
        description="The sum, or the highest. Null: nobody watched, which is never zero."
    )
    comparator: str = Field(description="`=`, `~=`, `>=` or `<=`; empty without a value.")
    unit: str = Field(description="The unit of the value; empty for a count.")
    watched: float | None = Field(
        description="The share of the period, as far as it is over, that was really seen. Null: those who counted did not say."
    )
    looks: int = Field(description="How many looks there are, with a count or without.")
    counted: int = Field(description="How many counts are in the value.")
    left_out: int = Field(description="Counts that lie within a longer one, and would be counted twice.")
    running: bool = Field(description="Whether the period is not over yet.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class StatusItem(BaseModel):
    """One part of the program and how it is."""

    part: str = Field(description="`program`, `outbox`, `provider:NAME` or `channel:NAME`.")
    state: Literal["ok", "idle", "failing", "unknown", "disabled"] = Field(
        description="How it is: idle means that nothing schedules, unknown that it was never asked, disabled that a person must act."
    )
    since: datetime | None = Field(description="Since when.")
    text: str = Field(description="The same in words.")
    attribution: str = Field(description="Whose data it rests on, as they want to be named.")


class Sites(BaseModel):
    """A page of sites."""

    items: list[SiteItem] = Field(description="The sites of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Observations(BaseModel):
    """A page of observations."""

    items: list[ObservationItem] = Field(description="The observations of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Totals(BaseModel):
    """Counts by period."""

    items: list[TotalItem] = Field(description="The periods, series by series.")
    next: str | None = Field(description="Null: they come in one.")
    remarks: list[str] = Field(description="What a reader must know beside them.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Visits(BaseModel):
    """A page of visits."""

    items: list[VisitItem] = Field(description="The visits of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Alerts(BaseModel):
    """A page of alerts."""

    items: list[AlertItem] = Field(description="The alerts of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Detections(BaseModel):
    """A page of detections."""

    items: list[DetectionItem] = Field(description="The detections of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class AircraftWays(BaseModel):
    """The ways of one watched aircraft."""

    items: list[AircraftItem] = Field(description="Leg by leg, visit by visit, the newest visit first.")
    next: str | None = Field(description="Null: they come in one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Polls(BaseModel):
    """A page of polls."""

    items: list[PollItem] = Field(description="The polls of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


class Statuses(BaseModel):
    """How every part of the program is."""

    items: list[StatusItem] = Field(description="The parts of the program of this page.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    attribution: list[str] = Field(description="Whose data this page rests on, each as it wants to be named.")


def observation_item(each: Observation, sources: Iterable[str]) -> ObservationItem:
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
        undated=each.undated,
        recorded_at=each.recorded_at,
        publisher=each.publisher,
        origin=each.origin,
        via=each.via,
        certainty=each.certainty,
        announced=each.announced,
        evidence=_evidence(each.evidence),
        note=quoted_note(each.note, each.publisher, each.via),
        attribution=one_cell(sources),
    )


def visit_item(each: Visit, sources: Iterable[str]) -> VisitItem:
    """One visit as the API gives it."""
    return VisitItem(**{**visit_fields(each, sources), "evidence": _evidence(each.evidence)})


def alert_item(each: Alert, cause: SharedCause | None) -> AlertItem:
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
        cause=None if cause is None else cause_object(cause),
        acknowledged_at=each.acknowledged_at,
        acknowledged_by=each.acknowledged_by,
        page=f"/alerts/{each.id}",
        attribution=one_cell(alert_attributions(each)),
    )


def detection_item(each: Detection, sources: Iterable[str]) -> DetectionItem:
    """One detection as the API gives it."""
    said = {name: getattr(each, name) for name in DetectionItem.model_fields if name != "attribution"}
    return DetectionItem(**{**said, "areas": list(each.areas)}, attribution=one_cell(sources))


def poll_item(each: PollEvidence, sources: Iterable[str]) -> PollItem:
    """One poll as the API gives it."""
    poll = each.poll
    return PollItem(
        id=poll.id,
        provider=poll.provider,
        scope=poll.scope,
        request=each.request,
        started_at=poll.started_at,
        finished_at=poll.finished_at,
        feed_time=poll.feed_time,
        outcome=poll.outcome,
        http_status=poll.http_status,
        item_count=poll.item_count,
        answer_sha256=poll.answer_sha256,
        answer_size=poll.answer_size,
        extracts=[
            ExtractItem(
                icao24=said.icao24, rows=[dict(row) for row in said.rows], redistribute=said.redistribute
            )
            for said in each.extracts
        ],
        missing=each.missing,
        page=f"/polls/{poll.id}",
        attribution=one_cell(sources),
    )


def _evidence(evidence: tuple[Evidence, ...]) -> list[EvidenceItem]:
    return [
        EvidenceItem(kind=each.kind, ref=each.ref, text=each.text, page=evidence_page(each))
        for each in evidence
    ]
