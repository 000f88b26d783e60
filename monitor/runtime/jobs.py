"""When things run: APScheduler as a clock only. What is to be done next always stands in the database."""

import math
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from db.engine import known_as
from monitor.config.clock import utc_now
from monitor.ops.job_health import JobHealth
from monitor.ops.metrics import JOB_RUNS, SCHEDULER_LAG_S

_log = structlog.get_logger()
_WATCH_S = 5.0

FailureHandler = Callable[[BaseException, datetime], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do every so often; `always` runs it in a waiting service too, `vital` is missed when it stops."""

    id: str
    interval_s: float
    work: Callable[[datetime], object]
    always: bool = False
    vital: bool = False
    executor: str = "default"


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # the library ships no types
    """Fires once in every slot of `interval_s` since 1970, at this process's own place in the slot.

    The library's interval trigger lets its jitter add up, so that a slot is now and then asked twice
    and the next one never; a slot without a poll is a gap in coverage. The place within the slot differs
    between installations, so that a public feed is not asked by all of them in the same second.
    """

    def __init__(self, interval_s: float, place: float) -> None:
        self._interval_s = interval_s
        # Away from both edges: a late start must not slip into the next slot.
        self._first_s = interval_s * (0.05 + 0.45 * place)
        self._jitter_s = interval_s * 0.1

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Give the time in the slot after the previous one."""
        slot = math.floor((previous_fire_time or now).timestamp() / self._interval_s) + 1
        jitter_s = random.uniform(0, self._jitter_s)  # noqa: S311 - spreads load, hides nothing
        return datetime.fromtimestamp(slot * self._interval_s + self._first_s + jitter_s, UTC)


class Jobs:
    """The scheduler and its jobs; they wait until `lead` is called, save those that run always.

    `stopping` is set once nothing new can start; a long job may look at it. `told` says whether what made a job fail is told elsewhere.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        told: FailureHandler = lambda _error, _now: False,
        stopping: threading.Event | None = None,
    ) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._hand = _Hand()
        self.stopping = stopping or threading.Event()
        self._watcher = threading.Thread(target=self._watch_clock, name="clock", daemon=True)
        self._vitals = JobHealth({job.id: job.interval_s for job in jobs if job.vital})
        self._outcomes = _Outcomes(told)
        place = random.random()  # noqa: S311 - spreads load, hides nothing
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            # A thread for each, so that none that hangs holds up another.
            executors={"default": ThreadPoolExecutor(len(jobs)), "lease": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in jobs:
            self._scheduler.add_job(
                self._run,
                SlotTrigger(job.interval_s, place),
                args=[job],
                id=job.id,
                executor=job.executor,
                next_run_time=utc_now() if job.always else None,
            )
        self._outcomes.listen_to(self._scheduler)

    def start(self) -> None:
        """Start the clock."""
        self._scheduler.start()
        self._watcher.start()

    def lead(self) -> None:
        """Run every job now, and from then on in its slots; called from a job or before the start."""
        self._vitals.start_over()
        for job in self._jobs.values():
            if not job.always:
                self._scheduler.modify_job(job.id, next_run_time=utc_now())

    def stand_by(self) -> None:
        """Let only those jobs go on that run always."""
        for job in self._jobs.values():
            if not job.always:
                self._scheduler.pause_job(job.id)

    def _run(self, job: Job) -> None:
        # The scheduler's own event of a start can come after a short run has ended.
        self._vitals.began(job.id, utc_now())
        well = False
        try:
            self._hand.run(job)
            well = True
        finally:
            self._vitals.ended(job.id, utc_now(), well=well)

    def ailments(self, now: datetime) -> list[str] | None:
        """What is wrong with the vital jobs, in words; None until each has run."""
        return self._vitals.ailments(now)

    def soon(self, job_id: str, at: datetime) -> None:
        """Run a job at this moment rather than in its next slot, unless it waits for the lead."""
        planned = self._scheduler.get_job(job_id)
        if planned is not None and planned.next_run_time is not None and planned.next_run_time > at:
            self._scheduler.modify_job(job_id, next_run_time=at)

    def stop(self) -> None:
        """Start nothing more, and return when what is in hand has ended."""
        self._hand.close()
        self.stopping.set()
        self._watcher.join()
        # The library's shutdown holds the lock that `lead` and `stand_by` need, so a heartbeat in
        # hand would wait for it for ever: first let everything in hand end, then shut down.
        self._hand.wait_until_empty()
        self._scheduler.shutdown(wait=True)

    def mend_clock(self, now: datetime) -> list[str]:
        """Bring jobs back whose next run lies too far ahead because the machine's clock was set back."""
        mended = []
        for planned in self._scheduler.get_jobs():
            job = self._jobs[planned.id]
            # A planned run is never more than two slots ahead of a clock that runs on.
            far = timedelta(seconds=2 * job.interval_s + 1)
            if planned.next_run_time is not None and planned.next_run_time - now > far:
                self._scheduler.modify_job(job.id, next_run_time=now)
                mended.append(job.id)
        if mended:
            _log.warning("clock set back", jobs=mended)
        return mended

    def _watch_clock(self) -> None:
        # The scheduler itself sleeps until the next planned run, however far ahead that now is.
        while not self.stopping.wait(_WATCH_S):
            self.mend_clock(utc_now())


class _Hand:
    """What is being done right now; once closed, a run that was already handed out does nothing."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False

    def run(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                return
            self._running += 1
        try:
            with known_as(f"sitewatch run, job {job.id}"):
                job.work(utc_now())
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True

    def wait_until_empty(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)


class _Outcomes:
    """Turns the scheduler's events into counters and, when something changes, log lines."""

    def __init__(self, told: FailureHandler) -> None:
        self._told = told
        self._failures: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._busy: set[str] = set()

    def listen_to(self, scheduler: Any) -> None:
        """Hear of every run that was started, ended, failed, missed or skipped."""
        scheduler.add_listener(self._submitted, EVENT_JOB_SUBMITTED)
        scheduler.add_listener(self._done, EVENT_JOB_EXECUTED)
        scheduler.add_listener(self._failed, EVENT_JOB_ERROR)
        scheduler.add_listener(self._missed, EVENT_JOB_MISSED)
        scheduler.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)

    def _submitted(self, event: JobSubmissionEvent) -> None:
        lag = utc_now() - event.scheduled_run_times[-1]
        SCHEDULER_LAG_S.labels(event.job_id).set(max(0.0, lag.total_seconds()))

    def _done(self, event: JobEvent) -> None:
        JOB_RUNS.labels(event.job_id, "done").inc()
        self._busy.discard(event.job_id)
        self._last.pop(event.job_id, None)
        if failures := self._failures.pop(event.job_id, 0):
            _log.info("job works again", job=event.job_id, failures=failures)

    def _failed(self, event: JobExecutionEvent) -> None:
        JOB_RUNS.labels(event.job_id, "failed").inc()
        self._busy.discard(event.job_id)
        error = event.exception
        if self._told(error, utc_now()):
            return
        self._failures[event.job_id] = self._failures.get(event.job_id, 0) + 1
        # The same failure every two seconds would bury everything else.
        if self._last.get(event.job_id) != repr(error):
            self._last[event.job_id] = repr(error)
            _log.error("job failed", job=event.job_id, exc_info=error)

    def _missed(self, event: JobExecutionEvent) -> None:
        JOB_RUNS.labels(event.job_id, "missed").inc()
        _log.warning("job missed", job=event.job_id, planned=event.scheduled_run_time)

    def _skipped(self, event: JobSubmissionEvent) -> None:
        JOB_RUNS.labels(event.job_id, "skipped").inc()
        if event.job_id not in self._busy:
            self._busy.add(event.job_id)
            _log.warning("job still busy, run skipped", job=event.job_id)
