"""A backup while the service runs, and its way back, into either kind of database."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, delete, func, select, update

from db.backup import back_up, bring_back, opened_backup
from db.engine import open_engine, reading, writing
from db.leases import lease_holder, take_lease
from db.migrate import current_revision, migrate, newest_revision
from db.polls import PollKey, start_poll
from db.schema import alert, metadata, observation, poll
from monitor.cli import main
from tests.kit.program import begin, closed_port, running, write_settings
from tests.kit.web_rig import NOW, rig, tell_story

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sitewatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command in a folder whose settings let nothing leave this machine."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.chdir(tmp_path)
    write_settings(tmp_path, 9)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return int(str(ended.value.code)), said.out, said.err

    yield command
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def contents(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table but those that say who watches now, and the keys of names that were forgotten."""
    with reading(engine) as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
            if table.name not in {"lease", "alias", "visitor_key"}
        }


@pytest.fixture
def filled(engine: Engine, tmp_path: Path) -> Engine:
    """Either kind of database, with a story in it."""
    with rig(engine, tmp_path, database_url=engine.url.render_as_string(hide_password=False)) as made:
        tell_story(made.app, NOW)
    return engine


def test_all_that_is_stored_comes_back_and_what_came_since_is_gone(
    filled: Engine, tmp_path: Path, sitewatch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", filled.url.render_as_string(hide_password=False))
    before, file = contents(filled), tmp_path / "kept.db"
    code, out, err = sitewatch("backup", str(file))
    assert code == 0, err
    assert f"To bring it back: sitewatch restore {file}" in out
    assert not list(tmp_path.glob(".sitewatch-backup-*"))
    assert not list(tmp_path.glob("kept.db-*")), "one file, and nothing beside it"
    with writing(filled) as connection:
        connection.execute(update(alert).values(headline="changed since"))
        connection.execute(delete(observation).where(observation.c.revision > 0))
        assert take_lease(connection, "who watches now", datetime.now(UTC), 600)
    code, out, err = sitewatch("restore", str(file), "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["rows"] == sum(map(len, before.values()))
    assert contents(filled) == before
    with reading(filled) as connection:
        lease = lease_holder(connection)
    assert lease is not None
    assert lease.owner == "who watches now"
    kept = open_engine(f"sqlite:///{told['kept']}")
    assert all("changed since" in row for row in contents(kept)["alert"])
    kept.dispose()


def test_numbers_go_on_behind_the_restored_ones(filled: Engine, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "kept.db")
    with opened_backup(tmp_path / "kept.db") as copy:
        bring_back(copy, filled)
    key = PollKey("adsb.lol", "circle:39,125,40", 1)
    with writing(filled) as connection:
        last = connection.execute(select(func.max(poll.c.id))).scalar_one()
        made = start_poll(connection, key, 0, NOW)
    assert made is not None
    assert made > last


def test_a_backup_of_one_kind_is_restored_into_the_other(
    empty_postgres_url: str, sqlite_engine: Engine, tmp_path: Path
) -> None:
    server = open_engine(empty_postgres_url)
    migrate(server)
    with rig(server, tmp_path, database_url=empty_postgres_url) as made:
        tell_story(made.app, NOW)
    for old, new in ((server, sqlite_engine), (sqlite_engine, server)):
        before, file = contents(old), tmp_path / f"{old.dialect.name}.db"
        back_up(old, file)
        with opened_backup(file) as copy:
            bring_back(copy, new)
        assert contents(new) == before
    server.dispose()


@pytest.mark.sqlite
def test_a_missing_database_is_made_from_a_backup(sitewatch: Command, tmp_path: Path) -> None:
    begin()
    assert sitewatch("backup", "kept.db")[0] == 0
    for file in (tmp_path / "var").iterdir():
        file.unlink()
    code, out, err = sitewatch("restore", "kept.db")
    assert code == 0, err
    assert "What was there before" not in out
    assert sitewatch("status")[0] == 0


@pytest.mark.sqlite
def test_a_damaged_file_is_kept_beside_what_is_restored(sitewatch: Command, tmp_path: Path) -> None:
    begin()
    assert sitewatch("backup", "kept.db")[0] == 0
    database = tmp_path / "var" / "sitewatch.db"
    spoilt = database.read_bytes()[:5000] + b"spoilt"
    database.write_bytes(spoilt)
    code, _, err = sitewatch("status")
    assert code == 1
    assert "The SQLite file var/sitewatch.db is damaged" in err
    code, out, err = sitewatch("restore", "kept.db")
    assert code == 0, err
    (aside,) = (tmp_path / "var").glob("sitewatch.db.damaged-*Z")
    assert f"What was there before is in {aside.relative_to(tmp_path)}" in out
    assert aside.read_bytes() == spoilt
    assert sitewatch("status")[0] == 0
    assert sitewatch("run", "--once")[0] == 0


@pytest.mark.sqlite
def test_what_is_no_backup_changes_nothing(sitewatch: Command, tmp_path: Path) -> None:
    begin()
    database = tmp_path / "var" / "sitewatch.db"
    assert sitewatch("backup", "kept.db")[0] == 0
    newer, other, words, cut = (tmp_path / f"{name}.db" for name in ("newer", "other", "words", "cut"))
    newer.write_bytes((tmp_path / "kept.db").read_bytes())
    with closing(sqlite3.connect(newer, isolation_level=None)) as raw:
        raw.execute("update alembic_version set version_num = '9999'")
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("create table another (program)")
    words.write_text("These are minutes of a meeting.")
    cut.write_bytes((tmp_path / "kept.db").read_bytes()[:20_000])
    before = database.read_bytes()
    for file, said in (
        (newer, "it was made by a newer sitewatch (9999)"),
        (other, "it is no database of sitewatch"),
        (words, "it is damaged, or no database"),
        (cut, "it is damaged"),
        (tmp_path / "none.db", "There is no file"),
    ):
        code, _, err = sitewatch("restore", str(file))
        assert (code, said in err) == (2, True), err
    assert database.read_bytes() == before
    assert not list((tmp_path / "var").glob("before-restore-*"))


@pytest.mark.sqlite
def test_a_backup_replaces_no_file_and_says_where_it_cannot_be_written(
    sitewatch: Command, tmp_path: Path
) -> None:
    begin()
    (tmp_path / "there.db").write_text("mine")
    code, _, err = sitewatch("backup", "there.db")
    assert (code, "a backup replaces none" in err) == (2, True)
    assert (tmp_path / "there.db").read_text() == "mine"
    code, _, err = sitewatch("backup", "nowhere/kept.db")
    assert (code, "cannot be written" in err) == (2, True)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.sqlite
@pytest.mark.long
def test_both_are_done_while_a_service_runs_and_it_goes_on(sitewatch: Command, tmp_path: Path) -> None:
    with closed_port() as port:
        write_settings(tmp_path, port, "lease_s = 1", "port = 0")
        with running(tmp_path, "run") as service:
            page = service.until("Page:").split()[-1]
            assert page.startswith("http")
            service.until("Watching.")
            code, out, err = sitewatch("backup", "kept.db", "--json")
            assert code == 0, err
            assert json.loads(out)["rows"] > 0
            code, _, err = sitewatch("restore", "kept.db")
            assert code == 0, err
            # Its lease lasts a second: on a busy machine a look may fall between two beats.
            seen = (sitewatch("status") for _ in range(60))
            assert any(code == 0 and "Watching: " in out for code, out, _ in seen)
            assert service.stop() == 0
    assert "Traceback" not in service.log()
    assert "is not what this sitewatch opened" not in service.log()
    copy: Any = open_engine(f"sqlite:///{tmp_path / 'kept.db'}")
    assert current_revision(copy) == newest_revision()
    copy.dispose()
