"""Whose data it is goes with every way out: every route in every form, and every command in every form."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import typer
from PIL import Image
from sqlalchemy import Engine

from alerts.attribution import MAP, NOBODY_ELSE, TIME_ZONES, Attributions, data_line, each_once, one_cell
from alerts.delivery.compose import compose_within
from db.aircraft import import_aircraft
from db.alerts import alerts
from db.deliveries import deliveries
from db.detections import insert_detections
from db.engine import open_engine, reading, writing
from db.flights import record_visits, visits
from db.migrate import migrate
from db.observations import record_observations
from db.records import Evidence
from db.records.claims import KnownAircraft
from db.records.detections import Detection
from db.schema import poll
from monitor.cli import app as command_line
from monitor.cli import main
from monitor.commands.history import Format
from tests.kit.builders import look
from tests.kit.ways_out import addresses, get_routes
from tests.kit.web_rig import NOW, Rig, rig, tell_story

ADSB = "adsb.lol contributors, ODbL 1.0"
PUBLISHER = "Harbour Watch"
DESK = "Desk of Trucks"
REGISTER = "Mictronics"
OSM = "OpenStreetMap contributors, ODbL 1.0"
COPERNICUS = "Contains modified Copernicus Sentinel data 2023"
PICTURE = Path("plot.png")
SCENARIO = """
title = "Five quiet days"
start = 2023-08-01T00:00:00Z
end = 2023-08-06T00:00:00Z
sites = "sites.geojson"

