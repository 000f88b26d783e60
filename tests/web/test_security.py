"""Who may see and change what: hosts, tokens, sessions, forms and headers."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from starlette.routing import BaseRoute, Mount, Route

from db.alerts import alerts
from db.engine import reading
from db.records import Alert
from db.silences import silences
from monitor.config.settings import Settings
from monitor.runtime.serving import page_url_words
from monitor.web.security import (
    CSRF_COOKIE,
    OPEN_PATHS,
    SECURITY_HEADERS,
    SESSION_COOKIE,
    CookieKeys,
    check_bind,
)
from tests.kit.web_rig import NOW, TOKEN, Browser, Rig, rig, tell_story

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def told(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@pytest.fixture
def guarded(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path, token=TOKEN, host="0.0.0.0") as made:
        tell_story(made.app)
        yield made


def an_alert(made: Rig) -> Alert:
    with reading(made.app.engine) as connection:
        return alerts(connection, site_id="busy-port")[0]


def addresses(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and address of every route, with something in each placeholder."""
    for route in routes:
        if isinstance(route, Mount):
            yield "GET", f"{route.path}/page.js"
        elif isinstance(route, Route | APIRoute):
            path = re.sub(r"\{[^}]+\}", "x", route.path)
            yield from ((method, path) for method in sorted(route.methods or ()))
        else:
            # FastAPI keeps an included router behind a route of its own.
            included: Any = route
            yield from addresses(included.original_router.routes)


def test_every_route_is_closed_without_the_token(guarded: Rig) -> None:
    found = set(addresses(guarded.page.routes))
    assert {
        ("GET", "/"),
        ("POST", "/alerts/x/acknowledge"),
        ("GET", "/metrics"),
        ("GET", "/static/page.js"),
    } <= found
    assert ("GET", "/api/v1/observations") in found
    assert len(found) > 20
    for method, path in sorted(found):
        response = guarded.client.request(method, path)
        if path in OPEN_PATHS:
            assert response.status_code != 401 or path == "/login", path
        else:
            assert response.status_code == 401, (method, path)
            assert "Busy Port" not in response.text


@pytest.mark.parametrize(
    "path", ["/healthz/", "//healthz", "/login/../", "/healthz%2f..%2fmetrics", "/x", "/static/../app.py"]
)
def test_no_spelling_of_an_open_address_opens_another(guarded: Rig, path: str) -> None:
    assert guarded.client.get(path).status_code == 401


def test_only_the_health_check_the_way_in_and_its_drawing_are_open() -> None:
    assert {"/healthz", "/login", "/static/sitewatch.css", "/static/favicon.svg"} == OPEN_PATHS


def test_a_bearer_token_opens_and_a_wrong_one_does_not(guarded: Rig) -> None:
    path = "/api/v1/alerts"
    assert guarded.client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in ("Bearer nonsense", f"Basic {TOKEN}", TOKEN, "Bearer ", f"bearer {TOKEN}x"):
        response = guarded.client.get(path, headers={"authorization": wrong})
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in response.text


def test_logging_in_leads_where_one_wanted_to_go_and_out_again(guarded: Rig) -> None:
    asked = guarded.client.get("/alerts?status=open")
    assert asked.status_code == 401
    assert 'name="following" value="/alerts?status=open"' in asked.text
    form = {
        "form_token": guarded.client.form_token("/login"),
        "token": TOKEN,
        "following": "/alerts?status=open",
    }
    entered = guarded.client.post("/login", data=form)
    assert (entered.status_code, entered.headers["location"]) == (303, "/alerts?status=open")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert guarded.client.get("/alerts").status_code == 200
    guarded.client.post("/logout", data={"form_token": guarded.client.form_token("/")})
    assert guarded.client.get("/alerts").status_code == 401


def test_a_wrong_token_is_refused_in_words(guarded: Rig) -> None:
    form = {"form_token": guarded.client.form_token("/login"), "token": "nonsense"}
    response = guarded.client.post("/login", data=form)
    assert response.status_code == 401
    assert "This is not the token" in response.text
    assert SESSION_COOKIE not in guarded.client.cookies


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_logging_in_never_leads_elsewhere(guarded: Rig, following: str) -> None:
    form = {"form_token": guarded.client.form_token("/login"), "token": TOKEN, "following": following}
    assert guarded.client.post("/login", data=form).headers["location"] == "/"


