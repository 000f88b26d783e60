"""One number for each zone and look: changed ground, what is new and stays, bright targets, occupied track and berth.

Pixels never alarm. What they add up to in a zone goes to the ordinary rules, with the share of the zone that was seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.imagery.classes import box_mean, widened
from monitor.imagery.codes import BANDS, MISSING, Codes, decode
from monitor.imagery.grid import (
    BERTH_KINDS,
    OPEN_GROUND_KINDS,
    PIXEL_M,
    PIXEL_M2,
    TRACK_KINDS,
    WATER_KINDS,
    Bools,
    Floats32,
    Zone,
)
from monitor.imagery.grid_vessels import ShownVessels, vessels_shown
from monitor.imagery.history import (
    Departure,
    UsualPixels,
    chi_squared_limit,
    coherent,
    departure,
    squared_distance,
    still_ground,
)

CHANGED, STAYING, BRIGHT = "changed_area_m2", "new_area_m2", "bright_target_m2"
TRACK, BERTH = "occupied_track_m", "occupied_berth_m"
SHIPS = "ships_present"
HOLDS_FOR = 3
"""A change that so many clear looks in a row show is new and stays."""
LEAST_SHARE = 0.5
"""With less of a zone seen there is no number."""
_NIR = BANDS.index("nir")
_VISIBLE = slice(0, 3)
_BRIGHT_SPREADS, _BRIGHT_REFLECTANCE = 4.0, 0.04
_TRACK_SPREADS = 3.7, 2.5
"""How rare a piece of track must look to be surely occupied, and to belong to a train of which another piece is."""
_ALONG = 3
"""Steps along a track that are taken together: 30 m, two wagons."""
_BESIDE_PX = (2, 12)
_FEWEST_BESIDE = 50
_TINY = 1e-6
_SHIP_SPREADS, _SHIP_CODES = 5.0, 12.0
_FEWEST_WATER_PX = 50
_NORMAL_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of one zone in one look; `value` None: it cannot be told, and `fault` says why."""

    area_id: str
    metric: str
    value: float | None
    seen_share: float
    fault: str = ""
    low: float | None = None
    high: float | None = None
    """What the value may stand for, 95 %, where that was measured."""
    procedure: str = ""
    """How it was measured, '' where that is the common way."""
    note: str = ""

    @property
    def scaled(self) -> float:
        """The value as if all of the zone had been seen; raises ValueError where there is none."""
        if self.value is None:
            raise ValueError("nothing was measured")
        return self.value / self.seen_share


@dataclass(frozen=True, slots=True)
class Look:
    """What the measures of one look rest on. `before` are what earlier looks showed, newest first: seen and left."""

    codes: Codes
    departure: Departure
    water: Bools
    before: Sequence[tuple[Bools, Bools]] = ()


def look_against(
    codes: Codes,
    usual: UsualPixels,
    zones: Sequence[Zone],
    water: Bools,
    before: Sequence[tuple[Bools, Bools]],
) -> Look:
    """Hold the pixels of one look against the usual; the ground around all zones says how the scene as a whole is."""
    ring = ~np.logical_or.reduce([zone.mask for zone in zones])
    return Look(codes, departure(codes, usual, ring), water, before)


def metrics_of(zone: Zone) -> tuple[str, ...]:
    """What is measured of a zone, by its kind."""
    if zone.steps is not None:
        return (TRACK,) if zone.kind in TRACK_KINDS else (BERTH,) if zone.kind in BERTH_KINDS else ()
    if zone.kind in OPEN_GROUND_KINDS:
        return CHANGED, STAYING, BRIGHT
    if zone.kind in WATER_KINDS:
        return CHANGED, STAYING, SHIPS
    return CHANGED, STAYING


def measures(look: Look, zones: Sequence[Zone]) -> Iterator[Measured]:
    """Measure every zone of one look."""
    staying = _staying(look)
    shown = (
        vessels_shown(look.codes, look.water) if any(SHIPS in metrics_of(zone) for zone in zones) else None
    )
    for zone in zones:
        for metric in metrics_of(zone):
            if metric == STAYING:
                yield _area(zone, metric, staying[0], staying[1], look.departure.fault)
            elif metric == SHIPS and shown is not None:
                yield _ships(shown, zone)
            else:
                yield measure(look, zone, metric)


