"""The readsb v2 family: adsb.lol, adsb.fi, airplanes.live, ADS-B Exchange and a receiver of one's own.

Answers come as `{"ac": [...], "now": ms}` or, straight from readsb, `{"aircraft": [...], "now": seconds}`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from db.records import Fix, Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.aircraft import AircraftReader
from monitor.feeds.circles import Circle, circle_around, merge_near_circles
from monitor.feeds.options import MAX_AGE_S, MAX_POSITION_AGE_S, number_option
from monitor.feeds.parsing import feed_instant, json_number, parse_json, words_of
from monitor.feeds.planned import kept_plan
from monitor.feeds.receiver import Receiver, heard_in
from monitor.sites import Site

LARGEST_RADIUS_NM = 250
CIRCLE_MARGIN_NM = 200
"""How far around a site aircraft are asked for: where receivers are rare, an inbound one is lost 60 to 140 NM out."""
READSB_MERGE_NM = 249
"""Sites share one circle while its radius stays within this; the larger the circle, the larger each answer."""
READSB_CLOCK_AHEAD_S = 300
PATH_STYLES = ("point", "lat_lon_dist", "readsb", "aircraft_json")
_OWN_STYLES = ("readsb", "aircraft_json")
_PLACE_ASKED_EVERY = timedelta(hours=1)
CANARY_CIRCLES = "37.469,126.451,40; 40.08,116.585,40; 43.3963,132.1482,40"
"""Incheon, Beijing, Vladivostok."""


class ReadsbFeed:
    """Asks one provider of the family for circles around the sites where aircraft come and go.

    Options: `path_style`, `margin_nm`, `merge_nm`, `max_age_s`, `max_position_age_s`, `canaries`
    (`lat,lon,radius; …`), and for one's own receiver `lat`, `lon`, `range_nm`.
    """

    watches = True
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._style = provider.options.get("path_style", PATH_STYLES[0])
        if self._style not in PATH_STYLES:
            raise SettingsError(
                f"{provider.name}: path_style {self._style!r} is not known. Use one of {', '.join(PATH_STYLES)}."
            )
        self._margin_nm = number_option(provider, "margin_nm", CIRCLE_MARGIN_NM)
        self._merge_nm = min(number_option(provider, "merge_nm", READSB_MERGE_NM), LARGEST_RADIUS_NM - 1)
        self._max_age_s = number_option(provider, "max_age_s", MAX_AGE_S)
        self._max_position_age_s = number_option(provider, "max_position_age_s", MAX_POSITION_AGE_S)
        self._reach = _reach(provider) if self._style in _OWN_STYLES else None
        self._canaries = [] if self._reach else _busy_circles(provider)
        self._stated: tuple[float, float] | None = None
        self._stated_at: datetime | None = None

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Plan few circles: each covers its sites and a margin around them; near sites share one."""
        places = [(site.id, circle_around(site)) for site in sites if site.flies]
        if self._reach:
            places = [(site_id, place) for site_id, place in places if self._reach.contains(place)]
        if self._style == "aircraft_json":
            names = tuple(sorted(site_id for site_id, _ in places))
            return [Scope("receiver", names)] if names else []
        wanted = [
            (site_id, replace(place, radius_nm=self._widened(place.radius_nm))) for site_id, place in places
        ]
        return [_scope(circle, names) for circle, names in merge_near_circles(wanted, self._merge_nm)]

    def _widened(self, radius_nm: float) -> float:
        # A large site has less margin rather than none at all.
        return max(radius_nm, min(radius_nm + self._margin_nm, LARGEST_RADIUS_NM - 1))

    def canary(self, scope: Scope) -> Scope | None:
        """A busy circle outside this one; one's own receiver has none, for it may truly hear nobody."""
        if not self._canaries:
            return None
        asked = _circle(scope)
        others = [each for each in self._canaries if asked is None or not asked.contains(each)]
        return _scope((others or self._canaries)[0], ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for one circle; raises FeedError for a feed that has stopped, too."""
        where = f"{self.provider.name} {scope.key}"
        url, params = self._question(scope)
        answer = self._client.request("GET", url, purpose=purpose, params=params)
        # A position that is no number is not the same as none: whoever it belongs to was heard and is not seen.
        document = parse_json(answer.body, where, math.nan)
        listed = _listed(document, where, answer)
        feed_time = _feed_time(document, where, answer.body)
        _check_clock(feed_time, now, self._max_age_s, where)
        _check_heard(listed, self._max_age_s, where)
        reader = AircraftReader(
            self.provider.name,
            feed_time=feed_time,
            received_at=now,
            max_age_s=self._max_position_age_s,
            circle=_circle(scope),
        )
        fixes = reader.read(listed)
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(listed),
            feed_time=feed_time,
            fixes=fixes,
            rejected=reader.rejected,
            receiver=None if self._reach is None else partial(self._receiver, self._reach, answer.body, now),
            request=answer.asked,
            marked=self._marked(fixes),
            quote=reader.quote,
        )

    def _marked(self, fixes: Sequence[Fix]) -> frozenset[str]:
        # A receiver of one's own may have no aircraft database; where it has one, most aircraft have names.
        told = (fix.registration or fix.type_code or fix.db_flags for fix in fixes)
        return frozenset(
            fix.icao24
            for fix, said in zip(fixes, told, strict=True)
            if said or self._style not in _OWN_STYLES
        )

    def _receiver(self, reach: Circle, body: bytes, now: datetime) -> Receiver:
        """One's own receiver, with all that it hears: also what lies outside the circle that was asked."""
        name = self.provider.name
        heard = heard_in(body, name)
        if self._style == "readsb" and not heard:
            heard = heard_in(self._aside(f"{self.provider.base_url.rstrip('/')}/?all_with_pos"), name)
        return Receiver(name, reach, self._own_place(now), heard)

    def _aside(self, url: str) -> bytes:
        """What is asked beside the aircraft themselves; not every version knows it."""
        try:
            return self._client.request("GET", url, purpose="page").body
        except FeedError:
            return b""

    def _own_place(self, now: datetime) -> tuple[float, float] | None:
        """Where the receiver says that it stands, in the file beside its aircraft; asked once an hour, as it may move."""
        before = self._stated_at
        if before is not None and before <= now < before + _PLACE_ASKED_EVERY:
            return self._stated
        folder, _, file = self.provider.base_url.rpartition("/")
        if file != "aircraft.json":
            return None
        self._stated, self._stated_at = _place(self._aside(f"{folder}/receiver.json")), now
        return self._stated

    def _question(self, scope: Scope) -> tuple[str, Mapping[str, str] | None]:
        base = self.provider.base_url.rstrip("/")
        if self._style == "aircraft_json":
            return base, None
        lat, lon, radius = scope.lat, scope.lon, scope.radius_nm
        if lat is None or lon is None or radius is None or radius > LARGEST_RADIUS_NM:
            raise FeedError(
                f"{self.provider.name} {scope.key}: a circle of at most {LARGEST_RADIUS_NM} NM is needed. "
                f"Make the site smaller ({', '.join(scope.site_ids)}), or lower margin_nm."
            )
        if self._style == "readsb":
            # In the address itself: readsb knows no escapes and answers 400 to %2C.
            return f"{base}/?circle={lat:.4f},{lon:.4f},{radius}", None
        if self._style == "lat_lon_dist":
            return f"{base}/lat/{lat:.4f}/lon/{lon:.4f}/dist/{radius}", None
        return f"{base}/point/{lat:.4f}/{lon:.4f}/{radius}", None


def _scope(circle: Circle, site_ids: tuple[str, ...]) -> Scope:
    # Rounding the centre may move it a few metres, so the radius is rounded up past that.
    lat, lon, radius = round(circle.lat, 4), round(circle.lon, 4), math.ceil(circle.radius_nm + 0.01)
    return Scope(f"circle:{lat:.4f},{lon:.4f},{radius}", site_ids, lat, lon, radius)


def _circle(scope: Scope) -> Circle | None:
    if scope.lat is None or scope.lon is None or scope.radius_nm is None:
        return None
    return Circle(scope.lat, scope.lon, float(scope.radius_nm))


def _place(body: bytes) -> tuple[float, float] | None:
    """The place in receiver.json; none, or zeros, where it is not to be shown."""
    try:
        document = parse_json(body, "receiver.json")
    except FeedError:
        return None
    if not isinstance(document, dict):
        return None
    lat, lon = json_number(document.get("lat"), -90, 90), json_number(document.get("lon"), -180, 180)
    return (lat, lon) if lat is not None and lon is not None and (lat, lon) != (0, 0) else None


def _reach(provider: Provider) -> Circle:
    """How far one's own receiver is said to hear."""
    return Circle(
        number_option(provider, "lat"),
        number_option(provider, "lon"),
        number_option(provider, "range_nm", LARGEST_RADIUS_NM),
    )


def _busy_circles(provider: Provider) -> list[Circle]:
    text = provider.options.get("canaries", CANARY_CIRCLES)
    try:
        return [
            Circle(*(float(part) for part in each.split(","))) for each in text.split(";") if each.strip()
        ]
    except (ValueError, TypeError):
        raise SettingsError(
            f"{provider.name}: the option canaries must look like 37.469,126.451,40; 40.08,116.585,40 "
            f"(got {text!r})."
        ) from None


def _listed(document: Any, where: str, answer: Answer) -> list[Any]:
    """The list of aircraft, under either of its names; an empty one beside a complaint is none."""
    lists = [document.get(key) for key in ("ac", "aircraft")] if isinstance(document, dict) else []
    found: list[Any] | None = max((each for each in lists if isinstance(each, list)), key=len, default=None)
    words = words_of(document, answer)
    if found is None:
        raise FeedError(
            f"{where}: the answer holds no list of aircraft (ac or aircraft).{words} Check base_url and path_style.",
            body=answer.body,
        )
    if not found and words:
        raise FeedError(f"{where}: the answer lists nothing and complains.{words}", body=answer.body)
    return found


def _feed_time(document: dict[str, Any], where: str, body: bytes) -> datetime:
    """The feed's own clock."""
    found = json_number(document.get("now"), 1, 1e13)
    if found is None:
        raise FeedError(
            f"{where}: the answer does not say its time (now), so nothing in it can be dated.", body=body
        )
    return feed_instant(found)


def _check_clock(feed_time: datetime, now: datetime, max_age_s: float, where: str) -> None:
    age_s = (now - feed_time).total_seconds()
    if -READSB_CLOCK_AHEAD_S <= age_s <= max_age_s:
        return
    what = f"{age_s:.0f} s old" if age_s > 0 else f"{-age_s:.0f} s ahead"
    raise FeedError(
        f"{where}: the feed's clock is {what}: it has stopped, or the clock of this machine is wrong."
    )


def _check_heard(listed: Sequence[Any], max_age_s: float, where: str) -> None:
    """Refuse a feed that still lists aircraft but has heard none of them for long: its receivers have stopped."""
    heard = [json_number(each.get("seen"), 0, 1e9) for each in listed if isinstance(each, dict)]
    ages = [age for age in heard if age is not None]
    if ages and len(ages) == len(listed) and min(ages) > max_age_s:
        raise FeedError(
            f"{where}: the feed has heard no aircraft for {min(ages):.0f} s, though it lists {len(listed)}: "
            "its receivers have stopped."
        )
