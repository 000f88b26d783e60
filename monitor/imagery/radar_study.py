"""What radar can do in a zone, learned from its own looks of one orbit: noise, and the smallest thing it would show."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.imagery.measures import Measured
from monitor.imagery.radar import (
    BRIGHT_RADAR,
    LEARNED_LOOKS,
    MEAN_VH,
    MEAN_VV,
    OrbitLook,
    RadarZone,
    UsualRadar,
    ZoneNumbers,
    counted_by_level,
    decibels,
    measured_radar,
    usual_radar,
)
from monitor.imagery.study import LEAST_MEASURED, SEEN_TRIALS, TRIALS, Admission, why_the_others

METAL_SIZES_M2 = (400.0, 1_000.0, 4_000.0)
METAL_POWER = 10 ** (5 / 10)
"""What wagons, stacks and hulls give back a square metre of ground (γ0): 5 dB, and less where they stand askew."""
SPECKLE_LOOKS = 4.4
"""Equivalent number of looks of the usual product of 10 m."""
_TOGETHER = 3
"""Pixels of 10 m that share their speckle: the radar itself sees some 20 m."""
_PIXEL_M2 = 100.0
_ORDINARY = 0.95
_SEED = 20_150_815


@dataclass(frozen=True, slots=True)
class OrbitStudy:
    """What the measures of one orbit can do in every zone, and what they said of each look, in order of time."""

    admissions: list[Admission]
    said: list[tuple[OrbitLook, list[Measured]]]


def study_orbit(
    looks: Sequence[OrbitLook],
    zones: Sequence[RadarZone],
    procedure: str,
    settled: Collection[tuple[str, str]] = (),
) -> OrbitStudy:
    """Measure all looks of one orbit in every zone, and learn what each measure can do.

    Of measures that are `settled` (area id and metric) nothing is learned: it was, and nothing is tried again for them.
    """
    ordered = sorted(looks, key=lambda each: (each.at, each.key))
    found: dict[str, list[Measured]] = {each.key: [] for each in ordered}
    admissions = []
    for zone in zones:
        usual = usual_radar(ordered, zone.area_id)
        later = [] if usual is None else [each for each in ordered if each.at > usual.learned_until]
        said = [] if usual is None else [measured_radar(look, zone, usual, procedure) for look in later]
        for look, some in zip(later, said, strict=True):
            found[look.key] += some
        wanted = [each for each in (BRIGHT_RADAR, MEAN_VV, MEAN_VH) if (zone.area_id, each) not in settled]
        tried = {} if usual is None or BRIGHT_RADAR not in wanted else _tried(later, said, zone, usual)
        for metric in wanted:
            of_metric = [each for some in said for each in some if each.metric == metric]
            if of_metric or metric == BRIGHT_RADAR:
                admissions.append(_admission(zone, metric, len(ordered), of_metric, tried))
    return OrbitStudy(admissions, [(look, found[look.key]) for look in ordered if found[look.key]])


def _tried(
    later: Sequence[OrbitLook], said: Sequence[Sequence[Measured]], zone: RadarZone, usual: UsualRadar
) -> Mapping[float, tuple[int, int]]:
    """For each size: how many of how many pieces of metal laid into the looks were seen."""
    values = [some[0] for some in said]
    whole = [each.scaled for each in values if each.value is not None]
    if not whole:
        return {}
    highest = float(np.quantile(whole, _ORDINARY, method="higher"))
    usable = [look for look, each in zip(later, values, strict=True) if each.value is not None]
    tried = {}
    for size in METAL_SIZES_M2:
        if size > zone.area_m2 / 2:
            continue
        rng = np.random.default_rng([_SEED, int(size)])
        planted = [_laid(usable[each % len(usable)], zone, size, rng) for each in range(TRIALS)]
        again = [measured_radar(look, zone, usual, "")[0] for look in planted]
        tried[size] = (sum(each.scaled > highest for each in again), TRIALS)
    return tried


def _laid(look: OrbitLook, zone: RadarZone, size_m2: float, rng: np.random.Generator) -> OrbitLook:
    """The look with metal of that size in the zone, in place of ordinary ground."""
    found = look.zones[zone.area_id]
    ground = metal_laid(np.asarray(found.counts), zone.area_m2 * found.seen_share, size_m2, rng)
    changed: ZoneNumbers = replace(found, counts=tuple(ground.tolist()))
    return replace(look, zones={**look.zones, zone.area_id: changed})


def metal_laid(
    counts: npt.NDArray[np.int_], seen_m2: float, size_m2: float, rng: np.random.Generator
) -> npt.NDArray[np.int_]:
    """Pixels by level, so many of them as the size takes of what was seen drawn anew as metal under speckle."""
    pixels = min(int(counts.sum()), max(1, round(size_m2 / seen_m2 * counts.sum())))
    # Coarser pixels have a speckle of their own each.
    fine = seen_m2 / max(1, counts.sum()) <= 2 * _PIXEL_M2
    groups = -(-pixels // _TOGETHER) if fine else pixels
    powers = METAL_POWER * rng.gamma(SPECKLE_LOOKS, 1 / SPECKLE_LOOKS, groups)
    laid = np.repeat(decibels(powers), _TOGETHER if fine else 1)[:pixels]
    taken = rng.multivariate_hypergeometric(counts, pixels, method="marginals")
    return np.asarray(counts - taken + np.asarray(counted_by_level(laid)), int)


def _admission(
    zone: RadarZone,
    metric: str,
    looks: int,
    found: Sequence[Measured],
    tried: Mapping[float, tuple[int, int]],
) -> Admission:
    whole = [
        each.scaled if metric == BRIGHT_RADAR else each.value for each in found if each.value is not None
    ]
    known = [float(each) for each in whole if each is not None]
    best = None
    if metric == BRIGHT_RADAR:
        best = next(
            (size for size, (seen, total) in tried.items() if seen * TRIALS >= SEEN_TRIALS * total), None
        )
    admission = Admission(
        zone.area_id,
        zone.name,
        metric,
        looks,
        len(known),
        float(np.median(known)) if known else None,
        float(np.quantile(known, _ORDINARY, method="higher")) if known else None,
        best,
        0 if best is None else tried[best][0],
    )
    return replace(admission, fault=_fault(admission, found, tried))


def _fault(admission: Admission, found: Sequence[Measured], tried: Mapping[float, tuple[int, int]]) -> str:
    if admission.measured < LEAST_MEASURED:
        return (
            f"{LEARNED_LOOKS} looks of this orbit say what is usual and {LEAST_MEASURED} more how much it varies; of "
            f"{admission.clear_looks} looks {admission.measured} could be measured{why_the_others(found)}"
        )
    if admission.metric != BRIGHT_RADAR or admission.smallest is not None:
        return ""
    if not tried:
        return "it is too small for anything to be tried in it"
    size, (seen, total) = list(tried.items())[-1]
    return f"{size:,.0f} m² of metal laid into it were seen {seen} times of {total}"


def radar_words(admission: Admission, orbit: str) -> str:
    """Say for people what a radar measure can do in its zone, seen from one orbit."""
    where = f"in {admission.area_name}" if admission.area_id else "over the whole site"
    what = f"{_WHAT[admission.metric]} {where}, radar from {orbit}"
    if not admission.admitted:
        return f"{what}: not measurable here: {admission.fault}."
    return f"{what}: measurable here from {admission.clear_looks} looks, through cloud; {''.join(_can(admission))}."


def _can(admission: Admission) -> Iterator[str]:
    unit = _UNITS[admission.metric]
    yield (
        f"without anything going on it says {admission.usual:,.0f}{unit}, and 19 times of 20 at most "
        f"{admission.highest:,.0f}{unit}"
    )
    if admission.smallest is not None:
        yield f"; it would see about {admission.smallest:,.0f} m² of metal, {admission.seen} times of {TRIALS}"
    if admission.metric != BRIGHT_RADAR:
        yield "; satellites alone differ by a quarter, so a smaller change of it means nothing"


_WHAT = {BRIGHT_RADAR: "Bright ground", MEAN_VV: "Mean echo (VV)", MEAN_VH: "Mean echo (VH)"}
_UNITS = {BRIGHT_RADAR: " m²", MEAN_VV: " ‰", MEAN_VH: " ‰"}
