"""The sky of a scenario: invented passes over one site, with a catalogue that lists them and files that can be read in part.

Nothing of it is a picture of anything. The ground is drawn from a seed; each pass has light, season, haze, noise, a small shift and
cloud whose mask misses its edges; on a track stand trains as long as the scenario says. Catalogue and files are asked for as real ones are.
"""

import csv
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from monitor.imagery.classes import box_mean, widened
from monitor.imagery.codes import BANDS, FINE_BANDS, decode, encode_reflectance
from monitor.imagery.grid import PixelGrid, Zone, site_grid, zones_of
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.planting import WAGON_M, plant, train
from monitor.imagery.shift import moved
from monitor.sites import Site

HOST = "scenario.invalid"
LISTED_AFTER = timedelta(hours=4)
COLLECTION = "sentinel-2-l2a"
MARGIN_PX = 40
_SHADOW, _VEGETATION, _CLOUD, _SNOW = 3, 4, 9, 11
_GREEN = (0.035, 0.060, 0.040, 0.350, 0.170)
_DRY = (0.070, 0.090, 0.110, 0.190, 0.240)
_SOIL = (0.105, 0.125, 0.135, 0.200, 0.230)
_BED = (0.090, 0.105, 0.100, 0.210, 0.170)
_SOIL_SPREAD, _BED_SPREAD, _BAND_SPREAD = 0.45, 0.25, 0.08
"""Of the logarithm of reflectance: how soil and roofs differ from place to place, the bed of the track along it, one band from the others."""
_GRAINS = ((1, 0.25), (2, 0.20), (4, 0.20), (10, 0.15), (40, 0.20))
"""Sizes of what the ground is made of, in pixels, and their shares of its variance."""
_GROWN_SHARE, _TRACK_GROWN, _TRACK_HALF_M = 0.6, 0.15, 12.0
_GREEN_FROM, _GREEN_UNTIL, _EARLIER_DAYS, _TURNS_IN_DAYS = 125.0, 285.0, 7.0, 9.0
_HAZE = np.array([1, 0.75, 0.55, 0.3, 0.1])[:, np.newaxis, np.newaxis]
"""Haze is stronger in shorter waves."""
_HAZE_MEAN, _LIGHT_SPREAD, _WET = 0.008, 0.03, 0.15
_SHIFT_PX, _UNREFINED_PX = 0.2, 0.5
_NOISE, _NOISE_SHARE = 0.003, 0.01
_SNOW_REFLECTANCE = np.array([0.80, 0.78, 0.76, 0.70, 0.12])[:, np.newaxis, np.newaxis]
_SNOW_COVERS, _CLOUD_ADDS, _THIN_ADDS, _SHADE_LEAVES = 0.85, 0.3, 0.05, 0.6
_MASK_MISSES_PX, _SNOW_MISSES_PX, _SHADE = 2, 1, (8, 12)
_CUT_FROM_DAY, _CUT_FOR_DAYS, _CUT_SHARE, _BARE_FOR_DAYS, _FIELD_PX = 150, 120, 0.5, 40, 25
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_FILES_HELD = 16
_VISUAL = (2, 1, 0)
Landscape = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SkyPass:
    """One row of the passes. Shares of the site, 0 to 1: `cloud` hides it, `thin` cloud lies over it and no mask says so, `snow` lies."""

    at: datetime
    platform: str
    cloud: float
    thin: float
    snow: float
    refined: bool
    """Whether the scene was laid on the reference: others lie up to a pixel beside it."""
    wagons: int
    rake: int
    """Which train it is: one that stays stands where it stood."""

    @property
    def name(self) -> str:
        """What its files and its catalogue item are called."""
        return f"INVENTED_{self.at:%Y%m%dT%H%M%S}"


