"""Sites that lie on the same ground: what happens there is counted at each of them, which is seldom meant. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from monitor.sites import Site

_AT_LEAST = 0.01
"""Outlines that share less of the smaller one than this are neighbours whose drawn edges meet."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two sites, in the order of the file, and how much of the smaller one the other covers (0 to 1)."""

    first: Site
    second: Site
    share: float

    def __str__(self) -> str:
        """One sentence for a person."""
        share = "all" if self.share > 1 - _AT_LEAST else f"{self.share:.0%}"
        return (
            f"{self.first.id} ({self.first.name}) and {self.second.id} ({self.second.name}) share {share} of the "
            "smaller outline: what happens there is counted and told at both. If they are one place, remove one of them."
        )


def overlaps(sites: Sequence[Site], among: Collection[str] | None = None) -> list[Overlap]:
    """Every pair that shares ground, or those with a site of `among`; areas are compared in degrees, which cancel out."""
    # A region is there to hold sites.
    sites = [site for site in sites if not site.is_region]
    outlines = np.array([site.geometry for site in sites], dtype=object)
    pairs = shapely.STRtree(outlines).query(outlines, predicate="intersects").T
    found = []
    for one, other in sorted((int(a), int(b)) for a, b in pairs if a < b):
        first, second = sites[one], sites[other]
        if among is not None and not {first.id, second.id} & set(among):
            continue
        shared = first.geometry.intersection(second.geometry).area
        share = shared / min(first.geometry.area, second.geometry.area)
        if share >= _AT_LEAST:
            found.append(Overlap(first, second, share))
    return found
