"""Kernels for Cortex-M cores with the DSP extension: M4, M7, M33, and what has more.

Costs are cycles of a Cortex-M4 with memory that answers at once, fitted to what the emulator counts
(Arm's Cortex-M4 reference manual, table 3-1).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import fixed_point as fp
from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov

FOLDER = "cortex_m4"

DOT_HEADERS = ("dot_3x2.h", "dsp.h", "pack.h")
DOT_SOURCES = ("dot_3x2.c",)

# Packed input of three pixels, for each group of four values.
PACKED_BYTES_PER_GROUP = 24


def channel_bounds(
    rows: NDArray[np.int8], scales: o.ChannelScales
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The least and the largest sum, bias included, that int8 inputs give; rows: (channels, n)."""
    wide = rows.astype(np.int64)
    bias = scales.bias.astype(np.int64)
    low, high = wide * -128, wide * 127
    return (
        bias + np.minimum(low, high).sum(axis=1),
        bias + np.maximum(low, high).sum(axis=1),
    )


def is_relu(output: o.OutputRange) -> bool:
    """Whether all that is negative becomes the zero point, and the int8 range is the only other
    bound: rounding of negative ties and further clamps do not matter then."""
    return (output.zero_point, output.min, output.max) == (-128, -128, 127)


def rounding(
    scales: o.ChannelScales, output: o.OutputRange, largest: NDArray[np.int64], scale_bits: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] | None:
    """Multipliers, offsets and shifts for sums that are 2^scale_bits too large.

    The output is (sum × multiplier + offset × 2^32) >> 32 >> shift, less 2^(scale_bits - 1) in the
    offset for negative sums unless `is_relu`, then clamped. See dot_3x2.h for why this is exact.

    Args:
        largest: per channel, the largest magnitude of a sum (of the true size).
        scale_bits: 2 or more.

    Returns:
        int32 arrays of (channels,), or None if a channel's factor or its sums are out of range.
    """
    if np.any(largest >= 1 << (31 - scale_bits)):
        return None
    multipliers, offsets, shifts = [], [], []
    first = 1 << (scale_bits - 2)
    for multiplier, shift, bound in zip(
        scales.multiplier.tolist(), scales.shift.tolist(), largest.tolist(), strict=True
    ):
        right = -shift
        if multiplier == 0 or bound < 1 << max(right - 1, 0):
            # Too small to reach half a step: always the zero point, negative ties included.
            multiplier, right = 0, 1
            offset = (output.zero_point << scale_bits) + (1 << (scale_bits - 1))
        elif 1 <= right <= 22 - scale_bits:
            offset = first + (1 << (right + scale_bits - 2))
            offset += output.zero_point << (right + scale_bits - 1)
        else:
            return None
        multipliers.append(multiplier)
        offsets.append(offset)
        shifts.append(right + scale_bits - 1)
    return (
        np.array(multipliers, dtype=np.int32),
        np.array(offsets, dtype=np.int32),
        np.array(shifts, dtype=np.int32),
    )


def dot_stream(
    rows: NDArray[np.int8], scales: o.ChannelScales, output: o.OutputRange
) -> NDArray[np.int32] | None:
    """What `dot_3x2` reads for a layer, or None if it cannot compute the layer exactly.

    Args:
        rows: int8 (output channels, inputs).

    Returns:
        int32 (pairs of channels, words): see dot_3x2.h.
    """
    wide = lay.fill(rows, 2).astype(np.int64)
    wide = np.pad(wide, ((0, 0), (0, -wide.shape[1] % 4)))
    even, odd = wide[:, 0::2], wide[:, 1::2]
    upper = -even - (odd < 0)
    low, high = channel_bounds(rows, scales)
    factors = rounding(scales, output, np.maximum(-low, high), scale_bits=8)
    if factors is None or np.any(upper > 127):
        return None
    bias = 256 * lay.fill(scales.bias, 2).astype(np.int64) - (127 * odd + 256 * even).sum(axis=1)
    words = np.stack([odd, upper], axis=2).astype(np.int8).reshape(wide.shape[0], -1)
    pairs = wide.shape[0] // 2
    weights = words.view(np.int32).reshape(pairs, 2, -1).transpose(0, 2, 1).reshape(pairs, -1)
    behind = np.stack([lay.fill(f, 2) for f in factors], axis=1).reshape(pairs, 6)
    before = bias.astype(np.uint64).astype(np.uint32).view(np.int32).reshape(pairs, 2)
    return np.concatenate([before, weights, behind], axis=1)


