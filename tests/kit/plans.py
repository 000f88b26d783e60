"""How a database is going to read what the program asks of it: every statement is explained where it is asked."""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Connection, Engine, event

from db.schema import metadata

ROOT = Path(__file__).resolve().parents[2]
DB = ROOT / "db"
PASSES_ON = frozenset({"engine.py", "upsert.py", "keys.py", "late.py", "chunks.py"})
"""Files of `db` that send what others ask."""
WORK_LISTS = frozenset(
    str(index.name)
    for table in metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
)
"""Indexes of what waits, or of what few rows are: short however large the table is, and read whole for that."""
_NESTED = ("seqscan", "hashjoin", "mergejoin", "material", "memoize")
_WAYS_FOR_FEW = (
    ("seqscan",),
    _NESTED,
    (*_NESTED, "indexscan", "indexonlyscan"),
    (*_NESTED, "bitmapscan"),
    (*_NESTED, "bitmapscan", "indexonlyscan", "sort"),
)
"""What PostgreSQL is to do without, in several tries."""
_EXPLAINED = ("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")
# A search without an index is how SQLite calls reading all for a least or a greatest.
_SQLITE_SCAN = re.compile(r"(?:SCAN (?!CONSTANT)|SEARCH (?=\w+$))(\w+)")
_VIEWS = {
    "a": "alert",
    "e": "alert_event",
    "y": "alert_event",
    "o": "observation",
    "v": "visit_version",
    "w": "visit_version",
}
"""How the views of the public call tables."""
_ALIAS = re.compile(r"\b(?:FROM|JOIN|,)\s+\"?(\w+)\"?\s+AS\s+\"?(\w+)\"?", re.IGNORECASE)
_ANONYMOUS = re.compile(r"_\d+$")


@dataclass
class Plans:
    """What was asked while it listened: by whom, and which tables are read whole for it."""

    scans: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By function of `db` (`module.function`): the tables that it reads whole, each with the statement."""
    asked: set[str] = field(default_factory=set)
    """The functions of `db` that sent a statement."""
    statements: int = 0
    _known: set[tuple[int, str, str]] = field(default_factory=set)

    def note(self, connection: Connection, statement: str, parameters: Any, *, many: bool) -> None:
        """Explain a statement that is about to be sent, once for each function that sends it."""
        asker = _asker()
        if asker is None:
            return
        self.asked.add(asker)
        # The public sees the same tables through views of a connection of its own.
        asked = (id(connection.engine), asker, statement)
        if asked in self._known or not statement.lstrip().upper().startswith(_EXPLAINED):
            return
        self._known.add(asked)
        self.statements += 1
        given = parameters[0] if many and parameters else parameters
        for table in _scanned(connection, statement, given):
            self.scans[asker].setdefault(table, " ".join(statement.split()))


@contextmanager
def explaining() -> Iterator[Plans]:
    """Explain all that any engine is asked meanwhile."""
    plans = Plans()

    def before(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        plans.note(connection, statement, parameters, many=many)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def functions_that_ask() -> set[str]:
    """Every function of `db` in whose own text something is executed."""
    found = set()
    for path in sorted(DB.glob("*.py")):
        if path.name in PASSES_ON:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(_executes(each) for each in ast.walk(node)):
                found.add(f"{path.stem}.{node.name}")
    return found


def _executes(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"execute", "scalar", "scalars"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "connection"
    )


def _asker() -> str | None:
    """The function of `db` that asks, skipping those that pass on; None: nobody there does."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parent == DB and path.name not in PASSES_ON:
            name = frame.f_code.co_name
            if not name.startswith("<"):
                return f"{path.stem}.{name}"
        frame = frame.f_back
    return None


def _scanned(connection: Connection, statement: str, parameters: Any) -> set[str]:
    """The tables (by their own names) of which a statement reads every row or every entry of an index."""
    cursor = connection.connection.cursor()
    try:
        if connection.dialect.name == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return set(_sqlite_scans(statement, [row[3] for row in cursor.fetchall()]))
        # Of few rows PostgreSQL reads all whatever indexes there are: it is asked whether there is a way by them.
        found: set[str] | None = None
        for ways in _WAYS_FOR_FEW:
            read = set(_postgresql_plan(cursor, statement, parameters, ways))
            found = read if found is None else found & read
            if not found:
                break
        return found or set()
    finally:
        cursor.close()


def _postgresql_plan(cursor: Any, statement: str, parameters: Any, without: Sequence[str]) -> Iterator[str]:
    for way in without:
        cursor.execute(f"SET LOCAL enable_{way} = off")
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (plan,) = cursor.fetchall()[0]
    for way in without:
        cursor.execute(f"SET LOCAL enable_{way} = on")
    plans: Sequence[dict[str, Any]] = json.loads(plan) if isinstance(plan, str) else plan
    for each in plans:
        yield from _postgresql_scans(each["Plan"])


def _sqlite_scans(statement: str, lines: Sequence[str]) -> Iterator[str]:
    names = {alias: table for table, alias in _ALIAS.findall(statement)}
    for line in lines:
        index = line.rpartition(" INDEX ")[2].split(" ")[0]
        if (found := _SQLITE_SCAN.match(line)) and "VIRTUAL TABLE" not in line and index not in WORK_LISTS:
            yield names.get(found[1], _VIEWS.get(found[1], found[1]))


def _postgresql_scans(node: dict[str, Any], above: str = "") -> Iterator[str]:
    kind = node["Node Type"]
    whole = kind.startswith(("Index", "Bitmap Index")) and "Index Cond" not in node
    # The first of an index are read until there are enough.
    cut = above == "Limit" and "Filter" not in node
    if kind == "Seq Scan" or (whole and not cut and node["Index Name"] not in WORK_LISTS):
        yield str(node.get("Relation Name") or node.get("Index Name"))
    for inner in node.get("Plans", ()):
        yield from _postgresql_scans(inner, kind)
