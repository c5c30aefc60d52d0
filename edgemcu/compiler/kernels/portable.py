"""Portable kernels: C11 for any machine, written so that a 32-bit core runs them well.

Costs are instructions on a Cortex-M4 at -O2, counted from the compiler's output.
"""

from __future__ import annotations

import math
from math import prod

import numpy as np

from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels import portable_layers as layers

FOLDER = "portable"


def _always(operation: o.Operation) -> bool:
    return True


def pool(operation: o.Pool) -> Binding:
    window = operation.window
    return Binding(
        params={
            "input_height": window.input_size[0],
            "input_width": window.input_size[1],
            "channels": window.input_channels,
            "output_height": window.output_size[0],
            "output_width": window.output_size[1],
            "height": window.size[0],
            "width": window.size[1],
            "stride_y": window.stride[0],
            "stride_x": window.stride[1],
            "pad_top": window.padding[0],
            "pad_left": window.padding[1],
            "min": operation.output.min,
            "max": operation.output.max,
        },
        params_type="struct pool_params",
        overlap={0: ov.raster_overlap(window, window.input_channels)},
    )


def _mean(operation: o.Mean) -> Binding:
    count = prod(
        size for size, reduced in zip(operation.shape, operation.reduced, strict=True) if reduced
    )
    axes = lay.mean_fields(operation.shape, operation.reduced)
    first_reads = np.zeros(1, np.int64)
    for size, stride in zip(axes["kept"], axes["kept_stride"], strict=True):
        first_reads = (first_reads[:, None] + np.arange(size) * stride).ravel()
    return Binding(
        params={
            **axes,
            "zero_point_sum": operation.input_zero_point * count,
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type="struct mean_int8_params",
        overlap={0: ov.gather_overlap(first_reads)},
    )


def elementwise_overlap(shape: tuple[int, ...], *inputs: tuple[int, ...]) -> dict[int, int]:
    """Operands of the output's shape may be the same memory; repeated ones may not."""
    return {i: ov.IN_PLACE for i, size in enumerate(inputs) if prod(size) == prod(shape)}


def _sum(operation: o.Sum) -> Binding:
    def operand(side: o.Operand) -> dict[str, int]:
        multiplier, shift = side.factor
        return {"zero_point": side.zero_point, "multiplier": multiplier, "shift": shift}

    shapes = operation.shape, operation.shape_a, operation.shape_b
    return Binding(
        params={
            "shape": lay.broadcast_fields(*shapes),
            "a": operand(operation.a),
            "b": operand(operation.b),
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type=f"struct {'sub' if operation.subtract else 'add'}_int8_params",
        overlap=elementwise_overlap(*shapes),
    )


def _product(operation: o.Product) -> Binding:
    shapes = operation.shape, operation.shape_a, operation.shape_b
    return Binding(
        params={
            "shape": lay.broadcast_fields(*shapes),
            "zero_point_a": operation.zero_point_a,
            "zero_point_b": operation.zero_point_b,
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type="struct mul_int8_params",
        overlap=elementwise_overlap(*shapes),
    )


def _pad(operation: o.Pad) -> Binding:
    fields = lay.pad_fields(operation.shape, operation.paddings)
    return Binding(
        params={"value": operation.value, **fields}, params_type="struct pad_int8_params"
    )


def _join(operation: o.Join) -> Binding:
    gap = operation.stride - operation.block
    return Binding(
        params={
            "blocks": operation.blocks,
            "block": operation.block,
            "output_stride": operation.stride,
            "first": operation.first,
        },
        params_type="struct concatenation_int8_params",
        # Each run is written below where it is read; the gaps between them add up.
        overlap={0: operation.first + operation.block + (operation.blocks - 1) * gap},
    )


def _lookup(operation: o.Lookup) -> Binding:
    return Binding(
        params={"elements": operation.elements, "table": Array(operation.table)},
        params_type="struct lookup_int8_params",
        overlap={0: ov.IN_PLACE},
    )


def _softmax(operation: o.Softmax) -> Binding:
    return Binding(
        params={
            "rows": operation.rows,
            "depth": operation.depth,
            "exponentials": len(operation.exponentials),
            "exponential": Array(operation.exponentials),
        },
        params_type="struct softmax_int8_params",
        overlap={0: ov.IN_PLACE},
    )


def _quantize(operation: o.QuantizeFloat) -> Binding:
    return Binding(
        params={
            "elements": operation.elements,
            "scale": operation.scale,
            "zero_point": operation.zero_point,
        },
        params_type="struct quantize_float32_int8_params",
        overlap={0: ov.IN_PLACE},
    )


def _dequantize(operation: o.DequantizeFloat) -> Binding:
    return Binding(
        params={
            "elements": operation.elements,
            "scale": operation.scale,
            "zero_point": operation.zero_point,
        },
        params_type="struct dequantize_int8_float32_params",
        # Element i, at 4i, may not reach what follows byte i of the input.
        overlap={0: 3 * (operation.elements - 1)},
    )


def _only_one(operation: o.Operation) -> float:
    """The cost where there is no other portable kernel: any that a target has is preferred."""
    return math.inf


KERNELS: tuple[AnyKernel, ...] = (
    Kernel(
        "conv_1x1_int8",
        FOLDER,
        o.Convolution,
        applies=layers.is_1x1,
        cost=lambda operation: layers.conv_cost(operation, 2.75),
        bind=layers.conv_1x1,
        headers=("dot_int8.h", "requantize.h"),
    ),
    Kernel(
        "conv_2d_int8",
        FOLDER,
        o.Convolution,
        applies=lambda operation: operation.groups == 1,
        cost=lambda operation: layers.conv_cost(operation, 3.0),
        bind=layers.conv_2d,
        scratch=True,
        headers=("dot_int8.h", "requantize.h", "window.h"),
    ),
    Kernel(
        "grouped_conv_2d_int8",
        FOLDER,
        o.Convolution,
        applies=_always,
        cost=lambda operation: layers.conv_cost(operation, 7.0),
        bind=layers.grouped_conv_2d,
        scratch=True,
        headers=("requantize.h", "window.h"),
    ),
    Kernel(
        "depthwise_conv_3x3_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=layers.is_depthwise_3x3,
        cost=lambda operation: layers.depthwise_cost(operation, 4.2),
        bind=layers.depthwise_3x3,
        scratch=True,
        headers=("requantize.h", "window.h"),
    ),
    Kernel(
        "depthwise_conv_2d_int8",
        FOLDER,
        o.DepthwiseConvolution,
        applies=_always,
        cost=lambda operation: layers.depthwise_cost(operation, 20.0),
        bind=layers.depthwise_2d,
        scratch=True,
        headers=("requantize.h", "window.h"),
    ),
    Kernel(
        "fully_connected_int8",
        FOLDER,
        o.FullyConnected,
        applies=_always,
        cost=_only_one,
        bind=layers.fully_connected,
        headers=("requantize.h",),
    ),
    Kernel(
        "average_pool_2d_int8",
        FOLDER,
        o.Pool,
        applies=lambda operation: operation.average,
        cost=_only_one,
        bind=pool,
        headers=("pool_window.h", "requantize.h"),
    ),
    Kernel(
        "max_pool_2d_int8",
        FOLDER,
        o.Pool,
        applies=lambda operation: not operation.average,
        cost=_only_one,
        bind=pool,
        headers=("pool_window.h", "requantize.h"),
    ),
    Kernel(
        "mean_int8",
        FOLDER,
        o.Mean,
        applies=_always,
        cost=_only_one,
        bind=_mean,
        headers=("requantize.h",),
    ),
    Kernel(
        "add_int8",
        FOLDER,
        o.Sum,
        applies=lambda operation: not operation.subtract,
        cost=_only_one,
        bind=_sum,
        headers=("broadcast.h", "requantize.h"),
    ),
    Kernel(
        "sub_int8",
        FOLDER,
        o.Sum,
        applies=lambda operation: operation.subtract,
        cost=_only_one,
        bind=_sum,
        headers=("broadcast.h", "requantize.h"),
    ),
    Kernel(
        "mul_int8",
        FOLDER,
        o.Product,
        applies=_always,
        cost=_only_one,
        bind=_product,
        headers=("broadcast.h", "requantize.h"),
    ),
    Kernel("pad_int8", FOLDER, o.Pad, applies=_always, cost=_only_one, bind=_pad),
    Kernel("concatenation_int8", FOLDER, o.Join, applies=_always, cost=_only_one, bind=_join),
    Kernel("lookup_int8", FOLDER, o.Lookup, applies=_always, cost=_only_one, bind=_lookup),
    Kernel(
        "softmax_int8",
        FOLDER,
        o.Softmax,
        applies=_always,
        cost=_only_one,
        bind=_softmax,
        headers=("requantize.h",),
    ),
    Kernel(
        "quantize_float32_int8",
        FOLDER,
        o.QuantizeFloat,
        applies=_always,
        cost=_only_one,
        bind=_quantize,
        headers=("requantize.h",),
    ),
    Kernel(
        "dequantize_int8_float32",
        FOLDER,
        o.DequantizeFloat,
        applies=_always,
        cost=_only_one,
        bind=_dequantize,
    ),
)
