"""What the map script is given: where each site is, what it is called and how it stands. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from shapely.geometry import mapping

from monitor.sites import Site
from monitor.web.overview import SiteCard

Collection = dict[str, Any]


def map_data(cards: Sequence[SiteCard]) -> dict[str, Collection]:
    """Points to draw and outlines for close views."""
    points = [
        _point(
            card.site,
            state=card.state.code,
            words=card.state.words,
            headline=card.alert.headline if card.alert else "",
        )
        for card in cards
    ]
    return {"points": _collection(points), "outlines": _outlines(card.site for card in cards)}


def plain_map_data(sites: Iterable[Site]) -> dict[str, Collection]:
    """The same for a map on which a new site is drawn: every mark is plain."""
    known = list(sites)
    points = [_point(site, state="unknown", words="", headline="") for site in known]
    return {"points": _collection(points), "outlines": _outlines(known)}


def _point(site: Site, **properties: str) -> dict[str, Any]:
    middle = site.geometry.representative_point()
    at = {"type": "Point", "coordinates": [round(middle.x, 5), round(middle.y, 5)]}
    return {
        "type": "Feature",
        "properties": {"id": site.id, "name": site.name, **properties},
        "geometry": at,
    }


def _outlines(sites: Iterable[Site]) -> Collection:
    return _collection(
        [
            {"type": "Feature", "properties": {"id": site.id}, "geometry": mapping(site.geometry)}
            for site in sites
        ]
    )


def _collection(features: list[dict[str, Any]]) -> Collection:
    return {"type": "FeatureCollection", "features": features}
