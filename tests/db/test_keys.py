"""Rows by their keys are found by an index: a scan of a large table would hold the lock of every other writer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, event

from db.engine import reading, writing
from db.evaluations import verdicts
from db.observations import known_revisions, record_observations
from db.pages import LookFilter, look_page
from tests.kit.builders import look

DAY = datetime(2024, 7, 9, tzinfo=UTC)
LOOKS = [look(f"{DAY + timedelta(days=number):%Y-%m-%d}", number, "ships_present") for number in range(60)]


def plans(engine: Engine, ask: Callable[[Connection], object]) -> list[str]:
    """How SQLite reads the tables that a piece of work asks for by keys."""
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    with writing(engine) as connection:
        event.listen(engine, "before_cursor_execute", note)
        try:
            ask(connection)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    with reading(engine) as connection:
        raw = connection.connection.cursor()
        found = []
        for statement, parameters in asked:
            if "VALUES (" in statement and not statement.startswith("INSERT"):
                raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
                found += [str(row[3]) for row in raw.fetchall()]
        return found


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: record_observations(connection, LOOKS),
        lambda connection: known_revisions(connection, LOOKS),
        lambda connection: verdicts(connection, [each.key for each in LOOKS]),
        lambda connection: look_page(connection, LookFilter(), None, 50),
    ],
)
def test_no_table_is_read_whole_for_a_list_of_keys(
    sqlite_engine: Engine, ask: Callable[[Connection], object]
) -> None:
    with writing(sqlite_engine) as connection:
        record_observations(connection, LOOKS)
    found = plans(sqlite_engine, ask)
    assert any("SEARCH" in line for line in found), found
    tables = ("observation", "evaluation")
    assert not [line for line in found if line.startswith(tuple(f"SCAN {each}" for each in tables))], found
