"""Pixels made into a PNG: enlarged without blurring, no data hatched, the site's outline drawn thinly."""

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from shapely.geometry.base import BaseGeometry

from db.records import JsonMapping

OUTLINE_COLOUR = (255, 214, 0, 255)
HATCH_COLOUR = (128, 128, 128, 255)
_HATCH_STEP = 8


def draw_png(pixels: npt.NDArray[np.uint8], outline: BaseGeometry, *, zoom: int, texts: JsonMapping) -> bytes:
    """Make the PNG of RGBA pixels; `outline` is in pixels, each becomes `zoom` times `zoom`.

    Where alpha is 0 there is no data: that stays transparent and is hatched. `texts` become the PNG's own.
    """
    large = np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)
    _hatch(large)
    image = Image.fromarray(large)
    pen = ImageDraw.Draw(image)
    for ring in _rings(outline):
        # Pillow counts from the middle of a pixel, the map from its corner.
        pen.line([(x * zoom - 0.5, y * zoom - 0.5) for x, y in ring], fill=OUTLINE_COLOUR, width=1)
    if large[..., 3].all():
        image = image.convert("RGB")
    info = PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text)
    out = io.BytesIO()
    image.save(out, format="PNG", pnginfo=info)
    return out.getvalue()


def _hatch(pixels: npt.NDArray[np.uint8]) -> None:
    height, width = pixels.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    stripes = (rows + columns) % _HATCH_STEP == 0
    pixels[stripes & (pixels[..., 3] == 0)] = HATCH_COLOUR


def _rings(outline: BaseGeometry) -> Iterator[list[tuple[float, float]]]:
    for part in shapely.get_parts(outline):
        for ring in [part.exterior, *part.interiors]:
            yield [(float(x), float(y)) for x, y in shapely.get_coordinates(ring)]
