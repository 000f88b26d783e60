"""Every reconstructed scenario of the folder says what its expected.json wants, and leaves the visits it names."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from db.cutouts import pictures
from db.engine import reading
from db.flights import visits
from db.observations import looks
from db.pixels import admissions
from monitor.cli import app as command_line
from monitor.replay.report import differences, replay_report
from monitor.replay.run import run_scenario
from monitor.replay.scenario import load_scenario
from monitor.web.app import create_app
from scenarios.reconstruct import POLLS, polls, stories
from tests.kit.reading import visit_versions
from tests.kit.web_rig import Browser

pytestmark = [pytest.mark.long, pytest.mark.untraced]

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
NAMES = sorted(name for name in stories() if name != "seeds")
SKIES = ("railhead-2023",)
"""Scenarios with invented pixels; they hold one another's passes and no flights."""


def told(engine: Engine) -> list[dict[str, Any]]:
    """Every visit with the states it went through."""
    with reading(engine) as connection:
        return [
            {
                "site": visit.site_id,
                "icao24": visit.icao24,
                "states": list(
                    dict.fromkeys(each.state for each in visit_versions(connection, visit.visit_id))
                ),
                "confidence": visit.confidence,
                "ground_h": visit.candidates.get("ground_h"),
                "candidates": [each["site"] for each in visit.candidates.get("places", ())],
            }
            for visit in visits(connection)
        ]


def fits(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    low, high = wanted.get("ground_h", (None, None))
    return (
        all(found[key] == wanted[key] for key in ("site", "icao24", "states", "confidence"))
        and (low is None or low <= found["ground_h"] <= high)
        and set(wanted.get("candidates", ())) <= set(found["candidates"])
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_says_exactly_what_is_expected(
    name: str, tmp_path: Path, story_url: Callable[[Path], str]
) -> None:
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    app = run_scenario(FOLDER / name, story_url(tmp_path))
    try:
        assert differences(replay_report(app.engine), expected) == []
        found = told(app.engine)
    finally:
        app.close()
    assert len(found) == len(expected["visits"]), found
    for each, wanted in zip(found, expected["visits"], strict=True):
        assert fits(each, wanted), each


def test_the_command_prints_one_json_document_and_each_run_the_same_report() -> None:
    command = ["replay", str(FOLDER / "turnaround-il62m"), "--json"]
    results = [CliRunner().invoke(command_line, command) for _ in range(2)]
    assert [each.exit_code for each in results] == [0, 0], results[0].output
    first, second = (json.loads(each.stdout) for each in results)
    assert first == second
    assert first["alerts"]
    assert [each["provenance"] for each in first["scenario"]["parts"]] == ["reconstructed"]


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
@pytest.mark.parametrize("name", SKIES)
def test_what_pixels_cannot_tell_is_said_and_not_told(name: str, tmp_path: Path) -> None:
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    app = run_scenario(FOLDER / name, f"sqlite:///{tmp_path / 'sky.db'}")
    try:
        found = replay_report(app.engine)
        with reading(app.engine) as connection:
            shown = pictures(connection, "kp-tumangang")
            learned = {each.metric: each for each in admissions(connection, "kp-tumangang")}
            seen = looks(connection, site_id="kp-tumangang", metric="passes", area="sidings")
            metres = looks(connection, site_id="kp-tumangang", metric="occupied_track_m")
    finally:
        app.close()
    assert differences(found, expected) == []
    assert len(seen) > 150
    assert {each.exposure_parts["cloud_of"] for each in seen} == {"site"}
    track = learned["occupied_track_m"]
    assert not track.admitted
    assert re.search(r"not measurable here: 1,000 m drawn into it were seen \d+ times of 20\.", track.words)
    assert metres == []
    assert len(shown) > 6, "old ones of each month stay beside the newest"
    assert {each.attribution for each in shown} == {"Invented for a scenario: no picture of this place"}


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_the_demo_shows_invented_pictures_beside_what_the_seeds_tell(tmp_path: Path) -> None:
    expected = json.loads((FOLDER / "seeds" / "expected.json").read_text())
    app = run_scenario(FOLDER / "demo", f"sqlite:///{tmp_path / 'demo.db'}")
    try:
        found = replay_report(app.engine)
        client = Browser(create_app(app, lambda: load_scenario(FOLDER / "demo").end))
        told = next(each for each in found["alerts"] if each["value"] == 73)
        pages = [client.get(each).text for each in ("/sites/kp-tumangang", f"/alerts/{told['id']}")]
    finally:
        app.close()
    assert differences(found, expected) == [], "invented pictures change no fact"
    assert "1,000 m drawn into it were seen" in pages[0]
    for page in pages:
        compared = page.split('id="compare-title"')[1].split("</section>")[0]
        assert compared.count("<img ") == 2
        assert compared.count("Invented for a scenario: no picture of this place") == 2
        assert 'type="range" id="slide"' in compared


def test_no_scenario_lacks_a_test_and_each_says_that_it_was_made_up() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/scenario.toml")}
    assert folders == {*NAMES, "seeds", "demo", *SKIES}
    for name in folders:
        text = (FOLDER / name / "scenario.toml").read_text()
        assert any(said in text for said in ("reconstructed", "Made up", "invented")), name
        assert {each.provenance for each in load_scenario(FOLDER / name).recordings} <= {
            "reconstructed",
            "invented",
        }


@pytest.mark.parametrize("name", sorted(stories()))
def test_the_polls_are_those_that_the_reconstruction_writes(name: str) -> None:
    written = (FOLDER / name / POLLS).read_text().splitlines()
    assert [json.loads(line) for line in written] == list(polls(stories()[name]))
