"""By how much a look lies beside the others of its place, and putting it right: phase correlation, then a finer fit.

Scenes are laid on one reference image, but that step is left out under heavy cloud and over sea, which is where ports are.
"""

from dataclasses import dataclass

import numpy as np

from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.history import quantile_of, quantiles_of

WORTH_MENDING_PX = 0.15
LARGEST_PX = 3.0
_FEWEST_PX = 1_000
_LEAST_PEAK = 5.0
"""Times the usual height of the correlation; less is no peak."""
_SAMPLE_PX = 20_000
"""So many pixels tell well enough what is bright, dark or far off in a picture."""
_ROUNDS = 12
_STILL_PX = 0.02
_TRIMMED = 0.95


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a look lies to the south and east of the others, in pixels; `found` False: nothing to measure it by."""

    south: float
    east: float
    found: bool

    @property
    def size(self) -> float:
        """How far in all."""
        return float(np.hypot(self.south, self.east))


def find_shift(look: Floats32, usual: Floats32, held: Bools) -> Shift:
    """Measure the shift of one band against the usual of it, where both are held."""
    if held.sum() < _FEWEST_PX:
        return Shift(0.0, 0.0, found=False)
    ours, theirs = (_flattened(each, held) for each in (look, usual))
    if not (ours.any() and theirs.any()):
        return Shift(0.0, 0.0, found=False)
    peak, south, east = _peak(ours, theirs)
    if peak < _LEAST_PEAK:
        return Shift(0.0, 0.0, found=False)
    return Shift(*_refined(ours, theirs, held, south, east), found=True)


def moved(values: Floats32, south: float, east: float) -> Floats32:
    """The picture that shows at each pixel what stood so far to the south and east of it; edges are repeated.

    Between pixels by Catmull and Rom's cubic, which keeps edges sharper than a straight line does.
    """
    for axis, by in ((-2, south), (-1, east)):
        whole = int(np.floor(by))
        share = by - whole
        size = values.shape[axis]
        wide = values.take(np.clip(np.arange(-1, size + 2) + whole, 0, size - 1), axis)
        rest = () if axis == -1 else (slice(None),)
        first, *others = (
            (wide[(..., slice(step, step + size), *rest)], np.float32(weight))
            for step, weight in enumerate(_cubic(share))
        )
        values = first[0] * first[1]
        for part, weight in others:
            values += part * weight
    return values


def _cubic(share: float) -> tuple[float, float, float, float]:
    square, cube = share * share, share**3
    return (
        (-share + 2 * square - cube) / 2,
        (2 - 5 * square + 3 * cube) / 2,
        (share + 4 * square - 3 * cube) / 2,
        (cube - square) / 2,
    )


def _flattened(values: Floats32, held: Bools) -> Floats32:
    """The picture about its own middle, nothing where it is not held."""
    low, middle, high = quantiles_of(_sample(values[held]), (0.01, 0.5, 0.99))
    return np.where(held, np.clip(values, low, high) - middle, np.float32(0))


def _sample(values: Floats32) -> Floats32:
    return values[:: max(1, values.size // _SAMPLE_PX)]


def _peak(ours: Floats32, theirs: Floats32) -> tuple[float, float, float]:
    """Height of the peak of the phase correlation (in units of its spread), and where it is, in whole pixels."""
    window = (np.hanning(ours.shape[0])[:, np.newaxis] * np.hanning(ours.shape[1])).astype(np.float32)
    product = np.fft.rfft2(ours * window) * np.conj(np.fft.rfft2(theirs * window))
    flat = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-12), s=ours.shape)
    reach = int(LARGEST_PX) + 1
    rows, columns = (np.arange(-min(reach, size // 2), min(reach, size // 2) + 1) for size in ours.shape)
    near = flat[np.ix_(rows, columns)]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    return float(near.max() / flat.std()), float(rows[row]), float(columns[column])


def _refined(ours: Floats32, theirs: Floats32, held: Bools, south: float, east: float) -> tuple[float, float]:
    """Least squares on slopes, from the whole pixel on; what has changed weighs little, for large residuals are cut."""
    inner = np.flatnonzero(held & _inside(held))
    slopes = np.stack([np.asarray(each).ravel().take(inner) for each in np.gradient(theirs)])
    fixed = theirs.ravel().take(inner)
    for _ in range(_ROUNDS):
        rest = fixed - moved(ours, south, east).ravel().take(inner)
        size = np.abs(rest)
        near = size <= quantile_of(_sample(size), _TRIMMED)
        rest *= near
        weighed = slopes * near
        # Two unknowns: the normal equations are as good as any other way, and take one pass.
        down_by, right_by = np.linalg.lstsq(weighed @ slopes.T, weighed @ rest, rcond=None)[0].tolist()
        south, east = south + down_by, east + right_by
        if max(abs(down_by), abs(right_by)) < _STILL_PX or max(abs(south), abs(east)) > 2 * LARGEST_PX:
            break
    return south, east


def _inside(held: Bools) -> Bools:
    """Pixels whose neighbours are held too."""
    inner = np.zeros_like(held)
    inner[1:-1, 1:-1] = held[:-2, 1:-1] & held[2:, 1:-1] & held[1:-1, :-2] & held[1:-1, 2:]
    return inner
