"""What became of earlier flights of its kind: a Dirichlet-multinomial that backs off from the flight number to all.

At every level the share of a destination is (n + strength · share of the level below) / (N + strength), where n of N earlier
flights of that level went there; the lowest level is the geometry of the loss. Landing or flying on is a Beta of the same form.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from db.records import PRESENT_STATES, Visit
from monitor.flights.tracks.identity import Aircraft

_ALL, _CLASS, _CLASS_FROM, _ITSELF, _OPERATOR_FROM, _NUMBER = 10.0, 10.0, 5.0, 5.0, 3.0, 0.1
"""How many earlier flights weigh as much as what the level below says. Two of a scheduled number make it nearly certain."""
_FLIGHT_NUMBER = re.compile(r"[A-Z]{3}[0-9][0-9A-Z]*")
_FLEW_ON = frozenset({"through_flight", "diverted"})


@dataclass(frozen=True, slots=True)
class Habit:
    """Earlier flights that are alike at one level: where they landed, and how many flew on from a loss."""

    strength: float
    landed: Mapping[str, int]
    flew_on: int


@dataclass(frozen=True, slots=True)
class History:
    """The levels, from the widest to the flight number; those of which no flight is known are left out."""

    habits: tuple[Habit, ...] = ()
    traffic: Mapping[str, int] = field(default_factory=dict)
    """How many landed at each place lately, of any kind: it shares out what these places have together, and no more."""

    def landing_shares(self, base: Mapping[str, float]) -> dict[str, float]:
        """Give the shares of those who land, by place; visits of places that cannot be meant say nothing."""
        shares = self._by_traffic(base)
        for habit in self.habits:
            whole = sum(habit.landed.get(key, 0) for key in base) + habit.strength
            shares = {
                key: (habit.landed.get(key, 0) + habit.strength * share) / whole
                for key, share in shares.items()
            }
        return shares

    @property
    def of_number(self) -> "History":
        """What is known of earlier flights of the same number alone."""
        return History(tuple(habit for habit in self.habits if habit.strength == _NUMBER))

    def _by_traffic(self, base: Mapping[str, float]) -> dict[str, float]:
        known = {key: number for key, number in self.traffic.items() if key in base}
        together, whole = sum(base[key] for key in known), sum(known.values()) + _ALL
        if not together:
            return dict(base)
        shared = {
            key: together * (number + _ALL * base[key] / together) / whole for key, number in known.items()
        }
        return dict(base) | shared

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
    traffic: Mapping[str, int],
) -> History:
    """Count earlier visits by how much they are like this flight; `origin` is the site it came from, or nothing."""
    classes = {kind for kind in kinds if kind.startswith("class:")}
    itself, operator = {f"icao24:{aircraft.icao24}"}, {f"operator:{aircraft.operator}"} - {"operator:"}
    alike = [visit for visit in visits if not classes.isdisjoint(visit.subjects)]
    own = [visit for visit in visits if not itself.isdisjoint(visit.subjects)]
    theirs = [visit for visit in visits if not operator.isdisjoint(visit.subjects)]
    numbered = _FLIGHT_NUMBER.fullmatch(aircraft.callsign) is not None
    levels = [
        (_CLASS, alike),
        (_CLASS_FROM, [visit for visit in alike if origin and _origin(visit) == origin]),
        (_ITSELF, own),
        (_OPERATOR_FROM, [visit for visit in theirs if not origin or _origin(visit) in {origin, ""}]),
        (_NUMBER, [visit for visit in visits if numbered and visit.callsign == aircraft.callsign]),
    ]
    return History(tuple(_habit(strength, of) for strength, of in levels if of), traffic)


def _habit(strength: float, visits: Sequence[Visit]) -> Habit:
    landed = Counter(visit.site_id for visit in visits if visit.state in PRESENT_STATES)
    gone = {str(visit.gap.get("id", visit.visit_id)) for visit in visits if visit.state in _FLEW_ON}
    return Habit(strength, landed, len(gone))


def _origin(visit: Visit) -> str:
    return str(visit.flight_ends.get("origin", ""))
