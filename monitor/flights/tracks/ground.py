"""On the ground or not: one likelihood of all that a report says, for flags that are missing, stuck or always "airborne".

The terms are log odds of being on the ground against being in flight, and add up: what says nothing adds 0. Their sizes are
judgement, chosen so that a sound ground flag carries a report alone, and so that without one at least three other
signs must agree. docs/visits.md lists them.
"""

from dataclasses import dataclass

from db.records import Fix
from monitor.flights.places import Place

GROUND_SPEED_KT = 80.0
FLIGHT_SPEED_KT = 200.0
"""Faster than any aircraft rolls, whatever its ground flag says."""
STILL_KT = 30.0
LOW_GEOM_FT = 300.0
# Geometric heights are above the ellipsoid, which lies up to 280 ft above sea level or 350 ft below it.
GEOID_FT = 300.0
PRESSURE_FT = 1_400.0
"""So far a pressure altitude is off in the deepest lows and the highest highs (965 to 1,060 hPa at 27 ft each), and 100 ft by itself."""
ON_GROUND_ODDS = 3.0
"""From these log odds on (20 to 1) a report is held to be from the ground."""
RANGED = frozenset({"mlat", "tisb_icao", "tisb_other", "tisb_trackfile"})
"""Positions computed on the ground: their flag says "airborne" of whatever has an altitude."""

_FLAG, _HONEST_AIR, _USUAL_AIR = 4.0, -3.0, -0.5
_SLOW, _ROLLING, _FLYING = 2.0, -0.5, -8.0
_LEVEL_FT, _LEVEL, _MAY_BE_LEVEL = 200.0, 1.5, 0.5
_STEP_FT, _HIGH = 100.0, -6.0
_OUTSIDE, _STANDING, _TAXIING, _CAME_DOWN, _CLIMBS = -6.0, 1.0, 0.5, 1.0, -2.0
_STANDING_S = 60.0
_CLIMB_FPM = 300.0


@dataclass(frozen=True, slots=True)
class Height:
    """A height above a field in feet, which may be negative, and the bounds within which it lies."""

    feet: float
    low_ft: float
    high_ft: float

    @property
    def is_geometric(self) -> bool:
        """Whether it is known better than the weather lets a pressure altitude be."""
        return self.high_ft - self.low_ft <= 2 * GEOID_FT

    @property
    def off_ft(self) -> float:
        """How far the height of the field itself lies outside the bounds."""
        return max(0.0, self.low_ft, -self.high_ft)


@dataclass(frozen=True, slots=True)
class GroundSigns:
    """What is known of one report beside what it says itself."""

    speed_kt: float | None
    height: Height | None
    inside: bool
    flag_is_honest: bool
    """Whether this aircraft ever says that it is on the ground; one that never does is "airborne" at its gate too."""
    stood_s: float
    """For how long it has not moved."""
    slow_s: float
    """For how long it has moved too slowly for wings."""
    came_down: bool
    """Whether it has just come down to this level and stays on it."""


def height_above(fix: Fix, place: Place) -> Height | None:
    """Give the height above a field; None where altitude or elevation is unknown, which is never low.

    Geometric height is known to the geoid (300 ft); pressure altitude to the weather (1,400 ft). Where there are both,
    the pressure altitude stands as far as the geometric one allows it: in usual weather it is the finer of the two.
    """
    if place.elevation_ft is None:
        return None
    pressure = None if fix.altitude_ft is None else fix.altitude_ft - place.elevation_ft
    geometric = None if fix.altitude_geom_ft is None else fix.altitude_geom_ft - place.elevation_ft
    if geometric is None:
        return None if pressure is None else Height(pressure, pressure - PRESSURE_FT, pressure + PRESSURE_FT)
    low, high = geometric - GEOID_FT, geometric + GEOID_FT
    return Height(geometric if pressure is None else min(max(pressure, low), high), low, high)


def ground_log_odds(fix: Fix, signs: GroundSigns) -> float:
    """Add up what speaks for the ground and against it."""
    odds = _flag(fix, signs) + _speed(signs.speed_kt) + _level(signs.height, flagged=bool(fix.on_ground))
    if fix.on_ground:
        return odds
    odds += 0.0 if signs.inside else _OUTSIDE
    standing = _STANDING * min(2.0, signs.stood_s // _STANDING_S)
    odds += max(standing, _TAXIING * min(2.0, signs.slow_s // _STANDING_S))
    odds += _CAME_DOWN if signs.came_down else 0.0
    rate = fix.vertical_rate_fpm
    return odds + (_CLIMBS if rate is not None and abs(rate) >= _CLIMB_FPM else 0.0)


def _flag(fix: Fix, signs: GroundSigns) -> float:
    if fix.on_ground:
        return _FLAG
    if fix.on_ground is None:
        return 0.0
    return _HONEST_AIR if signs.flag_is_honest and fix.source not in RANGED else _USUAL_AIR


def _speed(speed_kt: float | None) -> float:
    if speed_kt is None:
        return 0.0
    if speed_kt < STILL_KT:
        return _SLOW
    if speed_kt < GROUND_SPEED_KT:
        return _ROLLING
    return _FLYING


def _level(height: Height | None, *, flagged: bool) -> float:
    """Weigh a height; beside a ground flag only a geometric one, for a flagged report may repeat an old altitude."""
    if height is None or (flagged and not height.is_geometric):
        return 0.0
    if flagged:
        return _HIGH if height.off_ft >= LOW_GEOM_FT else 0.0
    if not height.off_ft and (height.is_geometric or abs(height.feet) <= _LEVEL_FT):
        return _LEVEL
    return max(_HIGH, _MAY_BE_LEVEL - (height.off_ft / _STEP_FT) ** 2 / 2)
