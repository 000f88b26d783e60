"""Measuring what is kept of radar over a site, orbit by orbit: what its measures can do, and the looks of those that may be judged.

All of it is reckoned anew out of what is kept whenever a look is added: there are some thirty looks of an orbit in a year.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.radar import radar_admissions, radar_looks, store_radar_admissions
from db.records import Observation, Scene
from db.records.radar import RadarAdmission, RadarLook
from monitor.derive.radar import ZONE_PART, drawn_digest, drawn_zones
from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.kept import unpacked
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.observed import measured_looks
from monitor.imagery.radar import RING_AREA, OrbitLook, RadarZone, ZoneNumbers, numbers_from_json
from monitor.imagery.radar_aircraft import (
    AIRCRAFT,
    APRON_KINDS,
    RadarApronLook,
    apron_words,
    measured_aircraft,
    study_aircraft,
)
from monitor.imagery.radar_passes import orbit_name, radar_zones
from monitor.imagery.radar_pixels import (
    BURST_PIXEL_M,
    burst_grid,
    burst_levels,
    laid_together,
    numbers_of_zone,
    zone_mask,
)
from monitor.imagery.radar_study import OrbitStudy, radar_words, study_orbit
from monitor.imagery.study import Admission
from monitor.imagery.windows import RasterError
from monitor.sites import Site

STATISTICS_PROCEDURE = "imagery/sar/statistics-1"
"""Numbers that a service reckoned; behind it stands the orbit, since looks of two orbits are never compared."""
BURST_PROCEDURE = "imagery/sar/bursts-1"
"""Pixels of 30 m, likewise."""


@dataclass(frozen=True, slots=True)
class RadarStudy:
    """What radar measures of a site can do, each from one orbit, and how many looks there are by procedure."""

    admissions: list[RadarAdmission]
    looks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Aprons:
    """Pixels of one orbit, in order of time, and which of them belong to each apron and to the ring."""

    looks: list[RadarApronLook]
    masks: Mapping[str, Bools]


@dataclass(frozen=True, slots=True)
class _Orbit:
    """All looks of one procedure: one way of seeing from one orbit."""

    procedure: str
    name: str
    looks: list[OrbitLook]
    zones: list[RadarZone]
    drawn: Mapping[str, str]
    """What was drawn of each area, by its id."""
    aprons: _Aprons | None = None


def study_radar(engine: Engine, site: Site, now: datetime, *, anew: bool = False) -> RadarStudy:
    """Measure all radar of a site, store what its measures can do and the looks of those that may be judged.

    What was admitted stays so while nothing is drawn otherwise, or an alarm would take back its own measure; `anew` decides
    all of it again, as a person asks.
    """
    with reading(engine) as connection:
        kept = radar_looks(connection, site.id)
        before = radar_admissions(connection, site.id)
        by_pass = _by_pass(connection, site, kept)
    standing = [] if anew else [each for each in before if each.admitted]
    decided: list[RadarAdmission] = []
    found: list[Observation] = []
    counted: dict[str, int] = {}
    for orbit in [*_orbits(site, kept), *_burst_orbits(site, kept)]:
        counted[orbit.procedure] = len(orbit.looks)
        kept_so = [each for each in standing if _stands(each, orbit)]
        settled = {(each.area, each.metric) for each in kept_so}
        of_ground = study_orbit(orbit.looks, orbit.zones, orbit.procedure, settled)
        study = _with_aircraft(orbit, of_ground, settled)
        some = [*(_decided(site, orbit, learned, now) for learned in study.admissions), *kept_so]
        decided += some
        found += _told(site, study, some, by_pass, now)
    with writing(engine) as connection:
        store_radar_admissions(connection, site.id, decided)
        record_observations(connection, found)
    return RadarStudy(decided, counted)


def _stands(before: RadarAdmission, orbit: _Orbit) -> bool:
    """Whether what was admitted is one of an orbit's measures of a zone that is still drawn so."""
    return before.procedure == orbit.procedure and orbit.drawn.get(before.area) == before.outline


def _by_pass(connection: Connection, site: Site, kept: Sequence[RadarLook]) -> dict[str, list[Scene]]:
    found: dict[str, list[Scene]] = defaultdict(list)
    if kept:
        for scene in scenes(connection, site_id=site.id, since=kept[0].acquired_at):
            found[scene.look_key].append(scene)
    return found


def _orbits(site: Site, kept: Sequence[RadarLook]) -> Iterator[_Orbit]:
    """The looks of each orbit, as far as each zone is drawn today as it was then."""
    epsg = map_of_site(site)
    drawn = {area: digest for area, _, digest in drawn_zones(site, epsg)}
    if not drawn:
        return
    zones = [zone for zone, _ in radar_zones(site, epsg) if zone.area_id != RING_AREA]
    grouped: dict[tuple[int, str], dict[str, list[RadarLook]]] = defaultdict(lambda: defaultdict(list))
    for each in kept:
        if each.part.startswith(ZONE_PART) and drawn.get(each.part.removeprefix(ZONE_PART)) == each.drawn:
            grouped[each.relative_orbit, each.orbit_state][each.look_key].append(each)
    for (number, state), by_look in sorted(grouped.items()):
        name = orbit_name(number, state)
        looks = [_orbit_look(key, parts) for key, parts in by_look.items()]
        yield _Orbit(f"{STATISTICS_PROCEDURE}/{name}", name, looks, zones, drawn)


