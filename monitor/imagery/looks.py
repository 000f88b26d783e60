"""Scenes become looks: one satellite pass over one site, how much of the site it showed, and whether that is enough.

Nobody has counted anything in such a look: it has no value. It says that there was an opportunity, so that a
count that comes later has its denominator, and that a cloudy pass is known to be one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from alerts.metrics import METRICS
from alerts.words import utc
from db.records import Evidence, Observation, Scene, SeriesKey
from monitor.sites import Site
from monitor.sites.geometry import covered_share

PASSES_METRIC = METRICS["passes"]
PASS_EXPOSURE_GATE = 0.3
"""A pass that showed less of the site than this cannot be assessed."""
SCENE_LATENCY = timedelta(hours=2)
"""How long after a pass its scene is held to be public, where the catalogue does not say."""
RADAR_SENSORS = frozenset({"sar"})
"""Radar sees through cloud."""
_SAME_TILE = 0.9
WHOLE_SITE = ""
PassShares = Mapping[str, Mapping[str, float]]
"""What the pixels of one pass show of each area ('' the whole site): shares by name, as `classes.Shares.as_parts`."""
_LINKS = ("thumbnail", "visual", "self")


def pass_looks(
    site: Site,
    scenes: Sequence[Scene],
    *,
    recorded_at: datetime,
    known_starts: Mapping[str, datetime] | None = None,
    gate: float = PASS_EXPOSURE_GATE,
    pixels: Mapping[str, PassShares] | None = None,
) -> list[Observation]:
    """Make one look of all scenes of a pass over this site, in order of time.

    `scenes` are newest versions, and all that are known of each pass. `known_starts` gives the period start
    under which a look was stored before, by look key: a tile that comes late must not move it. `pixels` has, of passes
    whose pixels were read, what was seen of the site ('') and of each area, which is then a look of its own.
    """
    by_pass: dict[str, list[Scene]] = defaultdict(list)
    for scene in scenes:
        if scene.site_id == site.id:
            by_pass[scene.look_key].append(scene)
    starts = known_starts or {}
    read = pixels or {}
    looks = [
        each
        for key, tiles in by_pass.items()
        for each in _seen(_look(site, tiles, recorded_at, starts.get(key), gate), read.get(key, {}), gate)
    ]
    return sorted(looks, key=lambda look: (look.period_start, look.look_key))


def _seen(whole: Observation, read: PassShares, gate: float) -> Iterator[Observation]:
    """The look as the catalogue tells it, or, once its pixels were read, one for the site and one for each area."""
    if WHOLE_SITE not in read:
        yield whole
    for area, shares in read.items():
        exposure = float(shares["clear"])
        yield replace(
            whole,
            series=replace(whole.series, area=area),
            assessable=exposure >= gate,
            exposure=exposure,
            exposure_parts={**shares, "cloud_of": "site"},
        )


def _look(
    site: Site, scenes: Sequence[Scene], recorded_at: datetime, start: datetime | None, gate: float
) -> Observation:
    tiles = clearest(scenes)
    first = tiles[0]
    covered = _covered(site, tiles)
    clear = _clear_share(tiles)
    exposure = None if clear is None else covered * clear
    begins = start or min(scene.acquired_at for scene in scenes)
    return Observation(
        series=SeriesKey(site.id, "", PASSES_METRIC.name, "", f"imagery/{first.sensor}"),
        kind=PASSES_METRIC.kind,
        period_start=begins,
        period_end=max(begins, *(scene.acquired_at for scene in scenes)),
        look_key=first.look_key,
        value=None,
        result_time=knowable_at(scenes),
        recorded_at=recorded_at,
        precision="minute",
        assessable=None if exposure is None else exposure >= gate,
        exposure=exposure,
        exposure_parts=_parts(covered, clear, radar=first.sensor in RADAR_SENSORS),
        publisher=first.provider,
        origin=first.platform,
        evidence=tuple(scene_evidence(tiles)),
    )


def clearest(scenes: Sequence[Scene]) -> list[Scene]:
    """Of each tile the copy with the least cloud; copies are the same tile in several collections or catalogues.

    Catalogues disagree about the cloud of one picture (24 and 35 per cent were seen). The clearer word is
    taken, because a pass that is wrongly called cloudy is lost, while a look at it soon shows the truth.
    """
    ordered = sorted(
        scenes, key=lambda scene: (_cloud(scene), scene.provider, scene.collection, scene.item_id)
    )
    kept: list[tuple[Scene, BaseGeometry | None]] = []
    for scene in ordered:
        outline = _outline(scene)
        if not any(_same_tile(scene, outline, *other) for other in kept):
            kept.append((scene, outline))
    return sorted((scene for scene, _ in kept), key=lambda scene: (scene.acquired_at, scene.item_id))


def _cloud(scene: Scene) -> float:
    # A copy whose cloud is unknown is the last choice.
    return 2.0 if scene.cloud_share is None else scene.cloud_share


def _same_tile(
    scene: Scene, outline: BaseGeometry | None, other: Scene, other_outline: BaseGeometry | None
) -> bool:
    grids = scene.properties.get("grid:code"), other.properties.get("grid:code")
    if all(grids):
        return grids[0] == grids[1]
    if outline is None or other_outline is None:
        return outline is other_outline
    both = outline.union(other_outline).area
    return both > 0 and outline.intersection(other_outline).area / both >= _SAME_TILE


def _outline(scene: Scene) -> BaseGeometry | None:
    return shape(dict(scene.footprint)) if scene.footprint else None


def _covered(site: Site, tiles: Sequence[Scene]) -> float:
    """The share of the site that lies in any of the tiles."""
    outlines = [outline for tile in tiles if (outline := _outline(tile)) is not None]
    joint = covered_share(shapely.union_all(outlines), site.geometry) if outlines else 0.0
    return max(joint, *(tile.covered_share for tile in tiles))


def _clear_share(tiles: Sequence[Scene]) -> float | None:
    """The share without cloud, each tile by how much of the site it shows; None where no tile says."""
    if all(tile.sensor in RADAR_SENSORS for tile in tiles):
        return 1.0
    told = [tile for tile in tiles if tile.cloud_share is not None]
    shown = sum(tile.covered_share for tile in told)
    if not shown:
        return None
    return 1 - sum(tile.covered_share * (tile.cloud_share or 0) for tile in told) / shown


def _parts(covered: float, clear: float | None, *, radar: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {"covered": round(covered, 4)}
    if clear is None:
        return parts
    # Of a tile of 110 km: the site itself may be clear under a cloudy one, or hidden under a clear one.
    return {**parts, "clear": round(clear, 4), **({} if radar else {"cloud_of": "tile"})}


def knowable_at(scenes: Sequence[Scene]) -> datetime:
    """When the pass could first be known of, or, once a scene was corrected, the correction."""
    published = [
        scene.published_at
        for scene in scenes
        if scene.published_at and scene.published_at >= scene.acquired_at
    ]
    first = min(published, default=min(scene.acquired_at for scene in scenes) + SCENE_LATENCY)
    corrected = [scene.updated_at for scene in scenes if scene.version > 1 and scene.updated_at]
    return max(first, *corrected) if corrected else first


def scene_evidence(tiles: Sequence[Scene]) -> list[Evidence]:
    """Which scenes a look rests on, with what they show and where a person can see them."""
    found: list[Evidence] = []
    for tile in tiles:
        cloud = "" if tile.cloud_share is None else f", {tile.cloud_share:.0%} of the tile under cloud"
        said = f"{tile.platform} {utc(tile.acquired_at)} shows {tile.covered_share:.0%} of the site{cloud}"
        found.append(Evidence("scene", f"{tile.provider}/{tile.collection}/{tile.item_id}", said))
        found += [Evidence("url", tile.links[name], name) for name in _LINKS if name in tile.links]
    return found
