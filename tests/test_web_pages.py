"""The pages as somebody without scripts reads them, on both databases."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.alerts import alerts
from db.engine import reading, writing
from db.observations import record
from db.records import Alert
from tests.builders import look
from tests.web_rig import Rig, rig, tell_story


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@pytest.fixture
def empty(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        yield made


def read(made: Rig, path: str) -> str:
    response = made.client.get(path)
    assert response.status_code == 200, response.text
    return re.sub(r"\s+", " ", response.text)


def words(html: str) -> str:
    """The page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def alert_about(made: Rig, site_id: str) -> Alert:
    with reading(made.app.engine) as connection:
        (found,) = alerts(connection, site_id=site_id)
    return found


def test_the_first_page_says_what_was_counted_against_what_and_by_whom(told: Rig) -> None:
    text = words(read(told, "/"))
    assert "About 73 containers at Busy Port" in text
    assert "Published baseline: at most 20 containers" in text
    assert "according to Institute of Yards" in text
    assert "number of looks not published" in text
    assert "Harbour Watch" in text


def test_the_first_page_says_what_silence_means(told: Rig) -> None:
    text = words(read(told, "/"))
    assert "none near Quiet Field. No receiver hears this place: no coverage, not no flights." in text
    assert "position reports near Donut Base" in text
    assert "blind since" in text


def test_the_first_page_without_anything_counted_claims_nothing(empty: Rig) -> None:
    text = words(read(empty, "/"))
    assert "4 places watched. No open alert." in text
    assert "Nothing has been counted here yet" in text
    assert "not that nothing happened" in text
    assert "adsb.lol has not been asked about this place" in text


def test_the_chart_draws_every_count_the_baseline_and_the_looks_that_could_not_be_used(told: Rig) -> None:
    html = read(told, "/sites/busy-port")
    for count in ("3", "5", "8", "about 73"):
        assert f": {count}, Harbour Watch</title>" in html
    assert 'class="block unusable"' in html
    assert 'class="bounds"' in html
    assert 'class="block declared"' in html
    assert html.count('class="mark alert"') == 2  # one look and the legend


def test_a_site_tells_each_look_with_its_source_and_its_verdict(told: Rig) -> None:
    html = read(told, "/sites/busy-port")
    text = words(html)
    assert 'href="https://harbour.example/2023-10-05" rel="noopener noreferrer"' in html
    assert "unusual: record" in text
    assert "cannot tell yet, needs 18 more looks" in text
    assert "not assessable" in text
    assert "Covered by tarps." in text
    assert "Rising, no numbers published." in text
    assert "Not located yet: Pier 2." in text
    assert "format=csv" in html


def test_a_site_where_aircraft_come_tells_visits_with_confidence(told: Rig) -> None:
    text = words(read(told, "/sites/quiet-field"))
    assert "IL62, RA-86559" in text
    assert "presumed here" in text
    assert "2 of 4: one side seen" in text
    assert "Last heard 40 NM away, descending." in text
    assert "Last seen before: 2019-06 to 2019-07" in text


def test_another_metric_is_a_link_away(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        record(connection, [look("2023-10-01", 2, "ships_present")])
    html = read(told, "/sites/busy-port")
    assert 'href="?metric=ships_present&amp;area="' in html
    assert '<h2 id="counts-title">Ships present</h2>' in read(
        told, "/sites/busy-port?metric=ships_present&area="
    )


def test_a_metric_that_nobody_counted_shows_the_usual_panel(told: Rig) -> None:
    assert "Containers" in read(told, "/sites/busy-port?metric=nonsense&area=x&subject=y")


def test_an_alert_tells_its_life_its_evidence_and_what_was_sent(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    text = words(read(told, f"/alerts/{alert.id}"))
    assert alert.headline in text
    assert "at most 20 from 2018-10-06 to 2023-09-17" in text
    assert "known since" in text.lower()
    assert "waits to be sent" in text
    assert "log" in text


def test_an_alert_shows_the_very_messages(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    html = read(told, f"/alerts/{alert.id}")
    text = words(html)
    assert "[sitewatch] Busy Port: containers" in text
    assert "Contents not visible." in text
    assert f"http://watch.example/alerts/{alert.id}" in html


def test_what_was_too_old_to_send_says_so(told: Rig) -> None:
    alert = alert_about(told, "quiet-field")
    assert "not sent: too old" in words(read(told, f"/alerts/{alert.id}"))


def test_alerts_are_listed_newest_first_and_by_status(told: Rig) -> None:
    html = read(told, "/alerts")
    assert html.index("Busy Port") < html.index("2023-07-31")
    assert alert_about(told, "busy-port").id in read(told, "/alerts?status=open&site=busy-port")
    assert "No alerts of this kind" in words(read(told, "/alerts?status=withdrawn"))


def test_the_feeds_page_tells_health_terms_and_limits(told: Rig) -> None:
    text = words(read(told, "/feeds"))
    assert "adsb.lol" in text
    assert "ODbL 1.0" in text
    assert "circles of at most 250 NM" in text
    assert "It answered HTTP 503." in text
    assert "Feeds that are switched off" in text
    assert "no receiver hears this place: no coverage, not no flights" in text


@pytest.mark.parametrize("path", ["/sites/nowhere", "/alerts/al_none", "/nothing"])
def test_an_unknown_address_is_a_sentence(empty: Rig, path: str) -> None:
    response = empty.client.get(path)
    assert response.status_code == 404
    assert "sitewatch" in response.text
    assert "first page" in response.text or "list of alerts" in response.text


def test_the_pages_stay_readable_without_built_scripts(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, built=tmp_path / "nothing") as made:
        html = read(made, "/")
    assert '<script type="module"' not in html
    assert "were not built" in html
    assert "Quiet Field" in html
