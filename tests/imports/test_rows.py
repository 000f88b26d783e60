"""Each kind of row becomes its record, and each bad cell is named with what would mend it."""

import io
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.records import DeclaredBaseline, Evidence, Note, Observation, SeriesKey
from db.records.counts import UNDATED
from monitor.imports import ImportClock, ImportedRecord, ImportFault, csv_rows, feature_rows, parse_rows
from tests.kit.cast import CAST_BY_ID

NOW = datetime(2023, 11, 1, tzinfo=UTC)
GOOD = {"site_id": "busy-port", "start": "2023-10-05", "metric": "ships_present", "value": "3"}


def parse(latest: datetime | None = None, /, **cells: str) -> tuple[list[ImportedRecord], list[ImportFault]]:
    row = {**GOOD, **cells}
    text = ",".join(row) + "\n" + ",".join(f'"{cell}"' for cell in row.values()) + "\n"
    return parse_rows(
        csv_rows(io.StringIO(text, newline=""), "counts.csv"), CAST_BY_ID, ImportClock(NOW, latest)
    )


def record(**cells: str) -> ImportedRecord:
    records, faults = parse(None, **cells)
    assert faults == []
    return records[0]


def look(**cells: str) -> Observation:
    found = record(**cells)
    assert isinstance(found, Observation)
    return found


def declared(**cells: str) -> DeclaredBaseline:
    found = record(**cells)
    assert isinstance(found, DeclaredBaseline)
    return found


def note(**cells: str) -> Note:
    found = record(**cells)
    assert isinstance(found, Note)
    return found


def test_the_four_required_columns_make_a_look() -> None:
    found = look()
    assert found.series == SeriesKey("busy-port", "", "ships_present", "", "analyst")
    assert (found.kind, found.value, found.qualifier, found.precision) == ("stock", 3.0, "=", "day")
    assert found.period_start == datetime(2023, 10, 4, 22, tzinfo=UTC)
    assert found.period_end == found.result_time == datetime(2023, 10, 5, 22, tzinfo=UTC)
    assert (found.exposure, found.assessable, found.announced) == (None, None, False)
    assert found.recorded_at == NOW
    assert found.evidence == (Evidence("import", "counts.csv", "row 2"),)


def test_every_column_is_kept() -> None:
    found = look(
        area="pier-2",
        end="2023-10-06",
        precision="window",
        metric="ship_calls",
        subject="class:dark",
        value="19",
        comparator=">=",
        low="19",
        high="25.5",
        assessable="yes",
        exposure="0.75",
        method="cfar",
        method_version="5.5",
        sensor="S1",
        published="2023-10-16",
        announced="yes",
        publisher="Analysts",
        via="a newspaper",
        url="https://example.org/report",
        scene="S1A_1",
        certainty="Medium",
        reviewer="Ada",
        note="two ships\nand a barge",
    )
    assert found.series == SeriesKey("busy-port", "pier-2", "ship_calls", "class:dark", "cfar:5.5@S1")
    assert (found.kind, found.value, found.low, found.high) == ("flow", 19, 19, 25.5)
    assert (found.qualifier, found.assessable, found.exposure) == (">=", True, 0.75)
    assert (found.publisher, found.origin, found.via) == ("Analysts", "Analysts", "a newspaper")
    assert (found.certainty, found.announced, found.note) == ("medium", True, "two ships and a barge")
    assert found.result_time == datetime(2023, 10, 16, tzinfo=UTC)
    assert found.evidence == (
        Evidence("url", "https://example.org/report", "Analysts"),
        Evidence("scene", "S1A_1"),
        Evidence("note", "reviewer", "Ada"),
        Evidence("import", "counts.csv", "row 2"),
    )


def test_published_counts_and_own_counts_are_different_procedures() -> None:
    assert look().series.procedure == "analyst"
    assert look(publisher="Analysts").series.procedure == "published"
    assert look(url="https://example.org/a").series.procedure == "published"
    assert look(publisher="Analysts", method="analyst", sensor="SkySat").series.procedure == "analyst@SkySat"
    at_most = declared(comparator="max", publisher="Analysts")
    assert at_most.series.procedure == "published"


