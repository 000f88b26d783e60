"""Metrics are described in files and declared in settings: any unit, one door, and stored numbers keep their meaning."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from alerts.baselines.budget import SEVERITIES
from alerts.judging.forecast import expectations, series_baseline, series_in
from alerts.judging.knowable import known_at
from alerts.metrics import (
    METRICS,
    MetricError,
    declare_metrics,
    metric_named,
    read_declarations,
    recall_metrics,
)
from alerts.occasions import HolidayCalendar
from alerts.words import count_words, metric_words
from db.alerts import alerts
from db.engine import reading
from db.metrics import metric_meanings
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings, SettingsError, load_settings
from monitor.errors import InputError
from monitor.imports import import_file
from monitor.pipeline import judge, prepare, start
from monitor.reports.backtest import BacktestQuery, markdown, run_backtest
from monitor.reports.history import HistoryQuery, read_history
from monitor.reports.tables import csv_text, feature_collection, history_rows, history_table
from tests.kit.builders import at
from tests.kit.cast import write_cast
from tests.kit.web_rig import Rig, rig

ROOT = Path(__file__).resolve().parents[2]
NOW = at("2024-06-01")
POWER = {"measure": "continuous", "kind": "stock", "unit": "MW", "what": "fire power"}


@pytest.fixture(autouse=True)
def _nothing_declared_afterwards() -> Iterator[None]:
    yield
    declare_metrics({})
    recall_metrics(())


def test_every_metric_stands_in_a_file_of_its_own() -> None:
    assert sorted(METRICS) == sorted(path.stem for path in (ROOT / "alerts" / "metrics").glob("*.toml"))


def test_nobody_else_keeps_a_list_of_metrics() -> None:
    # Whoever counts something names what it counts, and kinds of site name what they watch.
    allowed = {
        "monitor/sites/kinds.py",
        "monitor/flights/looks.py",
        "monitor/imagery/measures.py",
        "monitor/imagery/radar.py",
    }
    named = re.compile("|".join(f'"{name}"' for name in METRICS))
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("alerts", "monitor", "db")
        for path in (ROOT / folder).rglob("*.py")
        if len(set(named.findall(path.read_text(encoding="utf-8")))) > 2
    ]
    assert set(found) <= allowed


@pytest.mark.parametrize(
    ("value", "metric", "said"),
    [
        (640.0, "occupied_track_m", "640 m of track occupied"),
        (1234.56, "changed_area_m2", "1235 m² of changed ground"),
        (0.84217, "occupied_berth_m", "0.8422 m of berth occupied"),
        (1234567.0, "railcars", "1234567 railcars"),
        (1.0, "railcars", "1 railcar"),
    ],
)
def test_an_amount_is_said_with_its_unit(value: float, metric: str, said: str) -> None:
    assert count_words(value, metric=metric) == said


def test_a_declared_metric_has_its_words() -> None:
    declare_metrics(
        {
            "fire_power_mw": POWER,
            "trucks": {"measure": "count", "kind": "flow", "one": "truck", "many": "trucks"},
        }
    )
    assert count_words(12.5, "~=", "fire_power_mw") == "about 12.5 MW of fire power"
    assert metric_words("fire_power_mw") == "Fire power (MW)"
    assert (METRICS["trucks"].kind, metric_words("trucks")) == ("flow", "Trucks")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("Fire", {}, "a name has 3 to 60 small letters"),
        ("note", {}, "means something else"),
        *((name, {}, "means something else") for name in SEVERITIES),
        ("railcars", {}, "sitewatch has a metric of this name already"),
        ("fire_mw", {"measure": "float"}, "measure is 'float'; write 'count' or 'continuous'"),
        ("fire_mw", {"measure": None}, "measure is None"),
        ("fire_mw", {"kind": "level"}, "kind is 'level'; write 'flow' or 'stock'"),
        ("fire_mw", {"unit": 5}, "unit is 5; write a text"),
        ("fire_mw", {"unit": ""}, "unit is ''"),
        ("fire_mw", {"what": "a\nb"}, "on one line"),
        ("fire_mw", {"most": -1}, "most is -1"),
        ("fire_mw", {"most": True}, "most is True"),
        ("fire_mw", {"most": float("nan")}, "most is nan"),
        ("fire_mw", {"event": "yes"}, "event is 'yes'; write true or false"),
        ("fire_mw", {"also": "power"}, "also is 'power'; write a list"),
        ("fire_mw", {"units": "MW"}, "units is not known"),
        ("fire_mw", {"measure": "count"}, "a count has no unit"),
    ],
)
def test_a_bad_declaration_is_told(name: str, changed: dict[str, object], said: str) -> None:
    with pytest.raises(MetricError, match=re.escape(said)) as caught:
        read_declarations({name: {**POWER, **changed}})
    assert all(fault.startswith(f"metrics.{name}: ") for fault in caught.value.faults)


@pytest.mark.parametrize("key", ["measure", "kind", "unit", "what"])
def test_what_a_declaration_lacks_is_told(key: str) -> None:
    with pytest.raises(MetricError):
        read_declarations({"fire_mw": {name: value for name, value in POWER.items() if name != key}})


def test_a_bad_declaration_stops_the_start_with_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "sitewatch.toml"
    file.write_text(
        '[metrics.fire_mw]\nmeasure = "many"\nkind = "stock"\n[metrics.railcars]\nmeasure = "count"\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_settings({}, file)
    for said in (
        "metrics.fire_mw: measure is 'many'",
        "metrics.railcars: kind is missing",
        "already",
        str(file),
    ):
        assert said in str(caught.value)


def test_a_rule_of_counts_is_refused_for_what_is_measured(tmp_path: Path) -> None:
    settings = Settings(
        sites_file=write_cast(tmp_path),
        metrics={"fire_mw": POWER},
        watch={"port": {"fire_mw": {"rules": {"tail": {}, "step": {}}}}},
    )
    with pytest.raises(
        SettingsError, match="this rule judges counts, and fire_mw is measured in MW"
    ) as caught:
        build_app(settings)
    assert "tail" not in str(caught.value).split("\n")[1].split("Use some of")[0]


WEEKS = 60
_ROWS = [(week, round(4.0 + (week * 7919 % 97) / 20.0, 2)) for week in range(WEEKS)]


def counts_file(folder: Path, newest: float) -> Path:
    """A row a week, then one far above."""
    days = [
        at("2023-02-01").fromordinal(at("2023-02-01").toordinal() + 7 * week) for week in range(WEEKS + 1)
    ]
    lines = [f"busy-port,{days[week]:%Y-%m-%d},fire_mw,{value},MW,1,FIRMS" for week, value in _ROWS]
    lines.append(f"busy-port,{days[WEEKS]:%Y-%m-%d},fire_mw,{newest},MW,1,FIRMS")
    file = folder / "power.csv"
    file.write_text("\n".join(["site_id,start,metric,value,unit,exposure,publisher", *lines]) + "\n")
    return file


@pytest.fixture
def page(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    """A port that watches a metric which its settings declare, on both databases."""
    watch: dict[str, object] = {"port": {"fire_mw": {"rules": {"tail": {}, "record": {}}}}}
    with rig(
        engine, tmp_path, now=NOW, metrics={"fire_mw": POWER}, watch=watch, too_old_to_send_days=10_000
    ) as made:
        start(made.app, NOW)
        yield made


@pytest.fixture
def watched(page: Rig) -> App:
    return page.app


def test_a_declared_metric_is_imported_judged_told_and_exported(watched: App, tmp_path: Path) -> None:
    report = import_file(watched.engine, counts_file(tmp_path, 61.25), watched.sites, NOW)
    assert (report.stored, report.faults) == (WEEKS + 1, ())
    judge(watched, NOW)
    with reading(watched.engine) as connection:
        (alert,) = alerts(connection)
        history = read_history(connection, watched.sites["busy-port"], HistoryQuery("fire_mw"))
    assert alert.headline.startswith("61.25 MW of fire power at ")
    assert set(alert.rules) == {"record", "tail"}
    reason = alert.details["entries"][0]["rules"]["tail"]["reason"]
    assert reason.startswith(
        "61.25 MW of fire power at 100% exposure, beside 60 usable looks since 2023-02-01: more than in all"
    )
    assert " MW (95 %), half the looks show at most " in reason
    rows = list(history_rows(history))
    assert (rows[-1]["value"], rows[-1]["unit"]) == (61.25, "MW")
    assert feature_collection(history_table([history], {}))["features"][-1]["properties"]["unit"] == "MW"
    again = tmp_path / "again.csv"
    again.write_text(csv_text(rows))
    assert import_file(watched.engine, again, watched.sites, NOW).unchanged == WEEKS + 1


def test_a_calm_look_is_not_told(watched: App, tmp_path: Path) -> None:
    import_file(watched.engine, counts_file(tmp_path, 7.5), watched.sites, NOW)
    judge(watched, NOW)
    with reading(watched.engine) as connection:
        assert alerts(connection) == []


def test_a_row_in_another_unit_is_refused(watched: App, tmp_path: Path) -> None:
    file = tmp_path / "kw.csv"
    file.write_text(
        "site_id,start,metric,value,unit\nbusy-port,2024-05-01,fire_mw,900,kW\nbusy-port,2024-05-01,railcars,9,t\n"
    )
    faults = import_file(watched.engine, file, watched.sites, NOW).faults
    assert [(each.column, each.mend) for each in faults] == [
        ("unit", "Convert the value to MW"),
        ("unit", "Leave it empty: what is counted has no unit"),
    ]


def test_what_is_stored_is_never_read_in_another_unit(watched: App, tmp_path: Path) -> None:
    import_file(watched.engine, counts_file(tmp_path, 7.5), watched.sites, NOW)
    declare_metrics({"fire_mw": {**POWER, "unit": "W"}})
    for go in (lambda: start(watched, NOW), lambda: prepare(watched, NOW, fresh=False)):
        with pytest.raises(
            InputError, match=r"stock, continuous in MW, with 61 looks; it is declared as .* in W"
        ):
            go()
    # Without looks a declaration may still be mended.
    declare_metrics({"fire_mw": POWER, "smoke_m2": {**POWER, "unit": "m2", "what": "smoke"}})
    start(watched, NOW)
    declare_metrics({"fire_mw": POWER, "smoke_m2": {**POWER, "unit": "km2", "what": "smoke"}})
    start(watched, NOW)
    with reading(watched.engine) as connection:
        assert {each.name: each.unit for each in metric_meanings(connection)}["smoke_m2"] == "km2"


def test_a_metric_that_is_no_longer_declared_keeps_its_words(watched: App, tmp_path: Path) -> None:
    import_file(watched.engine, counts_file(tmp_path, 61.25), watched.sites, NOW)
    judge(watched, NOW)
    declare_metrics({})
    prepare(watched, NOW, fresh=False)
    assert "fire_mw" not in METRICS
    assert count_words(3.0, metric="fire_mw") == "3 MW of fire power"
    assert metric_named("never_heard_of").noun(2) == "never heard of"
    with reading(watched.engine) as connection:
        history = read_history(connection, watched.sites["busy-port"], HistoryQuery("fire_mw"))
    assert json.loads(json.dumps(next(iter(history_rows(history)))["unit"])) == "MW"


def test_a_declared_metric_is_drawn_on_the_page(page: Rig, tmp_path: Path) -> None:
    import_file(page.app.engine, counts_file(tmp_path, 61.25), page.app.sites, NOW)
    judge(page.app, NOW)
    text = page.client.get("/sites/busy-port").text
    assert "Fire power (MW)" in text
    assert "61.25" in text


def test_a_declared_metric_has_a_baseline_and_a_backtest(watched: App, tmp_path: Path) -> None:
    import_file(watched.engine, counts_file(tmp_path, 61.25), watched.sites, NOW)
    site = watched.watches["busy-port"]
    tested = run_backtest(watched.engine, site, BacktestQuery(metric="fire_mw", starts=20), NOW)
    text = markdown(tested)
    assert [bool(each.told) for each in tested.judged].count(True) == 1, "the last look alone"
    assert tested.fit.n >= 40
    assert 0.6 < tested.fit.coverage["90%"] <= 1.0
    caught = {each.surge: each.caught for each in tested.power if each.days == 14}
    assert caught.keys() == {"×2", "×3"}, "so many more of a measure means nothing without its unit"
    assert "×3" in text
    with reading(watched.engine) as connection:
        known = known_at(connection, site, "fire_mw", "", NOW)
    (key,) = series_in(known, "")
    found = series_baseline(key, known, site, watched.rules)
    assert found.judgeable
    assert {each.rule for each in found.rules} == {"record", "tail"}
    drawn = expectations(key, known, HolidayCalendar())
    assert drawn
    assert all(0 <= each.low <= each.expected <= each.high for each in drawn)
