"""`sitewatch observations import` and `sitewatch history` as a person or a script uses them."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from db.engine import open_engine, writing
from monitor.commands.asking import for_bytes
from monitor.commands.history import history
from monitor.commands.observations import observations_app
from monitor.errors import InputError
from tests.kit.cast import write_cast
from tests.kit.program import COMMAND, begin
from tests.kit.terminal import on_a_terminal

Run = Callable[..., Result]
COUNTS = (
    "site_id,start,metric,value,comparator,published,publisher,via,url,assessable,note,subject\n"
    "busy-port,2023-10-05,containers,73,~=,2023-10-06,Analysts,,https://example.org/a,,,\n"
    "busy-port,2023-10-07,containers,,,2023-10-13,Analysts,,,no,Cloud over the pier.,\n"
    "busy-port,2018-10-06,containers,20,max,2023-10-06,Analysts,a newspaper,https://example.org/a,,,\n"
    "busy-port,2023-09,containers,,trend_up,2023-10-06,Analysts,,,,,\n"
    "busy-port,2023-10-05,ships_present,1,,,=cmd(),,,,,ship:Lady R\n"
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in a folder of its own: the cast's sites, a fresh SQLite file, no published history."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(write_cast(tmp_path)))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    app = typer.Typer()
    app.add_typer(observations_app, name="observations")
    app.command()(history)
    yield lambda *words: CliRunner().invoke(app, list(words))
    structlog.reset_defaults()


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    path.write_text(COUNTS, encoding="utf-8")
    return path


@pytest.fixture
def filled(run: Run, counts: Path) -> Run:
    assert run("observations", "import", str(counts)).exit_code == 0
    return run


def printed(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refusal(result: Result) -> str:
    assert isinstance(result.exception, InputError), (result.output, result.exception)
    return str(result.exception)


def test_an_import_says_what_it_did(run: Run, counts: Path) -> None:
    first = printed(run("observations", "import", str(counts)))
    assert f"{counts}: 3 new looks, 0 corrected, 0 known already, 1 declared baseline, 1 note." in first
    assert (
        "Bare dates were taken as days in Europe/Oslo (5 rows). The column zone or --zone says otherwise."
        in first
    )
    assert "0 new looks, 0 corrected, 5 known already" in printed(run("observations", "import", str(counts)))


def test_an_import_takes_the_days_of_another_zone(run: Run, counts: Path) -> None:
    said = printed(run("observations", "import", str(counts), "--zone", "utc"))
    assert "Bare dates were taken as days in UTC (5 rows)." in said
    assert "not a time zone" in refusal(run("observations", "import", str(counts), "--zone", "Oslo"))


def test_notices_are_told(run: Run, counts: Path) -> None:
    counts.write_text("site_id,start,metric,value,id\nbusy-port,2023-10-05,containers,1,7\n")
    said = printed(run("observations", "import", str(counts)))
    assert "The id of one row is a bare number, as exports number their rows, and no name" in said


def test_an_import_in_json(run: Run, counts: Path) -> None:
    document = json.loads(printed(run("observations", "import", str(counts), "--json")))
    assert document == {
        "file": str(counts), "ok": True, "stored": 3, "revised": 0, "unchanged": 0, "declared": 1, "notes": 1, "faults": [],
        "notices": [], "zones": {"Europe/Oslo": 5},
    }  # fmt: skip


def test_bad_rows_are_listed_and_nothing_is_imported(run: Run, counts: Path) -> None:
    counts.write_text(
        COUNTS + "busy-port,2023-10-09,containers,-1,,,,,,,,\nbusy-prot,2023-10-09,containers,1,,,,,,,,\n"
    )
    result = run("observations", "import", str(counts))
    assert result.exit_code == 2
    assert "row 7, value: -1 is negative." in result.stderr
    assert 'row 8, site_id: "busy-prot" is not a watched site. Did you mean "busy-port"?' in result.stderr
    assert "Nothing was imported" in result.stderr
    assert result.stdout == ""
    assert "Nothing recorded" in printed(run("history", "busy-port"))


def test_bad_rows_in_json(run: Run, counts: Path) -> None:
    counts.write_text(COUNTS + "busy-port,2023-10-09,containers,-1,,,,,,,,\n")
    result = run("observations", "import", str(counts), "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert (document["ok"], document["stored"]) == (False, 0)
    assert document["faults"][0]["row"] == "row 7"
    assert document["faults"][0]["column"] == "value"


def test_good_rows_are_imported_beside_bad_ones_when_asked(run: Run, counts: Path) -> None:
    counts.write_text(COUNTS + "busy-port,2023-10-09,containers,-1,,,,,,,,\n")
    result = run("observations", "import", str(counts), "--skip-bad")
    assert "3 new looks" in printed(result)
    assert "row 7, value: -1 is negative." in result.stderr


def test_a_file_that_cannot_be_read_is_refused_even_so(run: Run, tmp_path: Path) -> None:
    result = run("observations", "import", str(tmp_path / "nothing.csv"), "--skip-bad")
    assert result.exit_code == 2
    assert "nothing.csv cannot be read" in result.stderr


def test_very_many_faults_are_cut_short(run: Run, counts: Path) -> None:
    counts.write_text(COUNTS + 60 * "busy-port,2023-10-09,containers,-1,,,,,,,,\n")
    assert "and 10 more faults." in run("observations", "import", str(counts)).stderr


def test_progress_of_a_long_file_is_told(run: Run, counts: Path) -> None:
    row = "busy-port,2023-10-09,containers,1,,,,,,,,\n"
    counts.write_text(COUNTS.splitlines(keepends=True)[0] + 10_000 * row)
    assert "10,000 rows checked …" in run("observations", "import", str(counts)).stderr


def test_the_table_shows_looks_then_what_others_declared_then_notes(filled: Run) -> None:
    lines = printed(filled("history", "busy-port", "containers")).splitlines()
    assert lines[0] == "Busy Port (busy-port), days of Europe/Oslo"
    assert [line for line in lines if line in {"Looks", "Declared by others", "Notes"}] == [
        "Looks",
        "Declared by others",
        "Notes",
    ]
    (day,) = [line for line in lines if line.startswith("2023-10-05")]
    for words in (
        "about 73",
        "unknown",
        "counted",
        "Analysts",
        "2023-10-06 00:00 UTC",
        "https://example.org/a",
    ):
        assert words in day
    (cloud,) = [line for line in lines if line.startswith("2023-10-07")]
    assert "not assessable: Analysts: “Cloud over the pier”" in cloud
    assert " 0 " not in cloud
    (declared,) = [line for line in lines if "at most 20" in line]
    assert "not published" in declared
    assert "Analysts (via a newspaper)" in declared
    assert "Rising, no numbers published." in [line for line in lines if line][-2]
    assert lines[-1].startswith("Data: Analysts; ")


def test_as_of_leaves_out_what_was_not_knowable(filled: Run) -> None:
    assert "2023-10-07" not in printed(filled("history", "busy-port", "containers", "--as-of", "2023-10-06"))
    assert "2023-10-07" in printed(filled("history", "busy-port", "containers", "--as-of", "2023-10-13"))
    before = printed(filled("history", "busy-port", "containers", "--as-of", "2023-10-05T23:59Z"))
    assert before.startswith(
        "Nothing recorded for containers at Busy Port (busy-port), as knowable at 2023-10-05 23:59 UTC. That is not "
        "zero: nobody counted, or nobody told. “sitewatch observations import FILE” brings counts in.\n"
    )


def test_as_recorded_leaves_out_what_this_database_did_not_know(filled: Run) -> None:
    said = printed(filled("history", "busy-port", "--as-recorded", "2024-01"))
    assert "as recorded by 2024-01-31 22:59 UTC" in said  # the end of the month in Oslo
    assert "2099" in printed(filled("history", "busy-port", "--as-recorded", "2099-01-01"))


def test_since_and_until_are_the_sites_own_days(filled: Run) -> None:
    def days(*options: str) -> list[str]:
        rows = csv.DictReader(
            io.StringIO(printed(filled("history", "busy-port", "--format", "csv", *options)))
        )
        return sorted({row["local_period"] for row in rows if row["record"] == "look"})

    assert days() == ["2023-10-05", "2023-10-07"]
    assert days("--since", "2023-10-06") == ["2023-10-07"]
    assert days("--until", "2023-10-06") == ["2023-10-05"]
    assert days("--until", "2023-10-04T22:00Z") == []
    assert days("--since", "2023-10", "--until", "2023-10") == ["2023-10-05", "2023-10-07"]


def test_a_history_fits_80_columns_without_cutting_a_word(filled: Run, tmp_path: Path) -> None:
    shown = on_a_terminal(
        *COMMAND,
        "history",
        "busy-port",
        folder=tmp_path,
        SITEWATCH_SITES_FILE=str(tmp_path / "sites.geojson"),
        SITEWATCH_HISTORY_FILE=str(tmp_path / "none.csv"),
    )
    assert "…" not in shown
    lines = re.sub(r"\x1b\[\d*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines.count("2023-10-05") == 2
    day = lines[lines.index("2023-10-05") :][:8]
    assert "  what: containers · count: about 73 · observed: unknown · status: counted" in day
    assert any("says: Analysts · knowable since: 2023-10-06 00:00 UTC" in line for line in day)
    assert any("source: https://example.org/a" in line for line in day)


def test_the_same_stands_in_one_table_where_there_is_room(filled: Run, tmp_path: Path) -> None:
    shown = on_a_terminal(
        *COMMAND,
        "history",
        "busy-port",
        folder=tmp_path,
        columns=240,
        SITEWATCH_SITES_FILE=str(tmp_path / "sites.geojson"),
        SITEWATCH_HISTORY_FILE=str(tmp_path / "none.csv"),
    )
    (line,) = [line for line in shown.splitlines() if "about 73" in line]
    assert [cell for cell in line.split("  ") if cell][-1].strip() == "https://example.org/a"


def test_only_baselines_and_notes_is_no_zero(filled: Run) -> None:
    said = printed(filled("history", "busy-port", "containers", "--until", "2023-10-01"))
    assert "No looks recorded: that is not zero, nobody counted." in said
    assert "at most 20" in said


def test_one_json_document(filled: Run) -> None:
    document = json.loads(printed(filled("history", "busy-port", "containers", "--json")))
    assert document == json.loads(printed(filled("history", "busy-port", "containers", "--format", "json")))
    assert (document["site"], document["metric"]) == ("busy-port", "containers")
    assert [look["value"] for look in document["looks"]] == [73, None]
    assert [each["statistic"] for each in document["declared"]] == ["max"]
    assert len(document["notes"]) == 1


def test_csv_cannot_run_in_a_spreadsheet(filled: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(filled("history", "busy-port", "--format", "csv")))))
    (ship,) = [row for row in rows if row["metric"] == "ships_present"]
    assert (ship["publisher"], ship["attribution"], ship["comparator"]) == ("'=cmd()", "'=cmd()", "=")
    assert ship["value"] == "1"
    assert {row["record"] for row in rows} == {"look", "declared", "note"}


def test_geojson(filled: Run) -> None:
    collection = json.loads(printed(filled("history", "busy-port", "--format", "geojson")))
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == 5


def test_one_subject(filled: Run) -> None:
    document = json.loads(printed(filled("history", "busy-port", "--subject", "ship:Lady R", "--json")))
    assert [look["subject"] for look in document["looks"]] == ["ship:Lady R"]
    assert "ships_present ship:Lady R" in printed(filled("history", "busy-port", "ships_present"))


def test_parquet_says_what_is_missing(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.reports.geoparquet.find_spec", lambda _: None)
    assert "pip install pyarrow" in refusal(filled("history", "busy-port", "--format", "parquet"))


def test_parquet_is_not_for_a_screen(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with (
        os.fdopen(theirs, "w", encoding="utf-8") as screen,
        pytest.raises(InputError, match="not for the screen"),
    ):
        for_bytes(screen, "parquet")
    os.close(ours)
    with (tmp_path / "file").open("w", encoding="utf-8") as file:
        assert for_bytes(file, "parquet") is file.buffer


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), 'No watched site has the id "nowhere"'),
        (("busy-port", "container"), 'Did you mean "containers"?'),
        (
            ("busy-port", "--as-of", "banana"),
            '--as-of: "banana" is not understood. Write a day (2023-10-05), a mon',
        ),
        (
            ("busy-port", "--since", "2023-10-05T10:00"),
            "Write 2023-10-05T10:00Z where it is UTC, or 2023-10-05T10:00+02:00 where it is the site's own time.",
        ),
        (("busy-port", "--until", "2023-02-30"), "is no date in the calendar"),
        (("busy-port", "--json", "--format", "csv"), "cannot both be meant"),
    ],
)
def test_questions_that_cannot_be_answered(run: Run, words: tuple[str, ...], said: str) -> None:
    begin()
    assert said in refusal(run("history", *words))


def test_reading_goes_on_beside_a_writer(filled: Run, tmp_path: Path) -> None:
    service = open_engine(f"sqlite:///{tmp_path / 'var' / 'sitewatch.db'}")
    with writing(service):
        assert "about 73" in printed(filled("history", "busy-port", "containers"))
    service.dispose()


def test_the_published_history_is_there_from_the_start(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text(COUNTS, encoding="utf-8")
    begin()
    assert "about 73" in printed(run("history", "busy-port", "containers"))


def test_one_count_is_added_and_corrected_and_another_persons_stays_beside_it(run: Run) -> None:
    add = ("observations", "add", "busy-port", "containers")
    where = ("--start", "2023-10-05", "--reviewer")
    assert run(*add, "70", *where, "Ann", "--low", "60", "--high", "80").stdout == "Added.\n"
    assert run(*add, "70", *where, "Ann", "--low", "60", "--high", "80").stdout.startswith("Known already")
    assert run(*add, "72", *where, "Ann", "--low", "60", "--high", "80").stdout.startswith("Corrected")
    told = json.loads(run(*add, "40", *where, "Ben", "--json").stdout)
    assert (told["ok"], told["stored"]) == (True, 1)
    looks = json.loads(run("history", "busy-port", "containers", "--format", "json").stdout)["looks"]
    assert [(each["publisher"], each["value"], each["revision"]) for each in looks] == [
        ("Ben", 40.0, 1),
        ("Ann", 72.0, 2),
    ]
    assert {each["procedure"] for each in looks} == {"analyst"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("containers", "70", "--reviewer", "Ann"), 2, "Say when it was (start)"),
        (("containers", "70", "--reviewer", " ", "--start", "2023-10-05"), 2, "Say who counted"),
        (("containers", "70", "--reviewer", "Ann", "--scene", "S2A_X"), 2, "its time is not known"),
        (("containers", "70.5", "--reviewer", "Ann", "--start", "2023-10-05"), 2, "is not a whole number"),
        (("containers", "--reviewer", "Ann", "--start", "2023-10-05"), 2, "it is empty"),
        (("trains", "7", "--reviewer", "Ann", "--start", "2023-10-05"), 2, "is not a metric"),
    ],
)
def test_a_count_that_cannot_be_used_is_told_and_nothing_is_stored(
    run: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    result = run("observations", "add", "busy-port", *words)
    assert result.exit_code == code or isinstance(result.exception, InputError)
    assert said in result.output + str(result.exception)
    # The file that is not there would be made by `add` alone.
    stored = run("history", "busy-port", "--format", "json")
    assert stored.exit_code != 0 or json.loads(stored.stdout)["looks"] == []


def test_what_could_not_be_seen_is_added_without_a_count(run: Run) -> None:
    words = (
        "--reviewer",
        "Ann",
        "--start",
        "2023-10-05",
        "--not-assessable",
        "--note",
        "Cloud over the pier.",
    )
    assert run("observations", "add", "busy-port", "containers", *words).stdout == "Added.\n"
    (look,) = json.loads(run("history", "busy-port", "--format", "json").stdout)["looks"]
    assert (look["value"], look["assessable"]) == (None, False)
