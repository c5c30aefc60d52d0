"""Convolutions and fully connected layers by the blocks of dot_3x2.h."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Field, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER, is_relu, rescaling

DOT_HEADERS = ("dot_3x2.h", "dsp.h", "pack.h")
DOT_SOURCES = ("dot_3x2.c",)
CONV_2D_HEADERS = (*DOT_HEADERS, "pack_windows.h", "../portable/window.h")
CONV_2D_SOURCES = (*DOT_SOURCES, "pack_windows.c")

# Shared by all channels of a layer; each has its routines in dot_3x2.c. Most networks' layers can
# have 11, some that sum up much need more.
SHIFTS = (11, 13)

# Packed input of three pixels, for each group of four values.
PACKED_BYTES_PER_GROUP = 24


@dataclass(frozen=True)
class Dot:
    """A layer's constants for `dot_3x2`; see dot_3x2.h.

    Attributes:
        stream: int32 (pairs of channels, words).
        shift: that all channels share, None if each has its own.
    """

    stream: NDArray[np.int32]
    shift: int | None

    @property
    def routine(self) -> str:
        return "dot_3x2_any" if self.shift is None else f"dot_3x2_relu_{self.shift}"


def dot(
    rows: NDArray[np.int8],
    scales: o.ChannelScales,
    output: o.OutputRange,
    shifts: Sequence[int] = SHIFTS,
) -> Dot | None:
    """What `dot_3x2` reads for a layer, or None if it cannot compute the layer exactly.

    Args:
        rows: int8 (output channels, inputs).
        shifts: that all channels may share.
    """
    wide = lay.fill(rows, 2).astype(np.int64)
    wide = np.pad(wide, ((0, 0), (0, -wide.shape[1] % 4)))
    even, odd = wide[:, 0::2], wide[:, 1::2]
    upper = even - (odd > 0)
    if np.any(odd < -127) or np.any(upper < -128):
        return None
    scaling = rescaling(rows, scales, output, shifts)
    if scaling is None:
        return None
    bias = 256 * lay.fill(scales.bias, 2).astype(np.int64) - 129 * odd.sum(axis=1)
    words = np.stack([-odd, upper], axis=2).astype(np.int8).reshape(wide.shape[0], -1)
    pairs = wide.shape[0] // 2
    weights = words.view(np.int32).reshape(pairs, 2, -1).transpose(0, 2, 1).reshape(pairs, -1)
    behind = lay.fill(scaling.words, 2).reshape(pairs, -1)
    before = bias.astype(np.uint64).astype(np.uint32).view(np.int32).reshape(pairs, 2)
    return Dot(np.concatenate([before, weights, behind], axis=1), scaling.shift)


def dot_fields(
    rows: NDArray[np.int8],
    scales: o.ChannelScales,
    output: o.OutputRange,
    *,
    in_planes: bool = False,
) -> dict[str, Field]:
    """The members of `struct dot_3x2`."""
    layer = dot(rows, scales, output)
    assert layer is not None
    return {
        "stream": Array(layer.stream),
        "pair_words": layer.stream.shape[1],
        # In planes, a last one without another to be a pair with gets one of zeros.
        "output_channels": 2 * layer.stream.shape[0] if in_planes else rows.shape[0],
        "groups": -(-rows.shape[1] // 4),
        "min": output.min,
        "max": output.max,
        "routine": layer.routine.replace("relu", "planes") if in_planes else layer.routine,
    }


def dot_cost(blocks: int, inputs: int, channels: int, relu: bool) -> float:
    """Of so many blocks of three pixels by `dot_3x2`, without packing."""
    groups = -(-inputs // 4)
    pairs = -(-channels // 2)
    per_pair = 24 * groups + 4 * -(-groups // 4) + (45 if relu else 75)
    return float(blocks * (pairs * per_pair + 60))


def _dot_cost(pixels: int, inputs: int, channels: int, relu: bool) -> float:
    return dot_cost(pixels // 3 + pixels % 3, inputs, channels, relu)


def weight_rows(operation: o.Convolution) -> NDArray[np.int8]:
    """A convolution's weights as int8 (output channels, values of a window)."""
    return operation.weights.reshape(operation.output_channels, -1)


def applies(operation: o.Convolution) -> bool:
    return (
        operation.groups == 1
        and dot(weight_rows(operation), operation.scales, operation.output) is not None
    )


def _rows_overlap(count: int, weights: NDArray[np.int8]) -> int:
    """Three rows of inputs are packed, then three rows of outputs written; single ones behind."""
    channels, inputs = weights.shape
    return ov.rows_overlap(count, inputs, channels, buffered=True)


def is_1x1(operation: o.Convolution) -> bool:
    window = operation.window
    return (window.size, window.stride) == ((1, 1), (1, 1)) and not window.pads


