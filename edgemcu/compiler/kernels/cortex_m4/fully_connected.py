"""Fully connected layers of few rows, and 1x1 convolutions of few pixels: no packed inputs, four
channels at a time."""

from __future__ import annotations

from math import prod

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.dot import dot_stream
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER, is_relu
from edgemcu.compiler.kernels.portable_layers import is_1x1


def _bind(operation: o.FullyConnected) -> Binding:
    stream = dot_stream(operation.weights, operation.scales, operation.output)
    assert stream is not None
    channels, inputs = (int(size) for size in operation.weights.shape)
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": channels,
            "relu": int(is_relu(operation.output)),
            "min": operation.output.min,
            "max": operation.output.max,
            "stream": Array(stream),
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
    return dot_stream(operation.weights, operation.scales, operation.output) is not None


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
