"""Running an ONNX model over a part of a picture, tile by tile: one tile and one answer are held at a time."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.errors import CRSError, RasterioError
from rasterio.features import geometry_mask
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from monitor.imagery.detector import (
    Boxes,
    DetectorError,
    ModelCard,
    all_boxes,
    boxes_of,
    class_names,
    detector_procedure,
    model_digest,
    moved_boxes,
    single_objects,
)

OVERLAP = 0.25
"""Neighbouring tiles share so much, so that what lies on the edge of one lies inside another."""
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_COLOURS, _AXES = 3, 4
_LARGEST_BLOCK_PX = 8_192 * 8_192
_MOST_TILES = 20_000
_BYTE = 255.0
_SAMPLE_PX = 512
_DIMMEST, _BRIGHTEST = 2.0, 98.0


@dataclass(frozen=True, slots=True)
class Detector:
    """A model that can be run: what it is called, and what it takes."""

    card: ModelCard
    digest: str
    names: tuple[str, ...]
    task: str
    tile_px: tuple[int, int]
    """Height and width."""
    session: Any
    kind: Any

    @property
    def procedure(self) -> str:
        """How its counts are known."""
        return detector_procedure(self.card, self.digest)


def load_detector(model: bytes, card: ModelCard) -> Detector:
    """Make a model ready; raises DetectorError with what is wrong with it."""
    try:
        import onnxruntime
    except ImportError:
        raise DetectorError(
            "running a model needs the extra: pip install 'sitewatch[detector]' (it brings onnxruntime)"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _library_faults() as error:
        raise DetectorError(f"the model is no ONNX model that can be run ({str(error)[:160]})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or not outputs:
        raise DetectorError(f"the model takes {len(inputs)} inputs, and one picture is expected")
    if inputs[0].type not in _TYPES:
        raise DetectorError(f"the model takes {inputs[0].type}; export it for float32 or float16")
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    return Detector(
        card,
        model_digest(model),
        class_names(metadata, card),
        metadata.get("task", "") if metadata.get("task", "") in ("detect", "obb") else "",
        _tile_px(inputs[0].shape, card),
        session,
        _TYPES[inputs[0].type],
    )


def _library_faults() -> tuple[type[Exception], ...]:
    """What the library raises for models and tiles that it cannot use: they share no class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
        ValueError,
    )


def _tile_px(shape: list[Any], card: ModelCard) -> tuple[int, int]:
    """Height and width of what it takes: its own, or the card's where it takes any."""
    if len(shape) != _AXES:
        raise DetectorError(f"the model takes the shape {shape}, and (1, 3, height, width) is expected")
    batch, colours, height, width = shape
    if (isinstance(batch, int) and batch != 1) or (isinstance(colours, int) and colours != _COLOURS):
        raise DetectorError(
            f"the model takes the shape {shape}: export it for one picture of three colours at a time"
        )
    sides = tuple(each if isinstance(each, int) and each > 0 else card.tile_px for each in (height, width))
    return sides[0], sides[1]


@dataclass(frozen=True, slots=True)
class PictureCount:
    """What was found in a picture over an outline: objects in the picture's own coordinates, and the share of it that was seen."""

    boxes: Boxes
    transform: Any
    crs: Any
    seen_share: float
    tiles: int
    parts_seen: Mapping[str, float] = field(default_factory=dict)
    """The same share of each part of the outline that was asked after."""


def detect(
    detector: Detector,
    picture: Any,
    outline: BaseGeometry,
    parts: Mapping[str, BaseGeometry] | None = None,
) -> PictureCount:
    """Run a model over the part of an open picture that shows an outline (degrees); raises DetectorError.

    Of each of the `parts` (degrees too) it says how much the picture shows: one that lies beyond its edge was not looked at.
    """
    _check_picture(picture)
    shape = in_picture(outline, picture.crs)
    transform = picture.transform
    part = _part_of(picture, shape)
    if part is None:
        raise DetectorError("the picture does not show the site")
    left, top, right, bottom = part
    low, high = _stretch(picture, (left, top, right, bottom))
    found, tiles = [], 0
    places = list(_tiles((left, top, right, bottom), detector.tile_px))
    if len(places) > _MOST_TILES:
        raise DetectorError(f"the site takes {len(places):,} tiles of this picture: draw it smaller")
    for column, row in places:
        pixels, known = _tile(picture, column, row, detector.tile_px)
        tiles += 1
        if known.any():
            output = _run(detector, np.clip((pixels - low) / (high - low), 0, 1) * known)
            found.append(moved_boxes(boxes_of(output, len(detector.names), detector.task), column, row))
    seen_parts = {
        name: _seen_share(picture, in_picture(each, picture.crs)) for name, each in (parts or {}).items()
    }
    boxes = single_objects(all_boxes(found))
    return PictureCount(boxes, transform, picture.crs, _seen_share(picture, shape), tiles, seen_parts)


def in_picture(outline: BaseGeometry, crs: Any) -> BaseGeometry:
    """An outline in degrees in the coordinates of a picture; raises DetectorError."""
    try:
        to_picture = Transformer.from_crs(4326, crs.to_wkt(), always_xy=True)
    except (CRSError, RuntimeError) as error:
        raise DetectorError(f"the picture's map is not known ({str(error)[:80]})") from None

    def project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(to_picture.transform(points[:, 0], points[:, 1]))

    moved = shapely.transform(shapely.segmentize(outline, 0.005), project)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise DetectorError("the site does not lie on the map of this picture")
    return shapely.make_valid(moved)


