"""How well visits are found where reports are missing: take reports away from real or made tracks, and read again."""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from db.records import AWAITED_STATES, PRESENT_STATES, Fix, Visit
from monitor.flights.coverage import watched_s
from monitor.flights.evaluation.losses import JudgedLoss, judged_losses
from monitor.flights.evaluation.outcomes import EventOutcome, Outcomes, Side
from monitor.flights.evaluation.recording import EVERYTHING, NEVER, StudyContext, TrackRecording, Tracks
from monitor.flights.evaluation.rivals import told_beside
from monitor.flights.evaluation.scoring import FlightEvent, FlightEventKind, Score, Share, score
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import LOOKED_AT_FOR, TrackSegment, gaps, split_segments
from monitor.flights.signal_loss.outlook import read_losses
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.stays import STAY_SILENCE_JUDGED
from monitor.flights.tracks.identity import Classes
from monitor.flights.tracks.integrity import Track, believed_track
from monitor.flights.visits import derive_visits
from monitor.sites.geodesy import METRES_PER_NM, NM_PER_DEGREE, wrap_longitude

KM_PER_NM = METRES_PER_NM / 1000
STUDY_TOLERANCE = timedelta(minutes=15)
"""An estimated arrival may be so far off; one that was heard is off by seconds."""
FOUND_STATES = PRESENT_STATES | {"presumed"}
"""States in which a visit is found: an aircraft that is only lost towards a place may still come back."""
_MINUTE, _TICK = timedelta(minutes=1), timedelta(microseconds=1)
_PAUSE = timedelta(minutes=30)
_FIRST_MINUTES = 4

Mask = Callable[[Fix], bool]
"""Whether a report is taken away."""


@dataclass(frozen=True, slots=True)
class MaskedResult:
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
    events: tuple[EventOutcome, ...] = ()
    """Every arrival and departure, true or told."""
    losses: tuple[JudgedLoss, ...] = ()
    """What is said of every loss of signal that the mask made, where losses were to be judged."""
    unknown: int = 0
    """The losses besides of which the whole tracks do not show what became."""

    @property
    def shares(self) -> dict[str, Share]:
        """What was found, as outcomes name it."""
        return {
            "arrivals": self.arrivals,
            "precision": self.precision,
            "departures": self.departures,
            "false_visits": self.false_visits,
        }

    def __add__(self, other: "MaskedResult") -> "MaskedResult":
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
        return MaskedResult(
            pairs[0],
            pairs[1],
            pairs[2],
            pairs[3],
            pairs[4],
            (*self.errors_s, *other.errors_s),
            (*self.events, *other.events),
            (*self.losses, *other.losses),
            self.unknown + other.unknown,
        )


def within_km(place: Place, radius_km: float) -> Mask:
    """Take away every report within a distance of the middle of a place."""

    def mask(fix: Fix) -> bool:
        turned = wrap_longitude(fix.lon - place.lon)
        away = math.hypot(turned * place.east_scale, (fix.lat - place.lat) * NM_PER_DEGREE)
        return away * KM_PER_NM < radius_km

    return mask


def below_ft(altitude_ft: float) -> Mask:
    """Take away every report from the ground or below an altitude."""
    return lambda fix: (
        fix.on_ground is True or (fix.altitude_ft is not None and fix.altitude_ft < altitude_ft)
    )


def below_anywhere(_place: Place, altitude_ft: float) -> Mask:
    """The same for every place."""
    return below_ft(altitude_ft)


def evaluate_place(
    tracks: Tracks,
    places: Sequence[Place],
    place: Place,
    mask: Mask,
    classes: Classes,
    *,
    setting: StudyContext = EVERYTHING,
    name: str = "",
    truth: Truth | None = None,
    judge: bool = False,
) -> MaskedResult:
    """Measure what is found of the traffic of a place once the masked reports are gone.

    The truth is what is read from all reports. Only aircraft of which the mask takes something are counted. `name` is
    what the mask is called in the outcomes; with `judge` every loss that it makes is judged as well.
    """
    whole = truth or Truth(tracks, places, classes)
    left = {icao24: [fix for fix in track if not mask(fix)] for icao24, track in tracks.items()}
    recording = TrackRecording(left, places, classes, setting)
    total = _nothing()
    for icao24, track in tracks.items():
        if len(left[icao24]) == len(track):
            continue
        true = _of_place(whole.visits(icao24), place)
        told = live_visits(recording, icao24, places, classes, whole.end)
        found = [visit for visit in _of_place(told, place) if visit.state in FOUND_STATES]
        passes = _passes(track, mask, true, setting.since)
        total += _cell(true, found, passes, _audible(true, left[icao24], setting.since), setting.since)
    total = replace(total, events=tuple(replace(each, mask=name) for each in total.events))
    if not judge:
        return total
    opened, unknown = judged_losses(whole, left, recording, mask=name, darkened=place.id)
    return replace(total, losses=tuple(told_beside(opened, places)), unknown=unknown)


