"""A publication without a date is known at the earliest when its period had ended, and every way out says so."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Engine

from alerts.delivery.compose import compose_within
from db.declared import declared, notes
from db.deliveries import deliveries
from db.engine import reading, writing
from db.migrate import alembic_config, migrate
from db.observations import looks
from db.records import Observation
from db.records.counts import UNDATED
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imports import import_file
from monitor.reports.backtest import BacktestQuery, markdown, run_backtest
from monitor.reports.history import HistoryQuery, read_history
from monitor.reports.tables import csv_text, feature_collection, history_document, history_rows, history_table
from monitor.web.api.models import observation_item
from tests.kit.cast import CAST_BY_ID, write_cast

NOW = datetime(2024, 8, 1, 9, tzinfo=UTC)
HEADER = "site_id,start,end,metric,subject,value,comparator,published,publisher,url,note\n"
ROWS = HEADER + (
    "busy-port,2023-11-18,,containers,,5,=,,White House,,Released later.\n"
    "busy-port,2023-11-19,,containers,,6,=,2023-12-02,White House,,Dated.\n"
    "busy-port,2023-11-20,,containers,,7,=,,,,Counted here.\n"
    "busy-port,2023-11-21T03:00Z,,containers,,8,=,,,https://example.org/a,\n"
    "busy-port,2020-01,2023-10,containers,,4,max,,White House,,\n"
    "busy-port,2023-11-18,,note,,,,,White House,,A remark.\n"
)


@pytest.fixture
def filled(engine: Engine, tmp_path: Path) -> Engine:
    path = tmp_path / "counts.csv"
    path.write_text(ROWS, encoding="utf-8")
    report = import_file(engine, path, CAST_BY_ID, NOW)
    assert (report.stored, report.declared, report.notes, report.faults) == (4, 1, 1, ())
    return engine


@pytest.fixture
def program(engine: Engine, tmp_path: Path) -> Iterator[App]:
    """The program under its default configuration, on that database."""
    settings = Settings(
        database_url=SecretStr(f"sqlite:///{tmp_path}/other.db"),
        sites_file=write_cast(tmp_path),
        history_file=tmp_path / "none.csv",
    )
    with closing(build_app(settings)) as app:
        app.engine.dispose()
        yield replace(app, engine=engine)


def stored(engine: Engine) -> dict[float | None, Observation]:
    with reading(engine) as connection:
        return {each.value: each for each in looks(connection, site_id="busy-port")}


def test_what_a_publisher_says_without_a_date_is_marked_and_nothing_else(filled: Engine) -> None:
    known = stored(filled)
    assert {value: each.undated for value, each in known.items()} == {5: True, 6: False, 7: False, 8: True}
    assert known[5].note == f"Released later. {UNDATED}"
    assert known[8].note == UNDATED
    with reading(filled) as connection:
        assert [each.undated for each in declared(connection, "busy-port", "containers")] == [True]
        assert [each.text for each in notes(connection, "busy-port")] == [f"A remark. {UNDATED}"]


def test_a_correction_without_a_date_is_known_since_its_import(filled: Engine, tmp_path: Path) -> None:
    path = tmp_path / "again.csv"
    path.write_text(ROWS.replace(",5,=", ",55,="), encoding="utf-8")
    assert import_file(filled, path, CAST_BY_ID, NOW).revised == 1
    corrected = stored(filled)[55]
    assert (corrected.undated, corrected.note, corrected.result_time) == (False, "Released later.", NOW)


def test_what_is_brought_in_before_its_period_ended_is_known_since_then(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "today.csv"
    path.write_text(f"{HEADER}busy-port,2024-08-01,,containers,,5,=,,White House,,\n", encoding="utf-8")
    import_file(engine, path, CAST_BY_ID, NOW)
    assert (stored(engine)[5].undated, stored(engine)[5].result_time) == (False, NOW)


def test_every_export_leaves_the_date_empty_and_gives_the_earliest(filled: Engine) -> None:
    with reading(filled) as connection:
        history = read_history(connection, CAST_BY_ID["busy-port"], HistoryQuery("containers"))
    table = list(csv.DictReader(io.StringIO(csv_text(history_rows(history)))))
    known = {row["value"]: (row["published"], row["knowable_from"]) for row in table}
    assert known["5"][0] == known["8"][0] == known["4"][0] == ""
    assert known["5"][1] > "2023-11-18"
    assert known["6"] == ("2023-12-02T00:00:00Z", "2023-12-02T00:00:00Z")
    features = [each["properties"] for each in feature_collection(history_table([history], {}))["features"]]
    assert [each["published"] for each in features if each["value"] == 5] == [None]
    document = history_document(history)
    assert document["undated"] == 3
    assert {each["value"]: each["undated"] for each in document["looks"]}[5] is True
    assert observation_item(stored(filled)[5], ()).undated


def test_as_of_counts_them_and_can_leave_them_out(filled: Engine) -> None:
    as_of = datetime(2023, 11, 30, tzinfo=UTC)
    with reading(filled) as connection:
        kept, left = (
            read_history(
                connection, CAST_BY_ID["busy-port"], HistoryQuery("containers", as_of=as_of, dated_only=only)
            )
            for only in (False, True)
        )
    assert ([each.value for each in kept.looks], kept.undated) == ([5, 7, 8], 3)
    assert ([each.value for each in left.looks], left.declared, left.undated) == ([7], (), 3)


def test_a_backtest_says_how_many_it_took_as_known(filled: Engine, program: App) -> None:
    watch = program.watches["busy-port"]
    said = [
        markdown(run_backtest(filled, watch, BacktestQuery("containers", starts=0, dated_only=only), NOW))
        for only in (False, True)
    ]
    assert "3 published statements have no known date of publication: each is taken as known from" in said[0]
    assert "3 published statements have no known date of publication, and were left out." in said[1]
    # Of the procedure with most looks there is one look left.
    assert "3 looks, each judged" in said[0]
    assert "1 look, each judged" in said[1]


def test_a_message_says_that_the_day_is_not_known(engine: Engine, program: App, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(
        f"{HEADER}busy-port,2019-11,2024-06,containers,,20,max,2024-07-01,Institute,,\n"
        "busy-port,2024-07-28,,containers,,300,=,,White House,,\n",
        encoding="utf-8",
    )
    import_file(engine, path, CAST_BY_ID, NOW)
    pipeline.judge(program, NOW)
    with reading(engine) as connection:
        (message,) = (compose_within(connection, each, None) for each in deliveries(connection))
    assert any(
        "date of publication not known, at the earliest 2024-07-29" in each for each in message.paragraphs
    )
    assert not any("known since" in each for each in message.paragraphs)


def test_an_older_database_learns_it_and_can_forget_it_again(filled: Engine, program: App) -> None:
    pipeline.note_sites(program, NOW)
    marked = stored(filled)
    with writing(filled) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    assert not any(each.undated for each in stored(filled).values())
    migrate(filled)
    assert stored(filled) == marked
    with reading(filled) as connection:
        assert [each.undated for each in declared(connection, "busy-port", "containers")] == [True]
        assert [each.text for each in notes(connection, "busy-port")] == [f"A remark. {UNDATED}"]
