"""What the map script is given: where each site is, what it is called and how it stands. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import mapping

from monitor.sites import Site
from monitor.sites.geodesy import longitude_near

Collection = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SiteMark:
    """One site on the map: the code of its state, by which it is coloured, and what is said of it."""

    site: Site
    state: str
    words: str
    headline: str = ""


def map_data(marks: Sequence[SiteMark]) -> dict[str, Collection]:
    """Points to draw and outlines for close views."""
    points = [_point(mark.site, state=mark.state, words=mark.words, headline=mark.headline) for mark in marks]
    return {"points": geojson_of(points), "outlines": _outlines(mark.site for mark in marks)}


def plain_map_data(sites: Iterable[Site]) -> dict[str, Collection]:
    """The same for a map on which a new site is drawn: every mark is plain."""
    known = list(sites)
    points = [_point(site, state="unknown", words="", headline="") for site in known]
    return {"points": geojson_of(points), "outlines": _outlines(known)}


def draft_map_data(sites: Iterable[Site], drafts: Sequence[Site]) -> dict[str, Any]:
    """The same with sites that are not added yet, and the box around these: [[west, south], [east, north]]."""
    ids = {site.id for site in drafts}
    data: dict[str, Any] = plain_map_data([*(site for site in sites if site.id not in ids), *drafts])
    corners = [(x, y) for site in drafts for x, y in shapely.get_coordinates(site.geometry).tolist()]
    if corners:
        # Around one corner, so that a box across 180° stays small.
        first = corners[0][0]
        lons = [longitude_near(x, first) for x, _ in corners]
        lats = [y for _, y in corners]
        data["bounds"] = [[min(lons), min(lats)], [max(lons), max(lats)]]
    return {**data, "drafts": _outlines(drafts)}


def _point(site: Site, **properties: str) -> dict[str, Any]:
    middle = site.geometry.representative_point()
    at = {"type": "Point", "coordinates": [round(middle.x, 5), round(middle.y, 5)]}
    return {
        "type": "Feature",
        "properties": {"id": site.id, "name": site.name, **properties},
        "geometry": at,
    }


def _outlines(sites: Iterable[Site]) -> Collection:
    return geojson_of(
        [
            {"type": "Feature", "properties": {"id": site.id}, "geometry": mapping(site.geometry)}
            for site in sites
        ]
    )


def geojson_of(features: list[dict[str, Any]]) -> Collection:
    """GeoJSON of features."""
    return {"type": "FeatureCollection", "features": features}
