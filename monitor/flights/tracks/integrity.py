"""Which position reports are believed: repeated, impossible and spoofed ones are dropped and counted."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median

from db.records import Fix
from monitor.flights.tracks.clocks import set_clocks
from monitor.flights.tracks.identity import is_icao
from monitor.flights.tracks.kinematics import MAX_SPEED_KT, apart_nm, one_aircraft, seconds_between
from monitor.flights.tracks.speeds import fastest_kt
from monitor.flights.tracks.surface import NOBODY, SURFACE_SENDER, is_surface
from monitor.sites.geodesy import SECONDS_PER_HOUR

MAX_AHEAD = timedelta(minutes=5)
_REPEAT_S = 2.0
_MOVING_KT = 80.0
_MIN_NAC_P = 6
"""Below it the position is known no better than 0.3 NM."""
_MIN_NIC_AIRBORNE = 4
_RANGED = frozenset({"mlat", "tisb_icao", "tisb_other", "tisb_trackfile"})
"""Positions computed on the ground, which jump; three that agree are needed."""
_MIN_RANGED = 3
_RANGED_GAP_S = 120.0
_MAX_CLIMB_FPM = 12_000.0
_ALTITUDE_SLACK_FT = 1_000.0
_ALTITUDE_WINDOW = 2
_RATE_SLACK_FPM = 1_500.0
_RATES_HOLD_S = 120.0
_SPARSE_MIN = 1.0
_CROWD_AIRBORNE = 4
_CROWD_GROUND = 5
_CROWD_S = 30.0
_JAMMED_SHARE = 0.1
_JAMMED_AT_LEAST = 3
_SAME_STAND_NM, _TWIN_FT = 0.02, 200.0
_MISREAD_SELDOM = 2
_BESIDE_S = 90.0
_SPEED_BASE_S = 60.0

RejectedReports = list[tuple[Fix, str]]


REJECTION_REASONS = {
    "not_icao": "the address is not ICAO's (it begins with ~), or nobody's (all bits 0 or 1)",
    SURFACE_SENDER: "a vehicle, a mast or another sender on the surface",
    "future": "dated more than 5 minutes ahead",
    "low_integrity": "the transponder itself says that its position is poor (jamming does that)",
    "repeat": "told before, by this provider or another",
    "clock": "dated by a clock that is wrong, as another provider shows; the report was kept, set right",
    "too_fast": "faster than an aircraft of its type can fly",
    "frozen": "a position that stands still at speed",
    "altitude_jump": "a misread altitude; the position was kept",
    "teleport": "a jump that no aircraft can fly",
    "twin": "a second aircraft under the same address, or a spoofed one",
    "few_ranged": "a computed position (MLAT, TIS-B) that fewer than three reports bear out",
    "misread": "an address one bit off that of an aircraft at its side (a misread reply)",
    "crowd": "many aircraft on one point (spoofing)",
}
"""Why a report is not believed, in words for people."""


@dataclass(frozen=True, slots=True)
class Track:
    """The believed reports of one aircraft by time, and those not believed (or mended), each with its reason."""

    fixes: tuple[Fix, ...]
    rejected: tuple[tuple[Fix, str], ...] = ()

    @property
    def torn(self) -> tuple[Fix, ...]:
        """The reports that put the aircraft where it cannot have flown, three in a row or more."""
        return tuple(fix for fix, reason in self.rejected if reason == "twin")


def believed_track(fixes: Sequence[Fix]) -> Track:
    """Sort the reports of one aircraft and keep those that are believed, however late they came.

    `REJECTION_REASONS` tells the reasons; a report with a misread altitude stays, without its altitude.
    """
    ordered, moved = set_clocks(sorted(fixes, key=lambda each: (each.at, each.provider)))
    dropped: RejectedReports = [(fix, "clock") for fix in moved]
    kept: list[Fix] = []
    for fix in ordered:
        reason = first_reason(fix) or (_repeated(kept[-1], fix) if kept else "")
        if reason:
            dropped.append((fix, reason))
        else:
            kept.append(fix)
    kept = _without_altitude_jumps(kept, dropped)
    kept = _slow_enough(kept, dropped)
    kept = one_aircraft(kept, dropped)
    kept = _agreeing(kept, dropped)
    return Track(tuple(kept), tuple(dropped))


def spoofed_addresses(fixes: Sequence[Fix]) -> frozenset[str]:
    """Give the addresses that are put on one point at one time, too many to be true.

    Within half a minute four aircraft in flight within 100 m, or five on the ground within 10 m: those that follow
    each other down the same approach are further apart. Such reports come from jammed
    or spoofed receivers; the hour is degraded and the aircraft have not arrived.
    """
    cells: dict[tuple[bool, float, float], list[Fix]] = defaultdict(list)
    for fix in fixes:
        ground = bool(fix.on_ground)
        digits = 4 if ground else 3
        if is_icao(fix.icao24) and (ground or (fix.ground_speed_kt or 0) > _MOVING_KT):
            cells[ground, round(fix.lat, digits), round(fix.lon, digits)].append(fix)
    crowds = [
        _crowd(cell, _CROWD_GROUND if ground else _CROWD_AIRBORNE) for (ground, _, _), cell in cells.items()
    ]
    return frozenset().union(*crowds)


def _crowd(cell: Sequence[Fix], number: int) -> frozenset[str]:
    """Give the addresses of one point of which so many were there within half a minute."""
    if len({fix.icao24 for fix in cell}) < number:
        return frozenset()
    found: set[str] = set()
    there: deque[Fix] = deque()
    for fix in sorted(cell, key=lambda each: each.at):
        there.append(fix)
        while seconds_between(there[0], fix) > _CROWD_S:
            there.popleft()
        together = {each.icao24 for each in there}
        if len(together) >= number:
            found |= together
    return frozenset(found)


def jammed(fixes: Sequence[Fix]) -> bool:
    """Whether the transponders around a place say that satellite navigation fails there.

    After GPSJam: of the ADS-B aircraft that give an accuracy more than one in ten (one aside, whose own
    receiver may be broken) give a poor one; three at least.
    """
    told = {fix.icao24: False for fix in fixes if _tells_accuracy(fix)}
    poor = {fix.icao24 for fix in fixes if _low_integrity(fix)}
    return len(poor) >= _JAMMED_AT_LEAST and (len(poor) - 1) / len(told) > _JAMMED_SHARE


def misread(fix: Fix, around: Sequence[Fix]) -> bool:
    """Whether an address is a misreading of another: one bit off, same callsign, height and place, heard far more often.

    Who has a registration of its own, stands beside the other or is heard nearly as often is an aircraft.
    """
    heard = Counter(each.icao24 for each in around)
    twins = {each.icao24 for each in around if _is_twin(fix, each)}
    return any(heard[twin] > _MISREAD_SELDOM * heard[fix.icao24] for twin in twins)


def _is_twin(fix: Fix, other: Fix) -> bool:
    if not (is_icao(other.icao24) and fix.callsign and fix.callsign == other.callsign):
        return False
    same_height = fix.on_ground and other.on_ground
    if fix.altitude_ft is not None and other.altitude_ft is not None:
        same_height = abs(fix.altitude_ft - other.altitude_ft) <= _TWIN_FT
    if fix.registration and other.registration and fix.registration != other.registration:
        return False
    if abs(seconds_between(fix, other)) > _BESIDE_S:
        return False
    one_bit = (int(fix.icao24, 16) ^ int(other.icao24, 16)).bit_count() == 1
    return bool(one_bit and same_height and apart_nm(fix, other) <= _one_sender_nm(fix, other))


def _one_sender_nm(fix: Fix, other: Fix) -> float:
    """Give how far apart two reports of one aircraft can lie: it is where its twin is, not beside it."""
    fastest_kt = max(fix.ground_speed_kt or 0.0, other.ground_speed_kt or 0.0)
    return _SAME_STAND_NM + fastest_kt * abs(seconds_between(fix, other)) / SECONDS_PER_HOUR


def first_reason(fix: Fix) -> str:
    """Say why a report is not believed by itself, whatever the others say; nothing where it may be."""
    if not is_icao(fix.icao24) or fix.icao24 in NOBODY:
        return "not_icao"
    if is_surface(source=fix.source, type_code=fix.type_code):
        return SURFACE_SENDER
    if fix.at > fix.received_at + MAX_AHEAD:
        return "future"
    return "low_integrity" if _low_integrity(fix) else ""


def _tells_accuracy(fix: Fix) -> bool:
    return is_icao(fix.icao24) and fix.source.startswith("ads") and fix.nac_p is not None


def _low_integrity(fix: Fix) -> bool:
    """Judge ADS-B reports alone, and only where the transponder gives its accuracy (nac_p).

    Other sources report nic 0 for sound positions, and so do transponders of the first version.
    """
    if not fix.source.startswith("ads") or fix.nac_p is None:
        return False
    # On the ground a nic of 0 is usual.
    poor_nic = fix.nic is not None and fix.nic < _MIN_NIC_AIRBORNE and not fix.on_ground
    return fix.nac_p < _MIN_NAC_P or poor_nic


def _repeated(last: Fix, fix: Fix) -> str:
    same_place = last.lat == fix.lat and last.lon == fix.lon
    if last.at == fix.at or (same_place and seconds_between(last, fix) <= _REPEAT_S):
        return "repeat"
    # A decoder that lost the position may repeat the last one with new times, even with another ground flag.
    return "frozen" if same_place and (_flies(last) or _flies(fix)) else ""


def _flies(fix: Fix) -> bool:
    return fix.on_ground is False and (fix.ground_speed_kt or 0) > _MOVING_KT


def _slow_enough(fixes: list[Fix], dropped: RejectedReports) -> list[Fix]:
    """Drop the reports of an aircraft that are faster than its type can fly: by what they say, or by the way from one to the next."""
    limit_kt = fastest_kt(next((fix.type_code for fix in fixes if fix.type_code), ""))
    if limit_kt >= MAX_SPEED_KT:
        return fixes
    kept: list[Fix] = []
    base: deque[Fix] = deque()
    for fix in fixes:
        while len(base) > 1 and seconds_between(base[1], fix) >= _SPEED_BASE_S:
            base.popleft()
        moved_kt = _moved_kt(base[0], fix) if base else 0.0
        if (fix.ground_speed_kt or 0.0) > limit_kt or moved_kt > limit_kt:
            dropped.append((fix, "too_fast"))
        else:
            kept.append(fix)
            base.append(fix)
    return kept


def _moved_kt(base: Fix, fix: Fix) -> float:
    """Give the speed since a report a minute or so ago; over less than half a minute positions and clocks are too coarse."""
    seconds = seconds_between(base, fix)
    return apart_nm(base, fix) / seconds * SECONDS_PER_HOUR if seconds >= _SPEED_BASE_S / 2 else 0.0


def _without_altitude_jumps(fixes: list[Fix], dropped: RejectedReports) -> list[Fix]:
    mended = []
    for n, fix in enumerate(fixes):
        if fix.altitude_ft is not None and _jumps(fixes, n):
            dropped.append((fix, "altitude_jump"))
            mended.append(replace(fix, altitude_ft=None))
        else:
            mended.append(fix)
    return mended


def _jumps(fixes: Sequence[Fix], n: int) -> bool:
    """Whether the altitude is far from the median of its neighbours' (a misread reply)."""
    around = fixes[max(0, n - _ALTITUDE_WINDOW) : n + _ALTITUDE_WINDOW + 1]
    known = [fix.altitude_ft for fix in around if fix.altitude_ft is not None]
    if len(known) < _MIN_RANGED:
        return False
    span_min = seconds_between(around[0], around[-1]) / 60
    altitude = fixes[n].altitude_ft
    assert altitude is not None
    if span_min >= _SPARSE_MIN and _contradicts_rates(fixes, n):
        return True
    return abs(altitude - median(known)) > _ALTITUDE_SLACK_FT + _MAX_CLIMB_FPM * span_min / 2


