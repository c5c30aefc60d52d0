"""Kernels for the Cortex-M55 and other cores with MVE (Helium) integer vectors of 128 bits.

Costs are instructions, counted in an emulator.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov

FOLDER = "cortex_m55"
LANES = 16
GROUP = 4


def _shifts_right(scales: o.ChannelScales) -> bool:
    """Whether all factors are below 1, as the vector kernels' rescaling takes for granted."""
    return bool(np.all(scales.shift <= 0))


def _packed(operation: o.Convolution) -> NDArray[np.int32]:
    """Weights and scales in words, as `struct conv_pixels_mve` describes them."""
    channels = operation.output_channels
    # A window's columns are contiguous in the scratch memory, its rows are not.
    rows = operation.weights.transpose(0, 2, 1, 3).reshape(channels, -1)
    filled = lay.fill(np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES))), GROUP)
    groups = filled.reshape(-1, GROUP, filled.shape[1] // LANES, LANES).transpose(0, 2, 1, 3)
    words = [groups.reshape(groups.shape[0], -1).copy().view("<i4")]
    scales = operation.scales
    for constants in (scales.bias, scales.multiplier):
        words.append(lay.fill(constants, GROUP).reshape(-1, GROUP))
    words.append(lay.fill(scales.shift, GROUP).reshape(-1, GROUP).copy().view("<i4"))
    return np.concatenate(words, axis=1)


def _conv_cost(operation: o.Convolution) -> float:
    steps = -(-operation.weights[0].size // LANES)
    outputs = prod(operation.window.output_size) * operation.output_channels
    return outputs * (2.0 * steps + 3.5)


def _applies_conv_2d(operation: o.Convolution) -> bool:
    window = operation.window
    contiguous = window.dilation[1] == 1 or window.size[1] == 1
    return operation.groups == 1 and contiguous and _shifts_right(operation.scales)


def _conv_2d(operation: o.Convolution) -> Binding:
    window = operation.window
    channels = window.input_channels
    direct = window.size == (1, 1) and not window.pads
    if direct and window.stride == (1, 1) and window.input_size == window.output_size:
        window = _as_line(window)
    columns = 0 if direct else (window.output_size[1] - 1) * window.stride[1] + window.size[1]
    pixels = 2 if direct else window.output_size[1]
    outputs = operation.output_channels
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "columns": columns,
            "conv": {
                "values": operation.weights[0].size,
                "stride": window.stride[1] * window.size[0] * channels,
                "channels": outputs,
                "out": lay.output_fields(operation.output),
                "weights": Array(_packed(operation)),
            },
        },
        params_type="struct conv_2d_int8_mve_params",
        scratch_bytes=columns * window.size[0] * channels,
        overlap={
            0: ov.raster_overlap(window, outputs, block_pixels=pixels, buffered=not direct),
        },
    )


def _as_line(window: o.Window) -> o.Window:
    """A 1×1 window that visits all pixels, as one that moves over a single row of them."""
    line = (1, prod(window.input_size))
    return replace(window, input_size=line, output_size=line)


def _applies_depthwise_3x3(operation: o.DepthwiseConvolution) -> bool:
    window, out = operation.window, operation.output
    return (
        window.size == (3, 3)
        and window.stride in ((1, 1), (2, 2))
        and window.dilation == (1, 1)
        and operation.depth_multiplier == 1
        and 7 * 4 * _depthwise_columns(window) <= np.iinfo(np.uint16).max
        and _shifts_right(operation.scales)
        and (out.min >= out.zero_point or (out.min, out.max) == (-128, 127))
    )


def _depthwise_columns(window: o.Window) -> int:
    width, (_, stride) = window.output_size[1], window.stride
    return 2 + (width + width % 2 if stride == 1 else 2 * (width + -width % 4))


def _depthwise_cost(operation: o.DepthwiseConvolution) -> float:
    outputs = prod(operation.window.output_size) * int(operation.weights.shape[2])
    return outputs * 7.0


def _depthwise_3x3(operation: o.DepthwiseConvolution) -> Binding:
    window = operation.window
    columns = _depthwise_columns(window)
    scales = operation.scales
    records = np.zeros((window.input_channels, 20), np.uint8)
    records[:, 0:4] = scales.bias.astype("<i4")[:, None].view(np.uint8)
    records[:, 4:8] = scales.multiplier.astype("<i4")[:, None].view(np.uint8)
    records[:, 8:17] = operation.weights.reshape(9, -1).T.view(np.uint8)
    records[:, 18] = scales.shift.view(np.uint8)
    # Rows above were kept in scratch memory.
    unread = replace(
        window, size=(2, 3), padding=(window.padding[0] - 2, window.padding[1])
    )
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "columns": columns,
            "out": lay.output_fields(operation.output),
            "channels": Array(records.view("<i4")),
        },
        params_type="struct depthwise_conv_3x3_int8_mve_params",
        scratch_bytes=window.input_channels * columns * 4,
        overlap={
            0: ov.raster_overlap(
                unread,
                window.input_channels,
                block_pixels=window.output_size[1],
                block_rows=2 if window.stride == (1, 1) else 1,
                buffered=True,
            )
        },
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_2d_int8_mve",
        FOLDER,
        o.Convolution,
        applies=_applies_conv_2d,
        cost=_conv_cost,
        bind=_conv_2d,
        scratch=True,
        headers=(
            "conv_pixels_mve.h",
            "requantize_mve.h",
            "../portable/requantize.h",
            "../portable/window.h",
        ),
    ),
    Kernel(
        "depthwise_conv_3x3_int8_mve",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_applies_depthwise_3x3,
        cost=_depthwise_cost,
        bind=_depthwise_3x3,
        scratch=True,
        headers=(
            "memory_mve.h",
            "requantize_mve.h",
            "../portable/requantize.h",
            "../portable/window.h",
        ),
    ),
)
