"""The recording of three hours around Paris: its reports, its three fields, and the truth to measure against.

Orly has labels. The other two fields get a reference of their own: alignment with a runway, computed from the
runways' published ends, as labelling with the traffic library does. It shares no code with what it checks.
"""

import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import shapely

from db.records import Fix, Visit
from monitor.feeds import Answer, FeedError, Provider, Scope
from monitor.feeds.readsb import ReadsbFeed
from monitor.flights.evaluation.scoring import FlightEvent, FlightEventKind
from monitor.flights.places import Place, place_of
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.integrity import believed_track
from monitor.flights.visits import derive_visits
from monitor.sites import Site

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NAMES = {"lfpo": "Orly", "lfpg": "Charles-de-Gaulle", "lfpb": "Le Bourget"}
SCOPE = "circle:48.72,2.37,30"
"""The area that was asked about: who flies out of it has not fallen silent."""
_ELEVATION_FT = {"lfpo": 291.0, "lfpg": 392.0, "lfpb": 218.0}
_EAST_SCALE = 0.66
"""How much shorter a degree of longitude is than one of latitude here."""
_KM_PER_DEGREE = 111.2
_ALIGNED_NM = 0.1
_ALIGNED_S = 60.0
_OUTBOUND_S = 30.0
_LANDED_BELOW_FT = 1200.0
_LEFT_BELOW_FT = 1500.0
_REACH_NM = 10.0
_PAUSE_S = 120.0
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Runway:
    """One direction of a runway: its threshold, and the course that is flown there."""

    site_id: str
    lat: float
    lon: float
    course_deg: float
    length_nm: float


