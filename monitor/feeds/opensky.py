"""OpenSky Network `/states/all`: state vectors by box, with OAuth2 client credentials and a daily budget of credits.

Metres and metres a second become feet, knots and feet a minute. Its terms are for research: off by default.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from db.records import Fix, Purpose
from monitor.feeds import Answer, Feed, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.boxes import Box, around, merge
from monitor.feeds.parsing import integer, number, parse_json, plain
from monitor.settings import SettingsError
from monitor.sites import Site

TOKEN_URL = "https://auth.opensky-network.org/auth/realms/opensky-network/protocol/openid-connect/token"  # noqa: S105 - an address
RENEW_BEFORE_S = 30.0
MARGIN_NM = 40.0
LARGEST_BOX_SQDEG = 100.0
MAX_AGE_S = 120.0
MAX_POSITION_AGE_S = 60.0
FEET_A_METRE = 1 / 0.3048
KNOTS_A_METRE_A_SECOND = 3600 / 1852
FEET_A_MINUTE_A_METRE_A_SECOND = 60 / 0.3048
CREDITS = ((25.0, 1), (100.0, 2), (400.0, 3))
"""What a request costs, by the box's area in square degrees; a larger one costs 4."""
BUSY_BOXES = ((36.8, 125.8, 38.0, 127.2), (39.4, 115.9, 40.7, 117.3))
"""Incheon and Beijing."""
_SOURCES = {0: "adsb_icao", 1: "asterix", 2: "mlat", 3: "flarm"}
_FIELDS = 17
_UNAUTHORISED = 401
_HEX = re.compile(r"[0-9a-f]{6}")
_CALLSIGN = re.compile(r"[A-Z0-9]{1,8}")


class OpenSkyFeed:
    """Asks for the boxes around the sites where aircraft come and go.

    Credentials `client_id` and `client_secret` (without them OpenSky counts by network address and gives 400
    credits a day). Options: `margin_nm`, `largest_box_sqdeg`, `max_age_s`, `token_url`, `reserve_credits`.
    """

    watches = True

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._id = provider.credentials.get("client_id", "")
        self._secret = provider.credentials.get("client_secret", "")
        if bool(self._id) != bool(self._secret):
            raise SettingsError(
                f"{provider.name}: set both credentials client_id and client_secret, or neither."
            )
        self._margin_nm = _option(provider, "margin_nm", MARGIN_NM)
        self._largest_sqdeg = _option(provider, "largest_box_sqdeg", LARGEST_BOX_SQDEG)
        self._max_age_s = _option(provider, "max_age_s", MAX_AGE_S)
        self._reserve = _option(provider, "reserve_credits", 0)
        self._token = ""
        self._token_until = datetime.min.replace(tzinfo=UTC)
        self._remaining: float | None = None
        self._remaining_on: object = None

    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Plan few boxes: near sites share one while its area stays within the limit."""
        wanted = [(site.id, box) for site in sites if site.flies for box in around(site, self._margin_nm)]
        return [_scope(box, names) for box, names in merge(wanted, self._largest_sqdeg)]

    def canary(self, scope: Scope) -> Scope | None:
        """A busy box elsewhere."""
        boxes = [Box(*each) for each in BUSY_BOXES]
        others = [box for box in boxes if scope.box is None or box.joined(Box(*scope.box)) != Box(*scope.box)]
        return _scope((others or boxes)[0], ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for one box; raises FeedError before the day's credits would run out."""
        where = f"{self.provider.name} {scope.key}"
        self._check_budget(scope, now, where)
        answer = self._ask(scope, purpose, now)
        self._note_budget(answer, now)
        document = parse_json(answer.body, where)
        feed_time = self._feed_time(document, now, where, answer.body)
        rows = document.get("states")
        if rows is not None and not isinstance(rows, list):
            raise FeedError(f"{where}: the answer's states are no list. Check base_url.", body=answer.body)
        reader = _StateReader(self.provider.name, feed_time, now)
        fixes = reader.read(rows or [])
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(rows or []),
            feed_time=feed_time,
            fixes=fixes,
            rejected=reader.rejected,
        )

    def _ask(self, scope: Scope, purpose: Purpose, now: datetime) -> Answer:
        try:
            return self._states(scope, purpose, now)
        except FeedError as error:
            if error.status != _UNAUTHORISED or not self._id:
                raise
        # A token can be revoked before its time: get another, once.
        self._token = ""
        return self._states(scope, purpose, now)

    def _states(self, scope: Scope, purpose: Purpose, now: datetime) -> Answer:
        assert scope.box is not None
        south, west, north, east = scope.box
        params = {"lamin": f"{south}", "lomin": f"{west}", "lamax": f"{north}", "lomax": f"{east}"}
        headers = {"Authorization": f"Bearer {self._bearer(now)}"} if self._id else {}
        url = f"{self.provider.base_url.rstrip('/')}/states/all"
        return self._client.request("GET", url, purpose=purpose, params=params, headers=headers)

    def _bearer(self, now: datetime) -> str:
        if self._token and now < self._token_until:
            return self._token
        form = {"grant_type": "client_credentials", "client_id": self._id, "client_secret": self._secret}
        url = self.provider.options.get("token_url", TOKEN_URL)
        answer = self._client.request("POST", url, purpose="token", form=form)
        where = f"{self.provider.name} token"
        document = parse_json(answer.body, where)
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token:
            raise FeedError(f"{where}: the answer holds no access_token. Check the credentials.")
        lasts_s = number(document.get("expires_in"), 1, 86_400) or 60.0
        self._token, self._token_until = token, now + timedelta(seconds=max(1.0, lasts_s - RENEW_BEFORE_S))
        return token

    def _check_budget(self, scope: Scope, now: datetime, where: str) -> None:
        if self._remaining is None or self._remaining_on != now.date():
            return
        price = cost(scope)
        if self._remaining - price < self._reserve:
            tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
            raise FeedError(
                f"{where}: only {self._remaining:g} of today's credits are left and this request costs {price}. It "
                "goes on after midnight UTC; a longer interval_s spreads them over the day.",
                retry_after_s=(tomorrow - now).total_seconds(),
            )

    def _note_budget(self, answer: Answer, now: datetime) -> None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        text = headers.get("x-rate-limit-remaining", "")
        if text.isdigit():
            self._remaining, self._remaining_on = float(text), now.date()

    def _feed_time(self, document: Any, now: datetime, where: str, body: bytes) -> datetime:
        seconds = number(document.get("time"), 1, 1e11) if isinstance(document, dict) else None
        if seconds is None:
            raise FeedError(f"{where}: the answer does not say its time. Check base_url.", body=body)
        feed_time = datetime.fromtimestamp(seconds, UTC)
        if abs((now - feed_time).total_seconds()) > self._max_age_s:
            raise FeedError(f"{where}: the feed's clock says {feed_time:%Y-%m-%d %H:%M:%S}: it has stopped.")
        return feed_time


