"""What free imagery can measure at a place, learned from its own looks: noise, and the smallest thing it would show.

Every look is measured by the looks before it, as it would have been at the time. Into the same looks things of known size
are drawn; one is seen where the number is larger than in all but one of twenty looks without it.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from monitor.imagery.codes import MISSING, Codes
from monitor.imagery.grid import Bools, PixelGrid, Zone
from monitor.imagery.grid_vessels import seen_at
from monitor.imagery.history import LEAST_LOOKS, UsualPixels, departed_again, of_season, usual_of
from monitor.imagery.measures import (
    BERTH,
    BRIGHT,
    CHANGED,
    SHIPS,
    STAYING,
    TRACK,
    Look,
    Measured,
    look_against,
    measure,
    measures,
    metrics_of,
)
from monitor.imagery.planting import GROUNDS, PAINT, Planted, afloat, patch, plant, ship, train

LEAST_MEASURED = 8
"""Looks that must have been measured at a place before a measure may be judged there."""
TRIALS, SEEN_TRIALS = 20, 12
LOOKS_BEFORE = 12
"""How far back what is new and stays looks for three clear looks of each pixel."""
SIZES: Mapping[str, tuple[float, ...]] = {
    CHANGED: (400.0, 1_000.0, 4_000.0),
    BRIGHT: (400.0, 1_000.0, 4_000.0),
    TRACK: (100.0, 300.0, 1_000.0),
    BERTH: (100.0, 200.0, 400.0),
    SHIPS: (60.0, 120.0, 240.0),
}
_ORDINARY = 0.95
_SEED = 20_230_918


@dataclass(frozen=True, slots=True)
class KeptLook:
    """One clear look whose pixels are kept: they are brought when they are asked for."""

    key: str
    at: datetime
    load: Callable[[], Codes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """What one measure can do in one zone; `smallest` None: it would see nothing that was tried."""

    area_id: str
    area_name: str
    metric: str
    clear_looks: int
    measured: int
    usual: float | None
    """The middle of what it says when nothing is going on."""
    highest: float | None
    """What all but one of twenty looks stay below."""
    smallest: float | None
    seen: int
    """Of 20 things of that size (or of the largest tried), how many were seen."""
    fault: str = ""
    """Why it may not be judged, '' where it may."""
    above: int = 0
    """How many of the measured looks say more than `highest` though nothing is known to have stood there."""
    trials: tuple[tuple[float, int, int], ...] = ()
    """Of each size that was drawn: how many of how many were seen."""

    @property
    def admitted(self) -> bool:
        """Whether looks of it are stored and judged."""
        return not self.fault


def causal_looks(
    kept: Sequence[KeptLook], zones: Sequence[Zone], water: Bools
) -> Iterator[tuple[KeptLook, Look, UsualPixels]]:
    """Each look with what it is held against: the looks of its season before it. In order of time.

    Looks without enough before them are left out.
    """
    before: deque[tuple[Bools, Bools]] = deque(maxlen=LOOKS_BEFORE)
    for look, season in seasons(kept):
        usual = usual_of([each.load() for each in season])
        found = look_against(look.load(), usual, zones, water, tuple(before))
        yield look, found, usual
        if not found.departure.fault:
            before.appendleft((found.departure.seen, found.departure.left))


def seasons(kept: Sequence[KeptLook]) -> Iterator[tuple[KeptLook, list[KeptLook]]]:
    """Each look that has enough looks of its season before it, with those; in order of time."""
    ordered = sorted(kept, key=lambda each: (each.at, each.key))
    for place, look in enumerate(ordered):
        season = season_before(look, ordered[:place])
        if season is not None:
            yield look, season


def season_before(look: KeptLook, others: Sequence[KeptLook]) -> list[KeptLook] | None:
    """Those of the other looks, in order of time, that are of its season and before it; None where they are too few."""
    season = [others[each] for each in of_season([each.at for each in others], look.at)]
    return season if len(season) >= LEAST_LOOKS else None


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of one look, and which pixels were judged and had left (None: none was)."""

    look: KeptLook
    found: list[Measured]
    pixels: tuple[Bools, Bools] | None


