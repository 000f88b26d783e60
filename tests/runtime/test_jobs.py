"""The clock: one run a slot, a failing job harms no other, stopping ends what is in hand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.config.clock import utc_now
from monitor.ops.metrics import JOB_RUNS
from monitor.runtime.jobs import Job, Jobs, SlotTrigger, _Outcomes

TICK_S = 0.05
PATIENCE_S = 60.0


def runs(job: str, result: str) -> float:
    value: float = JOB_RUNS.labels(job, result)._value.get()
    return value


@contextmanager
def running(*jobs: Job, lead: bool = True) -> Iterator[Jobs]:
    scheduled = Jobs(jobs)
    if lead:
        scheduled.lead()
    scheduled.start()
    try:
        yield scheduled
    finally:
        scheduled.stop()


class Counted:
    """Work that counts its runs and says when it has run often enough."""

    def __init__(self, enough: int = 1, then: Callable[[int], None] | None = None) -> None:
        self.times: list[datetime] = []
        self.enough = threading.Event()
        self._wanted, self._then = enough, then

    def __call__(self, now: datetime) -> None:
        self.times.append(now)
        if len(self.times) >= self._wanted:
            self.enough.set()
        if self._then:
            self._then(len(self.times))


@given(
    st.floats(min_value=0.5, max_value=90_000),
    st.floats(min_value=0, max_value=1),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - hypothesis wants naive bounds
)
def test_every_slot_is_fired_in_exactly_once(interval_s: float, place: float, start: datetime) -> None:
    trigger, now = SlotTrigger(interval_s, place), start.replace(tzinfo=UTC)
    fired, slots = now, []
    for _ in range(20):
        fired = trigger.get_next_fire_time(fired, now)
        slots.append(int(fired.timestamp() // interval_s))
    assert slots == list(range(slots[0], slots[0] + 20))


def test_without_an_earlier_run_the_next_slot_is_taken() -> None:
    now = datetime(2023, 10, 5, 12, tzinfo=UTC)
    first = SlotTrigger(60, 0.5).get_next_fire_time(None, now)
    assert now + timedelta(seconds=60) < first < now + timedelta(seconds=120)


def test_a_job_runs_again_and_again_with_an_aware_now() -> None:
    work = Counted(3)
    with running(Job("again", TICK_S, work)):
        assert work.enough.wait(PATIENCE_S)
    assert all(now.tzinfo is UTC for now in work.times)
    assert work.times == sorted(work.times)


def test_a_job_that_raises_stops_no_other_and_is_logged_once_until_it_works() -> None:
    def fail_first(run: int) -> None:
        if run <= 3:
            raise ValueError("the disk is full")

    flaky, steady = Counted(5, fail_first), Counted(5)
    with capture_logs() as logs, running(Job("flaky", TICK_S, flaky), Job("steady", TICK_S, steady)):
        assert flaky.enough.wait(PATIENCE_S)
        assert steady.enough.wait(PATIENCE_S)
    # A slow machine may skip a run while the last one is still at work; that is logged too, and beside the point.
    told = [entry for entry in logs if entry.get("job") == "flaky" and "busy" not in entry["event"]]
    assert [entry["event"] for entry in told] == ["job failed", "job works again"]
    assert str(told[0]["exc_info"]) == "the disk is full"
    assert told[1]["failures"] == 3
    assert runs("flaky", "failed") == 3


def test_a_new_failure_is_logged_even_while_the_job_fails() -> None:
    def fail(run: int) -> None:
        raise ValueError("first" if run == 1 else "second")

    work = Counted(4, fail)
    with capture_logs() as logs, running(Job("worse", TICK_S, work)):
        assert work.enough.wait(PATIENCE_S)
    assert [str(entry["exc_info"]) for entry in logs if entry.get("job") == "worse"] == ["first", "second"]


def test_a_run_that_finds_the_last_one_at_work_is_skipped_and_told_once() -> None:
    seen, go_on = threading.Event(), threading.Event()

    def slow(now: datetime) -> None:
        assert go_on.wait(PATIENCE_S)

    def probe(now: datetime) -> None:
        if runs("slow", "skipped") >= 3:
            seen.set()

    with capture_logs() as logs, running(Job("slow", TICK_S, slow), Job("probe", TICK_S, probe)):
        assert seen.wait(PATIENCE_S)
        go_on.set()
    assert sum(entry.get("job") == "slow" for entry in logs) == 1


def test_only_jobs_for_everybody_run_before_this_service_leads() -> None:
    polled, reloaded = Counted(1), Counted(3)
    with running(
        Job("poll", TICK_S, polled), Job("reload", TICK_S, reloaded, always=True), lead=False
    ) as jobs:
        assert reloaded.enough.wait(PATIENCE_S)
        assert not polled.times
        jobs.lead()
        assert polled.enough.wait(PATIENCE_S)


def test_a_service_that_lost_the_lease_stops_its_jobs() -> None:
    polled = Counted(1)
    probe_runs: list[int] = []
    enough = threading.Event()

    def probe(now: datetime) -> None:
        probe_runs.append(len(polled.times))
        if len(probe_runs) > 8:
            enough.set()

    with running(Job("poll", TICK_S, polled), Job("probe", TICK_S, probe, always=True)) as jobs:
        assert polled.enough.wait(PATIENCE_S)
        jobs.stand_by()
        enough.clear()
        probe_runs.clear()
        assert enough.wait(PATIENCE_S)
    # One run may have been in hand when the others were stopped.
    assert probe_runs[-1] <= probe_runs[0] + 1


def test_stopping_waits_for_what_is_in_hand() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work(now: datetime) -> None:
        started.set()
        assert go_on.wait(PATIENCE_S)
        ended.set()

    jobs = Jobs([Job("long", TICK_S, work)])
    jobs.lead()
    jobs.start()
    assert started.wait(PATIENCE_S)
    stopper = threading.Thread(target=jobs.stop)
    stopper.start()
    assert jobs.stopping.wait(PATIENCE_S)
    go_on.set()
    stopper.join(PATIENCE_S)
    assert not stopper.is_alive()
    assert ended.is_set()


def test_a_heartbeat_that_starts_leading_while_the_service_stops_does_not_block_it() -> None:
    started, go_on = threading.Event(), threading.Event()

    def heartbeat(now: datetime) -> None:
        started.set()
        assert go_on.wait(PATIENCE_S)
        jobs.lead()

    polled = Counted()
    jobs = Jobs([Job("heartbeat", TICK_S, heartbeat, always=True, executor="lease"), Job("poll", 60, polled)])
    jobs.start()
    assert started.wait(PATIENCE_S)
    stopper = threading.Thread(target=jobs.stop)
    stopper.start()
    assert jobs.stopping.wait(PATIENCE_S)
    go_on.set()
    stopper.join(PATIENCE_S)
    assert not stopper.is_alive()
    assert not polled.times, "nothing new starts once stopping has begun"


@pytest.mark.parametrize(("back", "mended"), [(timedelta(days=1), ["hourly"]), (timedelta(0), [])])
def test_a_clock_that_was_set_back_does_not_put_the_jobs_to_sleep(back: timedelta, mended: list[str]) -> None:
    work = Counted()
    with running(Job("hourly", 3600, work)) as jobs:
        assert work.enough.wait(PATIENCE_S)
        with capture_logs() as logs:
            assert jobs.mend_clock(utc_now() - back) == mended
    assert [entry["event"] for entry in logs] == (["clock set back"] if mended else [])


def test_a_missed_run_is_counted_and_logged() -> None:
    # With no grace time the library never calls a run missed; should it ever, nobody overlooks it.
    now = utc_now()
    with capture_logs() as logs:
        _Outcomes(lambda _error, _now: False)._missed(
            JobExecutionEvent(EVENT_JOB_MISSED, "late", "default", now)
        )
    assert runs("late", "missed") == 1
    assert logs == [{"event": "job missed", "job": "late", "planned": now, "log_level": "warning"}]
