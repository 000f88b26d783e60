"""How well visits are found where reports are missing: take reports away from real or made tracks, and read again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from db.records import HERE, Fix, Visit
from monitor.flights.evaluation.outlook import EVERYTHING, NEVER, Setting, Tracks, heard_low, outlook_of
from monitor.flights.evaluation.scoring import Event, Kind, Share, score
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import Gap, gaps
from monitor.flights.signal_loss.inferred import infer
from monitor.flights.signal_loss.ranking import Outlook
from monitor.flights.stays import SILENCE_JUDGED
from monitor.flights.tracks.identity import Classes, aircraft_of
from monitor.flights.tracks.integrity import Track, clean
from monitor.flights.visits import derive_visits
from monitor.sites.geodesy import METRES_PER_NM, NM_PER_DEGREE, wrap_longitude

KM_PER_NM = METRES_PER_NM / 1000
WITHIN = timedelta(minutes=15)
"""An estimated arrival may be so far off; one that was heard is off by seconds."""
ENOUGH = 200
"""Fewer real flights measure nothing."""
_FOUND = HERE | {"presumed"}
_SETTLE = timedelta(minutes=1)
_OVERDUE = timedelta(hours=2)
_PAUSE = timedelta(minutes=30)

Mask = Callable[[Fix], bool]
"""Whether a report is taken away."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is left of one place's traffic under one mask."""

    arrivals: Share
    """The true arrivals that were found."""
    precision: Share
    """The arrivals found that are true."""
    departures: Share
    false_visits: Share
    """Visits told of aircraft that never landed there, among the flights that passed."""
    audible: Share
    """The true arrivals of which anything at all was still heard in the half hour before."""
    errors_s: tuple[float, ...]
    """How far off the times of the arrivals found are."""

    @property
    def flights(self) -> int:
        """How many flights the cell rests on: those that landed and those that passed."""
        return self.arrivals.of + self.false_visits.of

    @property
    def measured(self) -> bool:
        """Whether there are enough flights to say anything."""
        return self.flights >= ENOUGH

    def __add__(self, other: "Cell") -> "Cell":
        pairs = [
            Share(mine.hits + theirs.hits, mine.of + theirs.of)
            for mine, theirs in (
                (self.arrivals, other.arrivals),
                (self.precision, other.precision),
                (self.departures, other.departures),
                (self.false_visits, other.false_visits),
                (self.audible, other.audible),
            )
        ]
        return Cell(pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], (*self.errors_s, *other.errors_s))


def within_km(place: Place, radius_km: float) -> Mask:
    """Take away every report within a distance of the middle of a place."""

    def mask(fix: Fix) -> bool:
        turned = wrap_longitude(fix.lon - place.lon)
        away = np.hypot(turned * place.east_scale, (fix.lat - place.lat) * NM_PER_DEGREE)
        return bool(away * KM_PER_NM < radius_km)

    return mask


def below_ft(altitude_ft: float) -> Mask:
    """Take away every report from the ground or below an altitude."""
    return lambda fix: (
        fix.on_ground is True or (fix.altitude_ft is not None and fix.altitude_ft < altitude_ft)
    )


def below_anywhere(_place: Place, altitude_ft: float) -> Mask:
    """The same for every place."""
    return below_ft(altitude_ft)


def evaluate(
    tracks: Tracks,
    places: Sequence[Place],
    place: Place,
    mask: Mask,
    classes: Classes,
    *,
    setting: Setting = EVERYTHING,
) -> Cell:
    """Measure what is found of the traffic of a place once the masked reports are gone.

    The truth is what is read from all reports. Only aircraft of which the mask takes something are counted.
    """
    end = max(track[-1].at for track in tracks.values()) + timedelta(minutes=30)
    left = {icao24: [fix for fix in track if not mask(fix)] for icao24, track in tracks.items()}
    low = heard_low(left, places)
    total = _nothing()
    for icao24, track in tracks.items():
        if len(left[icao24]) == len(track):
            continue
        true = _of_place(_read(clean(track), places, classes, end), place)
        outlook = outlook_of(track, places, low, classes, setting)
        found = _of_place(live(left[icao24], places, classes, end, outlook), place)
        passes = _passes(track, mask, true, setting.since)
        total += _cell(true, found, passes, _audible(true, left[icao24], setting.since), setting.since)
    return total


