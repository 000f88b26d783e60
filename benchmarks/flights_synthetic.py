"""Labelled flights that are made up, to try the long-range cases on: visits to a dark place, and flights past it.

Flights are heard outside a ragged edge around the place and silent inside. They fly dog-legs: how long a course is kept, how
far it strays from the direct way, how much longer a way in or out is and how steep, is drawn from what the flights of the
first half of the Paris recording did (`python -m benchmarks.flights_routes` measures it). Several airlines have ways and
numbers of their own. Other airports in the dark are known by where they are, not watched. `ASSUMED` says what is not measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
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
MEASURED: Mapping[str, tuple[int, tuple[float, ...]]] = {
    "stray_in_deg": (48, (0.527, 1.344, 3.633, 3.685, 14.941, 16.15, 18.554, 22.736, 27.056, 34.129, 99.628)),
    "legs_nm": (253, (1.723, 3.18, 4.928, 6.537, 7.98, 9.888, 12.215, 13.982, 17.802, 23.957, 41.33)),
    "longer_in": (34, (1.0, 1.0, 1.0, 1.005, 1.016, 1.04, 1.111, 1.545, 1.847, 2.103, 2.267)),
    "longer_out": (52, (1.0, 1.007, 1.052, 1.121, 1.152, 1.212, 1.291, 1.441, 1.627, 1.87, 2.566)),
    "feet_per_nm_in": (
        104,
        (107.869, 192.663, 201.881, 214.876, 233.324, 251.02, 276.426, 361.653, 440.403, 542.991, 710.961),
    ),
    "feet_per_nm_out": (
        163,
        (355.396, 451.571, 486.154, 509.854, 538.081, 584.848, 653.178, 710.243, 773.011, 889.963, 1425.001),
    ),
}  # fmt: skip
"""For each distribution the number of cases and the deciles, as `flights_routes` measures them; a test compares."""
ASSUMED: tuple[str, ...] = (
    "every flight keeps to one speed over ground of 400 to 470 kt, give or take a wind of 60 kt: the rule too takes a cruising speed by type",
    "courses far out stray from the direct way as they do 15 to 30 NM from Paris, and are kept three times as long; airways far from any city are not measured",
    "where signals end depends on the bearing (by up to a quarter) and on the height (lower is lost earlier), and on nothing else; real edges move by the hour",
    "a stay lasts between 45 minutes and ten days, every length on a logarithmic scale alike: the rule takes a log-normal one with a median of three hours",
    "three flights in a hundred hold before they land, though none of 102 did around Paris (at most 3.5 in a hundred, 95 %)",
    "airlines keep to their ways and numbers; the rule counts both, so that a world without them would be harder and one with rosters easier",
    "four other airports lie in the dark, all known by where they are: an airfield missing from the table is not tried",
)
_START = datetime(2023, 1, 1, tzinfo=UTC)
_HEARD_S = 1_200.0
_EVERY_S = (60.0, 70.0)
_LOST_SHARE = 0.1
_HOLE_SHARE, _HOLE_S = 0.3, (120.0, 330.0)
_WIND_KT = 60.0
_CRUISE_KT = (400.0, 470.0)
_EN_ROUTE = 3.0
_TERMINAL_NM = 40.0
_MOST_STRAY_DEG = 60.0
_FINAL_NM = (8.0, 14.0)
_STAY_H = (0.75, 240.0)
_TAXI = timedelta(minutes=20)
_HOLDS, _LOOP_S = 0.03, 240.0
_CRUISE_FT = (28_000.0, 39_000.0)
_PATROL_FT = (18_000.0, 36_000.0)
_HORIZON = 0.12
"""An aircraft near the ground is lost so much farther out than one at cruise."""
_FLIGHT_EDGE = 0.05
_AIRPORTS = 4
_FIELD_DEG = 0.02
_WAY_DEG = 3.0
_REGION = 0.8
_AIRLINES = ("QAA", "QBB", "QCC", "QDD")
_TO_PLACE = (0.55, 0.25, 0.1, 0.1)
"""How the flights to the place are shared among the airlines; of those elsewhere it is the other way round."""
_SCHEDULED = 0.6
_TYPES = ("B738", "IL62", "IL76", "T204", "")

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
    """A ragged dark patch around a watched place, with other airports in it, and the ways by which flights come to it."""

    place: Place
    dark_nm: float
    others: tuple[Place, ...]
    region: Place
    """The ground around the place and the others."""
    waves: tuple[float, float]
    """Where the edge reaches out and in."""
    runway_deg: float
    ways: tuple[float, ...] = ()
    """The bearings from which flights come and to which they go; any where there are none."""

    def edge_nm(self, bearing: float, altitude_ft: float) -> float:
        """How far from the place signals end on a bearing, for an aircraft so high."""
        turn, (one, other) = np.radians(bearing), self.waves
        ragged = 1 + 0.15 * np.sin(2 * turn + one) + 0.1 * np.sin(3 * turn + other)
        low = max(0.0, 1 - altitude_ft / _CRUISE_FT[0])
        return float(self.dark_nm * ragged * (1 + _HORIZON * low))

    def bearing(self, random: np.random.Generator, airline: int | None = None) -> float:
        """Give a bearing to come from or to go to; each airline has a way of its own where there are ways."""
        if not self.ways:
            return float(random.uniform(0, 360))
        own = random.choice(self.ways) if airline is None else self.ways[airline % len(self.ways)]
        return float(own + random.normal(0, _WAY_DEG)) % 360


@dataclass(frozen=True, slots=True)
class _Craft:
    """Who flies: its address, airline and number, type, speed, height, and how early it is lost."""

    icao24: str
    airline: int
    callsign: str
    type_code: str
    speed_kt: float
    cruise_ft: float
    edge: float


def world_of(place: Place, dark_nm: float, seed: int, *, ways: int = 0) -> World:
    """Lay out the other airports, in the inner two thirds of the dark, the edge, and the ways."""
    random = np.random.default_rng(seed)
    others = []
    for n in range(_AIRPORTS):
        away = dark_nm * float(random.uniform(0.25, 0.67))
        lat, lon = destination(place.lat, place.lon, float(random.uniform(0, 360)), away)
        name = f"other-{n + 1}"
        site = replace(place.site, id=name, name=name, geometry=shapely.Point(lon, lat).buffer(_FIELD_DEG))
        others.append(place_of(replace(site, runways=(), gates=(), codes={})))
    bearings = tuple(float(each) for each in random.uniform(0, 360, ways))
    ring = [destination(place.lat, place.lon, bearing, _REGION * dark_nm) for bearing in range(0, 360, 10)]
    outline = shapely.Polygon([(lon, lat) for lat, lon in ring])
    region = place_of(
        replace(
            place.site,
            id="region",
            name="Region",
            kind="region",
            geometry=outline,
            runways=(),
            gates=(),
            codes={},
        )
    )
    waves = float(random.uniform(0, 6.28)), float(random.uniform(0, 6.28))
    return World(place, dark_nm, tuple(others), region, waves, float(random.uniform(0, 360)), bearings)


def flights(world: World, number: int, seed: int) -> Iterator[Flight]:
    """Make as many flights of each label, each heard only outside the edge around the place."""
    random = np.random.default_rng(seed)
    for n in range(number):
        yield _visit(
            world, world.place, random, _craft(random, f"1{n:05x}", world.place, world), label="visit"
        )
        yield _through(world, random, _craft(random, f"2{n:05x}", None, world))
        other = world.others[int(random.integers(len(world.others)))]
        yield _visit(world, other, random, _craft(random, f"3{n:05x}", other, world), label="elsewhere")
        yield _patrol(world, random, _craft(random, f"4{n:05x}", None, world))


def drawn(name: str, random: np.random.Generator) -> float:
    """Draw from a distribution that was measured."""
    _, deciles = MEASURED[name]
    return float(np.interp(random.uniform(0, 100), np.arange(0, 101, 10), deciles))


def _craft(random: np.random.Generator, icao24: str, to: Place | None, world: World) -> _Craft:
    shares = (
        _TO_PLACE if to is world.place else _TO_PLACE[::-1] if to is not None else (0.25,) * len(_AIRLINES)
    )
    airline = int(random.choice(len(_AIRLINES), p=shares))
    scheduled = to is not None and random.random() < _SCHEDULED
    fields = (world.place, *world.others)
    number = 100 + 10 * airline + fields.index(to) if scheduled and to else int(random.integers(300, 1000))
    return _Craft(
        icao24,
        airline,
        f"{_AIRLINES[airline]}{number}",
        str(random.choice(_TYPES)),
        float(random.uniform(*_CRUISE_KT)),
        float(random.uniform(*_CRUISE_FT)),
        max(0.85, float(random.normal(1, _FLIGHT_EDGE))),
    )


def _visit(
    world: World, landed_at: Place, random: np.random.Generator, craft: _Craft, *, label: Label
) -> Flight:
    """Fly in from one side, stay (log-uniformly between 45 minutes and ten days), fly out to another."""
    field = landed_at.lat, landed_at.lon
    far_nm = _far_nm(world)
    # Backwards from the runway, outwards.
    outer = _dog_legs(field, destination(*field, world.bearing(random, craft.airline), far_nm), world, random)
    away = _dog_legs(field, destination(*field, world.bearing(random, craft.airline), far_nm), world, random)
    slope_in, slope_out = drawn("feet_per_nm_in", random), drawn("feet_per_nm_out", random)
    vectors = timedelta(hours=(drawn("longer_in", random) - 1) * _TERMINAL_NM / craft.speed_kt)
    turns_out = timedelta(hours=(drawn("longer_out", random) - 1) * _TERMINAL_NM / craft.speed_kt)
    hold = (
        timedelta(seconds=_LOOP_S * int(random.integers(1, 4))) if random.random() < _HOLDS else timedelta(0)
    )
    stay = timedelta(hours=float(np.exp(random.uniform(*np.log(_STAY_H)))))
    way_in = _timed(outer[::-1], craft, random)
    inbound = _heard(world, way_in, craft, random, slope=slope_in, field=landed_at, last=True)
    arrived = _START + timedelta(seconds=way_in.at_s[-1]) + vectors + hold + _TAXI / 2
    left = arrived + stay
    outbound = _heard(
        world, _timed(away, craft, random), craft, random, slope=slope_out, field=landed_at, last=False
    )
    fixes = (
        *_dated(inbound, _START),
        *_dated(outbound, left + _TAXI / 2 + turns_out),
    )
    return Flight(label, tuple(fixes), arrived, left)


def _through(world: World, random: np.random.Generator, craft: _Craft) -> Flight:
    """Cross the dark anywhere, on dog-legs, at a height that may change on the way."""
    place, far_nm = world.place, _far_nm(world)
    bearing = world.bearing(random, craft.airline)
    half_turn = float(np.degrees(np.arccos(random.uniform(-0.95, 0.95))))
    begin = destination(place.lat, place.lon, bearing, far_nm)
    end = destination(place.lat, place.lon, (bearing + 2 * half_turn) % 360, far_nm)
    way = _timed(_dog_legs(begin, end, world, random, runway=False), craft, random)
    inside = _heard(world, way, craft, random, slope=None, field=None, last=None)
    return Flight("through", tuple(_dated(inside, _START)))


def _patrol(world: World, random: np.random.Generator, craft: _Craft) -> Flight:
    """Fly into the dark, circle there, and fly out: half of them on the way on which they came."""
    place, far_nm = world.place, _far_nm(world)
    craft = replace(craft, cruise_ft=float(random.uniform(*_PATROL_FT)), callsign="", type_code="")
    spot = destination(
        place.lat, place.lon, float(random.uniform(0, 360)), float(random.uniform(0, 0.7)) * world.dark_nm
    )
    bearing_in = world.bearing(random)
    bearing_out = bearing_in if random.random() < 1 / 2 else world.bearing(random)
    outer = _dog_legs(spot, destination(*spot, bearing_in, far_nm), world, random, runway=False)
    away = outer if bearing_out == bearing_in else _dog_legs(
        spot, destination(*spot, bearing_out, far_nm), world, random, runway=False
    )  # fmt: skip
    way_in = _timed(outer[::-1], craft, random)
    circling = timedelta(hours=float(random.uniform(1, 6)), seconds=way_in.at_s[-1])
    inbound = _heard(world, way_in, craft, random, slope=None, field=None, last=True)
    outbound = _heard(world, _timed(away, craft, random), craft, random, slope=None, field=None, last=False)
    return Flight("patrol", (*_dated(inbound, _START), *_dated(outbound, _START + circling)))


def _far_nm(world: World) -> float:
    """So far out ways begin and end: beyond the edge wherever it is, by what is heard of a flight."""
    return world.dark_nm * 1.5 + _CRUISE_KT[1] * _HEARD_S / SECONDS_PER_HOUR


def _dog_legs(
    begin: Position, end: Position, world: World, random: np.random.Generator, *, runway: bool = True
) -> list[Position]:
    """Fly from one point to another in legs as long, and as far off the direct course, as real ones."""
    points = [begin]
    if runway:
        turned = world.runway_deg + (180 if random.random() < 1 / 2 else 0)
        points.append(destination(*begin, turned % 360, float(random.uniform(*_FINAL_NM))))
    while (left := great_circle_nm(*points[-1], *end)) > _TERMINAL_NM:
        near = great_circle_nm(*begin, *points[-1]) < _TERMINAL_NM
        leg = min(left, drawn("legs_nm", random) * (1 if near else _EN_ROUTE))
        side = 1 if random.random() < 1 / 2 else -1
        stray = side * min(_MOST_STRAY_DEG, drawn("stray_in_deg", random))
        points.append(destination(*points[-1], (course_deg(*points[-1], *end) + stray) % 360, leg))
    return [*points, end]


@dataclass(frozen=True, slots=True)
class _Timed:
    """A way with the seconds at which each of its points is passed, and its speed over ground."""

    points: Sequence[Position]
    at_s: tuple[float, ...]
    speed_kt: float


def _timed(points: Sequence[Position], craft: _Craft, random: np.random.Generator) -> _Timed:
    speed = craft.speed_kt + float(random.uniform(-_WIND_KT, _WIND_KT))
    at = [0.0]
    for one, other in pairwise(points):
        at.append(at[-1] + great_circle_nm(*one, *other) / speed * SECONDS_PER_HOUR)
    return _Timed(points, tuple(at), speed)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One report: how many seconds after the way began, where, how high, and how it moved."""

    seconds: float
    fix: Fix


