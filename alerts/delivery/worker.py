"""The outbox worker: claim one delivery, send it outside any transaction, close it, until nothing is due.

A process may die at any instruction: before the claim nothing happened, after it the lease runs out and the
delivery is sent again under the same identity and in the same words, which are kept before they are first sent.
A failure the message cannot be blamed for is tried for ever; the channel rests meanwhile and the other channels
are told after an hour.
"""

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import structlog

from alerts.channels import Channel, Message, Receipt, SendError
from alerts.channels.safe_text import cut_text, one_line
from alerts.delivery.frozen import accepted_by, freeze, thaw, with_accepted
from alerts.delivery.notices import (
    GATHER_NOTICES_FOR,
    NOTIFY_AGAIN_AFTER,
    PICTURE,
    compose_notice,
    notify_failing_channel,
    notify_undelivered,
)
from alerts.delivery.spoken import spoken
from alerts.incidents.causes import GATHER_FOR
from alerts.routing import Routing
from alerts.words import utc
from db.channel_states import channel_failed, channel_worked, read_channel_state
from db.deliveries import (
    LongestWaits,
    claim,
    keep_payload,
    mark_dead,
    mark_sent,
    newest_ref,
    next_due,
    others_got_through,
    requeue,
    told_language,
)
from db.engine import Connection, Engine, OperationalError, reading, writing
from db.gates import ChannelGate, ChannelGates, closed_until, waiting_behind
from db.records import Delivery
from db.said import phrase, phrase_n

__all__ = ["ChannelTrial", "DeliverReport", "compose_notice", "deliver_due", "send_test"]

DeliveryResult = Literal["sent", "requeued", "dead", "overtaken"]

DELIVERIES_PER_PASS = 100
DELIVERY_LEASE_S = 180.0
"""Longer than the slowest channel takes for one message."""
MAX_ATTEMPTS = 12
BACKOFF_FIRST_S = 30.0
BACKOFF_MOST_S = 3 * 3600.0
"""With 12 tries a message that a server keeps refusing for now is given up after about ten hours."""
CHANNEL_REST_LEAST_S = 30.0
CHANNEL_REST_MOST_S = 900.0
RETRY_AFTER_MOST_S = 3600.0
_REST_SHARE = 0.25
_JITTER = 1.25
"""A wait is at most so many times as long as it is meant."""
LONGEST = LongestWaits(
    lease=timedelta(seconds=DELIVERY_LEASE_S),
    tries=(
        GATHER_FOR,
        *(
            timedelta(seconds=min(BACKOFF_FIRST_S * 2.0**n, BACKOFF_MOST_S) * _JITTER)
            for n in range(MAX_ATTEMPTS)
        ),
    ),
    notice=GATHER_NOTICES_FOR + NOTIFY_AGAIN_AFTER,
    rest=timedelta(seconds=RETRY_AFTER_MOST_S),
)
_CLOSE_AGAIN_S = 1.0
# What a fault in our own code raises. Errors of the database are not among them: they end the pass, and the
# lease brings the delivery back.
_FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_REASON_LIMIT = 1_000

EVERYBODY_AT_ONCE = Routing()
"""Without routes and policies: every channel is told everything, at once."""

_log = structlog.get_logger(__name__)


def _no_pause(_seconds: float) -> None:
    """Go on at once."""


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """What one pass did, by channel and result; `next_due` is when the next pass has something to do."""

    results: Mapping[tuple[str, DeliveryResult], int]
    next_due: datetime | None

    def count(self, result: DeliveryResult) -> int:
        """How many deliveries ended so, over all channels."""
        return sum(number for (_, each), number in self.results.items() if each == result)


class ChannelTrial(NamedTuple):
    """Whether a channel's configuration works, and in words what to mend where it does not."""

    name: str
    ok: bool
    words: str