def _fits(feed: OpenSkyFeed) -> Feed:
    return feed


def cost(scope: Scope) -> int:
    """The credits that one request for this scope costs."""
    assert scope.box is not None
    area = Box(*scope.box).area_sqdeg
    return next((price for largest, price in CREDITS if area <= largest), 4)


def _scope(box: Box, names: tuple[str, ...]) -> Scope:
    south, west = _down(box.south), _down(box.west)
    north, east = -_down(-box.north), -_down(-box.east)
    key = f"box:{south:.2f},{west:.2f},{north:.2f},{east:.2f}"
    return Scope(key, names, box=(south, west, north, east))


def _down(degrees: float) -> float:
    """Round outwards to hundredths, so that the key is short and nothing is cut off."""
    return float(int(degrees * 100 // 1)) / 100


def _option(provider: Provider, name: str, default: float) -> float:
    text = provider.options.get(name, str(default))
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{provider.name}: the option {name} must be a number (got {text!r}).") from None


class _StateReader:
    """Reads state vectors: arrays whose further fields are ignored, and whose first 17 must be there."""

    def __init__(self, provider: str, feed_time: datetime, received_at: datetime) -> None:
        self._provider, self._feed_time, self._received_at = provider, feed_time, received_at
        self.rejected: Counter[str] = Counter()

    def read(self, rows: Sequence[Any]) -> tuple[Fix, ...]:
        """Give the position reports that can be believed."""
        found: dict[str, Fix] = {}
        for row in rows:
            if not isinstance(row, list) or len(row) < _FIELDS:
                self.rejected["not a state vector"] += 1
                continue
            fix = self._fix(row)
            if fix is not None:
                found.setdefault(fix.icao24, fix)
        return tuple(found.values())

    def _fix(self, row: Sequence[Any]) -> Fix | None:
        icao24 = plain(row[0], _HEX)
        lat, lon = number(row[6], -90, 90), number(row[5], -180, 180)
        seen = number(row[3], 1, 1e11)
        refused = self._refusal(icao24, lat, lon, seen)
        if refused or not icao24 or lat is None or lon is None or seen is None:
            self.rejected[refused] += 1
            return None
        callsign = plain(row[1], _CALLSIGN)
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
            altitude_ft=_scaled(row[7], FEET_A_METRE, -2_000, 150_000),
            altitude_geom_ft=_scaled(row[13], FEET_A_METRE, -2_000, 150_000),
            ground_speed_kt=_scaled(row[9], KNOTS_A_METRE_A_SECOND, 0, 3_000),
            track_deg=number(row[10], 0, 360),
            vertical_rate_fpm=_scaled(row[11], FEET_A_MINUTE_A_METRE_A_SECOND, -50_000, 50_000),
            source=_SOURCES.get(integer(row[16], 0, 9) or 0, "other"),
            callsign=callsign or "",
        )

    def _refusal(self, icao24: str | None, lat: float | None, lon: float | None, seen: float | None) -> str:
        if not icao24:
            return "not an address"
        if lat is None or lon is None or seen is None:
            return "no position"
        age_s = self._feed_time.timestamp() - seen
        if age_s > MAX_POSITION_AGE_S:
            return "stale position"
        return "time in the future" if age_s < -MAX_AGE_S else ""


def _scaled(value: object, factor: float, low: float, high: float) -> float | None:
    found = number(value, -1e9, 1e9)
    return None if found is None else number(round(found * factor, 1), low, high)
