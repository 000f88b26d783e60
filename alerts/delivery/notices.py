"""Notices about the outbox itself: what could not be delivered, and channels that do not work.

They go through every other channel, as deliveries of their own. Undelivered messages are gathered: one notice
after a minute, then at most one a day for each channel, so that a dead webhook is not told once an alert.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.channels import Link, Message
from alerts.words import numbered, utc
from db.alerts import alert_by_id
from db.channel_states import ChannelState
from db.deliveries import enqueue, newest_notice, rewrite_notice
from db.engine import Connection
from db.records import Delivery, JsonMapping
from db.said import phrase, phrase_n

GATHER_NOTICES_FOR = timedelta(minutes=1)
NOTIFY_AGAIN_AFTER = timedelta(days=1)
NOTIFY_FAILING_AFTER = timedelta(hours=1)
PICTURE = "picture"
"""Which kept picture a notice shows: `site_id`, `item_id` of its scene, and `alt`."""
_MOST_ITEMS = 20
_RESORT = phrase(
    "Each alert is kept: “sitewatch alerts show” prints it. To try every channel, run “sitewatch alerts test”."
)
_FOOTER = phrase("sitewatch sends this because one of its own channels does not work.")


class NoticeError(ValueError):
    """A notice's payload cannot be read; the text names the key."""


def notice_payload(
    subject: str,
    headline: str,
    paragraphs: Iterable[str],
    *,
    status: str = phrase("Notice"),
    thread: str | None = None,
    links: Iterable[Link] = (),
    footer: str = "",
) -> dict[str, Any]:
    """Write down a notice for `enqueue(kind="notice", payload=…)`; `compose_notice` reads it back."""
    return {
        "subject": subject,
        "headline": headline,
        "paragraphs": list(paragraphs),
        "status": status,
        "thread": thread or subject,
        "links": [[link.text, link.url] for link in links],
        "footer": footer,
    }


def compose_notice(delivery: Delivery) -> Message:
    """Turn a notice back into a message; NoticeError where its payload is not one."""
    payload = delivery.payload
    try:
        return Message(
            identity=delivery.identity,
            thread=str(payload.get("thread") or payload["subject"]),
            subject=_text(payload["subject"]),
            status=_text(payload.get("status", phrase("Notice"))),
            headline=_text(payload["headline"]),
            paragraphs=tuple(map(_text, payload.get("paragraphs", ()))),
            created_at=delivery.created_at,
            links=tuple(Link(_text(text), str(url)) for text, url in payload.get("links", ())),
            footer=_text(payload.get("footer", "")),
        )
    except KeyError as error:
        raise NoticeError(f"The notice {delivery.identity} lacks {error} in its payload.") from None
    except (TypeError, ValueError):
        raise NoticeError(
            f"The notice {delivery.identity} has links that are not pairs of text and URL."
        ) from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def notify_undelivered(
    connection: Connection, lost: Delivery, why: str, others: Iterable[str], now: datetime
) -> None:
    """Tell through the other channels that a message could not be delivered.

    A lost notice is not told again: two broken channels would report each other for ever.
    """
    if lost.kind == "notice":
        return
    item = {"what": _what(connection, lost), "why": why}
    for other in others:
        _gather(connection, lost.channel, item, other, now)


def enqueue_notice(
    connection: Connection,
    identity: str,
    channels: Iterable[str],
    *,
    reason: str,
    payload: Mapping[str, object],
    now: datetime,
) -> bool:
    """Owe the same notice to each channel, once; False where all of them were owed it before."""
    owed = [
        enqueue(
            connection,
            identity=f"{identity}:{channel}",
            kind="notice",
            channel=channel,
            reason=reason,
            payload=payload,
            now=now,
        )
        for channel in channels
    ]
    return any(owed)


def notify_failing_channel(
    connection: Connection, state: ChannelState, others: Iterable[str], now: datetime
) -> None:
    """Tell once for each outage that a channel has not worked for an hour."""
    since = state.failing_since
    if since is None or now - since < NOTIFY_FAILING_AFTER:
        return
    payload = notice_payload(
        subject=phrase("[sitewatch] The channel {channel} does not work", channel=state.channel),
        headline=phrase(
            "The channel “{channel}” has not worked since {since}", channel=state.channel, since=utc(since)
        ),
        paragraphs=(
            state.last_error or phrase("No reason is known."),
            phrase("Nothing is lost so far: its messages wait and are sent as soon as it works again."),
            phrase("To try every channel, run “sitewatch alerts test”."),
        ),
        status=phrase("Channel failing"),
        thread=f"failing:{state.channel}:{since.isoformat()}",
        footer=_FOOTER,
    )
    identity = f"failing:{state.channel}:{since.isoformat()}"
    enqueue_notice(connection, identity, others, reason="failing channel", payload=payload, now=now)


def _what(connection: Connection, lost: Delivery) -> str:
    if cause := lost.payload.get("cause"):
        return phrase(
            "{headline} ({alerts})",
            headline=cause["headline"],
            alerts=numbered(len(cause["told"]), "alert"),
        )
    alert = alert_by_id(connection, lost.alert_id) if lost.alert_id else None
    return (
        phrase(
            "{site_name}: {headline} (alert {id})",
            site_name=alert.site_name,
            headline=alert.headline,
            id=alert.id,
        )
        if alert
        else phrase("delivery {identity}", identity=lost.identity)
    )


def _gather(connection: Connection, failed: str, item: Mapping[str, str], target: str, now: datetime) -> None:
    """Add to the notice that still waits, or open the next one; a race with another worker ends in adding."""
    reason = f"undelivered:{failed}"
    while True:
        newest = newest_notice(connection, target, reason)
        if newest is not None:
            items = [*newest.payload["items"], item]
            if rewrite_notice(connection, newest.id, _undelivered(failed, items, newest.payload["number"])):
                return
        if _open_notice(connection, failed, item, target=target, newest=newest, now=now):
            return


def _open_notice(
    connection: Connection,
    failed: str,
    item: Mapping[str, str],
    *,
    target: str,
    newest: Delivery | None,
    now: datetime,
) -> bool:
    number = 1 if newest is None else newest.payload["number"] + 1
    due = now + GATHER_NOTICES_FOR
    if newest is not None:
        due = max(due, newest.not_before + NOTIFY_AGAIN_AFTER)
    return enqueue(
        connection,
        identity=f"undelivered:{failed}:{target}:{number}",
        kind="notice",
        channel=target,
        reason=f"undelivered:{failed}",
        payload=_undelivered(failed, [item], number),
        now=now,
        not_before=due,
    )


def _undelivered(failed: str, items: list[Mapping[str, str]], number: int) -> JsonMapping:
    count = len(items)
    listed = [phrase("{what}. {why}", what=item["what"], why=item["why"]) for item in items[:_MOST_ITEMS]]
    if count > _MOST_ITEMS:
        listed.append(phrase("And {count} more.", count=count - _MOST_ITEMS))
    payload = notice_payload(
        subject=phrase("[sitewatch] Messages that the channel {failed} did not deliver", failed=failed),
        headline=phrase_n(
            "{n} message could not be delivered through the channel “{channel}”",
            "{n} messages could not be delivered through the channel “{channel}”",
            count,
            channel=failed,
        ),
        paragraphs=(*listed, _RESORT),
        status=phrase("Not delivered"),
        thread=f"undelivered:{failed}",
        footer=_FOOTER,
    )
    return {**payload, "items": [dict(item) for item in items], "number": number}
