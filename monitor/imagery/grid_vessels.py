"""Vessels in what is kept of one pass: its codes, and the water that all passes of the site have shown. Pure."""

from dataclasses import dataclass

import numpy as np

from monitor.imagery.codes import MISSING, Codes, decode
from monitor.imagery.grid import PIXEL_M, Bools
from monitor.imagery.vessels import Vessels, find_away, find_vessels
from monitor.imagery.vessels_water import NoWaterError, Window

_AROUND_PX = 100


@dataclass(frozen=True, slots=True)
class ShownVessels:
    """What one look shows; without `vessels`, `fault` says why nothing can be told. Masks are [row, column] of the grid."""

    vessels: Vessels | None
    water: Bools
    seen: Bools
    fault: str = ""

    def seen_share(self, mask: Bools) -> float:
        """How much of the water of a zone was seen; 0 where it has none."""
        inside = self.water & mask
        return float((inside & self.seen).sum() / max(1, inside.sum()))


def vessels_shown(codes: Codes, water: Bools) -> ShownVessels:
    """Search one look; `water` is what the passes of the site have shown as water."""
    seen = codes[0] != MISSING
    if not water.any():
        return ShownVessels(None, water, seen, "no water has been seen here in any clear look")
    try:
        found = find_vessels(window_of(codes, water))
    except NoWaterError as error:
        return ShownVessels(None, water, seen, str(error))
    return ShownVessels(found, water, seen)


def window_of(codes: Codes, water: Bools) -> Window:
    """One look as vessels are sought in it."""
    seen = codes[0] != MISSING
    return Window(np.where(seen, decode(codes), 0), PIXEL_M, seen, water.astype(np.float32))


def seen_at(codes: Codes, water: Bools, rows: slice, columns: slice) -> bool:
    """Whether a vessel away from quays is found in a part of the grid; only what lies around it is searched."""
    around = tuple(slice(max(0, part.start - _AROUND_PX), part.stop + _AROUND_PX) for part in (rows, columns))
    try:
        found = find_away(window_of(codes[:, *around], water[around]))
    except NoWaterError:
        return False
    down, across = rows.start - around[0].start, columns.start - around[1].start
    return any(
        down <= each.y < down + rows.stop - rows.start
        and across <= each.x < across + columns.stop - columns.start
        for each in found
    )
