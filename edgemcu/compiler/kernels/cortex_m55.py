"""Kernels for the Cortex-M55 and other cores with MVE (Helium) integer vectors of 128 bits.

Layers with weights are sums of 16 products at a time (VMLADAV.S8): constants are laid out so that
16 values of a channel, or of its window, lie side by side. See the headers in
`firmware_templates/compiled/kernels/cortex_m55/`.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel, portable
from edgemcu.compiler.kernels import cortex_m55_cost as cost
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov

FOLDER = "cortex_m55"
LANES = 16
"""int8 values of a vector."""
GROUP = 4
"""Output channels that are rescaled and written together."""
POOL_LIMIT = 4096
"""Elements of a window whose average the kernel computes exactly."""
HALF = (1 << 30, 0)
"""1/2 as a multiplier and a shift."""


def _shifts_right(scales: o.ChannelScales) -> bool:
    """Whether all factors are below 1, as the vector kernels' rescaling takes for granted."""
    return bool(np.all(scales.shift <= 0))


def _packed(rows: NDArray[np.int8], scales: o.ChannelScales) -> NDArray[np.int32]:
    """(channels, values) and their scales as (groups of four channels, words): see
    `struct fully_connected_int8_mve_params`."""
    filled = lay.fill(np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES))), GROUP)
    groups = filled.reshape(-1, GROUP, filled.shape[1] // LANES, LANES).transpose(0, 2, 1, 3)
    words = [groups.reshape(groups.shape[0], -1).copy().view("<i4")]
    for constants in (scales.bias, scales.multiplier):
        words.append(lay.fill(constants, GROUP).reshape(-1, GROUP))
    words.append(lay.fill(scales.shift, GROUP).reshape(-1, GROUP).copy().view("<i4"))
    return np.concatenate(words, axis=1)


def _applies_conv_2d(operation: o.Convolution) -> bool:
    window = operation.window
    contiguous = window.dilation[1] == 1 or window.size[1] == 1
    reaches = not window.pads or _columns(window) > window.padding[1]
    return operation.groups == 1 and contiguous and reaches and _shifts_right(operation.scales)


def _columns(window: o.Window) -> int:
    """Of the input, padding included, that windows read. With a PAD far wider than the image all of
    them may lie in the padding, which nothing here is made for."""
    return (window.output_size[1] - 1) * window.stride[1] + window.size[1]


def _conv_2d(operation: o.Convolution) -> Binding:
    window = operation.window
    channels = window.input_channels
    direct = window.size == (1, 1) and not window.pads
    if direct and window.stride == (1, 1) and window.input_size == window.output_size:
        window = _as_line(window)
    columns = 0 if direct else _columns(window)
    pixels = 2 if direct else window.output_size[1]
    outputs = operation.output_channels
    # A window's columns are contiguous in the scratch memory, its rows are not.
    rows = operation.weights.transpose(0, 2, 1, 3).reshape(outputs, -1)
    overlap = ov.raster_overlap(window, outputs, block_pixels=pixels, buffered=not direct)
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "columns": columns,
            "conv": {
                "values": rows.shape[1],
                "stride": window.stride[1] * window.size[0] * channels,
                "channels": outputs,
                "out": lay.output_fields(operation.output),
                "weights": Array(_packed(rows, operation.scales)[::-1]),
            },
        },
        params_type="struct conv_2d_int8_mve_params",
        scratch_bytes=columns * window.size[0] * channels,
        # Groups of channels are written as a whole.
        overlap={0: overlap + -outputs % GROUP},
    )


def _as_line(window: o.Window) -> o.Window:
    """A 1×1 window that visits all pixels, as one that moves over a single row of them."""
    line = (1, prod(window.input_size))
    return replace(window, input_size=line, output_size=line)


def _applies_one_channel(operation: o.DepthwiseConvolution) -> bool:
    return operation.window.input_channels == 1 and _applies_conv_2d(operation.as_convolution())


def _applies_depthwise_3x3(operation: o.DepthwiseConvolution) -> bool:
    window, out = operation.window, operation.output
    return (
        window.size == (3, 3)
        and window.stride in ((1, 1), (2, 2))
        and window.dilation == (1, 1)
        and operation.depth_multiplier == 1
        and 7 * 4 * _depthwise_columns(window) <= np.iinfo(np.uint16).max
        and _shifts_right(operation.scales)
        and (cost.cuts_negatives(out) or (out.min, out.max) == (-128, 127))
    )


def _depthwise_columns(window: o.Window) -> int:
    width, (_, stride) = window.output_size[1], window.stride
    return 2 + (width + width % 2 if stride == 1 else 2 * (width + -width % 4))


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
    unread = replace(window, size=(2, 3), padding=(window.padding[0] - 2, window.padding[1]))
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


def _applies_depthwise_2d(operation: o.DepthwiseConvolution) -> bool:
    return operation.depth_multiplier == 1 and _shifts_right(operation.scales)


def _depthwise_2d(operation: o.DepthwiseConvolution) -> Binding:
    window, scales = operation.window, operation.scales
    # VMULLB and VMULLT take even and odd channels, VMOVLB and VMOVLT every other of those.
    order = np.concatenate([np.arange(first, LANES, 4) for first in (0, 2, 1, 3)])
    blocks = [
        lay.fill(values, LANES).reshape(-1, LANES)[:, order].copy().view("<i4")
        for values in (scales.bias, scales.multiplier, scales.shift)
    ]
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "out": lay.output_fields(operation.output),
            "scales": Array(np.concatenate(blocks, axis=1)),
            "weights": Array(operation.weights),
        },
        params_type="struct depthwise_conv_2d_int8_mve_params",
        overlap={0: ov.raster_overlap(window, window.input_channels)},
    )


