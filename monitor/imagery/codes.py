"""Reflectance kept in one byte, and whether a file still carries the offset of its processing baseline.

The square root of reflectance is kept: its steps are 0.001 on dark water and 0.004 on a bright roof, well below what
two clear dates of one place differ by, and the order of values, so every median, stays what it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.imagery.grid import Bools, Floats32

Codes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.uint16]
BANDS = ("blue", "green", "red", "nir", "swir16")
"""Bands that are kept, in this order; the last has pixels of 20 m, the others of 10 m."""
FINE_BANDS = BANDS[:-1]
MISSING = 255
_LAST = 254
_FULL = 1.2
_PER_REFLECTANCE = 10_000.0
OFFSET = 1_000
"""Added to every number since processing baseline 04.00; some files had it taken off again, and no flag says which."""
_SURELY_OFF, _SURELY_ON = 800.0, 900.0
_DARKEST_PERCENT = 1.0
_FEWEST = 200
_TELLING = 300.0


def encode(numbers: Numbers, offset: int, seen: Bools) -> Codes:
    """Numbers of bands (band, row, column) as codes; what is not `seen`, or 0 in any band, is missing."""
    held = seen & (numbers > 0).all(axis=0)
    reflectance = (numbers.astype(np.float32) - offset) / _PER_REFLECTANCE
    return encode_reflectance(reflectance, held)


def encode_reflectance(reflectance: Floats32, held: Bools) -> Codes:
    """Reflectance (band, row, column) as codes, `MISSING` where it is not held."""
    scaled = np.sqrt(np.clip(reflectance / _FULL, 0, 1)) * _LAST
    return np.where(held, np.rint(scaled), MISSING).astype(np.uint8)


def decode(codes: Codes | Floats32) -> Floats32:
    """Reflectance of codes; that of a missing one means nothing."""
    scaled = codes.astype(np.float32) / np.float32(_LAST)
    return scaled * scaled * np.float32(_FULL)


@dataclass(frozen=True, slots=True)
class OffsetDecision:
    """Which offset the numbers of a file carry, None where its pixels do not tell; `why` is the evidence in words."""

    offset: int | None
    why: str


def decide_offset(
    red: Numbers, nir: Numbers, seen: Bools, usual: Sequence[Floats32] | None, tile: Numbers | None = None
) -> OffsetDecision:
    """Decide by pixels, never by flags: catalogues say both of one file, and were wrong about either.

    `red` and `nir` are numbers over the site, `usual` what their reflectance is there (NaN: unknown), `tile` the numbers
    of red all over the tile, coarse. A dark pixel proves that nothing was added; then the place's own history tells;
    at last the darkest of the whole tile.
    """
    held = seen & (red > 0) & (nir > 0)
    if held.sum() >= _FEWEST:
        darkest = min(float(np.percentile(band[held], _DARKEST_PERCENT)) for band in (red, nir))
        if darkest < _SURELY_OFF:
            return OffsetDecision(
                0, f"the darkest hundredth of the site reads {darkest:.0f}: nothing was added"
            )
    if usual is not None and (found := _by_history((red, nir), usual, held)):
        return found
    shown = tile[tile > 0] if tile is not None else np.zeros(0, np.uint16)
    if len(shown) < _FEWEST:
        return OffsetDecision(
            None, "the site has no dark pixel, and nothing else tells whether 1,000 was added"
        )
    darkest = float(np.percentile(shown, _DARKEST_PERCENT))
    if _SURELY_OFF <= darkest < _SURELY_ON:
        return OffsetDecision(
            None, f"the darkest hundredth of the tile reads {darkest:.0f}, which proves neither"
        )
    on = darkest >= _SURELY_ON
    return OffsetDecision(
        OFFSET if on else 0,
        f"the darkest hundredth of the tile reads {darkest:.0f}: {'1,000 was' if on else 'nothing was'} added",
    )


def _by_history(numbers: Sequence[Numbers], usual: Sequence[Floats32], held: Bools) -> OffsetDecision | None:
    above = []
    for band, known in zip(numbers, usual, strict=True):
        both = held & np.isfinite(known)
        if both.sum() < _FEWEST:
            return None
        above.append(float(np.median(band[both] - known[both] * _PER_REFLECTANCE)))
    # An offset is the same in both; haze, which also brightens, is stronger in red.
    on = all(abs(each - OFFSET) < _TELLING for each in above)
    if not on and not all(abs(each) < _TELLING for each in above):
        said = " and ".join(f"{each:+.0f}" for each in above)
        why = f"the site reads {said} in red and infrared against its own history, which haze does and an offset does not"
        return OffsetDecision(None, why)
    mean = sum(above) / len(above)
    return OffsetDecision(
        OFFSET if on else 0,
        f"the site reads {mean:+.0f} against its own history: {'1,000 was' if on else 'nothing was'} added",
    )
