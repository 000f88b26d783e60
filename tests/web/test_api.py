"""The JSON API: its envelope, its filters, its three forms and its pages, on both databases."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from db import schema
from db.engine import reading, writing
from db.flights import record_visits
from db.observations import looks, record_observations
from db.pages import look_id, look_page, series_summaries, visit_page, visit_place
from db.records import LookFilter, Visit, VisitFilter
from monitor.reports.history import HistoryQuery, read_history
from monitor.reports.tables import HISTORY_COLUMNS, csv_text, history_rows
from tests.kit.builders import at, look
from tests.kit.web_rig import Rig, containers, rig, tell_story


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@pytest.fixture
def empty(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        yield made


def ask(made: Rig, path: str) -> dict[str, Any]:
    response = made.client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"items", "next", "attribution"}
    return body


def refused(made: Rig, path: str) -> tuple[int, str]:
    response = made.client.get(f"/api/v1/{path}")
    assert set(response.json()) == {"error"}
    return response.status_code, response.json()["error"]


def test_observations_carry_their_evidence_and_no_count_stays_none(told: Rig) -> None:
    items = ask(told, "observations?site=busy-port&metric=containers")["items"]
    assert [each["value"] for each in items] == [3, 5, 8, 73, None]
    assert items[3]["qualifier"] == "~="
    assert items[3]["evidence"] == [
        {"kind": "url", "ref": "https://harbour.example/2023-10-05", "text": "", "page": ""}
    ]
    assert items[3]["period_start"] == "2023-10-05T00:00:00Z"
    assert items[4]["assessable"] is False


def test_observations_as_of_a_day_show_only_what_was_knowable(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        record_observations(connection, [containers("2023-10-05", 70, known="2023-10-20")])
    day = "observations?site=busy-port&since=2023-10-05&until=2023-10-05"
    assert [each["value"] for each in ask(told, day)["items"]] == [70]
    assert [each["value"] for each in ask(told, f"{day}&as_of=2023-10-19")["items"]] == [73]
    assert [each["value"] for each in ask(told, f"{day}&as_of=2023-10-20")["items"]] == [70]


def values(made: Rig, query: str) -> list[float | None]:
    return [each["value"] for each in ask(made, f"observations?{query}")["items"]]


def test_days_are_the_sites_own_and_months_and_yesterday_are_known(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        # Half past ten in the evening in UTC is the next day in Oslo.
        record_observations(connection, [containers("2023-07-04T22:30", 11, precision="hour")])
    july = "site=busy-port&metric=containers&since=2023-07&until=2023-07"
    assert values(told, july) == [11]
    assert values(told, "site=busy-port&metric=containers&since=2023-07-05&until=2023-07-05") == [11]
    assert values(told, "site=busy-port&metric=containers&since=2023-07-04&until=2023-07-04") == []
    assert values(told, "metric=containers&since=2023-07-04&until=2023-07-04") == [11]
    # It is noon of 2023-10-07; the day before began in Oslo while it was still the fifth in UTC.
    assert values(told, "site=busy-port&metric=containers&since=yesterday&until=today") == [73, None]
    assert values(told, "site=busy-port&metric=containers&since=today") == [None]
    assert values(told, "metric=containers&since=yesterday") == [None]
    assert values(told, "metric=containers&since=today") == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v1/observations?area=a%00", "NUL (%00)"),
        ("/api/v1/observations?subject=%00", "it has no known prefix"),
        ("/alerts/%00", "NUL (%00)"),
    ],
)
def test_a_nul_is_the_askers_mistake_on_every_database(told: Rig, path: str, said: str) -> None:
    response = told.client.get(path)
    assert response.status_code < 500, response.text
    if told.app.engine.dialect.name == "postgresql":  # which refuses it; SQLite knows nothing of that name
        assert response.status_code == 422
        assert said in response.text


def test_an_empty_subject_is_the_counts_of_all(told: Rig) -> None:
    assert {each["subject"] for each in ask(told, "observations?subject=")["items"]} == {""}
    listed = ask(told, "observations?subject=type:Tu-160")["items"]
    assert [each["site_id"] for each in listed] == ["donut-base"]


def test_pages_together_are_the_whole(told: Rig) -> None:
    whole = ask(told, "observations?limit=1000")["items"]
    assert len(whole) == 8
    found, path = [], "observations?limit=3"
    for _ in range(4):
        page = ask(told, path)
        found += page["items"]
        if page["next"] is None:
            break
        path = f"observations?limit=3&cursor={page['next']}"
    assert found == whole


def test_a_following_page_is_named_in_the_link_header(told: Rig) -> None:
    response = told.client.get("/api/v1/observations?limit=3&site=busy-port&format=csv")
    following = response.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
    rows = list(csv.DictReader(io.StringIO(told.client.get(following).text)))
    assert [row["value"] for row in rows] == ["73", ""]


@pytest.mark.parametrize("path", ["sites", "observations", "visits", "alerts", "status"])
def test_every_list_comes_as_csv_and_geojson_too(told: Rig, path: str) -> None:
    items = ask(told, path)["items"]
    response = told.client.get(f"/api/v1/{path}?format=csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert len(rows) == len(items) > 0
    assert list(rows[0]) == list(HISTORY_COLUMNS if path == "observations" else items[0])
    geo = told.client.get(f"/api/v1/{path}?format=geojson")
    assert geo.headers["content-type"] == "application/geo+json"
    assert geo.json()["type"] == "FeatureCollection"
    assert [each["properties"] for each in geo.json()["features"]] == items


def test_counts_as_csv_are_what_the_command_line_writes(told: Rig) -> None:
    site = told.app.sites["busy-port"]
    with reading(told.app.engine) as connection:
        known = read_history(connection, site, HistoryQuery())
    written = list(csv.DictReader(io.StringIO(csv_text(history_rows(known, told.app.attributions)))))
    answered = told.client.get("/api/v1/observations?site=busy-port&format=csv").text
    assert list(csv.DictReader(io.StringIO(answered))) == [row for row in written if row["record"] == "look"]


def test_geojson_of_sites_has_outlines_and_of_counts_a_point_inside(told: Rig) -> None:
    sites = told.client.get("/api/v1/sites?format=geojson").json()["features"]
    assert [each["geometry"]["type"] for each in sites] == ["Polygon", "Polygon", "MultiPolygon", "Polygon"]
    (alert,) = told.client.get("/api/v1/alerts?site=donut-base&format=geojson").json()["features"]
    lon, lat = alert["geometry"]["coordinates"]
    assert -150.06 < lon < -149.94
    assert 65.48 < lat < 65.52
    assert not (-150.02 < lon < -149.98 and 65.495 < lat < 65.505)  # the town in the hole


def test_sites_say_how_they_stand(told: Rig) -> None:
    by_id = {each["id"]: each for each in ask(told, "sites")["items"]}
    assert list(by_id) == ["quiet-field", "busy-port", "dateline-strip", "donut-base"]
    assert by_id["busy-port"]["finding"] == "unusual"
    assert by_id["busy-port"]["open_alerts"] == 1
    assert by_id["busy-port"]["areas"][1] == {
        "id": "pier-2",
        "name": "Pier 2",
        "kind": "pier",
        "located": False,
    }
    assert by_id["dateline-strip"]["finding"] == "unknown"
    assert by_id["dateline-strip"]["seen_until"] is None


def test_sites_come_in_pages(told: Rig) -> None:
    first = ask(told, "sites?limit=3")
    second = ask(told, f"sites?limit=3&cursor={first['next']}")
    assert [len(first["items"]), len(second["items"]), second["next"]] == [3, 1, None]


def test_alerts_are_filtered_by_status_time_and_subject(told: Rig) -> None:
    assert [each["site_id"] for each in ask(told, "alerts")["items"]] == [
        "donut-base",
        "busy-port",
        "quiet-field",
    ]
    assert [each["site_id"] for each in ask(told, "alerts?subject=type:Tu-160")["items"]] == ["donut-base"]
    assert [each["site_id"] for each in ask(told, "alerts?metric=containers&status=open")["items"]] == [
        "busy-port"
    ]
    assert ask(told, "alerts?until=2020-01-01")["items"] == []
    first = ask(told, "alerts?limit=2")
    assert [each["site_id"] for each in ask(told, f"alerts?cursor={first['next']}")["items"]] == [
        "quiet-field"
    ]


def test_visits_are_filtered_by_site_state_and_time(told: Rig) -> None:
    (visit,) = ask(told, "visits?site=quiet-field&status=presumed&since=2023-07-01&until=2023-08-01")["items"]
    assert (visit["icao24"], visit["confidence"], visit["departed_at"]) == ("15521f", 2, None)
    assert ask(told, "visits?status=departed")["items"] == []
    assert ask(told, "visits?until=2023-07-01")["items"] == []


def test_status_names_every_part(told: Rig) -> None:
    items = {each["part"]: each for each in ask(told, "status")["items"]}
    assert items["provider:adsb.lol"]["state"] == "ok"
    assert items["provider:earth-search"]["text"] == "It answered HTTP 503."
    assert items["program"]["state"] == "idle"
    assert items["channel:log"]["state"] == "ok"
    assert "messages wait" in items["outbox"]["text"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("observations?site=nowhere", 404, "There are: busy-port, dateline-strip"),
        ("observations?sight=busy-port", 422, "sight: there is no such parameter here. Use area, as_of"),
        ("visits?as_of=2023-01-01", 422, "as_of: there is no such parameter"),
        (
            "observations?since=banana",
            422,
            'since: "banana" is not understood. Write a day (2023-10-05), a month (2023-10), today, yesterday, or a time with',
        ),
        ("visits?until=2023-02-30", 422, 'until: "2023-02-30" is no date in the calendar. Write a day'),
        ("alerts?since=", 422, 'since: "" is not understood'),
        (
            "observations?since=2023-10-05T12:00:00",
            422,
            'since: "2023-10-05T12:00:00" has no time zone. Write 2023-10-05T12:00:00Z where it is UTC.',
        ),
        (
            "observations?site=busy-port&since=2023-10-05T12:00",
            422,
            "or 2023-10-05T12:00+02:00 where it is the site's own time.",
        ),
        ("observations?as_of=0001-01-01T00:00:00%2B14:00", 422, "as_of: the year 1 cannot be right"),
        ("observations?limit=0", 422, "limit"),
        ("observations?limit=100000", 422, "limit"),
        ("observations?cursor=nonsense", 422, "cursor"),
        ("visits?cursor=WyJhIiwiYiJd", 422, "cursor"),
        ("visits?cursor=WyIyMDIzLTAxLTAxIiwiYiJd", 422, "cursor"),
        ("sites?cursor=WyItNSJd", 422, "cursor"),
        ("alerts?status=broken", 422, "status"),
        ("alerts?format=xml", 422, "format"),
        ("nothing", 404, "nothing at this address"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence_and_says_why(
    empty: Rig, path: str, status: int, said: str
) -> None:
    code, sentence = refused(empty, path)
    assert code == status
    assert said in sentence


def test_a_removed_site_can_still_be_asked_about(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        record_observations(connection, [look("2023-01-01", 4, "ships_present", site_id="old-quay")])
        connection.execute(
            text("update site_version set site_id = 'old-quay' where site_id = 'dateline-strip'")
        )
    assert [each["value"] for each in ask(told, "observations?site=old-quay")["items"]] == [4]
    answered = told.client.get("/api/v1/observations?site=old-quay&format=csv").text
    (row,) = csv.DictReader(io.StringIO(answered))
    assert (row["site_id"], row["site_name"], row["local_period"]) == (
        "old-quay",
        "Dateline Strip",
        "2023-01-01",
    )


@pytest.mark.sqlite
def test_a_database_that_cannot_be_read_is_a_sentence(empty: Rig) -> None:
    with writing(empty.app.engine) as connection:
        connection.execute(text("drop table alert_event"))
        connection.execute(text("drop table alert"))
    code, sentence = refused(empty, "alerts")
    assert code == 503
    assert "sitewatch doctor" in sentence


DAYS = st.integers(1, 28).map(lambda day: f"2023-02-{day:02}")
LOOKS = st.lists(
    st.builds(
        lambda day, value, metric, subject, known: look(
            day, value, metric, subject, known=f"2023-03-{known:02}"
        ),
        DAYS,
        st.integers(0, 5) | st.none(),
        st.sampled_from(["containers", "ships_present"]),
        st.sampled_from(["", "ship:Ärger", "ship:a", "ship:Z"]),
        st.integers(1, 28),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=LOOKS, limit=st.integers(1, 7))
def test_looks_read_by_pages_are_the_looks_read_at_once(engine: Engine, found: list[Any], limit: int) -> None:
    with writing(engine) as connection:
        for table in (schema.observation, schema.series):
            connection.execute(table.delete())
        record_observations(connection, found)
    with reading(engine) as connection:
        pages, after = [], None
        while page := look_page(connection, LookFilter(), after, limit):
            assert len(page) <= limit
            pages += page
            after = look_id(page[-1])
        whole = looks(connection, site_id="busy-port")
        assert {look_id(each): each for each in pages} == {look_id(each): each for each in whole}
        assert len(pages) == len(whole)
        assert {each.key for each in series_summaries(connection)} == {each.series for each in whole}


def test_visits_by_pages_come_newest_first_and_each_once(engine: Engine) -> None:
    visits = [
        Visit(
            visit_id=f"v{number}",
            version=1,
            site_id="quiet-field",
            icao24=f"{number:06x}",
            state="departed",
            confidence=4,
            arrived_at=None,
            departed_at=None,
            first_fix_at=at(f"2023-01-{1 + number // 2:02}"),
            last_fix_at=at("2023-02-01"),
            recorded_at=at("2023-02-02"),
        )
        for number in range(9)
    ]
    with writing(engine) as connection:
        record_visits(connection, visits)
    with reading(engine) as connection:
        found: list[Visit] = []
        after = None
        while page := visit_page(connection, VisitFilter(site_ids=["quiet-field"]), after, 2):
            found += page
            after = visit_place(page[-1])
    assert [each.visit_id for each in found] == [f"v{number}" for number in reversed(range(9))]


def test_the_openapi_document_describes_every_list(empty: Rig) -> None:
    document = json.loads(empty.client.get("/api/v1/openapi.json").text)
    assert set(document["paths"]) == {
        f"/api/v1/{name}"
        for name in (
            *(
                "sites",
                "observations",
                "totals",
                "visits",
                "alerts",
                "detections",
                "aircraft",
                "polls",
                "status",
            ),
            *("silences", "alerts/{alert_id}/acknowledge"),
        )
    }


def test_the_documentation_names_every_list_parameter_and_field(empty: Rig) -> None:
    described = empty.page.openapi()
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    items = [
        name
        for name in described["components"]["schemas"]
        if name.endswith("Item") and name != "EvidenceItem"
    ]
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert all(path.replace("{alert_id}", "ID") in text for path in described["paths"])
    named = {
        *(each["name"] for operation in operations for each in operation.get("parameters", ())),
        *(field for name in items for field in described["components"]["schemas"][name]["properties"]),
    } - {"located", "alert_id"}
    assert {each for each in named if f"`{each}`" not in text} == set()
