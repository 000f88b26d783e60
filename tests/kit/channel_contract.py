"""What every channel must do, and a rig for each: the channel against a real server that can be told to fail.

A new channel adds its rig to RIGS; tests/alerts/test_channel_contract.py fails until it is there and then tries it.
"""

import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Protocol

import markdown
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from alerts.channels import Channel, Link, Message
from alerts.channels import Fault as Blame
from alerts.channels.apprise_sink import AppriseChannel, apprise_notifier
from alerts.channels.email import EmailChannel
from alerts.channels.log import LogChannel
from alerts.channels.mattermost import MattermostChannel
from alerts.channels.ntfy import NtfyChannel
from alerts.channels.slack import SlackChannel
from alerts.channels.slack_bot import SlackBotChannel
from alerts.channels.webhook import WebhookChannel
from monitor.feeds.authorities import trusting
from tests.kit.fakes import slack as fake_slack
from tests.kit.fakes import slack_api
from tests.kit.fakes.http_post import LoopbackPost
from tests.kit.fakes.scripted import Answer, Post, Scripted
from tests.kit.fakes.slack import FakeSlack
from tests.kit.fakes.slack_api import SlackApi
from tests.kit.fakes.smtp import HOST, FakeSmtp, make_certificate
from tests.kit.fakes.web_desk import WebDesk

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
TIMEOUT_S = 0.3
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c626001000000ffff03000006000557bfabd40000000049454e44ae426082"
)

MESSAGE = Message(
    identity="alert-1:1:x",
    thread="incident-1",
    subject="[sitewatch] Busy Port: ship calls, 5 October 2023",
    status="New",
    headline="About 73 railcars at Busy Port, most in five years",
    paragraphs=("According to the publisher: about 73 railcars on 5 October 2023.", "Contents not visible."),
    created_at=NOON,
    facts=(("Counted", "73"), ("Highest known before", "20")),
    links=(Link("Alert and evidence", "https://watch.example.org/alerts/1?a=1&b=2"),),
    footer="sitewatch repeats what was published.",
    image_png=PNG,
    image_alt="73 railcars on 5 October against at most 20 before",
)

HOSTILE = {
    "channel mention": "<!channel> <!here> <!everyone> <@U024BE7LH> <!subteam^S123>",
    "slack link": "<https://evil.example/|your bank> <mailto:a@b.example|x>",
    "slack markup": "*bold* _italic_ ~strike~ `code` ```block``` >quote :skull:",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>&amp;&lt;",
    "html attribute": '" onmouseover="alert(1)" x=\'',
    "header injection": "x\r\nBcc: everybody@example.org\r\n\r\n<b>body</b>",
    "bare newlines": "one\ntwo\rthree\u2028four\u2029five\x85six",
    "smtp end of data": "before\r\n.\r\nMAIL FROM:<x@example.org>\r\n..\r\n.",
    "boundary": "--=_0\r\nContent-Type: text/html\r\n\r\n<b>x</b>",
    "control characters": "a\x00b\x07c\x1b[31md\x7fe\x9bf",
    "right to left": "\u202egnp.exe\u202c \u2067abc\u2069 مرحبا שלום",
    "emoji": "👩‍👩‍👧‍👦🇰🇵🚂 " * 40,
    "lone surrogate": "a\ud800b\udfffc",
    "format": "{0} {identity} %s %(x)s ${x} {{7*7}}",
    "wide": "평양 순안 국제공항 两列货车 " * 30,
    "long": "x" * 100_000,
    "long lines": ("word " * 30_000).strip(),
    "long ampersands": "&<>" * 10_000,
    "blank": " \t ",
    "empty": "",
}


class Fault(Enum):
    """The ways in which the other side can fail."""

    TIMEOUT = "no answer in time"
    UNREACHABLE = "connection refused"
    RATE_LIMITED = "429 with Retry-After: 7"
    SERVER_ERROR = "an error of the server"
    CLOSED = "a channel that a person has to mend: a revoked webhook, a wrong password"
    PERMANENT = "a refusal of this message that another try cannot help"
    WRONG_ANSWER = "an answer that makes no sense"
    ANSWER_LOST = "the message arrived and the connection broke before the answer"


