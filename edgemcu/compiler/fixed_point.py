"""The integer arithmetic of TensorFlow Lite's reference kernels, on the host, to the last bit.

Everything here works on Python integers, or elementwise on int64 arrays. The formulas are those of
gemmlowp's fixed-point library and of TensorFlow Lite's `quantization_util`; the double rounding of
`multiply_by_quantized_multiplier` is what both TensorFlow Lite's and TensorFlow Lite Micro's
reference kernels are built with.
"""

from __future__ import annotations

import math

import numpy as np

from edgemcu.errors import UnsupportedModelError
from edgemcu.graph.ir import Activation, Quantization

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

Multiplier = tuple[int, int]
"""(multiplier, shift): the factor multiplier × 2^(shift − 31), multiplier in [2^30, 2^31) or 0."""

# `x << shift` is undefined beyond; a factor of a billion between two tensors is a broken model.
MAX_SHIFT = 30


def quantize_multiplier(factor: float) -> Multiplier:
    """A real factor as an integer multiplier and a power of two.

    Raises:
        UnsupportedModelError: the factor is 2^30 or more.
    """
    multiplier, shift = normalize_factor(factor)
    if shift > MAX_SHIFT:
        raise UnsupportedModelError(
            f"the scales of two tensors differ by a factor of {factor:.3g}, more than 2^30",
            hint="Quantize the model again with representative calibration data.",
        )
    return multiplier, shift


def normalize_factor(factor: float) -> Multiplier:
    """`quantize_multiplier` for factors of any size; those below 2^-32 become 0."""
    mantissa, shift = math.frexp(factor)
    multiplier = round_half_away(mantissa * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def round_half_away(value: float) -> int:
    """To the nearest integer, ties away from zero, like C's `round`."""
    whole = math.floor(abs(value))
    whole += abs(value) - whole >= 0.5
    return -whole if value < 0 else whole


def wrap_int32(value: int) -> int:
    return (value - INT32_MIN) % (1 << 32) + INT32_MIN


def doubling_high_multiply(a: int, b: int) -> int:
    """a × b / 2^31, rounded to nearest with ties up, saturating: both −2^31 give 2^31 − 1."""
    return min((a * b + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift_right(value: int, exponent: int) -> int:
    """value / 2^exponent, rounded to nearest with ties away from zero."""
    half = (1 << exponent) >> 1
    return (value + half - (value < 0 < exponent)) >> exponent


def multiply_by_quantized_multiplier(value: int, factor: Multiplier) -> int:
    """value × factor, rounded twice: to 32 bits, then by the right shift."""
    multiplier, shift = factor
    shifted = wrap_int32(value << max(shift, 0))
    return rounding_shift_right(doubling_high_multiply(shifted, multiplier), max(-shift, 0))


def clamp_int8(value: int) -> int:
    return min(max(value, INT8_MIN), INT8_MAX)


def activation_range(activation: Activation, output: Quantization) -> tuple[int, int]:
    """The int8 values that a fused activation leaves, in the output's quantization."""
    lower, upper = {
        Activation.NONE: (None, None),
        Activation.RELU: (0.0, None),
        Activation.RELU6: (0.0, 6.0),
        Activation.RELU_N1_TO_1: (-1.0, 1.0),
    }[activation]
    return (
        INT8_MIN if lower is None else max(INT8_MIN, _quantize(lower, output)),
        INT8_MAX if upper is None else min(INT8_MAX, _quantize(upper, output)),
    )


def _quantize(value: float, quantization: Quantization) -> int:
    """In float32, as the reference does it."""
    steps = np.float32(value) / quantization.scales[0]
    return quantization.zero_point + round_half_away(float(steps))


def _saturating_shift_left(value: int, exponent: int) -> int:
    return min(max(value << exponent, INT32_MIN), INT32_MAX)


def exp_on_negative_values(value: int, integer_bits: int) -> int:
    """exp(x) in Q0.31 for x ≤ 0 with `integer_bits` integer bits, by gemmlowp's algorithm.

    x is split into a part in [−1/4, 0), for which a polynomial around −1/8 is evaluated, and a sum
    of powers of two, for each of which the result is multiplied by a constant.
    """
    if value == 0:
        return INT32_MAX
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    modulo = (value & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(_saturating_shift_left(modulo, integer_bits))
    remainder = modulo - value
    # exp(−2^exponent) in Q0.31, for exponents from −2.
    constants = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, constant in enumerate(constants, start=-2):
        if integer_bits > exponent and remainder & (1 << (fractional_bits + exponent)):
            result = doubling_high_multiply(result, constant)
    return result


def _exp_between_minus_quarter_and_zero(value: int) -> int:
    constant_term = 1895147668  # exp(−1/8)
    one_third = 715827883
    x = value + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    x4_over_4 = rounding_shift_right(x4, 2)
    cubic = doubling_high_multiply(x4_over_4 + x3, one_third) + x2
    return constant_term + doubling_high_multiply(constant_term, x + rounding_shift_right(cubic, 1))


def one_over_one_plus_x(value: int) -> int:
    """1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: Newton-Raphson in Q2.29, three steps."""
    half_denominator = (value + (1 << 31)) >> 1
    x = 1515870810 + doubling_high_multiply(half_denominator, -1010580540)  # 48/17 − 32/17 d
    for _ in range(3):
        error = (1 << 29) - doubling_high_multiply(half_denominator, x)
        x += _saturating_shift_left(doubling_high_multiply(x, error), 2)
    return _saturating_shift_left(x, 1)


def logistic(value: int, integer_bits: int) -> int:
    """1 / (1 + exp(−x)) in Q0.31 for x with `integer_bits` integer bits."""
    if value == 0:
        return 1 << 30
    positive = one_over_one_plus_x(exp_on_negative_values(-abs(value), integer_bits))
    return positive if value > 0 else INT32_MAX - positive


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest |input| whose rescaled value still fits `integer_bits` integer bits."""
    return math.floor(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**left_shift)
