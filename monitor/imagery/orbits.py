"""Passes over a place out of orbit elements that a user supplies: when a satellite whose swath is known has it in view.

SGP4 (Vallado and others, AIAA 2006-6753) says where the satellite is. Elements are good to some kilometres for a month before their epoch and two
weeks after it; manoeuvres, which nobody announces in them, are what limits that.
"""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import Geod, Transformer
from sgp4 import omm
from sgp4.api import SGP4_ERRORS, Satrec
from sgp4.conveniences import sat_epoch_datetime
from sgp4.io import verify_checksum

from monitor.sites.geodesy import Floats

SWATHS_KM = (
    (re.compile(r"(invented-)?sentinel-2[a-d]"), 290.0),
    (re.compile(r"landsat-[89]"), 185.0),
)
"""How wide they see, both by day, flying south (ESA's and USGS's mission pages). Radar looks aside, and not always."""
BEFORE, AFTER = timedelta(days=30), timedelta(days=14)
"""So far from their epoch elements are gone by."""
_EDGE_KM = 15.0
"""Nearer than this to the edge of the swath nobody can tell whether a place is in it."""
_COARSE_S, _FINE_S = 60.0, 1.0
_FARTHEST_COARSE_KM = 700.0
"""A place in the swath is at least so near to one of the coarse points: half a step of 420 km, and the swath."""
_EARTH_KM = 6_371.0
_DAY_S = 86_400.0
_UNIX_EPOCH_JD, _J2000_JD, _CENTURY_D = 2_440_587.5, 2_451_545.0, 36_525.0
_TLE_LINE = 2, 69
_GEOD = Geod(ellps="WGS84")


class ElementsError(Exception):
    """A text holds no orbit elements that can be gone by; it says where and why."""


@dataclass(frozen=True, slots=True)
class OverPass:
    """One satellite over one place: when it is nearest, how far to the east (km) its track lies, and whether the place is surely in view."""

    platform: str
    at: datetime
    east_km: float
    sure: bool


@dataclass(frozen=True, slots=True)
class FlownPasses:
    """What elements say of one satellite over one place between `since` and `until`; `epoch` is theirs.

    `fault` says why newer ones, which somebody supplied, are not gone by.
    """

    platform: str
    epoch: datetime
    since: datetime
    until: datetime
    passes: tuple[OverPass, ...]
    fault: str = ""


class Orbit:
    """One satellite as its elements have it, named as catalogues name it: in small letters, with a dash."""

    def __init__(self, platform: str, satellite: Satrec) -> None:
        self.platform, self._satellite = platform, satellite
        self.epoch: datetime = sat_epoch_datetime(satellite).replace(tzinfo=UTC)
        self.since, self.until = self.epoch - BEFORE, self.epoch + AFTER
        self.swath_km = swath_km(platform) or 0.0

    def positions(self, unix_s: Floats) -> Floats:
        """Where it is at these times: X, Y and Z in metres, turning with the Earth (time, axis). Raises ElementsError."""
        days = unix_s / _DAY_S
        whole = np.floor(days)
        failed, teme, _ = self._satellite.sgp4_array(whole + _UNIX_EPOCH_JD, days - whole)
        if failed.any():
            raise ElementsError(
                f"the elements of {self.platform} lead nowhere: {SGP4_ERRORS[int(failed.max())]}"
            )
        return earth_fixed(teme * 1_000.0, days + _UNIX_EPOCH_JD)

    def ground(self, unix_s: Floats) -> tuple[Floats, Floats]:
        """The point on the ground below it at these times: longitudes and latitudes in degrees."""
        x, y, z = self.positions(unix_s).T
        degrees = _geodetic().transform(x, y, z)
        return np.asarray(degrees[0]), np.asarray(degrees[1])

    def passes_over(self, longitude: float, latitude: float) -> FlownPasses:
        """Every pass, flying south, in whose swath a place lies, as long as the elements hold."""
        found = _passes(self, round(longitude, 4), round(latitude, 4)) if self.swath_km else ()
        return FlownPasses(self.platform, self.epoch, self.since, self.until, found)

    @cached_property
    def coarse(self) -> tuple[Floats, npt.NDArray[np.float32]]:
        """Times (unix seconds), one a minute, and the direction of the ground below."""
        times = np.arange(self.since.timestamp(), self.until.timestamp(), _COARSE_S)
        return times, _directions(*self.ground(times)).astype(np.float32)


def read_elements(text: str) -> list[Orbit]:
    """The satellites in a text: lines of two with a name before them, or OMM as XML, CSV or JSON; of one satellite its newest elements.

    Those whose swath is not known are left out. Raises ElementsError.
    """
    stripped = text.lstrip("\ufeff \r\n\t")
    if stripped[:1] in ("<", "[", "{") or "MEAN_MOTION" in stripped.partition("\n")[0]:
        found = list(_of_messages(stripped))
    else:
        found = list(_of_lines(stripped.splitlines()))
    newest: dict[str, Orbit] = {}
    for each in sorted(found, key=lambda orbit: orbit.epoch):
        newest[each.platform] = each
    known = [each for each in newest.values() if each.swath_km]
    if not known:
        named = ", ".join(sorted(newest)) or "none"
        raise ElementsError(
            f"it has no satellite whose swath is known (Sentinel-2A to -2D, Landsat 8 and 9); found: {named}"
        )
    return known


