"""Which passes of Sentinel-2 are to be read over which sites, scene by scene, and in which order."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.engine import Connection, Engine, reading
from db.imagery import scenes
from db.pixels import failures_by_item, last_read, passes_read
from db.records import Scene
from monitor.imagery.grid import PixelGrid, site_grid
from monitor.imagery.map_zone import map_of
from monitor.imagery.windows import RasterError
from monitor.sites import Site

PIXEL_COLLECTIONS = ("sentinel-2-c1-l2a", "sentinel-2-l2a")
"""Collections of one picture, the better described first; they lack different scenes."""
MOST_ATTEMPTS = 8
_LOOK_BACK = timedelta(days=4 * 365)
_LEAST_COVERED = 0.3


@dataclass(frozen=True, slots=True)
class DuePass:
    """One scene that is to be read over one site, on this grid, after so many attempts."""

    site: Site
    scene: Scene
    grid: PixelGrid
    attempts: int


def due_scenes(engine: Engine, sites: Collection[Site], now: datetime, limit: int) -> list[list[DuePass]]:
    """At most so many scenes by time, each over all sites for which it is due, those that lie together after each other.

    Of each site the oldest passes come first, and none without those before it, since later ones are held against them; of
    the sites the one that waited longest.
    """
    with reading(engine) as connection:
        tried = last_read(connection, [site.id for site in sites])
        waiting = sorted(sites, key=lambda site: (site.id in tried, tried.get(site.id, now), site.id))
        due = [list(_due(connection, site, now, limit)) for site in waiting]
    by_scene: dict[tuple[str, str, str, int], list[DuePass]] = defaultdict(list)
    for turn in range(limit):
        for of_site in due:
            if turn < len(of_site):
                by_scene[_scene_key(of_site[turn])].append(of_site[turn])
    chosen = list(by_scene)[:limit]
    ready = {id(each) for of_site in due for each in _until_missing(of_site, chosen)}
    groups = [[each for each in by_scene[key] if id(each) in ready] for key in chosen]
    return sorted(
        (sorted(some, key=_place) for some in groups if some), key=lambda some: some[0].scene.acquired_at
    )


def _scene_key(due: DuePass) -> tuple[str, str, str, int]:
    scene = due.scene
    return scene.provider, scene.collection, scene.item_id, due.grid.epsg


def _until_missing(
    of_site: Iterable[DuePass], chosen: Sequence[tuple[str, str, str, int]]
) -> Iterator[DuePass]:
    for each in of_site:
        if _scene_key(each) not in chosen:
            return
        yield each


def _place(due: DuePass) -> tuple[float, float, str]:
    """From north to south, so that blocks of a file that were read can soon be forgotten."""
    return -due.grid.north, due.grid.west, due.site.id


def _due(connection: Connection, site: Site, now: datetime, most: int) -> Iterator[DuePass]:
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
        return
    # A site near the edge of a map stays on the one it is known on, unless it was drawn somewhere else.
    maps = {map_of([each]) for each in usable}
    epsg = next((epsg for _, epsg in read.values() if epsg in maps), map_of(usable))
    grid = _grid(site, epsg)
    if grid is None:
        return
    failed = failures_by_item(connection, site.id)
    by_pass: dict[str, list[Scene]] = defaultdict(list)
    for scene in usable:
        if read.get(scene.look_key, ("",))[0] != grid.digest and map_of([scene]) == epsg:
            by_pass[scene.look_key].append(scene)
    found = 0
    for copies in by_pass.values():
        for scene in sorted(copies, key=_preference):
            before = failed.get((scene.provider, scene.collection, scene.item_id))
            if before is None or (before.not_before <= now and before.attempts < MOST_ATTEMPTS):
                yield DuePass(site, scene, grid, before.attempts if before else 0)
                found += 1
                break
        if found == most:
            return


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
