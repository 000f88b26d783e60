"""The one builder of what is known beside an aircraft's own reports: the live line and the study give it readers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from db.records import Fix, Visit
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.flights.coverage import watched_s
from monitor.flights.places import Place
from monitor.flights.signal_loss.candidates import gates_of
from monitor.flights.signal_loss.estimates import COVERED_BELOW_FT, approach_side
from monitor.flights.signal_loss.gaps import SIGNAL_LOST_AFTER, Gap, GapEnd, flew_in, flies_out
from monitor.flights.signal_loss.inferred import infer
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.ranking import Outlook, Past, past_of
from monitor.flights.tracks.identity import Aircraft, Classes, aircraft_of, kinds_of
from monitor.flights.tracks.integrity import Track
from monitor.sites.geodesy import NM_PER_DEGREE, wrap_longitude

_COVERED_FOR = timedelta(hours=24)
_COVERED_UNTIL = timedelta(hours=1)
_SAME_FLIGHT = timedelta(hours=1)

SearchBox = tuple[float, float, float, float]
"""West, south, east, north in degrees; west greater than east crosses 180°."""


class OutlookReaders(Protocol):
    """What can be read of everything but the judged aircraft's own track: a database, or tracks in memory.

    Whatever is read is read as it stands when a silence is judged: nothing of later.
    """

    def visits_of_site(self, site_id: str) -> Sequence[Visit]:
        """Every visit of a site, of any aircraft, as it now stands."""
        ...

    def heard_before(self, icao24: str, before: datetime) -> datetime | None:
        """The time of the last report of one aircraft before another time."""
        ...

    def heard_low(
        self, box: SearchBox, since: datetime, until: datetime, *, below_ft: float, but: str
    ) -> bool:
        """Whether any aircraft but one was heard on the ground or below an altitude in a box, in [since, until]."""
        ...

    def good_polls(self, fix: Fix, until: datetime) -> Sequence[datetime]:
        """The times, from a report on until then, at which good answers ended to the question that brought it."""
        ...

    def scope_of(self, fix: Fix) -> str:
        """The area that was asked about when this report came, or nothing where that is not known."""
        ...

    def claims(self, icao24: str, since: datetime, until: datetime) -> Sequence[FlightClaim]:
        """What providers say of the flights of one aircraft seen in [since, until)."""
        ...

    def estimates(self, icao24: str, since: datetime) -> Sequence[EstimatedPosition]:
        """Where providers reckon one aircraft to be, from a time on."""
        ...

    def airports_around(self, end: GapEnd, places: Sequence[Place]) -> Sequence[Place]:
        """The airports around an end of a gap that are none of the sites."""
        ...


def read_losses(
    track: Track,
    places: Sequence[Place],
    *,
    known: Sequence[Visit],
    readers: OutlookReaders,
    classes: Classes,
    now: datetime,
) -> list[Visit]:
    """Read the inferred visits out of the believed reports of one aircraft, which must not be empty; see `infer`."""
    # The newest callsign is that of the flight that was lost.
    aircraft = aircraft_of(list(reversed(track.fixes)))
    began = min(fix.at for fix in (*track.fixes, *(fix for fix, _ in track.rejected)))
    outlook = outlook_of(aircraft, places, classes, readers, read_since=began)
    return infer(track, places, aircraft, known=known, outlook=outlook, classes=classes, now=now)


def outlook_of(
    aircraft: Aircraft,
    places: Sequence[Place],
    classes: Classes,
    readers: OutlookReaders,
    *,
    read_since: datetime,
) -> Outlook:
    """Build what is known beside the reports of one aircraft, which were read from `read_since` on."""
    kinds, performance = kinds_of(aircraft, classes), performance_of(aircraft.type_code)

    def past(at: datetime) -> Past:
        earlier = {
            place.id: [
                visit for visit in readers.visits_of_site(place.id) if _is_earlier(visit, at, aircraft.icao24)
            ]
            for place in places
        }
        counts = {site_id: past_of(visits, kinds) for site_id, visits in earlier.items()}
        return Past(
            gates={place.id: gates_of(place.site, earlier[place.id]) for place in places},
            before={site_id: came for site_id, (came, _) in counts.items()},
            passed={site_id: passed for site_id, (_, passed) in counts.items()},
        )

    def watched(gap: Gap, until: datetime) -> float:
        lost = gap.lost.fix
        if flies_out(gap.lost, readers.scope_of(lost), performance, gap.settled_after):
            return 0.0
        return watched_s(readers.good_polls(lost, until), lost.at, until)

    def entered(end: GapEnd) -> bool:
        if flew_in(end, readers.scope_of(end.fix), performance):
            return True
        # Where the reports that were read begin, the aircraft need not have been silent.
        before = readers.heard_before(aircraft.icao24, read_since)
        return before is not None and end.fix.at - before < SIGNAL_LOST_AFTER

    return Outlook(
        past=past,
        covered=lambda place, lost: is_covered(place, lost, readers),
        watched=watched,
        others=lambda end: readers.airports_around(end, places),
        hinted=lambda at: _hinted(aircraft.icao24, at, readers),
        entered=entered,
    )


def is_covered(place: Place, lost: Fix, readers: OutlookReaders) -> bool:
    """Whether others were heard low at a place, on the side a report came from, in the day before or the hour after."""
    west, south, east, north = approach_side(place, lost)
    box = (
        wrap_longitude(place.lon + west / place.east_scale),
        place.lat + south / NM_PER_DEGREE,
        wrap_longitude(place.lon + east / place.east_scale),
        place.lat + north / NM_PER_DEGREE,
    )
    below_ft = (place.elevation_ft or 0.0) + COVERED_BELOW_FT
    since, until = lost.at - _COVERED_FOR, lost.at + _COVERED_UNTIL
    return readers.heard_low(box, since, until, below_ft=below_ft, but=lost.icao24)


def _is_earlier(visit: Visit, at: datetime, icao24: str) -> bool:
    """Whether a visit tells of before a time; the aircraft's own is over only once its gap has closed."""
    began = visit.first_fix_at or visit.arrived_at or visit.departed_at
    if began is None or began >= at:
        return False
    if visit.icao24 != icao24 or not visit.is_inferred:
        return True
    back_at = visit.gap.get("back_at")
    return back_at is not None and datetime.fromisoformat(back_at) < at


def _hinted(icao24: str, at: datetime, readers: OutlookReaders) -> frozenset[str]:
    """Give the airports that another service names as the destination of the flight that was lost."""
    since, until = at - _SAME_FLIGHT, at + _SAME_FLIGHT
    claimed = readers.claims(icao24, since, until)
    named = {each.actual_destination or each.destination for each in claimed if not each.estimated}
    reckoned = {each.destination for each in readers.estimates(icao24, since) if each.at <= until}
    return frozenset(named | reckoned) - {""}
