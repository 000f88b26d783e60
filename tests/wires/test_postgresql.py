"""The database as Debian installs it, the oldest that is supported, over TLS with a certificate of its own authority."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from db.backup import back_up, bring_back, opened_backup
from db.engine import open_engine, reading
from db.migrate import current_revision, migrate, newest_revision
from db.schema import metadata
from tests.kit.authority import Authority
from tests.kit.program import run, write_settings
from tests.kit.real_servers import Postgresql, postgresql
from tests.kit.web_rig import NOW, rig, tell_story

OLDEST = 15


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Postgresql]:
    certificate = authority.certificate()
    with postgresql(certificate.chain, certificate.key) as running:
        yield running


@pytest.fixture
def engine(server: Postgresql, authority: Authority) -> Iterator[Engine]:
    opened = open_engine(server.url(sslmode="verify-full", sslrootcert=authority.file))
    yield opened
    opened.dispose()


def test_a_whole_story_is_stored_over_tls_and_its_backup_brings_it_back(
    engine: Engine, sqlite_engine: Engine, tmp_path: Path
) -> None:
    migrate(engine)
    assert current_revision(engine) == newest_revision()
    with reading(engine) as connection:
        version = int(connection.execute(text("show server_version_num")).scalar_one())
        encrypted = connection.execute(
            text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        ).scalar_one()
    assert version // 10_000 >= OLDEST
    assert encrypted
    with rig(engine, tmp_path, database_url=engine.url.render_as_string(hide_password=False)) as made:
        tell_story(made.app, NOW)
    file = tmp_path / "kept.db"
    back_up(engine, file)
    with opened_backup(file) as copy:
        bring_back(copy, sqlite_engine)
    before = rows(engine)
    assert rows(sqlite_engine) == before
    assert before["alert"] > 0
    with opened_backup(file) as copy:
        bring_back(copy, engine)
    assert rows(engine) == before


def rows(engine: Engine) -> dict[str, int]:
    """How many rows each table holds, but for the one that says who watches now."""
    with reading(engine) as connection:
        return {
            table.name: len(connection.execute(select(table)).all())
            for table in metadata.sorted_tables
            if table.name != "lease"
        }


def test_a_server_that_is_not_trusted_is_told_with_the_way_to_mend_it(
    server: Postgresql, tmp_path: Path
) -> None:
    write_settings(tmp_path, 9)
    other = Authority(tmp_path, "Other CA")
    url = server.url(sslmode="verify-full", sslrootcert=other.file)
    done = run(tmp_path, "status", SITEWATCH_DATABASE_URL=url)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    assert "sslrootcert=FILE names the certificate authority" in done.stderr
    assert server.password not in done.stderr
