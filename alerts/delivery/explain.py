"""Why each channel was told of an alert, or was not, event by event, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.delivery.worker import gates_at
from alerts.routing import Routing
from alerts.words import utc
from db.alerts import alert_events
from db.channel_states import read_channel_state
from db.deliveries import deliveries, delivery_by_identity
from db.engine import Connection
from db.gates import closed_until
from db.records import AlertEvent, Delivery

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one event at one channel; `state` is its delivery's, or `none` where nothing was ever owed."""

    channel: str
    event: str
    seq: int
    at: datetime
    state: str
    words: str


def told_and_why(
    connection: Connection, alert_id: str, channels: Sequence[str], routing: Routing, now: datetime
) -> list[Explanation]:
    """Explain every event of an alert at every channel that there is, or was then, in the order of events."""
    owed = deliveries(connection, alert_id)
    names = list(dict.fromkeys([*channels, *(each.channel for each in owed)]))
    teller = _Teller(connection, routing, now, closed_until(connection, gates_at(routing, names, now), now))
    return [
        said
        for event in alert_events(connection, alert_id)
        for name in names
        for said in teller.explained(
            event, name, [each for each in owed if each.event_seq == event.seq], known=name in channels
        )
    ]


@dataclass(frozen=True, slots=True)
class _Teller:
    connection: Connection
    routing: Routing
    now: datetime
    closed: dict[str, datetime]

    def explained(
        self, event: AlertEvent, channel: str, owed: Sequence[Delivery], *, known: bool
    ) -> Iterator[Explanation]:
        mine = [each for each in owed if each.channel == channel]
        for each in mine:
            words = self._words(each) if known else f"{self._words(each)} The channel is no longer set up."
            yield Explanation(channel, event.kind, event.seq, event.recorded_at, each.state, words)
        if not mine:
            words = (
                "Nothing was owed: the channel was not set up then."
                if owed
                else "Nobody is told of this: it changes nothing that readers were told."
            )
            yield Explanation(channel, event.kind, event.seq, event.recorded_at, "none", words)

    def _words(self, row: Delivery) -> str:
        why = str(row.payload.get("why", ""))
        match row.state:
            case "sent":
                tries = "" if row.attempts <= 1 else f" at try {row.attempts}"
                left_out = f" {row.last_error}" if row.last_error else ""
                return _joined(f"Sent on {_moment(row.sent_at)}{tries}.{left_out}", why, _again(row))
            case "queued" | "sending":
                return _joined(self._waits(row), why, _again(row))
            case "dead":
                return (
                    f"Given up after {row.attempts} tries: {row.last_error or 'no reason is known'} “sitewatch alerts resend” owes "
                    "it again once the cause is mended."
                )
            case "gathered":
                due = self.routing.policy(row.channel).daily_slot(self.now + _DAY)
                when = f", due at {utc(due)}" if due else ", and the channel no longer has one: set daily_at"
                return _joined(f"Waits for the channel's daily digest{when}.", why)
            case "bundled" | "joined":
                return _joined(self._with_others(row), why)
            case _:
                return f"Not sent. {why if row.state == 'unrouted' else row.reason}"

    def _with_others(self, row: Delivery) -> str:
        if row.state == "joined":
            told = "Told" if row.sent_at else "To be told"
            not_yet = "" if row.sent_at else " That message is not sent yet."
            return f"{told} in one message with others that share a cause: {row.reason}{not_yet}"
        digest = delivery_by_identity(self.connection, str(row.payload.get("digest", "")))
        if digest is None or digest.sent_at is None:
            return "Stands in a daily digest that is not sent yet."
        return f"Told in the daily digest that was sent on {utc(digest.sent_at)}."

    def _waits(self, row: Delivery) -> str:
        if row.state == "sending":
            return f"Being sent just now, at try {row.attempts}."
        policy = self.routing.policy(row.channel)
        closed = None if row.pressing else self.closed.get(row.channel)
        if closed is not None:
            quiet = policy.quiet_until(self.now)
            cause = (
                f"the channel takes at most {policy.at_most_an_hour} an hour"
                if quiet is None or closed > quiet
                else "it is outside the channel's hours"
            )
            return f"Waits until {utc(closed)}: {cause}."
        state = read_channel_state(self.connection, row.channel)
        if state.failing_since is not None:
            return (
                f"Waits: the channel fails since {utc(state.failing_since)}. {state.last_error or ''}".strip()
            )
        if row.not_before > self.now:
            return f"Waits until {utc(row.not_before)} for try {row.attempts + 1}. {row.last_error or ''}".strip()
        return "Due, behind earlier messages of this channel if there are any; a running service sends it within seconds."


def _again(row: Delivery) -> str:
    return f"A reminder: {row.reason}" if "reminder" in row.payload else ""


def _moment(at: datetime | None) -> str:
    return utc(at) if at else "an unknown day"


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
