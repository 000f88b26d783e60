"""One watched aircraft: its visits, where it was heard around them and where it was not. Nobody else has such a record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely import LineString

from alerts.attribution import Attributions, each_once, one_cell
from db.engine import Connection
from db.pages import visit_page
from db.records import Fix, Visit
from db.said import phrase
from monitor.app import App
from monitor.reports.asked import VisitWords, World
from monitor.reports.sources import visit_attributions
from monitor.reports.tracks import AROUND, HeardTrack, nameable_among, reports_around, stretches_of
from monitor.sites.geodesy import longitude_near

MOST_TOLD = 50
"""So many visits, the newest, are told with their ways; older ones are found by asking for an earlier time."""
NOT_WATCHED = phrase(
    "There is no such page. Only an aircraft that was watched when it came, and is watched still, is shown by its own address: by a watched class or a watch list (docs/responsible-use.md). Nobody else is followed, so that it is not said either whether it was ever heard."
)
_DETAIL_DEG = 0.004
"""A line is drawn no finer than this: some 400 m."""


class NotWatchedError(LookupError):
    """It is not told of this aircraft by its address."""


@dataclass(frozen=True, slots=True)
class AircraftRecord:
    """A watched aircraft; visits from the newest on, a track for each of which reports are kept."""

    icao24: str
    visits: tuple[Visit, ...]
    tracks: tuple[HeardTrack, ...]
    more: bool
    """Whether there are older visits than these."""
    sources: dict[str, list[str]]
    """By visit id: whose data it rests on."""

    @property
    def data(self) -> list[str]:
        """Whose data all of it rests on."""
        return each_once(said for some in self.sources.values() for said in some)

    @property
    def newest(self) -> Visit:
        """What is known of it comes from here."""
        return self.visits[0]

    @property
    def classes(self) -> list[str]:
        """Under which classes it was counted when it last came."""
        return [each.removeprefix("class:") for each in self.newest.subjects if each.startswith("class:")]


def aircraft_record(connection: Connection, app: App, asked: VisitWords, now: datetime) -> AircraftRecord:
    """Read what is known of the aircraft whose `address` is asked for.

    Raises InputError where that is none, NotWatchedError where it is not watched, or was not heard in that time.
    """
    wanted = asked.filter(World(app.sites, app.classes.labels, now))
    found = nameable_among(app, visit_page(connection, wanted, None, MOST_TOLD + 1))
    if not found or wanted.icao24 is None:
        raise NotWatchedError(NOT_WATCHED)
    visits = found[:MOST_TOLD]
    heard = [(each, reports_around(connection, each, AROUND)) for each in visits]
    sources = visit_attributions(connection, visits, app.sources)
    told = {
        each.visit_id: each_once([*sources[each.visit_id], *_heard_by(reports, app.sources)])
        for each, reports in heard
    }
    tracks = (HeardTrack(each, stretches_of(reports)) for each, reports in heard if reports)
    return AircraftRecord(wanted.icao24, tuple(visits), tuple(tracks), len(found) > len(visits), told)


def _heard_by(reports: Sequence[Fix], sources: Attributions) -> Iterator[str]:
    return sources.heard({each.provider for each in reports})


def leg_rows(record: AircraftRecord) -> list[dict[str, Any]]:
    """Its ways as rows, stretch by stretch with the gaps between; a visit without reports is one row with nothing heard."""
    tracks = {each.visit.visit_id: each for each in record.tracks}
    rows = list[dict[str, Any]]()
    for visit in record.visits:
        told = one_cell(record.sources[visit.visit_id])
        track = tracks.get(visit.visit_id)
        for kind, reports in _legs(track) if track else [("not kept", ())]:
            rows.append({**_about(visit), **_leg(kind, reports), "attribution": told})
    return rows


def _legs(track: HeardTrack) -> Iterator[tuple[str, Sequence[Fix]]]:
    for place, part in enumerate(track.stretches):
        if place:
            yield "gap", (track.stretches[place - 1][-1], part[0])
        yield "heard", part


def _way(reports: Sequence[Fix]) -> list[list[float]]:
    """The line through reports, WGS 84; of one report its place twice. Across 180° it goes on beyond it."""
    points = [(reports[0].lon, reports[0].lat)]
    for each in reports[1:]:
        points.append((longitude_near(each.lon, points[-1][0]), each.lat))
    line = LineString(points if len(points) > 1 else points * 2).simplify(_DETAIL_DEG)
    return [list(point) for point in line.coords]


def _about(visit: Visit) -> dict[str, Any]:
    names = ("icao24", "registration", "type_code", "callsign", "visit_id", "site_id", "state", "confidence")
    return {name: getattr(visit, name) for name in names}


def _leg(kind: str, reports: Sequence[Fix]) -> dict[str, Any]:
    return {
        "kind": kind,
        "start": reports[0].at if reports else None,
        "end": reports[-1].at if reports else None,
        "reports": len(reports) if kind == "heard" else 0,
        "line": _way(reports) if reports else None,
    }
