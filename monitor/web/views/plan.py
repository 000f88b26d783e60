"""A site's outline, areas and runways drawn to scale, north up, without any background map. Pure."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from db.said import numeral, phrase
from monitor.sites import Site
from monitor.sites.geodesy import METRES_PER_NM, NM_PER_DEGREE, longitude_near

PLAN_SIZE = 1000.0
"""The longer side of the drawing, in its own units."""
_KILOMETRE = 1000
_M_PER_DEG = METRES_PER_NM * NM_PER_DEGREE
_MARGIN = 0.06
_BARS_M = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
_BAR_SHARE = 0.25
_BAR_ROOM = 60


@dataclass(frozen=True, slots=True)
class PlanShape:
    """One outline as an SVG path; `open` is a line."""

    path: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The drawing, with a scale bar of `bar_m` metres."""

    width: float
    height: float
    shapes: tuple[PlanShape, ...]
    bar: float
    bar_m: int
    unlocated: tuple[str, ...]

    @property
    def bar_words(self) -> str:
        """The length of the scale bar."""
        return (
            phrase("{length} km", length=numeral(f"{self.bar_m / 1000:g}"))
            if self.bar_m >= _KILOMETRE
            else f"{self.bar_m} m"
        )


def draw_plan(site: Site) -> Plan:
    """Draw a site in a local projection around its middle (errors far below a pixel at this size)."""
    paper = _Paper(site)
    shapes = [
        PlanShape(paper.path(site.geometry), site.name, "site"),
        *(
            PlanShape(paper.path(area.geometry), area.name, "area")
            for area in site.areas
            if area.geometry is not None
        ),
        *(
            PlanShape(paper.line(runway["ends"]), phrase("Runway {name}", name=runway["name"]), "runway")
            for runway in site.runways
            if runway.get("ends")
        ),
    ]
    bar_m = max((each for each in _BARS_M if each <= paper.width_m * _BAR_SHARE), default=_BARS_M[0])
    return Plan(
        width=round(paper.width_m * paper.scale, 1),
        height=round(paper.height_m * paper.scale + _BAR_ROOM, 1),
        shapes=tuple(shapes),
        bar=round(bar_m * paper.scale, 1),
        bar_m=bar_m,
        unlocated=tuple(area.name for area in site.areas if area.geometry is None),
    )


class _Paper:
    """Degrees to drawing units; a site across 180° is unrolled around its first corner."""

    def __init__(self, site: Site) -> None:
        corners = [corner for ring in _rings(site.geometry) for corner in ring]
        self._reference = corners[0][0]
        lons = [self._near(lon) for lon, _ in corners]
        lats = [lat for _, lat in corners]
        self._east = math.cos(math.radians((min(lats) + max(lats)) / 2)) * _M_PER_DEG
        pad_m = max((max(lons) - min(lons)) * self._east, (max(lats) - min(lats)) * _M_PER_DEG) * _MARGIN
        self._west, self._north = min(lons) - pad_m / self._east, max(lats) + pad_m / _M_PER_DEG
        self.width_m = (max(lons) - min(lons)) * self._east + 2 * pad_m
        self.height_m = (max(lats) - min(lats)) * _M_PER_DEG + 2 * pad_m
        self.scale = PLAN_SIZE / max(self.width_m, self.height_m)

    def path(self, geometry: BaseGeometry) -> str:
        """Every ring as one path."""
        return " ".join(f"M{self._points(ring)}Z" for ring in _rings(geometry)) or self.line(geometry.coords)

    def line(self, ends: Iterable[Iterable[float]]) -> str:
        """An open line."""
        return f"M{self._points(tuple(end) for end in ends)}"

    def _points(self, corners: Iterable[tuple[float, ...]]) -> str:
        return "L".join(self._point(corner[0], corner[1]) for corner in corners)

    def _point(self, lon: float, lat: float) -> str:
        x = (self._near(lon) - self._west) * self._east * self.scale
        y = (self._north - lat) * _M_PER_DEG * self.scale
        return f"{x:.1f} {y:.1f}"

    def _near(self, lon: float) -> float:
        return longitude_near(lon, self._reference)


def _rings(geometry: BaseGeometry) -> Iterator[list[tuple[float, ...]]]:
    for part in getattr(geometry, "geoms", [geometry]):
        if isinstance(part, Polygon):
            for ring in (part.exterior, *part.interiors):
                yield list(ring.coords)
