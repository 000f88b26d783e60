"""How long writers hold a SQLite database, and whether a poll is lost: 80 sites, polls of 5 s, an import beside it.

Run: python -m benchmarks.writers [--rows 100000] [--minutes 5] [--seed-rows 0]
The real `sitewatch run` asks a receiver on loopback every five seconds; after a minute `sitewatch observations import`
brings in a file; both are measured until the import has ended and the minutes are over. The load of the machine is
printed, since what is measured is time. Ends with 1 where a poll is lost or doubled, or a transaction passes the bar.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.writers_clock import Held, read
from benchmarks.writers_world import POLL_S, SITES, Receiver, receiving, write_counts, write_settings
from tests.kit.fakes.smtp import FakeSmtp

ROOT = Path(__file__).resolve().parents[1]
BAR_S = 0.250
WARM_UP_S = 60
_TITLES = ("held p50", "p99", "max ms", "worked p50", "p99 ms", "waited p99", "max ms")
_MEASURES = ("held_s", "worked_s", "waited_s")


def command(folder: Path, log: Path, *arguments: str) -> subprocess.Popen[str]:
    """`sitewatch` with a clock on its transactions."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.writers_clock", str(log), *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        stdout=(folder / f"{log.stem}-out.txt").open("w"),
        stderr=(folder / f"{log.stem}-err.txt").open("w"),
        text=True,
    )


@contextmanager
def service(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The service, stopped as a person stops it."""
    process = command(folder, folder / "service.log", "run")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(300) != 0:
            print((folder / "service-err.txt").read_text()[-2000:])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def print_holding(held: Sequence[Held]) -> float:
    """Print a table by writer; give the 99th percentile of all."""
    by_writer: dict[str, list[Held]] = defaultdict(list)
    for each in held:
        by_writer[f"{each.writer}: {each.place}"].append(each)
    by_writer["all of them"] = list(held)
    print(f"{'writer':<72}{'n':>8}" + "".join(f"{title:>11}" for title in _TITLES))
    for name, some in sorted(by_writer.items(), key=lambda each: -max(one.held_s for one in each[1])):
        held_s, worked_s, waited_s = ([getattr(each, what) for each in some] for what in _MEASURES)
        shown = (
            *(percentile(held_s, 0.5), percentile(held_s, 0.99), max(held_s)),
            *(
                percentile(worked_s, 0.5),
                percentile(worked_s, 0.99),
                percentile(waited_s, 0.99),
                max(waited_s),
            ),
        )
        print(f"{name:<72}{len(some):>8}" + "".join(f"{each * 1e3:>11.1f}" for each in shown))
    return percentile([each.held_s for each in held], 0.99)


@dataclass(frozen=True)
class Watch:
    """What became of polls and messages."""

    slots: int
    outcomes: Mapping[str, int]
    missed: int
    """Slots that were never asked, from the first to the last that were."""
    stored_twice: int
    answered_twice: int
    messages: int
    sent_twice: int

    @property
    def is_whole(self) -> bool:
        """Whether every slot was asked and answered once, and every message sent once."""
        lost = self.missed + sum(n for outcome, n in self.outcomes.items() if outcome not in {"ok", "empty"})
        return not (lost or self.stored_twice or self.answered_twice or self.sent_twice)

    def __str__(self) -> str:
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(self.outcomes.items()))
        return (
            f"polls: {self.slots} slots of {POLL_S} s passed; {told}; {self.missed} never asked, {self.stored_twice} stored "
            f"twice, {self.answered_twice} answered twice. Messages: {self.messages}, {self.sent_twice} sent twice."
        )


def watched(folder: Path, receiver: Receiver, smtp: FakeSmtp) -> Watch:
    """Look into the database, the receiver and the mailbox."""
    with closing(sqlite3.connect(folder / "var" / "sitewatch.db")) as connection:
        rows = connection.execute("select slot, outcome from poll where purpose = 'data'").fetchall()
    slots = Counter(slot for slot, _ in rows)
    passed = max(slots) - min(slots) + 1
    mails = Counter(str(mail.message["Message-ID"]) for mail in smtp.accepted)
    return Watch(
        passed,
        Counter(outcome or "not finished" for _, outcome in rows),
        passed - len(slots),
        slots.total() - len(slots),
        receiver.answered.total() - len(receiver.answered),
        len(mails),
        mails.total() - len(mails),
    )


def measure(folder: Path, rows: int, minutes: float, seed_rows: int) -> bool:
    """One run."""
    receiver = Receiver()
    with receiving(receiver) as port, FakeSmtp() as smtp:
        write_settings(folder, port, smtp.port)
        write_counts(folder / "counts.csv", rows)
        if seed_rows:
            write_counts(folder / "seed.csv", seed_rows, batch=9)
            command(folder, folder / "seed.log", "observations", "import", "seed.csv").wait()
        with service(folder) as process:
            time.sleep(WARM_UP_S)
            began = time.monotonic()
            importing = command(folder, folder / "import.log", "observations", "import", "counts.csv")
            lasted = 0.0
            while time.monotonic() - began < minutes * 60 or importing.poll() is None:
                if process.poll() is not None:
                    raise SystemExit((folder / "service-err.txt").read_text()[-2000:])
                if importing.poll() is not None and not lasted:
                    lasted = time.monotonic() - began
                time.sleep(1)
            lasted = lasted or time.monotonic() - began
        print((folder / "import-out.txt").read_text().strip(), (folder / "import-err.txt").read_text()[-500:])
        held = [each for name in ("service", "import") for each in read(folder / f"{name}.log")]
        print(f"The import of {rows:,} rows took {lasted:.0f} s beside the service.")
        p99 = print_holding(held)
        watch = watched(folder, receiver, smtp)
        print(watch)
    over = sum(each.held_s > BAR_S for each in held)
    print(
        f"{over} of {len(held)} transactions held the lock over {BAR_S * 1e3:.0f} ms; the 99th percentile is {p99 * 1e3:.0f} ms."
    )
    return watch.is_whole and p99 <= BAR_S


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long writers hold the database.")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the import (100,000)")
    parser.add_argument(
        "--minutes", type=float, default=5, help="how long to measure at least, from the import on (5)"
    )
    parser.add_argument("--seed-rows", type=int, default=0, help="rows that are there before (0)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="writers-"))
    try:
        print(
            f"{SITES} sites, polls of {POLL_S} s, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start …",
            flush=True,
        )
        good = measure(folder, given.rows, given.minutes, given.seed_rows)
        print(f"load {os.getloadavg()[0]:.1f} at the end")
    finally:
        shutil.rmtree(folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
