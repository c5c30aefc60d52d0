"""Convolutions together with the depthwise 3x3 convolution behind them."""

from __future__ import annotations

import numpy as np

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Binding, Kernel
from edgemcu.compiler.kernels.cortex_m4 import convolution, depthwise
from edgemcu.compiler.kernels.cortex_m4 import dot as d
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER
from edgemcu.compiler.kernels.portable_layers import is_1x1


def _layer(operation: o.ConvolutionThenDepthwise) -> d.Dot | None:
    """The convolution's constants, None if there is no routine that writes its planes."""
    constants = convolution.layer(operation.convolution)
    if constants is None or constants.shift is None:
        return None
    # A single pixel cannot be computed three times in one place: planes have room for one.
    return None if _blocks(constants, operation).ones else constants


def _blocks(constants: d.Dot, operation: o.ConvolutionThenDepthwise) -> d.Blocks:
    """Of a row."""
    return constants.blocks(operation.convolution.window.output_size[1])


def _plane_bytes(operation: o.ConvolutionThenDepthwise) -> int:
    """Room for all that the convolution writes, also where nobody reads the last columns."""
    window = operation.depthwise.window
    written = 2 * (window.padding[1] + window.input_size[1])
    return max(depthwise.plane_bytes(window), -(-written // 4) * 4)


def _cost(operation: o.ConvolutionThenDepthwise) -> float:
    first, second, constants = operation.convolution, operation.depthwise, _layer(operation)
    assert constants is not None
    rows, columns = first.window.output_size
    convolving = constants.cost(_blocks(constants, operation))
    convolving += columns * convolution.packing_cost(first)
    channels = second.window.input_channels
    computing = channels * depthwise.row_cost(second, _plane_bytes(operation)) + 70
    return rows * convolving + second.window.output_size[0] * computing


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
    first, second, constants = operation.convolution, operation.depthwise, _layer(operation)
    assert constants is not None
    window, plane = second.window, _plane_bytes(operation)
    blocks = _blocks(constants, operation)
    row = "pixels" if is_1x1(first) else "windows"
    kept = 3 * 2 * -(-window.input_channels // 2) * plane
    few = depthwise.few_bytes(window, window.input_channels)
    return Binding(
        params={
            "windows": convolution.windows_fields(first),
            "row": f"conv_depthwise_row_of_{row}",
            "blocks": blocks.fields,
            "dot": constants.fields(blocks, in_planes=True),
            "output_height": window.output_size[0],
            "stride_y": window.stride[0],
            "pad_top": window.padding[0],
            "pad_left": window.padding[1],
            "zero_point": second.input_zero_point,
            "depthwise": depthwise.depthwise_fields(second, plane),
        },
        params_type="struct conv_depthwise_3x3_dsp_int8_params",
        scratch_bytes=kept + few + constants.packed_bytes(blocks) + convolution.patch_bytes(first),
        overlap={0: _overlap(operation)},
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_depthwise_3x3_dsp_int8",
        FOLDER,
        o.ConvolutionThenDepthwise,
        applies=lambda operation: (
            depthwise.is_depthwise_3x3(operation.depthwise) and _layer(operation) is not None
        ),
        cost=_cost,
        bind=_bind,
        scratch=True,
        headers=(*convolution.CONV_2D_HEADERS, "depthwise_3x3.h"),
        sources=(*convolution.CONV_2D_SOURCES, "depthwise_3x3.c"),
    ),
)
