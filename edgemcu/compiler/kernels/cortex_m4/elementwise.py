"""Sums and products of two tensors, tables, pooling, and means over an image."""

from __future__ import annotations

from math import prod

import numpy as np

from edgemcu.compiler import fixed_point as fp
from edgemcu.compiler import operations as o
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels import overlap as ov
from edgemcu.compiler.kernels.cortex_m4.rounding import FOLDER
from edgemcu.compiler.kernels.portable import elementwise_overlap, pool

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
        2
        * sign
        * fp.multiply_by_quantized_multiplier(
            (v - other.zero_point) << o.SUM_LEFT_SHIFT, other.factor
        )
        - (whole.zero_point << o.SUM_LEFT_SHIFT)
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


def _product_swaps(operation: o.Product) -> bool:
    """Whether the first operand has one value for a whole row of the second."""
    fields = lay.broadcast_fields(operation.shape, operation.shape_a, operation.shape_b)
    return bool(fields["stride_a"][-1] == 0)


def _product(operation: o.Product) -> Binding:
    swap = _product_swaps(operation)
    shapes = [operation.shape_a, operation.shape_b]
    zero_points = [operation.zero_point_a, operation.zero_point_b]
    order = [1, 0] if swap else [0, 1]
    multiplier, shift = operation.factor
    return Binding(
        params={
            "shape": lay.broadcast_fields(operation.shape, *(shapes[i] for i in order)),
            "swap": int(swap),
            "zero_point_a": zero_points[order[0]],
            "zero_point_b": zero_points[order[1]],
            "multiplier": multiplier,
            "offset": (1 << (-shift - 1)) + (operation.output.zero_point << -shift),
            "shift": -shift,
            "min": operation.output.min,
            "max": operation.output.max,
        },
        params_type="struct mul_dsp_int8_params",
        overlap=elementwise_overlap(operation.shape, *shapes),
    )


def _product_cost(operation: o.Product) -> float:
    shapes = operation.shape, operation.shape_a, operation.shape_b
    *sizes, row = lay.broadcast_fields(*shapes)["size"]
    return float(prod(sizes) * (52 * -(-row // 4) + 60))


def _lookup(operation: o.Lookup) -> Binding:
    return Binding(
        params={"elements": operation.elements, "table": Array(np.roll(operation.table, 128))},
        params_type="struct lookup_dsp_int8_params",
        overlap={0: ov.IN_PLACE},
    )


# What sum_channels.h adds up in 16 bits.
MAX_AVERAGED_PIXELS = 255


def _pool_cost(operation: o.Pool) -> float:
    window = operation.window
    outputs = prod(window.output_size) * window.input_channels
    return outputs * (2.0 * window.taps + (25 if operation.average else 8))


def _reduces_image(operation: o.Mean) -> bool:
    """Whether it is over all pixels of one image, and over nothing else."""
    *sizes, _ = operation.shape
    *reduced, channels_too = operation.reduced
    whole = all(size == 1 or is_reduced for size, is_reduced in zip(sizes, reduced, strict=True))
    return whole and not channels_too


def _mean(operation: o.Mean) -> Binding:
    pixels = prod(operation.shape[:-1])
    return Binding(
        params={
            "pixels": pixels,
            "channels": operation.shape[-1],
            "zero_point_sum": operation.input_zero_point * pixels,
            "multiplier": operation.factor[0],
            "shift": operation.factor[1],
            "out": lay.output_fields(operation.output),
        },
        params_type="struct mean_dsp_int8_params",
        overlap={0: ov.IN_PLACE},
    )


KERNELS: tuple[AnyKernel, ...] = (
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
        "mul_dsp_int8",
        FOLDER,
        o.Product,
        applies=lambda operation: 1 <= -operation.factor[1] <= 22,
        cost=_product_cost,
        bind=_product,
        headers=("dsp.h", "../portable/broadcast.h"),
    ),
    Kernel(
        "lookup_dsp_int8",
        FOLDER,
        o.Lookup,
        applies=lambda operation: True,
        cost=lambda operation: 6.0 * operation.elements,
        bind=_lookup,
        headers=("dsp.h",),
    ),
    Kernel(
        "max_pool_2d_dsp_int8",
        FOLDER,
        o.Pool,
        applies=lambda operation: not operation.average,
        cost=_pool_cost,
        bind=pool,
        headers=("dsp.h", "../portable/pool_window.h"),
    ),
    Kernel(
        "average_pool_2d_dsp_int8",
        FOLDER,
        o.Pool,
        applies=lambda operation: (
            operation.average and operation.window.taps <= MAX_AVERAGED_PIXELS
        ),
        cost=_pool_cost,
        bind=pool,
        headers=(
            "sum_channels.h",
            "dsp.h",
            "../portable/pool_window.h",
            "../portable/requantize.h",
        ),
    ),
    Kernel(
        "mean_dsp_int8",
        FOLDER,
        o.Mean,
        applies=_reduces_image,
        cost=lambda operation: 2.0 * prod(operation.shape),
        bind=_mean,
        headers=("sum_channels.h", "dsp.h", "../portable/requantize.h"),
    ),
)
