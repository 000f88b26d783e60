"""Append-only tables whose rows have one key."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, select

from db.records.revisions import Revised, in_force, next_revision

CHUNK = 500


class Keyed(Revised, Protocol):
    """A revised record that is known by a key of its own."""

    @property
    def key(self) -> str:
        """What the revisions have in common."""
        ...


K = TypeVar("K", bound=Keyed)


@dataclass(frozen=True, slots=True)
class KeyedTable(Generic[K]):
    """One table with the ways in and out; `same` says whether two revisions state the same."""

    table: Table
    to_row: Callable[[K], dict[str, Any]]
    from_row: Callable[[Row[Any]], K]
    same: Callable[[K, K], bool]

    def record(self, connection: Connection, new: Sequence[K]) -> list[K]:
        """Append a revision of each record that says something new at its own result time; return those."""
        ordered = sorted(new, key=lambda each: each.result_time)
        stored: list[K] = []
        for start in range(0, len(ordered), CHUNK):
            chunk = ordered[start : start + CHUNK]
            keys = {each.key for each in chunk}
            known = self._grouped(connection, self.table.c.key.in_(keys))
            owed = list(self._owed(chunk, known))
            if owed:
                connection.execute(self.table.insert(), [self.to_row(each) for each in owed])
            stored += owed
        return stored

    def newest(
        self,
        connection: Connection,
        *conditions: ColumnElement[bool],
        as_of: datetime | None,
        as_recorded: datetime | None,
    ) -> list[K]:
        """Read the revision of each key that was in force among those knowable and recorded."""
        columns = self.table.c
        limits = ((columns.result_time, as_of), (columns.recorded_at, as_recorded))
        knowable = (column <= limit for column, limit in limits if limit is not None)
        grouped = self._grouped(connection, *conditions, *knowable)
        return [in_force(each, self.same) for each in grouped.values()]

    def _grouped(self, connection: Connection, *conditions: ColumnElement[bool]) -> dict[str, list[K]]:
        rows: Iterable[Row[Any]] = connection.execute(select(self.table).where(*conditions))
        found: dict[str, list[K]] = defaultdict(list)
        for row in rows:
            each = self.from_row(row)
            found[each.key].append(each)
        return found

    def _owed(self, new: Sequence[K], known: dict[str, list[K]]) -> Iterator[K]:
        for each in new:
            number = next_revision(known[each.key], each, self.same)
            if number is not None:
                numbered = replace(each, revision=number)  # type: ignore[type-var]
                known[each.key].append(numbered)
                yield numbered
