"""Whether the jobs that watching rests on are alive: what a sign of life to the outside stands for."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from alerts.words import utc

LONGEST_RUN = timedelta(minutes=10)
"""A run that takes longer hangs: the slowest, a first search of a catalogue, takes a minute or two."""


class JobHealth:
    """When each vital job began and ended; fed and asked from several threads. `intervals_s` are by job."""

    def __init__(self, intervals_s: Mapping[str, float]) -> None:
        self._intervals_s = intervals_s
        self._lock = threading.Lock()
        self._began: dict[str, datetime] = {}
        self._done: dict[str, datetime] = {}
        self._failing: set[str] = set()

    def start_over(self) -> None:
        """Forget the past: this service has just begun to lead."""
        with self._lock:
            self._done.clear()
            self._failing.clear()

    def began(self, job_id: str, now: datetime) -> None:
        """A run began."""
        with self._lock:
            self._began[job_id] = now

    def ended(self, job_id: str, now: datetime, *, well: bool) -> None:
        """A run ended."""
        with self._lock:
            self._began.pop(job_id, None)
            if well:
                self._done[job_id] = now
                self._failing.discard(job_id)
            else:
                self._failing.add(job_id)

    def ailments(self, now: datetime) -> list[str] | None:
        """What is wrong, in words; None while the first whole round is not over and nothing is wrong yet."""
        with self._lock:
            found = [words for job_id in self._intervals_s if (words := self._ailment(job_id, now))]
            whole = self._intervals_s.keys() <= self._done.keys()
        return found if found or whole else None

    def _ailment(self, job_id: str, now: datetime) -> str:
        began, done = self._began.get(job_id), self._done.get(job_id)
        if began is not None and now - began > LONGEST_RUN:
            return f"the job “{job_id}” hangs since {utc(began)}"
        if job_id in self._failing:
            return f"the job “{job_id}” fails"
        late = timedelta(seconds=2 * self._intervals_s[job_id]) + LONGEST_RUN
        if done is not None and now - done > late:
            return f"the job “{job_id}” has not run since {utc(done)}"
        return ""