def evaluate_places(
    tracks: Tracks,
    places: Sequence[Place],
    mask_of: Callable[[Place], Mask],
    classes: Classes,
    *,
    setting: StudyContext = EVERYTHING,
    name: str = "",
    truth: Truth | None = None,
    judge: bool = False,
) -> MaskedResult:
    """Measure every place, each with its own mask, and add the figures up."""
    whole, total = truth or Truth(tracks, places, classes), _nothing()
    for place in places:
        total += evaluate_place(
            tracks,
            places,
            place,
            mask_of(place),
            classes,
            setting=setting,
            name=name,
            truth=whole,
            judge=judge,
        )
    return replace(total, losses=tuple(_once(total.losses)))


def _once(losses: Sequence[JudgedLoss]) -> Iterator[JudgedLoss]:
    """Leave out a loss that the same mask made at another place too, as one by height does at all of them."""
    known: dict[tuple[str, datetime, str], list[Mapping[str, float]]] = defaultdict(list)
    for loss in losses:
        same = known[loss.icao24, loss.lost_at, loss.stage]
        if loss.odds not in same:
            same.append(loss.odds)
            yield loss


def outcomes_of_cells(cells: Mapping[str, MaskedResult], version: str) -> Outcomes:
    """Give what a run found under each mask, case by case."""
    every = cells.values()
    return Outcomes(
        version,
        tuple(event for cell in every for event in cell.events),
        tuple(loss for cell in every for loss in cell.losses),
        {mask: cell.shares for mask, cell in cells.items()},
        sum(cell.unknown for cell in every),
    )


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


def live_visits(
    recording: TrackRecording, icao24: str, places: Sequence[Place], classes: Classes, end: datetime
) -> list[Visit]:
    """Read the visits of one aircraft as the service does: at the moments at which a silence says something.

    The aircraft is held to be of a watched class; of any other the service judges no silence.
    """
    track = recording.tracks[icao24]
    clock = _Clock(recording.setting.polls, end)
    moments = set(_moments(believed_track(track), clock))
    known: list[Visit] = []
    while moments:
        moment = min(moments)
        moments.remove(moment)
        # Between two minutes only those are looked at whose aircraft is awaited.
        if not moment.awaited_only or any(map(_is_awaited, known)):
            known = _read(recording, icao24, known, places, classes, now=moment.at)
            moments |= {each for each in _overdue(known, clock) if each > moment}
    return known


def _read(
    recording: TrackRecording,
    icao24: str,
    known: Sequence[Visit],
    places: Sequence[Place],
    classes: Classes,
    *,
    now: datetime,
) -> list[Visit]:
    """Give the visits as they stand once the reports up to a time are read, in the order in which they are stored."""
    readers = recording.until(now)
    track = believed_track([fix for fix in recording.tracks[icao24] if fix.at <= now])
    found = list(known)
    lately = bool(track.fixes) and now - track.fixes[-1].at <= LOOKED_AT_FOR
    if lately:
        heard = derive_visits(
            track,
            places,
            known=known,
            since=NEVER,
            watched=lambda _place, _heard, *during: watched_s(readers.answers(*during), *during),
            classes=classes,
            now=now,
        )
        found = _updated(known, heard)
    if lately or any(map(_is_awaited, found)):
        lost = read_losses(
            track,
            places,
            regions=recording.setting.regions,
            known=found,
            readers=readers,
            classes=classes,
            now=now,
        )
        found = _updated(found, lost)
    return found


def _updated(known: Sequence[Visit], changed: Sequence[Visit]) -> list[Visit]:
    whole = {visit.visit_id: visit for visit in (*known, *changed)}
    return sorted(whole.values(), key=lambda each: (each.first_fix_at or NEVER, each.visit_id))


@dataclass(frozen=True, slots=True, order=True)
class _Moment:
    """A time at which the service looks at an aircraft: once a minute, and at once at one that is awaited."""

    at: datetime
    awaited_only: bool = False


