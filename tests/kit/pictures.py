"""Small real cloud-optimised GeoTIFFs on UTM maps, and a server on loopback that gives parts of them."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import from_origin

from monitor.sites import Site
from tests.kit.fake_feeds import Asked, Loopback, Reply, loopback

Pixels = npt.NDArray[np.uint8]
METRES = 10.0
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


def utm_of(site: Site) -> int:
    """The EPSG code of the UTM zone that holds a site's first part."""
    west, south, _, _ = shapely.get_parts(site.geometry)[0].bounds
    zone = min(60, math.floor((float(west) + 180) / 6) + 1)
    return (32600 if south >= 0 else 32700) + zone


def metres_of(site: Site, epsg: int) -> tuple[float, float, float, float]:
    """The bounds of a site on a UTM map, by its corners alone."""
    to_metres = Transformer.from_crs(4326, epsg, always_xy=True)
    parts = getattr(site.geometry, "geoms", [site.geometry])
    points = [to_metres.transform(*point) for part in parts for point in part.exterior.coords]
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def origin_of(site: Site, epsg: int, east_m: float = -3000, north_m: float = 3000) -> tuple[float, float]:
    """A top left corner of a tile, on the grid of pixels, so far from the site's own top left corner."""
    west, _, _, north = metres_of(site, epsg)
    return round((west + east_m) / METRES) * METRES, round((north + north_m) / METRES) * METRES


def noise(height: int, width: int, seed: int = 1) -> Pixels:
    """Pixels that hardly pack, so that sizes are those of real pictures; none is 0."""
    return np.random.default_rng(seed).integers(1, 200, (3, height, width), dtype=np.uint8)


def cog(
    path: Path,
    pixels: Pixels,
    origin: tuple[float, float],
    epsg: int,
    *,
    blocksize: int = 256,
    overviews: str = "AUTO",
    **profile: Any,
) -> Path:
    """Write a real COG with overviews, or without (`NONE`)."""
    bands, height, width = pixels.shape
    values = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": pixels.dtype,
        "crs": f"EPSG:{epsg}",
        "transform": from_origin(*origin, METRES, METRES),
        "nodata": 0,
        **profile,
    }
    with MemoryFile() as memory:
        with memory.open(**values) as written:
            written.write(pixels)
        with memory.open() as source:
            copy(
                source,
                path,
                driver="COG",
                compress="deflate",
                level=1,
                blocksize=blocksize,
                overview_resampling="nearest",
                overviews=overviews,
            )
    return path


def pixel_of(lon: float, lat: float, epsg: int, origin: tuple[float, float]) -> tuple[int, int]:
    """The row and column of the pixel that holds a point."""
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    column, row = ~Affine(METRES, 0, origin[0], 0, -METRES, origin[1]) @ (x, y)
    return math.floor(row), math.floor(column)


def ranged(body: bytes, **headers: str) -> Callable[[Asked], Reply]:
    """A server that keeps to the rules: 206 with the part that is asked for."""

    def reply(asked: Asked) -> Reply:
        said = _RANGE.fullmatch(asked.headers.get("range", ""))
        if said is None:
            return 200, headers, body
        first, last = int(said[1]), min(int(said[2]), len(body) - 1)
        if first >= len(body):
            return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
        span = {"Content-Range": f"bytes {first}-{last}/{len(body)}", "Content-Type": "image/tiff"}
        return 206, {**span, **headers}, body[first : last + 1]

    return reply


class ToLoopback(httpx.BaseTransport):
    """Brings what is meant for https hosts to a server on loopback; `hosts` notes where it was meant to go."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self._inner = httpx.HTTPTransport()
        self.hosts: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append(request.url.host)
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._server.port)
        headers = {**request.headers, "host": url.netloc.decode()}
        return self._inner.handle_request(
            httpx.Request(request.method, url, headers=headers, extensions=request.extensions)
        )

    def close(self) -> None:
        self._inner.close()


@contextmanager
def serving(reply: Callable[[Asked], Reply | None]) -> Iterator[tuple[Loopback, ToLoopback]]:
    """A running server, and the transport that brings every request to it."""
    with loopback(reply) as server:
        transport = ToLoopback(server)
        try:
            yield server, transport
        finally:
            transport.close()
