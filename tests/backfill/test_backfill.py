"""Back-fill through the pipeline: visits, exposure, idempotence, kills, and a Dask cluster that gives the same."""

import multiprocessing
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from distributed import LocalCluster
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from db.backfill import backfill_days, stored_parts
from db.coverage import coverage
from db.engine import open_engine, reading
from db.flights import visits
from db.records.claims import BackfillPart
from db.schema import backfill_part, coverage_hour, fix, observation, poll, visit_version
from monitor.backfill.archive import Part, find_parts
from monitor.backfill.cluster import cluster_readers
from monitor.backfill.filtering import ReportFilter, TraceVeil
from monitor.backfill.load import Backfill, read_here
from monitor.cli import app as command_line
from monitor.errors import InputError, WorkFailed
from monitor.flights.tracks.classes import default_classes
from tests.kit.archives import DAY, LOST, MIDNIGHT, flights, write_folder
from tests.kit.cast import CAST, QUIET_FIELD, write_cast
from tests.kit.fakes.backfill_child import NOW, loading, main

pytestmark = pytest.mark.long

PROVIDER = "adsb.lol-archive"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("archive"), flights())


@pytest.fixture(scope="module")
def loaded(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, archive: Path
) -> Iterator[Engine]:
    """A database into which the day was loaded, undisturbed."""
    path = tmp_path_factory.mktemp("loaded") / "loaded.db"
    url = f"sqlite:///{shutil.copy(migrated_sqlite, path)}"
    shares: list[float] = []
    (report,) = loading(url, archive).load([DAY], NOW, shares.append)
    assert report.loaded
    assert report.aircraft == 6
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    engine = open_engine(url)
    yield engine
    engine.dispose()


def rows(engine: Engine) -> dict[str, list[str]]:
    """Every row of the tables that a loading fills, without the ids that the database gives."""
    found = {}
    with reading(engine) as connection:
        for table in (fix, poll, visit_version, observation, coverage_hour):
            given = {"id", "poll_id", "evidence", "visit_id"}
            columns = [each for each in table.columns if each.name not in given]
            # A stay goes by the id of its visit, which is sealed with a key of this database.
            every = map(repr, connection.execute(select(*columns)))
            found[table.name] = sorted(re.sub(r"'[0-9a-f]{20}'", "''", each) for each in every)
    return found


def test_a_landing_in_the_archive_is_a_visit_with_its_counts(loaded: Engine) -> None:
    with reading(loaded) as connection:
        here = visits(connection, site_id="quiet-field")
        landed = next(each for each in here if each.icao24 == "15521f" and each.state == "departed")
        assert (landed.registration, landed.confidence) == ("RA-86559", 4)
        assert landed.arrived_at is not None
        assert abs(landed.arrived_at - MIDNIGHT - 12 * HOUR) < timedelta(minutes=5)
        assert landed.recorded_at == NOW
        assert {"15521f", "3950c7"} <= {each.icao24 for each in here}


def test_a_landing_that_the_archive_last_heard_on_the_approach_is_a_visit_too(loaded: Engine) -> None:
    with reading(loaded) as connection:
        (lost,) = visits(connection, icao24s=[LOST])
    assert (lost.site_id, lost.state, lost.confidence) == ("quiet-field", "present", 3)
    assert "silent for at least 10 minutes" in lost.evidence[0].text


def test_the_archives_silence_is_not_watched_and_its_hours_are(loaded: Engine) -> None:
    with reading(loaded) as connection:
        hours = coverage(connection, "quiet-field", MIDNIGHT, MIDNIGHT + 24 * HOUR)
        day = backfill_days(connection, PROVIDER)[DAY.isoformat()]
        outcomes = connection.execute(select(poll.c.outcome).order_by(poll.c.started_at)).scalars().all()
    # In the last minutes of the day nothing flew anywhere.
    assert [hour.observed_s for hour in hours] == [*[3600] * 23, 3300]
    assert (outcomes.count("ok"), outcomes.count("failed")) == (287, 1)
    assert [hour.hour.hour for hour in hours if hour.reports_nearby] == [12, 13, 15]
    assert (day.state, day.finished_at) == ("done", NOW)