class _Clock:
    """When the service looks: with each poll, and once a minute at everything; a feed that never fails is always asked."""

    def __init__(self, polls: Sequence[datetime] | None, end: datetime) -> None:
        self.end = end
        self._polls = None if polls is None else polls[: bisect_right(polls, end)]
        self._minutes = [
            poll
            for before, poll in pairwise((NEVER, *(self._polls or ())))
            if _minute(before) < _minute(poll)
        ]

    def at_once(self, at: datetime) -> Iterator[_Moment]:
        """Give the first look at those that are awaited, at or after a time."""
        times = [at] if self._polls is None else _first_since(self._polls, at)
        yield from (_Moment(each, awaited_only=True) for each in times if each <= self.end)

    def minute(self, at: datetime) -> Iterator[_Moment]:
        """Give the first look at everything, at or after a time."""
        times = [_minute(at + _MINUTE - _TICK)] if self._polls is None else _first_since(self._minutes, at)
        yield from (_Moment(each) for each in times if each <= self.end)

    def last(self) -> Iterator[_Moment]:
        """Give the last look at those that are awaited."""
        times = [self.end] if self._polls is None else self._polls[-1:]
        yield from (_Moment(each, awaited_only=True) for each in times)


def _moments(track: Track, clock: _Clock) -> Iterator[_Moment]:
    """Give the times at which something new can be told of an aircraft."""
    yield from clock.last()
    for last in track.fixes[-1:]:
        yield from clock.minute(last.at + STAY_SILENCE_JUDGED + _MINUTE)
    for leg in split_segments(track.fixes):
        reliable_at = next(
            fix.at for n, fix in enumerate(leg.fixes, 1) if TrackSegment(leg.fixes[:n]).reliable
        )
        yield from clock.at_once(reliable_at)
        # How it moves is told from its first minutes, anew in each.
        for minute in range(_FIRST_MINUTES):
            at = reliable_at + minute * _MINUTE
            yield from clock.minute(at) if at <= leg.fixes[-1].at else ()
    for gap in gaps(track.fixes):
        lost, endurance = gap.lost.fix, performance_of(gap.lost.fix.type_code).endurance
        silences = [gap.settled_after, STAY_SILENCE_JUDGED, *([] if endurance is None else [endurance])]
        for silence in silences:
            yield from clock.minute(lost.at + silence + _MINUTE)


def _overdue(known: Sequence[Visit], clock: _Clock) -> Iterator[_Moment]:
    """Give the times at which aircraft that were lost would have arrived."""
    for visit in known:
        if visit.state == "lost_toward":
            yield from clock.minute(datetime.fromisoformat(visit.candidates["arrived_between"][1]))


def _is_awaited(visit: Visit) -> bool:
    return visit.state in AWAITED_STATES and visit.departed_at is None


def _first_since(polls: Sequence[datetime], at: datetime) -> Sequence[datetime]:
    n = bisect_left(polls, at)
    return polls[n : n + 1]


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _of_place(visits: Sequence[Visit], place: Place) -> list[Visit]:
    return [visit for visit in visits if visit.site_id == place.id and visit.is_counted]


def _audible(true: Sequence[Visit], left: Sequence[Fix], since: datetime) -> Share:
    came = [visit.arrived_at for visit in true if visit.arrived_at is not None and visit.arrived_at >= since]
    heard = [any(at - _PAUSE <= fix.at <= at for fix in left) for at in came]
    return Share(sum(heard), len(heard))


def _cell(
    true: Sequence[Visit], found: Sequence[Visit], passes: int, audible: Share, since: datetime
) -> MaskedResult:
    arrivals, departures = (
        score(_events(found, key, since), _events(true, key, since), STUDY_TOLERANCE)
        for key in ("arrived_at", "departed_at")
    )
    false = len(arrivals.false) if not true else 0
    return MaskedResult(
        arrivals.recall,
        arrivals.precision,
        departures.recall,
        Share(min(passes, false), passes),
        audible,
        tuple((one.at - true_one.at).total_seconds() for true_one, one in arrivals.matched),
        tuple(event for each in (arrivals, departures) for event in _outcomes(each)),
    )


def _outcomes(scored: Score) -> Iterator[EventOutcome]:
    sides: tuple[tuple[Sequence[FlightEvent], Side, bool], ...] = (
        ([true for true, _ in scored.matched], "true", True),
        (scored.missed, "true", False),
        ([told for _, told in scored.matched], "told", True),
        (scored.false, "told", False),
    )
    for events, side, matched in sides:
        for each in events:
            yield EventOutcome("", each.site_id, each.icao24, each.kind, each.at, side, matched)


def _events(visits: Sequence[Visit], key: str, since: datetime) -> list[FlightEvent]:
    kind: FlightEventKind = "arrival" if key == "arrived_at" else "departure"
    times = [(getattr(visit, key), visit) for visit in visits]
    return [
        FlightEvent(at, kind, visit.icao24, visit.site_id)
        for at, visit in times
        if at is not None and at >= since
    ]


def _nothing() -> MaskedResult:
    none = Share(0, 0)
    return MaskedResult(none, none, none, none, none, ())
