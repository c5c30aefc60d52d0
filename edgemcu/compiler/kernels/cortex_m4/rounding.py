"""Factors from sums to int8 outputs, as the kernels of `cortex_m4` want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import Ints

FOLDER = "cortex_m4"

# Of sums that `rescaling` is for.
SCALE_BITS = 8

# How far from the nearest multiplier `one_shift` looks for one that is exact.
STEPS_ASIDE = 24


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


@dataclass(frozen=True)
class Rescaling:
    """How sums that are 2^8 too large become outputs.

    Attributes:
        shift: that of all channels (see `one_shift`), or None.
        words: int32 (channels, 2 or 3): multiplier, offset and, if each has its own, shift.
        nudges: int64 (channels,), to be added to the sums.
    """

    shift: int | None
    words: NDArray[np.int32]
    nudges: Ints

    @property
    def variant(self) -> str:
        """Which C function."""
        return "any" if self.shift is None else f"relu_{self.shift}"


def rescaling(
    rows: NDArray[np.int8],
    scales: o.ChannelScales,
    output: o.OutputRange,
    shifts: Sequence[int],
) -> Rescaling | None:
    """The cheapest way that is exact, or None; rows: int8 (channels, weights of a channel).

    Args:
        shifts: that all channels may share, those to prefer first.
    """
    low, high = channel_bounds(rows, scales)
    for shift in shifts:
        shared = one_shift(scales, output, low, high, shift)
        if shared is not None:
            multipliers, offsets, nudges = shared
            words = np.stack([multipliers, offsets], axis=1).astype(np.int32)
            return Rescaling(shift, words, nudges)
    own = rounding(scales, output, np.maximum(-low, high), SCALE_BITS)
    if own is None:
        return None
    return Rescaling(None, np.stack(own, axis=1), np.zeros(low.shape, np.int64))


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


def one_shift(
    scales: o.ChannelScales, output: o.OutputRange, low: Ints, high: Ints, shift: int
) -> tuple[Ints, Ints, Ints] | None:
    """Multipliers, offsets and nudges if all channels take the same shift.

    Sums are 2^8 too large.

    The output is ((sum + nudge) × multiplier + offset × 2^32) >> 32 >> shift, saturated to an int8:
    one multiplication and one SSAT, which shifts for nothing; nudges are part of the bias. Where a
    channel's own shift is larger, its multiplier loses bits. Whether it matters is found out:
    rescaling never decreases where sums grow, so that two ways to do it are equal for all sums if
    for each output value the smallest sum that gives it is the same. For a given multiplier that
    leaves an interval for what is added to the product.

    Args:
        low, high: int64 (channels,): the least and the largest sum (of the true size).

    Returns:
        int64 arrays of (channels,), or None if that is not exact for some channel, or the output
        is not `is_relu`.
    """
    right = -scales.shift.astype(np.int64)
    own = right + SCALE_BITS - 1
    multiplier = scales.multiplier.astype(np.int64)
    if not is_relu(output) or np.any((own < shift) & (multiplier > 0)):
        return None
    lost = np.minimum(np.maximum(own - shift, 0), 31)
    best = np.minimum((multiplier + (np.int64(1) << lost >> 1)) >> lost, (1 << 31) - 1)
    largest = np.maximum(np.abs(low), np.abs(high)) << SCALE_BITS
    if np.any(largest >= 1 << 31):
        return None
    first, values = _first_sums(multiplier, right, high)
    found = np.zeros((3, right.size), np.int64)
    left = np.arange(right.size)
    # Nearest first: a step aside can make the interval longer.
    for step in sorted(range(-STEPS_ASIDE, STEPS_ASIDE + 1), key=abs):
        tried = np.clip(best[left] + step, 0, (1 << 31) - 1)
        least, most = _addends(tried, first[left], values, low[left], high[left], shift)
        offset = np.where(least <= _ANY_LEAST, most >> 32, -(-least >> 32))
        fits = offset << 32 <= most
        # Between two offsets, by the sum.
        below = least >> 32
        between = -((least - (below << 32)) // -np.maximum(tried, 1))
        by_nudge = ~fits & ((below << 32) + between * tried <= most)
        offset, nudge = np.where(by_nudge, below, offset), np.where(by_nudge, between, 0)
        reach = ((largest[left] + nudge) * tried >> 32) + np.abs(offset)
        fits = (fits | by_nudge) & (largest[left] + nudge < 1 << 31) & (reach < 1 << 31)
        found[:, left[fits]] = tried[fits], offset[fits], nudge[fits]
        left = left[~fits]
        if left.size == 0:
            multipliers, offsets, nudges = found
            return multipliers, offsets, nudges
    return None


# Instead of minus infinity; an offset of this is the zero point's for any sum in question.
_ANY_LEAST = -(1 << 60)


def _addends(
    multiplier: Ints, first: Ints, values: Ints, low: Ints, high: Ints, shift: int
) -> tuple[Ints, Ints]:
    """The least and the most that can be added to each channel's products of sum and multiplier, so
    that the smallest sum for each value is `first`."""
    wanted = values << (32 + shift)
    factor = (multiplier << SCALE_BITS)[:, None]
    # From here on the value or more, below less, as far as there are such sums.
    from_here, below = np.maximum(first, low[:, None]), np.minimum(first - 1, high[:, None])
    least = np.where(first > high[:, None], _ANY_LEAST, wanted - from_here * factor)
    most = np.where(below < low[:, None], -_ANY_LEAST, wanted - 1 - below * factor)
    return least.max(axis=1), most.min(axis=1)


def _first_sums(multiplier: Ints, right: Ints, high: Ints) -> tuple[Ints, Ints]:
    """For each channel and output value above -128, the smallest sum that gives it or more where
    the zero point is -128, or one more than `high`: int64 (channels, 255), and the values."""
    values = np.arange(-127, 128)
    # Rounded twice: (sum × multiplier + 2^30) >> 31, then half a step more >> right.
    within = np.minimum(right, 23)[:, None]
    needed = ((values + 128) << within) - (np.int64(1) << within >> 1)
    divisor = np.maximum(multiplier, 1)[:, None]
    first = -(-((needed << 31) - (1 << 30)) // divisor)
    never = (multiplier == 0) | (right > 23)
    first = np.where(never[:, None], high[:, None] + 1, np.minimum(first, high[:, None] + 1))
    return first, values
