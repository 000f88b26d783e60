"""The pages that are asked: the address holds the question, values narrow it down, and every answer has its files."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import geopandas
import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine

from db.engine import writing
from db.flights import record_visits
from db.observations import record_observations
from db.records import Visit
from monitor.web.asking import view
from tests.kit.builders import at, look
from tests.kit.web_rig import NOW, Rig, rig, tell_story

DAY = timedelta(days=1)
ABROAD = {"x-forwarded-for": "192.0.2.1"}


def stay(number: int, **fields: object) -> Visit:
    """One of several visits in the summer of 2023, of a watched Il-62M unless told otherwise."""
    begun = at("2023-08-01") + number * DAY
    made = Visit(
        visit_id=f"donut-base:{number:03}",
        version=1,
        site_id="donut-base",
        icao24="15521f",
        state="departed",
        confidence=4,
        arrived_at=begun,
        departed_at=begun + DAY,
        first_fix_at=begun,
        last_fix_at=begun + DAY,
        recorded_at=begun + DAY,
        type_code="IL62",
        registration="RA-86559",
        callsign="RSD1",
        subjects=("class:vip_military", "icao24:15521f", "type:IL62"),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


PRIVATE = {
    "icao24": "3c6dd2",
    "registration": "D-CABC",
    "callsign": "DCABC",
    "type_code": "C56X",
    "subjects": ("type:C56X",),
}


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        with writing(engine) as connection:
            record_visits(connection, [stay(number) for number in range(3)])
            record_visits(connection, [stay(9, **PRIVATE), stay(60, **PRIVATE)])
        yield made


def page(made: Rig, address: str) -> str:
    answer = made.client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def rows(html: str) -> list[list[str]]:
    """The cells of the table's rows, without what is folded in."""
    body = re.sub(
        r"<details>.*?</details>", "", html[html.index("<tbody") : html.index("</tbody>")], flags=re.DOTALL
    )
    found = re.findall(r"<tr role=\"row\".*?</tr>", body, flags=re.DOTALL)
    return [
        [
            " ".join(re.sub("<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[dh] .*?</t[dh]>", row, re.DOTALL)
        ]
        for row in found
    ]


def leads(html: str, words: str) -> str:
    """Where the link with these words leads."""
    found = re.search(rf'<a[^>]* href="([^"]+)"[^>]*>(?:<span[^>]*>)?{re.escape(words)}<', html)
    assert found, words
    return found[1].replace("&amp;", "&")


def test_visits_of_all_sites_come_newest_first(told: Rig) -> None:
    found = rows(page(told, "/visits"))
    assert [row[1] for row in found] == [*["Donut Base"] * 5, "Quiet Field"]
    assert [row[0][:10] for row in found[:2]] == ["2023-09-30", "2023-08-10"]


def test_the_address_of_an_answer_is_the_question_in_the_words_of_the_api(told: Rig) -> None:
    address = "/visits?type=Il-62M&since=2023-08&until=2023-08-02"
    shown = rows(page(told, address))
    items = told.client.get(f"/api/v1{address}").json()["items"]
    assert len(shown) == len(items) == 2
    assert {each["type_code"] for each in items} == {"IL62"}


def test_a_filled_form_becomes_an_address_that_says_only_what_is_asked(told: Rig) -> None:
    answer = told.client.get("/visits/ask?q=&site=donut-base&type=+Il-62M+&class=&confidence=&since=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/visits?site=donut-base&type=Il-62M")
    answer = told.client.get("/observations/ask?q=ships+present&site=&by=month")
    assert answer.headers["location"] == "/observations?by=month&metric=ships_present"


def test_a_search_that_means_nothing_is_told_in_a_sentence(told: Rig) -> None:
    answer = told.client.get("/visits/ask?q=zeppelin")
    assert answer.status_code == 422
    assert "is nothing that is known here. Write a site" in answer.text


def test_values_are_counted_and_narrow_the_answer_down_and_let_it_go_again(told: Rig) -> None:
    whole = page(told, "/visits")
    assert re.search(r">IL62</a> <span class=\"meta\">4</span>", whole)
    narrowed = leads(whole, "IL62")
    assert narrowed == "/visits?type=IL62"
    html = page(told, narrowed)
    assert len(rows(html)) == 4
    assert leads(html, "IL62") == "/visits"
    assert leads(html, "Donut Base") == "/sites/donut-base" or "site=donut-base" in html


def test_columns_sort_both_ways_and_say_so(told: Rig) -> None:
    html = page(told, "/visits")
    assert 'aria-sort="descending"' in html
    upward = leads(html, "Began")
    assert upward == "/visits?sort=when"
    found = rows(page(told, upward))
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    by_site = rows(page(told, "/visits?sort=-site"))
    assert [row[1] for row in by_site] == ["Quiet Field", *["Donut Base"] * 5]
    refused = told.client.get("/visits?sort=colour")
    assert refused.status_code == 422
    assert "sort: colour is no column" in refused.text


def test_pages_follow_one_another_in_any_order(told: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "ROWS_OF_PAGE", 2)
    for start in ("/visits", "/visits?sort=aircraft"):
        found: list[list[str]] = []
        address: str | None = start
        while address:
            html = page(told, address)
            found += rows(html)
            address = leads(html, "Next page") if "Next page" in html else None
        assert len(found) == 6
        assert len({tuple(row) for row in found}) == 6


def test_where_there_are_more_than_are_counted_it_is_said(told: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MOST_VISITS", 4)
    html = page(told, "/visits")
    assert "The newest 4 visits" in html
    assert "older ones are neither counted nor sorted here" in html


@pytest.mark.parametrize("name", ["address=3c6dd2", "registration=D-CABC", "callsign=DCABC"])
def test_nobody_is_followed_by_name_unless_watched(told: Rig, name: str) -> None:
    for path in ("/visits", "/api/v1/visits"):
        answer = told.client.get(f"{path}?{name}")
        assert answer.status_code == 200
        assert "donut-base:0" not in answer.text
        assert "Donut Base</a></td>" not in answer.text
    own = {"address=3c6dd2": "address=15521f", "registration=D-CABC": "registration=ra-86559"}
    watched = own.get(name, "callsign=rsd1")
    assert len(told.client.get(f"/api/v1/visits?{watched}").json()["items"]) == 3


def test_nothing_found_is_told_as_what_it_is(told: Rig) -> None:
    assert "That is not zero" in page(told, "/visits?type=B52")
    assert "That is not zero" in page(told, "/observations?metric=railcars")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/visits?colour=red", "colour: there is no such parameter here"),
        ("/visits?since=2023-10&until=2023-09", "since and until contradict each other"),
        ("/observations?type=Tu-160&class=vip", "type and class: a count has one subject"),
        ("/observations?region=nowhere", "is no region of the sites file"),
        ("/alerts?since=banana", "is not understood"),
    ],
)
def test_what_cannot_be_asked_is_refused_alike_on_page_and_api(told: Rig, address: str, said: str) -> None:
    for path in (address, f"/api/v1{address}"):
        answer = told.client.get(path)
        assert answer.status_code == 422, path
        assert said in answer.text.replace("&#34;", '"'), path