def test_a_look_is_known_by_its_source_and_not_by_its_count() -> None:
    key = look(publisher="Analysts").look_key
    assert key == look(publisher="Analysts", value="9", comparator="~=", published="2023-10-20").look_key
    assert key == look(publisher="Analysts", via="a reteller", url="https://example.org/a").look_key
    others = [
        look(publisher="Others").look_key,
        look().look_key,
        look(publisher="Analysts", end="2023-10-06").look_key,
        look(publisher="Analysts", precision="window").look_key,
        look(publisher="Analysts", scene="S1A_1").look_key,
        look(url="https://example.org/a").look_key,
        look(url="https://example.com/a").look_key,
    ]
    assert len({key, *others}) == 8
    assert look(url="https://www.example.org/b").look_key == look(url="https://example.org/a").look_key


def test_an_id_names_the_look() -> None:
    assert look(id="p7").look_key == "p7"
    assert look(id="p7", publisher="Analysts").look_key == "Analysts/p7"
    assert look(id="p7", scene="S1A_1").look_key == "p7"


@pytest.mark.parametrize("number", ["0", "7", "7.0", "-1", "#12", "１２", "0007"])
def test_a_bare_number_names_no_look(number: str) -> None:
    assert look(id=number).look_key == look().look_key
    assert look(id=number, scene="S1A_1").look_key == look(scene="S1A_1").look_key


def test_a_scene_names_the_look_for_every_period() -> None:
    assert look(scene="S1A_1").look_key == look(scene="S1A_1", start="2023-10-05T10:00Z").look_key


def test_a_look_that_could_not_be_assessed_has_no_count() -> None:
    found = look(value="", assessable="no")
    assert (found.value, found.assessable, found.usable) == (None, False, False)


@pytest.mark.parametrize(
    ("comparator", "value", "expected"),
    [
        ("max", "20", ("max", 20.0, None)),
        ("none_before", "0", ("none_before", 0.0, None)),
        ("none_before", "", ("none_before", 0.0, None)),
        ("last_seen", "1", ("last_seen", 1.0, None)),
        ("last_seen", "", ("last_seen", None, None)),
        ("of 109", "49", ("share", 49.0, 109)),
    ],
)
def test_statements_about_the_past(
    comparator: str, value: str, expected: tuple[str, float | None, int | None]
) -> None:
    found = declared(
        comparator=comparator, value=value, start="2018-10-06", end="2023-09-17", precision="window"
    )
    assert (found.statistic, found.value, found.n_looks) == expected
    assert found.window_start == datetime(2018, 10, 5, 22, tzinfo=UTC)
    assert found.window_end == datetime(2023, 9, 17, 22, tzinfo=UTC)


def test_a_declared_baseline_keeps_its_citation_and_its_key() -> None:
    cells = {
        "comparator": "max",
        "publisher": "Analysts",
        "url": "https://example.org/a",
        "certainty": "high",
    }
    found = declared(value="20", via="a newspaper", note="of five years", **cells)
    assert (found.publisher, found.via, found.url) == ("Analysts", "a newspaper", "https://example.org/a")
    assert (found.certainty, found.note, found.recorded_at) == (
        "high",
        f"of five years {UNDATED}",
        NOW,
    )
    assert found.key == declared(value="22", **cells).key
    assert found.key != declared(value="20", **{**cells, "comparator": "last_seen"}).key
    assert found.key != declared(value="20", area="pier-1", **cells).key
    assert (
        declared(id="a", value="1", **cells).key
        == declared(id="a", start="2023-10-01", value="1", **cells).key
    )


def test_notes_and_trends() -> None:
    remark = note(
        metric="note", value="1", note="summit", announced="yes", subject="train:armoured", area="pier-1"
    )
    assert (remark.text, remark.announced, remark.subject, remark.area) == (
        "summit",
        True,
        "train:armoured",
        "pier-1",
    )
    assert note(metric="note", value="").metric == "note"
    rising = note(comparator="trend_up", value="", note="step by step", certainty="high")
    assert rising.metric == "ships_present"
    assert rising.text == "Rising, no numbers published. step by step"
    assert rising.certainty == "high"
    assert note(comparator="trend_up", value="").text == "Rising, no numbers published."


def test_lengths_may_be_fractions() -> None:
    assert look(metric="container_stack_length_m", value="90.5").value == 90.5


def test_a_cell_that_a_spreadsheet_was_kept_from_reading() -> None:
    assert look(comparator="'=").qualifier == "="
    assert look(note="'-5 degrees that day").note == "-5 degrees that day"
    assert look(note="'quoted' words").note == "'quoted' words"


