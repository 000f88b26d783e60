"""A file is imported wholly or not at all, twice is as good as once, and a hostile one does no harm."""

import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from db.declared import declared, notes
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import looks
from db.records import Observation
from db.records.counts import UNDATED
from db.schema import metadata
from monitor.imports import ImportReport, UnreadableFile, csv_rows, feature_rows, import_file, open_rows
from monitor.imports.load import ROWS_AT_ONCE
from monitor.sites.document import page_words
from tests.kit.cast import CAST_BY_ID

NOW = datetime(2024, 8, 1, 9, tzinfo=UTC)
HEADER = "site_id,start,metric,value,comparator,published,publisher\n"
COUNTS = HEADER + (
    "busy-port,2024-07-09,ships_present,3,=,,Analysts\n"
    "busy-port,2024-07-10,ships_present,300,=,2024-07-10,Analysts\n"
    "busy-port,2024-07-10,ships_present,30,=,2024-07-12,Analysts\n"
    "busy-port,2024-01,ships_present,20,max,2024-07-01,Analysts\n"
    "busy-port,2024-07,ships_present,,trend_up,,Analysts\n"
)


def write(tmp_path: Path, text: str, name: str = "counts.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def imported(engine: Engine, path: Path, *, skip_bad: bool = False) -> ImportReport:
    return import_file(engine, path, CAST_BY_ID, NOW, skip_bad=skip_bad)


def stored(engine: Engine, as_of: datetime | None = None) -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id="busy-port", as_of=as_of)


def test_a_file_is_imported(engine: Engine, tmp_path: Path) -> None:
    report = imported(engine, write(tmp_path, COUNTS))
    assert report == ImportReport(stored=2, revised=1, unchanged=0, declared=1, notes=1)
    with reading(engine) as connection:
        assert [each.value for each in declared(connection, "busy-port", "ships_present")] == [20]
        assert [each.text for each in notes(connection, "busy-port")] == [
            f"Rising, no numbers published. {UNDATED}"
        ]


def test_importing_twice_stores_nothing_new(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, COUNTS)
    imported(engine, path)
    before = stored(engine)
    assert imported(engine, path) == ImportReport(unchanged=5)
    assert stored(engine) == before


def test_a_correction_is_seen_from_its_own_publication_on(engine: Engine, tmp_path: Path) -> None:
    imported(engine, write(tmp_path, COUNTS))
    for day, expected in ((9, []), (10, [300.0]), (11, [300.0]), (12, [30.0])):
        known = stored(engine, as_of=datetime(2024, 7, day, 12, tzinfo=UTC))
        assert [each.value for each in known if each.value != 3] == expected


def test_what_this_database_knew_before_a_correction_can_be_asked(engine: Engine, tmp_path: Path) -> None:
    rows = COUNTS.splitlines(keepends=True)
    import_file(engine, write(tmp_path, HEADER + rows[2]), CAST_BY_ID, NOW)
    import_file(engine, write(tmp_path, HEADER + rows[3]), CAST_BY_ID, NOW + timedelta(days=1))
    with reading(engine) as connection:
        before = looks(connection, site_id="busy-port", as_recorded=NOW)
        after = looks(connection, site_id="busy-port", as_recorded=NOW + timedelta(days=1))
    assert [each.value for each in before + after] == [300, 30]


def test_a_correction_without_a_date_is_known_from_its_import_on(engine: Engine, tmp_path: Path) -> None:
    row = "busy-port,2024-07-10,ships_present,{},=,,\n"
    wrong, right = (
        write(tmp_path, HEADER + row.format(300)),
        write(tmp_path, HEADER + row.format(30), "right.csv"),
    )
    imported(engine, wrong)
    assert imported(engine, right).revised == 1
    for path in (right, wrong, right):
        later = import_file(engine, path, CAST_BY_ID, NOW + timedelta(days=5))
        assert later == ImportReport(unchanged=1)
    assert [each.value for each in stored(engine, as_of=NOW - timedelta(days=1))] == [300]
    assert [(each.value, each.result_time) for each in stored(engine)] == [(30, NOW)]


def test_a_bad_row_keeps_every_row_out(engine: Engine, tmp_path: Path) -> None:
    path = write(
        tmp_path, COUNTS + "busy-port,2024-07-11,ships_present,-4,=,,\nnowhere,2024-07-11,railcars,4,=,,\n"
    )
    report = imported(engine, path)
    assert (report.stored, report.declared, report.notes) == (0, 0, 0)
    assert [(fault.row, fault.column) for fault in report.faults] == [
        ("row 7", "value"),
        ("row 8", "site_id"),
    ]
    assert stored(engine) == []


def test_bad_rows_may_be_skipped_and_are_still_named(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, COUNTS + "busy-port,2024-07-11,ships_present,-4,=,,\n")
    report = imported(engine, path, skip_bad=True)
    assert (report.stored, report.revised, report.declared, report.notes) == (2, 1, 1, 1)
    assert [fault.row for fault in report.faults] == ["row 7"]
    assert imported(engine, path, skip_bad=True).unchanged == 5


