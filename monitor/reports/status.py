"""How the watch is going: feeds, sites, outbox and leader, read from the database alone."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version

from db.alerts import open_alerts
from db.blindness import open_periods
from db.coverage import (
    coverage_by_site,
    first_watched_by_site,
    rejected_counts,
)
from db.deliveries import OutboxSummary, outbox_summary
from db.engine import Connection, reading
from db.evaluations import unjudged
from db.leases import Lease, is_alive, lease_holder
from db.polls import last_good_polls, polls
from db.provider_states import read_state
from db.records import HOUR_S, CoverageHour, Outcome, ProviderState
from db.silences import Silence, silences
from monitor.app import App
from monitor.derive.detecting import detector_sentences
from monitor.feeds import Feed, Provider
from monitor.feeds.providers import known_providers
from monitor.flights.tracks.cadence import delivered_interval_s
from monitor.imagery.cadence import Cadence
from monitor.ops.database_health import database_trouble
from monitor.reports.passes import PassReader
from monitor.reports.radar import radar_sentences

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MANY = 1_000
_CADENCE_OVER = timedelta(hours=6)
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
    delivered_s: float | None = None
    """How far apart its good answers about one place really are, the slowest place counting; None where it watches none."""

    def is_idle(self, now: datetime) -> bool:
        """Whether it was asked once and is not asked any more, so that how it was then says nothing of now."""
        overdue = timedelta(seconds=max(_OVERDUE * self.interval_s, _OVERDUE_LEAST_S))
        return self.last_poll_at is not None and now - self.last_poll_at > overdue


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """One site; `watched_share_24h` is the share of the last day that a working feed covered, None: no feed does.

    `last_answered_at` is when a feed last gave a good answer about the whole of it. `blind_since` is set while no
    feed has watched it for so long that this was told.
    """

    id: str
    name: str
    kind: str
    watched_share_24h: float | None
    open_alerts: int
    blind_since: datetime | None = None
    last_answered_at: datetime | None = None
    passes: Cadence | None = None
    """How satellite passes over it go, of `with_passes`; None where no catalogue is asked."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
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
    radar: tuple[str, ...] = ()
    """What radar numbers have cost and what they lack, in sentences; of `with_imagery`."""
    detectors: tuple[str, ...] = ()
    """Which detectors of the user's own have counted, and of what they are judged, in sentences; of `with_imagery`."""
    storage: str = ""
    """Why nothing can be stored now, and how to mend it; '' while all is well."""


def gather_status(app: App, now: datetime) -> WatchStatus:
    """Read the status in one consistent view of the database."""
    with reading(app.engine) as connection:
        leader = lease_holder(connection)
        return WatchStatus(
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
            storage=database_trouble(app.settings, app.troubles),
        )


def with_imagery(app: App, status: WatchStatus) -> WatchStatus:
    """The same with what is to be said of radar and of detectors: whoever does not show it need not ask for it."""
    with reading(app.engine) as connection:
        access = (app.statistics, app.burst_files)
        sites = list(app.sites.values())
        said = radar_sentences(connection, known_providers(app.settings), access, sites, status.now)
        return replace(status, radar=tuple(said), detectors=tuple(detector_sentences(connection)))


def with_passes(app: App, status: WatchStatus) -> WatchStatus:
    """The same with how the passes over each site go."""
    if all(feed.watches for feed in app.feeds.values()):
        return status
    with reading(app.engine) as connection:
        reader = PassReader(connection, app, status.now)
        seen = {each.id: site for each in status.sites if not (site := app.sites[each.id]).is_region}
        reader.read(seen.values())
        told = (
            replace(each, passes=reader.cadence_of(seen[each.id])) if each.id in seen else each
            for each in status.sites
        )
        return replace(status, sites=tuple(told))


def _providers(connection: Connection, app: App, now: datetime) -> tuple[ProviderStatus, ...]:
    told = rejected_counts(connection, now - _DAY, now)
    return tuple(
        _provider(connection, feed, told.get(feed.provider.name, {}), now) for feed in app.feeds.values()
    )


def _provider(connection: Connection, feed: Feed, told: Mapping[str, int], now: datetime) -> ProviderStatus:
    provider = feed.provider
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
        delivered_s=_delivered_s(connection, provider, now) if feed.watches else None,
    )