def test_a_session_ends_cannot_be_made_up_and_dies_with_the_token() -> None:
    keys = CookieKeys(TOKEN)
    cookie = keys.session(NOW)
    assert keys.session_named(cookie, NOW + timedelta(days=29))
    assert not keys.session_named(cookie, NOW + timedelta(days=31))
    named, _, signature = cookie.partition(".")
    assert not keys.session_named(f"{named}0.{signature}", NOW)
    assert not keys.session_named("", NOW)
    assert not CookieKeys("another token of many letters").session_named(cookie, NOW)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a b",
        "127.0.0.1:80:80",
        "[::1",
    ],
)
def test_an_unknown_host_is_refused_where_no_token_guards(told: Rig, host: str) -> None:
    response = told.client.get("/", headers={"host": host})
    assert response.status_code == 421
    assert "SITEWATCH_PUBLIC_URL" in response.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:8000", "LOCALHOST", "watch.example"])
def test_a_known_host_is_answered(told: Rig, host: str) -> None:
    assert told.client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/sitewatch.css", "/api/v1/sites", "/nothing", "/healthz"])
def test_every_answer_carries_the_headers(told: Rig, path: str) -> None:
    response = told.client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


def test_refusals_and_faults_carry_the_headers_too(guarded: Rig) -> None:
    refused = guarded.client.get("/")
    assert refused.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]

    @guarded.page.get("/fault")
    def fault() -> None:
        raise RuntimeError("a secret place: /home/somebody")

    broken = guarded.client.get("/fault", headers={"authorization": f"Bearer {TOKEN}"})
    assert broken.status_code == 500
    assert broken.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]
    assert "/home/somebody" not in broken.text
    assert "please report it" in broken.text


def test_no_page_holds_inline_code_or_style_or_leads_a_browser_elsewhere(told: Rig) -> None:
    pages = [
        "/",
        "/alerts",
        "/feeds",
        "/sites/busy-port",
        f"/alerts/{an_alert(told).id}",
        "/login",
        "/nothing",
    ]
    for path in pages:
        html = told.client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html), path
        for script in re.findall(r"<script[^>]*>", html):
            assert 'type="application/json"' in script or 'src="/static/' in script
        for loaded in re.findall(r'<(?:link|img|script|iframe|form)[^>]*(?:href|src|action)="([^"]*)"', html):
            assert loaded.startswith("/"), (path, loaded)


def test_public_by_https_means_secure_cookies(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, public_url="https://watch.example") as secure:
        response = secure.client.get("/")
    assert "Secure" in response.headers["set-cookie"]
    assert response.headers["strict-transport-security"].startswith("max-age=")


def test_others_may_not_reach_a_page_without_a_token() -> None:
    open_to_all = Settings().model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(ValueError, match="can be reached by others"):
        check_bind(open_to_all)


def test_acknowledging_takes_our_own_form(told: Rig) -> None:
    alert = an_alert(told)
    page, address = f"/alerts/{alert.id}", f"/alerts/{alert.id}/acknowledge"
    token = told.client.form_token(page)
    response = told.client.post(address, data={"form_token": token, "by": "Mina"})
    assert (response.status_code, response.headers["location"]) == (303, page)
    assert an_alert(told).acknowledged_by == "Mina"
    assert "Acknowledged by Mina" in told.client.get(page).text


@pytest.mark.parametrize("token", ["", "nonsense", "from another browser"])
def test_a_foreign_form_changes_nothing(told: Rig, token: str) -> None:
    alert = an_alert(told)
    told.client.get("/")
    if token == "from another browser":
        token = Browser(told.page).form_token(f"/alerts/{alert.id}")
    for what in ("acknowledge", "silence", "unsilence"):
        response = told.client.post(f"/alerts/{alert.id}/{what}", data={"form_token": token, "hours": "1"})
        assert response.status_code == 403
        assert "nothing was changed" in response.text
    assert an_alert(told).acknowledged_at is None


def test_a_form_sent_from_another_site_changes_nothing(told: Rig) -> None:
    alert = an_alert(told)
    token = told.client.form_token(f"/alerts/{alert.id}")
    for site in ("cross-site", "same-site"):
        response = told.client.post(
            f"/alerts/{alert.id}/acknowledge", data={"form_token": token}, headers={"sec-fetch-site": site}
        )
        assert response.status_code == 403
    assert an_alert(told).acknowledged_at is None


def test_the_form_cookie_stays_with_our_site(told: Rig) -> None:
    cookie = told.client.get("/").headers["set-cookie"]
    assert cookie.startswith(CSRF_COOKIE)
    assert "SameSite=strict" in cookie
    assert "HttpOnly" in cookie


def test_a_program_with_the_token_needs_no_form(guarded: Rig) -> None:
    alert = an_alert(guarded)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    response = guarded.client.post(f"/alerts/{alert.id}/acknowledge", headers=bearer)
    assert response.status_code == 303
    assert an_alert(guarded).acknowledged_by == "the page"


