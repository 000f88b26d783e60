"""What could be told at all of a masked recording: a judge that knows where all the other flights went.

For each loss of signal it takes the field to which most of the losses most like it led (the same place, height,
course, climb and speed; other aircraft only). It has seen the answers and chooses its own number of neighbours
afterwards, so it is better than a rule can be that has not; what it cannot tell apart, what is left does not tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from db.records import Visit
from monitor.flights.evaluation.masking import Mask
from monitor.flights.evaluation.rivals import loss_features
from monitor.flights.evaluation.scoring import Share
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd, gaps
from monitor.flights.tracks.integrity import believed_track
from monitor.sites.geodesy import Floats

_NEIGHBOURS = (1, 3, 5, 7, 9)
_ON_THE_WAY = timedelta(minutes=45)
"""A loss led to the next arrival of its aircraft where that came so soon."""


@dataclass(frozen=True, slots=True)
class _Loss:
    icao24: str
    at: Floats
    field: str


def attainable(truth: Truth, place: Place, mask: Mask, since: datetime) -> tuple[Share, Share]:
    """Give the recall and precision of that judge for the arrivals at one place."""
    losses: list[_Loss] = []
    arrivals = 0
    for icao24, track in truth.tracks.items():
        true = [visit for visit in truth.visits(icao24) if visit.arrived_at is not None]
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
            yield _Loss(icao24, loss_features(end), led[0].site_id if led else "")


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
