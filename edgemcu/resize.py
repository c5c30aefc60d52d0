"""Resizing in exact integer arithmetic: the same bytes from NumPy, C or paper and pencil.

Each axis is resampled by itself with integer weights that add up to the same divisor D for every
output pixel, and the result is rounded once, half up, after both axes: (sum + D/2) / D.

    smaller    area average: output j covers the input from j·n/m to (j+1)·n/m, so in units of 1/m
               of a pixel every weight is an integer, and D = n             (n in, m out)
    larger     bilinear with pixel centres at ½: output j lies at (j+½)·n/m − ½, in units of
               1/(2m); the pixels to the left and right share D = 2m, the border is repeated
    same size  unchanged, D = 1
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Values of a batch that are resized together: few enough that the sums stay in the cache.
_BATCH_VALUES = 1 << 17

_Sums = NDArray[np.unsignedinteger[Any]]


def resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize uint8 pictures.

    Args:
        pixels: shape (H, W, C), or (N, H, W, C) for a batch of pictures of one size.
        height, width: of the result, in pixels.

    Returns:
        uint8, shape (height, width, C) or (N, height, width, C).
    """
    if pixels.shape[-3:-1] == (height, width):
        return pixels
    if pixels.ndim == 3:
        return _resize(pixels, height, width)
    result = np.empty((len(pixels), height, width, pixels.shape[-1]), np.uint8)
    count = max(1, _BATCH_VALUES // (pixels.shape[-1] * height * width))
    for start in range(0, len(pixels), count):
        result[start : start + count] = _resize(pixels[start : start + count], height, width)
    return result


def _resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    divisor = _divisor(pixels.shape[-3], height) * _divisor(pixels.shape[-2], width)
    wide = np.uint32 if 256 * divisor < 1 << 32 else np.uint64
    # The vertical pass runs along the memory's rows, so the large picture is read only once.
    rows = _resample(pixels, pixels.ndim - 3, height, wide)
    sums = _resample(rows, pixels.ndim - 2, width, wide)
    return ((sums + wide(divisor // 2)) // wide(divisor)).astype(np.uint8)


def _divisor(length: int, size: int) -> int:
    if size == length:
        return 1
    return length if size < length else 2 * size


def _resample(values: NDArray[Any], axis: int, size: int, wide: type[Any]) -> _Sums:
    """Weighted sums along one axis; divided by `_divisor` they are averages."""
    length = values.shape[axis]
    if size == length:
        return values.astype(wide)
    return _area(values, axis, size, wide) if size < length else _bilinear(values, axis, size, wide)


def _area(values: NDArray[Any], axis: int, size: int, wide: type[Any]) -> _Sums:
    source = np.ascontiguousarray(np.moveaxis(values, axis, 0))
    length = len(source)
    # Output j begins inside pixel first[j], `part` units after that pixel's own beginning.
    first, part = np.divmod(np.arange(size + 1) * length, size)
    totals = np.empty((size, *source.shape[1:]), wide)
    for index, (begin, end) in enumerate(pairwise(first.tolist())):
        np.add.reduce(source[begin:end], axis=0, dtype=wide, out=totals[index])
    totals *= wide(size)
    # Sums of whole pixels, less the part of the first that belongs to the output before,
    # plus this output's part of the pixel after them.
    borders = source[np.minimum(first, length - 1)].astype(wide)
    borders *= part.astype(wide).reshape(-1, *[1] * (source.ndim - 1))
    totals -= borders[:-1]
    totals += borders[1:]
    return np.moveaxis(totals, 0, axis)


def _bilinear(values: NDArray[Any], axis: int, size: int, wide: type[Any]) -> _Sums:
    source = np.ascontiguousarray(np.moveaxis(values, axis, 0)).astype(wide)
    length = len(source)
    left, part = np.divmod((2 * np.arange(size) + 1) * length - size, 2 * size)
    weight = part.astype(wide).reshape(-1, *[1] * (source.ndim - 1))
    totals = source[np.maximum(left, 0)] * (wide(2 * size) - weight)
    totals += source[np.minimum(left + 1, length - 1)] * weight
    return np.moveaxis(totals, 0, axis)
