"""Other people's tables by a mapping: public ones in their own form, workbooks, dates and numbers of every country."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from alerts.metrics import declare_metrics
from db.engine import reading
from db.observations import looks
from db.records import Observation
from monitor.errors import InputError
from monitor.imports import (
    ImportReport,
    PlannedImport,
    import_file,
    plan_import,
    read_mapping,
    suggest_mapping,
)
from monitor.imports.faults import BadCell
from monitor.imports.load import check_file
from monitor.imports.written_dates import TimeForm, check_form, read_span
from tests.kit.cast import CAST_BY_ID

NOW = datetime(2024, 8, 1, 9, tzinfo=UTC)


def table(folder: Path, text: str, name: str = "theirs.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def mapped(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def plan(folder: Path, path: Path, mapping: str) -> PlannedImport:
    return plan_import(path, CAST_BY_ID, NOW, mapping=read_mapping(mapped(folder, mapping)))


def brought(folder: Path, path: Path, mapping: str) -> list[tuple[Any, ...]]:
    """What would be stored, where nothing is wrong."""
    planned = plan(folder, path, mapping)
    assert planned.faults == ()
    return [
        (
            each.series.site_id,
            each.written_start,
            each.written_end,
            each.series.metric,
            each.series.subject,
            each.value,
        )
        for each in planned.first
        if isinstance(each, Observation)
    ]


def faults(folder: Path, path: Path, mapping: str) -> str:
    return "\n".join(map(str, plan(folder, path, mapping).faults))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_mapping(mapped(folder, text))
    return str(caught.value)


ONE_SITE = '[site]\nid = "busy-port"\n[time]\ncolumn = "Date"\n'
SHIPS = '[[count]]\ncolumn = "Ships"\nmetric = "ships_present"\n'
PLAIN = ONE_SITE + SHIPS

# --- public tables in their own form --------------------------------------------------------------

DAILY_FLIGHTS = """YEAR,MONTH_NUM,MONTH_MON,FLT_DATE,APT_ICAO,APT_NAME,STATE_NAME,FLT_DEP_1,FLT_ARR_1,FLT_TOT_1,FLT_DEP_IFR_2
2019,01,JAN,01-01-19,XQUF,Quiet Field,Argentina,29,26,55,
2019,01,JAN,01-01-19,UDYZ,Yerevan,Armenia,29,33,62,
2019,01,JAN,02-01-19,XQUF,Quiet Field,Argentina,5,7,12,5
"""
DAILY_FLIGHTS_MAP = """
[site]
column = "APT_ICAO"
by = "code"
others = "skip"
[time]
column = "FLT_DATE"
format = "DD-MM-YY"
zone = "UTC"
[[count]]
column = "FLT_DEP_1"
metric = "departures"
[[count]]
column = "FLT_ARR_1"
metric = "arrivals"
[constants]
publisher = "Network Manager"
url = "https://example.org/airport_traffic"
"""


def test_daily_flights_of_the_airports_of_a_continent(engine: Engine, tmp_path: Path) -> None:
    path = table(tmp_path, DAILY_FLIGHTS)
    planned = plan(tmp_path, path, DAILY_FLIGHTS_MAP)
    assert brought(tmp_path, path, DAILY_FLIGHTS_MAP) == [
        ("quiet-field", "2019-01-01", "2019-01-01", "departures", "", 29),
        ("quiet-field", "2019-01-01", "2019-01-01", "arrivals", "", 26),
        ("quiet-field", "2019-01-02", "2019-01-02", "departures", "", 5),
        ("quiet-field", "2019-01-02", "2019-01-02", "arrivals", "", 7),
    ]
    assert [(each.metric, each.rows, each.lowest, each.highest) for each in planned.series] == [
        ("arrivals", 2, 7, 26),
        ("departures", 2, 5, 29),
    ]
    assert planned.notices == ("Left out: 2 counts, where the place is not watched.",)
    mapping = read_mapping(tmp_path / "mapping.toml")
    report = import_file(engine, path, CAST_BY_ID, NOW, mapping=mapping)
    assert report == ImportReport(stored=4)
    assert report.zones == {"UTC": 4}
    assert import_file(engine, path, CAST_BY_ID, NOW, mapping=mapping) == ImportReport(unchanged=4)
    with reading(engine) as connection:
        (first, *_) = looks(connection, site_id="quiet-field", metric="departures")
    assert (first.period_start, first.publisher) == (datetime(2019, 1, 1, tzinfo=UTC), "Network Manager")
    assert [each.text for each in first.evidence if each.kind == "import"] == ["row 2, FLT_DEP_1"]


@pytest.fixture
def tonnes() -> Iterator[None]:
    declare_metrics(
        {"supply_t": {"measure": "continuous", "kind": "flow", "unit": "t", "what": "cargo supplied"}}
    )
    yield
    declare_metrics({})


AIS_SUPPLY = """,zone,calendar_week,supply_tons
0,v103_h168,1,308.91118021971704
1,v103_h168,2,182.03423954990424
2,v109_h169,1,3047.0
3,v109_h169,53,137.250
"""
AIS_SUPPLY_MAP = """
[site]
column = "zone"
values = {"v103_h168" = "busy-port", "v109_h169" = "dateline-strip"}
[time]
year = 2020
week = "calendar_week"
zone = "UTC"
[numbers]
decimal = "."
[[count]]
column = "supply_tons"
metric = "supply_t"
unit = "t"
"""


def test_weekly_supply_from_ais(tmp_path: Path, tonnes: None) -> None:
    assert brought(tmp_path, table(tmp_path, AIS_SUPPLY), AIS_SUPPLY_MAP) == [
        ("busy-port", "2019-12-30", "2020-01-05", "supply_t", "", pytest.approx(308.91118)),
        ("busy-port", "2020-01-06", "2020-01-12", "supply_t", "", pytest.approx(182.03424)),
        ("dateline-strip", "2019-12-30", "2020-01-05", "supply_t", "", 3047),
        ("dateline-strip", "2020-12-28", "2021-01-03", "supply_t", "", 137.25),
    ]


BOATS = """Reef,Date,Boat Type,Number of Boats
Atlantic Beach,04/07/1995,Small,0
Atlantic Beach,04/07/1995,Large,0
Atlantic Beach,05/14/1995,Small,7
Kismet,05/14/1995,Small,3
"""
BOATS_MAP = """
[site]
column = "Reef"
values = {"Atlantic Beach" = "busy-port"}
others = "skip"
[time]
column = "Date"
format = "MM/DD/YYYY"
[[count]]
column = "Number of Boats"
metric = "ships_present"
subject = {column = "Boat Type", prefix = "size:", values = {Small = "small", Large = "large"}}
[constants]
method = "aerial survey"
publisher = "Marine Resources"
"""


def test_boats_counted_by_aerial_survey(tmp_path: Path) -> None:
    found = brought(tmp_path, table(tmp_path, BOATS), BOATS_MAP)
    assert found == [
        ("busy-port", "1995-04-07", "1995-04-07", "ships_present", "size:small", 0),
        ("busy-port", "1995-04-07", "1995-04-07", "ships_present", "size:large", 0),
        ("busy-port", "1995-05-14", "1995-05-14", "ships_present", "size:small", 7),
    ]
    # As another export of the same table writes it.
    iso = BOATS.replace("04/07/1995", "1995-04-07T00:00:00").replace("05/14/1995", "1995-05-14T00:00:00.000")
    without = BOATS_MAP.replace('format = "MM/DD/YYYY"\n', "")
    assert brought(tmp_path, table(tmp_path, iso), without) == found


AIR_TRAFFIC = """Activity Period,Operating Airline,GEO Summary,Landing Aircraft Type,Landing Count,Total Landed Weight
202305,Aero A,Domestic,Passenger,"1,010",100
202305,Aero B,Domestic,Freighter,20,200
202305,Aero B,International,Passenger,3,200
202306,Aero A,Domestic,Passenger,7,100
202306,Aero B,Domestic,Passenger,,100
"""
AIR_TRAFFIC_MAP = """
[site]
id = "quiet-field"
[time]
column = "Activity Period"
format = "YYYYMM"
[numbers]
thousands = ","
[[count]]
column = "Landing Count"
metric = "arrivals"
combine = "sum"
"""


def test_air_traffic_that_is_told_airline_by_airline_is_added_up(tmp_path: Path) -> None:
    path = table(tmp_path, AIR_TRAFFIC)
    assert brought(tmp_path, path, AIR_TRAFFIC_MAP) == [
        ("quiet-field", "2023-05-01", "2023-05-31", "arrivals", "", 1033),
        ("quiet-field", "2023-06-01", "2023-06-30", "arrivals", "", 7),
    ]
    # Of June one airline said nothing: at least so many.
    planned = plan(tmp_path, path, AIR_TRAFFIC_MAP)
    assert [each.qualifier for each in planned.first if isinstance(each, Observation)] == ["=", ">="]
    assert "it contradicts" in faults(tmp_path, path, AIR_TRAFFIC_MAP.replace('combine = "sum"\n', ""))


def test_a_sum_says_at_least_wherever_its_gap_stands_and_gaps_elsewhere_are_none(tmp_path: Path) -> None:
    first = (
        AIR_TRAFFIC.replace("202306,Aero A,Domestic,Passenger,7,100\n", "")
        + "202306,Aero A,Domestic,Passenger,7,1\n"
    )
    planned = plan(tmp_path, table(tmp_path, first), AIR_TRAFFIC_MAP)
    assert [each.qualifier for each in planned.first if isinstance(each, Observation)] == ["=", ">="]
    odd = AIR_TRAFFIC + "2023-13,Aero A,Domestic,Passenger,,1\n"
    assert len(plan(tmp_path, table(tmp_path, odd), AIR_TRAFFIC_MAP).first) == 2


# --- shapes of tables -------------------------------------------------------------------------------


def test_one_column_a_site(tmp_path: Path) -> None:
    text = "Month,Quiet,Port\n2023-05,4,\n2023-06,5,9\n"
    mapping = (
        '[time]\ncolumn = "Month"\n'
        '[[count]]\ncolumn = "Quiet"\nmetric = "arrivals"\nsite = "quiet-field"\n'
        '[[count]]\ncolumn = "Port"\nmetric = "ships_present"\nsite = "busy-port"\narea = "pier-1"\n'
    )
    path = table(tmp_path, text)
    assert [each[::5] for each in brought(tmp_path, path, mapping)] == [
        ("quiet-field", 4),
        ("quiet-field", 5),
        ("busy-port", 9),
    ]
    assert plan(tmp_path, path, mapping).notices == (
        "Left out: 1 count, where the cell is empty, which is no look.",
    )


def test_one_column_a_date(tmp_path: Path) -> None:
    text = "Site;Remark;05.06.2023;06.06.2023\nQuiet Field;windy;3;\nBusy Port;;1;2\n"
    mapping = (
        '[site]\ncolumn = "Site"\nby = "name"\n[time]\nheader = true\nformat = "DD.MM.YYYY"\n'
        '[[count]]\nmetric = "vehicles"\n[columns]\nnote = "Remark"\n'
    )
    assert [(each[0], each[1], each[5]) for each in brought(tmp_path, table(tmp_path, text), mapping)] == [
        ("quiet-field", "2023-06-05", 3),
        ("busy-port", "2023-06-05", 1),
        ("busy-port", "2023-06-06", 2),
    ]


def test_a_long_table_with_the_metric_in_a_column(tmp_path: Path) -> None:
    text = "Date,What,N\n2023-06-05,Arr,3\n2023-06-05,Dep,4\n2023-06-05,Fuel,9\n"
    mapping = (
        '[site]\nid = "quiet-field"\n[time]\ncolumn = "Date"\n[[count]]\ncolumn = "N"\n'
        'metric = {column = "What", values = {arr = "arrivals", dep = "departures"}%s}\n'
    )
    path = table(tmp_path, text)
    skipping = mapping % ', others = "skip"'
    assert [each[3] for each in brought(tmp_path, path, skipping)] == ["arrivals", "departures"]
    assert 'the mapping does not say what "Fuel" in What is' in faults(tmp_path, path, mapping % "")


def test_sites_by_where_they_are(tmp_path: Path) -> None:
    text = "Date,lat,lon,Ships\n2023-06-05,69.66,18.96,3\n2023-06-06,69.6399,18.96,4\n2023-06-07,10,10,5\n"
    mapping = PLAIN.replace('id = "busy-port"', 'latitude = "lat"\nlongitude = "lon"%s')
    path = table(tmp_path, text)
    near = brought(tmp_path, path, mapping % '\nwithin_m = 100\nothers = "skip"')
    assert [each[5] for each in near] == [3, 4]
    said = faults(tmp_path, path, mapping % "")
    assert "no watched site lies at 69.6399, 18.96 (the nearest, busy-port, is 11 m away)" in said
    position = 'position = "Where"\nothers = "skip"'
    text = "Date,Where,Ships\n2023-06-05,69°39'36\"N 18°57'36\"E,3\n2023-06-06,33W XU 00000 00000,4\n"
    by_position = PLAIN.replace('id = "busy-port"', position)
    assert [each[5] for each in brought(tmp_path, table(tmp_path, text), by_position)] == [3]


def test_head_and_foot_of_a_table_are_left_out(tmp_path: Path) -> None:
    text = 'Harbour office\n"Counts, by hand"\nDate;Ships\n05.06.2023;3\n06.06.2023;4\nTotal;7\n'
    mapping = PLAIN.replace('"Date"\n', '"Date"\nformat = "DD.MM.YYYY"\n') + "[file]\nheader = 3\nlast = 5\n"
    path = table(tmp_path, text, encoding="windows-1252")
    assert [each[5] for each in brought(tmp_path, path, mapping)] == [3, 4]
    assert "is not understood as a time" in faults(tmp_path, path, mapping.replace("last = 5", ""))
    assert "no line 9" in faults(tmp_path, path, mapping.replace("header = 3", "header = 9"))


def test_encodings_are_said(tmp_path: Path) -> None:
    path = table(tmp_path, "Date,Größe\n2023-06-05,3\n", encoding="windows-1252")
    mapping = PLAIN.replace('"Ships"', '"Größe"')
    assert 'encoding = "windows-1252"' in faults(tmp_path, path, mapping)
    assert len(brought(tmp_path, path, mapping + '[file]\nencoding = "windows-1252"\n')) == 1
    path = table(tmp_path, "Date,Größe\n2023-06-05,3\n", encoding="utf-16")
    assert len(brought(tmp_path, path, mapping + '[file]\nencoding = "utf-16"\n')) == 1


# --- times ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "start", "end"),
    [
        ("05/10/2023", "DD/MM/YYYY", "2023-10-05", ""),
        ("05/10/2023", "MM/DD/YYYY", "2023-05-10", ""),
        ("5.1.2023", "DD.MM.YYYY", "2023-01-05", ""),
        ("01-02-19", "DD-MM-YY", "2019-02-01", ""),
        ("01-02-85", "DD-MM-YY", "1985-02-01", ""),
        ("5 Oct 2023", "DD MON YYYY", "2023-10-05", ""),
        ("01-JAN-2014", "DD-MON-YYYY", "2014-01-01", ""),
        ("5. Oktober 2023", "DD. MON YYYY", "2023-10-05", ""),
        ("20231005", "YYYYMMDD", "2023-10-05", ""),
        ("202310", "YYYYMM", "2023-10", ""),
        ("2023-W40", "ISO", "2023-10-02", "2023-10-08"),
        ("2023W40", "ISO week", "2023-10-02", "2023-10-08"),
        ("2020-W53-4", "ISO week", "2020-12-28", "2021-01-03"),
        ("2023", "ISO", "2023-01", "2023-12"),
        ("2023-10-05T00:00:00.000", "ISO", "2023-10-05", ""),
        ("2023-10-05T01:24Z", "ISO", "2023-10-05T01:24:00Z", ""),
        ("05.10.2023 14:30", "DD.MM.YYYY hh:mm", "2023-10-05T14:30:00+00:00", ""),
    ],
)
def test_times_in_the_form_that_is_said(text: str, form: str, start: str, end: str) -> None:
    found = read_span(text, TimeForm(form, UTC))
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize("form", ["DD/mm/YYYY", "DD/YYYY", "DD.MM.YYYY hh", "DD.MM.YYYY mm", "YYYY-MM hh:mm"])
def test_a_form_that_would_make_something_up_is_none(form: str) -> None:
    with pytest.raises(BadCell, match="is not a form of dates"):
        check_form(form)


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("05/10/2023", "ISO", "Say which of its numbers is the day: format under [time], such as DD/MM/YYYY"),
        ("05-10-23", "ISO", "Say which of its numbers is the day"),
        ("13/05/2023", "ISO", "Say which of its numbers is the day"),
        ("05/13/2023", "DD/MM/YYYY", "The mapping says that times are written DD/MM/YYYY"),
        ("31/02/2023", "DD/MM/YYYY", "no date in the calendar"),
        ("2021-W53", "ISO", "the year 2021 has no week 53"),
        ("5 Foo 2023", "DD MON YYYY", "is no month"),
        ("2023-10-05T14:30", "ISO", "Say whose clock it is"),
        ("yesterday", "ISO", "Say how it is written"),
    ],
)
def test_a_time_that_is_open_is_refused_with_the_way_to_say_it(text: str, form: str, words: str) -> None:
    with pytest.raises(BadCell) as caught:
        read_span(text, TimeForm(form))
    assert words in f"{caught.value.problem}. {caught.value.mend}"


def test_clocks_of_a_zone_and_of_the_site(tmp_path: Path) -> None:
    path = table(tmp_path, "Date,Time,Ships\n2023-06-05,14:30,3\n2023-10-29,02:30,4\n2023-03-26,02:30,5\n")
    clocked = PLAIN.replace('column = "Date"\n', 'column = "Date"\nclock = "Time"\nzone = "%s"\n')
    planned = plan(tmp_path, path, clocked % "Asia/Pyongyang")
    first = planned.first[0]
    assert isinstance(first, Observation)
    assert first.period_start == datetime(2023, 6, 5, 5, 30, tzinfo=UTC)
    said = plan(tmp_path, path, clocked % "site")
    first = said.first[0]
    assert isinstance(first, Observation)
    assert first.period_start == datetime(2023, 6, 5, 12, 30, tzinfo=UTC)
    assert [each.problem.partition(" ")[2] for each in said.faults] == [
        '02:30" was twice by that clock',
        '02:30" does not exist by that clock',
    ]


def test_a_period_of_two_columns_and_one_of_parts(tmp_path: Path) -> None:
    path = table(tmp_path, "From,To,Ships\n05/06/2023,11/06/2023,3\n")
    mapping = '[site]\nid = "busy-port"\n[time]\ncolumn = "From"\nend = "To"\nformat = "DD/MM/YYYY"\n' + SHIPS
    assert [each[1:3] for each in brought(tmp_path, path, mapping)] == [("2023-06-05", "2023-06-11")]
    path = table(tmp_path, "Year,Month,Ships\n2023,June,3\n2023,7,4\n")
    mapping = '[site]\nid = "busy-port"\n[time]\nyear = "Year"\nmonth = "Month"\n' + SHIPS
    assert [each[1] for each in brought(tmp_path, path, mapping)] == ["2023-06-01", "2023-07-01"]


# --- numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "numbers", "value"),
    [
        ("1.234", 'thousands = "."', 1234),
        ("1.234", 'decimal = ","\nthousands = "."', 1234),
        ("1,234", 'thousands = ","', 1234),
        ("1 234", 'thousands = " "', 1234),
        ("12'345'678", 'thousands = "\'"', 12_345_678),
        ("73,0", 'decimal = ","', 73),
        ("none", 'zero = ["none"]', 0),
    ],
)
def test_numbers_as_they_are_said_to_be_written(
    tmp_path: Path, tonnes: None, cell: str, numbers: str, value: float
) -> None:
    path = table(tmp_path, f'Date,T\n2023-06-05,"{cell}"\n')
    mapping = ONE_SITE + f'[numbers]\n{numbers}\n[[count]]\ncolumn = "T"\nmetric = "supply_t"\n'
    assert [each[5] for each in brought(tmp_path, path, mapping)] == [value]


def test_a_point_where_commas_stand_before_decimals_is_refused(tmp_path: Path) -> None:
    text = ONE_SITE + '[numbers]\ndecimal = ","\n[[count]]\ncolumn = "N"\nmetric = "vehicles"\n'
    said = faults(tmp_path, table(tmp_path, "Date,N\n2023-06-05,1.234\n"), text)
    assert "is ambiguous" in said
    assert "sets off thousands" in said


def test_decimals_with_a_comma_and_multiples(tmp_path: Path, tonnes: None) -> None:
    path = table(tmp_path, "Date;T\n2023-06-05;1,250\n2023-06-06;0,3\n")
    mapping = (
        ONE_SITE
        + '[numbers]\ndecimal = ","\n[[count]]\ncolumn = "T"\nmetric = "supply_t"\ntimes = 1000\nunit = "t"\n'
    )
    assert [each[5] for each in brought(tmp_path, path, mapping)] == [1250, 300]
    point = table(tmp_path, "Date,T\n2023-06-05,1.250\n", "point.csv")
    assert "ambiguous" in faults(tmp_path, point, mapping.replace('decimal = ","\n', ""))
    assert "is not the unit" in faults(tmp_path, path, mapping.replace('unit = "t"', 'unit = "kg"'))


def test_what_stands_where_nothing_was_counted(tmp_path: Path) -> None:
    text = "Date,Ships\n2023-06-05,NA\n2023-06-06,cloud\n2023-06-07,0\n2023-06-08,\n2023-06-09,-\n"
    numbers = '[numbers]\nmissing = ["NA"]\nnot_assessable = ["cloud"]\n'
    path = table(tmp_path, text)
    planned = plan(tmp_path, path, PLAIN + numbers)
    assert [(each.value, each.assessable) for each in planned.first if isinstance(each, Observation)] == [
        (None, False),
        (0.0, None),
    ]
    assert [fault.row for fault in planned.faults] == ["row 6"]


def test_bounds_and_other_columns(tmp_path: Path) -> None:
    text = "Date,Ships,min,max,Where\n2023-06-05,5,4,9,https://example.org/a\n"
    mapping = (
        ONE_SITE
        + SHIPS
        + 'low = "min"\nhigh = "max"\n[columns]\nurl = "Where"\n[constants]\npublisher = "Us"\ncertainty = "low"\n'
    )
    (found,) = plan(tmp_path, table(tmp_path, text), mapping).first
    assert isinstance(found, Observation)
    assert (found.low, found.value, found.high, found.certainty) == (4, 5, 9, "low")
    assert [each.ref for each in found.evidence if each.kind == "url"] == ["https://example.org/a"]


# --- workbooks --------------------------------------------------------------------------------------


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[Any]] = [
    ["Port", "Day", "Ships", "Seen"],
    ["Busy Port", date(2023, 6, 5), 3, 0.8],
    ["Busy Port", datetime.combine(date(2023, 6, 6), time()), 4.0, None],
]
BOOK_MAP = (
    '[site]\ncolumn = "Port"\n[time]\ncolumn = "Day"\nformat = "DD.MM.YYYY"\n'
    + SHIPS
    + '[columns]\nexposure = "Seen"\n'
)


def test_a_workbook_of_a_colleague(engine: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "ships.xlsx", Counts=ROWS, Notes=[["x"]])
    found = brought(tmp_path, path, BOOK_MAP)
    assert [(each[1], each[5]) for each in found] == [("2023-06-05", 3), ("2023-06-06", 4)]
    assert (
        'The sheet "Counts" was read; the workbook also has "Notes".'
        in plan(tmp_path, path, BOOK_MAP).notices
    )
    mapping = read_mapping(tmp_path / "mapping.toml")
    assert import_file(engine, path, CAST_BY_ID, NOW, mapping=mapping) == ImportReport(stored=2)
    named = BOOK_MAP + '[file]\nsheet = "Nots"\n'
    assert 'no sheet "Nots". Did you mean "Notes"?' in faults(tmp_path, path, named)


def test_a_workbook_in_the_columns_of_an_import_needs_no_mapping(engine: Engine, tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["site_id", "start", "metric", "value", "x-mine"],
        ["busy-port", date(2023, 6, 5), "ships_present", 3, "a"],
    ]
    path = workbook(tmp_path / "own.xlsx", Sheet=rows)
    assert import_file(engine, path, CAST_BY_ID, NOW) == ImportReport(stored=1)
    assert check_file(path, CAST_BY_ID, NOW) == ([], [])
    rows[0][0] = "site"
    broken = workbook(tmp_path / "broken.xlsx", Sheet=rows)
    (unknown, missing) = import_file(engine, broken, CAST_BY_ID, NOW).faults
    assert (unknown.column, missing.column) == ('"site"', "site_id")


def test_workbooks_that_are_none_or_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04nonsense")
    assert "no workbook that can be read" in faults(tmp_path, path, BOOK_MAP)
    path.write_bytes(b"Date,Ships\n")
    assert "no workbook that can be read" in faults(tmp_path, path, BOOK_MAP)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"")
    assert "no workbook that can be read" in faults(tmp_path, path, BOOK_MAP)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(data)
    assert "unpacks to more than 512 MiB" in faults(tmp_path, path, BOOK_MAP)


# --- a first mapping --------------------------------------------------------------------------------


def test_a_table_suggests_its_mapping(tmp_path: Path) -> None:
    text = suggest_mapping(
        table(tmp_path, DAILY_FLIGHTS.replace("-19,", "-2019,").replace("02-01", "13-01")), CAST_BY_ID
    )
    assert 'column = "APT_ICAO"\nothers = "skip"' in text
    assert 'column = "FLT_DATE"\nformat = "DD-MM-YYYY"' in text
    assert 'column = "FLT_ARR_1"\nmetric = "METRIC"' in text
    assert "YEAR" not in text.replace("format", "")


def test_a_suggestion_that_is_complete_can_be_used_as_it_is(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", Sheet=[["Port", "Day", "Railcars"], ["Busy Port", date(2023, 6, 5), 3]]
    )
    assert [each[3:] for each in brought(tmp_path, path, suggest_mapping(path, CAST_BY_ID))] == [
        ("railcars", "", 3)
    ]


def test_what_a_table_does_not_show_is_asked(tmp_path: Path) -> None:
    path = table(tmp_path, "Reef,Date,Boats\nA,05/04/1995,3\nB,06/04/1995,2\n")
    text = suggest_mapping(path, CAST_BY_ID)
    assert 'values = {"A" = "SITE", "B" = "SITE"}' in text
    assert "Keep one: DD/MM/YYYY, MM/DD/YYYY" in text
    # As long as nobody answers, nothing is read; a site that the mapping names and nobody watches is no other place.
    assert '"SITE" is not a watched site' in faults(tmp_path, path, text)
    assert '"SITE" is not a watched site' in faults(
        tmp_path, path, text.replace("[site]", '[site]\nothers = "skip"')
    )
    assert "Say which of its numbers is the day" in faults(
        tmp_path, path, text.replace('"SITE"', '"busy-port"')
    )
    bare = suggest_mapping(table(tmp_path, "n\n3\n"), CAST_BY_ID)
    assert 'column = "COLUMN"' in bare
    assert 'id = "SITE"' in bare


# --- mappings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is not TOML"),
        ("", "[[count]]: there is none"),
        (SHIPS, "say one way to know the site"),
        (SHIPS, "say one way to know the time"),
        (PLAIN + "[extra]\n", '"extra" is not known'),
        (PLAIN + "[numbers]\ndecimall = 5\n", 'Did you mean "decimal"?'),
        (PLAIN + '[numbers]\ndecimal = ";"\n', '";" is not known'),
        (PLAIN + '[numbers]\ndecimal = ","\nthousands = ","\n', "cannot be the same sign"),
        (PLAIN + "[numbers]\nmissing = 5\n", "write a list of texts"),
        (PLAIN.replace('"Date"', '"Date"\nformat = "DD/MM"'), '"DD/MM" is not a form of dates'),
        (PLAIN.replace('"Date"', '"Date"\nzone = "Mars"'), "is not a time zone"),
        (PLAIN.replace('"Date"', "5"), "[time] column: write a text"),
        (PLAIN.replace('"Date"', '"Date"\nweek = "W"'), "month and week need a year"),
        (
            PLAIN.replace('"busy-port"', '"busy-port"\nlatitude = "y"'),
            "latitude and longitude belong together",
        ),
        (PLAIN.replace('"busy-port"', '"busy-port"\ncolumn = "y"'), "say one way to know the site"),
        (PLAIN.replace('"busy-port"', '"busy-port"\nothers = "drop"'), '"drop" is not known'),
        (PLAIN.replace('"busy-port"', '"busy-port"\nwithin_m = "near"'), "write metres as a number"),
        (PLAIN.replace('metric = "ships_present"', ""), "say its metric"),
        (PLAIN + "times = 0\n", "write a number above 0"),
        (PLAIN + '[constants]\nvalue = "5"\n', '"value" is not known'),
        (PLAIN + '[file]\nencoding = "klingon"\n', "is not known. Write utf-8"),
        (PLAIN + "[file]\nheader = 0\n", "write a whole number from 1"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_all_of_it(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_mapping(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Day,Ships\n2023-06-05,3\n", "the mapping names this column, and it is not there"),
        ("Date,Ships,Ships\n2023-06-05,3,4\n", "stands there twice"),
        ("Date,Ships\n2023-06-05,3,4\n", "it has 3 cells, and the header has 2"),
        ("Date,Ships\n,3\n", "it has no time"),
        ('Date,Ships\n2023-06-05,"3\n', "not well-formed CSV"),
        ("", "line 1 is empty"),
    ],
)
def test_a_table_that_is_not_what_the_mapping_says(tmp_path: Path, text: str, words: str) -> None:
    assert words in faults(tmp_path, table(tmp_path, text), PLAIN)


def test_an_unknown_place_is_told_with_the_way_to_name_it(tmp_path: Path) -> None:
    by_name = PLAIN.replace('id = "busy-port"', 'column = "Port"')
    path = table(tmp_path, "Port,Date,Ships\nBusy Prt,2023-06-05,3\n")
    said = faults(tmp_path, path, by_name)
    assert '"Busy Prt" is not a watched site. Name it under values in [site]' in said
    assert 'Did you mean "Busy Port"?' in said


def test_a_bad_cell_is_told_by_row_and_column_and_nothing_is_stored(engine: Engine, tmp_path: Path) -> None:
    text = DAILY_FLIGHTS.replace(",26,", ",many,")
    path = table(tmp_path, text)
    mapping = read_mapping(mapped(tmp_path, DAILY_FLIGHTS_MAP))
    report = import_file(engine, path, CAST_BY_ID, NOW, mapping=mapping)
    assert [fault.row for fault in report.faults] == ["row 2, FLT_ARR_1"]
    assert report.stored == 0
    assert import_file(engine, path, CAST_BY_ID, NOW, mapping=mapping, skip_bad=True).stored == 3


def test_a_table_is_read_twice_alike(tmp_path: Path) -> None:
    """The import checks a file first and reads it again to store it: sums and notices do not grow."""
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [["Activity Period", "Landing Count"], *([f"2023{month:02}", 5] for month in [5, 5, 6])]
    )
    path = table(tmp_path, rows.getvalue())
    first, again = (brought(tmp_path, path, AIR_TRAFFIC_MAP) for _ in range(2))
    assert first == again
    assert [each[5] for each in first] == [10, 5]
