"""Pixels of passes: which scene is due, read in part through the guarded client, kept on the site's grid, and measured.

A pass costs the scene classes over the site, and where enough is clear a window of each band: one read of each block of a
file for all sites in it. What is learned stands in rows; a pass whose file cannot be read is tried again later.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.pixels import (
    KeptPass,
    add_bytes_read,
    bytes_read_on,
    kept_passes,
    last_read,
    passes_read,
    pixel_failures,
    store_pixel_failure,
    store_pixel_look,
)
from db.records import PixelLook, Scene
from monitor.derive.measuring import SiteMeasures, kept_looks, site_measures
from monitor.derive.pictures import (
    DEFAULT_PICTURE_HOSTS,
    HostsByProvider,
    check_link,
    damaged_words,
    quieten_library,
    scene_failure,
)
from monitor.derive.scenes import known_starts
from monitor.feeds import FeedClient, FeedError
from monitor.feeds.ranges import RangeBudget, RemoteFile
from monitor.imagery.classes import clear_pixels, doubled, false_cloud, shares_in
from monitor.imagery.codes import BANDS, FINE_BANDS, MISSING, OffsetDecision, decide_offset, decode, encode
from monitor.imagery.geotiff import GeoTiff
from monitor.imagery.grid import (
    TOO_LARGE,
    Bools,
    PixelGrid,
    Zone,
    read_band,
    read_overview,
    site_grid,
    zones_of,
)
from monitor.imagery.history import UsualPixels, steepness, usual_of
from monitor.imagery.kept import packed, unpacked
from monitor.imagery.looks import WHOLE_SITE, pass_looks
from monitor.imagery.map_zone import map_of
from monitor.imagery.shift import LARGEST_PX, WORTH_MENDING_PX, Shift, find_shift, moved
from monitor.imagery.windows import Raster, RasterError
from monitor.sites import Site

PIXEL_COLLECTIONS = ("sentinel-2-c1-l2a", "sentinel-2-l2a")
"""Collections of one picture, the better described first; they lack different scenes."""
LEAST_CLEAR = 0.3
"""With less of a site clear its bands are not read."""
MOST_ATTEMPTS = 8
_LOOK_BACK = timedelta(days=4 * 365)
_ROOF_PASSES, _REFERENCE_LOOKS = 60, 9
_SITES_AT_ONCE = 16
_ONE = RangeBudget(size=40 * 1024 * 1024, requests=24)
_MANY = RangeBudget(size=120 * 1024 * 1024, requests=96)
_LEAST_COVERED = 0.3
_MOST_TILE_CLOUD = 0.6
_LARGEST = np.iinfo(np.uint16).max
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class PixelReport:
    """One pass over one site that was read, or not; `text` says so to a person."""

    site_id: str
    item_id: str
    read: bool
    text: str
    measured: int = 0


@dataclass(frozen=True, slots=True)
class _Due:
    site: Site
    scene: Scene
    grid: PixelGrid
    attempts: int


@dataclass(slots=True)
class _Files:
    """The files of one scene, each opened once for all sites in it."""

    client: FeedClient
    scene: Scene
    hosts: Sequence[str]
    budget: RangeBudget
    spent: int = 0
    requests: int = 0

    def band(self, name: str, grids: Sequence[PixelGrid]) -> list[NDArray[Any]]:
        """One band over these grids; raises RasterError and FeedError."""
        kind = "uint8" if name == "scl" else "uint16"
        return self._read(
            name, lambda raster: list(read_band(raster, grids, kind=kind, fine=name in FINE_BANDS))
        )

    def overview(self, name: str) -> NDArray[Any]:
        """The whole of a band, coarse; raises RasterError and FeedError."""
        return self._read(name, read_overview)

    def _read(self, name: str, use: Callable[[Raster], _Found]) -> _Found:
        link = self.scene.links.get(name)
        if not link:
            raise RasterError(f"the catalogue links no file of the band {name}")
        check_link(link, self.hosts)
        remote = RemoteFile(self.client, link, self.budget)
        try:
            with damaged_words(remote):
                return use(GeoTiff(remote.open, remote.fetch))
        finally:
            self.spent += remote.spent
            self.requests += remote.requests


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
    reports: list[PixelReport] = []
    for group in _groups(_all_due(engine, sites, now))[:limit]:
        with reading(engine) as connection:
            if bytes_read_on(connection, _day(now)) >= most_bytes:
                break
        scene = group[0].scene
        allowed = (hosts or {}).get(scene.provider, DEFAULT_PICTURE_HOSTS)
        reader = (clients or {}).get(scene.provider, client)
        reports += _read_group(engine, group, reader, allowed, now)
    return reports


def _day(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"


def _groups(due: Sequence[_Due]) -> list[list[_Due]]:
    """What is due, scene by scene, so that a block is read once for all sites in it."""
    by_scene: dict[tuple[str, str, str, int], list[_Due]] = defaultdict(list)
    for each in due:
        scene = each.scene
        by_scene[scene.provider, scene.collection, scene.item_id, each.grid.epsg].append(each)
    return [
        some[start : start + _SITES_AT_ONCE]
        for some in by_scene.values()
        for start in range(0, len(some), _SITES_AT_ONCE)
    ]


def _all_due(engine: Engine, sites: Collection[Site], now: datetime) -> list[_Due]:
    """The oldest pass of each site that is to be read; the site that waited longest first."""
    with reading(engine) as connection:
        tried = last_read(connection, [site.id for site in sites])
        found = [due for site in sites if (due := _due(connection, site, now)) is not None]
    return sorted(found, key=lambda due: (due.site.id in tried, tried.get(due.site.id, now), due.site.id))


def _due(connection: Connection, site: Site, now: datetime) -> _Due | None:
    read = passes_read(connection, site.id)
    usable = [
        each
        for each in scenes(
            connection,
            site_id=site.id,
            since=now - _LOOK_BACK,
            until=now,
            unread_on=_known_grid(site, set(read.values())),
        )
        if _is_usable(each)
    ]
    if not usable:
        return None
    # A site near the edge of a map stays on the one it is known on, unless it was drawn somewhere else.
    maps = {map_of([each]) for each in usable}
    epsg = next((epsg for _, epsg in read.values() if epsg in maps), map_of(usable))
    grid = _grid(site, epsg)
    if grid is None:
        return None
    failed = {
        (each.provider, each.collection, each.item_id): each for each in pixel_failures(connection, site.id)
    }
    by_pass: dict[str, list[Scene]] = defaultdict(list)
    for scene in usable:
        if read.get(scene.look_key, ("",))[0] != grid.digest and map_of([scene]) == epsg:
            by_pass[scene.look_key].append(scene)
    for copies in by_pass.values():
        for scene in sorted(copies, key=_preference):
            before = failed.get((scene.provider, scene.collection, scene.item_id))
            if before is None or (before.not_before <= now and before.attempts < MOST_ATTEMPTS):
                return _Due(site, scene, grid, before.attempts if before else 0)
    return None


def _known_grid(site: Site, known: set[tuple[str, int]]) -> str | None:
    """The one grid on which all passes over a site were read, where that is still how it is drawn; else None.

    Then the passes read are no use to find what is due, and those of years need not be loaded.
    """
    if len(known) != 1:
        return None
    digest, epsg = next(iter(known))
    grid = _grid(site, epsg)
    return digest if grid is not None and grid.digest == digest else None


def _grid(site: Site, epsg: int) -> PixelGrid | None:
    try:
        return site_grid(site, epsg)
    except RasterError:
        return None


def _is_usable(scene: Scene) -> bool:
    return (
        scene.collection in PIXEL_COLLECTIONS
        and scene.covered_share >= _LEAST_COVERED
        and bool(scene.links.get("scl"))
    )


def _preference(scene: Scene) -> tuple[float, int, str, str]:
    """The tile that shows most of the site, of its copies the better described one."""
    return (
        -round(scene.covered_share, 2),
        PIXEL_COLLECTIONS.index(scene.collection),
        scene.provider,
        scene.item_id,
    )


def _read_group(
    engine: Engine, group: Sequence[_Due], client: FeedClient, hosts: Sequence[str], now: datetime
) -> list[PixelReport]:
    """Read one scene over several sites; where that fails, over each by itself."""
    files = _Files(client, group[0].scene, hosts, _ONE if len(group) == 1 else _MANY)
    try:
        found = _numbers(engine, group, files)
    except (RasterError, FeedError) as error:
        with writing(engine) as connection:
            add_bytes_read(connection, _day(now), files.spent, files.requests)
        if len(group) > 1 and isinstance(error, RasterError):
            return [each for due in group for each in _read_group(engine, [due], client, hosts, now)]
        return [_failed(engine, due, error, now) for due in group]
    with writing(engine) as connection:
        add_bytes_read(connection, _day(now), files.spent, files.requests)
    share = files.spent // len(group)
    return [_keep(engine, due, pixels, now, share) for due, pixels in zip(group, found, strict=True)]


def _failed(engine: Engine, due: _Due, error: RasterError | FeedError, now: datetime) -> PixelReport:
    scene = due.scene
    failure = scene_failure(scene, "scl", error, due.attempts, now)
    with writing(engine) as connection:
        store_pixel_failure(connection, failure)
    text = f"{due.site.name}: the pixels of {scene.acquired_at:%Y-%m-%d} could not be read: {failure.reason}"
    return PixelReport(due.site.id, scene.item_id, False, text)


@dataclass(slots=True)
class _Pixels:
    """What was read of a scene over one site: classes (20 m), numbers of bands, and how they are to be understood."""

    known: list[KeptPass]
    """The passes over the site that were read before."""
    zones: list[Zone]
    classes: NDArray[np.uint8]
    clear: Bools
    roofs: Bools | None
    numbers: NDArray[np.uint16] | None = None
    usual: UsualPixels | None = None
    offset: OffsetDecision = field(default_factory=lambda: OffsetDecision(None, "no band was read"))


def _numbers(engine: Engine, group: Sequence[_Due], files: _Files) -> list[_Pixels]:
    """Read the classes over every site, and the bands over those that are clear enough."""
    found = []
    for due, classes in zip(group, files.band("scl", [due.grid for due in group]), strict=True):
        with reading(engine) as connection:
            known = kept_passes(connection, due.site.id, due.grid.digest)
        roofs = false_cloud([unpacked(each.classes) for each in known[-_ROOF_PASSES:]])
        fine = None if roofs is None else doubled(roofs)
        zones = zones_of(due.site, due.grid)
        found.append(_Pixels(known, zones, classes[::2, ::2], clear_pixels(classes, fine), fine))
    wanted = [place for place, due in enumerate(group) if _is_clear(due, found[place])]
    if wanted:
        grids = [group[place].grid for place in wanted]
        bands = [files.band(name, grids) for name in BANDS]
        for number, place in enumerate(wanted):
            found[place].numbers = np.stack([band[number] for band in bands])
            _understand(engine, group[place], found[place], files)
    return found


def _is_clear(due: _Due, pixels: _Pixels) -> bool:
    site = pixels.zones[0].mask
    return due.grid.is_kept and float(pixels.clear[site].mean() if site.any() else 0) >= LEAST_CLEAR


def _understand(engine: Engine, due: _Due, pixels: _Pixels, files: _Files) -> None:
    """Decide by pixels whether an offset is to be taken off."""
    assert pixels.numbers is not None
    with reading(engine) as connection:
        newest = kept_looks(connection, due.site.id, pixels.known)[-_REFERENCE_LOOKS:]
        pixels.usual = usual_of([each.load() for each in newest]) if newest else None
    red, nir = (pixels.numbers[BANDS.index(name)] for name in ("red", "nir"))
    usual = None if pixels.usual is None else _reflectances(pixels.usual)
    decision = decide_offset(red, nir, pixels.clear, usual)
    cloud = due.scene.cloud_share
    if decision.offset is None and cloud is not None and cloud <= _MOST_TILE_CLOUD:
        decision = decide_offset(red, nir, pixels.clear, usual, files.overview("red"))
    pixels.offset = decision


def _reflectances(usual: UsualPixels) -> list[NDArray[np.float32]]:
    known = usual.looks > 0
    return [
        np.where(known, decode(usual.middle[BANDS.index(name)]), np.float32(np.nan))
        for name in ("red", "nir")
    ]


def _keep(engine: Engine, due: _Due, pixels: _Pixels, now: datetime, spent: int) -> PixelReport:
    """Put a look on the site's grid, measure it, and store all of it in one transaction."""
    scene, zones = due.scene, pixels.zones
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
        spent_bytes=spent,
        read_at=now,
    )
    with reading(engine) as connection:
        tiles = scenes(connection, site_id=due.site.id, look_key=scene.look_key)
        starts = known_starts(connection, due.site.id, tiles)
        measured = site_measures(connection, due.site, (due.grid, zones), look, now)
    seen = pass_looks(due.site, tiles, recorded_at=now, known_starts=starts, pixels={scene.look_key: shares})
    with writing(engine) as connection:
        store_pixel_look(connection, replace(look, state=measured.state))
        record_observations(connection, [*seen, *measured.looks])
    text = _words(due, shares[WHOLE_SITE]["clear"], fault, measured)
    return PixelReport(due.site.id, scene.item_id, True, text, len(measured.looks))


