"""A database that cannot be written: said once, in words that help, wherever a person or a machine looks."""

import json
import shutil
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from structlog.testing import capture_logs

from alerts.delivery.notices import compose_notice
from db.alerts import alerts
from db.deliveries import deliveries
from db.engine import open_engine, reading, writing
from monitor import pipeline
from monitor.bootstrap import build
from monitor.cli import main
from monitor.config.settings import Settings
from monitor.ops import database_health as storage
from tests.kit.cast import write_cast
from tests.kit.program import PATIENCE_S, closed_port, running, write_settings
from tests.kit.web_rig import NOW, rig, tell_story

pytestmark = [pytest.mark.long, pytest.mark.sqlite]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of a few megabytes in a folder, where this machine lets us make one."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no small disk can be made here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(path: Path) -> None:
    """Fill the disk to the last byte."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(65_536)):
            pass
    assert shutil.disk_usage(path.parent).free == 0


def answer(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as given:
            return given.status, given.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        main(arguments)
    return capsys.readouterr().out


def test_a_full_disk_is_told_once_and_everywhere_and_the_service_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with small_disk(tmp_path / "disk") as disk, closed_port() as port:
        database = f'database_url = "sqlite:///{disk}/sitewatch.db"'
        write_settings(tmp_path, port, "lease_s = 1", "port = 0", database)
        with running(tmp_path, "run") as service:
            page = service.until("Page:").split()[-1]
            service.until("Watching.")
            service.until_logged("The disk is nearly full")
            assert answer(f"{page}readyz") == (200, "ready\n")
            fill(disk / "filling")
            words = json.loads(service.until_logged('"failing"'))["error"]
            assert words.startswith(f"The disk is full: 0 KiB are free in {disk}, where the SQLite file")
            assert "Make room there" in words
            assert answer(f"{page}readyz") == (503, f"{words}\n")
            status, html = answer(page)
            assert (status, "Nothing can be stored just now" in html, str(disk) in html) == (200, True, True)
            assert "The disk is full: 0 KiB are free" in said(capsys, "status")
            assert "BROKEN  storing: The disk is full" in said(capsys, "doctor", "--offline")
            (disk / "filling").unlink()
            service.until_logged('"what": "database", "failed_since"')
            assert answer(f"{page}readyz") == (200, "ready\n")
            assert service.stop() == 0
    log = service.log()
    assert log.count("The disk is full") == 1
    assert "Traceback" not in log


def test_a_disk_that_is_read_only_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with small_disk(tmp_path / "disk") as disk:
        write_settings(tmp_path, 9, f'database_url = "sqlite:///{disk}/sitewatch.db"')
        said(capsys, "history", "quiet-field")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(SystemExit) as ended:
            main(["status"])
        assert ended.value.code == 1
        assert f"its folder {disk} or their disk is read-only for the user" in capsys.readouterr().err
        assert "BROKEN  database: The SQLite file" in said(capsys, "doctor", "--offline")


def settings_of(path: Path, **values: object) -> Settings:
    return Settings.model_validate({"database_url": f"sqlite:///{path}", **values})


def error_of(engine: Engine, statement: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught, writing(engine) as connection:
        connection.execute(text(statement))
    return caught.value


def test_each_fault_of_a_file_is_told_by_its_name(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = Path(str(sqlite_engine.url.database))
    settings = settings_of(path)
    assert storage.attempt(settings) is None
    read_only = open_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    told = storage.why(error_of(read_only, "create table x (y)"), settings)
    read_only.dispose()
    assert told is not None
    assert "is read-only for the user who runs sitewatch" in told.found
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = storage.attempt(settings, 0.01)
        assert held is not None
        assert "is locked: another program holds it" in held.found
        assert "a backup" in held.mend
    with writing(sqlite_engine) as connection:
        connection.execute(text("pragma max_page_count = 1"))
    told = storage.why(error_of(sqlite_engine, "create table x as select zeroblob(9999999)"), settings)
    assert told is not None
    assert "so a quota may be used up" in told.found, "the disk itself has room"
    assert storage.why(error_of(sqlite_engine, "select * from nothing_there"), settings) is None
    assert storage.why(ValueError("no"), settings) is None
    path.with_suffix(".txt").write_text("this is no database" * 99)
    broken = open_engine(f"sqlite:///{path.with_suffix('.txt')}")
    told = storage.why(error_of(broken, "select 1"), settings)
    assert told is not None
    assert "does not work: file is not a database. Check SITEWATCH_DATABASE_URL" in str(told)
    broken.dispose()
    assert storage.attempt(settings_of(tmp_path / "none.db")) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull("no"), "The disk of the server of the PostgreSQL database watch on host is full"),
        (psycopg.errors.ReadOnlySqlTransaction("no"), "is read-only for the user"),
        (psycopg.errors.InsufficientPrivilege("no"), "does not work: no. Check"),
        (psycopg.errors.LockNotAvailable("no"), "is locked"),
        (psycopg.errors.AdminShutdown("stopping"), "does not work: stopping. Check SITEWATCH_DATABASE_URL, and that the"),
        (psycopg.OperationalError("refused by ab12"), "does not work: refused by ***."),
        (psycopg.errors.UndefinedTable("no"), None),
    ],
)  # fmt: skip
def test_each_fault_of_a_server_is_told_by_its_name(error: psycopg.Error, words: str | None) -> None:
    settings = Settings.model_validate({"database_url": "postgresql://me:ab12@host/watch"})
    wrapped = (OperationalError if isinstance(error, psycopg.OperationalError) else ProgrammingError)(
        "select 1", None, error
    )
    told = storage.why(wrapped, settings)
    assert words in str(told) if words else told is None
    assert storage.attempt(settings) is None, "nothing is known of another machine's disk"
    assert storage.little_room(settings) == ""


def test_what_cannot_be_stored_is_said_where_it_was_asked_for(sqlite_engine: Engine, tmp_path: Path) -> None:
    def full(raw: sqlite3.Connection, *_: object) -> None:
        raw.execute("pragma query_only = on")

    with rig(sqlite_engine, tmp_path, database_url=str(sqlite_engine.url)) as made, capture_logs() as logs:
        tell_story(made.app, NOW)
        with reading(sqlite_engine) as connection:
            path = f"/alerts/{alerts(connection, status='open')[0].id}"
        form = {"form_token": made.client.form_token(path)}
        event.listen(sqlite_engine, "checkout", full)
        answers = [made.client.post(f"{path}/acknowledge", data=form) for _ in range(2)]
        event.remove(sqlite_engine, "checkout", full)
        assert [each.status_code for each in answers] == [503, 503]
        assert all("is read-only for the user who runs sitewatch" in each.text for each in answers)
        (program, *_) = made.client.get("/api/v1/status").json()["items"]
        assert (program["part"], program["state"]) == ("program", "failing")
        assert "sitewatch_database_writable 0.0" in made.client.get("/metrics").text
        sqlite_engine.dispose()
        storage.note_written(made.app.settings, made.app.troubles, NOW)
        assert "sitewatch_database_writable 1.0" in made.client.get("/metrics").text
        assert made.client.post(f"{path}/acknowledge", data=form).status_code == 303
    assert [each["event"] for each in logs if each.get("what") == "database"] == ["failing", "works again"]
    assert "exc_info" not in str(logs)


def test_that_there_is_little_room_is_told_once_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "test.db"
    off = {name: {"enabled": False} for name in ("adsb.lol", "earth-search")}
    settings = settings_of(
        path, sites_file=write_cast(tmp_path), history_file=tmp_path / "none", providers=off
    )
    app = build(settings)
    pipeline.start(app, NOW)
    pipeline.watch_room(app, NOW)
    monkeypatch.setattr(storage, "LITTLE", 2**60)
    for _ in range(2):
        pipeline.watch_room(app, NOW)
    with reading(app.engine) as connection:
        (told,) = deliveries(connection)
    app.close()
    notice = compose_notice(told)
    assert notice.headline == "The disk is nearly full"
    assert f"are free in {tmp_path}" in " ".join(notice.paragraphs)
