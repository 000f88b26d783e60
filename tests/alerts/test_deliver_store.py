"""The outbox in SQL: claimed once, fenced, paced, and never lost, whatever happens in which order."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, delete, text

from alerts.delivery.notices import notify_undelivered
from db.channel_states import channel_failed, channel_worked, read_channel_state
from db.deliveries import (
    LongestWaits,
    claim,
    deliveries,
    enqueue,
    mark_dead,
    mark_sent,
    newest_notice,
    next_due,
    outbox_summary,
    requeue,
    rewrite_notice,
)
from db.engine import reading, writing
from db.records import Delivery
from db.schema import channel_state, delivery

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
LEASE_S = 60.0
LEASE = timedelta(seconds=LEASE_S)
DESK = {"desk": 0.0}
DAY = timedelta(days=1)
LONGEST = LongestWaits(lease=LEASE, tries=(DAY,), notice=DAY, rest=DAY)


def owe(engine: Engine, identity: str, channel: str = "desk", not_before: datetime | None = None) -> bool:
    with writing(engine) as connection:
        return enqueue(
            connection, identity=identity, kind="alert", channel=channel, now=NOON, not_before=not_before
        )


def take(engine: Engine, now: datetime = NOON, owner: str = "worker") -> Delivery:
    claimed = claim(engine, owner, now, DESK, LONGEST)
    assert claimed is not None
    return claimed


def due(connection: Connection, channels: Sequence[str] = ("desk",), now: datetime = NOON) -> datetime | None:
    return next_due(connection, channels, now, LONGEST)


def sent(engine: Engine, held: Delivery, now: datetime = NOON) -> bool:
    with writing(engine) as connection:
        return mark_sent(connection, held, provider_ref="ref", note="", now=now)


def test_a_message_is_owed_once_whoever_asks_again(engine: Engine) -> None:
    assert owe(engine, "a")
    assert not owe(engine, "a")
    assert not owe(engine, "a", "mail")
    with reading(engine) as connection:
        [row] = deliveries(connection)
    assert (row.identity, row.channel, row.state, row.attempts) == ("a", "desk", "queued", 0)


def test_a_claim_takes_the_oldest_that_is_due_and_can_be_read_back(engine: Engine) -> None:
    owe(engine, "later", not_before=NOON + LEASE)
    owe(engine, "first", not_before=NOON - timedelta(seconds=1))
    owe(engine, "second", not_before=NOON - timedelta(seconds=2))
    claimed = [take(engine), take(engine)]
    assert [row.identity for row in claimed] == ["first", "second"]
    assert claim(engine, "worker", NOON, DESK, LONGEST) is None
    with reading(engine) as connection:
        assert deliveries(connection, state="sending")[0] == claimed[0]
    assert (claimed[0].owner, claimed[0].lease_until, claimed[0].attempts) == ("worker", NOON + LEASE, 1)


def test_nothing_is_claimed_for_channels_that_are_not_there(engine: Engine) -> None:
    owe(engine, "a")
    assert claim(engine, "worker", NOON, {"mail": 0.0}, LONGEST) is None
    assert claim(engine, "worker", NOON, {}, LONGEST) is None


def test_a_lease_that_ran_out_lets_another_in_and_fences_the_first_off(engine: Engine) -> None:
    owe(engine, "a")
    slow = take(engine, owner="slow")
    assert claim(engine, "quick", NOON + LEASE - timedelta(microseconds=1), DESK, LONGEST) is None
    quick = take(engine, NOON + LEASE, owner="quick")
    assert quick.attempts == 2
    with writing(engine) as connection:
        assert not mark_sent(connection, slow, provider_ref=None, note="", now=NOON)
        assert not requeue(connection, slow, not_before=NOON, error="x")
        assert not mark_dead(connection, slow, error="x")
    assert sent(engine, quick)
    assert not sent(engine, quick), "closed is closed"


def test_one_owner_is_fenced_off_from_its_own_earlier_claim(engine: Engine) -> None:
    owe(engine, "a")
    first = take(engine)
    second = take(engine, NOON + LEASE)
    with writing(engine) as connection:
        assert requeue(connection, second, not_before=NOON, error="x", counts=False)
    third = take(engine, NOON + LEASE)
    assert third.attempts == second.attempts
    assert not sent(engine, first)
    assert sent(engine, third)


def test_a_channel_at_rest_is_left_alone_and_its_rest_is_never_shortened(engine: Engine) -> None:
    owe(engine, "a")
    owe(engine, "b", "mail")
    both = {"desk": 0.0, "mail": 0.0}
    with writing(engine) as connection:
        channel_failed(
            connection, "desk", not_before=NOON + LEASE, error="slow down", now=NOON, longest=LONGEST.rest
        )
        state = channel_failed(
            connection, "desk", not_before=NOON, error="again", now=NOON + LEASE / 2, longest=LONGEST.rest
        )
    assert state.not_before == NOON + LEASE
    assert (state.failing_since, state.last_error) == (NOON, "again")
    claimed = claim(engine, "worker", NOON + LEASE / 2, both, LONGEST)
    assert claimed is not None
    assert claimed.channel == "mail"
    assert claim(engine, "worker", NOON + LEASE / 2, both, LONGEST) is None
    with reading(engine) as connection:
        assert due(connection, now=NOON + LEASE / 2) == NOON + LEASE
    assert take(engine, NOON + LEASE).identity == "a"


def test_a_channel_that_works_is_not_failing(engine: Engine) -> None:
    with writing(engine) as connection:
        channel_worked(connection, "desk", NOON)
        assert read_channel_state(connection, "desk").failing_since is None
        channel_failed(connection, "desk", not_before=None, error="x", now=NOON, longest=LONGEST.rest)
        channel_worked(connection, "desk", NOON)
        state = read_channel_state(connection, "desk")
    assert (state.failing_since, state.last_error, state.not_before) == (None, None, None)


def test_next_due_looks_past_leases_and_rests(engine: Engine) -> None:
    with reading(engine) as connection:
        assert due(connection) is None
    owe(engine, "a")
    owe(engine, "b", not_before=NOON + 3 * LEASE)
    take(engine)
    with reading(engine) as connection:
        assert due(connection) == NOON + LEASE
        assert due(connection, []) is None
    with writing(engine) as connection:
        channel_failed(
            connection, "desk", not_before=NOON + 2 * LEASE, error="x", now=NOON, longest=LONGEST.rest
        )
        assert due(connection) == NOON + 2 * LEASE


def test_a_summary_counts_what_waits_and_for_how_long(engine: Engine) -> None:
    with reading(engine) as connection:
        empty = outbox_summary(connection, NOON)
    assert (empty.counts, empty.waiting, empty.oldest_waiting_s, empty.dead) == ({}, {}, None, 0)
    for identity, channel in (("a", "desk"), ("b", "desk"), ("c", "mail"), ("d", "desk")):
        owe(engine, identity, channel)
    sent(engine, take(engine))
    lost = take(engine)
    with writing(engine) as connection:
        assert mark_dead(connection, lost, error="no")
    take(engine)
    with reading(engine) as connection:
        summary = outbox_summary(connection, NOON + LEASE)
    assert summary.counts == {"sent": 1, "dead": 1, "sending": 1, "queued": 1}
    assert summary.waiting == {"desk": 1, "mail": 1}
    assert (summary.oldest_waiting_s, summary.dead) == (LEASE_S, 1)


def test_deliveries_are_read_by_state_and_number(engine: Engine) -> None:
    for identity in "abc":
        owe(engine, identity)
    sent(engine, take(engine))
    with reading(engine) as connection:
        assert [row.identity for row in deliveries(connection)] == ["a", "b", "c"]
        assert [row.identity for row in deliveries(connection, state="queued")] == ["b", "c"]
        assert [row.identity for row in deliveries(connection, limit=1)] == ["c"]
        assert deliveries(connection, alert_id="none") == []


def test_a_notice_can_be_rewritten_until_somebody_tried_it(engine: Engine) -> None:
    with writing(engine) as connection:
        assert newest_notice(connection, "desk", "lost") is None
        for identity in "ab":
            enqueue(connection, identity=identity, kind="notice", channel="desk", reason="lost", now=NOON)
        newest = newest_notice(connection, "desk", "lost")
        assert newest is not None
        assert newest.identity == "b"
        assert rewrite_notice(connection, newest.id, {"headline": "more"})
    sent(engine, take(engine))
    tried = take(engine)
    assert tried.payload == {"headline": "more"}
    with writing(engine) as connection:
        assert not rewrite_notice(connection, tried.id, {})
        requeue(connection, tried, not_before=NOON, error="x")
        assert not rewrite_notice(connection, tried.id, {}), "a try may have arrived"


# --- several workers at once --------------------------------------------------------------------


def at_once(work: Callable[[str], None], workers: int = 4) -> None:
    """Run the work in threads that start together."""
    start = threading.Barrier(workers)

    def run(owner: str) -> None:
        start.wait()
        work(owner)

    threads = [threading.Thread(target=run, args=(f"worker {number}",)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_workers_claim_each_delivery_once(engine: Engine) -> None:
    for number in range(60):
        owe(engine, f"a{number}")
    claimed: list[int] = []

    def work(owner: str) -> None:
        while (row := claim(engine, owner, NOON, DESK, LONGEST)) is not None:
            claimed.append(row.id)

    at_once(work)
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 60


def test_many_workers_keep_the_pace_of_a_channel_together(engine: Engine) -> None:
    for number in range(12):
        owe(engine, f"a{number}")
        owe(engine, f"b{number}", "mail")
    claimed: list[str] = []

    def work(owner: str) -> None:
        for second in range(3):
            for _ in range(4):
                row = claim(engine, owner, NOON + timedelta(seconds=second), {"desk": 3.0}, LONGEST)
                claimed.extend([row.identity] if row else [])

    at_once(work)
    assert len(claimed) == 1
    with reading(engine) as connection:
        waiting = [row for row in deliveries(connection, state="queued") if row.channel == "desk"]
    assert len(waiting) == 11
    assert {(row.attempts, row.not_before) for row in waiting} == {(0, NOON)}


def until_somebody_waits(engine: Engine) -> None:
    """Come back once another transaction waits for a lock; SQLite's writers wait before they begin."""
    waiting = text("select count(*) from pg_locks where not granted")
    while engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            if connection.execute(waiting).scalar_one():
                return