@dataclass(frozen=True)
class Expected:
    """How a fault must be reported."""

    fault: Blame | None = None
    """None where either may be blamed: a connection that broke in the middle."""
    permanent: bool = False
    retry_after_s: float | None = None


EXPECTED = {
    Fault.TIMEOUT: Expected("channel"),
    Fault.UNREACHABLE: Expected("channel"),
    Fault.RATE_LIMITED: Expected("channel", retry_after_s=7),
    Fault.SERVER_ERROR: Expected(),
    Fault.CLOSED: Expected("channel"),
    Fault.PERMANENT: Expected("message", permanent=True),
    Fault.WRONG_ANSWER: Expected(),
    Fault.ANSWER_LOST: Expected(),
}


@dataclass(frozen=True)
class Arrival:
    """One message as the other side got it."""

    identity: str
    text: str


class Rig(Protocol):
    """A channel with its server."""

    secrets: tuple[str, ...]

    def channel(self) -> Channel:
        """The channel, configured to reach the server."""
        ...

    def break_with(self, fault: Fault) -> None:
        """Let the next message meet this fault."""
        ...

    def mend(self) -> None:
        """Let the server work again."""
        ...

    def arrivals(self) -> list[Arrival]:
        """What arrived so far."""
        ...

    def faults_of_last(self) -> list[str]:
        """What a hostile message managed to break in the last arrival; empty where it is harmless."""
        ...


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class SlackRig:
    secrets: tuple[str, ...] = (fake_slack.SECRET,)

    def __init__(self, server: FakeSlack) -> None:
        self.server = server
        self.url = server.url

    def channel(self) -> Channel:
        return SlackChannel("slack", self.url, LoopbackPost(TIMEOUT_S))

    def break_with(self, fault: Fault) -> None:
        echo = f"no such hook: {fake_slack.PATH}"
        scripted = {
            Fault.TIMEOUT: Scripted(hang=True),
            Fault.RATE_LIMITED: Scripted(429, '{"ok":false,"error":"rate_limited"}', {"Retry-After": "7"}),
            Fault.SERVER_ERROR: Scripted(500, "rollup_error"),
            Fault.CLOSED: Scripted(404, echo),
            Fault.PERMANENT: Scripted(400, "invalid_blocks"),
            Fault.WRONG_ANSWER: Scripted(302, f"<html>Please log in to the hotel. {echo}</html>"),
            Fault.ANSWER_LOST: Scripted(keep=True, drop=True),
        }
        if fault is Fault.UNREACHABLE:
            self.url = f"http://{HOST}:{closed_port()}{fake_slack.PATH}"
        else:
            self.server.script.append(scripted[fault])

    def mend(self) -> None:
        self.url = self.server.url
        self.server.script.clear()

    def arrivals(self) -> list[Arrival]:
        posts = zip(self.server.identities, self.server.accepted, strict=True)
        return [Arrival(identity, "\n".join(fake_slack.strings(post["blocks"]))) for identity, post in posts]

    def faults_of_last(self) -> list[str]:
        post = self.server.accepted[-1]
        texts = [post["text"], *fake_slack.strings(post["blocks"])]
        markup = [block for block in post["blocks"] if "mrkdwn" in str(block)]
        return [text for text in texts if "<" in text or ">" in text] + [str(block) for block in markup]


@contextmanager
def slack_rig(folder: Path) -> Iterator[Rig]:
    with FakeSlack() as server:
        yield SlackRig(server)


class _Tags(HTMLParser):
    """Collects every tag and attribute that is not of our own making."""

    ours = frozenset(
        [
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "p",
            "strong",
            "h1",
            "br",
            "img",
            "table",
            "tr",
            "th",
            "td",
            "a",
            "hr",
            "small",
        ]
    )
    attributes = frozenset(
        ["lang", "charset", "name", "content", "style", "dir", "src", "alt", "href", "scope"]
    )

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.foreign += [tag] if tag not in self.ours else []
        self.foreign += [f"{tag} {name}" for name, _ in attrs if name not in self.attributes]


