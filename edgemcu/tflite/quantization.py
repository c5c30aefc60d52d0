"""Checks of scales and zero points: finite, in range, and such that no kernel can overflow.

TensorFlow Lite's interpreters abort the process, or leave the result undefined, on scales that
break these rules. An untrained network has them: the converter gives a tensor that was always zero
during calibration the range ±1e-6, which is a scale of 8e-9.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import ModelError
from edgemcu.graph.ir import Quantization
from edgemcu.tflite.file import FileTensor

MIN_ACTIVATION_SCALE = 1e-8
MAX_ACTIVATION_SCALE = 1e8
INT32_LIMIT = 2**31

RETRAIN = (
    "The model was probably quantized before it was trained, or calibrated on data that does not "
    "look like its real input; quantize it again."
)

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int32": (0, 0)}


def quantization_of(tensor: FileTensor, source: str, axis: int) -> Quantization | None:
    """The checked affine quantization of an int8, uint8 or int32 tensor, None where it has none.

    Several scales run along dimension `axis`.

    Raises:
        ModelError: scales or zero points are missing, not finite, out of range, or too many.
    """

    def refuse(reason: str) -> ModelError:
        return ModelError(f"{tensor}: {reason}", where=source, hint=RETRAIN)

    count = len(tensor.scales)
    if count == 0:
        return None
    if count > 1:
        if not 0 <= axis < len(tensor.shape):
            raise refuse(
                f"quantized along dimension {axis}, but it has {len(tensor.shape)} of them"
            )
        if count != tensor.shape[axis]:
            raise refuse(f"{count} scales for {tensor.shape[axis]} channels along dimension {axis}")
    if len(tensor.zero_points) not in (0, 1, count):
        raise refuse(f"{len(tensor.zero_points)} zero points for {count} scales")
    scales = np.array(tensor.scales, np.float32)
    bad = ~(np.isfinite(scales) & (scales > 0))
    if bad.any():
        channel = int(np.argmax(bad))
        raise refuse(f"the scale of channel {channel} is {scales[channel]}, not a positive number")
    zero_points = np.zeros(count, np.int64)
    if len(tensor.zero_points):
        zero_points[:] = tensor.zero_points
    low, high = _RANGES[tensor.dtype]
    bad = (zero_points < low) | (zero_points > high)
    if bad.any():
        channel = int(np.argmax(bad))
        raise refuse(
            f"the zero point {zero_points[channel]} lies outside {low} to {high}, "
            f"what {tensor.dtype} can hold here"
        )
    offsets = zero_points.astype(np.int32)
    scales.flags.writeable = offsets.flags.writeable = False
    return Quantization(scales, offsets, axis if count > 1 else 0)


def activation_quantization(tensor: FileTensor, source: str) -> Quantization:
    """The quantization of an activation: one scale, of a sensible size.

    Raises:
        ModelError: there is none, more than one, or a degenerate one.
    """
    quantization = quantization_of(tensor, source, tensor.axis)
    if quantization is None:
        raise ModelError(f"{tensor}: {tensor.dtype} without a scale", where=source, hint=RETRAIN)
    if quantization.per_channel:
        raise ModelError(
            f"{tensor}: {quantization.scales.size} scales, but an activation has one",
            where=source,
        )
    scale = quantization.scale
    if not MIN_ACTIVATION_SCALE <= scale <= MAX_ACTIVATION_SCALE:
        raise ModelError(
            f"{tensor}: degenerate scale {scale:g} (sensible ones lie between "
            f"{MIN_ACTIVATION_SCALE:g} and {MAX_ACTIVATION_SCALE:g})",
            where=source,
            hint=RETRAIN,
        )
    return quantization


def exponent(multiplier: float) -> int:
    """The power of two in TensorFlow Lite's fixed-point form of a positive real multiplier.

    multiplier ≈ m × 2^exponent with m in [0.5, 1) rounded to 31 bits (`QuantizeMultiplier`).
    """
    fraction, power = math.frexp(multiplier)
    return power + 1 if math.floor(fraction * INT32_LIMIT + 0.5) == INT32_LIMIT else power


def accumulator_bounds(
    weights: NDArray[np.generic], bias: NDArray[np.generic] | None, zero_point: int
) -> NDArray[np.int64]:
    """Largest |accumulator| per output channel over every possible int8 input.

    Args:
        weights: int8, (output channels, everything that one output sums over).
        bias: int32, (output channels,).
        zero_point: the input's.

    Returns:
        int64, (output channels,).
    """
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    up, down = 127 - zero_point, -128 - zero_point
    offset = np.zeros(len(weights), np.int64) if bias is None else bias.astype(np.int64)
    highest = positive * up + negative * down + offset
    lowest = positive * down + negative * up + offset
    # A tap that falls on padding contributes nothing, which only narrows the range.
    bounds: NDArray[np.int64] = np.maximum(np.abs(highest), np.abs(lowest))
    return bounds
