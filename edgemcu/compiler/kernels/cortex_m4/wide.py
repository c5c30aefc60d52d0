"""Convolutions and fully connected layers whose sums are too large for dot.h, in two halves."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import rescale
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4 import convolution as conv
from edgemcu.compiler.kernels.cortex_m4.dot import Blocks, weight_words
from edgemcu.compiler.kernels.cortex_m4.rounding import (
    FOLDER,
    SCALE_BITS,
    channel_bounds,
    rounding,
)

# Of sums that fit, 256 times too large, into an int32.
MOST = (1 << (31 - SCALE_BITS)) - 1


def _stream(operation: o.Convolution) -> NDArray[np.int32] | None:
    """What conv_2d_wide_dsp_int8 reads, int32 (pairs of channels, words); None if it cannot be
    exact."""
    if operation.groups != 1:
        return None
    rows, scales, output = conv.weight_rows(operation), operation.scales, operation.output
    first = 4 * _first(rows.shape[1])
    if first == 0:
        return None
    parts = rows[:, :first], rows[:, first:]
    # The input's zero point is in it, times the sum of the weights: a share to each half.
    biases = scales.bias - scales.bias // 2, scales.bias // 2
    words = []
    for part, bias in zip(parts, biases, strict=True):
        low, high = channel_bounds(part, replace(scales, bias=bias))
        if max(-low.min(), high.max()) > MOST:
            return None
        words.append(weight_words(part, bias.astype(np.int64) << SCALE_BITS))
    low, high = channel_bounds(rows, scales)
    ends = rescale(np.array([[-MOST], [MOST]]), scales.multiplier, scales.shift)
    ends += output.zero_point
    if np.any((low < -MOST) & (ends[0] > output.min) | (high > MOST) & (ends[1] < output.max)):
        return None
    factors = rounding(scales, output, np.minimum(np.maximum(-low, high), MOST), SCALE_BITS)
    if factors is None or words[0] is None or words[1] is None:
        return None
    behind = lay.fill(np.stack(factors, axis=1), 2).reshape(words[0].shape[0], -1)
    return np.concatenate([words[0], words[1], behind], axis=1)


def _first(inputs: int) -> int:
    """Groups of four inputs of the first half."""
    return -(-inputs // 4) // 2


def _rows(operation: o.FullyConnected) -> o.Convolution:
    """A fully connected layer as a 1x1 convolution of an image with one line."""
    channels, inputs = (int(size) for size in operation.weights.shape)
    size = (1, operation.rows)
    return o.Convolution(
        window=o.Window(input_size=size, input_channels=inputs, output_size=size, size=(1, 1)),
        weights=operation.weights.reshape(channels, 1, 1, inputs),
        scales=operation.scales,
        output=operation.output,
        input_zero_point=0,
    )


def _blocks(operation: o.Convolution) -> Blocks:
    return Blocks.of(prod(operation.window.output_size), fours=True)


def _cost(operation: o.Convolution) -> float:
    blocks, pixels = _blocks(operation), prod(operation.window.output_size)
    inputs, channels = operation.macs // pixels // operation.output_channels, operation.weights
    groups = -(-inputs // 4)
    of_four = 32 * groups + 9 * -(-groups // 4) + 500
    of_three = 24 * groups + 7 * -(-groups // 4) + 420
    pairs = -(-channels.shape[0] // 2)
    dots = pairs * (blocks.fours * of_four + (blocks.threes + blocks.ones) * of_three)
    return float(dots + conv.packing_cost(operation) * pixels)


def _bind(operation: o.Convolution) -> Binding:
    window, blocks, stream = operation.window, _blocks(operation), _stream(operation)
    assert stream is not None
    inputs = window.taps * window.input_channels
    groups = -(-inputs // 4)
    return Binding(
        params={
            "windows": conv.windows_fields(operation),
            "blocks": blocks.fields,
            "output_channels": operation.output_channels,
            "groups": groups,
            "first": _first(inputs),
            "min": operation.output.min,
            "max": operation.output.max,
            "of_four": "dot_4x2_sums" if blocks.fours else "NULL",
            "of_three": "dot_3x2_sums" if blocks.threes or blocks.ones else "NULL",
            "stream": Array(stream),
        },
        params_type="struct conv_2d_wide_dsp_int8_params",
        scratch_bytes=blocks.bytes_per_group * groups + conv.patch_bytes(operation),
        # Blocks are written no earlier than single pixels would be.
        overlap={0: ov.raster_overlap(window, operation.output_channels, buffered=True)},
    )


NAME = "conv_2d_wide_dsp_int8"

KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        NAME,
        FOLDER,
        o.Convolution,
        applies=lambda operation: _stream(operation) is not None,
        cost=_cost,
        bind=_bind,
        scratch=True,
        headers=conv.CONV_2D_HEADERS,
        sources=conv.CONV_2D_SOURCES,
    ),
    Kernel(
        NAME,
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: _stream(_rows(operation)) is not None,
        cost=lambda operation: _cost(_rows(operation)),
        bind=lambda operation: _bind(_rows(operation)),
        scratch=True,
        headers=conv.CONV_2D_HEADERS,
        sources=conv.CONV_2D_SOURCES,
    ),
)
