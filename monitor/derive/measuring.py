"""Measuring what is kept of a site: one new pass against the looks before it, or all of them anew, with what they can do."""

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

import numpy as np
import shapely

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.pixels import (
    KeptPass,
    admissions,
    codes_of,
    kept_passes,
    passes_read,
    store_admissions,
    store_states,
)
from db.records import MeasureAdmission, Observation, PixelLook, Scene
from monitor.imagery.classes import SceneClasses, doubled, water_of
from monitor.imagery.codes import Codes
from monitor.imagery.grid import Bools, PixelGrid, Zone, site_grid, zones_of
from monitor.imagery.history import LEAST_LOOKS, usual_of
from monitor.imagery.kept import packed_masks, unpacked, unpacked_masks
from monitor.imagery.measures import look_against
from monitor.imagery.observed import PROCEDURE, measured_looks
from monitor.imagery.study import (
    LEAST_MEASURED,
    LOOKS_BEFORE,
    Admission,
    KeptLook,
    admission_words,
    measures_of,
    seasons,
    study_looks,
)
from monitor.imagery.vessels_model import vessel_model
from monitor.imagery.windows import RasterError
from monitor.sites import Site

STUDY_EVERY, STUDY_AGAIN = 4, 0.25
"""A measure that could not be judged is looked at again after so many more clear looks, and so large a share more: what a study
costs grows with the looks, and what it may still learn does not."""
_LEARNED = 2
"""Which figures a study gives: a change of them has every site studied again."""
_UNPACKED = 28
_WATER_PASSES = 60


@dataclass(frozen=True, slots=True)
class SiteMeasures:
    """What one new pass says: its looks of admitted measures, and which pixels were judged, packed."""

    looks: list[Observation]
    state: bytes | None


@dataclass(frozen=True, slots=True)
class SiteStudy:
    """What all measures of a site can do, and what they said of each look."""

    admissions: list[Admission]
    looks: list[Observation]
    """What each measure said of each look, also of those that may not be judged."""
    passes: int
    clear: int


def site_measures(
    connection: Connection,
    site: Site,
    drawing: tuple[PixelGrid, Sequence[Zone]],
    new: PixelLook,
    now: datetime,
) -> SiteMeasures:
    """Measure one pass that was just read against the looks before it; nothing where there are too few."""
    if new.codes is None:
        return SiteMeasures([], None)
    codes, (grid, zones) = unpacked(new.codes), drawing
    known = [each for each in kept_passes(connection, site.id, grid.digest) if each.look_key != new.look_key]
    kept = [*kept_looks(connection, site.id, known), KeptLook(new.look_key, new.acquired_at, lambda: codes)]
    season = next((some for look, some in seasons(kept) if look.key == new.look_key), None)
    if season is None:
        return SiteMeasures([], None)
    usual = usual_of([each.load() for each in season])
    earlier = [each for each in known if each.state is not None and each.acquired_at < new.acquired_at]
    before = [
        unpacked_masks(each.state) for each in reversed(earlier[-LOOKS_BEFORE:]) if each.state is not None
    ]
    shown = look_against(codes, usual, zones, _water(known, grid), before)
    found = measures_of(kept[-1], shown, zones)
    may = {
        (each.area, each.metric): each.words
        for each in admissions(connection, site.id)
        if each.admitted and each.outline == drawn(site)
    }
    of_pass = scenes(connection, site_id=site.id, look_key=new.look_key)
    looks = list(measured_looks(site.id, of_pass, found.found, told=may, recorded_at=now))
    return SiteMeasures(looks, None if found.pixels is None else packed_masks(*found.pixels))


def study_where_due(engine: Engine, site: Site, now: datetime) -> SiteStudy | None:
    """Learn what can be measured at a site where that was never done, it is drawn anew, or has more looks than then."""
    with reading(engine) as connection:
        clear = sum(each.is_clear for each in _passes(connection, site))
        known = admissions(connection, site.id)
    if clear < LEAST_LOOKS + LEAST_MEASURED:
        return None
    same = known and all(each.outline == drawn(site) for each in known)
    if same and (all(each.admitted for each in known) or clear < _next_study(known[0].clear_looks)):
        return None
    return study_site(engine, site, now)


def _next_study(clear_looks: int) -> float:
    return clear_looks + max(STUDY_EVERY, STUDY_AGAIN * clear_looks)


