"""The reference stories from their own texts, as a user with the default configuration reads them."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor import pipeline
from monitor.bootstrap import build_app
from monitor.cli import app as command_line
from monitor.config.settings import load_settings

pytestmark = [pytest.mark.long, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliRunner]:
    """Whoever started sitewatch in the folder of the project and set nothing but where the database lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('user')}/sitewatch.db")
        app = build_app(load_settings())
        pipeline.start(app, NOW)
        pipeline.judge(app, NOW)
        app.close()
        yield CliRunner()


def history(user: CliRunner, *words: str) -> list[dict[str, str]]:
    result = user.invoke(command_line, ["history", *words, "--format", "csv"])
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def told(user: CliRunner, site: str) -> list[dict[str, str]]:
    result = user.invoke(command_line, ["alerts", "list", "--json"])
    assert result.exit_code == 0, result.output
    return [each for each in json.loads(result.stdout)["items"] if each["site_id"] == site]


def test_about_36_hours_on_the_ground_is_a_stay_with_its_publisher(user: CliRunner) -> None:
    (stay,) = history(user, "kp-sunan", "stay_h")
    assert (stay["value"], stay["comparator"], stay["publisher"]) == (
        "36",
        "~=",
        "Bloomberg on Flightradar24; NK News",
    )
    assert (stay["local_period"], stay["published"][:10]) == ("2023-07-31 to 2023-08-02", "2023-08-02")
    assert stay["url"].startswith("https://")


def test_the_first_unannounced_visit_since_2019_is_told_and_the_announced_one_is_not(user: CliRunner) -> None:
    days = [each["headline"] for each in told(user, "kp-sunan")]
    assert any("2023-07-31" in each and "the first since June to July 2019" in each for each in days)
    assert not any("2023-07-25" in each for each in days)


def test_the_aircraft_at_komsomolsk_are_counted_as_seen_on_that_day(user: CliRunner) -> None:
    seen = history(user, "ru-dzyomgi", "aircraft_present")
    assert {(each["subject"], each["value"], each["comparator"], each["local_period"]) for each in seen} == {
        ("type:Su-57", "1", ">=", "2023-09-15"),
        ("type:Su-35", "1", ">=", "2023-09-15"),
    }
    landed = next(each for each in seen if each["subject"] == "type:Su-35")
    assert "landed" in landed["note"]
    assert "after a demonstration flight" in landed["note"]
    # The visit was announced: it is recorded, and quiet.
    assert told(user, "ru-dzyomgi") == []


def test_the_destroyer_at_vladivostok_is_an_alert_of_a_watched_ship(user: CliRunner) -> None:
    (alert,) = told(user, "ru-vladivostok-port")
    assert alert["headline"].startswith("Marshal Shaposhnikov: 1 ship present at Vladivostok port")
    assert "on the watch list" in alert["headline"]


def test_the_bombers_at_knevichi_are_one_alert(user: CliRunner) -> None:
    (alert,) = [each for each in told(user, "ru-knevichi") if "2023-09-16" in each["headline"]]
    for name in ("Tu-160", "Tu-95MS", "Tu-22M3", "carrier of the Kinzhal system", "no history there"):
        assert name in alert["headline"]


def test_73_railcars_and_the_containers_at_tumangang(user: CliRunner) -> None:
    said = [each["headline"] for each in told(user, "kp-tumangang")]
    assert any(
        "About 73 railcars" in each and "3.65 times the highest known before (20)" in each for each in said
    )
    assert any("container" in each and "never seen there before" in each for each in said)


@pytest.mark.parametrize(
    "site",
    ["kp-tumangang", "ru-khasan", "kp-sunan", "ru-knevichi", "ru-dzyomgi", "ru-vladivostok-port", "kp-rajin"],
)
def test_every_row_has_an_address_or_says_that_it_has_none(user: CliRunner, site: str) -> None:
    rows = [each for each in history(user, site) if each["publisher"]]
    assert rows
    for each in rows:
        assert each["url"].startswith("http") or "No address of the statement is known." in each["note"], each