BAD = [
    ({"site_id": "busy-prot"}, "site_id", "not a watched site", "busy-port"),
    ({"site_id": ""}, "site_id", "empty", "Fill it in"),
    ({"metric": "ship_present"}, "metric", "not a metric", "ships_present"),
    ({"metric": ""}, "metric", "empty", "Fill it in"),
    ({"start": "yesterday"}, "start", "not understood", "2023-10-05"),
    ({"start": ""}, "start", "empty", "Fill it in"),
    ({"end": "tomorrow"}, "end", "not understood", "2023-10-05"),
    ({"end": "2023-10-01"}, "end", "before start", "Swap"),
    ({"precision": "dya"}, "precision", "not known", '"day"'),
    ({"published": "soon"}, "published", "not understood", "2023-10-05"),
    ({"value": ""}, "value", "empty", "assessable no"),
    ({"value": "many"}, "value", "not a number", "digits"),
    ({"value": "nan"}, "value", "not a number", "assessable no"),
    ({"value": "inf"}, "value", "not a number", "digits"),
    ({"value": "1e3"}, "value", "not a number", "digits"),
    ({"value": "1 000"}, "value", "not a number", "digits"),
    ({"value": "٣"}, "value", "not a number", "digits"),
    ({"value": "-1"}, "value", "negative", "0 or more"),
    ({"value": "2.5"}, "value", "not a whole number", "low and high"),
    ({"value": "1000001"}, "value", "more than 1,000,000", "Check"),
    ({"value": "9" * 400}, "value", "more than 1,000,000", "Check"),
    ({"value": "=1+1"}, "value", "not a number", "digits"),
    ({"comparator": "=>"}, "comparator", "not known", ">="),
    ({"comparator": "of many"}, "comparator", "not known", "of 109"),
    ({"low": "4"}, "low", "order", "three numbers"),
    ({"high": "2"}, "low", "order", "three numbers"),
    ({"assessable": "perhaps"}, "assessable", "neither yes nor no", "yes, no"),
    ({"assessable": "no"}, "value", "no count", "assessable yes"),
    ({"value": "", "assessable": "no", "low": "1"}, "low", "no count", "empty"),
    ({"exposure": "80"}, "exposure", "not a share", "0.8"),
    ({"announced": "maybe"}, "announced", "neither yes nor no", "yes, no"),
    ({"subject": "Tu-160"}, "subject", "not a subject", "type:"),
    ({"area": "pier-3"}, "area", "not an area", "pier-2"),
    ({"site_id": "quiet-field", "area": "apron"}, "area", "not an area", "sites file"),
    ({"method": "a:b"}, "method", "cannot be used", "without"),
    ({"certainty": "sure"}, "certainty", "not known", "high, medium"),
    ({"url": "javascript:alert(1)"}, "url", "not a web address", "https://"),
    ({"url": "https://user:secret@example.org/"}, "url", "not a web address", "password"),
    ({"url": "https://[::1"}, "url", "not a web address", "https://"),
    ({"note": "a\x00b"}, "note", "control characters", "Remove"),
    ({"publisher": "\u202egro.elpmaxe"}, "publisher", "control characters", "Remove"),
    ({"note": "x" * 2001}, "note", "2001 characters", "2000"),
    ({"comparator": "trend_up"}, "value", "carries no number", "comparator"),
    ({"comparator": "max", "value": ""}, "value", "empty", "published"),
    ({"comparator": "of 2"}, "value", "more than all looks", "both"),
    ({"comparator": "none_before"}, "value", "means 0", "0"),
    ({"comparator": "max", "low": "1"}, "low", "whole window", "single looks"),
    ({"comparator": "max", "assessable": "yes"}, "assessable", "whole window", "single looks"),
    ({"metric": "note", "comparator": "max"}, "comparator", "no statistic", "name a metric"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "column", "problem", "mend"), BAD, ids=str)
def test_a_bad_cell_is_named(cells: dict[str, str], column: str, problem: str, mend: str) -> None:
    records, faults = parse(**cells)
    assert records == []
    assert [(fault.row, fault.column) for fault in faults] == [("row 2", column)]
    assert problem in faults[0].problem
    assert mend in faults[0].mend
    assert str(faults[0]).startswith(f"row 2, {column}: ")
    assert "secret" not in str(faults[0])


def test_all_faults_of_a_row_are_told_at_once() -> None:
    _, faults = parse(
        site_id="nowhere", metric="ships", value="-1", start="?", end="?", exposure="7", url="x"
    )
    assert sorted(fault.column for fault in faults) == [
        "end",
        "exposure",
        "metric",
        "site_id",
        "start",
        "url",
    ]


