"""Who holds the database is told by name: the command or job, its process, since when."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from db.engine import DBAPIError, known_as, open_engine, sole_importer, writing, writing_refused
from db.holders import application_name
from db.schema import silence
from monitor.config.settings import Settings
from monitor.ops.database_health import database_failure
from monitor.runtime.jobs import Job, Jobs
from tests.kit.program import PATIENCE_S

IMPORT = "sitewatch observations import"


def refused(engine: Engine) -> DBAPIError:
    """What another program is told that waits a moment for the lock in vain."""
    if engine.dialect.name == "sqlite":
        error = writing_refused(Path(str(engine.url.database)), 0.01)
        assert error is not None
        return error
    other = open_engine(engine.url)
    try:
        with writing(other) as connection:
            connection.execute(text("set local lock_timeout = '20ms'"))
            connection.execute(text("lock table silence in exclusive mode"))
    except DBAPIError as caught:
        return caught
    finally:
        other.dispose()
    raise AssertionError("the lock was free")


def told(engine: Engine) -> str:
    settings = Settings.model_validate({"database_url": engine.url.render_as_string(hide_password=False)})
    return str(database_failure(refused(engine), settings))


@contextmanager
def held(engine: Engine) -> Iterator[None]:
    with writing(engine) as connection:
        connection.execute(silence.delete())
        yield


def test_a_lock_that_is_waited_for_in_vain_names_the_command_that_holds_it(engine: Engine) -> None:
    before = datetime.now(UTC)
    with known_as(IMPORT), held(engine):
        words = told(engine)
    kind = "SQLite file" if engine.dialect.name == "sqlite" else "PostgreSQL database"
    assert words.startswith(f"The {kind} ")
    assert f" is locked: “{IMPORT}” (process {os.getpid()}" in words
    assert (
        "so nothing else can be stored. Wait until that is done; if it never is, end that process." in words
    )
    since = datetime.fromisoformat(words.split("writing since ")[1][:19]).replace(tzinfo=UTC)
    assert abs(since - before) < timedelta(seconds=PATIENCE_S)


@pytest.mark.sqlite
def test_a_foreign_program_is_not_called_by_the_name_of_who_wrote_before(sqlite_engine: Engine) -> None:
    path = Path(str(sqlite_engine.url.database))
    with known_as(IMPORT), held(sqlite_engine):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another program holds it" in told(sqlite_engine)


@pytest.mark.sqlite
@pytest.mark.parametrize("spoilt", ["{}", "no note", "[1]", '{"name": "x"}', ""])
def test_the_name_of_a_process_that_died_or_of_none_is_not_told(sqlite_engine: Engine, spoilt: str) -> None:
    path = Path(str(sqlite_engine.url.database))
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    note = {"name": IMPORT, "process": died.pid, "machine": socket.gethostname()}
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for content in (json.dumps(note), spoilt):
            path.with_name(f"{path.name}-writer").write_text(content)
            assert "another program holds it" in told(sqlite_engine)
        # Nothing is known of a process on another machine.
        path.with_name(f"{path.name}-writer").write_text(json.dumps({**note, "machine": "elsewhere"}))
        assert f"“{IMPORT}” (process {died.pid} on elsewhere)" in told(sqlite_engine)


@pytest.mark.sqlite
def test_a_place_where_no_name_can_be_left_keeps_nobody_from_writing(sqlite_engine: Engine) -> None:
    path = Path(str(sqlite_engine.url.database))
    beside = path.with_name(f"{path.name}-writer")
    beside.unlink(missing_ok=True)
    beside.mkdir()
    with held(sqlite_engine):
        assert "another program holds it" in told(sqlite_engine)
    with pytest.raises(DBAPIError), sole_importer(sqlite_engine):
        pytest.fail("the lock was taken although it cannot be kept")


@pytest.mark.sqlite
def test_one_that_writes_without_pause_lets_those_in_who_wait(sqlite_engine: Engine) -> None:
    stop, written = threading.Event(), [0]

    def greedy() -> None:
        while not stop.is_set() and written[0] < 3_000:
            with held(sqlite_engine):
                # As long as a step of judging holds it, and then the next one at once.
                stop.wait(0.01)
                written[0] += 1

    thread = threading.Thread(target=greedy)
    thread.start()
    let_in: list[int] = []
    try:
        while written[0] < 3:
            stop.wait(0.01)
        for _ in range(9):
            before = written[0]
            with held(sqlite_engine):
                let_in.append(written[0] - before)
    finally:
        stop.set()
        thread.join()
    assert sorted(let_in)[4] <= 5, f"a writer was let in after {let_in} others"


def test_the_one_who_imports_is_waited_for_and_goes_with_its_process(database_url: str) -> None:
    url = make_url(database_url).render_as_string(hide_password=False)
    script = (
        "import sys; from db.engine import open_engine, sole_importer\n"
        "with sole_importer(open_engine(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    holding = subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holding.stdout is not None
    assert holding.stdin is not None
    assert holding.stdout.readline() == "held\n"
    waited: list[str] = []

    def kill_it() -> None:
        waited.append("waiting")
        holding.kill()

    engine = open_engine(database_url)
    with sole_importer(engine, kill_it):
        assert waited == ["waiting"]
    with sole_importer(engine, kill_it):
        assert waited == ["waiting"], "nobody holds it any more"
    engine.dispose()
    holding.wait(PATIENCE_S)
    holding.stdin.close()
    holding.stdout.close()


def test_a_job_of_the_service_has_a_name_of_its_own() -> None:
    names: list[str] = []
    jobs = Jobs([Job("poll roof", 1, lambda _now: names.append(application_name()), always=True)])
    jobs.start()
    while not names:
        jobs.stopping.wait(0.01)
    jobs.stop()
    assert names[0] == f"sitewatch run, job poll roof {os.getpid()}"


def test_a_long_name_is_cut_and_keeps_its_process() -> None:
    with known_as("sitewatch " + "ü" * 100):
        name = application_name()
    assert len(name.encode()) <= 63
    assert name.endswith(f" {os.getpid()}")
