"""What radar shows of a zone: how bright its pixels are in one look, and how much of it is brighter than it was.

Everything is of one relative orbit: corner reflections swing with the direction of the look by more than any cargo does. The
first looks of an orbit say how bright the zone and the ground around it are; later ones are measured by those.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.imagery.measures import Measured

BRIGHT_RADAR, MEAN_VV, MEAN_VH = "radar_bright_m2", "radar_vv", "radar_vh"
LOW_DB, STEP_DB, BINS = -35.0, 0.5, 120
HIGH_DB = LOW_DB + STEP_DB * BINS
RING_AREA = "~"
"""The ground around a site, which says how the look as a whole is; no area has such an id."""
LEARNED_LOOKS = 10
"""So many first looks of an orbit say what is usual, and are not measured themselves."""
BRIGHT_SHARE, LEAST_BRIGHT_SHARE, METAL_DB = 0.001, 0.01, 0.0
"""What only a thousandth of a zone's pixels exceeded in those looks is bright; where that lies above 0 dB, beyond which stacks,
wagons and hulls stand, it is lower, but never so low that more than a hundredth exceeded it."""
LEAST_SEEN = 0.5
MOST_SHIFT_DB = 3.0
"""Beyond that the ground has changed as a whole: wet snow, rain, frost."""
MOST_TURN_DEG = 1.5
"""One orbit sees a place at one angle, within some tenths of a degree."""
PER_MILLE = 1_000.0
_GROUND_QUANTILE = 0.25
"""The level of a zone's own ground: what stands on three quarters of it does not lift it."""
_MOST_APART_DB = 2.0
"""So far the zone's own ground may differ from the ring in how it changed; beyond that something stands on nearly all of it."""
_RING_QUANTILE = 0.75
"""The level of the ground around: half of that ring may be water, which the wind brightens and darkens."""
_KEYS = ("vv", "vh", "angle_deg")


@dataclass(frozen=True, slots=True)
class ZoneNumbers:
    """How bright one zone is in one look: `counts` of pixels by decibels of VV, mean powers (γ0), mean angle of incidence.

    What lies beyond `LOW_DB` and `HIGH_DB` is counted in the outer steps. `seen_share` is the share of the zone with numbers.
    """

    counts: tuple[int, ...]
    vv: float
    vh: float | None
    angle_deg: float | None
    seen_share: float

    @property
    def pixels(self) -> int:
        """How many pixels were seen."""
        return sum(self.counts)

    def above(self, level_db: float) -> float:
        """The share of the seen pixels that are brighter; between steps they count as spread evenly."""
        place = min(max((level_db - LOW_DB) / STEP_DB, 0.0), float(BINS))
        whole = min(int(place), BINS - 1)
        part = self.counts[whole] * (1 - (place - whole))
        return (sum(self.counts[whole + 1 :]) + part) / max(1, self.pixels)

    def quantile_db(self, share: float) -> float:
        """The level below which so much of the seen pixels lies."""
        return quantile_db(np.asarray(self.counts, float), share)

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        told = {name: getattr(self, name) for name in _KEYS}
        return {"counts": list(self.counts), "seen_share": self.seen_share, **told}


def numbers_from_json(stored: Mapping[str, Any]) -> ZoneNumbers:
    """What `ZoneNumbers.as_json` gave."""
    return ZoneNumbers(tuple(stored["counts"]), **{name: stored[name] for name in (*_KEYS, "seen_share")})


def quantile_db(counts: npt.NDArray[np.float64], share: float) -> float:
    """The level (dB) below which so much of what was counted lies; raises ValueError where nothing was counted."""
    total = counts.sum()
    if not total:
        raise ValueError("no pixel was counted")
    up_to = np.cumsum(counts)
    place = int(np.searchsorted(up_to, share * total))
    inside = (share * total - (up_to[place] - counts[place])) / max(counts[place], 1.0)
    return LOW_DB + STEP_DB * (place + float(inside))


