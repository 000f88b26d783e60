"""A public name says one thing: none is defined at the top level of two modules, but for the few listed here."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Names that may stand in several modules, and why. It may only get shorter.
SHARED = {
    "router": "each group of routes has one, as FastAPI calls it",
    "poll": "a step of the pipeline, and the table of its rows as SQL names it",
}
MOST_SHARED = 2


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def modules_by_name() -> dict[str, set[str]]:
    """Which modules of the wheel define a public name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for package in ("monitor", "alerts", "db"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
                if not name.startswith("_"):
                    found[name].add(path.relative_to(ROOT).as_posix())
    return found


def test_a_public_name_is_defined_once() -> None:
    several = {name: sorted(paths) for name, paths in modules_by_name().items() if len(paths) > 1}
    told = [f"{name}: {', '.join(paths)}" for name, paths in several.items() if name not in SHARED]
    assert not told, "Give each its own name, or define it once and import it:\n" + "\n".join(told)


def test_no_name_is_listed_that_is_defined_once() -> None:
    found = modules_by_name()
    assert {name for name in SHARED if len(found[name]) < 2} == set()
    assert len(SHARED) <= MOST_SHARED


def test_names_are_found_however_they_are_defined() -> None:
    source = (
        "a = b = 1\nc: int = 2\ndef d(): ...\nasync def e(): ...\nclass F:\n    g = 3\nif a:\n    h = 4\n"
    )
    assert list(defined(ast.parse(source))) == ["a", "b", "c", "d", "e", "F"]