def test_loading_again_changes_nothing(loaded: Engine, archive: Path) -> None:
    before = rows(loaded)
    (report,) = loading(str(loaded.url), archive).load([DAY], NOW + HOUR, lambda _: None)
    assert not report.loaded
    assert report.fixes > 0
    assert rows(loaded) == before
    with reading(loaded) as connection:
        assert connection.execute(select(backfill_part)).all() == []


@pytest.mark.crash
def test_a_kill_in_the_middle_costs_nothing(
    loaded: Engine, archive: Path, migrated_sqlite: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'killed.db')}"
    context = multiprocessing.get_context("spawn")
    # While parts are read, and while the day is played.
    for die_at in (0.3, 0.81):
        child = context.Process(target=main, args=(url, str(archive), die_at))
        child.start()
        child.join()
        assert child.exitcode == -9
    engine = open_engine(url)
    with reading(engine) as connection:
        assert backfill_days(connection, PROVIDER)[DAY.isoformat()].state == "recording"
        assert 0 < len(connection.execute(select(poll.c.id)).all()) < 288
        assert stored_parts(connection, PROVIDER, DAY.isoformat()) != []
    loading(url, archive).load([DAY], NOW, lambda _: None)
    assert rows(engine) == rows(loaded)
    engine.dispose()


def test_a_cluster_reads_the_same(archive: Path) -> None:
    every = find_parts(archive, DAY)
    report_filter = ReportFilter(PROVIDER, tuple(CAST), default_classes(), TraceVeil(b"key"))
    here = {part.part: part for part in read_here(report_filter, every, DAY, NOW)}
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        cluster_readers(cluster.scheduler_address) as readers,
    ):
        there = {part.part: part for part in readers(report_filter, every, DAY, NOW)}
        shutil.copytree(archive, archive / "gone")
        lost = find_parts(archive / "gone", DAY)
        shutil.rmtree(archive / "gone")
        with pytest.raises(OSError, match="trace_full"):
            list(readers(report_filter, lost, DAY, NOW))
    assert there == here


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with pytest.raises(WorkFailed, match=r"does not answer"), cluster_readers("nonsense://"):
        pass


def test_an_archive_that_breaks_off_is_taken_up_again(sqlite_engine: Engine, tmp_path: Path) -> None:
    root = write_folder(tmp_path, flights())
    load = Backfill(sqlite_engine, PROVIDER, root, (QUIET_FIELD,), default_classes())

    def broken(
        report_filter: ReportFilter, wanted: Sequence[Part], day: date, now: datetime
    ) -> Iterator[BackfillPart]:
        yield next(read_here(report_filter, wanted, day, now))
        raise OSError(5, "Input/output error")

    stopped = Backfill(sqlite_engine, PROVIDER, root, (QUIET_FIELD,), default_classes(), broken)
    with pytest.raises(WorkFailed, match="run the same command again"):
        stopped.load([DAY], NOW, lambda _: None)
    with reading(sqlite_engine) as connection:
        assert len(stored_parts(connection, PROVIDER, DAY.isoformat())) == 1
    assert load.plan == stopped.plan
    assert load.plan != Backfill(sqlite_engine, PROVIDER, root, tuple(CAST), default_classes()).plan
    with pytest.raises(InputError, match="no traces of 2023-08-02"):
        load.load([DAY + timedelta(days=1)], NOW, lambda _: None)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path) -> None:
    monkeypatch.chdir(tmp_path)
    write_cast(tmp_path)
    runner = CliRunner()

    def run(*words: str) -> str:
        return str(runner.invoke(command_line, ["backfill", *words]).exception)

    days = ("--from", "2023-08-01", "--to", "2023-08-01")
    assert "There is no archive 'x'" in run("x", *days)
    assert "is before" in run(PROVIDER, "--from", "2023-08-02", "--to", "2023-08-01")
    assert "There is no folder var/archive" in run(PROVIDER, *days)
    assert "holds no traces" in run(
        PROVIDER, "--from", "2023-08-02", "--to", "2023-08-02", "--folder", str(archive)
    )
    assert "does not answer" in run(PROVIDER, *days, "--dask", "nonsense://")
    damaged = write_folder(tmp_path / "damaged", {"trace_full_15521f.json": b"no"})
    ended = runner.invoke(command_line, ["backfill", PROVIDER, *days, "--folder", str(damaged)])
    assert "Data: adsb.lol contributors, ODbL 1.0" in ended.output
    assert "only 0% could be read; 1 of 1 files are broken" in ended.output
    assert "these days are read again" in str(ended.exception)
