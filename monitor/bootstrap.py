"""The one place that names concrete classes: feeds, channels and rules, and how settings become a program."""

from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import structlog

from alerts.channels import Channel, HttpPost
from alerts.channels.apprise_sink import AppriseChannel, apprise_notifier
from alerts.channels.email import EmailChannel
from alerts.channels.log import LogChannel
from alerts.channels.mattermost import MattermostChannel
from alerts.channels.ntfy import NtfyChannel
from alerts.channels.slack import SlackChannel
from alerts.channels.slack_bot import SlackBotChannel
from alerts.channels.webhook import WebhookChannel
from alerts.metrics import METRICS, declare_metrics
from alerts.routing import Routing
from alerts.rules.absence import AbsenceRule
from alerts.rules.contract import Rule
from alerts.rules.ears import EarsRule
from alerts.rules.farrington import FarringtonRule
from alerts.rules.first_ever import FirstEverRule
from alerts.rules.first_since import FirstSinceRule
from alerts.rules.rate_change import RateChangeRule
from alerts.rules.record import RecordRule
from alerts.rules.several import SeveralRule
from alerts.rules.step import StepRule
from alerts.rules.tail import TailRule
from alerts.rules.watchlist import WatchlistRule
from db.engine import Engine, open_engine
from monitor.app import App
from monitor.config.channels import (
    AnyChannelSettings,
    AppriseSettings,
    EmailSettings,
    LogSettings,
    MattermostSettings,
    NtfySettings,
    ServerSettings,
    SlackBotSettings,
    SlackSettings,
    WebhookSettings,
)
from monitor.config.clock import monotonic_s, sleep_s, utc_now
from monitor.config.settings import Settings, SettingsError
from monitor.derive.orbit_files import OrbitFiles
from monitor.derive.pictures import PICTURE_CAPS, picture_hosts
from monitor.feeds import Feed, FeedClient, Provider
from monitor.feeds.authorities import CaFileError, trusting
from monitor.feeds.detections_file import DetectionsFileFeed
from monitor.feeds.earthdata import EarthdataFiles
from monitor.feeds.firms import FirmsFeed
from monitor.feeds.fr24_flights import Fr24FlightsFeed
from monitor.feeds.fr24_live import Fr24AirportsFeed, Fr24LiveFeed
from monitor.feeds.gfw_port_visits import GfwPortVisitsFeed
from monitor.feeds.http import Caps, GuardedClient
from monitor.feeds.ogc_features import OgcFeaturesFeed
from monitor.feeds.opensky import OpenSkyFeed
from monitor.feeds.opensky_flights import OpenSkyFlightsFeed
from monitor.feeds.opensky_tracks import OpenSkyTracksFeed
from monitor.feeds.options import rotation_slots
from monitor.feeds.providers import configured_providers
from monitor.feeds.rate_limit import no_rate_limit, rate_limiter_of
from monitor.feeds.readsb import ReadsbFeed
from monitor.feeds.sentinel_hub import SentinelHubStatistics
from monitor.feeds.stac import StacFeed
from monitor.feeds.stac_detections import StacDetectionsFeed
from monitor.flights.tracks.classes import CLASSES_FILE, ClassesError, load_classes
from monitor.flights.tracks.identity import Aircraft, Classes, is_icao
from monitor.imagery.orbits import ElementsError
from monitor.ops.heartbeat import DeadMan
from monitor.sites.faults import SitesFault, Spot, word_advice
from monitor.sites.kinds import KINDS
from monitor.sites.listed_addresses import ADDRESS_PREFIX, AddressTest
from monitor.sites.reload import SitesFile
from monitor.sites.watching import check_watch

FEEDS: Mapping[str, Callable[[Provider, FeedClient], Feed]] = {
    "readsb": ReadsbFeed,
    "opensky": OpenSkyFeed,
    "opensky_flights": OpenSkyFlightsFeed,
    "opensky_tracks": OpenSkyTracksFeed,
    "flightradar24": Fr24LiveFeed,
    "flightradar24_airports": Fr24AirportsFeed,
    "flightradar24_flights": Fr24FlightsFeed,
    "stac": StacFeed,
    "stac_detections": StacDetectionsFeed,
    "ogc_features": OgcFeaturesFeed,
    "detections_file": DetectionsFileFeed,
    "firms": FirmsFeed,
    "gfw_port_visits": GfwPortVisitsFeed,
}
"""Every kind of source by the name that `[providers.NAME] kind = …` uses."""

RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        RecordRule(),
        FirstEverRule(),
        FirstSinceRule(),
        SeveralRule(),
        WatchlistRule(),
        TailRule(),
        EarsRule("ears_c1", 24),
        EarsRule("ears_c2", 23),
        EarsRule("ears_c3", 22),
        FarringtonRule(),
        AbsenceRule(),
        StepRule(),
        RateChangeRule(),
    )
}
"""Every rule by name."""


def _slack(name: str, options: SlackSettings, _settings: Settings, post: HttpPost) -> Channel:
    return SlackChannel(name, options.webhook_url.get_secret_value(), post)


def _slack_bot(name: str, options: SlackBotSettings, _settings: Settings, post: HttpPost) -> Channel:
    token = options.token.get_secret_value()
    return SlackBotChannel(
        name, token, options.channel, post, api_url=options.api_url, buttons=options.buttons
    )


def _webhook(name: str, options: WebhookSettings, _settings: Settings, post: HttpPost) -> Channel:
    return WebhookChannel(
        name, options.url.get_secret_value(), options.secret.get_secret_value(), post, utc_now
    )


def _mattermost(name: str, options: MattermostSettings, _settings: Settings, post: HttpPost) -> Channel:
    return MattermostChannel(name, options.webhook_url.get_secret_value(), post)


def _ntfy(name: str, options: NtfySettings, _settings: Settings, post: HttpPost) -> Channel:
    token = options.token.get_secret_value() if options.token else None
    return NtfyChannel(name, options.topic_url.get_secret_value(), token, post)


def _apprise(name: str, options: AppriseSettings, _settings: Settings, _post: HttpPost) -> Channel:
    return AppriseChannel(name, apprise_notifier(options.url.get_secret_value()))


def _email(name: str, options: EmailSettings, settings: Settings, _post: HttpPost) -> Channel:
    return EmailChannel(
        name,
        options.host,
        options.port,
        security=options.security,
        username=options.username,
        password=options.password.get_secret_value() if options.password else None,
        sender=options.sender,
        recipients=options.recipients,
        tls=trusting(_ca_files(settings, options.ca_file)),
    )


def _log(name: str, _options: LogSettings, _settings: Settings, _post: HttpPost) -> Channel:
    log = structlog.get_logger("alerts.channels.log")
    return LogChannel(name, lambda line: log.warning("alert", channel=name, text=line))


CHANNELS: Mapping[str, Callable[[str, Any, Settings, HttpPost], Channel]] = {
    "slack": _slack,
    "slack_bot": _slack_bot,
    "mattermost": _mattermost,
    "ntfy": _ntfy,
    "webhook": _webhook,
    "apprise": _apprise,
    "email": _email,
    "log": _log,
}
"""Every kind of channel by the name that `[channels.NAME] kind = …` uses."""

_TOLD_SEVERITIES = ("notify", "urgent")
"""The severities of what opens alerts."""
_FEED_CAPS = Caps()
PROJECT_ADDRESS = "https://sitewatch.example/"
"""Where the program comes from, as providers are told: a reserved name (RFC 2606), for any other may be a stranger's."""


