"""While an import lasts nobody sees any of it, everybody can write, and whatever ends it early leaves nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, func, select

from db.backup import back_up, opened_backup
from db.declared import declared, notes
from db.engine import reading, writing
from db.evaluations import unjudged
from db.imports import ImportOvertakenError, drop_abandoned, drop_unfinished, import_turn
from db.leases import take_lease
from db.observations import count_recorded, count_revisions, every_revision, looks
from db.page_marks import read_marks
from db.pages import look_page, series_summaries
from db.records import LookFilter
from db.schema import observation, series
from db.weeks import read_week
from monitor.imports import ImportReport, import_file
from monitor.imports.load import ROWS_AT_ONCE
from tests.kit.cast import CAST_BY_ID

NOW = datetime(2024, 8, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ROWS = 3 * ROWS_AT_ONCE
HEADER = "site_id,start,metric,value,comparator,published,publisher\n"


def write(folder: Path, publisher: str = "Analysts", first: int = 0) -> Path:
    """A file with a statistic and a note on top, so that these are stored first."""
    day = datetime(2024, 7, 30, tzinfo=UTC)
    rows = [
        f"busy-port,2024-01,ships_present,20,max,2024-07-01,{publisher}",
        f"busy-port,2024-07,ships_present,,trend_up,,{publisher}",
        *(
            f"busy-port,{day - timedelta(days=number):%Y-%m-%d},ships_present,{number % 7},=,,{publisher}"
            for number in range(first, first + ROWS - 2)
        ),
    ]
    path = folder / f"{publisher}.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def seen(connection: Connection) -> dict[str, int]:
    """What each way of reading shows."""
    place = ("busy-port", "", "ships_present")
    week = read_week(connection, NOW - timedelta(days=1), LATER, 4, lambda _rule, _details: None)
    return {
        "looks": len(looks(connection, site_id="busy-port")),
        "page": len(look_page(connection, LookFilter(), None, 10_000)),
        "series": len(series_summaries(connection)),
        "recorded": count_recorded(connection),
        "revisions": count_revisions(connection, *place),
        "every revision": len(every_revision(connection, *place)),
        "waiting": len(unjudged(connection, LATER, 10_000)),
        "declared": len(declared(connection, "busy-port")),
        "notes": len(notes(connection, "busy-port")),
        "week": week.looks,
    }


def imported(engine: Engine, path: Path, told: Callable[[str, int], None] | None = None) -> ImportReport:
    return import_file(engine, path, CAST_BY_ID, NOW, progress=told)


def test_nobody_sees_any_of_it_until_all_is_there_and_others_write_meanwhile(
    engine: Engine, tmp_path: Path
) -> None:
    marks, between = [read_marks(engine)["looks"]], []

    def look(stage: str, rows: int) -> None:
        if stage == "stored" and rows < ROWS:
            with writing(engine) as connection:
                assert take_lease(connection, f"other {rows}", NOW, 0, f"other {rows}")
            with reading(engine) as connection:
                between.append(
                    (
                        seen(connection),
                        connection.execute(select(func.count(observation.c.revision))).scalar_one(),
                    )
                )
            marks.append(read_marks(engine)["looks"])

    assert imported(engine, write(tmp_path), look).stored == ROWS - 2
    assert [number for _, number in between] == [ROWS_AT_ONCE - 2, 2 * ROWS_AT_ONCE - 2], (
        "rows are there by then"
    )
    assert all(not any(shown.values()) for shown, _ in between)
    with reading(engine) as connection:
        shown = seen(connection)
    assert shown.pop("declared") == shown.pop("notes") == shown.pop("series") == 1
    assert shown.pop("week") == 7, "the others are history"
    assert set(shown.values()) == {ROWS - 2}
    assert read_marks(engine)["looks"] not in marks, "an open page looks again"


def test_no_transaction_stores_more_than_a_few_rows(engine: Engine, tmp_path: Path) -> None:
    stored, most = [0], [0]

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("INSERT INTO observation"):
            stored[0] += len(parameters) if isinstance(parameters, list) else 1

    def end(_connection: object) -> None:
        most[0], stored[0] = max(most[0], stored[0]), 0

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", end)
    imported(engine, write(tmp_path))
    assert 0 < most[0] <= ROWS_AT_ONCE


def test_what_fails_in_the_middle_leaves_nothing_and_what_was_there_stays(
    engine: Engine, tmp_path: Path
) -> None:
    imported(engine, write(tmp_path))
    with reading(engine) as connection:
        before = seen(connection)

    def fail(stage: str, rows: int) -> None:
        if (stage, rows) == ("stored", 2 * ROWS_AT_ONCE):
            raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError):
        imported(engine, write(tmp_path, "Others"), fail)
    with reading(engine) as connection:
        assert seen(connection) == before
        assert connection.execute(select(func.count(observation.c.revision))).scalar_one() == ROWS - 2
        assert connection.execute(select(func.count(series.c.metric))).scalar_one() == 1
    assert drop_abandoned(engine) == 0
    assert imported(engine, write(tmp_path, "Others")).stored == ROWS - 2


def test_one_that_was_taken_for_dead_stores_nothing_more_and_says_so(engine: Engine, tmp_path: Path) -> None:
    def drop(stage: str, rows: int) -> None:
        if (stage, rows) == ("stored", ROWS_AT_ONCE):
            assert drop_abandoned(engine) == 0, "somebody imports"
            assert drop_unfinished(engine) == ROWS_AT_ONCE

    with pytest.raises(ImportOvertakenError, match="took this one for dead"):
        imported(engine, write(tmp_path), drop)
    with reading(engine) as connection:
        assert not any(seen(connection).values())
        assert not connection.execute(select(func.count(observation.c.revision))).scalar_one()


def test_a_backup_leaves_out_what_is_under_way(engine: Engine, tmp_path: Path) -> None:
    imported(engine, write(tmp_path))
    kept = tmp_path / "kept.db"

    def keep(stage: str, rows: int) -> None:
        if (stage, rows) == ("stored", ROWS_AT_ONCE):
            back_up(engine, kept)

    imported(engine, write(tmp_path, "Others"), keep)
    with opened_backup(kept) as copy, reading(copy) as connection:
        assert seen(connection)["looks"] == ROWS - 2
        assert connection.execute(select(func.count(observation.c.revision))).scalar_one() == ROWS - 2
    with reading(engine) as connection:
        assert seen(connection)["looks"] == 2 * (ROWS - 2)


def test_two_imports_of_one_instant_are_told_apart(engine: Engine, tmp_path: Path) -> None:
    imported(engine, write(tmp_path))
    with import_turn(engine, NOW) as turn, reading(engine) as connection:
        assert turn.moment == NOW + timedelta(microseconds=1)
        assert seen(connection)["looks"] == ROWS - 2, "what came before stays in sight"
