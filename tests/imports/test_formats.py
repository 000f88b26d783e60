"""Files that only look like counts are refused by name, with the way to mend them; what is lawful in them is read."""

import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.records import Observation
from monitor.imports import (
    ImportClock,
    ImportedRecord,
    ImportFault,
    UnreadableFile,
    csv_rows,
    feature_rows,
    open_rows,
    parse_rows,
)
from tests.kit.cast import CAST_BY_ID

CASES = Path(__file__).parent / "cases"
NOW = datetime(2024, 8, 1, tzinfo=UTC)
SITES = {
    name: replace(CAST_BY_ID["busy-port"], id=name) for name in ("kp-tumangang", "kp-rajin", "busy-port")
}
HEADER = "site_id,start,metric,value"
ROW = "busy-port,2024-07-09,ships_present"


def read(path: Path) -> tuple[list[ImportedRecord], list[ImportFault]]:
    return parse_rows(open_rows(path)(), SITES, ImportClock(NOW))


def case(name: str) -> tuple[list[ImportedRecord], list[ImportFault]]:
    return read(CASES / name)


def text_rows(text: str) -> tuple[list[ImportedRecord], list[ImportFault]]:
    return parse_rows(csv_rows(io.StringIO(text, newline="")), SITES, ImportClock(NOW))


def refused(path: Path) -> str:
    with pytest.raises(UnreadableFile) as error:
        read(path)
    return str(error.value)


@pytest.mark.parametrize("name", ["sep_line.csv", "trailing_comma1.csv", "pipe.csv"])
def test_other_habits_of_spreadsheets_are_read(name: str) -> None:
    (found,), faults = case(name)
    assert faults == []
    assert isinstance(found, Observation)
    assert (found.value, found.period_start) == (73, datetime(2023, 10, 4, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f'"sep=|"\n{HEADER}\n{ROW},3\n'.replace(",", "|"), [3]),
        (f"SEP=\t\n{HEADER}\n{ROW},3\n".replace(",", "\t"), [3]),
        (f"{HEADER},,,\n{ROW},3,,,\n", [3]),
        (f"{HEADER}\n{ROW},3,,\n", [3]),
        (f"{HEADER},,\n{ROW},3\n", [3]),
    ],
)
def test_stated_separators_and_empty_cells_at_the_end(text: str, values: list[float]) -> None:
    records, faults = text_rows(text)
    assert faults == []
    assert [each.value for each in records if isinstance(each, Observation)] == values


def test_a_cell_beyond_the_header_is_still_a_fault() -> None:
    _, faults = text_rows(f"{HEADER},\n{ROW},3,,x\n")
    assert [fault.problem for fault in faults] == ["it has 6 cells, and the header has 4"]


def test_a_delimiter_that_nobody_understands() -> None:
    with pytest.raises(UnreadableFile, match="no delimiter that is understood"):
        text_rows(f"{HEADER}\n{ROW},3\n".replace(",", "^"))