def _delivered_s(connection: Connection, provider: Provider, now: datetime) -> float:
    """Give the usual time between good answers about one place, of the place that gets fewest; else what is configured."""
    answered: dict[str, list[datetime]] = {}
    for each in polls(
        connection, provider=provider.name, purpose="data", since=now - _CADENCE_OVER, limit=_MANY
    ):
        if each.outcome in {"ok", "empty"}:
            answered.setdefault(each.scope, []).append(each.started_at)
    apart = [delivered_interval_s(times[::-1]) for times in answered.values()]
    return max(apart, default=0.0) or float(provider.interval_s)


def _sites(connection: Connection, app: App, now: datetime) -> tuple[SiteStatus, ...]:
    opened = Counter(each.site_id for each in open_alerts(connection))
    blind = open_periods(connection)
    answered, shares = last_answered(connection, app), watched_24h_by_site(connection, list(app.sites), now)
    return tuple(
        SiteStatus(
            id=site.id,
            name=site.name,
            kind=site.kind,
            watched_share_24h=shares[site.id],
            open_alerts=opened[site.id],
            blind_since=blind[site.id].since if site.id in blind else None,
            last_answered_at=answered.get(site.id),
        )
        for site in app.sites.values()
    )


def last_answered(connection: Connection, app: App) -> dict[str, datetime]:
    """When the flight feeds last gave a good answer about each site: about all of its parts, by the best feed."""
    best: dict[str, datetime] = {}
    for feed in app.feeds.values():
        parts: dict[str, list[datetime | None]] = {}
        scopes = feed.scopes(list(app.sites.values())) if feed.watches else ()
        newest = last_good_polls(connection, feed.provider.name, {scope.key for scope in scopes})
        for scope in scopes:
            found = newest.get(scope.key)
            for site_id in scope.site_ids:
                parts.setdefault(site_id, []).append(found.finished_at if found else None)
        for site_id, moments in parts.items():
            known = [moment for moment in moments if moment is not None]
            if len(known) == len(moments):
                best[site_id] = max(min(known), best.get(site_id, min(known)))
    return best


def watched_24h_by_site(
    connection: Connection, site_ids: Collection[str], now: datetime
) -> dict[str, float | None]:
    """For each site the share of the last day in which any feed watched it, of what has passed since one first did."""
    hours = coverage_by_site(connection, site_ids, now - _DAY, now)
    begun = first_watched_by_site(connection, site_ids)
    return {
        each: watched_share(hours[each], max(now - _DAY, begun.get(each, now - _DAY)), now)
        for each in site_ids
    }


@dataclass(frozen=True, slots=True)
class FeedDay:
    """What one feed covered of one site in the last day: its hours, and their share of what has passed since it began."""

    hours: tuple[CoverageHour, ...]
    share: float | None


def feed_days(
    connection: Connection, site_ids: Collection[str], now: datetime
) -> dict[tuple[str, str], FeedDay]:
    """What each provider covered of each of these sites in the last day, by provider and site, where it was asked at all."""
    hours: dict[tuple[str, str], list[CoverageHour]] = defaultdict(list)
    for site_id, some in coverage_by_site(connection, site_ids, now - _DAY, now).items():
        for each in some:
            hours[each.provider, site_id].append(each)
    providers = sorted({provider for provider, _ in hours})
    begun = {each: first_watched_by_site(connection, site_ids, each) for each in providers}
    return {
        (provider, site_id): FeedDay(
            tuple(mine), watched_share(mine, max(now - _DAY, begun[provider][site_id]), now)
        )
        for (provider, site_id), mine in hours.items()
    }


def watched_share(hours: Iterable[CoverageHour], since: datetime, until: datetime) -> float | None:
    """The share of [since, until) that was observed; where several feeds watched an hour, the best counts.

    An hour that is not over counts as far as it has passed, one that nobody watched counts in full.
    """
    best: dict[datetime, float] = {}
    for each in hours:
        begin, end = max(since, each.hour), min(until, each.hour + _HOUR)
        within_s = max(0.0, (end - begin).total_seconds())
        # Which part of an hour that began before the day was watched is not known; a first hour began late itself.
        part = within_s / HOUR_S if begin > each.hour and each.expected_s == HOUR_S else 1.0
        best[each.hour] = max(best.get(each.hour, 0.0), min(each.observed_s * part, within_s))
    passed_s = (until - since).total_seconds()
    return sum(best.values()) / passed_s if best and passed_s > 0 else None