def _contradicts_rates(fixes: Sequence[Fix], n: int) -> bool:
    """Whether an altitude is none that the rates of climb reported around it lead to or from; slow feeds leave no median."""
    around = (*fixes[max(0, n - _ALTITUDE_WINDOW) : n], *fixes[n + 1 : n + _ALTITUDE_WINDOW + 1])
    beside = [other for other in around if _tells_climb(other) and _is_beside(fixes[n], other)]
    return bool(beside and _tells_climb(fixes[n])) and all(_strays(fixes[n], each) for each in beside)


def _is_beside(fix: Fix, other: Fix) -> bool:
    return abs(seconds_between(fix, other)) <= _RATES_HOLD_S


def _tells_climb(fix: Fix) -> bool:
    return fix.altitude_ft is not None and fix.vertical_rate_fpm is not None


def _strays(fix: Fix, other: Fix) -> bool:
    """Whether two altitudes differ by more than the rates reported at both and a margin of error explain."""
    first, last = sorted((fix, other), key=lambda each: each.at)
    minutes = seconds_between(first, last) / 60
    climbed_ft = ((first.vertical_rate_fpm or 0.0) + (last.vertical_rate_fpm or 0.0)) / 2 * minutes
    off_ft = abs((last.altitude_ft or 0.0) - (first.altitude_ft or 0.0) - climbed_ft)
    return off_ft > _ALTITUDE_SLACK_FT + _RATE_SLACK_FPM * minutes


def _agreeing(fixes: list[Fix], dropped: RejectedReports) -> list[Fix]:
    """Drop computed positions that fewer than three reports within two minutes of each other bear out."""
    if not any(fix.source in _RANGED for fix in fixes):
        return fixes
    kept: list[Fix] = []
    for group in _groups(fixes):
        alone = [fix for fix in group if fix.source in _RANGED] if len(group) < _MIN_RANGED else []
        dropped += [(fix, "few_ranged") for fix in alone]
        kept += [fix for fix in group if fix not in alone]
    return kept


def _groups(fixes: Sequence[Fix]) -> Iterator[list[Fix]]:
    group = [fixes[0]]
    for fix in fixes[1:]:
        if seconds_between(group[-1], fix) > _RANGED_GAP_S:
            yield group
            group = []
        group.append(fix)
    yield group
