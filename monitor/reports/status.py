"""How the watch is going: feeds, sites, outbox and leader, read from the database alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from db.alerts import alerts
from db.blindness import open_periods
from db.coverage import coverage, rejected
from db.deliveries import OutboxSummary, outbox_summary
from db.engine import Connection, reading
from db.evaluations import unjudged
from db.leases import Lease, holder, is_alive
from db.polls import polls
from db.provider_states import read_state
from db.records import CoverageHour, Outcome, ProviderState
from db.silences import Silence, silences
from monitor.app import App
from monitor.feeds import Provider
from monitor.ops.database_health import trouble

_DAY = timedelta(days=1)
_HOUR_S = 3600
_MANY = 1_000
_OVERDUE, _OVERDUE_LEAST_S = 3, 600
"""Intervals, and seconds at the least, after which a provider that nobody asks is idle."""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider: how it is, and what its newest poll for data gave (None: never asked, or under way)."""

    name: str
    kind: str
    interval_s: int
    licence: str
    attribution: str
    state: ProviderState
    last_poll_at: datetime | None
    last_outcome: Outcome | None
    last_items: int | None
    rejected_24h: Mapping[str, int]
    """Position reports of the last day that were not believed, by reason."""

    def is_idle(self, now: datetime) -> bool:
        """Whether it was asked once and is not asked any more, so that how it was then says nothing of now."""
        overdue = timedelta(seconds=max(_OVERDUE * self.interval_s, _OVERDUE_LEAST_S))
        return self.last_poll_at is not None and now - self.last_poll_at > overdue


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """One site; `watched_share_24h` is the share of the last day that a working feed covered, None: no feed does.

    `blind_since` is set while no feed has watched it for so long that this was told.
    """

    id: str
    name: str
    kind: str
    watched_share_24h: float | None
    open_alerts: int
    blind_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `sitewatch status` and the page show of the program itself."""

    version: str
    now: datetime
    database: str
    leader: Lease | None
    leader_alive: bool
    providers: tuple[ProviderStatus, ...]
    sites: tuple[SiteStatus, ...]
    channels: tuple[str, ...]
    outbox: OutboxSummary
    silences: tuple[Silence, ...]
    waiting_looks: int
    """Looks that wait to be judged, counted up to 1,000."""
    storage: str = ""
    """Why nothing can be stored now, and how to mend it; '' while all is well."""


def gather(app: App, now: datetime) -> Status:
    """Read the status in one consistent view of the database."""
    with reading(app.engine) as connection:
        leader = holder(connection)
        return Status(
            version=version("sitewatch"),
            now=now,
            database=app.database,
            leader=leader,
            leader_alive=is_alive(leader, now, app.settings.lease_s),
            providers=_providers(connection, app, now),
            sites=_sites(connection, app, now),
            channels=tuple(app.channels),
            outbox=outbox_summary(connection, now),
            silences=tuple(silences(connection, now)),
            waiting_looks=len(unjudged(connection, now, _MANY)),
            storage=trouble(app.settings, app.troubles),
        )


def _providers(connection: Connection, app: App, now: datetime) -> tuple[ProviderStatus, ...]:
    told = rejected(connection, now - _DAY, now)
    return tuple(
        _provider(connection, feed.provider, told.get(feed.provider.name, {}), now)
        for feed in app.feeds.values()
    )


def _provider(
    connection: Connection, provider: Provider, told: Mapping[str, int], now: datetime
) -> ProviderStatus:
    last = next(iter(polls(connection, provider=provider.name, purpose="data", limit=1)), None)
    return ProviderStatus(
        name=provider.name,
        kind=provider.kind,
        interval_s=provider.interval_s,
        licence=provider.licence,
        attribution=provider.attribution,
        state=read_state(connection, provider.name, now),
        last_poll_at=last.started_at if last else None,
        last_outcome=last.outcome if last else None,
        last_items=last.item_count if last else None,
        rejected_24h=told,
    )


def _sites(connection: Connection, app: App, now: datetime) -> tuple[SiteStatus, ...]:
    opened = [each.site_id for each in alerts(connection, status="open")]
    blind = open_periods(connection)
    return tuple(
        SiteStatus(
            id=site.id,
            name=site.name,
            kind=site.kind,
            watched_share_24h=watched_share(coverage(connection, site.id, now - _DAY, now)),
            open_alerts=opened.count(site.id),
            blind_since=blind[site.id].since if site.id in blind else None,
        )
        for site in app.sites.values()
    )


def watched_share(hours: Iterable[CoverageHour]) -> float | None:
    """The share of what was expected that was observed; where several feeds watched an hour, the best counts."""
    best: dict[datetime, CoverageHour] = {}
    for each in hours:
        known = best.get(each.hour)
        if known is None or each.observed_s > known.observed_s:
            best[each.hour] = each
    expected_s = sum(each.expected_s for each in best.values())
    return sum(each.observed_s for each in best.values()) / expected_s if expected_s else None
