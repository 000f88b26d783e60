"""Three real hours around Paris-Orly, poll by poll through the real adapter, against labelled take-offs and landings."""

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import Engine

from db.records import Fix, Visit
from monitor.feeds import Answer, FeedError, Provider, Scope
from monitor.feeds.readsb import ReadsbFeed
from monitor.sites import Site
from tests.flying import World, read

EAST_SCALE = 0.66
"""How much shorter a degree of longitude is than one of latitude here."""
KM_PER_DEGREE = 111.2


def field(name: str, elevation_ft: float, *ends: tuple[float, float]) -> Site:
    """An airport: the hull of its runways and a kilometre around it."""
    hull = shapely.MultiPoint([(lon * EAST_SCALE, lat) for lon, lat in ends]).convex_hull
    outline = shapely.transform(hull.buffer(1 / KM_PER_DEGREE), lambda at: at / (EAST_SCALE, 1))
    assert isinstance(outline, shapely.Polygon)
    return Site(name, name, "airport", outline, ZoneInfo("Europe/Paris"), elevation_ft=elevation_ft)


# The ends of the runways (OurAirports, public domain).
ORLY = field(
    "lfpo", 291, (2.3767, 48.7175), (2.38697, 48.738), (2.31692, 48.72), (2.36068, 48.7355), (2.35859, 48.7194),
    (2.40207, 48.7274),
)  # fmt: skip
CHARLES_DE_GAULLE = field(
    "lfpg", 392, (2.55274, 48.9957), (2.61018, 48.9988), (2.56567, 48.9929), (2.60243, 48.9949), (2.52489, 49.0247),
    (2.56169, 49.0267), (2.51306, 49.0206), (2.57029, 49.02371),
)  # fmt: skip
LE_BOURGET = field(
    "lfpb",
    218,
    (2.42686, 48.9487),
    (2.44215, 48.9705),
    (2.42029, 48.9638),
    (2.45825, 48.974),
    (2.44563, 48.9651),
)


class Recording:
    """Gives the recorded answers one by one."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def request(self, method: str, url: str, **options: Any) -> Answer:
        return Answer(200, next(self._lines), {}, url)


def polls(folder: Path) -> Iterator[tuple[datetime, Sequence[Fix] | None]]:
    """Give the time and the reports of each poll as the adapter reads it, None where it calls the poll failed."""
    path = folder / "adsb" / "paris-2021-10-07-v2-polls.ndjson.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()
    provider = Provider("adsb.lol", "readsb", "https://feed.invalid/v2", 10, "ODbL", "adsb.lol")
    feed = ReadsbFeed(provider, Recording(iter(lines)))
    scope = Scope("circle", ("lfpo",), 48.72, 2.37, 30)
    for line in lines:
        now = datetime.fromtimestamp(json.loads(line)["now"] / 1000, UTC)
        try:
            fetched = feed.fetch(scope, [], purpose="data", now=now, since=None)
        except FeedError:
            yield now, None
        else:
            yield now, fetched.fixes


def live(world: World, recording: Iterator[tuple[datetime, Sequence[Fix] | None]]) -> None:
    """Poll answer by answer, and derive every half minute."""
    for number, (now, fixes) in enumerate(recording):
        world.poll(now, fixes or (), "failed" if fixes is None else "ok" if fixes else "empty")
        if number % 3 == 0:
            world.derive(now)


def events(visits: Sequence[Visit]) -> list[tuple[str, str, datetime]]:
    """Give every arrival and departure that was observed."""
    arrivals = [("arrival", each.icao24, each.arrived_at) for each in visits if each.arrived_at]
    departures = [("departure", each.icao24, each.departed_at) for each in visits if each.departed_at]
    return [*arrivals, *departures]


@pytest.mark.shared
def test_take_offs_and_landings_at_orly_are_those_that_were_labelled(
    sqlite_engine: Engine, shared_data: Path, record_property: Callable[[str, object], None]
) -> None:
    world = World(sqlite_engine, [ORLY])
    live(world, polls(shared_data))
    found = events([each for each in world.visits() if each.state != "withdrawn"])
    labels = json.loads((shared_data / "adsb" / "paris-2021-10-07-lfpo-events.json").read_text())
    missed, left = [], list(found)
    for label in labels:
        at = datetime.fromisoformat(label["time"])
        fits = (
            each
            for each in left
            if each[:2] == (label["event"], label["icao24"]) and abs((each[2] - at).total_seconds()) <= 120
        )
        event = next(fits, None)
        if event is None:
            missed.append(f"{label['event']} {label['icao24']} {label['time']}")
        else:
            left.remove(event)
    record_property("recall", 1 - len(missed) / len(labels))
    record_property("precision", 1 - len(left) / len(found))
    # One label is no take-off: 3950c7 stood still at 14:35, flagged "in the air at 39,025 ft", and left at 14:42.
    assert missed == ["departure 3950c7 2021-10-07T14:35:14Z"]
    assert [(event, icao24, f"{at:%H:%M}") for event, icao24, at in left] == [
        ("departure", "3950c7", "14:42")
    ]
    assert {each.state for each in world.visits()} == {"present", "departed"}


@pytest.mark.shared
def test_landings_that_the_ground_never_reports_are_found_at_the_right_field(shared_data: Path) -> None:
    tracks: dict[str, list[Fix]] = defaultdict(list)
    recording = list(polls(shared_data))
    for _, fixes in recording:
        for fix in fixes or ():
            tracks[fix.icao24].append(fix)
    later = recording[-1][0] + timedelta(minutes=30)
    places = (ORLY, CHARLES_DE_GAULLE, LE_BOURGET)
    found = [visit for track in tracks.values() for visit in read(track, *places, now=later)]
    arrived = {
        place.id: [each for each in found if each.site_id == place.id and each.arrived_at] for place in places
    }
    assert {name: len(visits) for name, visits in arrived.items()} == {"lfpo": 27, "lfpg": 48, "lfpb": 16}
    # Coverage ends above the runways of Charles-de-Gaulle; at Le Bourget, beside it, the ground is heard.
    assert sum(each.confidence == 3 for each in arrived["lfpg"]) == 38
    assert {each.confidence for each in [*arrived["lfpo"], *arrived["lfpb"]]} == {4}
