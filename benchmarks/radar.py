"""What radar measures say where nothing comes or goes, and what they see of metal and of aircraft of known size.

Run: python -m benchmarks.radar [WORLDS]
All of it is an invented world (`tests/kit/radar.py`): no open series of radar pixels with known aircraft was at hand. Speckle, corners
that one orbit sees and another does not, wet snow, rain, seasons, wind over water and satellites that differ are in it. Every number
comes out of the code that runs live, at its default settings; beside it stands a naive rival.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from shapely import box
from shapely.affinity import rotate

from alerts.watch import SiteWatch, merge_watch
from benchmarks.imagery_changes import alarms_of
from db.records import Observation, SeriesKey
from monitor.imagery.measures import Measured
from monitor.imagery.radar import (
    BRIGHT_RADAR,
    RING_AREA,
    OrbitLook,
    ZoneNumbers,
    counted_by_level,
    decibels,
    measured_radar,
    usual_radar,
)
from monitor.imagery.radar_aircraft import AIRCRAFT, LOOKS_OF_LEAST, RadarApronLook, measured_aircraft
from monitor.imagery.radar_passes import radar_zones
from monitor.imagery.radar_pixels import burst_codes, burst_levels
from monitor.imagery.windows import projected
from monitor.sites import Area
from tests.kit.cast import QUIET_FIELD
from tests.kit.radar import ASCENDING, DESCENDING, Metal, Orbit, RadarPass, RadarWorld, square, times

FIRST = datetime(2022, 1, 1, tzinfo=UTC)
LOOKS = 75
WEST, SOUTH, EAST, NORTH = QUIET_FIELD.geometry.bounds
APRON = Area("apron", "Apron", "apron", box(WEST + 0.008, SOUTH + 0.004, WEST + 0.016, SOUTH + 0.008))
YARD = Area("yard", "Yard", "yard", box(WEST + 0.02, SOUTH + 0.010, WEST + 0.026, SOUTH + 0.014))
SITE = replace(QUIET_FIELD, areas=(APRON, YARD))
SATELLITES = ("sentinel-1a", "sentinel-1c", "sentinel-1d")
LENGTHS = {20.0: 10**1.8, 35.0: 10**2.6, 60.0: 10**3.3}
"""Radar cross-section (m²) of aircraft by length, before direction and chance swing it by several decibels."""
METAL_M2 = (400.0, 1_000.0, 4_000.0)
METAL_POWER = 10**0.5


@dataclass(frozen=True)
class Series:
    """What one zone of one world said, look by look."""

    site: str
    zone: str
    metric: str
    found: list[tuple[datetime, Measured]]


def passes(orbit: Orbit, rng: np.random.Generator, count: int = LOOKS) -> list[RadarPass]:
    """Looks of one orbit: one of twelve in wet snow, one of eight in rain, by three satellites in turn."""
    return [
        RadarPass(
            at,
            orbit,
            platform=SATELLITES[place % 3],
            wet_snow=bool(rng.random() < 1 / 12),
            rain=bool(rng.random() < 1 / 8),
        )
        for place, at in enumerate(times(FIRST, count, orbit))
    ]


def world(seed: int) -> RadarWorld:
    """One place; every third lies at the sea."""
    assert APRON.geometry is not None
    return RadarWorld(
        SITE, seed=1_000 + seed, paved=[APRON.geometry], water_share=0.4 if seed % 3 == 0 else 0.0
    )


def fine_look(place: RadarWorld, one: RadarPass) -> tuple[OrbitLook, NDArray[np.float32]]:
    """One look as the statistics service and the burst archive would tell it: numbers by zone, and VV in dB of 30 m."""
    vv, vh = place.powers(one)
    zones = {
        zone.area_id: ZoneNumbers(
            counted_by_level(decibels(vv[mask])),
            float(vv[mask].mean()),
            float(vh[mask].mean()),
            one.orbit.angle_deg,
            1.0,
        )
        for zone, shape in radar_zones(SITE, place.epsg)
        if (mask := place.covers(shape)).any()
    }
    coarse = _coarse(vv)
    levels = burst_levels(burst_codes(coarse, None, None))[0]
    return OrbitLook(f"{one.at:%Y%m%d}", one.at, zones), levels


def _coarse(power: NDArray[np.float64]) -> NDArray[np.float32]:
    rows, columns = power.shape
    return power.reshape(rows // 3, 3, columns // 3, 3).mean(axis=(1, 3)).astype(np.float32)


def _coarse_mask(place: RadarWorld, area: str) -> NDArray[np.bool_]:
    shape = next(shape for zone, shape in radar_zones(SITE, place.epsg) if zone.area_id == area)
    mask = place.covers(shape)
    rows, columns = mask.shape
    return np.asarray(mask.reshape(rows // 3, 3, columns // 3, 3).mean(axis=(1, 3)) >= 0.5)


def quiet_series(
    place: RadarWorld, looks: Sequence[tuple[OrbitLook, NDArray[np.float32]]]
) -> Iterator[Series]:
    """What every zone of a quiet place says, and the apron of aircraft."""
    numbers = [each for each, _ in looks]
    for zone, _ in radar_zones(SITE, place.epsg):
        usual = usual_radar(numbers, zone.area_id) if zone.area_id != RING_AREA else None
        if usual is not None:
            told = [
                (look.at, measured_radar(look, zone, usual, "")[0])
                for look in numbers
                if look.at > usual.learned_until
            ]
            yield Series(f"{place.seed}", zone.area_id, BRIGHT_RADAR, told)
    aprons = [RadarApronLook(look.key, levels) for look, levels in looks]
    said = measured_aircraft(
        aprons, "apron", _coarse_mask(place, "apron"), _coarse_mask(place, RING_AREA), ""
    )
    at = {look.key: look.at for look in numbers}
    yield Series(f"{place.seed}", "apron", AIRCRAFT, [(at[key], each) for key, each in said])


def observations(series: Series) -> list[Observation]:
    """What was said as looks that the ordinary rules judge."""
    return [
        Observation(
            series=SeriesKey(series.site, series.zone, series.metric, "", "imagery/sar"),
            kind="stock",
            period_start=at,
            period_end=at,
            look_key=f"{at:%Y%m%d}",
            value=each.value,
            result_time=at,
            recorded_at=at,
            precision="minute",
            assessable=each.value is not None,
            exposure=each.seen_share,
        )
        for at, each in series.found
    ]


def print_false_alarms(all_series: Sequence[Series]) -> None:
    """Alarms of the ordinary rules where nothing came, beside what was promised."""
    print(
        "\n| measure, promise | series | looks measured | not measured | years judged | promised a year | alarms a year (95 %) |"
    )
    print("|---|---|---|---|---|---|---|")
    for metric in (BRIGHT_RADAR, AIRCRAFT):
        for scale in (1, 8):
            spec = merge_watch({metric: {"rules": {"record": {}, "tail": {}}}})
            watch = SiteWatch("site", "Site", "airbase", "UTC", metrics=spec, false_alarms=0.5 * scale)
            some = [observations(each) for each in all_series if each.metric == metric]
            lost = sum(look.value is None for own in some for look in own)
            looks = sum(map(len, some)) - lost
            told = alarms_of(some, watch)
            print(f"| {metric}, {scale} × the default | {len(some)} | {looks} | {lost} | {told.cells} |")


def naive_limit(looks: Sequence[NDArray[np.float32]], apron: NDArray[np.bool_]) -> float:
    """The naive rival: one threshold for the apron, what only a thousandth of its pixels exceeded in the first looks."""
    return float(np.nanquantile(np.concatenate([each[apron] for each in looks[:LOOKS_OF_LEAST]]), 0.999))


def rate(found: int, total: int) -> str:
    """How many of how many, with its interval."""
    interval = binomtest(found, max(1, total)).proportion_ci(method="wilson")
    low, high = interval.low, interval.high
    return f"{found}/{total} = {found / max(1, total):.2f} ({low:.2f}–{high:.2f})"


def aircraft_trials(
    place: RadarWorld, quiet: Sequence[RadarPass], rng: np.random.Generator
) -> Iterator[tuple[str, float, bool, bool]]:
    """Aircraft parked in single looks, beside the same look without: orbit, length, found so, found by a threshold."""
    looks = [fine_look(place, one)[1] for one in quiet[: LOOKS_OF_LEAST + 1]]
    apron, ring = _coarse_mask(place, "apron"), _coarse_mask(place, RING_AREA)
    limit = naive_limit(looks, apron)
    assert APRON.geometry is not None
    west, south, east, north = projected(APRON.geometry, place.epsg).buffer(-60).bounds
    for length, section in LENGTHS.items():
        for number in range(4):
            x, y = rng.uniform(west, east), rng.uniform(south, north)
            outline = rotate(
                box(x - length / 2, y - length / 2.4, x + length / 2, y + length / 2.4), rng.uniform(0, 180)
            )
            thing = Metal(outline, section, f"{place.seed}-{length}-{number}")
            one = replace(quiet[LOOKS_OF_LEAST], things=[thing], wet_snow=False)
            now = fine_look(place, one)[1]
            without = fine_look(place, replace(one, things=[]))[1]
            said = [_apron_says([*looks[:LOOKS_OF_LEAST], each], apron, ring) for each in (without, now)]
            (column, row) = ~place.transform @ (x, y)
            near = np.zeros_like(apron)
            near[
                max(0, int(row) // 3 - 1) : int(row) // 3 + 2,
                max(0, int(column) // 3 - 1) : int(column) // 3 + 2,
            ] = True
            before, after = (np.nan_to_num(each, nan=-99) > limit for each in (without, now))
            naive = bool((after & near & apron).any()) and not (before & near & apron).any()
            yield quiet[0].orbit.state, length, said[1] > said[0], naive


def _apron_says(
    levels: Sequence[NDArray[np.float32]], apron: NDArray[np.bool_], ring: NDArray[np.bool_]
) -> float:
    looks = [RadarApronLook(str(place), each) for place, each in enumerate(levels)]
    ((_, told),) = measured_aircraft(looks, "apron", apron, ring, "")
    return told.value or 0.0


def metal_trials(
    place: RadarWorld, looks: Sequence[OrbitLook], quiet: Sequence[RadarPass]
) -> Iterator[tuple[str, float, bool]]:
    """Stacks of metal in single looks: zone, size, and whether the number is above all but one of twenty quiet ones."""
    for zone, shape in radar_zones(SITE, place.epsg):
        usual = usual_radar(looks, zone.area_id)
        if zone.area_id not in ("apron", "yard") or usual is None:
            continue
        ordinary = [
            each.value
            for look in looks
            if look.at > usual.learned_until
            and (each := measured_radar(look, zone, usual, "")[0]).value is not None
        ]
        if not ordinary:
            continue
        highest = float(np.quantile(ordinary, 0.95, method="higher"))
        for size in METAL_M2:
            for number, one in enumerate(quiet[-3:]):
                stack = Metal(
                    square(shape, math.sqrt(size)), size * METAL_POWER, f"{place.seed}{size}{number}"
                )
                look, _ = fine_look(place, replace(one, things=[stack], wet_snow=False))
                told = measured_radar(look, zone, usual, "")[0]
                yield zone.area_id, size, told.value is not None and told.value > highest


def main() -> None:
    """Print all of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    series: list[Series] = []
    metal: dict[tuple[str, float], list[bool]] = defaultdict(list)
    planes: dict[float, list[tuple[bool, bool]]] = defaultdict(list)
    naive, empty, ours, told = 0, 0, 0, 0
    for seed in range(count):
        place = world(seed)
        orbit = (DESCENDING, ASCENDING)[seed % 2]
        rng = np.random.default_rng([seed, 7])
        quiet = passes(orbit, rng)
        looks = [fine_look(place, one) for one in quiet]
        mine = list(quiet_series(place, looks))
        series += mine
        apron = mine[-1].found
        ours += sum(bool(each.value) for _, each in apron)
        told += sum(each.value is not None for _, each in apron)
        levels = [each for _, each in looks]
        mask = _coarse_mask(place, "apron")
        limit = naive_limit(levels, mask)
        naive += sum(
            bool((np.nan_to_num(each, nan=-99) > limit)[mask].any()) for each in levels[LOOKS_OF_LEAST:]
        )
        empty += len(levels) - LOOKS_OF_LEAST
        for zone, size, seen in metal_trials(place, [each for each, _ in looks], quiet):
            metal[zone, size].append(seen)
        for _, length, found, by_threshold in aircraft_trials(place, quiet, rng):
            planes[length].append((found, by_threshold))
    print(f"Invented world, {count} places, {LOOKS} looks each.")
    print("\n| looks of an empty apron at which something is found | of |")
    print(
        f"|---|---|\n| the least of fifteen: {rate(ours, told)} | measured looks |\n| naive threshold: {rate(naive, empty)} | all looks |"
    )
    print("\n| aircraft | the least of fifteen | naive threshold |\n|---|---|---|")
    for length, pairs in sorted(planes.items()):
        mine_found, naive_found = (sum(each[place] for each in pairs) for place in (0, 1))
        print(f"| {length:.0f} m | {rate(mine_found, len(pairs))} | {rate(naive_found, len(pairs))} |")
    print("\n| metal, 5 dB | 400 m² | 1,000 m² | 4,000 m² |\n|---|---|---|---|")
    for zone in ("apron", "yard"):
        cells = [rate(sum(metal[zone, size]), len(metal[zone, size])) for size in METAL_M2]
        print(f"| {zone} | {' | '.join(cells)} |", flush=True)
    print_false_alarms(series)


if __name__ == "__main__":
    main()
