"""Every flight feed that can be switched on by configuration alone: how it is asked, and what its answers are worth."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from db.engine import reading
from db.flights import fixes
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.poll.answers import PollReport
from monitor.reports.status import gather_status
from tests.kit.cast import write_cast
from tests.kit.fake_feeds import NOON, aircraft, v2_body
from tests.kit.feed_contract import OPENSKY_FLIGHT, OPENSKY_ROW, opensky_body

HERE = aircraft(lat=-51.9, lon=-70.6)
SOMEBODY = v2_body(HERE)
NOBODY = v2_body()
MIDDLE = "-51.9000"
RANGE = {"lat": "-51.9", "lon": "-70.6", "range_nm": "120"}


@dataclass(frozen=True)
class Setup:
    """What an operator writes, and what the provider is then asked."""

    name: str
    asked: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    good: bytes = SOMEBODY
    empty: bytes = NOBODY
    empty_is_believed: bool = False


SETUPS = [
    Setup("adsb.lol", f"https://api.adsb.lol/v2/point/{MIDDLE}/"),
    Setup("adsb.fi", f"https://opendata.adsb.fi/api/v2/lat/{MIDDLE}/lon/-70.6000/dist/"),
    Setup("airplanes.live", f"https://api.airplanes.live/v2/point/{MIDDLE}/"),
    Setup(
        "adsbexchange",
        f"https://gateway.adsbexchange.com/api/aircraft/v2/lat/{MIDDLE}/lon/-70.6000/dist/",
        {"headers": {"api-auth": "the-key"}},
        {"api-auth": "the-key", "accept-encoding": "gzip"},
    ),
    Setup(
        "adsbexchange",
        f"https://adsbexchange-com1.p.rapidapi.com/v2/lat/{MIDDLE}/lon/-70.6000/dist/",
        {
            "base_url": "https://adsbexchange-com1.p.rapidapi.com/v2/",
            "headers": {"X-RapidAPI-Key": "the-key", "X-RapidAPI-Host": "adsbexchange-com1.p.rapidapi.com"},
        },
        {"x-rapidapi-key": "the-key", "x-rapidapi-host": "adsbexchange-com1.p.rapidapi.com"},
    ),
    Setup(
        "receiver",
        "http://receiver.example/tar1090/data/aircraft.json",
        {"base_url": "http://receiver.example/tar1090/data/aircraft.json", "options": RANGE},
        good=json.dumps({"now": NOON.timestamp(), "aircraft": [HERE]}).encode(),
        empty=json.dumps({"now": NOON.timestamp(), "aircraft": []}).encode(),
        empty_is_believed=True,
    ),
    Setup(
        "receiver",
        f"http://receiver.example:30152/?circle={MIDDLE},-70.6000",
        {"base_url": "http://receiver.example:30152/", "options": {**RANGE, "path_style": "readsb"}},
        good=json.dumps({"now": NOON.timestamp(), "aircraft": [HERE]}).encode(),
        empty=json.dumps({"now": NOON.timestamp(), "aircraft": []}).encode(),
        empty_is_believed=True,
    ),
    Setup(
        "opensky",
        "https://opensky-network.org/api/states/all?lamin=-52.58",
        {"credentials": {"client_id": "me", "client_secret": "the-key"}},
        {"authorization": "Bearer the-token"},
        opensky_body(OPENSKY_ROW),
        opensky_body(),
    ),
    Setup("opensky", "https://opensky-network.org/api/states/all?lamin=-52.58", {}, {}, opensky_body(OPENSKY_ROW), opensky_body()),
]  # fmt: skip


@dataclass
class Web:
    """What the provider answers to everything, and what it was asked."""

    body: bytes
    status: int = 200
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; tokens are given out to everybody."""
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "the-token", "expires_in": 1800})
        self.asked.append(request)
        headers = {"Retry-After": "600"} if self.status == 429 else {}
        return httpx.Response(self.status, content=self.body, headers=headers)


