"""The one builder of what is known beside an aircraft's own reports: the live line and the study give it readers."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

import numpy as np

from db.records import Fix, Visit
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.flights.coverage import watched_s
from monitor.flights.places import Place, positions
from monitor.flights.signal_loss.candidates import CANDIDATE_REACH_NM
from monitor.flights.signal_loss.corridors import FLEW_ON, STATE_LENGTH, KnownFlight, corridors_of, state_of
from monitor.flights.signal_loss.gaps import SIGNAL_LOST_AFTER, Gap, GapEnd, flew_in, flies_out
from monitor.flights.signal_loss.hearing import Hearing
from monitor.flights.signal_loss.inferred import infer
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.posterior import Outlook
from monitor.flights.signal_loss.prior import History, Landing, flight_history
from monitor.flights.tracks.identity import Aircraft, Classes, aircraft_of, flown_as, kinds_of
from monitor.flights.tracks.integrity import Track
from monitor.sites.geodesy import POLE_DEG, Floats, great_circle_nm, wrap_longitude

_HEARD_FOR = timedelta(hours=24)
_HEARD_UNTIL = timedelta(hours=1)
_HEARD_WITHIN_DEG = 7.0
_SAME_FLIGHT = timedelta(hours=1)
_ON_THE_WAY = timedelta(minutes=45)
_KNOWN_FOR = timedelta(days=60)
_KNOWN_OF_PLACE = 100
"""So many of the newest arrivals make the corridors into a place."""
_BACK_NEAR_NM = 30.0
_CAME_FROM = timedelta(hours=14)
_PASSED = frozenset({"through_flight", "diverted"})

_Event = tuple[datetime, str, str]
"""When an aircraft landed at a place or took off there."""
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

    def heard_cells(self, box: SearchBox, since: datetime, until: datetime, *, but: str) -> Hearing:
        """Where any aircraft but one was heard in a box, in [since, until]."""
        ...

    def losses(self, icao24: str, since: datetime, until: datetime) -> Sequence[Fix]:
        """The reports of one aircraft in [since, until] after which it was not heard for `SIGNAL_LOST_AFTER`."""
        ...

    def flights_claimed(
        self, codes: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[FlightClaim]:
        """What providers say of flights from and to airports, by their ICAO codes, that ended in [since, until)."""
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
    regions: Sequence[Place],
    known: Sequence[Visit],
    readers: OutlookReaders,
    classes: Classes,
    now: datetime,
) -> list[Visit]:
    """Read the inferred visits out of the believed reports of one aircraft, which must not be empty; see `infer`."""
    outlook = outlook_of(track, places, classes, readers, regions=regions)
    return infer(track, places, known=known, outlook=outlook, classes=classes, now=now)


def outlook_of(
    track: Track,
    places: Sequence[Place],
    classes: Classes,
    readers: OutlookReaders,
    *,
    regions: Sequence[Place] = (),
) -> Outlook:
    """Build what is known beside the believed reports of one aircraft, which must not be empty."""
    aircraft = aircraft_of(list(reversed(track.fixes)))
    performance = performance_of(aircraft.type_code)
    read_since = min(fix.at for fix in (*track.fixes, *(fix for fix, _ in track.rejected)))

    def history(at: datetime) -> History:
        # It may have come back under another number: what went before is that of the flight that was lost.
        flown, before = flown_as(track.fixes, at), earlier(at)
        landings = _landed(before, places, at, readers)
        return flight_history(before, flown, kinds_of(flown, classes), origin(at), landings)

    def earlier(at: datetime) -> list[Visit]:
        return [
            visit
            for place in (*places, *regions)
            for visit in readers.visits_of_site(place.id)
            if _is_earlier(visit, at, aircraft.icao24)
        ]

    def origin(at: datetime) -> str:
        own = [visit for visit in earlier(at) if visit.icao24 == aircraft.icao24 and visit.departed_at]
        left = [
            (visit.departed_at, visit.site_id)
            for visit in own
            if visit.departed_at is not None and timedelta(0) < at - visit.departed_at <= _CAME_FROM
        ]
        return max(left, default=(at, ""))[1]

    def watched(gap: Gap, until: datetime) -> float:
        lost = gap.lost.fix
        if flies_out(gap.lost, readers.scope_of(lost), performance, gap.noticed_after):
            return 0.0
        return watched_s(readers.good_polls(lost, until), lost.at, until)

    def entered(end: GapEnd) -> bool:
        if flew_in(end, readers.scope_of(end.fix), performance):
            return True
        # Where the reports that were read begin, the aircraft need not have been silent.
        before = readers.heard_before(aircraft.icao24, read_since)
        return before is not None and end.fix.at - before < SIGNAL_LOST_AFTER

    return Outlook(
        history=history,
        corridors=lambda end: corridors_of(known_flights(earlier(end.fix.at), places, end, readers)),
        emerged=lambda end: _came_back(earlier(end.fix.at), end),
        hearing=cache(lambda fix: _hearing(fix, readers)),
        watched=watched,
        scope=readers.scope_of,
        others=lambda end: readers.airports_around(end, places),
        origin=origin,
        hinted=lambda at: _hinted(aircraft.icao24, at, readers),
        entered=entered,
        regions=regions,
    )


def _hearing(fix: Fix, readers: OutlookReaders) -> Hearing:
    """Read where others were heard in the day before a report and the hour after, around it."""
    south, north = max(-POLE_DEG, fix.lat - _HEARD_WITHIN_DEG), min(POLE_DEG, fix.lat + _HEARD_WITHIN_DEG)
    wide = _HEARD_WITHIN_DEG / max(0.05, math.cos(math.radians(fix.lat)))
    box = (wrap_longitude(fix.lon - wide), south, wrap_longitude(fix.lon + wide), north)
    return readers.heard_cells(box, fix.at - _HEARD_FOR, fix.at + _HEARD_UNTIL, but=fix.icao24)


def known_flights(
    earlier: Sequence[Visit], places: Sequence[Place], end: GapEnd, readers: OutlookReaders
) -> list[KnownFlight]:
    """Gather the earlier flights whose end is known: lost and heard again, heard to land, or said to have landed."""
    at = end.fix.at
    found = [
        KnownFlight(
            visit.icao24,
            FLEW_ON if visit.state in _PASSED else visit.site_id,
            states,
            performance_of(visit.type_code).trade,
        )
        for visit in earlier
        if (visit.is_here or visit.state in _PASSED) and len(states := _lost_state(visit))
    ]
    near = [place for place in places if place.near(*positions([end.fix]), CANDIDATE_REACH_NM)[0]]
    by_code, told = _claimed(near, at, readers)
    landed = [(each.at, each.aircraft.icao24, each.to) for each in _landed(earlier, near, at, readers)]
    left = _each_once(
        [
            (visit.departed_at, visit.icao24, visit.site_id)
            for visit in earlier
            if not visit.is_inferred and visit.is_here and visit.icao24
            if visit.departed_at is not None and at - _KNOWN_FOR <= visit.departed_at < at
        ],
        [
            (each.took_off_at, each.icao24, origin)
            for each in told
            if each.took_off_at is not None and (origin := by_code.get(each.origin))
        ],
    )
    for place in near:
        flights = [
            *((icao24, to, moment - _ON_THE_WAY, moment) for moment, icao24, to in _newest(landed, place)),
            *(
                (icao24, FLEW_ON, moment, min(moment + _ON_THE_WAY, at))
                for moment, icao24, _ in _newest(left, place)
            ),
        ]
        for icao24, to, since, until in flights:
            lost = readers.losses(icao24, since, until)
            rows = [state_of(fix, fix.track_deg, fix.vertical_rate_fpm) for fix in lost]
            if rows:
                found.append(KnownFlight(icao24, to, np.array(rows), performance_of(lost[0].type_code).trade))
    return found


def _landed(
    earlier: Sequence[Visit], places: Sequence[Place], at: datetime, readers: OutlookReaders
) -> list[Landing]:
    """Give the landings that were heard or are claimed, of the last weeks, each once, whoever tells of it."""
    by_code, told = _claimed(places, at, readers)
    heard = [
        Landing(
            visit.arrived_at, visit.site_id, Aircraft(visit.icao24, visit.callsign, type_code=visit.type_code)
        )
        for visit in earlier
        if not visit.is_inferred and visit.is_here and visit.icao24
        if visit.arrived_at is not None and at - _KNOWN_FOR <= visit.arrived_at < at
    ]
    claimed = {
        (each.landed_at, each.icao24, to): Landing(
            each.landed_at, to, Aircraft(each.icao24, each.callsign, type_code=each.type_code), claimed=True
        )
        for each in told
        if each.landed_at is not None and (to := by_code.get(each.actual_destination or each.destination))
    }
    landed = {(each.at, each.aircraft.icao24, each.to): each for each in heard}
    return [(claimed | landed)[event] for event in _each_once(landed, claimed)]


def _each_once(heard: Iterable[_Event], claimed: Iterable[_Event]) -> list[_Event]:
    """Leave out what lists tell of events that were heard, or that another list told: one aircraft, one place, one hour."""
    kept: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    found = []
    for at, icao24, place in heard:
        kept[icao24, place].append(at)
        found.append((at, icao24, place))
    for at, icao24, place in sorted(claimed):
        if all(abs(at - each) > _SAME_FLIGHT for each in kept[icao24, place]):
            kept[icao24, place].append(at)
            found.append((at, icao24, place))
    return found


def _claimed(
    places: Sequence[Place], at: datetime, readers: OutlookReaders
) -> tuple[Mapping[str, str], list[FlightClaim]]:
    by_code = {code: place.id for place in places if (code := place.site.codes.get("icao"))}
    claimed = readers.flights_claimed(sorted(by_code), at - _KNOWN_FOR, at) if by_code else ()
    return by_code, [each for each in claimed if each.icao24 and not each.estimated]


def _newest(events: Sequence[_Event], place: Place) -> list[_Event]:
    return sorted({each for each in events if each[2] == place.id}, reverse=True)[:_KNOWN_OF_PLACE]


def _lost_state(visit: Visit) -> Floats:
    """Give the state in which the aircraft of an earlier visit was lost, as one row; none where nothing is known of it."""
    lost, moving = visit.gap.get("lost"), visit.gap.get("lost_moving")
    if not lost:
        return np.empty((0, STATE_LENGTH))
    altitude, course, rate, speed = moving or (None, None, None, None)
    fix = Fix(
        "",
        "",
        visit.recorded_at,
        visit.recorded_at,
        lost[0],
        lost[1],
        altitude_ft=altitude,
        ground_speed_kt=speed,
    )
    return state_of(fix, course, rate)[np.newaxis]


def _came_back(earlier: Sequence[Visit], end: GapEnd) -> Mapping[str, int]:
    """Count the earlier visits whose aircraft came back near there, by site."""
    backs = [
        (visit.site_id, visit.gap["back"]) for visit in earlier if visit.is_here and visit.gap.get("back")
    ]
    near = [
        site_id
        for site_id, (lat, lon) in backs
        if great_circle_nm(lat, lon, end.fix.lat, end.fix.lon) <= _BACK_NEAR_NM
    ]
    return Counter(near)


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