def test_newline_delimited_features_are_named(tmp_path: Path) -> None:
    said = refused(CASES / "features.ndjson")
    assert "newline-delimited GeoJSON" in said
    assert '"FeatureCollection"' in said
    lines = (CASES / "features.ndjson").read_text(encoding="utf-8")
    for name, text in (("a.json", lines), ("b.geojson", lines.replace('{"type": "F', '\x1e{"type": "F'))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert "newline-delimited GeoJSON" in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"PK\x03\x04" + bytes(30), "an Excel workbook"),
        ("a.geojson", b"PK\x03\x04" + bytes(30), "an Excel workbook"),
        ("a.csv", b"\xd0\xcf\x11\xe0" + bytes(30), "an old Excel workbook"),
        ("a.gpkg", b"SQLite format 3\x00" + bytes(30), "a GeoPackage"),
        ("a.csv", gzip.compress(HEADER.encode(), mtime=0), "compressed with gzip"),
        ("a.pdf", b"%PDF-1.7\n", "a PDF"),
        ("a.parquet", b"PAR1\x15\x04", "a Parquet file"),
        ("a.kml", b'<?xml version="1.0"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">', "KML"),
        ("a.geojson", b"\xef\xbb\xbf <kml>", "KML"),
        ("a.csv", b"<!DOCTYPE html><html>", "a web page"),
        ("a.csv", b"<?xml version='1.0'?><table/>", "XML"),
        ("a.csv", (HEADER + "\n").encode("utf-16-le"), "UTF-16"),
        ("a.csv", (HEADER + "\n").encode("utf-16-be"), "UTF-16"),
        ("a.csv", (HEADER + "\n").encode("utf-16"), "UTF-16"),
        ("a.geojson", b'{"type": 1}'.decode().encode("utf-16-le"), "UTF-16"),
        ("a.csv", (HEADER + "\n").encode("utf-32"), "UTF-32"),
        ("a.geojson", '{"features": "é"}'.encode("latin-1"), "it is not UTF-8 text"),
        ("a.csv", b'{"type": "FeatureCollection",\n "features": []}', "does not end in .geojson"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_are_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = refused(path)
    assert what in said
    assert said.endswith(".")


def test_an_unbalanced_quotation_names_the_line_where_it_begins() -> None:
    assert "look at line 2 and the quotation that begins there" in refused(CASES / "quote_swallow.csv")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'{HEADER},note\n{ROW},3,x\n{ROW},3,"open\n{ROW},4,x\n{ROW},5,"shut"\n', 3),
        (f'{HEADER},note\n{ROW},3,"open\n{ROW},4,never shut\n', 2),
        (f'note,{HEADER}\n"open,{ROW},3\nx,{ROW},4\nshut",{ROW},5\n', 2),
        (f'{HEADER},note\n{ROW},3,"a note\nof two lines"\n{ROW},4,"open\n{ROW},5,shut"\n', 4),
        (f'{HEADER},note\n{ROW},3,"open\nbusy-port,05.10.2023,ships_present,4,shut"\n', 2),
        (f'sep=,\n{HEADER},note\n{ROW},3,"open\n{ROW},4,shut"\n', 3),
        (f'{HEADER},note\n{ROW},3,"shut"x\n', 2),
    ],
)
def test_a_quotation_that_holds_rows_is_refused_wherever_it_stands(text: str, line: int) -> None:
    with pytest.raises(UnreadableFile, match=rf"look at line {line} "):
        text_rows(text)


@settings(deadline=None)
@given(
    notes=st.lists(st.text("ab,;\"\n '", max_size=20), min_size=1, max_size=6),
)
def test_notes_of_several_lines_are_read_as_they_are(notes: list[str]) -> None:
    quoted = ['"' + note.replace('"', '""') + '"' for note in notes]
    rows = [f"busy-port,2024-07-0{day},ships_present,3,{note}\n" for day, note in enumerate(quoted, start=1)]
    records, faults = text_rows(f"{HEADER},note\n" + "".join(rows))
    assert faults == []
    found = [each.note for each in records if isinstance(each, Observation)]
    assert found == [" ".join(note.split()) for note in notes]


@settings(deadline=None)
@given(count=st.integers(2, 6), opens=st.integers(0, 4), data=st.data())
def test_a_lost_quotation_mark_never_loses_rows(count: int, opens: int, data: st.DataObject) -> None:
    opens = min(opens, count - 2)
    shuts = data.draw(st.integers(opens + 1, count - 1))
    rows = [f"busy-port,2024-07-0{n + 1},ships_present,{n},note" for n in range(count)]
    rows[opens] = rows[opens].replace(",note", ',"note')
    rows[shuts] += '"'
    with pytest.raises(UnreadableFile, match=rf"look at line {opens + 2} "):
        text_rows(f"{HEADER},note\n" + "\n".join(rows) + "\n")


def test_a_name_that_stands_twice_is_refused_where_it_stands() -> None:
    records, faults = case("dupkey.geojson")
    assert records == []
    assert [str(fault) for fault in faults] == [
        "feature 1, value: this name stands there twice. Keep one of them."
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"features": [{"properties": {}}, {"id": "a", "id": "b", "properties": {}}]}', 'feature "b", id'),
        ('{"features": [{"properties": {"x-mine": {"a": 1, "a": 1}}}]}', "feature 1, x-mine.a"),
        ('{"features": [{"properties": {"evidence": [{"a": 1, "a": 1}]}}]}', "feature 1, evidence.a"),
        ('{"features": [{"properties": {}, "properties": {}}]}', "feature 1, properties"),
        (
            '{"features": [{"properties": {}, "geometry": {"type": 1, "type": 2}}]}',
            "feature 1, geometry.type",
        ),
    ],
)
def test_names_that_stand_twice_elsewhere(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text, encoding="utf-8")
    said = [str(fault) for fault in read(path)[1]]
    assert f"{place}: this name stands there twice. Keep one of them." in said


