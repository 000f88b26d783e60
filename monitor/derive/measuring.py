"""Measuring what is kept of a site: one new pass against the looks before it, or all of them anew, with what they can do."""

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
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
    clear_passes,
    codes_of,
    kept_passes,
    passes_read,
    store_admissions,
    store_states,
)
from db.records import MeasureAdmission, Observation, PixelLook, Scene
from monitor.imagery.classes import SceneClasses, Sky, doubled, false_cloud, sky_of, water_of
from monitor.imagery.codes import Codes
from monitor.imagery.grid import Bools, PixelGrid, site_grid, zones_of
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
    season_before,
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
_CLASS_PASSES = 60
"""Whose classes tell of water and of false cloud."""


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


class PassHistory:
    """What is kept of a site on one grid, for passes that are measured one after the other: brought once, what is new added.

    It gives what reading all of it anew for each of them would give. Few unpacked looks are held at a time.
    """

    def __init__(self, engine: Engine, site: Site, grid: PixelGrid) -> None:
        self.site, self.grid, self.zones = site, grid, zones_of(site, grid)
        self._engine = engine
        with reading(engine) as connection:
            self._known = {each.look_key: each for each in kept_passes(connection, site.id, grid.digest)}
            outline = drawn(site)
            self.admitted = {
                (each.area, each.metric): each.words
                for each in admissions(connection, site.id)
                if each.admitted and each.outline == outline
            }
        self._times = {key: each.acquired_at for key, each in self._known.items()}
        self._skies: dict[str, Sky] = {}
        self._held: OrderedDict[str, Codes] = OrderedDict()
        self._not_stored: dict[str, bytes] = {}
        self._masks: dict[str, tuple[Bools, Bools]] = {}

    def saw(self, look_key: str, at: datetime, classes: SceneClasses) -> None:
        """Add the classes of a pass that was read and is not measured yet: they tell of false cloud in later ones."""
        self._times[look_key] = at
        self._skies[look_key] = sky_of(classes)

    def forget(self, look_key: str) -> None:
        """Take that back: the pass could not be read."""
        if look_key not in self._known:
            self._times.pop(look_key, None)
            self._skies.pop(look_key, None)

    def add(self, look: PixelLook, codes: Codes | None) -> None:
        """Add a pass that was measured, and is about to be stored."""
        self._known[look.look_key] = KeptPass(
            look.look_key, look.acquired_at, look.epsg, look.classes, look.state, codes is not None
        )
        self._times[look.look_key] = look.acquired_at
        self._masks.pop(look.look_key, None)
        if codes is not None and look.codes is not None:
            self._not_stored[look.look_key] = look.codes
            self._hold(look.look_key, codes)

    def stored(self) -> None:
        """Say that all that was added can be read back."""
        self._not_stored.clear()

    def roofs(self) -> Bools | None:
        """Which pixels (20 m) are called cloud for ever, by the newest passes that were read."""
        return false_cloud(self._newest_skies(self._times))

    def water(self, but: str = "") -> Bools:
        """Which pixels (10 m) are mostly water, by the newest passes that were measured, without this one."""
        water = water_of(self._newest_skies({key: self._times[key] for key in self._known if key != but}))
        return np.zeros(self.grid.shape, bool) if water is None else doubled(water)

    def passes(self, but: str = "") -> list[KeptPass]:
        """Every pass by time, without this one."""
        others = (each for each in self._known.values() if each.look_key != but)
        return sorted(others, key=lambda each: (each.acquired_at, each.look_key))

    def looks(self, but: str = "") -> list[KeptLook]:
        """The clear ones of them, which bring their pixels when they are asked for."""
        return [
            KeptLook(each.look_key, each.acquired_at, partial(self._load, each.look_key))
            for each in self.passes(but)
            if each.is_clear
        ]

    def judged_before(self, new: PixelLook) -> list[tuple[Bools, Bools]]:
        """Which pixels the last looks before a pass judged, and which had left their usual then, newest first."""
        earlier = [
            each
            for each in self.passes(new.look_key)
            if each.state is not None and each.acquired_at < new.acquired_at
        ][-LOOKS_BEFORE:]
        self._masks = {
            each.look_key: self._masks.get(each.look_key) or unpacked_masks(each.state)
            for each in reversed(earlier)
            if each.state is not None
        }
        return list(self._masks.values())

    def newest(self, most: int) -> list[Codes]:
        """The pixels of the newest clear looks."""
        looks = self.looks()[-most:]
        self.bring(looks)
        return [each.load() for each in looks]

    def bring(self, looks: Sequence[KeptLook]) -> None:
        """Read the pixels of these looks together that are not at hand."""
        wanted = {each.key for each in looks} - self._held.keys() - self._not_stored.keys()
        if wanted:
            with reading(self._engine) as connection:
                found = codes_of(connection, self.site.id, wanted)
            for key, codes in found.items():
                self._hold(key, unpacked(codes))

    def _newest_skies(self, times: Mapping[str, datetime]) -> list[Sky]:
        newest = sorted(times, key=lambda key: (times[key], key))[-_CLASS_PASSES:]
        for key in newest:
            if key not in self._skies:
                self._skies[key] = sky_of(unpacked(self._known[key].classes))
        return [self._skies[key] for key in newest]

    def _load(self, key: str) -> Codes:
        if key not in self._held:
            self._hold(key, unpacked(self._not_stored.get(key) or self._read(key)))
        self._held.move_to_end(key)
        return self._held[key]

    def _read(self, key: str) -> bytes:
        with reading(self._engine) as connection:
            return codes_of(connection, self.site.id, [key])[key]

    def _hold(self, key: str, codes: Codes) -> None:
        self._held[key] = codes
        self._held.move_to_end(key)
        if len(self._held) > _UNPACKED:
            self._held.popitem(last=False)


