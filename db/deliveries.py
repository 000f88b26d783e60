"""The outbox in SQL: deliveries owed, claimed, closed, and the state of each channel.

A claim is a short transaction of its own; the message is sent outside of any. Whoever closes a delivery must
still hold it: owner and attempt number are the fence against one that was slow and has been overtaken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import ColumnElement

from db.channel_states import ChannelState, failing_channels, know_channel, rest_is_over
from db.engine import writing
from db.gates import ChannelGates, closed_until, is_open, lock_capped
from db.keys import with_keys
from db.moments import has_come
from db.records import Delivery, DeliveryState, EventKind, JsonMapping
from db.schema import alert, alert_event, channel_state, delivery
from db.schema.types import UtcDateTime
from db.upsert import insert_ignore

TOLD: tuple[DeliveryState, ...] = ("queued", "sending", "sent", "gathered", "bundled", "joined")
"""What somebody reads, or is to read."""
# Written out, not bound, so that both databases see that the partial index answers it.
_NOTICE = text("delivery.kind = 'notice'")
ChannelIntervals = Mapping[str, float]
"""The channels that may be claimed, each with the least seconds between two of its messages."""


@dataclass(frozen=True, slots=True)
class LongestWaits:
    """The longest lawful waits: a moment stored further ahead was written by a clock that was wrong, and has come."""

    lease: timedelta
    """Of a message in somebody's hands."""

    tries: Sequence[timedelta]
    """Of a message after so many tries, from none on; the last one holds for more."""
    notice: timedelta
    """Of a notice that is still being gathered."""
    rest: timedelta
    """Of a channel."""


@dataclass(frozen=True, slots=True)
class OutboxSummary:
    """The outbox at a glance; `waiting` counts what is still owed, by channel."""

    counts: Mapping[str, int]
    waiting: Mapping[str, int]
    oldest_waiting_s: float | None
    dead: int
    failing: tuple[ChannelState, ...]


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert that a channel carried: its newest told event, and when it was told first and last."""

    alert_id: str
    site_id: str
    metric: str
    event_seq: int
    first_at: datetime
    last_at: datetime
    pressing: bool = False


def enqueue(
    connection: Connection,
    *,
    identity: str,
    kind: Literal["alert", "notice"],
    channel: str,
    now: datetime,
    alert_id: str | None = None,
    event_seq: int | None = None,
    reason: str = "",
    payload: JsonMapping | None = None,
    state: DeliveryState = "queued",
    not_before: datetime | None = None,
    pressing: bool = False,
) -> bool:
    """Owe one message to one channel, in the transaction of its cause; False where it is owed already.

    A pressing one waits for neither quiet hours nor a cap.
    """
    row = {
        "identity": identity,
        "kind": kind,
        "channel": channel,
        "alert_id": alert_id,
        "event_seq": event_seq,
        "reason": reason,
        "payload": dict(payload or {}),
        "state": state,
        "not_before": not_before or now,
        "created_at": now,
        "pressing": pressing,
    }
    return insert_ignore(connection, delivery, [row]) == 1


NO_GATES: ChannelGates = {}


def claim(
    engine: Engine,
    owner: str,
    now: datetime,
    channels: ChannelIntervals,
    longest: LongestWaits,
    *,
    gates: ChannelGates = NO_GATES,
) -> Delivery | None:
    """Take the oldest delivery that is due, or whose holder let the lease run out, in its own transaction.

    A message waits for earlier ones of its alert and channel: nobody reads "withdrawn" before "opened".
    """
    while True:
        with writing(engine) as connection:
            lock_capped(connection, gates, now)
            closed = closed_until(connection, gates, now)
            row = _claim_row(connection, owner, now, channels, longest, closed=closed)
            if row is None:
                return None
            claimed = _record(row)
            if _take_turn(connection, claimed.channel, now, channels[claimed.channel], longest.rest):
                return claimed
            # Another worker took this channel's turn meanwhile: give the row back and look at other channels.
            requeue(
                connection,
                claimed,
                not_before=claimed.not_before,
                error=claimed.last_error,
                counts=False,
            )


def _claim_row(
    connection: Connection,
    owner: str,
    now: datetime,
    channels: ChannelIntervals,
    longest: LongestWaits,
    *,
    closed: Mapping[str, datetime],
) -> RowMapping | None:
    waiting = and_(delivery.c.state == "queued", _may_be_tried(now, longest))
    abandoned = and_(delivery.c.state == "sending", has_come(delivery.c.lease_until, now, longest.lease))
    due = (
        select(delivery.c.id)
        .where(
            delivery.c.channel.in_(tuple(channels)),
            or_(waiting, abandoned),
            ~_resting(now, longest.rest),
            ~_held_back(),
            is_open(closed),
        )
        .order_by(delivery.c.id)
        .limit(1)
        # PostgreSQL only; SQLite's BEGIN IMMEDIATE lets one writer in at a time.
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(delivery)
        .where(delivery.c.id == due.scalar_subquery())
        .values(
            state="sending", owner=owner, lease_until=now + longest.lease, attempts=delivery.c.attempts + 1
        )
        .returning(*delivery.c)
    )
    return connection.execute(statement).mappings().one_or_none()


def _may_be_tried(now: datetime, longest: LongestWaits) -> ColumnElement[bool]:
    """Whether a queued message's next try has come; how far ahead it may lie depends on how often it was tried."""
    columns = delivery.c
    gathering = and_(columns.kind == "notice", columns.attempts == 0)
    most = len(longest.tries) - 1
    lawful = [
        and_(columns.attempts == n if n < most else columns.attempts >= n, columns.not_before > now + wait)
        for n, wait in enumerate(longest.tries)
    ]
    return or_(
        columns.not_before <= now,
        and_(gathering, columns.not_before > now + longest.notice),
        and_(~gathering, or_(*lawful)),
    )


