"""Depthwise convolutions of any window, pixel by pixel."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import wrap_int32
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER, channel_bounds, rounding


def _stream(operation: o.DepthwiseConvolution) -> NDArray[np.int32] | None:
    """What `depthwise_pixels_dsp_int8` reads, int32 (channels / 4, words); None if it cannot be
    exact."""
    rows = operation.weights.reshape(operation.window.taps, -1).T
    low, high = channel_bounds(rows, operation.scales)
    largest = np.maximum(-low, high)
    factors = rounding(operation.scales, operation.output, largest, scale_bits=8)
    if factors is None:
        return None
    taps = lay.fill(rows, 4).reshape(-1, 4, operation.window.taps).transpose(0, 2, 1)
    weights = np.ascontiguousarray(taps).view(np.int32)[..., 0]
    bias = wrap_int32(operation.scales.bias.astype(np.int64) * 256).astype(np.int32)
    four = [lay.fill(values, 4).reshape(-1, 4) for values in (bias, *factors)]
    return np.concatenate([four[0], weights, *four[1:]], axis=1)


def _cost(operation: o.DepthwiseConvolution) -> float:
    window = operation.window
    blocks = -(-window.input_channels // 4)
    gathering = window.taps * (12.0 + window.input_channels / 4) if window.pads else 0.0
    # Taps of one column are one row.
    rows = 1 if window.size[1] == 1 else window.size[0]
    block = 16.0 * window.taps + 20 * rows + 115
    return prod(window.output_size) * (blocks * block + gathering + 60)


def _bind(operation: o.DepthwiseConvolution) -> Binding:
    window, output = operation.window, operation.output
    stream = _stream(operation)
    assert stream is not None
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "min": output.min,
            "max": output.max,
            "stream": Array(stream),
        },
        params_type="struct depthwise_pixels_dsp_int8_params",
        scratch_bytes=window.taps * window.input_channels if window.pads else 0,
        overlap={0: ov.raster_overlap(window, window.input_channels)},
    )


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "depthwise_pixels_dsp_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=lambda operation: (
            operation.depth_multiplier == 1 and _stream(operation) is not None
        ),
        cost=_cost,
        bind=_bind,
        scratch=True,
        headers=("dsp.h", "../portable/window.h"),
    ),
)