def deliver_due(
    engine: Engine,
    channels: Mapping[str, Channel],
    compose: Callable[[Delivery], Message],
    clock: Callable[[], datetime],
    owner: str,
    *,
    routing: Routing = EVERYBODY_AT_ONCE,
    limit: int = DELIVERIES_PER_PASS,
    lease_s: float = DELIVERY_LEASE_S,
    max_attempts: int = MAX_ATTEMPTS,
    pause: Callable[[float], object] = _no_pause,
) -> DeliverReport:
    """Send what is due, at most `limit` deliveries; `owner` names this worker and must differ between workers.

    `routing` says when each channel is told. `pause` waits so many seconds: what was sent is noted again and again until it is, or its lease ends.
    """
    longest = replace(LONGEST, lease=timedelta(seconds=lease_s))
    worker = _Worker(engine, channels, compose, clock, owner, longest, max_attempts, pause, routing)
    results: Counter[tuple[str, DeliveryResult]] = Counter()
    for _ in range(limit):
        delivery = worker.claim()
        if delivery is None:
            break
        results[delivery.channel, worker.deliver(delivery)] += 1
    now = clock()
    with reading(engine) as connection:
        due = next_due(connection, list(channels), now, longest, gates_at(routing, channels, now))
    return DeliverReport(dict(results), due)


def gates_at(routing: Routing, channels: Iterable[str], now: datetime) -> ChannelGates:
    """What holds each of the channels back at a moment, save those that nothing ever does."""
    policies = {name: routing.policy(name) for name in channels}
    gates = {
        name: ChannelGate(each.quiet_until(now), each.at_most_an_hour) for name, each in policies.items()
    }
    return {name: gate for name, gate in gates.items() if gate != ChannelGate()}


