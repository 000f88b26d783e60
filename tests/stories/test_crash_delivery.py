"""kill -9 in the middle of delivering, again and again: nothing is lost, nothing gets a second identity."""

import json
import multiprocessing
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from typing import Literal

import pytest
from sqlalchemy import Engine

from alerts.channels.email_message import email_message_id
from db.deliveries import deliveries
from db.engine import reading, writing
from tests.kit.fakes.delivery_child import DOMAIN, main
from tests.kit.fakes.slack import FakeSlack
from tests.kit.fakes.smtp import FakeSmtp
from tests.kit.owing import owe_event, store_alert

pytestmark = [pytest.mark.long, pytest.mark.untraced]

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
ALERTS_A_KILL = 5
CHANNELS = ("slack", "mail")
Moment = Literal["before it arrives", "before the answer", "any time after"]
MOMENTS: tuple[Moment, ...] = ("before it arrives", "before the answer", "any time after")


def owe(engine: Engine, alerts: int) -> set[str]:
    """So many alerts, each owed to both channels."""
    identities: set[str] = set()
    with writing(engine) as connection:
        for number in range(alerts):
            store_alert(connection, number, NOON)
            identities |= owe_event(connection, number, CHANNELS, NOON)
    return identities


class Killer:
    """Kills the process it was armed for, after so many messages and at the moment that was chosen."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._process: ForkServerProcess | None = None
        self._moment: Moment = "any time after"
        self._left = 0
        self.done: Counter[Moment] = Counter()

    def kill_one(self, process: ForkServerProcess, moment: Moment) -> None:
        """Start the process, let it come to its moment, kill it, and wait until it is dead."""
        with self._lock:
            self._moment, self._left = moment, self._chance.randint(2, 9)
            self._reached.clear()
            self._process = process
            process.start()
        assert self._reached.wait(60), "the process did not come to its moment"
        if moment == "any time after":
            # From here the process runs on, through its own bookkeeping, until the signal reaches it.
            process.kill()
        assert exit_code(process) == -signal.SIGKILL
        self.done[moment] += 1

    def pass_by(self, where: Moment) -> None:
        """Called by the servers; kills before the answer goes out where that is the moment."""
        with self._lock:
            if where != self._moment and not (
                where == "before the answer" and self._moment == "any time after"
            ):
                return
            self._left -= 1
            if self._left != 0 or self._process is None:
                return
            if self._moment != "any time after":
                self._process.kill()
                self._process.join(60)
            self._reached.set()


def exit_code(process: ForkServerProcess) -> int | None:
    process.join(120)
    code = process.exitcode
    process.close()
    return code


@pytest.fixture
def servers() -> Iterator[tuple[FakeSlack, FakeSmtp]]:
    with FakeSlack() as slack, FakeSmtp() as smtp:
        yield slack, smtp


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_kills_lose_nothing_and_change_no_identity_and_no_word(
    engine: Engine,
    database_url: str,
    servers: tuple[FakeSlack, FakeSmtp],
    kills: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slack, smtp = servers
    seed = random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    owed = owe(engine, ALERTS_A_KILL * kills)
    killer = Killer(chance)
    for server in servers:
        server.on_request = lambda: killer.pass_by("before it arrives")
        server.on_accepted = lambda: killer.pass_by("before the answer")
    # Real processes, forked from one that has everything imported: twenty starts would take longer than the test.
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["tests.kit.fakes.delivery_child"])

    def deliverer() -> ForkServerProcess:
        return start.Process(target=main, args=(database_url, slack.url, str(smtp.port)))

    moments = [*MOMENTS, *chance.choices(MOMENTS, k=kills - len(MOMENTS))]
    chance.shuffle(moments)
    for moment in moments:
        killer.kill_one(deliverer(), moment)
    last = deliverer()
    last.start()
    assert exit_code(last) == 0

    with reading(engine) as connection:
        rows = deliveries(connection)
    posts = Counter(slack.identities)
    mails = Counter(str(mail.message["Message-ID"]) for mail in smtp.accepted)
    again = posts.total() + mails.total() - len(owed)
    with capsys.disabled():
        when = ", ".join(f"{number} {moment}" for moment, number in sorted(killer.done.items()))
        print(  # noqa: T201 — how many were sent again is worth seeing
            f"\n{engine.dialect.name}: {kills} kills ({when}), {again} of {len(owed)} sent again, seed {seed}"
        )

    assert killer.done.total() == kills
    assert {row.identity for row in rows} == owed, "nothing was added or lost, no notice was needed"
    assert {row.state for row in rows} == {"sent"}
    assert set(posts) == {identity for identity in owed if identity.endswith(":slack")}
    assert set(mails) == {
        email_message_id(identity, DOMAIN) for identity in owed if identity.endswith(":mail")
    }
    assert {row.provider_ref for row in rows if row.channel == "mail"} == set(mails)
    assert killer.done["before the answer"] <= again <= kills, "each kill can repeat one message at most"
    assert max(row.attempts for row in rows) <= kills + 1
    assert sum(row.attempts for row in rows) <= len(owed) + kills
    said: dict[str, set[str]] = {}
    for post in slack.accepted:
        identity = post["metadata"]["event_payload"]["identity"]
        said.setdefault(identity, set()).add(json.dumps(post, sort_keys=True))
    assert {len(versions) for versions in said.values()} == {1}, "a repeat says the same"
    by_id: dict[str, set[bytes]] = {}
    for mail in smtp.accepted:
        by_id.setdefault(str(mail.message["Message-ID"]), set()).add(mail.raw)
    assert {len(versions) for versions in by_id.values()} == {1}, "a repeat is the same mail to the byte"
