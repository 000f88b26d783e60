"""OpenSky Network `/states/all`: state vectors by box, with OAuth2 client credentials and a daily budget of credits.

Metres and metres a second become feet, knots and feet a minute. Its terms are for research: off by default.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from alerts.words import utc_seconds
from db.records import Fix, Purpose
from monitor.feeds import NO_AIRCRAFT, Feed, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.boxes import BOX_MARGIN_NM, BoundingBox, boxes_around, merge_boxes
from monitor.feeds.claims import claimed_icao24
from monitor.feeds.credits import CreditLedger
from monitor.feeds.opensky_access import (
    FEET_A_METRE,
    FEET_A_MINUTE_A_METRE_A_SECOND,
    KNOTS_A_METRE_A_SECOND,
    OpenSkyAccess,
    converted_unit,
)
from monitor.feeds.options import MAX_AGE_S, MAX_POSITION_AGE_S, number_option
from monitor.feeds.parsing import CALLSIGN_PATTERN, json_integer, json_number, json_text, parse_json, words_of
from monitor.feeds.planned import kept_plan
from monitor.feeds.quoting import quoted_row
from monitor.flights.tracks.surface import OPENSKY_SURFACE_CATEGORIES
from monitor.sites import Site

OPENSKY_BOX_SQDEG = 100.0
_BEFORE_ROUNDING = 0.98
"""Edges are rounded outwards, and a box that thereby grows past its price's area costs more."""
CREDITS_BY_AREA = ((25.0, 1), (100.0, 2), (400.0, 3))
"""What a request costs, by the box's area in square degrees; a larger one costs 4."""
CANARY_BOXES = ((36.8, 125.8, 38.0, 127.2), (39.4, 115.9, 40.7, 117.3))
"""Incheon and Beijing."""
_SOURCES = {0: "adsb_icao", 1: "asterix", 2: "mlat", 3: "flarm"}
_FIELDS, _CATEGORY = 17, 17
_NAMES = {
    0: "icao24", 1: "callsign", 3: "time_position", 5: "longitude", 6: "latitude", 7: "baro_altitude", 8: "on_ground",
    9: "velocity", 10: "true_track", 11: "vertical_rate", 13: "geo_altitude", 16: "position_source",
}  # fmt: skip
"""The fields of a state vector that a position report is made from, by OpenSky's names."""


class OpenSkyFeed:
    """Asks for the boxes around the sites where aircraft come and go.

    Credentials `client_id` and `client_secret` (without them OpenSky counts by network address and gives 400
    credits a day). Options: `margin_nm`, `largest_box_sqdeg`, `max_age_s`, `token_url`, `reserve_credits`.
    """

    watches = True

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._access = OpenSkyAccess(provider, client)
        self._margin_nm = number_option(provider, "margin_nm", BOX_MARGIN_NM)
        self._largest_sqdeg = number_option(provider, "largest_box_sqdeg", OPENSKY_BOX_SQDEG)
        self._max_age_s = number_option(provider, "max_age_s", MAX_AGE_S)

    @property
    def ledger(self) -> CreditLedger:
        """The credits of the bucket for state vectors."""
        return self._access.ledger

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Plan few boxes: near sites share one while its area stays within the limit."""
        wanted = [
            (site.id, box) for site in sites if site.flies for box in boxes_around(site, self._margin_nm)
        ]
        largest_sqdeg = self._largest_sqdeg * _BEFORE_ROUNDING
        return [box_scope(box, names) for box, names in merge_boxes(wanted, largest_sqdeg)]

    def canary(self, scope: Scope) -> Scope | None:
        """A busy box elsewhere."""
        boxes = [BoundingBox(*each) for each in CANARY_BOXES]
        others = [
            box
            for box in boxes
            if scope.box is None or box.joined(BoundingBox(*scope.box)) != BoundingBox(*scope.box)
        ]
        return box_scope((others or boxes)[0], ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for one box; raises FeedError before the day's credits would run out."""
        where = f"{self.provider.name} {scope.key}"
        assert scope.box is not None
        south, west, north, east = scope.box
        params = {
            "lamin": f"{south}",
            "lomin": f"{west}",
            "lamax": f"{north}",
            "lomax": f"{east}",
            "extended": "1",
        }
        answer = self._access.get(
            "states/all", params, price=credit_cost(scope), purpose=purpose, now=now, where=where
        )
        document = parse_json(answer.body, where)
        words = words_of(document, answer)
        feed_time = self._feed_time(document, now, where, answer.body, words)
        rows = document.get("states")
        if (rows is not None and not isinstance(rows, list)) or (words and not rows):
            raise FeedError(
                f"{where}: the answer holds no list of states.{words} Check base_url.", body=answer.body
            )
        reader = _StateReader(self.provider.name, feed_time, now)
        fixes = reader.read(rows or [])
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(rows or []),
            feed_time=feed_time,
            fixes=fixes,
            rejected=reader.rejected,
            request=answer.asked,
            quote=reader.quote,
        )

    def _feed_time(self, document: Any, now: datetime, where: str, body: bytes, words: str) -> datetime:
        seconds = json_number(document.get("time"), 1, 1e11) if isinstance(document, dict) else None
        if seconds is None:
            raise FeedError(f"{where}: the answer does not say its time.{words} Check base_url.", body=body)
        feed_time = datetime.fromtimestamp(seconds, UTC)
        if abs((now - feed_time).total_seconds()) > self._max_age_s:
            raise FeedError(
                f"{where}: the feed's clock says {utc_seconds(feed_time)}: it has stopped, or the clock of "
                "this machine is wrong."
            )
        return feed_time


