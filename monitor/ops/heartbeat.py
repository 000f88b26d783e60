"""The dead-man ping: a sign of life to a service outside, which raises the alarm when it stays away."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

from alerts.delivery.worker import LONGEST, gates_at
from alerts.routing import Routing
from alerts.words import utc
from db.deliveries import next_due, outbox_summary
from db.engine import Connection
from monitor.feeds import FeedClient, FeedError
from monitor.feeds.answers import status_phrase
from monitor.feeds.http import ANY_STATUS

STUCK_AFTER = timedelta(hours=1)
"""By then a failing channel has been told through the others, and every server has had its pause."""


class PingError(Exception):
    """The sign of life was not taken; the text says why and what to do, and holds no secret."""


class DeadMan:
    """One address outside that waits for signs of life."""

    def __init__(self, url: str, client: FeedClient) -> None:
        self._url = url
        self._client = client

    def ping(self) -> int:
        """Give one sign of life, and the HTTP status that took it; raises PingError."""
        try:
            status = self._client.request("GET", self._url, purpose="canary", accept=ANY_STATUS).status
        except FeedError as error:
            raise PingError(error.reason) from None
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return status
        raise PingError(f"It answered {status} {status_phrase(status)}. Check SITEWATCH_DEADMAN_URL.")


def stuck_outbox(
    connection: Connection, channels: Sequence[str], routing: Routing, now: datetime
) -> list[str]:
    """In words, the channels that have failed for long while messages wait, and messages that nobody sends."""
    outbox = outbox_summary(connection, now)
    found = [
        f"the channel “{each.channel}” fails since {utc(each.failing_since)}"
        for each in outbox.failing
        if each.channel in channels and outbox.waiting.get(each.channel)
        if each.failing_since and now - each.failing_since > STUCK_AFTER
    ]
    due = next_due(connection, channels, now, LONGEST, gates_at(routing, channels, now))
    if due is not None and now - due > STUCK_AFTER:
        found.append(f"a message is due since {utc(due)} and nobody sends it")
    return found
