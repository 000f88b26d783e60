"""The schema is what the migrations build, on both databases, up and down, with rows in it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import CheckConstraint, Engine, inspect, select

from db.alerts import alerts
from db.deliveries import deliveries
from db.engine import open_engine, reading, writing
from db.migrate import alembic_config, current_revision, migrate, newest_revision
from db.observations import looks, record_observations
from db.schema import lease, metadata
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.errors import WorkFailed
from monitor.pipeline import deliver, judge, prepare, start
from tests.kit.builders import look
from tests.kit.cast import write_cast
from tests.kit.reading import evaluations

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)


def test_there_is_a_single_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_the_migrations_build_exactly_the_schema(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_constraint_has_a_name(engine: Engine) -> None:
    inspector = inspect(engine)
    for table in metadata.tables:
        checks = inspector.get_check_constraints(table)
        assert all(check["name"] for check in checks), table
        declared = [each for each in metadata.tables[table].constraints if isinstance(each, CheckConstraint)]
        assert len(checks) == len(declared), table


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        return open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    return open_engine(request.getfixturevalue("empty_postgres_url"))


def test_up_down_and_up_again_with_rows(empty_engine: Engine) -> None:
    assert current_revision(empty_engine) is None
    migrate(empty_engine)
    assert current_revision(empty_engine) == newest_revision()
    with writing(empty_engine) as connection:
        connection.execute(lease.insert().values(name="leader", owner="me", token=1, expires_at=NOON))
    migrate(empty_engine)
    with reading(empty_engine) as connection:
        assert connection.execute(select(lease.c.expires_at)).scalar_one() == NOON
    migrate(empty_engine, "base")
    assert set(inspect(empty_engine).get_table_names()) <= {"alembic_version"}
    migrate(empty_engine)
    assert set(metadata.tables) <= set(inspect(empty_engine).get_table_names())
    empty_engine.dispose()


def test_a_naive_time_is_refused(engine: Engine) -> None:
    with pytest.raises(Exception, match="no time zone"), writing(engine) as connection:
        connection.execute(
            lease.insert().values(name="x", owner="me", token=1, expires_at=datetime(2023, 1, 1))  # noqa: DTZ001
        )


def test_microseconds_survive(engine: Engine) -> None:
    exact = datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    with writing(engine) as connection:
        connection.execute(lease.insert().values(name="x", owner="me", token=1, expires_at=exact))
    with reading(engine) as connection:
        assert connection.execute(select(lease.c.expires_at)).scalar_one() == exact


def program(folder: Path, database_url: str) -> App:
    write_cast(folder)
    return build_app(
        Settings(
            database_url=SecretStr(database_url),
            sites_file=folder / "sites.geojson",
            history_file=folder / "none.csv",
        )
    )


def contents(engine: Engine) -> list[Sequence[object]]:
    with reading(engine) as connection:
        return [
            looks(connection, site_id="busy-port"),
            evaluations(connection, "busy-port"),
            alerts(connection),
            deliveries(connection),
        ]


def test_what_the_version_before_wrote_is_there_after_the_upgrade_and_told_once(
    empty_engine: Engine, tmp_path: Path
) -> None:
    app = program(tmp_path, empty_engine.url.render_as_string(hide_password=False))
    start(app, NOON)
    days = [NOON - timedelta(days=30 - number) for number in range(29)]
    quiet = [look(f"{day:%Y-%m-%d}", 4, "ships_present") for day in days]
    with writing(app.engine) as connection:
        record_observations(
            connection, [*quiet, look(f"{NOON - timedelta(days=1):%Y-%m-%d}", 73, "ships_present")]
        )
    assert judge(app, NOON).changes == {"opened": 1}
    assert deliver(app, lambda: NOON, "me").count("sent") == 1
    before = contents(app.engine)
    assert [len(each) > 0 for each in before] == [True] * 4
    with writing(app.engine) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    assert "upgraded to" in start(app, NOON)[0]
    assert contents(app.engine) == before
    assert (judge(app, NOON).judged, deliver(app, lambda: NOON, "me").count("sent")) == (0, 0)
    app.close()
    empty_engine.dispose()


def test_a_database_of_an_older_version_is_left_to_the_service(tmp_path: Path) -> None:
    app = program(tmp_path, f"sqlite:///{tmp_path / 'older.db'}")
    migrate(app.engine, "0001")
    with pytest.raises(WorkFailed, match="belongs to an older sitewatch"):
        prepare(app, NOON)
    assert current_revision(app.engine) == "0001"
    assert "upgraded to" in start(app, NOON)[0]
    prepare(app, NOON)
    app.close()
