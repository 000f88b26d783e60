"""What one row says, column by column, checked against the sites and the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from alerts.metrics import NOTE_METRIC, metric_named
from alerts.words import utc
from db.spelling import spelled
from monitor.imports import periods, values
from monitor.imports.faults import BadCell, ImportFault
from monitor.imports.numbers import number
from monitor.imports.reader import RowReader
from monitor.imports.sources import RawRow
from monitor.imports.values import Comparator
from monitor.sites import Site
from monitor.sites.faults import did_you_mean, printable_value

# A date may already be tomorrow's where the publisher lives.
_DATES_AHEAD = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class ImportClock:
    """`recorded_at` is stamped on every record; with `latest`, nothing may happen or be published after it."""

    recorded_at: datetime
    latest: datetime | None = None
    zone: str = ""
    """Whose days bare dates are where a row does not say, '' the site's own."""


@dataclass(frozen=True, slots=True)
class RowPeriod:
    """The period that a row is about, and when it was knowable."""

    period: periods.Period
    result_time: datetime
    undated: bool = False
    """Whether that is only the earliest: nobody says when it was published."""


@dataclass(frozen=True, slots=True)
class RowNumbers:
    """The numbers of a row."""

    says: Comparator
    value: float | None = None
    low: float | None = None
    high: float | None = None
    assessable: bool | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Who says it and where it can be read."""

    publisher: str
    via: str
    url: str
    links: tuple[str, ...]
    scene: str
    certainty: str
    reviewer: str
    review: str
    note: str


@dataclass(frozen=True, slots=True)
class RowFields:
    """One good row; shares are 0 to 1, `gsd_m` is the size of a pixel."""

    site_id: str
    area: str
    metric: str
    subject: str
    procedure: str
    when: RowPeriod
    finding: RowNumbers
    citation: Citation
    exposure: float | None
    cloud_fraction: float | None
    gsd_m: float | None
    announced: bool
    row_id: str
    zone: str
    """Whose days the row's dates are, '' the site's own."""
    file: str
    label: str


def read_fields(
    raw: RawRow, sites: Mapping[str, Site], clock: ImportClock
) -> RowFields | tuple[ImportFault, ...]:
    """Read every cell of a row; gives its fields, or all its faults."""
    if raw.faults:
        return raw.faults
    reader = RowReader(raw)
    site = reader.required("site_id", lambda text: _site(text, sites))
    metric = reader.required("metric", values.parse_metric)
    says = reader.attempt("comparator", lambda: values.parse_comparator(reader.text("comparator")))
    zone = reader.attempt("zone", lambda: values.zone(reader.text("zone") or clock.zone))
    own: tzinfo = site.timezone if site else UTC
    when = _when(reader, own if zone is None else zone[1] or own, clock)
    finding = _finding(reader, metric, says) if metric and says else None
    citation = _citation(reader)
    area = reader.optional("area", lambda text: _area(text, site)) or ""
    subject = reader.optional("subject", values.parse_subject) or ""
    procedure = _procedure(reader, "published" if citation.publisher or citation.url else "analyst")
    exposure = reader.optional("exposure", values.parse_share)
    cloud_fraction = reader.optional("cloud_fraction", values.parse_share)
    gsd_m = reader.optional("gsd_m", number)
    announced = reader.optional("announced", values.parse_yes_no) or False
    row_id = spelled(reader.text("id"))
    if reader.faults or not (site and metric and when and finding):
        return tuple(reader.faults)
    return RowFields(
        site_id=site.id,
        area=area,
        metric=metric,
        subject=subject,
        procedure=procedure,
        when=when,
        finding=finding,
        citation=citation,
        exposure=exposure,
        cloud_fraction=cloud_fraction,
        gsd_m=gsd_m,
        announced=announced,
        row_id=row_id,
        zone=zone[0] if zone else "",
        file=raw.source,
        label=raw.label,
    )


def _site(text: str, sites: Mapping[str, Site]) -> Site:
    text = spelled(text)
    if text not in sites:
        raise BadCell(f"{printable_value(text)} is not a watched site", did_you_mean(text, sites))
    return sites[text]


def _area(text: str, site: Site | None) -> str:
    text = spelled(text)
    named = [area.id for area in site.areas] if site else [text]
    if text in named:
        return text
    where = f"{printable_value(text)} is not an area of this site"
    if not named:
        raise BadCell(where, "It has none: leave area empty, or add the area to the sites file")
    raise BadCell(where, did_you_mean(text, named))


def _procedure(reader: RowReader, default: str) -> str:
    method = reader.optional("method", values.parse_method_part) or default
    version = reader.optional("method_version", values.parse_method_part)
    sensor = reader.optional("sensor", values.parse_method_part)
    return f"{method}{f':{version}' if version else ''}{f'@{sensor}' if sensor else ''}"


def _citation(reader: RowReader) -> Citation:
    return Citation(
        publisher=reader.text("publisher"),
        via=reader.text("via"),
        url=reader.optional("url", values.parse_web_address) or "",
        links=tuple(_link(reader, each) for each in reader.raw.links),
        scene=spelled(reader.text("scene")),
        certainty=reader.optional("certainty", values.parse_certainty) or "",
        reviewer=reader.text("reviewer"),
        review=reader.text("review"),
        note=reader.text("note"),
    )


def _link(reader: RowReader, text: str) -> str:
    return reader.attempt("evidence", lambda: values.parse_web_address(values.plain_text(text))) or ""


def _when(reader: RowReader, zone: tzinfo, clock: ImportClock) -> RowPeriod | None:
    start = reader.required("start", lambda text: periods.parse_time(text, zone))
    if start is None:
        reader.optional("end", lambda text: periods.parse_time(text, zone))
        return None
    had = len(reader.faults)
    end = reader.optional("end", lambda text: periods.parse_time(text, zone))
    precision = reader.attempt("precision", lambda: periods.precision_of(reader.text("precision"), start))
    if precision is None or len(reader.faults) > had:
        return None
    period = reader.attempt("end", lambda: periods.import_period(start, end or start, precision, zone))
    if period is None:
        return None
    published = reader.text("published")
    known = reader.attempt("published", lambda: periods.result_time(published, period, zone))
    return (
        None
        if known is None
        else _bounded(reader, RowPeriod(period, known, not published), clock, published=bool(published))
    )


def _bounded(reader: RowReader, when: RowPeriod, clock: ImportClock, *, published: bool) -> RowPeriod:
    """The same, knowable no later than it is recorded; times to come are faults."""
    latest = clock.latest
    if latest is None:
        return when
    now = utc(latest)
    if when.period.start > latest:
        reader.fault("start", f"it lies in the future (it is {now})", "Check the year and the month")
    elif published and when.result_time > latest + _DATES_AHEAD:
        reader.fault("published", f"it lies in the future (it is {now})", "Check the year and the month")
    known = max(when.period.start, min(when.result_time, latest))
    # What is brought in before its period has ended is known from then on.
    return RowPeriod(when.period, known, undated=when.undated and known == when.result_time)


def _finding(reader: RowReader, metric: str, says: Comparator) -> RowNumbers:
    assessable = reader.optional("assessable", values.parse_yes_no)
    value = reader.optional("value", lambda text: values.parse_amount(text, metric))
    reader.optional("unit", lambda text: values.check_unit(text, metric))
    most = metric_named(metric).most
    low, high = (reader.optional(name, lambda text: number(text, most)) for name in ("low", "high"))
    found = RowNumbers(says, value, low, high, assessable)
    if metric == NOTE_METRIC:
        _check_note(reader, found)
    elif says.says == "count":
        _check_count(reader, found)
    else:
        _check_statement(reader, found)
    if says.statistic == "none_before" and says.says == "statistic":
        return RowNumbers(says, 0.0)
    return found


def _check_note(reader: RowReader, found: RowNumbers) -> None:
    if found.says.says != "count":
        reader.fault("comparator", "a note carries no statistic", "Leave it empty, or name a metric")


def _check_count(reader: RowReader, found: RowNumbers) -> None:
    if found.assessable is False:
        for column in ("value", "low", "high"):
            if reader.text(column):
                problem = "a look that could not be assessed has no count"
                reader.fault(column, problem, "Leave it empty, or write assessable yes")
        return
    if not reader.text("value"):
        mend = "Write the count (0 where none was there), or assessable no where nothing could be counted"
        reader.fault("value", "it is empty", mend)
    order = [each for each in (found.low, found.value, found.high) if each is not None]
    if order != sorted(order):
        reader.fault("low", "low, value and high are not in this order", "Check the three numbers")


def _check_statement(reader: RowReader, found: RowNumbers) -> None:
    says = found.says
    for column in ("low", "high", "assessable"):
        if reader.text(column):
            mend = "Leave it empty; only counts of single looks have it"
            reader.fault(column, "a statement about a whole window has none", mend)
    given = reader.text("value")
    if says.says == "trend" and given:
        reader.fault(
            "value", "trend_up carries no number", "Leave it empty, or write a comparator such as = or max"
        )
    elif says.statistic in {"max", "share"} and says.says == "statistic" and not given:
        reader.fault("value", "it is empty", "Write the number that was published")
    elif says.statistic == "none_before" and says.says == "statistic" and (found.value or 0) > 0:
        reader.fault("value", "none_before means 0", "Leave it empty, or write 0")
    elif says.n_looks is not None and found.value is not None and found.value > says.n_looks:
        problem = f"{given} of {says.n_looks} is more than all looks"
        reader.fault("value", problem, "Check both numbers")
