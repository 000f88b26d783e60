"""Radar scenes made into passes over a site: of which relative orbit, when, and in which day alone of its direction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import shapely
from shapely.geometry.base import BaseGeometry

from db.records import Scene
from monitor.imagery.grid import BERTH_KINDS, BERTH_REACH_M, RING_M
from monitor.imagery.looks import RADAR_SENSORS
from monitor.imagery.radar import RING_AREA, RadarZone
from monitor.imagery.windows import projected
from monitor.sites import Area, Site

LAST_ORBIT = 175
"""Sentinel-1 flies 175 orbits before it repeats them."""
_DAY = timedelta(days=1)
LEAST_OF_SITE = 0.3
_LONGEST_SLICE = timedelta(seconds=60)
_SLACK = timedelta(minutes=2)
_BESIDE_LINE_M = 15.0
"""Radar sees some 20 m, so that is how wide a line is to it."""
NO_ORBIT = "the catalogue does not say of which relative orbit it is"
TWO_ORBITS = "the catalogue says two relative orbits of it"
NO_DAY_ALONE = "another pass of the same direction lies within a day of it on either side"


@dataclass(frozen=True, slots=True)
class RadarPass:
    """All slices of one datatake over one site."""

    scenes: tuple[Scene, ...]
    relative_orbit: int
    orbit_state: str

    @property
    def look_key(self) -> str:
        """The look that it is."""
        return self.scenes[0].look_key

    @property
    def begins(self) -> datetime:
        """When the first slice begins."""
        return min(each.acquired_at for each in self.scenes)

    @property
    def ends(self) -> datetime:
        """When the last slice ends, at the latest."""
        return max(each.acquired_at for each in self.scenes) + _LONGEST_SLICE

    @property
    def covered(self) -> float:
        """The share of the site that it shows; slices hardly overlap."""
        return min(1.0, sum(each.covered_share for each in self.scenes))

    @property
    def orbit(self) -> str:
        """The direction from which it looks, as series and people name it."""
        return orbit_name(self.relative_orbit, self.orbit_state)


def orbit_name(relative_orbit: int, orbit_state: str) -> str:
    """`T061-ascending`: series of different names are never compared."""
    return f"T{relative_orbit:03}{f'-{orbit_state}' if orbit_state else ''}"


def radar_passes(
    scenes: Iterable[Scene], collections: Sequence[str]
) -> tuple[list[RadarPass], dict[str, str]]:
    """The passes of these scenes (newest versions, of one site) by time; and of others, by look key, why they cannot be used."""
    grouped: dict[tuple[str, str], list[Scene]] = defaultdict(list)
    for scene in scenes:
        if scene.collection in collections and scene.sensor in RADAR_SENSORS:
            grouped[scene.provider, scene.look_key].append(scene)
    passes, refused = [], {}
    for (_, look_key), slices in grouped.items():
        orbits = {_orbit(each) for each in slices}
        if None in orbits:
            refused[look_key] = NO_ORBIT
        elif len(orbits) > 1:
            refused[look_key] = TWO_ORBITS
        else:
            orbit, state = next(each for each in orbits if each is not None)
            passes.append(RadarPass(tuple(slices), orbit, state))
    return sorted(passes, key=lambda each: (each.begins, each.look_key)), refused


def _orbit(scene: Scene) -> tuple[int, str] | None:
    orbit, state = scene.properties.get("sat:relative_orbit"), scene.properties.get("sat:orbit_state", "")
    if isinstance(orbit, bool) or not isinstance(orbit, int | float) or not float(orbit).is_integer():
        return None
    if not 1 <= int(orbit) <= LAST_ORBIT:
        return None
    text = str(state).strip().lower()
    return int(orbit), text if text in ("ascending", "descending") else ""


def day_alone(of: RadarPass, others: Iterable[RadarPass]) -> datetime | None:
    """The start of a day in which a pass is the only one of its direction; None where there is none.

    A day that ends just after the pass is the first choice: nothing that comes later can fall into it.
    """
    times = [
        (each.begins, each.ends)
        for each in others
        if each.look_key != of.look_key and each.orbit_state == of.orbit_state
    ]
    latest = of.begins - _SLACK
    earliest = of.ends + _SLACK - _DAY
    for begins in (earliest, earliest + (latest - earliest) / 2, latest):
        whole = begins.replace(microsecond=0)
        if not any(first < whole + _DAY and last > whole for first, last in times):
            return whole
    return None


def radar_zones(site: Site, epsg: int) -> list[tuple[RadarZone, BaseGeometry]]:
    """The site, its located areas, and the ring around all, each as a surface in metres; raises RasterError."""
    whole = projected(site.geometry, epsg)
    zones = [("", site.name, site.kind, whole)]
    zones += [
        (area.id, area.name, area.kind, shape)
        for area in site.areas
        if area.geometry is not None and (shape := _surface(area, epsg)).area > 0
    ]
    seen = shapely.union_all([shape for *_, shape in zones])
    zones.append((RING_AREA, "the ground around", "", whole.buffer(RING_M).difference(seen)))
    return [(RadarZone(area, name, kind, shape.area), shape) for area, name, kind, shape in zones]


def _surface(area: Area, epsg: int) -> BaseGeometry:
    assert area.geometry is not None
    shape = projected(area.geometry, epsg)
    if shape.area > 0:
        return shape
    return shape.buffer(BERTH_REACH_M if area.kind in BERTH_KINDS else _BESIDE_LINE_M)