def study_site(engine: Engine, site: Site, now: datetime) -> SiteStudy | None:
    """Measure all kept looks of a site anew and learn what each measure can do there; None where nothing is kept.

    What is learned is stored, and so are the looks of measures that may be judged. Everything comes out of what is kept,
    so this also builds anew what was lost or drawn otherwise.
    """
    with reading(engine) as connection:
        known = _passes(connection, site)
        if not known:
            return None
        grid = site_grid(site, known[0].epsg)
        zones = zones_of(site, grid)
        kept = kept_looks(connection, site.id, known)
        if not kept:
            return SiteStudy([], [], len(known), 0)
        learned, said = study_looks(kept, grid, zones, _water(known, grid))
        known_by = {(each.area, each.metric): each for each in admissions(connection, site.id)}
        by_pass: dict[str, list[Scene]] = defaultdict(list)
        for scene in scenes(connection, site_id=site.id, since=known[0].acquired_at):
            by_pass[scene.look_key].append(scene)
    decided = [
        _standing(known_by.get((each.area_id, each.metric)), _decided(site, each, now)) for each in learned
    ]
    words = {(each.area, each.metric): each.words for each in decided}
    looks = [
        look
        for one in said
        if by_pass[one.look.key]
        for look in measured_looks(site.id, by_pass[one.look.key], one.found, told=words, recorded_at=now)
    ]
    may = {(each.area, each.metric) for each in decided if each.admitted}
    states = {one.look.key: None if one.pixels is None else packed_masks(*one.pixels) for one in said}
    with writing(engine) as connection:
        store_states(connection, site.id, states)
        store_admissions(connection, site.id, decided)
        record_observations(
            connection, [each for each in looks if (each.series.area, each.series.metric) in may]
        )
    return SiteStudy(learned, looks, len(known), len(kept))


def drawn(site: Site) -> str:
    """A short text that changes when the site or one of its areas is drawn anew, or the way of measuring changes."""
    digest = hashlib.sha256(shapely.to_wkb(site.geometry))
    digest.update(f"{site.kind}:{vessel_model().version}:{_LEARNED}".encode())
    for area in site.areas:
        digest.update(f"{area.id}:{area.kind}:{PROCEDURE}".encode())
        digest.update(b"" if area.geometry is None else shapely.to_wkb(area.geometry))
    return digest.hexdigest()[:16]


def _passes(connection: Connection, site: Site) -> list[KeptPass]:
    """What is kept of a site on its newest grid."""
    for epsg in {epsg for _, epsg in passes_read(connection, site.id).values()}:
        try:
            grid = site_grid(site, epsg)
        except RasterError:
            continue
        if found := kept_passes(connection, site.id, grid.digest):
            return found
    return []


def _decided(site: Site, learned: Admission, now: datetime) -> MeasureAdmission:
    return MeasureAdmission(
        site.id,
        learned.area_id,
        learned.metric,
        drawn(site),
        learned.admitted,
        learned.clear_looks,
        admission_words(learned),
        asdict(learned),
        now,
    )


def _standing(before: MeasureAdmission | None, now: MeasureAdmission) -> MeasureAdmission:
    """What was shown once stands while nothing is drawn anew: what fills a place must not be taken for its noise."""
    if before is not None and before.admitted and not now.admitted and before.outline == now.outline:
        return before
    return now


def _water(known: Sequence[KeptPass], grid: PixelGrid) -> Bools:
    passes: list[SceneClasses] = [unpacked(each.classes) for each in known[-_WATER_PASSES:]]
    water = water_of(passes)
    return np.zeros(grid.shape, bool) if water is None else doubled(water)


def kept_looks(connection: Connection, site_id: str, known: Sequence[KeptPass]) -> list[KeptLook]:
    """The clear looks of a site; their pixels are read when they are asked for, and few at a time are held."""
    held: OrderedDict[str, Codes] = OrderedDict()

    def load(key: str) -> Codes:
        if key not in held:
            held[key] = unpacked(codes_of(connection, site_id, key))
            if len(held) > _UNPACKED:
                held.popitem(last=False)
        held.move_to_end(key)
        return held[key]

    return [
        KeptLook(each.look_key, each.acquired_at, partial(load, each.look_key))
        for each in known
        if each.is_clear
    ]
