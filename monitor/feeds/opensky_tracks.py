"""OpenSky `/tracks/all`: the way that one aircraft has flown on its present flight, as waypoints up to 15 min apart.

Experimental at OpenSky. For aircraft that are watched by address, where state vectors near the sites are not enough.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from db.records import Fix, Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.claims import claimed_icao24, epoch_instant, matching_text
from monitor.feeds.credits import CreditLedger
from monitor.feeds.opensky_access import DAY_PRICE, FEET_A_METRE, OpenSkyAccess, converted_unit
from monitor.feeds.options import list_option
from monitor.feeds.parsing import (
    CALLSIGN_PATTERN,
    FEED_CLOCK_AHEAD,
    ICAO24,
    json_number,
    parse_json,
    words_of,
)
from monitor.feeds.planned import kept_plan
from monitor.feeds.quoting import quoted_row
from monitor.flights.tracks.classes import default_classes
from monitor.sites import Site

TRACK_SOURCE = "opensky_track"
_NOTHING = 404
_NAMES = ("time", "latitude", "longitude", "baro_altitude", "true_track", "on_ground")
_FIELDS = len(_NAMES)
_LISTED = "icao24:"


class OpenSkyTracksFeed:
    """Asks for the tracks of watched aircraft, one request each.

    Option `icao24` names them; without it they are the addresses on the sites' watch lists and in the watched
    classes. Credentials and further options as for state vectors; tracks have credits of their own.
    """

    watches = False

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._access = OpenSkyAccess(provider, client)
        self._asked = tuple(each.lower() for each in list_option(provider, "icao24"))
        bad = [each for each in self._asked if not ICAO24.fullmatch(each)]
        if bad:
            raise SettingsError(
                f"{provider.name}: the option icao24 lists addresses of six hexadecimal digits (got {bad[0]!r})."
            )

    @property
    def ledger(self) -> CreditLedger:
        """The credits of the bucket for tracks."""
        return self._access.ledger

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One request for each aircraft; it serves every site that aircraft come to."""
        names = tuple(sorted(site.id for site in sites if site.flies))
        if not names:
            return []
        listed = {
            subject.removeprefix(_LISTED)
            for site in sites
            for subject in site.watchlist
            if subject.startswith(_LISTED) and ICAO24.fullmatch(subject.removeprefix(_LISTED))
        }
        wanted = self._asked or sorted(listed | set(default_classes().addresses))
        return [Scope(f"track:{icao24}", names, icao24=icao24) for icao24 in wanted]

    def canary(self, scope: Scope) -> Scope | None:
        """None: that a watched aircraft does not fly is no news and counts nothing."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for the flight that is going on; OpenSky says by an empty 404 that there is none."""
        where = f"{self.provider.name} {scope.key}"
        icao24 = scope.key.partition(":")[2]
        answer = self._access.get(
            "tracks/all",
            {"icao24": icao24, "time": "0"},
            price=DAY_PRICE,
            purpose=purpose,
            now=now,
            where=where,
            may_be_missing=True,
        )
        if answer.status == _NOTHING:
            return Fetched(bodies=(answer.body,), http_status=_NOTHING, item_count=0)
        document = parse_json(answer.body, where)
        path = document.get("path") if isinstance(document, dict) else None
        if not isinstance(path, list) or claimed_icao24(document.get("icao24")) != icao24:
            raise FeedError(
                f"{where}: the answer is no track of this aircraft.{words_of(document, answer)}",
                body=answer.body,
            )
        rejected: Counter[str] = Counter()
        # The misspelt name is OpenSky's own.
        callsign = matching_text(document, "calllsign", CALLSIGN_PATTERN) or matching_text(
            document, "callsign", CALLSIGN_PATTERN
        )
        fixes = [_fix(self.provider.name, icao24, callsign, point, now) for point in path]
        for fix in fixes:
            if isinstance(fix, str):
                rejected[fix] += 1
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(path),
            fixes=tuple(fix for fix in fixes if isinstance(fix, Fix)),
            rejected=rejected,
            request=answer.asked,
            quote=lambda asked: _quoted(path) if asked == icao24 else (),
        )


def _quoted(path: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
    points = (point for point in path if isinstance(point, list) and len(point) >= _FIELDS)
    return tuple(quoted_row(dict(zip(_NAMES, point, strict=False)), _NAMES) for point in points)


def _fits(feed: OpenSkyTracksFeed) -> Feed:
    return feed


def _fix(provider: str, icao24: str, callsign: str, point: Any, now: datetime) -> Fix | str:
    """One waypoint `[time, lat, lon, baro_altitude m, true_track, on_ground]`, or why it is not believed."""
    if not isinstance(point, list) or len(point) < _FIELDS:
        return "not a waypoint"
    at, lat, lon = epoch_instant(point[0]), json_number(point[1], -90, 90), json_number(point[2], -180, 180)
    if at is None or lat is None or lon is None:
        return "no position"
    if at > now + FEED_CLOCK_AHEAD:
        return "time in the future"
    return Fix(
        provider=provider,
        icao24=icao24,
        at=at,
        received_at=now,
        lat=lat,
        lon=lon,
        on_ground=point[5] if isinstance(point[5], bool) else None,
        altitude_ft=converted_unit(point[3], FEET_A_METRE, -2_000, 150_000),
        track_deg=json_number(point[4], 0, 360),
        source=TRACK_SOURCE,
        callsign=callsign,
    )
