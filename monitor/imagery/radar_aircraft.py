"""Large aircraft on aprons by radar: what rises above the least that each pixel showed in fifteen looks of one orbit.

The least of fifteen looks shows a stand as it is when it is empty, if it was empty once (Dostovalov and others 2018, doi
10.21046/2070-7401-2018-15-4-49-57, who found three of four large aircraft so). How far chance alone lifts a pixel above that least
follows from speckle, whose strength is learned from the apron's own pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.measures import Measured
from monitor.imagery.radar import LEAST_SEEN, MOST_SHIFT_DB
from monitor.imagery.study import SEEN_TRIALS, TRIALS, Admission

AIRCRAFT = "large_aircraft_present"
APRON_KINDS = frozenset({"apron", "stand"})
LOOKS_OF_LEAST = 15
FOUND_OF_LARGE = 0.76
"""The published share of large aircraft that this finds."""
AIRCRAFT_SIZES_M = {20.0: 10**1.8, 35.0: 10**2.6, 60.0: 10**3.3}
"""Radar cross-sections (m²) by length, of the order that is published for airliners seen from the side; they swing by many dB."""
_PIXEL_M2 = 900.0
_PIXEL_CHANCE = 1e-4
_SURELY_DB = 3.0
"""So much beyond the limit a single pixel is surely something."""
_MOST_SPREAD = 1.5
_LARGEST_PX = 4
"""An airliner of 60 m lights some four pixels of 30 m; more are perhaps several aircraft."""
_FEWEST_BEFORE = 12
_NORMAL_MAD = 1.4826
_DRAWS = 100_000
_SEED = 2_018
_NEIGHBOURS = np.ones((3, 3), int)


@dataclass(frozen=True, slots=True)
class RadarApronLook:
    """One pass over a site: VV in dB (row, column), NaN where nothing was seen."""

    key: str
    levels: Floats32


@dataclass(frozen=True, slots=True)
class _Risen:
    """How far each pixel of an apron lies above its least, and from where on that is no chance."""

    rise: Floats32
    limit_db: Floats32
    seen_share: float
    fault: str = ""

    def objects(self, apron: Bools) -> "_Objects":
        """What has risen together."""
        beyond = np.where(apron, np.nan_to_num(self.rise - self.limit_db, nan=-np.inf), -np.inf)
        labels, count = ndimage.label(beyond > 0, _NEIGHBOURS)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        peaks = ndimage.maximum(beyond, labels, np.arange(1, count + 1)) if count else np.zeros(0)
        return _Objects(labels, sizes, (sizes > 1) | (np.asarray(peaks) > _SURELY_DB))


@dataclass(frozen=True, slots=True)
class _Objects:
    """Objects by number (from 1): where each is, its pixels, and whether it is surely one."""

    labels: npt.NDArray[np.int_]
    sizes: npt.NDArray[np.int_]
    sure: npt.NDArray[np.bool_]

    @property
    def at_most(self) -> int:
        """How many aircraft they may be, those that may be chance among them."""
        return int(np.ceil(self.sizes / _LARGEST_PX).sum())


def measured_aircraft(
    looks: Sequence[RadarApronLook], area_id: str, apron: Bools, ring: Bools, procedure: str
) -> Iterator[tuple[str, Measured]]:
    """Measure every look that has fifteen before it, by those before it; with the key of each."""
    for place in range(LOOKS_OF_LEAST, len(looks)):
        risen = _risen([each.levels for each in looks[: place + 1]], apron, ring)
        yield looks[place].key, _told(risen, area_id, apron, procedure)


def _told(risen: _Risen, area_id: str, apron: Bools, procedure: str) -> Measured:
    if risen.fault:
        return Measured(area_id, AIRCRAFT, None, risen.seen_share, risen.fault, procedure=procedure)
    found = risen.objects(apron)
    return Measured(
        area_id,
        AIRCRAFT,
        float(found.sure.sum()),
        risen.seen_share,
        low=float(found.sure.sum()),
        # One in four is missed, so none found is not none there.
        high=float(max(1, math.ceil(found.at_most / FOUND_OF_LARGE))),
        procedure=procedure,
        note="Bright objects of the size of aircraft, of those alone that were gone in one of the fifteen looks before.",
    )


def _risen(levels: Sequence[Floats32], apron: Bools, ring: Bools) -> _Risen:
    """Hold the last of these looks against the least of the fifteen before it that are like it as a whole."""
    now = levels[-1]
    share = float(np.isfinite(now[apron]).mean()) if apron.any() else 0.0
    usual = _middle(np.stack([each[ring] for each in levels[:-1]]))
    shifts = [float(_middle(each[ring] - usual)) for each in levels]
    fault = ""
    if share < LEAST_SEEN:
        fault = f"only {share:.0%} of it was seen"
    elif not math.isfinite(shifts[-1]):
        fault = "too little of the ground around it was seen to compare with"
    elif abs(shifts[-1]) > MOST_SHIFT_DB:
        way = "brighter" if shifts[-1] > 0 else "darker"
        fault = f"the ground around it is {abs(shifts[-1]):.1f} dB {way} than before, as wet snow, rain or frost make it"
    like = [
        each[apron] - shift
        for each, shift in zip(levels[:-1], shifts[:-1], strict=True)
        if math.isfinite(shift) and abs(shift) <= MOST_SHIFT_DB
    ][-LOOKS_OF_LEAST:]
    if not fault and len(like) < _FEWEST_BEFORE:
        fault = "too few looks before it show the ground as it is now"
    rise = np.full(now.shape, np.nan, np.float32)
    if fault:
        return _Risen(rise, rise, share, fault)
    before = np.stack(like)
    own = _own_shift(now[apron] - shifts[-1], before)
    known = np.isfinite(before).sum(axis=0) >= _FEWEST_BEFORE
    least = np.where(known, np.nanmin(np.where(np.isfinite(before), before, np.inf), axis=0), np.nan)
    rise[apron] = now[apron] - shifts[-1] - own - least
    limit = np.full_like(rise, np.inf)
    limit[apron] = _limits_db(before)
    return _Risen(rise, limit, share)


def _own_shift(now: Floats32, before: Floats32) -> float:
    """How much darker or brighter the empty apron is than the ground around says: its lower half tells."""
    middle = _middle(before)
    gap = now - middle
    known = gap[np.isfinite(gap)]
    return float(np.quantile(known, 0.4)) if len(known) else 0.0


def _limits_db(before: Floats32) -> Floats32:
    """From where on each pixel is no chance: by the usual spread of the apron's pixels, or its own where that is larger.

    Most pixels of an apron are empty most of the time, so that is speckle; at its edge grass and walls move more. What spreads
    more still is a stand that is used, and is taken for no more than that.
    """
    away = _middle(np.abs(before - _middle(before))) * _NORMAL_MAD
    known = away[np.isfinite(away)]
    usual = float(np.median(known)) if len(known) else 0.0
    spreads = np.clip(np.nan_to_num(away, nan=usual), usual, _MOST_SPREAD * usual)
    return np.array([chance_limit_db(float(each), len(before)) for each in spreads], np.float32)


def _middle(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The median of what is known, over the first axis (or of all of one axis); NaN where nothing is."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.inf)
    ordered = np.sort(filled, axis=0)
    count = known.sum(axis=0)
    places = np.maximum(count - 1, 0) / 2
    low, high = (
        np.take_along_axis(ordered, each[np.newaxis], axis=0)[0]
        for each in (np.floor(places).astype(int), np.ceil(places).astype(int))
    )
    return np.where(count > 0, (low + high) / 2, np.nan)


def chance_limit_db(spread_db: float, looks: int) -> float:
    """How far above the least of so many looks one more look lies once in ten thousand, under speckle of this spread."""
    # Coarse steps, so that few limits are reckoned.
    return _limit(round(max(spread_db, 0.5) * 5) / 5, looks)


@cache
def _limit(spread_db: float, looks: int) -> float:
    rng = np.random.default_rng(_SEED)
    enl = _looks_of(spread_db)
    before = np.full(_DRAWS, np.inf)
    for _ in range(looks):
        before = np.minimum(before, rng.gamma(enl, 1 / enl, _DRAWS))
    now = rng.gamma(enl, 1 / enl, _DRAWS)
    return float(np.quantile(10 * np.log10(now / before), 1 - _PIXEL_CHANCE))


def _looks_of(spread_db: float) -> float:
    """The equivalent number of looks at which a pixel in dB spreads so: from the trigamma function, (10/ln 10)² ψ'(L)."""
    low, high = 0.5, 400.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        if _spread_of(middle) > spread_db:
            low = middle
        else:
            high = middle
    return low


