"""One leader at a time, on both databases: taking, renewing, letting go, and losing."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from db.engine import reading, writing
from db.leases import Lease, is_alive, lease_holder, release_lease, renew_lease, take_lease
from monitor.runtime.leader import Leader

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
TTL_S = 15.0


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def taken(engine: Engine, owner: str, now: datetime) -> Lease | None:
    with writing(engine) as connection:
        return take_lease(connection, owner, now, TTL_S)


def renewed(engine: Engine, held: Lease, now: datetime) -> Lease | None:
    with writing(engine) as connection:
        return renew_lease(connection, held, now, TTL_S)


def test_nobody_holds_a_lease_that_was_never_taken(engine: Engine) -> None:
    with reading(engine) as connection:
        assert lease_holder(connection) is None


def test_the_first_takes_it_and_the_second_waits(engine: Engine) -> None:
    first = taken(engine, "first", NOON)
    assert first == Lease("leader", "first", 1, later(TTL_S))
    assert taken(engine, "second", later(1)) is None
    with reading(engine) as connection:
        assert lease_holder(connection) == first


def test_a_renewed_lease_is_not_free_at_its_old_expiry(engine: Engine) -> None:
    first = taken(engine, "first", NOON)
    assert first is not None
    moved = renewed(engine, first, later(10))
    assert moved is not None
    assert moved.expires_at == later(10 + TTL_S)
    assert moved.token == first.token
    assert taken(engine, "second", later(TTL_S + 1)) is None


def test_an_expired_lease_goes_to_the_next_with_a_higher_token(engine: Engine) -> None:
    first = taken(engine, "first", NOON)
    assert first is not None
    second = taken(engine, "second", later(TTL_S))
    assert second is not None
    assert second.token > first.token
    assert renewed(engine, first, later(TTL_S + 1)) is None, "the first must learn that it lost the lease"


def test_a_late_renewal_of_a_lease_that_nobody_took_keeps_it(engine: Engine) -> None:
    first = taken(engine, "first", NOON)
    assert first is not None
    assert renewed(engine, first, later(10 * TTL_S)) is not None


def test_letting_go_frees_it_at_once_and_keeps_the_token_growing(engine: Engine) -> None:
    first = taken(engine, "first", NOON)
    assert first is not None
    with writing(engine) as connection:
        assert release_lease(connection, first, later(1))
        assert lease_holder(connection) is None
    second = taken(engine, "second", later(1))
    assert second is not None
    assert second.token == first.token + 1
    with writing(engine) as connection:
        assert not release_lease(connection, first, later(2)), "a lost lease cannot be let go"
        assert lease_holder(connection) == second


def test_a_restarted_owner_fences_its_own_past(engine: Engine) -> None:
    before = taken(engine, "same", NOON)
    assert before is not None
    after = taken(engine, "same", later(1))
    assert after is not None
    assert renewed(engine, before, later(2)) is None


def test_of_many_who_try_at_once_exactly_one_wins(engine: Engine) -> None:
    barrier = threading.Barrier(6)
    won: list[Lease] = []

    def contend(owner: str) -> None:
        barrier.wait()
        if got := taken(engine, owner, NOON):
            won.append(got)

    threads = [threading.Thread(target=contend, args=(f"service {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


class Scheduler:
    """Remembers whether it schedules."""

    def __init__(self) -> None:
        self.schedules = False

    def lead(self) -> None:
        self.schedules = True

    def stand_by(self) -> None:
        self.schedules = False


class Service:
    """One candidate with what it said and whether it schedules."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self.said: list[str] = []
        self.scheduler = Scheduler()
        self.leader = Leader(engine, owner, TTL_S, self.scheduler, self.said.append)


@pytest.fixture
def pair(engine: Engine) -> tuple[Service, Service]:
    first, second = Service(engine, "first"), Service(engine, "second")
    first.leader.beat(NOON)
    second.leader.beat(later(1))
    return first, second


def test_the_second_service_says_for_whom_it_waits_and_says_it_once(pair: tuple[Service, Service]) -> None:
    first, second = pair
    second.leader.beat(later(2))
    assert first.scheduler.schedules
    assert first.said == []
    assert not second.scheduler.schedules
    (said,) = second.said
    assert "(first)" in said
    assert "15 s" in said


def test_the_second_takes_over_when_the_first_falls_silent(pair: tuple[Service, Service]) -> None:
    first, second = pair
    second.leader.beat(later(TTL_S + 1))
    assert second.scheduler.schedules
    assert second.said[-1] == "Taking over from first."
    first.leader.beat(later(TTL_S + 2))
    assert not first.scheduler.schedules
    assert not first.leader.leads
    assert "now waits" in first.said[0]
    first.leader.beat(later(TTL_S + 3))
    assert "(second)" in first.said[1]


def test_the_second_takes_over_at_once_when_the_first_lets_go(pair: tuple[Service, Service]) -> None:
    first, second = pair
    first.leader.let_go(later(2))
    second.leader.beat(later(3))
    assert second.scheduler.schedules
    second.leader.let_go(later(4))
    second.leader.let_go(later(5))
    first.leader.beat(later(6))
    assert first.leader.leads


def test_a_steady_heartbeat_keeps_the_lead(pair: tuple[Service, Service]) -> None:
    first, second = pair
    for beat in range(1, 60):
        first.leader.beat(later(5 * beat))
        second.leader.beat(later(5 * beat + 1))
    assert first.scheduler.schedules
    assert not second.scheduler.schedules


def test_a_service_that_waits_alone_for_a_lease_let_go_says_nothing(engine: Engine) -> None:
    alone = Service(engine, "alone")
    alone.leader.beat(NOON)
    assert alone.leader.leads
    assert alone.said == []


def test_a_dead_leader_with_a_clock_that_was_ahead_is_not_waited_for(engine: Engine) -> None:
    dead, second = Service(engine, "dead"), Service(engine, "second")
    dead.leader.beat(later(3600))
    for seconds in (0, 5, 10):
        second.leader.beat(later(seconds))
        assert not second.leader.leads, "it may be alive"
    second.leader.beat(later(TTL_S))
    assert second.leader.leads
    assert second.said[-1] == "Taking over from dead."


def test_a_leader_whose_clock_is_ahead_keeps_the_lead_as_long_as_it_beats(engine: Engine) -> None:
    ahead, second = Service(engine, "ahead"), Service(engine, "second")
    for beat in range(60):
        ahead.leader.beat(later(3600 + 5 * beat))
        second.leader.beat(later(5 * beat))
    assert ahead.leader.leads
    assert not second.leader.leads


def test_a_heartbeat_that_lies_further_ahead_than_one_can_is_none(engine: Engine) -> None:
    held = taken(engine, "first", NOON)
    assert is_alive(held, later(1), TTL_S)
    assert not is_alive(held, later(TTL_S), TTL_S)
    assert not is_alive(held, NOON - timedelta(hours=1), TTL_S)
    assert not is_alive(None, NOON, TTL_S)