def test_two_rows_that_contradict_each_other(engine: Engine, tmp_path: Path) -> None:
    row = "busy-port,2024-07-10,ships_present,{},=,,Analysts\n"
    report = imported(engine, write(tmp_path, HEADER + row.format(3) + row.format(3) + row.format(4)))
    (fault,) = report.faults
    assert fault.row == "row 4"
    assert fault.problem == "it contradicts row 2 about the same look"
    assert "give each its time in published" in fault.mend


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("note,1,=,,Analysts,one\n", "note,1,=,,Analysts,two\n"),
        ("ships_present,20,max,,Analysts,\n", "ships_present,22,max,,Analysts,\n"),
    ],
)
def test_declared_baselines_and_notes_may_contradict_too(
    sqlite_engine: Engine, tmp_path: Path, first: str, second: str
) -> None:
    header = HEADER.replace("publisher\n", "publisher,note\n")
    start = "busy-port,2024-07-10,"
    report = imported(sqlite_engine, write(tmp_path, header + start + first + start + second))
    assert [fault.row for fault in report.faults] == ["row 3"]


def test_spreadsheet_dialects(sqlite_engine: Engine, tmp_path: Path) -> None:
    german = (
        "site_id;start;metric;value;exposure;note\r\n"
        'busy-port;2024-07-09;container_stack_length_m;90,5;0,8;"eins; zwei\r\ndrei"\r\n'
        ";;;;;\r\n"
    )
    imported(sqlite_engine, write(tmp_path, german, encoding="utf-8-sig"))
    (found,) = stored(sqlite_engine)
    assert (found.value, found.exposure, found.note) == (90.5, 0.8, "eins; zwei drei")
    tabs = HEADER.replace(",", "\t") + "busy-port\t2024-07-08\tships_present\t3\t\t\t\n"
    assert imported(sqlite_engine, write(tmp_path, tabs)).stored == 1


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    text = (
        HEADER
        + 'busy-port,2024-07-09,ships_present,3,=,,"two\nlines"\n\nbusy-port,2024-07-10,ships_present,3,=,,\n'
    )
    assert [row.label for row in csv_rows(io.StringIO(text, newline=""))] == ["row 2", "row 4"]


UNREADABLE = [
    ("", "the file: it is empty. Begin it with a row of column names: site_id, start, metric, value"),
    (
        HEADER.replace("publisher", "publsher"),
        'row 1, "publsher": this column is not known. Did you mean "publisher"?',
    ),
    (HEADER.replace("publisher", "value"), 'row 1, "value": this column stands there twice. Keep one'),
    (HEADER.replace("value,", ""), "row 1, value: this column is missing. Required are site_id, start"),
    (HEADER + 'busy-port,2024-07-09,"ships"x,3,=,,\n', "the file: it is not well-formed CSV"),
    (HEADER + '"busy-port,2024-07-09', "the file: it is not well-formed CSV"),
    (HEADER + "x" * 200_000, "the file: it is not well-formed CSV"),
]


@pytest.mark.parametrize(("text", "said"), UNREADABLE, ids=lambda value: value[:40])
def test_files_that_cannot_be_read(sqlite_engine: Engine, tmp_path: Path, text: str, said: str) -> None:
    (fault,) = imported(sqlite_engine, write(tmp_path, text), skip_bad=True).faults
    assert str(fault).startswith(said)


def test_columns_of_ones_own_are_left_alone(sqlite_engine: Engine, tmp_path: Path) -> None:
    text = "site_id,start,metric,value,x-mine\nbusy-port,2024-07-09,ships_present,3,=cmd()\n"
    assert imported(sqlite_engine, write(tmp_path, text)).stored == 1


def test_a_row_with_too_few_or_too_many_cells(sqlite_engine: Engine, tmp_path: Path) -> None:
    text = HEADER + "busy-port,2024-07-09,ships_present\nbusy-port,2024-07-09,ships_present,3,=,,a,b\n"
    report = imported(sqlite_engine, write(tmp_path, text))
    assert [fault.problem for fault in report.faults] == [
        "it has 3 cells, and the header has 7",
        "it has 8 cells, and the header has 7",
    ]


def test_a_file_that_is_not_utf8(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "busy-port,2024-07-09,ships_present,3,=,,Müller\n", encoding="latin-1")
    report = imported(sqlite_engine, path)
    assert "UTF-8" in report.faults[0].problem


def test_a_file_that_is_not_there(sqlite_engine: Engine, tmp_path: Path) -> None:
    (fault,) = imported(sqlite_engine, tmp_path / "missing.csv").faults
    assert "missing.csv cannot be read (No such file or directory)" in fault.problem


@pytest.mark.parametrize(("name", "size"), [("big.csv", 257 * 2**20), ("big.geojson", 33 * 2**20)])
def test_a_file_that_is_too_large(sqlite_engine: Engine, tmp_path: Path, name: str, size: int) -> None:
    path = tmp_path / name
    path.touch()
    os.truncate(path, size)
    (fault,) = imported(sqlite_engine, path).faults
    assert f"it has {size // 2**20} MiB, and the limit is" in fault.problem