def test_a_turn_that_another_worker_takes_meanwhile_is_given_back(engine: Engine) -> None:
    owe(engine, "a")
    paced = {"desk": 1.0, "mail": 1.0}
    claimed: list[Delivery | None] = []
    with writing(engine) as connection:
        channel_failed(connection, "desk", not_before=None, error="x", now=NOON, longest=LONGEST.rest)
    late = threading.Thread(target=lambda: claimed.append(claim(engine, "late", NOON, paced, LONGEST)))
    with writing(engine) as connection:
        channel_failed(connection, "desk", not_before=NOON + LEASE, error="x", now=NOON, longest=LONGEST.rest)
        late.start()
        until_somebody_waits(engine)
    late.join()
    assert claimed == [None]
    with reading(engine) as connection:
        [row] = deliveries(connection)
    assert (row.state, row.attempts, row.owner, row.not_before) == ("queued", 0, None, NOON)


def test_two_workers_that_lose_messages_at_once_gather_them_in_one_notice(engine: Engine) -> None:
    for identity in "ab":
        owe(engine, identity)
    lost = [take(engine), take(engine)]

    def second() -> None:
        with writing(engine) as connection:
            notify_undelivered(connection, lost[1], "Closed.", ["mail"], NOON)

    late = threading.Thread(target=second)
    with writing(engine) as connection:
        notify_undelivered(connection, lost[0], "Closed.", ["mail"], NOON)
        late.start()
        until_somebody_waits(engine)
    late.join()
    with reading(engine) as connection:
        [notice] = [row for row in deliveries(connection) if row.kind == "notice"]
    assert [item["what"] for item in notice.payload["items"]] == ["delivery a", "delivery b"]


