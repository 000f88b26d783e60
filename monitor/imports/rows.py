"""From one row to one record: an observation, a declared baseline or a note."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from alerts.metrics import METRICS, NOTE_METRIC
from db.records import DeclaredBaseline, Evidence, Note, Observation, SeriesKey
from db.records.counts import remark
from db.spelling import folded
from monitor.imports.exported import as_import_row, as_it_was
from monitor.imports.faults import ImportFault
from monitor.imports.fields import ImportClock, RowFields, read_fields
from monitor.imports.identity import is_name, source_of
from monitor.imports.sources import RawRow
from monitor.sites import Site

ImportedRecord = Observation | DeclaredBaseline | Note
OF_AN_ID, OF_A_PERIOD = "id-", "on-"
"""What the last part of a statement's key begins with; older keys hold the bounds of the period in UTC."""


def parse_rows(
    rows: Iterable[RawRow], sites: Mapping[str, Site], clock: ImportClock
) -> tuple[list[ImportedRecord], list[ImportFault]]:
    """Read all rows: the records of the good ones, and every fault of the bad ones."""
    records: list[ImportedRecord] = []
    faults: list[ImportFault] = []
    for raw in rows:
        parsed = parse_row(raw, sites, clock)
        if isinstance(parsed, tuple):
            faults += parsed
        else:
            records.append(parsed)
    return records, faults


def parse_row(
    raw: RawRow, sites: Mapping[str, Site], clock: ImportClock
) -> ImportedRecord | tuple[ImportFault, ...]:
    """Read one row: its record, or all its faults."""
    if raw.exported:
        record = parse_row(as_import_row(raw), sites, clock)
        if isinstance(record, tuple):
            return record
        site_id = record.site_id if isinstance(record, Note) else record.series.site_id
        return as_it_was(record, raw, sites[site_id].timezone)
    fields = read_fields(raw, sites, clock)
    if isinstance(fields, tuple):
        return fields
    says = fields.finding.says.says
    if fields.metric == NOTE_METRIC or says == "trend":
        return _note(fields, clock)
    return _declared(fields, clock) if says == "statistic" else _observation(fields, clock)


def _observation(fields: RowFields, clock: ImportClock) -> Observation:
    citation, finding, period = fields.citation, fields.finding, fields.when.period
    return Observation(
        series=_series(fields),
        kind=METRICS[fields.metric].kind,
        period_start=period.start,
        period_end=period.end,
        look_key=_look_key(fields),
        value=finding.value,
        result_time=fields.when.result_time,
        recorded_at=clock.recorded_at,
        precision=period.precision,
        low=finding.low,
        high=finding.high,
        qualifier=finding.says.qualifier,
        assessable=finding.assessable,
        exposure=fields.exposure,
        exposure_parts={} if fields.cloud_fraction is None else {"cloud_fraction": fields.cloud_fraction},
        publisher=citation.publisher,
        origin=citation.publisher,
        via=citation.via,
        certainty=citation.certainty,
        announced=fields.announced,
        evidence=tuple(_evidence(fields)),
        note=_remark(fields, citation.note),
        written_start=period.written[0],
        written_end=period.written[1],
        zone=fields.zone,
    )


def _declared(fields: RowFields, clock: ImportClock) -> DeclaredBaseline:
    citation, says, period = fields.citation, fields.finding.says, fields.when.period
    return DeclaredBaseline(
        key=f"{fields.site_id}/{fields.metric}/{says.statistic}/{_identity(fields, says.statistic)}",
        series=_series(fields),
        statistic=says.statistic,
        value=fields.finding.value,
        n_looks=says.n_looks,
        window_start=period.start,
        window_end=period.end,
        precision=period.precision,
        result_time=fields.when.result_time,
        recorded_at=clock.recorded_at,
        publisher=citation.publisher,
        via=citation.via,
        url=citation.url,
        certainty=citation.certainty,
        note=_remark(fields, citation.note),
        written_start=period.written[0],
        written_end=period.written[1],
        zone=fields.zone,
    )


def _note(fields: RowFields, clock: ImportClock) -> Note:
    citation, period = fields.citation, fields.when.period
    says = fields.finding.says.says
    text = citation.note
    if says == "trend":
        text = f"Rising, no numbers published. {text}".strip()
    return Note(
        key=f"{fields.site_id}/{fields.metric}/{says}/{_identity(fields, says)}",
        site_id=fields.site_id,
        area=fields.area,
        metric=fields.metric,
        subject=fields.subject,
        starts_at=period.start,
        ends_at=period.end,
        precision=period.precision,
        result_time=fields.when.result_time,
        recorded_at=clock.recorded_at,
        publisher=citation.publisher,
        via=citation.via,
        url=citation.url,
        certainty=citation.certainty,
        announced=fields.announced,
        text=_remark(fields, text),
        written_start=period.written[0],
        written_end=period.written[1],
        zone=fields.zone,
    )


def _remark(fields: RowFields, text: str) -> str:
    """The row's remark; one that a publisher made without a date says so."""
    stated = bool(source_of(fields.citation.publisher, fields.citation.url))
    return remark(text, undated=stated and fields.when.undated)


def _series(fields: RowFields) -> SeriesKey:
    return SeriesKey(fields.site_id, fields.area, fields.metric, fields.subject, fields.procedure)


def _look_key(fields: RowFields) -> str:
    """Name the look by its source, never by its count, so that a corrected count is a revision of it."""
    source = source_of(fields.citation.publisher, fields.citation.url)
    if is_name(fields.row_id):
        return f"{source}/{fields.row_id}" if source else fields.row_id
    if fields.citation.scene:
        return f"scene-{_digest(folded(source), fields.citation.scene)}"
    return f"import-{_digest(folded(source), *_period_parts(fields))}"


def _identity(fields: RowFields, says: str) -> str:
    source = folded(source_of(fields.citation.publisher, fields.citation.url))
    if is_name(fields.row_id):
        return f"{OF_AN_ID}{_digest(source, fields.row_id)}"
    procedure = folded(fields.procedure)
    digest = _digest(source, says, fields.area, fields.subject, procedure, *_period_parts(fields))
    return f"{OF_A_PERIOD}{digest}"


def _period_parts(fields: RowFields) -> tuple[str, str, str]:
    return *fields.when.period.written, fields.when.period.precision


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _evidence(fields: RowFields) -> Iterator[Evidence]:
    citation = fields.citation
    for url in (citation.url, *citation.links):
        if url:
            yield Evidence("url", url, citation.publisher)
    if citation.scene:
        yield Evidence("scene", citation.scene, "" if fields.gsd_m is None else f"{fields.gsd_m:g} m a pixel")
    for what in ("reviewer", "review"):
        if text := getattr(citation, what):
            yield Evidence("note", what, text)
    if fields.file:
        yield Evidence("import", fields.file, fields.label)