def site_measures(
    history: PassHistory, new: PixelLook, codes: Codes | None, tiles: Sequence[Scene], now: datetime
) -> SiteMeasures:
    """Measure one pass that was just read against the looks before it; nothing where there are too few.

    `codes` are its pixels and `tiles` its scenes.
    """
    if codes is None:
        return SiteMeasures([], None)
    own = KeptLook(new.look_key, new.acquired_at, lambda: codes)
    season = season_before(own, history.looks(new.look_key))
    if season is None:
        return SiteMeasures([], None)
    history.bring(season)
    usual = usual_of([each.load() for each in season])
    shown = look_against(codes, usual, history.zones, history.water(new.look_key), history.judged_before(new))
    found = measures_of(own, shown, history.zones)
    looks = list(measured_looks(history.site.id, tiles, found.found, told=history.admitted, recorded_at=now))
    return SiteMeasures(looks, None if found.pixels is None else packed_masks(*found.pixels))


def study_where_due(engine: Engine, site: Site, now: datetime) -> SiteStudy | None:
    """Learn what can be measured at a site where that was never done, it is drawn anew, or has more looks than then."""
    with reading(engine) as connection:
        clear = _clear_passes(connection, site)
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
        if not any(each.is_clear for each in known):
            return SiteStudy([], [], len(known), 0)
        history = PassHistory(engine, site, grid)
        kept = history.looks()
        learned, said = study_looks(kept, grid, history.zones, history.water())
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
    grid = _kept_grid(connection, site)
    return [] if grid is None else kept_passes(connection, site.id, grid)


def _clear_passes(connection: Connection, site: Site) -> int:
    """How many of them are clear, without reading any."""
    grid = _kept_grid(connection, site)
    return 0 if grid is None else clear_passes(connection, site.id, grid)


def _kept_grid(connection: Connection, site: Site) -> str | None:
    """The grid of a site, as it is drawn now, on which passes are kept."""
    read = passes_read(connection, site.id).values()
    there = {grid for grid, _ in read}
    for epsg in {epsg for _, epsg in read}:
        try:
            grid = site_grid(site, epsg)
        except RasterError:
            continue
        if grid.digest in there:
            return grid.digest
    return None


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
