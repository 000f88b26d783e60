"""The page about the feeds: who is asked, how they are, under which terms, and what they heard where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.words import local_day
from db.engine import reading
from db.polls import requests_since
from db.said import chained, grouped, numeral, phrase, phrase_as
from monitor.app import App
from monitor.feeds import Provider
from monitor.feeds.options import requests_a_day
from monitor.feeds.providers import configured_providers
from monitor.flights.words import cadence_words
from monitor.reports.status import (
    FeedDay,
    ProviderStatus,
    WatchStatus,
    feed_days,
    gather_status,
    with_imagery,
)
from monitor.sites import Site
from monitor.web.views.feed_coverage import RECEPTION_OVER

_HEALTH = {
    "ok": phrase("works"),
    "failing": phrase("fails"),
    "disabled": phrase("stopped until a person acts"),
    "unknown": phrase("not asked yet"),
}
_IDLE = phrase("not asked any more")
_NOT_ASKED = FeedDay((), None)


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
    status = with_imagery(app, gather_status(app, now))
    by_name = {each.name: each for each in status.providers}
    with reading(app.engine) as connection:
        asked = requests_since(connection, now - RECEPTION_OVER)
    return FeedsPage(
        status=status,
        feeds=tuple(
            _feed(
                by_name[name],
                feed.provider,
                phrase_as("feed", "aircraft") if feed.watches else phrase("satellite scenes"),
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
    return FeedRow(
        provider,
        status,
        chained(" · ", [what, provider.kind]),
        health,
        lamp,
        resting,
        budget,
        cadence,
    )


def _budget(left: Mapping[str, Any] | None, asked: int, planned: int) -> str:
    """What was asked of what is planned, and the credits where the provider counts them."""
    said = phrase(
        "{asked} requests in the last 24 hours; the plan needs {planned} a day",
        asked=grouped(asked),
        planned=grouped(planned),
    )
    if not left:
        return said
    spent = phrase(
        "{spent} credits spent since {day}",
        spent=numeral(f"{left['spent']:,g}"),
        day=local_day(left["since"][:10], "UTC"),
    )
    remaining = left.get("left")
    if remaining is None:
        return phrase("{said}; {spent}, it is not known how many are left", said=said, spent=spent)
    return phrase("{said}; {spent}, {left} left", said=said, spent=spent, left=numeral(f"{remaining:,g}"))


def _heard(app: App, now: datetime) -> list[HeardRow]:
    sites = [site for site in app.sites.values() if site.flies]
    names = sorted(name for name, feed in app.feeds.items() if feed.watches)
    with reading(app.engine) as connection:
        days = feed_days(connection, [site.id for site in sites], now)
    return [
        HeardRow(
            site,
            name,
            day.share,
            sum(each.reports_nearby for each in day.hours),
            any(each.degraded for each in day.hours),
        )
        for site in sites
        for name in names
        for day in (days.get((name, site.id), _NOT_ASKED),)
    ]