def study_looks(
    kept: Sequence[KeptLook], grid: PixelGrid, zones: Sequence[Zone], water: Bools
) -> tuple[list[Admission], list[Measures]]:
    """Learn what each measure can do in each zone; also give what it said of each look, in order of time."""
    trials = _Trials(grid, zones, sum(1 for _ in seasons(kept)))
    said: list[Measures] = []
    for place, (look, shown, usual) in enumerate(causal_looks(kept, zones, water)):
        said.append(measures_of(look, shown, zones))
        trials.run(place, shown, usual)
    values: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for one in said:
        for each in one.found:
            values[each.area_id, each.metric].append(each)
    admissions = [
        _admission(
            zone, metric, len(kept), values[zone.area_id, metric], trials.results(zone, metric, values)
        )
        for zone in zones
        for metric in metrics_of(zone)
    ]
    return admissions, said


def measures_of(look: KeptLook, shown: Look, zones: Sequence[Zone]) -> Measures:
    """Measure one look in every zone."""
    found = shown.departure
    pixels = None if found.fault else (found.seen, found.left)
    return Measures(look, list(measures(shown, zones)), pixels)


@dataclass(slots=True)
class _Trials:
    """Things drawn into looks as they pass: twenty of each size, spread over the looks."""

    grid: PixelGrid
    zones: Sequence[Zone]
    looks: int
    """Over so many looks they are spread: the first ones have the shortest history behind them."""
    found: dict[tuple[str, str, float], list[float]] = field(default_factory=lambda: defaultdict(list))

    def run(self, place: int, shown: Look, usual: UsualPixels) -> None:
        """Try each measure that can be told of this look, as often as is due by now."""
        if shown.departure.fault:
            return
        due = math.ceil(TRIALS * (place + 1) / self.looks)
        for number, zone in enumerate(self.zones):
            for metric in metrics_of(zone):
                sizes = SIZES.get(metric, ())
                if metric != SHIPS and sizes and measure(shown, zone, metric).value is None:
                    continue
                for size in sizes:
                    trial = _Trial(zone, metric, size)
                    rng = np.random.default_rng([_SEED, place, number, int(size)])
                    self._try(trial, rng, shown, usual, due)

    def _try(
        self, trial: "_Trial", rng: np.random.Generator, shown: Look, usual: UsualPixels, due: int
    ) -> None:
        values = self.found[trial.zone.area_id, trial.metric, trial.size]
        for _ in range(min(_TRIALS_A_LOOK, due - len(values))):
            things = trial.things(self.grid, shown, rng)
            if not things:
                return
            codes, rows, columns = plant(shown.codes, self.grid, things)
            if trial.metric == SHIPS:
                # Vessels come and go, so one more is no larger number: what counts is whether this one is found.
                values.append(float(seen_at(codes, shown.water, rows, columns)))
                continue
            again = departed_again(shown.departure, codes, rows, columns, usual)
            changed = replace(shown, codes=codes, departure=again)
            found = measure(changed, trial.zone, trial.metric)
            values.append(-1.0 if found.value is None else found.scaled)

    def results(
        self, zone: Zone, metric: str, values: Mapping[tuple[str, str], Sequence[Measured]]
    ) -> list[tuple[float, int, int]]:
        """For each size: how many of how many were seen."""
        highest = _highest(values[zone.area_id, metric])
        return [
            (size, sum(each > (0.0 if metric == SHIPS else highest) for each in tried), len(tried))
            for size in SIZES.get(metric, ())
            if (tried := self.found[zone.area_id, metric, size]) and highest is not None
        ]


_TRIALS_A_LOOK = 3


