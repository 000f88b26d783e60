"""What the flight feeds heard, read for all sites at once: hours near each site, and the busiest places."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from db.coverage import coverage_by_site
from db.engine import Connection
from db.polls import last_good_polls, polls
from monitor.feeds import Feed, Scope
from monitor.sites import Site
from monitor.sites.airports import nearest_airport
from monitor.web.views.feed_coverage import RECEPTION_OVER, BusyPlace, Reception


def read_reception(
    connection: Connection,
    sites: Iterable[Site],
    feeds: Iterable[Feed],
    names: Mapping[str, str],
    now: datetime,
) -> Reception:
    """What was heard in the 24 hours before `now`."""
    flying = [site for site in sites if site.flies]
    hours = coverage_by_site(connection, [site.id for site in flying], now - RECEPTION_OVER, now)
    crowds = [
        crowd for feed in feeds if feed.watches for crowd in _crowds(connection, feed, flying, names, now)
    ]
    return Reception(hours, crowds)


def _crowds(
    connection: Connection, feed: Feed, sites: list[Site], names: Mapping[str, str], now: datetime
) -> Iterator[BusyPlace]:
    provider = feed.provider.name
    scopes = feed.scopes(sites)
    newest = last_good_polls(connection, provider, {scope.key for scope in scopes})
    for scope in scopes:
        found = newest.get(scope.key)
        if found is not None and now - RECEPTION_OVER <= found.started_at <= now:
            place = names.get(scope.site_ids[0], scope.site_ids[0])
            yield BusyPlace(provider, place, found.item_count or 0, scope.site_ids)
    # A feed whose every answer is empty is asked about a busy place, to know that it works at all.
    for asked in polls(
        connection, provider=provider, purpose="canary", since=now - RECEPTION_OVER, until=now, limit=1
    ):
        busy = {each.key: each for each in map(feed.canary, scopes) if each is not None}
        if asked.scope in busy:
            yield BusyPlace(provider, _place(busy[asked.scope]), asked.item_count or 0)


def _place(scope: Scope) -> str:
    if scope.box is not None:
        south, west, north, east = scope.box
        return nearest_airport((south + north) / 2, (west + east) / 2)
    return nearest_airport(scope.lat or 0.0, scope.lon or 0.0)
