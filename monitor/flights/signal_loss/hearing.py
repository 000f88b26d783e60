"""Where others were heard: the learnt chance that an aircraft there, at that height, would be heard."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from db.records import Fix
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd, asks_about
from monitor.sites.geodesy import NM_PER_DEGREE, SECONDS_PER_HOUR, Floats, destination, wrap_longitude

HEARING_CELL_DEG = 0.05
"""Cells of 3 NM: whether a landing is heard changes over the length of an approach."""
HEARING_BAND_FT = 1_000.0
GROUND_BAND = -1
"""The band of reports from the ground; that of the lowest airborne ones is 0."""
HeardCell = tuple[int, int, int, int]
"""Row and column of a cell (southwest corner through its size), band of height, and how many aircraft were heard there."""
_LIFT = 10_000
"""More than there are cells between a meridian and its opposite: numbers lifted by so much are above 0."""
_WIDE = 5
_BANDS_NEAR = 3
_UNKNOWN_A_MINUTE = 1 / 60
"""Where nobody was heard, a flight that goes on is heard again within an hour on the average."""
_HEARD_A_MINUTE = 0.5
"""Where many are heard, so many of the minutes of a flight bring a report that is believed."""
_DEAF = 0.5
"""As if so many aircraft had landed unheard at every field: one that was heard leaves a chance of a third."""
_COURSES_DEG = (-40.0, -15.0, 0.0, 15.0, 40.0)
_LONGEST_MIN = 60


def cells_of(degrees: Floats) -> Floats:
    """Give the rows or columns of positions, by the same arithmetic as the database."""
    found: Floats = np.floor(degrees / HEARING_CELL_DEG + _LIFT) - _LIFT
    return found


def hearing_band(fix: Fix) -> float:
    """Give the band of a report; NaN where its height is not known."""
    if fix.on_ground:
        return float(GROUND_BAND)
    return math.nan if fix.altitude_ft is None else max(0.0, fix.altitude_ft // HEARING_BAND_FT)


@dataclass(frozen=True, slots=True)
class Hearing:
    """How many other aircraft were heard, by cell and band of height; nothing is known of all other cells."""

    cells: Mapping[tuple[int, int, int], int]
    wide: Mapping[tuple[int, int, int], int]
    """The same by wider cells: enough traffic to tell of flight on the way."""

    def landing_unheard(
        self, place: Place, side: tuple[float, float, float, float], below_ft: float
    ) -> float:
        """Give the chance that a landing is not heard at a place whose low flights come over this side of it (plane, NM)."""
        heard = self._low(place, side, below_ft)
        return _DEAF / (heard + _DEAF)

    def _low(self, place: Place, side: tuple[float, float, float, float], below_ft: float) -> int:
        west, south, east, north = side
        rows = range(_cell(place.lat + south / NM_PER_DEGREE), _cell(place.lat + north / NM_PER_DEGREE) + 1)
        columns = range(
            _cell(place.lon + west / place.east_scale), _cell(place.lon + east / place.east_scale) + 1
        )
        bands = range(GROUND_BAND, math.ceil(below_ft / HEARING_BAND_FT))
        turn = round(360 / HEARING_CELL_DEG)
        half = turn // 2
        return max(
            (
                self.cells.get((row, (column + half) % turn - half, band), 0)
                for row in rows
                for column in columns
                for band in bands
            ),
            default=0,
        )

    def flying_unheard(self, lost: GapEnd, scope: str, speed_kt: float, silent_s: float) -> float:
        """Give the chance that a flight that went on from there would not have been heard for so long.

        It is averaged over courses about the last one; out of the area that was asked about nothing is heard.
        """
        if lost.course_deg is None or silent_s <= 0:
            return 1.0
        chances = [
            self._along(lost, lost.course_deg + turn, scope, speed_kt, silent_s) for turn in _COURSES_DEG
        ]
        return float(np.mean(chances))

    def _along(self, lost: GapEnd, course: float, scope: str, speed_kt: float, silent_s: float) -> float:
        fix, minutes = lost.fix, silent_s / 60
        hazard = 0.0
        for minute in range(1, min(int(minutes), _LONGEST_MIN) + 1):
            lat, lon = destination(fix.lat, fix.lon, course, minute * speed_kt * 60 / SECONDS_PER_HOUR)
            if not asks_about(scope, lat, lon):
                return math.exp(-hazard)
            heard = self._at(lat, lon, fix.altitude_ft)
            hazard += max(_UNKNOWN_A_MINUTE, _HEARD_A_MINUTE * heard / (heard + 1))
        hazard += max(0.0, minutes - _LONGEST_MIN) * _UNKNOWN_A_MINUTE
        return math.exp(-hazard)

    def _at(self, lat: float, lon: float, altitude_ft: float | None) -> int:
        if altitude_ft is None:
            return 0
        row, column, band = _cell(lat) // _WIDE, _cell(lon) // _WIDE, int(altitude_ft // HEARING_BAND_FT)
        return sum(
            self.wide.get((row, column, each), 0)
            for each in range(band - _BANDS_NEAR, band + _BANDS_NEAR + 1)
        )


def hearing_of(rows: Iterable[HeardCell]) -> Hearing:
    """Build it from the cells in which others were heard."""
    cells: dict[tuple[int, int, int], int] = {}
    wide: dict[tuple[int, int, int], int] = {}
    for row, column, band, heard in rows:
        cells[row, column, band] = cells.get((row, column, band), 0) + heard
        key = row // _WIDE, column // _WIDE, band
        wide[key] = max(wide.get(key, 0), heard)
    return Hearing(cells, wide)


def _cell(degrees: float) -> int:
    return math.floor(wrap_longitude(degrees) / HEARING_CELL_DEG)
