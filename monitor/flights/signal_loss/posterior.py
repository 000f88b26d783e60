"""Where a lost aircraft went: one posterior over places, fields without name, flying on and circling. Formulas: docs/visits.md.

Every weight is the density of what was heard under one answer, against that of a flight of which nothing is known. The two
ends, the silence and its length are weighed in one place, so that what depends on each other is not counted twice.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from db.records import Fix
from monitor.flights.places import Place
from monitor.flights.signal_loss.approaches import approach_ratio
from monitor.flights.signal_loss.candidates import Gate, gates_of
from monitor.flights.signal_loss.corridors import Corridors
from monitor.flights.signal_loss.estimates import COVERED_BELOW_FT, approach_side
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.geometry import (
    TERMINAL_NM,
    course_ratio,
    courses_off_deg,
    vertical_ratio,
)
from monitor.flights.signal_loss.hearing import HEARING_BAND_FT, Hearing, hearing_band
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.prior import History
from monitor.sites.airlines import airline_service
from monitor.sites.airports import find_airport
from monitor.sites.geodesy import Floats, destination, great_circle_nm, great_circles_nm, turn_deg

FLUX_NM = 60.0
"""So far from a place flights bound for it are as many as all others over the same ground."""
_NEAREST_NM = 8.0
_UNWATCHED = 0.2
"""An airport that nobody chose to watch, against one that somebody did."""
_UNWATCHED_ALL = 0.6
"""All of them together, against flying on."""
_LISTED, _LINKED = 1.0, 1.0
"""What a site gains whose watch list names the aircraft, and one that is linked to where the flight came from."""
_NAMED = 20.0
"""A destination that another service names."""
_RETURNS = 0.05
"""A place that the flight has just left."""
_AT_HOME = 2.0
"""What a place gains in the state in which the aircraft is registered."""
_AT_GATE = 3.0
_UNSCHEDULED = 0.03
"""An airliner on an airline's flight at an airport without scheduled flights."""
_CROWDED = 0.1
"""Business aircraft at a large airport, against one that is not."""
_NAMELESS = 0.4
"""All fields without name together, against flying on."""
_NAMELESS_FIELD = "a field without name"
_SAME_WAY, _SAME_WAY_NM, _TURNED_DEG = 0.6, 20.0, 15.0
"""So many come back on the way on which they went, so near to it and so straight: the two ends are then one piece of evidence."""
_HALF_KNOWN = 0.5
"""On the same way the course back says half of what it would say by itself."""
_SEEN_WITHIN_NM = 400.0
_ROLLING, _ROLLING_KT, _SLOW_FLIGHT, _ON_FIELD_NM = 0.3, 86.0, 0.02, 3.0
"""Slower than this share of its cruise and this speed no type flies, but for a wind or a wrong speed in so many; it is on the field it is near."""
_STAY_H, _STAY_SPREAD = 3.0, 1.8
"""The median stay and its spread in logarithms: from a quick turnaround to weeks."""
_LEAST_STAY_H, _LEAST_SOFT_H = 0.42, 0.05
_CLIMB_AND_DESCENT_H = 1 / 3
_FLOWN, _FLOWN_SPREAD, _FLOWN_SLACK_H = 1.05, 0.12, 0.05
"""Flights take so much longer than the direct way at cruise, give or take (in logarithms, and at least so many hours)."""
_AS_SEEN = 1.0
"""How many earlier flights in a like state weigh as much as what is known without them."""
_FAN_DEG = (-70.0, -45.0, -28.0, -17.0, -10.0, -5.0, 0.0, 5.0, 10.0, 17.0, 28.0, 45.0, 70.0)
_FAN_NM = (30.0, 60.0, 100.0, 150.0, 210.0, 280.0, 360.0, 450.0)
_STEPS_S = (300.0, 900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is known beside the reports of the aircraft itself; `outlook_of` alone makes one."""

    history: Callable[[datetime], History]
    """What became of earlier flights of its kind, as known at a time."""
    corridors: Callable[[GapEnd], Corridors]
    """Where earlier flights were that came past an end of a gap."""
    emerged: Callable[[GapEnd], Mapping[str, int]]
    """How many earlier flights came back near there from each place."""
    hearing: Callable[[Fix], Hearing]
    """Where others were heard around the time and place of a report."""
    watched: Callable[[Gap, datetime], float]
    """The seconds of a silence, up to a time, in which a working feed listened where the signal was lost."""
    scope: Callable[[Fix], str]
    """The area that was asked about when a report came."""
    others: Callable[[GapEnd], Sequence[Place]]
    """Airports that nobody watches, around an end of a gap."""
    origin: Callable[[datetime], str]
    """The site from which the flight came that was lost at a time, or nothing."""
    hinted: Callable[[datetime], frozenset[str]]
    """ICAO codes of the airports that another service names as its destination at a time."""
    entered: Callable[[GapEnd], bool]
    """Whether an aircraft first heard there flew into the area that was asked about."""
    regions: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to which a lost aircraft may have gone, and how likely that is among all there is."""

    place: Place
    probability: float
    away_nm: float
    off_deg: float | None
    gate: str
    watched: bool = True
    region: str = ""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What a loss of signal says: the places by probability, and what is left for all else; all adds up to 1."""

    places: tuple[Candidate, ...]
    regions: Mapping[str, float]
    """How likely it landed in each region, at a named place or another."""
    landed: float
    """How likely it landed anywhere unheard, or is about to."""
    flew_on: float
    circled: float
    straight: bool = False
    """Whether the tracks at both ends lead straight to the best place and away from it."""
    went_down: bool = False
    """Whether it must have landed: silent for longer than its type can fly, or on the way down and up again at the best place."""
    usual: float = 0.0
    """How likely a flight of its number lands at the best place, by what all earlier ones did."""

    @property
    def best(self) -> Candidate | None:
        """The likeliest watched place."""
        return next((each for each in self.places if each.watched), None)


@dataclass(frozen=True, slots=True)
class Question:
    """One silence to be judged: its ends, whose it is, and what is known beside it."""

    gap: Gap
    places: Sequence[Place]
    outlook: Outlook
    performance: Performance
    subjects: frozenset[str]
    """What the aircraft is counted under: a watch list that names one of them expects it."""
    state: str
    """The state of registry, or nothing."""
    now: datetime


@dataclass(frozen=True, slots=True)
class _Answers:
    """Where it may have landed: named places first, then points that stand for fields without name."""

    places: tuple[Place, ...]
    watched: tuple[bool, ...]
    lat: Floats
    lon: Floats
    elevation_ft: Floats
    regions: tuple[str, ...]
    base: Floats
    """The weight of each before anything of this flight's kind is known."""

    @property
    def keys(self) -> tuple[str, ...]:
        """By what name earlier flights to each are known: a place's id, and a region's for a field without name."""
        nameless = (region or _NAMELESS_FIELD for region in self.regions[len(self.places) :])
        return (*(place.id for place in self.places), *nameless)


def posterior_of(question: Question, *, by_itself: bool = False) -> Posterior:
    """Weigh every answer to where a lost aircraft went; `by_itself` knows of earlier flights those of its number alone."""
    gap, outlook = question.gap, question.outlook
    answers = _answers(question)
    history = outlook.history(gap.lost.fix.at)
    prior, on, stays_up = _prior(answers, history.of_number if by_itself else history)
    if (hints := outlook.hinted(gap.lost.fix.at)) and not any(
        _codes(each) & hints for each in answers.places
    ):
        on *= _NAMED
    track = prior * _track_in(question, answers)
    whole = float(track.sum()) + on
    track, on = track / whole, on / whole
    # Who means to circle has no habit of landing or passing: earlier flights of its kind say nothing of it.
    circling = question.performance.circles * stays_up * _wanders(gap.detour) / whole
    silent = track * _unheard_landings(question, answers, track > _WORTH)
    alike = {} if by_itself else outlook.corridors(gap.lost).alike(gap.lost)
    seen, seen_on = _as_seen(silent, answers.keys, alike)
    if gap.back is None:
        through, circled = _open(question, on, circling)
        landed, through = silent + seen, through + seen_on
    else:
        landed, through, circled = _closed(
            question, gap.back, answers, silent + seen, on=on + seen_on, circling=circling
        )
    found = _posterior(question, answers, landed, through, circled)
    return found if found.best is None else replace(found, usual=history.usual_at(found.best.place.id))


def _wanders(detour: float) -> float:
    """Say how many times likelier so long a way is of who circles than of who is bound for a place."""
    return min(math.pow(max(1.0, detour / _USUAL_DETOUR), _DETOUR_POWER), _MOST_WANDERING)


_WORTH = 1e-3
_USUAL_DETOUR, _DETOUR_POWER, _MOST_WANDERING = 1.3, 4.0, 100.0
"""A hold, vectors and an airway make the way of a flight that is bound somewhere longer by so much; twice that is rare."""
_STRAIGHT_DEG = 30.0


def _answers(question: Question) -> _Answers:
    lost, outlook = question.gap.lost, question.outlook
    hints, origin = outlook.hinted(lost.fix.at), outlook.origin(lost.fix.at)
    others = tuple(outlook.others(lost))
    places = (*question.places, *others)
    watched = (True,) * len(question.places) + (False,) * len(others)
    fan_lat, fan_lon, fan_weight = _fan(lost)
    lat = np.concatenate([[place.lat for place in places], fan_lat])
    lon = np.concatenate([[place.lon for place in places], fan_lon])
    heights = [np.nan if place.elevation_ft is None else place.elevation_ft for place in places]
    away = great_circles_nm(lat, lon, lost.fix.lat, lost.fix.lon)
    kinds = [
        (_watched_weight(place, question.subjects, origin) if seen else _UNWATCHED)
        * (_NAMED if hints & _codes(place) else 1.0)
        * (_AT_HOME if question.state and question.state == _state_of(place) else 1.0)
        * _trade_weight(question, place)
        for place, seen in zip(places, watched, strict=True)
    ]
    named = np.array(kinds) * FLUX_NM / np.maximum(away[: len(places)], _NEAREST_NM)
    # However many airports there are far around, the flights that pass are as many again; who is near one is seldom passing.
    far = ~np.array(watched) & (away[: len(places)] > FLUX_NM)
    crowd = float(named[far].sum())
    named[far] *= min(1.0, _UNWATCHED_ALL / crowd) if crowd else 1.0
    base = np.concatenate([named, _NAMELESS * fan_weight])
    elevation = np.concatenate([heights, np.zeros(len(fan_lat))])
    return _Answers(places, watched, lat, lon, elevation, region_ids(outlook.regions, lat, lon), base)


def region_ids(regions: Sequence[Place], lat: Floats, lon: Floats) -> tuple[str, ...]:
    """Give for each position the region it lies in, or nothing; the first in the file has it."""
    found = [""] * len(lat)
    for region in reversed(regions):
        for n in np.flatnonzero(region.contains(lat, lon)):
            found[int(n)] = region.id
    return tuple(found)


def _watched_weight(place: Place, subjects: frozenset[str], origin: str) -> float:
    if place.id == origin:
        return _RETURNS
    listed = _LISTED if not subjects.isdisjoint(place.site.watchlist) else 0.0
    return 1.0 + listed + (_LINKED if origin and origin in place.site.links else 0.0)


def _trade_weight(question: Question, place: Place) -> float:
    """Weigh whether such a flight goes to such an airport: airlines keep to those with scheduled flights, business avoids large ones."""
    trade = question.performance.trade
    if not trade or (trade == "airline" and not _is_airline_flight(question)):
        return 1.0
    service = next((found for code in _codes(place) if (found := airline_service(code)) is not None), None)
    if service is None:
        return 1.0
    if trade == "airline":
        return 1.0 if service.scheduled else _UNSCHEDULED
    return _CROWDED if service.large else 1.0


def _is_airline_flight(question: Question) -> bool:
    return any(subject.startswith("operator:") for subject in question.subjects)


def _fan(lost: GapEnd) -> tuple[Floats, Floats, Floats]:
    """Spread points where a field without name may lie, each with its share: along the course, as far as flights go."""
    course = lost.course_deg
    turns = _FAN_DEG if course is not None else tuple(np.arange(0.0, 360.0, 360.0 / len(_FAN_DEG)))
    points = np.array(
        [
            destination(lost.fix.lat, lost.fix.lon, (course or 0.0) + turn, nm)
            for turn in turns
            for nm in _FAN_NM
        ]
    )
    away = np.tile(np.array(_FAN_NM), len(turns))
    widths = np.gradient(np.array(turns))
    share = np.repeat(widths, len(_FAN_NM)) * np.tile(np.gradient(np.array(_FAN_NM)), len(turns))
    if course is not None:
        share = share * course_ratio(np.abs(np.repeat(turns, len(_FAN_NM))), away, outbound=False)
    return points[:, 0], points[:, 1], share / share.sum()


def _prior(answers: _Answers, history: History) -> tuple[Floats, float, float]:
    """Give the prior of each answer, and of flying on: earlier flights of its kind over the geometry of the loss.

    The last is that of flying on by geometry alone.
    """
    keys, total = answers.keys, float(answers.base.sum())
    base: dict[str, float] = {}
    for key, weight in zip(keys, (answers.base / total).tolist(), strict=True):
        base[key] = base.get(key, 0.0) + weight
    by_geometry = 1.0 / (1.0 + total)
    on = history.flying_on(by_geometry, base)
    shares = history.landing_shares(base)
    factor = np.array([shares[key] / base[key] if base[key] else 0.0 for key in keys])
    return (1 - on) * answers.base / total * factor, on, by_geometry


def _track_in(question: Question, answers: _Answers) -> Floats:
    """Weigh the course, height and climb with which the signal was lost, for each answer against any flight."""
    lost, named = question.gap.lost, len(answers.places)
    away = great_circles_nm(answers.lat, answers.lon, lost.fix.lat, lost.fix.lon)
    ratio = vertical_ratio(lost, answers.elevation_ft, away, outbound=False)
    off = courses_off_deg(lost, answers.lat[:named], answers.lon[:named], outbound=False)
    if off is not None:
        # The points without name are spread along the course already.
        ratio[:named] *= course_ratio(off, away[:named], outbound=False)
    for n, (place, seen) in enumerate(zip(answers.places, answers.watched, strict=True)):
        if question.performance.outlasted_by(question.performance.flight(float(away[n]))):
            ratio[n] = 0.0
        else:
            # The runways of a rival count as those of a site do: on final there, it is not on the way here.
            fit = approach_ratio(lost, place) if away[n] <= TERMINAL_NM else None
            ratio[n] = ratio[n] if fit is None else fit
            ratio[n] *= _gates(lost, place) if seen else 1.0
    return ratio


def _gates(end: GapEnd, place: Place) -> float:
    gates = gates_of(place.site)
    if not gates:
        return 1.0
    return _AT_GATE if _gate(end, gates) else 0.0


def _as_seen(silent: Floats, keys: Sequence[str], alike: Mapping[str, float]) -> tuple[Floats, float]:
    """Add earlier flights that fell silent in a like state, each to where it went: as counts beside what is known without."""
    found, whole = np.zeros_like(silent), dict.fromkeys(keys, 0.0)
    for key, weight in zip(keys, silent.tolist(), strict=True):
        whole[key] += weight
    elsewhere = sum(number for to, number in alike.items() if to not in whole)
    for n, (key, weight) in enumerate(zip(keys, silent.tolist(), strict=True)):
        if number := alike.get(key, 0.0):
            # A region has many points: each gets its share.
            found[n] = number / _AS_SEEN * (weight / whole[key] if whole[key] else 1 / keys.count(key))
    return found, elsewhere / _AS_SEEN


def _unheard_landings(question: Question, answers: _Answers, worth: np.ndarray) -> Floats:
    """Give the chance that each landing was not heard: the landing itself, and the way to it as far as it lasted."""
    gap, outlook = question.gap, question.outlook
    hearing = outlook.hearing(gap.lost.fix)
    found = np.ones(len(answers.lat))
    for n, place in enumerate(answers.places):
        if worth[n]:
            below_ft = min((place.elevation_ft or 0.0) + COVERED_BELOW_FT, _floor_ft(gap.lost.fix))
            found[n] = hearing.landing_unheard(place, approach_side(place, gap.lost.fix), below_ft)
    return found


def _floor_ft(lost: Fix) -> float:
    """Give the floor of the band in which it was lost: who was heard at its own height says nothing of what is lower."""
    band = hearing_band(lost)
    return math.inf if math.isnan(band) else max(band, 0.0) * HEARING_BAND_FT


def _open(question: Question, on: float, circling: float) -> tuple[float, float]:
    """Weigh not having landed in a silence that goes on: who flies on is heard again sooner or later."""
    gap, outlook, performance = question.gap, question.outlook, question.performance
    if performance.outlasted_by(gap.length(question.now)):
        return 0.0, 0.0
    silent_s = _step(outlook.watched(gap, question.now))
    speed_kt = gap.lost.fix.ground_speed_kt or performance.cruise_kt
    hearing, scope = outlook.hearing(gap.lost.fix), outlook.scope(gap.lost.fix)
    unheard = hearing.flying_unheard(gap.lost, scope, speed_kt, silent_s)
    return on * unheard, circling


def _step(silent_s: float) -> float:
    """Count a silence in steps, so that what is told does not depend on the second at which it is looked at."""
    return max((step for step in _STEPS_S if step <= silent_s), default=silent_s)


def _closed(
    question: Question, back: GapEnd, answers: _Answers, track: Floats, *, on: float, circling: float
) -> tuple[Floats, float, float]:
    """Weigh a silence with both its ends, by where it came back, on what course, how high, and after how long."""
    gap, performance = question.gap, question.performance
    slowest_kt = min(_ROLLING * performance.cruise_kt, _ROLLING_KT)
    if (speed_kt := back.fix.ground_speed_kt) is not None and speed_kt < slowest_kt:
        # Too slow to fly: it rolls where it is heard, whatever its report says of its height.
        there = great_circles_nm(answers.lat, answers.lon, back.fix.lat, back.fix.lon) <= _ON_FIELD_NM
        return track * np.where(there, 1.0, _SLOW_FLIGHT), on * _SLOW_FLIGHT, circling * _SLOW_FLIGHT
    lost, hours = gap.lost, gap.length(back.fix.at).total_seconds() / 3600
    same, between = (
        _same_way(lost, back),
        great_circle_nm(lost.fix.lat, lost.fix.lon, back.fix.lat, back.fix.lon),
    )
    away_in = great_circles_nm(answers.lat, answers.lon, lost.fix.lat, lost.fix.lon)
    away_out = great_circles_nm(answers.lat, answers.lon, back.fix.lat, back.fix.lon)
    apart = FLUX_NM / np.maximum(away_out, _NEAREST_NM)
    together = np.ones_like(apart)
    off = courses_off_deg(back, answers.lat, answers.lon, outbound=True)
    if off is not None:
        course = course_ratio(off, away_out, outbound=True)
        apart = apart * course
        together = (course / course_ratio(np.zeros_like(off), away_out, outbound=True)) ** _HALF_KNOWN
    vertical = vertical_ratio(back, answers.elevation_ft, away_out, outbound=True)
    out = (_SAME_WAY * same * together + (1 - _SAME_WAY) * apart) * vertical
    stay = hours - (away_in + away_out) * _FLOWN / performance.cruise_kt - _CLIMB_AND_DESCENT_H
    landed = track * out * _stay_density(stay)
    through = on * _through(lost, back, between, hours, performance.cruise_kt)
    if performance.endurance is not None and hours > performance.endurance.total_seconds() / 3600:
        return landed, 0.0, 0.0
    reach = min(max(hours * performance.cruise_kt / 2, _SAME_WAY_NM), _SEEN_WITHIN_NM)
    anywhere = 2 * _SEEN_WITHIN_NM * FLUX_NM / reach**2
    longest = 24.0 if performance.endurance is None else performance.endurance.total_seconds() / 3600
    least = between / performance.cruise_kt
    circled = circling * (_SAME_WAY * same + (1 - _SAME_WAY) * anywhere)
    circled *= (1.0 if hours > least else 0.0) / (max(hours, 0.1) * math.log(longest / 0.1))
    return landed, through, circled


def _same_way(lost: GapEnd, back: GapEnd) -> float:
    """Give the density of coming back on the way on which it went, whatever lay at its end."""
    apart = great_circle_nm(lost.fix.lat, lost.fix.lon, back.fix.lat, back.fix.lon)
    near = _SEEN_WITHIN_NM * FLUX_NM / _SAME_WAY_NM**2 * math.exp(-((apart / _SAME_WAY_NM) ** 2) / 2)
    if lost.course_deg is None or back.course_deg is None:
        return near
    turned = turn_deg(back.course_deg, lost.course_deg + 180) / _TURNED_DEG
    straight: float = (1 + turned**2 / 2) ** -1.5
    return near * 360 / (2 * math.sqrt(2) * _TURNED_DEG) * straight


def _through(lost: GapEnd, back: GapEnd, between: float, hours: float, cruise_kt: float) -> float:
    """Give the density of a flight without landing from one end to the other."""
    there = np.array([back.fix.lat]), np.array([back.fix.lon])
    here = np.array([lost.fix.lat]), np.array([lost.fix.lon])
    away = np.array([between])
    density = FLUX_NM / max(between, _NEAREST_NM)
    for off in (courses_off_deg(lost, *there, outbound=False), courses_off_deg(back, *here, outbound=True)):
        if off is not None:
            density *= float(course_ratio(off, away, outbound=False)[0])
    usual = between / cruise_kt * _FLOWN
    spread = math.hypot(_FLOWN_SPREAD * usual, _FLOWN_SLACK_H)
    return density * math.exp(-(((hours - usual) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))


def still_there(hours: float) -> float:
    """Give the chance that a stay lasts longer than this, by the same law."""
    if hours <= 0:
        return 1.0
    return 0.5 * math.erfc(math.log(hours / _STAY_H) / _STAY_SPREAD / math.sqrt(2))


def _stay_density(hours: Floats) -> Floats:
    """Give the density of a stay so long (by hour): log-normal, and none too short to turn round."""
    whole = np.maximum(hours, 1e-3)
    off = np.log(whole / _STAY_H) / _STAY_SPREAD
    density = np.exp(-(off**2) / 2) / (whole * _STAY_SPREAD * math.sqrt(2 * math.pi))
    possible = 1 / (1 + np.exp(-np.clip((hours - _LEAST_STAY_H) / _LEAST_SOFT_H, -50, 50)))
    found: Floats = density * possible
    return found


def _posterior(
    question: Question, answers: _Answers, landed: Floats, through: float, circled: float
) -> Posterior:
    lost = question.gap.lost
    total = float(landed.sum()) + through + circled
    if total <= 0:
        return Posterior((), {}, 0.0, 1.0, 0.0)
    shares = landed / total
    named = len(answers.places)
    lat, lon = answers.lat[:named], answers.lon[:named]
    away = great_circles_nm(lat, lon, lost.fix.lat, lost.fix.lon).tolist()
    turned = courses_off_deg(lost, lat, lon, outbound=False)
    off = [None] * named if turned is None else [round(each, 1) for each in turned.tolist()]
    found = [
        Candidate(
            place,
            round(float(shares[n]), 3),
            round(away[n], 1),
            off[n],
            _gate(lost, gates_of(place.site)) if answers.watched[n] else "",
            answers.watched[n],
            answers.regions[n],
        )
        for n, place in enumerate(answers.places)
    ]
    regions = {
        region: float(
            sum(share for share, at in zip(shares.tolist(), answers.regions, strict=True) if at == region)
        )
        for region in dict.fromkeys(filter(None, answers.regions))
    }
    ranked = sorted(found, key=lambda each: (-each.probability, each.place.id))
    down = (
        question.performance.outlasted_by(question.gap.length(question.now))
        or _heights(question, answers, shares) > 1
    )
    best = answers.lat[np.argmax(shares)], answers.lon[np.argmax(shares)]
    straight = question.gap.back is not None and all(
        _points(end, *best, outbound=outbound) for end, outbound in ((lost, False), (question.gap.back, True))
    )
    not_landed = through / total, circled / total
    return Posterior(tuple(ranked), regions, float(shares.sum()), *not_landed, straight, down)


def _points(end: GapEnd, lat: float, lon: float, *, outbound: bool) -> bool:
    off = courses_off_deg(end, np.array([lat]), np.array([lon]), outbound=outbound)
    return off is not None and bool(off[0] <= _STRAIGHT_DEG)


def _heights(question: Question, answers: _Answers, shares: Floats) -> float:
    """Weigh height and climb at the ends together for the likeliest answer."""
    best = slice(int(np.argmax(shares)), int(np.argmax(shares)) + 1)
    found = 1.0
    for end, outbound in ((question.gap.lost, False), (question.gap.back, True)):
        if end is not None:
            away = great_circles_nm(answers.lat[best], answers.lon[best], end.fix.lat, end.fix.lon)
            found *= float(vertical_ratio(end, answers.elevation_ft[best], away, outbound=outbound)[0])
    return found


def emerged_from(question: Question, back: GapEnd) -> Candidate | None:
    """Find the place whose departure a first report shows: climbing away from it near by, or where others came back."""
    outlook = question.outlook
    if outlook.entered(back):
        return None
    others = tuple(outlook.others(back))
    places = (*question.places, *others)
    lat, lon = np.array([each.lat for each in places]), np.array([each.lon for each in places])
    heights = np.array([np.nan if each.elevation_ft is None else each.elevation_ft for each in places])
    away = great_circles_nm(lat, lon, back.fix.lat, back.fix.lon)
    vertical = vertical_ratio(back, heights, away, outbound=True)
    off = courses_off_deg(back, lat, lon, outbound=True)
    ratio = vertical * (1.0 if off is None else course_ratio(off, away, outbound=True))
    hearing, before = outlook.hearing(back.fix), outlook.emerged(back)
    weights = np.zeros(len(places))
    for n, place in enumerate(places):
        watched = n < len(question.places)
        came = before.get(place.id, 0)
        shown = (
            bool(_gate(back, gates_of(place.site)))
            or came >= _CAME_BACK
            or (away[n] <= _CLOSE_NM and vertical[n] > 1)
        )
        if not shown or (off is not None and off[n] > _EMERGES_DEG):
            continue
        below_ft = (place.elevation_ft or 0.0) + COVERED_BELOW_FT
        kind = _watched_weight(place, question.subjects, "") if watched else _UNWATCHED
        unheard = hearing.landing_unheard(place, approach_side(place, back.fix), below_ft)
        weights[n] = kind * (1 + came) * FLUX_NM / max(float(away[n]), _NEAREST_NM) * ratio[n] * unheard
    total = 1.0 + float(weights.sum())
    best = int(np.argmax(weights)) if places else 0
    if not places or best >= len(question.places) or weights[best] < LIKELY * total:
        return None
    place = places[best]
    regions = region_ids(outlook.regions, lat[best : best + 1], lon[best : best + 1])
    turned = None if off is None else round(float(off[best]), 1)
    gate = _gate(back, gates_of(place.site)) or ("where others came back" if before.get(place.id) else "")
    return Candidate(
        place,
        round(float(weights[best]) / total, 3),
        round(float(away[best]), 1),
        turned,
        gate,
        region=regions[0],
    )


LIKELY = 0.5
"""Less likely than this, nothing is told."""
_CAME_BACK = 3
_EMERGES_DEG = 60.0
_CLOSE_NM = 40.0


def _state_of(place: Place) -> str:
    """Give the state in which a place with an ICAO code lies, as far as the table of airports tells."""
    airport = next((found for code in _codes(place) if (found := find_airport(code)) is not None), None)
    return "" if airport is None else airport.country


def _codes(place: Place) -> frozenset[str]:
    return frozenset({place.site.codes.get("icao", "")}) - {""}


def _gate(end: GapEnd, gates: Sequence[Gate]) -> str:
    return next((gate.name for gate in gates if gate.holds(end.fix.lat, end.fix.lon)), "")