def build_app(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> App:
    """Put the program together; raises SettingsError or SitesError. Nothing is asked or written yet.

    `transport` replaces the network for feeds and pictures (a replay of recorded answers).
    """
    declare_metrics(settings.metrics)
    classes, orbits = build_classes(settings), build_orbits(settings)
    sites_file = SitesFile(settings.sites_file, rule_defaults(), address_test(classes))
    _check_followed(settings, sites_file, classes)
    _check_watch_layers(settings)
    clients: list[GuardedClient] = []
    engine = open_engine(settings.database_url.get_secret_value())
    # What is replayed was sent long ago.
    paced = engine if transport is None else None
    feeds = {
        provider.name: build_feed(provider, settings, clients, transport, paced)
        for provider in configured_providers(settings)
        if provider.enabled
    }
    hosts = picture_hosts(feed.provider for feed in feeds.values())
    pictures = _client("pictures", settings, transport=transport, caps=PICTURE_CAPS)
    picture_clients = {
        feed.provider.name: _client(
            "pictures", settings, transport=transport, caps=PICTURE_CAPS, ca_file=feed.provider.ca_file
        )
        for feed in feeds.values()
        if feed.provider.ca_file is not None
    }
    statistics = {
        feed.provider.name: _statistics(feed.provider, settings, clients, transport)
        for feed in feeds.values()
        if SentinelHubStatistics.has_keys(feed.provider) and feed.provider.kind == "stac"
    }
    burst_files = {
        feed.provider.name: _burst_files(feed.provider, settings, clients, transport)
        for feed in feeds.values()
        if EarthdataFiles.has_token(feed.provider) and feed.provider.kind == "stac"
    }
    channels = build_channels(settings, clients)
    routing = build_routing(settings, classes)
    clients += [pictures, *picture_clients.values()]
    deadman = build_deadman(settings, clients)
    return App(
        settings,
        engine,
        sites_file,
        feeds,
        channels,
        RULES,
        pictures,
        picture_clients,
        hosts,
        statistics,
        burst_files,
        deadman,
        tuple(clients),
        classes,
        routing,
        orbits,
    )


def rule_defaults() -> dict[str, Any]:
    """Every rule's parameters with their defaults, against which sites and settings are checked."""
    return {name: rule.defaults for name, rule in RULES.items()}


def address_test(classes: Classes) -> AddressTest:
    """Which aircraft belong to a watched class by their address alone, so that a list needs no reason for them."""
    return lambda icao24: classes.watches(Aircraft(icao24))


def _check_followed(settings: Settings, sites_file: SitesFile, classes: Classes) -> None:
    """Refuse a provider that is told to follow an aircraft which no site lists and no watched class holds."""
    known = address_test(classes)
    listed = {subject for site in sites_file.sites for subject in site.watchlist}
    for name, provider in settings.providers.items():
        for each in provider.options.get("icao24", "").lower().replace(",", " ").split():
            if is_icao(each) and f"{ADDRESS_PREFIX}{each}" not in listed and not known(each):
                raise SettingsError(
                    f"[providers.{name}] options icao24: {each} belongs to no watched class and stands on no site's watch "
                    f"list. Put {ADDRESS_PREFIX}{each} on the watch list of the site that it is about, with a written "
                    "reason, or take it out (docs/responsible-use.md)."
                )


def build_feed(
    provider: Provider,
    settings: Settings,
    clients: list[GuardedClient],
    transport: httpx.BaseTransport | None = None,
    engine: Engine | None = None,
) -> Feed:
    """One feed with its own guarded client, which is added to `clients`; raises SettingsError.

    With an engine its requests keep the provider's pace.
    """
    if provider.kind not in FEEDS:
        raise SettingsError(
            f"providers.{provider.name}.kind is {provider.kind!r}, which is no kind of feed. Use one of "
            f"{', '.join(FEEDS)}."
        )
    rotation_slots(provider, 0)  # raises for a number of requests that cannot be
    pace = rate_limiter_of(provider, engine, utc_now, sleep_s) if engine is not None else no_rate_limit
    client = _client(
        provider.name,
        settings,
        headers=provider.headers,
        transport=transport,
        pace=pace,
        ca_file=provider.ca_file,
    )
    clients.append(client)
    return FEEDS[provider.kind](provider, client)


def _statistics(
    provider: Provider,
    settings: Settings,
    clients: list[GuardedClient],
    transport: httpx.BaseTransport | None,
) -> SentinelHubStatistics:
    """Numbers of the passes that a provider lists, with a client of their own: another host, and no header of the catalogue's."""
    client = _client(provider.name, settings, transport=transport, ca_file=provider.ca_file)
    clients.append(client)
    return SentinelHubStatistics(provider, client)


def _burst_files(
    provider: Provider,
    settings: Settings,
    clients: list[GuardedClient],
    transport: httpx.BaseTransport | None,
) -> EarthdataFiles:
    """Files behind the login of a provider's archive, with a client of their own that sends no header of the catalogue's."""
    client = _client(
        provider.name, settings, transport=transport, caps=PICTURE_CAPS, ca_file=provider.ca_file
    )
    clients.append(client)
    return EarthdataFiles(provider, client)


def build_deadman(settings: Settings, clients: list[GuardedClient]) -> DeadMan | None:
    """Whoever waits outside for signs of life, with a guarded client that is added to `clients`; None: nobody."""
    if settings.deadman_url is None:
        return None
    client = _client("dead-man ping", settings)
    clients.append(client)
    return DeadMan(settings.deadman_url.get_secret_value(), client)


def build_classes(settings: Settings) -> Classes:
    """The classes of aircraft, with the user's own; raises SettingsError."""
    own = [settings.classes_file] if settings.classes_file else []
    try:
        return load_classes(CLASSES_FILE, *own)
    except ClassesError as error:
        raise SettingsError(str(error)) from None


def build_orbits(settings: Settings) -> OrbitFiles:
    """The orbit elements that the user supplies; raises SettingsError."""
    try:
        return OrbitFiles(settings.orbit_files)
    except ElementsError as error:
        raise SettingsError(str(error)) from None


def build_downloader(settings: Settings) -> GuardedClient:
    """A client for large files that a person names; it sends no header of any provider."""
    return _client("download", settings, caps=Caps(body_bytes=1 << 30, total_s=3600))


def build_channels(settings: Settings, clients: list[GuardedClient]) -> dict[str, Channel]:
    """Every configured channel by name: `slack`, `email` and `log` from plain settings, and `[channels.NAME]`."""
    wanted = channel_settings(settings)
    return {name: _channel(name, options, settings, clients) for name, options in wanted.items()}


def channel_settings(settings: Settings) -> dict[str, AnyChannelSettings]:
    """What is set for every channel, by name; raises SettingsError."""
    wanted: dict[str, AnyChannelSettings] = {}
    if settings.slack_webhook_url:
        wanted["slack"] = SlackSettings(kind="slack", webhook_url=settings.slack_webhook_url)
    if email := settings.email_channel():
        wanted["email"] = email
    if twice := wanted.keys() & settings.channels.keys():
        name = min(twice)
        raise SettingsError(
            f"The channel {name!r} is set twice: by [channels.{name}] and by the plain settings for {name}. Rename "
            "or remove one."
        )
    if settings.log_channel:
        wanted["log"] = LogSettings(kind="log")
    return wanted | settings.channels


def build_routing(settings: Settings, classes: Classes) -> Routing:
    """Which alerts go to which channel, and when each is told; raises SettingsError for a word that nothing bears."""
    wanted = channel_settings(settings)
    routes = [each.route(number) for number, each in enumerate(settings.routes, start=1)]
    known = {
        "kind": KINDS.keys(),
        "metric": METRICS.keys(),
        "severity": _TOLD_SEVERITIES,
        "aircraft_class": classes.labels.keys(),
    }
    for route in routes:
        _check_words(route.name, "channels", route.channels, wanted, patterns=False)
        for word, there in known.items():
            _check_words(route.name, word.removeprefix("aircraft_"), getattr(route.match, word), there)
    names = [each.name for each in routes]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise SettingsError(f"Two routes are called “{twice}”. Give each a name of its own.")
    return Routing(routes, {name: options.policy for name, options in wanted.items()})


def _check_words(
    route: str, where: str, given: Iterable[str], known: Collection[str], *, patterns: bool = True
) -> None:
    for word in given:
        if word not in known and not (patterns and any(fnmatchcase(each, word) for each in known)):
            raise SettingsError(
                f"The route “{route}” names {word!r} under {where}, which is none. {word_advice(word, known)}"
            )


def _channel(
    name: str,
    options: AnyChannelSettings,
    settings: Settings,
    clients: list[GuardedClient],
) -> Channel:
    own = options.ca_file if isinstance(options, ServerSettings) else None
    client = _client(name, settings, ca_file=own)
    clients.append(client)
    try:
        return CHANNELS[options.kind](name, options, settings, client.post)
    except ValueError as error:
        raise SettingsError(f"The channel {name!r} cannot be used. {error}") from None


def user_agent(settings: Settings) -> str:
    """What every request says of its sender: the program, its version, its address, and the operator's contact."""
    contact = f"; {settings.contact}" if settings.contact else ""
    return f"sitewatch/{version('sitewatch')} (+{PROJECT_ADDRESS}{contact})"


def _client(
    name: str,
    settings: Settings,
    *,
    headers: Mapping[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
    caps: Caps = _FEED_CAPS,
    pace: Callable[[], float] = no_rate_limit,
    ca_file: Path | None = None,
) -> GuardedClient:
    ca_files = _ca_files(settings, ca_file)
    try:
        tls = trusting(ca_files) if ca_files else None
    except CaFileError as error:
        raise SettingsError(f"{name} cannot be reached: {error}") from None
    return GuardedClient(
        name=name,
        user_agent=user_agent(settings),
        monotonic=monotonic_s,
        clock=utc_now,
        secrets=settings.secrets,
        headers=headers,
        transport=transport,
        allowed_networks=settings.allowed_networks,
        caps=caps,
        tls=tls,
        pace=pace,
    )


def _ca_files(settings: Settings, own: Path | None) -> list[Path]:
    """The certificate authorities that may vouch for one server beside the public ones."""
    return [each for each in (settings.ca_file, own) if each is not None]


def _check_watch_layers(settings: Settings) -> None:
    faults: list[SitesFault] = []
    spot = Spot(faults, "watch")
    for kind, layer in settings.watch.items():
        if kind not in KINDS:
            raise SettingsError(
                f"watch.{kind}: there is no such kind of site. Use one of {', '.join(KINDS)}."
            )
        check_watch(spot.at(kind), layer, rule_defaults())
    if faults:
        listed = "\n  ".join(map(str, faults))
        raise SettingsError(
            f"The settings cannot be used:\n  {listed}\ndocs/settings.md describes each setting."
        )
