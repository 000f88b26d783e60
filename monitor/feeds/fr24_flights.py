"""Flightradar24 flight summaries: which flights it says came to and left the sites' airports, and their tracks.

A summary is evidence, never a count. `flight_ended` without a time of landing is a flight that it lost.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from db.records import Fix, Purpose
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.feeds import Feed, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.claims import (
    AIRPORT_PATTERN,
    CANARY_AIRPORT,
    claimed_icao24,
    matching_text,
    sites_by_airport,
    utc_instant,
)
from monitor.feeds.credits import CreditLedger
from monitor.feeds.fr24 import MOST_IN_A_LIST, Fr24Access, quoted_positions, read_position, split_positions
from monitor.feeds.options import list_option, number_option
from monitor.feeds.parsing import (
    CALLSIGN_PATTERN,
    OPERATOR_PATTERN,
    REGISTRATION_PATTERN,
    TYPE_PATTERN,
    json_number,
    parse_json,
)
from monitor.feeds.planned import kept_plan
from monitor.feeds.quoting import quoted_row
from monitor.sites import Site

SUMMARY_PATH = "api/flight-summary/full"
TRACKS_PATH = "api/flight-tracks"
FLIGHTS_INITIAL_HOURS = 48.0
FLIGHTS_OVERLAP_HOURS = 18.0
"""A summary changes until its flight has landed, and the longest flights last this long."""
CREDITS_A_ROW, CREDITS_A_TRACK = 3.0, 40.0
_ID = frozenset("0123456789abcdefABCDEF")
_LONGEST_ID = 16
_FIGURES = ("flight_time", "actual_distance", "circle_distance")
_QUOTED = frozenset(
    {
        *_FIGURES, "fr24_id", "hex", "callsign", "reg", "type", "operating_as", "orig_icao", "dest_icao",
        "dest_icao_actual", "datetime_takeoff", "datetime_landed", "first_seen", "last_seen", "flight_ended",
    }
)  # fmt: skip
"""The fields that a claim is made from."""


@dataclass
class _Track:
    """What the tracks of one answer brought."""

    bodies: list[bytes] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    estimates: list[EstimatedPosition] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    points: list[tuple[str, Sequence[Any]]] = field(default_factory=list)
    """The points of each track, by address."""

    def quote(self, icao24: str) -> tuple[Mapping[str, Any], ...]:
        """Quote the tracks of one aircraft."""
        return tuple(
            row for whose, points in self.points if whose == icao24 for row in quoted_positions(points)
        )


class Fr24FlightsFeed:
    """Asks for the flights of the sites' airports since the last time, and for the tracks of those that ended.

    Options: `airports` (more of them, `both:KP`), `initial_hours`, `overlap_hours`, `tracks` (`true`),
    `max_tracks`, `credits_a_row`, `credits_a_track`, and those of `Fr24Access`.
    """

    watches = False

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._access = Fr24Access(provider, client)
        self._more = list_option(provider, "airports")
        self._initial = timedelta(hours=number_option(provider, "initial_hours", FLIGHTS_INITIAL_HOURS))
        self._overlap = timedelta(hours=number_option(provider, "overlap_hours", FLIGHTS_OVERLAP_HOURS))
        self._row_price = number_option(provider, "credits_a_row", CREDITS_A_ROW)
        self._track_price = number_option(provider, "credits_a_track", CREDITS_A_TRACK)
        tracks = provider.options.get("tracks", "") == "true"
        self._max_tracks = int(number_option(provider, "max_tracks", 20)) if tracks else 0

    @property
    def ledger(self) -> CreditLedger:
        """The plan's credits."""
        return self._access.ledger

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One request for each fifteen airports."""
        codes = [(f"both:{code}", names) for code, names in sites_by_airport(sites).items()]
        every = tuple(sorted(site.id for site in sites if site.flies))
        codes += [(each, every) for each in self._more if every]
        found = []
        for start in range(0, len(codes), MOST_IN_A_LIST):
            some = codes[start : start + MOST_IN_A_LIST]
            names = tuple(sorted({name for _, sites_of in some for name in sites_of}))
            found.append(Scope("flights:" + ",".join(code for code, _ in some), names))
        return found

    def canary(self, scope: Scope) -> Scope | None:
        """A busy airport; one row of it is enough."""
        return Scope(f"flights:both:{CANARY_AIRPORT}", ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for the summaries that may have changed since the last time, then for the tracks that are new."""
        where = f"{self.provider.name} {scope.key}"
        begins = now - self._initial if since is None else since - self._overlap
        params = {
            "flight_datetime_from": f"{begins.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "flight_datetime_to": f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "airports": scope.key.partition(":")[2],
            **({"limit": "1"} if purpose == "canary" else {}),
        }
        answer = self._access.get(SUMMARY_PATH, params, purpose=purpose, now=now, where=where)
        rows = self._access.rows(answer, where, may_be_cut=purpose == "canary")
        self.ledger.charge(self._row_price * len(rows), now)
        rejected: Counter[str] = Counter()
        claims = tuple(_claims(rows, self.provider.name, now, rejected))
        after = begins if since is None else since
        track = self._tracks([each for each in claims if _ended_after(each, after)], now, where)
        return Fetched(
            bodies=(answer.body, *track.bodies),
            http_status=answer.status,
            item_count=len(rows),
            claims=claims,
            fixes=tuple(track.fixes),
            estimates=tuple(track.estimates),
            rejected=rejected + track.rejected,
            request=answer.asked,
            quote=lambda icao24: (*_quoted(rows, icao24), *track.quote(icao24)),
        )

    def _tracks(self, ended: Sequence[FlightClaim], now: datetime, where: str) -> _Track:
        found = _Track()
        for claim in ended[: self._max_tracks]:
            self.ledger.check(self._track_price, now, where)
            params = {"flight_id": claim.flight_id}
            answer = self._access.get(TRACKS_PATH, params, purpose="page", now=now, where=where)
            self.ledger.charge(self._track_price, now)
            points = _points(answer.body, claim.flight_id, where)
            read = [read_position(point, self.provider.name, claim.icao24, now) for point in points]
            fixes, estimates, reasons = split_positions(read)
            found.bodies.append(answer.body)
            found.fixes += fixes
            found.estimates += estimates
            found.rejected.update(reasons)
            found.points.append((claim.icao24, points))
        missed = len(ended) - self._max_tracks
        if self._max_tracks and missed > 0:
            found.rejected["tracks beyond max_tracks"] += missed
        return found