def test_a_file_with_too_many_rows() -> None:
    row = "busy-port,2024-07-09,ships_present,3,=,,\n"
    with pytest.raises(UnreadableFile, match="more than 2 rows"):
        list(csv_rows(io.StringIO(HEADER + 3 * row), max_rows=2))
    assert len(list(csv_rows(io.StringIO(HEADER + 2 * row), max_rows=2))) == 2
    with pytest.raises(UnreadableFile, match="more than 2 rows"):
        list(feature_rows({"features": [{}, {}, {}]}, max_rows=2))


def test_geojson_is_imported_twice_like_csv(engine: Engine, tmp_path: Path) -> None:
    properties = {"site_id": "busy-port", "start": "2024-07-09", "metric": "ships_present", "value": 3}
    document = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "id": "p7", "geometry": None, "properties": properties}],
    }
    path = write(tmp_path, json.dumps(document), "counts.geojson")
    assert imported(engine, path) == ImportReport(stored=1)
    assert imported(engine, path) == ImportReport(unchanged=1)
    assert [each.look_key for each in stored(engine)] == ["p7"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"features": [{"properties": {"value": NaN}}]}', "NaN is not a number"),
        ('{"features": [' + "9" * 5_000 + "]}", "not usable JSON"),
        ("{", "not usable JSON"),
        ("[]", "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": {}}', "not a GeoJSON FeatureCollection"),
    ],
)
def test_geojson_that_cannot_be_read(sqlite_engine: Engine, tmp_path: Path, text: str, problem: str) -> None:
    (fault,) = imported(sqlite_engine, write(tmp_path, text, "counts.geojson")).faults
    assert problem in fault.problem


def test_a_feature_that_is_no_object(sqlite_engine: Engine, tmp_path: Path) -> None:
    report = imported(sqlite_engine, write(tmp_path, '{"features": [3, {"properties": []}]}', "counts.json"))
    assert [fault.row for fault in report.faults] == ["feature 1", "feature 2"]


def test_progress_is_told(sqlite_engine: Engine, tmp_path: Path) -> None:
    rows = "".join(
        f"busy-port,2024-07-09T{n // 60:02}:{n % 60:02}Z,ships_present,3,=,,\n" for n in range(1_201)
    )
    told: list[tuple[str, int]] = []
    report = import_file(
        sqlite_engine,
        write(tmp_path, HEADER + rows),
        CAST_BY_ID,
        NOW,
        progress=lambda stage, count: told.append((stage, count)),
    )
    assert report.stored == 1_201
    assert told[:2] == [("checked", 1_000), ("checked", 1_201)]
    assert told[2:] == [
        ("stored", min(rows, 1_201)) for rows in range(ROWS_AT_ONCE, 1_201 + ROWS_AT_ONCE, ROWS_AT_ONCE)
    ]


def test_a_file_can_be_read_again_from_the_top(tmp_path: Path) -> None:
    rows = open_rows(write(tmp_path, COUNTS))
    assert list(rows()) == list(rows())


@pytest.fixture(scope="module")
def property_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    opened = open_engine("sqlite://")
    migrate(opened)
    return opened


ROWS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 3), st.sampled_from(["", "2024-07-15", "2024-07-20"])),
    max_size=8,
    unique_by=lambda row: (row[0], row[2]),
)


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_changes_nothing(
    property_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, str]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    lines = [f"busy-port,2024-07-0{day},ships_present,{value},=,{when},A\n" for day, value, when in rows]
    seen = []
    for order in (lines, data.draw(st.permutations(lines))):
        with writing(property_engine) as connection:
            for table in (metadata.tables["observation"], metadata.tables["series"]):
                connection.execute(table.delete())
        path.write_text(HEADER + "".join(order), encoding="utf-8")
        assert imported(property_engine, path).faults == ()
        again = imported(property_engine, path)
        assert (again.stored, again.revised) == (0, 0)
        days = [datetime(2024, 7, day, tzinfo=UTC) for day in range(1, 31)]
        seen.append(
            [[(each.period_start, each.value) for each in stored(property_engine, as_of=day)] for day in days]
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("around", "said"),
    [
        ({"numberMatched": 25, "numberReturned": 1}, "1 of the 25 features"),
        ({"totalFeatures": 25}, "1 of the 25 features"),
        ({"links": [{"rel": "next", "href": "https://ogc.example/?offset=1"}]}, "the server has more"),
        ({"exceededTransferLimit": True}, "the server has more"),
        ({"properties": {"exceededTransferLimit": True}}, "the server has more"),
        ({"numberMatched": 1, "totalFeatures": "unknown", "links": [{"rel": "self"}, 7]}, ""),
        ({"numberMatched": None, "links": None, "properties": None, "exceededTransferLimit": False}, ""),
        ({}, ""),
    ],
)
def test_one_page_of_a_server_s_answer_is_told_as_one(around: dict[str, Any], said: str) -> None:
    words = page_words({"type": "FeatureCollection", "features": [{}], **around})
    assert bool(words) == bool(said)
    assert all(said in each for each in words)
    assert page_words([]) == page_words({"features": 7}) == []