def measure(look: Look, zone: Zone, metric: str) -> Measured:
    """One measure of one zone; what is new and stays needs the looks before it."""
    shown = look.departure
    if metric == CHANGED:
        return _area(zone, metric, shown.left, shown.seen, shown.fault)
    if metric == STAYING:
        left, seen = _staying(look)
        return _area(zone, metric, left, seen, shown.fault)
    if metric == BRIGHT:
        return _area(zone, metric, _bright(look), shown.seen, shown.fault)
    if metric == TRACK:
        return _track(look, zone)
    if metric == SHIPS:
        return _ships(vessels_shown(look.codes, look.water), zone)
    return _berth(look, zone)


def _ships(shown: ShownVessels, zone: Zone) -> Measured:
    """Vessels away from quays whose hull lies in a zone; those at quays are said in metres and not counted."""
    share = shown.seen_share(zone.mask)
    found = shown.vessels
    if found is None or share < LEAST_SHARE:
        return _told(zone, SHIPS, 0.0, share, shown.fault)
    inside = found.within(zone.mask)
    moored = inside.moored_length_m
    return Measured(
        zone.area_id,
        SHIPS,
        float(inside.count),
        share,
        low=inside.low,
        high=inside.high,
        procedure=f"imagery/msi/{inside.procedure}",
        note=f"At quays about {moored:,.0f} m look like vessels; they are not counted." if moored else "",
    )


def _area(zone: Zone, metric: str, left: Bools, seen: Bools, fault: str) -> Measured:
    share = float((seen & zone.mask).sum() / max(1, zone.pixels))
    return _told(zone, metric, float((left & zone.mask).sum()) * PIXEL_M2, share, fault)


def _told(zone: Zone, metric: str, value: float, share: float, fault: str) -> Measured:
    if fault:
        return Measured(zone.area_id, metric, None, share, fault)
    if share < LEAST_SHARE:
        return Measured(zone.area_id, metric, None, share, f"only {share:.0%} of it could be judged")
    return Measured(zone.area_id, metric, value, share)


def _staying(look: Look) -> tuple[Bools, Bools]:
    """What three clear looks in a row show as changed, and where there were three."""
    shown = look.departure
    seen_times = np.zeros(shown.seen.shape, np.uint8)
    run = np.zeros_like(seen_times)
    for seen, left in [(shown.seen, shown.left), *look.before]:
        open_still = seen & (seen_times < HOLDS_FOR)
        run += open_still & left
        seen_times += open_still
        if (seen_times[shown.seen] >= HOLDS_FOR).all():
            break
    whole = seen_times >= HOLDS_FOR
    # A place that is hidden now says nothing new.
    return coherent(whole & (run >= HOLDS_FOR) & shown.seen), whole & shown.seen


def _bright(look: Look) -> Bools:
    shown = look.departure
    rise, spread = shown.rise[_VISIBLE], shown.spread[_VISIBLE]
    now = decode(look.codes[_VISIBLE])
    before = decode(np.clip(look.codes[_VISIBLE] - rise, 0, None))
    stands_out = (rise > _BRIGHT_SPREADS * spread).all(axis=0)
    return coherent(shown.seen & stands_out & ((now - before).mean(axis=0) > _BRIGHT_REFLECTANCE))


def _track(look: Look, zone: Zone) -> Measured:
    shown, zone = _cropped(look.departure, zone)
    held = shown.seen & zone.mask
    rise, spread = _along(zone, shown.rise, held), _along(zone, shown.spread, held)
    there = np.isfinite(rise[0])
    share = float(there.mean()) if there.size else 0.0
    if shown.fault or share < LEAST_SHARE:
        return _told(zone, TRACK, 0.0, share, shown.fault)
    together = _smooth(rise / spread)
    beside = _beside(zone, shown)
    if beside.shape[1] < _FEWEST_BESIDE:
        return _told(zone, TRACK, 0.0, 0.0, "no ground beside it was seen to compare with")
    middle = np.median(beside, axis=1)[:, np.newaxis]
    inverse = still_ground(beside - middle)
    distance = squared_distance((together - middle).astype(np.float32), inverse)
    distance = np.where(there, np.nan_to_num(distance), 0)
    surely, perhaps = (distance > chi_squared_limit(len(rise), each) for each in _TRACK_SPREADS)
    occupied = _runs(perhaps, surely, _ALONG)
    return _told(zone, TRACK, min(zone.length_m, float(occupied.sum()) * PIXEL_M), share, "")