def decibels(power: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Powers in dB; NaN where there is none."""
    known = np.isfinite(power) & (power > 0)
    return np.where(known, 10 * np.log10(np.where(known, power, 1.0)), np.nan).astype(np.float32)


def counted_by_level(levels_db: npt.NDArray[np.float32]) -> tuple[int, ...]:
    """Pixels by steps of dB; NaN is not counted."""
    known = levels_db[np.isfinite(levels_db)]
    places = np.clip(((known - LOW_DB) / STEP_DB).astype(int), 0, BINS - 1)
    return tuple(np.bincount(places, minlength=BINS).tolist())


@dataclass(frozen=True, slots=True)
class RadarZone:
    """A part of a site that is measured by itself; `area_id` '' is the whole site."""

    area_id: str
    name: str
    kind: str
    area_m2: float


@dataclass(frozen=True, slots=True)
class OrbitLook:
    """One look of one relative orbit: what it shows of each area, by id, and of the ring around all."""

    key: str
    at: datetime
    zones: Mapping[str, ZoneNumbers]


@dataclass(frozen=True, slots=True)
class UsualRadar:
    """How bright a zone and the ring around it were in the first looks of an orbit."""

    bright_db: float
    """What is brighter is bright."""
    ground_db: float
    """The level of the zone's own ground."""
    ring_db: float
    angle_deg: float | None
    learned_until: datetime
    """The last look from which it was learned; only later ones are measured."""


def usual_radar(looks: Sequence[OrbitLook], area_id: str) -> UsualRadar | None:
    """Learn from the first looks that show the zone and the ring, in order of time; None while there are too few."""
    shown = [each for each in looks if _shows(each, area_id)][:LEARNED_LOOKS]
    if len(shown) < LEARNED_LOOKS:
        return None
    grounds = [each.zones[area_id].quantile_db(_GROUND_QUANTILE) for each in shown]
    ground_db = float(np.median(grounds))
    pooled = np.zeros(BINS)
    for look, ground in zip(shown, grounds, strict=True):
        pooled += _moved(np.asarray(look.zones[area_id].counts, float), ground_db - ground)
    rare, dull = (quantile_db(pooled, 1 - share) for share in (BRIGHT_SHARE, LEAST_BRIGHT_SHARE))
    angles = [each.zones[area_id].angle_deg for each in shown]
    known = [each for each in angles if each is not None]
    return UsualRadar(
        max(dull, min(rare, METAL_DB)),
        ground_db,
        float(np.median([each.zones[RING_AREA].quantile_db(_RING_QUANTILE) for each in shown])),
        float(np.median(known)) if known else None,
        shown[-1].at,
    )


def _shows(look: OrbitLook, area_id: str) -> bool:
    return all(
        (found := look.zones.get(each)) is not None and found.pixels > 0 and found.seen_share >= LEAST_SEEN
        for each in (area_id, RING_AREA)
    )


def _moved(counts: npt.NDArray[np.float64], by_db: float) -> npt.NDArray[np.float64]:
    """What was counted, as if all were brighter by so much."""
    steps = by_db / STEP_DB
    whole = math.floor(steps)
    part = steps - whole
    return _rolled(counts, whole) * (1 - part) + _rolled(counts, whole + 1) * part


def _rolled(counts: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float64]:
    places = np.clip(np.arange(len(counts)) + steps, 0, len(counts) - 1)
    return np.asarray(np.bincount(places, weights=counts, minlength=len(counts)), float)


def measured_radar(look: OrbitLook, zone: RadarZone, usual: UsualRadar, procedure: str) -> list[Measured]:
    """What one look says of one zone; where it cannot be told, why."""
    found = look.zones.get(zone.area_id)
    share = 0.0 if found is None else found.seen_share
    fault = "it was not seen" if found is None or not found.pixels else _fault(look, found, usual)
    if found is None or fault:
        return [
            Measured(zone.area_id, metric, None, share, fault, procedure=procedure)
            for metric in (BRIGHT_RADAR, MEAN_VV, MEAN_VH)
        ]
    bright = found.above(usual.bright_db + _ground_shift_db(look, found, usual)) * zone.area_m2 * share
    means = {MEAN_VV: found.vv, MEAN_VH: found.vh}
    return [
        Measured(zone.area_id, BRIGHT_RADAR, round(bright, 1), share, procedure=procedure),
        *(
            Measured(zone.area_id, metric, round(power * PER_MILLE, 3), share, procedure=procedure)
            for metric, power in means.items()
            if power is not None
        ),
    ]


def shift_db(look: OrbitLook, usual: UsualRadar) -> float:
    """How much brighter the ground around the site is in this look than it was."""
    return look.zones[RING_AREA].quantile_db(_RING_QUANTILE) - usual.ring_db


def _ground_shift_db(look: OrbitLook, found: ZoneNumbers, usual: UsualRadar) -> float:
    """How much brighter the zone's own ground is than it was: season, moisture and another satellite lift all of it."""
    around = shift_db(look, usual)
    own = found.quantile_db(_GROUND_QUANTILE) - usual.ground_db
    return min(max(own, around - _MOST_APART_DB), around + _MOST_APART_DB)


def _fault(look: OrbitLook, found: ZoneNumbers, usual: UsualRadar) -> str:
    if found.seen_share < LEAST_SEEN:
        return f"only {found.seen_share:.0%} of it was seen"
    ring = look.zones.get(RING_AREA)
    if ring is None or not ring.pixels or ring.seen_share < LEAST_SEEN:
        return "too little of the ground around it was seen to compare with"
    if usual.angle_deg is not None and found.angle_deg is not None:
        turn = abs(found.angle_deg - usual.angle_deg)
        if turn > MOST_TURN_DEG:
            return (
                f"it was seen at {found.angle_deg:.1f}° and this orbit sees it at {usual.angle_deg:.1f}°, so the look is of "
                "another orbit than the catalogue says"
            )
    shift = shift_db(look, usual)
    if abs(shift) > MOST_SHIFT_DB:
        way = "brighter" if shift > 0 else "darker"
        return (
            f"the ground around it is {abs(shift):.1f} dB {way} than in the first looks of this orbit, as wet snow, rain or "
            "frost make it"
        )
    return ""
