"""Invented passes of a satellite over a site, as files of single bands on a server on loopback: ground, light, cloud, things.

The ground is drawn at random once; each pass has its own light, noise, haze and small shift, and cloud where it is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import from_origin

from db.records import Scene
from monitor.feeds.http import GuardedClient
from monitor.imagery.classes import box_mean
from monitor.imagery.codes import BANDS, FINE_BANDS, decode, encode_reflectance
from monitor.imagery.grid import PixelGrid, site_grid
from monitor.imagery.planting import Planted, plant
from monitor.imagery.shift import moved
from monitor.sites import Site
from tests.kit.fake_feeds import Asked, Reply, client
from tests.kit.pictures import cog, ranged, serving, utm_of

HOST = "sentinel-cogs.s3.us-west-2.amazonaws.com"
EVERY = timedelta(days=5)
VEGETATION, WATER, CLOUD, SNOW = 4, 6, 9, 11
_REFLECTANCE = (0.08, 0.10, 0.11, 0.24, 0.22)
_MARGIN_PX = 30
_HAZE = np.array([1, 0.75, 0.55, 0.3, 0.1])[:, np.newaxis, np.newaxis]
"""Haze is stronger in shorter waves."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass: when, what stands there, how much of it is hidden, and what its files carry."""

    at: datetime
    things: Sequence[Planted] = ()
    cloud: float = 0.0
    """Share of the tile under cloud, from the north down."""
    snow: bool = False
    offset: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    haze: float = 0.0


@dataclass(slots=True)
class World:
    """The ground of one site, and the files of its passes by path."""

    site: Site
    seed: int = 1
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    """The path, and the first and last byte that came, of each part."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """How its files are written otherwise than usual (`tests.kit.pictures.cog`)."""
    _ground: NDArray[np.float32] | None = None

    @property
    def grid(self) -> PixelGrid:
        """The grid of the site."""
        return site_grid(self.site, utm_of(self.site))

    @property
    def ground(self) -> NDArray[np.float32]:
        """Reflectance of the ground (band, row, column), with a margin around the grid."""
        if self._ground is None:
            rng = np.random.default_rng(self.seed)
            height, width = (size + 2 * _MARGIN_PX for size in self.grid.shape)
            rough = box_mean(rng.normal(0, 1, (height, width)).astype(np.float32), 3)
            fields = np.repeat(
                np.repeat(rng.uniform(-0.4, 0.4, (height // 20 + 1, width // 20 + 1)), 20, 0), 20, 1
            )
            shape = 1 + 0.6 * rough + fields[:height, :width]
            self._ground = np.stack([level * np.clip(shape, 0.3, 3) for level in _REFLECTANCE]).astype(
                np.float32
            )
        return self._ground

    def scene(self, one: Pass, **changes: Any) -> Scene:
        """Write the files of a pass, and give the scene that links them."""
        name = f"{one.at:%Y%m%dT%H%M}"
        with TemporaryDirectory() as folder:
            for band, pixels, size in self._bands(one):
                origin = (self.grid.west - _MARGIN_PX * 10, self.grid.north + _MARGIN_PX * 10)
                transform = from_origin(*origin, size, size)
                path = cog(
                    Path(folder) / f"{band}.tif",
                    pixels[np.newaxis],
                    origin,
                    self.grid.epsg,
                    transform=transform,
                    **self.profile,
                )
                self.files[f"/{self.site.id}/{name}/{band}.tif"] = path.read_bytes()
        links = {band: f"https://{HOST}/{self.site.id}/{name}/{band}.tif" for band in ("scl", *BANDS)}
        values: dict[str, Any] = {
            "provider": "earth-search",
            "collection": "sentinel-2-l2a",
            "item_id": f"S2B_{name}",
            "site_id": self.site.id,
            "look_key": f"sentinel-2b:{name}:{self.site.id}",
            "platform": "sentinel-2b",
            "acquired_at": one.at,
            "covered_share": 1.0,
            "recorded_at": one.at + timedelta(hours=2),
            "published_at": one.at + timedelta(hours=2),
            "sensor": "msi",
            "cloud_share": one.cloud,
            "links": links,
            "properties": {"grid:code": "MGRS-19FCC"} if self.grid.epsg == 32719 else {},
        }
        return Scene(**{**values, **changes})

    def _bands(self, one: Pass) -> Iterator[tuple[str, NDArray[Any], float]]:
        rng = np.random.default_rng([self.seed, int(one.at.timestamp())])
        light = 1 + rng.normal(0, 0.02)
        reflectance: NDArray[Any] = self._with(one.things) * light + one.haze * _HAZE + rng.exponential(0.003)
        south, east = (each + float(rng.normal(0, 0.05)) for each in one.shift)
        reflectance = moved(reflectance.astype(np.float32), south, east)
        reflectance = reflectance + rng.normal(0, 0.004, reflectance.shape) * (1 + reflectance)
        classes = np.full((reflectance.shape[-2], reflectance.shape[-1]), VEGETATION, np.uint8)
        hidden = round(one.cloud * classes.shape[0])
        classes[:hidden] = CLOUD
        reflectance[:, :hidden] += 0.4
        if one.snow:
            classes[:] = SNOW
        yield "scl", classes[::2, ::2], 20.0
        numbers = np.clip(np.rint(reflectance * 10_000), 1, 60_000).astype(np.uint16) + np.uint16(one.offset)
        for band, pixels in zip(BANDS, numbers, strict=True):
            if band in FINE_BANDS:
                yield band, pixels, 10.0
            else:
                yield band, _halved(pixels), 20.0

    def _with(self, things: Sequence[Planted]) -> NDArray[np.float32]:
        whole = self.ground.copy()
        inner = whole[:, _MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX]
        before = encode_reflectance(inner, np.ones(self.grid.shape, bool))
        if things:
            drawn, _, _ = plant(before, self.grid, things)
            inner += decode(drawn) - decode(before)
        return whole

    def reply(self, asked: Asked) -> Reply | None:
        """Serve a part of a file."""
        self.asked.append(asked.path)
        body = self.files.get(asked.path)
        if body is None:
            return 404, {}, b""
        status, headers, part = ranged(body)(asked)
        first = int(headers.get("Content-Range", "bytes 0-").split()[1].split("-")[0])
        self.ranges.append((asked.path, (first, first + len(part) - 1)))
        return status, headers, part

    @contextmanager
    def served(self, **options: Any) -> Iterator[GuardedClient]:
        """The guarded client that reaches these files."""
        with serving(self.reply) as (_, transport):
            yield client(transport, "pictures", **options)


def _halved(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Pixels of 20 m: the mean of four of 10 m."""
    height, width = pixels.shape
    return np.asarray(pixels.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)), np.uint16)
