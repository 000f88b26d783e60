"""Tables as files: CSV, GeoJSON, GeoParquet and Excel workbooks, the same wherever they are asked for."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from monitor.reports.tables import Table, csv_text, feature_collection

TableForm = Literal["csv", "geojson", "parquet", "xlsx"]
MEDIA_TYPES: Mapping[TableForm, str] = {
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def table_bytes(table: Table, form: TableForm) -> bytes:
    """A table as a file; raises InputError where what writes it is not installed."""
    if form == "geojson":
        return json.dumps(feature_collection(table), ensure_ascii=False, allow_nan=False).encode()
    flat = replace(table, rows=[_flat(row) for row in table.rows])
    if form == "csv":
        return csv_text(flat.rows, [*flat.types]).encode()
    if form == "xlsx":
        from monitor.reports.workbooks import workbook_bytes  # noqa: PLC0415 - needed now and then

        return workbook_bytes(flat)
    from monitor.reports.geoparquet import parquet_bytes  # noqa: PLC0415 - a second and 35 MB

    return parquet_bytes(flat)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nesting: lists and objects become JSON text."""
    return {
        name: json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
        for name, value in row.items()
    }
