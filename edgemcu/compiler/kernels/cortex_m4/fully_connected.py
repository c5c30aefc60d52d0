"""Fully connected layers of few rows: no packed inputs, four channels at a time."""

from __future__ import annotations

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.dot import Dot, dot
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER


def _layer(operation: o.FullyConnected) -> Dot | None:
    return dot(operation.weights, operation.scales, operation.output, shifts=())


def _bind(operation: o.FullyConnected) -> Binding:
    layer = _layer(operation)
    assert layer is not None
    channels, inputs = (int(size) for size in operation.weights.shape)
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": channels,
            "min": operation.output.min,
            "max": operation.output.max,
            "stream": Array(layer.stream),
        },
        params_type="struct fully_connected_dsp_int8_params",
        overlap={0: ov.rows_overlap(operation.rows, inputs, channels)},
    )


def _cost(operation: o.FullyConnected) -> float:
    channels, inputs = (int(size) for size in operation.weights.shape)
    blocks = -(-channels // 4)
    return float(operation.rows * (blocks * (27 * -(-inputs // 4) + 140) + 30))


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "fully_connected_dsp_int8",
        FOLDER,
        o.FullyConnected,
        applies=lambda operation: _layer(operation) is not None,
        cost=_cost,
        bind=_bind,
        headers=("dsp.h",),
    ),
)
