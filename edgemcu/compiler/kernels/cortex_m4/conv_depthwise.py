"""Convolutions together with the depthwise 3x3 convolution behind them."""

from __future__ import annotations

import numpy as np

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Binding, Kernel
from edgemcu.compiler.kernels.cortex_m4 import depthwise, dot
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER


def _applies(operation: o.ConvolutionThenDepthwise) -> bool:
    first = operation.convolution
    if first.groups != 1 or first.window.output_size[1] < 3:
        return False
    layer = dot.dot(dot.weight_rows(first), first.scales, first.output)
    # Only these routines write planes.
    shares = layer is not None and layer.shift is not None
    return shares and depthwise.is_depthwise_3x3(operation.depthwise)


def _plane_bytes(operation: o.ConvolutionThenDepthwise) -> int:
    """Room for all that the convolution writes, also where nobody reads the last columns."""
    window = operation.depthwise.window
    written = 2 * (window.padding[1] + window.input_size[1])
    return max(depthwise.plane_bytes(window), -(-written // 4) * 4)


def _cost(operation: o.ConvolutionThenDepthwise) -> float:
    first, second = operation.convolution, operation.depthwise
    rows, columns = first.window.output_size
    inputs = int(dot.weight_rows(first).shape[1])
    blocks = -(-columns // 3)
    dots = dot.dot_cost(blocks, inputs, first.output_channels, relu=True)
    computing = second.window.output_size[0] * second.window.input_channels
    packing = 3 * blocks * dot.packing_cost(first)
    return rows * (dots + packing) + computing * depthwise.row_cost(second, _plane_bytes(operation))


def _overlap(operation: o.ConvolutionThenDepthwise) -> int:
    """Rows between the two are kept: what an output row needs anew of them is read of the input
    before the row is written."""
    first, second = operation.convolution.window, operation.depthwise.window
    rows, columns = second.output_size
    # The first row between the two that each output row computes, and what that reads first.
    between = np.arange(rows) * second.stride[0] - second.padding[0]
    fresh = np.maximum(between + max(3 - second.stride[0], 0), 0)
    fresh[0] = 0
    reads = np.maximum(fresh * first.stride[0] - first.padding[0], 0)
    line = first.input_size[1] * first.input_channels
    written = np.arange(1, rows + 1) * columns * second.input_channels
    pending = reads[1:] * line
    # Nothing is read any more once the last row between the two is there.
    pending = pending[fresh[1:] < first.output_size[0]]
    anywhere = -line * first.input_size[0]
    return max((int(lead) for lead in written[: pending.size] - pending), default=anywhere)


def _bind(operation: o.ConvolutionThenDepthwise) -> Binding:
    first, second = operation.convolution, operation.depthwise
    window, plane = second.window, _plane_bytes(operation)
    weights = dot.weight_rows(first) if dot.is_1x1(first) else dot.words_first(first)
    row = "pixels" if dot.is_1x1(first) else "windows"
    kept = 3 * 2 * -(-window.input_channels // 2) * plane
    few = depthwise.few_bytes(window, window.input_channels)
    return Binding(
        params={
            "windows": dot.windows_fields(first),
            "row": f"conv_depthwise_row_of_{row}",
            "dot": dot.dot_fields(weights, first.scales, first.output, in_planes=True),
            "output_height": window.output_size[0],
            "stride_y": window.stride[0],
            "pad_top": window.padding[0],
            "pad_left": window.padding[1],
            "zero_point": second.input_zero_point,
            "depthwise": depthwise.depthwise_fields(second, plane),
        },
        params_type="struct conv_depthwise_3x3_dsp_int8_params",
        scratch_bytes=kept + few + dot.packing_bytes(first, in_rows=True),
        overlap={0: _overlap(operation)},
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_depthwise_3x3_dsp_int8",
        FOLDER,
        o.ConvolutionThenDepthwise,
        applies=_applies,
        cost=_cost,
        bind=_bind,
        scratch=True,
        headers=(*dot.CONV_2D_HEADERS, "depthwise_3x3.h"),
        sources=(*dot.CONV_2D_SOURCES, "depthwise_3x3.c"),
    ),
)
