"""One STAC Item made into scenes, one for each site that it shows, or refused with a reason."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import shapely
from shapely.geometry.base import BaseGeometry

from db.records import Scene
from monitor.feeds.parsing import json_instant, json_integer, json_number, json_text
from monitor.feeds.stac_bursts import burst_of
from monitor.feeds.stac_grid import is_refuted
from monitor.sites import Site
from monitor.sites.geodesy import FULL_TURN_DEG, POLE_DEG
from monitor.sites.geometry import GeometryError, covered_share, footprint_outline

RADAR_SENSOR = "sar"
"""The sensor of every radar: it sees through cloud."""
PASS_MINUTES = 20
"""Where a catalogue names no datatake, scenes of one platform in the same such step are one pass."""
KEPT_PROPERTIES = (
    "datetime", "start_datetime", "end_datetime", "created", "updated", "platform", "constellation", "instruments",
    "grid:code", "eo:cloud_cover", "s2:nodata_pixel_percentage", "s2:cloud_shadow_percentage", "s2:datatake_id",
    "s2:processing_baseline", "view:sun_elevation", "sat:orbit_state", "sat:relative_orbit", "s1:datatake_id",
    "landsat:wrs_path", "landsat:wrs_row", "gsd",
)  # fmt: skip
_TOLERANCE = timedelta(hours=1)
_FULL_TURN, _HALF_TURN, _POLE = 360.0, 180.0, 90.0
_MOST_POSITIONS = 100_000
_LONGEST_EXPOSURE = timedelta(hours=1)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,39}")
_DATATAKE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
# A reprocessed copy carries another baseline in the same datatake.
_BASELINE = re.compile(r"_N\d\d\.\d\d$")
_DIGITS = re.compile(r"[0-9]{1,3}")
_DATATAKES = ("s2:datatake_id", "s1:datatake_id", "eopf:datatake_id")
BAND_ASSETS = {
    "scl": ("scl", "SCL"),
    "blue": ("blue", "B02"),
    "green": ("green", "B03"),
    "red": ("red", "B04"),
    "nir": ("nir", "B08"),
    "swir16": ("swir16", "B11"),
    "vv": ("0_VV", "VV", "vv"),
    "vh": ("0_VH", "VH", "vh"),
    "mask": ("0_mask", "mask"),
}
"""Files of single bands whose links are kept, by what catalogues call them."""
_PREVIEWS = ("thumbnail", "rendered_preview", "preview", "overview")
_SIGNATURES = ("sig", "signature", "token", "x-amz-signature", "x-goog-signature", "se", "expires")
_LONGEST_LINK = 2_000
_LONGEST_TEXT = 200


class _RefusedError(Exception):
    """One item cannot be believed; the text is the reason under which it is counted."""


class ItemReader:
    """Reads the items of one search and checks each again; `rejected` counts what was not believed, by reason."""

    def __init__(
        self,
        provider: str,
        collections: Sequence[str],
        sites: Sequence[Site],
        *,
        begins: datetime,
        ends: datetime,
        now: datetime,
    ) -> None:
        self._provider = provider
        self._collections = collections
        self._sites = sites
        self._begins, self._ends = begins - _TOLERANCE, ends + _TOLERANCE
        self._now = now
        self.rejected: Counter[str] = Counter()

    def read(self, item: Mapping[str, Any]) -> list[Scene]:
        """Give the scenes of an item over the sites."""
        try:
            return self._scenes(item)
        except (_RefusedError, shapely.errors.GEOSException) as error:
            # GEOS gives up on rare shapes, mended ones too.
            self.rejected[str(error) if isinstance(error, _RefusedError) else "unusable outline"] += 1
            return []

    def _scenes(self, item: Mapping[str, Any]) -> list[Scene]:
        collection, item_id = _identity(item)
        if collection not in self._collections:
            raise _RefusedError("another collection")
        properties = item.get("properties")
        if not isinstance(properties, dict):
            raise _RefusedError("no properties")
        acquired_at = _acquired_at(properties)
        if not self._begins <= acquired_at <= self._ends:
            raise _RefusedError("outside the time")
        footprint = _footprint(item)
        if is_refuted(properties.get("grid:code"), footprint):
            raise _RefusedError("an outline that its grid code refutes")
        burst = burst_of(item_id)
        if burst is not None and burst.is_refuted(properties):
            raise _RefusedError("two relative orbits")
        platform = _platform(properties, collection if burst is None else burst.platform)
        whole = _pass(properties, acquired_at) if burst is None else burst.pass_text(acquired_at, footprint)
        pass_key = f"{platform}:{whole}"
        sensor = _sensor(properties) if burst is None else RADAR_SENSOR
        cloud = None if sensor == RADAR_SENSOR else json_number(properties.get("eo:cloud_cover"), 0, 100)
        scenes = [
            Scene(
                provider=self._provider,
                collection=collection,
                item_id=item_id,
                site_id=site.id,
                look_key=f"{pass_key}:{site.id}",
                platform=platform,
                acquired_at=acquired_at,
                covered_share=share,
                recorded_at=self._now,
                sensor=sensor,
                published_at=json_instant(properties.get("created")),
                updated_at=json_instant(properties.get("updated")),
                cloud_share=None if cloud is None else cloud / 100,
                footprint=json.loads(shapely.to_geojson(footprint)),
                links=_links(item),
                properties={**dict(_kept(properties)), **({} if burst is None else burst.properties)},
            )
            for site, share in self._covered(footprint)
        ]
        if not scenes:
            raise _RefusedError("outside the sites")
        return scenes

    def _covered(self, footprint: BaseGeometry) -> Iterator[tuple[Site, float]]:
        for site in self._sites:
            if footprint.intersects(site.geometry):
                share = covered_share(footprint, site.geometry)
                if share > 0:
                    yield site, share


def _identity(item: Mapping[str, Any]) -> tuple[str, str]:
    collection, item_id = json_text(item.get("collection"), _ID), json_text(item.get("id"), _ID)
    if not collection or not item_id:
        raise _RefusedError("unusable id")
    return collection, item_id


def _acquired_at(properties: Mapping[str, Any]) -> datetime:
    """When the picture was taken: the start of a short exposure (radar strips), else the nominal time."""
    nominal = json_instant(properties.get("datetime"))
    starts, ends = (
        json_instant(properties.get("start_datetime")),
        json_instant(properties.get("end_datetime")),
    )
    if starts and ends and timedelta(0) <= ends - starts <= _LONGEST_EXPOSURE:
        return starts
    if nominal is None:
        raise _RefusedError("no time of acquisition")
    return nominal


def _footprint(item: Mapping[str, Any]) -> BaseGeometry:
    geometry = item.get("geometry")
    if not isinstance(geometry, dict):
        raise _RefusedError("no outline")
    if not _on_earth(geometry.get("coordinates")):
        raise _RefusedError("unusable outline")
    try:
        outline = footprint_outline(geometry)
    except GeometryError:
        raise _RefusedError("unusable outline") from None
    # Tiles beside ±180 are sometimes drawn the other way round, over every site of their latitude.
    if any(
        east - west > _HALF_TURN for west, _, east, _ in shapely.bounds(shapely.get_parts(outline)).tolist()
    ):
        raise _RefusedError("an outline round the earth")
    return outline


def _on_earth(coordinates: object) -> bool:
    """Whether every position lies on the earth, at most once round it; anything else could be endless work."""
    waiting, positions = [coordinates], 0
    while waiting:
        value = waiting.pop()
        if not isinstance(value, list):
            return False
        if value and all(isinstance(each, int | float) for each in value):
            positions += 1
            if not _is_position(value) or positions > _MOST_POSITIONS:
                return False
        else:
            waiting += value
    return positions > 0


def _is_position(value: Sequence[object]) -> bool:
    lon, lat = (*value, None, None)[:2]
    return (
        json_number(lon, -FULL_TURN_DEG, FULL_TURN_DEG) is not None
        and json_number(lat, -POLE_DEG, POLE_DEG) is not None
    )


def _platform(properties: Mapping[str, Any], collection: str) -> str:
    for value in (properties.get("platform"), properties.get("constellation"), collection):
        text = value.strip().lower().replace(" ", "-") if isinstance(value, str) else ""
        if _NAME.fullmatch(text):
            return text
    return "unknown"


def _pass(properties: Mapping[str, Any], acquired_at: datetime) -> str:
    """The same text for every tile, copy and reprocessing of one pass."""
    for key in _DATATAKES:
        value = properties.get(key)
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if _DATATAKE.fullmatch(text):
            return _BASELINE.sub("", text)
    path = json_integer(_number_in(properties.get("landsat:wrs_path")), 1, 999)
    if path is not None:
        return f"wrs-{path:03}-{acquired_at:%Y%m%d}"
    step = acquired_at - timedelta(minutes=acquired_at.minute % PASS_MINUTES)
    return f"{step:%Y%m%dT%H%M}"


def _number_in(value: object) -> object:
    """Landsat's path and row are digits in a text in some catalogues and numbers in others."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def _sensor(properties: Mapping[str, Any]) -> str:
    if any(key.startswith("sar:") for key in properties):
        return RADAR_SENSOR
    instruments = properties.get("instruments")
    first = instruments[0] if isinstance(instruments, list) and instruments else ""
    text = first.strip().lower() if isinstance(first, str) else ""
    return text if _NAME.fullmatch(text) else "optical"


