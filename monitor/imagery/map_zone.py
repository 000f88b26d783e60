"""On which UTM map the tiles of scenes lie, by their grid codes, else by the longitude of their footprints."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import shapely
from shapely import Point
from shapely.geometry import shape

from db.records import Scene
from monitor.sites import Site

_CODE = re.compile(r"(?:MGRS-)?(?P<zone>\d{1,2})(?P<band>[C-HJ-NP-X])[A-HJ-NP-Z][A-HJ-NP-V]")
_FIRST_NORTHERN_BAND = "N"
_NORTH, _SOUTH = 32600, 32700
_ZONE_DEG, _ZONES = 6, 60


def map_of(scenes: Sequence[Scene]) -> int:
    """The EPSG code of the map that shows most of the site in most of these scenes (at least one)."""
    votes: Counter[int] = Counter()
    for scene in scenes:
        votes[_map_of(scene)] += round(100 * scene.covered_share)
    return max(sorted(votes), key=lambda epsg: votes[epsg])


def map_of_site(site: Site) -> int:
    """The EPSG code of the map on which a site lies by its longitude, where no scene says otherwise."""
    return _map_at(shapely.get_parts(site.geometry)[0].representative_point())


def _map_of(scene: Scene) -> int:
    said = _CODE.fullmatch(str(scene.properties.get("grid:code", "")))
    if said is not None and 1 <= int(said["zone"]) <= _ZONES:
        return (_NORTH if said["band"] >= _FIRST_NORTHERN_BAND else _SOUTH) + int(said["zone"])
    if scene.footprint is None:
        return 0
    return _map_at(shape(dict(scene.footprint)).representative_point())


def _map_at(middle: Point) -> int:
    zone = min(_ZONES, math.floor((middle.x + 180) / _ZONE_DEG) + 1)
    return (_NORTH if middle.y >= 0 else _SOUTH) + zone
