"""Invented flights for story tests: an aircraft flown by hand around a site, and polls that bring its reports."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely import Polygon
from sqlalchemy import Engine

from db.engine import reading, writing
from db.flights import visits
from db.polls import PollKey, PollResult, record_poll, start_poll
from db.records import Fix, Outcome, Visit
from monitor.derive.pending import DeriveReport, close_days, derive_pending
from monitor.flights.places import Place, place_of
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.integrity import believed_track
from monitor.flights.visits import derive_visits
from monitor.sites import Site
from monitor.sites.geodesy import destination, wrap_longitude
from tests.kit.cast import QUIET_FIELD

NOON = datetime(2023, 8, 1, 12, tzinfo=UTC)
VIP = "15521f"
"""RA-86559, an aircraft of a watched class."""
AIRLINER = "3950c7"
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
RUNWAY = {"name": "09/27", "ends": [list(reversed(destination(40, 60, course, 1))) for course in (270, 90)]}
CLASSES = default_classes()


def one_runway(codes: Mapping[str, str]) -> Place:
    """A field at sea level at 40° N, 60° E, three miles across, with one runway that runs east–west."""
    outline = Polygon([destination(40, 60, course, 1.5)[::-1] for course in (45, 135, 225, 315)])
    return place_of(
        replace(QUIET_FIELD, geometry=outline, runways=(RUNWAY,), elevation_ft=0.0, codes=dict(codes))
    )


@dataclass
class Pilot:
    """Flies one aircraft; positions are miles east and north of the middle of the site's runway, which runs east–west."""

    site: Site
    icao24: str = VIP
    at: datetime = NOON
    every_s: float = 10
    east_nm: float = 0.0
    north_nm: float = 0.0
    height_ft: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)
    fixes: list[Fix] = field(default_factory=list)

    def report(self, *, ground: bool | None, kt: float | None, **values: Any) -> Fix:
        """Send one report from where the aircraft is."""
        (west_lon, lat), (east_lon, _) = self.site.runways[0]["ends"]
        half = ((east_lon - west_lon) % 360) / 2
        lon = west_lon + half + self.east_nm / 60 / math.cos(math.radians(lat))
        altitude = None if ground else self.height_ft + (self.site.elevation_ft or 0)
        fix = Fix(
            provider="adsb.lol",
            icao24=self.icao24,
            at=self.at,
            received_at=self.at + timedelta(seconds=1),
            lat=lat + self.north_nm / 60,
            lon=wrap_longitude(lon),
            on_ground=ground,
            altitude_ft=altitude,
            ground_speed_kt=kt,
            source="adsb_icao",
        )
        self.fixes.append(replace(fix, **{**self.values, **values}))
        return self.fixes[-1]

    def fly(
        self, seconds: float, *, kt: float, fpm: float = 0, ground: bool | None = False, **values: Any
    ) -> "Pilot":
        """Go west (or east, at a negative speed) for a while, reporting; `**values` change each report."""
        for _ in range(int(seconds // self.every_s)):
            self.at += timedelta(seconds=self.every_s)
            self.east_nm -= kt * self.every_s / 3600
            self.height_ft += fpm * self.every_s / 60
            self.report(ground=ground, **{"kt": abs(kt), "vertical_rate_fpm": fpm, **values})
        return self

    def wait(self, **span: float) -> "Pilot":
        """Be silent."""
        self.at += timedelta(**span)
        return self

    def approach(self, *, end_ft: float = 20, from_nm: float = 7, kt: float = 140, **values: Any) -> "Pilot":
        """Come in from the east on a path of 3°, from `from_nm` down to a height."""
        self.east_nm, self.north_nm = from_nm, 0.0
        path_ft = 318.0
        self.height_ft = from_nm * path_ft
        seconds = (from_nm - end_ft / path_ft) / kt * 3600
        return self.fly(seconds, kt=kt, fpm=-path_ft * kt / 60, **values)

    def roll_out(self, **values: Any) -> "Pilot":
        """Touch down and slow to a taxi."""
        self.height_ft = 0
        for kt in (120, 90, 50):
            self.fly(self.every_s, kt=kt, ground=True, **values)
        return self

    def taxi(self, seconds: float = 60, **values: Any) -> "Pilot":
        """Taxi to and fro near the middle of the runway."""
        self.east_nm = min(max(self.east_nm, -0.3), 0.3)
        for n in range(int(seconds // self.every_s)):
            self.fly(self.every_s, kt=10 if n % 2 else -10, ground=True, **values)
        return self

    def park(self, seconds: float, **values: Any) -> "Pilot":
        """Stand still, heard."""
        return self.fly(seconds, kt=0, ground=True, **values)

    def land(self, **values: Any) -> "Pilot":
        """Approach, roll out, taxi."""
        return self.approach(**values).roll_out(**values).taxi(**values)

    def take_off(self, seconds: float = 180, fpm: float = 2200, **values: Any) -> "Pilot":
        """Roll and climb out to the west."""
        self.east_nm, self.north_nm, self.height_ft = 0.3, 0.0, 0.0
        self.fly(2 * self.every_s, kt=90, ground=True, **values)
        return self.climb(seconds, fpm, **values)

    def climb(self, seconds: float = 180, fpm: float = 2200, **values: Any) -> "Pilot":
        """Climb out to the west from where the aircraft is."""
        return self.fly(seconds, kt=170, fpm=fpm, **values)


@dataclass
class Cruise:
    """Flies one aircraft in cruise on the straight way to a position or from it.

    `bearing` is where the aircraft is as seen from there; `off_deg` turns its way from the straight one.
    """

    lat: float
    lon: float
    bearing: float
    icao24: str = VIP
    at: datetime = NOON
    every_s: float = 20
    kt: float = 450
    height_ft: float = 33_000
    off_deg: float = 0.0
    type_code: str = "IL62"
    values: dict[str, Any] = field(default_factory=dict)
    fixes: list[Fix] = field(default_factory=list)

    def towards(self, until_nm: float, seconds: float = 600) -> "Cruise":
        """Fly in for a while and fall silent at a distance."""
        return self._fly(until_nm, -1, seconds)

    def away(self, from_nm: float, seconds: float = 300) -> "Cruise":
        """Be heard first at a distance and fly on."""
        return self._fly(from_nm, 1, seconds)

    def _fly(self, edge_nm: float, way: int, seconds: float) -> "Cruise":
        edge = destination(self.lat, self.lon, self.bearing, edge_nm)
        course = (self.bearing + (180 if way < 0 else 0) + self.off_deg) % 360
        steps = int(seconds // self.every_s)
        for n in range(steps):
            left_nm = (steps - 1 - n if way < 0 else -n) * self.kt * self.every_s / 3600
            lat, lon = destination(*edge, (course + 180) % 360, left_nm)
            self.at += timedelta(seconds=self.every_s)
            fix = Fix(
                provider="adsb.lol",
                icao24=self.icao24,
                at=self.at,
                received_at=self.at + timedelta(seconds=1),
                lat=lat,
                lon=lon,
                on_ground=False,
                altitude_ft=self.height_ft,
                ground_speed_kt=self.kt,
                track_deg=course,
                vertical_rate_fpm=0.0,
                source="adsb_icao",
                type_code=self.type_code,
            )
            self.fixes.append(replace(fix, **self.values))
        return self


def always_watched(place: Place, heard: frozenset[str], since: datetime, until: datetime) -> float:
    """A feed that never fails."""
    return (until - since).total_seconds()


def never_watched(place: Place, heard: frozenset[str], since: datetime, until: datetime) -> float:
    """A feed that was down."""
    return 0.0


def read(
    fixes: Sequence[Fix],
    *sites: Site,
    known: Sequence[Visit] = (),
    since: datetime = NEVER,
    watched: Any = always_watched,
    now: datetime | None = None,
) -> list[Visit]:
    """Read the visits out of the reports of one aircraft; `now` is the last of them if not given."""
    return derive_visits(
        believed_track(fixes),
        [place_of(site) for site in sites],
        known=known,
        since=since,
        watched=watched,
        classes=default_classes(),
        now=now or max(fix.at for fix in fixes),
    )


@dataclass
class World:
    """A database, its sites and one provider that may be polled every 10 s and is polled every 20 s."""

    engine: Engine
    sites: Sequence[Site]
    provider: str = "adsb.lol"
    interval_s: int = 10
    step_s: int = 20
    polled_until: datetime = NEVER
    scope: str = "circle"
    answered: list[datetime] = field(default_factory=list)
    """When the good answers ended."""

    def poll(self, at: datetime, fixes: Sequence[Fix], outcome: Outcome = "ok") -> None:
        """Store one poll with what it brought, and the coverage that it stands for."""
        key = PollKey(self.provider, self.scope, int(at.timestamp()) // self.interval_s)
        nearby = {site.id: len(fixes) for site in self.sites if site.flies}
        result = PollResult(outcome, item_count=len(fixes), feed_time=at, fixes=tuple(fixes), nearby=nearby)
        with writing(self.engine) as connection:
            poll_id = start_poll(connection, key, 0, at)
            assert poll_id is not None
            assert record_poll(connection, poll_id, result, interval_s=self.interval_s, now=at)
        if outcome == "ok":
            self.answered.append(at)

    def derive(self, now: datetime) -> DeriveReport:
        """Do what the service does after each poll."""
        return derive_pending(self.engine, self.sites, now) + close_days(self.engine, self.sites, now)

    def live(self, fixes: Sequence[Fix], until: datetime | None = None) -> None:
        """Poll and derive step by step, each report arriving with the first poll after it."""
        ordered = sorted(fixes, key=lambda fix: fix.at)
        step = timedelta(seconds=self.step_s)
        first = ordered[0].at if ordered else self.polled_until
        at = max(_slot(first, self.step_s), self.polled_until)
        end = until or ordered[-1].at + step
        while at < end:
            at += step
            self.polled_until = at
            self.poll(at, [fix for fix in ordered if at - step < fix.at <= at])
            self.derive(at)

    def visits(self) -> list[Visit]:
        """The newest version of each visit."""
        with reading(self.engine) as connection:
            return visits(connection)


def _slot(at: datetime, interval_s: int) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // interval_s * interval_s, UTC) - timedelta(
        seconds=interval_s
    )
