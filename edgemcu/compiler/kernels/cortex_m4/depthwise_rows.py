"""Depthwise convolutions of any window that is not too wide, from planes of int16."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import wrap_int32
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.depthwise import (
    MAX_KEPT_ROWS,
    MAX_PASSING_ROWS,
    MAX_SHRINKING_INPUT,
)
from edgemcu.compiler.kernels.cortex_m4.rounding import (
    FOLDER,
    channel_bounds,
    is_relu,
    rounding,
    variant,
)

# Where rows are not kept, outputs are written in blocks of rows that run ahead of the input by so
# many bytes at most.
MAX_BYTES_AHEAD = 2 << 10
# Words of weights for a row of the window: as many as there are routines.
MAX_WORDS = 4


def _words(window: o.Window) -> int:
    """Of weights for a row: outputs that begin in the middle of a word need half a word more."""
    columns = window.size[1]
    return columns // 2 + 1 if window.stride[1] == 1 else -(-columns // 2)


def stream(operation: o.DepthwiseConvolution) -> NDArray[np.int32] | None:
    """What `depthwise_rows_dsp_int8` reads, int32 (channels, words); None if it cannot be exact."""
    window = operation.window
    height, width = window.size
    rows = operation.weights.reshape(window.taps, -1).T
    low, high = channel_bounds(rows, operation.scales)
    largest = np.maximum(-low, high)
    factors = rounding(operation.scales, operation.output, largest, scale_bits=8)
    if factors is None:
        return None
    words = _words(window)
    wide = np.zeros((rows.shape[0], height, 2 * words), np.int16)
    wide[:, :, :width] = (rows.astype(np.int16) * 256).reshape(-1, height, width)
    # The even column's weight in the upper half.
    swapped = np.ascontiguousarray(wide.reshape(-1, height * words, 2)[:, :, ::-1])
    weights = swapped.view(np.int32).reshape(-1, height * words)
    bias = operation.scales.bias.astype(np.int64) * 256
    before = wrap_int32(bias).astype(np.int32)[:, None]
    return np.concatenate([before, weights, np.stack(factors, axis=1)], axis=1)


def _applies(operation: o.DepthwiseConvolution) -> bool:
    window = operation.window
    return (
        window.stride[1] in (1, 2)
        and (window.stride[1] == 1 or window.dilation[1] == 1)
        and _words(window) <= MAX_WORDS
        and stream(operation) is not None
    )


def _planes(window: o.Window) -> int:
    return min(window.dilation[1], window.output_size[1])


def _block(window: o.Window) -> int:
    """Outputs that are computed at a time."""
    return 6 if window.stride[1] == 1 else 4


def _blocks(window: o.Window) -> int:
    """In the longest plane of a row."""
    return -(-window.output_size[1] // (_block(window) * _planes(window)))


def _plane_bytes(window: o.Window) -> int:
    blocks, words = _blocks(window), _words(window)
    per_block, behind = (3, 2) if window.stride[1] == 1 else (4, 3)
    return 4 * (per_block * (blocks - 1) + words + behind)


def _channel_bytes(window: o.Window) -> int:
    """Of one channel and row."""
    return _planes(window) * _plane_bytes(window)


def _window_rows(window: o.Window) -> int:
    """Input rows from the window's first to its last."""
    return (window.size[0] - 1) * window.dilation[0] + 1


@dataclass(frozen=True)
class _Rows:
    """Which rows are in scratch memory at a time.

    Attributes:
        keeps: whether they are those of all channels, to be used again by the next output row.
        group: input channels at a time: less than all of them unless `keeps`.
        block_rows: output rows at a time.
        slots: input rows that these read.
    """

    keeps: bool
    group: int
    block_rows: int
    slots: int