def _held_back() -> ColumnElement[bool]:
    """Whether an earlier message of the same alert, or an earlier notice that was tried, is still owed to the channel."""
    earlier = delivery.alias("earlier")
    tried = or_(earlier.c.state == "sending", earlier.c.last_error.is_not(None))
    same_alert = earlier.c.alert_id == delivery.c.alert_id
    notices = and_(earlier.c.kind == "notice", delivery.c.kind == "notice", tried)
    return exists().where(
        earlier.c.channel == delivery.c.channel,
        earlier.c.id < delivery.c.id,
        earlier.c.state.in_(("queued", "sending")),
        or_(same_alert, notices),
    )


def _resting(now: datetime, longest: timedelta) -> ColumnElement[bool]:
    return exists().where(channel_state.c.channel == delivery.c.channel, ~rest_is_over(now, longest))


def _take_turn(
    connection: Connection, channel: str, now: datetime, interval_s: float, longest: timedelta
) -> bool:
    """Move the channel's next turn, unless somebody else was faster; the row lock makes the second one wait."""
    if interval_s <= 0:
        return True
    know_channel(connection, channel, now)
    moved = connection.execute(
        update(channel_state)
        .where(channel_state.c.channel == channel, rest_is_over(now, longest))
        .values(not_before=now + timedelta(seconds=interval_s), updated_at=now)
    )
    return moved.rowcount == 1


def keep_payload(connection: Connection, held: Delivery, payload: JsonMapping) -> bool:
    """Keep what is about to be sent with a delivery in hand; False where it is no longer held."""
    kept = connection.execute(update(delivery).where(_in_hand(held)).values(payload=dict(payload)))
    return kept.rowcount == 1


def others_got_through(connection: Connection, held: Delivery) -> bool:
    """Whether the channel took another message since this one is owed: then this one is at fault, not the channel."""
    through = exists().where(
        delivery.c.channel == held.channel, delivery.c.state == "sent", delivery.c.sent_at > held.created_at
    )
    return bool(connection.execute(select(through)).scalar_one())


def mark_sent(
    connection: Connection, held: Delivery, *, provider_ref: str | None, note: str, now: datetime
) -> bool:
    """Close a delivery as sent, with those that are told in it; False where it is no longer held. `note` says who was left out, if anybody."""
    sent = _close(
        connection, held, state="sent", provider_ref=provider_ref, sent_at=now, last_error=note or None
    )
    if sent:
        for alert_id, seq in held.payload.get("cause", {}).get("told", ()):
            with_it = (
                delivery.c.alert_id == alert_id,
                delivery.c.event_seq == seq,
                delivery.c.channel == held.channel,
                delivery.c.state == "joined",
            )
            connection.execute(update(delivery).where(*with_it).values(sent_at=now))
    return sent


