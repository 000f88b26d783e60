"""What is known about one site: looks, declared baselines and notes, as they were knowable."""

from dataclasses import dataclass
from datetime import datetime

from db.declared import declared, notes
from db.engine import Connection
from db.observations import looks
from db.records import DeclaredBaseline, Note, Observation
from monitor.sites import Site


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is asked of a history; None asks for all. `subject=""` is the counts of all, as written."""

    metric: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    as_recorded: datetime | None = None
    dated_only: bool = False
    """Whether statements are left out whose date of publication nobody knows."""


@dataclass(frozen=True, slots=True)
class SiteHistory:
    """The answer, in order of time."""

    site: Site
    query: HistoryQuery
    looks: tuple[Observation, ...]
    declared: tuple[DeclaredBaseline, ...]
    notes: tuple[Note, ...]
    undated: int = 0
    """How many statements have no known date of publication; they are left out where the query says so."""

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
    said: list[Observation | DeclaredBaseline | Note] = [*found, *statements, *remarks]
    undated = sum(each.undated for each in said)
    return SiteHistory(
        site,
        query,
        tuple(each for each in found if not (query.dated_only and each.undated)),
        tuple(each for each in statements if not (query.dated_only and each.undated)),
        tuple(each for each in remarks if not (query.dated_only and each.undated)),
        undated,
    )


def _overlaps(remark: Note, query: HistoryQuery) -> bool:
    after = query.since is None or remark.ends_at > query.since or remark.starts_at >= query.since
    return after and (query.until is None or remark.starts_at < query.until)


def first_url(look: Observation) -> str:
    """The address where a reader can follow the count, if there is one."""
    return next((each.ref for each in look.evidence if each.kind == "url"), "")