def _fits(feed: OpenSkyFeed) -> Feed:
    return feed


def credit_cost(scope: Scope) -> int:
    """The credits that one request for this scope costs."""
    assert scope.box is not None
    area = BoundingBox(*scope.box).area_sqdeg
    return next((price for largest, price in CREDITS_BY_AREA if area <= largest), 4)


def box_scope(box: BoundingBox, names: tuple[str, ...]) -> Scope:
    """The scope of a box, its edges rounded outwards."""
    south, west = _down(box.south), _down(box.west)
    north, east = -_down(-box.north), -_down(-box.east)
    key = f"box:{south:.2f},{west:.2f},{north:.2f},{east:.2f}"
    return Scope(key, names, box=(south, west, north, east))


def _down(degrees: float) -> float:
    """Round outwards to hundredths, so that the key is short and nothing is cut off."""
    return float(int(degrees * 100 // 1)) / 100


class _StateReader:
    """Reads state vectors: arrays whose further fields are ignored, and whose first 17 must be there."""

    def __init__(self, provider: str, feed_time: datetime, received_at: datetime) -> None:
        self._provider, self._feed_time, self._received_at = provider, feed_time, received_at
        self.rejected: Counter[str] = Counter()
        self._rows: dict[str, Sequence[Any]] = {}

    def quote(self, icao24: str) -> Sequence[Mapping[str, Any]]:
        """Quote the state vector of this aircraft."""
        row = self._rows.get(icao24)
        if row is None:
            return ()
        return (quoted_row({name: row[index] for index, name in _NAMES.items()}, _NAMES.values()),)

    def read(self, rows: Sequence[Any]) -> tuple[Fix, ...]:
        """Give the position reports that can be believed."""
        found: dict[str, Fix] = {}
        for row in rows:
            if not isinstance(row, list) or len(row) < _FIELDS:
                self.rejected["not a state vector"] += 1
                continue
            fix = self._fix(row)
            known = found.get(fix.icao24) if fix else None
            if known is not None:
                self.rejected["the same aircraft twice"] += 1
            if fix is not None and (known is None or fix.at > known.at):
                found[fix.icao24], self._rows[fix.icao24] = fix, row
        return tuple(found.values())

    def _fix(self, row: Sequence[Any]) -> Fix | None:
        icao24 = claimed_icao24(row[0])
        lat, lon = json_number(row[6], -90, 90), json_number(row[5], -180, 180)
        seen = json_number(row[3], 1, 1e11)
        refused = self._refusal(row, icao24, lat, lon, seen)
        if refused or not icao24 or lat is None or lon is None or seen is None:
            self.rejected[refused] += 1
            return None
        callsign = json_text(row[1], CALLSIGN_PATTERN)
        if callsign is None:
            self.rejected["unusable callsign"] += 1
        return Fix(
            provider=self._provider,
            icao24=icao24,
            at=datetime.fromtimestamp(seen, UTC),
            received_at=self._received_at,
            lat=lat,
            lon=lon,
            on_ground=row[8] if isinstance(row[8], bool) else None,
            altitude_ft=converted_unit(row[7], FEET_A_METRE, -2_000, 150_000),
            altitude_geom_ft=converted_unit(row[13], FEET_A_METRE, -2_000, 150_000),
            ground_speed_kt=converted_unit(row[9], KNOTS_A_METRE_A_SECOND, 0, 3_000),
            track_deg=json_number(row[10], 0, 360),
            vertical_rate_fpm=converted_unit(row[11], FEET_A_MINUTE_A_METRE_A_SECOND, -50_000, 50_000),
            source=_SOURCES.get(json_integer(row[16], 0, 9) or 0, "other"),
            callsign=callsign or "",
        )

    def _refusal(
        self, row: Sequence[Any], icao24: str, lat: float | None, lon: float | None, seen: float | None
    ) -> str:
        if not icao24:
            return "no valid address"
        if len(row) > _CATEGORY and json_integer(row[_CATEGORY], 0, 20) in OPENSKY_SURFACE_CATEGORIES:
            return NO_AIRCRAFT
        if lat is None or lon is None or seen is None:
            return "no position" if None in (row[3], row[5], row[6]) else "impossible position"
        age_s = self._feed_time.timestamp() - seen
        if age_s > MAX_POSITION_AGE_S:
            return "stale position"
        return "time in the future" if age_s < -MAX_AGE_S else ""
