"""The program uses every public name it has: what only tests or benchmarks call stands beside them."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOTS = ("monitor", "alerts", "db")
# These shape what they stand on; any other decorator hands it to its caller: a route, a command, a validator.
SHAPING = {"abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "dataclass"} | {
    "lru_cache",
    "overload",
    "property",
    "staticmethod",
}
# Why a name stands although no module of the program asks for it.
EXCEPTIONS = {
    "alerts.channels.mail_headers.Field.fold": "the library's generator of mails calls it",
    "db.schema.types.ToldJson.load_dialect_impl": "SQLAlchemy calls it",
    "db.schema.types.ToldJson.process_result_value": "SQLAlchemy calls it",
    "db.schema.types.UtcDateTime.load_dialect_impl": "SQLAlchemy calls it",
    "db.schema.types.UtcDateTime.process_result_value": "SQLAlchemy calls it",
    "monitor.aircraft.reading._Counted.readable": "io.BufferedReader calls it",
    "monitor.aircraft.reading._Counted.seekable": "io.BufferedReader calls it",
    "monitor.backfill.archive._Joined.readable": "io.BufferedReader calls it",
    "monitor.backfill.archive._Joined.seekable": "io.BufferedReader calls it",
    "monitor.feeds.ranges._Reader.readable": "rasterio calls it",
    "monitor.feeds.ranges._Reader.seekable": "rasterio calls it",
    "monitor.runtime.jobs.SlotTrigger.get_next_fire_time": "APScheduler calls it",
    "monitor.web.events.ChangeFeed.looked": "tests wait for it where they would have to sleep",
    "monitor.web.health._Suppressed.collect": "prometheus_client calls it",
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True, eq=False)
class Module:
    """One module as it is written."""

    name: str
    tree: ast.Module
    is_package: bool

    @cached_property
    def loaded(self) -> frozenset[str]:
        """The names that it reads."""
        return frozenset(_loaded(self.tree))

    def imports(self) -> Iterator[tuple[str, str, str]]:
        """Each module imported from, the name, and what it is called here."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield node.module, alias.name, alias.asname or alias.name

    def after_dots(self) -> Iterator[tuple[str, str]]:
        """Each name that it takes from a module by a dot, with that module."""
        known = {called: f"{source}.{name}" for source, name, called in self.imports()}
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in known
            ):
                yield known[node.value.id], node.attr


def _loaded(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in (path for root in ROOTS for path in Path(root).rglob("*.py")):
        if "versions" in path.parts:
            continue
        parts = path.with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name, ast.parse(path.read_text(encoding="utf-8")), is_package)
    return found


def origin(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined that a package may only pass on."""
    package = modules().get(module)
    if package is not None and package.is_package:
        for source, given, called in package.imports():
            if called == name and source in modules():
                return origin(source, given)
    return module, name


@cache
def asked_for() -> frozenset[tuple[str, str]]:
    """Every (module, name) that another module of the program takes, or that starts the program."""
    found = set()
    for module in modules().values():
        for source, name, called in module.imports():
            passed_on = module.is_package and called not in module.loaded
            if not passed_on:
                found.add(origin(source, name))
        found |= {origin(source, name) for source, name in module.after_dots()}
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for start in project["scripts"].values():
        source, name = start.split(":")
        found.add((source, name))
    return frozenset(found)


@cache
def after_any_dot() -> frozenset[str]:
    """Every attribute that the program or one of its templates asks for."""
    found = {
        node.attr
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
    }
    templates = Path("monitor/web/templates").glob("*.html")
    return frozenset(found.union(*(re.findall(r"\.(\w+)", path.read_text("utf-8")) for path in templates)))


def is_handed_over(node: Definition) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    names = {re.split(r"[(.]", ast.unparse(each))[0] for each in node.decorator_list}
    return bool(names - SHAPING)


def names_of(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            # Of several names that share one value, some may stand for their place in it.
            targets = node.targets
        case ast.AnnAssign():
            targets = [node.target]
        case _:
            return []
    return [each.id for each in targets if isinstance(each, ast.Name)]


def unused(module: Module) -> Iterator[str]:
    readers = Counter(name for node in module.tree.body for name in set(_loaded(node)))
    for node in module.tree.body:
        own = set(_loaded(node))
        for name in names_of(node):
            assert isinstance(node, Definition)
            used = readers[name] > (name in own) or (module.name, name) in asked_for()
            if not (used or name.startswith("_") or is_handed_over(node)):
                yield f"{module.name}.{name}"
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and not (
                    part.name.startswith("_") or part.name in after_any_dot() or is_handed_over(part)
                ):
                    yield f"{module.name}.{node.name}.{part.name}"


def test_every_public_name_is_used_by_the_program() -> None:
    found = {name for module in modules().values() for name in unused(module)}
    lonely, excused = (
        sorted(found - EXCEPTIONS.keys()),
        sorted(EXCEPTIONS.keys() - found),
    )
    assert not lonely, f"Delete these, or move them to the tests or benchmarks that use them: {lonely}"
    assert not excused, f"These are used or gone, and need no exception any more: {excused}"


def test_a_name_that_only_tests_use_would_be_found() -> None:
    text = "class A:\n    def never_asked(self): ...\nC = 1\n@route\ndef d(): ...\ndef e(): return C\n"
    lonely = Module("monitor.lonely", ast.parse(text), is_package=False)
    assert list(unused(lonely)) == ["monitor.lonely.A", "monitor.lonely.A.never_asked", "monitor.lonely.e"]