class EmailRig:
    password = "correct-horse-battery"
    secrets: tuple[str, ...] = (password,)
    headers = frozenset(
        [
            "Subject",
            "From",
            "To",
            "Date",
            "Message-ID",
            "References",
            "In-Reply-To",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "MIME-Version",
            "Content-Type",
        ]
    )

    def __init__(self, server: FakeSmtp, ca_file: Path) -> None:
        self.server = server
        self.ca_file = ca_file
        self.port = server.port
        self.given_password = self.password

    def channel(self) -> Channel:
        return EmailChannel(
            "email",
            HOST,
            self.port,
            security="starttls",
            username="watcher",
            password=self.given_password,
            sender="sitewatch <watch@example.org>",
            recipients=("desk@example.org", "editor@example.org"),
            tls=trusting([self.ca_file]),
            timeout_s=TIMEOUT_S if self.server.hang else 5,
        )

    def break_with(self, fault: Fault) -> None:
        match fault:
            case Fault.TIMEOUT:
                self.server.hang = True
            case Fault.UNREACHABLE:
                self.port = closed_port()
            case Fault.SERVER_ERROR:
                self.server.refuse_data = f"451 4.3.0 try later, {self.password}"
            case Fault.CLOSED:
                self.server.login = ("watcher", "another")
            case Fault.PERMANENT:
                self.server.refuse_data = f"552 5.3.4 too large, {self.password}"
            case Fault.WRONG_ANSWER:
                self.server.refuse_data = "999 what\x07 is this"
            case Fault.ANSWER_LOST:
                self.server.drop_after_data = True
            case Fault.RATE_LIMITED:
                raise AssertionError("mail servers answer 4xx instead")

    def mend(self) -> None:
        self.port = self.server.port
        self.server.hang = self.server.drop_after_data = False
        self.server.refuse_data = None
        self.server.login = ("watcher", self.password)

    def arrivals(self) -> list[Arrival]:
        parsed = [mail.message for mail in self.server.accepted]
        return [Arrival(str(mail["Message-ID"]), plain_part(mail)) for mail in parsed]

    def faults_of_last(self) -> list[str]:
        mail = self.server.accepted[-1].message
        tags = _Tags()
        tags.feed(part_text(mail, "html"))
        parts = [part.get_content_type() for part in mail.walk()]
        related = ["multipart/related", "text/html", "image/png"]
        shape = [] if parts == ["multipart/alternative", "text/plain", *related] else parts
        long = [
            line for line in plain_part(mail).splitlines() if len(line) > 78 and not line.startswith("http")
        ]
        return [name for name in mail if name not in self.headers] + tags.foreign + shape + long


