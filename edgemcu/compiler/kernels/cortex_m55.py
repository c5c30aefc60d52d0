"""Kernels for the Cortex-M55 and other cores with MVE (Helium) integer vectors of 128 bits.

Costs are instructions, counted in an emulator.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov

FOLDER = "cortex_m55"
LANES = 16
GROUP = 4


def _shifts_right(scales: o.ChannelScales) -> bool:
    """Whether all factors are below 1, as the vector kernels' rescaling takes for granted."""
    return bool(np.all(scales.shift <= 0))


def _packed(operation: o.Convolution) -> NDArray[np.int32]:
    """Weights and scales in words, as `struct conv_pixels_mve` describes them."""
    channels = operation.output_channels
    # A window's columns are contiguous in the scratch memory, its rows are not.
    rows = operation.weights.transpose(0, 2, 1, 3).reshape(channels, -1)
    filled = lay.fill(np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES))), GROUP)
    groups = filled.reshape(-1, GROUP, filled.shape[1] // LANES, LANES).transpose(0, 2, 1, 3)
    words = [groups.reshape(groups.shape[0], -1).copy().view("<i4")]
    scales = operation.scales
    for constants in (scales.bias, scales.multiplier):
        words.append(lay.fill(constants, GROUP).reshape(-1, GROUP))
    words.append(lay.fill(scales.shift, GROUP).reshape(-1, GROUP).copy().view("<i4"))
    return np.concatenate(words, axis=1)


def _conv_cost(operation: o.Convolution) -> float:
    steps = -(-operation.weights[0].size // LANES)
    outputs = prod(operation.window.output_size) * operation.output_channels
    return outputs * (2.0 * steps + 3.5)


def _applies_conv_2d(operation: o.Convolution) -> bool:
    window = operation.window
    contiguous = window.dilation[1] == 1 or window.size[1] == 1
    return operation.groups == 1 and contiguous and _shifts_right(operation.scales)


def _conv_2d(operation: o.Convolution) -> Binding:
    window = operation.window
    channels = window.input_channels
    direct = window.size == (1, 1) and not window.pads
    if direct and window.stride == (1, 1) and window.input_size == window.output_size:
        window = _as_line(window)
    columns = 0 if direct else (window.output_size[1] - 1) * window.stride[1] + window.size[1]
    pixels = 2 if direct else window.output_size[1]
    outputs = operation.output_channels
    return Binding(
        params={
            "window": lay.window_fields(window, operation.input_zero_point),
            "columns": columns,
            "conv": {
                "values": operation.weights[0].size,
                "stride": window.stride[1] * window.size[0] * channels,
                "channels": outputs,
                "out": lay.output_fields(operation.output),
                "weights": Array(_packed(operation)),
            },
        },
        params_type="struct conv_2d_int8_mve_params",
        scratch_bytes=columns * window.size[0] * channels,
        overlap={
            0: ov.raster_overlap(window, outputs, block_pixels=pixels, buffered=not direct),
        },
    )


def _as_line(window: o.Window) -> o.Window:
    """A 1×1 window that visits all pixels, as one that moves over a single row of them."""
    line = (1, prod(window.input_size))
    return replace(window, input_size=line, output_size=line)


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_2d_int8_mve",
        FOLDER,
        o.Convolution,
        applies=_applies_conv_2d,
        cost=_conv_cost,
        bind=_conv_2d,
        scratch=True,
        headers=(
            "conv_pixels_mve.h",
            "requantize_mve.h",
            "../portable/requantize.h",
            "../portable/window.h",
        ),
    ),
)
