"""Rows that `sitewatch history` wrote, as CSV or GeoJSON: read back as the very records that they were."""

from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from alerts.words import named, unquoted_note
from db.records import DeclaredBaseline, Note, Observation
from monitor.imports import periods, values
from monitor.imports.columns import IMPORT_COLUMNS
from monitor.imports.faults import ImportFault
from monitor.imports.numbers import number
from monitor.imports.reader import RowReader
from monitor.imports.sources import RawRow

ExportedRecord = Observation | DeclaredBaseline | Note
_AS_IS = frozenset(IMPORT_COLUMNS) - {"end", "zone", "method", "method_version", "sensor"}


def as_import_row(raw: RawRow) -> RawRow:
    """The row as a person would have written it: what is checked in every row is checked in this one."""
    cells = {name: cell for name, cell in raw.cells.items() if name in _AS_IS}
    kind, metric = raw.cells.get("record", ""), raw.cells.get("metric", "")
    if kind == "note" and metric != "note":
        # A rise without numbers is kept as a note.
        cells["comparator"] = "trend_up"
    if kind == "look" and not raw.cells.get("value"):
        # A picture that nobody has counted in may well be usable; its word is put back afterwards.
        cells["assessable"] = "no"
    return replace(raw, cells=cells, exported=False)


def as_it_was(record: ExportedRecord, raw: RawRow, zone: tzinfo) -> ExportedRecord | tuple[ImportFault, ...]:
    """The checked record with the key, period, procedure and words under which it was written out."""
    reader = RowReader(raw)
    start, end = (_instant(reader, name, zone) for name in ("start", "end"))
    zone_named = reader.attempt("zone", lambda: values.zone(reader.text("zone")))
    if start is None or end is None or zone_named is None:
        return tuple(reader.faults)
    if not reader.text("published") and (earliest := _instant(reader, "knowable_from", zone)):
        record = replace(record, result_time=earliest)
    key, first, last = (reader.text(name) for name in ("look_key", "written_start", "written_end"))
    if isinstance(record, Note):
        return replace(
            record,
            key=key,
            starts_at=start,
            ends_at=end,
            text=unquoted_note(reader.text("note"), named(record.publisher), record.via),
            written_start=first,
            written_end=last,
            zone=zone_named[0],
        )
    series = replace(record.series, procedure=reader.text("procedure"))
    found: ExportedRecord
    if isinstance(record, DeclaredBaseline):
        looks = reader.optional("n_looks", number)
        found = replace(
            record,
            key=key,
            series=series,
            window_start=start,
            window_end=end,
            note=unquoted_note(record.note, named(record.publisher), record.via),
            n_looks=None if looks is None else int(looks),
            written_start=first,
            written_end=last,
            zone=zone_named[0],
        )
    else:
        found = replace(
            record,
            look_key=key,
            series=series,
            period_start=start,
            period_end=end,
            note=unquoted_note(record.note, record.publisher, record.via),
            assessable=reader.optional("assessable", values.parse_yes_no),
            closed=reader.optional("closed", values.parse_yes_no) is not False,
            origin=reader.text("origin") or record.origin,
            written_start=first,
            written_end=last,
            zone=zone_named[0],
        )
    return tuple(reader.faults) or found


def _instant(reader: RowReader, column: str, zone: tzinfo) -> datetime | None:
    found = reader.required(column, lambda text: periods.parse_time(text, zone))
    if found is not None and found.shape != "instant":
        reader.fault(column, "an exported period is given in UTC", "Leave it as it was written, with its Z")
        return None
    return None if found is None else found.at.astimezone(UTC)
