"""Arrays as they are kept in the database: packed without loss, with their shape."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from monitor.imagery.grid import Bools

_HEAD = struct.Struct("<HHH")
_LEVEL = 1
Bytes = npt.NDArray[np.uint8]


def packed(values: Bytes) -> bytes:
    """Pack an array of one byte each, of two or three axes."""
    layers, height, width = values.shape if values.ndim == 3 else (0, *values.shape)  # noqa: PLR2004 - axes
    return _HEAD.pack(layers, height, width) + _squeezed(np.ascontiguousarray(values).tobytes())


def unpacked(data: bytes) -> Bytes:
    """What was packed."""
    layers, height, width = _HEAD.unpack_from(data)
    shape = (layers, height, width) if layers else (height, width)
    return np.frombuffer(zlib.decompress(data[_HEAD.size :]), np.uint8).reshape(shape)


def packed_masks(seen: Bools, left: Bools) -> bytes:
    """Pack which pixels were judged and which of them had left their usual, a bit each."""
    bits = np.packbits(np.stack([seen, left]), axis=None)
    return _HEAD.pack(2, *seen.shape) + _squeezed(bits.tobytes())


def unpacked_masks(data: bytes) -> tuple[Bools, Bools]:
    """Which pixels were judged, and which had left."""
    _, height, width = _HEAD.unpack_from(data)
    bits = np.frombuffer(zlib.decompress(data[_HEAD.size :]), np.uint8)
    masks = np.unpackbits(bits, count=2 * height * width).reshape(2, height, width).astype(bool)
    return masks[0], masks[1]


def _squeezed(data: bytes) -> bytes:
    """By runs alone: the noise of pixels has no repeated words, and looking for some takes as long again for a twelfth of the size."""
    press = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return press.compress(data) + press.flush()
