"""The page of a watched aircraft, and the same by API and command: nobody else has one, whether ever heard or not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from shapely.geometry import shape
from sqlalchemy import Engine

from db.engine import reading, writing
from db.flights import insert_fixes, record_visits, visits
from db.records import Alert
from monitor.cli import main
from monitor.reports.aircraft import MOST_TOLD, NOT_WATCHED, aircraft_record, leg_rows
from monitor.reports.asked import VisitWords
from tests.kit.web_rig import NOW, Rig, rig, tell_story
from tests.web.test_flight_map import HEARD, LANDED, VIP, cite, report

PRIVATE = "4ca7b5"
ABROAD = {"x-forwarded-for": "192.0.2.1"}


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[tuple[Rig, Alert]]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        alert = cite(made)
        add_private(made)
        yield made, alert


def add_private(made: Rig) -> None:
    """Somebody nobody watches, heard in the same hours."""
    with writing(made.app.engine) as connection:
        known = next(each for each in visits(connection) if each.icao24 == VIP)
        subjects = ("operator:RYR", "type:B738")
        record_visits(
            connection,
            [replace(known, visit_id="v-private", icao24=PRIVATE, subjects=subjects, registration="EI-X")],
        )
        insert_fixes(connection, [replace(each, icao24=PRIVATE) for each in HEARD])


def test_the_page_shows_visits_ways_and_gaps(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    answer = made.client.get(f"/aircraft/{VIP}")
    text = unescape(answer.text)
    assert answer.status_code == 200
    assert f"ICAO address {VIP.upper()} · military VIP aircraft" in text
    assert '<h1 dir="auto">RA-86559, IL62</h1>' in text
    assert "Then not heard for 36 hours: where it was is not known from this." in text
    assert text.count("<article") == 1
    assert '<a href="#visit-v-map">Quiet Field</a>' in text
    drawn = json.loads(text.split('id="map-data">')[1].split("</script>")[0])
    kinds = [each["properties"]["kind"] for each in drawn["tracks"]["features"]]
    assert (kinds.count("heard"), kinds.count("gap")) == (3, 2)
    assert PRIVATE not in text
    assert made.client.get(f"/aircraft/{VIP.upper()}").status_code == 200


def test_visits_alert_and_site_lead_to_it_and_nobody_elses_do(told: tuple[Rig, Alert]) -> None:
    made, alert = told
    for path in ("/visits", f"/alerts/{alert.id}", "/sites/quiet-field"):
        page = made.client.get(path).text
        assert f'href="/aircraft/{VIP}"' in page, path
        assert f"/aircraft/{PRIVATE}" not in page
        assert "/aircraft/" not in made.client.get(path, headers=ABROAD).text


def test_of_who_is_not_watched_nothing_is_said_in_the_same_words(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    pages = {made.client.get(f"/aircraft/{each}").text.replace(each, "") for each in (PRIVATE, "abcdef")}
    assert len(pages) == 1
    assert unescape(NOT_WATCHED) in unescape(pages.pop())
    for each in (PRIVATE, "abcdef"):
        assert made.client.get(f"/aircraft/{each}").status_code == 404
        answer = made.client.get(f"/api/v1/aircraft?address={each}")
        assert (answer.status_code, answer.json()) == (404, {"error": NOT_WATCHED})
    assert made.client.get("/aircraft/nobody").status_code == 422
    assert made.client.get("/api/v1/aircraft").status_code == 422


def test_who_is_watched_no_longer_has_no_page(told: tuple[Rig, Alert]) -> None:
    """Its visits were of a class that is not watched now, and no watch list names it."""
    made, _ = told
    with writing(made.app.engine) as connection:
        known = next(each for each in visits(connection) if each.icao24 == VIP and each.visit_id == "v-map")
        record_visits(connection, [replace(known, subjects=(f"icao24:{VIP}", "class:gone"), recorded_at=NOW)])
    assert made.client.get(f"/aircraft/{VIP}").status_code == 404


def test_the_public_sees_none(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    for path in (f"/aircraft/{VIP}", f"/api/v1/aircraft?address={VIP}", f"/aircraft/{PRIVATE}"):
        assert made.client.get(path, headers=ABROAD).status_code == 403


def test_the_api_gives_its_legs_and_lines(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    items = made.client.get(f"/api/v1/aircraft?address={VIP}").json()["items"]
    assert [(each["kind"], each["reports"]) for each in items] == [
        ("heard", 5), ("gap", 0), ("heard", 4), ("gap", 0), ("heard", 1),
    ]  # fmt: skip
    assert items[1]["start"] == items[0]["end"]
    assert items[1]["end"] == items[2]["start"]
    assert items[1]["line"] == [[HEARD[4].lon, HEARD[4].lat], [HEARD[5].lon, HEARD[5].lat]]
    features = made.client.get(f"/api/v1/aircraft?address={VIP}&format=geojson").json()["features"]
    assert {each["geometry"]["type"] for each in features} == {"LineString"}
    assert shape(features[1]["geometry"]).length == pytest.approx(0.1)
    for form in ("csv", "xlsx", "parquet"):
        assert made.client.get(f"/api/v1/aircraft?address={VIP}&format={form}").status_code == 200
    assert made.client.get(f"/api/v1/aircraft?address={VIP}&until=2023-10-04").status_code == 404


def test_a_visit_without_reports_says_so(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    with writing(made.app.engine) as connection:
        known = next(each for each in visits(connection) if each.visit_id == "v-map")
        old = LANDED.replace(year=2021)
        record_visits(connection, [replace(known, visit_id="v-old", first_fix_at=old, last_fix_at=old)])
    legs = made.client.get(f"/api/v1/aircraft?address={VIP}").json()["items"]
    assert (legs[-1]["visit_id"], legs[-1]["kind"], legs[-1]["line"]) == ("v-old", "not kept", None)
    assert "No reports around this visit" in made.client.get(f"/aircraft/{VIP}").text


def test_no_more_visits_are_told_than_are_said(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    with writing(made.app.engine) as connection:
        known = next(each for each in visits(connection) if each.visit_id == "v-map")
        many = [
            replace(
                known, visit_id=f"v-{n}", first_fix_at=LANDED.replace(year=2000 + n % 20, month=1 + n // 20)
            )
            for n in range(MOST_TOLD + 1)
        ]
        record_visits(connection, many)
    with reading(made.app.engine) as connection:
        found = aircraft_record(connection, made.app, VisitWords(address=VIP), NOW)
    assert len(found.visits) == MOST_TOLD
    assert found.more
    assert f"These are the newest {MOST_TOLD}" in made.client.get(f"/aircraft/{VIP}").text


def test_a_way_across_180_degrees_goes_on(told: tuple[Rig, Alert]) -> None:
    made, _ = told
    with writing(made.app.engine) as connection:
        insert_fixes(connection, [report(40 * 60 + n, lon) for n, lon in enumerate((179.8, -179.9, -179.6))])
    with reading(made.app.engine) as connection:
        legs = leg_rows(aircraft_record(connection, made.app, VisitWords(address=VIP), NOW))
    assert [lon for lon, _ in legs[-1]["line"]] == pytest.approx([179.8, 180.4])


def ended(*words: str) -> object:
    with pytest.raises(SystemExit) as over:
        main(["aircraft", *words])
    return over.value.code or 0


def test_the_command_says_the_same(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        cite(made)
        add_private(made)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(tmp_path / "sites.geojson"))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    assert ended("heard", VIP) == 0
    text = capsys.readouterr().out
    assert "RA-86559" in text
    assert "heard 5 times, 2023-10-05 06:00 UTC to 2023-10-05 06:04 UTC" in text
    assert "not heard for 36 hours" in text
    assert ended("heard", VIP, "--json") == 0
    assert [each["kind"] for each in json.loads(capsys.readouterr().out)["items"]][:2] == ["heard", "gap"]
    assert ended("heard", PRIVATE) != 0
    assert NOT_WATCHED in capsys.readouterr().err
