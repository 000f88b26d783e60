"""What the page of a watched aircraft shows: its visits in words, its gaps, and a map of where it was heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.attribution import MAP
from alerts.words import capital, measured_duration, subject_phrase
from db.records import Visit
from db.said import phrase
from monitor.reports.aircraft import AircraftRecord
from monitor.sites import Site
from monitor.web.views.flight_map import FlightLegs, FlightMap, draw_tracks
from monitor.web.views.rows import VisitRow, visit_row

MOST_WAYS = 12
"""So many ways, the newest, are drawn: more would be a tangle."""


@dataclass(frozen=True, slots=True)
class FlownVisit:
    """One visit in words, and the way around it."""

    site_id: str
    site_name: str
    watched: bool
    began_at: datetime
    row: VisitRow
    said: str
    """How it ended, and how sure that is."""
    flight: FlightLegs | None
    """None where no reports are kept."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """A time in which nobody heard it."""

    visit_id: str
    site_name: str
    last_at: datetime
    first_at: datetime
    length: str


@dataclass(frozen=True, slots=True)
class AircraftPage:
    """All of it."""

    record: AircraftRecord
    name: str
    kinds: tuple[str, ...]
    """Under which classes it is watched."""
    visits: tuple[FlownVisit, ...]
    gaps: tuple[GapRow, ...]
    map: FlightMap | None
    data: list[str]


def aircraft_page(
    record: AircraftRecord, sites: Mapping[str, Site], names: Mapping[str, str]
) -> AircraftPage:
    """The page; the map is left out where nothing was heard, or no site of it is watched any more."""
    drawn = _map(record, sites)
    flights = {each.visit_id: each for each in drawn.flights} if drawn else {}
    newest = record.newest
    known = [each for each in (newest.registration, newest.type_code) if each]
    return AircraftPage(
        record,
        ", ".join(known) or phrase("ICAO address {address}", address=record.icao24.upper()),
        tuple(subject_phrase(f"class:{each}", names) for each in record.classes),
        tuple(_flown(each, names, sites, flights.get(each.visit_id)) for each in record.visits),
        tuple(_gaps(record, names)),
        drawn,
        [*record.data, MAP] if drawn else record.data,
    )


def _flown(
    visit: Visit, names: Mapping[str, str], sites: Mapping[str, Site], flight: FlightLegs | None
) -> FlownVisit:
    row = visit_row(visit, names)
    said = phrase("{state}; confidence {confidence}.", state=capital(row.state), confidence=row.confidence)
    name, watched = names.get(visit.site_id, visit.site_id), visit.site_id in sites
    return FlownVisit(visit.site_id, name, watched, visit.began_at, row, said, flight)


def _map(record: AircraftRecord, sites: Mapping[str, Site]) -> FlightMap | None:
    tracks = [each for each in record.tracks if each.visit.site_id in sites][:MOST_WAYS]
    if not tracks:
        return None
    first, *others = dict.fromkeys(each.visit.site_id for each in tracks)
    return draw_tracks(tracks, sites[first], [sites[each] for each in others])


def _gaps(record: AircraftRecord, names: Mapping[str, str]) -> Sequence[GapRow]:
    return [
        GapRow(
            track.visit.visit_id,
            names.get(track.visit.site_id, track.visit.site_id),
            gap.before.at,
            gap.after.at,
            measured_duration(gap.length),
        )
        for track in record.tracks
        for gap in reversed(track.gaps)
    ]
