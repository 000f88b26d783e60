"""Quotation marks in CSV: where a quotation begins, and rows that one which is never closed has swallowed."""

import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from alerts.metrics import METRICS, NOTE_METRIC
from monitor.imports.faults import UnreadableFile, unreadable

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}\b|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}\b")


class Lines(Iterator[str]):
    """The lines of a file one by one, with the number of the last and all lines since `record` was cleared."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.number = 0
        self.record: list[str] = []

    def __next__(self) -> str:
        line = next(self._stream)
        self.number += 1
        self.record.append(line)
        return line

    def quotation_begins(self, before: int | None = None) -> int | None:
        """The number of the line in which the quotation begins that is open before one of the record's lines.

        Without `before`, it is the one that is open at the end.
        """
        begins: int | None = None
        first = self.number - len(self.record) + 1
        for at, line in enumerate(self.record[:before]):
            # A mark written twice within a quotation closes and opens it again.
            if line.count('"') % 2:
                begins = first + at if begins is None else None
        return begins


def swallowed(lines: Lines, names: Sequence[str], delimiter: str) -> int | None:
    """The number of the line where a quotation begins that holds rows of the table, or None.

    A note may have several lines; none of them has a date and a metric in the places where rows have them.
    """
    for at, line in enumerate(lines.record[1:], start=1):
        if _is_row(line, names, delimiter) and (begins := lines.quotation_begins(at)):
            return begins
    return None


def ill_formed(line: int, why: str) -> UnreadableFile:
    """The error for quotation marks that do not pair."""
    return unreadable(
        f"it is not well-formed CSV: look at line {line} and the quotation that begins there ({why})",
        'Close the quotation; a mark inside a quoted cell is written twice (""), and one in plain text goes out',
    )


def _is_row(line: str, names: Sequence[str], delimiter: str) -> bool:
    cells = [cell.strip(' "\t\r\n') for cell in line.split(delimiter)]
    if len(cells) <= max(names.index("start"), names.index("metric")):
        return False
    dated = _DATE.match(cells[names.index("start")]) is not None
    counted = cells[names.index("metric")] in {*METRICS, NOTE_METRIC}
    return (dated and counted) or (len(cells) >= len(names) and (dated or counted))