def _heard(
    world: World,
    way: _Timed,
    craft: _Craft,
    random: np.random.Generator,
    *,
    slope: float | None,
    field: Place | None,
    last: bool | None,
) -> list[_Heard]:
    """Report a way where it is outside the edge: of one that ends in the dark the last minutes, of one that begins there the first."""
    found: list[_Heard] = []
    seconds, hole = float(random.uniform(0, _EVERY_S[0])), _hole(way, random)
    while seconds < way.at_s[-1]:
        (lat, lon), course = _at(way, seconds)
        height = craft.cruise_ft
        if slope is not None and field is not None:
            above = (field.elevation_ft or 0.0) + slope * great_circle_nm(lat, lon, field.lat, field.lon)
            height = min(height, above)
        away = great_circle_nm(world.place.lat, world.place.lon, lat, lon)
        edge = craft.edge * world.edge_nm(course_deg(world.place.lat, world.place.lon, lat, lon), height)
        missing = random.random() < _LOST_SHARE or hole[0] <= seconds <= hole[1]
        if away > edge and not missing:
            found.append(_Heard(seconds, _report(craft, way, (lat, lon), course, height)))
        seconds += float(random.uniform(*_EVERY_S))
    if not found or last is None:
        return _outer_minutes(found)
    end = found[-1].seconds if last else found[0].seconds
    return [each for each in found if abs(each.seconds - end) <= _HEARD_S]


