"""One alert's page: its life, its evidence, what was sent to whom, and how the messages look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from alerts.attribution import alert_attributions, each_once
from alerts.channels.safe_text import safe_url
from alerts.delivery.frozen import thaw
from alerts.delivery.messages import certainty_words, event_words, placed
from alerts.incidents.causes import together_words
from alerts.incidents.headline import entry_count
from alerts.words import (
    count_words,
    exposure_words,
    own_count,
    period_words,
    quoted_note,
    rule_words,
    source_words,
)
from db.alerts import alert_by_id, alert_events, others_of_incident
from db.causes import causes_of
from db.deliveries import deliveries, notified_alerts
from db.engine import Connection
from db.records import Alert, AlertEvent, Delivery, DeliveryState, SharedCause
from db.said import phrase, phrase_as
from db.silences import Silence, silences
from db.sites import site_names
from monitor.app import App
from monitor.reports.evidence import polls_of_alert
from monitor.web.views.comparison import BeforeAfter, around, shown_pictures
from monitor.web.views.flight_map import FlightMap, flight_map
from monitor.web.views.message_previews import (
    EmailPreview,
    SlackPreview,
    delivery_of,
    email_preview,
    in_its_language,
    shown_event,
    slack_preview,
)
from monitor.web.views.panels import Panel, PanelReader, Topic, panel_attributions
from monitor.web.views.rows import SourceLink, subject_words

_DELIVERY_WORDS: Mapping[DeliveryState, str] = {
    "queued": phrase("waits to be sent"),
    "sending": phrase("being sent"),
    "sent": phrase_as("messages", "sent"),
    "dead": phrase("given up"),
    "too_old": phrase("not sent: too old"),
    "silenced": phrase("not sent: silenced"),
    "unrouted": phrase("not for this channel"),
    "gathered": phrase("waits for the daily digest"),
    "bundled": phrase("told in a daily digest"),
    "joined": phrase("told with others"),
}
_REASONED = ("too_old", "silenced", "joined")
ALERT_CHART_HEIGHT = 220


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One look inside an alert, as it was when the rules fired."""

    subject: str
    count: str
    when: str
    source: SourceLink
    procedure: str
    exposure: str
    certainty: str
    known_since: datetime
    undated: bool
    revision: int
    note: str
    links: tuple[SourceLink, ...]
    visits: tuple[SourceLink, ...]
    rules: tuple[tuple[str, str], ...]
    placed: str
    """Where the count stood among the earlier ones, as known then."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message owed, and what became of it."""

    delivery: Delivery
    words: str
    why: str
    event: str


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Alerts that share a cause, or one that shares none."""

    cause: SharedCause | None
    alerts: tuple[Alert, ...]

    @property
    def first(self) -> Alert:
        """The newest of them."""
        return self.alerts[0]

    @property
    def title(self) -> str:
        """What they share, or what the only one says."""
        return self.cause.headline if self.cause else self.first.headline

    @property
    def path(self) -> str:
        """Where the page tells all of it."""
        return f"/alerts?cause={quote(self.cause.id)}" if self.cause else f"/alerts/{quote(self.first.id)}"


def cause_groups(alerts: Sequence[Alert], causes: Mapping[str, SharedCause]) -> tuple[CauseGroup, ...]:
    """Alerts in their order, with all that share a cause where the first of them stands."""
    groups: dict[str, list[Alert]] = {}
    for each in alerts:
        groups.setdefault(causes[each.id].id if each.id in causes else each.id, []).append(each)
    return tuple(CauseGroup(causes.get(each[0].id), tuple(each)) for each in groups.values())


@dataclass(frozen=True, slots=True)
class AlertPage:
    """All that the page of an alert shows."""

    alert: Alert
    life: tuple[AlertEvent, ...]
    entries: tuple[EntryRow, ...]
    deliveries: tuple[DeliveryRow, ...]
    event: AlertEvent
    slack: SlackPreview
    email: EmailPreview
    silences: tuple[Silence, ...]
    zone: str
    comparison: BeforeAfter | None
    """What was seen of the site before it, and then."""
    panel: Panel | None
    """The counts that the alert is about, where the site is still watched."""
    said: Mapping[int, str]
    """What each event is called, by its number."""
    sent: bool
    """Whether any message about it went, or still goes, to somebody."""
    as_sent: bool
    """Whether the message that is shown is the very one that was sent."""
    polls: tuple[int, ...]
    """The polls that it rests on, through its visits."""
    data: tuple[str, ...]
    """Whose data the page rests on."""
    cause: SharedCause | None
    """What it shares with others of its day, if anything."""
    together: str
    """Why they are told as one; '' where it shares nothing."""
    incident: tuple[Alert, ...]
    """The other alerts of its incident."""
    flights: FlightMap | None
    """Where the watched aircraft in it were heard; None for whoever may not see that yet."""


def alert_page(
    connection: Connection, app: App, alert_id: str, now: datetime, seq: int | None
) -> AlertPage | None:
    """Gather an alert's page; the messages shown are those about event `seq`, else about the first told one."""
    alert = alert_by_id(connection, alert_id)
    if alert is None:
        return None
    life = alert_events(connection, alert_id)
    owed = deliveries(connection, alert_id)
    told = shown_event(life, owed, seq)
    delivery = delivery_of(told, owed)
    message = in_its_language(connection, app, delivery)
    panel = _panel(connection, app, alert, now)
    comparison = around(alert, shown_pictures(connection, alert.site_id, now))
    cause = causes_of(connection, [alert.id]).get(alert.id)
    kinds = {each.seq: event_words(each) for each in life}
    return AlertPage(
        alert=alert,
        life=tuple(life),
        entries=tuple(_entry(each, alert) for each in alert.details["entries"]),
        deliveries=tuple(_delivery(each, kinds) for each in owed),
        event=told,
        slack=slack_preview(message),
        email=email_preview(message, app),
        silences=tuple(
            each
            for each in silences(connection, now)
            if each.site_id == alert.site_id and each.metric in {"", alert.metric}
        ),
        zone=alert.details["timezone"],
        comparison=comparison,
        panel=panel,
        said=kinds,
        sent=bool(notified_alerts(connection, [alert.id])),
        as_sent=thaw(delivery) is not None,
        polls=tuple(polls_of_alert(connection, alert)),
        cause=cause,
        together=together_words(cause) if cause else "",
        incident=tuple(others_of_incident(connection, alert)),
        flights=flight_map(connection, app, alert),
        data=tuple(
            each_once(
                [
                    *alert_attributions(alert),
                    *panel_attributions(panel, app.sources),
                    *_pictured(comparison),
                ]
            )
        ),
    )


