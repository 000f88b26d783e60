"""docs/architecture.md is held to the tree: its paths, its folders, the files of its two trips, and its words."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.trips import PACKAGES, TRIPS, Trip, follow

pytestmark = [pytest.mark.long, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "docs" / "architecture.md"
HEADINGS = {
    "flight": "From a position report to Slack",
    "count": "From a published count to a mailbox",
}
MOST_WORDS = 2400
"""At 240 words a minute these take ten minutes."""


@cache
def sections() -> dict[str, str]:
    """The text under each heading."""
    _, *parts = re.split(r"^## (.+)$", DOC.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def folders() -> list[str]:
    """Every folder with code: those at the first level, and packages at the second."""
    first = [path for name in PACKAGES for path in (ROOT / name).iterdir() if any(path.glob("*.py"))]
    second = [init.parent for path in first for init in path.glob("*/__init__.py")]
    return sorted(f"{path.relative_to(ROOT).as_posix()}/" for path in [*first, *second])


def listed(trip: str) -> list[str]:
    """The files of a trip as the page numbers them."""
    return re.findall(r"^\d+\. `([^`]+)`: ", sections()[HEADINGS[trip]], re.MULTILINE)


def misplaced(wanted: list[str], entered: list[str]) -> list[str]:
    """What is wrong with a list of files, measured by the order in which they were entered."""
    wrong = [f"{name} is not entered" for name in wanted if name not in entered]
    there = [name for name in wanted if name in entered]
    ordered = sorted(there, key=entered.index)
    return [*wrong, *([] if there == ordered else [f"the order is {', '.join(ordered)}"])]


def test_every_path_it_names_is_there() -> None:
    named = [each for each in quoted(DOC.read_text(encoding="utf-8")) if re.fullmatch(r"[\w./-]+", each)]
    paths = [
        each for each in named if "/" in each or Path(each).suffix in {".py", ".md", ".toml", ".geojson"}
    ]
    assert len(paths) > 100
    assert [each for each in paths if not (ROOT / each).exists()] == []
    assert [each for each in paths if (ROOT / each).is_dir() and not each.endswith("/")] == []


def test_every_folder_has_one_line() -> None:
    lines = re.findall(r"^\| `([^`]+)` \| .+ \|$", sections()["What each folder owns"], re.MULTILINE)
    assert sorted(lines) == folders()


def test_every_loose_file_of_monitor_and_alerts_is_named() -> None:
    loose = [path for name in ("monitor", "alerts") for path in (ROOT / name).glob("[!_]*.py")]
    named = quoted(sections()["What each folder owns"])
    assert [path.name for path in loose if path.relative_to(ROOT).as_posix() not in named] == []


@pytest.fixture(scope="module", params=TRIPS)
def followed(request: pytest.FixtureRequest) -> tuple[str, Trip]:
    return request.param, follow(request.param)


def test_a_trip_enters_the_files_that_are_listed_in_that_order(followed: tuple[str, Trip]) -> None:
    name, trip = followed
    assert len(listed(name)) > 15
    assert misplaced(listed(name), trip.files) == []


def test_a_trip_ends_with_the_message_that_it_is_about(followed: tuple[str, Trip]) -> None:
    name, trip = followed
    words = {"flight": "Military VIP aircraft: at least 1", "count": "73 ships present at Busy Port"}
    assert words[name] in trip.message
    assert list(trip.steps)[-2:] == ["judge", "deliver"]


def test_the_tracer_counts_nothing_of_imports_nor_of_what_went_before(followed: tuple[str, Trip]) -> None:
    _, trip = followed
    assert {name.split("/")[0] for name in trip.files} == set(PACKAGES)
    assert {each.split(":")[0] for each in trip.functions} == set(trip.files)
    assert [each for each in trip.functions if "<module>" in each or each.endswith(">")] == []
    # These put the program together and bring its database up to date.
    assert not {"monitor/bootstrap.py", "db/migrate.py"} & set(trip.files)


def test_a_list_in_the_wrong_order_or_with_a_stranger_is_refused() -> None:
    assert misplaced(["a", "c"], ["a", "b", "c"]) == []
    assert misplaced(["c", "a"], ["a", "b", "c"]) == ["the order is a, c"]
    assert misplaced(["a", "x"], ["a", "b"]) == ["x is not entered"]


def test_the_words_name_what_is_in_the_code() -> None:
    names = quoted("\n".join(re.findall(r"\| ([^|]+) \|$", sections()["Words"], re.MULTILINE)))
    assert len(names) > 20
    modules = [each.rpartition(".")[::2] for each in names]
    assert [f"{module}.{name}" for module, name in modules if not hasattr(import_module(module), name)] == []


def test_what_is_added_by_one_line_is_added_where_it_says() -> None:
    rows = [quoted(row) for row in sections()["Where to add something"].splitlines()]
    registries = {name: row[-1] for row in rows for name in row if name.isupper()}
    assert registries.keys() == {"FEEDS", "RULES", "CHANNELS", "KINDS", "METRICS"}
    for name, path in registries.items():
        assert hasattr(import_module(path.removesuffix(".py").replace("/", ".")), name)


def test_it_is_read_in_ten_minutes() -> None:
    assert len(DOC.read_text(encoding="utf-8").split()) <= MOST_WORDS
