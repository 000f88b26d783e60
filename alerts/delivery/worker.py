"""The outbox worker: claim one delivery, send it outside any transaction, close it, until nothing is due.

A process may die at any instruction: before the claim nothing happened, after it the lease runs out and the
delivery is sent again under the same identity. A failure the message cannot be blamed for is tried for ever;
the channel rests meanwhile and the other channels are told after an hour.
"""

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import structlog

from alerts.channels import Channel, Message, Receipt, SendError
from alerts.channels.safe_text import cut, one_line
from alerts.delivery.notices import compose_notice, tell_failing, tell_undelivered
from alerts.words import utc
from db.channel_states import channel_failed, channel_worked, read_channel_state
from db.deliveries import bury, claim, mark_sent, next_due, requeue
from db.engine import Connection, Engine, reading, writing
from db.records import Delivery

__all__ = ["DeliverReport", "Trial", "compose_notice", "deliver_due", "send_test"]

Result = Literal["sent", "requeued", "dead", "overtaken"]

LIMIT = 100
LEASE_S = 180.0
"""Longer than the slowest channel takes for one message."""
MAX_ATTEMPTS = 12
BACKOFF_FIRST_S = 30.0
BACKOFF_MOST_S = 3 * 3600.0
"""With 12 tries a message that a server keeps refusing for now is given up after about ten hours."""
REST_LEAST_S = 30.0
REST_MOST_S = 900.0
RETRY_AFTER_MOST_S = 3600.0
_REST_SHARE = 0.25
# What a fault in our own code raises. Errors of the database are not among them: they end the pass, and the
# lease brings the delivery back.
_FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_REASON_LIMIT = 1_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """What one pass did, by channel and result; `next_due` is when the next pass has something to do."""

    results: Mapping[tuple[str, Result], int]
    next_due: datetime | None

    def count(self, result: Result) -> int:
        """How many deliveries ended so, over all channels."""
        return sum(number for (_, each), number in self.results.items() if each == result)


class Trial(NamedTuple):
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
    limit: int = LIMIT,
    lease_s: float = LEASE_S,
    max_attempts: int = MAX_ATTEMPTS,
) -> DeliverReport:
    """Send what is due, at most `limit` deliveries; `owner` names this worker and must differ between workers."""
    worker = _Worker(engine, channels, compose, clock, owner, lease_s, max_attempts)
    results: Counter[tuple[str, Result]] = Counter()
    for _ in range(limit):
        delivery = worker.claim()
        if delivery is None:
            break
        results[delivery.channel, worker.deliver(delivery)] += 1
    with reading(engine) as connection:
        return DeliverReport(dict(results), next_due(connection, list(channels)))


