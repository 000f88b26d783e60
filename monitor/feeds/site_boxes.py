"""Sites as boxes to ask about, one each, or two where a site meets 180°."""

from collections.abc import Iterator, Sequence

from monitor.feeds import Scope
from monitor.feeds.boxes import boxes_around
from monitor.sites import Site
from monitor.sites.geodesy import METRES_PER_NM


def box_scopes(sites: Sequence[Site], margin_m: float = 0.0) -> list[Scope]:
    """The questions about these sites, in the order of their ids."""
    return [scope for site in sorted(sites, key=lambda each: each.id) for scope in _boxes(site, margin_m)]


def _boxes(site: Site, margin_m: float) -> Iterator[Scope]:
    boxes = boxes_around(site, margin_m / METRES_PER_NM)
    for number, box in enumerate(boxes, start=1):
        part = f":{number}" if len(boxes) > 1 else ""
        corners = box.south, box.west, box.north, box.east
        yield Scope(f"site:{site.id}{part}", (site.id,), box=corners)


def bbox_text(scope: Scope) -> str:
    """`west,south,east,north` of a scope that is a box, to about a metre."""
    if scope.box is None:
        raise ValueError(f"the scope {scope.key} is no box")
    south, west, north, east = scope.box
    return ",".join(f"{each:.5f}".rstrip("0").rstrip(".") for each in (west, south, east, north))
