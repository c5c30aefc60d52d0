"""ESP-NN's functions as kernels, for chips of Espressif under ESP-IDF.

They are called only where their arithmetic is the reference's to the last bit, by the sources of
ESP-NN `VERSION` (C and assembly for the ESP32-S3, CONFIG_NN_SKIP_NUDGE off):

- Factors are applied with the reference's two roundings, but accumulators and the sum that the
  second rounding starts from saturate: so no sum of absolute products may reach 2^30, and no factor
  may shift to the left.
- Convolutions are padded by as much at the end of an axis as at its beginning, or at the end only:
  windows that reach further would read other memory.
- Vector loads drop the lowest bits of an address: inputs, outputs, weights and scratch memory are
  aligned to 16 bytes.

Everything else is left to the portable kernels.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.fixed_point import Multiplier
from edgemcu.compiler.kernels import AnyKernel, Array, Binding, Field, Kernel
from edgemcu.compiler.kernels import layout as lay
from edgemcu.compiler.kernels.esp_nn_scratch import conv_scratch, depthwise_scratch

VERSION = "1.2.3"
FOLDER = "esp_nn"
ALIGNMENT = 16

_SUM_LIMIT = 1 << 30
_LARGEST_INPUT = 255  # of |x - zero point|
_LONGEST_SIZE = 0xFFFF  # sizes are uint16_t
_SHORTEST_SUM = 16
# The function keeps a word for each output channel on the stack.
_MOST_OUTPUTS = 256
_HEADERS = ("esp_nn_library.h", "../portable/requantize.h")


# ---- Where it applies -------------------------------------------------------------------------


def _rows(weights: NDArray[np.int8], *, channels_last: bool) -> NDArray[np.int64]:
    """Weights as (output channels, weights of each)."""
    wide = weights.astype(np.int64)
    if channels_last:
        wide = np.moveaxis(wide, -1, 0)
    return wide.reshape(wide.shape[0], -1)


def _sums_are_exact(rows: NDArray[np.int64], scales: o.ChannelScales, zero_point: int) -> bool:
    bias = scales.bias.astype(np.int64)
    largest = np.abs(rows).sum(axis=1) * _LARGEST_INPUT + np.abs(bias)
    largest += abs(zero_point) * np.abs(rows.sum(axis=1))
    return bool(largest.max() < _SUM_LIMIT and _shifts_right(*scales.shift.tolist()))


def _shifts_right(*shifts: int) -> bool:
    return all(-30 <= shift <= 0 for shift in shifts)


def _end_padding(window: o.Window) -> tuple[int, int]:
    """How far the last window of each axis leaves the input."""
    down, right = (
        max(0, (count - 1) * stride - pad + size - length)
        for count, stride, pad, size, length in zip(
            window.output_size,
            window.stride,
            window.padding,
            window.size,
            window.input_size,
            strict=True,
        )
    )
    return down, right


def _padding_is_kept(window: o.Window) -> bool:
    if window.padding == (0, 0):
        return True
    return all(end <= pad for end, pad in zip(_end_padding(window), window.padding, strict=True))


def _sizes_fit(window: o.Window, outputs: int) -> bool:
    sizes = (*window.input_size, *window.output_size, window.input_channels, outputs)
    return window.dilation == (1, 1) and max(sizes) <= _LONGEST_SIZE


def _is_matrix_product(window: o.Window) -> bool:
    return window.size == (1, 1) and window.stride == (1, 1) and window.padding == (0, 0)


def _applies_conv(operation: o.Convolution) -> bool:
    window = operation.window
    channels = window.input_channels
    if _is_matrix_product(window):
        long_enough = channels % 8 == 0
    else:
        long_enough = window.taps * channels >= _SHORTEST_SUM
    rows = _rows(operation.weights, channels_last=False)
    return (
        operation.groups == 1
        and long_enough
        and _sizes_fit(window, operation.output_channels)
        and _padding_is_kept(window)
        and _sums_are_exact(rows, operation.scales, operation.input_zero_point)
    )


def _applies_depthwise(operation: o.DepthwiseConvolution) -> bool:
    window = operation.window
    rows = _rows(operation.weights, channels_last=True)
    return (
        operation.depth_multiplier == 1
        and window.input_channels % 16 == 0
        and window.size == (3, 3)
        and window.padding in ((0, 0), (1, 1))
        and _sizes_fit(window, window.input_channels)
        and _padding_is_kept(window)
        and _sums_are_exact(rows, operation.scales, operation.input_zero_point)
    )


def _applies_dense(operation: o.FullyConnected) -> bool:
    outputs, inputs = operation.weights.shape
    rows = _rows(operation.weights, channels_last=False)
    return (
        _SHORTEST_SUM <= inputs <= _LONGEST_SIZE
        and outputs <= _MOST_OUTPUTS
        and (operation.rows == 1 or inputs % ALIGNMENT == 0)
        and _sums_are_exact(rows, operation.scales, 0)
    )


def _applies_sum(operation: o.Sum) -> bool:
    shifts = (operation.a.factor[1], operation.b.factor[1], operation.factor[1])
    same = operation.shape == operation.shape_a == operation.shape_b
    return not operation.subtract and same and _shifts_right(*shifts)


def _applies_product(operation: o.Product) -> bool:
    same = operation.shape == operation.shape_a == operation.shape_b
    return same and _shifts_right(operation.factor[1])


# ---- Constants --------------------------------------------------------------------------------


def _scales(scales: o.ChannelScales, bias: NDArray[np.int32]) -> dict[str, Field]:
    return {
        "bias": Array(bias),
        "multiplier": Array(scales.multiplier),
        "shift": Array(scales.shift.astype(np.int32)),
    }


def _window(window: o.Window) -> dict[str, Field]:
    return {
        "height": window.size[0],
        "width": window.size[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
    }


def _offset_and_bias(
    window: o.Window, rows: NDArray[np.int64], scales: o.ChannelScales, zero_point: int
) -> tuple[int, NDArray[np.int32]]:
    """What is added to inputs, and the bias that belongs to it.

    Without padding nothing is added: the bias has it folded in, and ESP-NN need not sum up the
    weights in every inference.
    """
    if not window.pads:
        return 0, scales.bias
    unfolded = scales.bias.astype(np.int64) + zero_point * rows.sum(axis=1)
    return -zero_point, unfolded.astype(np.uint32).view(np.int32)


# ---- Bindings ---------------------------------------------------------------------------------


def _conv(operation: o.Convolution) -> Binding:
    window, scales = operation.window, operation.scales
    rows = _rows(operation.weights, channels_last=False)
    offset, bias = _offset_and_bias(window, rows, scales, operation.input_zero_point)
    scratch = conv_scratch(window, operation.output_channels)
    return Binding(
        params={
            "input_height": window.input_size[0],
            "input_width": window.input_size[1],
            "input_channels": window.input_channels,
            "output_height": window.output_size[0],
            "output_width": window.output_size[1],
            "output_channels": operation.output_channels,
            **_window(window),
            "input_offset": offset,
            "scratch_bytes": scratch,
            "out": lay.output_fields(operation.output),
            "scales": _scales(scales, bias),
            "weights": Array(operation.weights, ALIGNMENT),
        },
        params_type="struct conv_2d_esp_nn_params",
        scratch_bytes=scratch,
    )


def _depthwise(operation: o.DepthwiseConvolution) -> Binding:
    window, scales = operation.window, operation.scales
    rows = _rows(operation.weights, channels_last=True)
    offset, bias = _offset_and_bias(window, rows, scales, operation.input_zero_point)
    scratch = depthwise_scratch(window)
    return Binding(
        params={
            "input_height": window.input_size[0],
            "input_width": window.input_size[1],
            "channels": window.input_channels,
            "output_height": window.output_size[0],
            "output_width": window.output_size[1],
            **_window(window),
            "input_offset": offset,
            "scratch_bytes": scratch,
            "out": lay.output_fields(operation.output),
            "scales": _scales(scales, bias),
            "weights": Array(operation.weights, ALIGNMENT),
        },
        params_type="struct depthwise_conv_2d_esp_nn_params",
        scratch_bytes=scratch,
    )


def _dense(operation: o.FullyConnected) -> Binding:
    outputs, inputs = operation.weights.shape
    return Binding(
        params={
            "rows": operation.rows,
            "input_channels": inputs,
            "output_channels": outputs,
            "out": lay.output_fields(operation.output),
            "scales": _scales(operation.scales, operation.scales.bias),
            "weights": Array(operation.weights, ALIGNMENT),
        },
        params_type="struct fully_connected_esp_nn_params",
    )


def _factor(factor: Multiplier) -> dict[str, Field]:
    return {"multiplier": factor[0], "shift": factor[1]}


def _sum(operation: o.Sum) -> Binding:
    return Binding(
        params={
            "elements": prod(operation.shape),
            "a": {"zero_point": operation.a.zero_point, **_factor(operation.a.factor)},
            "b": {"zero_point": operation.b.zero_point, **_factor(operation.b.factor)},
            **_factor(operation.factor),
            "out": lay.output_fields(operation.output),
        },
        params_type="struct add_esp_nn_params",
    )


def _product(operation: o.Product) -> Binding:
    return Binding(
        params={
            "elements": prod(operation.shape),
            "zero_point_a": operation.zero_point_a,
            "zero_point_b": operation.zero_point_b,
            **_factor(operation.factor),
            "out": lay.output_fields(operation.output),
        },
        params_type="struct mul_esp_nn_params",
    )


def _cost(operation: o.Operation) -> float:
    """Below every portable kernel's: Espressif measured 4 to 14 times on the ESP32-S3."""
    return operation.macs * 0.5


KERNELS: tuple[AnyKernel, ...] = tuple(
    Kernel(
        name,
        FOLDER,
        operation,
        applies=applies,
        cost=_cost,
        bind=bind,
        scratch=scratch,
        headers=_HEADERS,
        alignment=ALIGNMENT,
    )
    for name, operation, applies, bind, scratch in (
        ("conv_2d_esp_nn", o.Convolution, _applies_conv, _conv, True),
        ("depthwise_conv_2d_esp_nn", o.DepthwiseConvolution, _applies_depthwise, _depthwise, True),
        ("fully_connected_esp_nn", o.FullyConnected, _applies_dense, _dense, False),
        ("add_esp_nn", o.Sum, _applies_sum, _sum, False),
        ("mul_esp_nn", o.Product, _applies_product, _product, False),
    )
)
