"""Vessels in one look at a site: those away from quays are counted, those at quays are told as occupied berth. Pure.

What 10 m can tell: hulls of some 50 m and more. At quays most vessels cannot be told from cranes, sheds and containers
beside them, so no number of them is given, only how many metres look like them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.imagery.grid import Bools
from monitor.imagery.vessels_model import VesselModel, true_count, vessel_model
from monitor.imagery.vessels_objects import HullCandidate, open_candidates, quay_candidates
from monitor.imagery.vessels_pixels import vessel_map
from monitor.imagery.vessels_water import Water, Window, read_water


@dataclass(frozen=True, slots=True)
class Vessel:
    """`x`, `y` are pixels of the window (0.5, 0.5 is the middle of the first), `length_m` is of what was joined."""

    x: float
    y: float
    left: int
    top: int
    right: int
    bottom: int
    length_m: float
    score: float

    def lies_in(self, mask: Bools) -> bool:
        """Whether the hull lies in a part of the window."""
        height, width = mask.shape
        return bool(mask[min(int(self.y), height - 1), min(int(self.x), width - 1)])


@dataclass(frozen=True, slots=True)
class Vessels:
    """What one look shows.

    `count` vessels were found away from quays; behind them stand `low` to `high` (95 %, from measured recall and
    precision). `moored` are candidates at quays, not a count.
    """

    away: tuple[Vessel, ...]
    low: int
    high: int
    moored: tuple[Vessel, ...]
    model: VesselModel = field(repr=False)

    @property
    def procedure(self) -> str:
        """The method, its version, and what it was measured to be worth at ports that it was not trained on."""
        worth = self.model.open.measured
        return f"vessels-{self.model.version}/recall-{worth.recall:.2f}/precision-{worth.precision:.2f}"

    @property
    def count(self) -> int:
        """Found away from quays."""
        return len(self.away)

    @property
    def moored_length_m(self) -> float:
        """The lengths of what lies at quays, added up."""
        return sum(each.length_m for each in self.moored)

    def within(self, mask: Bools) -> "Vessels":
        """Only those whose hull lies in a part of the window; `mask` is [height, width]."""
        return _said(
            [each for each in self.away if each.lies_in(mask)],
            [each for each in self.moored if each.lies_in(mask)],
            self.model,
        )


def find_vessels(window: Window, model: VesselModel | None = None) -> Vessels:
    """Find vessels in one look; raises NoWaterError where there is no water to search."""
    known = model or vessel_model()
    water = read_water(window)
    likeness = vessel_map(water, known.network)
    moored = known.quay.taken(quay_candidates(water, likeness))
    return _said(_away(water, known), [_vessel(*each) for each in moored], known)


def find_away(window: Window, model: VesselModel | None = None) -> list[Vessel]:
    """Only those away from quays, several times as fast; raises NoWaterError where there is no water to search."""
    return _away(read_water(window), model or vessel_model())


def _away(water: Water, model: VesselModel) -> list[Vessel]:
    unasked = np.zeros(water.wet.shape, np.float32)
    return [_vessel(*each) for each in model.open.taken(open_candidates(water, unasked))]


def _said(away: Sequence[Vessel], moored: Sequence[Vessel], model: VesselModel) -> Vessels:
    low, high = true_count(len(away), model.open.measured)
    return Vessels(tuple(away), low, high, tuple(moored), model)


def _vessel(candidate: HullCandidate, score: float) -> Vessel:
    box = candidate.box
    return Vessel(box.x, box.y, box.left, box.top, box.right, box.bottom, candidate.length_m, score)
