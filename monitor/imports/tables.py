"""Tables of other people as rows of text: CSV in any encoding, and Excel workbooks, within limits."""

import csv
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.imports.faults import UnreadableFile, unreadable
from monitor.imports.formats import SNIFFED_BYTES, check_beginning
from monitor.imports.mapping import TableFile
from monitor.imports.numbers import plain_digits
from monitor.imports.quotation import Lines, ill_formed
from monitor.imports.sources import (
    CSV_DELIMITERS,
    MAX_CSV_BYTES,
    MAX_ROWS,
    RawRow,
    Rows,
    check_header,
    table_row,
)
from monitor.imports.written_dates import CellDate
from monitor.sites.faults import did_you_mean, printable_value

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")
MAX_WORKBOOK_BYTES = 32 * 2**20
MAX_UNPACKED_WORKBOOK = 512 * 2**20
_WIDEST = 1_000
_NEEDS_EXTRA = "Workbooks need openpyxl: .venv/bin/pip install openpyxl, or save the sheet as “CSV UTF-8”"

TableLine = tuple[int, list[str]]
"""The number of a line, from 1, and its cells."""


def is_workbook(path: Path) -> bool:
    """Whether a file is called as Excel workbooks are."""
    return path.suffix.lower() in WORKBOOK_SUFFIXES


def table_lines(path: Path, how: TableFile) -> Iterator[TableLine]:
    """The lines of a table from its header on; raises UnreadableFile."""
    try:
        rows = _workbook_rows(path, how) if is_workbook(path) else _csv_rows(path, how)
        for number, cells in rows:
            if number - how.header > MAX_ROWS:
                raise unreadable(f"it has more than {MAX_ROWS:,} rows", "Cut it into smaller files")
            if number >= how.header and (how.last is None or number <= how.last):
                yield number, cells
    except OSError as error:
        raise unreadable(
            f"{path} cannot be read ({error.strerror})", "Check its name and your rights"
        ) from None


def _csv_rows(path: Path, how: TableFile) -> Iterator[TableLine]:
    _check_size(path, MAX_CSV_BYTES)
    if not how.encoding:
        with path.open("rb") as stream:
            check_beginning(stream.read(SNIFFED_BYTES), geojson=False)
    with path.open(encoding=how.encoding or "utf-8-sig", newline="") as stream:
        lines = Lines(stream)
        try:
            for _ in range(1, how.header):
                if not next(lines, ""):
                    raise unreadable(f"it has no line {how.header}", "Correct header under [file]")
            first = how.header
            lines.record.clear()
            head = next(lines, "")
            if not head.strip("\ufeff \r\n"):
                raise unreadable(
                    f"line {first} is empty", "Say in which line the names of the columns stand: header"
                )
            delimiter = how.delimiter or max(CSV_DELIMITERS, key=head.count)
            yield first, next(csv.reader([head.removeprefix("\ufeff")], delimiter=delimiter, strict=True))
            lines.record.clear()
            for number, cells in enumerate(
                csv.reader(lines, delimiter=delimiter, strict=True), start=first + 1
            ):
                lines.record.clear()
                yield number, cells
        except UnicodeError:
            mend = 'Save it as “CSV UTF-8”, or say its encoding under [file], as in encoding = "windows-1252"'
            raise unreadable(f"it is not {how.encoding or 'UTF-8'} text", mend) from None
        except csv.Error as error:
            raise ill_formed(lines.quotation_begins() or lines.number, str(error)) from None


def _check_size(path: Path, limit: int) -> None:
    size = path.stat().st_size
    if size > limit:
        raise unreadable(
            f"it has {size / 2**20:.0f} MiB, and the limit is {limit / 2**20:.0f}",
            "Cut it into smaller files",
        )


# --- workbooks ----------------------------------------------------------------------------------------------------


def _workbook_rows(path: Path, how: TableFile) -> Iterator[TableLine]:
    _check_size(path, MAX_WORKBOOK_BYTES)
    _check_archive(path)
    book = _opened(path)
    try:
        sheet = book[_sheet(book, how.sheet)]
        for number, cells in enumerate(sheet.iter_rows(values_only=True, max_col=_WIDEST), start=1):
            yield number, [_cell_text(each) for each in cells]
    finally:
        book.close()


def sheet_notice(path: Path, how: TableFile) -> list[str]:
    """A sentence where a workbook has several sheets and none was named; raises UnreadableFile."""
    if not is_workbook(path) or how.sheet:
        return []
    _check_archive(path)
    book = _opened(path)
    try:
        names = _visible(book)
    finally:
        book.close()
    if len(names) < 2:  # noqa: PLR2004
        return []
    others = ", ".join(map(printable_value, names[1:]))
    return [f"The sheet {printable_value(names[0])} was read; the workbook also has {others}."]


def _opened(path: Path) -> "Workbook":
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra that most do without
    except ImportError:
        raise unreadable("it is an Excel workbook", _NEEDS_EXTRA) from None
    try:
        book: Workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, SyntaxError, AttributeError):
        raise unreadable(
            "it is no workbook that can be read", "Open it and save it again as .xlsx or “CSV UTF-8”"
        ) from None
    return book


def _check_archive(path: Path) -> None:
    """Refuse what would unpack without end: a member is never read beyond the size that it states."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError):
        raise unreadable(
            "it is no workbook that can be read", "Open it and save it again as .xlsx or “CSV UTF-8”"
        ) from None
    if sum(each.file_size for each in members) > MAX_UNPACKED_WORKBOOK:
        raise unreadable(
            f"it unpacks to more than {MAX_UNPACKED_WORKBOOK >> 20} MiB",
            "Keep only the sheet with the counts in it",
        )


def _visible(book: "Workbook") -> list[str]:
    return [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]


def _sheet(book: "Workbook", named: str) -> str:
    names = _visible(book)
    if not named and names:
        return str(names[0])
    every = [sheet.title for sheet in book.worksheets]
    if named in every:
        return named
    raise unreadable(f"it has no sheet {printable_value(named)}", did_you_mean(named, every))


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return CellDate(
            value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
        )
    if isinstance(value, date):
        return CellDate(value.isoformat())
    if isinstance(value, int | float):
        return plain_digits(value)
    return str(value).strip()


def workbook_rows(path: Path) -> Rows:
    """The rows of a workbook whose columns are those of an import; raises UnreadableFile."""
    first_sheet = TableFile()
    names = _trimmed(header_of(path, first_sheet))
    check_header(names)

    def rows() -> Iterator[RawRow]:
        for number, cells in table_lines(path, first_sheet):
            if number > 1 and any(cells):
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield table_row(number, padded, names, path.name, decimal_comma=False)

    return Rows(rows, tuple(sheet_notice(path, first_sheet)))


def _trimmed(names: Sequence[str]) -> list[str]:
    found = list(names)
    while found and not found[-1]:
        found.pop()
    return found


def header_of(path: Path, how: TableFile) -> Sequence[str]:
    """The names of the columns; raises UnreadableFile."""
    for _, cells in table_lines(path, how):
        return [cell.strip() for cell in cells]
    raise UnreadableFile(*unreadable("it is empty", "Give a table with a row of names").faults)
