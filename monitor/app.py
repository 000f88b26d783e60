"""The program, put together by `monitor.bootstrap`: what the straight line in `monitor.pipeline` needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alerts.attribution import Attributions
from alerts.channels import Channel
from alerts.routing import Routing
from alerts.rules.contract import Rule
from alerts.watch import SiteWatch
from db.engine import Engine
from monitor.config.settings import Settings
from monitor.derive.orbit_files import OrbitFiles
from monitor.derive.pictures import HostsByProvider
from monitor.errors import InputError
from monitor.feeds import Feed, FeedClient
from monitor.feeds.earthdata import EarthdataFiles
from monitor.feeds.http import GuardedClient
from monitor.feeds.providers import known_providers
from monitor.feeds.sentinel_hub import SentinelHubStatistics
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Classes
from monitor.ops.database_health import describe_database
from monitor.ops.heartbeat import DeadMan
from monitor.ops.outages import OutageRegister
from monitor.sites import Site
from monitor.sites.faults import printable_value, word_advice
from monitor.sites.reload import SitesFile


@dataclass(frozen=True, slots=True)
class App:
    """The program, put together: everything that the straight line in `monitor.pipeline` needs."""

    settings: Settings
    engine: Engine
    sites_file: SitesFile
    feeds: Mapping[str, Feed]
    channels: Mapping[str, Channel]
    rules: Mapping[str, Rule]
    pictures: FeedClient
    """Reads the files of scenes, from these hosts of each provider and no other."""
    picture_clients: Mapping[str, FeedClient]
    """Does the same for providers with certificate authorities of their own."""
    picture_hosts: HostsByProvider
    statistics: Mapping[str, SentinelHubStatistics] = field(default_factory=dict)
    """Whoever reckons numbers of radar passes for us, by the provider that lists them: those with a key."""
    burst_files: Mapping[str, EarthdataFiles] = field(default_factory=dict)
    """Reads radar bursts from behind a login, by the provider that lists them: those with a token."""
    deadman: DeadMan | None = None
    clients: Sequence[GuardedClient] = ()
    classes: Classes = field(default_factory=default_classes)
    routing: Routing = field(default_factory=Routing)
    orbits: OrbitFiles = field(default_factory=lambda: OrbitFiles(()))
    """Where satellites fly, by the orbit elements that the user supplies."""
    troubles: OutageRegister = field(default_factory=OutageRegister)

    @property
    def sites(self) -> Mapping[str, Site]:
        """The watched sites by id, as they are now."""
        return self.sites_file.sites.by_id

    @property
    def watches(self) -> Mapping[str, SiteWatch]:
        """What is watched at each site, with the rules that apply there."""
        return self.sites_file.watches(
            self.settings.watch, self.settings.lapse_after_days, self.settings.false_alarms_per_site_year
        )

    @property
    def attributions(self) -> Mapping[str, str]:
        """How each provider wants to be named, also those that are switched off: their data may still be there."""
        known = [*known_providers(self.settings), *(feed.provider for feed in self.feeds.values())]
        return {provider.name: provider.attribution for provider in known}

    @property
    def sources(self) -> Attributions:
        """How everybody whose data an answer rests on is named."""
        return Attributions(self.attributions)

    @property
    def noticed(self) -> tuple[str, ...]:
        """The channels that are told about sitewatch itself."""
        return self.routing.noticed(tuple(self.channels))

    @property
    def database(self) -> str:
        """Where the database is, in words and without password."""
        return describe_database(self.settings)

    def known_site(self, site_id: str) -> Site:
        """The site with this id; raises InputError that names those there are."""
        site = self.sites.get(site_id)
        if site is None:
            raise InputError(
                f"No watched site has the id {printable_value(site_id)}. {word_advice(site_id, self.sites)}"
            )
        return site

    def close(self) -> None:
        """Close every connection."""
        for client in self.clients:
            client.close()
        self.engine.dispose()
