"""An import, or a restore, in a process of its own that can be told to die at any statement."""

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db.backup import bring_back, opened_backup
from db.engine import open_engine
from monitor.imports import import_file
from tests.kit.cast import CAST_BY_ID
from tests.kit.fakes.line_child import Statements

BEGAN = datetime(2024, 8, 1, 9, tzinfo=UTC)
EACH_LATER = timedelta(minutes=1)
ROWS = 300


def write_counts(path: Path) -> None:
    """A file of counts of which any half tells another story than the whole: its high ones are no news among the others.

    The newest come first, so that half a file has no history.
    """
    lines = ["site_id,start,end,precision,metric,subject,value,comparator,published,publisher,url"]
    for number in range(ROWS):
        day = f"{datetime(2024, 7, 20, tzinfo=UTC) - timedelta(days=number // 2):%Y-%m-%d}"
        value = 60 + number % 9 if number // 2 % 10 == 0 else number % 4
        site, metric = (("busy-port", "ships_present"), ("donut-base", "aircraft_present"))[number % 2]
        lines.append(f"{site},{day},,,{metric},,{value},,{day},Harbour Watch,https://watch.example/{number}")
    lines.append(
        "busy-port,2022-01,2022-12,window,ships_present,,70,max,2023-01-02,Harbour Watch,https://watch.example/most"
    )
    lines.append(
        "busy-port,2023-05,,,ships_present,,,trend_up,2023-06-02,Harbour Watch,https://watch.example/note"
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def import_counts(database_url: str, file: Path, attempt: int, die_at: int) -> None:
    """Import the file; write down how many statements that took."""
    engine = open_engine(database_url)
    statements = Statements(engine, die_at)
    report = import_file(engine, file, CAST_BY_ID, BEGAN + attempt * EACH_LATER)
    assert not report.faults, report.faults
    file.with_suffix(".statements").write_text(str(statements.asked))
    engine.dispose()


def restore(database_url: str, file: Path, _attempt: int, die_after_us: int) -> None:
    """Bring a backup back, and die after so many microseconds; write down how many that took.

    SQLite copies pages without any statement. Nobody handles the signal, so the kernel ends the process at once.
    """
    engine = open_engine(database_url)
    with opened_backup(file) as copy:
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, die_after_us / 1e6)
        bring_back(copy, engine)
        signal.setitimer(signal.ITIMER_REAL, 0)
    file.with_suffix(".lasted").write_text(str(int((time.monotonic() - began) * 1e6)))
    engine.dispose()
