"""Vessels in one look at a site: those away from quays are counted, those at quays are told as occupied berth. Pure.

What 10 m can tell: hulls of some 50 m and more. At quays most vessels cannot be told from cranes, sheds and containers
beside them, so no number of them is given; how many metres of berth something lies at can be said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monitor.imagery.vessels_model import VesselModel, true_count, vessel_model
from monitor.imagery.vessels_objects import Candidate, open_candidates, quay_candidates
from monitor.imagery.vessels_pixels import vessel_map
from monitor.imagery.vessels_water import Flags, Window, read_water

BERTH_REACH_M = 60.0
"""A berth is taken where a moored vessel lies within this of its quay line: a beam, and the error of the line."""
_STATION_M = 10.0


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


@dataclass(frozen=True, slots=True)
class Vessels:
    """What one look shows.

    `count` vessels were found away from quays; behind them stand `low` to `high` (95 %, from measured recall and precision,
    median `likely`). `moored` are candidates at quays, not a count; `moored_mask` [height, width] is where they lie.
    """

    away: tuple[Vessel, ...]
    likely: float
    low: int
    high: int
    moored: tuple[Vessel, ...]
    moored_mask: Flags
    procedure: str

    @property
    def count(self) -> int:
        """Found away from quays."""
        return len(self.away)

    @property
    def moored_length_m(self) -> float:
        """The lengths of what lies at quays, added up: where no quay is drawn."""
        return sum(each.length_m for each in self.moored)


@dataclass(frozen=True, slots=True)
class Berth:
    """Metres of quay at which something lies, of those that were clear to see."""

    occupied_m: float
    seen_m: float


def find_vessels(window: Window, model: VesselModel | None = None) -> Vessels:
    """Find vessels in one look; raises NoWaterError where there is no water to search."""
    known = model or vessel_model()
    water = read_water(window)
    likeness = vessel_map(water, known.network)
    away = known.open.taken(open_candidates(water, likeness))
    moored = known.quay.taken(quay_candidates(water, likeness))
    mask = np.zeros(water.wet.shape, np.bool_)
    for candidate, _ in moored:
        mask[candidate.pixels] = True
    likely, low, high = true_count(len(away), known.open.measured)
    return Vessels(
        away=tuple(_vessel(*each) for each in away),
        likely=likely,
        low=low,
        high=high,
        moored=tuple(_vessel(*each) for each in moored),
        moored_mask=mask,
        procedure=procedure_name(known),
    )


def procedure_name(model: VesselModel | None = None) -> str:
    """The method, its version, and what it was measured to be worth at ports that it was not trained on."""
    known = model or vessel_model()
    worth = known.open.measured
    return f"vessels-{known.version}, recall {worth.recall:.2f}, precision {worth.precision:.2f}"


def _vessel(candidate: Candidate, score: float) -> Vessel:
    box = candidate.box
    return Vessel(box.x, box.y, box.left, box.top, box.right, box.bottom, candidate.length_m, score)


def occupied_berth(
    moored_mask: Flags,
    quays: Sequence[npt.NDArray[np.float64]],
    pixel_m: float,
    clear: Flags | None = None,
) -> Berth:
    """Walk each quay (corners [n, 2] as x, y in pixels of the window) and see where a moored vessel is near."""
    if not quays:
        return Berth(0.0, 0.0)
    reach = (
        ndimage.distance_transform_edt(~moored_mask)
        if moored_mask.any()
        else np.full(moored_mask.shape, np.inf)
    )
    occupied = seen = 0.0
    for quay in quays:
        points, step_m = _stations(quay, pixel_m)
        columns, rows = np.floor(points).astype(int).T
        height, width = moored_mask.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = rows[inside], columns[inside]
        visible = np.ones(len(rows), np.bool_) if clear is None else clear[rows, columns]
        taken = reach[rows, columns] * pixel_m <= BERTH_REACH_M
        occupied += step_m * float((taken & visible).sum())
        seen += step_m * float(visible.sum())
    return Berth(occupied, seen)


def _stations(quay: npt.NDArray[np.float64], pixel_m: float) -> tuple[npt.NDArray[np.float64], float]:
    """Points along a line at even steps of about ten metres, and that step."""
    legs = np.hypot(*np.diff(quay, axis=0).T) * pixel_m
    along = np.concatenate([[0.0], np.cumsum(legs)])
    count = max(1, round(along[-1] / _STATION_M))
    at = (np.arange(count) + 0.5) / count * along[-1]
    points = np.column_stack([np.interp(at, along, quay[:, axis]) for axis in (0, 1)])
    return points, float(along[-1] / count)
