"""What each pixel of a site usually looks like at this time of year, and which pixels have left that.

The usual is the median of the clear looks of the same season, its spread the distance between their quartiles: up to a
quarter of the looks may be anything. Everything is exact and depends on no order, so a look that comes late, or a history
that is built anew, gives the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from rasterio.features import sieve

from monitor.imagery.codes import MISSING, Codes
from monitor.imagery.grid import Bools, Floats32

SEASON = timedelta(days=45)
"""Looks so many days before and after the same day of the year are of one season."""
WIDER_SEASON = timedelta(days=75)
"""While a place is new, looks so far away help out, until there are enough."""
MOST_LOOKS = 25
ENOUGH_LOOKS = 12
LEAST_LOOKS = 8
"""With fewer looks of the season a pixel has no usual."""
LEAST_COHERENT_PX = 4
_YEAR = timedelta(days=365.2425)
_YEARS_BACK = 3
_CHUNK = 65_536
_FLOOR = 3.0
"""Codes: 0.01 of reflectance at 0.15, less than which no two dates of one ground agree on."""
_NEIGHBOURHOOD_PX = 4
_EDGE_SHARE = 0.1
"""Pixels may be out of place by so much after their shift was mended."""
_LEFT = 3.7
"""How rare a pixel's distance from its usual must be, as a normal value in spreads: one of ten thousand."""
_LEFT_AT_ONCE = 3.0
_ROUNDS, _NEAREST, _STEADY = 3, 0.9, 1e-3
_SAMPLE_PX = 20_000
_HAZE = 14.0
"""Codes by which a whole scene may differ in a band: 0.04 of reflectance at 0.15."""
_MASS_SHARE = 0.3
_FEWEST_PX = 100


@dataclass(frozen=True, slots=True)
class UsualPixels:
    """Of each pixel: the middle and the spread in each band (codes), and out of how many looks."""

    middle: Floats32
    spread: Floats32
    looks: npt.NDArray[np.uint8]

    @property
    def known(self) -> Bools:
        """Which pixels have enough looks."""
        return self.looks >= LEAST_LOOKS


@dataclass(frozen=True, slots=True)
class Ground:
    """How the still ground of one scene differs from the usual: in each band, and how bands go together."""

    off: npt.NDArray[np.float32]
    inverse: npt.NDArray[np.float32]
    """Of the covariance of rises, each in its own spread."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How one look differs from the usual. `fault` says why nothing of it can be told, '' where it can."""

    seen: Bools
    left: Bools
    """Pixels that left their usual, at least four together."""
    rise: Floats32
    """How much each band rose (codes), the scene's own difference taken off; meaningless where not seen."""
    spread: Floats32
    """By how much each would differ anyway."""
    ground: Ground | None = None
    fault: str = ""


def of_season(times: Sequence[datetime], at: datetime) -> list[int]:
    """Which of these looks (their places) are of the season of `at` and before it: the nearest, newer years first.

    At most 25; where fewer than twelve are of the season, those just outside it help out.
    """
    near = sorted(
        (apart, place) for place, each in enumerate(times) if (apart := _apart(each, at)) is not None
    )
    inside = sum(apart[0] <= SEASON for apart, _ in near)
    return [place for _, place in near[: min(MOST_LOOKS, max(inside, ENOUGH_LOOKS))]]


def _apart(earlier: datetime, at: datetime) -> tuple[timedelta, float] | None:
    """How far a look is from this time of year, then how old it is; None where it is of another time."""
    age = at - earlier
    if age <= timedelta(0):
        return None
    years = round(age / _YEAR)
    season = abs(age - years * _YEAR)
    if years > _YEARS_BACK or season > WIDER_SEASON:
        return None
    return (timedelta(0) if season <= SEASON else season, season / SEASON + years / 2)


def usual_of(stack: Sequence[Codes]) -> UsualPixels:
    """Median and spread of looks (band, row, column) of one shape; raises ValueError for none."""
    looks, parts = _ranked(stack, _QUARTILES_AND_MIDDLE)
    shape = stack[0].shape
    middle, spread = np.empty((2, shape[0], looks.size), np.float32)
    for band, part, (low, under, over, high), widths in parts:
        _halved(under, over, middle[band, part])
        np.subtract(high, low, out=spread[band, part], dtype=np.float32)
        spread[band, part] /= widths
    return UsualPixels(middle.reshape(shape), _pooled(spread.reshape(shape)), looks)


