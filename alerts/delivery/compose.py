"""Fetching what a delivery is about, for the pure words in `alerts.delivery.messages`."""

from alerts.channels import Message
from alerts.delivery.frozen import thaw
from alerts.delivery.messages import compose_alert
from alerts.delivery.together import compose_together
from alerts.delivery.worker import compose_notice
from db.alerts import alert_by_id, alert_events
from db.causes import cause_by_id
from db.engine import Connection, Engine, reading
from db.records import Delivery


class ComposeError(LookupError):
    """A delivery names something that the database does not hold."""


def compose(engine: Engine, delivery: Delivery, public_url: str | None) -> Message:
    """The message of one delivery: as it was sent, else as things stand now; raises ComposeError where its alert is gone."""
    with reading(engine) as connection:
        return compose_within(connection, delivery, public_url)


def compose_within(connection: Connection, delivery: Delivery, public_url: str | None) -> Message:
    """As `compose`, within a view of the database that is open already."""
    if delivery.kind == "notice":
        return compose_notice(delivery)
    if (said := thaw(delivery)) is not None:
        return said
    if "cause" in delivery.payload:
        return _together(connection, delivery, public_url)
    alert = alert_by_id(connection, delivery.alert_id or "")
    life = alert_events(connection, delivery.alert_id or "")
    event = next((each for each in life if each.seq == delivery.event_seq), None)
    if alert is None or event is None:
        raise ComposeError(f"Delivery {delivery.identity} names an alert that is not in the database.")
    return compose_alert(alert, event, delivery, public_url)


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
    return compose_together(cause, told, others, delivery, public_url)
