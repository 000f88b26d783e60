"""What each report says of its aircraft: on the ground, rolling, in the air, or nothing certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from db.records import Fix
from monitor.flights.places import Place, positions
from monitor.flights.tracks.cadence import delivered_intervals_s
from monitor.flights.tracks.ground import (
    FLIGHT_SPEED_KT,
    GROUND_SPEED_KT,
    LOW_GEOM_FT,
    ON_GROUND_ODDS,
    RANGED,
    STILL_KT,
    GroundSigns,
    Height,
    ground_log_odds,
    height_above,
)
from monitor.flights.tracks.kinematics import apart_nm, seconds_between
from monitor.sites.geodesy import NM_PER_DEGREE, SECONDS_PER_HOUR

HIGH_FT = 1500.0
"""Above it an aircraft is in the air, even where the pressure altitude is wrong by a storm (1,400 ft)."""
CLEARLY_ABOVE_FT = 250.0
"""So far above a field, errors aside, nothing stands."""
_BASE_S = 4.0
_RANGED_BASE_S = 30.0
"""Computed positions stray by a hundred metres: over a shorter time that alone is a speed."""
_MAX_BASE_S = 60.0
_MAX_BASE_GROUND_S = 600.0
_BASE_REPORTS = 120
_PARKED_KT, _NO_CIRCLE_S = 10.0, 90.0
_STILL_NM, _STILL_RANGED_NM = 0.03, 0.15
_CAME_DOWN_FT, _LEVEL_FT = 400.0, 100.0
_CAME_DOWN_WITHIN_S, _LEVEL_FOR_S = 600.0, 15.0


class Phase(Enum):
    """What one report proves; a missing value neither proves nor vetoes."""

    GROUND = "on the ground"
    ROLLING = "rolling"
    AIR = "in the air"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PhasedReport:
    """One report with what it proves; `place` is the site it lies in, if any."""

    fix: Fix
    phase: Phase
    place: Place | None
    speed_kt: float | None
    """From the movement since an earlier report where possible, else as reported."""
    interval_s: float = 0.0
    """How often the aircraft was delivered around this report; 0 where that is not known."""

    def height_ft(self, place: Place) -> float | None:
        """Give the height above a field; it may be negative."""
        return height_ft(self.fix, place)


def height_ft(fix: Fix, place: Place) -> float | None:
    """Give the height above a field; None where altitude or elevation is unknown, which is never low."""
    height = height_above(fix, place)
    return None if height is None else height.feet


def phased_reports(fixes: Sequence[Fix], places: Sequence[Place]) -> list[PhasedReport]:
    """Read a believed track: say of each report what it proves and which site it lies in."""
    inside = _places_of(fixes, places)
    speeds = list(_speeds(fixes))
    nearest = _nearest(fixes, places)
    honest = any(fix.on_ground for fix in fixes)
    stood, slow = _stood_s(fixes), _slow_s(fixes, speeds)
    intervals = delivered_intervals_s([fix.at for fix in fixes])
    found = []
    for n, fix in enumerate(fixes):
        there, speed = inside[n], speeds[n]
        field = there or nearest[n]
        # Nothing but a flag tells the ground outside a place, or at the speed of flight.
        asked = fix.on_ground or (there is not None and (speed is None or speed < GROUND_SPEED_KT))
        signs = GroundSigns(
            speed,
            height_above(fix, field) if field is not None and _needs_height(fix, speed) else None,
            there is not None,
            honest,
            stood[n],
            slow[n],
            came_down=bool(asked and is_slow(speed)) and not fix.on_ground and _came_down(fixes, n),
        )
        grounded = bool(asked) and ground_log_odds(fix, signs) >= ON_GROUND_ODDS
        found.append(PhasedReport(fix, _phase(fix, signs, grounded=grounded), there, speed, intervals[n]))
    return found


def _needs_height(fix: Fix, speed: float | None) -> bool:
    """Whether a height can change what a report proves: who is said to fly, and fast, flies."""
    return fix.on_ground is not False or speed is None or speed < GROUND_SPEED_KT


def _phase(fix: Fix, signs: GroundSigns, *, grounded: bool) -> Phase:
    speed = signs.speed_kt
    if fix.on_ground:
        if speed is not None and speed >= FLIGHT_SPEED_KT:
            return Phase.AIR
        if grounded:
            return Phase.GROUND
        rolls = speed is not None and speed >= GROUND_SPEED_KT and signs.inside
        return Phase.ROLLING if rolls and not _is_above(signs.height) else Phase.UNKNOWN
    if grounded:
        return Phase.GROUND
    # Parked aircraft are heard "in the air at 39,000 ft": only movement proves flight.
    if speed is None or speed < STILL_KT:
        return Phase.UNKNOWN
    # Without a flag it may be rolling, but outside a place nothing rolls so fast.
    told = fix.on_ground is False or not signs.inside
    fast = speed >= (GROUND_SPEED_KT if told else FLIGHT_SPEED_KT)
    height = signs.height
    high = height is not None and height.low_ft >= CLEARLY_ABOVE_FT
    return Phase.AIR if fast or high else Phase.UNKNOWN


def _is_above(height: Height | None) -> bool:
    """Whether a geometric height contradicts a ground flag."""
    return height is not None and height.is_geometric and height.off_ft >= LOW_GEOM_FT


def is_slow(speed: float | None) -> bool:
    """Whether a speed is known, and too low for flight on wings."""
    return speed is not None and speed < STILL_KT


def _stood_s(fixes: Sequence[Fix]) -> list[float]:
    """Say of each report for how long the aircraft has not moved."""
    found: list[float] = []
    anchor = 0
    for n, fix in enumerate(fixes):
        margin_nm = _STILL_RANGED_NM if fix.source in RANGED else _STILL_NM
        # Most are far: the latitude alone tells.
        before = fixes[anchor]
        gone = abs(before.lat - fix.lat) * NM_PER_DEGREE > margin_nm or apart_nm(before, fix) > margin_nm
        if gone or _rose(before, fix):
            anchor = n
        found.append(seconds_between(fixes[anchor], fix))
    return found


def _slow_s(fixes: Sequence[Fix], speeds: Sequence[float | None]) -> list[float]:
    """Say of each report for how long the aircraft has been slow and level; what hangs in the air goes up and down."""
    found: list[float] = []
    since: Fix | None = None
    for fix, speed in zip(fixes, speeds, strict=True):
        since = (since or fix) if is_slow(speed) else None
        since = fix if since is not None and _rose(since, fix) else since
        found.append(0.0 if since is None else seconds_between(since, fix))
    return found


def _rose(fix: Fix, later: Fix) -> bool:
    before, now = _altitude_ft(fix), _altitude_ft(later)
    return before is not None and now is not None and abs(now - before) > _LEVEL_FT / 2


def _came_down(fixes: Sequence[Fix], n: int) -> bool:
    """Whether an aircraft has come down by some hundred feet in the last minutes, and stays on that level."""
    altitude = _altitude_ft(fixes[n])
    if altitude is None:
        return False
    came_down, level_s = False, 0.0
    for earlier in reversed(fixes[:n]):
        before, age = _altitude_ft(earlier), seconds_between(earlier, fixes[n])
        if age > _CAME_DOWN_WITHIN_S:
            break
        if before is None:
            continue
        if abs(before - altitude) > _LEVEL_FT and level_s < _LEVEL_FOR_S:
            return False
        level_s = max(level_s, age)
        came_down = came_down or before - altitude >= _CAME_DOWN_FT
    return came_down and level_s >= _LEVEL_FOR_S


def _altitude_ft(fix: Fix) -> float | None:
    return fix.altitude_ft if fix.altitude_ft is not None else fix.altitude_geom_ft


def _speeds(fixes: Sequence[Fix]) -> Iterator[float | None]:
    """Give each report's speed from the movement since an earlier one, else as reported.

    Some transponders and decoders go on repeating the last speed of the flight while the aircraft taxies.
    """
    for n, fix in enumerate(fixes):
        base = _base(fixes, n)
        if base is not None:
            yield _moved_kt(base, fix)
        elif n and seconds_between(fixes[n - 1], fix) <= _MAX_BASE_GROUND_S:
            # Who has hardly moved repeats an old speed, unless it flew a whole circle: that takes two minutes.
            moved = _moved_kt(fixes[n - 1], fix)
            soon = seconds_between(fixes[n - 1], fix) <= _NO_CIRCLE_S
            yield moved if moved < (STILL_KT if soon else _PARKED_KT) else fix.ground_speed_kt
        else:
            yield fix.ground_speed_kt


def _moved_kt(base: Fix, fix: Fix) -> float:
    return apart_nm(base, fix) / max(seconds_between(base, fix), 1.0) * SECONDS_PER_HOUR


def _base(fixes: Sequence[Fix], n: int) -> Fix | None:
    """Find the newest report to measure from, of the same provider if one is there: clocks differ.

    On the ground a long base serves too, but none that reaches back into the flight; in flight it would cut across turns.
    """
    other: Fix | None = None
    fix = fixes[n]
    youngest = _RANGED_BASE_S if fix.source in RANGED else _BASE_S
    for earlier in reversed(fixes[max(0, n - _BASE_REPORTS) : n]):
        age = seconds_between(earlier, fix)
        if age > (_MAX_BASE_GROUND_S if fix.on_ground and earlier.on_ground else _MAX_BASE_S):
            break
        if age >= youngest:
            if earlier.provider == fix.provider:
                return earlier
            other = other or earlier
    return other


def _places_of(fixes: Sequence[Fix], places: Sequence[Place]) -> list[Place | None]:
    found: list[Place | None] = [None] * len(fixes)
    lat, lon = positions(fixes)
    for place in places:
        for n in np.flatnonzero(place.contains(lat, lon)):
            found[n] = found[n] or place
    return found


def _nearest(fixes: Sequence[Fix], places: Sequence[Place]) -> list[Place | None]:
    """Give the place whose field an altitude is measured from, where the aircraft is in none."""
    if not places:
        return [None] * len(fixes)
    lat, lon = positions(fixes)
    planes = [place.plane(lat, lon) for place in places]
    squares = np.array([x**2 + y**2 for x, y in planes])
    return [places[n] for n in np.argmin(squares, axis=0)]
