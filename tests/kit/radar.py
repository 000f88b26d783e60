"""An invented place as a radar sees it pass after pass, unkind on purpose; and the services that speak of it, on scripted answers.

Invented: ground, speckle of 4.4 looks that neighbours share, walls and fences that throw back far more in one direction of
looking than in another, slopes laid over, water in changing wind, wet snow, rain, seasons, and satellites that differ by up to
a decibel. Nothing comes or goes but what a test puts there. A number from here says what the code does in such a world, no more.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import httpx
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from db.records import Scene
from monitor.feeds import Provider
from monitor.imagery.radar import BINS, HIGH_DB, LOW_DB
from monitor.imagery.windows import projected
from monitor.sites import Site
from tests.kit.pictures import utm_of

Powers = NDArray[np.float64]
PIXEL_M = 10.0
SPECKLE_LOOKS = 4.4
REPEAT = timedelta(days=12)
_MARGIN_M = 600.0
_BLOCK_PX = 18
_GRASS, _CROPS, _TREES, _TOWN, _PAVED = range(5)
_LEVEL_DB = {_GRASS: -11.0, _CROPS: -9.0, _TREES: -8.0, _TOWN: -5.0, _PAVED: -18.0}
_CROSS_DB = -7.0
_WATER_DB, _WIND_DB = -19.0, 4.5
_SATELLITES_DB = {"sentinel-1a": 0.0, "sentinel-1c": 0.6, "sentinel-1d": -0.4}
_SPREAD_M = 9.0
"""How far the echo of a point is smeared: the radar itself sees some 20 m."""
_WET_SNOW_DB, _RAIN_DB = -4.5, 1.5


@dataclass(frozen=True, slots=True)
class Orbit:
    """One direction from which the place is seen."""

    relative_orbit: int
    state: str
    angle_deg: float
    hour: int


DESCENDING, ASCENDING = Orbit(61, "descending", 39.2, 21), Orbit(134, "ascending", 33.5, 9)


@dataclass(frozen=True, slots=True)
class Metal:
    """A thing of metal: its shape in metres on the map, and its radar cross-section (m²) before it is seen askew."""

    outline: BaseGeometry
    cross_section_m2: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class RadarPass:
    """One pass: when, on which orbit, by which satellite, in which weather, with what on the ground."""

    at: datetime
    orbit: Orbit = DESCENDING
    things: Sequence[Metal] = ()
    platform: str = "sentinel-1a"
    wet_snow: bool = False
    rain: bool = False


@dataclass
class RadarWorld:
    """The ground of one site; `water_share` of it lies under water, `paved` are surfaces in degrees that are smooth."""

    site: Site
    seed: int = 1
    water_share: float = 0.0
    paved: Sequence[BaseGeometry] = ()
    hostile: float = 1.0
    """How strongly corners, weather and seasons are there: 0 is a meadow."""

    @cached_property
    def epsg(self) -> int:
        """The map on which it is drawn."""
        return utm_of(self.site)

    @cached_property
    def origin(self) -> tuple[float, float]:
        """West and north of the first pixel, on whole 30 m."""
        west, _, _, north = projected(self.site.geometry, self.epsg).bounds
        return (
            math.floor((west - _MARGIN_M) / 30) * 30.0,
            math.ceil((north + _MARGIN_M) / 30) * 30.0,
        )

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, in threes."""
        _, south, east, _ = projected(self.site.geometry, self.epsg).bounds
        rows = math.ceil((self.origin[1] - south + _MARGIN_M) / 30) * 3
        return rows, math.ceil((east - self.origin[0] + _MARGIN_M) / 30) * 3

    @property
    def transform(self) -> Any:
        """From pixels of 10 m to metres."""
        west, north = self.origin
        return Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north)

    def covers(self, outline: BaseGeometry) -> NDArray[np.bool_]:
        """Pixels with their centre in a shape."""
        return np.asarray(rasterize([outline], self.shape, transform=self.transform), bool)

    @cached_property
    def ground(self) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
        """Kind of ground of each pixel, and where water is."""
        rng = np.random.default_rng(self.seed)
        rows, columns = self.shape
        coarse = rng.choice(
            [_GRASS, _CROPS, _TREES, _TOWN],
            (rows // _BLOCK_PX + 1, columns // _BLOCK_PX + 1),
            p=[0.4, 0.3, 0.15, 0.15],
        )
        kinds = np.kron(coarse, np.ones((_BLOCK_PX, _BLOCK_PX), int))[:rows, :columns]
        for each in self.paved:
            kinds[self.covers(projected(each, self.epsg))] = _PAVED
        water = np.zeros(self.shape, bool)
        water[:, columns - round(self.water_share * columns) :] = True
        return kinds, water

    @cached_property
    def texture(self) -> Powers:
        """What the ground is brighter or darker by, in dB, always."""
        rng = np.random.default_rng([self.seed, 1])
        return np.asarray(ndimage.gaussian_filter(rng.normal(0, 4, self.shape), 2))

    def corners(self, orbit: Orbit) -> Powers:
        """Power of what throws back from walls, fences and hangars, as this orbit sees them, and of slopes laid over."""
        kinds, _ = self.ground
        rng = np.random.default_rng([self.seed, 2])
        places = (rng.random(self.shape) < 0.04) & (kinds == _TOWN)
        places |= (rng.random(self.shape) < 0.001) & (kinds != _PAVED)
        strength = rng.normal(5, 4, self.shape)
        turned = np.random.default_rng([self.seed, orbit.relative_orbit]).normal(0, 6, self.shape)
        lit = np.where(places, 10 ** ((strength + turned) / 10), 0.0)
        laid_over = np.zeros(self.shape)
        band = (
            slice(0, self.shape[0] // 12) if orbit.state == "ascending" else slice(-self.shape[0] // 12, None)
        )
        laid_over[band] = 0.6
        return self.hostile * (lit + laid_over * (kinds == _TREES))

    def powers(self, one: RadarPass) -> tuple[Powers, Powers]:
        """γ0 of VV and VH (row, column) at 10 m, with speckle."""
        rng = np.random.default_rng([self.seed, int(one.at.timestamp()), one.orbit.relative_orbit])
        kinds, water = self.ground
        level = np.vectorize(_LEVEL_DB.get)(kinds).astype(float) + self.texture
        # Steeper looks are brighter.
        level -= (one.orbit.angle_deg - 36) * 0.12
        season = math.sin(2 * math.pi * one.at.timetuple().tm_yday / 365.25)
        level += self.hostile * season * np.where(kinds == _CROPS, 2.0, 0.7) * (kinds != _PAVED)
        level += self.hostile * rng.normal(0, 0.4)
        if one.wet_snow:
            level += _WET_SNOW_DB
        if one.rain:
            level += _RAIN_DB * (kinds != _TOWN)
        level = np.where(water, _WATER_DB + self.hostile * rng.normal(0, _WIND_DB), level)
        steady = self.corners(one.orbit) * 10 ** (rng.normal(0, 0.5) / 10)
        things = self._things(one, rng)
        vv = (10 ** (level / 10) + np.where(water, 0, steady)) * self._speckle(rng) + things
        cross = 10 ** ((level + _CROSS_DB) / 10) + 0.05 * steady
        vh = cross * self._speckle(rng) + 0.1 * things
        gain = 10 ** (_SATELLITES_DB[one.platform] / 10)
        return vv * gain, vh * gain

    def _speckle(self, rng: np.random.Generator) -> Powers:
        rows, columns = self.shape
        fine = rng.gamma(SPECKLE_LOOKS / 4, 4 / SPECKLE_LOOKS, (rows + 1, columns + 1))
        return np.asarray((fine[:-1, :-1] + fine[1:, :-1] + fine[:-1, 1:] + fine[1:, 1:]) / 4)

    def _things(self, one: RadarPass, rng: np.random.Generator) -> Powers:
        """The echo of things: a few points each, as bright as chance and the direction of the look make them."""
        field_m2 = np.zeros(self.shape)
        for each in one.things:
            points = _points(each.outline, 12)
            turned = np.random.default_rng([zlib.crc32(each.name.encode()), one.orbit.relative_orbit])
            whole = each.cross_section_m2 * 10 ** (turned.normal(0, 4) / 10)
            shares = rng.exponential(1, len(points)) * turned.dirichlet(np.ones(len(points)))
            for (east, north), share in zip(points, shares, strict=True):
                column, row = ~self.transform @ (east, north)
                if 0 <= int(row) < self.shape[0] and 0 <= int(column) < self.shape[1]:
                    field_m2[int(row), int(column)] += whole * share
        return np.asarray(ndimage.gaussian_filter(field_m2, _SPREAD_M / PIXEL_M)) / PIXEL_M**2

    def scene(self, one: RadarPass, **changes: Any) -> Scene:
        """The scene of a pass, as the catalogue's feed gives it."""
        key = f"{one.platform}:{one.at:%Y%m%dT%H}:{self.site.id}"
        values: dict[str, Any] = {
            "provider": "copernicus",
            "collection": "sentinel-1-grd",
            "item_id": f"S1_{one.platform[-2:]}_{one.at:%Y%m%dT%H%M%S}_{one.orbit.relative_orbit:03}",
            "site_id": self.site.id,
            "look_key": key,
            "platform": one.platform,
            "acquired_at": one.at,
            "covered_share": 1.0,
            "recorded_at": one.at + timedelta(hours=6),
            "published_at": one.at + timedelta(hours=5),
            "sensor": "sar",
            "properties": {
                "sat:relative_orbit": one.orbit.relative_orbit,
                "sat:orbit_state": one.orbit.state,
            },
        }
        return Scene(**{**values, **changes})


def _points(outline: BaseGeometry, spacing_m: float) -> list[tuple[float, float]]:
    """Points of a thing from which its echo comes: along its edge and in its middle."""
    edge = outline.boundary
    along = [edge.interpolate(each) for each in np.arange(0, edge.length, spacing_m)]
    return [(each.x, each.y) for each in (*along, outline.centroid)]


def times(first: datetime, count: int, orbit: Orbit = DESCENDING) -> list[datetime]:
    """Every twelve days, at the hour at which this orbit passes."""
    start = first.replace(hour=orbit.hour, minute=20, second=0, microsecond=0)
    return [start + place * REPEAT for place in range(count)]


TOKEN_PATH, STATISTICS_PATH = "/token", "/statistics"
CLIENT_ID, CLIENT_SECRET = "sh-0123456789abcdef", "c0pernicus-s3cret-of-some-length"
UNITS_HEADER = "x-processingunits-spent"


def statistics_provider(**changes: Any) -> Provider:
    """A catalogue with keys for a service of statistics at hosts that do not exist."""
    values: dict[str, Any] = {
        "name": "copernicus",
        "kind": "stac",
        "base_url": "https://stac.example/v1",
        "interval_s": 3600,
        "licence": "test",
        "attribution": "Test radar",
        "credentials": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        "options": {
            "collections": "sentinel-1-grd",
            "token_url": f"https://identity.example{TOKEN_PATH}",
            "statistics_url": f"https://sh.example{STATISTICS_PATH}",
        },
    }
    return Provider(**{**values, **changes})


@dataclass
class StatisticsService:
    """The service as its documentation describes it: tokens, one interval, histograms; `tokens_last` requests each."""

    world: RadarWorld
    passes: Sequence[RadarPass] = ()
    lasts_s: int = 600
    tokens_last: int = 10**9
    units: str | None = None
    """What it says that each request cost."""
    dearer: float = 0.0
    """Or so many units a hectare."""
    classes: Mapping[int, float] = field(default_factory=dict)
    """What share of each zone has which scene class, for Sentinel-2."""
    asked: list[Any] = field(default_factory=list)
    tokens: int = 0
    _left: int = 0
    _cache: dict[int, tuple[Powers, Powers]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.url.path == TOKEN_PATH:
            return self._token(request)
        if request.headers.get("Authorization") != f"Bearer token-{self.tokens}" or self._left <= 0:
            return httpx.Response(401, json={"error": {"status": 401, "reason": "Unauthorized"}})
        self._left -= 1
        body = json.loads(request.content)
        self.asked.append(body)
        headers = {} if self.units is None else {UNITS_HEADER: self.units}
        if self.dearer:
            west, south, east, north = shape(body["input"]["bounds"]["geometry"]).bounds
            headers = {UNITS_HEADER: str(self.dearer * (east - west) * (north - south) / 1e4)}
        return httpx.Response(200, json=self.document(body), headers=headers)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(part.split("=") for part in request.content.decode().split("&"))
        if form != {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }:
            return httpx.Response(401, json={"error": "invalid_client"})
        self.tokens += 1
        self._left = self.tokens_last
        return httpx.Response(200, json={"access_token": f"token-{self.tokens}", "expires_in": self.lasts_s})

    def document(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one question."""
        span = body["aggregation"]["timeRange"]
        begins, ends = (datetime.fromisoformat(span[name]) for name in ("from", "to"))
        data = body["input"]["data"][0]
        outline = shape(body["input"]["bounds"]["geometry"])
        if data["type"] == "sentinel-2-l2a":
            return interval(span, {"scl": self._class_output(outline)})
        state = data["dataFilter"]["orbitDirection"].lower()
        inside = [each for each in self.passes if begins <= each.at < ends and each.orbit.state == state]
        if not inside:
            return {"data": [], "status": "OK"}
        return interval(span, self._outputs(inside, outline))

    def _outputs(self, inside: Sequence[RadarPass], outline: BaseGeometry) -> dict[str, Any]:
        # The newest on top: two passes in one interval are mixed without a word.
        one = max(inside, key=lambda each: each.at)
        vv, vh = self._powers(one)
        mask = self.world.covers(outline)
        levels = 10 * np.log10(vv[mask])
        west, south, east, north = outline.bounds
        samples = math.ceil((east - west) / PIXEL_M) * math.ceil((north - south) / PIXEL_M)
        outputs = {
            "level": band(levels, samples, edges=(LOW_DB, HIGH_DB, BINS)),
            "vv": band(vv[mask], samples),
            "vh": band(vh[mask], samples),
            "angle": band(np.full(int(mask.sum()), one.orbit.angle_deg), samples),
        }
        return {name: {"bands": {"B0": each}} for name, each in outputs.items()}

    def _powers(self, one: RadarPass) -> tuple[Powers, Powers]:
        key = id(one)
        if key not in self._cache:
            self._cache = {key: self.world.powers(one)}
        return self._cache[key]

    def _class_output(self, outline: BaseGeometry) -> dict[str, Any]:
        pixels = round(outline.area / 400)
        values = np.repeat(
            list(self.classes), [round(share * pixels) for share in self.classes.values()]
        ).astype(float)
        return {"bands": {"B0": band(values, 2 * pixels, edges=(0.0, 12.0, 12))}}


def band(values: Powers, samples: int, edges: tuple[float, float, int] | None = None) -> dict[str, Any]:
    """Statistics of one band; `samples` counts the pixels around the zone as well, which have no data."""
    samples = max(samples, len(values))
    stats: dict[str, Any] = {"sampleCount": samples, "noDataCount": samples - len(values)}
    if len(values):
        stats |= {
            "min": float(values.min()),
            "max": float(values.max()),
            "mean": float(values.mean()),
            "stDev": float(values.std()),
        }
    else:
        stats |= dict.fromkeys(("min", "max", "mean", "stDev"), "NaN")
    found: dict[str, Any] = {"stats": stats}
    if edges is not None:
        low, high, steps = edges
        size = (high - low) / steps
        places = np.floor((values - low) / size).astype(int)
        counts = np.bincount(places[(places >= 0) & (places < steps)], minlength=steps)
        found["histogram"] = {
            "bins": [
                {"lowEdge": low + place * size, "highEdge": low + (place + 1) * size, "count": int(count)}
                for place, count in enumerate(counts)
            ],
            "overflowCount": int((places >= steps).sum()),
            "underflowCount": int((places < 0).sum()),
        }
    return found


def interval(span: Mapping[str, str], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with one interval."""
    return {"data": [{"interval": dict(span), "outputs": dict(outputs)}], "status": "OK"}


def square(around: BaseGeometry, side_m: float) -> BaseGeometry:
    """A square with its middle where that of a shape is."""
    return around.centroid.buffer(side_m / 2, cap_style="square")
