"""`sitewatch visits` as a person or a script uses it, and the words it uses."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from db.engine import open_engine, writing
from db.flights import record_visits
from db.migrate import migrate
from db.records import Visit
from monitor.commands.visits import visits_command
from monitor.errors import InputError
from monitor.flights import words as telling
from tests.kit.cast import QUIET_FIELD, write_cast
from tests.kit.flying import NOON, Pilot, read

Run = Callable[..., Result]
HOUR = timedelta(hours=1)
IL62M = {"registration": "RA-86559", "type_code": "IL62", "callsign": "RFF7051"}


def stay() -> Visit:
    pilot = Pilot(QUIET_FIELD, values=IL62M).land().park(600).take_off()
    return read(pilot.fixes, QUIET_FIELD)[0]


def lost() -> Visit:
    pilot = Pilot(QUIET_FIELD, at=NOON + 48 * HOUR, icao24="3950c7").approach(end_ft=250)
    return read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR)[0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command in a folder of its own, with two visits at Quiet Field."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(write_cast(tmp_path)))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    engine = open_engine(f"sqlite:///{tmp_path / 'var' / 'sitewatch.db'}")
    migrate(engine)
    with writing(engine) as connection:
        record_visits(connection, [stay(), lost()])
    engine.dispose()
    app = typer.Typer()
    app.command("visits")(visits_command)
    yield lambda *words: CliRunner().invoke(app, list(words))
    structlog.reset_defaults()


def printed(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


def test_a_visit_is_told_with_confidence_and_evidence(run: Run) -> None:
    said = printed(run("quiet-field"))
    assert "Quiet Field (quiet-field): 2 observed visits." in said
    assert "RA-86559 (ICAO address 15521f, IL62, RFF7051) – military, vip, vip_military" in said
    assert "arrived 2023-08-01 12:03 UTC; left 2023-08-01 12:14 UTC (has left)" in said
    assert "confidence 4 of 4: reported from the ground here" in said
    assert "– Last on the ground at 2023-08-01 12:14" in said
    assert "3950c7 (ICAO address 3950c7)" in said
    assert "confidence 3 of 4" in said
    assert "No report from the ground confirmed the landing." in said


def test_visits_are_chosen_by_local_day(run: Run) -> None:
    assert "1 observed visit." in printed(run("quiet-field", "--until", "2023-08-01"))
    assert "RA-86559" not in printed(run("quiet-field", "--since", "2023-08-02"))


def test_the_json_document_holds_everything(run: Run) -> None:
    document = json.loads(run("quiet-field", "--json").stdout)
    assert (document["site"], document["name"]) == ("quiet-field", "Quiet Field")
    first, second = document["visits"]
    assert (first["icao24"], first["state"], first["confidence"], first["version"]) == (
        "15521f",
        "departed",
        4,
        1,
    )
    assert first["evidence"][0]["text"].startswith("In the air at")
    assert second["departed_at"] is None
    assert "adsb.lol" in document["attributions"]


def test_nothing_recorded_is_not_zero(run: Run) -> None:
    assert "That is not zero" in printed(run("donut-base"))
    assert "is no airfield" in printed(run("busy-port"))
    assert json.loads(run("donut-base", "--json").stdout)["visits"] == []


def test_a_wrong_site_or_day_is_named(run: Run) -> None:
    assert isinstance(run("nowhere").exception, InputError)
    refused = run("quiet-field", "--since", "someday").exception
    assert isinstance(refused, InputError)
    assert "--since" in str(refused)


def test_what_was_not_seen_is_said() -> None:
    unseen = replace(stay(), arrived_at=None, departed_at=None, state="present")
    assert telling.arrival_words(unseen) == "arrival not observed; there by 2023-08-01 12:03 UTC"
    assert telling.departure_words(unseen) == "last heard here 2023-08-01 12:14 UTC"
    nowhere = replace(unseen, first_fix_at=None, last_fix_at=None)
    assert telling.arrival_words(nowhere) == "arrival not observed"
    assert telling.departure_words(nowhere) == "departure not observed"


def test_bounds_are_told_as_bounds() -> None:
    bounds = {
        "arrived_between": ["2023-08-01T09:00:00+00:00", "2023-08-01T12:03:00+00:00"],
        "departed_between": ["2023-08-01T13:00:00+00:00", "2023-08-02T13:00:00+00:00"],
    }
    visit = replace(stay(), departed_at=None, candidates=bounds)
    assert telling.arrival_words(visit) == "arrived by 2023-08-01 12:03 UTC, after 2023-08-01 09:00 UTC"
    assert telling.departure_words(visit) == (
        "left at an unknown time between 2023-08-01 13:00 UTC and 2023-08-02 13:00 UTC"
    )


def test_an_aircraft_without_name_stays_without() -> None:
    assert telling.aircraft_words(replace(stay(), icao24="")) == "an aircraft without name"


@pytest.mark.parametrize("confidence", [1, 2, 3, 4])
def test_every_confidence_has_words(confidence: int) -> None:
    said = telling.confidence_words(replace(stay(), confidence=confidence))
    assert said.startswith(f"{confidence} of 4: ")
