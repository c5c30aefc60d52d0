"""3x3 convolutions by Winograd's F(2x2, 3x3)."""

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
    rounding,
    variant,
)

# Twice the transform of 3x3 weights for a tile of 2x2 outputs; see winograd_3x3_dsp_int8.h.
WINOGRAD_WEIGHTS = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
# Transformed weights take 3.6 times the flash: layers of more than this are computed directly.
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
