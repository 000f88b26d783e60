"""Every sentence in the README, docs/sources.md and docs/responsible-use.md has a test that tries it, or says whose it is.

A new sentence is one entry in tests/promises/: a part of it, and the tests that would fail if it were false. What is
nobody's to try says why: it is a sentence of others (`theirs`), or claims nothing of the program (`claims_nothing`),
and then it holds no word of promise. The tests below are those that had no other place.
"""

import ast
import re
import threading
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from db.backup import back_up
from db.engine import LARGEST_REWRITTEN, reading, write_anew, writing
from db.flights import fixes, insert_fixes
from db.records import Fix, HeardAt
from db.records.aliases import draft_visit_id
from db.schema import metadata
from db.visitor_keys import REGISTER_KEY, aliases_for, key_named, note_aliases, sealed_ids
from monitor.bootstrap import FEEDS, build_app, rule_defaults
from monitor.cli import main
from monitor.config.settings import Settings
from monitor.feeds.circles import Circle
from monitor.feeds.providers import DEFAULT_ARCHIVES, DEFAULT_PROVIDERS
from monitor.feeds.quoting import quoted_row
from monitor.feeds.ranges import RangeBudget
from monitor.feeds.receiver import NOTHING_EARLIER, Receiver, misplaced
from monitor.imports import check_file
from monitor.pipeline import PICTURES_AT_ONCE, retain
from monitor.replay.run import scenario_settings
from monitor.replay.scenario import load_scenario
from monitor.reports.kept import kept_things
from monitor.runtime.service import jobs_of
from monitor.sites.load import load_sites
from tests.kit.builders import at
from tests.kit.cast import CAST_BY_ID
from tests.kit.web_rig import NOW, rig, tell_story

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
# Titles, comments, the lines under the head of a table; its head is told by what follows.
_NO_SENTENCE = re.compile(r"#+ .*|<!--.*-->|(?:\|\s*-+\s*)+\||\s*")
_UNDER_A_HEAD = re.compile(r"(?:\|\s*-+\s*)+\|")
LEAST_NAMED = 12
"""So few letters name no sentence."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z“`*\[])")


@dataclass(frozen=True)
class Entry:
    """One line of a table of promises."""

    document: str
    says: str
    tests: tuple[str, ...] = field(default=())
    theirs: str = ""
    claims_nothing: str = ""


def sentences(text: str) -> Iterator[str]:
    """Every sentence outside examples, titles and heads of tables; a row of a table is one."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    parts = [" ".join(part.split()) for part in _PARTS.split(prose)]
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if _NO_SENTENCE.fullmatch(part) or _UNDER_A_HEAD.fullmatch(following):
            continue
        yield from [part] if part.startswith("|") else _SENTENCES.split(part)


@cache
def said_in(document: str) -> tuple[str, ...]:
    """The sentences of a document."""
    return tuple(sentences(DOCUMENTS[document].read_text(encoding="utf-8")))


def entries() -> list[Entry]:
    found = []
    for document in DOCUMENTS:
        table = tomllib.loads((ROOT / "tests" / "promises" / f"{document}.toml").read_text(encoding="utf-8"))
        for each in table["promise"]:
            says = each.pop("says")
            each["tests"] = tuple(each.get("tests", ()))
            # Several sentences may be tried by the same tests, or be the same people's.
            found += [Entry(document, one, **each) for one in ([says] if isinstance(says, str) else says)]
    return found


ENTRIES = entries()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sentence_is_tried_or_says_whose_it_is(document: str) -> None:
    named = [each.says for each in ENTRIES if each.document == document]
    untried = [each for each in said_in(document) if not any(says in each for says in named)]
    assert not untried, (
        f"Nothing tries these sentences of {DOCUMENTS[document].name}. Name their tests in tests/promises/{document}.toml, "
        f"or say less: {untried}"
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_promise_cannot_be_put_off_as_claiming_nothing(document: str) -> None:
    tried = [each.says for each in ENTRIES if each.document == document and not each.claims_nothing]
    promised = [each for each in said_in(document) if PROMISE.search(each)]
    assert [each for each in promised if not any(says in each for says in tried)] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda each: f"{each.document}: {each.says[:40]}")
