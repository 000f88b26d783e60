"""Boxes of latitude and longitude for feeds that charge by area; few and small, never across 180°."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.sites import Site

_NM_A_DEGREE = 60.0
_HIGHEST_LAT = 89.0


@dataclass(frozen=True, slots=True)
class Box:
    """South, west, north, east in degrees, west at most east."""

    south: float
    west: float
    north: float
    east: float

    @property
    def area_sqdeg(self) -> float:
        """Width times height in degrees, as OpenSky charges it."""
        return (self.north - self.south) * (self.east - self.west)

    def joined(self, other: "Box") -> "Box":
        """The smallest box round both."""
        return Box(
            min(self.south, other.south),
            min(self.west, other.west),
            max(self.north, other.north),
            max(self.east, other.east),
        )


def around(site: Site, margin_nm: float) -> list[Box]:
    """The boxes round a site with a margin: one, or two where the site or its margin meets 180°."""
    parts = getattr(site.geometry, "geoms", [site.geometry])
    boxes = []
    for part in parts:
        west, south, east, north = part.bounds
        south, north = (
            max(-90.0, south - margin_nm / _NM_A_DEGREE),
            min(90.0, north + margin_nm / _NM_A_DEGREE),
        )
        highest = max(abs(south), abs(north))
        # Close to a pole every meridian is near.
        wide = (
            360.0 if highest > _HIGHEST_LAT else margin_nm / (_NM_A_DEGREE * math.cos(math.radians(highest)))
        )
        boxes += _cut(Box(south, west - wide, north, east + wide))
    return boxes


def _cut(box: Box) -> list[Box]:
    if box.east - box.west >= 360:  # noqa: PLR2004 - the whole round
        return [Box(box.south, -180, box.north, 180)]
    if box.west < -180:  # noqa: PLR2004 - the antimeridian
        return [Box(box.south, -180, box.north, box.east), Box(box.south, box.west + 360, box.north, 180)]
    if box.east > 180:  # noqa: PLR2004 - the antimeridian
        return [Box(box.south, box.west, box.north, 180), Box(box.south, -180, box.north, box.east - 360)]
    return [box]


def merge(wanted: Iterable[tuple[str, Box]], largest_sqdeg: float) -> list[tuple[Box, tuple[str, ...]]]:
    """Join boxes while the joined one stays within the area; the pair that adds least area first."""
    groups: list[tuple[Box, tuple[str, ...]]] = sorted(
        ((box, (name,)) for name, box in wanted), key=lambda each: (each[1], each[0].south, each[0].west)
    )
    while best := _cheapest(groups, largest_sqdeg):
        first, second = best
        joined = (
            groups[first][0].joined(groups[second][0]),
            tuple(sorted({*groups[first][1], *groups[second][1]})),
        )
        groups = [each for index, each in enumerate(groups) if index not in best] + [joined]
    return sorted(groups, key=lambda each: (each[0].south, each[0].west))


def _cheapest(groups: Sequence[tuple[Box, tuple[str, ...]]], largest_sqdeg: float) -> tuple[int, int] | None:
    pairs = [
        (joined.area_sqdeg - one.area_sqdeg - other.area_sqdeg, first, second)
        for first, (one, _) in enumerate(groups)
        for second, (other, _) in enumerate(groups[first + 1 :], first + 1)
        if (joined := one.joined(other)).area_sqdeg <= largest_sqdeg
    ]
    return min(pairs)[1:] if pairs else None