def _rows(operation: o.DepthwiseConvolution) -> _Rows:
    window, channels = operation.window, operation.window.input_channels
    rows, stride, plane = _window_rows(window), window.stride[0], _channel_bytes(window)
    small = stride == 1 or prod(window.input_size) * channels <= MAX_SHRINKING_INPUT
    again = small and rows > stride
    if channels <= 4 or (again and rows * channels * plane <= MAX_KEPT_ROWS):
        return _Rows(True, channels, 1, rows)
    row_bytes = window.output_size[1] * int(operation.weights.shape[2])
    fitting = (MAX_PASSING_ROWS // (4 * plane) - rows) // stride
    block_rows = 1 + max(min(MAX_BYTES_AHEAD // row_bytes, fitting, window.output_size[0] - 1), 0)
    slots = rows + (block_rows - 1) * stride
    group = max(MAX_PASSING_ROWS // (slots * plane) // 4 * 4, 4)
    return _Rows(False, min(group, (channels - 1) // 4 * 4), block_rows, slots)


def _cost(operation: o.DepthwiseConvolution) -> float:
    window, channels = operation.window, operation.window.input_channels
    count, words, rows = window.output_size[0], _words(window), _rows(operation)
    packed = min(window.stride[0], rows.slots) if rows.keeps else rows.slots / rows.block_rows
    planes, stride, relu = _planes(window), window.stride[1], is_relu(operation.output)
    packing = packed * planes * (1.3 * _plane_bytes(window) + 14)
    row = 11 * words + 6 if stride == 1 else 7 * words + 8
    block = window.size[0] * row + _block(window) * (12 if relu else 18) + 14 * (stride - 1)
    runs = planes * (1 if operation.depth_multiplier == 1 else channels)
    computing = operation.depth_multiplier * planes * (block * _blocks(window) + 22.0)
    return float(count * (channels * (packing + computing) + 110 * runs + 250))


def _bind(operation: o.DepthwiseConvolution) -> Binding:
    window, output = operation.window, operation.output
    values = stream(operation)
    assert values is not None
    rows = _rows(operation)
    reads = window
    if rows.keeps:
        # Rows that are kept are not read again.
        fresh = min(window.stride[0], rows.slots)
        reads = replace(
            window,
            size=(fresh, window.size[1]),
            dilation=(1, window.dilation[1]),
            padding=(window.padding[0] - rows.slots + fresh, window.padding[1]),
        )
    planes, plane_bytes, words = _planes(window), _plane_bytes(window), _words(window)
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "depth_multiplier": operation.depth_multiplier,
            "group": rows.group,
            "block_rows": rows.block_rows,
            "slots": rows.slots,
            "planes": planes,
            "plane_bytes": plane_bytes,
            "words": words,
            "min": output.min,
            "max": output.max,
            "routine": f"depthwise_rows_{window.stride[1]}_{words}_{variant(output)}",
            "stream": Array(values),
        },
        params_type="struct depthwise_rows_dsp_int8_params",
        scratch_bytes=rows.slots * rows.group * _channel_bytes(window),
        overlap={
            0: ov.raster_overlap(
                reads,
                int(operation.weights.shape[2]),
                block_pixels=window.output_size[1],
                block_rows=rows.block_rows,
                buffered=rows.keeps,
            )
        },
    )


def _as_depthwise(operation: o.Convolution) -> o.DepthwiseConvolution:
    """The same of one input channel, which has as many outputs as the convolution."""
    return o.DepthwiseConvolution(
        window=operation.window,
        weights=np.moveaxis(operation.weights[..., 0], 0, 2),
        scales=operation.scales,
        output=operation.output,
        input_zero_point=operation.input_zero_point,
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "depthwise_rows_dsp_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_applies,
        cost=_cost,
        bind=_bind,
        scratch=True,
        headers=("planes.h", "dsp.h", "../portable/window.h"),
    ),
    Kernel(
        "depthwise_rows_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=lambda operation: (
            operation.window.input_channels == 1 and _applies(_as_depthwise(operation))
        ),
        cost=lambda operation: _cost(_as_depthwise(operation)),
        bind=lambda operation: _bind(_as_depthwise(operation)),
        scratch=True,
        headers=("planes.h", "dsp.h", "../portable/window.h"),
    ),
)
