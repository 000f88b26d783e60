"""Writing a part of a site that was drawn over its picture into the sites file, by the path on which sites are added."""

import json
from collections.abc import Mapping
from typing import Any

from monitor.app import App
from monitor.bootstrap import address_test, rule_defaults
from monitor.sites import Site
from monitor.sites.add import add_sites
from monitor.sites.faults import SitesError, SitesFault
from monitor.web.looking.view import AreaWish

_FORM = "the form"


def write_area(app: App, site: Site, wish: AreaWish) -> str:
    """Write where one area is, or a new area, and give its id; raises SitesError or WorkFailed, and then writes nothing."""
    geometry = _geometry(wish.geometry)
    known = [dict(each) for each in site.feature["properties"].get("areas") or []]
    if wish.area:
        if wish.area not in {each.get("id") for each in known}:
            raise _refusal("area", "this site has no such area any more", "Load the page again")
        areas = [{**each, "geometry": geometry} if each.get("id") == wish.area else each for each in known]
    else:
        new = {"id": wish.area_id, "name": wish.name or wish.area_id, "geometry": geometry}
        areas = [*known, {**new, **({"kind": wish.kind} if wish.kind else {})}]
    feature = {**site.feature, "properties": {**site.feature["properties"], "areas": areas}}
    add_sites(
        app.sites_file.path,
        [feature],
        replace=True,
        rules=rule_defaults(),
        in_watched_class=address_test(app.classes),
    )
    return wish.area or wish.area_id


def _geometry(text: str) -> Mapping[str, Any]:
    if not text.strip():
        raise _refusal(
            "geometry", "nothing is drawn", "Draw it on the map, or paste a Polygon or a LineString"
        )
    try:
        found = json.loads(text)
    except ValueError:
        raise _refusal("geometry", "it is not JSON", "Paste a GeoJSON Polygon or LineString") from None
    if isinstance(found, dict) and found.get("type") == "Feature":
        found = found.get("geometry")
    if not isinstance(found, dict):
        raise _refusal("geometry", "it is no GeoJSON geometry", "Paste a GeoJSON Polygon or LineString")
    return found


def _refusal(path: str, problem: str, mend: str) -> SitesError:
    return SitesError(_FORM, [SitesFault(_FORM, path, problem, mend)])
