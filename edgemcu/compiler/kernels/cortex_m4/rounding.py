"""Factors from sums to int8 outputs, as the kernels of `cortex_m4` want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o

FOLDER = "cortex_m4"


def channel_bounds(
    rows: NDArray[np.int8], scales: o.ChannelScales
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The least and the largest sum, bias included, that int8 inputs give; rows: (channels, n)."""
    wide = rows.astype(np.int64)
    bias = scales.bias.astype(np.int64)
    low, high = wide * -128, wide * 127
    return (
        bias + np.minimum(low, high).sum(axis=1),
        bias + np.maximum(low, high).sum(axis=1),
    )


def is_relu(output: o.OutputRange) -> bool:
    """Whether all that is negative becomes the zero point, and the int8 range is the only other
    bound: rounding of negative ties and further clamps do not matter then."""
    return (output.zero_point, output.min, output.max) == (-128, -128, 127)


def variant(output: o.OutputRange) -> str:
    """Which of two C functions: the short one where `is_relu`."""
    return "relu" if is_relu(output) else "any"


def rounding(
    scales: o.ChannelScales, output: o.OutputRange, largest: NDArray[np.int64], scale_bits: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] | None:
    """Multipliers, offsets and shifts for sums that are 2^scale_bits too large.

    The output is (sum × multiplier + offset × 2^32) >> 32 >> shift, less 2^(scale_bits - 1) in the
    offset for negative sums unless `is_relu`, then clamped. See dot_3x2.h for why this is exact.

    Args:
        largest: per channel, the largest magnitude of a sum (of the true size).
        scale_bits: 2 or more.

    Returns:
        int32 arrays of (channels,), or None if a channel's factor or its sums are out of range.
    """
    if np.any(largest >= 1 << (31 - scale_bits)):
        return None
    multipliers, offsets, shifts = [], [], []
    first = 1 << (scale_bits - 2)
    for multiplier, shift, bound in zip(
        scales.multiplier.tolist(), scales.shift.tolist(), largest.tolist(), strict=True
    ):
        right = -shift
        if multiplier == 0 or bound < 1 << max(right - 1, 0):
            # Too small to reach half a step: always the zero point, negative ties included.
            multiplier, right = 0, 1
            offset = (output.zero_point << scale_bits) + (1 << (scale_bits - 1))
        elif 1 <= right <= 22 - scale_bits:
            offset = first + (1 << (right + scale_bits - 2))
            offset += output.zero_point << (right + scale_bits - 1)
        else:
            return None
        multipliers.append(multiplier)
        offsets.append(offset)
        shifts.append(right + scale_bits - 1)
    return (
        np.array(multipliers, dtype=np.int32),
        np.array(offsets, dtype=np.int32),
        np.array(shifts, dtype=np.int32),
    )