def _spread_of(looks: float) -> float:
    # ψ'(x) by its recurrence and its series beyond 6.
    total, x = 0.0, looks
    while x < 6:  # noqa: PLR2004 - from where the series is good
        total += 1 / x**2
        x += 1
    total += 1 / x + 1 / (2 * x**2) + 1 / (6 * x**3) - 1 / (30 * x**5)
    return 10 / math.log(10) * math.sqrt(total)


def study_aircraft(
    looks: Sequence[RadarApronLook],
    area: tuple[str, str],
    apron: Bools,
    ring: Bools,
    said: Sequence[Measured],
) -> Admission:
    """Learn what size of aircraft would be found on an apron (`area` has id and name), by laying some into its own looks."""
    values = [each.value for each in said if each.value is not None]
    usable = [LOOKS_OF_LEAST + place for place, each in enumerate(said) if each.value is not None]
    levels = [each.levels for each in looks]
    best, seen = None, 0
    for size, section in AIRCRAFT_SIZES_M.items():
        if not usable:
            break
        rng = np.random.default_rng([_SEED, int(size)])
        found = sum(
            _is_found(levels[: usable[each % len(usable)] + 1], apron, ring, section, rng)
            for each in range(TRIALS)
        )
        if found >= SEEN_TRIALS:
            best, seen = size, found
            break
        seen = found
    return Admission(
        *area,
        AIRCRAFT,
        len(looks),
        len(values),
        float(np.median(values)) if values else None,
        float(np.quantile(values, 0.95, method="higher")) if values else None,
        best,
        seen,
        _fault(said, len(looks), len(values), best, seen),
    )