def test_a_session_alone_is_not_enough_to_change_something(guarded: Rig) -> None:
    form = {"form_token": guarded.client.form_token("/login"), "token": TOKEN}
    guarded.client.post("/login", data=form)
    assert guarded.client.post(f"/alerts/{an_alert(guarded).id}/acknowledge").status_code == 403


def test_silencing_and_ending_it(told: Rig) -> None:
    alert = an_alert(told)
    page = f"/alerts/{alert.id}"
    token = told.client.form_token(page)
    form = {"form_token": token, "hours": "24", "reason": "Known exercise", "by": "Mina"}
    assert told.client.post(f"{page}/silence", data=form).status_code == 303
    with reading(told.app.engine) as connection:
        (quiet,) = silences(connection, NOW)
    assert (quiet.metric, quiet.ends_at, quiet.reason) == (
        "containers",
        NOW + timedelta(days=1),
        "Known exercise",
    )
    assert "Known exercise" in told.client.get(page).text
    told.client.post(f"{page}/unsilence", data={"form_token": token})
    with reading(told.app.engine) as connection:
        assert silences(connection, NOW) == []


@pytest.mark.parametrize("hours", ["0", "-5", "99999999", "x", ""])
def test_only_the_offered_times_can_be_silenced(told: Rig, hours: str) -> None:
    page = f"/alerts/{an_alert(told).id}"
    form = {"form_token": told.client.form_token(page), "hours": hours}
    assert told.client.post(f"{page}/silence", data=form).status_code == 422


@pytest.mark.parametrize("what", ["acknowledge", "silence", "unsilence"])
def test_an_alert_that_is_not_there_is_a_sentence(told: Rig, what: str) -> None:
    form = {"form_token": told.client.form_token(f"/alerts/{an_alert(told).id}"), "hours": "1"}
    response = told.client.post(f"/alerts/al_none/{what}", data=form)
    assert response.status_code == 404
    assert "There is no alert" in response.text


@pytest.mark.parametrize("what", ["acknowledge", "silence", "unsilence"])
def test_reading_an_address_that_changes_something_changes_nothing(told: Rig, what: str) -> None:
    response = told.client.get(f"/alerts/{an_alert(told).id}/{what}")
    assert response.status_code == 405
    assert an_alert(told).acknowledged_at is None


def test_the_health_check_says_nothing_and_readiness_says_why_not(guarded: Rig, tmp_path: Path) -> None:
    assert guarded.client.get("/healthz").text == "ok\n"
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.client.get("/readyz", headers=bearer).text == "ready\n"
    with guarded.app.engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = 'older'")
    response = guarded.client.get("/readyz", headers=bearer)
    assert response.status_code == 503
    assert "older" in response.text


def test_every_figure_is_described(guarded: Rig) -> None:
    text = guarded.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    served = set(re.findall(r"^# TYPE (sitewatch_\w+) ", text, re.MULTILINE))
    served = {name for name in served if not name.endswith("_created")}
    described = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(sitewatch_\w+)` \|", described, re.MULTILINE)
    assert served == set(rows)
    assert len(rows) == len(set(rows))


def test_metrics_count_what_matters_and_hold_no_secret(guarded: Rig) -> None:
    text = guarded.client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    assert 'sitewatch_alerts{status="open"} 3.0' in text
    assert 'sitewatch_outbox_deliveries{state="queued"}' in text
    assert 'sitewatch_provider_failing{provider="earth-search"} 1.0' in text
    assert 'sitewatch_site_watched_ratio{site="donut-base"} 1.0' in text
    assert 'sitewatch_feed_coverage_ratio{provider="adsb.lol",site="donut-base"} 1.0' in text
    found = re.search(r'sitewatch_site_last_success_timestamp_seconds\{site="donut-base"\} (\S+)', text)
    assert found is not None
    # The moment of the last answer, and not the end of the hour in which it came.
    assert float(found[1]) == NOW.timestamp() - 60
    assert re.search(r'sitewatch_alerts_suppressed_total\{reason="too_old"\} \d', text)
    assert "sitewatch_alerts_suppressed_created" not in text, "it did not begin with this scrape"
    assert 'sitewatch_site_newest_count_timestamp_seconds{site="busy-port"}' in text
    assert TOKEN not in text


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("::1", "http://[::1]:8000/"),
        ("192.0.2.7", "http://192.0.2.7:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/ here, and at every other address of this machine"),
        ("::", "http://[::1]:8000/ here, and at every other address of this machine"),
    ],
)
def test_where_the_page_is_can_be_opened(host: str, told: str) -> None:
    assert page_url_words(host, 8000) == told