def test_a_live_import_knows_nothing_of_the_future() -> None:
    _, faults = parse(NOW, start="2023-11-02")
    assert [fault.column for fault in faults] == ["start"]
    _, faults = parse(NOW, published="2032-10-06")
    assert [fault.column for fault in faults] == ["published"]
    assert parse(published="2032-10-06")[1] == []


def test_what_is_imported_now_is_knowable_now() -> None:
    this_morning = datetime(2023, 10, 5, 9, tzinfo=UTC)
    for cells in ({}, {"published": "2023-10-06"}):
        (found,), faults = parse(this_morning, **cells)
        assert faults == []
        assert found.result_time == this_morning


def test_a_pipelines_counts_are_understood() -> None:
    properties = {
        "site_id": "busy-port", "datetime": "2023-10-04T22:00:00Z", "datetime_precision": "day",
        "result_time": "2023-10-06T00:00:00Z", "class": "ship", "count": 73, "count_low": 70, "count_high": None,
        "qualifier": "approximately", "aoi_coverage": 0.9, "cloud_fraction": 0.1, "assessable": True, "gsd_m": 3,
        "method": "analyst", "version": None, "score": None, "source": "Analysts", "scene": "S1A_1",
        "evidence": ["https://example.org/report", "https://example.org/more"], "review": "published",
        "supersedes": None, "x-mine": {"any": "thing"},
    }  # fmt: skip
    feature = {"type": "Feature", "id": "busy-port-20231005-ship", "geometry": None, "properties": properties}
    rows = feature_rows({"type": "FeatureCollection", "features": [feature]})
    (found,), faults = parse_rows(rows, CAST_BY_ID, ImportClock(NOW))
    assert faults == []
    assert isinstance(found, Observation)
    assert found.series == SeriesKey("busy-port", "", "ships_present", "", "analyst")
    assert found.period_start == datetime(2023, 10, 4, 22, tzinfo=UTC)
    assert found.period_end == datetime(2023, 10, 5, 22, tzinfo=UTC)
    assert found.result_time == datetime(2023, 10, 6, tzinfo=UTC)
    assert (found.value, found.low, found.high, found.qualifier) == (73, 70, None, "~=")
    assert (found.exposure, dict(found.exposure_parts), found.assessable) == (
        0.9,
        {"cloud_fraction": 0.1},
        True,
    )
    assert found.look_key == "Analysts/busy-port-20231005-ship"
    assert found.evidence == (
        Evidence("url", "https://example.org/report", "Analysts"),
        Evidence("url", "https://example.org/more", "Analysts"),
        Evidence("scene", "S1A_1", "3 m a pixel"),
        Evidence("note", "review", "published"),
    )


def features(*properties: object) -> tuple[list[ImportedRecord], list[ImportFault]]:
    listed = [{"type": "Feature", "properties": each} for each in properties]
    return parse_rows(
        feature_rows({"type": "FeatureCollection", "features": listed}), CAST_BY_ID, ImportClock(NOW)
    )


@pytest.mark.parametrize(
    ("properties", "column", "problem"),
    [
        ({"count": 3}, "count", "two properties"),
        ({"supersedes": "old"}, "supersedes", "cannot be replaced"),
        ({"value": True}, "value", "not a number"),
        ({"value": 1e22}, "value", "not a number"),
        ({"value": {"n": 3}}, "value", "not a single value"),
        ({"notes": "x"}, '"notes"', "not known"),
        ({"evidence": ["ftp://example.org/a", "data:x"]}, "url", "not a web address"),
        ({"publisher": "\ud800"}, "publisher", "control characters"),
        ({"cloud_fraction": 10}, "cloud_fraction", "not a share"),
    ],
    ids=str,
)
def test_a_bad_feature_is_named(properties: dict[str, object], column: str, problem: str) -> None:
    records, faults = features({**GOOD, **properties})
    assert records == []
    assert (faults[0].row, faults[0].column) == ("feature 1", column)
    assert problem in faults[0].problem


def test_features_without_properties() -> None:
    _, faults = features(None)
    assert [str(fault) for fault in faults] == [
        "feature 1: it has no properties. Give each Feature an object of properties."
    ]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "end", "comparator", "low", "exposure", "note", "id"]), st.text())
)
def test_no_text_breaks_the_reading(cells: dict[str, str]) -> None:
    records, faults = features({**GOOD, **cells})
    assert len(records) == 1 or faults
    for each in records:
        if isinstance(each, Observation):
            assert each.value is None or (math.isfinite(each.value) and each.value >= 0)
            assert each.period_start <= each.period_end
            assert each.period_start <= each.result_time
