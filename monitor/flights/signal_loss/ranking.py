"""Where a lost aircraft may have gone: every place and airport that its track may lead to, weighed against the others."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.records import PRESENT_STATES, Fix, Visit
from monitor.flights.places import Place
from monitor.flights.signal_loss.candidates import Gate
from monitor.flights.signal_loss.estimates import MIN_GROUND, ground_time
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.likelihood import (
    FINAL_NM,
    away_nm,
    comes_from,
    course_likelihood,
    glide_path_likelihood,
    is_on_final,
    knows_runways,
    may_lead_to,
    off_deg,
    vertical_likelihood,
    way_to_runway_nm,
)
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.tracks.phases import height_ft

LIKELY_PROBABILITY = 0.5
"""A place less likely than this is not named as where the aircraft went."""
SURE_PROBABILITY = 0.8
"""Only of a place as likely as this a stay is held for certain."""
UNLIKELY_PROBABILITY = 0.25
_APART = 3.0
"""Unless it is so many times likelier than any other, a place cannot be told from its neighbours by a loss alone."""
_UNWATCHED = 0.2
"""An airport that nobody chose to watch, against one that somebody did."""
_FREE_NM = 300.0
"""At this distance a place and everything that has no name are as likely as each other."""
_CLOSE_NM = 40.0
_LANDED = 0.5
"""What is left for fields without name once an aircraft must have landed somewhere."""
_STAYS_UP = 3.0
"""A type that is refuelled in flight may circle for hours."""
_AT_GATE, _OFF_GATE = 3.0, 0.5
_ALIGNED, _JOINS, _UNALIGNED = 6.0, 4.0, 0.5
_OTHER_COURSE = 0.05
_LEAST_OF_HEIGHTS = 0.05
_HINTED = 10.0
_COMPARED = 12
_PASSED = frozenset({"through_flight", "diverted"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to which a lost aircraft may have gone, and how likely that is among all there are."""

    place: Place
    probability: float
    away_nm: float
    off_deg: float | None
    gate: str
    watched: bool = True
    own: float = 0.0
    """How likely it is by this flight's own evidence: as if nothing were known of earlier flights."""


def stands_out(best: Candidate, ranked: Sequence[Candidate]) -> bool:
    """Whether a place can be told from every other that has a name."""
    return all(best.probability >= _APART * each.probability for each in ranked if each is not best)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of earlier visits, by the id of the site."""

    gates: Mapping[str, Sequence[Gate]]
    before: Mapping[str, int]
    """How many earlier visits of its kind each site had."""
    passed: Mapping[str, int]
    """How many of its kind were lost towards each site and had flown on or elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is known beside the reports of the aircraft itself; `outlook_of` alone makes one."""

    past: Callable[[datetime], Past]
    """What was known of earlier visits when the aircraft was lost, or heard first."""
    covered: Callable[[Place, Fix], bool]
    """Whether others were heard low over a place on this report's side of it: there, a landing would have been heard."""
    watched: Callable[[Gap, datetime], float]
    """The seconds of a silence, up to a time, in which a working feed listened where the signal was lost."""
    others: Callable[[GapEnd], Sequence[Place]]
    """Airports that nobody watches, around an end of a gap."""
    hinted: Callable[[datetime], frozenset[str]]
    """ICAO codes of the airports that another service names as its destination at a time."""
    entered: Callable[[GapEnd], bool]
    """Whether an aircraft first heard there flew into the area that was asked about."""


def past_of(visits: Sequence[Visit], kinds: frozenset[str]) -> tuple[int, int]:
    """Count the earlier visits of a kind to one site, and its losses towards it that led past or elsewhere."""
    alike = [visit.state for visit in visits if not kinds.isdisjoint(visit.subjects)]
    return sum(state in PRESENT_STATES for state in alike), sum(state in _PASSED for state in alike)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A place, its weight by all that is known, and by the flight's own evidence alone."""

    place: Place
    weight: float
    own: float
    watched: bool


@dataclass(frozen=True, slots=True)
class _Judge:
    """One silence, to be weighed for each place."""

    lost: GapEnd
    back: GapEnd | None
    past: Past
    hints: frozenset[str]

    def weigh(self, place: Place, *, watched: bool) -> "_Weighed":
        """Say how likely a flight to this place is against a flight to somewhere without name."""
        own = self._own(place) if watched else _UNWATCHED
        if own == 0.0 or not may_lead_to(self.lost, place):
            return _Weighed(place, 0.0, 0.0, watched)
        if self.hints and not self.hints.isdisjoint(_codes(place)):
            own *= _HINTED
        own *= self._way(place)
        return _Weighed(place, own * (self._past(place) if watched else self._past_of_other()), own, watched)

    def _own(self, place: Place) -> float:
        """Weigh the gates that the sites file names: those are known, not learnt from earlier flights."""
        named = [gate for gate in self.past.gates.get(place.id, ()) if not gate.losses]
        if not named:
            return 1.0
        return _AT_GATE if _gate(self.lost, named) else 0.0

    def _past(self, place: Place) -> float:
        learnt = [gate for gate in self.past.gates.get(place.id, ()) if gate.losses]
        habit = 1.0 if not learnt else _AT_GATE if _gate(self.lost, learnt) else _OFF_GATE
        return _prior(place, self.past) * habit

    def _past_of_other(self) -> float:
        """Weigh an airport that nobody watches: the gates of sites are those of their neighbours too."""
        at_gate = any(_gate(self.lost, gates) for gates in self.past.gates.values())
        return _AT_GATE if at_gate else 1.0

    def _way(self, place: Place) -> float:
        away, heights = away_nm(self.lost, place), _height(self.lost, place, outbound=False)
        course = course_likelihood(self.lost, place, outbound=False) * _runway(self.lost, place)
        if self.back is not None:
            heights *= _height(self.back, place, outbound=True)
            came = comes_from(self.back, place)
            course *= course_likelihood(self.back, place, outbound=True) if came else _OTHER_COURSE
            away = min(away, away_nm(self.back, place)) if came else away
        return course * heights * (_FREE_NM / max(away, _CLOSE_NM)) ** 2