# --- any order of events ------------------------------------------------------------------------


@dataclass
class Owed:
    """What the model knows of one delivery."""

    state: str = "queued"
    ready: datetime = NOON
    holder: Delivery | None = None
    sends: int = 0


class Outbox(RuleBasedStateMachine):
    """The outbox against a model, under an explicit clock, with workers that die and come back late."""

    engine: Engine
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        with writing(self.engine) as connection:
            connection.execute(delete(delivery))
            connection.execute(delete(channel_state))
        self.now = NOON
        self.model: dict[str, Owed] = {}

    @rule(name=st.sampled_from("abcd"), wait=st.integers(0, 90))
    def owe(self, name: str, wait: int) -> None:
        ready = self.now + timedelta(seconds=wait)
        with writing(self.engine) as connection:
            new = enqueue(
                connection, identity=name, kind="alert", channel="desk", now=self.now, not_before=ready
            )
        assert new == (name not in self.model)
        if new:
            self.model[name] = Owed(ready=ready)

    @rule(seconds=st.sampled_from([1, 30, 60, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=held, owner=st.sampled_from(["one", "two"]))
    def take(self, owner: str) -> Delivery | None:
        claimed = claim(self.engine, owner, self.now, DESK, LONGEST)
        due = {name for name, each in self.model.items() if self.is_due(each)}
        if claimed is None:
            assert due == set()
            return None
        assert claimed.identity in due
        mine = self.model[claimed.identity]
        mine.state, mine.holder, mine.ready = "sending", claimed, self.now + LEASE
        mine.sends += 1
        return claimed

    def is_due(self, each: Owed) -> bool:
        return each.state in {"queued", "sending"} and each.ready <= self.now

    def holds(self, claimed: Delivery) -> bool:
        return self.model[claimed.identity].holder is claimed

    @rule(
        claimed=held,
        outcome=st.sampled_from(["sent", "dead", "counted", "uncounted"]),
        wait=st.integers(0, 90),
    )
    def close(self, claimed: Delivery | None, outcome: str, wait: int) -> None:
        if claimed is None:
            return
        later = self.now + timedelta(seconds=wait)
        with writing(self.engine) as connection:
            if outcome == "sent":
                done = mark_sent(connection, claimed, provider_ref="r", note="", now=self.now)
            elif outcome == "dead":
                done = mark_dead(connection, claimed, error="no")
            else:
                done = requeue(
                    connection, claimed, not_before=later, error="later", counts=outcome == "counted"
                )
        assert done == self.holds(claimed), "only the last holder may close, and only once"
        if done:
            mine = self.model[claimed.identity]
            mine.state = {"sent": "sent", "dead": "dead"}.get(outcome, "queued")
            mine.holder, mine.ready = None, later

    @invariant()
    def nothing_is_lost_and_every_state_is_known(self) -> None:
        with reading(self.engine) as connection:
            rows = {row.identity: row for row in deliveries(connection)}
        assert {name: row.state for name, row in rows.items()} == {
            name: each.state for name, each in self.model.items()
        }
        for name, row in rows.items():
            mine = self.model[name]
            assert (row.owner is None) == (mine.holder is None)
            assert row.attempts <= mine.sends
            if mine.holder is not None:
                assert row == replace(mine.holder)

    @invariant()
    def the_next_due_time_is_known(self) -> None:
        open_ones = [each.ready for each in self.model.values() if each.state in {"queued", "sending"}]
        with reading(self.engine) as connection:
            assert due(connection, now=self.now) == min(open_ones, default=None)


@pytest.mark.timeout(300)
def test_the_outbox_keeps_its_promises_in_any_order(engine: Engine) -> None:
    class OutboxHere(Outbox):
        pass

    OutboxHere.engine = engine
    run_state_machine_as_test(
        OutboxHere,
        settings=settings(
            max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
