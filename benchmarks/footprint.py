"""What an idle service with the shipped sites costs: memory, growth of its database, processor time.

Run: python -m benchmarks.footprint [--minutes 60]
The real `sitewatch run` asks a feed and a catalogue on loopback (footprint_feed.py) at its own cadence, with its page
open and nobody on it. A run of less than an hour is carried forward to an hour, and says so. Linux only: it reads /proc.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.footprint_feed import RECORDING, Feed, serving
from monitor.bootstrap import rule_defaults
from monitor.sites.load import load_sites

ROOT = Path(__file__).resolve().parents[1]
MB = 1024 * 1024
MOST_MEMORY_MB, MOST_GROWTH_MB, MOST_CPU = 300, 50, 0.05
WARM_UP_S = 120
"""By then the first search, the published history and every import are over."""
SAMPLE_S = 5
HOUR_S = 3600
_COMMAND = (sys.executable, "-c", "from monitor.cli import main; main()")


@dataclass(frozen=True)
class Sample:
    """One look at the process and its database."""

    at: float
    memory_mb: float
    peak_mb: float
    cpu_s: float
    database_mb: float


def settings(folder: Path, port: int) -> None:
    """A folder with the shipped sites and history, whose providers are on loopback."""
    shutil.copy(ROOT / "sites.geojson", folder)
    shutil.copytree(ROOT / "history", folder / "history")
    (folder / "sitewatch.toml").write_text(
        f"""
allowed_networks = ["127.0.0.0/8"]
port = 0
[providers."adsb.lol"]
base_url = "http://127.0.0.1:{port}/v2/"
[providers.earth-search]
base_url = "http://127.0.0.1:{port}/v1"
options = {{ picture_hosts = "nowhere.invalid" }}
""",
        encoding="utf-8",
    )


@contextmanager
def service(folder: Path) -> Iterator[int]:
    """The real service; gives its process id."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*_COMMAND, "run"], cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
        )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def sample(pid: int, database: Path) -> Sample:
    """Look now; raises SystemExit where the service has ended."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        raise SystemExit("The service has ended; run it by hand to see why.") from None
    ticks = os.sysconf("SC_CLK_TCK")
    cpu_s = (int(stat[11]) + int(stat[12])) / ticks
    resident, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Sample(time.monotonic(), resident, peak, cpu_s, used_mb(database))


def used_mb(database: Path) -> float:
    """What the database holds, without pages that are free to be used again."""
    if not database.exists():
        return 0.0
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        pages, free, size = (
            connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    connection.close()
    return float((pages - free) * size / MB)


def search_again(folder: Path, database: Path) -> float:
    """What one more hourly search adds to the database, in MB."""
    before = used_mb(database)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
    subprocess.run(
        [*_COMMAND, "poll", "earth-search"], cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)},
        check=True, capture_output=True,
    )  # fmt: skip
    return used_mb(database) - before


def measure(minutes: float) -> tuple[list[Sample], float]:
    """Samples over so many minutes, and what a search adds."""
    sites = list(load_sites(ROOT / "sites.geojson", rule_defaults()))
    feed = Feed(sites)
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="footprint-") as name, serving(feed) as port:
        folder = Path(name)
        settings(folder, port)
        database = folder / "var" / "sitewatch.db"
        with service(folder) as pid:
            until = time.monotonic() + minutes * 60
            while time.monotonic() < until:
                time.sleep(SAMPLE_S)
                samples.append(sample(pid, database))
            grown_mb = search_again(folder, database)
        print(
            f"{feed.asked} requests were answered; the log has {(folder / 'log.txt').read_text().count(chr(10))} lines."
        )
        for table, size_mb in tables(database)[:6]:
            print(f"  table {table}: {size_mb:.2f} MB")
    return samples, grown_mb


def tables(database: Path) -> list[tuple[str, float]]:
    """The largest tables and indexes, where this SQLite can tell."""
    with sqlite3.connect(database) as connection:
        try:
            rows = connection.execute(
                "select name, sum(pgsize) from dbstat group by name order by 2 desc"
            ).fetchall()
        except sqlite3.OperationalError:
            rows = []
    connection.close()
    return [(name, size / MB) for name, size in rows]


def report(samples: list[Sample], search_mb: float) -> bool:
    """Print the three figures beside their limits; whether all are kept."""
    began = samples[0].at
    warm = next((each for each in samples if each.at - began >= WARM_UP_S), samples[len(samples) // 2])
    last = samples[-1]
    lasted_s, whole_s = last.at - warm.at, last.at - began + SAMPLE_S
    cpu_a_s = (last.cpu_s - warm.cpu_s) / lasted_s
    if whole_s >= HOUR_S:
        cpu, how = last.cpu_s / whole_s, "measured from the start"
    else:
        cpu = (warm.cpu_s + cpu_a_s * (HOUR_S - (warm.at - began))) / HOUR_S
        how = f"carried forward from {whole_s / 60:.0f} minutes, with the {warm.cpu_s:.0f} s of the first two"
    polled_mb = (last.database_mb - warm.database_mb) / lasted_s * 24 * HOUR_S
    growth_mb = polled_mb if whole_s >= HOUR_S else polled_mb + 24 * search_mb
    parts = "" if whole_s >= HOUR_S else f" ({polled_mb:.1f} polling, 24 searches of {search_mb:.2f})"
    memory_mb = max(each.memory_mb for each in samples if each.at >= warm.at)
    print(
        f"memory     {memory_mb:6.0f} MB resident at most while idle, {last.peak_mb:.0f} MB at its peak (limit {MOST_MEMORY_MB})"
    )
    print(
        f"database   {growth_mb:6.1f} MB a day{parts}, carried forward (limit {MOST_GROWTH_MB}); {last.database_mb:.1f} MB now"
    )
    print(f"processor  {cpu:6.2%} of one core over an hour, {how} (limit {MOST_CPU:.0%})")
    return memory_mb < MOST_MEMORY_MB and growth_mb < MOST_GROWTH_MB and cpu < MOST_CPU


def main() -> None:
    """Measure and print; ends with 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description="What an idle service costs.")
    parser.add_argument("--minutes", type=float, default=60, help="how long to measure (60)")
    minutes = parser.parse_args().minutes
    print(
        f"{minutes:g} minutes of {'the Paris recording' if RECORDING.exists() else 'invented traffic'} at real speed …",
        flush=True,
    )
    sys.exit(0 if report(*measure(minutes)) else 1)


if __name__ == "__main__":
    main()