def _check_picture(picture: Any) -> None:
    if picture.crs is None or picture.transform.is_identity:
        raise DetectorError(
            "the picture does not say where on Earth it lies; give it a map (gdal_translate -a_srs -a_ullr, or QGIS) first"
        )
    if any(height * width > _LARGEST_BLOCK_PX for height, width in picture.block_shapes):
        raise DetectorError(
            "the picture is stored in blocks too large to be read in part; make it a cloud-optimised GeoTIFF first"
        )
    if any(np.dtype(each).kind not in "uif" for each in picture.dtypes[:_COLOURS]):
        raise DetectorError(f"the picture holds {picture.dtypes[0]}, and numbers are expected")


def _bands(picture: Any) -> list[int]:
    return [1, 2, 3] if picture.count >= _COLOURS else [1, 1, 1]


def _stretch(picture: Any, part: tuple[int, int, int, int]) -> tuple[float, float]:
    """Which numbers are black and white: those of a byte, else what nearly all of the site lies between."""
    if all(each == "uint8" for each in picture.dtypes[:_COLOURS]):
        return 0.0, _BYTE
    left, top, right, bottom = part
    small = (min(_SAMPLE_PX, bottom - top), min(_SAMPLE_PX, right - left))
    sample = _read(picture, Window(left, top, right - left, bottom - top), (len(_bands(picture)), *small))
    known = sample.compressed()
    if not len(known):
        raise DetectorError("the picture has no data over the site")
    low, high = np.percentile(known, [_DIMMEST, _BRIGHTEST])
    return float(low), float(max(high, low + 1e-6))


def _read(picture: Any, window: Window, shape: tuple[int, ...] | None = None) -> Any:
    try:
        return picture.read(_bands(picture), window=window, out_shape=shape, masked=True)
    except RasterioError as error:
        raise DetectorError(f"the picture cannot be read ({str(error)[:120]})") from None


def _tiles(part: tuple[int, int, int, int], tile_px: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Left and top of each tile."""
    left, top, right, bottom = part
    height, width = tile_px
    for row in _starts(top, bottom, height):
        for column in _starts(left, right, width):
            yield column, row


def _starts(first: int, last: int, size: int) -> list[int]:
    step = max(1, round(size * (1 - OVERLAP)))
    return list(range(first, max(first + 1, last - round(size * OVERLAP)), step))


def _tile(
    picture: Any, column: int, row: int, tile_px: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The colours of one tile (colour, row, column), and where there are any; black beyond the picture."""
    height, width = tile_px
    window = Window(column, row, min(width, picture.width - column), min(height, picture.height - row))
    found = _read(picture, window)
    pixels = np.zeros((_COLOURS, height, width), np.float32)
    known = np.zeros((height, width), bool)
    inside = (slice(0, int(window.height)), slice(0, int(window.width)))
    pixels[(slice(None), *inside)] = np.nan_to_num(found.filled(0).astype(np.float32))
    known[inside] = ~np.ma.getmaskarray(found).all(axis=0) & np.isfinite(found.filled(0)).all(axis=0)
    return pixels, known


def _run(detector: Detector, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    name = detector.session.get_inputs()[0].name
    try:
        outputs = detector.session.run(None, {name: pixels[np.newaxis].astype(detector.kind)})
    except _library_faults() as error:
        raise DetectorError(f"the model failed on a tile ({str(error)[:160]})") from None
    return np.asarray(outputs[0], np.float32)


def _part_of(picture: Any, shape: BaseGeometry) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what the picture shows of a shape, in pixels; None where that is nothing."""
    west, south, east, north = shape.bounds
    corners = [
        ~picture.transform @ each for each in ((west, south), (west, north), (east, south), (east, north))
    ]
    left, right = (math.floor(min(x for x, _ in corners)), math.ceil(max(x for x, _ in corners)))
    top, bottom = (math.floor(min(y for _, y in corners)), math.ceil(max(y for _, y in corners)))
    left, top = max(0, left), max(0, top)
    right, bottom = min(picture.width, right), min(picture.height, bottom)
    return None if right <= left or bottom <= top else (left, top, right, bottom)


def _seen_share(picture: Any, shape: BaseGeometry) -> float:
    """The share of a shape of which the picture has numbers: what lies inside the picture, less what of it has no data."""
    part = _part_of(picture, shape)
    if part is None or not shape.area:
        return 0.0
    left, top, right, bottom = part
    frame = shapely.Polygon(
        [picture.transform @ each for each in ((left, top), (right, top), (right, bottom), (left, bottom))]
    )
    inside = float(shape.intersection(frame).area / shape.area)
    height, width = min(_SAMPLE_PX, bottom - top), min(_SAMPLE_PX, right - left)
    window = Window(left, top, right - left, bottom - top)
    unknown = np.ma.getmaskarray(_read(picture, window, (len(_bands(picture)), height, width)))
    known = np.asarray(~unknown.all(axis=0))
    corner = picture.transform @ Affine.translation(left, top)
    scaled = corner @ Affine.scale((right - left) / width, (bottom - top) / height)
    of_shape = geometry_mask([shape], (height, width), scaled, all_touched=True, invert=True)
    return inside * float(known[of_shape].mean()) if of_shape.any() else 0.0