def _kept(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in KEPT_PROPERTIES:
        value = properties.get(key)
        if _is_text(value) or isinstance(value, bool) or json_number(value, -1e12, 1e12) is not None:
            yield key, value
        elif key == "instruments" and isinstance(value, list):
            yield key, [each for each in value[:8] if _is_text(each)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()


def _links(item: Mapping[str, Any]) -> dict[str, str]:
    """Where a person can look: web addresses only, without signatures, for those run out."""
    found: dict[str, str] = {}
    links, own = item.get("links"), ""
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self":
            found["self"] = own = _unsigned(link.get("href"))
    assets = item.get("assets")
    if isinstance(assets, dict):
        found |= {"visual": _href(assets, ("visual",), own), "thumbnail": _href(assets, _PREVIEWS, own)}
        found |= {name: _href(assets, names, own) for name, names in BAND_ASSETS.items()}
    return {name: href for name, href in found.items() if href}


def _href(assets: Mapping[str, Any], names: Sequence[str], own: str) -> str:
    found = (asset for name in names if isinstance(asset := assets.get(name), dict))
    return next((href for asset in found for each in _hrefs(asset) if (href := _unsigned(each, own))), "")


def _hrefs(asset: Mapping[str, Any]) -> Iterator[object]:
    """The address of an asset, then its alternates: the first is often for holders of a key (`s3:`)."""
    yield asset.get("href")
    others = asset.get("alternate")
    if isinstance(others, dict):
        yield from (each.get("href") for each in others.values() if isinstance(each, dict))


def _unsigned(href: object, own: str = "") -> str:
    """An address without what runs out; one that is relative, as STAC allows for files, begins at the item's `own`."""
    if not isinstance(href, str) or len(href) > _LONGEST_LINK or not href.isprintable() or " " in href:
        return ""
    try:
        parts = urlsplit(urljoin(own, href))
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        return ""
    if any(key.lower() in _SIGNATURES for key, _ in parse_qsl(parts.query)):
        parts = parts._replace(query="")
    return urlunsplit(parts)
