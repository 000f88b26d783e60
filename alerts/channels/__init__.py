"""The contract of a channel: one message in, one receipt out, one error type. Copy `log.py` to add one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from alerts.speech import speech_of

Fault = Literal["message", "channel"]


class SendError(Exception):
    """A message was not accepted; the text never holds a secret.

    `fault` says what is to blame. A fault of the *channel* (nobody answers, a rate limit, a revoked webhook, a wrong
    password, a blocked sender) would meet every message: the channel rests, the messages wait and lose nothing.
    A fault of the *message* counts against it; `permanent` then means that another try cannot help.
    `retry_after_s` is the server's own wish (Retry-After). `accepted` are recipients who have the message now.
    """

    def __init__(
        self,
        reason: str,
        *,
        fault: Fault = "message",
        permanent: bool = False,
        retry_after_s: float | None = None,
        accepted: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class Link:
    """A link that a reader can follow; only http and https."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said, free of any channel's markup; every string in it is foreign and must be escaped.

    `identity` stays the same over tries; `thread` is shared by all messages of one incident; `subject` is
    stable within a thread (mail clients thread by it) and `status` says what this message changes.
    """

    identity: str
    thread: str
    subject: str
    status: str
    headline: str
    paragraphs: tuple[str, ...]
    created_at: datetime
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    footer: str = ""
    image_png: bytes | None = None
    image_alt: str = ""
    delivered_to: tuple[str, ...] = ()
    """Recipients who took it at an earlier try: they are not told again."""
    actions: tuple[Link, ...] = ()
    """Pages on which a person can do something about it; each of them asks once more before it does."""
    urgent: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    """What machines want to know of the alert, in JSON types; empty where there is none."""
    thread_ref: str | None = None
    """What the channel gave back for the newest message of this thread."""
    language: str = "en"
    """What it is said in, for the few words that a channel adds of its own."""
    repeated: bool = False
    """Whether an earlier try may have arrived though nobody heard so."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the channel gave back: a Message-ID or nothing; `note` says who was left out, if anybody."""

    provider_ref: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer as a channel sees it."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpPost(Protocol):
    """How a channel reaches the web: the guarded client, handed in by the bootstrap.

    Raises SendError (a fault of the channel) where no answer came.
    """

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send one POST."""
        ...


def own_words(message: Message, text: str) -> str:
    """Words that a channel adds of its own, in the language of the message."""
    return speech_of(message.language)(text)


class Channel(Protocol):
    """A way to tell people; holds its own secrets and never prints them."""

    name: str
    min_interval_s: float
    """Least seconds between two messages; the outbox keeps it, the channel never sleeps."""

    def send(self, message: Message) -> Receipt:
        """Send one message or raise SendError; never sleeps and never retries by itself."""
        ...