def part_text(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


def plain_part(mail: EmailMessage) -> str:
    return part_text(mail, "plain")


@contextmanager
def email_rig(folder: Path) -> Iterator[Rig]:
    certificate = make_certificate(folder)
    with FakeSmtp(certificate, login=("watcher", EmailRig.password)) as server:
        yield EmailRig(server, certificate.cert_file)


class LogRig:
    secrets: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.broken = False

    def channel(self) -> Channel:
        return LogChannel("log", self._write)

    def _write(self, line: str) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.lines.append(line)

    def break_with(self, fault: Fault) -> None:
        self.broken = True

    def mend(self) -> None:
        self.broken = False

    def arrivals(self) -> list[Arrival]:
        return [Arrival(line.rpartition("[")[2].rstrip("]"), line) for line in self.lines]

    def faults_of_last(self) -> list[str]:
        line = self.lines[-1]
        return [line] if any(each in line for each in "\r\n\x00\x1b\x85\u2028\u202e\ud800") else []


@contextmanager
def log_rig(folder: Path) -> Iterator[Rig]:
    yield LogRig()


@dataclass(frozen=True)
class RigKind:
    """How to open a rig, and which faults its channel can meet."""

    open: Callable[[Path], AbstractContextManager[Rig]]
    faults: frozenset[Fault]
    numbers: bool = False
    """Whether the other side gives each arrival a number of its own, so that two arrivals have two references."""


class PostingRig:
    """A channel that posts to a web server, which can be told to fail in every way."""

    secret = "t0psecret-0123456789-abcdef"
    secrets: tuple[str, ...] = (secret,)

    def __init__(self, desk: WebDesk) -> None:
        self.desk = desk
        self.root = desk.root
        self.post = LoopbackPost(TIMEOUT_S)

    def channel(self) -> Channel:
        raise NotImplementedError

    def break_with(self, fault: Fault) -> None:
        echo = f"no such place: {self.secret}"
        scripted = {
            Fault.TIMEOUT: Scripted(hang=True),
            Fault.RATE_LIMITED: Scripted(429, echo, {"Retry-After": "7"}),
            Fault.SERVER_ERROR: Scripted(500, echo),
            Fault.CLOSED: Scripted(403, echo),
            Fault.PERMANENT: Scripted(400, echo),
            Fault.WRONG_ANSWER: Scripted(302, f"<html>Please log in to the hotel. {echo}</html>"),
            Fault.ANSWER_LOST: Scripted(keep=True, drop=True),
        }
        if fault is Fault.UNREACHABLE:
            self.root = f"http://{HOST}:{closed_port()}"
        else:
            self.desk.script.append(scripted[fault])

    def mend(self) -> None:
        self.root = self.desk.root
        self.desk.script.clear()

    def arrivals(self) -> list[Arrival]:
        return [self.arrival(json.loads(post.body)) for post in self.desk.taken]

    def arrival(self, told: Any) -> Arrival:
        raise NotImplementedError

    def faults_of_last(self) -> list[str]:
        # What the server refused has raised an error already.
        return [str(answer) for answer in self.desk.refused]


class WebhookRig(PostingRig):
    """A receiver that checks each signature with a library of others."""

    def channel(self) -> Channel:
        return WebhookChannel(
            "hook", f"{self.root}/hook/{self.secret}", self.secret, self.post, clock=lambda: datetime.now(UTC)
        )

    def arrival(self, told: Any) -> Arrival:
        return Arrival(told["data"]["identity"], "\n".join(_strings(told)))

    @staticmethod
    def judge(post: Post) -> Answer:
        try:
            StandardWebhook(PostingRig.secret.encode()).verify(post.body, dict(post.headers))
        except WebhookVerificationError as error:
            return 401, str(error), {}
        return 200, "", {}


class NtfyRig(PostingRig):
    def channel(self) -> Channel:
        return NtfyChannel("push", f"{self.root}/{self.secret}", None, self.post)

    def arrival(self, told: Any) -> Arrival:
        return Arrival(told["sequence_id"], "\n".join(_strings(told)))

    @staticmethod
    def judge(post: Post) -> Answer:
        """As the server does: at most twice the message limit is read, and each key has its type."""
        if post.path != "/" or len(post.body) > 2 * 4_096:
            return 413, "request entity too large", {}
        told = json.loads(post.body)
        actions = told.get("actions", [])
        good = (
            told["topic"] == PostingRig.secret
            and 1 <= len(told["message"].encode()) <= 4_096
            and told["priority"] in range(1, 6)
            and re.fullmatch(r"[-_A-Za-z0-9]{1,64}", told["sequence_id"])
            and len(actions) <= 3
            and all(each["action"] == "view" and each["label"] and each["url"] for each in actions)
        )
        return (
            (200, json.dumps({"id": "x", "event": "message"}), {}) if good else (400, "invalid request", {})
        )

    def faults_of_last(self) -> list[str]:
        told = json.loads(self.desk.taken[-1].body)
        return [
            text
            for text in _strings(told)
            if not text.replace("\n", "").isprintable() and "\u200d" not in text
        ]


class MattermostRig(PostingRig):
    def channel(self) -> Channel:
        return MattermostChannel("chat", f"{self.root}/hooks/{self.secret}", self.post)

    def arrival(self, told: Any) -> Arrival:
        return Arrival(told["props"]["sitewatch_identity"], told["text"])

    @staticmethod
    def judge(post: Post) -> Answer:
        told = json.loads(post.body)
        return (200, "ok", {}) if 1 <= len(told["text"]) <= 4_000 else (400, "too long", {})

    def faults_of_last(self) -> list[str]:
        """What Markdown would make of it beyond bold and links of ours, and what would ping."""
        text = json.loads(self.desk.taken[-1].body)["text"]
        rendered = markdown.markdown(text, extensions=["fenced_code", "tables"])
        tags = _Tags()
        tags.ours = frozenset({"p", "strong", "a"})
        tags.feed(rendered)
        pings = re.findall(r"@(?:channel|all|here|everyone|[A-Za-z0-9.]+)", text)
        leads = [
            target
            for target in re.findall(r'href="([^"]*)"', rendered)
            if not target.startswith("https://watch.")
        ]
        return [*tags.foreign, *pings, *leads]


class SlackBotRig(PostingRig):
    secret = slack_api.TOKEN
    secrets: tuple[str, ...] = (secret,)

    def __init__(self, api: SlackApi) -> None:
        super().__init__(api.desk)
        self.api = api

    def channel(self) -> Channel:
        return SlackBotChannel("bot", self.secret, slack_api.CHANNEL, self.post, api_url=f"{self.root}/api")

    def break_with(self, fault: Fault) -> None:
        refusals = {Fault.CLOSED: "token_revoked", Fault.PERMANENT: "invalid_blocks"}
        if fault in refusals:
            said = json.dumps({"ok": False, "error": refusals[fault], "needed": self.secret})
            self.desk.script.append(Scripted(200, said))
        else:
            super().break_with(fault)

    def arrivals(self) -> list[Arrival]:
        return [
            Arrival(
                each["metadata"]["event_payload"]["identity"], "\n".join(fake_slack.strings(each["blocks"]))
            )
            for each in self.api.messages
        ]

    def faults_of_last(self) -> list[str]:
        post = self.api.messages[-1]
        texts = [post["text"], *fake_slack.strings(post["blocks"])]
        return [text for text in texts if "<" in text or ">" in text or "mrkdwn" in str(post["blocks"])]


class AppriseRig(PostingRig):
    """Apprise itself, sending to a plain JSON receiver."""

    def channel(self) -> Channel:
        where = self.root.removeprefix("http://")
        url = f"json://{where}/{self.secret}?rto={TIMEOUT_S}&cto={TIMEOUT_S}"
        return AppriseChannel("rest", apprise_notifier(url))

    def arrival(self, told: Any) -> Arrival:
        body = str(told["message"])
        return Arrival(body.rpartition("[")[2].rstrip("]"), f"{told['title']}\n{body}")

    @staticmethod
    def judge(_post: Post) -> Answer:
        return 200, "", {}

    def faults_of_last(self) -> list[str]:
        told = json.loads(self.desk.taken[-1].body)
        said = f"{told['title']}\n{told['message']}"
        return re.findall(r"<[!@#]?\w+|@\w+|\*\w|`", said)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(each) if name != "png_base64" else ()
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@contextmanager
def posting_rig(kind: type[WebhookRig | NtfyRig | MattermostRig | AppriseRig]) -> Iterator[Rig]:
    with WebDesk(kind.judge) as desk:
        yield kind(desk)


@contextmanager
def slack_bot_rig(folder: Path) -> Iterator[Rig]:
    api = SlackApi()
    with api.desk:
        yield SlackBotRig(api)


# Apprise says no more than that it failed.
_APPRISE_FAULTS = frozenset(
    {Fault.TIMEOUT, Fault.UNREACHABLE, Fault.SERVER_ERROR, Fault.CLOSED, Fault.ANSWER_LOST}
)
RIGS: Mapping[str, RigKind] = {
    "WebhookChannel": RigKind(lambda _: posting_rig(WebhookRig), frozenset(Fault)),
    "NtfyChannel": RigKind(lambda _: posting_rig(NtfyRig), frozenset(Fault)),
    "MattermostChannel": RigKind(lambda _: posting_rig(MattermostRig), frozenset(Fault)),
    "AppriseChannel": RigKind(lambda _: posting_rig(AppriseRig), _APPRISE_FAULTS),
    "SlackBotChannel": RigKind(slack_bot_rig, frozenset(Fault), numbers=True),
    "SlackChannel": RigKind(slack_rig, frozenset(Fault)),
    "EmailChannel": RigKind(email_rig, frozenset(Fault) - {Fault.RATE_LIMITED}),
    "LogChannel": RigKind(log_rig, frozenset({Fault.SERVER_ERROR})),
}


def poisoned(text: str) -> Message:
    """A message with the same hostile string wherever a string can stand."""
    return replace(
        MESSAGE,
        identity=f"poison:{text[:50]}",
        thread=text,
        subject=text,
        status=text,
        headline=text,
        paragraphs=(text, text),
        facts=((text, text), ("Counted", text)),
        links=(
            Link(text, "https://watch.example.org/" + text),
            Link(text, text),
            Link(text, "javascript:" + text),
        ),
        footer=text,
        image_alt=text,
    )