def test_the_features_standing_twice_refuse_the_file(tmp_path: Path) -> None:
    for text in ('{"features": [], "features": []}', '{"features": [], "crs": {"a": 1, "a": 2}}'):
        (tmp_path / "a.geojson").write_text(text, encoding="utf-8")
        assert "stands there twice" in refused(tmp_path / "a.geojson")


def test_a_range_beside_a_nominal_time_is_the_period() -> None:
    (found,), faults = case("both_dt.geojson")
    assert faults == []
    assert isinstance(found, Observation)
    assert found.period_start == datetime(2023, 10, 5, 1, 24, tzinfo=UTC)
    assert found.period_end == datetime(2023, 10, 5, 1, 26, tzinfo=UTC)


def test_a_nominal_time_beside_half_a_range_is_a_contradiction() -> None:
    properties = {
        "site_id": "busy-port", "datetime": "2023-10-05T01:24:00Z", "start_datetime": "2023-10-05T01:24:00Z",
        "metric": "ships_present", "value": 3,
    }  # fmt: skip
    rows = feature_rows({"features": [{"properties": properties}]})
    _, faults = parse_rows(rows, SITES, ImportClock(NOW))
    assert "two properties of this feature mean start" in faults[0].problem


def test_lawful_times_are_read_and_others_are_refused_with_the_form_to_write() -> None:
    records, faults = case("pgts.csv")
    starts = [each.period_start for each in records if isinstance(each, Observation)]
    assert starts == [datetime(2023, 10, day, 1, 24, tzinfo=UTC) for day in (5, 6, 7, 8)]
    assert [(fault.row, fault.column) for fault in faults] == [(f"row {n}", "start") for n in (6, 7, 8)]
    assert "Write 2023-10-05" in faults[0].mend
    assert "2023-05-10 or 2023-10-05" in faults[1].mend
    assert "Write 2023-10-05" in faults[2].mend


def test_words_in_place_of_a_number_are_pointed_to_their_column() -> None:
    records, faults = case("vals.csv")
    assert [each.value for each in records if isinstance(each, Observation)] == [73, 73]
    mends = {fault.row: fault.mend for fault in faults}
    for row, words in {
        2: ["73 into value", "~= into comparator"],
        3: ["70 into low", "75 into high"],
        4: ["20 into value", ">= into comparator"],
        5: ["assessable no"],
        6: ["assessable no"],
        7: ["without separators"],
        8: ["plain digits: 73"],
        9: ["plain digits: 1000"],
        12: ["digits"],
        13: ["digits"],
        14: ["digits alone, 73"],
        15: ["20 into value", ">= into comparator"],
        16: ["assessable no"],
    }.items():
        assert all(word in mends[f"row {row}"] for word in words), (row, mends[f"row {row}"])


def value_fault(text: str, column: str = "value") -> str:
    cells = {
        "site_id": "busy-port",
        "start": "2024-07-09",
        "metric": "ships_present",
        "value": "3",
        column: text,
    }
    _, faults = parse_rows(feature_rows({"features": [{"properties": cells}]}), SITES, ImportClock(NOW))
    return str(faults[0]) if faults else ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ca. 73", "~= into comparator"), ("about 73", "~= into comparator"), ("≈73", "~= into comparator"),
        ("73?", "~= into comparator"), ("at least 20", ">= into comparator"), ("≥20", ">= into comparator"),
        ("20 or more", ">= into comparator"), ("up to 20", "<= into comparator"), ("<20", "<= into comparator"),
        ("≤ 20", "<= into comparator"), ("70–75", "75 into high"), ("70 to 75", "75 into high"),
        ("between 70 and 75", "75 into high"), ("73 ± 3", "low and high"), ("N/A", "assessable no"),
        ("unknown", "assessable no"), ("cloudy", "assessable no"), ("٧٣", "digits: 73"), ("0,5", "Write 0.5"),
    ],
)  # fmt: skip
def test_every_way_to_write_more_than_a_number_names_its_column(text: str, words: str) -> None:
    assert words in value_fault(text)


