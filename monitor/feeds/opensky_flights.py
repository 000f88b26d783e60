"""OpenSky `/flights/arrival` and `/flights/departure`: which flights it thinks came to and left an airport yesterday.

The airports are guesses from where a track began and ended; what comes is evidence, never a count. OpenSky
works them out at night, so each UTC day is asked for once it is over.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from db.records import Purpose
from db.records.claims import FlightClaim
from monitor.feeds import Feed, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.claims import (
    AIRPORT_PATTERN,
    CANARY_AIRPORT,
    claimed_icao24,
    epoch_instant,
    matching_text,
    sites_by_airport,
)
from monitor.feeds.credits import CreditLedger
from monitor.feeds.opensky_access import DAY_PRICE, OpenSkyAccess
from monitor.feeds.parsing import CALLSIGN_PATTERN, FEED_CLOCK_AHEAD, json_integer, parse_json, words_of
from monitor.feeds.planned import kept_plan
from monitor.feeds.quoting import quoted_row
from monitor.sites import Site

FLIGHT_DIRECTIONS = ("arrival", "departure")
_NOTHING = 404
_QUALITY = (
    "estDepartureAirportHorizDistance",
    "estDepartureAirportVertDistance",
    "estArrivalAirportHorizDistance",
    "estArrivalAirportVertDistance",
    "departureAirportCandidatesCount",
    "arrivalAirportCandidatesCount",
)
_QUOTED = frozenset(
    {
        *_QUALITY, "icao24", "firstSeen", "lastSeen", "callsign", "estDepartureAirport", "estArrivalAirport"
    }
)  # fmt: skip
_LONGEST = timedelta(days=2)


class OpenSkyFlightsFeed:
    """Asks for each airport's arrivals and departures of the day that ended last.

    Credentials and options as for state vectors (`OpenSkyAccess`); flights have credits of their own.
    """

    watches = False

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._access = OpenSkyAccess(provider, client)

    @property
    def ledger(self) -> CreditLedger:
        """The credits of the bucket for flights."""
        return self._access.ledger

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Two requests for each airport code."""
        codes = sites_by_airport(sites)
        return [
            Scope(f"{direction}:{code}", names)
            for code, names in codes.items()
            for direction in FLIGHT_DIRECTIONS
        ]

    def canary(self, scope: Scope) -> Scope | None:
        """A busy airport on the same day."""
        # A day without any flight there means that OpenSky has not worked that day out.
        return Scope(f"arrival:{CANARY_AIRPORT}", ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for yesterday (UTC); OpenSky says by an empty 404 that there was no flight."""
        where = f"{self.provider.name} {scope.key}"
        direction, _, code = scope.key.partition(":")
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
        begin, end = midnight - timedelta(days=1), midnight - timedelta(seconds=1)
        answer = self._access.get(
            f"flights/{direction}",
            {"airport": code, "begin": f"{begin.timestamp():.0f}", "end": f"{end.timestamp():.0f}"},
            price=DAY_PRICE,
            purpose=purpose,
            now=now,
            where=where,
            may_be_missing=True,
        )
        if answer.status == _NOTHING:
            return Fetched(bodies=(answer.body,), http_status=_NOTHING, item_count=0)
        listed = parse_json(answer.body, where)
        if not isinstance(listed, list) or not listed:
            raise FeedError(
                f"{where}: the answer is no list of flights.{words_of(listed, answer)} Check base_url.",
                body=answer.body,
            )
        reader = _FlightReader(self.provider.name, direction, code, now)
        claims = reader.read(listed)
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(listed),
            claims=claims,
            rejected=reader.rejected,
            request=answer.asked,
            quote=reader.quote,
        )


def _fits(feed: OpenSkyFlightsFeed) -> Feed:
    return feed


class _FlightReader:
    """Reads flights; one whose guessed airport is not the one asked for is not believed."""

    def __init__(self, provider: str, direction: str, code: str, now: datetime) -> None:
        self._provider, self._code, self._now = provider, code, now
        self._asked = "estArrivalAirport" if direction == "arrival" else "estDepartureAirport"
        self.rejected: Counter[str] = Counter()
        self._items: list[tuple[str, Mapping[str, Any]]] = []

    def quote(self, icao24: str) -> Sequence[Mapping[str, Any]]:
        """Quote the flights of this aircraft."""
        return tuple(quoted_row(item, _QUOTED) for whose, item in self._items if whose == icao24)

    def read(self, listed: Sequence[Any]) -> tuple[FlightClaim, ...]:
        """Give the claims that can be read, one for each flight."""
        found: dict[str, FlightClaim] = {}
        for item in listed:
            claim = self._claim(item) if isinstance(item, dict) else "not an object"
            if isinstance(claim, str):
                self.rejected[claim] += 1
            else:
                found.setdefault(claim.flight_id, claim)
                self._items.append((claim.icao24, item))
        return tuple(found.values())

    def _claim(self, item: Mapping[str, Any]) -> FlightClaim | str:
        icao24 = claimed_icao24(item.get("icao24"))
        first, last = epoch_instant(item.get("firstSeen")), epoch_instant(item.get("lastSeen"))
        if not icao24:
            return "no valid address"
        if (
            first is None
            or last is None
            or not first <= last <= min(first + _LONGEST, self._now + FEED_CLOCK_AHEAD)
        ):
            return "impossible times"
        if matching_text(item, self._asked, AIRPORT_PATTERN) != self._code:
            return "another airport"
        quality = {
            key: value for key in _QUALITY if (value := json_integer(item.get(key), 0, 10**7)) is not None
        }
        return FlightClaim(
            provider=self._provider,
            flight_id=f"{icao24}-{first:%Y%m%dT%H%M%S}",
            received_at=self._now,
            icao24=icao24,
            callsign=matching_text(item, "callsign", CALLSIGN_PATTERN),
            origin=matching_text(item, "estDepartureAirport", AIRPORT_PATTERN),
            destination=matching_text(item, "estArrivalAirport", AIRPORT_PATTERN),
            first_seen_at=first,
            last_seen_at=last,
            ended=True,
            estimated=True,
            quality=quality,
        )
