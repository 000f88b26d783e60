"""An archive of which much cannot be read: it is said, nothing is taken for watched that was not, and it can be read again."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.backfill import backfill_days
from db.coverage import coverage
from db.engine import reading
from db.flights import visits
from monitor.backfill.archive import Part, missing_folders
from monitor.backfill.load import Backfill, DayReport
from monitor.flights.tracks.classes import default_classes
from tests.kit.archives import DAY, MIDNIGHT, flights, write_folder
from tests.kit.cast import QUIET_FIELD

pytestmark = pytest.mark.untraced

PROVIDER = "adsb.lol-archive"
NOW = MIDNIGHT + timedelta(days=30)
HOUR = timedelta(hours=1)


def load(engine: Engine, root: Path, after: timedelta = timedelta()) -> DayReport:
    loading = Backfill(engine, PROVIDER, root, (QUIET_FIELD,), default_classes())
    (report,) = loading.load([DAY], NOW + after, lambda _: None)
    return report


def watched(engine: Engine) -> float:
    """The share of the first 23 hours of the day that counts as watched; the archive hears somebody all the time."""
    with reading(engine) as connection:
        hours = coverage(connection, QUIET_FIELD.id, MIDNIGHT, MIDNIGHT + 23 * HOUR)
    return sum(hour.observed_s for hour in hours) / (23 * 3_600)


def broken(files: dict[str, bytes], whole: int) -> dict[str, bytes]:
    """The files, all but so many of them cut short; those that fly all day first."""
    order = sorted(files, key=lambda name: ("a12345" not in name, name))
    return {name: files[name] if number < whole else files[name][:40] for number, name in enumerate(order)}


@pytest.mark.long
def test_a_day_of_broken_files_is_told_counts_for_little_and_is_read_again(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    files = flights()
    write_folder(tmp_path, broken(files, 1))
    report = load(sqlite_engine, tmp_path)
    assert (report.loaded, report.is_damaged, report.broken_files, report.files) == (False, True, 5, 6)
    assert watched(sqlite_engine) == pytest.approx(1 / 6, abs=0.01)
    # Nothing was mended: the day is read again and counts for as little as before.
    assert load(sqlite_engine, tmp_path, HOUR).is_damaged
    assert watched(sqlite_engine) == pytest.approx(1 / 6, abs=0.01)
    with reading(sqlite_engine) as connection:
        assert backfill_days(connection, PROVIDER)[DAY.isoformat()].finished_at == NOW + HOUR
    write_folder(tmp_path, files)
    mended = load(sqlite_engine, tmp_path, 2 * HOUR)
    assert (mended.loaded, mended.is_damaged, mended.aircraft, mended.read_share) == (True, False, 6, 1.0)
    assert watched(sqlite_engine) == 1.0
    with reading(sqlite_engine) as connection:
        assert {each.icao24 for each in visits(connection, site_id=QUIET_FIELD.id)} >= {"15521f", "3950c7"}
        assert backfill_days(connection, PROVIDER)[DAY.isoformat()].state == "done"
    assert load(sqlite_engine, tmp_path, 3 * HOUR).loaded is False, "what was loaded whole is left alone"


@pytest.mark.long
def test_folders_that_are_not_there_were_not_watched(sqlite_engine: Engine, tmp_path: Path) -> None:
    write_folder(tmp_path, flights())
    traces = tmp_path / "2023/08/01/traces"
    for folder in traces.iterdir():
        if folder.name not in {"45", "1f"}:
            shutil.rmtree(folder)
    report = load(sqlite_engine, tmp_path)
    assert (report.is_damaged, report.missing_folders, report.broken_files) == (True, 254, 0)
    assert watched(sqlite_engine) < 0.01


def test_a_tar_that_holds_few_folders_for_its_files_is_not_whole() -> None:
    members = tuple((f"trace_full_{number:06x}.json", 0, 1) for number in range(200))
    two = [Part("00", pieces=("a.tar",), members=members), Part("01", pieces=("a.tar",), members=members)]
    assert missing_folders(two) == 254
    assert (
        missing_folders(
            [Part(f"{number:02x}", pieces=("a.tar",), members=members[:1]) for number in range(5)]
        )
        == 0
    )


@pytest.mark.long
def test_one_broken_file_of_many_is_told_and_the_day_is_done(sqlite_engine: Engine, tmp_path: Path) -> None:
    files = flights()
    empty = {
        f"trace_full_{number:06x}.json": _empty(f"{number:06x}") for number in range(0xC00000, 0xC00000 + 200)
    }
    write_folder(tmp_path, {**files, **empty, "trace_full_c0ffee.json": b"not a trace"})
    report = load(sqlite_engine, tmp_path)
    assert (report.loaded, report.broken_files, report.files) == (True, 1, 207)


def _empty(icao24: str) -> bytes:
    return f'{{"icao": "{icao24}", "timestamp": {MIDNIGHT.timestamp()}, "trace": []}}'.encode()