def test_counts_of_all_sites_come_newest_first_and_show_what_was_not_seen(told: Rig) -> None:
    found = rows(page(told, "/observations?metric=containers"))
    assert [row[0] for row in found][:2] == ["2023-10-06 to 2023-10-07", "2023-10-05 to 2023-10-06"]
    assert found[0][4] != "0"
    assert found[1][4].startswith("about 73")


def test_counts_add_up_by_month_and_a_month_that_nobody_watched_has_none(told: Rig) -> None:
    html = page(told, "/observations?metric=containers&by=month&since=2022-11&until=2023-01")
    found = [row[:1] + row[4:6] for row in rows(html)]
    assert found == [
        ["2023-01", "–", "not watched"],
        ["2022-12", "–", "not watched"],
        ["2022-11", "8", "10 % of the days"],
    ]
    twin = next(each for each in re.findall(r'href="([^"]+)"', html) if "format=csv" in each)
    answer = told.client.get(twin.replace("&amp;", "&"))
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(each["period"], each["value"]) for each in table] == [
        ("2022-11", "8"),
        ("2022-12", ""),
        ("2023-01", ""),
    ]


def test_the_page_shows_what_was_known_on_a_day(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        record_observations(connection, [look("2023-10-05", 70, "containers", known="2023-10-20")])
    day = "/observations?site=busy-port&metric=containers&since=2023-10-05&until=2023-10-05"
    assert rows(page(told, day))[0][4] == "70"
    assert rows(page(told, f"{day}&as_recorded=2023-10-10"))[0][4].startswith("about 73")


@pytest.mark.parametrize(
    "address",
    [
        "/visits?type=Il-62M&since=2023-08",
        "/observations?metric=containers&since=2022-11",
        "/observations?by=week&metric=containers&since=2023-10",
        "/alerts?status=open&since=2023-10",
    ],
)
def test_every_view_has_its_files_cut_to_what_is_shown(told: Rig, address: str, tmp_path: Path) -> None:
    html = page(told, address)
    files = {
        match[1]: match[0].replace("&amp;", "&")
        for match in re.findall(r'href="(/api/v1/[^"]+format=(\w+)[^"]*)"', html)
    }
    assert set(files) == {"csv", "xlsx", "geojson", "parquet", "json"}
    answers = {form: told.client.get(path) for form, path in files.items()}
    assert {each.status_code for each in answers.values()} == {200}
    items = answers["json"].json()["items"]
    shown = re.findall(r'<tr role="row"', html[html.index("<tbody") : html.index("</tbody>")])
    assert len(items) == len(shown) > 0
    table = list(csv.DictReader(io.StringIO(answers["csv"].text)))
    features = json.loads(answers["geojson"].text)["features"]
    assert [each["properties"]["site_id"] for each in features] == [each["site_id"] for each in items]
    assert all(each["geometry"]["type"] == "Point" for each in features)
    (tmp_path / "x.parquet").write_bytes(answers["parquet"].content)
    frame = geopandas.read_parquet(tmp_path / "x.parquet")
    assert frame.crs == "EPSG:4326"
    assert list(frame["site_id"]) == [each["site_id"] for each in items]
    book = load_workbook(io.BytesIO(answers["xlsx"].content))
    head, *cells = book["Data"].iter_rows(values_only=True)
    assert list(head) == list(table[0]) == [name for name in frame.columns if name != "geometry"]
    assert len(cells) == len(table) == len(items)
    wanted = answers["json"].json()["attribution"]
    assert [row[0] for row in book["Sources"].iter_rows(min_row=2, values_only=True)] == wanted
    assert all(each["attribution"] for each in table)


def test_text_in_a_workbook_never_runs(told: Rig) -> None:
    hostile = '=HYPERLINK("https://x.example","a")\x07'
    with writing(told.app.engine) as connection:
        record_observations(connection, [look("2023-10-04", 1, "containers", publisher=hostile)])
    answer = told.client.get("/api/v1/observations?metric=containers&format=xlsx")
    sheet = load_workbook(io.BytesIO(answer.content))["Data"]
    cells = [cell for row in sheet.iter_rows() for cell in row if "HYPERLINK" in str(cell.value)]
    assert cells
    assert {cell.data_type for cell in cells} == {"s"}


def test_the_public_sees_nothing_young_and_no_name_of_the_unwatched(told: Rig) -> None:
    young = NOW - timedelta(hours=3)
    with writing(told.app.engine) as connection:
        fields = {"arrived_at": young, "first_fix_at": young, "last_fix_at": young, "departed_at": None}
        record_visits(connection, [stay(200, recorded_at=young, state="present", **fields)])
    assert len(rows(page(told, "/visits?type=IL62"))) == 5
    public = told.client.get("/visits?type=IL62", headers=ABROAD)
    assert (public.status_code, len(rows(public.text))) == (200, 4)
    assert "Late on purpose" in public.text
    assert told.client.get("/api/v1/visits?registration=D-CABC", headers=ABROAD).json()["items"] == []
    looks = told.client.get("/observations?metric=containers", headers=ABROAD)
    assert "2023-10-06" not in "".join(cell for row in rows(looks.text) for cell in row)
