"""`baseline`, `backtest` and `status --judgeable` over one imported history, as a person runs them."""

import csv
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from alerts.backtest.fit import chi_square_p
from monitor.cli import main
from tests.kit.program import closed_port, write_settings

WEEKS = 120
BURST = 90
FIRST = datetime(2023, 1, 2, tzinfo=UTC)
Sitewatch = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the cast of sites and two years of weekly containers at Busy Port, one week of them a burst."""
    path = tmp_path_factory.mktemp("baseline")
    counts = np.random.default_rng(11).negative_binomial(6, 0.5, WEEKS)
    counts[BURST] = 60
    with (path / "counts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["site_id", "start", "metric", "value", "exposure", "published"])
        for week, count in enumerate(counts.tolist()):
            day = FIRST + timedelta(days=7 * week)
            writer.writerow(
                [
                    "busy-port",
                    f"{day:%Y-%m-%d}",
                    "containers",
                    count,
                    0.9,
                    f"{day + timedelta(days=1):%Y-%m-%d}",
                ]
            )
    began, ended = (FIRST + timedelta(days=7 * BURST + day) for day in (-1, 2))
    (path / "events.csv").write_text(
        f"start,end,label\n{began:%Y-%m-%d},{ended:%Y-%m-%d},exercise\n2023-02-05,2023-02-10,fair\n"
    )
    with closed_port() as port:
        write_settings(path, port)
        yield path


@pytest.fixture
def sitewatch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Sitewatch]:
    for name in ("SITEWATCH_CONFIG", "SITEWATCH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def command(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        assert ended.value.code == code, said.err
        return said.out if code == 0 else said.err

    command("observations", "import", "counts.csv")
    yield command
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_baseline_says_threshold_expected_interval_n_window_exposure_and_promise(
    sitewatch: Sitewatch, folder: Path
) -> None:
    document: Any = json.loads(
        sitewatch("baseline", "busy-port", "containers", "--json", "--png", "normal.png")
    )
    (series,) = document["series"]
    rules = {each["rule"]: each for each in series["rules"]}
    tail = rules["tail"]
    assert tail["status"] == "evaluated"
    assert tail["low"] <= tail["expected"] <= tail["high"] < tail["threshold"] + 1
    assert (tail["n"], tail["exposure"], tail["looks_a_year"] > 25) == (WEEKS, 0.9, True)
    assert tail["window"][0].startswith("2023-01-0")
    assert series["attainable_a_year"] <= series["promised_a_year"]
    assert rules["record"]["threshold"] == 60
    assert series["judgeable"]
    assert len(series["expected"]) > 100
    assert (folder / "normal.png").read_bytes().startswith(b"\x89PNG")


def test_a_baseline_is_a_table_and_a_plot_and_says_why(sitewatch: Sitewatch) -> None:
    text = sitewatch("baseline", "busy-port", "containers")
    for words in (
        "alert above",
        "Promised: at most",
        "95 %",
        "from 120 usable looks since 2023-01-0",
        "counted",
    ):
        assert words in text
    assert "nothing is normal yet" in sitewatch("baseline", "busy-port", "ship_calls")
    assert "is not a metric" in sitewatch("baseline", "busy-port", "container", code=2)
    assert "No rule watches railcars" in sitewatch("baseline", "busy-port", "railcars", code=2)


def test_a_backtest_sets_the_realised_rate_beside_the_promise(sitewatch: Sitewatch, folder: Path) -> None:
    asked = ("backtest", "busy-port", "containers", "--events", "events.csv", "--starts", "8", "--seed", "3")
    document: Any = json.loads(sitewatch(*asked, "--markdown", "report.md", "--png", "report.png", "--json"))
    summary = document["summary"]
    assert summary["looks"] == WEEKS
    assert 0 < summary["skips"]["cannot_tell"] < 20
    assert summary["verdict"]["low"] <= summary["verdict"]["realised_a_year"] <= summary["verdict"]["high"]
    exercise, fair = summary["events"]
    assert (exercise["caught"], exercise["by"] != "", fair["caught"]) == (True, True, False)
    assert summary["verdict"]["episodes"] == summary["verdict"]["false_episodes"] + 1
    assert FIRST + timedelta(days=7 * BURST) in [
        datetime.fromisoformat(each["told_at"]).replace(hour=0) - timedelta(days=1)
        for each in document["alarms"]
    ]
    assert sum(document["fit"]["deciles"]) == document["fit"]["n"] > 80
    assert 0.8 < document["fit"]["coverage"]["90%"] <= 1
    power = {(each["surge"], each["days"]): each for each in document["power"]}
    assert power["+20", 14]["caught"] >= power["+5", 14]["caught"]
    assert power["×3", 1]["starts"] == 8
    assert json.loads(sitewatch(*asked, "--json")) == document
    report = (folder / "report.md").read_text()
    assert "| exercise | 1 | yes |" in report
    assert "| all |" in report
    spans = summary["verdict"]["false_spans"]
    assert len(spans) == summary["verdict"]["false_episodes"]
    assert all(start[:10] in report for start, _ in spans), "the dates of false episodes are listed"
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_backtest_refuses_what_it_cannot_use(sitewatch: Sitewatch, folder: Path) -> None:
    (folder / "bad.csv").write_text("start,end\nyesterday,\n")
    assert "bad.csv, line 2" in sitewatch(
        "backtest", "busy-port", "containers", "--events", "bad.csv", code=2
    )
    assert "no history to replay" in sitewatch("backtest", "busy-port", "ship_calls", code=2)


def test_status_says_which_default_series_can_be_judged(sitewatch: Sitewatch) -> None:
    document: Any = json.loads(sitewatch("status", "--judgeable", "--json"))
    named = {(each["site_id"], each["metric"]): each for each in document["series"]}
    assert named["busy-port", "containers"]["judgeable"]
    nobody = named["busy-port", "ship_calls"]
    assert (nobody["judgeable"], nobody["missing"], nobody["procedure"]) == (False, 12, "")
    assert document["judgeable"] == sum(each["judgeable"] for each in document["series"]) == 1
    assert f"1 of {document['of']} default series" in sitewatch("status", "--judgeable")


def test_uneven_deciles_are_unlikely() -> None:
    assert chi_square_p(np.full(10, 50.0)) > 0.99
    # χ² with 9 degrees of freedom passes 16.92 once in 20.
    assert chi_square_p(np.array([50 + 20.57, 50 - 20.57, *[50.0] * 8])) == pytest.approx(0.05, abs=0.002)
