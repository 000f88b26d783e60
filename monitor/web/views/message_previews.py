"""How the messages of an alert look: the very payloads of the channels, read back for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import unescape

from alerts.channels import Message
from alerts.channels.email_message import build_email
from alerts.channels.safe_text import safe_url
from alerts.channels.slack_blocks import slack_payload
from alerts.delivery.compose import compose_within
from alerts.delivery.frozen import thaw
from alerts.delivery.spoken import spoken
from db.alerts import alert_events
from db.deliveries import deliveries
from db.engine import Connection
from db.records import AlertEvent, Delivery
from db.said import phrase, phrase_as, phrase_n
from monitor.app import App
from monitor.web.views.rows import SourceLink

_NO_SENDER = "sitewatch@localhost"


@dataclass(frozen=True, slots=True)
class SlackPreview:
    """A Slack message as blocks of plain text: what Slack is given, without its drawing."""

    header: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    links: tuple[SourceLink, ...]


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """An email's head lines and its plain text."""

    head: tuple[tuple[str, str], ...]
    text: str


def shown_event(life: Sequence[AlertEvent], owed: Sequence[Delivery], seq: int | None) -> AlertEvent:
    """The event whose messages are shown: the one that is asked for, else the first that was owed to anybody."""
    told = {each.event_seq for each in owed}
    chosen = [each for each in life if each.seq == seq] or [each for each in life if each.seq in told]
    return chosen[0] if chosen else life[0]


def delivery_of(event: AlertEvent, owed: Sequence[Delivery]) -> Delivery:
    """What was owed about an event, one that was sent before others; or what would have been."""
    found = [each for each in owed if each.event_seq == event.seq]
    if found:
        return next((each for each in found if thaw(each) is not None), found[0])
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


def in_its_language(connection: Connection, app: App, delivery: Delivery) -> Message:
    """The message of a delivery as its channel says it: as it was sent, else in the language that the channel has now."""
    message = compose_within(connection, delivery, app.settings.public_url)
    sent = thaw(delivery) is not None
    return message if sent else spoken(message, app.routing.policy(delivery.channel).language)


def slack_preview(message: Message) -> SlackPreview:
    """Read the very blocks that Slack is sent back into plain text."""
    header = ""
    parts: list[tuple[str, tuple[str, ...]]] = []
    links: list[SourceLink] = []
    for block in slack_payload(message)["blocks"]:
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
                    SourceLink(each.get("text") or each["url"], safe_url(each["url"]))
                    for section in block["elements"]
                    for each in section["elements"]
                    if each["type"] == "link"
                ]
    return SlackPreview(header, tuple(parts), tuple(links))


def email_preview(message: Message, app: App) -> EmailPreview:
    """The head and the plain text of the very email."""
    settings = app.settings.email_channel()
    mail = _mail(message, app)
    body = mail.get_body(("plain",))
    head = (
        (phrase("From"), settings.sender if settings else phrase("(no email is set up)")),
        (
            phrase_as("mail", "To"),
            phrase_n("{n} recipient", "{n} recipients", len(settings.recipients))
            if settings
            else phrase("(no email is set up)"),
        ),
        (phrase("Subject"), str(mail["Subject"])),
    )
    return EmailPreview(head, body.get_content() if body else "")


def mail_html(connection: Connection, app: App, alert_id: str, seq: int | None) -> str | None:
    """The HTML part of the very email about an event of an alert; None where there is no such alert."""
    life = alert_events(connection, alert_id)
    if not life:
        return None
    owed = deliveries(connection, alert_id)
    delivery = delivery_of(shown_event(life, owed, seq), owed)
    body = _mail(in_its_language(connection, app, delivery), app).get_body(("html",))
    return body.get_content() if body else ""


def _mail(message: Message, app: App) -> EmailMessage:
    settings = app.settings.email_channel()
    sender = settings.sender if settings else _NO_SENDER
    recipients = settings.recipients if settings else (_NO_SENDER,)
    return build_email(message, sender, recipients, "sitewatch.invalid")
