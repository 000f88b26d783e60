"""Bringing counts in from files: CSV or GeoJSON in the columns of docs/importing.md."""

from monitor.imports.faults import ImportFault, UnreadableFile
from monitor.imports.fields import ImportClock
from monitor.imports.known import move_days
from monitor.imports.load import (
    ImportProgress,
    ImportReport,
    PlannedImport,
    check_file,
    import_file,
    import_row,
    import_rows,
    load_published,
    plan_import,
    store_records,
    withdraw_published,
)
from monitor.imports.mapping import TableMapping, read_mapping
from monitor.imports.rows import ImportedRecord, parse_row, parse_rows
from monitor.imports.site_baselines import declared_of, load_declared
from monitor.imports.sources import RawRow, Rows, csv_rows, exact_json, feature_rows, object_rows, open_rows
from monitor.imports.suggested import suggest_mapping

__all__ = [
    "ImportClock",
    "ImportFault",
    "ImportProgress",
    "ImportReport",
    "ImportedRecord",
    "PlannedImport",
    "RawRow",
    "Rows",
    "TableMapping",
    "UnreadableFile",
    "check_file",
    "csv_rows",
    "declared_of",
    "exact_json",
    "feature_rows",
    "import_file",
    "import_row",
    "import_rows",
    "load_declared",
    "load_published",
    "move_days",
    "object_rows",
    "open_rows",
    "parse_row",
    "parse_rows",
    "plan_import",
    "read_mapping",
    "store_records",
    "suggest_mapping",
    "withdraw_published",
]