def _pictured(comparison: BeforeAfter | None) -> tuple[str, ...]:
    two = () if comparison is None else (comparison.before, comparison.after)
    return tuple(each.made.attribution for each in two)


def _panel(connection: Connection, app: App, alert: Alert, now: datetime) -> Panel | None:
    site = app.sites.get(alert.site_id)
    if site is None:
        return None
    topic = Topic(alert.area, alert.metric, alert.subjects or ("",))
    return PanelReader(connection, site, site_names(connection), now).panel(
        topic, [alert], height=ALERT_CHART_HEIGHT
    )


def _entry(entry: Mapping[str, Any], alert: Alert) -> EntryRow:
    zone = alert.details["timezone"]
    start, end = (datetime.fromisoformat(entry[name]) for name in ("period_start", "period_end"))
    links = tuple(_links(entry))
    said_by = source_words(entry["publisher"], entry["via"])
    name = said_by or own_count(entry["procedure"], entry.get("data_from", ()))
    return EntryRow(
        subject=subject_words(entry["subject"], entry["site_names"]),
        count=count_words(entry["value"], entry["qualifier"]),
        when=period_words(start, end, entry["precision"], zone),
        source=SourceLink(name, links[0].url if links else None),
        procedure=entry["procedure"],
        exposure=exposure_words(entry["exposure"]),
        certainty=certainty_words(entry["certainty"]),
        known_since=datetime.fromisoformat(entry["result_time"]),
        undated=entry.get("undated", False),
        revision=entry["revision"],
        note=quoted_note(entry["note"], entry["publisher"], entry["via"]),
        links=links,
        visits=tuple(_visits(entry, alert.site_id)),
        rules=tuple((rule_words(name), said["reason"]) for name, said in entry["rules"].items()),
        placed=placed(entry, entry_count(entry, alert.metric)),
    )


def _links(entry: Mapping[str, Any]) -> Iterator[SourceLink]:
    for each in entry["evidence"]:
        url = safe_url(each["ref"]) if each["kind"] in {"url", "scene"} else None
        if url:
            yield SourceLink(each["text"] or entry["publisher"] or phrase("Source"), url)


def _visits(entry: Mapping[str, Any], site_id: str) -> Iterator[SourceLink]:
    """Link the aircraft visits behind a count to where the site's page tells them."""
    for each in entry["evidence"]:
        if each["kind"] == "visit":
            yield SourceLink(
                each["text"] or phrase_as("link", "visit"),
                f"/sites/{quote(site_id)}#visit-{quote(each['ref'])}",
            )


def _delivery(each: Delivery, kinds: Mapping[int, str]) -> DeliveryRow:
    because = {"unrouted": str(each.payload.get("why", "")), **dict.fromkeys(_REASONED, each.reason)}
    why = each.last_error or because.get(each.state, "")
    return DeliveryRow(
        each, _DELIVERY_WORDS[each.state], why, kinds.get(each.event_seq or 0, phrase("Notice"))
    )
