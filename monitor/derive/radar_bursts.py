"""Pixels of radar bursts: which is due, read in part from behind a login, and kept on the site's grid of 30 m."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.pixels import add_bytes_read, bytes_read_on, failures_by_item, store_pixel_failure
from db.radar import last_radar_reads, radar_parts, store_radar_look
from db.records import Scene
from db.records.radar import RadarLook
from monitor.config.secrets import visible
from monitor.derive.due_passes import MOST_ATTEMPTS
from monitor.derive.pictures import quieten_library, scene_failure
from monitor.derive.radar import RADAR_LOOK_BACK, RadarReport
from monitor.derive.scene_files import SceneFiles
from monitor.feeds import FeedError
from monitor.feeds.earthdata import TOKEN_HOSTS, EarthdataFiles
from monitor.feeds.ranges import RangeBudget
from monitor.feeds.stac_bursts import BURST_PROPERTY, ORBIT_PROPERTY
from monitor.imagery.grid import PixelGrid
from monitor.imagery.kept import packed
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.radar_pixels import burst_codes, burst_grid, read_burst
from monitor.imagery.windows import RasterError
from monitor.sites import Site

BURST_COLLECTION = "OPERA_L2_RTC-S1_V1_1"
LEAST_BURST_COVERED = 0.05
"""A burst that shows less of the site is not read; bursts of one pass are laid together."""
OTHER_MAP = "other:"
"""Before the digest of a grid on another map than the site's own, whose pixels cannot be laid beside the others."""
_BUDGET = RangeBudget(size=24 * 1024 * 1024, requests=16)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Due:
    site: Site
    scene: Scene
    attempts: int


def read_bursts(
    engine: Engine,
    sites: Collection[Site],
    files: Mapping[str, EarthdataFiles],
    now: datetime,
    *,
    limit: int,
    most_bytes: int,
) -> list[RadarReport]:
    """Read bursts that are due, at most `limit` and about `most_bytes` a day (UTC, of all pixels): what waited longest first.

    `files` are by provider: those whose login is known.
    """
    quieten_library()
    reports: list[RadarReport] = []
    refused: set[str] = set()
    for due in _all_due(engine, sites, files, now)[:limit]:
        name = due.scene.provider
        with reading(engine) as connection:
            if bytes_read_on(connection, f"{now:%Y-%m-%d}") >= most_bytes:
                break
        if name in refused:
            continue
        report, stop = _read(engine, due, files[name], now)
        reports.append(report)
        if stop:
            refused.add(name)
    return reports


def _all_due(
    engine: Engine, sites: Collection[Site], files: Mapping[str, EarthdataFiles], now: datetime
) -> list[_Due]:
    with reading(engine) as connection:
        tried = last_radar_reads(connection)
        found = [due for site in sites if not site.is_region for due in _due(connection, site, files, now)]
    return sorted(found, key=lambda due: (tried.get(due.site.id, _NEVER), due.scene.acquired_at, due.site.id))


def _due(
    connection: Connection, site: Site, files: Mapping[str, EarthdataFiles], now: datetime
) -> Iterator[_Due]:
    """The newest copy of each burst of each pass that is to be read."""
    known = scenes(
        connection,
        site_id=site.id,
        since=now - RADAR_LOOK_BACK,
        until=now,
        collections=(BURST_COLLECTION,),
    )
    newest: dict[tuple[str, str], Scene] = {}
    for scene in known:
        burst = scene.properties.get(BURST_PROPERTY)
        if (
            burst
            and scene.links.get("vv")
            and scene.provider in files
            and scene.covered_share >= LEAST_BURST_COVERED
        ):
            # The second time in its name says when it was made.
            key = (scene.look_key, str(burst))
            if key not in newest or newest[key].item_id < scene.item_id:
                newest[key] = scene
    if not newest:
        return
    stored = radar_parts(connection, site.id)
    try:
        drawn = burst_grid(site, map_of_site(site)).digest
    except RasterError:
        return
    failed = failures_by_item(connection, site.id)
    for key, scene in newest.items():
        before = failed.get((scene.provider, scene.collection, scene.item_id))
        if stored.get(key) in (drawn, OTHER_MAP + drawn):
            continue
        if before is None or (before.not_before <= now and before.attempts < MOST_ATTEMPTS):
            yield _Due(site, scene, before.attempts if before else 0)


def _read(engine: Engine, due: _Due, client: EarthdataFiles, now: datetime) -> tuple[RadarReport, bool]:
    """Read one burst over one site; also whether the archive turned us away."""
    scene = due.scene
    files = SceneFiles(client, scene, TOKEN_HOSTS, _BUDGET)
    try:
        grid, vv = _layer(files, "vv", due.site)
        vh = _layer(files, "vh", due.site)[1] if scene.links.get("vh") else None
        mask = _layer(files, "mask", due.site)[1] if scene.links.get("mask") else None
    except (RasterError, FeedError) as error:
        failure = scene_failure(scene, "vv", error, due.attempts, now)
        if isinstance(error, FeedError):
            failure = replace(failure, reason=visible(error.reason))
        with writing(engine) as connection:
            add_bytes_read(connection, f"{now:%Y-%m-%d}", files.spent, files.requests)
            store_pixel_failure(connection, failure)
        text = f"{due.site.name}: the radar pixels of {scene.acquired_at:%Y-%m-%d} could not be read: {failure.reason}"
        stop = isinstance(error, FeedError) and error.ends_round
        return RadarReport(due.site.id, scene.item_id, False, text), stop
    here = burst_grid(due.site, map_of_site(due.site)).digest
    look = RadarLook(
        site_id=due.site.id,
        look_key=scene.look_key,
        part=str(scene.properties[BURST_PROPERTY]),
        provider=scene.provider,
        collection=scene.collection,
        item_id=scene.item_id,
        relative_orbit=int(scene.properties[ORBIT_PROPERTY]),
        orbit_state="",
        acquired_at=scene.acquired_at,
        drawn=here if grid.digest == here else OTHER_MAP + here,
        numbers={},
        codes=packed(burst_codes(vv, vh, mask)),
        epsg=grid.epsg,
        fault="",
        read_at=now,
    )
    with writing(engine) as connection:
        add_bytes_read(connection, f"{now:%Y-%m-%d}", files.spent, files.requests)
        store_radar_look(connection, look)
    said = f"{due.site.name}, radar pixels of {scene.acquired_at:%Y-%m-%d} from burst {look.part}."
    return RadarReport(due.site.id, scene.item_id, True, said), False


_KINDS = {"vv": "float32", "vh": "float32", "mask": "uint8"}


def _layer(files: SceneFiles, name: str, site: Site) -> tuple[PixelGrid, NDArray[Any]]:
    return files.read(name, lambda raster: read_burst(raster, site, _KINDS[name]))
