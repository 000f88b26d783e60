"""Histories as CSV, GeoJSON, JSON and GeoParquet. Text in CSV can never run as a spreadsheet formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from alerts.attribution import Attributions, each_once, one_cell
from alerts.metrics import metric_named
from alerts.words import look_status, named, period_words, quoted_note
from db.records import DeclaredBaseline, Note, Observation
from monitor.imports.columns import FORMULA_STARTS
from monitor.imports.numbers import plain_digits
from monitor.reports.history import SiteHistory, first_url
from monitor.sites import Site

TableRow = dict[str, Any]
HISTORY_COLUMNS = (
    "record",
    "site_id",
    "site_name",
    "area",
    "metric",
    "subject",
    "local_period",
    "start",
    "end",
    "precision",
    "value",
    "comparator",
    "low",
    "high",
    "unit",
    "n_looks",
    "status",
    "assessable",
    "exposure",
    "procedure",
    "published",
    "knowable_from",
    "recorded_at",
    "revision",
    "announced",
    "publisher",
    "via",
    "url",
    "certainty",
    "note",
    "look_key",
    "written_start",
    "written_end",
    "zone",
    "closed",
    "origin",
    "scene",
    "attribution",
)
"""All that “observations import” needs to store the same again. `look_key` is the key of a statement, too.

`start` (inclusive), `end` (exclusive), `published`, `knowable_from` and `recorded_at` are UTC.
`published` is when it was knowable, empty where nobody knows; `knowable_from` is then the earliest.
"""

_HISTORY_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("start", "end", "published", "recorded_at"), datetime),
    **dict.fromkeys(("value", "low", "high", "exposure"), float),
    **dict.fromkeys(("assessable", "announced", "closed"), bool),
    **dict.fromkeys(("n_looks", "revision"), int),
}
HISTORY_CELLS: Mapping[str, type] = {name: _HISTORY_TYPES.get(name, str) for name in HISTORY_COLUMNS}
"""What the cells of each column hold."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titles, with a shape each, that go out as CSV, GeoJSON, GeoParquet or a workbook (WGS 84)."""

    types: Mapping[str, type]
    """The titles, in order, with what their cells hold."""
    rows: Sequence[Mapping[str, Any]]
    shapes: Sequence[BaseGeometry | None]
    sources: Sequence[str]
    """Whose data it rests on, as they want to be named."""


