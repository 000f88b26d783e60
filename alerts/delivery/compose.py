"""Fetching what a delivery is about, for the pure words in `alerts.delivery.messages`."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from alerts.channels import Link, Message
from alerts.delivery.frozen import thaw
from alerts.delivery.messages import compose_alert
from alerts.delivery.notices import PICTURE, compose_notice
from alerts.delivery.reminders import reminding
from alerts.delivery.together import compose_together
from alerts.incidents.causes import cause_object
from db.alerts import alert_by_id, alert_events, others_of_incident
from db.causes import cause_by_id
from db.cutouts import picture_of
from db.deliveries import channels_told
from db.engine import Connection, Engine, reading
from db.records import Alert, AlertEvent, Delivery, JsonMapping
from db.said import phrase


class ComposeError(LookupError):
    """A delivery names something that the database does not hold."""


def compose(engine: Engine, delivery: Delivery, public_url: str | None) -> Message:
    """The message of one delivery: as it was sent, else as things stand now; raises ComposeError where its alert is gone."""
    with reading(engine) as connection:
        return compose_within(connection, delivery, public_url)


def compose_within(connection: Connection, delivery: Delivery, public_url: str | None) -> Message:
    """As `compose`, within a view of the database that is open already."""
    if delivery.kind == "notice":
        return _with_picture(connection, compose_notice(delivery), delivery.payload.get(PICTURE))
    if (said := thaw(delivery)) is not None:
        return said
    if "cause" in delivery.payload:
        return _together(connection, delivery, public_url)
    alert = alert_by_id(connection, delivery.alert_id or "")
    life = alert_events(connection, delivery.alert_id or "")
    event = next((each for each in life if each.seq == delivery.event_seq), None)
    if alert is None or event is None:
        raise ComposeError(f"Delivery {delivery.identity} names an alert that is not in the database.")
    message = replace(
        compose_alert(alert, event, delivery, public_url, _others(connection, alert, delivery.channel)),
        urgent=alert.details.get("severity") == "urgent",
        about=_about(alert, event),
        actions=_actions(alert, public_url),
    )
    return reminding(message, delivery)


def _others(connection: Connection, alert: Alert, channel: str) -> list[Alert]:
    """The other alerts of its incident that this channel carried: of what goes elsewhere it says nothing."""
    return [
        each
        for each in others_of_incident(connection, alert)
        if channel in channels_told(connection, each.id)
    ]


def _about(alert: Alert, event: AlertEvent) -> dict[str, Any]:
    return {
        "alert": alert.id,
        "incident": alert.incident_id,
        "event": event.kind,
        "number": event.seq,
        "site": alert.site_id,
        "site_name": alert.site_name,
        "area": alert.area,
        "metric": alert.metric,
        "subjects": list(alert.subjects),
        "severity": alert.details.get("severity", "notify"),
        "status": alert.status,
        "value": alert.value,
        "peak": alert.peak,
        "rules": list(alert.rules),
        "publishers": sorted({each["publisher"] for each in alert.details["entries"] if each["publisher"]}),
        "phenomenon_time": alert.phenomenon_time.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
        "at": event.at.isoformat(),
    }


def _actions(alert: Alert, public_url: str | None) -> tuple[Link, ...]:
    if not public_url or alert.status != "open" or alert.acknowledged_at:
        return ()
    return (Link(phrase("Acknowledge"), f"{public_url}/alerts/{quote(alert.id)}#acknowledge"),)


def _with_picture(connection: Connection, message: Message, wanted: JsonMapping | None) -> Message:
    """The message with the kept picture that it names, if that is still kept."""
    made = picture_of(connection, wanted["site_id"], wanted["item_id"]) if wanted else None
    if made is None or wanted is None:
        return message
    return replace(message, image_png=made.png, image_alt=str(wanted["alt"]))


def _together(connection: Connection, delivery: Delivery, public_url: str | None) -> Message:
    """The message of several alerts: those that are named with the delivery, as they stand now."""
    said = delivery.payload["cause"]
    cause = cause_by_id(connection, said["id"], said["revision"])
    told = [
        (alert, event)
        for alert_id, seq in said["told"]
        for event in alert_events(connection, alert_id)
        if event.seq == seq and (alert := alert_by_id(connection, alert_id)) is not None
    ]
    if cause is None or not told:
        raise ComposeError(f"Delivery {delivery.identity} names a cause that is not in the database.")
    now = {alert.id for alert, _ in told}
    rest = [alert_by_id(connection, each) for each in cause.alert_ids if each not in now]
    others = [each for each in rest if each is not None]
    message = compose_together(cause, told, others, delivery, public_url)
    about = {"cause": cause_object(cause), "alerts": [_about(alert, event) for alert, event in told]}
    return replace(message, about=about)
