"""Measuring what is kept of radar over a site, orbit by orbit: what its measures can do, and the looks of those that may be judged.

All of it is reckoned anew out of what is kept whenever a look is added: there are some thirty looks of an orbit in a year.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.radar import radar_admissions, radar_looks, store_radar_admissions
from db.records import Observation, Scene
from db.records.radar import RadarAdmission, RadarLook
from monitor.derive.radar import ZONE_PART, drawn_zones
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.observed import measured_looks
from monitor.imagery.radar import RING_AREA, OrbitLook, RadarZone, numbers_from_json
from monitor.imagery.radar_passes import orbit_name, radar_zones
from monitor.imagery.radar_study import OrbitStudy, radar_words, study_orbit
from monitor.imagery.study import Admission
from monitor.sites import Site

STATISTICS_PROCEDURE = "imagery/sar/statistics-1"
"""Numbers that a service reckoned; behind it stands the orbit, since looks of two orbits are never compared."""


@dataclass(frozen=True, slots=True)
class RadarStudy:
    """What radar measures of a site can do, each from one orbit, and how many looks there are by procedure."""

    admissions: list[RadarAdmission]
    looks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Orbit:
    """All looks of one procedure: one way of seeing from one orbit."""

    procedure: str
    name: str
    looks: list[OrbitLook]
    zones: list[RadarZone]
    drawn: Mapping[str, str]
    """What was drawn of each area, by its id."""


def study_radar(engine: Engine, site: Site, now: datetime, *, anew: bool = False) -> RadarStudy:
    """Measure all radar of a site, store what its measures can do and the looks of those that may be judged.

    What was admitted stays so while nothing is drawn otherwise, or an alarm would take back its own measure; `anew` decides
    all of it again, as a person asks.
    """
    with reading(engine) as connection:
        kept = radar_looks(connection, site.id)
        before = radar_admissions(connection, site.id)
        by_pass = _by_pass(connection, site, kept)
    standing = {} if anew else {_key(each): each for each in before if each.admitted}
    decided: list[RadarAdmission] = []
    found: list[Observation] = []
    counted: dict[str, int] = {}
    for orbit in _orbits(site, kept):
        counted[orbit.procedure] = len(orbit.looks)
        study = study_orbit(orbit.looks, orbit.zones, orbit.procedure)
        some = [_standing(_decided(site, orbit, learned, now), standing) for learned in study.admissions]
        decided += some
        found += _told(site, study, some, by_pass, now)
    with writing(engine) as connection:
        store_radar_admissions(connection, site.id, decided)
        record_observations(connection, found)
    return RadarStudy(decided, counted)


def _key(each: RadarAdmission) -> tuple[str, str, str]:
    return each.area, each.metric, each.procedure


def _standing(new: RadarAdmission, standing: Mapping[tuple[str, str, str], RadarAdmission]) -> RadarAdmission:
    """What was admitted before where the same is still drawn, else what is decided now."""
    before = standing.get(_key(new))
    return before if before is not None and before.outline == new.outline else new


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
        radar_words(learned, orbit.name),
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
