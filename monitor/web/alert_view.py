"""One alert's page: its life, its evidence, what was sent to whom, and how the messages look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any

from sqlalchemy import Connection

from alerts.channels import Message
from alerts.channels.email_message import build
from alerts.channels.safe_text import safe_url
from alerts.channels.slack_blocks import payload
from alerts.messages import STATUS, compose_alert
from db.alerts import alert_by_id, events
from db.deliveries import deliveries
from db.records import Alert, AlertEvent, Delivery
from db.silences import Silence, silences
from db.sites import site_names
from monitor.bootstrap import App
from monitor.web import wording
from monitor.web.panels import Desk, Panel, Topic
from monitor.web.rows import Source, subject_words

_DELIVERY_WORDS = {
    "queued": "waits to be sent",
    "sending": "being sent",
    "sent": "sent",
    "dead": "given up",
    "too_old": "not sent: too old",
    "silenced": "not sent: silenced",
}
CHART_HEIGHT = 220
_NO_SENDER = "sitewatch@localhost"


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One look inside an alert, as it was when the rules fired."""

    subject: str
    count: str
    when: str
    source: Source
    procedure: str
    exposure: str
    certainty: str
    known_since: datetime
    revision: int
    note: str
    links: tuple[Source, ...]
    rules: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message owed, and what became of it."""

    delivery: Delivery
    words: str
    why: str
    event: str


@dataclass(frozen=True, slots=True)
class SlackPreview:
    """A Slack message as blocks of plain text: what Slack is given, without its drawing."""

    header: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    links: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """An email's head lines and its plain text."""

    head: tuple[tuple[str, str], ...]
    text: str


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
    panel: Panel | None
    """The counts that the alert is about, where the site is still watched."""
    status_words: Mapping[str, str]


def alert_page(
    connection: Connection, app: App, alert_id: str, now: datetime, seq: int | None
) -> AlertPage | None:
    """Gather an alert's page; the messages shown are those about event `seq`, else about the first told one."""
    alert = alert_by_id(connection, alert_id)
    if alert is None:
        return None
    life = events(connection, alert_id)
    owed = deliveries(connection, alert_id)
    told = _told_event(life, owed, seq)
    message = compose_alert(alert, told, _delivery_of(told, owed), app.settings.public_url)
    kinds = {each.seq: STATUS[each.kind] for each in life}
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
        panel=_panel(connection, app, alert, now),
        status_words=STATUS,
    )


def _told_event(life: Sequence[AlertEvent], owed: Sequence[Delivery], seq: int | None) -> AlertEvent:
    told = {each.event_seq for each in owed}
    chosen = [each for each in life if each.seq == seq] or [each for each in life if each.seq in told]
    return chosen[0] if chosen else life[0]


def _panel(connection: Connection, app: App, alert: Alert, now: datetime) -> Panel | None:
    site = app.sites.get(alert.site_id)
    if site is None:
        return None
    topic = Topic(alert.area, alert.metric, alert.subjects or ("",))
    return Desk(connection, site, site_names(connection), now).panel(topic, [alert], height=CHART_HEIGHT)


def _delivery_of(event: AlertEvent, owed: Sequence[Delivery]) -> Delivery:
    found = [each for each in owed if each.event_seq == event.seq]
    if found:
        return found[0]
    # Nobody was owed this one; the preview shows what it would have been.
    return Delivery(
        id=0,
        identity=f"{event.alert_id}:{event.seq}:preview",
        kind="alert",
        channel="preview",
        state="queued",
        created_at=event.recorded_at,
        not_before=event.recorded_at,
        alert_id=event.alert_id,
        event_seq=event.seq,
    )


def _entry(entry: Mapping[str, Any], alert: Alert) -> EntryRow:
    zone = alert.details["timezone"]
    start, end = (datetime.fromisoformat(entry[name]) for name in ("period_start", "period_end"))
    links = tuple(_links(entry))
    publisher = entry["publisher"] or f"counted by sitewatch ({entry['procedure']})"
    via = f" (via {entry['via']})" if entry["via"] else ""
    return EntryRow(
        subject=subject_words(entry["subject"], entry["site_names"]),
        count=wording.qualified(entry["qualifier"], entry["value"]),
        when=wording.period(start, end, entry["precision"], zone),
        source=Source(publisher + via, links[0].url if links else None),
        procedure=entry["procedure"],
        exposure="not stated" if entry["exposure"] is None else f"{entry['exposure']:.0%}",
        certainty=entry["certainty"] or "not stated",
        known_since=datetime.fromisoformat(entry["result_time"]),
        revision=entry["revision"],
        note=entry["note"],
        links=links,
        rules=tuple((name.replace("_", " "), said["reason"]) for name, said in entry["rules"].items()),
    )


def _links(entry: Mapping[str, Any]) -> Iterator[Source]:
    for each in entry["evidence"]:
        url = safe_url(each["ref"]) if each["kind"] in {"url", "scene"} else None
        if url:
            yield Source(each["text"] or entry["publisher"] or "Source", url)


def _delivery(each: Delivery, kinds: Mapping[int, str]) -> DeliveryRow:
    why = each.last_error or (each.reason if each.state in {"too_old", "silenced"} else "")
    return DeliveryRow(each, _DELIVERY_WORDS[each.state], why, kinds.get(each.event_seq or 0, "Notice"))


def slack_preview(message: Message) -> SlackPreview:
    """Read the very blocks that Slack is sent back into plain text."""
    header = ""
    parts: list[tuple[str, tuple[str, ...]]] = []
    links: list[Source] = []
    for block in payload(message)["blocks"]:
        match block["type"]:
            case "header":
                header = unescape(block["text"]["text"])
            case "section" if "fields" in block:
                parts.append(("fields", tuple(unescape(each["text"]) for each in block["fields"])))
            case "section":
                parts.append(("section", (unescape(block["text"]["text"]),)))
            case "context":
                parts.append(("context", tuple(unescape(each["text"]) for each in block["elements"])))
            case "rich_text":
                links += [
                    Source(each.get("text") or each["url"], safe_url(each["url"]))
                    for section in block["elements"]
                    for each in section["elements"]
                    if each["type"] == "link"
                ]
    return SlackPreview(header, tuple(parts), tuple(links))


def email_preview(message: Message, app: App) -> EmailPreview:
    """Build the very email and show its head and its plain text."""
    settings = app.settings.email_channel()
    sender = settings.sender if settings else _NO_SENDER
    recipients = settings.recipients if settings else (_NO_SENDER,)
    mail = build(message, sender, recipients, "sitewatch.invalid")
    body = mail.get_body(("plain",))
    head = (
        ("From", sender if settings else "(no email is set up)"),
        ("To", f"{len(recipients)} recipients" if settings else "(no email is set up)"),
        ("Subject", str(mail["Subject"])),
    )
    return EmailPreview(head, body.get_content() if body else "")
