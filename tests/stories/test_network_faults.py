"""The wire between the program and what it speaks to fails in every way, over real connections: nothing is lost by it.

Time is simulated; what is waited for on a connection is cut to seconds.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import cast

import httpx
import psycopg
import pytest
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError

from alerts.channels import Channel
from alerts.channels.email import EmailChannel
from alerts.channels.email_message import email_message_id
from alerts.channels.slack import SlackChannel
from alerts.delivery.notices import compose_notice, notice_payload
from alerts.delivery.worker import deliver_due
from db.alerts import alerts
from db.blindness import blind_periods
from db.coverage import coverage
from db.deliveries import deliveries, enqueue
from db.engine import reading, writing
from db.polls import polls
from db.records import Outcome
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import FEEDS
from monitor.config.clock import monotonic_s, utc_now
from monitor.feeds.http import Caps, GuardedClient
from monitor.ops import database_health as storage
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import Asked, Reply, loopback
from tests.kit.fakes.proxy import FAULTS, Fault, Proxy
from tests.kit.fakes.slack import FakeSlack
from tests.kit.fakes.smtp import FakeSmtp
from tests.stories.test_bad_day import DAY, LANDING, MINUTE, Sky, program, v2

pytestmark = [pytest.mark.long, pytest.mark.untraced]

QUICK = Caps(connect_s=2, read_s=2, total_s=6)
"""Only a black hole is waited for; a busy machine must not be taken for one."""
SOON_S = 0.2
HOUR = timedelta(hours=1)


def to_port(port: int) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", port))


# --- the feed


@contextmanager
def watched_through_a_wire(folder: Path, sky: Sky) -> Iterator[tuple[App, Proxy]]:
    """A program whose feed answers over a real connection that can fail."""

    def reply(asked: Asked) -> Reply:
        answer = sky(httpx.Request("GET", f"http://sky{asked.path}"))
        return answer.status_code, {}, answer.content

    app = program(folder, f"sqlite:///{folder / 'story.db'}", sky, "adsb.lol", interval_s=300)
    client = GuardedClient(
        name="adsb.lol",
        user_agent="test",
        monotonic=monotonic_s,
        clock=utc_now,
        allowed_networks=["127.0.0.0/8"],
        caps=QUICK,
    )
    with closing(app), loopback(reply) as server, Proxy(to_port(server.port)) as wire, closing(client):
        known = replace(app.feeds["adsb.lol"].provider, base_url=f"http://127.0.0.1:{wire.port}/v2/")
        yield replace(app, feeds={"adsb.lol": FEEDS["readsb"](known, client)}), wire


def step(app: App, now: datetime) -> None:
    pipeline.poll(app, now)
    pipeline.derive(app, now)
    pipeline.judge(app, now)
    pipeline.watch_self(app, now)


def test_a_wire_to_the_feed_that_fails_makes_blind_and_nothing_else(tmp_path: Path) -> None:
    began = {fault: DAY + number * 30 * MINUTE for number, fault in enumerate(FAULTS, 1)}
    # While it fails an aircraft that would be told passes low over the field.
    sky = Sky(
        v2,
        {
            at: ("", lambda each, asked: httpx.Response(200, content=each.good(asked)))
            for at in began.values()
        },
    )
    sky.refuses = False
    hole = max(began.values()) + 30 * MINUTE
    failing = {at + n * 5 * MINUTE: fault for fault, at in began.items() for n in range(3)}
    with watched_through_a_wire(tmp_path, sky) as (app, wire):
        while sky.now < hole:
            sky.now += 5 * MINUTE
            if fault := failing.get(sky.now):
                wire.fail(fault)
            step(app, sky.now)
            wire.heal()
        wire.fail("black hole")
        while sky.now < hole + 8 * HOUR:
            sky.now += 2 * HOUR
            step(app, sky.now)
        wire.heal()
        sky.now = LANDING - 25 * MINUTE
        while sky.now < LANDING + 10 * MINUTE:
            sky.now += 5 * MINUTE
            step(app, sky.now)
        check_what_came_through(app, failing, hole)


def check_what_came_through(app: App, failing: dict[datetime, Fault], hole: datetime) -> None:
    with reading(app.engine) as connection:
        asked = {each.started_at: each.outcome for each in polls(connection, purpose="data")}
        told = alerts(connection)
        (blind,) = blind_periods(connection)
        hours = coverage(connection, QUIET_FIELD.id, DAY, hole)
    by_fault: dict[Fault, set[Outcome | None]] = {
        fault: {asked[at] for at, each in failing.items() if each == fault and at in asked}
        for fault in FAULTS
    }
    assert by_fault == {"delay": {"ok"}, **{fault: {"failed"} for fault in FAULTS[1:]}}
    good = [at for at, outcome in asked.items() if outcome == "ok"]
    assert {outcome for at, outcome in asked.items() if at < hole and at not in failing} == {"ok"}
    watched = sum(each.observed_s for each in hours)
    assert 0 <= sum(at < hole for at in good) * 300 - watched <= 300, (
        "a slot counts where its answer came whole"
    )
    assert hole - 5 * MINUTE <= blind.since <= hole
    assert blind.ended_at is not None
    assert LANDING - 20 * MINUTE <= blind.ended_at <= LANDING - 10 * MINUTE
    assert sorted(each.metric for each in told) == ["aircraft_present", "arrivals"]
    assert all(each.opened_at >= LANDING for each in told)


# --- Slack and mail


@dataclass
class Outside:
    """Slack and a mail server, each behind a wire that can fail."""

    slack: FakeSlack
    mail: FakeSmtp
    wires: tuple[Proxy, Proxy]
    channels: dict[str, Channel] = field(default_factory=dict)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with ExitStack() as stack:
        slack, mail = stack.enter_context(FakeSlack()), stack.enter_context(FakeSmtp())
        path = httpx.URL(slack.url)
        wires = (
            stack.enter_context(Proxy(to_port(path.port or 0))),
            stack.enter_context(Proxy(to_port(mail.port))),
        )
        client = GuardedClient(
            name="slack",
            user_agent="test",
            monotonic=monotonic_s,
            clock=utc_now,
            allowed_networks=["127.0.0.0/8"],
            caps=QUICK,
        )
        stack.callback(client.close)
        channels: dict[str, Channel] = {
            "slack": SlackChannel("slack", str(path.copy_with(port=wires[0].port)), client.post, min_interval_s=0),
            "mail": EmailChannel(
                "mail", "127.0.0.1", wires[1].port, security="none", username=None, password=None,
                sender="watch@example.org", recipients=("desk@example.org",), timeout_s=QUICK.read_s,
            ),
        }  # fmt: skip
        yield Outside(slack, mail, wires, channels)


def test_a_wire_to_slack_and_the_mail_server_that_fails_loses_no_message_and_doubles_none_under_another_name(
    outside: Outside, tmp_path: Path, story_url: Callable[[Path], str]
) -> None:
    app = program(tmp_path, story_url(tmp_path), Sky(v2, {}), "adsb.lol")
    now, owed = DAY, set[str]()

    def deliver() -> None:
        deliver_due(app.engine, outside.channels, compose_notice, lambda: now, "me")

    for fault in FAULTS:
        identities = {name: f"{fault}:{name}" for name in outside.channels}
        owed |= set(identities.values())
        payload = notice_payload(subject="s", headline=fault, paragraphs=("p",), status="Test", thread="t")
        with writing(app.engine) as connection:
            for name, identity in identities.items():
                enqueue(connection, identity=identity, kind="notice", channel=name, payload=payload, now=now)
        for wire in outside.wires:
            wire.fail(fault)
        deliver()
        with reading(app.engine) as connection:
            sent = {each.identity for each in deliveries(connection) if each.state == "sent"}
        assert (sent >= set(identities.values())) == (fault == "delay"), fault
        for wire in outside.wires:
            wire.heal()
        now += HOUR
        deliver()
    with reading(app.engine) as connection:
        states = {each.identity: each.state for each in deliveries(connection)}
    app.close()
    assert states == dict.fromkeys(owed, "sent")
    assert set(outside.slack.identities) == {each for each in owed if each.endswith("slack")}
    mails = Counter(str(each.message["Message-ID"]) for each in outside.mail.accepted)
    assert mails.keys() == {email_message_id(each, "example.org") for each in owed if each.endswith("mail")}
    assert not outside.slack.refused


# --- PostgreSQL


@dataclass
class Trap:
    """Spoils the wire at one statement or commit of a step; what would hang is ended from outside soon after."""

    wire: Proxy
    fault: Fault = "delay"
    left: int = 0
    timers: list[threading.Timer] = field(default_factory=list)

    def pass_by(self, *_: object) -> None:
        """Called before each statement and each commit."""
        self.left -= 1
        if self.left != 0:
            return
        self.wire.fail(self.fault)
        if self.fault == "black hole":
            self.timers.append(threading.Timer(SOON_S, self.wire.heal))
            self.timers[-1].start()

    def disarm(self) -> None:
        """The wire works again."""
        self.left = 0
        while self.timers:
            self.timers.pop().join()
        self.wire.heal()


def test_a_wire_to_the_database_that_fails_loses_no_alert_and_tells_none_twice(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    behind = make_url(empty_postgres_url)

    def server() -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.connect(f"{behind.query['host']}/.s.PGSQL.5432")
        return line

    sky = Sky(v2, {}, refuses=False)
    sky.now = LANDING - 15 * MINUTE
    steps: Sequence[Callable[[App, datetime], object]] = (pipeline.poll, pipeline.derive, pipeline.judge)
    failed = Counter[Fault]()
    with Proxy(server) as wire:
        url = behind.set(host="127.0.0.1", port=wire.port, query={"sslmode": "disable"})
        app = program(tmp_path, url.render_as_string(hide_password=False), sky, "adsb.lol", interval_s=60)
        with app.engine.connect() as connection:
            chosen = cast("psycopg.Connection", connection.connection.driver_connection).info.get_parameters()
        assert (chosen["keepalives_idle"], chosen["tcp_user_timeout"]) == ("30", "60000"), (
            "for a true black hole"
        )
        trap = Trap(wire)
        event.listen(app.engine, "before_cursor_execute", trap.pass_by)
        event.listen(app.engine, "commit", trap.pass_by)
        for number, (spoilt, fault) in enumerate(product(steps, FAULTS)):
            sky.now += 2 * MINUTE
            for work in steps:
                # Another statement each time: the first ones, those in the midst, the commit.
                trap.fault, trap.left = fault, 1 + number % 7 if work is spoilt else 0
                try:
                    work(app, sky.now)
                except DBAPIError as error:
                    failed[fault] += storage.note_database_error(app.settings, app.troubles, error, sky.now)
                trap.disarm()
        for work in (*steps, pipeline.watch_self):
            work(app, sky.now + MINUTE)
        pipeline.deliver(app, lambda: sky.now + MINUTE, "me")
        with reading(app.engine) as connection:
            told = alerts(connection)
            sent = deliveries(connection)
        app.close()
    assert failed.keys() == set(FAULTS) - {"delay"}
    assert sorted(each.metric for each in told) == ["aircraft_present", "arrivals"]
    assert len({each.identity for each in sent}) == len(sent)
    assert all(each.state == "sent" for each in sent)
