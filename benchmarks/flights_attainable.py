"""What could be told at all of a masked recording: a judge that knows where all the other flights went.

For each loss of signal it takes the field to which most of the losses most like it led (the same place, height,
course, climb and speed; other aircraft only). It has seen the answers and chooses its own number of neighbours
afterwards, so it is better than a rule can be that has not; what it cannot tell apart, what is left does not tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.flights_paris import ours
from db.records import Visit
from monitor.flights.evaluation.masking import Mask
from monitor.flights.evaluation.recording import Tracks
from monitor.flights.evaluation.scoring import Share
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd, gaps
from monitor.flights.tracks.integrity import believed_track
from monitor.sites.geodesy import NM_PER_DEGREE

_NEIGHBOURS = (1, 3, 5, 7, 9)
_ON_THE_WAY = timedelta(minutes=45)
"""A loss led to the next arrival of its aircraft where that came so soon."""
_ALIKE = {"nm": 3.0, "ft": 1_500.0, "turn": 0.5, "fpm": 800.0, "kt": 60.0}
"""How far apart losses are that are one step unlike each other."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Loss:
    icao24: str
    at: Numbers
    field: str


def attainable(
    by_aircraft: Tracks, fields: Sequence[Place], place: Place, mask: Mask, since: datetime
) -> tuple[Share, Share]:
    """Give the recall and precision of that judge for the arrivals at one place."""
    end = max(track[-1].at for track in by_aircraft.values()) + timedelta(minutes=30)
    losses: list[_Loss] = []
    arrivals = 0
    for icao24, track in by_aircraft.items():
        true = [visit for visit in ours(track, fields, end) if visit.arrived_at is not None]
        arrivals += sum(visit.site_id == place.id and _came_since(visit, since) for visit in true)
        left = [fix for fix in track if not mask(fix)]
        if len(left) < len(track):
            losses += _losses(icao24, [gap.lost for gap in gaps(believed_track(left).fixes)], true, since)
    return max((_judged(losses, place.id, arrivals, k) for k in _NEIGHBOURS), key=_worth)


def _worth(found: tuple[Share, Share]) -> float:
    """Prefer the number of neighbours with the most right beyond the wrong ones."""
    recall, precision = found
    return recall.hits - (precision.of - precision.hits)


def _came_since(visit: Visit, since: datetime) -> bool:
    return visit.arrived_at is not None and visit.arrived_at >= since


def _losses(icao24: str, lost: Sequence[GapEnd], true: Sequence[Visit], since: datetime) -> Iterator[_Loss]:
    for end in lost:
        led = [
            visit
            for visit in true
            if visit.arrived_at is not None
            and timedelta(0) <= visit.arrived_at - end.fix.at <= _ON_THE_WAY
            and _came_since(visit, since)
        ]
        if end.airborne:
            yield _Loss(icao24, _features(end), led[0].site_id if led else "")


def _features(end: GapEnd) -> Numbers:
    """Put a loss into a space in which one is one step unlike another."""
    fix, course = end.fix, np.radians(end.course_deg or 0.0)
    east = fix.lon * NM_PER_DEGREE * np.cos(np.radians(fix.lat))
    return np.array(
        [
            east / _ALIKE["nm"],
            fix.lat * NM_PER_DEGREE / _ALIKE["nm"],
            (fix.altitude_ft or 0.0) / _ALIKE["ft"],
            np.sin(course) / _ALIKE["turn"],
            np.cos(course) / _ALIKE["turn"],
            (end.rate_fpm or 0.0) / _ALIKE["fpm"],
            (fix.ground_speed_kt or 0.0) / _ALIKE["kt"],
        ]
    )


def _judged(losses: Sequence[_Loss], field: str, arrivals: int, neighbours: int) -> tuple[Share, Share]:
    told = hits = 0
    for loss in losses:
        others = [each for each in losses if each.icao24 != loss.icao24]
        if len(others) < neighbours:
            continue
        apart = np.array([float(np.sum((each.at - loss.at) ** 2)) for each in others])
        nearest = [others[n].field for n in np.argsort(apart)[:neighbours]]
        if nearest.count(field) * 2 > neighbours:
            told += 1
            hits += loss.field == field
    return Share(min(hits, arrivals), arrivals), Share(hits, told)