def _cropped(shown: Departure, zone: Zone) -> tuple[Departure, Zone]:
    """The part of a look around one zone."""
    rows, columns = (np.flatnonzero(zone.mask.any(axis=axis)) for axis in (1, 0))
    margin = _BESIDE_PX[1] + 2
    window = tuple(slice(max(0, each[0] - margin), each[-1] + margin + 1) for each in (rows, columns))
    bands = (slice(None), *window)
    smaller = replace(
        shown,
        seen=shown.seen[window],
        left=shown.left[window],
        rise=shown.rise[bands],
        spread=shown.spread[bands],
    )
    return smaller, replace(zone, mask=zone.mask[window])


def _along(zone: Zone, values: Floats32, held: Bools) -> npt.NDArray[np.float64]:
    """The mean of each band over the held pixels of each step (band, step); NaN where none is."""
    assert zone.steps is not None
    steps = zone.steps[held[zone.mask]]
    size = int(zone.steps.max()) + 1
    count = np.bincount(steps, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([np.bincount(steps, band[held], minlength=size) / count for band in values])


def _beside(zone: Zone, shown: Departure) -> Floats32:
    """What pieces of ground beside a track did, each as large as a piece of the track (band, piece)."""
    near, far = _BESIDE_PX
    seen = shown.seen
    beside = seen & widened(zone.mask, far) & ~widened(zone.mask, near)
    share = np.maximum(box_mean(seen.astype(np.float32), 1), _TINY)
    scaled = np.where(seen, shown.rise / shown.spread, 0)
    return np.stack([(box_mean(band, 1) / share)[beside] for band in scaled])


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of three steps that stand together, of those that are known."""
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=np.nan)
    three = np.stack([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]])
    known = np.isfinite(three)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, three, 0).sum(axis=0) / known.sum(axis=0))


def _runs(perhaps: Bools, surely: Bools, least: int) -> Bools:
    """Rows of at least so many steps that are perhaps occupied, one of them surely."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], perhaps, [False]]).astype(np.int8)))
    kept = np.zeros_like(perhaps)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        kept[start:end] = end - start >= least and bool(surely[start:end].any())
    return kept


def _berth(look: Look, zone: Zone) -> Measured:
    """Steps of a quay beside which something stands in water; no history is needed, for water is dark in infrared."""
    assert zone.steps is not None
    held = look.codes[0] != MISSING
    # A pixel half of quay is always brighter than water.
    open_water = look.water & ~widened(~look.water, 1)
    places = zone.mask & open_water
    if not places.any():
        return Measured(zone.area_id, BERTH, None, 0.0, "no water has been seen beside it in any clear look")
    steps = np.unique(zone.steps[places[zone.mask]])
    seen = np.unique(zone.steps[(places & held)[zone.mask]])
    share = len(seen) / len(steps)
    level = look.codes[_NIR][open_water & held & ~zone.mask].astype(np.float32)
    if len(level) < _FEWEST_WATER_PX:
        return Measured(zone.area_id, BERTH, None, share, "too little open water around it to compare with")
    middle = float(np.median(level))
    above = max(_SHIP_CODES, _SHIP_SPREADS * _NORMAL_MAD * float(np.median(np.abs(level - middle))))
    hulls = coherent(places & held & (look.codes[_NIR].astype(np.float32) - middle > above))
    occupied = np.unique(zone.steps[hulls[zone.mask]])
    return _told(zone, BERTH, float(len(occupied)) * PIXEL_M, share, "")