def requeue(
    connection: Connection,
    held: Delivery,
    *,
    not_before: datetime,
    error: str | None,
    counts: bool = True,
    payload: JsonMapping | None = None,
) -> bool:
    """Put a delivery back for another try; a try that does not count is taken off again.

    `payload` replaces what is kept with it.
    """
    attempts = held.attempts if counts else held.attempts - 1
    kept = {} if payload is None else {"payload": dict(payload)}
    return _close(
        connection, held, state="queued", not_before=not_before, last_error=error, attempts=attempts, **kept
    )


def mark_dead(connection: Connection, held: Delivery, *, error: str) -> bool:
    """Make a delivery a dead letter: kept, shown, never tried again."""
    return _close(connection, held, state="dead", last_error=error)


def _close(connection: Connection, held: Delivery, **values: Any) -> bool:
    closed = connection.execute(
        update(delivery).where(_in_hand(held)).values(owner=None, lease_until=None, **values)
    )
    return closed.rowcount == 1


def _in_hand(held: Delivery) -> ColumnElement[bool]:
    return and_(
        delivery.c.id == held.id,
        delivery.c.state == "sending",
        delivery.c.owner == held.owner,
        delivery.c.attempts == held.attempts,
    )


def newest_notice(connection: Connection, channel: str, reason: str) -> Delivery | None:
    """The last notice of this reason owed to a channel, locked until the transaction ends."""
    query = (
        select(delivery)
        .where(_NOTICE, delivery.c.channel == channel, delivery.c.reason == reason)
        .order_by(delivery.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def rewrite_notice(connection: Connection, delivery_id: int, payload: JsonMapping) -> bool:
    """Change a notice that nobody has tried to send yet; False where it is too late."""
    changed = connection.execute(
        update(delivery)
        .where(
            delivery.c.id == delivery_id,
            delivery.c.state == "queued",
            delivery.c.attempts == 0,
            # A try that did not count may still have been read.
            delivery.c.last_error.is_(None),
        )
        .values(payload=dict(payload))
    )
    return changed.rowcount == 1


def next_due(
    connection: Connection,
    channels: Sequence[str],
    now: datetime,
    longest: LongestWaits,
    gates: ChannelGates = NO_GATES,
) -> datetime | None:
    """When the next delivery of these channels can be claimed, None where nothing is owed."""
    closed = closed_until(connection, gates, now)
    at = literal(now, UtcDateTime)
    columns, rests = delivery.c, channel_state.c
    due = (columns.not_before > now) & _may_be_tried(now, longest)
    abandoned = (columns.lease_until > now) & has_come(columns.lease_until, now, longest.lease)
    ready = case(
        (columns.state == "sending", case((abandoned, at), else_=columns.lease_until)),
        else_=case((due, at), else_=columns.not_before),
    )
    rest = case((~rest_is_over(now, longest.rest), rests.not_before))
    query = (
        select(columns.channel, columns.pressing, func.min(ready), rest)
        .select_from(delivery.outerjoin(channel_state, channel_state.c.channel == delivery.c.channel))
        .where(
            delivery.c.state.in_(("queued", "sending")),
            delivery.c.channel.in_(channels),
            ~_held_back(),
        )
        .group_by(columns.channel, columns.pressing, rest)
    )
    waits = (
        (None if pressing else closed.get(channel), *moments)
        for channel, pressing, *moments in connection.execute(query)
    )
    return min((max(filter(None, each)) for each in waits), default=None)


def notified_alerts(connection: Connection, alert_ids: Collection[str]) -> frozenset[str]:
    """Those of these alerts of which a message was sent or still is to be, by itself or with others, through any channel."""
    query = select(delivery.c.alert_id).where(delivery.c.state.in_(TOLD)).distinct()
    found = with_keys(connection, query, [delivery.c.alert_id], [(each,) for each in alert_ids])
    return frozenset(connection.execute(found).scalars())


def channels_told(connection: Connection, alert_id: str) -> frozenset[str]:
    """The channels that carried something of an alert, or still are to."""
    told = delivery.c.state.in_(TOLD)
    found = connection.execute(
        select(delivery.c.channel).where(delivery.c.alert_id == alert_id, told).distinct()
    )
    return frozenset(found.scalars())


def unacknowledged(connection: Connection, channel: str) -> list[ToldAlert]:
    """The open alerts that a channel carried, of which nothing is owed to it now, and that nobody acknowledged."""
    columns = delivery.c
    others = delivery.alias("others")
    owed = exists().where(
        others.c.channel == channel,
        others.c.alert_id == columns.alert_id,
        others.c.state.in_(("queued", "sending")),
    )
    query = (
        select(
            columns.alert_id,
            alert.c.site_id,
            alert.c.metric,
            func.max(columns.event_seq),
            func.min(columns.sent_at),
            func.max(columns.sent_at),
        )
        .join_from(delivery, alert, columns.alert_id == alert.c.id)
        .where(
            columns.channel == channel,
            columns.state.in_(("sent", "joined")),
            columns.sent_at.is_not(None),
            alert.c.status == "open",
            alert.c.acknowledged_at.is_(None),
            ~owed,
        )
        .group_by(columns.alert_id, alert.c.site_id, alert.c.metric)
        .order_by(func.min(columns.id))
    )
    urgent = set(
        connection.execute(
            select(columns.alert_id).where(columns.channel == channel, columns.pressing).distinct()
        ).scalars()
    )
    return [ToldAlert(*row, pressing=row[0] in urgent) for row in connection.execute(query)]


def gathered(connection: Connection, channel: str, until: datetime) -> list[Delivery]:
    """What waits for a channel's digest and was owed by then, oldest first, locked until the transaction ends."""
    waiting = (
        delivery.c.channel == channel,
        delivery.c.state == "gathered",
        delivery.c.created_at <= until,
    )
    rows = connection.execute(select(delivery).where(*waiting).order_by(delivery.c.id).with_for_update())
    return [_record(row) for row in rows.mappings()]


def mark_bundled(connection: Connection, bundled: Sequence[Delivery], digest: str) -> None:
    """Note that these are told by the delivery with the identity `digest`."""
    for each in bundled:
        payload = {**each.payload, "digest": digest}
        connection.execute(
            update(delivery).where(delivery.c.id == each.id).values(state="bundled", payload=payload)
        )


def deliveries(
    connection: Connection,
    alert_id: str | None = None,
    state: DeliveryState | None = None,
    limit: int | None = None,
) -> list[Delivery]:
    """What was owed and what became of it, oldest first; `limit` keeps the newest."""
    query = select(delivery)
    if alert_id is not None:
        query = query.where(delivery.c.alert_id == alert_id)
    if state is not None:
        query = query.where(delivery.c.state == state)
    rows = connection.execute(query.order_by(delivery.c.id.desc()).limit(limit)).mappings()
    return [_record(row) for row in rows][::-1]


def delivery_by_identity(connection: Connection, identity: str) -> Delivery | None:
    """Read one delivery."""
    row = connection.execute(select(delivery).where(delivery.c.identity == identity)).mappings().one_or_none()
    return None if row is None else _record(row)


def outbox_summary(connection: Connection, now: datetime) -> OutboxSummary:
    """Count the outbox by state, and what waits by channel; ages are in seconds."""
    counts = connection.execute(select(delivery.c.state, func.count()).group_by(delivery.c.state))
    owed = delivery.c.state.in_(("queued", "sending"))
    waiting = connection.execute(
        select(delivery.c.channel, func.count()).where(owed).group_by(delivery.c.channel)
    )
    oldest = connection.execute(
        select(delivery.c.created_at).where(owed).order_by(delivery.c.created_at).limit(1)
    ).scalar_one_or_none()
    by_state: dict[str, int] = dict(iter(counts))
    return OutboxSummary(
        counts=by_state,
        waiting=dict(iter(waiting)),
        oldest_waiting_s=None if oldest is None else (now - oldest).total_seconds(),
        dead=by_state.get("dead", 0),
        failing=tuple(failing_channels(connection)),
    )


def _record(row: RowMapping) -> Delivery:
    return Delivery(**cast("dict[str, Any]", dict(row)))


def newest_ref(connection: Connection, held: Delivery, thread: str) -> str | None:
    """What the channel gave back for the newest message of this thread about this delivery's incident; None: there is none.

    An alert that was told together with others has messages in another thread.
    """
    if held.alert_id is None:
        return None
    other = alert.alias("other")
    query = (
        select(delivery.c.provider_ref)
        .join_from(delivery, alert, delivery.c.alert_id == alert.c.id)
        .join(other, other.c.incident_id == alert.c.incident_id)
        .where(
            other.c.id == held.alert_id,
            delivery.c.channel == held.channel,
            delivery.c.state == "sent",
            delivery.c.provider_ref.is_not(None),
            delivery.c.payload["message"]["thread"].as_string() == thread,
        )
        .order_by(delivery.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


_FIRST_LANGUAGE = "en"
"""What messages were said in before they named their language."""


def told_language(connection: Connection, held: Delivery, thread: str) -> str | None:
    """The language in which a thread of an incident was last told to this channel; None where nothing was."""
    if held.alert_id is None:
        return None
    message = delivery.c.payload["message"]
    other = alert.alias("other")
    query = (
        select(func.coalesce(message["language"].as_string(), _FIRST_LANGUAGE))
        .join_from(delivery, alert, delivery.c.alert_id == alert.c.id)
        .join(other, other.c.incident_id == alert.c.incident_id)
        .where(
            other.c.id == held.alert_id,
            delivery.c.channel == held.channel,
            delivery.c.state == "sent",
            message["thread"].as_string() == thread,
        )
        .order_by(delivery.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def requeue_dead(connection: Connection, channels: Collection[str], since: datetime, now: datetime) -> int:
    """Owe again what was given up for these channels and owed since then, under its old identity; give the number."""
    again = (
        update(delivery)
        .where(
            delivery.c.state == "dead",
            delivery.c.channel.in_(sorted(channels)),
            delivery.c.created_at >= since,
        )
        .values(state="queued", attempts=0, not_before=now)
    )
    return connection.execute(again).rowcount


def dead_letters(connection: Connection, channels: Collection[str]) -> int:
    """How many messages are given up for these channels."""
    query = select(func.count()).where(delivery.c.state == "dead", delivery.c.channel.in_(sorted(channels)))
    return int(connection.execute(query).scalar_one())


def waiting_together(connection: Connection, since: datetime) -> list[tuple[Delivery, EventKind]]:
    """The messages about alerts that wait for others of their kind until `since` or later, whether or not they are to be sent.

    Each with what it tells.
    """
    events = alert_event.c
    query = (
        select(delivery, events.kind.label("told"))
        .join(alert_event, and_(events.alert_id == delivery.c.alert_id, events.seq == delivery.c.event_seq))
        .where(*_HELD, delivery.c.not_before > since)
        .order_by(delivery.c.id)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return [(Delivery(**{name: row[name] for name in row if name != "told"}), row["told"]) for row in rows]


def let_go(connection: Connection, held: Delivery, payload: JsonMapping | None = None) -> bool:
    """Let a message that waited go out now, with what it is to say besides; False where somebody has it already."""
    kept = {} if payload is None else {"payload": {**held.payload, **payload}}
    return _settled(connection, held, not_before=held.created_at, **kept)


def tell_with(connection: Connection, held: Delivery, reason: str, payload: JsonMapping) -> bool:
    """Close a message that waited, as it is told with another; False where somebody has it already."""
    said = {**held.payload, **payload}
    return _settled(connection, held, not_before=held.created_at, state="joined", reason=reason, payload=said)


_HELD = (
    delivery.c.kind == "alert",
    delivery.c.state.in_(("queued", "too_old", "silenced")),
    delivery.c.attempts == 0,
    delivery.c.last_error.is_(None),
    delivery.c.not_before > delivery.c.created_at,
)


def _settled(connection: Connection, held: Delivery, **values: Any) -> bool:
    waits = (delivery.c.id == held.id, delivery.c.state == held.state, *_HELD)
    return connection.execute(update(delivery).where(*waits).values(**values)).rowcount == 1
