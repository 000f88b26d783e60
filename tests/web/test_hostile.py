"""Foreign strings on pages, in the API and in CSV: shown as they are, and never obeyed."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine

from db.alerts import alerts
from db.declared import record_notes
from db.engine import reading, writing
from db.flights import record_visits
from db.observations import record_observations
from db.records import Evidence
from monitor import pipeline
from monitor.imports.columns import FORMULA_STARTS
from tests.conftest import FreshEngine
from tests.kit.builders import look
from tests.kit.cast import CAST_GEOJSON
from tests.kit.web_rig import NOW, Rig, _note, _visit, containers, rig

pytestmark = pytest.mark.untraced

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "end of data": "</script><script>alert(1)</script>",
    "template": "{{ 7*7 }}{% for x in y %}{{ config }}",
    "line end": "one\r\nSet-Cookie: a=b\r\n\r\n<b>two</b>",
    "separators": "one\u2028two\u2029three\x85four\x0bfive",
    "formula": '=HYPERLINK("https://evil.example","x")',
    "formula at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula plus": "+1+1",
    "formula minus": "-1+1",
    "tab": "\t=1+1",
    "right to left": "\u202egnp.exe\u202c \u2067abc\u2069 مرحبا",
    "script address": "javascript:alert(1)",
    "comma": 'a,"b";c\n"d"',
    "entity": "&lt;script&gt; &amp;amp; &#60;b&#62;",
    "long": "W" * 5000,
}
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x85]")


class Tags(HTMLParser):
    """Which elements and attributes a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[str] = []
        self.links: list[str] = []
        self.images = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.handlers += [name for name in named if name.startswith("on")]
        self.links += [named["href"] or ""] if tag == "a" and "href" in named else []
        self.images += tag == "img"
        if tag == "script":
            self.scripts.append(named)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.fixture(scope="module", params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


@pytest.fixture(scope="module")
def told(fresh_engine: FreshEngine, tmp_path_factory: pytest.TempPathFactory, hostile: str) -> Iterator[Rig]:
    """A site, counts, a note, a visit and an alert that hold a hostile string wherever a string fits; only read."""
    folder = tmp_path_factory.mktemp("told")
    with fresh_engine(folder) as engine, rig(engine, folder) as made:
        evidence = (
            Evidence("url", hostile, hostile),
            Evidence("url", f"https://x.example/{hostile}", hostile),
        )
        words = {
            "publisher": hostile,
            "via": hostile,
            "note": hostile,
            "certainty": hostile,
            "evidence": evidence,
        }
        with writing(made.app.engine) as connection:
            record_observations(
                connection, [containers(f"2023-09-{day:02}", 1, **words) for day in range(1, 25)]
            )
            record_observations(connection, [containers("2023-10-05", 99, **words)])
            record_observations(connection, [look("2023-10-05", 2, "containers", f"ship:{hostile}", **words)])
            record_notes(connection, [replace(_note(), text=hostile, publisher=hostile, url=hostile)])
            visit = replace(_visit(), callsign=hostile, registration=hostile, evidence=evidence)
            record_visits(connection, [replace(visit, subjects=(f"operator:{hostile}",))])
        pipeline.judge(made.app, NOW)
        yield made


def alert_pages(made: Rig) -> list[str]:
    with reading(made.app.engine) as connection:
        found = alerts(connection)
    assert found
    return [f"/alerts/{each.id}" for each in found]


def test_on_pages_it_is_text_and_nothing_else(told: Rig) -> None:
    for path in ["/", "/sites/busy-port", "/sites/quiet-field", "/alerts", *alert_pages(told)]:
        html = told.client.get(path).text
        tags = parsed(html)
        assert tags.handlers == [], path
        assert tags.images == 0, path
        assert all(each.get("src") or each.get("type") == "application/json" for each in tags.scripts), path
        assert all(link.startswith(("/", "?", "#", "http://", "https://")) for link in tags.links), path
        assert not TURNING.search(html), path


def test_on_a_page_it_can_be_read(told: Rig, hostile: str) -> None:
    shown = "".join(parsed(told.client.get("/sites/busy-port").text).text)
    start = re.split(r"[^\w<>=@+&;{} -]", hostile.strip())[0][:40]
    assert start in shown


def test_the_data_for_scripts_stays_data(told: Rig) -> None:
    for path, name in (
        ("/", "map-data"),
        ("/sites/busy-port", "map-data"),
        ("/sites/busy-port?metric=containers&subject=", "chart-data"),
    ):
        html = told.client.get(path).text
        found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)
        assert found
        assert json.loads(found[1])


