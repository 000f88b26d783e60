"""The providers that sitewatch knows, with their manners and terms, and how settings change them.

docs/sources.md describes each of them for people.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alerts.attribution import ODBL
from monitor.config.settings import ProviderSettings, Settings, SettingsError
from monitor.feeds import Provider

DEFAULT_PROVIDERS = (
    Provider(
        name="adsb.lol",
        kind="readsb",
        base_url="https://api.adsb.lol/v2/",
        interval_s=60,
        licence="ODbL 1.0",
        attribution=f"adsb.lol contributors, ODbL 1.0 ({ODBL})",
        redistribute=True,
        # As many as adsb.fi allows; the rest of many places waits for the next slot.
        options={"path_style": "point", "most_at_once": "60"},
        terms_url="https://github.com/adsblol/globe_history",
        limits="dynamic, none published; circles of at most 250 NM",
    ),
    Provider(
        name="adsb.fi",
        kind="readsb",
        # One circle every ten seconds, in turn, and whatever is asked at least a second after what was asked before.
        base_url="https://opendata.adsb.fi/api/v2/",
        interval_s=10,
        licence="personal, non-commercial use",
        attribution="adsb.fi (https://adsb.fi)",
        enabled=False,
        options={"path_style": "lat_lon_dist", "most_at_once": "1", "spacing_s": "1"},
        terms_url="https://github.com/adsbfi/opendata",
        limits="1 request a second; circles of at most 250 NM",
    ),
    Provider(
        name="airplanes.live",
        kind="readsb",
        base_url="https://api.airplanes.live/v2/",
        interval_s=60,
        licence="by agreement with airplanes.live",
        attribution="airplanes.live (https://airplanes.live/)",
        enabled=False,
        options={"path_style": "point", "most_at_once": "50", "spacing_s": "1"},
        terms_url="https://airplanes.live/",
        limits="approval needed before the first request; circles of at most 250 NM",
    ),
    Provider(
        name="adsbexchange",
        kind="readsb",
        base_url="https://gateway.adsbexchange.com/api/aircraft/v2/",
        interval_s=300,
        licence="commercial, by contract",
        attribution="ADS-B Exchange (https://www.adsbexchange.com/)",
        enabled=False,
        # At most 8,928 requests in a month of 31 days: the smallest plan allows 10,000.
        options={"path_style": "lat_lon_dist", "most_at_once": "1"},
        terms_url="https://www.adsbexchange.com/terms-of-use/",
        limits="by contract (the smallest plan: 10,000 requests a month); needs a key in the header api-auth",
    ),
    Provider(
        name="opensky",
        kind="opensky",
        base_url="https://opensky-network.org/api",
        interval_s=300,
        licence="research and non-commercial use",
        attribution="The OpenSky Network, https://opensky-network.org",
        enabled=False,
        # 4 boxes of at most 2 credits, 288 times a day: 2,304 of 4,000.
        options={"most_at_once": "4"},
        terms_url="https://opensky-network.org/about/terms-of-use",
        limits="credits a day: 400 without account, 4,000 with one; 1 to 4 a request, by the size of the box",
    ),
    Provider(
        name="opensky-flights",
        kind="opensky_flights",
        base_url="https://opensky-network.org/api",
        # A day is worked out in the night after it; asked more than once, in case that took long.
        interval_s=21_600,
        licence="research and non-commercial use",
        attribution="The OpenSky Network, https://opensky-network.org",
        enabled=False,
        terms_url="https://opensky-network.org/about/terms-of-use",
        limits="credits a day of their own: 400 without account, 4,000 with one; 4 a request, two requests an airport",
    ),
    Provider(
        name="opensky-tracks",
        kind="opensky_tracks",
        base_url="https://opensky-network.org/api",
        interval_s=7_200,
        licence="research and non-commercial use",
        attribution="The OpenSky Network, https://opensky-network.org",
        enabled=False,
        terms_url="https://opensky-network.org/about/terms-of-use",
        limits="credits a day of their own: 400 without account, 4,000 with one; 4 a request, one request an aircraft",
    ),
    *(
        Provider(
            name=f"flightradar24{part}",
            kind=f"flightradar24{part.replace('-', '_')}",
            base_url="https://fr24api.flightradar24.com",
            interval_s=interval_s,
            licence="commercial, by subscription",
            attribution="Flightradar24, https://www.flightradar24.com",
            enabled=False,
            # The smallest plan allows ten requests a minute, of all three together.
            options={"spacing_s": "6"},
            terms_url="https://fr24api.flightradar24.com/terms-and-conditions",
            limits="credits by the row, and requests a minute, by plan; needs a token",
        )
        for part, interval_s in (("", 600), ("-airports", 600), ("-flights", 21_600))
    ),
    Provider(
        name="firms",
        kind="firms",
        base_url="https://firms.modaps.eosdis.nasa.gov",
        interval_s=3_600,
        licence="open data",
        attribution="NASA FIRMS (https://earthdata.nasa.gov/firms)",
        enabled=False,
        redistribute=True,
        options={"source": "VIIRS_NOAA20_NRT", "days": "2", "spacing_s": "1"},
        terms_url="https://earthdata.nasa.gov/firms",
        limits="5,000 transactions in ten minutes; needs a free MAP_KEY as token",
    ),
    Provider(
        name="global-fishing-watch",
        kind="gfw_port_visits",
        base_url="https://gateway.api.globalfishingwatch.org/v3",
        interval_s=43_200,
        licence="CC BY-NC 4.0, non-commercial use alone",
        attribution="Powered by Global Fishing Watch (https://globalfishingwatch.org)",
        enabled=False,
        options={"spacing_s": "1"},
        terms_url="https://globalfishingwatch.org/our-apis/documentation",
        limits="50,000 requests a day; needs a token; told about four days late",
    ),
    *(
        Provider(
            name=name,
            kind=kind,
            # A reserved name: whoever switches one on says where it is, what it holds, and under which terms.
            base_url=f"https://detections.example/{path}",
            interval_s=21_600,
            licence="as its operator says",
            attribution="the operator of this feed of detections",
            enabled=False,
            limits="as its operator says",
        )
        for name, kind, path in (
            ("detections-ogc", "ogc_features", "collections/detections"),
            ("detections-file", "detections_file", "detections.geojson"),
            ("detections-stac", "stac_detections", "stac"),
        )
    ),
    Provider(
        name="receiver",
        kind="readsb",
        base_url="http://127.0.0.1/tar1090/data/aircraft.json",
        interval_s=15,
        licence="your own",
        attribution="own receiver",
        enabled=False,
        redistribute=True,
        options={"path_style": "aircraft_json"},
        limits="none; hears only what its antenna reaches",
    ),
    Provider(
        name="earth-search",
        kind="stac",
        base_url="https://earth-search.aws.element84.com/v1",
        interval_s=3600,
        licence="Copernicus Sentinel data: free, full and open",
        attribution="Contains modified Copernicus Sentinel data, found through Earth Search by Element 84",
        redistribute=True,
        options={"collections": "sentinel-2-l2a,sentinel-2-c1-l2a"},
        terms_url="https://github.com/element84/earth-search",
        limits="none published and no guaranteed service",
    ),
    Provider(
        name="copernicus",
        kind="stac",
        base_url="https://stac.dataspace.copernicus.eu/v1",
        interval_s=21_600,
        licence="Copernicus Sentinel data: free, full and open",
        attribution="Contains modified Copernicus Sentinel data, by the Copernicus Data Space Ecosystem",
        enabled=False,
        redistribute=True,
        # Ten looks of an orbit say what is usual, and most places are seen every twelve days.
        options={"collections": "sentinel-1-grd", "initial_days": "400", "max_pages": "60", "spacing_s": "1"},
        terms_url="https://dataspace.copernicus.eu/terms-and-conditions",
        limits="free accounts: 10,000 processing units and 10,000 requests a month; needs client_id and client_secret",
    ),
)
"""Every provider known by name; only those that need neither key nor agreement are on."""

DEFAULT_ARCHIVES = (
    Provider(
        name="adsb.lol-archive",
        kind="globe_history",
        base_url="https://github.com/adsblol/globe_history_2026",
        interval_s=86_400,
        licence="ODbL 1.0",
        attribution=f"adsb.lol contributors, ODbL 1.0 ({ODBL})",
        enabled=False,
        redistribute=True,
        options={"folder": "var/archive"},
        terms_url="https://github.com/adsblol/globe_history_2026",
        limits="none known; one dump a day",
    ),
)
"""Archives that “sitewatch backfill” reads from a folder; nothing of them is polled."""

_ARCHIVES = {provider.kind for provider in DEFAULT_ARCHIVES}
_ANONYMOUS_OPENSKY_S = 1_800
"""Without an account there are 400 credits a day: 4 boxes of at most 2, 48 times."""
_NEEDED = ("kind", "base_url", "interval_s", "licence", "attribution")


def configured_providers(settings: Settings) -> tuple[Provider, ...]:
    """The default providers as the settings change them, then the operator's own, switched off ones included.

    Raises SettingsError for one that is new and incomplete.
    """
    return tuple(each for each in known_providers(settings) if each.kind not in _ARCHIVES)


def configured_archives(settings: Settings) -> tuple[Provider, ...]:
    """The archives, in the same way."""
    return tuple(each for each in known_providers(settings) if each.kind in _ARCHIVES)


def known_providers(settings: Settings) -> tuple[Provider, ...]:
    """Feeds and archives as configured, those that are switched off among them."""
    known = {provider.name: provider for provider in (*DEFAULT_PROVIDERS, *DEFAULT_ARCHIVES)}
    made = {name: _merged(known.get(name), name, changes) for name, changes in settings.providers.items()}
    return tuple((known | made).values())


def _merged(provider: Provider | None, name: str, changes: ProviderSettings) -> Provider:
    values: dict[str, Any] = changes.model_dump(
        exclude_none=True, exclude={"headers", "credentials", "options"}
    )
    headers = {key: value.get_secret_value() for key, value in changes.headers.items()}
    values["credentials"] = {key: value.get_secret_value() for key, value in changes.credentials.items()}
    if provider is None:
        return _new(name, values, headers, changes.options)
    moved = "base_url" in values and values["base_url"] != provider.base_url
    if moved and "redistribute" not in values:
        # What one server lets pass on says nothing about another.
        values["redistribute"] = False
    if provider.kind == "opensky" and not values["credentials"]:
        values.setdefault("interval_s", _ANONYMOUS_OPENSKY_S)
    return replace(
        provider,
        **values,
        headers={**provider.headers, **headers},
        options={**provider.options, **changes.options},
    )


def _new(
    name: str, values: Mapping[str, Any], headers: Mapping[str, str], options: Mapping[str, str]
) -> Provider:
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        known = ", ".join(provider.name for provider in DEFAULT_PROVIDERS)
        raise SettingsError(
            f"[providers.{name!r}] lacks {', '.join(missing)}. sitewatch knows {known}; any other provider must say "
            "what it is, where it is, how often it may be asked and under which terms. docs/sources.md shows how."
        )
    return Provider(name=name, headers=headers, options=options, **values)
