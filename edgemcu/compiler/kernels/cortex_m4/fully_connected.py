"""Fully connected layers of few rows, and 1x1 convolutions of few pixels: no packed inputs, four
channels at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.dot import dot
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER, channel_bounds, rounding
from edgemcu.compiler.kernels.portable_layers import is_1x1

# Parts that a row of inputs is divided into at most.
MOST_PARTS = 8
SCALE_WORDS = 6


@dataclass(frozen=True)
class _Parts:
    """A layer's inputs in parts, each of which sums up to less than 2^23.

    Attributes:
        part: inputs of a part; the last one may have fewer.
        down: by how many bits each part's sum is shifted before they are added.
        stream: int32 (pairs of output channels, words): see fully_connected_dsp_int8.h.
    """

    part: int
    down: int
    stream: NDArray[np.int32]


def _parts(operation: o.FullyConnected) -> _Parts | None:
    """The fewest parts with which the layer is exact, or None."""
    inputs = int(operation.weights.shape[1])
    whole = dot(operation.weights, operation.scales, operation.output, shifts=())
    if whole is not None:
        return _Parts(inputs, 0, whole.stream)
    low, high = channel_bounds(operation.weights, operation.scales)
    for count in range(2, MOST_PARTS + 1):
        part = -(-inputs // (8 * count)) * 8
        down = (count - 1).bit_length()
        largest = np.maximum(-low, high)
        factors = rounding(operation.scales, operation.output, largest, scale_bits=8 - down)
        streams = _part_streams(operation, part)
        if factors is not None and streams is not None:
            behind = np.stack([lay.fill(f, 2) for f in factors], axis=1)
            return _Parts(part, down, np.hstack([*streams, behind.reshape(-1, SCALE_WORDS)]))
    return None


def _part_streams(operation: o.FullyConnected, part: int) -> list[NDArray[np.int32]] | None:
    """Biases and weights of each part; each has its share of the layer's bias."""
    starts = range(0, operation.weights.shape[1], part)
    bias = operation.scales.bias.astype(np.int64)
    streams = []
    for i, first in enumerate(starts):
        share = bias * (i + 1) // len(starts) - bias * i // len(starts)
        scales = replace(operation.scales, bias=share.astype(np.int32))
        weights = operation.weights[:, first : first + part]
        layer = dot(weights, scales, operation.output, shifts=())
        if layer is None:
            return None
        streams.append(layer.stream[:, :-SCALE_WORDS])
    return streams


def _bind(operation: o.FullyConnected) -> Binding:
    parts = _parts(operation)
    assert parts is not None
    channels, inputs = (int(size) for size in operation.weights.shape)
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": channels,
            "part": parts.part,
            "down": parts.down,
            "pair_words": int(parts.stream.shape[1]),
            "min": operation.output.min,
            "max": operation.output.max,
            "routine": "fully_connected_row" + ("_in_parts" if parts.part < inputs else ""),
            "stream": Array(parts.stream),
        },
        params_type="struct fully_connected_dsp_int8_params",
        overlap={0: ov.rows_overlap(operation.rows, inputs, channels)},
    )


def _cost(operation: o.FullyConnected) -> float:
    channels, inputs = (int(size) for size in operation.weights.shape)
    blocks = -(-channels // 4)
    return float(operation.rows * (blocks * (23 * -(-inputs // 4) + 153) + 40))


def _as_fully_connected(operation: o.Convolution) -> o.FullyConnected:
    """A 1x1 convolution: each pixel is a row."""
    return o.FullyConnected(
        rows=prod(operation.window.output_size),
        weights=operation.weights.reshape(operation.output_channels, -1),
        scales=operation.scales,
        output=operation.output,
    )


def _applies(operation: o.FullyConnected) -> bool:
    return _parts(operation) is not None


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "fully_connected_dsp_int8",
        FOLDER,
        o.FullyConnected,
        applies=_applies,
        cost=_cost,
        bind=_bind,
        headers=("dsp.h",),
    ),
    Kernel(
        "fully_connected_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=lambda operation: is_1x1(operation) and _applies(_as_fully_connected(operation)),
        cost=lambda operation: _cost(_as_fully_connected(operation)),
        bind=lambda operation: _bind(_as_fully_connected(operation)),
        headers=("dsp.h",),
    ),
)
