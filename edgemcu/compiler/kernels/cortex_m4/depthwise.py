"""Depthwise 3x3 convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import wrap_int32
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Field, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4 import convolution
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER, is_relu, rescaling

# Shared by all channels of a layer; each has its routines in depthwise_3x3.c.
SHIFTS = (10,)

# Rows of all channels are kept in scratch memory up to this size,
MAX_KEPT_ROWS = 10 << 10
# but not beside large inputs that shrink: these layers decide how much memory a network needs, and
# their rows are used again least.
MAX_SHRINKING_INPUT = 20 << 10
# Where they are not kept, so many bytes of rows are there at a time.
MAX_PASSING_ROWS = 2560


@dataclass(frozen=True)
class Stream:
    """A layer's constants for `depthwise_3x3`; see depthwise_3x3.h.

    Attributes:
        words: int32 (channels, words).
        variant: "relu_10" or "any".
    """

    words: NDArray[np.int32]
    variant: str


def depthwise_stream(operation: o.DepthwiseConvolution) -> Stream | None:
    """What `depthwise_3x3_row` reads; None if it cannot be exact."""
    rows = operation.weights.reshape(9, -1).T
    scaling = rescaling(rows, operation.scales, operation.output, SHIFTS)
    if scaling is None:
        return None
    scaled = (rows.astype(np.int16) * 256).reshape(-1, 3, 3)
    pairs = np.stack([scaled[:, :, 0:2], scaled[:, :, 1:3]], axis=2)
    weights = np.ascontiguousarray(pairs).view(np.int32).reshape(-1, 6)
    bias = operation.scales.bias.astype(np.int64) * 256 + scaling.nudges
    before = wrap_int32(bias).astype(np.int32)[:, None]
    return Stream(np.concatenate([before, weights, scaling.words], axis=1), scaling.variant)


def is_depthwise_3x3(operation: o.DepthwiseConvolution) -> bool:
    window = operation.window
    return (
        window.size == (3, 3)
        and window.dilation == (1, 1)
        and window.stride[1] in (1, 2)
        and operation.depth_multiplier == 1
        and depthwise_stream(operation) is not None
    )


def plane_bytes(window: o.Window) -> int:
    """Of one channel and input row: what four outputs read, or all in a row."""
    outputs = max(window.output_size[1], 4)
    return ((outputs - 1) * window.stride[1] + 4) // 2 * 4


def few_bytes(window: o.Window, channels: int) -> int:
    """Where a row of less than four outputs is computed."""
    return 4 * channels if window.output_size[1] < 4 else 0


def depthwise_fields(operation: o.DepthwiseConvolution, plane: int) -> dict[str, Field]:
    """The members of `struct depthwise_3x3`, for planes of so many bytes."""
    window, output = operation.window, operation.output
    stream = depthwise_stream(operation)
    assert stream is not None
    return {
        "channels": window.input_channels,
        "output_width": window.output_size[1],
        "stride_x": window.stride[1],
        "plane_bytes": plane,
        "min": output.min,
        "max": output.max,
        "routine": f"depthwise_3x3_{_rows_routine(window, plane)}_{stream.variant}",
        "channel_words": stream.words.shape[1],
        "stream": Array(stream.words),
    }


def _depthwise_group(window: o.Window) -> int:
    """Channels at a time: all of them if rows can be used again and there is room."""
    channels, rows = window.input_channels, 3 * plane_bytes(window)
    input_bytes = prod(window.input_size) * channels
    small = window.stride[0] == 1 or input_bytes <= MAX_SHRINKING_INPUT
    if small and rows * channels <= MAX_KEPT_ROWS:
        return channels
    return min(channels, max(MAX_PASSING_ROWS // rows // 4 * 4, 4))


def _rows_routine(window: o.Window, plane: int) -> str:
    if window.stride[1] == 1 and window.output_size[1] in (5, 6) and plane == 16:
        return "six"
    return str(window.stride[1])


def row_cost(operation: o.DepthwiseConvolution, plane: int) -> float:
    """Of one row of outputs of one channel, from planes."""
    window, relu = operation.window, is_relu(operation.output)
    if _rows_routine(window, plane) == "six":
        return 92.0 if relu else 140.0
    block = (68 if window.stride[1] == 1 else 75) + (0 if relu else 36)
    return block * max(1.0, -(-window.output_size[1] // 4)) + 28.0


def _depthwise_cost(operation: o.DepthwiseConvolution) -> float:
    window, group = operation.window, _depthwise_group(operation.window)
    rows, channels = window.output_size[0], window.input_channels
    packed = min(window.stride[0], 3) if group == channels else 3
    plane = plane_bytes(window)
    packing = packed * (1.25 * plane + 6)
    computing = row_cost(operation, plane)
    return float(rows * (channels * (packing + computing) + 250 * -(-channels // group)))


def _depthwise(operation: o.DepthwiseConvolution) -> Binding:
    window = operation.window
    group = _depthwise_group(window)
    keeps = group == window.input_channels
    plane = plane_bytes(window)
    # Rows that are kept are not read again.
    fresh = window.stride[0] if keeps else 3
    top = window.padding[0] - 3 + fresh
    reads = replace(window, size=(fresh, 3), padding=(top, window.padding[1]))
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "group": group,
            "depthwise": depthwise_fields(operation, plane),
        },
        params_type="struct depthwise_3x3_dsp_int8_params",
        scratch_bytes=3 * group * plane + few_bytes(window, group),
        overlap={
            0: ov.raster_overlap(
                reads, window.input_channels, block_pixels=window.output_size[1], buffered=keeps
            )
        },
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "depthwise_3x3_dsp_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=is_depthwise_3x3,
        cost=_depthwise_cost,
        bind=_depthwise,
        scratch=True,
        headers=("depthwise_3x3.h", "planes.h", "dsp.h", "../portable/window.h"),
        sources=("depthwise_3x3.c",),
    ),
    Kernel(
        "conv_2d_dsp_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=lambda operation: (
            operation.window.input_channels == 1 and convolution.applies(operation.as_convolution())
        ),
        cost=lambda operation: convolution.conv_2d_cost(operation.as_convolution()),
        bind=lambda operation: convolution.bind_conv_2d(operation.as_convolution()),
        scratch=True,
        headers=convolution.CONV_2D_HEADERS,
        sources=convolution.CONV_2D_SOURCES,
    ),
)