def _fully_connected(operation: o.FullyConnected) -> Binding:
    channels, inputs = operation.weights.shape
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": channels,
            "out": lay.output_fields(operation.output),
            "weights": Array(_packed(operation.weights, operation.scales)),
        },
        params_type="struct fully_connected_int8_mve_params",
        overlap={0: ov.rows_overlap(operation.rows, inputs, channels)},
    )


def _applies_add(operation: o.Sum) -> bool:
    same = prod(operation.shape_a) == prod(operation.shape_b) == prod(operation.shape)
    return same and not operation.subtract and operation.factor[1] <= 0


def _add(operation: o.Sum) -> Binding:
    # The operand with the larger scale has the factor 1/2.
    sides = operation.a, operation.b
    coarse = next(i for i, side in enumerate(sides) if side.factor == HALF)
    fine = sides[1 - coarse]
    return Binding(
        params={
            "elements": prod(operation.shape),
            "coarse": coarse,
            "coarse_sum": -sides[coarse].zero_point << 19,
            "fine_sum": -fine.zero_point << 20,
            "fine_multiplier": fine.factor[0],
            "fine_shift": fine.factor[1],
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type="struct add_int8_mve_params",
        overlap={0: ov.IN_PLACE, 1: ov.IN_PLACE},
    )


def _mean_axes(operation: o.Mean) -> tuple[int, int]:
    """Rows that are averaged, and what stays of each."""
    reduced = operation.reduced
    outer = len(reduced) - next((i for i, r in enumerate(reversed(reduced)) if r), len(reduced))
    return prod(operation.shape[:outer]), prod(operation.shape[outer:])


def _applies_mean(operation: o.Mean) -> bool:
    """The leading axes are averaged, and each of them that has more than one element."""
    rows, _ = _mean_axes(operation)
    count = prod(n for n, r in zip(operation.shape, operation.reduced, strict=True) if r)
    return rows == count and operation.factor[1] <= 0


def _mean(operation: o.Mean) -> Binding:
    rows, channels = _mean_axes(operation)
    return Binding(
        params={
            "rows": rows,
            "channels": channels,
            "zero_point_sum": operation.input_zero_point * rows,
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type="struct mean_int8_mve_params",
        # Of what has been written, the channels that follow read nothing.
        overlap={0: ov.IN_PLACE},
    )


def _lookup(operation: o.Lookup) -> Binding:
    return Binding(
        # Indexed by the input's byte without its sign.
        params={"elements": operation.elements, "table": Array(np.roll(operation.table, 128))},
        params_type="struct lookup_int8_mve_params",
        overlap={0: ov.IN_PLACE},
    )


REQUANTIZE = ("requantize_mve.h", "../portable/requantize.h")
CONV_HEADERS = (*REQUANTIZE, "conv_pixels_mve.h", "memory_mve.h", "../portable/window.h")
CONV_SOURCES = ("conv_pixels_mve.c",)

KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_2d_int8_mve",
        FOLDER,
        o.Convolution,
        applies=_applies_conv_2d,
        cost=cost.conv_2d,
        bind=_conv_2d,
        scratch=True,
        headers=CONV_HEADERS,
        sources=CONV_SOURCES,
    ),
    Kernel(
        "conv_2d_int8_mve",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_applies_one_channel,
        cost=lambda operation: cost.conv_2d(operation.as_convolution()),
        bind=lambda operation: _conv_2d(operation.as_convolution()),
        scratch=True,
        headers=CONV_HEADERS,
        sources=CONV_SOURCES,
    ),
    Kernel(
        "depthwise_conv_2d_int8_mve",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_applies_depthwise_2d,
        cost=cost.depthwise_conv_2d,
        bind=_depthwise_2d,
        headers=(*REQUANTIZE, "../portable/window.h"),
    ),
    Kernel(
        "depthwise_conv_3x3_int8_mve",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_applies_depthwise_3x3,
        cost=cost.depthwise_conv_3x3,
        bind=_depthwise_3x3,
        scratch=True,
        headers=(*REQUANTIZE, "memory_mve.h", "../portable/window.h"),
    ),
    Kernel(
        "fully_connected_int8_mve",
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: _shifts_right(operation.scales),
        cost=cost.fully_connected,
        bind=_fully_connected,
        headers=REQUANTIZE,
    ),
    Kernel(
        "mean_int8_mve",
        FOLDER,
        o.Mean,
        applies=_applies_mean,
        cost=lambda operation: cost.mean(*_mean_axes(operation)),
        bind=_mean,
        headers=REQUANTIZE,
    ),
    Kernel(
        "add_int8_mve",
        FOLDER,
        o.Sum,
        applies=_applies_add,
        cost=cost.add,
        bind=_add,
        headers=REQUANTIZE,
    ),
    Kernel(
        "max_pool_2d_int8_mve",
        FOLDER,
        o.Pool,
        applies=lambda operation: not operation.average,
        cost=cost.pool,
        bind=portable.pool,
        headers=("../portable/pool_window.h",),
    ),
    Kernel(
        "average_pool_2d_int8_mve",
        FOLDER,
        o.Pool,
        applies=lambda operation: operation.average and operation.window.taps <= POOL_LIMIT,
        cost=cost.pool,
        bind=portable.pool,
        headers=("../portable/pool_window.h",),
    ),
    Kernel(
        "lookup_int8_mve",
        FOLDER,
        o.Lookup,
        applies=lambda operation: True,
        cost=cost.lookup,
        bind=_lookup,
    ),
)
