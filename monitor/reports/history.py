"""What is known about one site: looks, declared baselines and notes, as they were knowable; and the words for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from alerts.words import listed
from db.declared import declared, notes
from db.observations import looks
from db.records import DeclaredBaseline, Note, Observation, Precision
from monitor.sites import Site

_QUALIFIERS = {"=": "", "~=": " (about)", ">=": " (at least)", "<=": " (at most)"}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is asked of a history; None asks for all. `subject=""` is the counts of all, as written."""

    metric: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    as_recorded: datetime | None = None


@dataclass(frozen=True, slots=True)
class SiteHistory:
    """The answer, in order of time."""

    site: Site
    query: HistoryQuery
    looks: tuple[Observation, ...]
    declared: tuple[DeclaredBaseline, ...]
    notes: tuple[Note, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is recorded, which is not zero."""
        return not (self.looks or self.declared or self.notes)


def read_history(connection: Connection, site: Site, query: HistoryQuery) -> SiteHistory:
    """Read one site's history; `since` and `until` limit looks and notes, for a baseline is about its whole window."""
    known = (query.as_of, query.as_recorded)
    found = looks(
        connection,
        site_id=site.id,
        metric=query.metric,
        subject=query.subject,
        since=query.since,
        until=query.until,
        as_of=query.as_of,
        as_recorded=query.as_recorded,
    )
    statements = [
        each
        for each in declared(connection, site.id, query.metric, *known)
        if query.subject in {None, each.series.subject}
    ]
    remarks = [
        each
        for each in notes(connection, site.id, query.metric, *known)
        if query.subject in {None, each.subject} and _overlaps(each, query)
    ]
    return SiteHistory(site, query, tuple(found), tuple(statements), tuple(remarks))


def _overlaps(remark: Note, query: HistoryQuery) -> bool:
    after = query.since is None or remark.ends_at > query.since or remark.starts_at >= query.since
    return after and (query.until is None or remark.starts_at < query.until)


def number_words(value: float) -> str:
    """A number in plain digits, without needless decimals."""
    return str(int(value)) if float(value).is_integer() else str(value)


def count_words(look: Observation) -> str:
    """The count with its qualifier, `73 (about)`; `–` where there is none."""
    return "–" if look.value is None else f"{number_words(look.value)}{_QUALIFIERS[look.qualifier]}"


def interval_words(look: Observation) -> str:
    """The interval around the count, if one is known."""
    if look.low is None and look.high is None:
        return ""
    if look.high is None:
        return f"from {number_words(look.low or 0.0)}"
    if look.low is None:
        return f"up to {number_words(look.high)}"
    return f"{number_words(look.low)} to {number_words(look.high)}"


def exposure_words(exposure: float | None) -> str:
    """The share that was really observed."""
    return "unknown" if exposure is None else f"{exposure:.0%}"


def status_words(look: Observation) -> str:
    """What became of the look: counted, none seen, not assessable, no count."""
    return ", ".join(_status(look))


def _status(look: Observation) -> Iterator[str]:
    if look.assessable is False:
        cloud = look.exposure_parts.get("cloud_fraction")
        why = f"cloud {cloud:.0%}" if cloud else look.note.rstrip(".")
        yield f"not assessable: {why}" if why else "not assessable"
    elif look.value is None:
        yield "no count"
    else:
        yield "none seen" if look.value == 0 else "counted"
    if not look.closed:
        yield "period still running"
    if look.announced:
        yield "announced"


def statement_words(baseline: DeclaredBaseline) -> str:
    """What a declared baseline says."""
    value = "?" if baseline.value is None else number_words(baseline.value)
    match baseline.statistic:
        case "max":
            return f"at most {value}"
        case "none_before":
            return "none seen before"
        case "last_seen":
            return "last seen then"
    return f"seen in {value} of {baseline.n_looks} looks"


def looks_words(baseline: DeclaredBaseline) -> str:
    """How many looks stand behind a declared baseline."""
    return "not published" if baseline.n_looks is None else str(baseline.n_looks)


def period_words(start: datetime, end: datetime, precision: Precision, zone: tzinfo) -> str:
    """A period on the site's own calendar, no finer than it is known."""
    first = start.astimezone(zone)
    last = max(start, end - _MICROSECOND).astimezone(zone)
    form = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H h", "month": "%Y-%m"}.get(precision, "%Y-%m-%d")
    if precision == "window" and last.date() == first.date() and end - start < timedelta(hours=23):
        form = "%Y-%m-%d %H:%M"
    begins, ends = f"{first:{form}}", f"{last:{form}}"
    return begins if begins == ends else f"{begins} to {ends}"


def source_words(publisher: str, via: str) -> str:
    """Who says it, and who retold it; '' where nobody is named."""
    return f"{publisher} (via {via})" if publisher and via else publisher or via


def own_words(look: Observation) -> str:
    """That we counted ourselves, and from whose data."""
    return f"sitewatch, from {listed(look.data_from)}" if look.data_from else "sitewatch"


def first_url(look: Observation) -> str:
    """The address where a reader can follow the count, if there is one."""
    return next((each.ref for each in look.evidence if each.kind == "url"), "")
