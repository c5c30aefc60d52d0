"""Layers with weights by the portable kernels: where each applies, its cost, its constants."""

from __future__ import annotations

from math import prod

import numpy as np

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import Array, Binding
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov

# Window rows shorter than this are gathered with their neighbours into one run: the loop over rows
# would cost more than the copy.
SHORTEST_DIRECT_ROW = 8


# Seen on a Cortex-M4.
CYCLES_PER_INSTRUCTION = 1.25


def conv_cost(operation: o.Convolution, per_mac: float) -> float:
    """In cycles, of so many instructions for a multiply-accumulate."""
    outputs = prod(operation.window.output_size) * operation.output_channels
    return CYCLES_PER_INSTRUCTION * (operation.macs * per_mac + outputs * 25.0)


def is_1x1(operation: o.Convolution) -> bool:
    window = operation.window
    return (
        operation.groups == 1
        and window.size == (1, 1)
        and window.stride == (1, 1)
        and not window.pads
    )


def conv_1x1(operation: o.Convolution) -> Binding:
    channels = operation.output_channels
    rows = operation.weights.reshape(channels, -1)
    return Binding(
        params={
            "pixels": prod(operation.window.output_size),
            "input_channels": operation.window.input_channels,
            "output_channels": channels,
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales, multiple=2),
            "weights": Array(lay.interleave(rows, 2)),
        },
        params_type="struct conv_1x1_int8_params",
        overlap={
            0: ov.rows_overlap(
                prod(operation.window.output_size),
                operation.window.input_channels,
                channels,
                block_rows=2,
            )
        },
    )


def conv_2d(operation: o.Convolution) -> Binding:
    window = operation.window
    channels = operation.output_channels
    rows = operation.weights.reshape(channels, -1)
    row = window.size[1] * window.input_channels
    gathers = window.size[1] > 1 and (window.dilation[1] > 1 or row < SHORTEST_DIRECT_ROW)
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "output_channels": channels,
            "always_gather": int(gathers),
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales, multiple=2),
            "weights": Array(lay.interleave(rows, 2)),
        },
        params_type="struct conv_2d_int8_params",
        scratch_bytes=2 * rows.shape[1] if gathers or window.pads else 0,
        overlap={0: ov.raster_overlap(window, channels, block_pixels=2, buffered=gathers)},
    )


def grouped_conv_2d(operation: o.Convolution) -> Binding:
    window = operation.window
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "output_channels": operation.output_channels,
            "groups": operation.groups,
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales),
            "weights": Array(operation.weights),
        },
        params_type="struct grouped_conv_2d_int8_params",
        scratch_bytes=window.taps * window.input_channels,
        overlap={0: ov.raster_overlap(window, operation.output_channels, buffered=True)},
    )


def depthwise_cost(operation: o.DepthwiseConvolution, per_mac: float) -> float:
    """As `conv_cost`."""
    outputs = prod(operation.window.output_size) * int(operation.weights.shape[2])
    return CYCLES_PER_INSTRUCTION * (operation.macs * per_mac + outputs * 25.0)


def is_depthwise_3x3(operation: o.DepthwiseConvolution) -> bool:
    window = operation.window
    return window.size == (3, 3) and window.dilation == (1, 1) and operation.depth_multiplier == 1


def depthwise_3x3(operation: o.DepthwiseConvolution) -> Binding:
    window = operation.window
    columns = 4 if window.stride[1] == 1 else 3
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales),
            "weights": Array(np.moveaxis(operation.weights, 2, 0)),
        },
        params_type="struct depthwise_conv_3x3_int8_params",
        scratch_bytes=3 * columns * window.input_channels if window.pads else 0,
        overlap={0: ov.raster_overlap(window, window.input_channels, block_pixels=columns - 2)},
    )


def depthwise_2d(operation: o.DepthwiseConvolution) -> Binding:
    window = operation.window
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "depth_multiplier": operation.depth_multiplier,
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales),
            "weights": Array(np.moveaxis(operation.weights, 2, 0)),
        },
        params_type="struct depthwise_conv_2d_int8_params",
        scratch_bytes=window.taps * window.input_channels if window.pads else 0,
        overlap={0: ov.raster_overlap(window, int(operation.weights.shape[2]))},
    )


def fully_connected(operation: o.FullyConnected) -> Binding:
    channels, inputs = operation.weights.shape
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": channels,
            "out": lay.output_fields(operation.output),
            "scales": lay.scale_fields(operation.scales, multiple=2),
            "weights": Array(lay.interleave(operation.weights, 2)),
        },
        params_type="struct fully_connected_int8_params",
        overlap={0: ov.rows_overlap(operation.rows, inputs, channels)},
    )
