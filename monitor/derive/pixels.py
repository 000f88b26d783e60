"""Pixels of passes: which scene is due, read in part through the guarded client, kept on the site's grid, and measured.

A pass costs the scene classes over the site, and where enough is clear a window of each band: one read of each block of a
file for all sites in it. What is learned stands in rows; a pass whose file cannot be read is tried again later.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.chunks import chunks
from db.engine import Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.pixels import add_bytes_read, bytes_read_on, store_pixel_failure, store_pixel_looks
from db.records import Observation, PixelLook, Scene
from monitor.derive.due_passes import DuePass, due_scenes
from monitor.derive.measuring import PassHistory, SiteMeasures, site_measures
from monitor.derive.pictures import (
    DEFAULT_PICTURE_HOSTS,
    HostsByProvider,
    quieten_library,
    scene_failure,
)
from monitor.derive.scene_files import SceneFiles
from monitor.derive.scenes import known_starts
from monitor.feeds import FeedClient, FeedError
from monitor.feeds.ranges import RangeBudget
from monitor.imagery.classes import clear_pixels, doubled, shares_in
from monitor.imagery.codes import BANDS, FINE_BANDS, MISSING, OffsetDecision, decide_offset, decode, encode
from monitor.imagery.grid import (
    TOO_LARGE,
    Bools,
    PixelGrid,
    Zone,
    blocks_around,
    read_band,
    read_overview,
)
from monitor.imagery.history import middle_of, steepness
from monitor.imagery.kept import packed
from monitor.imagery.looks import WHOLE_SITE, pass_looks
from monitor.imagery.shift import LARGEST_PX, WORTH_MENDING_PX, Shift, find_shift, moved
from monitor.imagery.windows import Raster, RasterError
from monitor.sites import Site

LEAST_CLEAR = 0.3
"""With less of a site clear its bands are not read."""
ORDINARY_PX = 0.5
"""So close lie 95 of 100 looks that were laid on the reference (within 5 m). What putting them right leaves at edges is in the spread that the
place's own looks show; were edges left out of them too, a line of three pixels through fields would be seen in hardly any look."""
_REFERENCE_LOOKS = 9
_SITES_AT_ONCE = 16
_ONE = RangeBudget(size=40 * 1024 * 1024, requests=24)
_MANY = RangeBudget(size=120 * 1024 * 1024, requests=96)
_WHOLE = RangeBudget(size=400 * 1024 * 1024, requests=2_000)
_MOST_HELD_PX = 12_000_000
"""Of scenes that wait to be measured: 120 MB of numbers, eight scenes over fourteen sites of 3 km."""
_AT_ONCE = 2
_STORED_AT_ONCE = 8
"""Passes of a site in one transaction: what a kill makes us read again."""
_MOST_TILE_CLOUD = 0.6
_LARGEST = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class PixelReport:
    """One pass over one site that was read, or not; `text` says so to a person."""

    site_id: str
    item_id: str
    read: bool
    text: str
    measured: int = 0


class _Files(SceneFiles):
    """The files of one scene, each block of which is read once for all sites in it."""

    __slots__ = ()

    def band(self, name: str, grids: Sequence[PixelGrid], later: Sequence[PixelGrid]) -> list[NDArray[Any]]:
        """One band over these grids; what of it only these need is forgotten. Raises RasterError and FeedError."""
        kind = "uint8" if name == "scl" else "uint16"

        def use(raster: Raster) -> list[NDArray[Any]]:
            found = list(read_band(raster, grids, kind=kind, fine=name in FINE_BANDS))
            if later:
                raster.keep_only(blocks_around(raster, later))
            return found

        return self.read(name, use, again=bool(later))

    def overview(self, name: str) -> NDArray[Any] | None:
        """The whole of a band, coarse, where it has such a level; raises RasterError and FeedError."""
        return self.read(name, read_overview)