def test_in_json_it_is_the_very_string(told: Rig, hostile: str) -> None:
    items = told.client.get("/api/v1/observations?site=busy-port&limit=1000").json()["items"]
    assert {each["publisher"] for each in items} == {hostile}
    (visit,) = told.client.get("/api/v1/visits").json()["items"]
    assert visit["callsign"] == hostile


LONE_SIGNS = {"qualifier", "comparator"}
"""Columns in which a lone `=` is a word and no formula."""


def test_in_csv_it_is_no_formula_and_stays_one_cell(told: Rig) -> None:
    for path in ("observations", "visits", "alerts", "sites"):
        items = told.client.get(f"/api/v1/{path}?limit=1000").json()["items"]
        response = told.client.get(f"/api/v1/{path}?limit=1000&format=csv")
        rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
        assert len(rows) == len(items)
        for row in rows:
            assert None not in row
            cells = [value or "" for name, value in row.items() if value != "=" or name not in LONE_SIGNS]
            assert not any(cell.startswith(FORMULA_STARTS) for cell in cells)


def test_as_the_name_of_a_site_it_is_text_too(sqlite_engine: Engine, tmp_path: Path) -> None:
    document = json.loads(json.dumps(CAST_GEOJSON))
    bad = '<script>alert(1)</script> "x" onload=alert(2) {{ 7*7 }}'
    for feature in document["features"]:
        for name in ("name", "notes", "source"):
            feature["properties"][name] = bad
    (tmp_path / "bad.geojson").write_text(json.dumps(document), encoding="utf-8")
    with rig(sqlite_engine, tmp_path, sites_file=tmp_path / "bad.geojson") as made:
        for path in ("/", "/sites/busy-port", "/feeds", "/alerts"):
            tags = parsed(made.client.get(path).text)
            assert tags.handlers == []
            assert all(each.get("src") or each.get("type") == "application/json" for each in tags.scripts)
            assert "7*7" in "".join(tags.text) or path == "/alerts"


ADDRESSES = (
    "/sites/{}",
    "/alerts/{}",
    "/alerts?site={}&status={}",
    "/sites/busy-port?metric={}&area={}&subject={}",
    "/{}",
)


def test_in_an_address_it_is_not_echoed_as_code(sqlite_engine: Engine, tmp_path: Path, hostile: str) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        for path in ADDRESSES:
            response = made.client.get(path.replace("{}", quote(hostile, safe="")))
            assert response.status_code in {200, 404, 422}
            tags = parsed(response.text)
            assert tags.handlers == []
            assert tags.images == 0
            assert all(each.get("src") or each.get("type") == "application/json" for each in tags.scripts)
            assert all(link.startswith(("/", "?", "#")) for link in tags.links)


def test_in_a_site_to_be_added_it_is_text_before_and_after(
    sqlite_engine: Engine, tmp_path: Path, hostile: str
) -> None:
    square = [[[10.0, 55.0], [10.02, 55.0], [10.02, 55.01], [10.0, 55.01], [10.0, 55.0]]]
    stated = {
        "metric": "railcars",
        "comparator": "max",
        "value": 20,
        "start": "2018-10-06",
        "publisher": hostile,
    }
    feature = {
        "type": "Feature",
        "id": "new-yard",
        "geometry": {"type": "Polygon", "coordinates": square},
        "properties": {
            "name": hostile,
            "kind": "railhead",
            "notes": hostile,
            "source": hostile,
            "x-own": hostile,
            "areas": [{"id": "a", "name": hostile, "kind": "yard", "geometry": None}],
            "declared_baselines": [{**stated, "url": hostile, "note": hostile}],
        },
    }
    with rig(sqlite_engine, tmp_path) as made:
        form = {"form_token": made.client.form_token("/add-site")}
        wishes = (
            {"geojson": json.dumps(feature)},
            {"geojson": hostile, "site_id": hostile[:100], "name": hostile[:200], "timezone": hostile[:60]},
            {"airport": hostile[:10], "kind": hostile[:60]},
        )
        pages = [made.client.post("/add-site/check", data={**form, **each}).text for each in wishes]
        if found := re.search(r'name="features" value="([^"]*)"', pages[0]):
            made.client.post("/add-site", data={**form, "features": unescape(found[1])})
            pages += [made.client.get(path).text for path in ("/", "/sites/new-yard", "/feeds")]
    for page in pages:
        tags = parsed(page)
        assert tags.handlers == []
        assert tags.images == 0
        assert all(each.get("src") or each.get("type") == "application/json" for each in tags.scripts)
        assert all(link.startswith(("/", "?", "#", "http://", "https://")) for link in tags.links)
        # What was typed comes back as it was typed, or the second step would add another thing.
        shown = re.sub(r"<textarea.*?</textarea>|<input[^>]*>", "", page, flags=re.DOTALL)
        assert not TURNING.search(shown)