def test_an_entry_names_a_sentence_that_is_there_and_tests_that_are(entry: Entry) -> None:
    there = [each for each in said_in(entry.document) if entry.says in each]
    assert there, "the sentence is not there any more: delete the entry, or mend it"
    assert len(entry.says) >= LEAST_NAMED, "so few letters may stand in any sentence"
    ways = (entry.tests, entry.theirs, entry.claims_nothing)
    assert sum(map(bool, ways)) == 1, "name tests, or whose sentence it is, or why it claims nothing"
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


def test_a_sentence_without_a_test_would_be_seen() -> None:
    text = (
        "# Never a title\n\nIt sleeps. It never fails!\n\n<!-- only a comment -->\n| who | what |\n|---| --- |\n"
        "| a | 48 hours |\n\n```\nonly code\n```\n- Each is\n  kept. And so on."
    )
    assert list(sentences(text)) == [
        "It sleeps.",
        "It never fails!",
        "| a | 48 hours |",
        "- Each is kept.",
        "And so on.",
    ]
    assert "test_a_sentence_without_a_test_would_be_seen" in names_in(Path(__file__))


# What had no other place


def test_what_is_claimed_watches_no_place() -> None:
    claims = {"flightradar24_airports", "flightradar24_flights", "opensky_flights", "opensky_tracks"}
    seen = {"stac", "stac_detections", "ogc_features", "detections_file", "firms", "gfw_port_visits"}
    assert {name for name, kind in FEEDS.items() if not getattr(kind, "watches", True)} == claims | seen


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


def test_the_command_says_what_is_kept_with_the_times_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_KEEP_IDENTITIES_HOURS", "6")
    monkeypatch.setenv("SITEWATCH_KEEP_PAYLOADS_DAYS", "2")
    told = []
    for form in ([], ["--markdown"], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["kept", *form])
        assert ended.value.code == 0
        told.append(" ".join(capsys.readouterr().out.split()))
    text, markdown, document = told
    assert all("6 hours after each was received" in each for each in (markdown, document))
    assert all("2 days; longer only while an alert rests on one" in each for each in (markdown, document))
    assert "position reports" in text
    assert "48 hours" not in "".join(told)


def rows_of(engine: Engine, names: Iterable[str]) -> dict[str, set[str]]:
    """What tells the rows of these tables apart."""
    with reading(engine) as connection:
        return {
            name: {
                repr(row) for row in connection.execute(select(*metadata.tables[name].primary_key.columns))
            }
            for name in names
        }


def test_what_stays_as_long_as_the_database_stays(engine: Engine, tmp_path: Path) -> None:
    things = [each for each in kept_things(Settings()) if each.until.startswith("as long as the database")]
    names = {name for each in things for name in each.tables} | {"scene"}
    assert {"observation", "alert", "delivery", "site_version"} <= names
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        before = rows_of(engine, names)
        assert sum(map(bool, before.values())) >= len(SHOWN_IN_THE_STORY)
        assert all(before[name] for name in SHOWN_IN_THE_STORY)
        retain(made.app, NOW + timedelta(days=400))
        assert rows_of(engine, names) == before


SHOWN_IN_THE_STORY = (
    "series", "observation", "declared_baseline", "note", "alert", "alert_event", "delivery", "site_version", "provider_state",
    "scene",
)  # fmt: skip


