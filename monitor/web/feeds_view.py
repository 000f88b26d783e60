"""The page about the feeds: who is asked, how they are, under which terms, and what they heard where."""

from dataclasses import dataclass
from datetime import datetime

from db.coverage import coverage
from db.engine import reading
from monitor.bootstrap import App
from monitor.feeds import Provider
from monitor.providers import configured_providers
from monitor.sites import Site
from monitor.status import ProviderStatus, Status, gather, watched_share
from monitor.web.sight import DAY

_HEALTH = {
    "ok": "works",
    "failing": "fails",
    "disabled": "stopped until a person acts",
    "unknown": "not asked yet",
}


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One provider that is asked."""

    provider: Provider
    status: ProviderStatus
    health: str
    resting: bool


@dataclass(frozen=True, slots=True)
class HeardRow:
    """What one flight feed heard near one site in the last day; `share` None: it was not asked."""

    site: Site
    provider: str
    share: float | None
    reports: int
    degraded: bool


@dataclass(frozen=True, slots=True)
class FeedsPage:
    """All that the page of the feeds shows."""

    status: Status
    feeds: tuple[FeedRow, ...]
    off: tuple[Provider, ...]
    heard: tuple[HeardRow, ...]


def feeds_page(app: App, now: datetime) -> FeedsPage:
    """Gather the page of the feeds."""
    status = gather(app, now)
    by_name = {each.name: each for each in status.providers}
    return FeedsPage(
        status=status,
        feeds=tuple(_feed(feed.provider, by_name[name], now) for name, feed in app.feeds.items()),
        off=tuple(each for each in configured_providers(app.settings) if not each.enabled),
        heard=tuple(_heard(app, now)),
    )


def _feed(provider: Provider, status: ProviderStatus, now: datetime) -> FeedRow:
    until = status.state.not_before
    return FeedRow(provider, status, _HEALTH[status.state.health], until is not None and until > now)


def _heard(app: App, now: datetime) -> list[HeardRow]:
    rows = []
    with reading(app.engine) as connection:
        for site in app.sites.values():
            hours = coverage(connection, site.id, now - DAY, now) if site.flies else []
            for name in sorted(name for name, feed in app.feeds.items() if feed.watches and site.flies):
                mine = [each for each in hours if each.provider == name]
                reports = sum(each.reports_nearby for each in mine)
                degraded = any(each.degraded for each in mine)
                rows.append(HeardRow(site, name, watched_share(mine), reports, degraded))
    return rows
