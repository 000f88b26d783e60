"""Labelled flights that are made up, to try the long-range cases on: visits to a dark place, and flights past it.

Every flight is heard outside a circle around the place and silent inside. Ways are great circles with a wind of
up to 60 kt, but where it is lost and heard again its course is off the direct one by some 10°, as routes and
controllers have it; a third of the flights past the place turn by up to 40° on the way. Who lands comes down and climbs
out on about 3°; who flies past stays high. Other airports in the dark are known by where they are, not watched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import shapely

from db.records import Fix
from monitor.flights.places import Place, place_of
from monitor.sites.geodesy import SECONDS_PER_HOUR, course_deg, destination, great_circle_nm

Label = Literal["visit", "through", "elsewhere", "patrol"]
LABELS: Mapping[Label, str] = {
    "visit": "landed at the place",
    "through": "flew past without landing",
    "elsewhere": "landed in the dark at an airport that nobody watches",
    "patrol": "circled in the dark for one to six hours",
}
_START = datetime(2023, 1, 1, tzinfo=UTC)
_STEP_S = 60.0
_HEARD_S = 900.0
_WIND_KT = 60.0
_CRUISE_KT = (400.0, 470.0)
COURSE_DEG = 10.0
"""How far courses at the edge stray from the direct way (standard deviation)."""
_TURNS = 1 / 3
_TURN_DEG = 40.0
_STAY_H = (0.75, 240.0)
_TAXI = timedelta(minutes=20)
_CRUISE_FT, _SLOPE_FT_PER_NM, _LEVEL_FT = 33_000.0, 300.0, 1_500.0
_AIRPORTS = 4
_FIELD_DEG = 0.02
_WAY_DEG = 3.0

Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Flight:
    """One made-up aircraft: what it did, when it was at the place if it was, and what of it was heard."""

    label: Label
    fixes: tuple[Fix, ...]
    arrived_at: datetime | None = None
    departed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class World:
    """A dark circle around a watched place, with other airports in it, and the ways by which flights come to it."""

    place: Place
    dark_nm: float
    others: tuple[Place, ...]
    ways: tuple[float, ...] = ()
    """The bearings from which flights come and to which they go; any where there are none."""

    def edge(self, random: np.random.Generator) -> Position:
        """Give a point of the circle where signals are lost or come back."""
        bearing = random.uniform(0, 360)
        if self.ways:
            bearing = random.choice(self.ways) + random.normal(0, _WAY_DEG)
        return destination(self.place.lat, self.place.lon, float(bearing), self.dark_nm)


def world_of(place: Place, dark_nm: float, seed: int, *, ways: int = 0) -> World:
    """Lay out the other airports, in the inner two thirds of the dark, and the ways."""
    random = np.random.default_rng(seed)
    others = []
    for n in range(_AIRPORTS):
        away = dark_nm * float(random.uniform(0.25, 0.67))
        lat, lon = destination(place.lat, place.lon, float(random.uniform(0, 360)), away)
        name = f"other-{n + 1}"
        site = replace(place.site, id=name, name=name, geometry=shapely.Point(lon, lat).buffer(_FIELD_DEG))
        others.append(place_of(replace(site, runways=(), gates=(), codes={})))
    bearings = tuple(float(each) for each in random.uniform(0, 360, ways))
    return World(place, dark_nm, tuple(others), bearings)


def flights(world: World, number: int, seed: int) -> Iterator[Flight]:
    """Make as many flights of each label, each heard only outside the circle around the place."""
    random = np.random.default_rng(seed)
    for n in range(number):
        yield _visit(world, world.place, random, icao24=f"1{n:05x}", label="visit")
        yield _through(world, random, f"2{n:05x}")
        other = world.others[int(random.integers(len(world.others)))]
        yield _visit(world, other, random, icao24=f"3{n:05x}", label="elsewhere")
        yield _through(world, random, f"4{n:05x}", timedelta(hours=float(random.uniform(1, 6))))


def _visit(
    world: World, landed_at: Place, random: np.random.Generator, *, icao24: str, label: Label
) -> Flight:
    """Fly in from one side, stay (log-uniformly between 45 minutes and ten days), fly out to another."""
    speed_kt = float(random.uniform(*_CRUISE_KT))
    edge_in, edge_out = world.edge(random), world.edge(random)
    field = landed_at.lat, landed_at.lon
    stay = timedelta(hours=float(np.exp(random.uniform(*np.log(_STAY_H)))))
    lost = _START + timedelta(seconds=_HEARD_S)
    arrived = lost + _time(edge_in, field, speed_kt, random) + _TAXI / 2
    left = arrived + stay
    back = left + _TAXI / 2 + _time(field, edge_out, speed_kt, random)
    inbound = _heard(edge_in, _strayed(course_deg(*edge_in, *field), random), speed_kt, lost, icao24, way=-1)
    course_out = _strayed(course_deg(*edge_out, *field) + 180, random)
    outbound = _heard(edge_out, course_out, speed_kt, back, icao24, way=1)
    fixes = tuple(_on_slope(fix, landed_at) for fix in (*inbound, *outbound))
    return Flight(label, fixes, arrived, left)


def _through(
    world: World, random: np.random.Generator, icao24: str, circling: timedelta = timedelta(0)
) -> Flight:
    """Cross the circle on a chord that passes the place anywhere within it, perhaps turning or circling on the way."""
    place, dark_nm = world.place, world.dark_nm
    speed_kt = float(random.uniform(*_CRUISE_KT))
    edge_in = world.edge(random)
    bearing = course_deg(place.lat, place.lon, *edge_in)
    half_turn = float(np.degrees(np.arccos(random.uniform(-0.95, 0.95))))
    edge_out = destination(place.lat, place.lon, (bearing + 2 * half_turn) % 360, dark_nm)
    course_in = course_deg(*edge_in, *edge_out)
    course_out = (course_deg(*edge_out, *edge_in) + 180) % 360
    lost = _START + timedelta(seconds=_HEARD_S)
    back = lost + _time(edge_in, edge_out, speed_kt, random) + circling
    if random.random() < _TURNS:
        turn = float(random.uniform(-_TURN_DEG, _TURN_DEG))
        course_in, course_out = course_in + turn, course_out - turn
        back += _time(edge_in, edge_out, speed_kt, random) * (1 / np.cos(np.radians(turn)) - 1)
    inbound = _heard(edge_in, _strayed(course_in, random), speed_kt, lost, icao24, way=-1)
    outbound = _heard(edge_out, _strayed(course_out, random), speed_kt, back, icao24, way=1)
    return Flight("patrol" if circling else "through", (*inbound, *outbound))


def _on_slope(fix: Fix, field: Place) -> Fix:
    """Bring a report down to the height that a flight to or from a field has there."""
    away = great_circle_nm(fix.lat, fix.lon, field.lat, field.lon)
    height = _SLOPE_FT_PER_NM * away + _LEVEL_FT + (field.elevation_ft or 0.0)
    return replace(fix, altitude_ft=round(min(_CRUISE_FT, height)))


def _strayed(course: float, random: np.random.Generator) -> float:
    return (course + float(random.normal(0, COURSE_DEG))) % 360


def _time(one: Position, other: Position, speed_kt: float, random: np.random.Generator) -> timedelta:
    ground_kt = speed_kt + float(random.uniform(-_WIND_KT, _WIND_KT))
    return timedelta(seconds=great_circle_nm(*one, *other) / ground_kt * SECONDS_PER_HOUR)


def _heard(
    edge: Position, course: float, speed_kt: float, at: datetime, icao24: str, *, way: int
) -> Iterator[Fix]:
    """Fly straight on a course, up to the edge (`way` −1) or from it (1)."""
    steps = int(_HEARD_S // _STEP_S)
    first = Fix(
        "synthetic", icao24, at, at, 0.0, 0.0, on_ground=False, altitude_ft=_CRUISE_FT, source="adsb_icao"
    )
    for n in range(steps + 1):
        seconds = way * n * _STEP_S if way > 0 else (n - steps) * _STEP_S
        lat, lon = destination(*edge, course, seconds * speed_kt / SECONDS_PER_HOUR)
        moment = at + timedelta(seconds=seconds)
        yield replace(
            first, at=moment, received_at=moment, lat=lat, lon=lon, ground_speed_kt=speed_kt, track_deg=course
        )
