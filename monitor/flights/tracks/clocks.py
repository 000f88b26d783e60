"""Providers whose clocks differ by minutes: told by one aircraft that both heard on the same way, and set right."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from statistics import median

import numpy as np
from numpy.typing import NDArray

from db.records import Fix
from monitor.sites.geodesy import NM_PER_DEGREE, SECONDS_PER_HOUR, Floats, wrap_longitudes

_WRONG_S = 20.0
"""Clocks of sound providers differ by less; a jet flies a mile and a half in it."""
_FARTHEST_S = 600.0
"""An answer whose clock is farther off is refused as it comes; who flies the same way later flies it once more."""
_MOVING_KT = 60.0
_SAME_WAY_NM = 0.5
_AGREE_S = 15.0
_AT_LEAST, _SAMPLES = 3, 40
_LONGEST_LEG_S = 150.0
"""Between reports no further apart, twice the usual minute, an aircraft is taken to have flown straight on."""


def set_clocks(fixes: Sequence[Fix]) -> tuple[list[Fix], list[Fix]]:
    """Give the reports of one aircraft with wrong clocks set right, by time, and those that were moved, as they came.

    The provider whose reports arrive soonest after their own time is held to be right, among equals the one with most.
    """
    by_provider: dict[str, list[Fix]] = defaultdict(list)
    for fix in fixes:
        by_provider[fix.provider].append(fix)
    if len(by_provider) < 2:  # noqa: PLR2004 - nobody to compare with
        return list(fixes), []
    right, *others = sorted(by_provider.values(), key=lambda each: (abs(_latency_s(each)), -len(each)))
    kept, moved = list(right), []
    for each in others:
        late = _behind_s(each, right)
        if late is None:
            kept += each
        else:
            moved += each
            kept += [replace(fix, at=fix.at + timedelta(seconds=late)) for fix in each]
    return sorted(kept, key=lambda fix: (fix.at, fix.provider)), moved


def _latency_s(fixes: Sequence[Fix]) -> float:
    """Give the usual time between a report and its arrival, in tens of seconds: less says nothing of a clock."""
    return round(median((fix.received_at - fix.at).total_seconds() for fix in fixes) / 10) * 10


def _behind_s(fixes: Sequence[Fix], right: Sequence[Fix]) -> float | None:
    """Give by how much a provider's clock is behind, None where the two agree or nothing tells."""
    moving = [fix for fix in fixes if (fix.ground_speed_kt or 0.0) > _MOVING_KT and not fix.on_ground]
    step = max(1, len(moving) // _SAMPLES)
    lat, lon, at = _columns(right)
    # One who stood or was silent between two reports was not on the way between them all the time.
    legs = np.diff(at) <= _LONGEST_LEG_S
    found = []
    for fix in moving[::step]:
        north = (lat - fix.lat) * NM_PER_DEGREE
        east = wrap_longitudes(lon - fix.lon) * NM_PER_DEGREE * np.cos(np.radians(fix.lat))
        off_s, away = _passed(north, east, at - fix.at.timestamp(), legs)
        # Who circles passes a place again and again: what fits the time as it is needs no other.
        now = np.abs(off_s) <= _WRONG_S
        if np.any(
            away[now] <= _SAME_WAY_NM + (fix.ground_speed_kt or 0.0) * np.abs(off_s[now]) / SECONDS_PER_HOUR
        ):
            found.append(0.0)
            continue
        nearest = int(np.argmin(np.where(np.abs(off_s) <= _FARTHEST_S, away, np.inf)))
        if away[nearest] <= _SAME_WAY_NM and abs(off_s[nearest]) <= _FARTHEST_S:
            found.append(float(off_s[nearest]))
    if len(found) < _AT_LEAST:
        return None
    behind = median(found)
    agree = sum(abs(each - behind) <= _AGREE_S for each in found)
    return behind if abs(behind) >= _WRONG_S and 2 * agree > len(found) else None


def _passed(north: Floats, east: Floats, off_s: Floats, legs: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Give when a position was passed, and how closely: at each report, and on the straight way between two."""
    d_north, d_east = np.diff(north)[legs], np.diff(east)[legs]
    squared = d_north**2 + d_east**2
    here = -(north[:-1][legs] * d_north + east[:-1][legs] * d_east)
    share = np.clip(np.divide(here, squared, out=np.zeros_like(here), where=squared > 0), 0.0, 1.0)
    between = np.hypot(north[:-1][legs] + share * d_north, east[:-1][legs] + share * d_east)
    times = off_s[:-1][legs] + share * np.diff(off_s)[legs]
    return np.concatenate([off_s, times]), np.concatenate([np.hypot(north, east), between])


def _columns(fixes: Sequence[Fix]) -> tuple[Floats, Floats, Floats]:
    lat = np.array([fix.lat for fix in fixes], dtype=np.float64)
    lon = np.array([fix.lon for fix in fixes], dtype=np.float64)
    return lat, lon, np.array([fix.at.timestamp() for fix in fixes], dtype=np.float64)