@dataclass(frozen=True, slots=True)
class _Worker:
    engine: Engine
    channels: Mapping[str, Channel]
    compose: Callable[[Delivery], Message]
    clock: Callable[[], datetime]
    owner: str
    longest: LongestWaits
    max_attempts: int
    pause: Callable[[float], object]
    routing: Routing

    def claim(self) -> Delivery | None:
        now = self.clock()
        paces = {name: channel.min_interval_s for name, channel in self.channels.items()}
        gates = gates_at(self.routing, self.channels, now)
        return claim(self.engine, self.owner, now, paces, self.longest, gates=gates)

    def deliver(self, delivery: Delivery) -> DeliveryResult:
        try:
            message = self._message(delivery)
        except SendError as error:
            return self._failed(delivery, error, channel_spoke=False)
        held = self._kept(delivery, message)
        if held is None:
            return self._logged(delivery, "overtaken", "")
        try:
            receipt = _send(self.channels[held.channel], message)
        except SendError as error:
            return self._failed(held, error, channel_spoke=True)
        return self._sent(held, receipt)

    def _message(self, delivery: Delivery) -> Message:
        if delivery.attempts > self.max_attempts:
            raise SendError(
                f"The sender stopped in the middle {delivery.attempts - 1} times. Look into the log for what ended it.",
                permanent=True,
            )
        try:
            message = self._composed(delivery)
        except OSError as error:
            raise SendError(f"The message could not be written: {_told(error)}.") from None
        except _FAULTS as error:
            raise SendError(
                f"The message could not be written: {_told(error)}. That is a fault in sitewatch; please report it.",
                permanent=True,
            ) from None
        with reading(self.engine) as connection:
            thread_ref = newest_ref(connection, delivery, message.thread)
        return replace(
            message if thaw(delivery) else spoken(message, self._language(delivery, message)),
            identity=delivery.identity,
            delivered_to=accepted_by(delivery),
            thread_ref=thread_ref,
            repeated=delivery.attempts > 1 or delivery.last_error is not None,
        )

    def _language(self, delivery: Delivery, message: Message) -> str:
        """That of the thread, where it was begun in one; else what the channel wants."""
        with reading(self.engine) as connection:
            begun = told_language(connection, delivery, message.thread)
        return begun or self.routing.policy(delivery.channel).language

    def _composed(self, delivery: Delivery) -> Message:
        if delivery.kind == "notice" and PICTURE not in delivery.payload:
            return compose_notice(delivery)
        said = thaw(delivery)
        return self._with_held(delivery, self.compose(delivery)) if said is None else said

    def _with_held(self, delivery: Delivery, message: Message) -> Message:
        """The message; where it is the last that its channel takes for now, with how many wait behind it."""
        most = self.routing.policy(delivery.channel).at_most_an_hour
        if most is None:
            return message
        now = self.clock()
        with reading(self.engine) as connection:
            closed = closed_until(connection, {delivery.channel: ChannelGate(at_most_an_hour=most)}, now)
            waiting = waiting_behind(connection, delivery.channel, now)
        if not closed or not waiting:
            return message
        said = phrase_n(
            "{n} more message waits for this channel until {time}: it takes at most {most} an hour.",
            "{n} more messages wait for this channel until {time}: it takes at most {most} an hour.",
            waiting,
            time=utc(closed[delivery.channel]),
            most=most,
        )
        return replace(message, paragraphs=(*message.paragraphs, said))

    def _kept(self, delivery: Delivery, message: Message) -> Delivery | None:
        """Keep the words before they are first sent, so that a repeat says the same; None where another holds it now."""
        if delivery.kind == "notice" or thaw(delivery) is not None:
            return delivery
        payload = {**delivery.payload, **freeze(message)}
        with writing(self.engine) as connection:
            held = keep_payload(connection, delivery, payload)
        return replace(delivery, payload=payload) if held else None

    def _sent(self, delivery: Delivery, receipt: Receipt) -> DeliveryResult:
        """Note that a message went out; trouble with the database must not send it a second time."""
        while True:
            try:
                return self._note_sent(delivery, receipt)
            except OperationalError as error:
                assert delivery.lease_until is not None, "a claimed delivery has a lease"
                if self.clock() + timedelta(seconds=_CLOSE_AGAIN_S) >= delivery.lease_until:
                    raise
                _log.warning("delivery not noted", identity=delivery.identity, error=_told(error))
                self.pause(_CLOSE_AGAIN_S)

    def _note_sent(self, delivery: Delivery, receipt: Receipt) -> DeliveryResult:
        now = self.clock()
        with writing(self.engine) as connection:
            held = mark_sent(
                connection, delivery, provider_ref=receipt.provider_ref, note=receipt.note, now=now
            )
            if held:
                channel_worked(connection, delivery.channel, now)
            if held and receipt.note:
                notify_undelivered(connection, delivery, receipt.note, self._others(delivery), now)
        return self._logged(delivery, "sent" if held else "overtaken", receipt.note)

    def _failed(self, delivery: Delivery, error: SendError, *, channel_spoke: bool) -> DeliveryResult:
        now = self.clock()
        reason = cut_text(error.reason, _REASON_LIMIT)
        with writing(self.engine) as connection:
            last = error.fault == "message" and self._is_last(connection, delivery, error)
            if last and accepted_by(delivery):
                # Some have it: those who were refused to the end are told about, the others are not troubled again.
                result: DeliveryResult = "sent"
                held = mark_sent(connection, delivery, provider_ref=None, note=reason, now=now)
            elif last:
                result, held = "dead", mark_dead(connection, delivery, error=reason)
            else:
                result, held = "requeued", self._put_back(connection, delivery, error, reason, now)
            if held and channel_spoke:
                self._blame_channel(connection, delivery, error, reason, now)
            if held and last:
                notify_undelivered(connection, delivery, reason, self._others(delivery), now)
        return self._logged(delivery, result if held else "overtaken", reason)

    def _is_last(self, connection: Connection, delivery: Delivery, error: SendError) -> bool:
        """Whether a message is given up: another try cannot help, or it failed often while others got through."""
        if error.permanent:
            return True
        return delivery.attempts >= self.max_attempts and (
            bool(error.accepted) or others_got_through(connection, delivery)
        )

    def _put_back(
        self, connection: Connection, delivery: Delivery, error: SendError, reason: str, now: datetime
    ) -> bool:
        """Owe it again: a message after a wait of its own; behind a channel at fault in its old place."""
        blameless = error.fault == "channel"
        wait = timedelta(seconds=backoff_s(delivery.identity, delivery.attempts))
        return requeue(
            connection,
            delivery,
            not_before=delivery.not_before if blameless else now + wait,
            error=reason,
            # Tries beyond the last are not counted: whoever was claimed more often killed its sender.
            counts=not blameless and delivery.attempts < self.max_attempts,
            payload=with_accepted(delivery.payload, error.accepted) if error.accepted else None,
        )

    def _blame_channel(
        self, connection: Connection, delivery: Delivery, error: SendError, reason: str, now: datetime
    ) -> None:
        """Note the trouble; a channel at fault rests, so that one message tries it out while the others wait."""
        if error.permanent:
            return
        at_fault = error.fault == "channel"
        rest_s = _rest_s(connection, delivery, error, now)
        state = channel_failed(
            connection,
            delivery.channel,
            not_before=now + timedelta(seconds=rest_s) if at_fault else None,
            error=reason,
            now=now,
            longest=LONGEST.rest,
        )
        notify_failing_channel(connection, state, self._others(delivery), now)

    def _others(self, delivery: Delivery) -> list[str]:
        return [name for name in self.routing.noticed(list(self.channels)) if name != delivery.channel]

    @staticmethod
    def _logged(delivery: Delivery, result: DeliveryResult, words: str) -> DeliveryResult:
        log = _log.warning if result in {"dead", "overtaken"} else _log.info
        log(
            "delivery",
            result=result,
            channel=delivery.channel,
            identity=delivery.identity,
            attempt=delivery.attempts,
            words=words,
        )
        return result