def _burst_orbits(site: Site, kept: Sequence[RadarLook]) -> Iterator[_Orbit]:
    """The same out of pixels of bursts that lie on the site's own map as it is drawn today."""
    epsg = map_of_site(site)
    try:
        grid, zones = burst_grid(site, epsg), radar_zones(site, epsg)
    except RasterError:
        return
    masks = {zone.area_id: zone_mask(grid, shape) for zone, shape in zones}
    drawn = {zone.area_id: drawn_digest(shape) for zone, shape in zones}
    seen_as = [
        replace(zone, area_m2=float(masks[zone.area_id].sum()) * BURST_PIXEL_M**2)
        for zone, _ in zones
        if zone.area_id != RING_AREA
    ]
    grouped: dict[int, dict[str, list[RadarLook]]] = defaultdict(lambda: defaultdict(list))
    for each in kept:
        if each.codes is not None and each.drawn == grid.digest:
            grouped[each.relative_orbit][each.look_key].append(each)
    for number, by_look in sorted(grouped.items()):
        ordered = sorted(by_look.items(), key=lambda one: (one[1][0].acquired_at, one[0]))
        levels = laid_together(
            [{each.part: burst_levels(unpacked(each.codes or b"")) for each in parts} for _, parts in ordered]
        )
        looks = [
            OrbitLook(key, parts[0].acquired_at, _seen_in(of_pass, masks))
            for (key, parts), of_pass in zip(ordered, levels, strict=True)
        ]
        pixels = [RadarApronLook(look.key, of_pass[0]) for look, of_pass in zip(looks, levels, strict=True)]
        of_aprons = {zone.area_id: masks[zone.area_id] for zone in seen_as if zone.kind in APRON_KINDS}
        aprons = _Aprons(pixels, {**of_aprons, RING_AREA: masks[RING_AREA]})
        name = orbit_name(number, "")
        yield _Orbit(f"{BURST_PROCEDURE}/{name}", name, looks, seen_as, drawn, aprons)


def _seen_in(levels: Floats32, masks: Mapping[str, Bools]) -> dict[str, ZoneNumbers]:
    found = {area: numbers_of_zone(levels, mask) for area, mask in masks.items()}
    return {area: numbers for area, numbers in found.items() if numbers is not None}


def _with_aircraft(orbit: _Orbit, study: OrbitStudy, settled: Collection[tuple[str, str]]) -> OrbitStudy:
    """What was learned of an orbit, with the aircraft on its aprons where its pixels are known.

    Aircraft are laid onto an apron only while it is not settled what would be found there: that takes far the longest.
    """
    if orbit.aprons is None:
        return study
    said = {look.key: (look, list(found)) for look, found in study.said}
    by_key = {look.key: look for look in orbit.looks}
    admissions = list(study.admissions)
    pixels, ring = orbit.aprons.looks, orbit.aprons.masks[RING_AREA]
    for zone in orbit.zones:
        apron = orbit.aprons.masks.get(zone.area_id)
        if apron is None:
            continue
        found = list(measured_aircraft(pixels, zone.area_id, apron, ring, orbit.procedure))
        for key, measured in found:
            said.setdefault(key, (by_key[key], []))[1].append(measured)
        told = [measured for _, measured in found]
        if (zone.area_id, AIRCRAFT) in settled:
            continue
        admissions.append(study_aircraft(pixels, (zone.area_id, zone.name), apron, ring, told))
    return OrbitStudy(admissions, [said[look.key] for look in orbit.looks if look.key in said])


def _orbit_look(key: str, parts: Sequence[RadarLook]) -> OrbitLook:
    seen = {
        each.part.removeprefix(ZONE_PART): numbers_from_json(each.numbers) for each in parts if each.numbers
    }
    return OrbitLook(key, parts[0].acquired_at, seen)


def _decided(site: Site, orbit: _Orbit, learned: Admission, now: datetime) -> RadarAdmission:
    return RadarAdmission(
        site.id,
        learned.area_id,
        learned.metric,
        orbit.procedure,
        orbit.drawn[learned.area_id],
        learned.admitted,
        learned.clear_looks,
        apron_words(learned, orbit.name) if learned.metric == AIRCRAFT else radar_words(learned, orbit.name),
        asdict(learned),
        now,
    )


def _told(
    site: Site,
    study: OrbitStudy,
    decided: Sequence[RadarAdmission],
    by_pass: Mapping[str, Sequence[Scene]],
    now: datetime,
) -> Iterator[Observation]:
    may = {(each.area, each.metric): each.words for each in decided if each.admitted}
    for look, said in study.said:
        if of_pass := by_pass.get(look.key):
            yield from measured_looks(site.id, of_pass, said, told=may, recorded_at=now)