def _words(due: _Due, clear: float, fault: str, measured: SiteMeasures) -> str:
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
    codes, shift = codes_in_place(pixels.numbers, pixels.offset.offset, pixels.clear, pixels.usual)
    facts |= {
        "shift_south_px": round(shift.south, 2),
        "shift_east_px": round(shift.east, 2),
        "shift_found": shift.found,
    }
    fault = "" if codes is not None else f"it lies {shift.size:.1f} pixels beside the others"
    return codes, facts, fault


def codes_in_place(
    numbers: NDArray[np.uint16], offset: int, clear: Bools, usual: UsualPixels | None
) -> tuple[NDArray[np.uint8] | None, Shift]:
    """The numbers of bands as codes, laid on what is usual of the place, and how far beside it they lay; None: too far."""
    codes = encode(numbers, offset, clear)
    shift = _shift(codes, usual)
    if shift.size > LARGEST_PX:
        return None, shift
    if shift.found and shift.size > WORTH_MENDING_PX:
        codes = _put_right(numbers, offset, clear, usual, shift)
    return codes, shift


def _shift(codes: NDArray[np.uint8], usual: UsualPixels | None) -> Shift:
    if usual is None:
        return Shift(0.0, 0.0, found=False)
    nir = BANDS.index("nir")
    held = (codes[nir] != MISSING) & (usual.looks > 0)
    return find_shift(codes[nir].astype(np.float32), usual.middle[nir], held)


def _put_right(
    numbers: NDArray[np.uint16], offset: int, clear: Bools, usual: UsualPixels | None, shift: Shift
) -> NDArray[np.uint8]:
    held = clear & (numbers > 0).all(axis=0)
    whole = moved(held.astype(np.float32), shift.south, shift.east) > _WHOLLY
    if usual is not None and shift.size > _ORDINARY_PX:
        # Between pixels an edge can be put right only roughly: what is left of it is no change.
        whole &= (steepness(usual.middle) < _STEEP).all(axis=0)
    put = np.rint(np.clip(moved(numbers.astype(np.float32), shift.south, shift.east), 1, _LARGEST))
    return encode(put.astype(np.uint16), offset, whole)


_ORDINARY_PX = 0.5
"""So close lie 95 of 100 looks that were laid on the reference (within 5 m). What putting them right leaves at edges is in the spread that the
place's own looks show; were edges left out of them too, a line of three pixels through fields would be seen in hardly any look."""
_STEEP = 16.0
"""Codes between neighbours: a tenth of a pixel is then half of what two dates differ by anyway."""
_WHOLLY = 0.999
