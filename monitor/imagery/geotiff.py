"""A GeoTIFF read by rasterio out of any file object; GDAL itself opens no other file and no connection."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import rasterio

_NAMES = count()
_OPTIONS = {
    # No look for neighbouring files, none of whose contents could be trusted.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
}


def _keep_all(_ranges: Iterable[tuple[int, int]]) -> None:
    """A file that is at hand forgets nothing."""


class GeoTiff:
    """Fits `monitor.imagery.windows.Raster`: `open_file` gives the file from its start, each time anew."""

    def __init__(
        self,
        open_file: Callable[[], io.RawIOBase],
        fetch: Callable[[Iterable[tuple[int, int]]], None],
        keep_only: Callable[[Iterable[tuple[int, int]]], None] = _keep_all,
    ) -> None:
        self._open_file = open_file
        self.fetch, self.keep_only = fetch, keep_only

    @contextmanager
    def level(self, number: int | None) -> Iterator[Any]:
        """Open one overview (None: full resolution); raises RasterioError for what is not a sound GeoTIFF."""
        # The library registers openers by folder: two pictures read at once need two.
        name = f"picture-{next(_NAMES)}/picture.tif"

        def opener(path: str, mode: str = "rb") -> io.RawIOBase:
            if path != name or mode != "rb":
                raise FileNotFoundError(path)
            return self._open_file()

        level = {} if number is None else {"overview_level": number}
        with rasterio.Env(**_OPTIONS), rasterio.open(name, driver="GTiff", opener=opener, **level) as dataset:
            yield dataset
