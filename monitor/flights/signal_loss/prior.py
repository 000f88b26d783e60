"""What became of earlier flights of its kind: a Dirichlet-multinomial that backs off from the flight number to all.

At every level the share of a destination is (n + strength · share of the level below) / (N + strength), where n of N earlier
flights of that level went there; the lowest level is the geometry of the loss. Landing or flying on is a Beta of the same form.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from db.records import PRESENT_STATES, Visit
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.tracks.identity import Aircraft

_ALL, _CLASS, _CLASS_FROM, _ITSELF, _OPERATOR_FROM, _NUMBER = 10.0, 10.0, 5.0, 5.0, 3.0, 0.1
"""How many earlier flights weigh as much as what the level below says. Two of a scheduled number make it nearly certain."""
_FLIGHT_NUMBER = re.compile(r"[A-Z]{3}[0-9][0-9A-Z]*")
_FLEW_ON = frozenset({"through_flight", "diverted"})


@dataclass(frozen=True, slots=True)
class Landing:
    """A landing that was heard or is claimed, of any aircraft: what it says of others like it."""

    at: datetime
    to: str
    aircraft: Aircraft
    claimed: bool = False
    """Whether a list of flights tells of it, and no report."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Earlier flights that are alike at one level: where they landed, and how many flew on from a loss."""

    strength: float
    landed: Mapping[str, int]
    flew_on: int
    claimed: Mapping[str, int] = field(default_factory=dict)
    """Landings that lists of flights tell besides: of where, and not of whether, as they name none that passed."""


@dataclass(frozen=True, slots=True)
class History:
    """The levels, from the widest to the flight number; those of which no flight is known are left out."""

    habits: tuple[Habit, ...] = ()
    traffic: Mapping[str, int] = field(default_factory=dict)
    """How many of its trade landed at each place lately: it shares out what these places have together, and no more."""

    def landing_shares(self, base: Mapping[str, float]) -> dict[str, float]:
        """Give the shares of those who land, by place; visits of places that cannot be meant say nothing."""
        shares = self._by_traffic(base)
        for habit in self.habits:
            counted = {key: habit.landed.get(key, 0) + habit.claimed.get(key, 0) for key in base}
            whole = sum(counted.values()) + habit.strength
            shares = {key: (counted[key] + habit.strength * share) / whole for key, share in shares.items()}
        return shares

    @property
    def of_number(self) -> "History":
        """What is known of earlier flights of the same number alone."""
        return History(tuple(habit for habit in self.habits if habit.strength == _NUMBER))

    def usual_at(self, place_id: str) -> float:
        """Give how likely the next flight of its number lands at a place by the rule of succession: (n + 1) / (N + 2)."""
        for habit in self.of_number.habits:
            here = habit.landed.get(place_id, 0) + habit.claimed.get(place_id, 0)
            every = sum(habit.landed.values()) + sum(habit.claimed.values()) + habit.flew_on
            return (here + 1) / (every + 2)
        return 0.0

    def _by_traffic(self, base: Mapping[str, float]) -> dict[str, float]:
        known = {key: number for key, number in self.traffic.items() if key in base}
        together, most = sum(base[key] for key in known), sum(known.values()) + _ALL
        if not together:
            return dict(base)
        busy = {key: base[key] * (number + _ALL / len(known)) / most for key, number in known.items()}
        whole = sum(busy.values())
        return dict(base) | {key: together * share / whole for key, share in busy.items()}

    def flying_on(self, base: float, places: Collection[str]) -> float:
        """Give the share of those who fly on, against those who land at one of these places."""
        share = base
        for habit in self.habits:
            landed = sum(habit.landed.get(key, 0) for key in places)
            share = (habit.flew_on + habit.strength * share) / (habit.flew_on + landed + habit.strength)
        return share

    def before(self, place_id: str) -> int:
        """Give how many earlier flights of its kind landed at a place, at any level."""
        return max((habit.landed.get(place_id, 0) for habit in self.habits), default=0)


def flight_history(
    visits: Sequence[Visit],
    aircraft: Aircraft,
    kinds: frozenset[str],
    origin: str,
    landings: Sequence[Landing] = (),
) -> History:
    """Count earlier visits by how much they are like this flight; `origin` is the site it came from, or nothing.

    `landings` are those of any aircraft lately: of its trade they are the traffic, and those that are only claimed count
    beside the visits.
    """
    classes = {kind for kind in kinds if kind.startswith("class:")}
    itself, operator = {f"icao24:{aircraft.icao24}"}, {f"operator:{aircraft.operator}"} - {"operator:"}
    alike = [visit for visit in visits if not classes.isdisjoint(visit.subjects)]
    own = [visit for visit in visits if not itself.isdisjoint(visit.subjects)]
    theirs = [visit for visit in visits if not operator.isdisjoint(visit.subjects)]
    numbered = _FLIGHT_NUMBER.fullmatch(aircraft.callsign) is not None
    trade = performance_of(aircraft.type_code).trade
    traffic = Counter(
        each.to for each in landings if not trade or performance_of(each.aircraft.type_code).trade == trade
    )
    claimed = [each for each in landings if each.claimed]
    flown = [each for each in claimed if aircraft.operator and each.aircraft.operator == aircraft.operator]
    levels: list[tuple[float, list[Visit], list[Landing]]] = [
        (_CLASS, alike, []),
        (_CLASS_FROM, [visit for visit in alike if origin and _origin(visit) == origin], []),
        (_ITSELF, own, [each for each in claimed if each.aircraft.icao24 == aircraft.icao24]),
        (_OPERATOR_FROM, [visit for visit in theirs if not origin or _origin(visit) in {origin, ""}], flown),
        (
            _NUMBER,
            [visit for visit in visits if numbered and visit.callsign == aircraft.callsign],
            [each for each in claimed if numbered and each.aircraft.callsign == aircraft.callsign],
        ),
    ]
    habits = tuple(_habit(strength, of, others) for strength, of, others in levels if of or others)
    return History(habits, traffic)


def _habit(strength: float, visits: Sequence[Visit], claimed: Sequence[Landing]) -> Habit:
    landed = Counter(visit.site_id for visit in visits if visit.state in PRESENT_STATES)
    gone = {str(visit.gap.get("id", visit.visit_id)) for visit in visits if visit.state in _FLEW_ON}
    return Habit(strength, landed, len(gone), Counter(each.to for each in claimed))


def _origin(visit: Visit) -> str:
    return str(visit.flight_ends.get("origin", ""))