def _outer_minutes(found: Sequence[_Heard]) -> list[_Heard]:
    """Of a flight that crosses the dark leave what is heard just before and just after its longest silence."""
    if len(found) < 2:
        return list(found)
    gap = max(range(1, len(found)), key=lambda n: found[n].seconds - found[n - 1].seconds)
    lost, back = found[gap - 1].seconds, found[gap].seconds
    return [each for each in found if lost - _HEARD_S <= each.seconds <= back + _HEARD_S]


def _hole(way: _Timed, random: np.random.Generator) -> tuple[float, float]:
    begin = float(random.uniform(0, way.at_s[-1]))
    return (begin, begin + float(random.uniform(*_HOLE_S))) if random.random() < _HOLE_SHARE else (-1.0, -1.0)


def _at(way: _Timed, seconds: float) -> tuple[Position, float]:
    leg = min(len(way.points) - 2, int(np.searchsorted(way.at_s, seconds, "right")) - 1)
    one, other = way.points[leg], way.points[leg + 1]
    course = course_deg(*one, *other)
    gone = (seconds - way.at_s[leg]) * way.speed_kt / SECONDS_PER_HOUR
    here = destination(*one, course, gone)
    # A great circle turns on its way.
    return here, course_deg(*here, *other) if gone < great_circle_nm(*one, *other) - 1 else course


def _report(craft: _Craft, way: _Timed, at: Position, course: float, height: float) -> Fix:
    return Fix(
        "synthetic",
        craft.icao24,
        _START,
        _START,
        *at,
        on_ground=False,
        altitude_ft=round(height / 25) * 25.0,
        ground_speed_kt=way.speed_kt,
        track_deg=course,
        source="adsb_icao",
        callsign=craft.callsign,
        type_code=craft.type_code,
    )


def _dated(heard: Sequence[_Heard], began: datetime) -> Iterator[Fix]:
    for each in heard:
        at = began + timedelta(seconds=each.seconds)
        yield replace(each.fix, at=at, received_at=at)