def rank(
    gap: Gap, places: Sequence[Place], outlook: Outlook, performance: Performance, *, now: datetime
) -> list[Candidate]:
    """Rank the uncovered places that the track led to, the likeliest first; watched ones and the likeliest others.

    The probabilities leave room for everywhere else: fields without name, and flying on.
    """
    lost = gap.lost
    past = outlook.past(lost.fix.at)
    judge = _Judge(lost, gap.back, past, outlook.hinted(lost.fix.at))
    weighed = [judge.weigh(place, watched=True) for place in places]
    others = [judge.weigh(place, watched=False) for place in outlook.others(lost)]
    weighed += sorted(others, key=lambda each: -each.weight)[:_COMPARED]
    reachable = [
        each
        for each in weighed
        if each.weight > 0
        and _feasible(gap, each.place, performance)
        and not outlook.covered(each.place, lost.fix)
    ]
    elsewhere = _LANDED if performance.outlasted_by(gap.length(now)) else 1.0
    if performance.endurance is None:
        elsewhere *= _STAYS_UP
    if judge.hints and not any(judge.hints & _codes(each.place) for each in reachable):
        elsewhere *= _HINTED
    found = _candidates(lost, reachable, past, elsewhere)
    return sorted(found, key=lambda each: (-each.probability, each.place.id))


def emerged_from(back: GapEnd, places: Sequence[Place], outlook: Outlook) -> Candidate | None:
    """Find the place whose departure a first report shows: climbing away from it near by, or at a gate of it."""
    if outlook.entered(back):
        return None
    past = outlook.past(back.fix.at)
    weighed = [_emergence(back, place, past, watched=True) for place in places]
    weighed += [_emergence(back, place, past, watched=False) for place in outlook.others(back)]
    possible = [each for each in weighed if each.weight > 0 and not outlook.covered(each.place, back.fix)]
    found = _candidates(back, possible, past, 1.0, outbound=True)
    best = max(found, key=lambda each: (each.probability, each.place.id), default=None)
    return best if best is not None and best.watched and best.probability >= LIKELY_PROBABILITY else None


def _feasible(gap: Gap, place: Place, performance: Performance) -> bool:
    """Whether the aircraft can have flown there and, once it was heard again, can have stayed."""
    if performance.outlasted_by(performance.flight(away_nm(gap.lost, place))):
        return False
    return gap.back is None or ground_time(gap, place, performance) >= MIN_GROUND


def _emergence(back: GapEnd, place: Place, past: Past, *, watched: bool) -> _Weighed:
    """Weigh a departure; of an airport that nobody watches nothing is known."""
    gate = _gate(back, past.gates.get(place.id, ())) if watched else ""
    heights, away = vertical_likelihood(back, place, outbound=True), away_nm(back, place)
    if not comes_from(back, place) or not (gate or (away <= _CLOSE_NM and heights > 1)):
        return _Weighed(place, 0.0, 0.0, watched)
    own = (1.0 if watched else _UNWATCHED) * (_AT_GATE if gate else (_FREE_NM / _CLOSE_NM) ** 2)
    own *= heights * course_likelihood(back, place, outbound=True)
    return _Weighed(place, own * (_prior(place, past) if watched else 1.0), own, watched)


def _height(end: GapEnd, place: Place, *, outbound: bool) -> float:
    """Weigh height and climb at one end; no height by itself makes a flight impossible."""
    return max(vertical_likelihood(end, place, outbound=outbound), _LEAST_OF_HEIGHTS)


def _prior(place: Place, past: Past) -> float:
    """Weigh what became of those of its kind before: visits here against losses that led elsewhere."""
    here, elsewhere = past.before.get(place.id, 0), past.passed.get(place.id, 0)
    return (1.0 + math.log2(1 + here)) / (1.0 + math.log2(1 + elsewhere))


def _runway(lost: GapEnd, place: Place) -> float:
    """Weigh the way to a runway: on its final approach or about to join it, at the height that belongs there."""
    if not knows_runways(place):
        return 1.0
    way, height = way_to_runway_nm(lost, place), height_ft(lost.fix, place)
    off = _UNALIGNED if away_nm(lost, place) <= FINAL_NM else 1.0
    if way is None or height is None:
        return off
    return max(off, (_ALIGNED if is_on_final(lost, place) else _JOINS) * glide_path_likelihood(way, height))


def _candidates(
    end: GapEnd, weighed: Sequence[_Weighed], past: Past, elsewhere: float, *, outbound: bool = False
) -> list[Candidate]:
    """Make probabilities of the weights, among them that of anywhere else."""
    total = elsewhere + sum(each.weight for each in weighed)
    own = elsewhere + sum(each.own for each in weighed)
    return [
        Candidate(
            each.place,
            round(each.weight / total, 3),
            round(away_nm(end, each.place), 1),
            off_deg(end, each.place, outbound=outbound),
            _gate(end, past.gates.get(each.place.id, ())),
            each.watched,
            round(each.own / own, 3),
        )
        for each in weighed
    ]


def _codes(place: Place) -> frozenset[str]:
    return frozenset({place.site.codes.get("icao", "")}) - {""}


def _gate(end: GapEnd, gates: Sequence[Gate]) -> str:
    return next((gate.name for gate in gates if gate.holds(end.fix.lat, end.fix.lon)), "")