def _fits(feed: Fr24FlightsFeed) -> Feed:
    return feed


def _quoted(rows: Sequence[Any], icao24: str) -> tuple[Mapping[str, Any], ...]:
    own = (row for row in rows if isinstance(row, dict) and claimed_icao24(row.get("hex")) == icao24)
    return tuple(quoted_row(row, _QUOTED) for row in own)


def _claims(
    rows: Sequence[Any], provider: str, now: datetime, rejected: Counter[str]
) -> Iterator[FlightClaim]:
    seen: set[str] = set()
    for row in rows:
        claim = _claim(row, provider, now) if isinstance(row, dict) else None
        if claim is None:
            rejected["unusable flight"] += 1
        elif claim.flight_id in seen:
            rejected["the same flight twice"] += 1
        else:
            seen.add(claim.flight_id)
            yield claim


def _claim(row: Mapping[str, Any], provider: str, now: datetime) -> FlightClaim | None:
    flight_id = row.get("fr24_id")
    if not isinstance(flight_id, str) or not 0 < len(flight_id) <= _LONGEST_ID or not set(flight_id) <= _ID:
        return None
    quality: dict[str, Any] = {
        key: value for key in _FIGURES if (value := json_number(row.get(key), 0, 1e7)) is not None
    }
    ended = row.get("flight_ended")
    return FlightClaim(
        provider=provider,
        flight_id=flight_id,
        received_at=now,
        icao24=claimed_icao24(row.get("hex")),
        callsign=matching_text(row, "callsign", CALLSIGN_PATTERN),
        registration=matching_text(row, "reg", REGISTRATION_PATTERN),
        type_code=matching_text(row, "type", TYPE_PATTERN),
        operator=matching_text(row, "operating_as", OPERATOR_PATTERN),
        origin=matching_text(row, "orig_icao", AIRPORT_PATTERN),
        destination=matching_text(row, "dest_icao", AIRPORT_PATTERN),
        actual_destination=matching_text(row, "dest_icao_actual", AIRPORT_PATTERN),
        took_off_at=utc_instant(row.get("datetime_takeoff")),
        landed_at=utc_instant(row.get("datetime_landed")),
        first_seen_at=utc_instant(row.get("first_seen")),
        last_seen_at=utc_instant(row.get("last_seen")),
        ended=ended if isinstance(ended, bool) else None,
        quality=quality,
    )


def _ended_after(claim: FlightClaim, when: datetime) -> bool:
    return bool(claim.ended and claim.icao24 and claim.last_seen_at is not None and claim.last_seen_at > when)


def _points(body: bytes, flight_id: str, where: str) -> list[Any]:
    """The points of `[{"fr24_id", "tracks": […]}]`: a bare list, unlike the other answers."""
    document = parse_json(body, where)
    first = document[0] if isinstance(document, list) and document else None
    points = first.get("tracks") if isinstance(first, dict) and first.get("fr24_id") == flight_id else None
    if not isinstance(points, list):
        raise FeedError(f"{where}: the answer holds no track of the flight that was asked for.", body=body)
    return points
