"""How far reports lie apart, and chains of them that one aircraft can have flown: which under one address is believed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import numpy as np

from db.records import Fix
from monitor.sites.geodesy import SECONDS_PER_HOUR, Floats, great_circle_nm, great_circles_nm

AnyFloat = TypeVar("AnyFloat", float, Floats)

MAX_SPEED_KT = 900.0
# Two providers' clocks differ by a second or two; at 450 m/s that moves a position by less than this.
_SPEED_SLACK_NM = 1.0
_CLOCK_S = 60.0
"""By so much a receiver's clock may be wrong for a while."""
_SAME_LEVEL_FT = 1_000.0
_ESTABLISHED = 3
_OUTLIVED_BY = timedelta(hours=1)


def seconds_between(earlier: Fix, later: Fix) -> float:
    """Give the time from one report to the other."""
    return (later.at - earlier.at).total_seconds()


def apart_nm(one: Fix, other: Fix) -> float:
    """Give the distance between two reports."""
    return great_circle_nm(one.lat, one.lon, other.lat, other.lon)


def one_aircraft(fixes: list[Fix], dropped: list[tuple[Fix, str]]) -> list[Fix]:
    """Keep one chain of reports that one aircraft can have flown: the first established one.

    What begins with an impossible jump is not believed for being longer: spoofing lasts. Only where it goes on
    for an hour after the first chain fell silent, and is twice as long, was the first chain the false one.
    """
    if len(fixes) < _ESTABLISHED or not _jumps(fixes):
        return fixes
    chains: list[list[Fix]] = []
    for fix in fixes:
        possible = [each for each in chains if _can_follow(each[-1], fix)]
        if possible:
            max(possible, key=lambda each: each[-1].at).append(fix)
        else:
            chains.append([fix])
    chains = _joined(chains)
    believed = _believed(chains)
    for other in chains:
        if other is not believed:
            reason = "twin" if len(other) >= _ESTABLISHED else "teleport"
            dropped += [(fix, reason) for fix in other]
    return believed


def _joined(chains: Sequence[list[Fix]]) -> list[list[Fix]]:
    """Join chains of which one goes on where and when the other ends, but for a clock that is wrong by up to a minute."""
    joined: list[list[Fix]] = []
    for chain in chains:
        before = [each for each in joined if len(each) >= _ESTABLISHED and _goes_on(each[-1], chain[0])]
        if before and len(chain) >= _ESTABLISHED:
            before[-1] += chain
        else:
            joined.append(chain)
    return joined


def _goes_on(last: Fix, fix: Fix) -> bool:
    """Whether a report is where the last one's aircraft is on its way, had one of the two been dated right."""
    if not 0 < seconds_between(last, fix) <= _CLOCK_S or last.altitude_ft is None or fix.altitude_ft is None:
        return False
    kt = max(last.ground_speed_kt or 0.0, fix.ground_speed_kt or 0.0)
    near = apart_nm(last, fix) <= _SPEED_SLACK_NM + kt * _CLOCK_S / SECONDS_PER_HOUR
    return near and abs(last.altitude_ft - fix.altitude_ft) <= _SAME_LEVEL_FT


def _believed(chains: Sequence[list[Fix]]) -> list[Fix]:
    established = [chain for chain in chains if len(chain) >= _ESTABLISHED]
    if not established:
        return max(chains, key=len)
    believed = established[0]
    for other in established[1:]:
        outlived = other[-1].at - believed[-1].at >= _OUTLIVED_BY
        if outlived and len(other) >= 2 * len(believed):
            believed = other
    return believed


def _jumps(fixes: Sequence[Fix]) -> bool:
    """Whether any report lies further from the one before than an aircraft can have flown."""
    lat, lon = (np.array(each) for each in zip(*((fix.lat, fix.lon) for fix in fixes), strict=True))
    seconds = np.diff(np.array([fix.at.timestamp() for fix in fixes]))
    steps = great_circles_nm(lat[:-1], lon[:-1], lat[1:], lon[1:])
    return bool((steps > _reach_nm(seconds)).any())


def _can_follow(last: Fix, fix: Fix) -> bool:
    return apart_nm(last, fix) <= _reach_nm(seconds_between(last, fix))


def _reach_nm(seconds: AnyFloat) -> AnyFloat:
    return seconds * MAX_SPEED_KT / SECONDS_PER_HOUR + _SPEED_SLACK_NM
