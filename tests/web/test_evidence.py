"""Evidence leads somewhere: the poll that an alert rests on can be opened; a publisher's remark is told as theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.alerts import alerts
from db.engine import reading, writing
from db.extracts import store_extracts
from db.flights import record_visits
from db.observations import record_observations
from db.records import Evidence, Extract, Visit
from db.schema import poll
from monitor import pipeline
from monitor.reports.history import HistoryQuery, read_history
from monitor.reports.tables import csv_text, feature_collection, history_document, history_rows, history_table
from tests.kit.builders import at, look
from tests.kit.web_rig import NOW, Rig, rig

LANDED = at("2023-08-01T05:00")
REQUEST = "https://feed.example/v2/point/-51.6/-69.3/200"
ABROAD = {"via": "1.1 proxy"}
MINISTER = "Minister Lavrov was aboard."


def asked(number: int, provider: str = "adsb.lol", **more: object) -> dict[str, object]:
    return {
        "id": number,
        "provider": provider,
        "scope": "circle",
        "slot": number,
        "purpose": "data",
        "sequence": 0,
        "started_at": LANDED,
        "finished_at": LANDED,
        "outcome": "ok",
        "http_status": 200,
        "item_count": 3,
        "answer_sha256": f"{number:064}",
        "answer_size": 1234,
        **more,
    }


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    """An alert about a visit that rests on three polls: one may be passed on, one may not, of one nothing is kept."""
    with rig(engine, tmp_path) as ready:
        visit = Visit(
            visit_id="v1",
            version=1,
            site_id="quiet-field",
            icao24="15521f",
            state="confirmed",
            confidence=4,
            arrived_at=LANDED,
            departed_at=None,
            first_fix_at=LANDED,
            last_fix_at=LANDED,
            recorded_at=LANDED,
            type_code="IL62",
            subjects=("class:vip_military",),
            evidence=tuple(Evidence("poll", str(number), f"Heard in {number}.") for number in (11, 12, 13)),
        )
        seen = look(
            "2023-08-01",
            1,
            "arrivals",
            "class:vip_military",
            site_id="quiet-field",
            publisher="",
            origin="adsb.lol",
            procedure="adsb:1",
            evidence=(Evidence("visit", "v1", "landed"),),
        )
        with writing(engine) as connection:
            connection.execute(
                poll.insert(),
                [asked(11), asked(12, "adsb.fi"), asked(13), asked(14, outcome="failed", error="HTTP 503.")],
            )
            rows = ({"hex": "15521f", "alt_baro": 4321, "flight": "<b>RFF7092"},)
            store_extracts(connection, 11, [Extract("15521f", rows, REQUEST, True)], LANDED)
            store_extracts(connection, 12, [Extract("15521f", rows, REQUEST, False)], LANDED)
            record_visits(connection, [visit])
            record_observations(connection, [seen])
        pipeline.judge(ready.app, NOW)
        yield ready


def test_the_poll_behind_an_alert_can_be_opened(made: Rig) -> None:
    with reading(made.app.engine) as connection:
        (alert,) = alerts(connection)
    page = made.client.get(f"/alerts/{alert.id}").text
    for number in (11, 12, 13):
        assert f'href="/polls/{number}"' in page
        assert f'href="/polls/{number}"' in made.client.get("/sites/quiet-field").text
    text = made.client.get("/polls/11").text
    for words in (
        "2023-08-01 05:00 UTC",
        REQUEST,
        f"{11:064}",
        "1,234 bytes",
        "alt_baro",
        "4321",
        "&lt;b&gt;RFF7092",
    ):
        assert words in text
    body = made.client.get(f"/api/v1/polls?alert={alert.id}").json()
    assert [each["id"] for each in body["items"]] == [11, 12, 13]
    first = body["items"][0]
    assert (first["request"], first["answer_sha256"], first["missing"]) == (REQUEST, f"{11:064}", "")
    assert first["extracts"][0]["rows"][0]["alt_baro"] == 4321
    assert made.client.get("/api/v1/polls?visit=v1").json()["items"] == body["items"]
    (visit,) = made.client.get("/api/v1/visits").json()["items"]
    assert [each["page"] for each in visit["evidence"]] == ["/polls/11", "/polls/12", "/polls/13"]


def test_what_may_not_be_passed_on_is_not_shown_to_the_public(made: Rig) -> None:
    assert "4321" in made.client.get("/polls/12").text
    for answer in (
        made.client.get("/polls/12", headers=ABROAD),
        made.client.get("/api/v1/polls?poll=12", headers=ABROAD),
    ):
        assert answer.status_code == 200
        assert "4321" not in answer.text
        assert "do not let it be passed on" in answer.text
    assert "4321" in made.client.get("/polls/11", headers=ABROAD).text


def test_where_nothing_is_kept_it_says_why(made: Rig) -> None:
    assert "Nothing of this answer is kept but its size and hash" in made.client.get("/polls/13").text
    assert "This poll failed" in made.client.get("/polls/14").text


@pytest.mark.parametrize("number", ["999", str(2**63), str(2**80), "-1"])
def test_a_poll_that_is_not_there(made: Rig, number: str) -> None:
    answer = made.client.get(f"/polls/{number}")
    assert answer.status_code == 404
    assert "no poll" in answer.text


def test_polls_are_asked_for_by_what_rests_on_them(made: Rig) -> None:
    assert made.client.get("/api/v1/polls").status_code == 422
    assert made.client.get("/api/v1/polls?alert=none").status_code == 404
    assert made.client.get("/api/v1/polls?visit=none").json()["items"] == []
    first = made.client.get("/api/v1/polls?visit=v1&limit=2").json()
    second = made.client.get(f"/api/v1/polls?visit=v1&limit=2&cursor={first['next']}").json()
    assert [each["id"] for each in (*first["items"], *second["items"])] == [11, 12, 13]
    assert second["next"] is None


def test_a_remark_of_a_publisher_is_told_as_theirs_wherever_it_shows(engine: Engine, tmp_path: Path) -> None:
    quoted = f"Harbour Watch: “{MINISTER}”"
    with rig(engine, tmp_path) as made:
        seen = look("2023-10-05", 1, "arrivals", "class:vip_military", site_id="quiet-field", note=MINISTER)
        with writing(engine) as connection:
            record_observations(connection, [seen])
        pipeline.judge(made.app, NOW)
        with reading(engine) as connection:
            (alert,) = alerts(connection)
            known = read_history(connection, made.app.sites["quiet-field"], HistoryQuery())
        names = (
            "/sites/quiet-field",
            f"/alerts/{alert.id}",
            f"/alerts/{alert.id}/email",
            "/api/v1/observations",
            "/api/v1/observations?format=csv",
            "/api/v1/observations?format=geojson",
        )
        told = [made.client.get(name).text for name in names]
        told += [
            csv_text(history_rows(known)),
            str(feature_collection(history_table([known], {}))),
            str(history_document(known)),
        ]
        for text in told:
            assert text.count(MINISTER) == text.count(quoted) > 0, text