def safe_cell(value: object) -> object:
    """A cell for CSV: numbers stay numbers, text that a spreadsheet would run gets an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, str):
        # The sign alone is no formula, and a column of comparators must stay one.
        return f"'{value}" if value.startswith(FORMULA_STARTS) and value != "=" else value
    return int(value) if isinstance(value, float) and value.is_integer() else _number_cell(value)


def _number_cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    plain = plain_digits(value)
    return value if plain == repr(value) else plain


def utc_text(at: datetime) -> str:
    """An instant as ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = HISTORY_COLUMNS) -> str:
    """Rows as CSV with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column)) for column in columns])
    return stream.getvalue()


def history_rows(history: SiteHistory, attributions: Mapping[str, str] | None = None) -> Iterator[TableRow]:
    """Every look, declared baseline and note as one flat row.

    `attributions` says how a publisher (a feed's provider) wants to be named.
    """
    providers = attributions or {}
    for look in history.looks:
        yield look_table_row(look, history.site, providers)
    for baseline in history.declared:
        yield declared_table_row(baseline, history.site, providers)
    for note in history.notes:
        yield note_table_row(note, history.site, providers)


class NamedSite(Protocol):
    """What a row says of the site that it is about; a site that is no longer watched has no more."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its newest name."""

    @property
    def timezone(self) -> ZoneInfo:
        """Whose days its periods are told in."""


def look_table_row(look: Observation, site: NamedSite, attributions: Mapping[str, str]) -> TableRow:
    """One look as a flat row."""
    return {
        "record": "look",
        **_place(site, look.series.area, look.series.metric, look.series.subject),
        **_period(site, look.period_start, look.period_end, look),
        "value": look.value,
        "comparator": look.qualifier,
        "low": look.low,
        "high": look.high,
        "unit": metric_named(look.series.metric).unit,
        "n_looks": None,
        "status": look_status(look),
        "assessable": look.assessable,
        "exposure": look.exposure,
        "procedure": look.series.procedure,
        "announced": look.announced,
        **_source(look, first_url(look)),
        "note": quoted_note(look.note, look.publisher, look.via),
        "look_key": look.look_key,
        "attribution": one_cell(_said(look, attributions)),
        "closed": look.closed,
        "origin": look.origin,
        "scene": next((each.ref for each in look.evidence if each.kind == "scene"), ""),
    }


def declared_table_row(
    baseline: DeclaredBaseline, site: NamedSite, attributions: Mapping[str, str]
) -> TableRow:
    """One declared baseline as a flat row; its comparator is the statistic."""
    share = f"of {baseline.n_looks}"
    return {
        "record": "declared",
        **_place(site, baseline.series.area, baseline.series.metric, baseline.series.subject),
        **_period(site, baseline.window_start, baseline.window_end, baseline),
        "value": baseline.value,
        "unit": metric_named(baseline.series.metric).unit,
        "comparator": share if baseline.statistic == "share" else baseline.statistic,
        "n_looks": baseline.n_looks,
        "status": "declared",
        "procedure": baseline.series.procedure,
        **_source(baseline, baseline.url),
        "note": quoted_note(baseline.note, named(baseline.publisher), baseline.via),
        "look_key": baseline.key,
        "attribution": one_cell(_said(baseline, attributions)),
    }


def note_table_row(note: Note, site: NamedSite, attributions: Mapping[str, str]) -> TableRow:
    """One note as a flat row."""
    return {
        "record": "note",
        **_place(site, note.area, note.metric, note.subject),
        **_period(site, note.starts_at, note.ends_at, note),
        "status": "note",
        "announced": note.announced,
        **_source(note, note.url),
        "note": quoted_note(note.text, named(note.publisher), note.via),
        "look_key": note.key,
        "attribution": one_cell(_said(note, attributions)),
    }


HistoryRecord = Observation | DeclaredBaseline | Note


def _place(site: NamedSite, area: str, metric: str, subject: str) -> TableRow:
    return {"site_id": site.id, "site_name": site.name, "area": area, "metric": metric, "subject": subject}


def _period(site: NamedSite, start: datetime, end: datetime, record: HistoryRecord) -> TableRow:
    return {
        "local_period": period_words(start, end, record.precision, site.timezone.key, site_clock=True),
        "start": start,
        "end": end,
        "precision": record.precision,
        "written_start": record.written_start,
        "written_end": record.written_end,
        "zone": record.zone,
    }


def _source(record: HistoryRecord, url: str) -> TableRow:
    return {
        "published": None if record.undated else record.result_time,
        "knowable_from": record.result_time,
        "recorded_at": record.recorded_at,
        "revision": record.revision,
        "publisher": record.publisher,
        "via": record.via,
        "url": url,
        "certainty": record.certainty,
    }


def history_attributions(history: SiteHistory, attributions: Mapping[str, str]) -> list[str]:
    """Whose data a whole history rests on."""
    records: list[HistoryRecord] = [*history.looks, *history.declared, *history.notes]
    return each_once(said for each in records for said in _said(each, attributions))


def _said(record: HistoryRecord, attributions: Mapping[str, str]) -> Iterator[str]:
    sources = Attributions(attributions)
    return sources.look(record) if isinstance(record, Observation) else sources.statement(record)


def _who(record: HistoryRecord) -> str:
    return record.publisher if isinstance(record, Observation) else named(record.publisher)


def history_document(history: SiteHistory, attributions: Mapping[str, str] | None = None) -> TableRow:
    """The history as one JSON document."""
    return {
        "site": history.site.id,
        "metric": history.query.metric,
        "undated": history.undated,
        "looks": [_flat(each, attributions or {}) for each in history.looks],
        "declared": [_flat(each, attributions or {}) for each in history.declared],
        "notes": [_flat(each, attributions or {}) for each in history.notes],
        "attribution": history_attributions(history, attributions or {}),
    }


def _flat(record: HistoryRecord, attributions: Mapping[str, str]) -> TableRow:
    values: TableRow = asdict(record)
    remark = "text" if isinstance(record, Note) else "note"
    values[remark] = quoted_note(values[remark], _who(record), record.via)
    values = {
        **values.pop("series", {}),
        **values,
        "undated": record.undated,
        "attribution": one_cell(_said(record, attributions)),
    }
    return {name: utc_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def history_table(histories: Iterable[SiteHistory], attributions: Mapping[str, str]) -> Table:
    """The histories of some sites as one table: one point a row, inside its area or site."""
    rows: list[TableRow] = []
    shapes: list[BaseGeometry | None] = []
    sources: list[str] = []
    for history in histories:
        here = list(history_rows(history, attributions))
        rows += here
        shapes += [point_of(history.site, row["area"]) for row in here]
        sources += history_attributions(history, attributions)
    return Table(HISTORY_CELLS, rows, shapes, each_once(sources))


def feature_collection(table: Table) -> TableRow:
    """A table as GeoJSON: one feature a row."""
    features = [
        {
            "type": "Feature",
            "geometry": None if shape is None else mapping(shape),
            "properties": {
                name: utc_text(v) if isinstance(v, datetime) else v
                for name in table.types
                if name in row
                for v in (row[name],)
            },
        }
        for row, shape in zip(table.rows, table.shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features, "attribution": [*table.sources]}


def point_of(site: Site, area: str = "") -> shapely.Point:
    """A point inside the area, or inside the site where the area has no shape; never in a hole or across 180°."""
    shapes = [each.geometry for each in site.areas if each.id == area and each.geometry is not None]
    outline = shapes[0] if shapes else site.geometry
    return outline.point_on_surface()
