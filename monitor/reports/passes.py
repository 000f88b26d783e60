"""How the passes over each site go, read out of what catalogues listed and when they answered last."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from db.engine import Connection
from db.imagery import scenes
from db.observations import looks_at
from db.polls import last_good_polls
from db.records import Observation, Scene
from monitor.app import App
from monitor.imagery.cadence import Cadence, cadence, told_scenes
from monitor.imagery.looks import PASSES_METRIC
from monitor.imagery.next_pass import PASS_WINDOW
from monitor.sites import Site


class PassReader:
    """Reads the cadence of sites, all in one view of the database: of those given at once, of others one by one."""

    def __init__(self, connection: Connection, app: App, now: datetime) -> None:
        self._connection, self._now, self._app = connection, now, app
        self._intervals = {name: feed.provider.interval_s for name, feed in app.feeds.items()}
        self._answers: Mapping[str, Mapping[str, datetime]] | None = None
        self._known: dict[str, tuple[list[Scene], list[Observation]]] = {}

    def read(self, sites: Iterable[Site]) -> None:
        """Read what is needed of these sites in one go."""
        wanted = {site.id for site in sites} - self._known.keys()
        if not wanted:
            return
        since = self._now - PASS_WINDOW
        listed: dict[str, list[Scene]] = defaultdict(list)
        for scene in scenes(self._connection, site_ids=wanted, since=since, until=self._now):
            listed[scene.site_id].append(scene)
        seen: dict[str, list[Observation]] = defaultdict(list)
        for look in looks_at(self._connection, wanted, metric=PASSES_METRIC.name, since=since):
            seen[look.series.site_id].append(look)
        self._known |= {each: (listed[each], seen[each]) for each in wanted}

    def cadence_of(self, site: Site) -> Cadence:
        """How the passes over one site go.

        Only a catalogue that lists what is told of can say that it is missing: others may answer while it is silent.
        """
        self.read([site])
        if self._answers is None:
            self._answers = _answered(self._connection, self._app)
        known, seen = self._known[site.id]
        answered = self._answers.get(site.id, {})
        about: dict[str, datetime] = {}
        listing = set()
        for scene in told_scenes(known):
            if at := answered.get(scene.provider):
                about[scene.platform] = max(at, about.get(scene.platform, at))
                listing.add(scene.provider)
        every = min((self._intervals[name] for name in listing), default=0)
        newest = max(about.values(), default=None)
        return cadence(
            known,
            seen,
            self._now,
            asked_at=newest,
            every=timedelta(seconds=every),
            asked_about=about,
            flown=self._app.orbits.passes_over(site),
        )


def _answered(connection: Connection, app: App) -> Mapping[str, Mapping[str, datetime]]:
    """When providers that watch nothing by themselves last gave a good answer about each site, by site and provider."""
    found: dict[str, dict[str, datetime]] = {}
    for name, feed in app.feeds.items():
        scopes = () if feed.watches else feed.scopes(list(app.sites.values()))
        newest = last_good_polls(connection, name, {scope.key for scope in scopes})
        for scope in scopes:
            if poll := newest.get(scope.key):
                for site_id in scope.site_ids:
                    found.setdefault(site_id, {})[name] = poll.started_at
    return found