def _conv_1x1_cost(operation: o.Convolution) -> float:
    pixels, inputs = prod(operation.window.output_size), operation.window.input_channels
    relu = is_relu(operation.output)
    dots = _dot_cost(pixels, inputs, operation.output_channels, relu)
    return dots + packing_cost(operation) * pixels


def _conv_1x1(operation: o.Convolution) -> Binding:
    rows = weight_rows(operation)
    return Binding(
        params={
            "pixels": prod(operation.window.output_size),
            "input_channels": operation.window.input_channels,
            "dot": dot_fields(rows, operation.scales, operation.output),
        },
        params_type="struct conv_1x1_dsp_int8_params",
        scratch_bytes=PACKED_BYTES_PER_GROUP * -(-rows.shape[1] // 4),
        overlap={0: _rows_overlap(prod(operation.window.output_size), rows)},
    )


def conv_2d_cost(operation: o.Convolution) -> float:
    pixels, inputs = prod(operation.window.output_size), int(weight_rows(operation).shape[1])
    relu = is_relu(operation.output)
    dots = _dot_cost(pixels, inputs, operation.output_channels, relu)
    return dots + packing_cost(operation) * pixels


def _is_direct(window: o.Window) -> bool:
    """Whether the rows of a window are runs of bytes."""
    return window.dilation[1] == 1 or window.size[1] == 1


def words_first(operation: o.Convolution) -> NDArray[np.int8]:
    """Weights as int8 (output channels, values): whole words of each row, then all that is left."""
    lines = operation.weights.reshape(operation.output_channels, operation.window.size[0], -1)
    whole = lines.shape[2] // 4 * 4
    parts = lines[:, :, :whole], lines[:, :, whole:]
    return np.concatenate([part.reshape(lines.shape[0], -1) for part in parts], axis=1)


def windows_fields(operation: o.Convolution) -> dict[str, Field]:
    """The members of `struct windows`."""
    window = operation.window
    return {
        "window": lay.window_fields(window, operation.input_zero_point),
        "direct": int(_is_direct(window)),
    }


def packing_bytes(operation: o.Convolution, *, in_rows: bool = False) -> int:
    """Scratch memory for the packed windows of three pixels, and for their bytes if any window has
    to be gathered; blocks of three that lie in a row and inside of the image are read in place.

    Args:
        in_rows: whether blocks never go from one row to the next.
    """
    window, size = operation.window, int(weight_rows(operation).shape[1])
    breaks = not in_rows and window.output_size[1] % 3 != 0
    gathers = not _is_direct(window) or window.pads or breaks
    return PACKED_BYTES_PER_GROUP * -(-size // 4) + (3 * size if gathers else 0)


def packing_cost(operation: o.Convolution) -> float:
    """Of each pixel's window."""
    inputs = int(weight_rows(operation).shape[1])
    if is_1x1(operation):
        return 2.0 * inputs
    # Copying a window that is not a run of bytes costs more.
    return 60.0 + (3.0 if _is_direct(operation.window) else 8.0) * inputs


def bind_conv_2d(operation: o.Convolution) -> Binding:
    window, rows = operation.window, weight_rows(operation)
    return Binding(
        params={
            "windows": windows_fields(operation),
            "dot": dot_fields(words_first(operation), operation.scales, operation.output),
        },
        params_type="struct conv_2d_dsp_int8_params",
        scratch_bytes=packing_bytes(operation),
        # Blocks of three pixels are written no earlier than single ones would be.
        overlap={0: ov.raster_overlap(window, rows.shape[0], buffered=True)},
    )


def _fully_connected(operation: o.FullyConnected) -> Binding:
    return Binding(
        params={
            "pixels": operation.rows,
            "input_channels": operation.weights.shape[1],
            "dot": dot_fields(operation.weights, operation.scales, operation.output),
        },
        params_type="struct conv_1x1_dsp_int8_params",
        scratch_bytes=PACKED_BYTES_PER_GROUP * -(-operation.weights.shape[1] // 4),
        overlap={0: _rows_overlap(operation.rows, operation.weights)},
    )


def _fully_connected_cost(operation: o.FullyConnected) -> float:
    channels, inputs = (int(size) for size in operation.weights.shape)
    relu = is_relu(operation.output)
    return _dot_cost(operation.rows, inputs, channels, relu) + 2.0 * operation.rows * inputs


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_1x1_dsp_int8",
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: (
            dot(operation.weights, operation.scales, operation.output) is not None
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
        applies=lambda operation: is_1x1(operation) and applies(operation),
        cost=_conv_1x1_cost,
        bind=_conv_1x1,
        scratch=True,
        headers=DOT_HEADERS,
        sources=DOT_SOURCES,
    ),
    Kernel(
        "conv_2d_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=applies,
        cost=conv_2d_cost,
        bind=bind_conv_2d,
        scratch=True,
        headers=CONV_2D_HEADERS,
        sources=CONV_2D_SOURCES,
    ),
)