def read_passes(
    engine: Engine,
    sites: Collection[Site],
    client: FeedClient,
    now: datetime,
    *,
    limit: int,
    most_bytes: int,
    hosts: HostsByProvider | None = None,
    clients: Mapping[str, FeedClient] | None = None,
) -> list[PixelReport]:
    """Read passes that are due, at most `limit` scenes and about `most_bytes` a day (UTC): what waited longest first.

    Of each site the oldest pass comes first, since later ones are held against it. The database is not held meanwhile.
    """
    quieten_library()
    work = _Round(engine, now)
    for group in due_scenes(engine, sites, now, limit):
        with reading(engine) as connection:
            if bytes_read_on(connection, _day(now)) >= most_bytes:
                break
        scene = group[0].scene
        allowed = (hosts or {}).get(scene.provider, DEFAULT_PICTURE_HOSTS)
        reader = (clients or {}).get(scene.provider, client)
        if not work.has_room_for(group):
            work.measure()
        work.read(group, reader, allowed)
    work.measure()
    return work.reports


def _day(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"


@dataclass(slots=True)
class _Pixels:
    """What was read of a scene over one site: classes (20 m), numbers of bands, and how they are to be understood."""

    due: DuePass
    files: _Files
    classes: NDArray[np.uint8]
    clear: Bools
    roofs: Bools | None
    spent: int = 0
    numbers: NDArray[np.uint16] | None = None
    reference: "Reference | None" = None
    offset: OffsetDecision = field(default_factory=lambda: OffsetDecision(None, "no band was read"))


@dataclass(slots=True)
class _Round:
    """Scenes that are read one after the other, and then measured site by site, so that each history is brought once."""

    engine: Engine
    now: datetime
    reports: list[PixelReport] = field(default_factory=list)
    held: list[_Pixels] = field(default_factory=list)
    histories: dict[tuple[str, str], PassHistory] = field(default_factory=dict)
    coarse: dict[int, NDArray[Any] | None] = field(default_factory=dict)
    """The whole of a band, by the files that it was read of."""
    alone: Lock = field(default_factory=Lock)

    def has_room_for(self, group: Sequence[DuePass]) -> bool:
        """Whether another scene over these sites can be held beside what is held."""
        sites = {each.due.site.id for each in self.held} | {each.site.id for each in group}
        pixels = sum(each.due.grid.pixels for each in self.held) + sum(each.grid.pixels for each in group)
        return len(sites) <= _SITES_AT_ONCE and pixels <= _MOST_HELD_PX

    def read(self, group: Sequence[DuePass], client: FeedClient, hosts: Sequence[str]) -> None:
        """Read one scene over all of its sites; of very many some at a time, which are measured at once."""
        whole = list(chunks(group, _SITES_AT_ONCE))
        files = _Files(client, group[0].scene, hosts, _budget(len(group)))
        for number, some in enumerate(whole):
            later = [each for others in whole[number + 1 :] for each in others]
            if not self._read_some(some, files, later):
                files = _Files(client, group[0].scene, hosts, _budget(len(group)))
            if len(whole) > 1:
                self.measure()

    def _read_some(self, some: Sequence[DuePass], files: _Files, later: Sequence[DuePass]) -> bool:
        """Read a scene over some sites, each by itself where that fails; whether it was read for all of them together."""
        before = files.spent, files.requests
        try:
            found = self._pixels(some, files, later)
        except (RasterError, FeedError) as error:
            self._charge(files, before)
            for due in some:
                self._history(due).forget(due.scene.look_key)
            if len(some) == 1 or not isinstance(error, RasterError):
                self.reports += [_failed(self.engine, due, error, self.now) for due in some]
                return False
            for due in some:
                self._read_some([due], _Files(files.client, files.scene, files.hosts, _budget(1)), ())
            return False
        self._charge(files, before)
        for each in found:
            each.spent = (files.spent - before[0]) // len(found)
        self.held += found
        return True

    def _charge(self, files: _Files, before: tuple[int, int]) -> None:
        with writing(self.engine) as connection:
            add_bytes_read(connection, _day(self.now), files.spent - before[0], files.requests - before[1])

    def _history(self, due: DuePass) -> PassHistory:
        key = due.site.id, due.grid.digest
        if key not in self.histories:
            self.histories[key] = PassHistory(self.engine, due.site, due.grid)
        return self.histories[key]

    def _pixels(self, some: Sequence[DuePass], files: _Files, later: Sequence[DuePass]) -> list[_Pixels]:
        """Read the classes over every site, and the bands over those that are clear enough."""
        after = [due.grid for due in later]
        found = []
        for due, classes in zip(some, files.band("scl", [due.grid for due in some], after), strict=True):
            history = self._history(due)
            roofs = history.roofs()
            fine = None if roofs is None else doubled(roofs)
            coarse = classes[::2, ::2]
            history.saw(due.scene.look_key, due.scene.acquired_at, coarse)
            found.append(_Pixels(due, files, coarse, clear_pixels(classes, fine), fine))
        wanted = [each for each in found if _is_clear(each, self._history(each.due).zones)]
        if wanted:
            grids = [each.due.grid for each in wanted]
            bands = [files.band(name, grids, after) for name in BANDS]
            for number, each in enumerate(wanted):
                each.numbers = np.stack([band[number] for band in bands])
        return found

    def measure(self) -> None:
        """Measure and store what was read, each site's passes in order of time, two sites at once."""
        by_site: dict[tuple[str, str], list[_Pixels]] = defaultdict(list)
        for each in self.held:
            by_site[each.due.site.id, each.due.grid.digest].append(each)
        self.held = []

        def work(key: tuple[str, str]) -> list[PixelReport]:
            history = self.histories.pop(key)
            return [
                report
                for some in chunks(by_site.pop(key), _STORED_AT_ONCE)
                for report in self._measured(some, history)
            ]

        with ThreadPoolExecutor(_AT_ONCE) as workers:
            done = [report for reports in workers.map(work, list(by_site)) for report in reports]
        self.reports += done
        self.histories.clear()
        self.coarse.clear()

    def _measured(self, some: Sequence[_Pixels], history: PassHistory) -> list[PixelReport]:
        """Measure some passes over one site, in order of time, and store what they say in one transaction."""
        tiles, starts = self._scenes_of(some)
        kept, failed = [], []
        for each in some:
            try:
                _understand(each, history, self._overview)
            except (RasterError, FeedError) as error:
                failed.append(_failed(self.engine, each.due, error, self.now))
                continue
            kept.append(_measured_pass(each, history, tiles[each.due.scene.look_key], starts, self.now))
        with writing(self.engine) as connection:
            store_pixel_looks(connection, [each.look for each in kept])
            record_observations(connection, [look for each in kept for look in each.says])
        history.stored()
        return [*failed, *(each.report for each in kept)]

    def _scenes_of(self, some: Sequence[_Pixels]) -> tuple[Mapping[str, list[Scene]], Mapping[str, datetime]]:
        """The scenes of these passes over one site, and under which start each pass was stored before, by look key."""
        site_id, keys = some[0].due.site.id, {each.due.scene.look_key for each in some}
        tiles = defaultdict(list)
        with reading(self.engine) as connection:
            found = scenes(connection, site_id=site_id, look_keys=keys)
            starts = known_starts(connection, site_id, found)
        for each in found:
            tiles[each.look_key].append(each)
        return tiles, starts

    def _overview(self, files: _Files) -> NDArray[Any] | None:
        """The whole of red, coarse, read once for all sites in a scene; raises RasterError and FeedError."""
        with self.alone:
            if id(files) not in self.coarse:
                before = files.spent, files.requests
                try:
                    self.coarse[id(files)] = files.overview("red")
                finally:
                    self._charge(files, before)
            return self.coarse[id(files)]


def _budget(sites: int) -> RangeBudget:
    """What reading one file over so many sites may cost."""
    if sites == 1:
        return _ONE
    return _MANY if sites <= _SITES_AT_ONCE else _WHOLE


def _is_clear(pixels: _Pixels, zones: Sequence[Zone]) -> bool:
    site = zones[0].mask
    return pixels.due.grid.is_kept and float(pixels.clear[site].mean() if site.any() else 0) >= LEAST_CLEAR


def _failed(engine: Engine, due: DuePass, error: RasterError | FeedError, now: datetime) -> PixelReport:
    scene = due.scene
    failure = scene_failure(scene, "scl", error, due.attempts, now)
    with writing(engine) as connection:
        store_pixel_failure(connection, failure)
    text = f"{due.site.name}: the pixels of {scene.acquired_at:%Y-%m-%d} could not be read: {failure.reason}"
    return PixelReport(due.site.id, scene.item_id, False, text)


class Reference:
    """What the newest looks of a place show: what an offset and a shift are told by."""

    def __init__(self, newest: Sequence[NDArray[np.uint8]]) -> None:
        self._newest = newest
        self._telling, self.looks = middle_of([each[_TELLING] for each in newest])

    @property
    def nir(self) -> NDArray[np.float32]:
        """The middle of infrared (codes)."""
        return np.asarray(self._telling[1])

    def reflectances(self) -> list[NDArray[np.float32]]:
        """The middle of red and of infrared; NaN where nothing is known."""
        known = self.looks > 0
        return [np.where(known, decode(each), np.float32(np.nan)) for each in self._telling]

    def is_flat(self) -> Bools:
        """Where no band is steep."""
        return np.asarray((steepness(middle_of(self._newest)[0]) < _STEEP).all(axis=0))


_TELLING = slice(BANDS.index("red"), BANDS.index("nir") + 1)
"""Red and infrared, which follow each other."""


def _understand(
    pixels: _Pixels, history: PassHistory, overview: Callable[[_Files], NDArray[Any] | None]
) -> None:
    """Decide by pixels whether an offset is to be taken off."""
    if pixels.numbers is None:
        return
    newest = history.newest(_REFERENCE_LOOKS)
    pixels.reference = Reference(newest) if newest else None
    red, nir = pixels.numbers[_TELLING]
    usual = None if pixels.reference is None else pixels.reference.reflectances()
    decision = decide_offset(red, nir, pixels.clear, usual)
    cloud = pixels.due.scene.cloud_share
    if decision.offset is None and cloud is not None and cloud <= _MOST_TILE_CLOUD:
        decision = decide_offset(red, nir, pixels.clear, usual, overview(pixels.files))
    pixels.offset = decision


@dataclass(frozen=True, slots=True)
class _Kept:
    """One pass as it is stored: what is kept of its pixels, what they say, and what a person is told."""

    look: PixelLook
    says: list[Observation]
    report: PixelReport


def _measured_pass(
    pixels: _Pixels,
    history: PassHistory,
    tiles: Sequence[Scene],
    starts: Mapping[str, datetime],
    now: datetime,
) -> _Kept:
    """Put a look on the site's grid and measure it; `tiles` are all scenes of the pass."""
    due, scene, zones = pixels.due, pixels.due.scene, history.zones
    whole = doubled(pixels.classes)
    shares = {zone.area_id: shares_in(whole, zone.mask, pixels.roofs).as_parts() for zone in zones}
    codes, facts, fault = _codes(pixels, due.grid)
    look = PixelLook(
        site_id=due.site.id,
        look_key=scene.look_key,
        provider=scene.provider,
        collection=scene.collection,
        item_id=scene.item_id,
        platform=scene.platform,
        sensor=scene.sensor,
        acquired_at=scene.acquired_at,
        grid=due.grid.digest,
        epsg=due.grid.epsg,
        classes=packed(pixels.classes),
        codes=None if codes is None else packed(codes),
        state=None,
        shares=shares,
        facts=facts,
        fault=fault,
        spent_bytes=pixels.spent,
        read_at=now,
    )
    measured = site_measures(history, look, codes, tiles, now)
    seen = pass_looks(due.site, tiles, recorded_at=now, known_starts=starts, pixels={scene.look_key: shares})
    look = replace(look, state=measured.state)
    history.add(look, codes)
    text = _words(due, shares[WHOLE_SITE]["clear"], fault, measured)
    report = PixelReport(due.site.id, scene.item_id, True, text, len(measured.looks))
    return _Kept(look, [*seen, *measured.looks], report)


def _words(due: DuePass, clear: float, fault: str, measured: SiteMeasures) -> str:
    said = f"{due.site.name}, {due.scene.acquired_at:%Y-%m-%d}: {clear:.0%} clear"
    if fault:
        return f"{said}; {fault}."
    return f"{said}; {len(measured.looks)} measures." if measured.looks else f"{said}."


def _codes(pixels: _Pixels, grid: PixelGrid) -> tuple[NDArray[np.uint8] | None, dict[str, Any], str]:
    """The reflectance as it is kept, how it was come by, and why it cannot be used, if so."""
    facts: dict[str, Any] = {"offset": pixels.offset.offset, "offset_why": pixels.offset.why}
    if pixels.numbers is None:
        return None, {}, "too little of it is clear" if grid.is_kept else TOO_LARGE
    if pixels.offset.offset is None:
        return None, facts, f"the numbers cannot be understood: {pixels.offset.why}"
    codes, shift = codes_in_place(pixels.numbers, pixels.offset.offset, pixels.clear, pixels.reference)
    facts |= {
        "shift_south_px": round(shift.south, 2),
        "shift_east_px": round(shift.east, 2),
        "shift_found": shift.found,
    }
    fault = "" if codes is not None else f"it lies {shift.size:.1f} pixels beside the others"
    return codes, facts, fault


def codes_in_place(
    numbers: NDArray[np.uint16],
    offset: int,
    clear: Bools,
    reference: Reference | None,
    edges_until_px: float = ORDINARY_PX,
) -> tuple[NDArray[np.uint8] | None, Shift]:
    """The numbers of bands as codes, laid on what the newest looks of the place show, and how far beside it they lay; None: too far.

    Of a look that lay farther beside them than `edges_until_px` steep edges are left out.
    """
    codes = encode(numbers, offset, clear)
    shift = _shift(codes, reference)
    if shift.size > LARGEST_PX:
        return None, shift
    if shift.found and shift.size > WORTH_MENDING_PX:
        codes = _put_right(numbers, offset, clear, reference, shift, edges=shift.size <= edges_until_px)
    return codes, shift


def _shift(codes: NDArray[np.uint8], reference: Reference | None) -> Shift:
    if reference is None:
        return Shift(0.0, 0.0, found=False)
    nir = codes[BANDS.index("nir")]
    held = (nir != MISSING) & (reference.looks > 0)
    return find_shift(nir.astype(np.float32), reference.nir, held)


def _put_right(
    numbers: NDArray[np.uint16],
    offset: int,
    clear: Bools,
    reference: Reference | None,
    shift: Shift,
    *,
    edges: bool,
) -> NDArray[np.uint8]:
    held = clear & (numbers > 0).all(axis=0)
    whole = moved(held.astype(np.float32), shift.south, shift.east) > _WHOLLY
    if reference is not None and not edges:
        # Between pixels an edge can be put right only roughly: what is left of it is no change.
        whole &= reference.is_flat()
    put = np.rint(np.clip(moved(numbers.astype(np.float32), shift.south, shift.east), 1, _LARGEST))
    return encode(put.astype(np.uint16), offset, whole)


_STEEP = 16.0
"""Codes between neighbours: a tenth of a pixel is then half of what two dates differ by anyway."""
_WHOLLY = 0.999
