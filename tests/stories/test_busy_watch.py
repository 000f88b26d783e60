"""Eighty sites at polls of five seconds, with an import and a backup beside them: no poll is lost, nothing is doubled."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.day import measure

pytestmark = [pytest.mark.long, pytest.mark.sqlite, pytest.mark.untraced]

HOURS = 0.15
ROWS = 800


def test_no_poll_is_lost_beside_an_import_and_a_backup(tmp_path: Path) -> None:
    watch, jobs = measure(tmp_path, HOURS, float("inf"), ROWS)
    assert watch.is_whole, str(watch)
    assert watch.slots >= HOURS * 3600 / 5 - 1
    assert jobs.failed == {}
    assert "poll roof" not in jobs.skipped
    with closing(sqlite3.connect(tmp_path / "var" / "sitewatch.db")) as connection:
        (imported,) = connection.execute(
            "select count(*) from observation where metric = 'railcars'"
        ).fetchone()
        reports = connection.execute(
            "select count(*), count(distinct icao24 || at || provider) from fix"
        ).fetchone()
    with closing(sqlite3.connect(tmp_path / "kept.db")) as connection:
        (kept,) = connection.execute("select count(*) from poll").fetchone()
    assert imported == ROWS
    assert reports[0] == reports[1] > 0
    assert 0 < kept < watch.slots, "the backup was made in between"
