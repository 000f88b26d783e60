"""What the import contracts and the linter refuse, shown on a copy in which each breach is made."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("monitor", "alerts", "db")
PURE = re.compile(r"\bPure\.")
PURE_CONTRACT = "what calls itself pure"

IMPORTS = {
    "SQL read in a rule": (
        "alerts/rules/several.py",
        "from db.observations import looks",
        r"alerts\.rules\.several -> db\.observations .*\n.*db\.observations -> sqlalchemy",
    ),
    "the HTTP client in imagery": (
        "monitor/imagery/looks.py",
        "from monitor.feeds.http import GuardedClient",
        r"monitor\.imagery is not allowed to import monitor\.feeds:\n\n- +monitor\.imagery\.looks -> monitor\.feeds\.http",
    ),
    "httpx itself in imagery": (
        "monitor/imagery/next_pass.py",
        "import httpx",
        r"monitor\.imagery\.next_pass -> httpx",
    ),
    "SQLAlchemy in a pure module": (
        "monitor/web/views/plan.py",
        "from sqlalchemy import select",
        r"monitor\.web\.views\.plan is not allowed to import sqlalchemy:",
    ),
    "tables in a report": (
        "monitor/reports/status.py",
        "from db.schema import observation",
        r"monitor\.reports\.status -> db\.schema",
    ),
    "SQLAlchemy in the page": (
        "monitor/web/views/panels.py",
        "from sqlalchemy import select",
        r"monitor\.web\.views\.panels -> sqlalchemy",
    ),
    "the page imported by flights": (
        "monitor/flights/visits.py",
        "from monitor.web.app import Web",
        r"monitor\.flights is not allowed to import monitor\.web:\n\n- +monitor\.flights\.visits -> monitor\.web\.app",
    ),
    "the clock handed to nobody": (
        "monitor/derive/days.py",
        "from monitor.config.clock import utc_now",
        r"monitor\.derive\.days -> monitor\.config\.clock",
    ),
    "a folder that no layer names": ("monitor/helpers.py", "", r"monitor\.helpers"),
    "a circle within a folder": (
        "alerts/channels/safe_text.py",
        "from alerts.channels.slack_blocks import blocks",
        r"No cycles are allowed in alerts\.channels\.",
    ),
}
"""Where a breach is made, the line that makes it, and what the refusal says."""

CALLS = {
    "the clock in flights": (
        "monitor/flights/visits.py",
        "STAMP = datetime.now(UTC)",
        "`datetime.datetime.now` is banned",
    ),
    "the clock without a zone in a rule": (
        "alerts/rules/several.py",
        "import datetime as dt\nTODAY = dt.date.today()",
        "`datetime.date.today` is banned",
    ),
    "HTTP past the guarded client": (
        "monitor/imagery/looks.py",
        "from urllib import request",
        "`urllib.request` is banned",
    ),
    "another clock in judging": (
        "alerts/judging/history.py",
        "from time import monotonic",
        "`time` is banned",
    ),
    "the environment outside the settings": (
        "monitor/reports/status.py",
        'import os\nHOME = os.environ["HOME"]',
        "`os.environ` is banned",
    ),
    "the environment by another name": (
        "db/engine.py",
        'from os import getenv\nHOME = getenv("HOME")',
        "`os.getenv` is banned",
    ),
}


def copied(folder: Path) -> Path:
    """A copy of the packages and of what the guards are told."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "static", "assets")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def seeded(folder: Path, breaches: dict[str, tuple[str, str, str]]) -> Path:
    for file, line, _ in breaches.values():
        path = copied_file(folder, file)
        path.write_text(f"{path.read_text() if path.exists() else ''}\n{line}\n")
    return folder


def copied_file(folder: Path, file: str) -> Path:
    path = folder / file
    assert path.exists() or path.name == "helpers.py", (
        f"{file} has moved: name another file of its folder here"
    )
    return path


def said_by(program: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """The exit code and the words of a guard that looks at a folder."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def imports_of(folder: Path) -> tuple[int, str]:
    return said_by("lint-imports", "--no-cache", "--no-logo", folder=folder)


def calls_of(folder: Path) -> tuple[int, str]:
    return said_by("ruff", "check", "--no-cache", "--output-format", "concise", ".", folder=folder)


@pytest.fixture(scope="module")
def refused_imports(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    return imports_of(seeded(copied(tmp_path_factory.mktemp("imports")), IMPORTS))


@pytest.fixture(scope="module")
def refused_calls(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    return calls_of(seeded(copied(tmp_path_factory.mktemp("calls")), CALLS))


def test_a_copy_without_a_breach_passes(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    for code, said in (imports_of(folder), calls_of(folder)):
        assert code == 0, said


@pytest.mark.parametrize("breach", IMPORTS)
def test_an_import_that_breaks_a_contract_is_refused(breach: str, refused_imports: tuple[int, str]) -> None:
    code, said = refused_imports
    assert code != 0
    assert re.search(IMPORTS[breach][2], said), said


@pytest.mark.parametrize("breach", CALLS)
def test_a_call_outside_its_one_place_is_refused(breach: str, refused_calls: tuple[int, str]) -> None:
    code, said = refused_calls
    file, _, words = CALLS[breach]
    assert code != 0
    assert re.search(rf"^{re.escape(file)}:\d+:\d+: TID251 {re.escape(words)}", said, re.MULTILINE), said


# --- the list of what is pure ---------------------------------------------------------------------


def modules(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module by its dotted name."""
    for package in PACKAGES:
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(path.read_text())


def parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def pure(folder: Path) -> set[str]:
    """The modules and packages whose first paragraph says that they are pure; what a pure package holds is meant."""
    says = {
        name
        for name, tree in modules(folder)
        if PURE.search((ast.get_docstring(tree) or "").partition("\n\n")[0])
    }
    return {name for name in says if not says.intersection(parents(name))}


def listed(folder: Path) -> set[str]:
    """The modules that the contract of the pure names."""
    contracts = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"].startswith(PURE_CONTRACT))
    assert contract["allow_indirect_imports"] is False
    return set(contract["source_modules"])


def test_the_contract_of_the_pure_names_every_module_that_calls_itself_so() -> None:
    assert listed(ROOT) == pure(ROOT)


def test_a_module_that_calls_itself_pure_and_is_not_listed_is_found(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor/sums.py").write_text('"""Sums of columns. Pure."""\n')
    (tmp_path / "monitor/tables.py").write_text('"""Columns.\n\nTheir sums are elsewhere. Pure."""\n')
    assert pure(tmp_path) - listed(ROOT) == {"monitor.sums"}


# --- statements ---------------------------------------------------------------------------------

STATEMENTS = {"exec_driver_sql", "execute", "executemany", "executescript", "scalar", "scalars"}


def run_statements(folder: Path) -> list[str]:
    """Where a statement is run outside `db`."""
    return [
        f"{name}, line {node.lineno}: {node.func.attr}"
        for name, tree in modules(folder)
        if name.split(".")[0] != "db"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in STATEMENTS
    ]


def test_statements_are_run_in_db_alone(tmp_path: Path) -> None:
    """A connection that is handed on must not become a way round the stores."""
    assert run_statements(ROOT) == []
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor/status.py").write_text("connection.exec_driver_sql('SELECT 1')\n")
    assert run_statements(tmp_path) == ["monitor.status, line 1: exec_driver_sql"]
