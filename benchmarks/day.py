"""A day of 80 sites at polls of five seconds, on a clock that is stepped: no poll lost, nothing doubled.

Run: python -m benchmarks.day [--hours 24] [--rows 20000]
What runs is the service's own: its jobs, each in a thread of its own and never twice at once, at the moments that its own
trigger gives, over HTTP from a receiver on loopback. Only the clock differs: it goes to the next slot once the poll
of this one is in, so that all other jobs come closer together than in life, where there are five seconds between. Beside it
another process imports a file, again and again, and a third one makes a backup every few hours of that day.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.writers import ROOT, Watch, print_holding, watched
from benchmarks.writers_clock import Clock, read
from benchmarks.writers_world import PROVIDER, SITES, Receiver, receiving, write_counts, write_settings
from db.engine import known_as
from monitor import pipeline
from monitor.bootstrap import build_app
from monitor.config.settings import load_settings
from monitor.runtime.jobs import Job, SlotTrigger
from monitor.runtime.service import jobs_of, owner_name
from tests.kit.fakes.smtp import FakeSmtp

_FIRST_IMPORT, _IMPORT_EVERY = timedelta(minutes=2), timedelta(hours=4)
_FIRST_BACKUP, _BACKUP_EVERY = timedelta(minutes=4), timedelta(hours=6)
_COMMAND = (sys.executable, "-c", "from monitor.cli import main; main()")


class SteppedJobs:
    """The service's jobs on a clock that is stepped; one that is still busy is left out, as the scheduler does."""

    def __init__(self, jobs: Sequence[Job], begin: datetime) -> None:
        self.now = begin
        self.skipped: dict[str, int] = {}
        self.failed: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(len(jobs))
        self._triggers = {job.id: SlotTrigger(job.interval_s, 0.5) for job in jobs}
        self._jobs = {job.id: job for job in jobs}
        self._next = dict.fromkeys(self._jobs, begin)
        self._busy: dict[str, Future[object]] = {}
        self._began: dict[str, datetime] = {}

    def step(self, waited_for: str) -> None:
        """Go to the next moment at which anything is due, begin that, and wait for one job."""
        self.now = max(self.now, min(self._next.values()))
        for name, at in self._next.items():
            if at <= self.now:
                self._begin(name)
                self._next[name] = self._triggers[name].get_next_fire_time(at, self.now)
        if waited_for in self._busy:
            self._ended(waited_for)

    def _begin(self, name: str) -> None:
        running = self._busy.get(name)
        if running is not None and not running.done():
            self.skipped[name] = self.skipped.get(name, 0) + 1
            return
        if running is not None:
            self._ended(name)
        self._began[name] = self.now
        self._busy[name] = self._pool.submit(self._run, self._jobs[name], self.now)

    @staticmethod
    def _run(job: Job, now: datetime) -> object:
        with known_as(f"sitewatch run, job {job.id}"):
            return job.work(now)

    def _ended(self, name: str) -> None:
        error = self._busy.pop(name).exception()
        if error is not None:
            self.failed[name] = repr(error)
            print(f"  {self._began[name]}: {name} failed: {error!r}", flush=True)

    def close(self) -> None:
        """Wait for what is in hand."""
        self._pool.shutdown()
        for name in list(self._busy):
            self._ended(name)


def beside(folder: Path, *arguments: str) -> None:
    """Another process of sitewatch, to its end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
    done = subprocess.run(
        [*_COMMAND, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(
        f"  beside: {' '.join(arguments)}: {(done.stdout or done.stderr).strip().splitlines()[0]}", flush=True
    )


def measure(folder: Path, hours: float, most_s: float, rows: int) -> tuple[Watch, SteppedJobs]:
    """One day, or as much of it as can be done in so many seconds."""
    # Yesterday, so that what is owed then is due by the real clock, by which messages are sent.
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours + 1)
    stepped: list[SteppedJobs] = []
    receiver = Receiver(lambda: stepped[0].now if stepped else begin)
    with receiving(receiver) as port, FakeSmtp() as smtp, chdir(folder):
        write_settings(folder, port, smtp.port)
        app = build_app(load_settings())
        pipeline.start(app, begin)
        stepped.append(SteppedJobs(jobs_of(app, owner_name(), lambda _job: None, threading.Event()), begin))
        try:
            _pass(stepped[0], folder, begin + timedelta(hours=hours), most_s, rows)
        finally:
            stepped[0].close()
            app.close()
        return watched(folder, receiver, smtp), stepped[0]


def _pass(stepped: SteppedJobs, folder: Path, until: datetime, most_s: float, rows: int) -> None:
    imports, backups = stepped.now + _FIRST_IMPORT, stepped.now + _FIRST_BACKUP
    began, threads, number, begin = time.monotonic(), [], 0, stepped.now
    while stepped.now < until and time.monotonic() - began < most_s:
        stepped.step(f"poll {PROVIDER}")
        if stepped.now >= imports:
            number, imports = number + 1, imports + _IMPORT_EVERY
            write_counts(folder / f"counts-{number}.csv", rows, batch=number, metric="railcars")
            threads.append(_start(folder, "observations", "import", f"counts-{number}.csv"))
        if stepped.now >= backups:
            backups += _BACKUP_EVERY
            (folder / "kept.db").unlink(missing_ok=True)
            threads.append(_start(folder, "backup", "kept.db"))
            took = f"{stepped.now - begin} after {time.monotonic() - began:.0f} s"
            print(f"  {took}, load {os.getloadavg()[0]:.1f}", flush=True)
    for thread in threads:
        thread.join()
    print(
        f"{(stepped.now - begin) / timedelta(hours=1):.1f} hours took {time.monotonic() - began:.0f} s. Skipped since they "
        f"were busy: {stepped.skipped}. Failed: {stepped.failed}"
    )


def _start(folder: Path, *arguments: str) -> threading.Thread:
    thread = threading.Thread(target=beside, args=(folder, *arguments))
    thread.start()
    return thread


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A day of 80 sites at polls of five seconds.")
    parser.add_argument("--hours", type=float, default=24, help="how much of a day (24)")
    parser.add_argument("--minutes", type=float, default=600, help="end after so many minutes of life (600)")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of each import beside it (20,000)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="day-"))
    try:
        print(
            f"{SITES} sites, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start …",
            flush=True,
        )
        clock = Clock(folder / "service.log")
        watch, stepped = measure(folder, given.hours, given.minutes * 60, given.rows)
        clock.close()
        print_holding(list(read(folder / "service.log")))
        print(watch)
    finally:
        shutil.rmtree(folder)
    sys.exit(0 if watch.is_whole and not stepped.failed else 1)


if __name__ == "__main__":
    main()
