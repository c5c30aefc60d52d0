"""Convolutions, and fully connected layers of many rows, by the blocks of dot.h."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Binding, Field, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4 import dot as d
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER
from edgemcu.compiler.kernels.portable_layers import is_1x1

CONV_2D_HEADERS = (*d.HEADERS, "pack_windows.h", "../portable/window.h")
CONV_2D_SOURCES = (*d.SOURCES, "pack_windows.c")


def weight_rows(operation: o.Convolution) -> NDArray[np.int8]:
    """A convolution's weights as int8 (output channels, values of a window), as they are packed:
    whole words of each row of the window, then all that is left."""
    lines = operation.weights.reshape(operation.output_channels, operation.window.size[0], -1)
    whole = lines.shape[2] // 4 * 4
    parts = lines[:, :, :whole], lines[:, :, whole:]
    return np.concatenate([part.reshape(lines.shape[0], -1) for part in parts], axis=1)


def layer(operation: o.Convolution) -> d.Dot | None:
    """The constants of a convolution that is not grouped, None if it cannot be exact."""
    if operation.groups != 1:
        return None
    return d.dot(weight_rows(operation), operation.scales, operation.output)


def applies(operation: o.Convolution) -> bool:
    return layer(operation) is not None


def is_direct(window: o.Window) -> bool:
    """Whether the rows of a window are runs of bytes."""
    return window.dilation[1] == 1 or window.size[1] == 1


def windows_fields(operation: o.Convolution) -> dict[str, Field]:
    """The members of `struct windows`."""
    window = operation.window
    return {
        "window": lay.window_fields(window, operation.input_zero_point),
        "direct": int(is_direct(window)),
    }


def patch_bytes(operation: o.Convolution) -> int:
    """Scratch memory for the bytes of a window, if any has to be gathered."""
    window = operation.window
    gathers = not is_direct(window) or window.pads
    return window.taps * window.input_channels if gathers else 0


def packing_cost(operation: o.Convolution) -> float:
    """Of each pixel's window."""
    window = operation.window
    inputs = window.taps * window.input_channels
    if is_1x1(operation):
        return 1.9 * inputs + 5
    # Copying a window that is not a run of bytes costs more.
    return 25.0 + 12.0 * window.size[0] + (2.6 if is_direct(window) else 8.0) * inputs


def _conv_1x1_cost(operation: o.Convolution) -> float:
    return _pixels_cost(layer(operation), prod(operation.window.output_size))


def _pixels_cost(constants: d.Dot | None, pixels: int) -> float:
    assert constants is not None
    return 250 + constants.cost(constants.blocks(pixels)) + pixels * (1.9 * constants.inputs + 5)


def _bind_pixels(constants: d.Dot | None, pixels: int) -> Binding:
    """A 1x1 convolution of so many pixels."""
    assert constants is not None
    blocks = constants.blocks(pixels)
    return Binding(
        params={
            "blocks": blocks.fields,
            "input_channels": constants.inputs,
            "dot": constants.fields(blocks),
        },
        params_type="struct conv_1x1_dsp_int8_params",
        scratch_bytes=constants.packed_bytes(blocks),
        # Blocks are packed before they are written, and no earlier than single pixels would be.
        overlap={0: ov.rows_overlap(pixels, constants.inputs, constants.channels, buffered=True)},
    )


def conv_2d_cost(operation: o.Convolution) -> float:
    constants, pixels = layer(operation), prod(operation.window.output_size)
    assert constants is not None
    return constants.cost(constants.blocks(pixels)) + (packing_cost(operation) + 15) * pixels


def bind_conv_2d(operation: o.Convolution) -> Binding:
    window, constants = operation.window, layer(operation)
    assert constants is not None
    blocks = constants.blocks(prod(window.output_size))
    return Binding(
        params={
            "windows": windows_fields(operation),
            "blocks": blocks.fields,
            "dot": constants.fields(blocks),
        },
        params_type="struct conv_2d_dsp_int8_params",
        scratch_bytes=constants.packed_bytes(blocks) + patch_bytes(operation),
        # Blocks are written no earlier than single pixels would be.
        overlap={0: ov.raster_overlap(window, operation.output_channels, buffered=True)},
    )


def _rows_layer(operation: o.FullyConnected) -> d.Dot | None:
    return d.dot(operation.weights, operation.scales, operation.output)


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_1x1_dsp_int8",
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: _rows_layer(operation) is not None,
        cost=lambda operation: _pixels_cost(_rows_layer(operation), operation.rows),
        bind=lambda operation: _bind_pixels(_rows_layer(operation), operation.rows),
        scratch=True,
        headers=d.HEADERS,
        sources=d.SOURCES,
    ),
    Kernel(
        "conv_1x1_dsp_int8",
        FOLDER,
        o.Convolution,
        applies=lambda operation: is_1x1(operation) and applies(operation),
        cost=_conv_1x1_cost,
        bind=lambda operation: _bind_pixels(layer(operation), prod(operation.window.output_size)),
        scratch=True,
        headers=d.HEADERS,
        sources=d.SOURCES,
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
