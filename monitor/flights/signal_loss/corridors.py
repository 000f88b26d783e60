"""Where earlier flights were on their way: by position, course, height, climb and speed, with where each of them went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from db.records import Fix
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.flights.signal_loss.performance import Trade, performance_of
from monitor.sites.geodesy import NM_PER_DEGREE, Floats, wrap_longitudes

FLEW_ON = ""
"""Where a flight went that landed at no place that is known."""
_STEP_NM = 3.0
"""Flights so far apart are one step unlike each other."""
_STEP_FT, _STEP_TURN, _STEP_FPM, _STEP_KT = 1_500.0, 0.5, 800.0, 60.0
STATE_LENGTH = 7
_OTHER_TRADE = 4.0
"""Airliners and business aircraft are two steps unlike each other (squared)."""
_BOTH = {"airline", "business"}
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class KnownFlight:
    """An earlier flight: who it was, where it went, and its reports of interest as rows of `state_of`."""

    icao24: str
    to: str
    states: Floats
    trade: Trade = ""


@dataclass(frozen=True, slots=True)
class Corridors:
    """Earlier flights over one area, all their states in one table."""

    states: Floats = field(default_factory=lambda: np.empty((0, STATE_LENGTH)))
    flight: np.ndarray[tuple[int], np.dtype[np.intp]] = field(
        default_factory=lambda: np.empty(0, dtype=np.intp)
    )
    """Which flight each state is of."""
    to: tuple[str, ...] = ()
    trades: tuple[Trade, ...] = ()

    def alike(self, end: GapEnd) -> Mapping[str, float]:
        """Count the flights that were in a like state, by where they went; each counts once, by its nearest state, from 0 to 1."""
        if not self.to:
            return {}
        trade = performance_of(end.fix.type_code).trade
        apart = _apart(self.states, state_of(end.fix, end.course_deg, end.rate_fpm))
        nearest = np.full(len(self.to), np.inf)
        np.minimum.at(nearest, self.flight, apart)
        nearest += [_OTHER_TRADE if {trade, each} == _BOTH else 0.0 for each in self.trades]
        near = np.exp(-nearest / 2)
        found: dict[str, float] = {}
        for to, weight in zip(self.to, near.tolist(), strict=True):
            if weight > _LEAST:
                found[to] = found.get(to, 0.0) + weight
        return found


def corridors_of(flights: Sequence[KnownFlight]) -> Corridors:
    """Put earlier flights into one table."""
    if not flights:
        return Corridors()
    return Corridors(
        np.concatenate([each.states for each in flights]),
        np.repeat(np.arange(len(flights)), [len(each.states) for each in flights]),
        tuple(each.to for each in flights),
        tuple(each.trade for each in flights),
    )


def state_of(fix: Fix, course_deg: float | None, rate_fpm: float | None) -> Floats:
    """Give latitude, longitude, altitude (ft), the sine and cosine of the course, climb (ft/min) and speed (kt); NaN is unknown."""
    course = np.nan if course_deg is None else np.radians(course_deg)
    values = (
        fix.lat,
        fix.lon,
        fix.altitude_ft,
        np.sin(course),
        np.cos(course),
        rate_fpm,
        fix.ground_speed_kt,
    )
    return np.array([np.nan if each is None else each for each in values], dtype=np.float64)


def _apart(states: Floats, here: Floats) -> Floats:
    """Give the squared number of steps between each state and this one; what is unknown in one of them is one step."""
    turned = wrap_longitudes(states[:, 1] - here[1]) * np.cos(np.radians(here[0]))
    nm = NM_PER_DEGREE * np.column_stack([states[:, 0] - here[0], turned]) / _STEP_NM
    rest = (states[:, 2:] - here[2:]) / (_STEP_FT, _STEP_TURN, _STEP_TURN, _STEP_FPM, _STEP_KT)
    steps = np.column_stack([nm, rest]) ** 2
    return np.asarray(np.where(np.isnan(steps), 1.0, steps).sum(axis=1), dtype=np.float64)
