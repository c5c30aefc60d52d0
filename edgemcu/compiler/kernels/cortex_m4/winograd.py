"""3x3 convolutions by Winograd's F(2x2, 3x3) and F(2x4, 3x3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.convolution import weight_rows
from edgemcu.compiler.kernels.cortex_m4.rounding import (
    FOLDER,
    channel_bounds,
    is_relu,
    rounding,
    variant,
)

# Twice the transform of 3x3 weights for a tile of 2x2 outputs; see winograd_3x3_dsp_int8.h.
WINOGRAD_WEIGHTS = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
# For tiles of four columns, its rows multiplied by 12, 24, 24, 24, 24 and 3; see
# winograd_2x4_dsp_int8.h.
WIDE_WEIGHTS = np.array([[3, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 3]])
# What a tile of 2x4 outputs adds to its inputs: to all, and to one of two channels in columns 4, 5.
INPUT_OFFSET, LIFT = 128, 2040
# Its sums are 16 times too large.
WIDE_SCALE_BITS = 4
# Transformed weights take 3.6 or 5.4 times the flash: layers of more are computed directly.
MAX_WINOGRAD_BYTES = 128 << 10


def winograd_stream(operation: o.Convolution) -> NDArray[np.int32] | None:
    """What `winograd_3x3_dsp_int8` reads, int32 (pairs of channels, words); None if it cannot be
    exact."""
    low, high = channel_bounds(weight_rows(operation), operation.scales)
    largest = np.maximum(-low, high)
    factors = rounding(operation.scales, operation.output, largest, scale_bits=2)
    if factors is None:
        return None
    g = operation.weights.astype(np.int64)
    transformed = np.einsum("ya,oabc,xb->oyxc", WINOGRAD_WEIGHTS, g, WINOGRAD_WEIGHTS)
    outputs, inputs = g.shape[0], g.shape[3]
    # Of four channels, 0 and 2 are a word, then 1 and 3.
    words = transformed.reshape(outputs, 16, inputs // 4, 2, 2).transpose(0, 1, 2, 4, 3)
    words = np.ascontiguousarray(words.astype(np.int16)).view(np.int32)
    weights = words.reshape(outputs // 2, 2, 16, inputs // 2).transpose(0, 2, 3, 1)
    bias = (operation.scales.bias.astype(np.int64) * 4).astype(np.uint64).astype(np.uint32)
    scales = np.stack([bias.view(np.int32), *factors], axis=1)
    pairs = outputs // 2
    return np.concatenate([weights.reshape(pairs, -1), scales.reshape(pairs, 8)], axis=1)


def _is_3x3(operation: o.Convolution) -> bool:
    window = operation.window
    return (
        operation.groups == 1
        and (window.size, window.stride, window.dilation) == ((3, 3), (1, 1), (1, 1))
        and window.input_channels % 16 == 0
    )


def _is_winograd(operation: o.Convolution) -> bool:
    return (
        _is_3x3(operation)
        and operation.output_channels % 2 == 0
        and 32 * operation.window.input_channels * operation.output_channels <= MAX_WINOGRAD_BYTES
        and winograd_stream(operation) is not None
    )


def wide_stream(operation: o.Convolution) -> NDArray[np.int32] | None:
    """What `winograd_2x4_dsp_int8` reads, int32 (fours of channels, words); None if it cannot be
    exact."""
    low, high = channel_bounds(weight_rows(operation), operation.scales)
    factors = rounding(
        operation.scales, operation.output, np.maximum(-low, high), scale_bits=WIDE_SCALE_BITS
    )
    if factors is None:
        return None
    g = operation.weights.astype(np.int64)
    outputs, inputs = g.shape[0], g.shape[3]
    fours, chunks = outputs // 4, inputs // 16
    transformed = np.einsum("ya,oabc,xb->oyxc", WINOGRAD_WEIGHTS, g, WIDE_WEIGHTS)
    # Of four channels, 0 and 2 are a word, then 1 and 3.
    words = transformed.reshape(outputs, 24, inputs // 4, 2, 2).transpose(0, 1, 2, 4, 3)
    words = np.ascontiguousarray(words.astype(np.int16)).view(np.int32)
    weights = words.reshape(fours, 4, 24, chunks, 8).transpose(0, 2, 3, 4, 1)
    weights = np.concatenate(
        [
            weights.reshape(fours, 24, chunks, 32),
            np.broadcast_to(_steps(chunks)[..., None], (fours, 24, chunks, 1)),
        ],
        axis=3,
    )
    # What was added to the inputs, of which columns 2 and 3 of the outputs see more.
    lifted = g.reshape(outputs, 3, 3, inputs // 4, 4)[..., :2].sum(axis=(1, 3, 4))
    beyond = np.stack([0 * lifted[:, 0], lifted[:, 2], lifted[:, 1] + lifted[:, 2]], axis=1)
    added = INPUT_OFFSET * g.sum(axis=(1, 2, 3))[:, None] + LIFT * beyond
    bias = (operation.scales.bias.astype(np.int64)[:, None] - added) << WIDE_SCALE_BITS
    words_of_bias = (bias & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    scales = np.concatenate([words_of_bias, np.stack(factors, axis=1)], axis=1)
    return np.concatenate([weights.reshape(fours, -1), scales.reshape(fours, 24)], axis=1)


def _steps(chunks: int) -> NDArray[np.int32]:
    """After each 16 input channels of each place, how the inner loop goes on, int32 (24, chunks):
    bytes to the next inputs times 4, plus 1 where the place is complete, plus 2 where all are."""
    steps = np.full((24, chunks), 24 * 64)
    steps[:, -1] = 64 - (chunks - 1) * 24 * 64
    steps *= 4
    steps[:, -1] += 1
    steps[-1, -1] += 2
    return steps.astype(np.int32)


def _is_wide(operation: o.Convolution) -> bool:
    return (
        _is_3x3(operation)
        and operation.output_channels % 4 == 0
        and 48 * operation.window.input_channels * operation.output_channels <= MAX_WINOGRAD_BYTES
        and wide_stream(operation) is not None
    )


def _wide_cost(operation: o.Convolution) -> float:
    rows, columns = operation.window.output_size
    inputs, outputs = operation.window.input_channels, operation.output_channels
    tiles = -(-rows // 2) * -(-columns // 4)
    per_four = 24 * (8.0 * inputs + 20) + 8 * 170
    return -(-tiles // 2) * (2 * 110.0 * inputs + outputs / 4 * per_four)


def _wide_variant(output: o.OutputRange) -> str:
    if is_relu(output):
        return "relu"
    return "full" if (output.min, output.max) == (-128, 127) else "any"


def _wide(operation: o.Convolution) -> Binding:
    window, output = operation.window, operation.output
    rows, columns = window.output_size
    stream = wide_stream(operation)
    assert stream is not None
    inputs = window.input_channels
    partial = 16 * operation.output_channels if rows % 2 or columns % 4 else 0
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "output_channels": operation.output_channels,
            "min": output.min,
            "max": output.max,
            "back": f"winograd_2x4_back_{_wide_variant(output)}",
            "stream": Array(stream),
        },
        params_type="struct winograd_2x4_dsp_int8_params",
        scratch_bytes=96 * inputs + max(24 * inputs, 768) + partial,
        # Two tiles are written no earlier than single ones would be.
        overlap={
            0: ov.raster_overlap(
                window, operation.output_channels, block_pixels=4, block_rows=2, buffered=True
            )
        },
    )


def _winograd_cost(operation: o.Convolution) -> float:
    rows, columns = operation.window.output_size
    inputs, outputs = operation.window.input_channels, operation.output_channels
    tiles = -(-rows // 2) * -(-columns // 2)
    per_pair = 16 * (6.0 * inputs + 20) + 6 * 100
    return -(-tiles // 3) * (3 * 70.0 * inputs + outputs / 2 * per_pair)


def _winograd(operation: o.Convolution) -> Binding:
    window, output = operation.window, operation.output
    stream = winograd_stream(operation)
    assert stream is not None
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "output_channels": operation.output_channels,
            "min": output.min,
            "max": output.max,
            "back": f"winograd_3x3_back_{variant(output)}",
            "stream": Array(stream),
        },
        params_type="struct winograd_3x3_dsp_int8_params",
        scratch_bytes=112 * window.input_channels + 384,
        # Three tiles are written no earlier than single ones would be.
        overlap={
            0: ov.raster_overlap(
                window, operation.output_channels, block_pixels=2, block_rows=2, buffered=True
            )
        },
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "winograd_2x4_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=_is_wide,
        cost=_wide_cost,
        bind=_wide,
        scratch=True,
        headers=("dsp.h", "../portable/window.h"),
    ),
    Kernel(
        "winograd_3x3_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=_is_winograd,
        cost=_winograd_cost,
        bind=_winograd,
        scratch=True,
        headers=("dsp.h", "../portable/window.h"),
    ),
)
