"""Radar numbers of passes: which pass is due, its zones asked for one by one within what a month allows, and stored.

Scenes tell when a radar passed and on which relative orbit; a service that reckons statistics tells how bright each zone
was then, through any cloud. A zone that was answered is stored at once, so a refusal in the midst costs nothing twice.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import shapely
from shapely.geometry.base import BaseGeometry

from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.observations import record_observations
from db.pixels import failures_by_item, store_pixel_failure, store_pixel_looks
from db.radar import add_units, last_radar_reads, leave_alone, radar_parts, store_radar_look, units_of
from db.records import PixelLook, Scene, SceneFailure
from db.records.radar import RadarLook, UnitsSpent
from monitor.config.secrets import visible
from monitor.derive.due_passes import MOST_ATTEMPTS, PIXEL_COLLECTIONS
from monitor.derive.pictures import scene_failure
from monitor.derive.scenes import known_starts
from monitor.feeds import FeedError
from monitor.feeds.sentinel_hub import (
    Priced,
    SentinelHubStatistics,
    ZoneQuestion,
    class_units,
    radar_units,
)
from monitor.imagery.classes import shares_of_counts
from monitor.imagery.grid import TOO_LARGE, PixelGrid, site_grid
from monitor.imagery.looks import WHOLE_SITE, pass_looks
from monitor.imagery.map_zone import map_of, map_of_site
from monitor.imagery.radar import RING_AREA
from monitor.imagery.radar_passes import (
    LEAST_OF_SITE,
    RadarPass,
    day_alone,
    radar_passes,
    radar_zones,
)
from monitor.imagery.windows import RasterError
from monitor.sites import Site

STATISTICS_COLLECTION = "sentinel-1-grd"
ZONE_PART = "zone:"
"""Before the id of an area: the part of a look that holds its numbers."""
RADAR_LOOK_BACK = timedelta(days=4 * 365)
_NEVER = datetime.min.replace(tzinfo=UTC)
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RadarReport:
    """One pass over one site that was read, or not; `text` says so to a person."""

    site_id: str
    item_id: str
    read: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Due:
    site: Site
    of: RadarPass
    begins: datetime
    epsg: int
    zones: Sequence[tuple[str, BaseGeometry, str]]
    """Area id, surface in metres, and a digest of it: those that were not asked for yet."""
    attempts: int


class _StopError(Exception):
    """Nothing more is to be asked of this provider now; the text says why."""


def read_statistics(
    engine: Engine,
    sites: Collection[Site],
    sources: Mapping[str, SentinelHubStatistics],
    now: datetime,
    *,
    limit: int,
) -> list[RadarReport]:
    """Ask for the numbers of radar passes that are due, at most `limit`: the site first that waited longest.

    Then of cloud over the sites, where the file of a pass itself could not be read. `sources` are by provider.
    """
    reports: list[RadarReport] = []
    for name, source in sources.items():
        try:
            _check_wait(engine, name, now)
            for due in _all_due(engine, sites, name, now)[:limit]:
                reports += [_read_pass(engine, source, due, now)]
            # What is left undone is not even looked for while there is no room for it.
            if limit > len(reports):
                for unread in _all_unread(engine, sites, now)[: limit - len(reports)]:
                    reports += [_read_classes(engine, source, unread, now)]
        except _StopError as stop:
            if not reports:
                reports.append(RadarReport("", "", False, str(stop)))
    return reports


def _month(now: datetime) -> str:
    return f"{now:%Y-%m}"


def _check_wait(engine: Engine, provider: str, now: datetime) -> None:
    with reading(engine) as connection:
        spent = units_of(connection, provider, _month(now))
    if spent.not_before is not None and spent.not_before > now:
        raise _StopError(spent.words)


def expected_units(spent: UnitsSpent, estimated: float) -> float:
    """What a request will cost, by what requests of this month cost that were reckoned in the same way."""
    dearer = spent.units / spent.estimated if spent.estimated > 0 else 1.0
    return estimated * max(1.0, dearer)


def _afford(engine: Engine, source: SentinelHubStatistics, estimated: float, now: datetime) -> None:
    """Raise _StopError where a request would not fit into what the month allows."""
    name = source.provider.name
    with reading(engine) as connection:
        spent = units_of(connection, name, _month(now))
    price = expected_units(spent, estimated)
    if spent.units + price > source.units_a_month or spent.requests >= source.requests_a_month:
        raise _StopError(
            f"{name}: {spent.units:,.1f} of {source.units_a_month:,.0f} processing units and {spent.requests:,} of "
            f"{source.requests_a_month:,.0f} requests of this month are used; it goes on with the next month, or with more in "
            f"the options units_a_month and requests_a_month of [providers.{name!r}]."
        )


def _all_due(engine: Engine, sites: Collection[Site], provider: str, now: datetime) -> list[_Due]:
    """The oldest pass of each site that is to be read; the site that waited longest first."""
    with reading(engine) as connection:
        tried = last_radar_reads(connection)
        found = [due for site in sites if not site.is_region for due in _due(connection, site, provider, now)]
    return sorted(found, key=lambda due: (tried.get(due.site.id, _NEVER), due.of.begins, due.site.id))


def _due(connection: Connection, site: Site, provider: str, now: datetime) -> Iterator[_Due]:
    collections = (STATISTICS_COLLECTION,)
    known = scenes(
        connection, site_id=site.id, since=now - RADAR_LOOK_BACK, until=now, collections=collections
    )
    passes, _ = radar_passes(known, collections)
    if not passes:
        return
    epsg = map_of_site(site)
    zones = drawn_zones(site, epsg)
    stored = radar_parts(connection, site.id)
    failed = failures_by_item(connection, site.id)
    for each in passes:
        first = each.scenes[0]
        missing = [zone for zone in zones if stored.get((each.look_key, ZONE_PART + zone[0])) != zone[2]]
        before = failed.get((first.provider, first.collection, first.item_id))
        attempts = before.attempts if before else 0
        if (
            not missing
            or first.provider != provider
            or each.covered < LEAST_OF_SITE
            or attempts >= MOST_ATTEMPTS
            or (before is not None and before.not_before > now)
        ):
            continue
        begins = day_alone(each, passes) if each.orbit_state else None
        if begins is not None:
            yield _Due(site, each, begins, epsg, missing, attempts)


def drawn_zones(site: Site, epsg: int) -> list[tuple[str, BaseGeometry, str]]:
    """The zones of a site that radar measures: area id, surface in metres, and a digest of it; [] where none can be drawn."""
    try:
        if not site_grid(site, epsg).is_kept:
            return []
        return [(zone.area_id, shape, drawn_digest(shape)) for zone, shape in radar_zones(site, epsg)]
    except RasterError:
        return []


def drawn_digest(shape: BaseGeometry) -> str:
    """A short text that changes when a zone is drawn anew."""
    return hashlib.sha256(shapely.to_wkb(shapely.set_precision(shape, 0.1))).hexdigest()[:16]


def _read_pass(engine: Engine, source: SentinelHubStatistics, due: _Due, now: datetime) -> RadarReport:
    """Ask for every zone of one pass that is missing; what came is stored although a later one fail."""
    first = due.of.scenes[0]
    seen = 0
    for area, shape, digest in due.zones:
        question = ZoneQuestion(
            f"{due.site.id}{f', {area}' if area else ''}", shape, due.epsg, due.begins, due.of.orbit_state
        )
        _afford(engine, source, radar_units(question), now)
        try:
            numbers, priced = source.radar(question, now)
        except FeedError as error:
            return _failed(engine, source, due, error, now)
        seen += numbers is not None
        look = RadarLook(
            site_id=due.site.id,
            look_key=due.of.look_key,
            part=ZONE_PART + area,
            provider=first.provider,
            collection=first.collection,
            item_id=first.item_id,
            relative_orbit=due.of.relative_orbit,
            orbit_state=due.of.orbit_state,
            acquired_at=due.of.begins,
            drawn=digest,
            numbers={} if numbers is None else numbers.as_json(),
            codes=None,
            epsg=due.epsg,
            fault="" if numbers is not None else "radar saw nothing of it",
            read_at=now,
        )
        with writing(engine) as connection:
            _charge(connection, source, priced, now)
            store_radar_look(connection, look)
    said = f"{due.site.name}, radar of {due.of.begins:%Y-%m-%d} from {due.of.orbit}"
    return RadarReport(due.site.id, first.item_id, True, f"{said}: {seen} of {len(due.zones)} zones seen.")


def _charge(connection: Connection, source: SentinelHubStatistics, priced: Priced, now: datetime) -> None:
    add_units(connection, source.provider.name, _month(now), priced.units, priced.estimated)


def _failed(
    engine: Engine, source: SentinelHubStatistics, due: "_Due", error: FeedError, now: datetime
) -> RadarReport:
    _stop_if_refused(engine, source, error, now)
    first = due.of.scenes[0]
    failure = _note_failure(engine, first, error, due.attempts, now)
    said = f"{due.site.name}: the radar of {due.of.begins:%Y-%m-%d} could not be read: {failure.reason}"
    return RadarReport(due.site.id, first.item_id, False, said)


def _note_failure(
    engine: Engine, scene: Scene, error: FeedError, attempts: int, now: datetime
) -> SceneFailure:
    failure = replace(scene_failure(scene, "", error, attempts, now), reason=visible(error.reason))
    with writing(engine) as connection:
        store_pixel_failure(connection, failure)
    return failure


def _stop_if_refused(engine: Engine, source: SentinelHubStatistics, error: FeedError, now: datetime) -> None:
    """Where the service turned us away, and not this one question, note it and ask nothing more."""
    if not error.ends_round:
        return
    wait_s = error.retry_after_s or _DAY_S
    with writing(engine) as connection:
        leave_alone(
            connection, source.provider.name, _month(now), now + timedelta(seconds=wait_s), error.reason
        )
    raise _StopError(error.reason)


@dataclass(frozen=True, slots=True)
class _Unread:
    site: Site
    tiles: Sequence[Scene]
    grid: PixelGrid
    attempts: int

    @property
    def first(self) -> Scene:
        """The scene that stands for the pass."""
        return min(self.tiles, key=lambda each: (each.acquired_at, each.item_id))


def _all_unread(engine: Engine, sites: Collection[Site], now: datetime) -> list[_Unread]:
    """Passes whose scene classes cannot be read out of their files: the newest of each site first."""
    with reading(engine) as connection:
        found = [each for site in sites if not site.is_region for each in _unread(connection, site, now)]
    return sorted(found, key=lambda each: each.tiles[0].acquired_at, reverse=True)


def _unread(connection: Connection, site: Site, now: datetime) -> Iterator[_Unread]:
    by_pass: dict[str, list[Scene]] = defaultdict(list)
    for scene in scenes(
        connection,
        site_id=site.id,
        since=now - RADAR_LOOK_BACK,
        until=now,
        collections=PIXEL_COLLECTIONS,
        never_read=True,
    ):
        if scene.covered_share >= LEAST_OF_SITE:
            by_pass[scene.look_key].append(scene)
    failed = failures_by_item(connection, site.id) if by_pass else {}
    for tiles in by_pass.values():
        before = [failed.get((each.provider, each.collection, each.item_id)) for each in tiles]
        if all(
            not tile.links.get("scl") or (fault is not None and fault.attempts >= MOST_ATTEMPTS)
            for tile, fault in zip(tiles, before, strict=True)
        ):
            attempts = max((each.attempts for each in before if each), default=0)
            if attempts < 2 * MOST_ATTEMPTS and not any(each and each.not_before > now for each in before):
                try:
                    yield _Unread(site, tiles, site_grid(site, map_of(tiles)), attempts)
                except RasterError:
                    continue


def _read_classes(engine: Engine, source: SentinelHubStatistics, due: _Unread, now: datetime) -> RadarReport:
    """Ask how much of the site and of its areas was clear in one pass of Sentinel-2."""
    first = due.first
    shares: dict[str, dict[str, float]] = {}
    begins = (first.acquired_at - timedelta(hours=12)).replace(microsecond=0)
    for area, shape, _ in drawn_zones(due.site, due.grid.epsg):
        if area == RING_AREA:
            continue
        where = f"{due.site.id}{f', {area}' if area else ''}"
        question = ZoneQuestion(where, shape, due.grid.epsg, begins)
        _afford(engine, source, class_units(question), now)
        try:
            counts, priced = source.classes(question, now)
        except FeedError as error:
            return _classes_failed(engine, source, due, error, now)
        with writing(engine) as connection:
            _charge(connection, source, priced, now)
        shares[area] = shares_of_counts(counts or (), shape.area).as_parts()
    if not shares:
        too_large = FeedError(f"{due.site.name}: {TOO_LARGE}.", ours=True)
        return _classes_failed(engine, source, due, too_large, now)
    look = PixelLook(
        site_id=due.site.id,
        look_key=first.look_key,
        provider=first.provider,
        collection=first.collection,
        item_id=first.item_id,
        platform=first.platform,
        sensor=first.sensor,
        acquired_at=first.acquired_at,
        grid=due.grid.digest,
        epsg=due.grid.epsg,
        classes=b"",
        codes=None,
        state=None,
        shares=shares,
        facts={"classes_from": source.provider.name},
        fault="its file could not be read; its classes were counted by a service",
        spent_bytes=0,
        read_at=now,
    )
    with reading(engine) as connection:
        starts = known_starts(connection, due.site.id, due.tiles)
    seen = pass_looks(
        due.site, due.tiles, recorded_at=now, known_starts=starts, pixels={first.look_key: shares}
    )
    with writing(engine) as connection:
        store_pixel_looks(connection, [look])
        record_observations(connection, seen)
    said = f"{due.site.name}, {first.acquired_at:%Y-%m-%d}: {shares[WHOLE_SITE]['clear']:.0%} clear, by {source.provider.name}."
    return RadarReport(due.site.id, first.item_id, True, said)


def _classes_failed(
    engine: Engine,
    source: SentinelHubStatistics,
    due: _Unread,
    error: FeedError,
    now: datetime,
) -> RadarReport:
    _stop_if_refused(engine, source, error, now)
    first = due.first
    failure = _note_failure(engine, first, error, due.attempts, now)
    said = (
        f"{due.site.name}: the cloud of {first.acquired_at:%Y-%m-%d} could not be asked for: {failure.reason}"
    )
    return RadarReport(due.site.id, first.item_id, False, said)
