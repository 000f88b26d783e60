"""What each report says of its aircraft: on the ground, rolling, in the air, or nothing certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from db.records import Fix
from monitor.flights.places import Place, positions
from monitor.flights.tracks.kinematics import apart_nm, seconds_between
from monitor.sites.geodesy import SECONDS_PER_HOUR

GROUND_SPEED_KT = 80.0
FLIGHT_SPEED_KT = 200.0
"""Faster than any aircraft rolls, whatever its ground flag says."""
STILL_KT = 30.0
LOW_GEOM_FT = 300.0
# Geometric heights are above the ellipsoid, which lies up to 280 ft above sea level or 350 ft below it.
GEOID_FT = 300.0
HIGH_FT = 1500.0
"""Above it an aircraft is in the air, even where the pressure altitude is wrong by a storm (1,000 ft)."""
_BASE_S = 4.0
_MAX_BASE_S = 60.0
_MAX_BASE_GROUND_S = 600.0
_BASE_REPORTS = 120


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

    def height_ft(self, place: Place) -> float | None:
        """Give the height above a field, from the pressure altitude if known; it may be negative."""
        return height_ft(self.fix, place)


def height_ft(fix: Fix, place: Place) -> float | None:
    """Give the height above a field; None where altitude or elevation is unknown, which is never low."""
    altitude = fix.altitude_ft if fix.altitude_ft is not None else fix.altitude_geom_ft
    if altitude is None or place.elevation_ft is None:
        return None
    return altitude - place.elevation_ft


def phased_reports(fixes: Sequence[Fix], places: Sequence[Place]) -> list[PhasedReport]:
    """Read a believed track: say of each report what it proves and which site it lies in."""
    inside = _places_of(fixes, places)
    speeds = list(_speeds(fixes))
    nearest = _nearest(fixes, places)
    found = []
    for n, fix in enumerate(fixes):
        phase = _phase(fix, speeds[n], inside[n] or nearest[n], inside=inside[n] is not None)
        found.append(PhasedReport(fix, phase, inside[n], speeds[n]))
    return found


def _phase(fix: Fix, speed: float | None, field: Place | None, *, inside: bool) -> Phase:
    height = None if field is None else height_ft(fix, field)
    if fix.on_ground:
        return _grounded(fix, speed, field, inside=inside)
    # Parked aircraft are heard "in the air at 39,000 ft": only movement proves flight.
    if speed is None or speed < STILL_KT:
        return Phase.UNKNOWN
    fast = speed >= (GROUND_SPEED_KT if fix.on_ground is False else FLIGHT_SPEED_KT)
    return Phase.AIR if fast or (height is not None and height >= HIGH_FT) else Phase.UNKNOWN


def _grounded(fix: Fix, speed: float | None, field: Place | None, *, inside: bool) -> Phase:
    """Say what a ground flag is worth: old transponders set it in flight."""
    if speed is not None and speed >= FLIGHT_SPEED_KT:
        return Phase.AIR
    if _too_high(fix, field):
        return Phase.UNKNOWN
    if speed is not None and speed >= GROUND_SPEED_KT:
        return Phase.ROLLING if inside else Phase.UNKNOWN
    return Phase.GROUND


def _too_high(fix: Fix, field: Place | None) -> bool:
    if fix.altitude_geom_ft is None or field is None or field.elevation_ft is None:
        return False
    return fix.altitude_geom_ft - field.elevation_ft >= LOW_GEOM_FT + GEOID_FT


def _speeds(fixes: Sequence[Fix]) -> Iterator[float | None]:
    """Give each report's speed from the movement since an earlier one, else as reported.

    Some transponders and decoders go on repeating the last speed of the flight while the aircraft taxies.
    """
    for n, fix in enumerate(fixes):
        base = _base(fixes, n)
        if base is None:
            yield fix.ground_speed_kt
        else:
            yield apart_nm(base, fix) / seconds_between(base, fix) * SECONDS_PER_HOUR


def _base(fixes: Sequence[Fix], n: int) -> Fix | None:
    """Find the newest report to measure from, of the same provider if one is there: clocks differ.

    On the ground a long base serves too; in flight it would cut across the turns.
    """
    other: Fix | None = None
    oldest = _MAX_BASE_GROUND_S if fixes[n].on_ground else _MAX_BASE_S
    for earlier in reversed(fixes[max(0, n - _BASE_REPORTS) : n]):
        age = seconds_between(earlier, fixes[n])
        if age > oldest:
            break
        if age >= _BASE_S:
            if earlier.provider == fixes[n].provider:
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