def middle_of(stack: Sequence[Codes]) -> tuple[Floats32, npt.NDArray[np.uint8]]:
    """The median alone, as `usual_of` has it, and out of how many looks."""
    looks, parts = _ranked(stack, _MIDDLE)
    shape = stack[0].shape
    middle = np.empty((shape[0], looks.size), np.float32)
    for band, part, (under, over), _ in parts:
        _halved(under, over, middle[band, part])
    return middle.reshape(shape), looks


_QUARTILES_AND_MIDDLE, _MIDDLE = slice(0, 4), slice(1, 3)
"""Of the order statistics of `_order_statistics`."""
_Part = tuple[int, slice, Codes, npt.NDArray[np.float32]]


def _ranked(stack: Sequence[Codes], which: slice) -> tuple[npt.NDArray[np.uint8], Iterator[_Part]]:
    """How many looks each pixel has, and some order statistics of them, band by band and part by part of the picture."""
    if not stack:
        raise ValueError("no look, so there is no usual")
    looks = np.zeros(stack[0].shape[1:], np.uint8)
    for codes in stack:
        looks += codes[0] != MISSING
    return looks, _ranked_parts(stack, looks.ravel(), which)


def _ranked_parts(stack: Sequence[Codes], counts: npt.NDArray[np.uint8], which: slice) -> Iterator[_Part]:
    bands, size = len(stack[0]), counts.size
    flat = [codes.reshape(bands, -1) for codes in stack]
    table, widths = _order_statistics(len(stack))
    rows = np.empty((len(stack) + 1, min(size, _CHUNK)), np.uint8)
    for start in range(0, size, _CHUNK):
        part = slice(start, min(start + _CHUNK, size))
        here = counts[part]
        there = np.flatnonzero(np.bincount(here, minlength=len(stack) + 1))
        needed = tuple(np.unique(table[which][:, there]).tolist())
        at = _sorted_places(len(stack), needed)
        alike = len(there) == 1
        wide = widths[there[:1]] if alike else widths[here]
        standing = at[table[which][:, there[0]]] if alike else at[table[which]][:, here] * rows.shape[1]
        if not alike:
            standing += np.arange(len(here))
        for band in range(bands):
            held = rows[:, : len(here)]
            for row, each in zip(held, flat, strict=False):
                row[:] = each[band, part]
            _sort_rows(held, needed)
            found = held[standing] if alike else rows.ravel().take(standing)
            yield band, part, found, wide


def _halved(under: Codes, over: Codes, out: Floats32) -> None:
    np.add(under, over, out=out, dtype=np.float32)
    out *= np.float32(0.5)