def _dot_fields(
    rows: NDArray[np.int8], scales: o.ChannelScales, output: o.OutputRange
) -> dict[str, int | Array]:
    stream = dot_stream(rows, scales, output)
    assert stream is not None
    return {
        "stream": Array(stream),
        "output_channels": rows.shape[0],
        "groups": -(-rows.shape[1] // 4),
        "relu": int(is_relu(output)),
        "min": output.min,
        "max": output.max,
    }


def _dot_cost(pixels: int, inputs: int, channels: int, relu: bool) -> float:
    """Of `dot_3x2`, without packing."""
    groups = -(-inputs // 4)
    blocks = pixels // 3 + pixels % 3
    pairs = -(-channels // 2)
    per_pair = 24 * groups + 4 * -(-groups // 4) + (56 if relu else 82)
    return float(blocks * (pairs * per_pair + 60))


def _rows(operation: o.Convolution) -> NDArray[np.int8]:
    return operation.weights.reshape(operation.output_channels, -1)


def _dots(operation: o.Convolution) -> bool:
    return (
        operation.groups == 1
        and dot_stream(_rows(operation), operation.scales, operation.output) is not None
    )


def _rows_overlap(count: int, weights: NDArray[np.int8]) -> int:
    """Three rows of inputs are packed, then three rows of outputs written; single ones behind."""
    channels, inputs = weights.shape
    return ov.rows_overlap(count, inputs, channels, buffered=True)


def _is_1x1(operation: o.Convolution) -> bool:
    window = operation.window
    return (window.size, window.stride) == ((1, 1), (1, 1)) and not window.pads


def _conv_1x1_cost(operation: o.Convolution) -> float:
    pixels, inputs = prod(operation.window.output_size), operation.window.input_channels
    relu = is_relu(operation.output)
    return _dot_cost(pixels, inputs, operation.output_channels, relu) + 2.0 * pixels * inputs


def _conv_1x1(operation: o.Convolution) -> Binding:
    rows = _rows(operation)
    return Binding(
        params={
            "pixels": prod(operation.window.output_size),
            "input_channels": operation.window.input_channels,
            "dot": _dot_fields(rows, operation.scales, operation.output),
        },
        params_type="struct conv_1x1_dsp_int8_params",
        scratch_bytes=PACKED_BYTES_PER_GROUP * -(-rows.shape[1] // 4),
        overlap={0: _rows_overlap(prod(operation.window.output_size), rows)},
    )


def _conv_2d_cost(operation: o.Convolution) -> float:
    pixels, inputs = prod(operation.window.output_size), _rows(operation).shape[1]
    relu = is_relu(operation.output)
    packing = 2.2 if _is_direct(operation.window) else 5.0
    dots = _dot_cost(pixels, inputs, operation.output_channels, relu)
    return dots + packing * float(pixels * inputs)


def _is_direct(window: o.Window) -> bool:
    """Whether the rows of a window are runs of bytes."""
    return window.dilation[1] == 1 or window.size[1] == 1


def _words_first(operation: o.Convolution) -> NDArray[np.int8]:
    """Weights as int8 (output channels, values): whole words of each row, then all that is left."""
    lines = operation.weights.reshape(operation.output_channels, operation.window.size[0], -1)
    whole = lines.shape[2] // 4 * 4
    parts = lines[:, :, :whole], lines[:, :, whole:]
    return np.concatenate([part.reshape(lines.shape[0], -1) for part in parts], axis=1)


def _conv_2d(operation: o.Convolution) -> Binding:
    window, rows = operation.window, _rows(operation)
    direct = _is_direct(window)
    groups = -(-rows.shape[1] // 4)
    patch = 0 if direct and not window.pads else 3 * rows.shape[1]
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "direct": int(direct),
            "dot": _dot_fields(_words_first(operation), operation.scales, operation.output),
        },
        params_type="struct conv_2d_dsp_int8_params",
        scratch_bytes=PACKED_BYTES_PER_GROUP * groups + patch,
        # Blocks of three pixels are written no earlier than single ones would be.
        overlap={0: ov.raster_overlap(window, rows.shape[0], buffered=True)},
    )


def _fully_connected(operation: o.FullyConnected) -> Binding:
    return Binding(
        params={
            "pixels": operation.rows,
            "input_channels": operation.weights.shape[1],
            "dot": _dot_fields(operation.weights, operation.scales, operation.output),
        },
        params_type="struct conv_1x1_dsp_int8_params",
        scratch_bytes=PACKED_BYTES_PER_GROUP * -(-operation.weights.shape[1] // 4),
        overlap={0: _rows_overlap(operation.rows, operation.weights)},
    )


# Rows of all channels are kept in scratch memory up to this size.
MAX_KEPT_ROWS = 8192
# Channels whose rows are there at a time, otherwise.
DEPTHWISE_GROUP = 8


def depthwise_stream(operation: o.DepthwiseConvolution) -> NDArray[np.int32] | None:
    """What `depthwise_3x3_dsp_int8` reads, int32 (channels, words); None if it cannot be exact."""
    rows = operation.weights.reshape(9, -1).T
    low, high = channel_bounds(rows, operation.scales)
    largest = np.maximum(-low, high)
    factors = rounding(operation.scales, operation.output, largest, scale_bits=8)
    if factors is None:
        return None
    scaled = (rows.astype(np.int16) * 256).reshape(-1, 3, 3)
    pairs = np.stack([scaled[:, :, 0:2], scaled[:, :, 1:3]], axis=2)
    weights = np.ascontiguousarray(pairs).view(np.int32).reshape(-1, 6)
    bias = operation.scales.bias.astype(np.int64) * 256
    before = bias.astype(np.uint64).astype(np.uint32).view(np.int32)[:, None]
    return np.concatenate([before, weights, np.stack(factors, axis=1)], axis=1)


def _is_depthwise_3x3(operation: o.DepthwiseConvolution) -> bool:
    window = operation.window
    return (
        window.size == (3, 3)
        and window.dilation == (1, 1)
        and window.stride[1] in (1, 2)
        and operation.depth_multiplier == 1
        and depthwise_stream(operation) is not None
    )


def _plane_bytes(window: o.Window) -> int:
    """Of one channel and input row: DEPTHWISE_3X3_PLANE_BYTES of depthwise_3x3_dsp_int8.h."""
    outputs = max(window.output_size[1], 4)
    return ((outputs - 1) * window.stride[1] + 4) // 2 * 4


def _depthwise_group(window: o.Window) -> int:
    """Channels at a time: all of them if rows can be used again and there is room."""
    channels = window.input_channels
    kept = 3 * (-(-channels // 4) * 4) * _plane_bytes(window)
    if channels <= DEPTHWISE_GROUP or (window.stride[0] == 1 and kept <= MAX_KEPT_ROWS):
        return channels
    return DEPTHWISE_GROUP


def _depthwise_cost(operation: o.DepthwiseConvolution) -> float:
    window = operation.window
    rows, columns = window.output_size
    packs = window.stride[0] if _depthwise_group(window) == window.input_channels else 3
    per_row = packs * _plane_bytes(window) * 1.25 + -(-columns // 4) * 76.0 + 25
    return rows * window.input_channels * per_row


def _depthwise(operation: o.DepthwiseConvolution) -> Binding:
    window, output = operation.window, operation.output
    stream = depthwise_stream(operation)
    assert stream is not None
    group = _depthwise_group(window)
    keeps = group == window.input_channels
    scratch = 3 * (-(-group // 4) * 4) * _plane_bytes(window)
    if window.output_size[1] < 4:
        scratch += 4 * group
    # Rows that are kept are not read again.
    fresh = window.stride[0] if keeps else 3
    top = window.padding[0] - 3 + fresh
    reads = replace(window, size=(fresh, 3), padding=(top, window.padding[1]))
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "group": group,
            "relu": int(is_relu(output)),
            "min": output.min,
            "max": output.max,
            "stream": Array(stream),
        },
        params_type="struct depthwise_3x3_dsp_int8_params",
        scratch_bytes=scratch,
        overlap={
            0: ov.raster_overlap(
                reads, window.input_channels, block_pixels=window.output_size[1], buffered=keeps
            )
        },
    )


# Twice the transform of 3x3 weights for a tile of 2x2 outputs; see winograd_3x3_dsp_int8.h.
WINOGRAD_WEIGHTS = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
# Transformed weights take 3.6 times the flash: layers of more than this are computed directly.
MAX_WINOGRAD_BYTES = 40 << 10


def winograd_stream(operation: o.Convolution) -> NDArray[np.int32] | None:
    """What `winograd_3x3_dsp_int8` reads, int32 (pairs of channels, words); None if it cannot be
    exact."""
    low, high = channel_bounds(_rows(operation), operation.scales)
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


def _is_winograd(operation: o.Convolution) -> bool:
    window = operation.window
    return (
        operation.groups == 1
        and (window.size, window.stride, window.dilation) == ((3, 3), (1, 1), (1, 1))
        and window.input_channels % 16 == 0
        and operation.output_channels % 2 == 0
        and 32 * window.input_channels * operation.output_channels <= MAX_WINOGRAD_BYTES
        and winograd_stream(operation) is not None
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
            "relu": int(is_relu(output)),
            "min": output.min,
            "max": output.max,
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


# The factor of a half, which the operand with the larger scale has.
HALF = (1 << 30, 0)
# Below this many elements the table takes more flash than the kernel saves time.
LEAST_ADD_ELEMENTS = 512


def _sum_exact_operand(operation: o.Sum) -> int | None:
    """Which operand of a sum is only halved: 0, 1, or None if this kernel cannot compute it."""
    right = -operation.factor[1]
    same = operation.shape_a == operation.shape_b == operation.shape
    if not same or not 1 <= right <= 22 or operation.factor[0] == 0:
        return None
    if operation.a.factor == HALF:
        return 0
    return 1 if operation.b.factor == HALF and not operation.subtract else None


def _sum_applies(operation: o.Sum) -> bool:
    large = prod(operation.shape) >= LEAST_ADD_ELEMENTS
    return large and _sum_exact_operand(operation) is not None


def _sum(operation: o.Sum) -> Binding:
    exact = _sum_exact_operand(operation)
    whole, other = (operation.b, operation.a) if exact == 1 else (operation.a, operation.b)
    sign = -1 if operation.subtract else 1
    values = np.arange(256).astype(np.uint8).view(np.int8).tolist()
    table = [
        2 * sign * fp.multiply_by_quantized_multiplier((v - other.zero_point) << 20, other.factor)
        - (whole.zero_point << 20)
        for v in values
    ]
    right = -operation.factor[1]
    return Binding(
        params={
            "elements": prod(operation.shape),
            "swap": int(exact == 1),
            "table": Array(np.array(table, dtype=np.int32)),
            "multiplier": operation.factor[0],
            "offset": (1 << (right - 1)) + (operation.output.zero_point << right),
            "shift": right,
            "min": operation.output.min,
            "max": operation.output.max,
        },
        params_type="struct add_dsp_int8_params",
        overlap={0: ov.IN_PLACE, 1: ov.IN_PLACE},
    )


def _fully_connected_cost(operation: o.FullyConnected) -> float:
    channels, inputs = operation.weights.shape
    relu = is_relu(operation.output)
    dots = _dot_cost(operation.rows, inputs, channels, relu)
    return dots + 2.0 * float(operation.rows * inputs)


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_1x1_dsp_int8",
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: (
            dot_stream(operation.weights, operation.scales, operation.output) is not None
        ),
        cost=_fully_connected_cost,
        bind=_fully_connected,
        scratch=True,
        headers=DOT_HEADERS,
        sources=DOT_SOURCES,
    ),
    Kernel(
        "conv_1x1_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=lambda operation: _is_1x1(operation) and _dots(operation),
        cost=_conv_1x1_cost,
        bind=_conv_1x1,
        scratch=True,
        headers=DOT_HEADERS,
        sources=DOT_SOURCES,
    ),
    Kernel(
        "depthwise_3x3_dsp_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_is_depthwise_3x3,
        cost=_depthwise_cost,
        bind=_depthwise,
        scratch=True,
        headers=("dsp.h", "../portable/window.h"),
    ),
    Kernel(
        "add_dsp_int8",
        FOLDER,
        o.Sum,
        applies=_sum_applies,
        cost=lambda operation: 15.0 * prod(operation.shape),
        bind=_sum,
        headers=("dsp.h",),
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
    Kernel(
        "conv_2d_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=_dots,
        cost=_conv_2d_cost,
        bind=_conv_2d,
        scratch=True,
        headers=(*DOT_HEADERS, "../portable/window.h"),
        sources=DOT_SOURCES,
    ),
)