@contextmanager
def program(
    engine: Engine, folder: Path, setup: Setup, web: Callable[[httpx.Request], httpx.Response]
) -> Iterator[App]:
    """A program with this one provider."""
    off = {name: {"enabled": False} for name in ("adsb.lol", "earth-search")}
    settings = Settings.model_validate(
        {
            "database_url": engine.url.render_as_string(hide_password=False),
            "sites_file": write_cast(folder),
            "history_file": folder / "none.csv",
            "providers": {**off, setup.name: {"enabled": True, **setup.settings}},
        }
    )
    app = build_app(settings, transport=httpx.MockTransport(web))
    try:
        yield app
    finally:
        app.close()


def ask(app: App, setup: Setup) -> list[PollReport]:
    return pipeline.poll(app, NOON, setup.name, "quiet-field", force=True)


def names(setup: Setup) -> str:
    return f"{setup.name}-{len(setup.settings)}-{len(setup.headers)}"


every_setup = pytest.mark.parametrize("setup", SETUPS, ids=names)


@every_setup
def test_it_is_asked_its_own_way_and_an_aircraft_arrives(
    setup: Setup, sqlite_engine: Engine, tmp_path: Path
) -> None:
    web = Web(setup.good)
    with program(sqlite_engine, tmp_path, setup, web) as app:
        (report,) = ask(app, setup)
    with reading(sqlite_engine) as connection:
        assert [each.icao24 for each in fixes(connection)] == ["15521f"]
    assert report.outcome == "ok"
    assert str(web.asked[0].url).startswith(setup.asked)
    assert web.asked[0].headers["user-agent"].startswith("sitewatch/")
    assert {key: web.asked[0].headers[key] for key in setup.headers} == setup.headers
    assert "the-key" not in f"{report}{app.settings!r}"


@every_setup
def test_what_is_no_answer_is_a_failed_poll(setup: Setup, sqlite_engine: Engine, tmp_path: Path) -> None:
    web = Web(b"no")
    with program(sqlite_engine, tmp_path, setup, web) as app:
        for status, body in [(500, b"no"), (200, b"<!doctype html>"), (200, b'{"now"'), (429, b"")]:
            web.status, web.body = status, body
            assert {each.outcome for each in ask(app, setup)} == {"failed"}
        so_far = len(web.asked)
        assert {each.outcome for each in ask(app, setup)} == {"skipped"}
    assert len(web.asked) == so_far, "who asks to be left alone is left alone, whoever asks"


@every_setup
def test_an_empty_answer_is_worth_what_the_provider_can_prove(
    setup: Setup, sqlite_engine: Engine, tmp_path: Path
) -> None:
    with program(sqlite_engine, tmp_path, setup, Web(setup.empty)) as app:
        (report,) = ask(app, setup)
    assert report.outcome == ("empty" if setup.empty_is_believed else "failed")


@pytest.mark.parametrize(("body", "outcome"), [(b"", "empty"), (b"<h1>404</h1>", "failed")])
def test_only_an_empty_404_says_that_there_was_no_flight(
    body: bytes, outcome: str, sqlite_engine: Engine, tmp_path: Path
) -> None:
    def web(request: httpx.Request) -> httpx.Response:
        if request.url.params["airport"] == "XQUF":
            return httpx.Response(404, content=body)
        return httpx.Response(200, json=[OPENSKY_FLIGHT])

    setup = Setup("opensky-flights", "")
    with program(sqlite_engine, tmp_path, setup, web) as app:
        assert {each.outcome for each in ask(app, setup)} == {outcome}
        (provider,) = gather_status(app, NOON).providers
        assert gather_status(app, NOON).sites[0].watched_share_24h is None, (
            "who claims flights watches no place"
        )
    said = provider.state.last_error or ""
    assert ("404 with a text" in said and "Check base_url" in said) == (outcome == "failed")
