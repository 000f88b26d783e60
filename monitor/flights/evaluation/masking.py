"""How well visits are found where reports are missing: take reports away from real or made tracks, and read again."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from db.records import Fix, Visit
from monitor.flights.coverage import watched_s
from monitor.flights.evaluation.recording import EVERYTHING, NEVER, Recording, Setting, Tracks
from monitor.flights.evaluation.scoring import Event, Kind, Share, score
from monitor.flights.places import HALF_TURN_DEG, NM_PER_DEGREE, Place
from monitor.flights.signal_loss.counted import AWAITED, HERE, is_counted
from monitor.flights.signal_loss.gaps import Leg, gaps, legs
from monitor.flights.signal_loss.outlook import read_losses
from monitor.flights.stays import SILENCE_JUDGED
from monitor.flights.tracks.identity import Classes
from monitor.flights.tracks.integrity import Track, clean
from monitor.flights.visits import derive_visits

KM_PER_NM = 1.852
WITHIN = timedelta(minutes=15)
"""An estimated arrival may be so far off; one that was heard is off by seconds."""
ENOUGH = 200
"""Fewer real flights measure nothing."""
FOUND = HERE | {"presumed"}
"""States in which a visit is found: an aircraft that is only lost towards a place may still come back."""
_MINUTE, _TICK = timedelta(minutes=1), timedelta(microseconds=1)
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
        turned = (fix.lon - place.lon + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
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
    recording = Recording(left, places, classes, setting)
    total = _nothing()
    for icao24, track in tracks.items():
        if len(left[icao24]) == len(track):
            continue
        true = _of_place(_truth(clean(track), places, classes, end), place)
        told = live(recording, icao24, places, classes, end)
        found = [visit for visit in _of_place(told, place) if visit.state in FOUND]
        passes = _passes(track, mask, true, setting.since)
        total += _cell(true, found, passes, _audible(true, left[icao24], setting.since), setting.since)
    return total


def history(
    tracks: Tracks,
    places: Sequence[Place],
    mask: Mask,
    classes: Classes,
    *,
    setting: Setting,
    until: datetime,
) -> dict[str, list[Visit]]:
    """Give the visits of each site that the service would have told by then of what the mask leaves, in every state."""
    left = {icao24: [fix for fix in track if not mask(fix)] for icao24, track in tracks.items()}
    recording = Recording(left, places, classes, setting)
    told = [visit for icao24 in left for visit in live(recording, icao24, places, classes, until)]
    return {place.id: [visit for visit in told if visit.site_id == place.id] for place in places}


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
    recording: Recording, icao24: str, places: Sequence[Place], classes: Classes, end: datetime
) -> list[Visit]:
    """Read the visits of one aircraft as the service does: at the moments at which a silence says something.

    The aircraft is held to be of a watched class; of any other the service judges no silence.
    """
    track = recording.tracks[icao24]
    known: dict[str, Visit] = {}
    for moment in _moments(clean(track), recording.setting.polls, end):
        # Between two minutes only those are looked at whose aircraft is awaited.
        if moment.awaited_only and not any(map(_is_awaited, known.values())):
            continue
        now = moment.at
        seen = clean([fix for fix in track if fix.at <= now])
        if not seen.fixes:
            continue
        readers = recording.until(now)
        heard = derive_visits(
            seen,
            places,
            known=list(known.values()),
            since=NEVER,
            watched=lambda _place, _heard, *during, readers=readers: watched_s(
                readers.answers(*during), *during
            ),
            classes=classes,
            now=now,
        )
        known |= {visit.visit_id: visit for visit in heard}
        inferred = read_losses(
            seen, places, known=list(known.values()), readers=readers, classes=classes, now=now
        )
        known |= {visit.visit_id: visit for visit in inferred}
    return list(known.values())


def _truth(track: Track, places: Sequence[Place], classes: Classes, now: datetime) -> list[Visit]:
    """Read the visits that all reports together show; the feed is held never to have failed."""
    return derive_visits(
        track,
        places,
        known=(),
        since=NEVER,
        watched=lambda _place, _heard, since, until: (until - since).total_seconds(),
        classes=classes,
        now=now,
    )


@dataclass(frozen=True, slots=True, order=True)
class _Moment:
    """A time at which the service looks at an aircraft: once a minute, and at once at one that is awaited."""

    at: datetime
    awaited_only: bool = False


def _moments(track: Track, polls: Sequence[datetime] | None, end: datetime) -> list[_Moment]:
    """Give the times at which something new can be told; without polls the feed answers whenever it is asked."""
    if polls is None:
        minutes = [_Moment(_minute(at + _MINUTE - _TICK)) for at in _news(track)]
        at_once = [_Moment(_reliable_at(leg), awaited_only=True) for leg in legs(track.fixes)]
        return sorted(moment for moment in {_Moment(end), *minutes, *at_once} if moment.at <= end)
    asked = polls[: bisect_right(polls, end)]
    firsts = [
        poll for before, poll in zip((NEVER, *asked), asked, strict=False) if _minute(before) < _minute(poll)
    ]
    minutes = [_Moment(poll) for at in _news(track) for poll in _next(firsts, at)]
    at_once = [
        _Moment(poll, awaited_only=True)
        for leg in legs(track.fixes)
        for poll in _next(asked, _reliable_at(leg))
    ]
    return sorted({*(_Moment(poll) for poll in asked[-1:]), *minutes, *at_once})


def _news(track: Track) -> Iterator[datetime]:
    """Give the times after which something new can be told of an aircraft."""
    for leg in legs(track.fixes):
        yield _reliable_at(leg)
    for gap in gaps(track.fixes):
        lost = gap.lost.fix.at
        yield from (lost + gap.settled_after + _MINUTE, lost + SILENCE_JUDGED + _MINUTE, lost + _OVERDUE)


def _is_awaited(visit: Visit) -> bool:
    return visit.state in AWAITED and visit.departed_at is None


def _reliable_at(leg: Leg) -> datetime:
    """When so much of a leg was heard that it is more than a ghost."""
    return next(fix.at for n, fix in enumerate(leg.fixes, 1) if Leg(leg.fixes[:n]).reliable)


def _next(polls: Sequence[datetime], at: datetime) -> Sequence[datetime]:
    """Give the first poll at or after a time, if there is one."""
    n = bisect_left(polls, at)
    return polls[n : n + 1]


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _of_place(visits: Sequence[Visit], place: Place) -> list[Visit]:
    return [visit for visit in visits if visit.site_id == place.id and is_counted(visit)]


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
