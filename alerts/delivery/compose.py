"""Fetching what a delivery is about, for the pure words in `alerts.delivery.messages`."""

from dataclasses import replace

from alerts.channels import Message
from alerts.delivery.frozen import thaw
from alerts.delivery.messages import compose_alert
from alerts.delivery.notices import PICTURE, compose_notice
from alerts.delivery.reminders import reminding
from db.alerts import alert_by_id, alert_events
from db.cutouts import picture_of
from db.engine import Connection, Engine, reading
from db.records import Delivery, JsonMapping


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
    alert = alert_by_id(connection, delivery.alert_id or "")
    life = alert_events(connection, delivery.alert_id or "")
    event = next((each for each in life if each.seq == delivery.event_seq), None)
    if alert is None or event is None:
        raise ComposeError(f"Delivery {delivery.identity} names an alert that is not in the database.")
    return reminding(compose_alert(alert, event, delivery, public_url), delivery)


def _with_picture(connection: Connection, message: Message, wanted: JsonMapping | None) -> Message:
    """The message with the kept picture that it names, if that is still kept."""
    made = picture_of(connection, wanted["site_id"], wanted["item_id"]) if wanted else None
    if made is None or wanted is None:
        return message
    return replace(message, image_png=made.png, image_alt=str(wanted["alt"]))