class _Recording:
    """Gives the recorded answers one by one."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def request(self, method: str, url: str, **options: Any) -> Answer:
        return Answer(200, next(self._lines), {}, url)


def polls(data: Path = DATA) -> Iterator[tuple[datetime, Sequence[Fix] | None]]:
    """Give the time and the reports of each poll as the adapter reads it, None where it calls the poll failed."""
    path = data / "adsb" / "paris-2021-10-07-v2-polls.ndjson.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()
    provider = Provider("adsb.lol", "readsb", "https://feed.invalid/v2", 10, "ODbL", "adsb.lol")
    feed = ReadsbFeed(provider, _Recording(iter(lines)))
    scope = Scope("circle", ("lfpo",), 48.72, 2.37, 30)
    for line in lines:
        now = datetime.fromtimestamp(json.loads(line)["now"] / 1000, UTC)
        try:
            fetched = feed.fetch(scope, [], purpose="data", now=now, since=None)
        except FeedError:
            yield now, None
        else:
            yield now, fetched.fixes


def tracks(reports: Sequence[Fix]) -> dict[str, list[Fix]]:
    """Group reports by aircraft, by time."""
    found: dict[str, list[Fix]] = defaultdict(list)
    for fix in sorted(reports, key=lambda each: each.at):
        found[fix.icao24].append(fix)
    return found


def runways(data: Path = DATA) -> list[Runway]:
    """Read both directions of every paved runway of the three fields (OurAirports, public domain)."""
    path = data / "reference" / "ourairports-runways-2026-08-22.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if row["airport_ident"].lower() in NAMES and row["lighted"] == "1"
        ]
    return [
        Runway(row["airport_ident"].lower(), *threshold, course, float(row["length_ft"]) / 6076.0)
        for row in rows
        for threshold, course in _directions(row)
    ]


def sites(data: Path = DATA) -> tuple[Site, ...]:
    """The three airports, each the hull of its runways and a kilometre around it."""
    ends: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for runway in runways(data):
        ends[runway.site_id].append((runway.lon, runway.lat))
    return tuple(_site(site_id, ends[site_id]) for site_id in NAMES)


def labels(data: Path = DATA) -> list[FlightEvent]:
    """The labelled landings and take-offs at Orly."""
    rows = json.loads((data / "adsb" / "paris-2021-10-07-lfpo-events.json").read_text())
    return [
        FlightEvent(datetime.fromisoformat(row["time"]), row["event"], row["icao24"], "lfpo") for row in rows
    ]


def ours(track: Sequence[Fix], places: Sequence[Place], now: datetime) -> list[Visit]:
    """Read the visits of one aircraft; the feed is held never to have failed."""
    return derive_visits(
        believed_track(track),
        places,
        known=(),
        since=_NEVER,
        watched=lambda _place, _heard, since, until: (until - since).total_seconds(),
        classes=default_classes(),
        now=now,
    )


def aligned(track: Sequence[Fix], directions: Sequence[Runway]) -> list[FlightEvent]:
    """Find landings and take-offs from the alignment with a runway alone.

    A landing: distance × bearing error under 0.1 NM for a minute, closing, and at last under 1,200 ft. A
    take-off: the same away from the far end of a runway for half a minute, begun under 1,500 ft and climbing.
    """
    flown = [fix for fix in track if fix.on_ground is not True and fix.altitude_ft is not None]
    found: list[tuple[float, FlightEvent]] = []
    for runway in directions:
        found += _runs(flown, runway, "arrival")
        found += _runs(flown, runway, "departure")
    return _distinct(found)


def _runs(flown: Sequence[Fix], runway: Runway, kind: FlightEventKind) -> Iterator[tuple[float, FlightEvent]]:
    run: list[tuple[float, Fix]] = []
    for fix in flown:
        distance, miss = _offset(fix, runway, outbound=kind == "departure")
        on_line = distance < _REACH_NM and miss < _ALIGNED_NM
        follows = not run or (
            (fix.at - run[-1][1].at).total_seconds() < _PAUSE_S
            and (distance < run[-1][0] if kind == "arrival" else distance > run[-1][0])
        )
        if on_line and follows:
            run.append((distance, fix))
            continue
        yield from _event(run, runway, kind)
        run = [(distance, fix)] if on_line else []
    yield from _event(run, runway, kind)


def _event(
    run: Sequence[tuple[float, Fix]], runway: Runway, kind: FlightEventKind
) -> Iterator[tuple[float, FlightEvent]]:
    if not run:
        return
    first, last = run[0][1], run[-1][1]
    lasted = (last.at - first.at).total_seconds()
    low, high = (last, first) if kind == "arrival" else (first, last)
    below = _LANDED_BELOW_FT if kind == "arrival" else _LEFT_BELOW_FT + _ELEVATION_FT[runway.site_id]
    if lasted < (_ALIGNED_S if kind == "arrival" else _OUTBOUND_S) or (low.altitude_ft or 0.0) >= below:
        return
    if (high.altitude_ft or 0.0) > (low.altitude_ft or 0.0):
        near = min(distance for distance, _ in run)
        yield near, FlightEvent(low.at, kind, low.icao24, runway.site_id)


def _distinct(found: Sequence[tuple[float, FlightEvent]]) -> list[FlightEvent]:
    """Keep one of the events that parallel runways and neighbouring fields tell of one landing: the nearest."""
    kept: list[FlightEvent] = []
    for _, event in sorted(found):
        again = (each.kind == event.kind and abs(each.at - event.at) < timedelta(minutes=4) for each in kept)
        if not any(again):
            kept.append(event)
    return sorted(kept)


def _offset(fix: Fix, runway: Runway, *, outbound: bool) -> tuple[float, float]:
    """Give the distance from the threshold (or beyond it) and distance × bearing error, in NM."""
    east = (fix.lon - runway.lon) * math.cos(math.radians(runway.lat)) * 60
    north = (fix.lat - runway.lat) * 60
    course = math.radians(runway.course_deg)
    along = east * math.sin(course) + north * math.cos(course)
    across = east * math.cos(course) - north * math.sin(course)
    ahead = along if outbound else -along
    if ahead <= 0:
        return math.inf, math.inf
    distance = math.hypot(along, across)
    return distance, distance * abs(math.atan2(across, ahead))


def _directions(row: Mapping[str, str]) -> Iterator[tuple[tuple[float, float], float]]:
    low = float(row["le_latitude_deg"]), float(row["le_longitude_deg"])
    high = float(row["he_latitude_deg"]), float(row["he_longitude_deg"])
    for here, there in pairwise((low, high, low)):
        east = (there[1] - here[1]) * math.cos(math.radians(here[0]))
        yield here, math.degrees(math.atan2(east, there[0] - here[0])) % 360


def _site(site_id: str, ends: Sequence[tuple[float, float]]) -> Site:
    scaled = [(lon * _EAST_SCALE, lat) for lon, lat in ends]
    hull = shapely.MultiPoint(scaled).convex_hull.buffer(1 / _KM_PER_DEGREE)
    outline = shapely.transform(hull, lambda at: at / (_EAST_SCALE, 1))
    assert isinstance(outline, shapely.Polygon)
    elevation_ft = _ELEVATION_FT[site_id]
    # Both directions of a runway follow each other in the list.
    pairs = tuple({"ends": [list(ends[n]), list(ends[n + 1])]} for n in range(0, len(ends), 2))
    zone = ZoneInfo("Europe/Paris")
    codes = {"icao": site_id.upper()}
    return Site(
        site_id,
        NAMES[site_id],
        "airport",
        outline,
        zone,
        codes=codes,
        elevation_ft=elevation_ft,
        runways=pairs,
    )


def places(data: Path = DATA) -> tuple[Place, ...]:
    """The three airports, prepared for matching."""
    return tuple(place_of(site) for site in sites(data))
