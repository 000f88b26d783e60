"""Reading the cells of one row while gathering everything that is wrong with them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from monitor.imports import values
from monitor.imports.faults import BadCell, ImportFault
from monitor.imports.sources import RawRow

CellT = TypeVar("CellT")


@dataclass(slots=True)
class RowReader:
    """One row and its faults so far."""

    raw: RawRow
    faults: list[ImportFault] = field(default_factory=list)

    def fault(self, column: str, problem: str, mend: str) -> None:
        """Note a fault; both texts are sentences without their full stop."""
        self.faults.append(ImportFault(self.raw.label, column, problem, mend))

    def attempt(self, column: str, parse: Callable[[], CellT]) -> CellT | None:
        """What parsing gives, or None with a fault in this column."""
        try:
            return parse()
        except BadCell as bad:
            self.fault(column, bad.problem, bad.mend)
            return None

    def text(self, column: str) -> str:
        """The cell as plain text, '' where it is empty or unusable."""
        cell = self.raw.cells.get(column)
        return (self.attempt(column, lambda: values.plain_text(cell)) or "") if cell else ""

    def optional(self, column: str, parse: Callable[[str], CellT]) -> CellT | None:
        """What the cell says, or None where it is empty or unusable."""
        text = self.text(column)
        return self.attempt(column, lambda: parse(text)) if text else None

    def required(self, column: str, parse: Callable[[str], CellT]) -> CellT | None:
        """What the cell says, or None with a fault."""
        text = self.text(column)
        if text:
            return self.attempt(column, lambda: parse(text))
        if not any(fault.column == column for fault in self.faults):
            self.fault(column, "it is empty", "Fill it in")
        return None
