"""docs/sites.md names everything that a sites file may hold, and its example is sound."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from alerts.metrics import METRICS
from monitor.sites.check import PROPERTY_KEYS, SITE_PRECISIONS, check_document
from monitor.sites.document import MAX_BYTES, MAX_DEPTH
from monitor.sites.geometry import circle
from monitor.sites.incoming import DEFAULT_AIRPORT_RADIUS_M
from monitor.sites.kinds import KINDS
from monitor.sites.properties import CHANGE_EFFECTS
from monitor.sites.subjects import SUBJECT_PREFIXES, subject_fault
from monitor.sites.watching import RULE_NAMES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sites.md"


@pytest.fixture(scope="module")
def text() -> str:
    return DOCS.read_text(encoding="utf-8")


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has this heading, by their first cell."""
    table = text.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {name: rest for first, *rest in cells for name in re.findall(r"`([^`]+)`", first)}


def test_every_property_is_described(text: str) -> None:
    assert rows(text, "property").keys() == set(PROPERTY_KEYS)


def test_every_kind_is_described(text: str) -> None:
    described = rows(text, "kind")
    assert described.keys() == KINDS.keys()
    words = {name: re.sub("_m2?$", "", name).replace("_", " ") for name in METRICS}
    for kind in ("airport", "airbase", "railhead", "rail_crossing", "launch_site"):
        told = described[kind][0].split(", ")
        assert told == [words[metric] for metric in KINDS[kind].watch]


def test_every_way_to_begin_a_subject_is_described(text: str) -> None:
    described = rows(text, "beginning")
    assert described.keys() == {f"{prefix}:" for prefix in SUBJECT_PREFIXES}
    for prefix, (example, _) in described.items():
        assert example.strip("`").startswith(prefix)
        assert subject_fault(example.strip("`")) is None


@pytest.mark.parametrize("word", [*RULE_NAMES, *SITE_PRECISIONS, *CHANGE_EFFECTS, *METRICS])
def test_every_word_that_can_be_written_stands_in_the_docs(text: str, word: str) -> None:
    if word in METRICS:
        words = re.sub("_m2?$", "", word).replace("_", " ")
        assert words in text or f"`{word}`" in text or words in ("container stack length", "passes")
    else:
        assert f"`{word}`" in text or f"`{word} " in text or f"(`{word}" in text


def test_the_limits_are_those_of_the_program(text: str) -> None:
    assert f"{MAX_BYTES // 2**20} MiB" in text
    assert f"{MAX_DEPTH} levels" in text
    assert f"{DEFAULT_AIRPORT_RADIUS_M:,.0f} m" in text


def test_the_example_is_sound(text: str) -> None:
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found is not None
    feature: dict[str, Any] = json.loads(found.group(1))
    outline = {"type": "Polygon", "coordinates": [list(circle(42.75, 133.08, 2000).exterior.coords)]}  # type: ignore[union-attr]
    other = {
        "type": "Feature",
        "id": "ru-vostochny-port",
        "geometry": json.loads(json.dumps(outline)),
        "properties": {"name": "Vostochny port", "kind": "port", "timezone": "Asia/Vladivostok"},
    }
    assert check_document({"type": "FeatureCollection", "features": [feature, other]})[1] == ()