@dataclass(frozen=True, slots=True)
class _Trial:
    zone: Zone
    metric: str
    size: float

    def things(self, grid: PixelGrid, shown: Look, rng: np.random.Generator) -> list[Planted]:
        """What is drawn; nothing where the zone is too small for it or hidden."""
        axis = self.zone.axis
        if axis is not None:
            if axis.length < self.size:
                return []
            if self.metric == TRACK:
                return train(axis, self.size, rng)
            return ship(self.zone, grid, shown.water, self.size, rng)
        if self.metric == SHIPS:
            return afloat(self.zone, grid, shown.water & (shown.codes[0] != MISSING), self.size, rng)
        square = patch(self.zone, grid, shown.departure.seen, self.size, rng)
        if square is None:
            return []
        return [Planted(square, PAINT if self.metric == BRIGHT else GROUNDS[rng.integers(len(GROUNDS))])]


def _whole(found: Sequence[Measured]) -> list[float]:
    return [each.scaled for each in found if each.value is not None]


def _highest(found: Sequence[Measured]) -> float | None:
    whole = _whole(found)
    return float(np.quantile(whole, _ORDINARY, method="higher")) if whole else None


def _admission(
    zone: Zone, metric: str, clear: int, found: Sequence[Measured], tried: Sequence[tuple[float, int, int]]
) -> Admission:
    whole = _whole(found)
    best = next((each for each in tried if each[1] * TRIALS >= SEEN_TRIALS * max(each[2], 1)), None)
    last = best or (tried[-1] if tried else None)
    highest = _highest(found)
    admission = Admission(
        zone.area_id,
        zone.name,
        metric,
        clear,
        len(whole),
        float(np.median(whole)) if whole else None,
        highest,
        best[0] if best else None,
        round(last[1] * TRIALS / last[2]) if last else 0,
        above=0 if highest is None else sum(each > highest for each in whole),
        trials=tuple(tried),
    )
    return replace(admission, fault=_fault(admission, found, tried))


def why_the_others(found: Sequence[Measured]) -> str:
    """Why most of the looks that could not be measured could not, in brackets; '' where none says."""
    faults = [each.fault for each in found if each.fault]
    return f" (of the others, most often: {max(set(faults), key=faults.count)})" if faults else ""


def _fault(admission: Admission, found: Sequence[Measured], tried: Sequence[tuple[float, int, int]]) -> str:
    if admission.measured < LEAST_MEASURED:
        return (
            f"{admission.measured} looks of {admission.clear_looks} clear ones show enough of it and have {LEAST_LOOKS} "
            f"of the same season before them, and {LEAST_MEASURED} are needed{why_the_others(found)}"
        )
    if admission.metric == STAYING or admission.smallest is not None:
        return ""
    if not tried:
        return "it is too small for anything to be tried in it"
    size, seen, total = tried[-1]
    return f"{size:,.0f} {_unit(admission.metric)} drawn into it were seen {seen} times of {total}"


def _unit(metric: str) -> str:
    return "m²" if metric.endswith("_m2") else "m"


def _hull(metric: str) -> str:
    return " of hull" if metric == SHIPS else ""


def _counted(metric: str) -> str:
    """What follows the number that a measure says: nothing where it counts."""
    return "" if metric == SHIPS else f" {_unit(metric)}"


def admission_words(admission: Admission) -> str:
    """Say for people what a measure can do in its zone."""
    where = f"in {admission.area_name}" if admission.area_id else "over the whole site"
    what = _WHAT[admission.metric]
    if not admission.admitted:
        return f"{what} {where}: not measurable here: {admission.fault}."
    sees = (
        ""
        if admission.smallest is None
        else (
            f"; it would see about {admission.smallest:,.0f} {_unit(admission.metric)}{_hull(admission.metric)}, {admission.seen} times of {TRIALS}"
        )
    )
    return (
        f"{what} {where}: measurable here from {admission.clear_looks} clear looks; without anything going on it says "
        f"{admission.usual:,.0f}{_counted(admission.metric)}, and 19 times of 20 at most {admission.highest:,.0f}{sees}."
    )


_WHAT = {
    CHANGED: "Changed ground",
    STAYING: "Ground that is new and stays",
    BRIGHT: "Bright targets",
    TRACK: "Occupied track",
    BERTH: "Occupied berth",
    SHIPS: "Vessels away from quays",
}
