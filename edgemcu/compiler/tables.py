"""Tables of what the reference kernels compute from one int8 value.

A unary int8 → int8 operator is one table of 256 bytes, whatever it does: each entry is computed on
the host by the integer arithmetic of TensorFlow Lite Micro's reference kernel. Where TensorFlow
Lite's kernel differs, the function says how.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import fixed_point as fp
from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import OpKind, Quantization

Int8Table = NDArray[np.int8]
"""256 results, for the inputs −128 … 127 in this order."""


def _tabulate(function: Callable[[int], int]) -> Int8Table:
    return np.array([function(q) for q in range(fp.INT8_MIN, fp.INT8_MAX + 1)], dtype=np.int8)


def unary_table(kind: OpKind, source: Quantization, target: Quantization) -> Int8Table:
    """The table of a unary int8 → int8 operator.

    Raises:
        UnsupportedModelError: the quantization is one that the reference kernels refuse.
    """
    functions: dict[OpKind, Callable[[Quantization, Quantization], Int8Table]] = {
        OpKind.RELU: relu_table,
        OpKind.RELU6: relu6_table,
        OpKind.LOGISTIC: logistic_table,
        OpKind.HARD_SWISH: hard_swish_table,
        OpKind.QUANTIZE: requantize_table,
    }
    return functions[kind](source, target)


def requantize_table(source: Quantization, target: Quantization) -> Int8Table:
    """QUANTIZE from int8 to int8: a change of scale and zero point."""
    factor = fp.quantize_multiplier(source.scale / target.scale)
    return _tabulate(lambda q: fp.clamp_int8(_rescale(q, source, target, factor)))


def relu_table(source: Quantization, target: Quantization) -> Int8Table:
    """RELU, which may change the quantization too; the factor is a float32 quotient."""
    return _clamped_table(source, target, fp.INT8_MAX)


def relu6_table(source: Quantization, target: Quantization) -> Int8Table:
    """RELU6, rescaled like RELU, as TensorFlow Lite does it.

    TensorFlow Lite Micro's kernel copies bytes from one quantization to the other without
    rescaling them, which is right only where the two are equal; there they agree.
    """
    upper = target.zero_point + fp.round_half_away(float(np.float32(6.0) / target.scales[0]))
    return _clamped_table(source, target, min(fp.INT8_MAX, upper))


def _clamped_table(source: Quantization, target: Quantization, upper: int) -> Int8Table:
    factor = fp.quantize_multiplier(float(source.scales[0] / target.scales[0]))
    lower = max(fp.INT8_MIN, target.zero_point)
    return _tabulate(lambda q: min(upper, max(lower, _rescale(q, source, target, factor))))


def logistic_table(source: Quantization, target: Quantization) -> Int8Table:
    """LOGISTIC with 4 integer bits of input; the output is 1/256 per step from −128.

    TensorFlow Lite rounds a sigmoid in float32 instead; the two may differ by one where it is
    within about 10⁻⁵ of a tie.
    """
    if target.zero_point != fp.INT8_MIN:
        raise UnsupportedModelError(
            f"LOGISTIC has an output zero point of {target.zero_point}; the int8 kernels need -128"
        )
    integer_bits = 4
    factor = fp.quantize_multiplier(source.scale * (1 << (31 - integer_bits)))
    radius = fp.input_radius(integer_bits, factor[1])

    def entry(q: int) -> int:
        value = q - source.zero_point
        if value <= -radius:
            return fp.INT8_MIN
        if value >= radius:
            return fp.INT8_MAX
        scaled = fp.multiply_by_quantized_multiplier(value, factor)
        probability = fp.rounding_shift_right(fp.logistic(scaled, integer_bits), 31 - 8)
        return fp.clamp_int8(probability + fp.INT8_MIN)

    return _tabulate(entry)


def hard_swish_table(source: Quantization, target: Quantization) -> Int8Table:
    """HARD_SWISH, x × relu6(x + 3) / 6, in 16-bit fixed point."""
    high_resolution = np.float32(1.0 / 128.0) * source.scales[0]
    reluish_scale = np.float32(3.0) / np.float32(32768.0)
    out_multiplier, out_shift = fp.quantize_multiplier(float(high_resolution / target.scales[0]))
    relu_multiplier, relu_shift = fp.quantize_multiplier(float(high_resolution / reluish_scale))
    if out_shift > 0:
        raise UnsupportedModelError(
            "HARD_SWISH has an output scale more than 128 times finer than its input's"
        )
    out_multiplier16 = _to_int16_multiplier(out_multiplier)
    relu_multiplier16 = _to_int16_multiplier(relu_multiplier)

    def entry(q: int) -> int:
        high = _wrap_int16((q - source.zero_point) * 128)
        on_output_scale = _doubling_high_multiply16(high, out_multiplier16)
        gate = high
        if relu_shift > 0:
            gate = _saturate_int16(gate << (relu_shift - 1))
        gate = _doubling_high_multiply16(gate, relu_multiplier16)
        if relu_shift > 0:
            gate = _saturate_int16(gate << 1)
        if relu_shift < 0:
            gate = _rounding_shift_right16(gate, -relu_shift)
        gate = (gate + (1 << 15)) >> 1
        product = _truncating_doubling_high_multiply16(gate, on_output_scale)
        return fp.clamp_int8(_rounding_shift_right16(product, -out_shift) + target.zero_point)

    return _tabulate(entry)


def softmax_exponentials(source: Quantization, beta: float) -> NDArray[np.int32]:
    """exp(−i × scale × beta) in Q0.31 for i = 0, 1, …, as far as the reference does not cut off."""
    integer_bits = 5
    factor = float(np.float32(beta)) * source.scale * (1 << (31 - integer_bits))
    if factor <= 1.0:
        raise UnsupportedModelError("SOFTMAX has a degenerate input scale or beta")
    multiplier, shift = fp.normalize_factor(min(factor, 2.0**31 - 1))
    largest = min(fp.input_radius(integer_bits, shift), 255)
    values = []
    for difference in range(largest + 1):
        shifted = fp.wrap_int32(-difference << shift)
        scaled = fp.doubling_high_multiply(shifted, multiplier)
        values.append(fp.exp_on_negative_values(scaled, integer_bits))
    return np.array(values, dtype=np.int32)


def _rescale(q: int, source: Quantization, target: Quantization, factor: fp.Multiplier) -> int:
    value = fp.multiply_by_quantized_multiplier(q - source.zero_point, factor)
    return value + target.zero_point


def _to_int16_multiplier(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, 32767)


def _wrap_int16(value: int) -> int:
    return (value + 32768) % 65536 - 32768


def _saturate_int16(value: int) -> int:
    return min(max(value, -32768), 32767)


def _doubling_high_multiply16(a: int, b: int) -> int:
    return min((a * b + (1 << 14)) >> 15, 32767)


def _truncating_doubling_high_multiply16(a: int, b: int) -> int:
    product = a * b
    magnitude = abs(product) >> 15
    return min(magnitude if product >= 0 else -magnitude, 32767)


def _rounding_shift_right16(value: int, exponent: int) -> int:
    """As on int16, whose rounding mask has no more than 16 bits."""
    if exponent <= 15:
        return fp.rounding_shift_right(value, exponent)
    return 1 if value >= 0 else -1
