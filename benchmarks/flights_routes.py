"""How real flights turn on their way in and out: measured on the first half of the Paris recording, for worlds that are made up.

Run: python -m benchmarks.flights_routes
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.flights_paris import DATA, ours, places, polls, tracks
from db.records import Fix
from monitor.flights.places import Place
from monitor.sites.geodesy import course_deg, great_circle_nm, turn_deg, wrap_longitude

FIRST_HALF_UNTIL = datetime(2021, 10, 7, 13, 30, tzinfo=UTC)
_DECILES = tuple(range(0, 101, 10))
_FAR_NM, _NEAR_NM = 30.0, 15.0
_STRAIGHT_DEG, _STRAIGHT_S = 8.0, 40.0
_TURNED_DEG = 12.0
_LOOP_DEG = 330.0


@dataclass(frozen=True, slots=True)
class Routes:
    """What flights did, each figure with all its cases."""

    stray_in_deg: tuple[float, ...]
    """By how much each leg of a flight to a field strays from the direct way there, 15 NM and more away."""
    stray_out_deg: tuple[float, ...]
    legs_nm: tuple[float, ...]
    """How long a course is kept, to 8°, by flights in and out."""
    turns_deg: tuple[float, ...]
    """By how much the course turns between two such legs."""
    longer_in: tuple[float, ...]
    """How much longer than the direct way a flight in was, from its first report on."""
    longer_out: tuple[float, ...]
    feet_per_nm_in: tuple[float, ...]
    """Height above the field by distance, 15 NM and more away."""
    feet_per_nm_out: tuple[float, ...]
    loops: int
    """How many flights turned a full circle."""
    flights_in: int
    flights_out: int

    def deciles(self) -> Mapping[str, tuple[float, ...]]:
        """The deciles of each distribution, the least and the most among them."""
        return {
            name: tuple(round(float(each), 3) for each in np.percentile(values, _DECILES))
            for name, values in self.cases().items()
        }

    def cases(self) -> Mapping[str, tuple[float, ...]]:
        """Every distribution by its name."""
        return {
            "stray_in_deg": self.stray_in_deg,
            "stray_out_deg": self.stray_out_deg,
            "legs_nm": self.legs_nm,
            "turns_deg": self.turns_deg,
            "longer_in": self.longer_in,
            "longer_out": self.longer_out,
            "feet_per_nm_in": self.feet_per_nm_in,
            "feet_per_nm_out": self.feet_per_nm_out,
        }


@dataclass(frozen=True, slots=True)
class _Leg:
    fixes: tuple[Fix, ...]

    @property
    def course(self) -> float:
        first, last = self.fixes[0], self.fixes[-1]
        return course_deg(first.lat, first.lon, last.lat, last.lon)

    @property
    def length_nm(self) -> float:
        first, last = self.fixes[0], self.fixes[-1]
        return great_circle_nm(first.lat, first.lon, last.lat, last.lon)


def measure_routes(data: Path = DATA) -> Routes:
    """Read the first half of the recording and take every flight in and out of its three fields apart."""
    by_aircraft = tracks(
        [fix for _, fixes in polls(data) for fix in fixes or () if fix.at < FIRST_HALF_UNTIL]
    )
    fields = {place.id: place for place in places(data)}
    ways: dict[str, list[tuple[Sequence[Fix], Place]]] = {"in": [], "out": []}
    for track in by_aircraft.values():
        for visit in ours(track, tuple(fields.values()), FIRST_HALF_UNTIL):
            place = fields[visit.site_id]
            if visit.arrived_at is not None:
                ways["in"].append(([fix for fix in track if fix.at <= visit.arrived_at], place))
            if visit.departed_at is not None:
                ways["out"].append(([fix for fix in track if fix.at >= visit.departed_at], place))
    stray: dict[str, list[float]] = {"in": [], "out": []}
    longer: dict[str, list[float]] = {"in": [], "out": []}
    slope: dict[str, list[float]] = {"in": [], "out": []}
    legs_nm: list[float] = []
    turns: list[float] = []
    loops = 0
    for way, flown in ways.items():
        for track, place in flown:
            air = [fix for fix in track if fix.on_ground is not True]
            legs = list(_legs(air))
            stray[way] += [_stray(leg, place, way) for leg in legs if _away(leg.fixes[0], place) >= _NEAR_NM]
            legs_nm += [leg.length_nm for leg in legs]
            turns += [turn_deg(one.course, other.course) for one, other in pairwise(legs)]
            loops += _loops(air)
            slope[way] += list(_slopes(air, place))
            longer[way] += list(_longer(air, place, way))
    return Routes(
        tuple(stray["in"]),
        tuple(stray["out"]),
        tuple(legs_nm),
        tuple(each for each in turns if each >= _TURNED_DEG),
        tuple(longer["in"]),
        tuple(longer["out"]),
        tuple(slope["in"]),
        tuple(slope["out"]),
        loops,
        len(ways["in"]),
        len(ways["out"]),
    )


def _legs(air: Sequence[Fix]) -> Iterator[_Leg]:
    """Give the parts that are flown straight, at least 40 s each."""
    leg: list[Fix] = []
    for fix in air:
        if (
            leg
            and fix.track_deg is not None
            and turn_deg(fix.track_deg, leg[0].track_deg or 0.0) > _STRAIGHT_DEG
        ):
            if (leg[-1].at - leg[0].at).total_seconds() >= _STRAIGHT_S:
                yield _Leg(tuple(leg))
            leg = []
        if fix.track_deg is not None:
            leg.append(fix)
    if leg and (leg[-1].at - leg[0].at).total_seconds() >= _STRAIGHT_S:
        yield _Leg(tuple(leg))


def _stray(leg: _Leg, place: Place, way: str) -> float:
    fix = leg.fixes[0]
    direct = course_deg(fix.lat, fix.lon, place.lat, place.lon)
    return abs(wrap_longitude(leg.course - (direct if way == "in" else direct + 180)))


def _away(fix: Fix, place: Place) -> float:
    return great_circle_nm(fix.lat, fix.lon, place.lat, place.lon)


def _loops(air: Sequence[Fix]) -> bool:
    turned = most = 0.0
    for one, other in pairwise(fix for fix in air if fix.track_deg is not None):
        step = wrap_longitude((other.track_deg or 0.0) - (one.track_deg or 0.0))
        turned = turned + step if turned * step >= 0 or abs(step) < 1 else step
        most = max(most, abs(turned))
    return most >= _LOOP_DEG


def _slopes(air: Sequence[Fix], place: Place) -> Iterator[float]:
    far = [fix for fix in air if fix.altitude_ft is not None and _NEAR_NM <= _away(fix, place) <= _FAR_NM]
    for fix in far[::6]:
        yield ((fix.altitude_ft or 0.0) - (place.elevation_ft or 0.0)) / _away(fix, place)


def _longer(air: Sequence[Fix], place: Place, way: str) -> Iterator[float]:
    end = (air[0] if way == "in" else air[-1]) if air else None
    if end is None or _away(end, place) < _NEAR_NM:
        return
    flown = sum(great_circle_nm(one.lat, one.lon, other.lat, other.lon) for one, other in pairwise(air))
    last = air[-1] if way == "in" else air[0]
    yield flown / max(1.0, great_circle_nm(end.lat, end.lon, last.lat, last.lon))


def main() -> None:
    """Print the deciles that made-up worlds draw from."""
    routes = measure_routes()
    print(f"{routes.flights_in} flights in, {routes.flights_out} out; {routes.loops} with a full circle")
    for name, values in routes.deciles().items():
        print(f"{name} (n = {len(routes.cases()[name])}): {values}")


if __name__ == "__main__":
    main()
