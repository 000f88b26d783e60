"""Every sentence of promise in the README, docs/sources.md and docs/responsible-use.md has a test that tries it.

A new promise is one entry in tests/promises/: part of the sentence, and the tests that would fail if it were false. The
tests below are those that had no other place.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from monitor.bootstrap import FEEDS, build_app
from monitor.config.settings import Settings
from monitor.feeds.providers import DEFAULT_ARCHIVES, DEFAULT_PROVIDERS
from monitor.imports import check_file
from monitor.replay.run import scenario_settings
from monitor.replay.scenario import load_scenario
from tests.kit.builders import at
from tests.kit.cast import CAST_BY_ID

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {
    "readme": ROOT / "README.md",
    "sources": ROOT / "docs" / "sources.md",
    "responsible-use": ROOT / "docs" / "responsible-use.md",
}
# "every 60 s" is a cadence.
PROMISE = re.compile(
    r"\b(?:never|always|only|nothing|nobody|each|every(?!\s+(?:\d|hour|minute|day)))\b", re.IGNORECASE
)
_PARTS = re.compile(r"\n\s*\n|\n(?=\s*[-|>#])")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z“`*\[])")


@dataclass(frozen=True)
class Entry:
    """One line of a table of promises."""

    document: str
    says: str
    tests: tuple[str, ...] = field(default=())
    theirs: str = ""


def sentences(text: str) -> Iterator[str]:
    """Every sentence outside examples; a row of a table is one."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for part in _PARTS.split(prose):
        said = " ".join(part.split())
        yield from [said] if said.startswith("|") else _SENTENCES.split(said)


@cache
def promises(document: str) -> tuple[str, ...]:
    """The sentences of a document that hold a word of promise."""
    text = DOCUMENTS[document].read_text(encoding="utf-8")
    return tuple(each for each in sentences(text) if PROMISE.search(each))


def entries() -> list[Entry]:
    found = []
    for document in DOCUMENTS:
        table = tomllib.loads((ROOT / "tests" / "promises" / f"{document}.toml").read_text(encoding="utf-8"))
        found += [
            Entry(document, each["says"], tuple(each.get("tests", ())), each.get("theirs", ""))
            for each in table["promise"]
        ]
    return found


ENTRIES = entries()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sentence_of_promise_is_tried(document: str) -> None:
    named = [each.says for each in ENTRIES if each.document == document]
    untried = [each for each in promises(document) if not any(says in each for says in named)]
    assert not untried, (
        f"Nothing tries these sentences of {DOCUMENTS[document].name}. Name their tests in tests/promises/{document}.toml, "
        f"or say less: {untried}"
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: f"{each.document}: {each.says[:40]}")
def test_an_entry_names_a_sentence_that_is_there_and_tests_that_are(entry: Entry) -> None:
    text = " ".join(DOCUMENTS[entry.document].read_text(encoding="utf-8").split())
    assert entry.says in text, "the sentence is not there any more: delete the entry, or mend it"
    assert bool(entry.tests) != bool(entry.theirs), "name tests, or whose sentence it is"
    for each in entry.tests:
        path, _, name = each.partition("::")
        assert name in names_in(ROOT / path), f"{each} is no test"


@cache
def names_in(path: Path) -> frozenset[str]:
    """The tests of a file, by the names that pytest gives them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    for group in (each for each in tree.body if isinstance(each, ast.ClassDef)):
        found |= {f"{group.name}::{each.name}" for each in group.body if isinstance(each, ast.FunctionDef)}
    return frozenset(each for each in found if each.split("::")[-1].startswith("test_"))


def test_a_promise_without_a_test_would_be_seen() -> None:
    text = (
        "It sleeps. It never fails!\n\n| a | always |\n\n```\nonly code\n```\n- Each is\n  kept. And so on."
    )
    assert [each for each in sentences(text) if PROMISE.search(each)] == [
        "It never fails!",
        "| a | always |",
        "- Each is kept.",
    ]
    assert "test_a_promise_without_a_test_would_be_seen" in names_in(Path(__file__))


# What had no other place


def test_what_is_claimed_watches_no_place() -> None:
    kinds = {"flightradar24_airports", "flightradar24_flights", "opensky_flights", "opensky_tracks", "stac"}
    assert {name for name, kind in FEEDS.items() if not getattr(kind, "watches", True)} == kinds


def test_an_archive_is_never_polled(tmp_path: Path) -> None:
    on = {each.name: {"enabled": True} for each in DEFAULT_ARCHIVES}
    settings = Settings.model_validate(
        {
            "database_url": f"sqlite:///{tmp_path}/a.db",
            "sites_file": ROOT / "sites.geojson",
            "providers": on,
        }
    )
    with closing(build_app(settings)) as app:
        assert not on.keys() & app.feeds.keys()
        assert app.feeds


def test_the_demo_asks_nobody_and_tells_nobody(tmp_path: Path) -> None:
    scenario = load_scenario(ROOT / "scenarios" / "seeds")
    settings = scenario_settings(scenario, f"sqlite:///{tmp_path}/demo.db")
    assert not [each.name for each in DEFAULT_PROVIDERS if settings.providers[each.name].enabled]
    assert {each.kind for each in settings.channels.values()} == {"log"}
    addresses = {str(settings.providers[name].base_url) for name in scenario.providers}
    # RFC 6761: no name below it is anybody's.
    assert all(each.startswith("https://scenario.invalid") for each in addresses)
    assert settings.slack_webhook_url is None
    assert settings.email_channel() is None


def test_four_columns_are_enough_and_none_of_them_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    needed = {"site_id": "busy-port", "start": "2023-10-05", "metric": "containers", "value": "3"}
    for left_out in ("", *needed):
        columns = {name: value for name, value in needed.items() if name != left_out}
        path.write_text(f"{','.join(columns)}\n{','.join(columns.values())}\n", encoding="utf-8")
        faults, _ = check_file(path, CAST_BY_ID, at("2024-01-01"))
        assert bool(faults) == bool(left_out), (left_out, faults)


_CLAIMED = re.compile(
    r"\b(?:hidden|secret(?:ly)?|weapons?|troops|munitions?|violat\w+|illegal\w*|sanctions?|was aboard|were aboard|passengers?)\b",
    re.IGNORECASE,
)
_DENIED = "who or what was aboard"


def written(path: Path) -> Iterator[str]:
    """Every text in a file of code but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = {
        id(each.body[0].value)
        for each in ast.walk(tree)
        if isinstance(each, ast.Module | ast.ClassDef | ast.FunctionDef)
        and each.body
        and isinstance(each.body[0], ast.Expr)
    }
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in documented:
            yield each.value


@pytest.mark.parametrize("folder", ["alerts", "monitor/flights", "monitor/imagery", "monitor/web/views"])
def test_no_words_of_ours_claim_what_nobody_saw(folder: str) -> None:
    found = [
        (path.name, said)
        for path in sorted((ROOT / folder).rglob("*.py"))
        for said in written(path)
        if _CLAIMED.search(said.replace(_DENIED, "")) and " " in said
    ]
    assert found == []