@pytest.mark.sqlite
def test_a_file_is_written_anew_once_a_day_unless_it_is_large(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = at("2024-01-01T01:00")
    assert write_anew(sqlite_engine, first)
    assert not write_anew(sqlite_engine, first + timedelta(hours=20))
    assert write_anew(sqlite_engine, first + timedelta(hours=24))
    assert LARGEST_REWRITTEN == 64 * 1024 * 1024
    monkeypatch.setattr("db.engine.LARGEST_REWRITTEN", 1)
    assert not write_anew(sqlite_engine, first + timedelta(hours=48))


def test_a_backup_has_no_key_by_which_a_visit_is_undone(engine: Engine, tmp_path: Path) -> None:
    moment = at("2024-01-01T01:00")
    draft = draft_visit_id("a1b2c3", "quiet-field", moment)
    with writing(engine) as connection:
        names = aliases_for(connection, ["a1b2c3"], moment)
        note_aliases(connection, names.values(), moment)
        sealed_ids(connection, [draft], moment)
        key_named(connection, REGISTER_KEY, moment)
        keys = {row.name: row.key for row in connection.execute(select(metadata.tables["visitor_key"]))}
    assert len(keys) == 3
    back_up(engine, tmp_path / "copy.db")
    raw = (tmp_path / "copy.db").read_bytes()
    assert [name for name, key in keys.items() if key.encode() in raw] == [REGISTER_KEY]
    assert names["a1b2c3"].encode() not in raw


def test_an_extract_holds_numbers_signs_and_words_of_its_list() -> None:
    item = {
        "r": "N99LX",
        "flight": "Ophelia Planted",
        "ownOp": "Planted",
        "alt_baro": 3000,
        "gs": float("nan"),
        "t": ["C56X"],
    }
    assert quoted_row(item, {"r", "flight", "alt_baro", "gs", "t"}) == {"r": "N99LX", "alt_baro": 3000}


def test_27_aircraft_of_which_none_is_within_120_nm_are_no_chance() -> None:
    reach = Circle(48.72, 2.37, 120.0)
    heard = tuple(HeardAt(52.0, lon / 100, None) for lon in range(200, 227))
    assert all(120 < reach.distance_nm(each.lat, each.lon) < 250 for each in heard)
    assert not misplaced(Receiver("roof", reach, None, heard[:26]), NOTHING_EARLIER)
    assert "none of the 27 aircraft" in misplaced(Receiver("roof", reach, None, heard), NOTHING_EARLIER)


def test_a_picture_costs_no_more_than_is_said() -> None:
    budget = RangeBudget()
    said = f"at most {budget.requests} requests and {budget.size >> 20} MB for a picture, {_NUMBERS[PICTURES_AT_ONCE]} pictures"
    assert said in DOCUMENTS["sources"].read_text(encoding="utf-8")


_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def test_as_many_sites_ship_as_are_said() -> None:
    sites = load_sites(ROOT / "sites.geojson", rule_defaults())
    text = " ".join(DOCUMENTS["readme"].read_text(encoding="utf-8").split())
    assert f"loads the {len(sites)} sites of `sites.geojson`" in text


def test_the_versions_of_python_are_those_that_are_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    least = project["requires-python"].removeprefix(">=")
    assert f"You need Python {least} or newer" in DOCUMENTS["readme"].read_text(encoding="utf-8")


def test_the_licence_is_the_one_that_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = " ".join((ROOT / "LICENSE").read_text(encoding="utf-8")[:120].split())
    assert project["license"] == "Apache-2.0"
    assert said.startswith("Apache License Version 2.0")


def test_what_is_too_old_is_forgotten_every_hour(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        jobs = {each.id: each for each in jobs_of(made.app, "me", lambda _name: None, threading.Event())}
        assert jobs["retain"].interval_s == 3_600
        with writing(engine) as connection:
            insert_fixes(connection, [Fix("adsb.lol", "3985a2", NOW, NOW, 39.2, 125.7)])
        jobs["retain"].work(NOW + timedelta(hours=47))
        with reading(engine) as connection:
            assert len(fixes(connection)) == 1
        jobs["retain"].work(NOW + timedelta(hours=49))
        with reading(engine) as connection:
            assert fixes(connection) == []


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