def test_a_share_in_per_cent_and_an_unknown_bound() -> None:
    assert "Write 0.8 for 80 %" in value_fault("80 %", "exposure")
    assert "Leave it empty" in value_fault("n/a", "low")


def test_thousands_or_decimals_is_asked_and_never_guessed() -> None:
    records, faults = case("thousands_dot.csv")
    assert records == []
    assert [(fault.row, fault.column) for fault in faults] == [
        ("row 2", "value"), ("row 3", "value"), ("row 4", "value"), ("row 4", "low"), ("row 4", "high"),
    ]  # fmt: skip
    assert all("is ambiguous" in fault.problem for fault in faults)
    assert "Write 1250 where" in faults[2].mend
    assert "or 1.25 where" in faults[2].mend


COLUMNS = st.sampled_from(["value", "low", "high", "exposure"])


@settings(deadline=None)
@given(
    whole=st.integers(1, 999),
    rest=st.integers(0, 999),
    sign=st.sampled_from(".,"),
    delimiter=st.sampled_from(",;\t|"),
    column=COLUMNS,
)
def test_a_sign_before_three_digits_is_ambiguous_in_every_file(
    whole: int, rest: int, sign: str, delimiter: str, column: str
) -> None:
    cell = f"{whole}{sign}{rest:03}"
    cells = {
        "site_id": "busy-port",
        "start": "2024-07-09",
        "metric": "container_stack_length_m",
        "value": "3",
    }
    cells[column] = cell
    text = (
        f"{delimiter.join(cells)}\n{delimiter.join(f'{chr(34)}{each}{chr(34)}' for each in cells.values())}\n"
    )
    for faults in (
        text_rows(text)[1],
        parse_rows(feature_rows({"features": [{"properties": cells}]}), SITES, ImportClock(NOW))[1],
    ):
        assert [(fault.column, "is ambiguous" in fault.problem) for fault in faults] == [(column, True)]
        assert f"{whole}{rest:03}" in faults[0].mend


@settings(deadline=None)
@given(
    groups=st.lists(st.integers(0, 999), min_size=1, max_size=2),
    sign=st.sampled_from([" ", "\u00a0", "\u202f", "\u2009", "'", "’", "_"]),
    column=COLUMNS,
)
def test_other_separators_of_thousands_are_refused(groups: list[int], sign: str, column: str) -> None:
    said = value_fault("1" + "".join(f"{sign}{each:03}" for each in groups), column)
    assert "without separators of thousands" in said


@pytest.mark.parametrize("written", ["1.000", "20.000", "1.250"])
def test_a_bare_number_of_json_is_asked_too(tmp_path: Path, written: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(
        '{"features": [{"properties": {"site_id": "busy-port", "start": "2024-07-09", '
        f'"metric": "container_stack_length_m", "value": {written}}}}}]}}',
        encoding="utf-8",
    )
    assert "is ambiguous" in read(path)[1][0].problem


@given(value=st.floats(0, 1000).map(lambda each: round(each, 3)))
def test_what_programs_write_into_json_is_read(value: float) -> None:
    properties = {
        "site_id": "busy-port", "start": "2024-07-09", "metric": "container_stack_length_m", "gsd_m": value,
        "value": 3,
    }  # fmt: skip
    document = json.loads(json.dumps({"features": [{"properties": properties}]}))
    _, faults = parse_rows(feature_rows(document), SITES, ImportClock(NOW))
    assert faults == []


def test_a_semicolon_file_keeps_its_decimal_commas() -> None:
    records, faults = text_rows(
        "site_id;start;metric;value;exposure\nbusy-port;2024-07-09;container_stack_length_m;90,5;0,875\n"
    )
    assert faults == []
    assert isinstance(found := records[0], Observation)
    assert (found.value, found.exposure) == (90.5, 0.875)
