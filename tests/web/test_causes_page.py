"""Alerts with a cause in common, on the page and in the API: said once, and each still there."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from alerts.judging.judge import judge_pending
from db.engine import writing
from db.observations import record_observations
from monitor import pipeline
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.web.app import create_app
from tests.kit.builders import at
from tests.kit.easter import BENCH, NOW, SITES, easter, quiet_weeks, write_railheads
from tests.kit.web_rig import Browser

TITLE = "5 of 8 sites with more railcars than usual at once on Monday 2024-04-01, Easter Monday"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page over eight railheads, on the day after five of them were busy."""
    folder = tmp_path_factory.mktemp("causes")
    app = build_app(
        Settings.model_validate(
            {
                "database_url": f"sqlite:///{folder / 'test.db'}",
                "sites_file": write_railheads(folder),
                "history_file": folder / "none.csv",
                "providers": {name: {"enabled": False} for name in ("adsb.lol", "earth-search")},
            }
        )
    )
    pipeline.start(app, at("2023-08-01"))
    with writing(app.engine) as connection:
        record_observations(connection, [*quiet_weeks(), *easter(SITES[:5])])
    judge_pending(app.engine, replace(BENCH, watches=app.watches), NOW)
    yield Browser(create_app(app, lambda: NOW))
    app.close()


def items(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer: Any = browser.get(f"/api/v1/alerts{query}", headers={"accept": "application/json"}).json()
    found: list[dict[str, Any]] = answer["items"]
    return found


def test_the_api_gives_each_alert_with_what_it_shares(browser: Browser) -> None:
    found = items(browser)
    assert len(found) == 5
    (cause,) = {each["cause"]["id"] for each in found}
    assert {each["cause"]["headline"] for each in found} == {TITLE}
    said = found[0]["cause"]
    assert (said["alarmed"], said["judged"], said["occasion"]) == (5, 8, "Easter Monday")
    assert 0 < said["expected"] < 0.1
    assert len(items(browser, f"?cause={cause}")) == 5
    assert items(browser, "?cause=ca_none") == []
    table = browser.get("/api/v1/alerts?format=csv").text
    assert table.count("Easter Monday") >= 5


def test_the_list_says_it_once_above_its_alerts(browser: Browser) -> None:
    text = browser.get("/alerts").text
    assert text.count(TITLE) == 1
    assert all(text.count(f'/alerts/{each["id"]}"') == 1 for each in items(browser))
    cause = items(browser)[0]["cause"]["id"]
    assert text.index(cause) < min(text.index(each["id"]) for each in items(browser))
    assert "Only those of one cause" in browser.get(f"/alerts?cause={cause}").text


def test_the_first_page_counts_and_tells_it_once(browser: Browser) -> None:
    text = browser.get("/").text
    assert "1 open alert<" in text
    assert text.count(TITLE) == 1


def test_the_page_of_each_names_it_and_shows_the_one_message(browser: Browser) -> None:
    for each in items(browser):
        text = browser.get(each["page"]).text
        assert TITLE in text
        assert "What they share is not known from this" in text
    shared = [browser.get(each["page"]).text for each in items(browser)]
    assert sum("told with others" in each for each in shared) == 4
