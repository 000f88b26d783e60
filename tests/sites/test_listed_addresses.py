"""Following persons is hard: one aircraft is listed with a written reason, or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.aircraft import import_aircraft
from db.engine import reading, writing
from db.records.claims import KnownAircraft
from monitor import pipeline
from monitor.aircraft.listed import cannot_fire_words, entries_that_cannot_fire
from monitor.app import App
from monitor.bootstrap import PROJECT_ADDRESS, address_test, build_app, build_classes, user_agent
from monitor.cli import main
from monitor.config.settings import Settings, SettingsError
from monitor.flights.tracks.classes import CLASSES_FILE, ClassesError, default_classes, load_classes
from monitor.runtime.doctor import run_checks
from monitor.runtime.service import describe_service
from monitor.sites.check import check_document
from tests.kit.cast import CAST_GEOJSON

NOW = datetime(2023, 10, 7, 12, tzinfo=UTC)
PRIVATE, OF_A_CLASS = "icao24:a1b2c3", "icao24:15521f"
REASON = "The head of state flies in it, says the register."


def document(**properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(CAST_GEOJSON))
    made["features"][0]["properties"] |= properties
    return made


def faults(**properties: Any) -> list[str]:
    return [
        str(each)
        for each in check_document(document(**properties), in_watched_class=address_test(default_classes()))[
            1
        ]
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"watchlist": [PRIVATE]},
        {"watchlist": ["icao24:~a1b2c3"]},
        {"watchlist": [PRIVATE], "watchlist_reasons": {PRIVATE: ""}},
        {"watchlist": [PRIVATE], "watchlist_reasons": {PRIVATE: "because"}},
        {"watchlist": [PRIVATE], "watchlist_reasons": {PRIVATE: " " * 40}},
        {"watchlist": [PRIVATE], "watchlist_reasons": {"icao24:a1b2c4": REASON}},
        {"watch": {"arrivals": {"subjects": [PRIVATE]}}},
    ],
)
def test_a_bare_address_without_a_reason_is_refused(properties: dict[str, Any]) -> None:
    assert (
        "no reason is written" in faults(**properties)[-1] or "watchlist_reasons" in faults(**properties)[0]
    )
    assert faults(**properties)


def test_a_reason_or_a_watched_class_is_enough() -> None:
    assert faults(watchlist=[PRIVATE], watchlist_reasons={PRIVATE: REASON}) == []
    assert faults(watchlist=[OF_A_CLASS, "class:military", "type:Tu-160"]) == []
    assert "no reason is written" in str(check_document(document(watchlist=[OF_A_CLASS]))[1])


@pytest.mark.parametrize("reasons", [[PRIVATE], {PRIVATE: 7}, {"somebody": REASON}])
def test_reasons_written_wrongly_are_faults(reasons: Any) -> None:
    assert any("watchlist_reasons" in each for each in faults(watchlist_reasons=reasons))


def own(folder: Path, rule: str, *, watch: str = "true") -> Path:
    file = folder / "own.toml"
    file.write_text(f"[class.mine]\nwatch = {watch}\n[[rule]]\nclass = 'mine'\n{rule}\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("single", ['hex = ["a1b2c3"]', 'registrations = ["N123AB"]'])
def test_a_class_of_ones_own_that_follows_one_aircraft_says_why(tmp_path: Path, single: str) -> None:
    for reason in ("", 'reason = "because"'):
        with pytest.raises(ClassesError, match="does not say why"):
            load_classes(CLASSES_FILE, own(tmp_path, f"{single}\n{reason}"))
    assert load_classes(CLASSES_FILE, own(tmp_path, f'{single}\nreason = "{REASON}"')).watched >= {"mine"}
    assert "mine" not in load_classes(CLASSES_FILE, own(tmp_path, single, watch="false")).watched
    assert "mine" in load_classes(CLASSES_FILE, own(tmp_path, 'registrations = ["RF-*"]')).watched


@contextmanager
def program(folder: Path, engine: Engine | None = None, **values: Any) -> Iterator[App]:
    file = folder / "sites.geojson"
    if not file.exists():
        file.write_text(json.dumps(document()), encoding="utf-8")
    app = build_app(
        Settings.model_validate({"sites_file": file, "history_file": folder / "none.csv", **values})
    )
    if engine is not None:
        app.engine.dispose()
        app = replace(app, engine=engine)
    try:
        yield app
    finally:
        for each in app.clients:
            each.close()


def test_no_provider_follows_an_aircraft_that_no_site_lists(tmp_path: Path) -> None:
    asked = {"opensky-tracks": {"enabled": True, "options": {"icao24": "15521f, a1b2c3"}}}
    with (
        pytest.raises(SettingsError, match="a1b2c3 belongs to no watched class"),
        program(tmp_path, providers=asked),
    ):
        pass
    listed = document(watchlist=[PRIVATE], watchlist_reasons={PRIVATE: REASON})
    (tmp_path / "sites.geojson").write_text(json.dumps(listed), encoding="utf-8")
    with program(tmp_path, providers=asked) as app:
        assert "opensky-tracks" in app.feeds


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    both = document(watchlist=[PRIVATE, OF_A_CLASS], watchlist_reasons={PRIVATE: REASON})
    (tmp_path / "sites.geojson").write_text(json.dumps(both), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("flags", [4, 8, 9, 12])
def test_an_entry_that_can_never_fire_is_said(engine: Engine, listed: Path, flags: int) -> None:
    with program(listed, engine) as app:
        with writing(engine) as connection:
            import_aircraft(connection, "tar1090-db", [KnownAircraft("a1b2c3", "N1", "GLF6", "", flags)], NOW)
        with reading(engine) as connection:
            found = entries_that_cannot_fire(connection, app.sites.values())
        assert found == {"quiet-field": (PRIVATE,)}
        assert any(f"can never fire: {PRIVATE} at quiet-field" in line for line in describe_service(app))
    assert cannot_fire_words({}) == ""


def test_the_commands_say_it_too(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(listed)
    url = f"sqlite:///{listed / 'watch.db'}"
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    main_ok(["sites", "check"])
    assert "never fire" not in capsys.readouterr().out
    with program(listed, database_url=url) as app:
        pipeline.prepare(app, NOW, fresh=True)
        with writing(app.engine) as connection:
            import_aircraft(connection, "tar1090-db", [KnownAircraft("a1b2c3", "N1", "GLF6", "", 8)], NOW)
        app.engine.dispose()
    main_ok(["sites", "check"])
    assert f"can never fire: {PRIVATE} at quiet-field" in capsys.readouterr().out
    main_ok(["sites", "show", "quiet-field"])
    assert f"why {PRIVATE} is listed: {REASON}" in capsys.readouterr().out
    told = {each.check: each.found for each in run_checks(lambda: NOW, network=False)}
    assert "can never fire" in told["watch lists"]


def main_ok(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


def test_every_request_names_the_project_and_the_operator() -> None:
    with_contact = user_agent(Settings(contact="desk@example.org"))
    assert PROJECT_ADDRESS in with_contact
    assert "desk@example.org" in with_contact
    assert PROJECT_ADDRESS in user_agent(Settings())
    assert with_contact.startswith("sitewatch/")


def test_no_default_is_the_address_of_a_stranger() -> None:
    """Reserved names (RFC 2606) and this machine alone: nothing that the program says of itself may be somebody's."""
    assert PROJECT_ADDRESS.endswith(".example/")
    values = " ".join(str(value) for value in Settings().model_dump().values())
    assert "@" not in values
    assert "://" not in values.replace("sqlite:///", "")
    assert build_classes(Settings()) is not None
