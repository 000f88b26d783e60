"""Answers as HTTP has them, whoever logs in and out, and a description that leaves nothing to guess."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from monitor.reports.tables import csv_text
from monitor.web.api import queries, routes
from monitor.web.app import create_app
from monitor.web.security import FREE_ATTEMPTS, LONGEST_PAUSE_S, SESSION_COOKIE, Attempts
from tests.kit.web_rig import NOW, TOKEN, Browser, Rig, rig, tell_story


@pytest.fixture
def told(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@pytest.fixture
def guarded(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path, token=TOKEN, host="0.0.0.0") as made:
        yield made


PAGES = [
    "/",
    "/alerts",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/sites",
    "/api/v1/sites?format=csv",
    "/nothing",
]


@pytest.mark.parametrize("path", PAGES)
def test_head_answers_as_get_without_the_body(told: Rig, path: str) -> None:
    told.client.get("/")
    asked, looked = told.client.get(path), told.client.request("HEAD", path)
    assert looked.status_code == asked.status_code
    assert looked.content == b""
    names = ("content-type", "content-security-policy", "cache-control")
    assert [looked.headers.get(each) for each in names] == [asked.headers.get(each) for each in names]
    if path != "/metrics":
        assert looked.headers.get("content-length") == asked.headers.get("content-length")


def test_head_of_the_event_stream_ends(told: Rig) -> None:
    for path in ("/events", "/static/sitewatch.css"):
        looked = told.client.request("HEAD", path)
        assert (looked.status_code, looked.content) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/api/v1/observations", "/api/v1/sites?format=geojson", "/api/v1/alerts?format=csv"]
)
def test_what_a_reader_has_already_is_not_sent_again(told: Rig, path: str) -> None:
    first = told.client.get(path)
    tag = first.headers["etag"]
    again = told.client.request("GET", path, headers={"if-none-match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-security-policy" in again.headers
    other = told.client.request("GET", path, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)
    assert told.client.get("/api/v1/nothing").headers.get("etag") is None


def test_long_answers_are_packed_for_whoever_unpacks_them(told: Rig) -> None:
    packed = told.client.request("GET", "/api/v1/observations", headers={"accept-encoding": "gzip"})
    plain = told.client.request("GET", "/api/v1/observations", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.headers["etag"] == plain.headers["etag"]


# --- logging in and out


def log_in(made: Rig, token: str) -> int:
    form = {"form_token": made.client.form_token("/login"), "token": token}
    return made.client.post("/login", data=form).status_code


def test_wrong_tokens_are_logged_and_then_wait(guarded: Rig) -> None:
    with capture_logs() as logs:
        codes = [log_in(guarded, "nonsense") for _ in range(FREE_ATTEMPTS + 3)]
    assert codes == [401] * FREE_ATTEMPTS + [429] * 3
    told = [each for each in logs if each["event"] == "wrong token"]
    assert [each["attempts"] for each in told] == [1, 2, 4]
    assert "nonsense" not in str(logs)
    refused = guarded.client.post(
        "/login", data={"form_token": guarded.client.form_token("/login"), "token": TOKEN}
    )
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert "Too many wrong tokens came from your address. Wait 2 s" in refused.text


def test_wrong_bearer_tokens_wait_as_well(guarded: Rig) -> None:
    wrong = {"authorization": "Bearer nonsense"}
    codes = [
        guarded.client.request("GET", "/api/v1/sites", headers=wrong).status_code
        for _ in range(FREE_ATTEMPTS + 1)
    ]
    assert codes == [401] * FREE_ATTEMPTS + [429]


def test_pauses_grow_end_and_are_forgotten_after_the_right_token() -> None:
    attempts = Attempts()
    for _ in range(FREE_ATTEMPTS):
        attempts.wrong("a", NOW)
    assert (attempts.wait_s("a", NOW), attempts.wait_s("b", NOW)) == (2, 0)
    assert attempts.wait_s("a", NOW + timedelta(seconds=2)) == 0
    for _ in range(1000):
        attempts.wrong("a", NOW)
    assert attempts.wait_s("a", NOW) == LONGEST_PAUSE_S
    assert attempts.wait_s("a", NOW - timedelta(days=3)) == 0, "a clock that was set back keeps nobody out"
    attempts.right("a")
    assert attempts.wait_s("a", NOW) == 0
    for number in range(20_000):
        attempts.wrong(f"address {number}", NOW)
    for _ in range(FREE_ATTEMPTS):
        attempts.wrong("address 19999", NOW)
    assert attempts.wait_s("address 19999", NOW) > 0


def test_a_log_out_ends_the_session_for_every_copy_of_its_cookie(guarded: Rig) -> None:
    assert log_in(guarded, TOKEN) == 303
    copied = guarded.client.cookies[SESSION_COOKIE]
    assert log_in(guarded, TOKEN) == 303
    other = guarded.client.cookies[SESSION_COOKIE]
    thief = Browser(guarded.page)
    thief.cookies.set(SESSION_COOKIE, other)
    assert thief.get("/").status_code == 200
    guarded.client.post("/logout", data={"form_token": guarded.client.form_token("/")})
    assert thief.get("/").status_code == 401
    # A restart does not bring it back, and leaves the other session alone.
    again = create_app(guarded.app, lambda: NOW)
    for cookie, status in ((other, 401), (copied, 200)):
        visitor = Browser(again)
        visitor.cookies.set(SESSION_COOKIE, cookie)
        assert visitor.get("/").status_code == status


# --- files


def test_formulas_of_any_width_are_text_and_a_lone_sign_is_itself() -> None:
    cells = ["=1+1", "+1", "-1", "@x", "＝1+1", "＋1", "－1", "＠x", "\n=1", "=", ">=", "~=", "<=", "plain"]
    read = list(csv.reader(io.StringIO(csv_text([{"a": each} for each in cells], ["a"]))))[1:]
    assert [row[0] for row in read] == [
        *(f"'{each}" for each in cells[:9]),
        "=",
        ">=",
        "~=",
        "<=",
        "plain",
    ]


def test_a_file_is_whole_unless_a_part_is_asked_for(told: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "USUAL_ITEMS", 2)
    page = told.client.get("/api/v1/observations").json()
    assert (len(page["items"]), page["next"] is None) == (2, False)
    number = len(told.client.get("/api/v1/observations?limit=1000").json()["items"])
    assert number > 2
    table = told.client.get("/api/v1/observations?format=csv")
    assert len(list(csv.DictReader(io.StringIO(table.text)))) == number
    assert "link" not in table.headers
    features = told.client.get("/api/v1/observations?format=geojson").json()
    assert (len(features["features"]), features["next"]) == (number, None)
    assert 'rel="next"' in told.client.get("/api/v1/observations?format=csv&limit=2").headers["link"]
    monkeypatch.setattr(queries, "MOST_EXPORTED", 2)
    monkeypatch.setattr(routes, "MOST_EXPORTED", 2)
    refused = told.client.get("/api/v1/observations?format=csv")
    assert (refused.status_code, "There are more than 2 rows" in refused.text) == (422, True)


# --- the description


def described(made: Rig) -> Any:
    return json.loads(json.dumps(made.page.openapi()))


def test_the_description_says_who_may(told: Rig, guarded: Rig) -> None:
    closed, opened = described(guarded), described(told)
    assert closed["components"]["securitySchemes"]["token"] == {
        "type": "http",
        "scheme": "bearer",
        "description": closed["components"]["securitySchemes"]["token"]["description"],
    }
    assert closed["components"]["securitySchemes"]["session"]["name"] == SESSION_COOKIE
    assert closed["security"] == [{"token": []}, {"session": []}]
    assert opened["security"] == [{}]


def test_the_description_says_what_each_field_means_and_what_is_refused(told: Rig) -> None:
    schema = described(told)
    ours = {name: each for name, each in schema["components"]["schemas"].items() if "Validation" not in name}
    for name, model in ours.items():
        for field, about in model["properties"].items():
            assert about.get("description"), f"{name}.{field}"
    every = [(path, asked) for path, methods in schema["paths"].items() for asked in methods.values()]
    for path, asked in every:
        assert {"401", "404", "405", "421", "422", "429", "503"} <= set(asked["responses"]), path
        for each in asked.get("parameters", ()):
            assert each.get("description") or each["schema"].get("description"), (path, each["name"])


def test_the_description_says_which_words_a_state_can_have(told: Rig) -> None:
    models = described(told)["components"]["schemas"]
    for model, field, word in (
        ("VisitItem", "state", "lost_toward"),
        ("AlertItem", "status", "lapsed"),
        ("ObservationItem", "qualifier", "~="),
        ("ObservationItem", "precision", "month"),
        ("StatusItem", "state", "disabled"),
        ("SiteItem", "finding", "unusual"),
    ):
        assert word in models[model]["properties"][field]["enum"], (model, field)