@cache
def _order_statistics(most: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    table = np.zeros((4, most + 1), np.intp)
    widths = np.ones(most + 1, np.float32)
    for count in range(1, most + 1):
        low = (count - 1) // 4
        table[:, count] = low, (count - 1) // 2, count // 2, count - 1 - low
        share = (count - low - 0.375) / (count + 0.25)
        widths[count] = max(0.2, 2 * NormalDist().inv_cdf(share))
    return table, widths


def _sort_rows(rows: Codes, needed: tuple[int, ...]) -> None:
    """Sort rows against each other, column by column, as far as these ranks need it; the last row is spare.

    A sorting network of whole-row minima and maxima: the processor does 32 columns at once, so sorting 25 looks of
    a site costs less than reading one of them. Missing ones come last. `_sorted_places` says where each rank stands then.
    """
    for one, other, spare, wants_low, wants_high in _steps(len(rows) - 1, needed):
        if wants_low and wants_high:
            np.minimum(rows[one], rows[other], out=rows[spare])
            np.maximum(rows[one], rows[other], out=rows[other])
        elif wants_low:
            np.minimum(rows[one], rows[other], out=rows[one])
        else:
            np.maximum(rows[one], rows[other], out=rows[other])


@cache
def _steps(size: int, needed: tuple[int, ...]) -> tuple[tuple[int, int, int, bool, bool], ...]:
    """The comparisons by the rows in which the ranks stand: none is moved back, the spare one takes its name."""
    at, found = list(range(size + 1)), []
    for low, high, wants_low, wants_high in _network(size, needed):
        found.append((at[low], at[high], at[size], wants_low, wants_high))
        if wants_low and wants_high:
            at[low], at[size] = at[size], at[low]
    return tuple(found)


@cache
def _sorted_places(size: int, needed: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """In which row each rank stands after the comparisons."""
    at = list(range(size + 1))
    for low, _, wants_low, wants_high in _network(size, needed):
        if wants_low and wants_high:
            at[low], at[size] = at[size], at[low]
    return np.array(at, np.intp)


@cache
def _network(size: int, needed: tuple[int, ...]) -> tuple[tuple[int, int, bool, bool], ...]:
    """The comparisons of Batcher's odd-even merge sort that some of these ranks come out of, and which half of each."""
    wanted, found = set(needed), []
    for low, high in reversed(tuple(_batcher(size))):
        if low in wanted or high in wanted:
            found.append((low, high, low in wanted, high in wanted))
            wanted |= {low, high}
    return tuple(reversed(found))


def _batcher(size: int) -> Iterator[tuple[int, int]]:
    step = 1
    while step < size:
        gap = step
        while gap >= 1:
            for start in range(gap % step, size - gap, 2 * gap):
                for low in range(start, min(start + gap, size - gap)):
                    if low // (2 * step) == (low + gap) // (2 * step):
                        yield low, low + gap
            gap //= 2
        step *= 2


def _pooled(spread: Floats32) -> Floats32:
    """No pixel is taken to be steadier than the ground around it: a spread out of a few looks is itself uncertain."""
    size = _NEIGHBOURHOOD_PX
    bands, height, width = spread.shape
    padded = np.pad(spread, ((0, 0), (0, -height % size), (0, -width % size)), mode="edge")
    rows, columns = padded.shape[1] // size, padded.shape[2] // size
    blocks = padded.reshape(bands, rows, size, columns, size)
    tall = sum((blocks[:, :, each] for each in range(1, size)), start=blocks[:, :, 0])
    mean = sum((tall[..., each] for each in range(1, size)), start=tall[..., 0]) / np.float32(size * size)
    np.maximum(blocks, mean[:, :, np.newaxis, :, np.newaxis], out=blocks)
    return _together(padded[:, :height, :width], np.float32(_FLOOR))


def _together(one: Floats32, other: Floats32 | np.float32) -> Floats32:
    """Two spreads that come on top of each other; `numpy.hypot` guards against overflow, which codes are far from."""
    found = np.square(one)
    found += np.square(other)
    return np.sqrt(found, out=found)


def departure(codes: Codes, usual: UsualPixels, ring: Bools) -> Departure:
    """Hold one look (band, row, column) against the usual; `ring` is the ground around the site."""
    seen = (codes[0] != MISSING) & usual.known
    rise: Floats32 = np.subtract(codes, usual.middle, dtype=np.float32)
    spread = _together(usual.spread, np.float32(_EDGE_SHARE) * steepness(usual.middle))
    nothing = np.zeros(seen.shape, bool)
    if seen.sum() < _FEWEST_PX:
        fault = "too little of the ground has a history of this season"
        return Departure(seen, nothing, rise, spread, fault=fault)
    sample = np.flatnonzero(seen.ravel())[:: _every(seen)]
    off = np.median(rise.reshape(len(rise), -1)[:, sample], axis=1).astype(np.float32)
    if np.abs(off).max() > _HAZE:
        return Departure(seen, nothing, rise, spread, fault=_haze_words(off))
    rise -= off[:, np.newaxis, np.newaxis]
    scaled: Floats32 = np.divide(rise, spread, dtype=np.float32)
    around = seen & ring
    ground = around if around.sum() >= _FEWEST_PX else seen
    far = np.einsum("brc,brc->rc", scaled, scaled) > len(scaled) * _LEFT_AT_ONCE**2
    mass = float(far[ground].mean())
    if mass > _MASS_SHARE:
        fault = f"{mass:.0%} of the ground around has changed too"
        return Departure(seen, nothing, rise, spread, fault=fault)
    inverse = still_ground(scaled.reshape(len(scaled), -1)[:, sample])
    left = coherent(seen & _has_left(scaled, inverse))
    return Departure(seen, left, rise, spread, Ground(off, inverse))


def departed_again(
    before: Departure, codes: Codes, rows: slice, columns: slice, usual: UsualPixels
) -> Departure:
    """The same look with other pixels in one window; the ground is as still as it was."""
    assert before.ground is not None
    rise, left = before.rise.copy(), before.left.copy()
    window = (slice(None), rows, columns)
    off = before.ground.off[:, np.newaxis, np.newaxis]
    rise[window] = codes[window].astype(np.float32) - usual.middle[window] - off
    scaled = rise[window] / before.spread[window]
    left[rows, columns] |= before.seen[rows, columns] & _has_left(scaled, before.ground.inverse)
    return replace(before, rise=rise, left=coherent(left))


def _has_left(scaled: Floats32, inverse: npt.NDArray[np.float32]) -> Bools:
    return np.asarray(squared_distance(scaled, inverse) > chi_squared_limit(len(scaled), _LEFT))


def still_ground(points: Floats32) -> npt.NDArray[np.float32]:
    """The inverse covariance of what the ground (band, point) does where nothing has come or gone.

    Light, haze and a small shift move all bands together, a thing that came does not: so distances are Mahalanobis's,
    by the nearest nine tenths, scaled so that half of the ground lies within the median of the normal law.
    """
    bands = len(points)
    kept = points
    for _ in range(_ROUNDS):
        about = kept - kept.mean(axis=1, keepdims=True)
        covariance = about @ about.T / max(1, kept.shape[1] - 1) + _STEADY * np.eye(bands)
        inverse = np.linalg.inv(covariance).astype(np.float32)
        squared = squared_distance(points, inverse)
        kept = points[:, squared <= quantile_of(squared, _NEAREST)]
    scale = quantile_of(squared, 0.5) / chi_squared_limit(bands, 0.0)
    return np.asarray(inverse / max(scale, _STEADY), np.float32)


def quantile_of(values: npt.NDArray[np.floating], share: float) -> float:
    """What so large a share of these values lies below, as `numpy.quantile` has it."""
    return quantiles_of(values, (share,))[0]


def quantiles_of(values: npt.NDArray[np.floating], shares: Sequence[float]) -> list[float]:
    """The same for several shares, in one pass over the values."""
    last = values.size - 1
    places = [share * last for share in shares]
    lows = [int(place) for place in places]
    ordered = np.partition(
        values.ravel(), sorted({min(each, last) for low in lows for each in (low, low + 1)})
    )
    found = []
    for place, low in zip(places, lows, strict=True):
        one, other = float(ordered[low]), float(ordered[min(low + 1, last)])
        found.append(one + (place - low) * (other - one))
    return found


def squared_distance(values: Floats32, inverse: npt.NDArray[np.float32]) -> Floats32:
    """How far each point (band, …) lies from still ground, squared, in spreads of it."""
    root = np.linalg.cholesky(inverse.astype(np.float64)).astype(np.float32)
    squared = np.zeros(values.shape[1:], np.float32)
    # Band by band: a product of matrices so flat keeps all processors busy with waiting for each other.
    for band, weights in enumerate(root.T):
        part = values[band] * weights[band]
        for other in range(band + 1, len(values)):
            part += values[other] * weights[other]
        squared += np.square(part, out=part)
    return squared


def chi_squared_limit(bands: int, sigma: float) -> float:
    """What a squared distance in so many bands exceeds as rarely as a normal value exceeds `sigma` (Wilson, Hilferty)."""
    part = 2 / (9 * bands)
    return float(bands * (1 - part + sigma * part**0.5) ** 3)


def _every(seen: Bools) -> int:
    """Every how manieth pixel is enough to know a whole scene by."""
    return max(1, int(seen.sum()) // _SAMPLE_PX)


def coherent(mask: Bools, least_px: int = LEAST_COHERENT_PX) -> Bools:
    """Those pixels of a mask that hang together, at least so many of them (also by corners)."""
    if not mask.any():
        return mask
    held: Bools = sieve(mask.astype(np.uint8), least_px, connectivity=8) == 1
    return mask & held


def _haze_words(off: npt.NDArray[np.float32]) -> str:
    brighter = off[np.abs(off).argmax()] > 0
    return f"the whole scene is {'brighter' if brighter else 'darker'} than this place ever is in this season"


def steepness(middle: Floats32) -> Floats32:
    """By how much each pixel differs from its neighbours, where a small shift looks like a change."""
    steep = np.zeros_like(middle)
    down = np.abs(np.diff(middle, axis=1))
    right = np.abs(np.diff(middle, axis=2))
    for part, step in (
        (steep[:, :-1], down),
        (steep[:, 1:], down),
        (steep[:, :, :-1], right),
        (steep[:, :, 1:], right),
    ):
        np.maximum(part, step, out=part)
    return steep
