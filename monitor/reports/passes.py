"""How the passes over each site go, read out of what catalogues listed and when they answered last."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from db.engine import Connection
from db.imagery import scenes
from db.observations import looks
from db.polls import last_good_poll
from monitor.app import App
from monitor.imagery.cadence import Cadence, cadence
from monitor.imagery.looks import PASSES_METRIC
from monitor.imagery.next_pass import PASS_WINDOW
from monitor.sites import Site


class PassReader:
    """Reads the cadence of sites, all in one view of the database."""

    def __init__(self, connection: Connection, app: App, now: datetime) -> None:
        self._connection, self._now = connection, now
        self._intervals = {name: feed.provider.interval_s for name, feed in app.feeds.items()}
        self._answered = _answered(connection, app)

    def cadence_of(self, site: Site) -> Cadence:
        """How the passes over one site go."""
        since = self._now - PASS_WINDOW
        known = scenes(self._connection, site_id=site.id, since=since, until=self._now)
        seen = looks(
            self._connection, site_id=site.id, metric=PASSES_METRIC.name, area="", subject="", since=since
        )
        answered = self._answered.get(site.id, {})
        listing = {each.provider for each in known} & answered.keys()
        every = min((self._intervals[name] for name in listing), default=0)
        newest = max((answered[name] for name in listing), default=None)
        return cadence(known, seen, self._now, asked_at=newest, every=timedelta(seconds=every))


def _answered(connection: Connection, app: App) -> Mapping[str, Mapping[str, datetime]]:
    """When providers that watch nothing by themselves last gave a good answer about each site, by site and provider."""
    found: dict[str, dict[str, datetime]] = {}
    for name, feed in app.feeds.items():
        for scope in () if feed.watches else feed.scopes(list(app.sites.values())):
            if poll := last_good_poll(connection, name, scope.key):
                for site_id in scope.site_ids:
                    found.setdefault(site_id, {})[name] = poll.started_at
    return found
