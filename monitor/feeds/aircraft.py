"""One aircraft object of the readsb family made into a position report, or refused with a reason.

The fields are those of readsb's README-json; every one of them can be missing.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from db.records import Fix
from monitor.feeds import NO_AIRCRAFT
from monitor.feeds.circles import Circle
from monitor.feeds.parsing import (
    CALLSIGN_PATTERN,
    FEED_CLOCK_AHEAD,
    REGISTRATION_PATTERN,
    TYPE_PATTERN,
    json_integer,
    json_number,
    json_text,
)
from monitor.flights.tracks.surface import NOBODY, is_surface

_HEX = re.compile(r"~?[0-9a-f]{6}")
_SOURCE = re.compile(r"[a-z0-9_]{1,16}")
_OUTSIDE_NM = 1.0
_MAX_AGE_ROUNDING_S = 1e-6


class _RefusedError(Exception):
    """One object cannot be believed; the text is the reason under which it is counted."""


class AircraftReader:
    """Reads the aircraft of one answer; `rejected` counts what was not believed, by reason."""

    def __init__(
        self,
        provider: str,
        *,
        feed_time: datetime,
        received_at: datetime,
        max_age_s: float,
        circle: Circle | None,
    ) -> None:
        self._provider = provider
        self._feed_time = feed_time
        self._received_at = received_at
        self._max_age_s = max_age_s
        self._circle = circle
        self.rejected: Counter[str] = Counter()

    def read(self, listed: Sequence[Any]) -> tuple[Fix, ...]:
        """Give the position reports that can be believed, one for each aircraft."""
        fixes: dict[str, Fix] = {}
        for each in listed:
            try:
                fix = self._fix(each)
            except _RefusedError as reason:
                self.rejected[str(reason)] += 1
                continue
            known = fixes.get(fix.icao24)
            if known is not None:
                self.rejected["the same aircraft twice"] += 1
            if known is None or fix.at > known.at:
                fixes[fix.icao24] = fix
        return tuple(fixes.values())

    def _fix(self, item: Any) -> Fix:
        if not isinstance(item, dict):
            raise _RefusedError("not an object")
        if is_surface(source=item.get("type"), type_code=item.get("t"), category=item.get("category")):
            raise _RefusedError(NO_AIRCRAFT)
        icao24 = _address(item.get("hex"))
        lat, lon, age_s = self._position(item)
        source = self._plain(item, "type", _SOURCE)
        adsb = source.startswith(("adsb", "adsr"))
        return Fix(
            provider=self._provider,
            icao24=icao24,
            at=self._event_time(age_s),
            received_at=self._received_at,
            lat=lat,
            lon=lon,
            on_ground=_on_ground(item.get("alt_baro")),
            altitude_ft=json_number(item.get("alt_baro"), -2_000, 150_000),
            altitude_geom_ft=json_number(item.get("alt_geom"), -2_000, 150_000),
            ground_speed_kt=json_number(item.get("gs"), 0, 3_000),
            track_deg=_first(item, ("track", "calc_track"), 0, 360),
            vertical_rate_fpm=_first(item, ("baro_rate", "geom_rate"), -50_000, 50_000),
            source=source,
            # Other sources say 0 without meaning it.
            nic=json_integer(item.get("nic"), 0, 11) if adsb else None,
            nac_p=json_integer(item.get("nac_p"), 0, 11) if adsb else None,
            callsign=self._plain(item, "flight", CALLSIGN_PATTERN),
            registration=self._plain(item, "r", REGISTRATION_PATTERN),
            type_code=self._plain(item, "t", TYPE_PATTERN),
            db_flags=json_integer(item.get("dbFlags"), 0, 255) or 0,
        )

    def _position(self, item: Mapping[str, Any]) -> tuple[float, float, float]:
        """Where it was and how long before the feed's time; a receiver's own place (rr_lat) is never meant."""
        last = item.get("lastPosition")
        held = last if item.get("lat") is None and isinstance(last, dict) else item
        if held.get("lat") is None or held.get("lon") is None:
            raise _RefusedError("no position")
        lat, lon = json_number(held["lat"], -90, 90), json_number(held["lon"], -180, 180)
        if lat is None or lon is None:
            raise _RefusedError("impossible position")
        age_s = json_number(held.get("seen_pos"), -1e9, 1e9)
        if age_s is None:
            raise _RefusedError("position without age")
        if age_s > self._max_age_s + _MAX_AGE_ROUNDING_S:
            raise _RefusedError("stale position")
        if self._circle and self._circle.distance_nm(lat, lon) > self._circle.radius_nm + _OUTSIDE_NM:
            raise _RefusedError("outside the circle")
        return lat, lon, age_s

    def _event_time(self, age_s: float) -> datetime:
        at = self._feed_time - timedelta(seconds=age_s)
        if at > self._received_at + FEED_CLOCK_AHEAD:
            raise _RefusedError("time in the future")
        return at

    def _plain(self, item: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
        text = json_text(item.get(key), pattern)
        if text is None:
            self.rejected[f"unusable {key}"] += 1
        return text or ""


def _address(value: object) -> str:
    # A leading ~ marks an address that is not ICAO's; it stays a separate identity.
    text = value.lower() if isinstance(value, str) else ""
    if not _HEX.fullmatch(text) or text.removeprefix("~") in NOBODY:
        raise _RefusedError("no valid address")
    return text


def _on_ground(altitude: object) -> bool | None:
    """True, False, or None where the report does not say: a missing altitude is never a low one."""
    if altitude == "ground":
        return True
    return None if json_number(altitude, -2_000, 150_000) is None else False


def _first(item: Mapping[str, Any], keys: Sequence[str], low: float, high: float) -> float | None:
    found = (json_number(item.get(key), low, high) for key in keys)
    return next((each for each in found if each is not None), None)