def swath_km(platform: str) -> float | None:
    """How wide a satellite sees; None where that is not known."""
    return next((width for name, width in SWATHS_KM if name.fullmatch(platform)), None)


def _of_lines(lines: Sequence[str]) -> Iterator[Orbit]:
    name, first = "", ""
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()
        if line.startswith("1 ") and len(line) == _TLE_LINE[1]:
            first = line
        elif line.startswith("2 ") and len(line) == _TLE_LINE[1]:
            if not first:
                raise ElementsError(f"line {number}: no first line of elements stands before this second one")
            if not name:
                raise ElementsError(
                    f"line {number}: no name stands before these elements; write it on a line of its own, as catalogues call it (sentinel-2b)"
                )
            yield Orbit(_platform(name), _satellite_of(first, line, number))
            name = first = ""
        elif line.strip():
            if first:
                raise ElementsError(f"line {number}: the second line of elements should stand here")
            name = line.strip().removeprefix("0 ")


def _satellite_of(first: str, second: str, number: int) -> Satrec:
    try:
        verify_checksum(first, second)
        satellite = Satrec.twoline2rv(first, second)
    except ValueError as error:
        raise ElementsError(f"line {number}: {str(error).partition(chr(10))[0].rstrip(':')}") from None
    if satellite.error:
        raise ElementsError(f"line {number}: {SGP4_ERRORS[satellite.error]}")
    return satellite


def _of_messages(text: str) -> Iterator[Orbit]:
    for number, fields in enumerate(_messages(text), 1):
        satellite = Satrec()
        try:
            omm.initialize(satellite, _completed(fields))
            name = str(fields["OBJECT_NAME"])
        except KeyError as error:
            raise ElementsError(f"message {number}: it has no {error.args[0]}") from None
        except (TypeError, ValueError) as error:
            raise ElementsError(f"message {number}: {error}") from None
        if satellite.error:
            raise ElementsError(f"message {number}: {SGP4_ERRORS[satellite.error]}")
        yield Orbit(_platform(name), satellite)


def _messages(text: str) -> list[dict[str, Any]]:
    try:
        if text.startswith("<"):
            return list(omm.parse_xml(io.StringIO(text)))
        if text[:1] in ("[", "{"):
            said = json.loads(text)
            return list(said) if isinstance(said, list) else [said]
        return list(csv.DictReader(io.StringIO(text)))
    except (ET.ParseError, ValueError, AttributeError, TypeError) as error:
        raise ElementsError(f"it is no orbit mean-elements message: {error}") from None


def _completed(fields: dict[str, Any]) -> dict[str, Any]:
    """A message in the form that the library reads: its epoch always with a fraction, and no zone, for it is UTC."""
    epoch = str(fields["EPOCH"]).removesuffix("Z")
    return {**fields, "EPOCH": epoch if "." in epoch else f"{epoch}.0"}


def earth_fixed(teme: Floats, julian: Floats) -> Floats:
    """Places (time, axis) in the frame of SGP4 as places that turn with the Earth, at these Julian dates; some 300 m are left out."""
    angle = _sidereal_angle(julian)
    x, y, z = teme.T
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)


def _platform(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip().lower())


@lru_cache(maxsize=4_096)
def _passes(orbit: Orbit, longitude: float, latitude: float) -> tuple[OverPass, ...]:
    times, directions = orbit.coarse
    place = _directions(np.array([longitude]), np.array([latitude]))[0].astype(np.float32)
    near = directions @ place
    nearest = np.flatnonzero((near[1:-1] >= near[:-2]) & (near[1:-1] > near[2:])) + 1
    nearest = nearest[near[nearest] > np.cos(_FARTHEST_COARSE_KM / _EARTH_KM)]
    return tuple(
        filter(None, (_pass_near(orbit, float(times[each]), longitude, latitude) for each in nearest))
    )


def _pass_near(orbit: Orbit, unix_s: float, longitude: float, latitude: float) -> OverPass | None:
    """The pass about a time; None where the place is out of view, or the satellite flies north."""
    times = unix_s + np.arange(-_COARSE_S, _COARSE_S + _FINE_S, _FINE_S)
    east, north = orbit.ground(times)
    towards, _, apart = _GEOD.inv(np.full_like(east, longitude), np.full_like(north, latitude), east, north)
    best = int(np.argmin(apart))
    off, half = float(apart[best]) / 1_000, orbit.swath_km / 2
    if off > half + _EDGE_KM or north[min(best + 1, len(north) - 1)] >= north[max(best - 1, 0)]:
        return None
    at = datetime.fromtimestamp(float(times[best]), UTC)
    side = float(np.sin(np.radians(towards[best])))
    return OverPass(orbit.platform, at, float(np.copysign(off, side)), off <= half - _EDGE_KM)


@lru_cache(maxsize=1)
def _geodetic() -> Transformer:
    return Transformer.from_crs(4978, 4979, always_xy=True)


def _directions(longitude: Floats, latitude: Floats) -> Floats:
    east, north = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def _sidereal_angle(julian: Floats) -> Floats:
    """How far the Earth has turned at these Julian dates (UT1, which UTC is within a second of), in radians: IAU 1982."""
    t = (julian - _J2000_JD) / _CENTURY_D
    seconds = 67_310.54841 + (876_600 * 3_600 + 8_640_184.812866) * t + 0.093104 * t**2 - 6.2e-6 * t**3
    return np.asarray(np.radians(seconds % _DAY_S / 240.0))