def backoff_s(identity: str, attempts: int) -> float:
    """How long a message waits after so many tries that were answered with a refusal for now."""
    wait_s = BACKOFF_FIRST_S * 2.0 ** min(attempts - 1, 30)
    return min(wait_s, BACKOFF_MOST_S) * _jitter(identity, attempts)


def _rest_s(connection: Connection, delivery: Delivery, error: SendError, now: datetime) -> float:
    """How long the channel rests: as the server asks, else a quarter of the time it has been failing."""
    if error.retry_after_s is not None:
        return min(error.retry_after_s, RETRY_AFTER_MOST_S)
    since = min(read_channel_state(connection, delivery.channel).failing_since or now, now)
    share_s = (now - since).total_seconds() * _REST_SHARE
    return min(max(share_s, CHANNEL_REST_LEAST_S), CHANNEL_REST_MOST_S) * _jitter(
        delivery.identity, delivery.attempts
    )


def _jitter(identity: str, attempts: int) -> float:
    """A factor from 1 to 1.25, the same for the same try, so that what waits does not come back all at once."""
    digest = hashlib.sha256(f"{identity}:{attempts}".encode("utf-8", "replace")).digest()
    return 1 + int.from_bytes(digest[:4], "big") / 2**34


def _send(channel: Channel, message: Message) -> Receipt:
    """Send; a fault in the channel's code becomes a refusal that names its place, not its text: that may hold a secret."""
    try:
        return channel.send(message)
    except (OSError, *_FAULTS) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise SendError(
            f"The channel “{channel.name}” failed with {type(error).__name__} in {place.name}, line {place.lineno}. "
            "That is a fault in sitewatch; please report it.",
            permanent=True,
        ) from None


def _told(error: Exception) -> str:
    return cut_text(one_line(f"{type(error).__name__}: {error}"), _REASON_LIMIT // 2)


def send_test(
    channels: Mapping[str, Channel], now: datetime, routing: Routing = EVERYBODY_AT_ONCE
) -> list[ChannelTrial]:
    """Send a test message through every channel at once, past the outbox, and say in words what to mend."""
    return [_test(channel, now, routing.policy(channel.name).language) for channel in channels.values()]


def _test(channel: Channel, now: datetime, language: str) -> ChannelTrial:
    message = Message(
        identity=f"test:{channel.name}:{now.isoformat()}",
        thread=f"test:{channel.name}",
        subject=phrase("[sitewatch] Test message"),
        status=phrase("Test"),
        headline=phrase("This is a test: sitewatch can reach you here"),
        paragraphs=(phrase("Nothing was seen. Somebody ran “sitewatch alerts test” to try every channel."),),
        created_at=now,
        facts=((phrase("Channel"), channel.name), (phrase("Sent"), utc(now))),
    )
    try:
        receipt = _send(channel, spoken(message, language))
    except SendError as error:
        return ChannelTrial(channel.name, ok=False, words=error.reason)
    return ChannelTrial(
        channel.name, ok=not receipt.note, words=receipt.note or "Sent: look whether it arrived."
    )
