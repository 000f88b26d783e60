"""What is told of a posterior: a place, or the region where only that is known, each with how sure it is; or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from db.records import Visit
from monitor.flights.places import Place
from monitor.flights.signal_loss.estimates import (
    ArrivalEstimate,
    estimate_arrival,
    estimate_departure,
    ground_time,
)
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.posterior import LIKELY, Candidate, Posterior

DOUBTFUL, LIKELIEST, CERTAIN = 2, 3, 4
"""Likelier than not, or not even that; four in five or more; nineteen in twenty or more."""
_LIKELIEST, _CERTAIN = 0.8, 0.95
_BY_ITSELF, _CERTAIN_BY_ITSELF = 0.4, 0.9
"""What the flight's own evidence must say as well: on a usual way others fly too."""
_PLACED = 0.7
"""A place is told instead of its region, and counted, where it is as likely as this."""
_KEPT_AT = 0.25
"""Where a place was told before, it stays told down to this."""
_LANDED = 0.9
"""Who is as likely to have landed is told somewhere, however open the place is."""
_LEAST = 0.2
_SHARE = 0.1
"""The bounds of an arrival take in every place with such a share of what is told."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where it is told to be: `site` is the place, or the region; `best` the likeliest place there."""

    site: Place
    best: Candidate
    region: str
    probability: float
    confidence: int
    odds: tuple[Candidate, ...]
    """The likeliest places, those that the answer is about first."""
    told_apart: bool = True
    """Whether it is likely enough to be counted there."""

    @property
    def is_region(self) -> bool:
        """Whether only the region is known."""
        return self.site is not self.best.place

    @property
    def within(self) -> tuple[Candidate, ...]:
        """The places that may be meant: this one, or those of the region with a share worth naming."""
        if not self.is_region:
            return (self.best,)
        there = [each for each in self.odds if each.region == self.region]
        return tuple(each for each in there if each.probability >= _SHARE * self.probability) or (self.best,)


def answer_of_loss(posterior: Posterior, regions: Sequence[Place]) -> Whereabouts | None:
    """Tell where a lost aircraft is bound for, if that is likelier than not."""
    best, region = posterior.best, _region(posterior, regions)
    if best is not None and best.probability >= _PLACED:
        return _at(best, posterior)
    if region is not None and posterior.regions[region.id] >= LIKELY:
        return _in(region, posterior)
    if best is not None and best.probability >= LIKELY:
        return _at(best, posterior, told_apart=False)
    return None


def answer_of_return(
    posterior: Posterior, regions: Sequence[Place], earlier: Visit | None
) -> Whereabouts | None:
    """Tell where an aircraft that was heard again had been; what was told before stays, unless it is unlikely."""
    if earlier is not None and (kept := _kept(posterior, regions, earlier.site_id)) is not None:
        return kept
    if (told := answer_of_loss(posterior, regions)) is not None or posterior.landed < _LANDED:
        return told
    # It has landed for certain: better told with what may be than not at all.
    best, region = posterior.best, _region(posterior, regions)
    if region is not None and posterior.regions[region.id] >= _KEPT_AT:
        return _in(region, posterior)
    return None if best is None or best.probability < _LEAST else _at(best, posterior, told_apart=False)


def graded(answer: Whereabouts, posterior: Posterior, own: Posterior) -> Whereabouts:
    """Lower the confidence of a return to what the flight's own evidence bears out."""
    shares = dict(own.regions) | {each.place.id: each.probability for each in own.places}
    alone = shares.get(answer.site.id, 0.0)
    most = DOUBTFUL if alone < _BY_ITSELF else LIKELIEST
    went_there = posterior.went_down or (posterior.usual >= _CERTAIN and not answer.is_region)
    if went_there and posterior.straight and alone >= _CERTAIN_BY_ITSELF:
        most = CERTAIN
    return replace(answer, confidence=min(answer.confidence, most))


def _kept(posterior: Posterior, regions: Sequence[Place], site_id: str) -> Whereabouts | None:
    rival = posterior.best
    if (
        rival is not None
        and rival.place.id != site_id
        and rival.probability >= _PLACED
        and not any(region.id == site_id == rival.region for region in regions)
    ):
        return None
    region = next((each for each in regions if each.id == site_id), None)
    if region is not None and posterior.regions.get(site_id, 0.0) >= _KEPT_AT:
        return _in(region, posterior)
    own = next((each for each in posterior.places if each.place.id == site_id), None)
    if own is None or own.probability < _KEPT_AT:
        return None
    return _at(own, posterior, told_apart=own.probability >= _PLACED)


def _at(best: Candidate, posterior: Posterior, *, told_apart: bool = True) -> Whereabouts:
    odds = (best, *(each for each in posterior.places if each is not best))
    return Whereabouts(
        best.place, best, best.region, best.probability, grade_of(best.probability), odds, told_apart
    )


def _in(region: Place, posterior: Posterior) -> Whereabouts:
    there = [each for each in posterior.places if each.region == region.id]
    odds = (*there, *(each for each in posterior.places if each.region != region.id))
    probability = posterior.regions[region.id]
    return Whereabouts(region, odds[0], region.id, probability, grade_of(probability), odds)


def _region(posterior: Posterior, regions: Sequence[Place]) -> Place | None:
    """Give the likeliest region of those in which some place has a name."""
    named = {each.region for each in posterior.places}
    likely = [each for each in regions if each.id in named and each.id in posterior.regions]
    return max(likely, key=lambda each: posterior.regions[each.id], default=None)


def grade_of(probability: float) -> int:
    """The confidence that a probability alone bears out, doubtful at the least."""
    return CERTAIN if probability >= _CERTAIN else LIKELIEST if probability >= _LIKELIEST else DOUBTFUL


def arrival_of(lost: GapEnd, answer: Whereabouts, performance: Performance) -> ArrivalEstimate:
    """Estimate the arrival; in a region the bounds take in all its places that may be meant."""
    found = [estimate_arrival(lost, each.place, performance) for each in answer.within]
    at = estimate_arrival(lost, answer.best.place, performance).at
    return ArrivalEstimate(min(each.early for each in found), at, max(each.late for each in found))


def departure_of(back: GapEnd, answer: Whereabouts, performance: Performance) -> ArrivalEstimate:
    """Estimate the departure in the same way."""
    found = [estimate_departure(back, each.place, performance) for each in answer.within]
    at = estimate_departure(back, answer.best.place, performance).at
    return ArrivalEstimate(min(each.early for each in found), at, max(each.late for each in found))


def ground_of(gap: Gap, answer: Whereabouts, performance: Performance) -> timedelta:
    """Give the time that a closed gap leaves on the ground of the likeliest place, which is never less than none."""
    return max(timedelta(0), ground_time(gap, answer.best.place, performance))
