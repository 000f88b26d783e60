"""What is known about one site: looks, declared baselines and notes, as they were knowable."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from db.declared import declared, notes
from db.engine import Connection
from db.observations import looks
from db.pages import sites_on_record
from db.records import DeclaredBaseline, Note, Observation
from monitor.sites import Site


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is asked of a history; None asks for all. The subject `""` is the counts of all, as written."""

    metric: str | None = None
    subjects: Collection[str] | None = None
    """One of these."""
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    as_recorded: datetime | None = None
    dated_only: bool = False
    """Whether statements are left out whose date of publication nobody knows."""

    def takes(self, subject: str) -> bool:
        """Whether counts of this subject are asked for."""
        return self.subjects is None or subject in self.subjects


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
        subject=query.subjects,
        since=query.since,
        until=query.until,
        as_of=query.as_of,
        as_recorded=query.as_recorded,
    )
    statements = [
        each
        for each in declared(connection, site.id, query.metric, *known)
        if query.takes(each.series.subject)
    ]
    remarks = [
        each
        for each in notes(connection, site.id, query.metric, *known)
        if query.takes(each.subject) and _overlaps(each, query)
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


def read_histories(
    connection: Connection,
    sites: Iterable[Site],
    metric: str | None,
    ask: Callable[[Site], HistoryQuery],
) -> list[SiteHistory]:
    """Read the histories of those of these sites of which anything of the metric is on record, in their order.

    `ask` says what is asked of each, for its days are its own.
    """
    recorded = sites_on_record(connection, metric)
    found = (read_history(connection, each, ask(each)) for each in sites if each.id in recorded)
    return [each for each in found if not each.empty]
