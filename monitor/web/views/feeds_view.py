"""The page about the feeds: who is asked, how they are, under which terms, and what they heard where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.coverage import coverage
from db.engine import reading
from db.polls import requests_since
from monitor.app import App
from monitor.feeds import Provider
from monitor.feeds.options import requests_a_day
from monitor.feeds.providers import configured_providers
from monitor.flights.words import cadence_words
from monitor.reports.status import ProviderStatus, WatchStatus, gather_status, watched_24h
from monitor.sites import Site
from monitor.web.views.feed_coverage import RECEPTION_OVER

_HEALTH = {
    "ok": "works",
    "failing": "fails",
    "disabled": "stopped until a person acts",
    "unknown": "not asked yet",
}
_IDLE = "not asked any more"


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One provider that is asked."""

    provider: Provider
    status: ProviderStatus
    what: str
    health: str
    lamp: str
    resting: bool
    budget: str
    cadence: str
    """What its answers come too seldom for, in words; '' where they come often enough."""


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

    status: WatchStatus
    feeds: tuple[FeedRow, ...]
    off: tuple[Provider, ...]
    heard: tuple[HeardRow, ...]


def feeds_page(app: App, now: datetime) -> FeedsPage:
    """Gather the page of the feeds."""
    status = gather_status(app, now)
    by_name = {each.name: each for each in status.providers}
    with reading(app.engine) as connection:
        asked = requests_since(connection, now - RECEPTION_OVER)
    return FeedsPage(
        status=status,
        feeds=tuple(
            _feed(
                by_name[name],
                feed.provider,
                "aircraft" if feed.watches else "satellite scenes",
                _budget(
                    by_name[name].state.credits,
                    asked.get(name, 0),
                    requests_a_day(feed.provider, len(feed.scopes(list(app.sites.values())))),
                ),
                now,
            )
            for name, feed in app.feeds.items()
        ),
        off=tuple(each for each in configured_providers(app.settings) if not each.enabled),
        heard=tuple(_heard(app, now)),
    )


def _feed(status: ProviderStatus, provider: Provider, what: str, budget: str, now: datetime) -> FeedRow:
    until = status.state.not_before
    resting = until is not None and until > now
    health, lamp = _HEALTH[status.state.health], status.state.health
    if lamp == "ok" and status.is_idle(now) and not resting:
        health, lamp = _IDLE, "unknown"
    cadence = cadence_words(status.delivered_s)
    return FeedRow(provider, status, f"{what} · {provider.kind}", health, lamp, resting, budget, cadence)


def _budget(left: Mapping[str, Any] | None, asked: int, planned: int) -> str:
    """What was asked of what is planned, and the credits where the provider counts them."""
    said = f"{asked:,} requests in the last 24 hours; the plan needs {planned:,} a day"
    if not left:
        return said
    spent = f"{left['spent']:,g} credits spent since {left['since'][:10]}"
    remaining = left.get("left")
    return (
        f"{said}; {spent}, {'it is not known how many are' if remaining is None else f'{remaining:,g}'} left"
    )


def _heard(app: App, now: datetime) -> list[HeardRow]:
    rows = []
    with reading(app.engine) as connection:
        for site in app.sites.values():
            hours = coverage(connection, site.id, now - RECEPTION_OVER, now) if site.flies else []
            for name in sorted(name for name, feed in app.feeds.items() if feed.watches and site.flies):
                mine = [each for each in hours if each.provider == name]
                reports = sum(each.reports_nearby for each in mine)
                degraded = any(each.degraded for each in mine)
                share = watched_24h(connection, site.id, now, name)
                rows.append(HeardRow(site, name, share, reports, degraded))
    return rows