def _fault(said: Sequence[Measured], looks: int, measured: int, best: float | None, seen: int) -> str:
    if measured < LEAST_APRON_LOOKS:
        faults = [each.fault for each in said if each.fault]
        why = f" (of the others, most often: {max(set(faults), key=faults.count)})" if faults else ""
        return (
            f"{LOOKS_OF_LEAST} looks of this orbit say what an empty stand looks like and {LEAST_APRON_LOOKS} more how much that "
            f"varies; of {looks} looks {measured} could be measured{why}"
        )
    return "" if best is not None else f"aircraft of 60 m laid onto it were found {seen} times of {TRIALS}"


LEAST_APRON_LOOKS = 8


def _is_found(
    levels: Sequence[Floats32], apron: Bools, ring: Bools, section: float, rng: np.random.Generator
) -> bool:
    """Whether an aircraft laid onto the apron in the last of these looks is among what rises there."""
    rows, columns = np.nonzero(apron)
    if not len(rows):
        return False
    at = rng.integers(len(rows))
    row, column = int(rows[at]), int(columns[at])
    risen = _risen([*levels[:-1], with_aircraft(levels[-1], row, column, section, rng)], apron, ring)
    if risen.fault:
        return False
    found = risen.objects(apron)
    near = np.unique(found.labels[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2])
    return any(bool(found.sure[number - 1]) for number in near if number)


def with_aircraft(
    levels: Floats32, row: int, column: int, section: float, rng: np.random.Generator
) -> Floats32:
    """A look with an aircraft in it: its echo swings with how it stands, and spreads over the pixels around."""
    whole = section * 10 ** (rng.normal(0, 4) / 10) * rng.exponential(1)
    spread = np.exp(
        -0.5
        * (
            (np.arange(-1, 2)[:, np.newaxis] - rng.uniform(-0.5, 0.5)) ** 2
            + (np.arange(-1, 2) - rng.uniform(-0.5, 0.5)) ** 2
        )
        / 0.3
    )
    spread *= rng.dirichlet(np.ones(9)).reshape(3, 3) * 9
    spread /= spread.sum()
    found = levels.copy()
    for down in range(3):
        for right in range(3):
            y, x = row + down - 1, column + right - 1
            if 0 <= y < levels.shape[0] and 0 <= x < levels.shape[1] and np.isfinite(levels[y, x]):
                power = 10 ** (float(levels[y, x]) / 10) + whole * spread[down, right] / _PIXEL_M2
                found[y, x] = 10 * math.log10(power)
    return found


def apron_words(admission: Admission, orbit: str) -> str:
    """Say for people what is found on an apron, seen from one orbit."""
    what = f"Large aircraft in {admission.area_name}, radar from {orbit}"
    if admission.fault:
        return f"{what}: not measurable here: {admission.fault}."
    return (
        f"{what}: measurable here from {admission.clear_looks} looks, through cloud; it usually says {admission.usual:,.0f}, and 19 times "
        f"of 20 at most {admission.highest:,.0f}; an aircraft of about {admission.smallest:,.0f} m would be found, "
        f"{admission.seen} times of {TRIALS}. What never leaves within fifteen looks is not counted."
    )
