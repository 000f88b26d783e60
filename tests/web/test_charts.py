"""What charts, plans and sentences are made of: pure functions over records."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.judging.forecast import Expected
from db.records import BlindPeriod, CoverageHour, Evaluation, ObservationKey, Scene
from monitor.feeds import Provider
from monitor.web.charts.charts import value_chart
from monitor.web.charts.data import chart_data
from monitor.web.charts.lanes import lane_chart
from monitor.web.charts.marks import LEFT, RIGHT, ChartInput, Span, look_key, not_assessable
from monitor.web.files import Assets
from monitor.web.views.feed_coverage import (
    BusyPlace,
    Reception,
    flight_sentence,
    imagery_sentence,
    outage_sentence,
    published_sentence,
)
from monitor.web.views.plan import draw_plan
from monitor.web.views.rows import RowContext, run_row, runs_of
from monitor.web.views.verdict_words import verdict_phrase
from tests.kit.builders import DAY, at, look, stated
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD

NOW = at("2023-10-07")
FEED = Provider("adsb.lol", "readsb", "https://adsb.example/", 60, "ODbL", "adsb.lol")
CATALOGUE = Provider("earth-search", "stac", "https://stac.example/", 3600, "open", "ESA")
MAX_20 = stated("max", 20, ("2018-10-06", "2023-09-17"))
COUNTS = [look(day, value) for day, value in (("2022-11-04", 3), ("2022-11-18", 5), ("2023-10-05", 73))]


def test_a_chart_stands_its_marks_in_time_and_height() -> None:
    chart = value_chart(
        ChartInput("UTC", NOW, COUNTS, [MAX_20], frozenset({look_key(COUNTS[2])})), "Railcars"
    )
    assert chart is not None
    xs, ys = [mark.x for mark in chart.marks], [mark.y for mark in chart.marks]
    assert xs == sorted(xs)
    assert ys[0] > ys[1] > ys[2]
    assert [mark.kind for mark in chart.marks] == ["count", "count", "alert"]
    (band,) = [block for block in chart.blocks if block.kind == "declared"]
    assert band.y + band.height == chart.floor_y
    assert ys[2] < band.y < ys[1]
    assert "number of looks not published" in band.title


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = value_chart(ChartInput("UTC", NOW, COUNTS), "Railcars")
    assert chart is not None
    assert chart.description == (
        "Railcars: 3 counts. Highest 73 (2023-10-05), newest 73 (2023-10-05). The table below has every one."
    )


def test_nothing_counted_draws_nothing() -> None:
    assert value_chart(ChartInput("UTC", NOW, []), "x") is None
    assert value_chart(ChartInput("UTC", NOW, [look("2023-10-01", None)], [MAX_20]), "x") is None
    assert lane_chart(ChartInput("UTC", NOW, []), "x") is None


def test_gaps_cloud_and_the_time_since_are_shaded_differently() -> None:
    seen = [
        look("2023-09-01", 2),
        look("2023-09-02", None),
        look("2023-09-03", None),
        look("2023-09-04", None, assessable=False),
        look("2023-09-05", 1),
    ]
    chart = value_chart(ChartInput("UTC", NOW, seen), "Railcars")
    assert chart is not None
    assert [block.kind for block in chart.blocks] == ["gap", "unusable", "silence"]
    assert chart.blocks[0].title == "2023-09-02 to 2023-09-03: no count: not observed"
    assert chart.blocks[2].title == "No count since 2023-09-06 00:00 UTC"
    assert len(chart.marks) == 2


def test_a_silent_series_does_not_hide_that_another_counted() -> None:
    ours, theirs = look("2023-09-01", None, procedure="adsb"), look("2023-09-01", 4)
    chart = value_chart(ChartInput("UTC", NOW, [ours, theirs]), "Railcars")
    assert chart is not None
    assert [mark.label for mark in chart.marks] == ["4"]


def test_a_window_is_drawn_as_long_as_it_was_and_at_least_points_up() -> None:
    window = look(
        "2023-08-26",
        5,
        "ship_calls",
        qualifier=">=",
        precision="window",
        period_end=at("2023-10-01"),
        key=None,
    )
    chart = value_chart(ChartInput("UTC", NOW, [window]), "Ship calls")
    assert chart is not None
    (mark,) = chart.marks
    assert mark.floor
    assert mark.width is not None
    assert mark.width > 50
    assert mark.label == "≥5"


def test_thousands_of_looks_are_condensed_and_say_so() -> None:
    many = [look(f"{at('2015-01-01') + day * DAY:%Y-%m-%d}", day % 50) for day in range(2000)]
    chart = value_chart(ChartInput("UTC", NOW, many), "Railcars")
    assert chart is not None
    assert len(chart.marks) <= 300
    assert "the highest is drawn" in chart.condensed
    assert (
        min(mark.y for mark in chart.marks) == chart.marks[0].y or max(each.value or 0 for each in many) == 49
    )


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 1e6)), min_size=1, max_size=60))
def test_marks_stay_inside_and_labels_never_touch(found: list[tuple[int, float]]) -> None:
    looks = [look(f"{at('2015-01-01') + day * DAY:%Y-%m-%d}", value) for day, value in sorted(found)]
    chart = value_chart(ChartInput("UTC", at("2023-10-07"), looks), "Railcars")
    assert chart is not None
    assert all(LEFT <= mark.x <= RIGHT and 0 <= mark.y <= chart.floor_y for mark in chart.marks)
    labelled = [mark for mark in chart.marks if mark.label]
    assert labelled
    for place, one in enumerate(labelled):
        for other in labelled[place + 1 :]:
            apart = abs(one.x - other.x) / 100 * 330
            assert apart > (len(one.label) + len(other.label)) / 2 * 7 or abs(one.y - other.y) > 12


def test_counts_that_nearly_cover_each_other_share_one_label() -> None:
    low = [look(day, value) for day, value in (("2022-11-04", 3), ("2022-11-18", 5), ("2022-11-30", 8))]
    high = [look("2023-10-05", 73), look("2024-06-17", 258)]
    chart = value_chart(ChartInput("UTC", at("2024-08-08"), [*low, *high], [MAX_20]), "Railcars")
    assert chart is not None
    assert [mark.label for mark in chart.marks] == ["", "", "3, 5, 8", "73", "258"]


def test_lanes_show_each_subject_and_when_it_was_last_seen_before() -> None:
    vip = [look(day, 1, "arrivals", "class:vip_military") for day in ("2023-07-31", "2023-09-26")]
    flown = look("2023-08-25", 2, "arrivals", "link:ru-knevichi")
    before = stated("last_seen", 1, ("2019-06-01", "2019-07-31"), "arrivals", "class:vip_military")
    told = ChartInput(
        "UTC", NOW, [*vip, flown], [before], frozenset({look_key(vip[0])}), {"ru-knevichi": "Knevichi"}
    )
    chart = lane_chart(told, "Arrivals")
    assert chart is not None
    assert [lane.name for lane in chart.lanes] == ["Military VIP aircraft", "Traffic with Knevichi"]
    assert [mark.kind for mark in chart.lanes[0].marks] == ["declared", "alert", "count"]
    assert [mark.label for mark in chart.lanes[1].marks] == ["2"]


@given(st.integers(1, 20_000), st.integers(0, 10_000))
def test_an_axis_has_few_round_dates_inside(days: int, offset: int) -> None:
    start = at("1990-03-04T05:06") + offset * DAY
    ticks = Span(start, start + days * DAY).ticks()
    assert len(ticks) <= 14
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)
    assert all(LEFT <= tick.x <= RIGHT for tick in ticks)
    assert ticks or days < 2


def test_the_script_gets_the_same_marks() -> None:
    data = chart_data(
        ChartInput(
            "UTC", NOW, [*COUNTS, look("2023-10-06", None)], [MAX_20], frozenset({look_key(COUNTS[2])})
        )
    )
    assert [each["kind"] for each in data["looks"]] == ["count", "count", "alert", "gap"]
    assert data["declared"][0]["value"] == 20
    assert data["now"] == NOW.timestamp()


@pytest.mark.parametrize("site", CAST, ids=lambda site: site.id)
def test_a_plan_is_to_scale_with_north_up(site: object) -> None:
    assert site in CAST
    plan = draw_plan(site)
    numbers = [
        float(each)
        for shape in plan.shapes
        for each in shape.path.replace("M", " ").replace("L", " ").replace("Z", " ").split()
    ]
    assert min(numbers) >= 0
    assert max(numbers[::2]) <= plan.width
    assert max(numbers[1::2]) <= plan.height
    assert 0 < plan.bar < plan.width


def test_a_plan_across_the_dateline_stays_in_one_piece() -> None:
    plan = draw_plan(DATELINE_STRIP)
    assert plan.width > 0.9 * plan.height
    outline, runway = plan.shapes
    assert outline.path.count("M") == 2
    assert runway.name == "Runway 09/27"


def test_a_plan_keeps_the_hole_and_names_what_nobody_has_drawn() -> None:
    assert draw_plan(DONUT_BASE).shapes[0].path.count("Z") == 2
    assert draw_plan(BUSY_PORT).unlocated == ("Pier 2",)
    assert [shape.kind for shape in draw_plan(BUSY_PORT).shapes] == ["site", "area"]


def hours(
    site: str, observed_s: int, reports: int, count: int = 24, *, degraded: bool = False
) -> list[CoverageHour]:
    return [
        CoverageHour("adsb.lol", site, NOW - timedelta(hours=1 + n), 3600, observed_s, degraded, reports)
        for n in range(count)
    ]


def heard(*found: list[CoverageHour], crowds: Sequence[BusyPlace] = ()) -> Reception:
    return Reception({each[0].site_id: each for each in found if each}, crowds)


def test_no_coverage_is_not_no_flights() -> None:
    crowds = (
        BusyPlace("adsb.lol", "Donut Base", 6, ("donut-base",)),
        BusyPlace("adsb.lol", "Incheon International Airport", 143),
        BusyPlace("other", "Busy Port", 900, ("busy-port",)),
        BusyPlace("adsb.lol", "Quiet Field", 999, ("quiet-field", "busy-port")),
    )
    said = flight_sentence(QUIET_FIELD, FEED, heard(hours("quiet-field", 3600, 0), crowds=crowds))
    assert said.kind == "blind"
    assert said.text == (
        "adsb.lol answered for 24 of the last 24 hours: 143 aircraft heard near Incheon International Airport when it was "
        "last asked there, none near Quiet Field. No receiver hears this place: no coverage, not no flights."
    )


def test_a_feed_that_heard_something_says_how_much() -> None:
    said = flight_sentence(QUIET_FIELD, FEED, heard(hours("quiet-field", 1800, 50)))
    assert said.kind == "seen"
    assert "answered for 12 of the last 24 hours and passed on 1,200 position reports" in said.text


def test_a_feed_that_failed_all_day_leaves_nothing_known() -> None:
    said = flight_sentence(QUIET_FIELD, FEED, heard(hours("quiet-field", 0, 0)))
    assert (said.kind, "not the same as no flights" in said.text) == ("blind", True)


def test_a_feed_never_asked_claims_nothing() -> None:
    assert flight_sentence(QUIET_FIELD, FEED, Reception({})).kind == "unknown"


def test_a_feed_that_heard_nothing_anywhere_blames_no_place() -> None:
    said = flight_sentence(
        QUIET_FIELD, FEED, heard(hours("quiet-field", 60, 0, 3), hours("donut-base", 3600, 0))
    )
    assert "answered for 3 minutes of the last 24 hours and heard nothing here or anywhere else" in said.text


def test_disturbed_hours_are_told() -> None:
    said = flight_sentence(QUIET_FIELD, FEED, heard(hours("quiet-field", 3600, 1, degraded=True)))
    assert "jamming or spoofing" in said.text


def scene(days: int, cloud: float | None, key: str) -> Scene:
    return Scene(
        "earth-search",
        "s2",
        f"item-{key}",
        "busy-port",
        key,
        "sentinel-2a",
        NOW - days * DAY,
        1.0,
        NOW,
        cloud_share=cloud,
    )


def test_a_catalogue_says_how_many_passes_and_how_clear() -> None:
    said = imagery_sentence(CATALOGUE, [scene(9, 0.9, "a"), scene(2, 0.1, "b"), scene(2, 0.1, "b")], NOW)
    assert said.kind == "seen"
    assert "2 satellite passes of the last 30 days, 1 of them mostly clear" in said.text
    assert "2 days ago (sentinel-2a, 10% under cloud)" in said.text
    assert "not a count" in said.text


def test_a_month_under_cloud_is_blind_and_unknown_cloud_is_said() -> None:
    assert imagery_sentence(CATALOGUE, [scene(2, 0.8, "a")], NOW).kind == "blind"
    assert "cloud cover not stated" in imagery_sentence(CATALOGUE, [scene(2, None, "a")], NOW).text
    assert imagery_sentence(CATALOGUE, [], NOW).kind == "unknown"


def test_the_age_of_the_newest_count_is_said() -> None:
    assert published_sentence(None, "UTC", NOW).text == "Nobody has counted anything here yet."
    fresh, old = look("2023-10-05", 3), look("2020-01-01", 3)
    assert published_sentence(fresh, "UTC", NOW).kind == "seen"
    assert (
        published_sentence(old, "UTC", NOW).text
        == "The newest count is from 2020-01-01, 4 years ago (Harbour Watch)."
    )


def test_an_outage_concludes_nothing() -> None:
    said = outage_sentence(BlindPeriod("quiet-field", at("2023-10-01T04:00"), NOW))
    assert "No working feed has watched this place since 2023-10-01 04:00 UTC" in said.text


def said(*answers: tuple[str, Any, bool, int | None]) -> list[Evaluation]:
    key = ObservationKey(COUNTS[0].series, COUNTS[0].period_start, "k", 1)
    return [
        Evaluation(key, rule, status, exceeded, {"missing": missing} if missing else {}, NOW, NOW)
        for rule, status, exceeded, missing in answers
    ]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "waits to be judged"),
        ([("record", "evaluated", False, None), ("first_since", "cannot_tell", False, None)], "ordinary"),
        (
            [("record", "evaluated", True, None), ("watchlist", "evaluated", True, None)],
            "unusual: record, watchlist",
        ),
        (
            [("record", "cannot_tell", False, 18), ("watchlist", "evaluated", False, None)],
            "cannot tell yet, needs 18 more looks",
        ),
        ([("record", "cannot_tell", False, 1)], "cannot tell yet, needs 1 more look"),
        (
            [("record", "not_observed", False, None), ("watchlist", "not_observed", False, None)],
            "not observed",
        ),
        ([("record", "suppressed", False, None)], "recorded, not told"),
        ([("", "no_rule", False, None)], "not judged"),
        ([("watchlist", "evaluated", False, None)], "ordinary"),
    ],
)
def test_a_verdict_in_a_few_words(answers: list[tuple[str, str, bool, int | None]], words: str) -> None:
    assert verdict_phrase(said(*answers)) == words


def test_files_are_versioned_by_their_content(tmp_path: Path) -> None:
    missing = Assets.of(tmp_path)
    assert (missing.built, list(missing.scripts("page.js"))) == (False, [])
    (tmp_path / "inputs.sha256").write_text("abc", encoding="utf-8")
    built = Assets.of(tmp_path)
    assert built.version != missing.version
    assert list(built.scripts("page.js")) == [f"/static/page.js?v={built.version}"]


def test_a_year_without_a_count_is_one_row_and_hides_no_count() -> None:
    blind = [
        look(f"2023-0{month}-{day:02}", None, "arrivals", subject, assessable=False)
        for month in (5, 6, 7)
        for day in range(1, 29)
        for subject in ("", "class:vip_military")
    ]
    counted = look("2023-08-01", 1, "arrivals", "class:vip_military")
    first = look("2023-04-01", 2, "arrivals", "class:vip_military")
    runs = list(runs_of([counted, *reversed(blind), first]))
    assert [len(run) for run in runs] == [1, 84, 84, 1]
    rows = [run_row(run, RowContext("UTC", {}, {}, {})) for run in runs]
    assert [(row.when, row.count, row.interval) for row in rows] == [
        ("2023-08-01", "1", ""),
        ("2023-05-01 to 2023-07-28", "not assessable", "84 looks"),
        ("2023-05-01 to 2023-07-28", "not assessable", "84 looks"),
        ("2023-04-01", "2", ""),
    ]


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ([{"publisher": "", "procedure": "adsb:1"}], "not assessable (too little radio coverage)"),
        ([{"exposure_parts": {"cloud_fraction": 0.9}}], "not assessable (cloud)"),
        ([{"exposure_parts": {"covered": 1.0, "clear": 0.1}}], "not assessable (cloud)"),
        ([{"exposure_parts": {"covered": 0.2, "clear": 0.9}}], "not assessable (outside the picture)"),
        (
            [{"exposure_parts": {"cloud_fraction": 1}}, {"publisher": "", "procedure": "adsb:1"}],
            "not assessable (cloud and too little radio coverage)",
        ),
        # A stay that no longer holds was hidden by nothing.
        ([{"publisher": "", "procedure": "adsb:1", "precision": "minute"}], "not assessable"),
        ([{}], "not assessable"),
        ([], ""),
    ],
    ids=str,
)
def test_the_legend_says_what_hid_the_looks(hidden: list[dict[str, Any]], words: str) -> None:
    looks = [
        look(f"2023-09-{day:02}", None, assessable=False, **fields) for day, fields in enumerate(hidden, 1)
    ]
    assert not_assessable([*looks, look("2023-10-01", 3), look("2023-10-02", None)]) == words


def test_what_was_usual_at_a_look_stands_behind_it() -> None:
    counted = [look(f"2023-09-{day:02}", day) for day in (1, 8, 15)]
    usual = [Expected(counted[-1], 6.0, 2.0, 40.0)]
    told = ChartInput("UTC", NOW, counted, expected=usual)
    chart = value_chart(told, "Railcars")
    assert chart is not None
    (band,) = (each for each in chart.blocks if each.kind == "usual")
    assert band.title == "2023-09-15: usually 2 to 40, 6 expected"
    assert band.y > 0
    assert band.y < chart.marks[-1].y < band.y + band.height < chart.floor_y
    assert chart_data(told)["usual"] == [
        {
            "start": counted[-1].period_start.timestamp(),
            "end": counted[-1].period_end.timestamp(),
            "low": 2.0,
            "high": 40.0,
        }
    ]
