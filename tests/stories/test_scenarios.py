"""Every reconstructed scenario of the folder says what its expected.json wants, and leaves the visits it names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from db.engine import reading
from db.flights import visits
from monitor.cli import app as command_line
from monitor.replay.report import differences, replay_report
from monitor.replay.run import run_scenario
from monitor.replay.scenario import load_scenario
from scenarios.reconstruct import POLLS, polls, stories
from tests.kit.reading import visit_versions

pytestmark = [pytest.mark.long, pytest.mark.untraced]

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
NAMES = sorted(name for name in stories() if name != "seeds")


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


def test_no_scenario_lacks_a_test_and_each_says_that_it_was_made_up() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/scenario.toml")}
    assert folders == {*NAMES, "seeds"}
    for name in folders:
        text = (FOLDER / name / "scenario.toml").read_text()
        assert "reconstructed" in text or "Made up" in text, name
        assert {each.provenance for each in load_scenario(FOLDER / name).recordings} <= {
            "reconstructed",
            "invented",
        }


@pytest.mark.parametrize("name", sorted(stories()))
def test_the_polls_are_those_that_the_reconstruction_writes(name: str) -> None:
    written = (FOLDER / name / POLLS).read_text().splitlines()
    assert [json.loads(line) for line in written] == list(polls(stories()[name]))