def evaluate_all(
    tracks: Tracks, places: Sequence[Place], mask_of: Callable[[Place], Mask], classes: Classes
) -> Cell:
    """Measure every place, each with its own mask, and add the figures up."""
    total = _nothing()
    for place in places:
        total += evaluate(tracks, places, place, mask_of(place), classes)
    return total


def _passes(track: Sequence[Fix], mask: Mask, true: Sequence[Visit], since: datetime) -> int:
    """Count the flights through the masked part without a visit: runs of reports taken away, by their pauses."""
    runs: list[tuple[datetime, datetime]] = []
    for fix in track:
        if not mask(fix):
            continue
        if runs and fix.at - runs[-1][1] < _PAUSE:
            runs[-1] = runs[-1][0], fix.at
        else:
            runs.append((fix.at, fix.at))
    stays = [
        (visit.arrived_at or NEVER, visit.departed_at or visit.last_fix_at or end)
        for visit in true
        for end in [track[-1].at]
    ]
    return sum(
        began >= since and not any(came <= ended and began <= left for came, left in stays)
        for began, ended in runs
    )


def live(
    track: Sequence[Fix], places: Sequence[Place], classes: Classes, end: datetime, outlook: Outlook
) -> list[Visit]:
    """Read the visits of one aircraft as the service does: at the moments at which a silence says something."""
    known: dict[str, Visit] = {}
    believed = clean(track)
    for now in _moments(gaps(believed.fixes), end):
        seen = replace(believed, fixes=tuple(fix for fix in believed.fixes if fix.at <= now))
        if not seen.fixes:
            continue
        heard = _read(seen, places, classes, now, list(known.values()))
        known |= {visit.visit_id: visit for visit in heard}
        inferred = infer(
            seen,
            places,
            aircraft_of(seen.fixes),
            known=list(known.values()),
            outlook=outlook,
            classes=classes,
            now=now,
        )
        known |= {visit.visit_id: visit for visit in inferred}
    return [visit for visit in known.values() if visit.state in _FOUND]


def _read(
    track: Track, places: Sequence[Place], classes: Classes, now: datetime, known: Sequence[Visit] = ()
) -> list[Visit]:
    """Read the visits that were heard; the feed is held never to have failed."""
    return derive_visits(
        track,
        places,
        known=known,
        since=NEVER,
        watched=lambda _place, _heard, since, until: (until - since).total_seconds(),
        classes=classes,
        now=now,
    )


def _moments(losses: Sequence[Gap], end: datetime) -> list[datetime]:
    found = {end}
    for gap in losses:
        lost = gap.lost.fix.at
        found |= {lost + gap.settled_after + _SETTLE, lost + SILENCE_JUDGED + _SETTLE, lost + _OVERDUE}
        if gap.back is not None:
            found.add(gap.back.fix.at + 3 * _SETTLE)
    return sorted(moment for moment in found if moment <= end)


def _of_place(visits: Sequence[Visit], place: Place) -> list[Visit]:
    return [visit for visit in visits if visit.site_id == place.id and visit.is_counted]


def _audible(true: Sequence[Visit], left: Sequence[Fix], since: datetime) -> Share:
    came = [visit.arrived_at for visit in true if visit.arrived_at is not None and visit.arrived_at >= since]
    heard = [any(at - _PAUSE <= fix.at <= at for fix in left) for at in came]
    return Share(sum(heard), len(heard))


def _cell(
    true: Sequence[Visit], found: Sequence[Visit], passes: int, audible: Share, since: datetime
) -> Cell:
    arrivals, departures = (
        score(_events(found, key, since), _events(true, key, since), WITHIN)
        for key in ("arrived_at", "departed_at")
    )
    false = len(arrivals.false) if not true else 0
    return Cell(
        arrivals.recall,
        arrivals.precision,
        departures.recall,
        Share(min(passes, false), passes),
        audible,
        tuple((one.at - true_one.at).total_seconds() for true_one, one in arrivals.matched),
    )


def _events(visits: Sequence[Visit], key: str, since: datetime) -> list[Event]:
    kind: Kind = "arrival" if key == "arrived_at" else "departure"
    times = [(getattr(visit, key), visit) for visit in visits]
    return [
        Event(at, kind, visit.icao24, visit.site_id) for at, visit in times if at is not None and at >= since
    ]


def _nothing() -> Cell:
    none = Share(0, 0)
    return Cell(none, none, none, none, none, ())