[[observations]]
file = "observations.csv"
provenance = "recorded"
origin = "What Harbour Watch published."
"""
ROWS = """site_id,start,metric,subject,value,published,publisher,url
quiet-field,2023-08-03,arrivals,class:vip_military,1,2023-08-04,Harbour Watch,https://watch.example/1
"""


def fill(made: Rig) -> str:
    """A story with a count of each sort, and a visit that rests on a poll; give the alert of the published count."""
    tell_story(made.app)
    own = {"publisher": "", "origin": "adsb.lol", "procedure": "adsb:1"}
    scene = {"publisher": "earth-search", "origin": "sentinel-2a", "procedure": "imagery/msi"}
    with writing(made.app.engine) as connection:
        record_observations(
            connection,
            [
                look("2023-09-01", 2, "arrivals", site_id="quiet-field", **own),
                look("2023-09-02", None, "passes", site_id="busy-port", **scene),
            ],
        )
        connection.execute(poll.insert(), POLL)
        (known,) = visits(connection, site_id="quiet-field")
        heard = Evidence("poll", "99", "Last heard at 2023-07-31 05:00 UTC.")
        watched = ("icao24:15521f", *known.subjects)
        record_visits(
            connection,
            [replace(known, state="confirmed", evidence=(heard,), subjects=watched, recorded_at=NOW)],
        )
        insert_detections(connection, [_truck()])
        import_aircraft(connection, "mictronics", [KnownAircraft("15521f", "RA-86559", "IL62")], NOW)
    with reading(made.app.engine) as connection:
        return next(each.id for each in alerts(connection) if each.site_id == "busy-port")


def _truck() -> Detection:
    seen = NOW - timedelta(days=3)
    return Detection(
        DESK, "busy-port", "vehicles", "a", "truck", seen, 69.65, 18.96, "pass-a", seen, NOW, "minute", NOW
    )  # fmt: skip


def filled(alert_id: str) -> dict[str, str]:
    """What stands in addresses."""
    return {"site_id": "busy-port", "alert_id": alert_id, "poll_id": "99", "address": "15521f"}


POLL = {
    "id": 99,
    "provider": "adsb.lol",
    "scope": "circle",
    "slot": 2,
    "purpose": "data",
    "sequence": 0,
    "started_at": NOW,
    "finished_at": NOW,
    "outcome": "ok",
    "item_count": 1,
    "answer_sha256": "0" * 64,
    "answer_size": 12,
}

# --- the page and its API -----------------------------------------------------------------------------

ROUTES: Mapping[str, tuple[str, ...]] = {
    "/": (PUBLISHER, ADSB, COPERNICUS, OSM, MAP),
    "/sites/{site_id}": (PUBLISHER, ADSB, "Copernicus Sentinel data", OSM, MAP),
    "/alerts": (PUBLISHER, "Institute of Yards"),
    "/alerts.atom": (PUBLISHER, "Institute of Yards"),
    "/alerts/{alert_id}": (PUBLISHER, "Institute of Yards"),
    "/alerts/{alert_id}/email": (PUBLISHER, "Institute of Yards"),
    "/observations": (PUBLISHER, ADSB, COPERNICUS),
    "/visits": (ADSB, REGISTER),
    "/polls/{poll_id}": (ADSB,),
    "/feeds": (ADSB, "Copernicus"),
    "/sites/{site_id}/look": (PUBLISHER, MAP),
    "/add-site": (OSM, MAP),
    "/metrics": (ADSB, "Copernicus"),
    "/api/v1/sites": (PUBLISHER, ADSB, OSM),
    "/api/v1/observations": (PUBLISHER, ADSB, COPERNICUS),
    "/api/v1/totals": (PUBLISHER, ADSB, COPERNICUS),
    "/api/v1/visits": (ADSB, REGISTER),
    "/api/v1/alerts": (PUBLISHER, "Institute of Yards"),
    "/api/v1/polls": (ADSB,),
    "/api/v1/detections": (DESK,),
    "/api/v1/aircraft": (ADSB, REGISTER),
    "/aircraft/{address}": (ADSB, REGISTER),
    "/ogc/collections/sites/items": (PUBLISHER, ADSB, OSM),
    "/ogc/collections/observations/items": (PUBLISHER, ADSB, COPERNICUS),
    "/ogc/collections/visits/items": (ADSB, REGISTER),
    "/ogc/collections/alerts/items": (PUBLISHER, "Institute of Yards"),
    "/ogc/collections/detections/items": (DESK,),
    "/api/v1/status": (ADSB, "Copernicus"),
}
"""Whose data each answer of the filled database rests on."""
WITHOUT: Mapping[str, str] = {
    "/login": "the way in: no data",
    **dict.fromkeys(("/observations/ask", "/visits/ask"), "leads to the answer: no data"),
    "/healthz": "one word: no data",
    "/readyz": "one word: no data",
    **dict.fromkeys(
        ("/ogc", "/ogc/api", "/ogc/conformance", "/ogc/collections"), "where the collections are: no data"
    ),
    **{
        f"/ogc/collections/{name}{rest}": why
        for name in ("sites", "observations", "visits", "alerts", "detections")
        for rest, why in (
            ("", "what a collection is called: no data"),
            ("/items/{feature_id}", "one of those in items, with its attribution (tests/web/test_ogc.py)"),
        )
    },
    "/api/v1/silences": "the desk's own words: no data",
    "/events": "the names of topics that changed: no data",
    "/sites/{site_id}/picture": "the very file: its words stand inside it (tests/derive/test_cutout_pixels.py) and beside it",
}


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as ready:
        yield ready


def test_every_route_in_every_form_says_whose_data_it_is(made: Rig) -> None:
    known = fill(made)
    assert set(get_routes(made.page)) == set(ROUTES) | set(WITHOUT), "a new way out: what does it rest on?"
    for path, sources in ROUTES.items():
        for address in addresses(made.page, **filled(known)):
            plain = address.split("?")[0]
            if plain != path.format(**filled(known)):
                continue
            asked = address.replace(f"alert={known}", "poll=99")
            answer = made.client.get(asked)
            assert answer.status_code == 200, asked
            if path == "/sites/{site_id}":
                answer = made.client.get("/sites/quiet-field")
            text = answer.text.replace("&#39;", "'")
            for source in sources:
                if path == "/sites/{site_id}" and source == PUBLISHER:
                    assert source in made.client.get("/sites/busy-port").text
                    continue
                assert source in text, (asked, source)


def test_each_item_and_each_list_of_the_api_carries_it(made: Rig) -> None:
    known = fill(made)
    for address in addresses(made.page, **filled(known)):
        if not address.startswith("/api/") or not address.endswith(("format=json", "format=geojson")):
            continue
        if address.startswith("/api/v1/silences"):
            # The desk's own words, and nobody's data.
            continue
        body = made.client.get(address.replace(f"alert={known}", "poll=99")).json()
        items = body.get("items") or [each["properties"] for each in body["features"]]
        assert items, address
        assert body["attribution"], address
        assert all(each["attribution"] for each in items), address


def test_a_message_names_its_sources_in_every_channel(made: Rig) -> None:
    known = fill(made)
    with reading(made.app.engine) as connection:
        (owed, *_) = deliveries(connection, known)
        message = compose_within(connection, owed, None)
    assert dict(message.facts)["Data"] == "Harbour Watch; Institute of Yards"
    page = made.client.get(f"/alerts/{known}").text
    assert page.count("Institute of Yards") > 2


# --- the commands -------------------------------------------------------------------------------------

COMMANDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "history": (("busy-port",), (PUBLISHER, COPERNICUS)),
    "visits": (("quiet-field",), (ADSB, REGISTER, OSM)),
    "status": ((), (ADSB, "Copernicus")),
    "alerts list": ((), (PUBLISHER, "Institute of Yards")),
    "alerts show": (("ALERT",), (PUBLISHER, "Institute of Yards")),
    "alerts explain": (("ALERT",), (PUBLISHER, "Institute of Yards")),
    "baseline": (("busy-port", "containers", "--png", str(PICTURE)), (PUBLISHER, "Institute of Yards")),
    "backtest": (
        ("busy-port", "containers", "--starts", "0", "--png", str(PICTURE), "--markdown", "report.md"),
        (PUBLISHER, "Institute of Yards"),
    ),
    "replay": (("five-days",), (PUBLISHER,)),
    "sites list": ((), (OSM,)),
    "sites show": (("busy-port",), (OSM,)),
    "aircraft show": (("15521f",), (REGISTER,)),
    "aircraft heard": (("15521f",), (ADSB, REGISTER)),
    "poll": ((), (NOBODY_ELSE,)),
}
"""What each command is given, and whose data its answer then rests on."""
ELSEWHERE: Mapping[str, str] = {
    "run": "says each provider and how it wants to be named as it starts (tests/runtime/test_bootstrap.py)",
    "demo": "its last words: below",
    "alerts export": "in the file that it writes: tests/reports/test_bundle.py",
    "backfill": "tests/backfill/test_backfill.py",
    "evaluate": "tests/commands/test_evaluate_command.py",
    "imagery study": "tests/commands/test_imagery_command.py",
}
NO_DATA: Mapping[str, str] = {
    **dict.fromkeys(
        ("observations import", "observations add", "observations check", "aircraft update"), "takes data in"
    ),
    **dict.fromkeys(("sites check", "sites add", "sites remove"), "speaks of the operator's own file"),
    **dict.fromkeys(
        ("alerts ack", "alerts silence", "alerts test", "alerts resend"), "does something, and says so"
    ),
    **dict.fromkeys(("backup", "restore"), "the whole database, with every attribution in it"),
    "doctor": "speaks of this machine",
    **dict.fromkeys(("tokens add", "tokens list", "tokens revoke"), "speaks of who may write here"),
    "observations map": "suggests how the operator's own file is read",
    **dict.fromkeys(
        ("detector count", "detector trial", "detector status"),
        "speaks of the operator's own model and images",
    ),
    "kept": "speaks of this program",
    "alerts verify": "says whether a file is as it was written",
    **dict.fromkeys(
        ("imagery read", "imagery status"), "says how far pictures were read, and shows nothing of them"
    ),
}
FORMS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "history": (("--format", "csv"), ("--format", "json"), ("--format", "geojson"), ("--format", "table")),
    "status": (("--judgeable",), ("--judgeable", "--json")),
}
"""More forms than text and `--json`."""


def leaves() -> list[str]:
    """Every command by its words."""
    group = typer.main.get_command(command_line)
    return [
        f"{name} {inner}".strip()
        for name, command in group.commands.items()  # type: ignore[attr-defined]
        for inner in getattr(command, "commands", {"": None})
    ]


def test_every_command_is_known_here() -> None:
    assert set(leaves()) == set(COMMANDS) | set(ELSEWHERE) | set(NO_DATA), (
        "a new way out: what does it rest on?"
    )


def test_every_form_of_history_is_known_here() -> None:
    # These need an extra; they have the rows of CSV, attribution and all (tests/web/test_asking.py).
    assert set(get_args(Format)) - {"parquet", "xlsx"} == {each[1] for each in FORMS["history"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with a filled database, where commands are run; gives the alert."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    opened = open_engine(url)
    migrate(opened)
    with rig(opened, tmp_path) as ready:
        known = fill(ready)
    opened.dispose()
    scenario = tmp_path / "five-days"
    scenario.mkdir()
    (scenario / "sites.geojson").write_text((tmp_path / "sites.geojson").read_text())
    (scenario / "scenario.toml").write_text(SCENARIO)
    (scenario / "observations.csv").write_text(ROWS)
    off = "".join(f'[providers."{name}"]\nenabled = false\n' for name in ("adsb.lol", "earth-search"))
    (tmp_path / "asks-nobody.toml").write_text(off)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(tmp_path / "sites.geojson"))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    return known


def said(words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_every_form_says_whose_data_it_is(
    folder: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command == "poll":
        # A poll judges by today's clock, and the story is from 2023.
        monkeypatch.setenv("SITEWATCH_CONFIG", "asks-nobody.toml")
        monkeypatch.setenv("SITEWATCH_DATABASE_URL", "sqlite:///fresh.db")
    given, sources = COMMANDS[command]
    words = [*command.split(), *(folder if each == "ALERT" else each for each in given)]
    for form in ((), ("--json",), *FORMS.get(command, ())):
        text = said([*words, *form])
        wanted = (PUBLISHER,) if "--judgeable" in form else sources
        for source in wanted:
            if "--json" in form and source == NOBODY_ELSE:
                assert json.loads(text)["attribution"] == []
            else:
                assert source in text, (command, form, source, text[-400:])
        if "--json" in form:
            assert isinstance(json.loads(text)["attribution"], list)
    if "--png" in given:
        with Image.open(PICTURE) as picture:
            assert PUBLISHER in picture.text["Copyright"]  # type: ignore[attr-defined]
    if "--markdown" in given:
        assert PUBLISHER in Path("report.md").read_text()


def test_the_demo_ends_with_whose_data_it_showed(made: Rig) -> None:
    from monitor.commands.demo import _sum_up

    fill(made)
    lines: list[str] = []
    _sum_up(made.app, lines.append)
    assert any(line.startswith("Data: ") and PUBLISHER in line for line in lines)


# --- the one place ------------------------------------------------------------------------------------


def test_each_source_stands_once_in_its_order() -> None:
    assert each_once(["b", "", "a", "b"]) == ["b", "a"]
    assert one_cell(["b", "a", "b"]) == "b; a"
    assert data_line(["a"]) == "Data: a."
    assert data_line([]) == f"Data: {NOBODY_ELSE}."


def test_copernicus_is_named_with_the_year_of_the_scene() -> None:
    sources = Attributions(
        {"earth-search": "Contains modified Copernicus Sentinel data, found through Earth Search"}
    )
    assert sources.provider("earth-search", NOW) == f"{COPERNICUS}, found through Earth Search"
    assert TIME_ZONES.startswith("time zones of places: © OpenStreetMap contributors, ODbL 1.0")
