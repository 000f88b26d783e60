"""Labelled flights that are made up, to try the long-range cases on: visits to a dark place, and flights past it.

Every flight is heard outside a circle around the place and silent inside. Ways are great circles with a wind of
up to 60 kt; a third of the flights past the place turn by up to 40° on the way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from db.records import Fix
from monitor.flights.geodesy import SECONDS_PER_HOUR, course_deg, destination, great_circle_nm
from monitor.flights.matching import Place

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
_TURNS = 1 / 3
_TURN_DEG = 40.0
_STAY_H = (0.75, 240.0)
_TAXI = timedelta(minutes=20)

Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Flight:
    """One made-up aircraft: what it did, when it was at the place if it was, and what of it was heard."""

    label: Label
    fixes: tuple[Fix, ...]
    arrived_at: datetime | None = None
    departed_at: datetime | None = None


def flights(place: Place, dark_nm: float, number: int, seed: int) -> Iterator[Flight]:
    """Make as many flights of each label, each heard only outside a circle around the place."""
    random = np.random.default_rng(seed)
    for n in range(number):
        yield _visit(place, (place.lat, place.lon), dark_nm, random, icao24=f"1{n:05x}", label="visit")
        yield _through(place, dark_nm, random, f"2{n:05x}")
        # To an airport in the dark that nobody watches, somewhere in the inner two thirds.
        away = dark_nm * float(random.uniform(0.25, 0.67))
        other = destination(place.lat, place.lon, float(random.uniform(0, 360)), away)
        yield _visit(place, other, dark_nm, random, icao24=f"3{n:05x}", label="elsewhere")
        yield _through(place, dark_nm, random, f"4{n:05x}", timedelta(hours=float(random.uniform(1, 6))))


def _visit(
    place: Place, field: Position, dark_nm: float, random: np.random.Generator, *, icao24: str, label: Label
) -> Flight:
    """Fly in from one side, stay (log-uniformly between 45 minutes and ten days), fly out to another."""
    speed_kt = float(random.uniform(*_CRUISE_KT))
    edge_in, edge_out = (
        destination(place.lat, place.lon, float(random.uniform(0, 360)), dark_nm) for _ in range(2)
    )
    stay = timedelta(hours=float(np.exp(random.uniform(*np.log(_STAY_H)))))
    lost = _START + timedelta(seconds=_HEARD_S)
    arrived = lost + _time(edge_in, field, speed_kt, random) + _TAXI / 2
    left = arrived + stay
    back = left + _TAXI / 2 + _time(field, edge_out, speed_kt, random)
    inbound = _heard(edge_in, course_deg(*edge_in, *field), speed_kt, lost, icao24, way=-1)
    course_out = (course_deg(*edge_out, *field) + 180) % 360
    outbound = _heard(edge_out, course_out, speed_kt, back, icao24, way=1)
    return Flight(label, (*inbound, *outbound), arrived, left)


def _through(
    place: Place,
    dark_nm: float,
    random: np.random.Generator,
    icao24: str,
    circling: timedelta = timedelta(0),
) -> Flight:
    """Cross the circle on a chord that passes the place anywhere within it, perhaps turning or circling on the way."""
    speed_kt = float(random.uniform(*_CRUISE_KT))
    bearing = float(random.uniform(0, 360))
    half_turn = float(np.degrees(np.arccos(random.uniform(-0.95, 0.95))))
    edge_in = destination(place.lat, place.lon, bearing, dark_nm)
    edge_out = destination(place.lat, place.lon, (bearing + 2 * half_turn) % 360, dark_nm)
    course_in = course_deg(*edge_in, *edge_out)
    course_out = (course_deg(*edge_out, *edge_in) + 180) % 360
    lost = _START + timedelta(seconds=_HEARD_S)
    back = lost + _time(edge_in, edge_out, speed_kt, random) + circling
    if random.random() < _TURNS:
        turn = float(random.uniform(-_TURN_DEG, _TURN_DEG))
        course_in, course_out = course_in + turn, course_out - turn
        back += _time(edge_in, edge_out, speed_kt, random) * (1 / np.cos(np.radians(turn)) - 1)
    inbound = _heard(edge_in, course_in % 360, speed_kt, lost, icao24, way=-1)
    outbound = _heard(edge_out, course_out % 360, speed_kt, back, icao24, way=1)
    return Flight("patrol" if circling else "through", (*inbound, *outbound))


def _time(one: Position, other: Position, speed_kt: float, random: np.random.Generator) -> timedelta:
    ground_kt = speed_kt + float(random.uniform(-_WIND_KT, _WIND_KT))
    return timedelta(seconds=great_circle_nm(*one, *other) / ground_kt * SECONDS_PER_HOUR)


def _heard(
    edge: Position, course: float, speed_kt: float, at: datetime, icao24: str, *, way: int
) -> Iterator[Fix]:
    steps = int(_HEARD_S // _STEP_S)
    first = Fix(
        "synthetic", icao24, at, at, 0.0, 0.0, on_ground=False, altitude_ft=33_000.0, source="adsb_icao"
    )
    for n in range(steps + 1):
        seconds = way * n * _STEP_S if way > 0 else (n - steps) * _STEP_S
        lat, lon = destination(*edge, course, seconds * speed_kt / SECONDS_PER_HOUR)
        moment = at + timedelta(seconds=seconds)
        yield replace(
            first, at=moment, received_at=moment, lat=lat, lon=lon, ground_speed_kt=speed_kt, track_deg=course
        )
