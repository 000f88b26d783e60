"""The outbox worker: what is owed is sent, what fails waits or dies, and the others hear of it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from alerts.channels import Channel, Link, Message, Receipt, SendError
from alerts.delivery import worker
from alerts.delivery.notices import NoticeError, compose_notice, enqueue_notice, notice_payload
from alerts.delivery.worker import (
    LONGEST,
    MAX_ATTEMPTS,
    RETRY_AFTER_MOST_S,
    DeliverReport,
    backoff_s,
    deliver_due,
    send_test,
)
from db.channel_states import read_channel_state
from db.deliveries import claim, deliveries, enqueue, mark_sent, outbox_summary
from db.engine import reading, writing
from db.records import Delivery
from tests.kit.owing import owe_event, store_alert, store_event

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Outcome = SendError | Receipt | Exception | Callable[[], None]


class Clock:
    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Desk:
    """A channel that answers as it was told and keeps what it got."""

    def __init__(self, name: str, *script: Outcome, min_interval_s: float = 0.0) -> None:
        self.name = name
        self.min_interval_s = min_interval_s
        self.script = deque(script)
        self.always: SendError | None = None
        self.got: list[Message] = []

    def send(self, message: Message) -> Receipt:
        outcome = self.script.popleft() if self.script else self.always or Receipt(f"ref {message.identity}")
        if isinstance(outcome, Exception):
            raise outcome
        if callable(outcome):
            outcome()
            outcome = Receipt(f"ref {message.identity}")
        self.got.append(message)
        return outcome

    @property
    def headlines(self) -> list[str]:
        return [message.headline for message in self.got]


def written(delivery: Delivery) -> Message:
    return Message(
        identity=delivery.identity,
        thread="incident",
        subject="Busy Port",
        status="New",
        headline=f"Headline of {delivery.identity}",
        paragraphs=(),
        created_at=delivery.created_at,
    )


def owe(engine: Engine, channel: str, *identities: str, now: datetime = NOON) -> None:
    with writing(engine) as connection:
        for identity in identities:
            enqueue(connection, identity=identity, kind="alert", channel=channel, now=now)


def owed(engine: Engine) -> list[Delivery]:
    with reading(engine) as connection:
        return deliveries(connection)


def run(engine: Engine, clock: Clock, *channels: Channel, limit: int = 100) -> DeliverReport:
    return deliver_due(engine, {each.name: each for each in channels}, written, clock, "worker", limit=limit)


def busy() -> SendError:
    return SendError("The desk is busy.")


def nobody() -> SendError:
    return SendError("Nobody answers at the desk.", fault="channel")


def closed() -> SendError:
    return SendError("The desk was closed. Open another.", permanent=True)


# --- sending ------------------------------------------------------------------------------------


def test_what_is_owed_is_sent_once(engine: Engine) -> None:
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock()
    owe(engine, "desk", "a", "b")
    owe(engine, "mail", "c")
    report = run(engine, clock, desk, mail)
    assert report.results == {("desk", "sent"): 2, ("mail", "sent"): 1}
    assert report.count("sent") == 3
    assert report.next_due is None
    assert [message.identity for message in desk.got] == ["a", "b"]
    assert {(row.state, row.provider_ref, row.sent_at) for row in owed(engine)} == {
        ("sent", f"ref {identity}", NOON) for identity in "abc"
    }
    assert run(engine, clock, desk, mail).results == {}


def test_a_pass_sends_no_more_than_its_limit(engine: Engine) -> None:
    owe(engine, "desk", *"abcde")
    report = run(engine, Clock(), desk := Desk("desk"), limit=2)
    assert len(desk.got) == 2
    assert report.next_due == NOON


def test_the_outbox_gives_the_identity_whatever_the_message_says(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk = Desk("desk")
    deliver_due(
        engine, {"desk": desk}, lambda row: replace(written(row), identity="other"), Clock(), "worker"
    )
    assert desk.got[0].identity == "a"


def test_a_channel_that_is_not_configured_keeps_what_it_is_owed(engine: Engine) -> None:
    owe(engine, "gone", "a")
    assert run(engine, Clock(), Desk("desk")).results == {}
    assert [row.state for row in owed(engine)] == ["queued"]
    with reading(engine) as connection:
        assert outbox_summary(connection, NOON).waiting == {"gone": 1}


def test_each_sending_leaves_one_line_in_the_log(engine: Engine) -> None:
    owe(engine, "desk", "a", "b")
    with capture_logs() as logs:
        run(engine, Clock(), Desk("desk", closed()))
    assert [(line["log_level"], line["result"], line["identity"]) for line in logs] == [
        ("warning", "dead", "a"),
        ("info", "sent", "b"),
    ]


# --- failing for now ----------------------------------------------------------------------------


def test_a_refusal_for_now_is_tried_again_later_and_later(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk"), Clock()
    desk.always = busy()
    waits = []
    for _ in range(MAX_ATTEMPTS - 1):
        run(engine, clock, desk)
        [row] = owed(engine)
        assert (row.state, row.last_error, row.owner) == ("queued", "The desk is busy.", None)
        waits.append(row.not_before - clock.now)
        clock.now = row.not_before + timedelta(minutes=20)
    assert waits[:9] == sorted(waits[:9]), "the last ones are capped"
    assert timedelta(seconds=30) <= waits[0] <= timedelta(seconds=38)
    assert timedelta(hours=8) < sum(waits, timedelta()) < timedelta(hours=14)
    assert run(engine, clock, desk).results == {("desk", "requeued"): 1}, (
        "nothing shows that it is the message"
    )
    owe(engine, "desk", "b", now=clock.now)
    desk.always = None
    assert run(engine, clock, desk).results == {("desk", "sent"): 1}
    desk.always = busy()
    clock.advance(timedelta(hours=4))
    assert run(engine, clock, desk).results == {("desk", "dead"): 1}
    assert (owed(engine)[0].attempts, owed(engine)[0].last_error) == (MAX_ATTEMPTS, "The desk is busy.")


def test_the_wait_is_the_same_for_the_same_try_and_differs_between_messages() -> None:
    assert backoff_s("a", 3) == backoff_s("a", 3)
    assert len({backoff_s(identity, 3) for identity in "abcdef"}) == 6
    assert backoff_s("a", 10_000) < 4 * 3600


def test_one_message_tries_a_failing_channel_out_while_the_others_wait(engine: Engine) -> None:
    owe(engine, "desk", *"abcdef")
    owe(engine, "mail", "z")
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock()
    desk.always = nobody()
    report = run(engine, clock, desk, mail)
    assert report.results == {("desk", "requeued"): 1, ("mail", "sent"): 1}
    assert report.next_due is not None
    assert timedelta(seconds=30) <= report.next_due - NOON <= timedelta(seconds=38)
    desk.always = None
    clock.now = report.next_due
    run(engine, clock, desk, mail)
    assert {message.identity for message in desk.got} == set("abcdef")


def test_what_the_message_cannot_be_blamed_for_does_not_count_against_it(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk"), Clock()
    desk.always = nobody()
    waits = []
    for _ in range(40):
        due = run(engine, clock, desk).next_due
        assert due is not None
        waits.append(due - clock.now)
        clock.now = due
    [row] = owed(engine)
    assert (row.state, row.attempts) == ("queued", 0)
    assert clock.now - NOON > timedelta(hours=4)
    assert timedelta(minutes=15) <= max(waits) <= timedelta(minutes=19)
    desk.always = None
    run(engine, clock, desk)
    assert owed(engine)[0].state == "sent"


def test_a_rate_limit_lets_the_whole_channel_rest_as_long_as_asked(engine: Engine) -> None:
    owe(engine, "desk", "a", "b")
    desk, clock = Desk("desk", SendError("Slower.", retry_after_s=7, fault="channel")), Clock()
    assert run(engine, clock, desk).next_due == NOON + timedelta(seconds=7)
    clock.advance(timedelta(seconds=6.9))
    assert run(engine, clock, desk).results == {}
    clock.advance(timedelta(seconds=0.1))
    assert run(engine, clock, desk).results == {("desk", "sent"): 2}
    assert {row.attempts for row in owed(engine)} == {1}


def test_nobody_may_ask_for_more_than_an_hour_of_rest(engine: Engine) -> None:
    owe(engine, "desk", "a")
    report = run(engine, Clock(), Desk("desk", SendError("Slower.", retry_after_s=1e9, fault="channel")))
    assert report.next_due == NOON + timedelta(seconds=RETRY_AFTER_MOST_S)


def test_slack_gets_one_message_a_second_without_anybody_sleeping(engine: Engine) -> None:
    owe(engine, "slack", "a", "b", "c")
    owe(engine, "mail", "x", "y")
    slack, mail, clock = Desk("slack", min_interval_s=1.0), Desk("mail"), Clock()
    report = run(engine, clock, slack, mail)
    assert report.results == {("slack", "sent"): 1, ("mail", "sent"): 2}
    assert report.next_due == NOON + timedelta(seconds=1)
    for second in (1, 2):
        clock.now = NOON + timedelta(seconds=second)
        assert run(engine, clock, slack, mail).results == {("slack", "sent"): 1}


def test_other_channels_hear_once_of_a_channel_that_fails_for_an_hour(engine: Engine) -> None:
    owe(engine, "desk", "a", "b")
    desk, mail, log, clock = Desk("desk"), Desk("mail"), Desk("log"), Clock()
    desk.always = nobody()
    run(engine, clock, desk, mail, log)
    for minutes in (30, 59):
        clock.now = NOON + timedelta(minutes=minutes)
        run(engine, clock, desk, mail, log)
    assert mail.got == []
    for minutes in (75, 100, 125):
        clock.now = NOON + timedelta(minutes=minutes)
        run(engine, clock, desk, mail, log)
    assert mail.headlines == log.headlines == ["The channel “desk” has not worked since 2023-10-05 12:00 UTC"]
    assert mail.got[0].paragraphs[0] == "Nobody answers at the desk."
    assert "Nothing is lost so far" in mail.got[0].paragraphs[1]


def test_a_channel_that_works_again_starts_anew(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, mail, clock = Desk("desk", nobody()), Desk("mail"), Clock()
    run(engine, clock, desk, mail)
    with reading(engine) as connection:
        state = read_channel_state(connection, "desk")
        assert (state.failing_since, state.last_error) == (NOON, "Nobody answers at the desk.")
        assert [each.channel for each in outbox_summary(connection, NOON).failing] == ["desk"]
    clock.advance(HOUR)
    run(engine, clock, desk, mail)
    with reading(engine) as connection:
        assert read_channel_state(connection, "desk").failing_since is None
        assert outbox_summary(connection, NOON).failing == ()
    owe(engine, "desk", "b", now=clock.now)
    desk.always = nobody()
    run(engine, clock, desk, mail)
    assert mail.got == [], "the new trouble is not yet an hour old"


# --- dead letters -------------------------------------------------------------------------------


def with_alert(engine: Engine, channel: str, number: int, now: datetime = NOON) -> None:
    """A delivery about an alert that is in the database."""
    with writing(engine) as connection:
        store_alert(connection, number, now)
        owe_event(connection, number, [channel], now)


def test_a_permanent_refusal_is_told_through_every_other_channel(engine: Engine) -> None:
    with_alert(engine, "desk", 73)
    desk, mail, log, clock = Desk("desk", closed()), Desk("mail"), Desk("log"), Clock()
    assert run(engine, clock, desk, mail, log).results == {("desk", "dead"): 1}
    clock.advance(timedelta(minutes=1))
    run(engine, clock, desk, mail, log)
    assert mail.headlines == log.headlines == ["1 message could not be delivered through the channel “desk”"]
    assert mail.got[0].paragraphs[0] == (
        "Busy Port: About 73 railcars (alert alert-73). The desk was closed. Open another."
    )
    assert "“sitewatch alerts show”" in mail.got[0].paragraphs[-1]
    assert desk.got == []
    clock.advance(timedelta(days=30))
    assert run(engine, clock, desk, mail, log).results == {}


def test_a_dead_channel_is_told_once_a_day_however_many_messages_it_loses(engine: Engine) -> None:
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock()
    desk.always = closed()
    for number in range(30):
        with_alert(engine, "desk", number)
    run(engine, clock, desk, mail)
    clock.advance(timedelta(minutes=1))
    run(engine, clock, desk, mail)
    assert mail.headlines == ["30 messages could not be delivered through the channel “desk”"]
    assert mail.got[0].paragraphs[20] == "And 10 more."
    for number in (100, 101):
        with_alert(engine, "desk", number, now=clock.now)
        run(engine, clock, desk, mail)
        clock.advance(HOUR)
    assert len(mail.got) == 1
    clock.advance(timedelta(days=1))
    run(engine, clock, desk, mail)
    assert mail.headlines[1:] == ["2 messages could not be delivered through the channel “desk”"]
    assert mail.got[0].thread == mail.got[1].thread
    assert mail.got[0].identity != mail.got[1].identity


def test_two_broken_channels_do_not_report_each_other_for_ever(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock()
    desk.always = mail.always = closed()
    for _ in range(5):
        run(engine, clock, desk, mail)
        clock.advance(timedelta(days=2))
    assert [(row.channel, row.kind, row.state) for row in owed(engine)] == [
        ("desk", "alert", "dead"),
        ("mail", "notice", "dead"),
    ]


def test_a_message_that_cannot_be_written_dies_alone(engine: Engine) -> None:
    owe(engine, "desk", "a", "b", "c")
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock()

    def compose(row: Delivery) -> Message:
        if row.identity == "b":
            raise KeyError("timezone")
        return written(row)

    deliver_due(engine, {"desk": desk, "mail": mail}, compose, clock, "worker")
    assert [row.state for row in owed(engine)] == ["sent", "dead", "sent", "queued"]
    assert "KeyError: 'timezone'" in (owed(engine)[1].last_error or "")
    with reading(engine) as connection:
        assert read_channel_state(connection, "desk").failing_since is None, "the channel is not to blame"


def test_a_disk_that_fails_while_writing_is_tried_again(engine: Engine) -> None:
    owe(engine, "desk", "a")

    def compose(row: Delivery) -> Message:
        raise OSError(28, "No space left on device")

    deliver_due(engine, {"desk": Desk("desk")}, compose, Clock(), "worker")
    [row] = owed(engine)
    assert (row.state, row.attempts) == ("queued", 1)
    assert "No space left on device" in (row.last_error or "")


def test_trouble_with_the_database_ends_the_pass_and_loses_nothing(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk"), Clock()

    def compose(row: Delivery) -> Message:
        raise OperationalError("select", None, Exception("gone"))

    with pytest.raises(OperationalError):
        deliver_due(engine, {"desk": desk}, compose, clock, "worker", lease_s=60)
    assert run(engine, clock, desk).results == {}
    clock.advance(timedelta(seconds=60))
    assert run(engine, clock, desk).results == {("desk", "sent"): 1}


@pytest.mark.parametrize("fault", [TypeError("token=secret"), OSError("secret"), KeyError("secret")])
def test_a_fault_in_a_channel_is_a_dead_letter_that_keeps_its_secrets(
    engine: Engine, fault: Exception
) -> None:
    owe(engine, "desk", "a", "b")
    desk = Desk("desk", fault)
    assert run(engine, Clock(), desk).results == {("desk", "dead"): 1, ("desk", "sent"): 1}
    reason = owed(engine)[0].last_error or ""
    assert type(fault).__name__ in reason
    assert "in send, line" in reason
    assert "secret" not in reason


def test_recipients_who_were_left_out_are_told_elsewhere(engine: Engine) -> None:
    with_alert(engine, "mail", 5)
    mail, desk, clock = (
        Desk("mail", Receipt("id", note="The server refused editor@example.org.")),
        Desk("desk"),
        Clock(),
    )
    run(engine, clock, mail, desk)
    [row, _] = owed(engine)
    assert (row.state, row.last_error) == ("sent", "The server refused editor@example.org.")
    clock.advance(HOUR)
    run(engine, clock, mail, desk)
    assert "editor@example.org" in desk.got[0].paragraphs[0]


# --- being overtaken and dying ------------------------------------------------------------------


def test_a_slow_worker_that_was_overtaken_changes_nothing(engine: Engine) -> None:
    owe(engine, "desk", "a")
    clock, other = Clock(), Desk("desk")

    def meanwhile() -> None:
        clock.advance(timedelta(seconds=61))
        deliver_due(engine, {"desk": other}, written, clock, "other worker", lease_s=60)

    for outcome in (meanwhile, None):
        slow = Desk("desk", *([outcome] if outcome else []))
        report = deliver_due(engine, {"desk": slow}, written, clock, "worker", lease_s=60)
        if outcome:
            assert report.results == {("desk", "overtaken"): 1}
            assert [message.identity for message in slow.got] == [message.identity for message in other.got]
    [row] = owed(engine)
    assert (row.state, row.attempts, row.sent_at) == ("sent", 2, NOON + timedelta(seconds=61))


def test_a_slow_failure_that_was_overtaken_tells_nobody(engine: Engine) -> None:
    owe(engine, "desk", "a")
    clock, other = Clock(), Desk("desk")

    class Slow(Desk):
        def send(self, message: Message) -> Receipt:
            clock.advance(timedelta(seconds=61))
            deliver_due(engine, {"desk": other}, written, clock, "other worker", lease_s=60)
            raise closed()

    channels = {"desk": Slow("desk"), "mail": Desk("mail")}
    report = deliver_due(engine, channels, written, clock, "worker", lease_s=60)
    assert report.results == {("desk", "overtaken"): 1}
    assert [row.state for row in owed(engine)] == ["sent"]
    with reading(engine) as connection:
        assert read_channel_state(connection, "desk").failing_since is None


def test_a_message_that_kills_its_sender_every_time_is_given_up(engine: Engine) -> None:
    owe(engine, "desk", "a")
    clock, desk, mail = Clock(), Desk("desk"), Desk("mail")
    for _ in range(MAX_ATTEMPTS):
        claimed = claim(
            engine, "killed", clock.now, {"desk": 0.0}, replace(LONGEST, lease=timedelta(seconds=60))
        )
        assert claimed is not None
        clock.advance(timedelta(seconds=60))
    assert run(engine, clock, desk, mail).results == {("desk", "dead"): 1}
    assert desk.got == []
    assert f"stopped in the middle {MAX_ATTEMPTS} times" in (owed(engine)[0].last_error or "")


# --- notices ------------------------------------------------------------------------------------


def notice(**payload: object) -> Delivery:
    return Delivery(1, "n", "notice", "desk", "sending", NOON, NOON, payload=payload)


def test_a_notice_is_read_back_as_it_was_written() -> None:
    payload = notice_payload(
        "Subject", "Headline", ["One.", "Two."], links=[Link("page", "https://x.example/")], footer="Foot"
    )
    message = compose_notice(notice(**payload))
    assert message == Message(
        identity="n",
        thread="Subject",
        subject="Subject",
        status="Notice",
        headline="Headline",
        paragraphs=("One.", "Two."),
        created_at=NOON,
        links=(Link("page", "https://x.example/"),),
        footer="Foot",
    )


@pytest.mark.parametrize(
    ("payload", "words"),
    [({}, "lacks 'subject'"), ({"subject": "x"}, "lacks 'headline'")]
    + [({"subject": "x", "headline": "y", "links": links}, "not pairs") for links in ([1], [["a"]], 5)],
)
def test_a_notice_that_is_none_says_why(payload: dict[str, object], words: str) -> None:
    with pytest.raises(NoticeError, match=words):
        compose_notice(notice(**payload))


def test_a_broken_notice_is_a_dead_letter(engine: Engine) -> None:
    with writing(engine) as connection:
        enqueue(connection, identity="n", kind="notice", channel="desk", now=NOON)
    run(engine, Clock(), Desk("desk"))
    assert [row.state for row in owed(engine)] == ["dead"]
    assert "lacks 'subject'" in (owed(engine)[0].last_error or "")


# --- trying the channels ------------------------------------------------------------------------


def test_every_channel_is_tried_though_one_fails() -> None:
    channels: Sequence[Channel] = (
        Desk("a", closed()),
        Desk("b"),
        Desk("c", Receipt(note="editor@example.org was refused.")),
        Desk("d", ValueError("secret")),
    )
    trials = send_test({each.name: each for each in channels}, NOON)
    assert [(trial.name, trial.ok) for trial in trials] == [
        ("a", False),
        ("b", True),
        ("c", False),
        ("d", False),
    ]
    assert trials[0].words == "The desk was closed. Open another."
    assert trials[2].words == "editor@example.org was refused."
    assert "secret" not in trials[3].words


# --- told once, in the same words, in order ------------------------------------------------------


def test_a_repeat_says_what_was_said_first(engine: Engine) -> None:
    """The sender is killed after the message went out; meanwhile the alert has changed."""
    with_alert(engine, "desk", 1)
    said = iter(["73 railcars", "80 railcars"])

    def compose(row: Delivery) -> Message:
        return replace(
            written(row),
            headline=next(said),
            facts=(("Counted", "73"),),
            links=(Link("page", "https://x.example/"),),
            image_png=b"\x89PNG\xff",
        )

    class Killed(BaseException):
        pass

    class Lost(Desk):
        def send(self, message: Message) -> Receipt:
            super().send(message)
            raise Killed

    clock, lost, desk = Clock(), Lost("desk"), Desk("desk")
    with pytest.raises(Killed):
        deliver_due(engine, {"desk": lost}, compose, clock, "killed", lease_s=60)
    clock.advance(timedelta(seconds=60))
    deliver_due(engine, {"desk": desk}, compose, clock, "next", lease_s=60)
    assert desk.got == [replace(each, repeated=True) for each in lost.got]
    assert desk.headlines == ["73 railcars"]


def test_what_went_out_is_noted_though_another_holds_the_database_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk"), Clock()
    refusals = deque([OperationalError("update", None, Exception("database is locked"))] * 3)
    pauses: list[float] = []

    def locked_first(*args: Any, **kwargs: Any) -> bool:
        if refusals:
            raise refusals.popleft()
        return mark_sent(*args, **kwargs)

    monkeypatch.setattr(worker, "mark_sent", locked_first)
    report = deliver_due(engine, {"desk": desk}, written, clock, "worker", pause=pauses.append)
    assert report.results == {("desk", "sent"): 1}
    assert len(pauses) == 3
    assert [message.identity for message in desk.got] == ["a"]


def test_a_database_that_stays_locked_is_given_up_before_the_lease_ends(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk"), Clock()

    def locked(*_: Any, **__: Any) -> bool:
        raise OperationalError("update", None, Exception("database is locked"))

    monkeypatch.setattr(worker, "mark_sent", locked)
    with pytest.raises(OperationalError):
        deliver_due(
            engine,
            {"desk": desk},
            written,
            clock,
            "worker",
            lease_s=60,
            pause=lambda seconds: clock.advance(timedelta(seconds=seconds)),
        )
    assert NOON + timedelta(seconds=58) <= clock.now < NOON + timedelta(seconds=60)


def about_one_alert(engine: Engine, channel: str, *events: str) -> None:
    """The events of one alert are owed in their order."""
    with_alert(engine, channel, 1)
    with writing(engine) as connection:
        for seq, kind in enumerate(events, start=2):
            store_event(connection, 1, seq, kind, NOON)
            owe_event(connection, 1, [channel], NOON, seq=seq)


def test_nobody_reads_withdrawn_before_opened(engine: Engine) -> None:
    about_one_alert(engine, "desk", "withdrawn")
    owe(engine, "desk", "another alert")
    desk, clock = Desk("desk", busy()), Clock()
    report = run(engine, clock, desk)
    assert [message.identity for message in desk.got] == ["another alert"]
    assert report.next_due is not None
    assert report.next_due > NOON, "the second waits for the first"
    clock.now = report.next_due
    run(engine, clock, desk)
    assert [message.identity for message in desk.got[1:]] == ["alert-1:1:desk", "alert-1:2:desk"]


def test_the_other_channel_need_not_wait(engine: Engine) -> None:
    about_one_alert(engine, "desk")
    with writing(engine) as connection:
        owe_event(connection, 1, ["mail"], NOON)
    mail = Desk("mail")
    run(engine, Clock(), Desk("desk", busy()), mail)
    assert [message.identity for message in mail.got] == ["alert-1:1:mail"]


def test_a_dead_first_message_holds_nothing_back(engine: Engine) -> None:
    about_one_alert(engine, "desk", "withdrawn")
    desk = Desk("desk", closed())
    assert run(engine, Clock(), desk).results == {("desk", "dead"): 1, ("desk", "sent"): 1}


def test_a_notice_that_was_refused_holds_later_ones_back(engine: Engine) -> None:
    for name in ("Blind", "Watched again"):
        with writing(engine) as connection:
            enqueue_notice(
                connection, name, ["desk"], reason=name, payload=notice_payload(name, name, []), now=NOON
            )
    desk, clock = Desk("desk", busy()), Clock()
    run(engine, clock, desk)
    assert desk.got == []
    clock.advance(timedelta(minutes=1))
    run(engine, clock, desk)
    assert desk.headlines == ["Blind", "Watched again"]


def test_the_order_holds_after_an_outage(engine: Engine) -> None:
    owe(engine, "desk", *"abcdef")
    desk, clock = Desk("desk"), Clock()
    desk.always = nobody()
    for _ in range(20):
        clock.now = run(engine, clock, desk).next_due or clock.now
    owe(engine, "desk", "g", now=clock.now)
    desk.always = None
    clock.advance(HOUR)
    run(engine, clock, desk)
    assert [message.identity for message in desk.got] == [*"abcdefg"]
    assert {row.attempts for row in owed(engine)} == {1}


def test_recipients_who_took_it_are_not_told_again(engine: Engine) -> None:
    owe(engine, "mail", "a")
    greylisted = SendError("editor@example.org is greylisted.", accepted=("desk@example.org",))
    mail, clock = Desk("mail", greylisted, greylisted), Clock()
    for _ in range(3):
        run(engine, clock, mail)
        clock.advance(HOUR)
    assert [message.delivered_to for message in mail.got] == [("desk@example.org",)]
    assert [row.state for row in owed(engine)] == ["sent"]


def test_a_recipient_who_is_refused_to_the_end_is_told_about_and_the_message_is_sent(engine: Engine) -> None:
    with_alert(engine, "mail", 5)
    mail, desk, clock = Desk("mail"), Desk("desk"), Clock()
    mail.always = SendError("editor@example.org is greylisted.", accepted=("desk@example.org",))
    for _ in range(MAX_ATTEMPTS):
        run(engine, clock, mail, desk)
        clock.advance(timedelta(hours=4))
    assert owed(engine)[0].state == "sent"
    run(engine, clock, mail, desk)
    assert "editor@example.org is greylisted." in desk.got[-1].paragraphs[0]


# --- clocks that were wrong ----------------------------------------------------------------------


def test_an_hour_that_the_clock_was_ahead_silences_nobody(engine: Engine) -> None:
    owe(engine, "slack", "a", "b")
    slack, clock = Desk("slack", min_interval_s=1.0), Clock(NOON + HOUR)
    run(engine, clock, slack)
    owe(engine, "slack", "c", now=clock.now)
    clock.now = NOON
    for _ in range(4):
        run(engine, clock, slack)
        clock.advance(timedelta(seconds=1))
    assert [message.identity for message in slack.got] == ["a", "b", "c"]


def test_a_wait_that_a_wrong_clock_wrote_is_over(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk", busy()), Clock(NOON + HOUR)
    run(engine, clock, desk)
    clock.now = NOON
    assert run(engine, clock, desk).results == {("desk", "sent"): 1}


def test_a_wait_that_the_message_earned_is_kept(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, clock = Desk("desk", busy(), busy(), busy()), Clock()
    for _ in range(3):
        clock.now = run(engine, clock, desk).next_due or clock.now
    clock.now -= timedelta(seconds=100)
    assert run(engine, clock, desk).results == {}


def test_a_message_that_a_dead_worker_took_with_a_wrong_clock_is_taken_over(engine: Engine) -> None:
    owe(engine, "desk", "a")
    assert claim(engine, "killed", NOON + HOUR, {"desk": 0.0}, LONGEST) is not None
    assert run(engine, Clock(), Desk("desk")).results == {("desk", "sent"): 1}


def test_a_channel_that_failed_in_the_future_is_told_of_an_hour_from_now(engine: Engine) -> None:
    owe(engine, "desk", "a")
    desk, mail, clock = Desk("desk"), Desk("mail"), Clock(NOON + timedelta(hours=72))
    desk.always = nobody()
    run(engine, clock, desk, mail)
    clock.now = NOON
    for _ in range(8):
        run(engine, clock, desk, mail)
        clock.advance(timedelta(minutes=20))
    assert mail.headlines == ["The channel “desk” has not worked since 2023-10-05 12:00 UTC"]
