"""`baseline`, `backtest` and `status --judgeable` over one imported history, as a person runs them."""

import csv
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from alerts.backtest.fit import CalibrationCheck, chi_square_p, detection_power, fit_words
from alerts.backtest.replay import replay_series
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch, merge_watch
from alerts.words import local_day
from monitor.bootstrap import RULES
from monitor.cli import main
from tests.kit.builders import look
from tests.kit.cast import BUSY_PORT
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
    false = [each for each in summary["episodes"] if each["real"] is None]
    assert len(false) == summary["verdict"]["false_episodes"]
    days = [local_day(each["start"], BUSY_PORT.timezone.key) for each in false]
    assert days
    assert all(f"| {day} |" in report for day in days), "by the days of the site's calendar"
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_episodes_are_written_down_labelled_and_read_back(sitewatch: Sitewatch, folder: Path) -> None:
    asked = ("backtest", "busy-port", "containers", "--starts", "4")
    burst = f"{FIRST + timedelta(days=7 * BURST):%Y-%m-%d}"
    text = sitewatch(*asked, "--episodes", "episodes.csv", "--picture", "unlabelled.svg")
    assert "count as false" in text or "counts as false" in text
    with (folder / "episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (mine,) = [each for each in rows if each["start"] == burst]
    assert (mine["real"], mine["label"], mine["highest"]) == ("", "", "60")
    assert "tail" in mine["rules"].split()
    assert burst in text
    before: Any = json.loads(sitewatch(*asked, "--events", "episodes.csv", "--json"))["summary"]["verdict"]

    for each in rows:
        each.update(
            {"real": "yes", "label": "a | fair"} if each is mine else {"real": "No", "label": "miscounted"}
        )
    with (folder / "episodes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    labelled = ("--events", "episodes.csv", "--picture", "labelled.svg", "--markdown", "labelled.md")
    after: Any = json.loads(sitewatch(*asked, *labelled, "--json"))["summary"]
    assert after["verdict"]["false_episodes"] == before["false_episodes"] - 1
    assert after["verdict"]["episodes"] == before["episodes"]
    assert [each["event"]["label"] for each in after["events"]] == ["a | fair"]
    assert {each["real"] for each in after["episodes"]} <= {True, False}
    report = (folder / "labelled.md").read_text()
    assert "| yes | a \\| fair |" in report
    assert "0 episodes without a label count as false" in report

    plain, told = ((folder / name).read_text() for name in ("unlabelled.svg", "labelled.svg"))
    assert "episode without a label" in plain
    assert "real episode" not in plain
    assert "real episode" in told
    assert "episode without a label" not in told
    assert "<text" in told, "letters stay letters"


def test_a_backtest_refuses_what_it_cannot_use(sitewatch: Sitewatch, folder: Path) -> None:
    (folder / "bad.csv").write_text("start,end\nyesterday,\n")
    assert "bad.csv, line 2" in sitewatch(
        "backtest", "busy-port", "containers", "--events", "bad.csv", code=2
    )
    (folder / "bad.csv").write_text("start,real\n2023-02-05,perhaps\n")
    assert "Write yes, no, or nothing" in sitewatch(
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


@pytest.mark.parametrize(
    ("deciles", "words"),
    [
        ([50] * 10, "Predictions fit"),
        ([49, 52, 47, 53, 50, 48, 51, 50, 46, 54], "Predictions fit"),
        (
            [5, 10, 20, 40, 50, 60, 70, 80, 85, 80],
            "Predictions do not fit: counts were higher than predicted",
        ),
        ([80, 85, 80, 70, 60, 50, 40, 20, 10, 5], "Predictions do not fit: counts were lower than predicted"),
        (
            [120, 50, 40, 30, 10, 10, 30, 40, 50, 120],
            "Predictions do not fit: counts swing more than predicted",
        ),
        ([5, 30, 60, 70, 85, 85, 70, 60, 30, 5], "Predictions do not fit: counts swing less than predicted"),
        ([4, 0, 1, 0, 0, 0, 0, 0, 0, 4], "9 looks are too few to say"),
        ([0] * 10, "0 looks are too few to say"),
    ],
)
def test_a_bad_calibration_does_not_read_as_even(deciles: list[int], words: str) -> None:
    n = sum(deciles)
    found = CalibrationCheck(n, tuple(deciles), chi_square_p(np.array(deciles, float)) if n else None, {})
    said = fit_words(found)
    assert said.startswith(words)
    assert ("even" not in said.replace("uneven", "")) is True


@given(deciles=st.lists(st.integers(0, 400), min_size=10, max_size=10))
def test_predictions_are_said_to_fit_only_where_chance_may_have_made_the_deciles(deciles: list[int]) -> None:
    n = sum(deciles)
    p = chi_square_p(np.array(deciles, float)) if n else None
    said = fit_words(CalibrationCheck(n, tuple(deciles), p, {}))
    assert said.startswith("Predictions fit") is (p is not None and n >= 50 and p >= 0.05)
    assert not re.search(r"e-\d|nan|inf", said)


def test_planting_surges_says_how_far_it_is() -> None:
    looks = [look(f"2023-{1 + n // 28:02}-{1 + n % 28:02}", n % 3, exposure=1.0) for n in range(120)]
    site = SiteWatch(
        "busy-port", "Busy Port", "port", "UTC", metrics=merge_watch({"railcars": {"rules": {"tail": {}}}})
    )
    judged = list(
        replay_series(looks, KnownHistory(looks[-1].result_time, looks), looks[0].series, site, RULES)
    )
    shares: list[float] = []
    assert detection_power(looks, judged, site.calendar, starts=6, seed=1, progress=shares.append)
    assert shares == sorted(shares)
    assert (len(shares), shares[0], shares[-1] < 1) == (6, 0.0, True)


def test_uneven_deciles_are_unlikely() -> None:
    assert chi_square_p(np.full(10, 50.0)) > 0.99
    # χ² with 9 degrees of freedom passes 16.92 once in 20.
    assert chi_square_p(np.array([50 + 20.57, 50 - 20.57, *[50.0] * 8])) == pytest.approx(0.05, abs=0.002)
