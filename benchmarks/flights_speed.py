"""How fast a world poll is parsed, matched and stored, positions are matched in bulk, and reports become visits.

Run: OMP_NUM_THREADS=1 python -m benchmarks.flights_speed
Times are those of the processor (the least of several runs), so that other work on the machine does not count; the
disk's share of storing is printed apart. The comparisons with geopandas, DuckDB's spatial extension and the traffic package run in the same process, each
where it is installed; what is missing is said. `traffic` 2.13 wants pandas below 3: put both into an environment of their own, beside what this project asks for.
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.flights_events import events_of
from benchmarks.flights_paris import DATA, labels, ours, places, polls, runways, tracks
from db.engine import open_engine, writing
from db.migrate import migrate
from db.polls import PollKey, PollResult, record_poll, start_poll
from db.records import Fix
from monitor.feeds.aircraft import AircraftReader
from monitor.flights.evaluation.scoring import FlightEvent, score
from monitor.flights.places import Place, grid_of, places_of, positions
from monitor.flights.selection import worth_storing
from monitor.flights.tracks.classes import default_classes
from monitor.sites import Site
from monitor.sites.geodesy import wrap_longitudes

AIRCRAFT, SITES, BULK = 12_000, 10_000, 2_000_000
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
Floats = NDArray[np.float64]
_REPEATS = 5


def world(number: int = SITES, seed: int = 1) -> list[Site]:
    """Make airfields all over the land of a made-up world, each a dodecagon of about 3 NM."""
    random = np.random.default_rng(seed)
    lat, lon = random.uniform(-55, 70, number), random.uniform(-179, 179, number)
    return [
        Site(
            f"site-{n}",
            f"Site {n}",
            "airport",
            shapely.Point(lon[n], lat[n]).buffer(0.025, quad_segs=3),
            ZoneInfo("UTC"),
            elevation_ft=0.0,
        )
        for n in range(number)
    ]


def scattered(made: Sequence[Place], number: int, seed: int = 2) -> tuple[Floats, Floats]:
    """Put aircraft around the sites: a tenth at one of them, the others up to hundreds of miles away."""
    random = np.random.default_rng(seed)
    home = random.integers(0, len(made), number)
    spread = np.where(random.random(number) < 0.1, 0.01, 2.0)
    lat = np.array([place.lat for place in made])[home] + random.normal(0, spread)
    lon = np.array([place.lon for place in made])[home] + random.normal(0, spread)
    return np.clip(lat, -89, 89), wrap_longitudes(lon)


def answer(lat: Floats, lon: Floats) -> bytes:
    """Write a world answer of the readsb family."""
    aircraft = [
        {
            "hex": f"{n + 0x400000:06x}",
            "type": "adsb_icao",
            "flight": f"AB{n:05d} ",
            "t": "A320",
            "alt_baro": 33_000,
            "gs": 430.0,
            "track": 90.0,
            "lat": round(float(lat[n]), 5),
            "lon": round(float(lon[n]), 5),
            "nic": 8,
            "nac_p": 9,
            "seen_pos": 0.5,
            "seen": 0.3,
        }
        for n in range(len(lat))
    ]
    return json.dumps({"now": NOW.timestamp() * 1000, "ac": aircraft}).encode()


def best_s(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """The fastest of several runs, in seconds."""
    found = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def world_poll() -> None:
    """Print how long one world poll takes, step by step."""
    sites = world()
    made = places_of(sites)
    grid = grid_of(made, 0.0)
    grid_of(made, 40.0)
    lat, lon = scattered(made, AIRCRAFT)
    body = answer(lat, lon)
    classes = default_classes()
    with TemporaryDirectory() as scratch:
        engine = open_engine(f"sqlite:///{Path(scratch) / 'speed.db'}")
        migrate(engine)

        def once(slot: int) -> tuple[float, float, float, float]:
            wall, began = time.perf_counter(), time.process_time()
            reader = AircraftReader("speed", feed_time=NOW, received_at=NOW, max_age_s=60, circle=None)
            fixes = reader.read(json.loads(body)["ac"])
            parsed = time.process_time()
            worth = [
                fix for fix, keep in zip(fixes, worth_storing(sites, fixes, classes), strict=True) if keep
            ]
            inside, _ = grid.inside(*positions(worth))
            matched = time.process_time()
            later = [replace(fix, at=NOW + timedelta(seconds=slot)) for fix in worth]
            with writing(engine) as connection:
                poll_id = start_poll(connection, PollKey("speed", "world", slot), 0, NOW)
                assert poll_id is not None
                record_poll(connection, poll_id, PollResult("ok", fixes=tuple(later)), interval_s=60, now=NOW)
            assert len(inside)
            waited = time.perf_counter() - wall - (time.process_time() - began)
            return parsed - began, matched - parsed, time.process_time() - matched, waited

        runs = [once(slot) for slot in range(_REPEATS)]
        engine.dispose()
    parse, match, commit, waited = min(runs, key=lambda run: sum(run[:3]))
    bare = best_s(lambda: grid.inside(lat, lon), 20)
    print(f"world poll: {AIRCRAFT:,} aircraft × {SITES:,} sites")
    print(
        f"  parsed {parse * 1e3:.0f} ms, chosen and matched {match * 1e3:.0f} ms, stored {commit * 1e3:.0f} ms:"
    )
    print(f"  together {parse + match + commit:.2f} s (wanted: under 1 s), and {waited:.2f} s of waiting")
    print(f"  the matching alone {bare * 1e3:.2f} ms on one core (wanted: under 3 ms)")


def bulk() -> None:
    """Print how fast many positions are matched with the sites, beside geopandas and DuckDB."""
    sites = world()
    made = places_of(sites)
    grid = grid_of(made, 0.0)
    lat, lon = scattered(made, BULK)
    ours_s = best_s(lambda: grid.inside(lat, lon), 3)
    pairs = len(grid.inside(lat, lon)[0])
    print(f"bulk: {BULK:,} positions × {SITES:,} sites, {pairs:,} inside")
    print(f"  sitewatch        {BULK / ours_s / 1e6:6.2f} million a second")
    for name, work in (("geopandas.sjoin", _geopandas), ("DuckDB spatial", _duckdb)):
        print(f"  {name:16} {_compared(work, sites, lat, lon, (ours_s, pairs))}")


def _compared(
    work: Callable[[Sequence[Site], Floats, Floats], tuple[float, int] | str],
    sites: Sequence[Site],
    lat: Floats,
    lon: Floats,
    mine: tuple[float, int],
) -> str:
    theirs = work(sites, lat, lon)
    if isinstance(theirs, str):
        return theirs
    seconds, pairs = theirs
    same = "" if pairs == mine[1] else f"; it finds {pairs:,}"
    return f"{len(lat) / seconds / 1e6:6.2f} million a second: ours is {seconds / mine[0]:.1f} times as fast{same}"


def _geopandas(sites: Sequence[Site], lat: Floats, lon: Floats) -> tuple[float, int]:
    outlines = geopandas.GeoDataFrame(geometry=[site.geometry for site in sites], crs=4326)
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(lon, lat), crs=4326)
    found: list[int] = []
    seconds = best_s(lambda: found.append(len(geopandas.sjoin(points, outlines, predicate="within"))), 1)
    return seconds, found[-1]


def _duckdb(sites: Sequence[Site], lat: Floats, lon: Floats) -> tuple[float, int] | str:
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError as error:
        return f"not compared: {error}"
    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.load_extension("spatial")
    except duckdb.Error as error:
        return f"its spatial extension is not there, and is not fetched: {str(error).splitlines()[0]}"
    import pandas as pd  # noqa: PLC0415 - only here

    connection.register("point", pd.DataFrame({"lat": lat, "lon": lon}))
    connection.register("outline", pd.DataFrame({"wkb": [shapely.to_wkb(site.geometry) for site in sites]}))
    connection.execute("create table s as select st_geomfromwkb(wkb) g from outline")
    connection.execute("create table p as select st_point(lon, lat) g from point")
    found: list[int] = []
    query = "select count(*) from p join s on st_contains(s.g, p.g)"
    seconds = best_s(lambda: found.append(connection.execute(query).fetchone()[0]), 1)
    return seconds, found[-1]


def visits() -> None:
    """Print how fast the reports around Paris become visits, beside the traffic package on the same reports."""
    recording = list(polls(DATA))
    by_aircraft = tracks([fix for _, fixes in recording for fix in fixes or ()])
    fields, end = places(DATA), recording[-1][0] + timedelta(minutes=30)
    reports = sum(map(len, by_aircraft.values()))
    found: list[FlightEvent] = []

    def read() -> None:
        found.clear()
        for track in by_aircraft.values():
            found.extend(events_of(ours(track, fields, end)))

    seconds = best_s(read, 3)
    result = score([event for event in found if event.site_id == "lfpo"], labels(DATA))
    print(f"visits: {reports:,} reports of {len(by_aircraft)} aircraft at three fields")
    print(f"  sitewatch {seconds:.2f} s, {reports / seconds:,.0f} reports a second")
    print(f"    Orly: recall {result.recall}, precision {result.precision}")
    print(f"  traffic   {_traffic(by_aircraft, seconds)}")


def _traffic(by_aircraft: dict[str, list[Fix]], mine_s: float) -> str:
    try:
        core: Any = importlib.import_module("traffic.core")
    except ImportError as error:
        return f"not compared: {error}"
    import pandas as pd  # noqa: PLC0415 - only here

    rows = [
        {
            "timestamp": pd.Timestamp(fix.at),
            "icao24": fix.icao24,
            "callsign": fix.callsign,
            "latitude": fix.lat,
            "longitude": fix.lon,
            "altitude": fix.altitude_ft,
            "groundspeed": fix.ground_speed_kt,
            "track": fix.track_deg,
            "vertical_rate": fix.vertical_rate_fpm,
            "onground": bool(fix.on_ground),
        }
        for track in by_aircraft.values()
        for fix in track
    ]
    told, airports = core.Traffic(pd.DataFrame(rows)), _airports()
    found: list[FlightEvent] = []

    def read() -> None:
        for flight, airport in product(told, airports):
            who, where = flight.icao24, airport.icao.lower()
            found.extend(
                FlightEvent(leg.stop.to_pydatetime(), "arrival", who, where)
                for leg in flight.landing(airport)
            )
            found.extend(
                FlightEvent(leg.start.to_pydatetime(), "departure", who, where)
                for leg in flight.takeoff(airport)
            )

    seconds = best_s(read, 1)
    result = score([event for event in found if event.site_id == "lfpo"], labels(DATA))
    return (
        f"{seconds:.1f} s: ours is {seconds / mine_s:.0f} times as fast (wanted: 50)\n"
        f"    Orly: recall {result.recall}, precision {result.precision}"
    )


def _airports() -> list[Any]:
    """Give the package the three airports, which it would fetch otherwise."""
    structure: Any = importlib.import_module("traffic.core.structure")
    basic: Any = importlib.import_module("traffic.data.basic.runways")
    # Asked for by name it would fetch the world's airports; here each one is given.
    vars(importlib.import_module("traffic.data"))["airports"] = None

    class Field(structure.Airport):  # type: ignore[misc]
        """An airport with runways of its own."""

        def __getattr__(self, name: str) -> Any:
            # The package would ask OpenStreetMap for it.
            raise AttributeError(name)

        @property
        def runways(self) -> Any:
            return made[self.icao]

    # Read once: the comparison is with the package, not with this file.
    every, made = runways(DATA), {}
    for place in places(DATA):
        ends = [
            basic.Threshold(each.lat, each.lon, each.course_deg, f"{n}")
            for n, each in enumerate(every)
            if each.site_id == place.id
        ]
        pairs = list(zip(ends[::2], ends[1::2], strict=True))
        made[place.id.upper()] = basic.RunwaysAirport(runways=pairs)
    return [
        Field(place.elevation_ft, "France", "", place.id.upper(), place.lat, place.lon, place.site.name)
        for place in places(DATA)
    ]


def main() -> None:
    """Print everything."""
    world_poll()
    bulk()
    visits()


if __name__ == "__main__":
    main()