@dataclass(frozen=True, slots=True)
class _Worker:
    engine: Engine
    channels: Mapping[str, Channel]
    compose: Callable[[Delivery], Message]
    clock: Callable[[], datetime]
    owner: str
    lease_s: float
    max_attempts: int

    def claim(self) -> Delivery | None:
        paces = {name: channel.min_interval_s for name, channel in self.channels.items()}
        return claim(self.engine, self.owner, self.clock(), self.lease_s, paces)

    def deliver(self, delivery: Delivery) -> Result:
        try:
            message = self._message(delivery)
        except SendError as error:
            return self._failed(delivery, error, channel_at_fault=False)
        try:
            receipt = _send(self.channels[delivery.channel], message)
        except SendError as error:
            return self._failed(delivery, error, channel_at_fault=True)
        return self._sent(delivery, receipt)

    def _message(self, delivery: Delivery) -> Message:
        if delivery.attempts > self.max_attempts:
            raise SendError(
                f"The sender stopped in the middle {delivery.attempts - 1} times. Look into the log for what ended it.",
                permanent=True,
            )
        try:
            message = compose_notice(delivery) if delivery.kind == "notice" else self.compose(delivery)
        except OSError as error:
            raise SendError(f"The message could not be written: {_told(error)}.") from None
        except _FAULTS as error:
            raise SendError(
                f"The message could not be written: {_told(error)}. That is a fault in sitewatch; please report it.",
                permanent=True,
            ) from None
        return replace(message, identity=delivery.identity)

    def _sent(self, delivery: Delivery, receipt: Receipt) -> Result:
        now = self.clock()
        with writing(self.engine) as connection:
            held = mark_sent(
                connection, delivery, provider_ref=receipt.provider_ref, note=receipt.note, now=now
            )
            if held:
                channel_worked(connection, delivery.channel, now)
            if held and receipt.note:
                tell_undelivered(connection, delivery, receipt.note, self._others(delivery), now)
        return self._logged(delivery, "sent" if held else "overtaken", receipt.note)

    def _failed(self, delivery: Delivery, error: SendError, *, channel_at_fault: bool) -> Result:
        now = self.clock()
        reason = cut(error.reason, _REASON_LIMIT)
        last = error.permanent or (error.counts and delivery.attempts >= self.max_attempts)
        with writing(self.engine) as connection:
            if last:
                held = bury(connection, delivery, error=reason)
            else:
                held = self._put_back(connection, delivery, error, reason, now)
            if held and channel_at_fault:
                self._blame_channel(connection, delivery, error, reason, now)
            if held and last:
                tell_undelivered(connection, delivery, reason, self._others(delivery), now)
        return self._logged(delivery, ("dead" if last else "requeued") if held else "overtaken", reason)

    def _put_back(
        self, connection: Connection, delivery: Delivery, error: SendError, reason: str, now: datetime
    ) -> bool:
        if error.retry_after_s is None and error.counts:
            wait_s = backoff_s(delivery.identity, delivery.attempts)
        else:
            wait_s = _rest_s(connection, delivery, error, now)
        not_before = now + timedelta(seconds=wait_s)
        return requeue(connection, delivery, not_before=not_before, error=reason, counts=error.counts)

    def _blame_channel(
        self, connection: Connection, delivery: Delivery, error: SendError, reason: str, now: datetime
    ) -> None:
        """Let the channel rest, so that one message tries it out while the others wait."""
        rest_s = None if error.permanent else _rest_s(connection, delivery, error, now)
        state = channel_failed(
            connection,
            delivery.channel,
            not_before=None if rest_s is None else now + timedelta(seconds=rest_s),
            error=reason,
            now=now,
        )
        if not error.permanent:
            tell_failing(connection, state, self._others(delivery), now)

    def _others(self, delivery: Delivery) -> list[str]:
        return [name for name in self.channels if name != delivery.channel]

    @staticmethod
    def _logged(delivery: Delivery, result: Result, words: str) -> Result:
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
    since = read_channel_state(connection, delivery.channel).failing_since or now
    share_s = (now - since).total_seconds() * _REST_SHARE
    return min(max(share_s, REST_LEAST_S), REST_MOST_S) * _jitter(delivery.identity, delivery.attempts)


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
    return cut(one_line(f"{type(error).__name__}: {error}"), _REASON_LIMIT // 2)


def send_test(channels: Mapping[str, Channel], now: datetime) -> list[Trial]:
    """Send a test message through every channel at once, past the outbox, and say in words what to mend."""
    return [_test(channel, now) for channel in channels.values()]


def _test(channel: Channel, now: datetime) -> Trial:
    message = Message(
        identity=f"test:{channel.name}:{now.isoformat()}",
        thread=f"test:{channel.name}",
        subject="[sitewatch] Test message",
        status="Test",
        headline="This is a test: sitewatch can reach you here",
        paragraphs=("Nothing was seen. Somebody ran “sitewatch alerts test” to try every channel.",),
        created_at=now,
        facts=(("Channel", channel.name), ("Sent", f"{utc(now)}")),
    )
    try:
        receipt = _send(channel, message)
    except SendError as error:
        return Trial(channel.name, ok=False, words=error.reason)
    return Trial(channel.name, ok=not receipt.note, words=receipt.note or "Sent: look whether it arrived.")
