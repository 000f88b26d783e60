"""Tables as an Excel workbook: text can never run as a formula, and whose data it is stands on a sheet of its own."""

import io
import re
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from monitor.errors import InputError
from monitor.reports.tables import Table

_LONGEST_CELL = 32_767
# A workbook is XML, which has no room for these.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def workbook_bytes(table: Table) -> bytes:
    """Rows under titles as a workbook, which needs openpyxl; raises InputError where that is missing. Times are UTC."""
    if find_spec("openpyxl") is None:
        raise InputError(
            "Workbooks need openpyxl, which is not installed. Install it with: .venv/bin/pip install openpyxl. "
            "CSV, GeoJSON and JSON need nothing more."
        )
    from openpyxl import Workbook  # noqa: PLC0415 - an extra that most do without

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    sheet.freeze_panes = "A2"
    sheet.append([*table.types])
    for row in table.rows:
        sheet.append([_cell(sheet, row.get(name)) for name in table.types])
    about = book.create_sheet("Sources")
    about.append(["Whose data this is. Times are UTC; an empty value is not observed, never zero."])
    for each in table.sources:
        about.append([_cell(about, each)])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as above

    if isinstance(value, datetime):
        cell = WriteOnlyCell(sheet, value.astimezone(UTC).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
        return cell
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("�", value)[:_LONGEST_CELL]
    cell = WriteOnlyCell(sheet, text)
    # Else what begins with = would be one that runs.
    cell.data_type = "s"
    return cell
