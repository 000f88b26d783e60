"""Saying an alert again that nobody has acknowledged, to the channels that want that, and as often as they want."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.channels import Message
from alerts.routing import Routing
from alerts.words import utc
from db.alerts import silenced
from db.deliveries import enqueue, unacknowledged
from db.engine import Engine, reading, writing
from db.records import Delivery
from db.said import phrase

_REMINDER = "reminder"


def enqueue_reminders(engine: Engine, routing: Routing, channels: Sequence[str], now: datetime) -> int:
    """Owe each reminder that is due, once; give how many. A silenced site is not reminded of."""
    owed = 0
    for channel in channels:
        repeat = routing.policy(channel).repeat
        if repeat is None:
            continue
        with reading(engine) as connection:
            told = [each for each in unacknowledged(connection, channel) if now - each.last_at >= repeat]
        with writing(engine) as connection:
            for each in told:
                if silenced(connection, each.site_id, each.metric, now) is None:
                    owed += enqueue(
                        connection,
                        # One for each time it was told, whoever asks how often.
                        identity=f"{each.alert_id}:{each.event_seq}:again:{each.last_at.isoformat()}:{channel}",
                        kind="alert",
                        channel=channel,
                        alert_id=each.alert_id,
                        event_seq=each.event_seq,
                        reason=phrase(
                            "Nobody has acknowledged it since {first_at}.", first_at=utc(each.first_at)
                        ),
                        payload={_REMINDER: each.first_at.isoformat()},
                        now=now,
                        pressing=each.pressing,
                    )
    return owed


def reminding(message: Message, delivery: Delivery) -> Message:
    """The message as a reminder, where its delivery is one."""
    since = delivery.payload.get(_REMINDER)
    if since is None:
        return message
    said = phrase(
        "Nobody has acknowledged this alert since it was told here at {since}. To end these reminders, acknowledge it on the page or with “sitewatch alerts ack {alert_id}”.",
        since=utc(datetime.fromisoformat(since)),
        alert_id=delivery.alert_id,
    )
    return replace(message, status=phrase("Reminder"), paragraphs=(said, *message.paragraphs))
