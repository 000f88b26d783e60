"""kill -9 in the middle of an import or a restore: nobody ever sees half, and the same command does it whole."""

import json
import multiprocessing
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select

from db.alerts import alerts
from db.backup import back_up
from db.engine import open_engine, reading, writing
from db.imports import drop_abandoned
from db.observations import count_recorded, looks
from db.pages import series_summaries
from db.schema import declared_baseline, metadata, note, observation, series
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.pipeline import judge, start
from tests.kit.cast import write_cast
from tests.kit.fakes.import_child import BEGAN, ROWS, import_counts, restore, write_counts

pytestmark = [pytest.mark.long, pytest.mark.untraced]

Child = Callable[[str, Path, int, int], None]
LATER = BEGAN + timedelta(days=1)


def run(child: Child, url: str, file: Path, attempt: int = 0, die_at: int = 0) -> int | None:
    """One process; give how it ended."""
    method = multiprocessing.get_context("forkserver")
    method.set_forkserver_preload(["tests.kit.fakes.import_child"])
    process = method.Process(target=child, args=(url, file, attempt, die_at))
    process.start()
    process.join(120)
    code = process.exitcode
    process.close()
    return code


@contextmanager
def program(url: str, folder: Path) -> Iterator[App]:
    """The program on this database, asking nobody."""
    off = {name: {"enabled": False} for name in ("adsb.lol", "earth-search")}
    settings = Settings.model_validate(
        {
            "database_url": url,
            "sites_file": write_cast(folder),
            "history_file": folder / "none.csv",
            "providers": off,
        }
    )
    app = build_app(settings)
    try:
        yield app
    finally:
        app.close()


def stored(engine: Engine) -> dict[str, list[str]]:
    """All that an import may write, and what was told of it, whenever it was recorded."""
    found = {}
    with reading(engine) as connection:
        for table in (observation, declared_baseline, note, series):
            columns = [each for each in table.c if each.name != "recorded_at"]
            rows = connection.execute(select(*columns)).mappings()
            found[table.name] = sorted(json.dumps(dict(row), sort_keys=True, default=str) for row in rows)
        found["told"] = sorted(
            f"{each.fingerprint} {each.status} {each.headline}" for each in alerts(connection)
        )
    return found


def seen(engine: Engine) -> int:
    """How many looks anybody sees by any way."""
    with reading(engine) as connection:
        by_site = [looks(connection, site_id=each) for each in ("busy-port", "donut-base")]
        seen = {look.series for looks_there in by_site for look in looks_there}
        assert {each.key for each in series_summaries(connection)} == seen
        assert count_recorded(connection) == sum(map(len, by_site))
    return sum(map(len, by_site))


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_an_import_that_is_killed_again_and_again_leaves_nothing_and_ends_as_one_that_never_was(
    database_url: str, migrated_sqlite: Path, tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "counts.csv"
    write_counts(file)
    twin = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'twin.db')}"
    assert run(import_counts, twin, file) == 0
    length = int(file.with_suffix(".statements").read_text())
    (tmp_path / "twin").mkdir()
    with program(twin, tmp_path / "twin") as app:
        start(app, BEGAN)
        judge(app, LATER)
        whole = stored(app.engine)
    seed = random.SystemRandom().getrandbits(32)
    # The last statements of all let the import be seen: a kill after them is none of it.
    # An import has few statements, fifty rows in each: many kills strike some of them more than once.
    cuts = random.Random(seed).choices(range(1, length - 4), k=kills)
    with program(database_url, tmp_path) as app:
        start(app, BEGAN)
        for attempt, cut in enumerate(cuts):
            assert run(import_counts, database_url, file, attempt, cut) == -signal.SIGKILL, seed
            assert seen(app.engine) == 0, seed
            assert judge(app, LATER).judged == 0, f"half a file was judged, seed {seed}"
            if attempt % 5 == 4:
                drop_abandoned(app.engine)
                assert not any(stored(app.engine).values()), seed
        for attempt in (kills, kills + 1):
            assert run(import_counts, database_url, file, attempt) == 0
            assert seen(app.engine) == ROWS
        judge(app, LATER)
        assert stored(app.engine) == whole, seed
        kind = app.engine.dialect.name
    with capsys.disabled():
        print(  # noqa: T201 — where it was killed is worth seeing
            f"\n{kind}: {kills} kills in an import of {ROWS} rows ({length} statements), nothing seen in between, "
            f"seed {seed}"
        )


def everything(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table but the one that says who watches now."""
    with reading(engine) as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
            if table.name != "lease"
        }


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_a_restore_that_is_killed_leaves_the_old_or_the_new(
    database_url: str, tmp_path: Path, kills: int
) -> None:
    first, second = tmp_path / "counts.csv", tmp_path / "more.csv"
    write_counts(first)
    other = first.read_text(encoding="utf-8").replace("Harbour Watch", "Port Notes").splitlines()[:200]
    second.write_text("\n".join(other), encoding="utf-8")
    engine, kept = open_engine(database_url), tmp_path / "kept.db"

    def change() -> None:
        assert run(import_counts, database_url, second, 1) == 0
        with writing(engine) as connection:
            connection.execute(note.delete())

    assert run(import_counts, database_url, first) == 0
    back_up(engine, kept)
    new = everything(engine)
    change()
    assert everything(engine) != new
    assert run(restore, database_url, kept) == 0
    assert everything(engine) == new
    lasts_us = int(kept.with_suffix(".lasted").read_text())
    seed = random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    killed = 0
    while killed < kills // 2:
        change()
        old = everything(engine)
        ended = run(restore, database_url, kept, 0, chance.randint(1, lasts_us))
        killed += ended == -signal.SIGALRM
        assert ended in (0, -signal.SIGALRM), seed
        assert everything(engine) in (old, new), seed
    assert run(restore, database_url, kept) == 0
    assert everything(engine) == new
    assert not [name for name in inspect(engine).get_table_names() if name.startswith("restoring")]
    engine.dispose()