def sky_passes(path: Path) -> list[SkyPass]:
    """Read the passes of a scenario; raises OSError, KeyError and ValueError."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [
            SkyPass(
                datetime.fromisoformat(row["at"]),
                row["platform"],
                float(row["cloud"]),
                float(row["thin"]),
                float(row["snow"]),
                row["refined"] == "yes",
                int(row["wagons"]),
                int(row["rake"]),
            )
            for row in csv.DictReader(lines)
        ]
    if not rows or any(each.at.tzinfo is None for each in rows):
        raise ValueError("there must be passes, each at a time with its zone")
    return sorted(rows, key=lambda each: each.at)


@dataclass(slots=True)
class InventedSky:
    """The passes over one site, as a catalogue and a server of files would tell of them."""

    site: Site
    area: str
    seed: int
    passes: Sequence[SkyPass]
    _ground: tuple[Landscape, NDArray[np.float32]] | None = None
    _files: "OrderedDict[str, Mapping[str, bytes]]" = field(default_factory=OrderedDict)

    def search(self, request: httpx.Request, now: datetime) -> httpx.Response:
        """Answer an item search: what was listed by now, in the time that is asked about."""
        begins, ends = _interval(json.loads(request.content or b"{}").get("datetime"), now)
        listed = [each for each in self.passes if each.at + LISTED_AFTER <= now and begins <= each.at <= ends]
        body = {
            "type": "FeatureCollection",
            "features": [self._item(each) for each in listed],
            "links": [],
            "numberReturned": len(listed),
        }
        return httpx.Response(200, json=body, request=request)

    def file(self, request: httpx.Request) -> httpx.Response:
        """Answer a request for a part of a file."""
        _, name, asset = request.url.path.rsplit("/", 2)
        found = next((each for each in self.passes if each.name == name), None)
        body = None if found is None else self._files_of(found).get(asset.removesuffix(".tif"))
        if body is None:
            return httpx.Response(404, request=request)
        said = _RANGE.fullmatch(request.headers.get("range", ""))
        if said is None:
            return httpx.Response(200, content=body, request=request)
        first, last = int(said[1]), min(int(said[2]), len(body) - 1)
        if first >= len(body):
            return httpx.Response(416, headers={"Content-Range": f"bytes */{len(body)}"}, request=request)
        headers = {"Content-Range": f"bytes {first}-{last}/{len(body)}", "Content-Type": "image/tiff"}
        return httpx.Response(206, headers=headers, content=body[first : last + 1], request=request)

    def _item(self, one: SkyPass) -> dict[str, Any]:
        west, south, east, north = self._bounds()
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        stamp, listed = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (one.at, one.at + LISTED_AFTER))
        files = f"https://{HOST}/{self.site.id}/{one.name}"
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": one.name,
            "collection": COLLECTION,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": [west, south, east, north],
            "properties": {
                "datetime": stamp,
                "created": listed,
                "updated": listed,
                "platform": one.platform,
                "instruments": ["msi"],
                "eo:cloud_cover": round(100 * one.cloud, 1),
            },
            "assets": {name: {"href": f"{files}/{name}.tif"} for name in ("scl", "visual", *BANDS)},
            "links": [],
        }

    def _bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the tile in degrees."""
        left, low, right, high = self._grid.bounds
        margin = MARGIN_PX * 10
        to_degrees = Transformer.from_crs(self._grid.epsg, 4326, always_xy=True)
        lons, lats = to_degrees.transform(
            [left - margin, right + margin, left - margin, right + margin],
            [low - margin, low - margin, high + margin, high + margin],
        )
        return min(lons), min(lats), max(lons), max(lats)

    @property
    def _grid(self) -> PixelGrid:
        return site_grid(self.site, map_of_site(self.site))

    @property
    def _track(self) -> Zone:
        return next(zone for zone in zones_of(self.site, self._grid) if zone.area_id == self.area)

    def _files_of(self, one: SkyPass) -> Mapping[str, bytes]:
        if one.name not in self._files:
            self._files[one.name] = self._written(one)
            if len(self._files) > _FILES_HELD:
                self._files.popitem(last=False)
        return self._files[one.name]

    def _written(self, one: SkyPass) -> dict[str, bytes]:
        reflectance, classes = self.shown(one)
        numbers = np.clip(np.rint(reflectance * 10_000), 1, 60_000).astype(np.uint16)
        colours = np.clip(numbers[list(_VISUAL)].astype(np.float32) / 3_000 * 254, 1, 255).astype(np.uint8)
        files = {"scl": self._tif(classes[np.newaxis, ::2, ::2], 20.0), "visual": self._tif(colours, 10.0)}
        for band, pixels in zip(BANDS, numbers, strict=True):
            fine = band in FINE_BANDS
            files[band] = self._tif((pixels if fine else _halved(pixels))[np.newaxis], 10.0 if fine else 20.0)
        return files

    def _tif(self, pixels: NDArray[Any], size: float) -> bytes:
        bands, height, width = pixels.shape
        margin = MARGIN_PX * 10
        with MemoryFile() as memory:
            with memory.open(
                driver="GTiff",
                width=width,
                height=height,
                count=bands,
                dtype=pixels.dtype,
                crs=f"EPSG:{self._grid.epsg}",
                transform=from_origin(self._grid.west - margin, self._grid.north + margin, size, size),
                nodata=0,
                tiled=True,
                blockxsize=256,
                blockysize=256,
                interleave="pixel",
            ) as written:
                written.write(pixels)
            return bytes(memory.read())

    def shown(self, one: SkyPass) -> tuple[Landscape, NDArray[np.uint8]]:
        """What the satellite sees of the place, a margin around it, and which classes somebody gave its pixels."""
        rng = np.random.default_rng([self.seed, int(one.at.timestamp())])
        scene = self._seasonal(one.at, rng)
        self._stand(scene, one)
        if one.snow:
            scene, lies = _snowed(scene, one.snow, rng)
        light, haze = 1 + rng.normal(0, _LIGHT_SPREAD), rng.exponential(_HAZE_MEAN) * _HAZE
        apart = rng.normal(0, _SHIFT_PX if one.refined else _UNREFINED_PX, 2)
        scene = moved((scene * light + haze).astype(np.float32), float(apart[0]), float(apart[1]))
        noisy = scene + rng.normal(0, 1, scene.shape) * (_NOISE + _NOISE_SHARE * np.abs(scene))
        classes = np.full(scene.shape[1:], _VEGETATION, np.uint8)
        if one.snow:
            classes[lies] = _SNOW
        return _clouded(np.asarray(noisy, np.float32), classes, one, rng)

    def _stand(self, scene: Landscape, one: SkyPass) -> None:
        """Draw the wagons of a pass into a landscape; the same rake stands at the same place."""
        axis = self._track.axis
        if not one.wagons or axis is None:
            return
        inner = scene[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        before = encode_reflectance(inner, np.ones(self._grid.shape, bool))
        rake = train(axis, one.wagons * WAGON_M, np.random.default_rng([self.seed, 3, one.rake]))
        drawn, _, _ = plant(before, self._grid, rake)
        inner += decode(drawn) - decode(before)

    def _seasonal(self, at: datetime, rng: np.random.Generator) -> Landscape:
        """The ground at this time of year: plants come late or early, fields are cut, soil dries and gets wet."""
        soil, grown = self._drawn()
        day = at.timetuple().tm_yday
        late = np.random.default_rng([self.seed, 4, at.year]).normal(0, _EARLIER_DAYS, 2)
        comes, goes = (
            1 / (1 + np.exp(-(day - turn) / _TURNS_IN_DAYS))
            for turn in (_GREEN_FROM + late[0], _GREEN_UNTIL + late[1])
        )
        fixed = np.random.default_rng([self.seed, 2])
        cut_on = _CUT_FROM_DAY + _CUT_FOR_DAYS * _fields(grown.shape, fixed) + late[0]
        cut = _fields(grown.shape, fixed) < _CUT_SHARE
        bare = cut & (day > cut_on) & (day < cut_on + _BARE_FOR_DAYS)
        share = np.where(bare, 0.3 * grown, grown)
        green = float(comes * (1 - goes))
        plants = green * np.array(_GREEN, np.float32) + (1 - green) * np.array(_DRY, np.float32)
        wet = 1 - _WET * rng.random() * np.clip(0.5 + _smooth(grown.shape, 30, rng), 0, 1)
        return np.asarray((1 - share) * soil * wet + share * plants[:, np.newaxis, np.newaxis], np.float32)

    def _drawn(self) -> tuple[Landscape, NDArray[np.float32]]:
        """Bare ground (band, row, column) with a margin around the grid, and the share of each pixel on which something grows."""
        if self._ground is None:
            rng = np.random.default_rng(self.seed)
            shape = tuple(size + 2 * MARGIN_PX for size in self._grid.shape)
            tone, grows = _grains(shape, rng), _grains(shape, rng)
            beside = np.stack([_grains(shape, rng) for _ in BANDS])
            grown = np.clip(0.5 + 0.6 * (grows - np.quantile(grows, 1 - _GROWN_SHARE)), 0, 1)
            near = self._near_track()
            grown = np.where(near, _TRACK_GROWN * grown, grown)
            spread = np.where(near, _BED_SPREAD, _SOIL_SPREAD)
            level = np.where(
                near,
                np.array(_BED)[:, np.newaxis, np.newaxis],
                np.array(_SOIL)[:, np.newaxis, np.newaxis],
            )
            soil = level * np.exp(spread * tone + _BAND_SPREAD * beside)
            self._ground = np.clip(soil, 0.01, 0.6).astype(np.float32), grown.astype(np.float32)
        return self._ground

    def _near_track(self) -> NDArray[np.bool_]:
        """Which pixels, margin included, are the bed of the track."""
        axis = self._track.axis
        inner = (
            np.zeros(self._grid.shape, bool)
            if axis is None
            else self._grid.covers(axis.buffer(_TRACK_HALF_M))
        )
        return np.pad(inner, MARGIN_PX)


def _interval(said: object, now: datetime) -> tuple[datetime, datetime]:
    """The two ends of a search; an open one is far away."""
    first, _, last = str(said or "../..").partition("/")
    begins = now - timedelta(days=36_500) if first in ("", "..") else datetime.fromisoformat(first)
    return begins, now if last in ("", "..") else datetime.fromisoformat(last)


def _snowed(scene: Landscape, share: float, rng: np.random.Generator) -> tuple[Landscape, NDArray[np.bool_]]:
    """The same under snow over so much of it; the mask misses its edges."""
    lies = _highest(scene.shape[1:], share, rng)
    covered = np.where(lies, (1 - _SNOW_COVERS) * scene + _SNOW_COVERS * _SNOW_REFLECTANCE, scene)
    return covered.astype(np.float32), lies if share >= 1 else ~widened(~lies, _SNOW_MISSES_PX)


def _clouded(
    scene: Landscape, classes: NDArray[np.uint8], one: SkyPass, rng: np.random.Generator
) -> tuple[Landscape, NDArray[np.uint8]]:
    """The same under cloud, with its shadow; the mask misses the edges, and thin cloud wholly."""
    if one.thin:
        scene = np.where(_highest(classes.shape, one.thin, rng), scene + _THIN_ADDS, scene)
    if not one.cloud:
        return scene, classes
    cloud = _highest(classes.shape, one.cloud, rng)
    shade = np.roll(cloud, _SHADE, (0, 1)) & ~cloud
    hidden = np.where(cloud, scene + _CLOUD_ADDS, np.where(shade, scene * _SHADE_LEAVES, scene))
    masked = cloud if one.cloud >= 1 else ~widened(~cloud, _MASK_MISSES_PX)
    shaded = ~widened(~shade, _MASK_MISSES_PX)
    told = np.where(masked, _CLOUD, np.where(shaded, _SHADOW, classes))
    return hidden.astype(np.float32), told.astype(np.uint8)


def _highest(shape: Sequence[int], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The highest part of a smooth random surface, so much of it."""
    height = _smooth(shape, 40, rng)
    return np.asarray(height >= np.quantile(height, 1 - min(share, 1.0)))


def _grains(shape: Sequence[int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random surface of unit spread, made of pieces of several sizes."""
    total = np.zeros(tuple(shape), np.float32)
    for size, share in _GRAINS:
        part = box_mean(box_mean(rng.normal(0, 1, tuple(shape)).astype(np.float32), size), size)
        total += np.float32(np.sqrt(share)) * part / part.std()
    return np.asarray(total / total.std(), np.float32)


def _fields(shape: Sequence[int], rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.random((shape[0] // _FIELD_PX + 1, shape[1] // _FIELD_PX + 1))
    return np.kron(coarse, np.ones((_FIELD_PX, _FIELD_PX)))[: shape[0], : shape[1]].astype(np.float32)


def _smooth(shape: Sequence[int], scale: int, rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.normal(0, 1, (shape[0] // scale + 2, shape[1] // scale + 2))
    wide = np.kron(coarse, np.ones((scale, scale)))[: shape[0], : shape[1]].astype(np.float32)
    return box_mean(wide, scale // 2)


def _halved(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Pixels of 20 m: the mean of four of 10 m."""
    height, width = pixels.shape
    return np.asarray(pixels.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)), np.uint16)
